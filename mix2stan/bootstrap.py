"""The bootstrap: estimates of many data sets like the one at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.compiler import Compiled
from mix2stan.counts import share, whole
from mix2stan.documents import Paragraph, result_page, table_of
from mix2stan.engines import engine_named, pick_engine
from mix2stan.errors import EngineError, Mix2stanError, Unsupported, suggestion, visible
from mix2stan.estimates import Estimates, Likelihood, Method, likelihood_of
from mix2stan.graph import Factor
from mix2stan.many import Failure, Store, Work, fingerprint, run_many, seed_of, seed_of_run
from mix2stan.resampling import RESAMPLINGS, Truth, resampling_factor, simulate

__all__ = ["Bootstrap", "bootstrap", "ratios"]

Array = NDArray[np.float64]

#: Replicates of one task: enough that sending it costs nothing, few enough to lose.
_BATCH = 20
_PARAMETRIC = "parametric"
#: Limits from the quantiles of the replicates, shape (2, parameters), and the estimates.
_INTERVALS: dict[str, Callable[[Array, Array], Array]] = {
    "percentile": lambda quantiles, estimates: quantiles,
    "basic": lambda quantiles, estimates: 2 * estimates - quantiles[::-1],
}


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Replicates of an estimate.

    Attributes:
        call: the R call.
        type: ``parametric``, ``cases``, ``groups`` or ``within``.
        estimates: of the data themselves.
        replicates: a row per replicate; the columns of ``estimates.values``, ``logLik`` and
            ``singular``; NaN where a refit failed, or a correlation with a variance of zero.
        failures: the reasons, by replicate.
        seed: what the replicates were drawn with.
    """

    call: str
    type: str
    estimates: Estimates
    replicates: pd.DataFrame
    failures: Mapping[int, str]
    seed: int

    def intervals(self, level: float = 0.95, kind: str = "percentile") -> pd.DataFrame:
        """Confidence intervals: a row per parameter, two columns named by their percentages.

        Args:
            level: the coverage.
            kind: ``"percentile"`` for quantiles of the replicates; ``"basic"`` for these reflected at
                the estimate (Davison & Hinkley 1997, section 5.2).

        Raises:
            Mix2stanError: for another kind, or a level that is no probability.

        >>> boot.intervals(0.9).columns.tolist()
        ['5%', '95%']
        """
        level = share("level", level)
        tails = ((1 - level) / 2, (1 + level) / 2)
        values = self.estimates.values
        if kind not in _INTERVALS:
            hint = suggestion(kind, _INTERVALS, what="the kinds")
            raise Mix2stanError(f"there is no interval of kind {kind!r}", hint=hint)
        quantiles = self.replicates[list(values.index)].quantile(list(tails)).to_numpy()
        limits = _INTERVALS[kind](quantiles, values.to_numpy())
        names = [f"{100 * t:g}%" for t in tails]
        return pd.DataFrame(limits.T, index=values.index, columns=names)

    def summary(self, level: float = 0.95, kind: str = "percentile") -> pd.DataFrame:
        """Estimates, their bias and standard errors over the replicates, and intervals.

        Args:
            level, kind: as in :meth:`intervals`.

        Raises:
            Mix2stanError: as :meth:`intervals`.

        >>> boot.summary().columns.tolist()
        ['estimate', 'bias', 'std. error', '2.5%', '97.5%']
        """
        values = self.estimates.values
        draws = self.replicates[list(values.index)]
        table = pd.DataFrame(
            {"estimate": values, "bias": draws.mean() - values, "std. error": draws.std()}
        )
        return table.join(self.intervals(level, kind))

    def __str__(self) -> str:
        table = self.summary().to_string(float_format=lambda x: f"{x:.4g}")
        return visible("\n\n".join([f"{self.call}\n{self._heading}", table, *self._remarks()]))

    def __repr__(self) -> str:
        return f"<mix2stan bootstrap: {self.call}>"

    def _repr_html_(self) -> str:
        remarks = map(Paragraph, self._remarks())
        return result_page(self.call, self._heading, table_of(self.summary()), *remarks)

    @property
    def _heading(self) -> str:
        n = len(self.replicates)
        return f"{n} {self.type} bootstrap replicates, {self.estimates.method}"

    def _remarks(self) -> list[str]:
        remarks = list(map(str, self.estimates.unidentified))
        singular = int(self.replicates["singular"].sum())
        if singular:
            remarks.append(
                f"{singular} replicates are singular: a variance zero, or a correlation one"
            )
        if self.failures:
            first = next(iter(self.failures.values()))
            remarks.append(f"warning: {len(self.failures)} replicates failed, the first: {first}")
        return remarks


