"""Resolve: the names of all design columns, the number of levels of all factors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mix2stan.design import independent_columns
from mix2stan.families import free_thresholds
from mix2stan.graph import Columns, Group, ModelGraph, note
from mix2stan.matrices import Data
from mix2stan.passes.context import Context
from mix2stan.syntax import Number

__all__ = ["resolve"]


def resolve(graph: ModelGraph, context: Context) -> ModelGraph:
    """Name the columns of every term; drop population columns that depend on others, as lme4 does."""
    data = context.data
    columns = graph.population.columns
    names = data.names(columns.formulas)
    if free_thresholds(graph):
        columns, graph = _without_intercept(columns, graph, data)
        names = tuple(name for name in names if name != "(Intercept)")
    else:
        kept = [names[i] for i in independent_columns(data.matrix(columns))]
        columns = replace(columns, names=tuple(kept))
    dropped = [name for name in names if name not in columns.names]
    graph = replace(
        graph,
        population=replace(graph.population, columns=columns),
        groups=tuple(_resolve_group(group, context) for group in graph.groups),
    )
    if dropped:
        listed = ", ".join(dropped)
        graph = note(graph, f"dropped, being combinations of other columns: {listed}")
    return graph


def _without_intercept(
    columns: Columns, graph: ModelGraph, data: Data
) -> tuple[Columns, ModelGraph]:
    """The columns that are independent of each other and of the thresholds, which take any constant."""
    names, X = data.names(columns.formulas), data.matrix(columns)
    constant = np.ones((data.rows, 1))
    kept = [names[i - 1] for i in independent_columns(np.hstack([constant, X])) if i > 0]
    if "(Intercept)" in names:
        graph = note(graph, "there is no intercept: the thresholds take its place")
    formulas = columns.formulas if kept else (Number(0.0),)
    return Columns(formulas, tuple(kept)), graph


def _resolve_group(group: Group, context: Context) -> Group:
    data = context.data
    names = data.names(group.columns.formulas)
    levels = len(data.grouping(group.factor).levels)
    return replace(
        group,
        columns=Columns(group.columns.formulas, names),
        factor=replace(group.factor, levels=levels),
    )
