"""Identify: a Stan identifier for every group term."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.graph import ModelGraph
from mix2stan.names import unique_identifiers
from mix2stan.passes.context import Context

__all__ = ["identify"]


def identify(graph: ModelGraph, context: Context) -> ModelGraph:
    """Name terms after their grouping factor; a second term of one factor after its columns too."""
    # what several responses have in common has its name already, which is that of all
    labels = [group.id for group in graph.groups if group.id]
    given = len(labels)
    for group in graph.groups:
        if group.id:
            continue
        owner = f"{group.owner}_" if group.owner and not group.shares else ""
        label = f"{owner}{group.factor}"
        labels.append(f"{label}_{group.columns.names[0]}" if label in labels else label)
    ids = iter(unique_identifiers(labels)[given:])
    groups = (g if g.id else replace(g, id=next(ids)) for g in graph.groups)
    return replace(graph, groups=tuple(groups))
