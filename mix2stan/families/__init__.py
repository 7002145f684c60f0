"""Response distributions: one row each."""

from __future__ import annotations

from mix2stan.families import basic, further, zeros
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
    "with_zeros",
]

FAMILIES: dict[str, Family] = {**basic.ROWS, **further.ROWS, **zeros.ROWS}


def single_parameters(graph: ModelGraph) -> tuple[str, ...]:
    """What the response's distribution has besides its mean that is one number for all rows."""
    predicted = {p.parameter for p in graph.predictors}
    return tuple(p for p in FAMILIES[graph.response.family].parameters if p not in predicted)


def with_zeros(family: str) -> tuple[str, str] | None:
    """The family that has further zeros, or zeros at all, and the parameter of their probability."""
    for name, row in FAMILIES.items():
        if row.without_zeros == family:
            return name, row.parameters[-1]
    return None
