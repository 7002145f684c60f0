"""How the covariance of the response moves with each parameter of it, seen by random vectors.

The response is normal with the mean X beta and the covariance V = sum_k Z_k (Sigma_k x K_k) Z_k' plus
that of the errors.  With a parameter theta_i it moves in the direction V_i = dV / dtheta_i, a
matrix of N x N that is never made: what is kept of it are the products V_i w with a few random
vectors w.  A combination of directions is zero if that of these products is, with probability one
as soon as the vectors are as many as the directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from mix2stan.covariances import COVARIANCES, constants_of
from mix2stan.covariances.rows import correlations, standard_deviations
from mix2stan.graph import ErrorCorrelation, Group, Residual
from mix2stan.matrices import Data
from mix2stan.residual_data import blocks_of, multiplier, natural_correlation, residual_entries
from mix2stan.residual_point import residual_estimates
from mix2stan.residuals import CORRELATIONS, ErrorBlock, distances, error_blocks

__all__ = ["Direction", "Moves", "error_directions", "group_directions", "too_long"]

Array = NDArray[np.float64]
Moves = Mapping[str, float]

#: Step of the differences of covariances; their error is about its square.
_STEP = 1e-5
#: Rows of a block of errors beyond which its correlation matrix is not made.
_LONGEST = 4_000
#: Related levels beyond which their covariance is not made.
_MOST_RELATED = 1_500


@dataclass(frozen=True, eq=False)
class Direction:
    """One parameter of the covariance, or one of as many that span the same directions.

    Attributes:
        term: the identifier of the group term, empty for the errors.
        moves: how fast each estimate of a table moves with it, by its name there.
        product: ``V_i W`` for vectors W, both (N, k).
    """

    term: str
    moves: Moves
    product: Callable[[Array], Array]


# -- group terms -----------------------------------------------------------------------------------


def group_directions(group: Group, data: Data, rng: np.random.Generator) -> list[Direction]:
    """The directions of a term's covariance parameters at a point like any other."""
    Z = data.matrix(group.columns)
    if group.covariance.kind in ("us", "scalar", "idv") and not group.factor.apart:
        sigma, tangents = _free(group, Z, rng)
    else:
        sigma, tangents = _structured(group, Z, rng)
    times = _spread(group, data)
    return [
        Direction(group.id, _moves(group, sigma, tangent), _product(times, tangent))
        for tangent in tangents
    ]


def _free(group: Group, Z: Array, rng: np.random.Generator) -> tuple[Array, list[Array]]:
    """A covariance with no structure, whose directions are those of any basis of the columns.

    Columns far from zero are nearly parallel: those of an orthonormal basis are not.
    """
    q = Z.shape[1]
    if group.covariance.kind != "us":
        return np.eye(q), [np.eye(q)]
    R = np.linalg.qr(Z, mode="r")
    T = np.linalg.pinv(R, rcond=1e-13) * np.sqrt(len(Z))
    root = rng.uniform(-0.5, 0.5, (q, q)) + np.eye(q)
    pairs = [(i, j) for i in range(q) for j in range(i + 1)]
    units = []
    for i, j in pairs:
        unit = np.zeros((q, q))
        unit[i, j] = unit[j, i] = 1.0
        units.append(T @ unit @ T.T)
    return T @ root @ root.T @ T.T, units


def _structured(group: Group, Z: Array, rng: np.random.Generator) -> tuple[Array, list[Array]]:
    row, q = COVARIANCES[group.covariance.kind], Z.shape[1]
    constants = constants_of(group)
    size = np.sqrt(np.mean(Z**2, axis=0))
    scale = 1 / np.where(size > 0, size, 1.0)
    values: dict[str, Any] = {}
    for p in row.parameters:
        n = p.size(q, group.covariance.order)
        if p.shape == "L":
            values[p.name] = _correlation_root(rng.uniform(-0.4, 0.4, (n, n)))
        elif p.start is not None:
            values[p.name] = (p.start(constants) or 0.3) * rng.uniform(0.7, 1.3, n)
        else:
            values[p.name] = np.resize(scale, n) * rng.uniform(0.7, 1.3, n)
    shapes = {p.name: p.shape for p in row.parameters}

    def covariance(name: str, value: Array) -> Array:
        at = {n: _shaped(v, shapes[n]) for n, v in {**values, name: value}.items()}
        return row.matrix(q, group.covariance.order, {**constants, **at})

    tangents = []
    for p in row.parameters:
        middle = np.asarray(values[p.name])
        for unit in _units(middle, p.shape == "L"):
            step = _STEP * max(float(np.max(np.abs(middle * (unit != 0)))), 1e-3)
            ends = [middle + step * unit, middle - step * unit]
            if p.shape == "L":
                ends = [_correlation_root(np.tril(end, -1)) for end in ends]
            up, down = (covariance(p.name, end) for end in ends)
            tangents.append((up - down) / (2 * step))
    first = next(iter(values), "")
    return (covariance(first, values[first]) if first else np.eye(q)), tangents


