"""Priors: a density with numbers for every block of parameters."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.graph import ModelGraph
from mix2stan.passes.context import Context
from mix2stan.priors import Summaries, default_priors
from mix2stan.residual_priors import residual_priors
from mix2stan.responses import link_scale
from mix2stan.stated_priors import state

__all__ = ["set_priors"]


def set_priors(graph: ModelGraph, context: Context) -> ModelGraph:
    """The named set of default priors, scaled to the data, and what the user states besides."""
    data, columns = context.data, graph.population.columns
    intercept = columns.names[:1] == ("(Intercept)",)
    y = link_scale(graph, data)
    summaries = Summaries(y, data.matrix(columns), intercept, _words(graph))
    named = context.prior.set or "default"
    priors = default_priors(graph, summaries, named)
    errors = residual_priors(graph, data, flat=named == "flat")
    return replace(graph, priors=state(graph, (*priors, *errors), context.prior.densities))


def _words(graph: ModelGraph) -> str:
    """What the response is called once it is on the scale of the predictor."""
    return "y" if graph.response.link == "identity" else f"{graph.response.link}(y)"
