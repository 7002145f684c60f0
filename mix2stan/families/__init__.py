"""Response distributions: one row each."""

from __future__ import annotations

from mix2stan.families import basic, categories
from mix2stan.families.basic import (
    PARAMETERS,
    Family,
    Numbers,
    Parameter,
    Support,
    parameter_row,
)
from mix2stan.graph import ModelGraph

__all__ = [
    "FAMILIES",
    "PARAMETERS",
    "Family",
    "Numbers",
    "Parameter",
    "Support",
    "free_thresholds",
    "parameter_row",
    "single_parameters",
]

FAMILIES: dict[str, Family] = {**basic.ROWS, **categories.ROWS}


def single_parameters(graph: ModelGraph) -> tuple[str, ...]:
    """What the response's distribution has besides its mean that is one number for all rows."""
    predicted = {p.parameter for p in graph.predictors}
    return tuple(p for p in FAMILIES[graph.response.family].parameters if p not in predicted)


def free_thresholds(graph: ModelGraph) -> bool:
    """Whether the model has thresholds in the place of an intercept."""
    return FAMILIES[graph.response.family].ordinal is not None and not graph.response.anchored