def _shaped(value: Array, shape: str) -> Any:
    return float(np.ravel(value)[0]) if shape == "real" else value


def _units(middle: Array, lower: bool) -> Iterator[Array]:
    """A unit vector for every number; those below the diagonal of a matrix."""
    places = (
        zip(*np.tril_indices(len(middle), -1), strict=True) if lower else np.ndindex(middle.shape)
    )
    for place in places:
        unit = np.zeros_like(middle)
        unit[place] = 1.0
        yield unit


def _correlation_root(below: Array) -> Array:
    """The Cholesky factor of a correlation matrix with these elements below its diagonal."""
    root = np.tril(below, -1)
    np.fill_diagonal(root, np.sqrt(1 - np.sum(root**2, axis=1)))
    return root


def _moves(group: Group, sigma: Array, tangent: Array) -> Moves:
    """How the standard deviations and correlations of a term move."""
    names, sd, R = group.columns.names, standard_deviations(sigma), correlations(sigma)
    moves = {
        f"sd_{group.id}[{name}]": float(tangent[k, k] / (2 * sd[k] ** 2)) if sd[k] else 0.0
        for k, name in enumerate(names)
    }
    if not COVARIANCES[group.covariance.kind].correlated:
        return moves
    relative = tangent / np.outer(sd, sd)
    for k, b in enumerate(names):
        for j, a in enumerate(names[:k]):
            change = relative[j, k] - R[j, k] * (relative[j, j] + relative[k, k]) / 2
            moves[f"cor_{group.id}[{a}, {b}]"] = float(change)
    return moves


def _spread(group: Group, data: Data) -> tuple[list[sparse.csr_array], Callable[[Array], Array]]:
    """The designs of a term, effect by effect, and the product with K, what relates its levels."""
    designs = list(data.designs(group, np.ones(data.rows)))
    if group.factor.relationship is None:
        return designs, lambda effects: effects
    if group.factor.levels > _MOST_RELATED:
        # any covariance that is not that of independent levels tells them from these
        some = np.random.default_rng(1).uniform(0.5, 1.5, (designs[0].shape[1], 1))
        return designs, lambda effects: some * effects
    root = data.root(group.factor)
    return designs, lambda effects: np.asarray(root @ (root.T @ effects))


def _product(
    spread: tuple[list[sparse.csr_array], Callable[[Array], Array]], tangent: Array
) -> Callable[[Array], Array]:
    """Z (dSigma x K) Z' W."""
    designs, related = spread

    def product(W: Array) -> Array:
        sums = [related(np.asarray(design.T @ W)) for design in designs]
        found = np.zeros_like(W)
        for k, design in enumerate(designs):
            own = sum(tangent[k, j] * sums[j] for j in range(len(sums)) if tangent[k, j] != 0)
            if not isinstance(own, int):
                found += design @ own
        return found

    return product


# -- errors ----------------------------------------------------------------------------------------


def error_directions(residual: Residual, data: Data, rng: np.random.Generator) -> list[Direction]:
    """The directions of sigma and of every free parameter of the errors."""
    entries = residual_entries(residual, data)
    free = [block for block in error_blocks(residual) if block.free]
    values = {block.name: _typical(block, residual, data, entries, rng) for block in free}
    correlated = _correlator(residual.correlation, data)

    def covariance(at: Mapping[str, Any], W: Array) -> Array:
        scale = np.broadcast_to(multiplier(residual, entries, at), data.rows)[:, None]
        if residual.correlation is None:
            return scale**2 * W
        return np.asarray(scale * correlated(natural_correlation(residual, at), scale * W))

    found = [Direction("", {"sigma": 1.0}, lambda W: covariance(values, W))]
    for block in free:
        middle = np.atleast_1d(np.asarray(values[block.name], dtype=float))
        for unit in _units(middle, block.name == "cor_L"):
            step = _STEP * max(float(np.max(np.abs(middle))), 0.1)
            ends = [middle + step * unit, middle - step * unit]
            if block.name == "cor_L":
                ends = [_correlation_root(end) for end in ends]
            up, down = (
                {**values, block.name: float(end[0]) if block.scalar else end} for end in ends
            )
            found.append(_error_direction(residual, covariance, up, down, 2 * step))
    return found


