"""Latent: a model of another family, as a Gaussian one of its predictor.

Where every row has an effect of its own, the predictor is a Gaussian response whose errors these
effects are.  If the data say enough of them to sample the predictor as it is, the coefficients and
all other effects can be integrated out given it, as in any Gaussian model.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from mix2stan.elimination import elimination
from mix2stan.families import FAMILIES
from mix2stan.graph import Group, ModelGraph, Parameterisation, Strategy
from mix2stan.latent import may_be_errors, underlying
from mix2stan.passes.context import Context
from mix2stan.passes.nesting import with_holders
from mix2stan.passes.strategy import obstacle_to_collapsing

__all__ = ["as_latent", "informed"]

#: Columns of the population and of terms that are not nested with the others, at most: a gradient
#: costs them in every row, and their cube.
_MOST_COLUMNS = 40


def as_latent(graph: ModelGraph, context: Context) -> ModelGraph | str:
    """The predictor sampled as a Gaussian response, the rest integrated out; or why it cannot be."""
    response, term = graph.response, _candidate(graph, context)
    if response.linear:
        return "the response is Gaussian itself"
    if FAMILIES[response.family].categories:
        return "the response is of categories"
    if graph.predictors:
        return "a further parameter has a predictor of its own"
    if response.censoring is not None or response.truncation is not None:
        return "the response is censored or truncated"
    if term is None:
        return "no term has an effect for every row"
    chosen = _around(graph, term, context)
    if any(g.coupled for g in chosen.groups):
        return "levels are related"
    below = underlying(chosen)
    columns = len(below.population.columns.names)
    columns += elimination(below.groups, below.residual).columns
    if columns > _MOST_COLUMNS:
        return "too many effects of factors that cross would have to be integrated out together"
    return obstacle_to_collapsing(below) or chosen


def _candidate(graph: ModelGraph, context: Context) -> Group | None:
    rows = context.data.rows
    return next((g for g in graph.groups if may_be_errors(g, rows)), None)


def _around(graph: ModelGraph, term: Group, context: Context) -> ModelGraph:
    """The model whose predictor has the effects of a term as its errors."""
    others = tuple(g for g in graph.groups if g is not term)
    every = tuple(range(len(graph.population.columns.names)))
    around = Parameterisation(True, tuple(g.id for g in others), every)
    groups = tuple(
        replace(g, parameterisation=around) if g is term else replace(g, integrated=True)
        for g in graph.groups
    )
    family, link = graph.response.family, graph.response.link
    reason = f"the response is {family} with the link {link}, and every row has an effect"
    strategy = Strategy("latent", reason, errors=term.id)
    return with_holders(replace(graph, groups=groups, strategy=strategy), context)


def informed(graph: ModelGraph, context: Context, centred: Collection[str]) -> bool:
    """Whether the term with an effect for every row is among those the data say much of."""
    term = _candidate(graph, context)
    return term is not None and term.id in centred
