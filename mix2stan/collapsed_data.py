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
from mix2stan.elimination import Elimination, elimination
from mix2stan.graph import Group, ModelGraph
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


def orthogonaliser(X: Array) -> Array:
    """The matrix T for which the columns of X T are orthogonal and of length sqrt(N).

    X has full column rank; T is upper triangular, K x K, with a positive diagonal.
    """
    R = np.asarray(np.linalg.qr(X, mode="r"), dtype=float)
    R = R * np.where(np.diag(R) < 0, -1.0, 1.0)[:, None]
    return np.asarray(np.linalg.solve(R, np.eye(len(R)) * np.sqrt(len(X))), dtype=float)


def row_order(graph: ModelGraph, data: Data) -> NDArray[np.intp]:
    """The rows sorted by the levels of the block: the order of a program that has rows."""
    block = elimination(graph.groups).block
    if not block:
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
    entries: dict[str, Any] = {"N": data.rows}
    Q = np.zeros((data.rows, 0))
    if graph.population.columns.names:
        X = data.matrix(graph.population.columns)
        R_inverse = orthogonaliser(X / d[:, None])
        Q = (X / d[:, None]) @ R_inverse
        theta_hat, r = least_squares(Q, r)
        entries |= {"K": X.shape[1], "R_inverse": R_inverse, "theta_hat": theta_hat}
        entries |= coefficient_prior(graph, X)
    Z, sizes = dense_columns(parts, data, d, Q.shape[1])
    entries |= sizes
    if parts.sampled:
        entries |= _rows(graph, data, r, Z, Q, d)
    else:
        entries["rr_0"] = float(r @ r)
    if parts.dense or Q.shape[1]:
        w = "W" if parts.dense else "Q"
        ZQ = np.asarray(Z.T @ Q)
        entries[f"{w}{w}_0"] = np.block([[(Z.T @ Z).toarray(), ZQ], [ZQ.T, Q.T @ Q]])
        if not parts.sampled:
            entries[f"{w}r_0"] = np.concatenate([Z.T @ r, Q.T @ r])
    return entries | _block(parts, data, r, Z, Q, d)


def least_squares(Q: Array, y: Array) -> tuple[Array, Array]:
    """Coefficients and residuals, refined once: columns of Q have length sqrt(N)."""
    first = Q.T @ y / len(y)
    second = Q.T @ (y - Q @ first) / len(y)
    theta = first + second
    return theta, y - Q @ theta


def coefficient_prior(graph: ModelGraph, X: Array) -> dict[str, Any]:
    """Priors as C beta ~ normal(beta_loc, beta_scale); no row for a flat one."""
    priors = {p.block: p for p in graph.priors if p.block in ("intercept", "beta")}
    intercept = "intercept" in priors
    C = np.eye(X.shape[1])
    if intercept:
        C[0] = X.mean(axis=0)
    rows = {"intercept": C[:1], "beta": C[1:] if intercept else C}
    priors = {b: p for b, p in priors.items() if p.density != "flat"}
    if not priors:
        return {}
    C = np.vstack([rows[b] for b in ("intercept", "beta") if b in priors])
    loc, scale = (
        np.concatenate([dict(priors[b].values)[slot] for b in ("intercept", "beta") if b in priors])
        for slot in ("loc", "scale")
    )
    return {"K_prior": len(C), "C": C, "beta_loc": loc, "beta_scale": scale}


def sizes_of(group: Group, data: Data) -> dict[str, Any]:
    """The sizes of an integrated term, and what its covariance takes from the data."""
    sizes: dict[str, Any] = {f"J_{group.id}": len(data.grouping(group.factor).levels)}
    sizes |= {f"{constant}_{group.id}": v for constant, v in constants_of(group).items()}
    if group.covariance.kind != "scalar":
        sizes[f"Q_{group.id}"] = len(group.columns.names)
    return sizes


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
        entries |= sizes_of(group, data)
        levels = data.grouping(group.factor)
        for column in (data.matrix(group.columns) / d[:, None]).T:
            unit = float(np.sqrt(np.mean(column**2))) or 1.0
            unit = 1.0 if group.columns.intercept_only else unit
            place = (np.arange(n), levels.codes)
            shape = (n, len(levels.levels))
            blocks.append(sparse.csr_array((column / unit, place), shape=shape))
            units.append(np.full(len(levels.levels), unit))
    if not blocks:
        return sparse.csr_array((n, 0)), {}
    Z = sparse.csr_array(sparse.hstack(blocks))
    entries |= {"E": Z.shape[1], "D": Z.shape[1] + K}
    if any(not g.columns.intercept_only for g in parts.dense):
        entries["unit"] = np.concatenate([*units, np.ones(K)])
    return Z, entries


