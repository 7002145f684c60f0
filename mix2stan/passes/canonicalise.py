"""Canonicalise: one form for what can be written in several ways."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.covariances import COVARIANCES
from mix2stan.design import terms
from mix2stan.graph import Columns, Covariance, Group, ModelGraph
from mix2stan.passes.context import Context
from mix2stan.priors.wishart import side_by_side
from mix2stan.syntax import Number

__all__ = ["canonicalise"]

_INDEPENDENT = ("scalar", "idh")


def canonicalise(graph: ModelGraph, context: Context) -> ModelGraph:
    """Structures by their simplest name, independent terms of one factor as one.

    So ``us(1):g`` is ``(1 | g)``, and ``(1 | g) + (0 + x | g)`` is ``idh(1 + x):g``.  One variance for
    the levels of a factor within g is one for their combinations: ``idv(f):g`` is ``(1 | f:g)``.
    """
    merged: list[Group] = []
    for group in map(_simplest, (_combination(g, context) for g in graph.groups)):
        place = next((i for i, other in enumerate(merged) if _mergeable(other, group)), None)
        if place is None:
            merged.append(group)
        else:
            merged[place] = _merge(merged[place], group)
    return replace(graph, groups=tuple(merged))


def _combination(group: Group, context: Context) -> Group:
    """``idv(0 + f):g`` as an intercept of f:g."""
    if group.covariance.kind != "idv" or len(group.columns.formulas) != 1 or group.coupled:
        return group
    parts = terms(group.columns.formulas[0], columns=())
    variables = tuple(v for term in parts.terms for v in term.variables)
    frame = context.data.frame
    if parts.intercept or len(parts.terms) != 1 or len(variables) != 1:
        return group
    if not frame.column(variables[0]).is_factor:
        return group
    factor = replace(group.factor, variables=(*variables, *group.factor.variables))
    factor = replace(factor, levels=len(context.data.grouping(factor).levels))
    columns = Columns((Number(1.0, span=group.span),), ("(Intercept)",))
    return replace(group, columns=columns, factor=factor)


def _simplest(group: Group) -> Group:
    """The structure by the first name it has: two columns have one correlation, in any pattern."""
    row, q = COVARIANCES[group.covariance.kind], len(group.columns.names)
    simpler = row.same_as(q, group.covariance.order)
    if simpler is None:
        return group
    return _simplest(replace(group, covariance=Covariance(simpler)))


def _mergeable(a: Group, b: Group) -> bool:
    """Independent of each other and within, on the same levels; a column twice is no merge."""
    independent = a.covariance.kind in _INDEPENDENT and b.covariance.kind in _INDEPENDENT
    same = independent and a.owner == b.owner and a.factor == b.factor
    return same and not set(a.columns.names) & set(b.columns.names)


def _merge(a: Group, b: Group) -> Group:
    columns = replace(
        a.columns,
        formulas=a.columns.formulas + b.columns.formulas,
        names=a.columns.names + b.columns.names,
    )
    prior = side_by_side((a.prior, len(a.columns.names)), (b.prior, len(b.columns.names)))
    span = a.span.to(b.span)
    return replace(a, columns=columns, covariance=Covariance("idh"), span=span, prior=prior)
