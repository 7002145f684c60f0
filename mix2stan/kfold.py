"""K-fold cross-validation: how well rows are predicted by a fit to the others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from mix2stan.compiler import Compiled
from mix2stan.counts import whole
from mix2stan.design import Frame
from mix2stan.documents import Paragraph, result_page
from mix2stan.engines import Settings, engine_named, pick_engine
from mix2stan.errors import Mix2stanError, Unsupported, suggestion, visible
from mix2stan.fit import Fit
from mix2stan.graph import Factor, Group, ModelGraph
from mix2stan.inits import starting_points
from mix2stan.labels import labels_of
from mix2stan.many import Store, Work, arrays_or_raise, fingerprint, run_many, seed_of
from mix2stan.matrices import Data
from mix2stan.postfit.log_lik import pointwise
from mix2stan.postfit.predictor import Predictor
from mix2stan.postfit.sample import sample_of
from mix2stan.schema import Levels, Rows, Schema
from mix2stan.stan_data import stan_data

__all__ = ["KFold", "kfold"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class KFold:
    """Log predictive densities of rows that were held out.

    Attributes:
        call: the R call.
        k: number of folds.
        group: the factor whose levels stayed together, or None.
        pointwise: a row per observation: ``fold``, from 1, and ``elpd``.
        divergences: of every fold, in order.
        r_hat: the largest of every fold.
    """

    call: str
    k: int
    group: str | None
    pointwise: pd.DataFrame
    divergences: tuple[int, ...]
    r_hat: tuple[float, ...]

    @property
    def elpd(self) -> float:
        """The expected log predictive density of all rows: the sum of ``pointwise``.

        >>> round(held_out.elpd) == round(held_out.pointwise["elpd"].sum())
        True
        """
        return float(self.pointwise["elpd"].sum())

    @property
    def se(self) -> float:
        """Its standard error, sqrt(N) times the standard deviation between rows.

        >>> held_out.se > 0
        True
        """
        values = self.pointwise["elpd"].to_numpy()
        return math.sqrt(len(values)) * float(np.std(values, ddof=1))

    def compare(self, other: KFold) -> pd.Series:
        """The difference in elpd to another model of the same rows and folds, and its error.

        Args:
            other: of another model.

        Raises:
            Mix2stanError: if the rows were held out in other folds.

        >>> held_out.compare(held_out).to_dict()
        {'elpd_diff': 0.0, 'se_diff': 0.0}
        """
        if not self.pointwise["fold"].equals(other.pointwise["fold"]):
            raise Mix2stanError("the rows were held out in other folds", hint="the same k and seed")
        difference = (self.pointwise["elpd"] - other.pointwise["elpd"]).to_numpy()
        se = math.sqrt(len(difference)) * float(np.std(difference, ddof=1))
        return pd.Series({"elpd_diff": difference.sum(), "se_diff": se})

    def __str__(self) -> str:
        result, *warnings = self._lines()
        return visible("\n\n".join([f"{self.call}\n{result}", *warnings]))

    def __repr__(self) -> str:
        return f"<mix2stan {self.k}-fold cross-validation: {self.call}>"

    def _repr_html_(self) -> str:
        return result_page(self.call, "Cross-validation", *map(Paragraph, self._lines()))

    def _lines(self) -> list[str]:
        what = "rows" if self.group is None else f"levels of {self.group}"
        lines = [f"{self.k}-fold over {what}: elpd {self.elpd:.1f} ± {self.se:.1f}"]
        if any(self.divergences):
            lines.append(f"warning: {sum(self.divergences)} divergences in {self.k} fits")
        poor = sum(r > 1.05 for r in self.r_hat)
        if poor:
            lines.append(f"warning: {poor} of {self.k} fits have not converged: take more draws")
        return lines


@dataclass(frozen=True, eq=False)
class _Folds:
    """What the processes share."""

    graph: ModelGraph
    stan_code: str
    data: Data
    folds: Index
    settings: Settings
    engine: str
    seed: int


def kfold(
    compiled: Compiled,
    k: int,
    group: str | None,
    settings: Settings,
    engine: str | None = "auto",
    executor: Executor | None = None,
    out: str | Path | None = None,
    progress: bool | None = None,
) -> KFold:
    """See :meth:`mix2stan.model.Model.kfold`."""
    graph, data, k = compiled.graph, compiled.data, whole("k", k, 2)
    if data.reduced:
        raise Unsupported("rows that were reduced cannot be held out", hint="a data frame's can")
    if graph.residual.correlation is not None:
        raise Unsupported(
            "the errors are correlated, so a row depends on those held out with it",
            hint="fit.log_lik(by=...) has the density of whole groups",
        )
    folds = _assign(graph, data, k, group, np.random.default_rng(seed_of(settings.seed, k)))
    chosen = pick_engine(engine)
    shared = _Folds(graph, compiled.stan_code, data, folds, settings, chosen.name, settings.seed)
    store = None
    if out is not None:
        about = {
            "call": graph.call,
            "k": k,
            "group": group,
            "chains": settings.chains,
            "warmup": settings.warmup,
            "draws": settings.draws,
            "seed": settings.seed,
            "adapt_delta": settings.adapt_delta,
            "engine": chosen.version,
            "program": fingerprint(compiled.stan_code),
            "data": fingerprint(compiled.stan_data),
        }
        store = Store(out, "fold", about)
    work = Work(_fold, shared, range(k), "fold")
    results = arrays_or_raise(
        run_many(work, executor=executor, store=store, progress=progress), "fold"
    )
    elpd = np.full(data.rows, np.nan)
    for i, result in enumerate(results):
        elpd[folds == i] = result["elpd"]
    index = data.row_names
    return KFold(
        graph.call,
        k,
        group,
        pd.DataFrame({"fold": folds + 1, "elpd": elpd}, index=index),
        tuple(int(r["divergences"]) for r in results),
        tuple(float(r["r_hat"]) for r in results),
    )


def _assign(
    graph: ModelGraph, data: Data, k: int, group: str | None, rng: np.random.Generator
) -> Index:
    """The fold of every row, from 0: rows, or levels, shuffled and dealt out."""
    codes: Index = np.arange(data.rows)
    if group is not None:
        factors: dict[str, Factor] = {str(g.factor): g.factor for g in graph.groups}
        if group not in factors:
            hint = suggestion(group, factors, what="its grouping factors")
            raise Mix2stanError(f"the model has no grouping factor {group!r}", hint=hint)
        codes = data.grouping(factors[group]).codes
    units = int(codes.max()) + 1
    if k > units:
        what = "rows" if group is None else f"levels of {group}"
        raise Mix2stanError(f"k must be from 2 to {units}, the number of {what}, not {k}")
    return np.asarray(rng.permutation(np.arange(units) % k)[codes])


def _fold(shared: _Folds, fold: int) -> dict[str, NDArray[Any]]:
    """Fit without a fold, and the log predictive density of its rows."""
    data, graph = shared.data, shared.graph
    inside = data.take(np.flatnonzero(shared.folds != fold), {})
    outside = data.take(np.flatnonzero(shared.folds == fold), {})
    X = inside.matrix(graph.population.columns) if graph.population.columns.names else None
    if X is not None and np.linalg.matrix_rank(X) < X.shape[1]:
        raise Mix2stanError(
            f"without fold {fold + 1} the population effects cannot be told apart",
            hint="fewer population effects, or more folds",
        )
    seed = int(seed_of(shared.seed, shared.folds.max() + 1, fold).generate_state(1)[0])
    entries = stan_data(graph, inside)
    starts = starting_points(graph, entries, shared.settings.chains, seed)
    settings = replace(shared.settings, seed=seed, threads=1, inits=starts)
    program = engine_named(shared.engine).compile(shared.stan_code, entries)
    # the program is that of all rows; predictions count the levels of these
    groups = tuple(_counted(g, inside) for g in graph.groups)
    schema = Schema(replace(graph, groups=groups), inside, Frame({}, inside.rows), (), {})
    fit = Fit.of(program.sample(settings), labels_of(graph, inside, {}), schema)
    rows = Rows(
        outside,
        np.arange(outside.rows),
        outside.row_names,
        _levels(graph, data, shared.folds, fold),
        False,
    )
    # an effect of a level that was held out whole is drawn from its distribution, a draw each
    predictor = Predictor(sample_of(fit), rows, groups, "sample", seed=seed)
    density = pointwise(predictor)
    summary = fit.summary()
    return {
        "elpd": logsumexp(density, axis=1) - math.log(density.shape[1]),
        "divergences": np.array(int(np.sum(fit.sample_stats["diverging"].values))),
        "r_hat": np.array(summary["r_hat"].max() if len(summary) else 1.0),
    }


def _counted(group: Group, data: Data) -> Group:
    levels = len(data.grouping(group.factor).levels)
    return replace(group, factor=replace(group.factor, levels=levels))


def _levels(graph: ModelGraph, data: Data, folds: Index, fold: int) -> Mapping[Factor, Levels]:
    """The levels of the rows held out, by their place among those of the fit; others after these."""
    found: dict[Factor, Levels] = {}
    for factor in dict.fromkeys(g.factor for g in graph.groups):
        groups = data.grouping(factor)
        known = np.unique(groups.codes[folds != fold])
        new = np.setdiff1d(groups.codes[folds == fold], known)
        place = np.empty(len(groups.levels), dtype=np.int64)
        place[known] = np.arange(len(known))
        place[new] = len(known) + np.arange(len(new))
        names = tuple(groups.levels[i] for i in new.tolist())
        found[factor] = Levels(place[groups.codes[folds == fold]], names)
    return found
