"""What the dialects that have them share: predictors of other parameters than the mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.families import FAMILIES, PARAMETERS
from mix2stan.graph import Columns, Group, Population, Predictor, Response
from mix2stan.syntax import Argument, Node, Number, Operator, format_number

__all__ = ["Further", "further_predictor", "with_known"]


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
        Unsupported: if the parameter is one number in all models.
    """
    _check_parameter(family, parameter, fixed)
    links = PARAMETERS[parameter].links
    if not links:
        message = f"a predictor of {parameter} cannot be expressed"
        raise Unsupported(message, span=fixed.span, hint="it is one number for all rows")
    if link is not None and link not in links:
        hint = f"its links: {', '.join(links)}"
        raise FormulaError(f"{parameter} has no link {link!r}", span=fixed.span, hint=hint)
    population = Population(Columns((fixed,)))
    owned = tuple(replace(group, owner=parameter) for group in groups)
    return Further(Predictor(parameter, link or links[0], population), owned)


def with_known(response: Response, given: Iterable[Argument]) -> Response:
    """The response with parameters of its distribution at known values: ``quantile = 0.5``.

    Raises:
        FormulaError: if it has no such parameter, or that cannot have such a value.
        Unsupported: for a parameter that is a bound of another.
    """
    known = []
    for argument in given:
        name, value = str(argument.name), _value(argument.value)
        _check_parameter(response.family, name, argument.value)
        row = PARAMETERS[name]
        if "cut" in row.bound or name.startswith("cut"):
            message = f"{name} cannot be known: another parameter is bounded by it"
            raise Unsupported(message, span=argument.span, hint="a prior can be narrow")
        if not row.allows(value):
            message = f"{name} cannot be {format_number(value)}"
            hint = f"it is {row.meaning}: {row.bound.strip('<>')}"
            raise FormulaError(message, span=argument.span, hint=hint)
        known.append((name, value))
    return replace(response, known=(*response.known, *known))


def _value(node: Node) -> float:
    match node:
        case Number(value=value):
            return value
        case Operator("-", (Number(value=value),)):
            return -value
    raise FormulaError("a known value is a number", span=node.span)


def _check_parameter(family: str, parameter: str, node: Node) -> None:
    names = FAMILIES[family].parameters
    own = FAMILIES[family]
    if parameter == "disc" and own.ordinal is not None:
        message = "a discrimination of ordered categories cannot be expressed: disc"
        words = "the errors behind the categories have one variance for all rows"
        raise Unsupported(message, span=node.span, hint=words)
    if parameter.startswith("mu") and own.unordered:
        message = f"a formula of one category cannot be expressed: {parameter}"
        raise Unsupported(message, span=node.span, hint="all categories have one formula")
    if parameter not in names:
        hint = suggestion(parameter, names, what="its parameters") if names else None
        message = f"a {family} response has no parameter {parameter!r}"
        raise FormulaError(message, span=node.span, hint=hint)
