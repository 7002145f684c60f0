"""Whether the errors of one model are those of another at some values of its parameters.

The logarithms of most standard deviations are linear in parameters, so families of them are spaces of
columns, and one is within another if its columns are combinations of the other's.  Correlations are
compared by a table: which structures have which others among their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.graph import ErrorCorrelation, Residual, VarianceFunction
from mix2stan.matrices import Data
from mix2stan.meaning import correlation_key, partition, variance_key
from mix2stan.residual_data import blocks_of
from mix2stan.residuals import CORRELATIONS, VARIANCES, stratum_values

__all__ = ["contains_errors", "within"]

Array = NDArray[np.float64]

#: The part of a structure's own family that is linear, for those whose whole is not.
_LINEAR_PART = {"varConstPower": "varPower", "varConstProp": "varIdent"}


def within(inner: Array, outer: Array) -> bool:
    """Whether the columns of one design are combinations of those of the other."""
    if not inner.shape[1]:
        return True
    if not outer.shape[1]:
        return False
    Q = np.linalg.qr(outer)[0]
    rest = inner - Q @ (Q.T @ inner)
    size = np.linalg.norm(inner, axis=0)
    return bool(np.all(np.linalg.norm(rest, axis=0) <= 1e-8 * np.maximum(size, 1e-300)))


def contains_errors(large: Residual, small: Residual, data: tuple[Data, Data]) -> bool:
    """Whether errors can be like the small model's, whatever the values of its parameters.

    Args:
        large: the errors that may be the others.
        small: the others.
        data: the rows of both, the large model's first; they are the same rows.
    """
    if large.dispersion is not None or small.dispersion is not None:
        return large == small
    return _variances(large, small, data) and _correlations(large, small, data)


# -- variances -------------------------------------------------------------------------------------


def _variances(large: Residual, small: Residual, data: tuple[Data, Data]) -> bool:
    """Whether all multipliers of the small model are some of the large one's, up to sigma."""
    theirs = {variance_key(part, data[1]): part for part in small.variances}
    ours: list[VarianceFunction] = []
    for part in large.variances:
        # what both have does not matter
        if _curved(part) and theirs.pop(variance_key(part, data[0]), None) is not None:
            continue
        if part.of_fitted:
            continue
        ours.append(_linear(part) if _curved(part) else part)
    if any(_curved(part) for part in theirs.values()):
        return False
    free, known = _spans(ours, data[0])
    their_free, their_known = _spans(theirs.values(), data[1])
    space = np.column_stack([np.ones(data[0].rows), free])
    return within(np.column_stack([their_free, their_known - known]), space)


def _curved(part: VarianceFunction) -> bool:
    """Whether the log sd is not linear in its parameters, or not known before they are."""
    return part.kind in _LINEAR_PART or part.of_fitted


def _linear(part: VarianceFunction) -> VarianceFunction:
    """The members of a curved family whose log sds are linear: without the constant, or constant."""
    kind = _LINEAR_PART[part.kind]
    name = VARIANCES[kind].parameters[0].name
    fixed = tuple((n, values) for n, values in part.fixed if n == name)
    covariate = part.covariate if VARIANCES[kind].covariate else None
    return replace(part, kind=kind, fixed=fixed, covariate=covariate)


def _spans(parts: Iterable[VarianceFunction], data: Data) -> tuple[Array, Array]:
    """The columns by which log sds vary with free parameters, and what is known of them."""
    free, known = [np.zeros((data.rows, 0))], np.zeros(data.rows)
    for part in parts:
        column = _column(part, data)
        if not VARIANCES[part.kind].parameters:
            known = known + column
            continue
        (parameter,) = VARIANCES[part.kind].parameters
        given, unknown = stratum_values(part, parameter)
        relative = VARIANCES[part.kind].relative
        for stratum, value in given.items():
            size = np.log(value) if relative else value
            known = known + size * column * _rows_of(part, stratum, data)
        free += [(column * _rows_of(part, stratum, data))[:, None] for stratum in unknown]
    return np.hstack(free), known


def _column(part: VarianceFunction, data: Data) -> Array:
    """What a parameter of the log sd is multiplied by."""
    if part.covariate is None:
        return np.ones(data.rows)
    v: Array = data.vector(part.covariate)
    if part.kind == "varFixed":
        v = np.log(np.abs(v)) / 2
    elif part.kind == "varPower":
        v = np.log(np.abs(v))
    return v


def _rows_of(part: VarianceFunction, stratum: str, data: Data) -> Array:
    if part.strata is None:
        return np.ones(data.rows)
    groups = data.grouping(part.strata)
    rows: Array = np.zeros(data.rows)
    rows[groups.codes == groups.levels.index(stratum)] = 1.0
    return rows


