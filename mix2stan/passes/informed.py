"""Informed: what the data cannot tell of a model's covariances."""

from __future__ import annotations

from mix2stan.graph import ModelGraph, note
from mix2stan.identification import findings, no_maximum
from mix2stan.passes.context import Context

__all__ = ["informed"]


def informed(graph: ModelGraph, context: Context) -> ModelGraph:
    """Remark on parameters that only their priors decide, and on errors that can vanish."""
    found = findings(graph, context.data)
    remarks = [f"{finding}; the prior alone decides what the data leave open" for finding in found]
    named = {name.split("[")[0] for finding in found for name in finding.names}
    remarks += [
        f"{group.factor} has one level, of which the data hold one effect: its variance is hardly known"
        for group in graph.groups
        if group.factor.levels == 1 and f"sd_{group.id}" not in named
    ]
    if graph.response.linear and not (graph.response.layers or graph.predictors):
        why = no_maximum(graph, context.data, "REML")
        if why is not None:
            remarks.append(f"{why}; the prior of sigma alone keeps the posterior from there")
    return note(graph, *remarks)
