"""Resolve: the names of all design columns, the number of levels of all factors."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.design import independent_columns
from mix2stan.graph import Columns, Group, ModelGraph, note
from mix2stan.passes.context import Context

__all__ = ["resolve"]


def resolve(graph: ModelGraph, context: Context) -> ModelGraph:
    """Name the columns of every term; drop population columns that depend on others, as lme4 does."""
    data = context.data
    columns = graph.population.columns
    names = data.names(columns.formulas)
    kept = [names[i] for i in independent_columns(data.matrix(columns))]
    dropped = [name for name in names if name not in kept]
    graph = replace(
        graph,
        population=replace(graph.population, columns=replace(columns, names=tuple(kept))),
        groups=tuple(_resolve_group(group, context) for group in graph.groups),
    )
    if dropped:
        listed = ", ".join(dropped)
        graph = note(graph, f"dropped, being combinations of other columns: {listed}")
    return graph


def _resolve_group(group: Group, context: Context) -> Group:
    data = context.data
    names = data.names(group.columns.formulas)
    levels, kinship = len(data.grouping(group.factor).levels), data.kinship(group.factor)
    factor = replace(group.factor, levels=levels)
    if kinship is not None and factor.relationship is not None:
        factor = replace(factor, relationship=replace(factor.relationship, form=kinship.form))
    return replace(group, columns=Columns(group.columns.formulas, names), factor=factor)
