"""The data of a collapsed program: sums over the rows, computed once.

Work is done on least-squares residuals and orthonormalised columns, so that nothing cancels however
large the mean of the response is beside its spread.  Notation: r are the residuals, Q the
orthonormalised population columns, W = [Z Q] with Z the columns of the dense terms (just Q if there
are none), and the block is the factor that is eliminated level by level.  Where the errors' sds are
known but for sigma, the rows of y, X and Z are divided by them first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from mix2stan.covariances import constants_of
from mix2stan.elimination import Elimination, elimination, is_rotated
from mix2stan.graph import Group, ModelGraph
from mix2stan.levels_data import RotatedLevels, dense_array, rotate, rotate_related
from mix2stan.matrices import Data
from mix2stan.residual_data import known_multiplier

__all__ = [
    "coefficient_prior",
    "collapsed_data",
    "dense_columns",
    "least_squares",
    "orthogonaliser",
    "row_order",
    "sizes_of",
]

Array = NDArray[np.float64]


def orthogonaliser(X: Array, count: int | None = None) -> Array:
    """The matrix T for which the columns of X T are orthogonal and of length sqrt(N).

    X has full column rank; T is upper triangular, K x K, with a positive diagonal.  ``count`` is N,
    the number of rows if None.
    """
    n = len(X) if count is None else count
    R = np.asarray(np.linalg.qr(X, mode="r"), dtype=float)
    R = R * np.where(np.diag(R) < 0, -1.0, 1.0)[:, None]
    return np.asarray(np.linalg.solve(R, np.eye(len(R)) * np.sqrt(n)), dtype=float)


def row_order(graph: ModelGraph, data: Data) -> NDArray[np.intp]:
    """The rows sorted by the levels of the block: the order of a program that has rows."""
    block = elimination(graph.groups).block
    if not block or block[0].coupled:
        return np.arange(data.rows)
    return np.argsort(data.grouping(block[0].factor).codes, kind="stable")


def collapsed_data(graph: ModelGraph, data: Data, y: Array | None = None) -> dict[str, Any]:
    """Every entry but those of sampled terms and the prior scales of the variances.

    Args:
        graph: the model, its passes done.
        data: its data.
        y: replaces the response, offsets taken off; shape (N,).
    """
    parts = elimination(graph.groups)
    d = np.broadcast_to(known_multiplier(graph.residual, data), data.rows)
    r = (data.response(graph) if y is None else y) / d
    entries: dict[str, Any] = {"N": data.count}
    Q = np.zeros((data.rows, 0))
    if graph.population.columns.names:
        X = data.matrix(graph.population.columns)
        R_inverse = orthogonaliser(X / d[:, None], data.count)
        Q = (X / d[:, None]) @ R_inverse
        theta_hat, r = least_squares(Q, r, data.count)
        entries |= {"K": X.shape[1], "R_inverse": R_inverse, "theta_hat": theta_hat}
        entries |= coefficient_prior(graph, X, data.means(X))
    Z, sizes = dense_columns(parts, data, d, Q.shape[1])
    R: Any = np.c_[r, Q]
    if parts.dense:
        R = sparse.csr_array(sparse.hstack([sparse.csr_array(a) for a in (r[:, None], Z, Q)]))
    return entries | sizes | _sums(graph, data, R, d)


def _sums(graph: ModelGraph, data: Data, R: Any, d: Array) -> dict[str, Any]:
    """The products of R = [r W], those that effects of the block have a part in apart."""
    parts = elimination(graph.groups)
    if not parts.block:
        S = dense_array(R.T @ R)
        return _of_rows(graph, data, R, R, S, d) if parts.sampled else {"S_0": _single(S)}
    levels, name = _rotated(parts, data, d), parts.block[0].id
    rows = levels.rows(R)
    # a program with rows holds what is left of them, of others the products alone are made
    rest = levels.rest(R, rows) if parts.sampled else None
    S = levels.products_of_rest(R, rows) if rest is None else rest.T @ rest
    entries: dict[str, Any] = {}
    for group in parts.block:
        entries |= sizes_of(group, parts, data, d)
    entries[f"T_{name}"] = _listed([levels.triangles[kl] for kl in sorted(levels.triangles)])
    if rest is not None:
        order = row_order(graph, data)
        units = [np.asarray(member.sum(axis=0))[order] for member in levels.members]
        entries[f"last_{name}"] = np.cumsum(np.bincount(data.grouping(parts.block[0].factor).codes))
        entries[f"U_{name}"] = _listed(units)
        entries |= _of_rows(graph, data, R, rest, S, d)
    else:
        entries |= {"S_0": _single(S), f"r_{name}": _listed([one[:, 0] for one in rows])}
    if len(S) == 1:
        return entries
    own = [one[:, 1:] for one in rows]
    entries[f"{'W' if parts.dense else 'Q'}_of_{name}"] = _listed(own)
    return entries | (_sparse_products(name, own) if parts.dense else _products(name, own))


def _of_rows(
    graph: ModelGraph, data: Data, R: Any, rest: Any, S: Array, d: Array
) -> dict[str, Any]:
    """What a program with sampled terms needs of every row, sorted by the block's levels.

    Args:
        graph, data: the model and its data.
        R: the columns [r W], shape (N, m).
        rest: what effects of the block have no part in of them, and ``S`` the products of that.
        d: by what rows are divided.
    """
    order = row_order(graph, data)
    entries: dict[str, Any] = {"r": dense_array(R[:, [0]])[order, 0]}
    if not graph.residual.plain:
        entries["d"] = d[order]
    if len(S) > 1:
        w = "W" if elimination(graph.groups).dense else "Q"
        entries |= {w: dense_array(rest)[order, 1:], f"{w}{w}_0": S[1:, 1:]}
    return entries


def _single(S: Array) -> Any:
    """A number where there is one column alone."""
    return S if len(S) > 1 else float(S[0, 0])


def _listed(found: list[Array]) -> Any:
    """One array for one effect per level, else a list of them."""
    return found[0] if len(found) == 1 else found


def _rotated(parts: Elimination, data: Data, d: Array) -> RotatedLevels:
    """The columns of the block, rotated level by level."""
    first = parts.block[0]
    if first.coupled:
        found = data.separation(first, d)
        return rotate_related(data.designs(first, d)[0], found.root, found.squares)
    levels = data.grouping(first.factor)
    columns = [data.matrix(group.columns) / d[:, None] for group in parts.block]
    return rotate(levels.codes, len(levels.levels), np.hstack(columns))


def _products(name: str, rows: list[Array]) -> dict[str, Any]:
    """The products of the rotated rows of Q of every level, by pairs of effects, (K K, J) each."""
    found = []
    for k, one in enumerate(rows):
        for m, other in enumerate(rows[: k + 1]):
            products = one[:, :, None] * other[:, None, :]
            if m < k:
                products = products + products.transpose(0, 2, 1)
            found.append(products.reshape(len(one), -1).T)
    return {f"QQ_{name}": _listed(found)}


def least_squares(Q: Array, y: Array, count: int | None = None) -> tuple[Array, Array]:
    """Coefficients and residuals, refined once: columns of Q have length sqrt(count)."""
    n = len(y) if count is None else count
    first = Q.T @ y / n
    second = Q.T @ (y - Q @ first) / n
    theta = first + second
    return theta, y - Q @ theta


def coefficient_prior(graph: ModelGraph, X: Array, means: Array | None = None) -> dict[str, Any]:
    """Priors as C beta ~ normal(beta_loc, beta_scale); no row for a flat one."""
    priors = [p for p in graph.priors if p.block in ("intercept", "beta")]
    intercept = any(p.block == "intercept" for p in priors)
    C = np.eye(X.shape[1])
    if intercept:
        C[0] = X.mean(axis=0) if means is None else means
    first = {"intercept": C[:1], "beta": C[int(intercept) :]}
    rows, locs, scales = [np.zeros((0, X.shape[1]))], [np.zeros(0)], [np.zeros(0)]
    for prior in priors:
        if prior.density == "flat":
            continue
        block, values = first[prior.block], dict(prior.values)
        statement = block[list(prior.places)] if prior.places else block
        loc = np.array(values["loc"])
        if "scale_matrix" in values:
            # independent statements on the columns that its root makes independent
            V = np.reshape(values["scale_matrix"], (len(loc), len(loc)))
            root = np.linalg.cholesky(V)
            statement = np.asarray(np.linalg.solve(root, statement), dtype=float)
            loc = np.asarray(np.linalg.solve(root, loc), dtype=float)
            scales.append(np.ones(len(loc)))
        else:
            scales.append(np.array(values["scale"]))
        rows.append(statement)
        locs.append(loc)
    C = np.vstack(rows)
    if not len(C):
        return {}
    loc, scale = np.concatenate(locs), np.concatenate(scales)
    return {"K_prior": len(C), "C": C, "beta_loc": loc, "beta_scale": scale}


def sizes_of(group: Group, parts: Elimination, data: Data, d: Array) -> dict[str, Any]:
    """The sizes of an integrated term, and what its covariance takes from the data."""
    sizes: dict[str, Any] = {f"J_{group.id}": len(data.grouping(group.factor).levels)}
    sizes |= {f"{constant}_{group.id}": v for constant, v in constants_of(group).items()}
    if group.covariance.kind != "scalar":
        sizes[f"Q_{group.id}"] = len(group.columns.names)
    if is_rotated(group, parts):
        sizes[f"root_{group.id}"] = _level_root(group, parts, data, d)
    return sizes


def _level_root(group: Group, parts: Elimination, data: Data, d: Array) -> Array:
    """The root of a known covariance by which the program's effects become those of the levels."""
    if group in parts.block:
        return data.separation(group, d).root
    return data.root(group.factor)


