"""What a model does by being fitted many times: methods of :class:`mix2stan.model.Model`."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mix2stan.arguments import answering
from mix2stan.compiler import Compiled
from mix2stan.counts import seed_or_drawn, whole
from mix2stan.errors import Mix2stanError, Unsupported
from mix2stan.many import seed_of_run

if TYPE_CHECKING:
    import pandas as pd

    from mix2stan.bootstrap import Bootstrap
    from mix2stan.fit import Fit
    from mix2stan.kfold import KFold
    from mix2stan.profiles import Profile

__all__ = ["Refits"]

_log = logging.getLogger(__name__)


class Refits(ABC):
    """Bootstraps, cross-validation and profiles of a compiled model."""

    @property
    @abstractmethod
    def _single(self) -> Compiled:
        """The model of one response that is to be fitted again."""

    @property
    @abstractmethod
    def _of_likelihood(self) -> Compiled:
        """The same, as its likelihood is computed."""

    @answering
    def bootstrap(
        self,
        n: int = 1000,
        *,
        method: str = "reml",
        type: str = "parametric",
        group: str | None = None,
        seed: int | None = None,
        executor: Executor | None = None,
        engine: str = "stanli",
        out: str | Path | None = None,
        progress: bool | None = None,
    ) -> Bootstrap:
        """Replicates of the estimates: intervals that do not lean on a normal approximation.

        Args:
            n: number of replicates.
            method: ``"reml"`` or ``"ml"``.
            type: ``"parametric"`` simulates new effects and errors at the estimates, as lme4's
                ``bootMer``; ``"cases"`` draws rows with replacement, ``"groups"`` whole levels of a
                grouping factor, ``"within"`` rows within every level.
            group: the factor of ``"groups"`` and ``"within"``, if it is not the only outermost one.
            seed: makes the replicates reproducible, wherever they run; drawn at random if None.
            executor: a ``concurrent.futures.Executor``, Dask's ``client.get_executor()`` among them;
                local processes if None.
            engine: what maximises.
            out: a folder that keeps the replicates as they come; the same call goes on with them.
            progress: show a bar; None if standard error is a terminal.

        Raises:
            Unsupported: if the effects of this model cannot be integrated out.
            Mix2stanError: if ``out`` holds another request.

        >>> model.bootstrap(4, seed=1).replicates.shape
        (4, 8)
        """
        from mix2stan.bootstrap import bootstrap

        return bootstrap(
            self._of_likelihood,
            n,
            method=method,
            type=type,
            group=group,
            seed=seed,
            executor=executor,
            engine=engine,
            out=out,
            progress=progress,
        )

    @answering
    def approximate(
        self,
        kind: str = "laplace",
        draws: int = 1000,
        *,
        seed: int | None = None,
        engine: str = "stanli",
    ) -> Fit:
        """Draws from an approximation of the posterior, in a moment; no substitute for NUTS.

        The fit's engine says that it is an approximation, wherever it is printed or saved.

        Args:
            kind: ``"laplace"``, a normal distribution at the mode of the unconstrained parameters
                when effects are integrated out, as glmer, TMB and INLA do: of effects that are sampled
                by their own normal approximation given the rest, which is the better the more rows
                a level has; or
                ``"pathfinder"``, the best of those along a path to the mode (Zhang et al. 2022); by
                CmdStan also ``"meanfield"`` and ``"fullrank"``, automatic differentiation variational
                inference (Kucukelbir et al. 2017).  What is integrated out is still drawn exactly.
            draws: how many, independent of each other.
            seed: makes them reproducible; drawn at random if None.
            engine: what does it.

        Raises:
            EngineError: if the engine does not offer it, or it fails.
            Unsupported: for ``"laplace"`` if every row has an effect of its own.

        >>> model.approximate("laplace", seed=1).fixef().round(-1).to_dict()
        {'(Intercept)': 250.0, 'Days': 10.0}
        """
        from mix2stan.engines import pick_engine
        from mix2stan.fit import Fit
        from mix2stan.inits import effects_apart, starting_points
        from mix2stan.labels import labels_of
        from mix2stan.schema import remember

        draws, seed = whole("draws", draws, 1), seed_or_drawn(seed)
        compiled = self._single
        program = pick_engine(engine).compile(compiled.stan_code, compiled.stan_data)
        # a mode is where it is, whatever the draws
        near = 1 if kind == "laplace" else seed
        start = starting_points(compiled.graph, compiled.stan_data, 1, near)[0]
        apart = effects_apart(compiled.graph, start)
        if kind == "laplace" and apart is not None:
            _check_rows(compiled)
        found = program.approximate(kind, draws, start, seed, apart)
        labels = labels_of(compiled.graph, compiled.data, {})
        return Fit.of(found, labels, remember(compiled.graph, compiled.data))

    @answering
    def kfold(
        self,
        k: int = 10,
        group: str | None = None,
        *,
        chains: int = 4,
        warmup: int = 1000,
        draws: int = 1000,
        seed: int | None = None,
        engine: str | None = "auto",
        adapt_delta: float = 0.9,
        executor: Executor | None = None,
        out: str | Path | None = None,
        progress: bool | None = None,
    ) -> KFold:
        """Cross-validation: the model is fitted k times, each time without a part of the rows.

        Priors and designs are those of all rows; effects of levels that are held out whole are drawn
        from their distribution.

        Args:
            k: number of folds.
            group: a grouping factor whose levels are held out whole; rows if None.
            chains, warmup, draws, adapt_delta: of every fit.
            seed: makes folds and draws reproducible, wherever they run; drawn at random if None.
            engine: what samples.
            executor: where the fits run, as in :meth:`bootstrap`.
            out: a folder that keeps every fold as it finishes; the same call goes on with them.
            progress: show a bar; None if standard error is a terminal.

        Raises:
            Unsupported: if the errors are correlated.
            Mix2stanError: if there are not so many rows or levels, or a fold cannot be fitted.

        >>> held_out = model.kfold(2, seed=1, chains=2, warmup=200, draws=100)
        >>> held_out.pointwise.columns.tolist()
        ['fold', 'elpd']
        """
        from mix2stan.engines import Settings
        from mix2stan.kfold import kfold

        settings = Settings(
            chains=chains,
            warmup=warmup,
            draws=draws,
            seed=seed_of_run(seed, out),
            adapt_delta=adapt_delta,
        )
        return kfold(self._single, k, group, settings, engine, executor, out, progress)

    def profile(
        self,
        parameters: Sequence[str] | None = None,
        level: float = 0.95,
        engine: str = "stanli",
    ) -> Profile:
        """Profile likelihood: intervals of one parameter at a time, the others at their maximum.

        Args:
            parameters: by the names of ``ml().values``; None for all that can be held: population
                effects, standard deviations, the first correlation of a term, sigma.
            level: the coverage.
            engine: what maximises; it has to be able to hold a parameter.

        Raises:
            Unsupported: if the effects cannot be integrated out, or a parameter cannot be held.
            Mix2stanError: if there is no such parameter.

        >>> model.profile(["sigma"]).limits.round(1).loc["sigma"].to_dict()
        {'2.5%': 22.9, '97.5%': 28.9}
        """
        from mix2stan.engines import pick_engine
        from mix2stan.profiles import profile

        return profile(self._of_likelihood, pick_engine(engine), parameters, level)

    def confint(
        self, method: str = "profile", level: float = 0.95, engine: str = "stanli", **how: Any
    ) -> pd.DataFrame:
        """Confidence intervals: a row per parameter, two columns named by their percentages.

        Those of parameters that have no profile are NaN, and a warning is logged that says why.

        Args:
            method: ``"profile"``, ``"wald"`` for population effects by their standard errors, or
                ``"bootstrap"``.
            level: the coverage.
            engine: what maximises.
            how: arguments of :meth:`profile` or :meth:`bootstrap`.

        Raises:
            Mix2stanError: if there is no such method.

        >>> model.confint("wald").round(1).loc["beta[Days]"].to_dict()
        {'2.5%': 7.4, '97.5%': 13.5}
        """
        from mix2stan.engines import pick_engine
        from mix2stan.estimates import estimate

        if method == "profile":
            found = self.profile(level=level, engine=engine, **how)
            for note in found.notes:
                _log.warning("%s: %s", found.call, note)
            return found.limits
        if method == "bootstrap":
            return self.bootstrap(engine=engine, **how).intervals(level)
        if method != "wald":
            hint = "profile, wald or bootstrap"
            raise Mix2stanError(f"there is no interval by {method!r}", hint=hint)
        return estimate(self._of_likelihood, "REML", pick_engine(engine)).wald(level)


def _check_rows(compiled: Compiled) -> None:
    """Refuse effects of single rows, which are far from normal given the rest.

    Raises:
        Unsupported: if the model has such.
    """
    graph, data = compiled.graph, compiled.data
    single = any(len(data.grouping(g.factor).levels) == data.rows for g in graph.groups)
    if graph.strategy.errors or graph.response.layers or single:
        raise Unsupported(
            "every row has an effect of its own, which Laplace's approximation is too rough for",
            hint="sample() is right for it",
        )
