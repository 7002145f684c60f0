"""The Gaussian model of a predictor: what a model with an effect of every row is underneath.

With eta = X beta + Z b + e and e ~ normal(0, sd), one per row, whatever the family of the response is,
eta is a Gaussian response with the errors e.  Once eta is sampled, beta and b can be integrated out.
"""

from __future__ import annotations

from dataclasses import replace

from mix2stan.graph import Group, ModelGraph, Residual, Response, Strategy

__all__ = ["error_term", "may_be_errors", "underlying"]


def may_be_errors(group: Group, rows: int) -> bool:
    """Whether the effects of a term can be the errors of the predictor: independent, one per row."""
    single = group.covariance.kind == "scalar" and group.columns.intercept_only
    return single and not group.owner and not group.coupled and group.factor.levels == rows


def error_term(graph: ModelGraph) -> Group:
    """The term whose effects are the errors of the predictor."""
    return next(g for g in graph.groups if g.id == graph.strategy.errors)


def underlying(graph: ModelGraph) -> ModelGraph:
    """The Gaussian model of the predictor, its errors without a structure."""
    others = tuple(g for g in graph.groups if g.id != graph.strategy.errors)
    return replace(
        graph,
        response=Response(graph.response.expression),
        residual=Residual(),
        groups=others,
        strategy=Strategy("collapsed"),
    )
