"""Resolve: the names of all design columns, the number of levels of all factors."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.design import independent_columns
from mix2stan.graph import Columns, Group, ModelGraph, Predictor, note
from mix2stan.passes.context import Context

__all__ = ["resolve"]


def resolve(graph: ModelGraph, context: Context) -> ModelGraph:
    """Name the columns of every term; drop population columns that depend on others, as lme4 does."""
    mean, *further = (_resolve_predictor(p, context) for p in graph.every_predictor)
    remarks = [remark for _, remark in (mean, *further) if remark]
    graph = replace(
        graph,
        population=mean[0].population,
        predictors=tuple(predictor for predictor, _ in further),
        groups=tuple(_resolve_group(group, context) for group in graph.groups),
    )
    return note(graph, *remarks)


def _resolve_predictor(predictor: Predictor, context: Context) -> tuple[Predictor, str]:
    """The predictor with its columns named, and a remark on those dropped."""
    columns = predictor.population.columns
    names = context.data.names(columns.formulas)
    kept = [names[i] for i in independent_columns(context.data.matrix(columns))]
    dropped = [name for name in names if name not in kept]
    population = replace(predictor.population, columns=replace(columns, names=tuple(kept)))
    where = f" in the predictor of {predictor.parameter}" if predictor.parameter else ""
    remark = f"dropped{where}, being combinations of other columns: {', '.join(dropped)}"
    return replace(predictor, population=population), remark if dropped else ""


def _resolve_group(group: Group, context: Context) -> Group:
    data = context.data
    names = data.names(group.columns.formulas)
    levels = len(data.grouping(group.factor).levels)
    return replace(
        group,
        columns=Columns(group.columns.formulas, names),
        factor=replace(group.factor, levels=levels),
    )
