"""The data of programs that sample the predictor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from mix2stan.collapsed_data import coefficient_prior, dense_columns, orthogonaliser, row_order
from mix2stan.elimination import elimination
from mix2stan.glm_fit import least_squares
from mix2stan.graph import ModelGraph, Parameterisation
from mix2stan.latent import error_term, underlying
from mix2stan.matrices import Data
from mix2stan.responses import known_part, observed
from mix2stan.sampled_data import group_data, response_data
from mix2stan.structured_data import chain_data

__all__ = ["latent_data"]

Array = NDArray[np.float64]


def latent_data(graph: ModelGraph, data: Data) -> dict[str, Any]:
    """Every entry but the prior scales of the variances, by its Stan name.

    Rows are sorted by the finest factor that is eliminated level by level.
    """
    below, ones = underlying(graph), np.ones(data.rows)
    parts = elimination(below.groups, below.residual)
    order = row_order(below, data)
    entries = response_data(graph, data, order)
    # only its levels: what it is sampled around is integrated out
    term = replace(error_term(graph), parameterisation=Parameterisation())
    entries |= group_data(term, data, order)
    Q = np.zeros((data.rows, 0))
    if graph.population.columns.names:
        X = data.matrix(graph.population.columns)
        R_inverse = orthogonaliser(X)
        Q = X @ R_inverse
        beta, _ = least_squares(graph, X, observed(graph, data), known_part(graph, data))
        entries |= {"K": X.shape[1], "R_inverse": R_inverse}
        entries |= {"theta_hat": np.linalg.solve(R_inverse, beta)}
        entries |= coefficient_prior(graph, X)
    Z, sizes = dense_columns(parts, data, ones, Q.shape[1])
    entries |= sizes | chain_data(parts, data)
    W, w = np.hstack([Z.toarray(), Q]), "W" if parts.dense else "Q"
    if W.shape[1]:
        entries |= {w: W[order], f"{w}{w}_0": W.T @ W}
    if not parts.block:
        return entries
    name = parts.block[0].id
    codes = data.grouping(parts.block[0].factor).codes
    J = entries[f"J_{name}"]
    entries[parts.block[0].index] = codes[order] + 1
    entries[f"last_{name}"] = np.cumsum(np.bincount(codes))
    level = sparse.csr_array((ones, (codes, np.arange(data.rows))), shape=(J, data.rows))
    names = [
        f"Z_{terms[0].id}_{k + 1}" if label != "(Intercept)" else ""
        for terms in parts.chain
        for k, label in enumerate(label for g in terms for label in g.columns.names)
    ]
    values = [column for terms in parts.chain for g in terms for column in data.matrix(g.columns).T]
    for i, column in enumerate(names):
        if column:
            entries[column] = values[i][order]
        if W.shape[1]:
            entries[f"Z{w}_{name}_{i + 1}"] = level @ (values[i][:, None] * W)
        for m in range(i + 1):
            entries[f"ZZ_{name}_{i + 1}{m + 1}_0"] = level @ (values[i] * values[m])
    return entries