def _rows(
    graph: ModelGraph, data: Data, r: Array, Z: sparse.csr_array, Q: Array, d: Array
) -> dict[str, Any]:
    """What a program with sampled terms needs of every row, sorted by the block's levels."""
    parts, order, one = elimination(graph.groups), row_order(graph, data), graph.residual.plain
    entries: dict[str, Any] = {"r": r[order]} | ({} if one else {"d": d[order]})
    if parts.dense:
        entries["W"] = np.hstack([Z.toarray(), Q])[order]
    elif Q.shape[1]:
        entries["Q"] = Q[order]
    if parts.block:
        name = parts.block[0].id
        levels = data.grouping(parts.block[0].factor)
        entries[f"last_{name}"] = np.cumsum(np.bincount(levels.codes))
        k = 0
        for group in parts.block:
            for label, column in zip(
                group.columns.names, (data.matrix(group.columns) / d[:, None]).T, strict=True
            ):
                k += 1
                if label != "(Intercept)" or not one:
                    entries[f"Z_{name}_{k}"] = column[order]
    return entries


def _block(
    parts: Elimination, data: Data, r: Array, Z: sparse.csr_array, Q: Array, d: Array
) -> dict[str, Any]:
    """Z'Z, Z'r and Z'W of every level of the block, and what products of Z'W are summed."""
    if not parts.block:
        return {}
    name = parts.block[0].id
    levels = data.grouping(parts.block[0].factor)
    n, J = data.rows, len(levels.levels)
    columns = np.hstack([data.matrix(g.columns) for g in parts.block]) / d[:, None]
    q = columns.shape[1]
    entries: dict[str, Any] = {}
    for group in parts.block:
        entries |= sizes_of(group, data)
    place = (levels.codes, np.arange(n))
    members = [sparse.csr_array((columns[:, k], place), shape=(J, n)) for k in range(q)]
    ZZ = [sparse.csr_array(member @ Z) for member in members]
    ZQ = [np.asarray(member @ Q) for member in members]
    w = "W" if parts.dense else "Q"
    for k in range(q):
        if not parts.sampled:
            entries[f"Zr_{name}_{k + 1}"] = members[k] @ r
        if parts.dense or Q.shape[1]:
            entries[f"Z{w}_{name}_{k + 1}"] = np.hstack([ZZ[k].toarray(), ZQ[k]])
        for m in range(k + 1):
            entries[f"ZZ_{name}_{k + 1}{m + 1}"] = members[k] @ columns[:, m]
    if parts.dense:
        return entries | _sparse_products(name, ZZ, ZQ)
    if Q.shape[1]:
        for k in range(q):
            for m in range(k + 1):
                products = ZQ[k][:, :, None] * ZQ[m][:, None, :]
                if m < k:
                    products = products + products.transpose(0, 2, 1)
                entries[f"T_{name}_{k + 1}{m + 1}"] = products.reshape(J, -1).T
    return entries


def _sparse_products(name: str, ZZ: list[sparse.csr_array], ZQ: list[Array]) -> dict[str, Any]:
    """The products of the columns of Z'W that meet in a level, sorted by the pair of columns.

    ``last`` is where each pair ends, ``pair`` which of them every element of W'W is, column by
    column.  A first product of zero lets every pair have an end, met or not.
    """
    E, K = ZZ[0].shape[1], ZQ[0].shape[1]
    D, J = E + K, ZZ[0].shape[0]
    whole = [np.hstack([z.toarray(), q]) for z, q in zip(ZZ, ZQ, strict=True)]
    met = sparse.csr_array(np.any([w != 0 for w in whole], axis=0))
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
    for k, one in enumerate(whole):
        for m, other in enumerate(whole[: k + 1]):
            products = one[level, a] * other[level, b]
            if m < k:
                products = products + other[level, a] * one[level, b]
            entries[f"T_{name}_{k + 1}{m + 1}"] = np.concatenate([[0.0], products])
    return entries