@dataclass(frozen=True, eq=False)
class _Refit:
    """A likelihood that is maximised on every data set: where it starts, how many values it has."""

    likelihood: Likelihood
    start: Mapping[str, Any]
    columns: int


@dataclass(frozen=True, eq=False)
class _Recipe:
    """What the processes of a bootstrap need; data are simulated from the first of ``fits``."""

    fits: tuple[_Refit, ...]
    truth: Truth
    type: str
    factor: Factor | None
    engine: str
    seed: int


def bootstrap(
    compiled: Compiled,
    n: int,
    *,
    method: str = "reml",
    type: str = _PARAMETRIC,
    group: str | None = None,
    seed: int | None = None,
    executor: Executor | None = None,
    engine: str = "stanli",
    out: str | Path | None = None,
    progress: bool | None = None,
) -> Bootstrap:
    """Replicates of the estimates of a model; see :meth:`mix2stan.model.Model.bootstrap`."""
    likelihood = likelihood_of(compiled, method_named(method))
    if compiled.data.reduced:
        raise Unsupported("rows that were reduced cannot be drawn again", hint="a data frame's can")
    if type != _PARAMETRIC and type not in RESAMPLINGS:
        kinds = (_PARAMETRIC, *RESAMPLINGS)
        hint = suggestion(type, kinds, what="the types")
        raise Mix2stanError(f"there is no bootstrap of type {type!r}", hint=hint)
    factor = None
    if type in RESAMPLINGS and RESAMPLINGS[type][1]:
        factor = resampling_factor(likelihood.graph, likelihood.data, group)
    estimates = likelihood.maximise(pick_engine(engine))
    unknown = [f for f in estimates.unidentified if f.coefficients]
    if unknown and type == _PARAMETRIC:
        raise Unsupported(f"responses cannot be simulated at the estimates: {unknown[0]}")
    recipe = _recipe([(likelihood, estimates)], engine, seed_of_run(seed, out), type, factor)
    request = {"method": method, "type": type, "group": group}
    tables, failures = _replicates(recipe, n, request, executor, out, progress)
    columns = [*estimates.values.index, "logLik", "singular"]
    replicates = pd.DataFrame(tables[:, 0], columns=columns)
    replicates.index.name = "replicate"
    replicates["singular"] = replicates["singular"] == 1
    return Bootstrap(compiled.graph.call, type, estimates, replicates, failures, recipe.seed)


def ratios(
    small: tuple[Likelihood, Estimates],
    large: tuple[Likelihood, Estimates],
    n: int,
    *,
    seed: int | None = None,
    executor: Executor | None = None,
    engine: str = "stanli",
    out: str | Path | None = None,
    progress: bool | None = None,
) -> tuple[Array, Mapping[int, str]]:
    """Twice the log-likelihood ratio of two models on data simulated from the small one, shape (n,).

    NaN where a fit failed; the reasons go with it.
    """
    recipe = _recipe([small, large], engine, seed_of_run(seed, out), _PARAMETRIC, None)
    request = {"method": small[0].method, "large": large[0].graph.call}
    tables, failures = _replicates(recipe, n, request, executor, out, progress)
    logliks = [tables[:, k, len(e.values)] for k, (_, e) in enumerate((small, large))]
    # a maximum found a little low must not give a negative ratio
    return np.maximum(2 * (logliks[1] - logliks[0]), 0.0), failures


