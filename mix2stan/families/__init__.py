"""Response distributions: one row each."""

from __future__ import annotations

from mix2stan.families import basic
from mix2stan.families.basic import PARAMETERS, Family, Numbers, Parameter, Support
from mix2stan.graph import ModelGraph

__all__ = [
    "FAMILIES",
    "PARAMETERS",
    "Family",
    "Numbers",
    "Parameter",
    "Support",
    "single_parameters",
]

FAMILIES: dict[str, Family] = {**basic.ROWS}


def single_parameters(graph: ModelGraph) -> tuple[str, ...]:
    """What the response's distribution has besides its mean that is one number for all rows."""
    predicted = {p.parameter for p in graph.predictors}
    return tuple(p for p in FAMILIES[graph.response.family].parameters if p not in predicted)
