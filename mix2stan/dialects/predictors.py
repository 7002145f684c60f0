"""What the dialects that have them share: predictors of other parameters than the mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from mix2stan.errors import FormulaError, suggestion
from mix2stan.families import FAMILIES, PARAMETERS
from mix2stan.graph import Columns, Group, Population, Predictor
from mix2stan.syntax import Node

__all__ = ["Further", "further_predictor"]


class Further(NamedTuple):
    """A predictor, and its group terms: to be added to those of the graph."""

    predictor: Predictor
    groups: tuple[Group, ...]


def further_predictor(
    family: str, parameter: str, fixed: Node, groups: Iterable[Group] = (), link: str | None = None
) -> Further:
    """The predictor of a parameter of a family.

    Args:
        family: a row of :data:`mix2stan.families.FAMILIES`.
        parameter: one of its parameters.
        fixed: the right-hand side of its formula, without the random terms; offsets may stand in it.
        groups: its random terms; their owner is set.
        link: one of the parameter's links; the default if None.

    Raises:
        FormulaError: if the family has no such parameter, or that no such link.
    """
    names = FAMILIES[family].parameters
    if parameter not in names:
        hint = suggestion(parameter, names, what="its parameters") if names else None
        message = f"a {family} response has no parameter {parameter!r}"
        raise FormulaError(message, span=fixed.span, hint=hint)
    links = PARAMETERS[parameter].links
    if link is not None and link not in links:
        hint = f"its links: {', '.join(links)}"
        raise FormulaError(f"{parameter} has no link {link!r}", span=fixed.span, hint=hint)
    population = Population(Columns((fixed,)))
    owned = tuple(replace(group, owner=parameter) for group in groups)
    return Further(Predictor(parameter, link or links[0], population), owned)
