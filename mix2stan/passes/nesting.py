"""Which grouping factors hold the levels of others whole."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.graph import Factor, Group, ModelGraph
from mix2stan.passes.context import Context

__all__ = ["with_holders"]


def with_holders(graph: ModelGraph, context: Context) -> ModelGraph:
    """The graph whose terms know the factors that are constant within their own levels."""
    groups = tuple(replace(g, inside=_holders(g, graph, context)) for g in graph.groups)
    return replace(graph, groups=groups)


def _holders(group: Group, graph: ModelGraph, context: Context) -> tuple[Factor, ...]:
    own, others = context.data.grouping(group.factor), dict.fromkeys(g.factor for g in graph.groups)
    return tuple(f for f in others if f != group.factor and own.within(context.data.grouping(f)))
