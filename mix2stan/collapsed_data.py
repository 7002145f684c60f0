"""The data of a collapsed program: sums over the rows, computed once.

Work is done on least-squares residuals and orthonormalised columns, so that nothing cancels however
large the mean of the response is beside its spread.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from mix2stan.graph import Group, ModelGraph
from mix2stan.matrices import Data

__all__ = ["collapsed_data", "orthogonaliser"]

Array = NDArray[np.float64]


def orthogonaliser(X: Array) -> Array:
    """The matrix T for which the columns of X T are orthogonal and of length sqrt(N).

    X has full column rank; T is upper triangular, K x K, with a positive diagonal.
    """
    R = np.asarray(np.linalg.qr(X, mode="r"), dtype=float)
    R = R * np.where(np.diag(R) < 0, -1.0, 1.0)[:, None]
    return np.asarray(np.linalg.solve(R, np.eye(len(R)) * np.sqrt(len(X))), dtype=float)


def collapsed_data(graph: ModelGraph, data: Data, y: Array | None = None) -> dict[str, Any]:
    """Every entry but the prior scales of the variances, by its Stan name.

    Args:
        graph: the model, its passes done.
        data: its data.
        y: replaces the response, offsets taken off; shape (N,).
    """
    if y is None:
        y = data.response(graph)
    if not graph.population.columns.names:
        entries: dict[str, Any] = {"N": data.rows, "S_0": np.array([y @ y])}
        for group in graph.groups:
            entries |= _group(group, data, y[:, None])
        return entries
    X = data.matrix(graph.population.columns)
    R_inverse = orthogonaliser(X)
    Q = X @ R_inverse
    theta_hat, r = _least_squares(Q, y)
    rows = np.column_stack([r, Q])
    entries = {
        "N": data.rows,
        "K": X.shape[1],
        "R_inverse": R_inverse,
        "theta_hat": theta_hat,
        "S_0": _pack(rows.T @ rows),
    }
    entries |= _coefficient_prior(graph, X)
    for group in graph.groups:
        entries |= _group(group, data, rows)
    return entries


def _least_squares(Q: Array, y: Array) -> tuple[Array, Array]:
    """Coefficients and residuals, refined once: columns of Q have length sqrt(N)."""
    first = Q.T @ y / len(y)
    second = Q.T @ (y - Q @ first) / len(y)
    theta = first + second
    return theta, y - Q @ theta


def _pack(cross: Array) -> Array:
    """A (K+1) x (K+1) cross product of [r Q] as r'r, Q'r and Q'Q, along the last two axes."""
    inner = cross[..., 1:, 1:].reshape(*cross.shape[:-2], -1)
    return np.concatenate([cross[..., :1, 0], cross[..., 1:, 0], inner], axis=-1)


def _coefficient_prior(graph: ModelGraph, X: Array) -> dict[str, Any]:
    """Normal priors as C beta ~ normal(beta_loc, beta_scale); nothing if they are flat."""
    priors = {p.block: dict(p.values) for p in graph.priors if p.density == "normal"}
    priors = {b: v for b, v in priors.items() if b in ("intercept", "beta")}
    if not priors:
        return {}
    C = np.eye(X.shape[1])
    if "intercept" in priors:
        C[0] = X.mean(axis=0)
    loc, scale = (
        np.concatenate([priors[b][slot] for b in ("intercept", "beta") if b in priors])
        for slot in ("loc", "scale")
    )
    return {"C": C, "beta_loc": loc, "beta_scale": scale}


def _group(group: Group, data: Data, rows: Array) -> dict[str, Any]:
    """Z'Z and Z'[r Q] of every level, and the products of the latter."""
    grouping = data.grouping(group.factor)
    Z = data.matrix(group.columns)
    n, q = Z.shape
    J = len(grouping.levels)
    member = sparse.csr_matrix((np.ones(n), (grouping.codes, np.arange(n))), shape=(J, n))
    name = group.id
    entries: dict[str, Any] = {f"J_{name}": J}
    if group.covariance.kind != "scalar":
        entries[f"Q_{name}"] = q
    ZR = [np.asarray(member @ (Z[:, [k]] * rows)) for k in range(q)]
    for k in range(q):
        entries[f"ZR_{name}_{k + 1}"] = ZR[k]
        for m in range(k + 1):
            products = ZR[k][:, :, None] * ZR[m][:, None, :]
            if m < k:
                products = products + products.transpose(0, 2, 1)
            entries[f"ZZ_{name}_{k + 1}{m + 1}"] = member @ (Z[:, k] * Z[:, m])
            entries[f"T_{name}_{k + 1}{m + 1}"] = _pack(products).T
    return entries
