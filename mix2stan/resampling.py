"""New data like the old: simulated at an estimate, or rows and groups drawn again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.covariances import covariance_of
from mix2stan.design import Grouping
from mix2stan.errors import Mix2stanError, Unsupported, suggestion
from mix2stan.graph import Factor, ModelGraph
from mix2stan.matrices import Data
from mix2stan.residual_data import colour

__all__ = ["RESAMPLINGS", "Truth", "resample_cases", "resampling_factor", "simulate"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Truth:
    """What data are simulated from: coefficients in R's order, all other parameters by Stan name."""

    beta: Array
    point: Mapping[str, Any]


def simulate(graph: ModelGraph, data: Data, truth: Truth, rng: np.random.Generator) -> Array:
    """A response without its offsets, shape (N,): new effects and new errors at known parameters.

    As lme4's ``bootMer`` with ``use.u = FALSE``.
    """
    sigma = float(truth.point["sigma"])
    y = np.zeros(data.rows)
    if len(truth.beta):
        y += data.matrix(graph.population.columns) @ truth.beta
    for group in graph.groups:
        covariance = np.asarray(covariance_of(group, truth.point))
        squares, axes = np.linalg.eigh(covariance)
        root = axes * np.sqrt(np.maximum(squares, 0))
        levels = data.grouping(group.factor)
        effects = rng.standard_normal((len(levels.levels), len(root))) @ root.T
        y += np.sum(data.matrix(group.columns) * effects[levels.codes], axis=1)
    errors = sigma * rng.standard_normal(data.rows)
    if not graph.residual.plain:
        errors = colour(graph.residual, data, truth.point, errors)
    return y + errors


# -- resampling ------------------------------------------------------------------------------------


def resampling_factor(graph: ModelGraph, data: Data, wanted: str | None) -> Factor:
    """The factor whose levels are the units of a cluster bootstrap.

    Raises:
        Mix2stanError: if the model has no such factor, or several and none is named.
    """
    factors = {str(g.factor): g.factor for g in graph.groups}
    if not factors:
        raise Mix2stanError("the model has no groups to resample", hint="type='cases'")
    if wanted is not None:
        if wanted not in factors:
            hint = suggestion(wanted, factors, what="its grouping factors")
            raise Mix2stanError(f"the model has no grouping factor {wanted!r}", hint=hint)
        return factors[wanted]
    outer = {
        name: factor
        for name, factor in factors.items()
        if not any(
            f is not factor and data.grouping(factor).within(data.grouping(f))
            for f in factors.values()
        )
    }
    if len(outer) != 1:
        names = ", ".join(map(repr, outer or factors))
        raise Mix2stanError("the groups to resample are not clear", hint=f"group= one of {names}")
    return next(iter(outer.values()))


def resample_cases(
    graph: ModelGraph, data: Data, factor: Factor | None, rng: np.random.Generator
) -> Data:
    """Rows drawn with replacement from all rows."""
    _check_independent(graph, "rows are")
    return data.take(rng.integers(0, data.rows, data.rows), {})


def resample_within(
    graph: ModelGraph, data: Data, factor: Factor | None, rng: np.random.Generator
) -> Data:
    """Rows drawn with replacement within every level: levels and their sizes stay."""
    assert factor is not None
    _check_independent(graph, "rows within groups are")
    order, ends = _by_level(data.grouping(factor))
    starts = np.concatenate([[0], ends[:-1]])
    sizes = ends - starts
    place = np.repeat(starts, sizes) + (rng.random(data.rows) * np.repeat(sizes, sizes)).astype(int)
    return data.take(order[place], {})


def resample_groups(
    graph: ModelGraph, data: Data, factor: Factor | None, rng: np.random.Generator
) -> Data:
    """Whole levels drawn with replacement; one drawn twice is two levels, as are those within it."""
    assert factor is not None
    levels = data.grouping(factor)
    order, ends = _by_level(levels)
    starts = np.concatenate([[0], ends[:-1]])
    drawn = rng.integers(0, len(ends), len(ends))
    rows = np.concatenate([order[starts[j] : ends[j]] for j in drawn])
    copy = np.repeat(np.arange(len(drawn)), (ends - starts)[drawn])
    factors = [g.factor for g in graph.groups]
    if graph.residual.correlation is not None and graph.residual.correlation.block is not None:
        factors.append(graph.residual.correlation.block)
    groupings = {}
    for f in factors:
        own = data.grouping(f)
        if own.within(levels):
            whole = copy * len(own.levels) + own.codes[rows]
            used, codes = np.unique(whole, return_inverse=True)
            groupings[f] = Grouping(codes.astype(np.int64), tuple(map(str, used.tolist())))
    return data.take(rows, groupings)


def _by_level(levels: Grouping) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows sorted by level, and where each level ends."""
    order = np.argsort(levels.codes, kind="stable")
    return order, np.cumsum(np.bincount(levels.codes, minlength=len(levels.levels)))


def _check_independent(graph: ModelGraph, what: str) -> None:
    if graph.residual.correlation is not None:
        raise Unsupported(
            f"the errors are correlated, so {what} no sample", hint="type='groups' or 'parametric'"
        )


#: How rows are drawn, by the type of bootstrap, and whether it needs a factor.
RESAMPLINGS: dict[
    str,
    tuple[Callable[[ModelGraph, Data, Factor | None, np.random.Generator], Data], bool],
] = {
    "cases": (resample_cases, False),
    "groups": (resample_groups, True),
    "within": (resample_within, True),
}
