"""The embedded engine: stanli, which needs no compiler."""

from __future__ import annotations

import math
import re
import threading
import types
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import stanli

from mix2stan.engines.contract import (
    LASTING,
    LEVEL,
    Array,
    ChainError,
    Draws,
    Interrupted,
    Optimum,
    Progress,
    ProgressCallback,
    Settings,
    Values,
    kept,
)
from mix2stan.engines.marginal import marginal_laplace
from mix2stan.engines.stan_text import without_model
from mix2stan.engines.values import approximation, layout, split, stats, to_json
from mix2stan.errors import EngineError, suggestion
from mix2stan.many.places import cores

__all__ = ["Stanli"]

#: How much higher than where it starts, and than twice that, an objective is shown to a line search.
_WALL = 100.0
#: How far the change of variables can move a mode: a factor of exp(10) of a scale.
_REACH = 10.0
#: How far roots of correlations stay from the edge, which no unconstrained number reaches.
_INSIDE = 1e-12
#: At the end of that reach the climb goes on, so often, where it is steeper than this.
_MOVES, _SLOPE = 5, 1e-4
#: Unconstrained coordinates that differ by more than this are apart.
_APART = 1e-7
#: Step of the differences of gradients, relative to the size of a coordinate.
_STEP = 1e-5
_FAILED = re.compile(r"chain (\d+)", re.IGNORECASE)


#: Stan's memory is of the thread that loads its library: what runs in another has none, and dies.
_LOADED_BY = threading.current_thread()


def _at_home() -> bool:
    return threading.current_thread() is _LOADED_BY


def _check_at_home(what: str) -> None:
    """Refuse what stanli can do in one thread alone.

    Raises:
        EngineError: in any other.
    """
    if not _at_home():
        raise EngineError(
            f"stanli runs {what} in the thread alone that used it first, {_LOADED_BY.name}",
            hint="call it there, or import mix2stan.engines.stanli there first; sample() runs anywhere",
        )


class Stanli:
    """Makes programs of the embedded engine."""

    name = "stanli"

    def __init__(self, reason: str = "") -> None:
        self.reason = reason

    @property
    def version(self) -> str:
        return f"stanli {stanli.__version__}"

    def compile(self, stan_code: str, data: Values) -> StanliProgram:
        return StanliProgram(stan_code, data)


