"""R's formula algebra: what ``+ - : * / ^ %in% .`` mean, term by term.

The rules are those of R's ``terms.formula`` (Chambers & Hastie 1992, chapter 2): a term is a set of
variables; terms are listed by degree, then in the order they first appear; what is added twice is
there once; ``-`` removes.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from mix2stan.counts import bounded
from mix2stan.errors import FormulaError, Span
from mix2stan.syntax import (
    Call,
    Constant,
    Formula,
    Name,
    Node,
    Number,
    Operator,
    Parens,
    String,
    indicated,
    names_in,
)

__all__ = ["Term", "Terms", "product", "terms", "without_term"]

#: More than this many terms is a slip (``(a + b + … )^20``), not a model.
_MAX_TERMS = 5_000
#: As many products of terms are formed at once, of which equal ones are one.
_MAX_PRODUCTS = 250_000

#: The operators with a meaning of their own in a formula; any other computes a variable.
_ALGEBRA = frozenset({"+", "-", "*", "/", ":", "^", "**", "%in%", "|", "||"})


@dataclass(frozen=True)
class Term:
    """An interaction of variables, or a single one; the order is that of the formula."""

    variables: tuple[Node, ...]

    @property
    def label(self) -> str:
        return ":".join(str(v) for v in self.variables)

    @property
    def product(self) -> Node:
        """The term as formula text has it: ``a:b``, ``(x > 3):b``."""
        return product(self.variables)


def product(variables: Sequence[Node]) -> Node:
    """The interaction of variables; one that an operator computes stands in brackets."""
    apart = [Parens(v, span=v.span) if isinstance(v, Operator) else v for v in variables]
    return functools.reduce(lambda a, b: Operator(":", (a, b)), apart)


@dataclass(frozen=True)
class Terms:
    """What a formula says.

    Attributes:
        response: the left side.
        intercept: whether there is one.
        terms: the terms in R's order.
        offsets: the expressions inside ``offset()``.
        indicator: what all columns are multiplied by, None for 1.
        removed: variables that no term has any more; R's model frame has them all the same, and
            drops the rows that lack them.
    """

    response: Node | None
    intercept: bool
    terms: tuple[Term, ...]
    offsets: tuple[Node, ...]
    indicator: Node | None = None
    removed: tuple[Node, ...] = ()

    @property
    def variables(self) -> tuple[Node, ...]:
        """The variables of all terms, each once, in the order they first appear."""
        first = () if self.indicator is None else (self.indicator,)
        return tuple(dict.fromkeys((*first, *(v for t in self.terms for v in t.variables))))


def terms(formula: Node, *, columns: Sequence[str] = ()) -> Terms:
    """Expand a formula.

    Args:
        formula: a formula or its right-hand side.
        columns: the columns of the data; ``.`` stands for those not on the left side.

    Raises:
        FormulaError: for what cannot stand in a formula.
    """
    response = formula.left if isinstance(formula, Formula) else None
    right = formula.right if isinstance(formula, Formula) else formula
    indicator, right = indicated(right)
    used = {n.name for n in names_in(response)} if response is not None else set()
    algebra = _Algebra(tuple(Name(c) for c in columns if c not in used), right.span)
    expanded = algebra.expand(right)
    ordered = sorted((t for t in expanded if t), key=len)
    place = algebra.variables
    by_term = tuple(Term(tuple(sorted(t, key=place.__getitem__))) for t in ordered)
    used_up = {v for t in by_term for v in t.variables}
    removed = tuple(v for v in place if v not in used_up)
    offsets = tuple(algebra.offsets)
    return Terms(response, algebra.intercept, by_term, offsets, indicator, removed)


def without_term(right: Node, variable: Node) -> Node:
    """A right-hand side without the term that is a variable alone; interactions with it stay.

    >>> from mix2stan.parser import parse_expression
    >>> print(without_term(parse_expression("1 + y + x"), Name("y")))
    1 + x
    >>> print(without_term(parse_expression("y * x"), Name("y")))
    y * x - y
    """
    operands = right.operands if isinstance(right, Operator) and right.symbol == "+" else (right,)
    alone = any(t.variables == (variable,) for t in terms(Formula(variable, right)).terms)
    if not alone:
        return right
    kept = tuple(o for o in operands if o != variable)
    if not kept:
        return Number(1.0, span=right.span)
    rest = Operator("+", kept, span=right.span) if len(kept) > 1 else kept[0]
    left = terms(Formula(variable, rest))
    if any(term.variables == (variable,) for term in left.terms):
        return Operator("+", (*kept, Operator("-", (variable,))), span=right.span)
    return rest


#: A term while it is worked on: a set of variables; the empty one is the intercept.
_Set = frozenset[Node]


class _Algebra:
    """Expands one formula; remembers the intercept, offsets, and the order of variables."""

    def __init__(self, dot: tuple[Node, ...], span: Span) -> None:
        self.dot = dot
        self.span = span
        self.intercept = True
        self.offsets: list[Node] = []
        #: Every variable, and its place among them.
        self.variables: dict[Node, int] = {}

    def expand(self, node: Node) -> list[_Set]:
        """The terms of an expression, each once, in order of appearance."""
        match node:
            case Parens(inner=inner):
                return self.expand(inner)
            case Operator(symbol="+", operands=operands):
                return self._sum(operands)
            case Operator(symbol="-", operands=(operand,)):
                return self._remove([], operand)
            case Operator(symbol=":", operands=(left, right)):
                return self._interact(self.expand(left), self.expand(right))
            case Operator(symbol="*", operands=(left, right)):
                a, b = self.expand(left), self.expand(right)
                return self._distinct([*a, *b, *self._interact(a, b)])
            case Operator(symbol="/", operands=(left, right)):
                a, b = self.expand(left), self.expand(right)
                whole = frozenset().union(*a) if a else frozenset()
                return self._distinct([*a, *self._interact([whole], b)])
            case Operator(symbol="%in%", operands=(left, right)):
                a, b = self.expand(left), self.expand(right)
                whole = frozenset().union(*b) if b else frozenset()
                return self._interact(a, [whole])
            case Operator(symbol="^", operands=(base, Number(value=power))):
                return self._power(base, power, node)
            case Number(value=value) if value in (0.0, 1.0):
                self.intercept = value == 1.0
                return []
            case Name(name=".") if self.dot:
                return [self._variable(v) for v in self.dot]
            case Call(function="offset", args=args) if len(args) == 1:
                self.offsets.append(args[0].value)
                return []
            case Operator(symbol=symbol) if symbol not in _ALGEBRA:
                return [self._variable(node)]
            case Name() | Call():
                return [self._variable(node)]
        raise _cannot_stand(node)

    def _variable(self, node: Node) -> _Set:
        self.variables.setdefault(node, len(self.variables))
        return frozenset([node])

    def _sum(self, operands: tuple[Node, ...]) -> list[_Set]:
        if len(operands) == 1:
            return self.expand(operands[0])
        so_far: list[_Set] = []
        for operand in operands:
            if (
                isinstance(operand, Operator)
                and operand.symbol == "-"
                and len(operand.operands) == 1
            ):
                so_far = self._remove(so_far, operand.operands[0])
            else:
                so_far += self.expand(operand)
        return self._distinct(so_far)

    def _remove(self, so_far: list[_Set], node: Node) -> list[_Set]:
        if isinstance(node, Parens):
            return self._remove(so_far, node.inner)
        if isinstance(node, Number) and node.value in (0.0, 1.0):
            self.intercept = node.value == 0.0
            return so_far
        intercept = self.intercept
        removed = set(self.expand(node))
        self.intercept = intercept
        return [t for t in so_far if t not in removed]

    def _interact(self, a: list[_Set], b: list[_Set]) -> list[_Set]:
        bounded(len(a) * len(b), _MAX_PRODUCTS, "products of terms", self.span)
        return self._distinct([s | t for s, t in itertools.product(a, b)])

    def _power(self, base: Node, power: float, node: Node) -> list[_Set]:
        if power != int(power) or power < 1:
            message = "a power in a formula is a whole number, as in (a + b)^2"
            raise FormulaError(message, span=node.span, hint="arithmetic is written I(x^2)")
        factors = self.expand(base)
        result = factors
        for _ in range(int(min(power, len(factors))) - 1):
            result = self._distinct([*result, *self._interact(result, factors)])
        return result

    def _distinct(self, sets: list[_Set]) -> list[_Set]:
        unique = list(dict.fromkeys(sets))
        if len(unique) > _MAX_TERMS:
            message = f"the formula has more than {_MAX_TERMS:,} terms"
            raise FormulaError(message, span=self.span)
        return unique


def _cannot_stand(node: Node) -> FormulaError:
    match node:
        case Operator(symbol="|" | "||", operands=(_, group)):
            hint = f"write (1 | {group})"
            return FormulaError("a random term needs round brackets", span=node.span, hint=hint)
        case Name(name="."):
            return FormulaError("'.' has no meaning here", span=node.span)
        case String():
            hint = f"write {node.value}"
            return FormulaError("a string cannot stand in a formula", span=node.span, hint=hint)
        case Number() | Constant():
            message = f"{node} cannot stand in a formula"
            return FormulaError(
                message, span=node.span, hint="0, 1 and -1 say whether there is an intercept"
            )
        case Operator(symbol=symbol):
            message = f"{symbol!r} has no meaning in a formula"
            return FormulaError(message, span=node.span, hint=f"arithmetic is written I({node})")
        case Formula():
            return FormulaError("a formula cannot stand inside another", span=node.span)
    return FormulaError(f"{node} cannot stand in a formula", span=node.span)
