"""Identify: a Stan identifier for every group term."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.graph import ModelGraph, term_labels
from mix2stan.names import unique_identifiers
from mix2stan.passes.context import Context

__all__ = ["identify"]


def identify(graph: ModelGraph, context: Context) -> ModelGraph:
    """Name terms after what they are called."""
    # what several responses have in common has its name already, which is that of all
    given = [group.id for group in graph.groups if group.id]
    labels = zip(graph.groups, term_labels(graph.groups), strict=True)
    free = [label for group, label in labels if not group.id]
    ids = iter(unique_identifiers([*given, *free])[len(given) :])
    named = ((g, g.id or next(ids)) for g in graph.groups)
    return replace(graph, groups=tuple(replace(g, id=name, index=name) for g, name in named))
