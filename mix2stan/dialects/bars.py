"""What lme4 and its relatives share: random terms written with bars in the model formula."""

from __future__ import annotations

from typing import NamedTuple

from mix2stan.errors import FormulaError, Unsupported
from mix2stan.graph import Factor
from mix2stan.syntax import Call, Formula, Name, Node, Number, Operator, Parens, walk

__all__ = ["Bar", "grouping_factors", "has_bar", "response_of", "split_bars", "summands"]


class Bar(NamedTuple):
    """``(columns | group)``, or with ``||``."""

    columns: Node
    symbol: str
    group: Node
    term: Node


def response_of(formula: Formula, function: str) -> Node:
    """The left side of a model formula."""
    if formula.left is None:
        hint = f"write {function}(y ~ {formula.right})"
        raise FormulaError("the formula has no response", span=formula.span, hint=hint)
    if isinstance(formula.left, Formula):
        raise FormulaError("a model formula has one '~'", span=formula.span)
    return formula.left


def summands(node: Node) -> tuple[Node, ...]:
    """The operands of a sum; a single expression is a sum of one."""
    return node.operands if isinstance(node, Operator) and node.symbol == "+" else (node,)


def split_bars(right: Node) -> tuple[Node, tuple[Bar, ...]]:
    """The fixed part of a right-hand side, and its random terms in order.

    ``y ~ x + (1 | g)`` has the fixed part ``x``; nothing left is an intercept.
    """
    match right:
        case Operator(symbol="|" | "||" as symbol, operands=(columns, group)):
            # a bar without brackets takes in all before it, and is all there is
            if not has_bar(columns):
                return Number(1.0, span=right.span), (Bar(columns, symbol, group, right),)
    fixed: list[Node] = []
    bars: list[Bar] = []
    _collect(right, fixed, bars)
    if not fixed:
        return Number(1.0), tuple(bars)
    if len(fixed) == 1:
        return fixed[0], tuple(bars)
    if len(fixed) == len(summands(right)):
        return right, tuple(bars)
    return Operator("+", tuple(fixed), span=right.span), tuple(bars)


def _collect(node: Node, fixed: list[Node], bars: list[Bar]) -> None:
    for operand in summands(node):
        match operand:
            case Parens(inner=Operator(symbol="|" | "||" as symbol, operands=(columns, group))):
                bars.append(Bar(columns, symbol, group, operand))
            case Operator(symbol="|" | "||", operands=(_, group)):
                message = "a random term needs round brackets"
                raise FormulaError(message, span=operand.span, hint=f"write (1 | {group})")
            case Parens(inner=inner) if has_bar(inner):
                _collect(inner, fixed, bars)
            case _ if has_bar(operand):
                message = "a random term can only be added to the formula"
                raise FormulaError(message, span=operand.span, hint="write … + (1 | g)")
            case _:
                fixed.append(operand)


def has_bar(node: Node) -> bool:
    """Whether a random term stands somewhere in an expression."""
    return any(isinstance(n, Operator) and n.symbol in ("|", "||") for n in walk(node))


def grouping_factors(group: Node) -> list[Factor]:
    """The factors right of a bar: ``a/b`` is ``a`` and ``b:a``, as lme4 names it."""
    match group:
        case Parens(inner=inner):
            return grouping_factors(inner)
        case Operator(symbol="/", operands=(outer, inner)):
            factors = grouping_factors(outer)
            nested = grouping_factors(inner)
            return factors + [Factor(n.variables + factors[-1].variables) for n in nested]
        case Operator(symbol=":", operands=(left, right)):
            return [_crossed(left, right)]
        case Operator(symbol="*", operands=(left, right)):
            return grouping_factors(left) + grouping_factors(right) + [_crossed(left, right)]
        case Operator(symbol="+", operands=(first, *_)):
            hint = f"give every factor its own term: (… | {first}) + …"
            raise Unsupported("a grouping factor cannot be a sum", span=group.span, hint=hint)
        case Name() | Call():
            return [Factor((group,))]
    message = f"{group} cannot be a grouping factor"
    raise FormulaError(message, span=group.span, hint="write the name of a column, as in (1 | g)")


def _crossed(left: Node, right: Node) -> Factor:
    lefts, rights = grouping_factors(left), grouping_factors(right)
    if len(lefts) != 1 or len(rights) != 1:
        span = left.span.to(right.span)
        raise Unsupported("'/' cannot stand inside ':' in a grouping factor", span=span)
    return Factor(lefts[0].variables + rights[0].variables)
