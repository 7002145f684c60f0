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
from mix2stan.elimination import Elimination, elimination
from mix2stan.graph import ModelGraph, Residual
from mix2stan.layer_data import layer_data, without_layers
from mix2stan.matrices import Data
from mix2stan.residual_data import blocks_of, residual_entries, strata_codes

__all__ = ["chain_data", "structured_data"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


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


def chain_data(parts: Elimination, data: Data) -> dict[str, Any]:
    """Where the levels of the factors that are eliminated end, and in which of the coarser ones."""
    entries: dict[str, Any] = {}
    factors = [(terms[0].id, data.grouping(terms[0].factor).codes) for terms in parts.chain]
    for i, (name, codes) in enumerate(factors):
        for group in parts.chain[i]:
            entries |= sizes_of(group, parts, data, np.ones(data.rows))
        if i > 0:
            below = factors[i - 1][1]
            level = codes[np.unique(below, return_index=True)[1]]
            entries[f"by_{name}"] = np.argsort(level, kind="stable") + 1
            entries[f"last_{name}"] = np.cumsum(np.bincount(level))
        first = np.unique(codes, return_index=True)[1]
        for other, coarser in factors[i + 1 :]:
            entries[f"{other}_of_{name}"] = coarser[first] + 1
    return entries


def structured_data(graph: ModelGraph, data: Data, y: Array | None = None) -> dict[str, Any]:
    """Every entry but the prior scales of the variances, by its Stan name.

    The rows [r Z Q], Z the columns of the dense terms, and then those of the block and of the factors
    above it, are sorted by the levels of the block, then by the blocks and times of the errors.  Where
    errors are independent, rows of one level and variance are summed.

    Args:
        graph: the model, its passes done.
        data: its data.
        y: replaces the response, offsets taken off; shape (N,).
    """
    correlation = graph.residual.correlation
    parts = elimination(graph.groups, graph.residual)
    r, Q, entries = _population(graph, data, y)
    r = without_layers(graph, data, r, data.response(graph) if y is None else y)
    Z, sizes = dense_columns(parts, data, np.ones(data.rows), Q.shape[1])
    columns = [data.matrix(g.columns) for terms in parts.chain for g in terms]
    rows = np.column_stack([r, Z.toarray(), Q, *columns])
    entries |= sizes
    entries |= chain_data(parts, data)
    outer = np.zeros(data.rows, dtype=np.int64)
    if parts.block:
        outer = data.grouping(parts.block[0].factor).codes
    if correlation is None and graph.response.layers:
        order, blocks = np.argsort(outer, kind="stable"), None
        entries |= {"observations": data.rows, "count": np.ones(data.rows)}
        rows = rows[order]
    elif correlation is None:
        rows, order, count = _summed(graph.residual, data, rows, outer)
        entries |= {"N": len(rows), "observations": data.rows, "count": count}
        blocks = None
    else:
        blocks = blocks_of(correlation, data, outer)
        order, rows = blocks.order, rows[blocks.order]
    if parts.block:
        entries[f"last_{parts.block[0].id}"] = np.cumsum(np.bincount(outer[order]))
    entries |= layer_data(graph, data, order)
    return entries | residual_entries(graph.residual, data, order, blocks) | {"rows": rows}


def _summed(
    residual: Residual, data: Data, rows: Array, outer: Index
) -> tuple[Array, Index, Array]:
    """Rows of independent errors, those of one level and variance as few with the same products.

    The triangular factor of their QR decomposition has them; it has no more rows than columns.

    Returns:
        The rows, a row of the data whose level and variance each has, and how many it stands for.
    """
    keys = [outer]
    for part in residual.variances:
        keys += [] if part.strata is None else [strata_codes(part, data)]
        if part.covariate is not None:
            keys.append(np.unique(data.vector(part.covariate), return_inverse=True)[1])
    order = np.lexsort(keys[::-1])
    table = np.column_stack(keys)[order]
    starts = np.flatnonzero(np.append(True, (table[1:] != table[:-1]).any(axis=1)))
    found, places, counts = [], [], []
    for here in np.split(order, starts[1:]):
        few = len(here) > rows.shape[1]
        found.append(np.linalg.qr(rows[here], mode="r") if few else rows[here])
        size = len(found[-1])
        places.append(np.repeat(here[:1], size) if few else here)
        counts.append(np.append(float(len(here)), np.zeros(size - 1)) if few else np.ones(size))
    return np.vstack(found), np.concatenate(places), np.concatenate(counts)
