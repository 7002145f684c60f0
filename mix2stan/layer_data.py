"""The data of responses that are seen through families of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.families import LAYERS
from mix2stan.graph import ModelGraph
from mix2stan.matrices import Data
from mix2stan.responses import observed_layer

__all__ = ["layer_data", "without_layers"]


def layer_data(
    graph: ModelGraph, data: Data, order: NDArray[np.integer[Any]] | None = None
) -> dict[str, Any]:
    """The values of every layer and the rows of the program they belong to, by Stan name.

    Args:
        graph: the model.
        data: its data.
        order: the rows of the data in the order of the program, shape (N,); None for their own.
    """
    place = np.arange(data.rows) if order is None else np.argsort(order)
    entries: dict[str, Any] = {}
    for layer in graph.response.layers:
        y, trials = observed_layer(graph, layer, data)
        entries[f"N_{layer.id}"] = len(trials)
        for trait, name in zip(layer.traits, layer.ids, strict=True):
            entries[f"rows_{name}"] = place[data.rows_of(trait)] + 1
        for name, values in LAYERS[layer.family].data(y, trials).items():
            entries[f"{name}_{layer.id}"] = values
    return entries


def without_layers(
    graph: ModelGraph, data: Data, values: NDArray[np.float64], guess: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values of the rows less the guessed predictors of the layers, which are parameters instead."""
    out = np.array(values)
    for layer in graph.response.layers:
        for trait in layer.traits:
            rows = data.rows_of(trait)
            out[rows] -= guess[rows]
    return out
