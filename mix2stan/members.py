"""The names of several responses: what is one's own ends with its name, what all have does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from mix2stan.covariances import COVARIANCES
from mix2stan.graph import Member, ModelGraph

__all__ = ["common_variables", "joint_name", "own_values"]

T = TypeVar("T")

#: What the variables of a group term begin with, besides its parameters.
_OF_TERMS = ("sd", "L", "R", "C", "b", "z", "m")


def common_variables(graph: ModelGraph) -> frozenset[str]:
    """The Stan variables of a response's model that others have too."""
    names = {
        f"{beginning}_{group.id}"
        for group in graph.groups
        if group.common
        for beginning in (
            *_OF_TERMS,
            *(p.name for p in COVARIANCES[group.covariance.kind].parameters),
        )
    }
    return frozenset(names)


def joint_name(member: Member, variable: str) -> str:
    """What a variable of one response is called among those of all."""
    return variable if variable in common_variables(member.graph) else member.own(variable)


def own_values(graph: ModelGraph, member: Member, values: Mapping[str, T]) -> dict[str, T]:
    """The values of one response, by its own names.

    Args:
        graph: the model of several responses.
        member: one of them.
        values: by the names they have among all; what does not end with the name of a response is
            common to all that have such a term, as are the names of data.
    """
    found: dict[str, T] = {}
    for name, value in values.items():
        whose = max(
            (m.name for m in graph.members if name.endswith(f"_{m.name}")), key=len, default=""
        )
        if whose == member.name:
            found[name.removesuffix(f"_{whose}")] = value
        elif not whose:
            found[name] = value
    return found
