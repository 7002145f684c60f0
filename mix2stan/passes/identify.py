"""Identify: a Stan identifier for every group term."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.graph import ModelGraph
from mix2stan.names import unique_identifiers
from mix2stan.passes.context import Context

__all__ = ["identify"]


def identify(graph: ModelGraph, context: Context) -> ModelGraph:
    """Name terms after their grouping factor; a second term of one factor after its columns too."""
    labels: list[str] = []
    for group in graph.groups:
        owner = f"{group.owner}_" if group.owner and not group.shares else ""
        label = f"{owner}{group.factor}"
        labels.append(f"{label}_{group.columns.names[0]}" if label in labels else label)
    ids = unique_identifiers(labels)
    groups = (replace(g, id=i) for g, i in zip(graph.groups, ids, strict=True))
    return replace(graph, groups=tuple(groups))