class StanliProgram:
    """A program in stanli's hands."""

    def __init__(self, stan_code: str, data: Values) -> None:
        self.stan_code = stan_code
        self._data = to_json(data)
        self._model = self._build(stan_code)

    @property
    def engine(self) -> str:
        return f"stanli {stanli.__version__}"

    def sample(self, settings: Settings, progress: ProgressCallback | None = None) -> Draws:
        inits = self._starts(settings)
        chains, at_once = settings.chains, settings.at_once
        if not _at_home():
            # one chain at a time runs in the caller's thread
            at_once = max(at_once, 2)
            if chains == 1:
                chains, progress = 2, None
                inits = None if inits is None else np.repeat(inits, 2, axis=0)
        sampler = None if progress is None else _reporting_to(progress)
        try:
            fit = (sampler or stanli.Model.sample)(
                self._model,
                chains=chains,
                seed=settings.seed,
                warmup=settings.warmup,
                samples=settings.draws,
                delta=settings.adapt_delta,
                max_depth=settings.max_treedepth,
                thin=settings.thin,
                inits=inits,
                init_radius=settings.radius,
                parallel_chains=at_once,
                adapt_engaged=settings.warmup > 0,
                refresh=settings.refresh if sampler else 0,
            )
        except KeyboardInterrupt:
            # stanli hands over draws only when all chains are through
            raise Interrupted(
                f"stopped: {kept([], settings.chains, None)}", finished=None
            ) from None
        except (RuntimeError, ValueError) as error:
            raise _chain_error(str(error)) from error
        names = stanli.SAMPLER_COLUMNS
        kept_chains = slice(settings.chains)
        columns = {name: fit.sampler_stats[kept_chains, :, i] for i, name in enumerate(names)}
        return Draws(
            variables=split(fit.draws()[kept_chains], layout(fit.names)),
            stats=stats(columns),
            engine=self.engine,
            chain_ids=tuple(range(1, settings.chains + 1)),
            messages=(),
            max_treedepth=settings.max_treedepth,
        )

    def log_density(self, point: Values, jacobian: bool = True) -> tuple[float, Array]:
        q = self._unconstrain(point)
        return self._evaluate(self._model, q) if jacobian else self._plain(q)

    def optimize(
        self,
        inits: Values | None = None,
        *,
        jacobian: bool = False,
        seed: int = 1,
        apart: Values | None = None,
    ) -> Optimum:
        if inits is None or jacobian:
            if apart is not None:
                raise EngineError("parameters are held at a start, and without the Jacobian")
            return self._own_optimum(inits, jacobian, seed)
        start = self._unconstrain(inits)
        if apart is not None:
            held = np.abs(start - self._unconstrain(apart)) > _APART
            return self._without_jacobian([start], np.where(held, 0.0, _REACH))
        # stanli's own optimiser dies in a thread; and a scale of few levels may have no mode with
        # the Jacobian: where nothing is known of it, it grows until there is only rounding to climb
        mode = _climb(lambda q: self._evaluate(self._model, q), start, _REACH)[0]
        there = bool(np.all(np.abs(mode - start) < 0.999 * _REACH))
        return self._without_jacobian([mode, start] if there else [start], _REACH)

    def rising(self, point: Values) -> bool:
        try:
            q = self._unconstrain(point)
            value, slope = self._plain(q)
            steep = float(np.linalg.norm(slope))
            if not (np.isfinite(value) and np.isfinite(steep)):
                return True
            if steep < LEVEL:
                return False
            further, _ = self._plain(q + slope / steep)
        except EngineError:
            return True
        return bool(further - value > LASTING * steep)

    def approximate(
        self, kind: str, draws: int, inits: Values, seed: int, apart: Values | None = None
    ) -> Draws:
        if kind not in _APPROXIMATIONS:
            hint = suggestion(kind, _APPROXIMATIONS, what="stanli offers")
            raise EngineError(f"stanli has no approximation {kind!r}", hint=hint)
        _check_at_home("approximations")
        start = self._unconstrain(inits)
        if apart is not None and kind == "laplace":
            effects = np.abs(start - self._unconstrain(apart)) > _APART
            inside = {"inits": marginal_laplace(self._density, start, effects, draws, seed)}
        else:
            inside = _APPROXIMATIONS[kind](self, draws, start, seed)
        try:
            fit = self._variables(draws, seed=seed, **inside)
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"the {kind} approximation failed: {error}") from error
        names = stanli.SAMPLER_COLUMNS
        columns = {name: fit.sampler_stats[None, :draws, 0, i] for i, name in enumerate(names)}
        return approximation(self.engine, kind, fit.names, fit.draws()[None, :draws, 0], columns)

    # -- inside ------------------------------------------------------------------------------------

    @cached_property
    def _jacobian(self) -> stanli.Model:
        """The same program without its model: the log Jacobian alone."""
        return self._build(without_model(self.stan_code))

    def _build(self, stan_code: str) -> stanli.Model:
        try:
            return stanli.Model(mir=_intermediate(stan_code), data=self._data)
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"stanli cannot run the program\n{error}") from error

    def _own_optimum(self, inits: Values | None, jacobian: bool, seed: int) -> Optimum:
        _check_at_home("this optimiser")
        start = None if inits is None else self._unconstrain(inits)
        try:
            found = self._model.optimize(seed=seed, init=start)
        except RuntimeError as error:
            raise EngineError(f"stanli could not optimise: {error}") from error
        if not jacobian:
            return self._without_jacobian([found.unconstrained], _REACH)
        values = split(np.array(list(found.values())), layout(list(found)))
        return Optimum(values, float(found.lp), jacobian)

    def _without_jacobian(self, starts: Sequence[Array], reach: float | Array) -> Optimum:
        """The mode without the change of variables, which stanli always includes.

        SciPy climbs the difference of the two densities from every start, and the highest top
        counts.  From the mode with the Jacobian only constrained parameters move, and those on a
        logarithmic scale.  stanli evaluates variables only along a chain, so it takes one step of a
        length that no digit shows.
        """
        tops = [self._top(start, reach) for start in starts]
        best, value = max(tops, key=lambda top: top[1])
        if not np.isfinite(value):
            raise EngineError("stanli: the density is not finite where the climb starts")
        chain = self._variables(1, inits=best)
        if np.isnan(chain.draws()[0, 0]).any():
            # quantities that are generated may not be there, where a correlation is one
            chain = self._variables(1, self._jacobian, inits=best)
        values = split(chain.draws()[0, 0], layout(chain.names))
        return Optimum({name: _inside(v) for name, v in values.items()}, value, False)

    def _variables(
        self, count: int, model: stanli.Model | None = None, seed: int = 1, **inside: Any
    ) -> stanli.Fit:
        """What the variables are at some points: a chain each, of one step that goes nowhere."""
        chains = count
        if not _at_home() and count == 1:
            chains = 2
            inside = {k: np.repeat(np.atleast_2d(v), 2, axis=0) for k, v in inside.items()}
        return (model or self._model).sample(
            chains=chains, warmup=0, samples=1, seed=seed, adapt_engaged=False, step_size=1e-14,
            max_depth=1, refresh=0, parallel_chains=max(2, cores()), **inside,
        )  # fmt: skip

    def _top(self, start: Array, reach: float | Array) -> tuple[Array, float]:
        """Where a climb without the Jacobian ends, shape (n,), and the density there."""

        density = self._plain
        best, value = _climb(density, start, reach)
        for _ in range(_MOVES):
            if not np.isfinite(value):  # no density where it starts: another start may have one
                break
            # a scale of few levels may have no mode with the Jacobian, and be far from this one
            edge = (np.abs(best - start) >= 0.999 * reach) & (np.abs(density(best)[1]) > _SLOPE)
            if not np.any(edge & (np.asarray(reach) > 0)):
                break
            start = best
            best, value = _climb(density, start, reach)
        return best, value

    def _laplace(self, draws: int, start: Array, seed: int) -> dict[str, Any]:
        """Normal draws around the mode, on the unconstrained scale, with its curvature."""

        density = self._density
        mode, _ = _climb(density, start, math.inf)
        steps = _STEP * np.maximum(1.0, np.abs(mode))
        ahead = [density(mode + h * e)[1] for h, e in zip(steps, np.eye(len(mode)), strict=True)]
        behind = [density(mode - h * e)[1] for h, e in zip(steps, np.eye(len(mode)), strict=True)]
        precision = -(np.array(ahead) - np.array(behind)) / (2 * steps[:, None])
        try:
            root = np.linalg.cholesky((precision + precision.T) / 2)
        except np.linalg.LinAlgError as error:
            message = "the posterior has no mode with a curvature of its own"
            raise EngineError(message, hint="sample() needs none") from error
        z = np.random.default_rng(seed).standard_normal((len(mode), draws))
        return {"inits": mode + np.linalg.solve(root.T, z).T}

    def _pathfinder(self, draws: int, start: Array, seed: int) -> dict[str, Any]:
        """A path of stanli's own; it finds its start itself."""
        return {"pathfinder_init": {}}

    def _plain(self, q: Array) -> tuple[float, Array]:
        """The log density without the change of variables, and its gradient."""
        value, gradient = self._evaluate(self._model, q)
        change, slope = self._evaluate(self._jacobian, q)
        return value - change, gradient - slope

    def _density(self, q: Array) -> tuple[float, Array]:
        """The log density at unconstrained parameters, and its gradient."""
        return self._evaluate(self._model, q)

    def _evaluate(self, model: stanli.Model, q: Array) -> tuple[float, Array]:
        try:
            value, gradient = model.log_prob_grad(q)
        except RuntimeError as error:
            raise EngineError(f"stanli: {error}") from error
        return float(value), gradient

    def _unconstrain(self, values: Values) -> Array:
        # stanli takes containers as a CSV has them, the first index fastest
        flat = {k: np.asarray(v, dtype=float).ravel(order="F").tolist() for k, v in values.items()}
        flat = {k: v[0] if np.ndim(values[k]) == 0 else v for k, v in flat.items()}
        try:
            return np.asarray(self._model.unconstrain(flat))
        except ValueError as error:
            raise EngineError(f"the starting values do not fit the program: {error}") from error

    def _starts(self, settings: Settings) -> Array | None:
        if not isinstance(settings.inits, Mapping | list | tuple):
            return None
        chains = range(1, settings.chains + 1)
        return np.stack([self._unconstrain(settings.inits_of(c) or {}) for c in chains])