def method_named(method: str) -> Method:
    """``REML`` or ``ML``, however it is written."""
    found = {"reml": "REML", "ml": "ML"}.get(method.lower())
    if found is None:
        raise Mix2stanError(f"there is no method {method!r}", hint="'reml' or 'ml'")
    return "REML" if found == "REML" else "ML"


def _recipe(
    fits: list[tuple[Likelihood, Estimates]],
    engine: str,
    seed: int,
    type: str,
    factor: Factor | None,
) -> _Recipe:
    _, estimates = fits[0]
    truth = Truth(estimates.fixef().to_numpy(), estimates.point)
    refits = tuple(_Refit(fit, {**e.point, **e.starts}, len(e.values) + 2) for fit, e in fits)
    return _Recipe(refits, truth, type, factor, pick_engine(engine).name, seed)


def _replicates(
    recipe: _Recipe,
    n: int,
    request: Mapping[str, Any],
    executor: Executor | None,
    out: str | Path | None,
    progress: bool | None,
) -> tuple[Array, dict[int, str]]:
    """The table of every fit, shape (n, fits, columns), and the reasons of failures."""
    n = whole("n", n, 1)
    items = [(first, min(_BATCH, n - first)) for first in range(0, n, _BATCH)]
    store = None
    if out is not None:
        first = recipe.fits[0].likelihood
        programs = fingerprint(*(fit.likelihood.stan_code for fit in recipe.fits))
        about = {"call": first.graph.call, "n": n, "seed": recipe.seed, "engine": recipe.engine}
        prints = {"program": programs, "data": fingerprint(first.bind()[0])}
        store = Store(out, "batch", {**about, **request, **prints})
    work = Work(_batch, recipe, items, "batch")
    results = run_many(work, executor=executor, store=store, progress=progress)
    table = _empty(n, recipe)
    failures: dict[int, str] = {}
    for (start, count), result in zip(items, results, strict=True):
        if isinstance(result, Failure):
            failures |= dict.fromkeys(range(start, start + count), str(result))
            continue
        table[start : start + count] = result["table"]
        said = zip(range(start, start + count), result["reasons"].tolist(), strict=True)
        failures |= {i: reason for i, reason in said if reason}
    return table, failures


def _empty(n: int, recipe: _Recipe) -> Array:
    return np.full((n, len(recipe.fits), max(fit.columns for fit in recipe.fits)), np.nan)


def _batch(recipe: _Recipe, item: tuple[int, int]) -> dict[str, NDArray[Any]]:
    """Some replicates; each has its own seed, so batches may be cut anywhere."""
    first, count = item
    engine = engine_named(recipe.engine)
    table = _empty(count, recipe)
    reasons = [""] * count
    for i in range(count):
        rng = np.random.default_rng(seed_of(recipe.seed, first + i))
        try:
            sample, y = _sample(recipe, rng)
            for k, fit in enumerate(recipe.fits):
                likelihood = fit.likelihood
                if sample is not None:
                    likelihood = replace(likelihood, data=sample)
                found = likelihood.maximise(engine, y, fit.start)
                row = [*found.values.to_numpy(), found.logLik, float(found.isSingular)]
                table[i, k, : len(row)] = row
        except (EngineError, Mix2stanError, np.linalg.LinAlgError) as error:
            reasons[i] = str(error) or type(error).__name__
    return {"table": table, "reasons": np.array(reasons)}


def _sample(recipe: _Recipe, rng: np.random.Generator) -> tuple[Any, Array | None]:
    """New rows, or a new response of the old ones."""
    likelihood = recipe.fits[0].likelihood
    if recipe.type == _PARAMETRIC:
        return None, simulate(likelihood.graph, likelihood.data, recipe.truth, rng)
    draw, _ = RESAMPLINGS[recipe.type]
    sample = draw(likelihood.graph, likelihood.data, recipe.factor, rng)
    X = sample.matrix(likelihood.graph.population.columns)
    if np.linalg.matrix_rank(X) < X.shape[1]:
        raise Mix2stanError("the rows drawn do not tell the population effects apart")
    return sample, None
