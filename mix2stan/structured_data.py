"""The data of collapsed programs whose errors have a structure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.collapsed_data import (
    coefficient_prior,
    dense_columns,
    least_squares,
    orthogonaliser,
    sizes_of,
)
from mix2stan.elimination import elimination
from mix2stan.graph import ModelGraph
from mix2stan.matrices import Data
from mix2stan.residual_data import blocks_of, residual_entries

__all__ = ["structured_data"]

Array = NDArray[np.float64]


def _population(
    graph: ModelGraph, data: Data, y: Array | None
) -> tuple[Array, Array, dict[str, Any]]:
    """The least-squares residuals r, or y alone, the orthonormalised columns Q, and their entries."""
    y = data.response(graph) if y is None else y
    if not graph.population.columns.names:
        return y, np.zeros((data.rows, 0)), {"N": data.rows}
    X = data.matrix(graph.population.columns)
    R_inverse = orthogonaliser(X)
    Q = X @ R_inverse
    theta_hat, r = least_squares(Q, y)
    entries = {"N": data.rows, "K": X.shape[1], "R_inverse": R_inverse, "theta_hat": theta_hat}
    return r, Q, entries | coefficient_prior(graph, X)


def structured_data(graph: ModelGraph, data: Data, y: Array | None = None) -> dict[str, Any]:
    """Every entry but the prior scales of the variances, by its Stan name.

    The rows [r Z Q], Z the columns of the dense terms, and then those of the block, are sorted by the
    levels of the block, then by the blocks and times of the errors.

    Args:
        graph: the model, its passes done.
        data: its data.
        y: replaces the response, offsets taken off; shape (N,).
    """
    correlation = graph.residual.correlation
    parts = elimination(graph.groups, correlation)
    r, Q, entries = _population(graph, data, y)
    Z, sizes = dense_columns(parts, data, np.ones(data.rows), Q.shape[1])
    columns = [data.matrix(g.columns) for g in parts.block]
    rows = np.column_stack([r, Z.toarray(), Q, *columns])
    entries |= sizes
    outer = np.zeros(data.rows, dtype=np.int64)
    for group in parts.block:
        outer = data.grouping(group.factor).codes
        entries |= sizes_of(group, data)
    blocks = None if correlation is None else blocks_of(correlation, data, outer)
    order = np.argsort(outer, kind="stable") if blocks is None else blocks.order
    if parts.block:
        entries[f"last_{parts.block[0].id}"] = np.cumsum(np.bincount(outer))
    entries |= residual_entries(graph.residual, data, order, blocks)
    return entries | {"rows": rows[order]}
