"""The data of collapsed programs whose errors have a structure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.collapsed_data import coefficient_prior, least_squares, orthogonaliser
from mix2stan.graph import ModelGraph
from mix2stan.matrices import Data
from mix2stan.residual_data import blocks_of, residual_entries

__all__ = ["structured_data"]

Array = NDArray[np.float64]


def _rows(graph: ModelGraph, data: Data, y: Array | None) -> tuple[Array, dict[str, Any]]:
    """[r Q], or y alone, and what goes with them; shape (N, K + 1)."""
    y = data.response(graph) if y is None else y
    if not graph.population.columns.names:
        return y[:, None], {"N": data.rows}
    X = data.matrix(graph.population.columns)
    R_inverse = orthogonaliser(X)
    Q = X @ R_inverse
    theta_hat, r = least_squares(Q, y)
    entries = {"N": data.rows, "K": X.shape[1], "R_inverse": R_inverse, "theta_hat": theta_hat}
    return np.column_stack([r, Q]), entries


def structured_data(graph: ModelGraph, data: Data, y: Array | None = None) -> dict[str, Any]:
    """Every entry but the prior scales of the variances, by its Stan name.

    The rows are sorted by the levels of the group, then by the blocks and times of the errors.

    Args:
        graph: the model, its passes done.
        data: its data.
        y: replaces the response, offsets taken off; shape (N,).
    """
    rows, entries = _rows(graph, data, y)
    if graph.population.columns.names:
        entries |= coefficient_prior(graph, data.matrix(graph.population.columns))
    outer = np.zeros(data.rows, dtype=np.int64)
    for group in graph.groups:
        outer = data.grouping(group.factor).codes
        rows = np.column_stack([rows, data.matrix(group.columns)])
    correlation = graph.residual.correlation
    blocks = None if correlation is None else blocks_of(correlation, data, outer)
    order = np.argsort(outer, kind="stable") if blocks is None else blocks.order
    for group in graph.groups:
        ends = np.flatnonzero(np.diff(outer[order], append=-1)) + 1
        entries |= {
            f"J_{group.id}": len(ends),
            f"Q_{group.id}": len(group.columns.names),
            f"first_{group.id}": np.concatenate([[1], ends[:-1] + 1]),
            f"last_{group.id}": ends,
        }
    entries |= residual_entries(graph.residual, data, order, blocks)
    return entries | {"rows": rows[order]}
