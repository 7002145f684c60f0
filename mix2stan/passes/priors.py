"""Priors: a density with numbers for every block of parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mix2stan.families import FAMILIES
from mix2stan.graph import ModelGraph, Predictor, Prior
from mix2stan.passes.context import Context
from mix2stan.predictor_priors import Predicted, predictor_priors
from mix2stan.priors import Summaries, default_priors
from mix2stan.residual_priors import residual_priors
from mix2stan.responses import link_scale, observed

__all__ = ["set_priors"]


def set_priors(graph: ModelGraph, context: Context) -> ModelGraph:
    """The named set of default priors, scaled to the data."""
    data, columns = context.data, graph.population.columns
    intercept = columns.names[:1] == ("(Intercept)",)
    y = link_scale(graph, data)
    summaries = Summaries(y, data.matrix(columns), intercept, _words(graph))
    priors = default_priors(graph, summaries, context.prior)
    errors = residual_priors(graph, data, flat=context.prior == "flat")
    further = [
        prior
        for predictor in graph.predictors
        for prior in _predicted(graph, context, predictor, max(2.5, round(summaries.mad, 1)))
    ]
    return replace(graph, priors=(*priors, *further, *errors))


def _predicted(
    graph: ModelGraph, context: Context, predictor: Predictor, sd_scale: float
) -> list[Prior]:
    """The priors of a predictor of another parameter than the mean."""
    columns = predictor.population.columns
    intercept = columns.names[:1] == ("(Intercept)",)
    X = context.data.matrix(columns) if columns.names else np.zeros((context.data.rows, 0))
    y = FAMILIES[graph.response.family].scale(observed(graph, context.data).y)
    groups = graph.groups_of(predictor.parameter)
    predicted = Predicted(predictor.parameter, groups, Summaries(None, X, intercept), y, sd_scale)
    return predictor_priors(predicted, context.prior)


def _words(graph: ModelGraph) -> str:
    """What the response is called once it is on the scale of the predictor."""
    return "y" if graph.response.link == "identity" else f"{graph.response.link}(y)"