def _error_direction(
    residual: Residual,
    covariance: Callable[[Mapping[str, Any], Array], Array],
    up: Mapping[str, Any],
    down: Mapping[str, Any],
    step: float,
) -> Direction:
    change = (residual_estimates(residual, up) - residual_estimates(residual, down)) / step
    return Direction(
        "",
        {str(name): float(x) for name, x in change.items() if np.isfinite(x)},
        lambda W: (covariance(up, W) - covariance(down, W)) / step,
    )


def _typical(
    block: ErrorBlock,
    residual: Residual,
    data: Data,
    entries: Mapping[str, Any],
    rng: np.random.Generator,
) -> Any:
    """Free values like any others: nothing that makes errors equal or independent."""
    n = block.parameter.size or (len(block.labels) or 1)
    if block.name == "cor_L":
        assert residual.correlation is not None
        size = residual.correlation.positions
        return _correlation_root(rng.uniform(-0.5, 0.5, (size, size)) / np.sqrt(size))
    if block.name == "cor_range":
        return _typical_range(residual.correlation, data)
    if block.parameter.name == "expon":
        return rng.uniform(0.2, 0.4, n) * float(entries.get(f"{block.name}_unit", 1.0))
    middle = {"rho": 0.3, "phi": 0.3, "theta": 0.3, "nugget": 0.3, "power": 0.4}
    value = middle.get(block.parameter.name, 1.0) * rng.uniform(0.7, 1.3, n)
    return float(value[0]) if block.scalar else value


def _typical_range(correlation: ErrorCorrelation | None, data: Data) -> float:
    """The median distance between two rows of the largest block."""
    assert correlation is not None
    blocks = blocks_of(correlation, data)
    largest = int(np.argmax(blocks.sizes))
    points = blocks.points[blocks.first[largest] : blocks.first[largest + 1]][:500]
    apart = distances(points, correlation.metric)
    apart = apart[apart > 0]
    return 1.01 * float(np.median(apart)) if len(apart) else 1.0


def _correlator(
    correlation: ErrorCorrelation | None, data: Data
) -> Callable[[Mapping[str, Array], Array], Array]:
    """The product of the errors' correlation matrix with vectors, block by block."""
    if correlation is None:
        return lambda parameters, W: W
    blocks, row = blocks_of(correlation, data), CORRELATIONS[correlation.kind]
    points = blocks.points
    if correlation.kind == "corSymm":
        points = np.rint(points) - np.rint(points).min() + 1
    starts = blocks.first[:-1]

    def product(parameters: Mapping[str, Array], W: Array) -> Array:
        found, inside = np.empty_like(W), W[blocks.order]
        if row.whitening == "exchangeable":
            rho = float(parameters["rho"])
            sums = np.repeat(np.add.reduceat(inside, starts), blocks.sizes, axis=0)
            found[blocks.order] = (1 - rho) * inside + rho * sums
            return found
        found[:] = 0.0
        for start, end in zip(starts, blocks.first[1:], strict=True):
            # rows where all vectors are zero are not looked at
            rows = start + np.flatnonzero(np.any(inside[start:end] != 0, axis=1))
            if len(rows):
                here = points[rows]
                R = row.matrix(here, distances(here, correlation.metric), parameters)
                found[blocks.order[rows]] = R @ inside[rows]
        return found

    return product


def too_long(residual: Residual, data: Data) -> bool:
    """Whether a correlation matrix of all errors of a block is too large to be made."""
    correlation = residual.correlation
    if correlation is None or CORRELATIONS[correlation.kind].whitening == "exchangeable":
        return False
    return bool(blocks_of(correlation, data).sizes.max() > _LONGEST)
