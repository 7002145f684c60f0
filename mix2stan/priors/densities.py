"""Densities a user can ask for: read from text, held against what they are the prior of.

The grammar is ``grammar/density.lark``: a name with numbers, and an optional truncation.  A row of
:data:`STATED` is everything known of a density; adding one is a row here.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput

from mix2stan.errors import FormulaError, Span, Unsupported, suggestion
from mix2stan.folders import resource_folder
from mix2stan.syntax import format_number

__all__ = ["LKJ", "STATED", "StatedDensity", "Written", "parse_density"]

_INFINITY = math.inf


@dataclass(frozen=True)
class StatedDensity:
    """A density by its Stan name.

    Attributes:
        row: the row of :data:`mix2stan.priors.rows.DENSITIES` that says it.
        slots: what its numbers are called there, in Stan's order.
        positive: the slots that have to be positive.
        support: where it is not zero; None where its numbers say so.
        first: numbers that the name stands for, before those given (``half_normal(1)`` is the
            ``normal(0, 1)`` of a positive parameter).
    """

    row: str
    slots: tuple[str, ...]
    positive: frozenset[str] = frozenset()
    support: tuple[float, float] = (-_INFINITY, _INFINITY)
    first: tuple[float, ...] = ()
    place: int = 0

    @property
    def arguments(self) -> tuple[str, ...]:
        """The numbers a user writes."""
        return self.slots[: self.place] + self.slots[self.place + len(self.first) :]


_POSITIVE = (0.0, _INFINITY)
_SCALE = frozenset({"scale"})
_T = ("df", "loc", "scale")
_T_POSITIVE = frozenset({"df", "scale"})

STATED: dict[str, StatedDensity] = {
    "normal": StatedDensity("normal", ("loc", "scale"), _SCALE),
    "student_t": StatedDensity("student", _T, _T_POSITIVE),
    "cauchy": StatedDensity("cauchy", ("loc", "scale"), _SCALE),
    "std_normal": StatedDensity("normal", ("loc", "scale"), _SCALE, first=(0.0, 1.0)),
    "logistic": StatedDensity("logistic", ("loc", "scale"), _SCALE),
    "double_exponential": StatedDensity("double_exponential", ("loc", "scale"), _SCALE),
    "half_normal": StatedDensity("normal", ("loc", "scale"), _SCALE, _POSITIVE, (0.0,)),
    "half_student_t": StatedDensity("student", _T, _T_POSITIVE, _POSITIVE, (0.0,), place=1),
    "half_cauchy": StatedDensity("cauchy", ("loc", "scale"), _SCALE, _POSITIVE, (0.0,)),
    "exponential": StatedDensity("exponential", ("rate",), frozenset({"rate"}), _POSITIVE),
    "gamma": StatedDensity("gamma", ("shape", "rate"), frozenset({"shape", "rate"}), _POSITIVE),
    "inv_gamma": StatedDensity(
        "inv_gamma", ("shape", "scale"), frozenset({"shape", "scale"}), _POSITIVE
    ),
    "lognormal": StatedDensity("lognormal", ("loc", "scale"), _SCALE, _POSITIVE),
    "beta": StatedDensity("beta", ("a", "b"), frozenset({"a", "b"}), (0.0, 1.0)),
    "uniform": StatedDensity("between", ("lower", "upper")),
    "lkj": StatedDensity("lkj_eta", ("eta",), frozenset({"eta"})),
    "lkj_corr_cholesky": StatedDensity("lkj_eta", ("eta",), frozenset({"eta"})),
    "flat": StatedDensity("flat", ()),
}

#: Densities of Stan, and priors of brms, that are none of these.
_OF_STAN = frozenset(
    """
    skew_normal exp_mod_normal gumbel skew_double_exponential chi_square inv_chi_square
    scaled_inv_chi_square weibull frechet rayleigh loglogistic pareto pareto_type_2 beta_proportion
    von_mises wiener multi_normal multi_student_t dirichlet wishart inv_wishart horseshoe R2D2 lasso
    constant discrete_range
    """.split()
)

#: The row of the densities of correlation matrices.
LKJ = "lkj_eta"


@dataclass(frozen=True)
class Written:
    """A density as it was written.

    Attributes:
        text: the text.
        name: a row of :data:`STATED`.
        values: its numbers by slot.
        lower: where it is cut off below, and ``upper`` above, None if it is not.
        unit: a parameter: the density is of what it is stated of times that.
        span: where it stands in the call, if it is of one.
    """

    text: str
    name: str
    values: tuple[tuple[str, float], ...]
    lower: float | None = None
    upper: float | None = None
    unit: str = ""
    span: Span | None = None

    @property
    def row(self) -> str:
        """The row of :data:`mix2stan.priors.rows.DENSITIES`."""
        return STATED[self.name].row

    @property
    def support(self) -> tuple[float, float]:
        """Where it is not zero."""
        low, high = STATED[self.name].support
        numbers = dict(self.values)
        low = max(low, numbers.get("lower", low))
        high = min(high, numbers.get("upper", high))
        return (
            low if self.lower is None else max(low, self.lower),
            high if self.upper is None else min(high, self.upper),
        )


class _Reader(Transformer[Token, Any]):
    def number(self, children: list[Token]) -> float:
        return float(children[0])

    def limit(self, children: list[float]) -> float | None:
        return children[0] if children else None

    def truncation(self, children: list[float | None]) -> tuple[float | None, ...]:
        return tuple(children)

    def start(self, children: list[Any]) -> tuple[Token, list[float], tuple[float | None, ...]]:
        name, *rest = children
        cut = rest.pop() if rest and isinstance(rest[-1], tuple) else (None, None)
        return name, rest, cut


@functools.cache
def _reader() -> Lark:
    text = (resource_folder("grammar") / "density.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", transformer=_Reader())


def parse_density(text: str, span: Span | None = None) -> Written:
    """A density from its text, such as ``normal(0, 5)`` or ``student_t(3, 0, 2.5) T[0, ]``.

    Args:
        text: the density.
        span: where it stands, if it is part of a longer text.

    Raises:
        FormulaError: if it cannot be read, is not known, or has impossible numbers.
    """
    try:
        read: Any = _reader().parse(text)
    except UnexpectedInput as error:
        start = min(error.pos_in_stream or 0, len(text) - 1) if text else 0
        hint = "write it as normal(0, 5), student_t(3, 0, 2.5) T[0, ] or lkj(2), with numbers"
        message = f"the prior {text!r} cannot be read"
        raise FormulaError(message, text, Span(start, start + 1), hint) from None
    token, numbers, (lower, upper) = read
    name = str(token)
    if name not in STATED and name in _OF_STAN:
        message = f"a prior {name}() cannot be expressed"
        hint = f"these can: {', '.join(STATED)}"
        raise Unsupported(message, text, _span(token), hint)
    if name not in STATED:
        hint = suggestion(name, STATED, what="the densities")
        raise FormulaError(f"there is no density {name!r}", text, _span(token), hint)
    density = STATED[name]
    if len(numbers) != len(density.arguments):
        wanted = f"{name}({', '.join(density.arguments)})"
        message = f"{name} has {_count(len(density.arguments))}, not {len(numbers)}"
        raise FormulaError(message, text, _span(token), f"write {wanted}")
    at = density.place
    values = tuple(zip(density.slots, [*numbers[:at], *density.first, *numbers[at:]], strict=True))
    written = Written(text, name, values, lower, upper)
    _check(written, text, _span(token))
    return written


def _check(written: Written, text: str, span: Span) -> None:
    density = STATED[written.name]
    for slot, value in written.values:
        if slot in density.positive and value <= 0:
            message = f"{slot} of {written.name} has to be positive: {format_number(value)}"
            raise FormulaError(message, text, span)
    low, high = written.support
    if low >= high:
        raise FormulaError(f"nothing is left of {written.name} between its bounds", text, span)


def _count(n: int) -> str:
    return "1 number" if n == 1 else f"{n or 'no'} numbers"


def _span(token: Token) -> Span:
    return Span(token.start_pos or 0, token.end_pos or 0)
