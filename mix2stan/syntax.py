"""R text as typed: frozen nodes that know where they stand and print back as R.

The tree is one-to-one with the text; nothing is interpreted here.  ``str(node)`` gives the text the
way R's ``deparse`` writes it, which is also how R names the columns of a model matrix.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from mix2stan.errors import FormulaError, Span, visible

__all__ = [
    "Argument",
    "Assignment",
    "Call",
    "Constant",
    "Formula",
    "Name",
    "Node",
    "Number",
    "Operator",
    "Parens",
    "Program",
    "Replacement",
    "String",
    "children",
    "indicated",
    "mapped",
    "names_in",
    "only",
    "quote_name",
    "replace_names",
    "rewrite",
    "walk",
]

NOWHERE = Span(0, 0)

#: R's constants; they are reserved words there, so a column cannot have these names.
CONSTANTS: dict[str, bool | float | None] = {
    "TRUE": True,
    "FALSE": False,
    "NULL": None,
    "NA": math.nan,
    "NaN": math.nan,
    "Inf": math.inf,
}

#: R's other reserved words.
_RESERVED = frozenset(
    """if else repeat while function for next break in NA_integer_ NA_real_ NA_complex_
    NA_character_ ...""".split()
)
_SYNTACTIC_NAME = re.compile(r"(?:[^\W\d_]|\.(?![0-9]))[\w.]*\Z")
_TIGHT = frozenset({"^", ":", "/", "%%", "%/%"})
# Looser operators have smaller numbers; a formula is looser than all of them.
_PRECEDENCE = {
    "||": 1, "|": 1, "&&": 2, "&": 2, "!": 3,
    "==": 4, "!=": 4, "<": 4, ">": 4, "<=": 4, ">=": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, ":": 8, "^": 10,
}  # fmt: skip
_SPECIAL_PRECEDENCE = 7
_SIGN_PRECEDENCE = 9


#: Every function that walks the tree recurses once per level, so this bounds their stacks.
MAX_DEPTH = 100


@dataclass(frozen=True)
class Node:
    """A piece of R text.  Equality ignores where it stands.

    Raises:
        FormulaError: if it is nested more than ``MAX_DEPTH`` deep.
    """

    span: Span = field(default=NOWHERE, compare=False, repr=False, kw_only=True)
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        depth = 1 + max((child.depth for child in children(self)), default=0)
        if depth > MAX_DEPTH:
            message = f"the expression is nested more than {MAX_DEPTH} deep"
            raise FormulaError(message, span=self.span)
        object.__setattr__(self, "depth", depth)


@dataclass(frozen=True)
class Name(Node):
    """A variable, without backticks."""

    name: str

    def __str__(self) -> str:
        return quote_name(self.name)


@dataclass(frozen=True)
class Number(Node):
    """A numeric literal; ``integer`` for R's ``1L``."""

    value: float
    integer: bool = False

    def __str__(self) -> str:
        return f"{int(self.value)}L" if self.integer else format_number(self.value)


@dataclass(frozen=True)
class String(Node):
    """A character literal, without quotes and escapes."""

    value: str

    def __str__(self) -> str:
        return _quoted(self.value, '"')


@dataclass(frozen=True)
class Constant(Node):
    """``TRUE``, ``FALSE``, ``NULL``, ``NA``, ``NaN`` or ``Inf``."""

    name: str

    @property
    def value(self) -> bool | float | None:
        return CONSTANTS[self.name]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Argument(Node):
    """One argument of a call; ``name`` is None if it is given by position."""

    name: str | None
    value: Node

    def __str__(self) -> str:
        return str(self.value) if self.name is None else f"{quote_name(self.name)} = {self.value}"


@dataclass(frozen=True)
class Call(Node):
    """``function(args)``; a subscript is a call of ``[``, an element one of ``$``.

    ``package`` is what stands before the name, ``splines::``, which R's column names keep.
    """

    function: str
    args: tuple[Argument, ...] = ()
    package: str = ""

    def __str__(self) -> str:
        if self.function in ("$", "@"):
            return self.function.join(str(a) for a in self.args)
        if self.function == "[[":
            return f"{self.args[0]}[[{self.args[1]}]]"
        if self.function == "[":
            places = ("" if a.value == Constant("NULL") else str(a) for a in self.args[1:])
            return f"{self.args[0]}[{', '.join(places)}]"
        arguments = ", ".join(str(a) for a in self.args)
        return f"{self.package}{quote_name(self.function)}({arguments})"

    def argument(self, name: str, position: int | None = None) -> Argument | None:
        """The argument called ``name``, else the one at ``position`` among the unnamed."""
        for arg in self.args:
            if arg.name == name:
                return arg
        unnamed = [arg for arg in self.args if arg.name is None]
        if position is not None and position < len(unnamed):
            return unnamed[position]
        return None


@dataclass(frozen=True)
class Operator(Node):
    """A prefix operator (one operand) or an infix one.

    Sums are flat: ``a + b - c`` is one ``+`` with the operands ``a``, ``b`` and ``-c``, so that a
    formula of a thousand terms is not a thousand deep.  All other infix operators have two operands.
    """

    symbol: str
    operands: tuple[Node, ...]

    @property
    def precedence(self) -> int:
        if len(self.operands) == 1 and self.symbol != "!":
            return _SIGN_PRECEDENCE
        return _PRECEDENCE.get(self.symbol, _SPECIAL_PRECEDENCE)

    def __str__(self) -> str:
        if len(self.operands) == 1:
            return self.symbol + str(self.operands[0])
        if self.symbol != "+":
            gap = "" if self.symbol in _TIGHT else " "
            return f"{gap}{self.symbol}{gap}".join(str(o) for o in self.operands)
        parts = [str(self.operands[0])]
        for operand in self.operands[1:]:
            minus = isinstance(operand, Operator) and operand.symbol == "-"
            if minus and len(operand.operands) == 1:  # type: ignore[attr-defined]
                parts.append(f"- {operand.operands[0]}")  # type: ignore[attr-defined]
            else:
                parts.append(f"+ {operand}")
        return " ".join(parts)