#: What chains start from, by the kind of approximation.
_APPROXIMATIONS: dict[str, Callable[[StanliProgram, int, Array, int], dict[str, Any]]] = {
    "laplace": StanliProgram._laplace,
    "pathfinder": StanliProgram._pathfinder,
}


def _inside(value: Array) -> Array:
    """The root of correlations of which one is 1, moved to where a climb can begin; else itself."""
    if value.ndim != 2 or value.shape[0] != value.shape[1] or not value.size:
        return value
    if np.diag(value).min() > _INSIDE:
        return value
    if np.triu(value, 1).any() or not np.allclose(np.sum(value**2, axis=1), 1.0):
        return value
    within = (1 - _INSIDE) * value @ value.T + _INSIDE * np.eye(len(value))
    return np.asarray(np.linalg.cholesky(within))


def _climb(
    density: Callable[[Array], tuple[float, Array]], start: Array, reach: float | Array
) -> tuple[Array, float]:
    """The maximum of a density within reach of a point, shape (n,), and its value."""
    from scipy import optimize

    wall = math.inf

    def objective(q: Array) -> tuple[float, Array]:
        try:
            value, gradient = density(q)
        except EngineError:
            value = -math.inf
        if not np.isfinite(value) or -value > wall:
            return wall, np.zeros_like(q)
        return -value, -gradient

    first = objective(start)[0]
    if not np.isfinite(first):
        return start, -math.inf
    # a line search that interpolates to a value of another magnitude steps nowhere
    wall = first + abs(first) + _WALL

    best, value, _ = optimize.fmin_l_bfgs_b(
        objective,
        start,
        bounds=list(zip(start - reach, start + reach, strict=True)),
        maxiter=10_000,
        maxfun=100_000,
        factr=10,
        pgtol=1e-8,
    )
    return (best, -float(value)) if value <= first else (start, -first)