# -- correlations ----------------------------------------------------------------------------------


def _correlations(large: Residual, small: Residual, data: tuple[Data, Data]) -> bool:
    """Whether the large model's correlation can be the small one's."""
    ours, theirs = large.correlation, small.correlation
    if theirs is None:
        return ours is None or not ours.fixed
    if ours is None:
        return False
    keys = correlation_key(ours, data[0]), correlation_key(theirs, data[1])
    if keys[0] == keys[1]:
        return ours.latter == theirs.latter
    if ours.fixed or ours.latter:
        return False
    if not np.array_equal(_codes(ours, data[0]), _codes(theirs, data[1])):
        return False
    if ours.kind == theirs.kind and theirs.fixed and not _differ(ours, theirs, data):
        return ours.orders == theirs.orders and ours.nugget == theirs.nugget
    return any(rule(ours, theirs, data) for rule in _RULES)


def _codes(correlation: ErrorCorrelation, data: Data) -> NDArray[np.int64]:
    blocks = blocks_of(correlation, data)
    codes = np.zeros(data.rows, dtype=np.int64)
    codes[blocks.order] = np.repeat(np.arange(len(blocks.first) - 1), np.diff(blocks.first))
    return partition(codes)


def _points(correlation: ErrorCorrelation, data: Data) -> Array:
    """The places of the rows, shape (N, d)."""
    blocks = blocks_of(correlation, data)
    points = np.empty_like(blocks.points)
    points[blocks.order] = blocks.points
    return points


def _differ(ours: ErrorCorrelation, theirs: ErrorCorrelation, data: tuple[Data, Data]) -> bool:
    """Whether the distances within blocks are others; a block may start anywhere."""
    mine, other = _points(ours, data[0]), _points(theirs, data[1])
    if mine.shape != other.shape or ours.metric != theirs.metric:
        return True
    codes = _codes(ours, data[0])
    first = np.unique(codes, return_index=True)[1][codes]
    return not np.allclose(mine - mine[first], other - other[first], rtol=1e-9, atol=1e-9)


def _general(ours: ErrorCorrelation, theirs: ErrorCorrelation, data: tuple[Data, Data]) -> bool:
    """``corSymm`` has any correlations of its places, if the other's places are functions of them."""
    if ours.kind != "corSymm":
        return False
    if CORRELATIONS[theirs.kind].times == "any":
        return True
    own = _points(ours, data[0])[:, 0]
    other = _points(theirs, data[1])
    codes = _codes(ours, data[0])
    first = np.unique(codes, return_index=True)[1][codes]
    if theirs.kind != "corSymm":
        # only distances count: places may be shifted from block to block, if all of a place are
        shift = other - other[first]
        moved = own - own[first]
        return _function_of(np.column_stack([own[first], moved]), shift)
    return _function_of(own[:, None], other)


def _function_of(places: Array, values: Array) -> bool:
    _, of = np.unique(places, axis=0, return_inverse=True)
    of = of.reshape(-1)
    first = np.unique(of, return_index=True)[1][of]
    return bool(np.allclose(values, values[first], rtol=1e-9, atol=1e-9))


def _autoregressive(
    ours: ErrorCorrelation, theirs: ErrorCorrelation, data: tuple[Data, Data]
) -> bool:
    """A process of lower orders; one that decays with time in one of alternating signs as well."""
    orders = [_orders(c) for c in (ours, theirs)]
    if _differ(ours, theirs, data) or ours.kind == "corCAR1":
        return False
    if orders[0] is None or orders[1] is None:
        return False
    return orders[0][0] >= orders[1][0] and orders[0][1] >= orders[1][1]


def _orders(correlation: ErrorCorrelation) -> tuple[int, int] | None:
    if correlation.kind == "corARMA":
        return correlation.orders
    return (1, 0) if correlation.kind in ("corAR1", "corCAR1") else None


def _nugget(ours: ErrorCorrelation, theirs: ErrorCorrelation, data: tuple[Data, Data]) -> bool:
    """A nugget may be zero; ``corCAR1`` is ``corExp`` of one coordinate."""
    names = ["corExp" if c.kind == "corCAR1" else c.kind for c in (ours, theirs)]
    spatial = CORRELATIONS[names[0]].spatial and names[0] == names[1]
    if not spatial or (theirs.nugget and not ours.nugget):
        return False
    if len(ours.covariates) == 1 and len(theirs.covariates) == 1:
        theirs = replace(theirs, metric=ours.metric)
    return not _differ(ours, theirs, data)


_RULES = (_general, _autoregressive, _nugget)
