"""Resolve: the names of all design columns, the number of levels of all factors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from mix2stan.design import independent_columns
from mix2stan.families import free_thresholds
from mix2stan.graph import Columns, Factor, Group, ModelGraph, Predictor, Share, note, warn
from mix2stan.passes.context import Context
from mix2stan.syntax import Number

__all__ = ["resolve"]

#: What is said of brms' calls beside columns that are dropped.
_KEPT = "; brms keeps them, which is another model where they have proper priors"


def resolve(graph: ModelGraph, context: Context) -> ModelGraph:
    """Name the columns of every term; drop population columns that depend on others, as lme4 does."""
    thresholds = free_thresholds(graph)
    mean, *further = (
        _resolve_predictor(p, context, thresholds and not p.parameter)
        for p in graph.every_predictor
    )
    kept = _KEPT if graph.defaults == "brms" else ""
    remarks = [f"{remark}{kept}" for _, remark in (mean, *further) if remark]
    graph = replace(
        graph,
        population=mean[0].population,
        predictors=tuple(predictor for predictor, _ in further),
        groups=tuple(_resolve_group(group, context) for group in graph.groups),
    )
    if thresholds and "(Intercept)" in context.data.names(graph.population.columns.formulas):
        remarks.append("there is no intercept: the thresholds take its place")
    if not mean[0].population.columns.names and thresholds:
        alone = Columns((Number(0.0),))
        graph = replace(graph, population=replace(graph.population, columns=alone))
    return warn(note(graph, *remarks), *_alike(graph.every_predictor))


def _resolve_predictor(
    predictor: Predictor, context: Context, thresholds: bool
) -> tuple[Predictor, str]:
    """The predictor with its columns named, and a remark on those dropped.

    Beside thresholds, which take any constant, columns are independent of that too.
    """
    columns = predictor.population.columns
    names, X = context.data.names(columns.formulas), context.data.matrix(columns)
    if not columns.constant:
        X = X[:, [name != "(Intercept)" for name in names]]
        names = tuple(name for name in names if name != "(Intercept)")
    if thresholds:
        X = np.where([name == "(Intercept)" for name in names], 0.0, X)
        X = np.hstack([np.ones((len(X), 1)), X])
        kept = [names[i - 1] for i in independent_columns(X) if i > 0]
        names = tuple(name for name in names if name != "(Intercept)")
    else:
        kept = [names[i] for i in independent_columns(X)]
    dropped = [name for name in names if name not in kept]
    population = replace(predictor.population, columns=replace(columns, names=tuple(kept)))
    where = f" in the predictor of {predictor.parameter}" if predictor.parameter else ""
    remark = f"dropped{where}, being combinations of other columns: {', '.join(dropped)}"
    return replace(predictor, population=population), remark if dropped else ""


def _alike(predictors: Iterable[Predictor]) -> list[str]:
    """What to say of columns of one name, as those of ``f + fb`` where f has a level b."""
    remarks = []
    for predictor in predictors:
        names = predictor.population.columns.names
        for name in dict.fromkeys(n for i, n in enumerate(names) if n in names[:i]):
            remarks.append(
                f"several columns are called {name}: no prior, point or interval can tell them apart; "
                "rename the variable"
            )
    return remarks


def _resolve_group(group: Group, context: Context) -> Group:
    data = context.data
    group = replace(group, factor=_alone(group.factor, context))
    names = data.names(group.columns.formulas, group.columns.plain)
    if group.factor.apart:
        names = tuple(str(v) for v in group.factor.variables)
    levels, kinship = len(data.grouping(group.factor).levels), data.kinship(group.factor)
    factor = replace(group.factor, levels=levels)
    if kinship is not None and factor.relationship is not None:
        factor = replace(factor, relationship=replace(factor.relationship, form=kinship.form))
    group = replace(group, columns=replace(group.columns, names=names), factor=factor)
    return _with_shares(group, context) if group.shares else group


def _with_shares(group: Group, context: Context) -> Group:
    """The columns of every predictor that shares the term; those of a parameter by its name."""
    shares: list[Share] = []
    names: list[str] = []
    for share, formula in zip(group.shares, group.columns.formulas, strict=True):
        own, name = context.data.names((formula,)), share.name
        shares.append(replace(share, start=len(names), stop=len(names) + len(own)))
        names += [f"{name}[{column}]" if name else column for column in own]
    columns = replace(group.columns, names=tuple(names))
    return replace(group, columns=columns, shares=tuple(shares))


def _alone(factor: Factor, context: Context) -> Factor:
    """Related levels within a factor of one level: without that."""
    if factor.relationship is None or factor.signs or len(factor.variables) == 1:
        return factor
    if len(context.data.grouping(Factor(factor.variables[1:])).levels) > 1:
        return factor
    return replace(factor, variables=factor.variables[:1])
