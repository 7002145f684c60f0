"""Respond: what the response is, once the data are known."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.families import FAMILIES
from mix2stan.graph import ModelGraph
from mix2stan.passes.context import Context
from mix2stan.responses import observed

__all__ = ["respond"]


def respond(graph: ModelGraph, context: Context) -> ModelGraph:
    """Check the response; a binomial one of single trials is a Bernoulli one.

    Raises:
        FormulaError: if the response is not what its family describes.
    """
    seen = observed(graph, context.data)
    if seen.levels:
        return replace(graph, response=replace(graph.response, levels=seen.levels))
    single = FAMILIES[graph.response.family].single
    if single is None or graph.response.weights is not None or (seen.trials != 1).any():
        return graph
    if context.data.frame.column(graph.response.expression).values.ndim == 2:
        return graph
    return replace(graph, response=replace(graph.response, family=single))
