"""Priors: a density with numbers for every block of parameters."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.graph import ModelGraph
from mix2stan.passes.context import Context
from mix2stan.priors import Summaries, default_priors

__all__ = ["set_priors"]


def set_priors(graph: ModelGraph, context: Context) -> ModelGraph:
    """The named set of default priors, scaled to the data."""
    data, columns = context.data, graph.population.columns
    y = data.response(graph)
    intercept = columns.names[:1] == ("(Intercept)",)
    summaries = Summaries(y, data.matrix(columns), intercept)
    return replace(graph, priors=default_priors(graph, summaries, context.prior))
