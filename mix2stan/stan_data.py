"""The data of a rendered program: one entry for every declaration of its data block."""

from __future__ import annotations

from typing import Any

import numpy as np

from mix2stan.collapsed_data import collapsed_data
from mix2stan.families import PARAMETERS
from mix2stan.graph import ModelGraph
from mix2stan.matrices import Data
from mix2stan.sampled_data import sampled_data

__all__ = ["stan_data"]


def stan_data(graph: ModelGraph, data: Data) -> dict[str, Any]:
    """Sizes, response, designs, levels and prior scales, by their Stan names."""
    if graph.strategy.samples_effects:
        return sampled_data(graph, data) | _scales(graph)
    return collapsed_data(graph, data) | _scales(graph, ("intercept", "beta"))


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


def _is_scalar(graph: ModelGraph, block: str) -> bool:
    """Whether a block of parameters is declared as a real."""
    singles = {f"sd_{g.id}" for g in graph.groups if g.covariance.kind in ("scalar", "idv")}
    return block == "intercept" or block in PARAMETERS or block in singles