def dense_columns(
    parts: Elimination, data: Data, d: Array, K: int
) -> tuple[sparse.csr_array, dict[str, Any]]:
    """The columns Z of the dense terms, N x E, of one length each effect, and their entries.

    Effect by effect, the levels of one effect side by side.  ``d`` divides the rows, K columns follow.
    """
    n = data.rows
    blocks, units = [], []
    entries: dict[str, Any] = {}
    for group in parts.dense:
        entries |= sizes_of(group, parts, data, d)
        columns = (data.matrix(group.columns) / d[:, None]).T
        for column, design in zip(columns, data.designs(group, d), strict=True):
            unit = float(np.sqrt(np.mean(column**2))) or 1.0
            unit = 1.0 if group.columns.intercept_only else unit
            levels = design.shape[1]
            if is_rotated(group, parts):
                design = sparse.csr_array(design @ _level_root(group, parts, data, d))
            blocks.append(design / unit)
            units.append(np.full(levels, unit))
    if not blocks:
        return sparse.csr_array((n, 0)), {}
    Z = sparse.csr_array(sparse.hstack(blocks))
    entries |= {"E": Z.shape[1], "D": Z.shape[1] + K}
    if any(not g.columns.intercept_only for g in parts.dense):
        entries["unit"] = np.concatenate([*units, np.ones(K)])
    return Z, entries


