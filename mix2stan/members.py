"""The names of several responses: what is one's own ends with its name, what all have does not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import pandas as pd

from mix2stan.covariances import COVARIANCES
from mix2stan.errors import Unsupported
from mix2stan.graph import Member, ModelGraph
from mix2stan.labels import Labels

__all__ = [
    "common_variables",
    "joint_labels",
    "joint_name",
    "joint_table",
    "one_at_a_time",
    "own_values",
]

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


def own_values(member: Member, names: Iterable[str], values: Mapping[str, T]) -> dict[str, T]:
    """The values of one response, by its own names.

    Args:
        member: the response.
        names: all words of its program.
        values: by the names they have among all.
    """
    common = common_variables(member.graph)
    joint = {name: name if name in common else member.own(name) for name in names}
    return {name: values[whole] for name, whole in joint.items() if whole in values}


def joint_table(parts: Sequence[tuple[Member, pd.DataFrame, Collection[str]]]) -> pd.DataFrame:
    """The tables of all responses as one, what is one's own with its name before it.

    Args:
        parts: every response, its table, and the rows that others have too, which are there once.
    """
    tables = [
        table.rename(index={n: member.row(n) for n in table.index if n not in common})
        for member, table, common in parts
    ]
    whole = pd.concat(tables)
    return whole[~whole.index.duplicated()]


def joint_labels(graph: ModelGraph, observations: int) -> Labels:
    """The call and its responses; what they consist of is named by the labels of each."""
    words = str(graph.response.expression)
    return Labels(graph.call, words, (), (), observations, parameters=())


def one_at_a_time(hint: str) -> Unsupported:
    """What is said where one response has to be named first."""
    return Unsupported("this can be had of one response at a time", hint=hint)
