"""The data of a rendered program: one entry for every declaration of its data block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.collapsed_data import collapsed_data, orthogonaliser, row_order
from mix2stan.covariances import constants_of, parameter_of
from mix2stan.elimination import elimination
from mix2stan.graph import Group, ModelGraph
from mix2stan.matrices import Data
from mix2stan.residual_data import residual_entries
from mix2stan.residuals import error_blocks
from mix2stan.structured_data import structured_data

__all__ = ["stan_data"]


def stan_data(graph: ModelGraph, data: Data) -> dict[str, Any]:
    """Sizes, response, designs, levels and prior scales, by their Stan names."""
    if graph.strategy.kind != "noncentred":
        if not graph.residual.plain:
            return structured_data(graph, data) | _scales(graph, ("intercept", "beta"))
        order = row_order(graph, data)
        entries = collapsed_data(graph, data)
        for group in elimination(graph.groups).sampled:
            entries |= _group(group, data, order)
        return entries | _scales(graph, ("intercept", "beta"))
    entries = {"N": data.rows, "y": data.vector(graph.response.expression)}
    entries |= _population(graph, data)
    for group in graph.groups:
        entries |= _group(group, data, slice(None))
    return entries | residual_entries(graph.residual, data) | _scales(graph)


def _scales(graph: ModelGraph, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The numbers of the priors, but of those blocks."""
    entries: dict[str, Any] = {}
    for prior in graph.priors:
        if prior.block in without:
            continue
        scalar = _is_scalar(graph, prior.block)
        for slot, values in prior.values:
            entries[f"{prior.block}_{slot}"] = values[0] if scalar else np.array(values)
    return entries


def _population(graph: ModelGraph, data: Data) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    columns = graph.population.columns
    if columns.names:
        X = data.matrix(columns)
        entries |= {"K": X.shape[1], "X": X}
        if not columns.intercept_only:
            entries["R_inverse"] = orthogonaliser(X)
            if any(p.block == "intercept" and p.values for p in graph.priors):
                entries["X_mean"] = X.mean(axis=0)
    if graph.population.offsets:
        entries["known"] = sum(data.vector(o) for o in graph.population.offsets)
    return entries


def _group(group: Group, data: Data, rows: NDArray[np.intp] | slice) -> dict[str, Any]:
    """The levels and columns of a sampled term, its rows in the order given."""
    levels = data.grouping(group.factor)
    entries: dict[str, Any] = {
        f"J_{group.id}": len(levels.levels),
        group.id: levels.codes[rows] + 1,
    }
    if group.covariance.kind != "scalar":
        Z = data.matrix(group.columns)[rows]
        entries |= {f"Q_{group.id}": Z.shape[1], f"Z_{group.id}": Z}
    elif not group.columns.intercept_only:
        entries[f"Z_{group.id}"] = data.matrix(group.columns)[rows, 0]
    return entries | {f"{k}_{group.id}": v for k, v in constants_of(group).items()}


def _is_scalar(graph: ModelGraph, block: str) -> bool:
    """Whether a block of parameters is declared as a real."""
    parameters = [parameter_of(g, block) for g in graph.groups]
    single = any(p is not None and p.shape == "real" for p in parameters)
    single |= any(b.name == block and b.scalar for b in error_blocks(graph.residual))
    return block in ("sigma", "intercept") or single