def _sparse_products(name: str, found: list[Array]) -> dict[str, Any]:
    """The products of two columns of the rotated rows that meet in a level, sorted by the pair.

    ``last`` is where each pair ends, ``pair`` which of them every element of W'W is, column by
    column.  A first product of zero lets every pair have an end, met or not.
    """
    J, D = found[0].shape
    met = sparse.csr_array(np.any([one != 0 for one in found], axis=0))
    met.sort_indices()
    counts = np.diff(met.indptr)
    # for every level, all ordered pairs of the columns it has
    level = np.repeat(np.arange(J), counts**2)
    within = np.arange(len(level)) - np.repeat(np.cumsum(counts**2) - counts**2, counts**2)
    a = met.indices[met.indptr[level] + within // counts[level]].astype(np.int64)
    b = met.indices[met.indptr[level] + within % counts[level]].astype(np.int64)
    lower = a >= b
    level, a, b = level[lower], a[lower], b[lower]
    number = b * D - b * (b - 1) // 2 + (a - b)
    order = np.argsort(number, kind="stable")
    level, a, b, number = level[order], a[order], b[order], number[order]
    pairs = D * (D + 1) // 2
    rows, columns = np.indices((D, D))
    low, high = np.minimum(rows, columns), np.maximum(rows, columns)
    entries: dict[str, Any] = {
        "M": len(level) + 1,
        "met": np.concatenate([[1], level + 1]),
        "last": 1 + np.searchsorted(number, np.arange(pairs), side="right"),
        "pair": (1 + low * D - low * (low - 1) // 2 + (high - low)).T.ravel(),
    }
    values: list[Array] = []
    for k, one in enumerate(found):
        for m, other in enumerate(found[: k + 1]):
            products = one[level, a] * other[level, b]
            if m < k:
                products = products + other[level, a] * one[level, b]
            values.append(np.concatenate([[0.0], products]))
    return entries | {f"WW_{name}": _listed(values)}
