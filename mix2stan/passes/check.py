"""Check: models that cannot be meant, and those that are likely to disappoint."""

from __future__ import annotations

from collections import Counter

from mix2stan.errors import FormulaError
from mix2stan.families import FAMILIES
from mix2stan.graph import Group, ModelGraph, note
from mix2stan.passes.context import Context

__all__ = ["check"]

_FEW_LEVELS = 5


def check(graph: ModelGraph, context: Context) -> ModelGraph:
    """Refuse a response that is its own group; remark on what the data cannot tell apart.

    Raises:
        FormulaError: if the response is a grouping factor.
    """
    for group in graph.groups:
        if graph.response.expression in group.factor.variables:
            message = "a response cannot be its own grouping factor"
            raise FormulaError(message, span=group.span)
    residual = "sigma" in FAMILIES[graph.response.family].parameters
    remarks = [r for group in graph.groups for r in _remarks(group, context.data.rows, residual)]
    terms = Counter((g.factor, name) for g in graph.groups for name in g.columns.names)
    remarks += [
        f"{name} varies by {factor} in {n} terms: the data cannot tell their variances apart"
        for (factor, name), n in terms.items()
        if n > 1
    ]
    return note(graph, *remarks)


def _remarks(group: Group, rows: int, residual: bool) -> list[str]:
    levels = group.factor.levels
    if levels == 1:
        return [f"{group.factor} has one level: its variance comes from the prior alone"]
    if residual and levels == rows and group.columns.intercept_only:
        return [f"{group.factor} has one row per level: its variance is confounded with sigma"]
    if levels < _FEW_LEVELS:
        return [f"{group.factor} has {levels} levels: its variance will be vague"]
    return []
