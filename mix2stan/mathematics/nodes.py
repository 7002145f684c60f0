"""The pieces of a formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = [
    "ONE",
    "ZERO",
    "Absolute",
    "Apply",
    "Fraction",
    "Math",
    "Matrix",
    "Negative",
    "Number",
    "Power",
    "Product",
    "Row",
    "Sign",
    "Sum",
    "Symbol",
    "Word",
    "evaluate",
    "product",
    "renamed",
    "row",
    "total",
]


@dataclass(frozen=True)
class Math:
    """A piece of a formula."""


@dataclass(frozen=True)
class Symbol(Math):
    """A variable with its subscript: ``sigma``, ``V`` 1, ``r`` 12; Greek letters by their names."""

    name: str
    sub: str = ""

    @property
    def key(self) -> str:
        """What :func:`evaluate` calls it: ``V_1``."""
        return f"{self.name}_{self.sub}" if self.sub else self.name


@dataclass(frozen=True)
class Word(Math):
    """Text of the user's: the name of a column, of a level."""

    text: str


@dataclass(frozen=True)
class Number(Math):
    """A number."""

    value: float


@dataclass(frozen=True)
class Sum(Math):
    """A sum of two or more; what is subtracted is :class:`Negative`."""

    terms: tuple[Math, ...]


@dataclass(frozen=True)
class Negative(Math):
    """Minus a term."""

    of: Math


@dataclass(frozen=True)
class Product(Math):
    """A product of two or more."""

    factors: tuple[Math, ...]


@dataclass(frozen=True)
class Fraction(Math):
    """A quotient."""

    top: Math
    bottom: Math


@dataclass(frozen=True)
class Power(Math):
    """A power."""

    base: Math
    exponent: Math


@dataclass(frozen=True)
class Apply(Math):
    """A function of arguments; ``sqrt`` is written as a root, without a name they are a tuple."""

    function: str
    arguments: tuple[Math, ...]


@dataclass(frozen=True)
class Absolute(Math):
    """An absolute value."""

    of: Math


@dataclass(frozen=True)
class Sign(Math):
    """A relation or a sign of punctuation between two pieces."""

    text: str


@dataclass(frozen=True)
class Row(Math):
    """Pieces side by side, signs between them: ``y ~ Normal(mu, sigma^2)``."""

    parts: tuple[Math, ...]


@dataclass(frozen=True)
class Matrix(Math):
    """A matrix, or a column of one entry a row."""

    rows: tuple[tuple[Math, ...], ...]


ZERO, ONE = Number(0.0), Number(1.0)


def product(*factors: Math) -> Math:
    """The product; ones are left out, and a zero is all."""
    if ZERO in factors:
        return ZERO
    left = tuple(f for f in factors if f != ONE)
    return Product(left) if len(left) > 1 else left[0] if left else ONE


def total(*terms: Math) -> Math:
    """The sum; zeros are left out."""
    left = tuple(t for t in terms if t != ZERO)
    return Sum(left) if len(left) > 1 else left[0] if left else ZERO


def row(*parts: Math | str) -> Row:
    """Pieces side by side; a string is a sign."""
    return Row(tuple(Sign(p) if isinstance(p, str) else p for p in parts))


def evaluate(
    formula: Math,
    values: Mapping[str, float],
    functions: Mapping[str, Callable[..., float]] | None = None,
) -> float:
    """The number a formula stands for.

    Args:
        formula: a formula without signs, words and matrices.
        values: of its symbols, by name and subscript (``V_1``).
        functions: those besides ``sqrt``, ``exp`` and ``log``.

    Raises:
        KeyError: if a symbol or a function has no value.
        ValueError: if the formula is not a number.

    >>> evaluate(Power(Symbol("rho"), Number(2)), {"rho": 0.5})
    0.25
    """
    known: dict[str, Callable[..., float]] = {"sqrt": math.sqrt, "exp": math.exp, "log": math.log}
    known |= functions or {}

    def value(node: Math) -> float:
        match node:
            case Number(number):
                return number
            case Symbol():
                return values[node.key]
            case Sum(terms):
                return sum(map(value, terms))
            case Negative(of):
                return -value(of)
            case Product(factors):
                return math.prod(map(value, factors))
            case Fraction(top, bottom):
                return value(top) / value(bottom)
            case Power(base, exponent):
                return float(value(base) ** value(exponent))
            case Apply(function, arguments):
                return known[function](*map(value, arguments))
            case Absolute(of):
                return abs(value(of))
        raise ValueError(f"{node} is not a number")

    return value(formula)


def renamed(formula: Math, change: Callable[[Symbol], Math]) -> Math:
    """The formula with its symbols exchanged."""

    def each(nodes: tuple[Math, ...]) -> tuple[Math, ...]:
        return tuple(renamed(n, change) for n in nodes)

    match formula:
        case Symbol():
            return change(formula)
        case Sum(terms):
            return Sum(each(terms))
        case Negative(of):
            return Negative(renamed(of, change))
        case Product(factors):
            return Product(each(factors))
        case Fraction(top, bottom):
            return Fraction(renamed(top, change), renamed(bottom, change))
        case Power(base, exponent):
            return Power(renamed(base, change), renamed(exponent, change))
        case Apply(function, arguments):
            return Apply(function, each(arguments))
        case Absolute(of):
            return Absolute(renamed(of, change))
        case Row(parts):
            return Row(each(parts))
        case Matrix(rows):
            return Matrix(tuple(each(r) for r in rows))
    return formula
