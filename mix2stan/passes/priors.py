"""Priors: a density with numbers for every block of parameters."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.graph import ModelGraph
from mix2stan.passes.context import Context
from mix2stan.priors import Summaries, default_priors
from mix2stan.residual_priors import residual_priors

__all__ = ["set_priors"]


def set_priors(graph: ModelGraph, context: Context) -> ModelGraph:
    """The named set of default priors, scaled to the data."""
    data, columns = context.data, graph.population.columns
    y = data.response(graph)
    intercept = columns.names[:1] == ("(Intercept)",)
    summaries = Summaries(y, data.matrix(columns), intercept)
    priors = default_priors(graph, summaries, context.prior)
    errors = residual_priors(graph, data, flat=context.prior == "flat")
    return replace(graph, priors=(*priors, *errors))