@dataclass(frozen=True)
class Parens(Node):
    """An expression in round brackets; R keeps them, and ``(1 | g)`` needs them."""

    inner: Node

    def __str__(self) -> str:
        return f"({self.inner})"


@dataclass(frozen=True)
class Formula(Node):
    """``left ~ right`` or ``~ right``."""

    left: Node | None
    right: Node

    def __str__(self) -> str:
        return f"~{self.right}" if self.left is None else f"{self.left} ~ {self.right}"


@dataclass(frozen=True)
class Assignment(Node):
    """``name <- value``, in any of R's spellings."""

    name: str
    value: Node

    def __str__(self) -> str:
        return f"{quote_name(self.name)} <- {self.value}"


@dataclass(frozen=True)
class Replacement(Node):
    """``target <- value`` where the target is a part of something: ``d$f``, ``levels(f)``."""

    target: Node
    value: Node

    def __str__(self) -> str:
        return f"{self.target} <- {self.value}"


@dataclass(frozen=True)
class Program:
    """What ``parse`` returns: the text and its statements in order."""

    text: str
    statements: tuple[Node, ...]

    def __str__(self) -> str:
        return "\n".join(str(s) for s in self.statements)


def quote_name(name: str) -> str:
    """The name as R prints it: in backticks unless it is a syntactic name."""
    if name not in CONSTANTS and name not in _RESERVED and _SYNTACTIC_NAME.match(name):
        return name
    return _quoted(name, "`")


def _quoted(text: str, quote: str) -> str:
    """Text in quotes as R writes it: what does not print by its number."""
    text = text.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    if quote == '"':  # these could have been meant as the end of it
        text = re.sub("[“”„]", lambda m: f"\\u{ord(m[0]):04x}", text)
    return quote + visible(text.replace("\n", "\\n").replace("\t", "\\t")) + quote


def format_number(value: float, digits: int = 15) -> str:
    """A number as R prints it: at most ``digits`` significant ones, the shorter of fixed and
    scientific notation, fixed when they are equally long."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    power = int(exponent)
    decimals = max(0, len(mantissa.lstrip("-").replace(".", "")) - 1 - power)
    fixed = f"{value:.{decimals}f}"
    scientific = f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return fixed if len(fixed) <= len(scientific) else scientific


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below this one, in the order of the text."""
    match node:
        case Call(args=args):
            return tuple(arg.value for arg in args)
        case Operator(operands=operands):
            return operands
        case Parens(inner=inner):
            return (inner,)
        case Formula(left=left, right=right):
            return (right,) if left is None else (left, right)
        case Argument(value=value) | Assignment(value=value):
            return (value,)
        case Replacement(target=target, value=value):
            return (target, value)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """This node and all below it, in the order of the text."""
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(children(node))


def names_in(node: Node) -> list[Name]:
    """The variables of an expression, in the order of the text (functions are not variables)."""
    return [n for n in walk(node) if isinstance(n, Name)]


def mapped(node: Node, change: Callable[[Node], Node]) -> Node:
    """A copy with ``change`` applied to the nodes directly below this one."""
    match node:
        case Call(args=args):
            return replace(node, args=tuple(replace(a, value=change(a.value)) for a in args))
        case Operator(operands=operands):
            return replace(node, operands=tuple(map(change, operands)))
        case Parens(inner=inner):
            return replace(node, inner=change(inner))
        case Formula(left=left, right=right):
            left = None if left is None else change(left)
            return replace(node, left=left, right=change(right))
        case Assignment(value=value) | Replacement(value=value):
            return replace(node, value=change(value))
    return node


def rewrite(node: Node, change: Callable[[Node], Node]) -> Node:
    """A copy with ``change`` applied to every node, innermost first."""
    return change(mapped(node, lambda inner: rewrite(inner, change)))


def replace_names(node: Node, values: Mapping[str, Node]) -> Node:
    """A copy in which the names that have a value are replaced by it; ``x`` of ``d$x`` is no name."""
    if not values:
        return node
    match node:
        case Name(name=name):
            return values.get(name, node)
        case Call(function="$" | "@", args=(whole, key)):
            inner = replace_names(whole.value, values)
            return replace(node, args=(replace(whole, value=inner), key))
    return mapped(node, lambda inner: replace_names(inner, values))


def only(indicator: Node, formula: Node) -> Node:
    """A formula whose columns are those of ``formula`` where the indicator is 1, and 0 elsewhere.

    R's ``indicator:f`` codes a factor f by the terms beside it; here f is coded as in ``formula``.
    """
    return Call(_ONLY, (Argument(None, indicator), Argument(None, formula)), span=formula.span)


def indicated(formula: Node) -> tuple[Node | None, Node]:
    """The indicator of a formula, if it has one, and the formula without it."""
    match formula:
        case Call(function=function, args=(indicator, inner)) if function == _ONLY:
            return indicator.value, inner.value
    return None, formula


_ONLY = "only"
