"""Errors of unequal variance, or correlated, at every draw.

The covariance of the errors is ``sigma^2 D R D``; see :mod:`mix2stan.residuals`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from mix2stan.errors import DataError
from mix2stan.graph import ErrorCorrelation, Residual, VarianceFunction
from mix2stan.matrices import Data
from mix2stan.postfit.integrals import root_of
from mix2stan.postfit.sample import Sample
from mix2stan.residual_data import blocks_of, positions
from mix2stan.residuals import CORRELATIONS, VARIANCES, distances, error_blocks

__all__ = ["correlation_roots", "error_multiplier", "position_correlations"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def error_multiplier(
    residual: Residual, sample: Sample, data: Data, block: slice, fitted: Array
) -> Array:
    """The sd multiplier of some rows, shape (m, S).

    Args:
        residual: the resolved errors.
        sample: the draws.
        data: the rows.
        block: which of them.
        fitted: their predictor, shape (m, S).

    Raises:
        DataError: for a stratum that the fit has not seen.
    """
    product = np.ones(fitted.shape)
    for part in residual.variances:
        covariate = np.ones((1, 1))
        if part.of_fitted:
            covariate = fitted
        elif part.covariate is not None:
            covariate = data.vector(part.covariate)[block][:, None]
        codes = np.zeros(fitted.shape[0], dtype=np.int64)
        if part.strata is not None:
            codes = _strata(part, data)[block]
        parameters = {}
        for own in (b for b in error_blocks(residual) if b.part is part):
            known = np.broadcast_to(np.array(own.known)[:, None], (len(own.known), sample.size))
            free = np.atleast_2d(sample.value(own.name)) if own.free else known[:0]
            parameters[own.parameter.name] = np.concatenate([known, free])[codes]
        product = product * VARIANCES[part.kind].multiplier(covariate, parameters)
    return product


def _strata(part: VarianceFunction, data: Data) -> Index:
    assert part.strata is not None
    groups = data.grouping(part.strata)
    place = {level: i for i, level in enumerate(part.levels)}
    for level in groups.levels:
        if level not in place:
            raise DataError(f"{part.strata} has the level {level!r}, of unknown variance")
    return np.array([place[level] for level in groups.levels], dtype=np.int64)[groups.codes]


def correlation_roots(
    correlation: ErrorCorrelation, sample: Sample, data: Data
) -> Iterator[tuple[Index, Array]]:
    """For every block of errors its rows, shape (m,), and the Cholesky factors, shape (S, m, m)."""
    blocks = blocks_of(correlation, data)
    points = blocks.points
    if correlation.kind == "corSymm":
        points = positions(blocks)[:, None].astype(float)
    at = _at_points(correlation, sample)
    last: tuple[bytes, Array] | None = None
    relative = correlation.kind != "corSymm"
    for start, end in zip(blocks.first[:-1], blocks.first[1:], strict=True):
        here = points[start:end]
        pattern: bytes = (here - here[0] if relative else here).tobytes()
        if last is None or last[0] != pattern:
            last = pattern, _roots(at(here))
        yield blocks.order[start:end], last[1]


def position_correlations(correlation: ErrorCorrelation, sample: Sample, count: int) -> Array:
    """The correlations of so many positions, of a structure by position; shape (S, count, count)."""
    return _at_points(correlation, sample)(np.arange(1.0, count + 1)[:, None])


def _at_points(correlation: ErrorCorrelation, sample: Sample) -> Callable[[Array], Array]:
    """From points, shape (m, axes), to the correlations of their errors, shape (S, m, m)."""
    row, values = CORRELATIONS[correlation.kind], _natural(correlation, sample)
    draws = [{k: v[..., s] for k, v in values.items()} for s in range(sample.size)]

    def matrices(points: Array) -> Array:
        d = distances(points, correlation.metric)
        return np.stack([row.matrix(points, d, v) for v in draws])

    return matrices


def _roots(correlations: Array) -> Array:
    """Cholesky factors, shape (S, m, m); of what is singular but for rounding, other roots."""
    try:
        return np.asarray(np.linalg.cholesky(correlations), dtype=float)
    except np.linalg.LinAlgError:
        return root_of(correlations)


def _natural(correlation: ErrorCorrelation, sample: Sample) -> dict[str, Array]:
    """The parameters of a correlation by nlme's names, shape (..., S)."""
    found = {}
    for block in error_blocks(Residual(correlation=correlation)):
        name = block.parameter.name
        if not block.free:
            known = np.array(block.known)[:, None]
            known = known[0] if block.scalar else known
            found[name] = np.broadcast_to(known, (*known.shape[:-1], sample.size))
        elif block.name == "cor_L":
            R = sample.value("cor_R")
            columns, rows = np.triu_indices(len(R), 1)
            found[name] = R[rows, columns]
        elif block.name.startswith("cor_partial"):
            found[name] = np.atleast_2d(sample.value(f"cor_{name}"))
        else:
            found[name] = sample.value(block.name)
    return found