@lru_cache(maxsize=64)
def _intermediate(stan_code: str) -> str:
    """The compiler's intermediate form: a program that is run on many data is compiled once."""
    form: str = stanli.stan_to_mir(stan_code)
    return form


def _chain_error(text: str) -> ChainError:
    match = _FAILED.search(text.split("first:")[-1])
    chain = int(match.group(1)) if match else 1
    return ChainError(f"chain {chain} failed", chain=chain, output=text, finished=None)


#: What stanli prints while it samples, and when it is through: functions of its module.
_PRINTS_PROGRESS, _PRINTS_END = "_print_sample_progress", "_print_sample_reports"


def _reporting_to(progress: ProgressCallback) -> Callable[..., stanli.Fit] | None:
    """stanli's sampler, which reports to a function where its own prints.

    It is the same code beside other globals: standard output belongs to the program, and fits in
    threads have one each.  None if stanli has other names for what prints.
    """

    def tell(chain: int, iteration: int, total: int, warmup: int) -> None:
        progress(Progress(chain, iteration, total, "warmup" if warmup else "sampling"))

    sample = stanli.Model.sample
    quiet = {_PRINTS_PROGRESS: tell, _PRINTS_END: lambda *_reports: None}
    if not quiet.keys() <= sample.__globals__.keys():
        return None
    own = types.FunctionType(sample.__code__, {**sample.__globals__, **quiet})
    own.__kwdefaults__ = sample.__kwdefaults__
    return own
