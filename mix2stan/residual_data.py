"""The errors of a model as numbers: strata, blocks in order of time, multipliers, correlations.

Rows are numbered as in the data; ``order`` lists them by block and, within it, by time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import solve_triangular

from mix2stan.counts import bounded
from mix2stan.errors import FormulaError
from mix2stan.graph import ErrorCorrelation, Residual, VarianceFunction
from mix2stan.matrices import Data
from mix2stan.residuals import (
    CORRELATIONS,
    VARIANCES,
    distances,
    error_blocks,
    has_unit,
    known_errors,
    stationary,
)
from mix2stan.spread import spread

__all__ = [
    "Blocks",
    "blocks_of",
    "colour",
    "known_multiplier",
    "latter_root",
    "multiplier",
    "residual_entries",
    "root_in_program",
    "strata_codes",
    "symmetric",
    "whitener",
]

Array = NDArray[np.float64]
#: The most parameters of a general correlation matrix.
_CORRELATIONS = 100_000

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Blocks:
    """Rows by block and time.

    Attributes:
        order: the rows, shape (N,).
        first: where each block begins in ``order``, shape (B + 1,), the last is N.
        points: times or coordinates in that order, shape (N, d).
    """

    order: Index
    first: Index
    points: Array

    @property
    def sizes(self) -> Index:
        return np.asarray(np.diff(self.first))


def strata_codes(part: VarianceFunction, data: Data) -> Index:
    """The stratum of every row, as its place in ``part.levels``, shape (N,)."""
    assert part.strata is not None
    groups = data.grouping(part.strata)
    place = np.array([part.levels.index(level) for level in groups.levels], dtype=np.int64)
    return np.asarray(place[groups.codes])


def blocks_of(correlation: ErrorCorrelation, data: Data, outer: Index | None = None) -> Blocks:
    """The blocks of a correlation, sorted by the factor they are nested in, if any.

    Args:
        correlation: the structure.
        data: the rows.
        outer: levels of a factor, shape (N,).

    Raises:
        FormulaError: for times that are no whole numbers where those are needed, or occur twice in a
            block.
    """
    n = data.rows
    codes = np.zeros(n, dtype=np.int64)
    if correlation.block is not None:
        codes = data.grouping(correlation.block).codes
    if outer is not None:
        _, codes = np.unique(outer * (int(codes.max()) + 1) + codes, return_inverse=True)
    times = CORRELATIONS[correlation.kind].times
    if correlation.covariates and times != "any":
        points = np.column_stack([data.vector(c) for c in correlation.covariates])
    else:
        by_block = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[by_block], codes[by_block])
        points = np.zeros((n, 1))
        points[by_block, 0] = np.arange(n) - starts + 1
    order = np.lexsort((*points.T[::-1], codes))
    first = np.flatnonzero(np.diff(codes[order], prepend=-1))
    blocks = Blocks(order, np.append(first, n), points[order])
    if times != "any":
        _check_times(correlation, blocks, codes[order], times)
    if correlation.consecutive:
        starts = np.repeat(blocks.first[:-1], np.diff(blocks.first))
        places = np.asarray(np.arange(n) - starts + 1, dtype=float)
        blocks = replace(blocks, points=places[:, None])
    return blocks


def _check_times(correlation: ErrorCorrelation, blocks: Blocks, codes: Index, times: str) -> None:
    words = " and ".join(map(str, correlation.covariates)) or "the order of the rows"
    whole = times == "integer" and not correlation.consecutive
    if whole and (blocks.points != np.rint(blocks.points)).any():
        message = f"{correlation.kind}() needs whole numbers, and {words} has others"
        hint = "corCAR1() takes any times"
        raise FormulaError(message, span=correlation.span, hint=hint)
    same = (np.diff(codes) == 0) & (np.diff(blocks.points, axis=0) == 0).all(axis=1)
    if same.any() and not correlation.nugget:
        rows = sorted(int(r) + 1 for r in blocks.order[np.flatnonzero(same)[0] :][:2])
        message = f"the rows {rows[0]} and {rows[1]} of a block have the same {words}"
        hint = "name the blocks: form = ~ t | g"
        if CORRELATIONS[correlation.kind].spatial:
            hint = "nugget = TRUE lets errors at one place differ"
        raise FormulaError(message, span=correlation.span, hint=hint)
    if correlation.kind == "corSymm":
        seen = np.unique(blocks.points)
        pairs = len(seen) * (len(seen) - 1) / 2
        bounded(pairs, _CORRELATIONS, "correlations", correlation.span)
        if len(seen) != seen[-1] - seen[0] + 1:
            message = f"corSymm() needs positions without gaps, and {words} has some"
            raise FormulaError(message, span=correlation.span)


def positions(blocks: Blocks) -> Index:
    """Positions from 1 on, for a general correlation matrix, shape (N,)."""
    whole = np.rint(blocks.points[:, 0]).astype(np.int64)
    return np.asarray(whole - whole.min() + 1)


# -- data of a program -----------------------------------------------------------------------------


def residual_entries(
    residual: Residual, data: Data, order: Index | None = None, blocks: Blocks | None = None
) -> dict[str, Any]:
    """The data of the errors, by Stan name.

    Args:
        residual: the resolved errors.
        data: the rows.
        order: the order the program has its rows in; that of the data if None, and then the program
            is told the order of the blocks.
        blocks: the blocks, if they are known already.
    """
    entries: dict[str, Any] = {}
    rows = np.arange(data.rows) if order is None else order
    for part in residual.variances:
        if part.covariate is not None and not part.of_fitted:
            entries[f"v{part.id}"] = data.vector(part.covariate)[rows]
        if part.strata is not None:
            entries[f"strata{part.id}"] = len(part.levels)
            entries[f"stratum{part.id}"] = strata_codes(part, data)[rows] + 1
    for block in error_blocks(residual):
        if not block.free:
            entries[block.name] = _known(block.known, block.scalar, block.name)
        elif block.known and block.known != (1.0,):
            entries[f"{block.name}_known"] = np.array(block.known)
        if has_unit(block):
            assert block.part is not None
            entries[f"{block.name}_unit"] = 1 / spread(
                entries.get(f"v{block.part.id}", 0.0), ddof=0
            )
    if residual.correlation is None:
        return entries
    if residual.correlation.latter:
        entries["cor_known"] = latter_root(residual.correlation)
    blocks = blocks or blocks_of(residual.correlation, data)
    if order is None:
        entries["row"] = blocks.order + 1
    return entries | _correlation_entries(residual.correlation, blocks)


def _known(values: tuple[float, ...], scalar: bool, name: str) -> Any:
    """Known values as the program has them."""
    numbers = np.array(values)
    if name == "cor_L":
        return general_root(numbers)
    if name.startswith("cor_partial"):
        return partial_of(name, numbers)
    return values[0] if scalar else numbers


def _correlation_entries(correlation: ErrorCorrelation, blocks: Blocks) -> dict[str, Any]:
    row = CORRELATIONS[correlation.kind]
    if row.whitening == "series":
        follows = np.ones(len(blocks.order))
        follows[blocks.first[:-1]] = 0
        gap = np.diff(blocks.points[:, 0], prepend=0)
        # the gap before a first row has no meaning
        return {"follows": follows, "lag": np.where(follows > 0, gap, 1.0)}
    entries: dict[str, Any] = {
        "B": len(blocks.sizes),
        "first": blocks.first[:-1] + 1,
        "last": blocks.first[1:],
    }
    if row.whitening == "exchangeable":
        # nlme's bound: the correlation matrix of the largest block is positive definite
        return entries | {"cor_rho_lower": -1 / max(int(blocks.sizes.max()) - 1, 1)}
    if row.whitening == "positions":
        return {"M": correlation.positions} | _position_patterns(blocks)
    entries |= _patterns(correlation, blocks)
    if correlation.kind == "corARMA":
        times = np.rint(blocks.points[:, 0]).astype(np.int64)
        spans = times[blocks.first[1:] - 1] - times[blocks.first[:-1]]
        orders = {"p": correlation.orders[0], "q": correlation.orders[1]}
        sizes = {name: size for name, size in orders.items() if size}
        return entries | sizes | {"time": times, "longest": int(spans.max())}
    return entries | {"axes": blocks.points.shape[1], "place": blocks.points}


def _patterns(correlation: ErrorCorrelation, blocks: Blocks) -> dict[str, Any]:
    """Blocks sorted by their pattern of times, so that a pattern needs one Cholesky factor.

    A pattern is a list of times from the first on; blocks whose list begins another's belong to it.
    """
    times = []
    for start, end in zip(blocks.first[:-1], blocks.first[1:], strict=True):
        here = blocks.points[start:end]
        times.append((here - here[0]).tobytes())
    # longest first among those that begin alike: the order of lists, backwards
    order = sorted(range(len(times)), key=lambda b: times[b], reverse=True)
    heads = [
        i for i, b in enumerate(order) if not i or not times[order[i - 1]].startswith(times[b])
    ]
    index = np.array(order)
    return {
        "first": blocks.first[:-1][index] + 1,
        "last": blocks.first[1:][index],
        "patterns": len(heads),
        "begin": np.array(heads) + 1,
        "end": np.array([*heads[1:], len(order)]),
    }


def _position_patterns(blocks: Blocks) -> dict[str, Any]:
    """Blocks by the set of positions they have; a cell is the rows at one position of a pattern."""
    place = positions(blocks)
    patterns: dict[tuple[int, ...], list[int]] = {}
    for start, end in zip(blocks.first[:-1], blocks.first[1:], strict=True):
        patterns.setdefault(tuple(place[start:end].tolist()), []).append(int(start))
    cells = [
        (position, np.array(starts) + i)
        for pattern, starts in patterns.items()
        for i, position in enumerate(pattern)
    ]
    ends = np.cumsum([len(pattern) for pattern in patterns])
    sizes = [len(rows) for _, rows in cells]
    return {
        "patterns": len(patterns),
        "begin": np.concatenate([[1], ends[:-1] + 1]),
        "end": ends,
        "position": np.array([position for position, _ in cells]),
        "start": np.cumsum([1, *sizes[:-1]]),
        "stop": np.cumsum(sizes),
        "cell_row": np.concatenate([rows for _, rows in cells]) + 1,
    }


# -- numbers of parameters -------------------------------------------------------------------------


def latter_root(correlation: ErrorCorrelation) -> Array:
    """The root of the correlations of the last positions, which are known, from the last on back."""
    return _backwards(general_root(np.array(correlation.latter)))


def _backwards(root: Array) -> Array:
    """The root of the same correlations, their positions numbered from the last."""
    return np.asarray(np.linalg.cholesky((root @ root.T)[::-1, ::-1]))


def symmetric(correlation: ErrorCorrelation, root: Array) -> Array:
    """The correlations at all positions from ``cor_L`` of the program, shape (…, M, M).

    Where those of the last positions are known the root goes from the last position back to the first,
    and has those of its first rows.
    """
    if not correlation.latter:
        return np.asarray(root @ np.swapaxes(root, -1, -2))
    known, whole = latter_root(correlation), np.array(root)
    whole[..., : len(known), : len(known)] = known
    return np.asarray((whole @ np.swapaxes(whole, -1, -2))[..., ::-1, ::-1])


def root_in_program(correlation: ErrorCorrelation, correlations: Array) -> Array:
    """``cor_L`` of the program from the correlations by columns of the lower triangle.

    Raises:
        FormulaError: if they are of no positive definite matrix.
    """
    root = general_root(correlations)
    return _backwards(root) if correlation.latter else root


def general_root(correlations: Array) -> Array:
    """The Cholesky factor of a correlation matrix given by columns of its lower triangle.

    Raises:
        FormulaError: if it is not positive definite.
    """
    size = round((1 + np.sqrt(1 + 8 * len(correlations))) / 2)
    points = np.arange(1, size + 1)[:, None]
    values = {"cor": correlations}
    try:
        whole = CORRELATIONS["corSymm"].matrix(points, distances(points), values)
        return np.asarray(np.linalg.cholesky(whole))
    except np.linalg.LinAlgError:
        raise FormulaError("these correlations are of no positive definite matrix") from None


def partial_of(name: str, coefficients: Array) -> Array:
    """The partial autocorrelations of AR coefficients, or of MA ones with their sign turned."""
    from mix2stan.residuals import partial_autocorrelations

    sign = -1.0 if name.endswith("ma") else 1.0
    return partial_autocorrelations(sign * coefficients)


def multiplier(
    residual: Residual,
    entries: Mapping[str, Any],
    values: Mapping[str, Any],
    fitted: Array | None = None,
) -> Array:
    """The sd multiplier of every row, shape (N,), or () if all rows have one.

    Args:
        residual: the resolved errors.
        entries: the program's data.
        values: the values of the program's parameters.
        fitted: the predictor, for variances that depend on it.
    """
    product = np.ones(())
    blocks = error_blocks(residual)
    for part in residual.variances:
        covariate = np.asarray(fitted if part.of_fitted else entries.get(f"v{part.id}", 1.0))
        codes = np.asarray(entries.get(f"stratum{part.id}", 1)) - 1
        parameters = {}
        for block in blocks:
            if block.part is part:
                free = np.atleast_1d(values[block.name]) if block.free else np.zeros(0)
                parameters[block.parameter.name] = np.concatenate([block.known, free])[codes]
        product = product * VARIANCES[part.kind].multiplier(covariate, parameters)
    return product


def known_multiplier(residual: Residual, data: Data) -> Array:
    """The sd multiplier of every row where it is known, shape (N,); of one variance, shape ().

    Errors of which anything is to be estimated have 1: their programs scale the rows.
    """
    if residual.plain or not known_errors(residual):
        return np.ones(())
    return multiplier(residual, residual_entries(residual, data), {})


def natural_correlation(residual: Residual, values: Mapping[str, Any]) -> dict[str, Array]:
    """The parameters of the correlation by nlme's names, from the program's."""
    found: dict[str, Array] = {}
    for block in error_blocks(residual):
        if block.part is not None:
            continue
        value = np.asarray(values[block.name] if block.free else block.known, dtype=float)
        if block.free and block.name == "cor_L":
            assert residual.correlation is not None
            whole = symmetric(residual.correlation, value)
            rows, columns = np.triu_indices(len(whole), 1)
            value = whole[columns, rows]
        elif block.free and block.name.startswith("cor_partial"):
            value = stationary(value) * (-1.0 if block.name.endswith("ma") else 1.0)
        found[block.parameter.name] = value if not block.scalar else value.reshape(())
    return found


def _scale(residual: Residual, data: Data, values: Mapping[str, Any]) -> Array:
    """The sd multiplier of every row, shape (N,)."""
    scale = multiplier(residual, residual_entries(residual, data), values)
    return np.broadcast_to(scale, data.rows)


def _roots(
    residual: Residual, data: Data, values: Mapping[str, Any]
) -> Iterator[tuple[Index, Array]]:
    """The rows of every block, and the Cholesky factor of their errors' correlations."""
    correlation = residual.correlation
    if correlation is None:
        return
    row, blocks = CORRELATIONS[correlation.kind], blocks_of(correlation, data)
    parameters = natural_correlation(residual, values)
    points = blocks.points
    if correlation.kind == "corSymm":
        points = positions(blocks)[:, None].astype(float)
    for start, end in zip(blocks.first[:-1], blocks.first[1:], strict=True):
        here = points[start:end]
        root = np.linalg.cholesky(row.matrix(here, distances(here, correlation.metric), parameters))
        yield blocks.order[start:end], np.asarray(root)


def colour(residual: Residual, data: Data, values: Mapping[str, Any], white: Array) -> Array:
    """Independent errors of variance sigma^2 as the model has them, shape (N,)."""
    errors = white.copy()
    for index, root in _roots(residual, data, values):
        errors[index] = root @ errors[index]
    return np.asarray(errors * _scale(residual, data, values))


def whitener(residual: Residual, data: Data, values: Mapping[str, Any]) -> sparse.csr_array:
    """The matrix W, N x N, for which W e are independent and of variance sigma^2."""
    scaled = sparse.diags_array(1 / _scale(residual, data, values), format="csr")
    roots = list(_roots(residual, data, values))
    if not roots:
        return sparse.csr_array(scaled)
    inverses = [solve_triangular(root, np.eye(len(root)), lower=True) for _, root in roots]
    sorted_rows = sparse.csr_array(sparse.block_diag(inverses))
    place = np.argsort(np.concatenate([index for index, _ in roots]))
    return sparse.csr_array(sorted_rows[place][:, place] @ scaled)
