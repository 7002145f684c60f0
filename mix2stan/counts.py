"""Numbers that a user asks for, checked in words before anything is done with them."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from mix2stan.errors import FormulaError, Mix2stanError, Span

__all__ = ["MAX_SEED", "bounded", "seed_or_drawn", "share", "whole"]

#: The largest seed that Stan takes.
MAX_SEED = 2**32 - 1


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """A whole number within limits, as Python's int.

    Raises:
        Mix2stanError: if it is another number, or no number.

    >>> whole("chains", 4, 1)
    4
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        number = operator.index(value)
        if least <= number and (most is None or number <= most):
            return number
    limits = f"of at least {least}" if most is None else f"between {least} and {most}"
    hint = f"write {name}={value}" if isinstance(value, str) and value.isdigit() else None
    raise Mix2stanError(f"{name} must be a whole number {limits}, not {value!r}", hint=hint)


def share(name: str, value: Any) -> float:
    """A number between 0 and 1, neither of them.

    Raises:
        Mix2stanError: if it is another number, or no number.

    >>> share("level", 0.95)
    0.95
    """
    number = isinstance(value, int | float | np.integer | np.floating)
    if number and not isinstance(value, bool) and 0 < value < 1:
        return float(value)
    raise Mix2stanError(f"{name} must be a number between 0 and 1, not {value!r}")


def seed_or_drawn(seed: Any, most: int | None = MAX_SEED) -> int:
    """A seed, from 0 to ``most``; one drawn at random if it is None.

    Raises:
        Mix2stanError: if it is no such number.

    >>> seed_or_drawn(1)
    1
    """
    if seed is None:
        return int(np.random.default_rng().integers(1, 2**31 - 1))
    return whole("seed", seed, 0, most)


def bounded(count: float, most: float, what: str, span: Span | None = None) -> int:
    """A count that a text asks for, before so much is made.

    Args:
        count: how many.
        most: how many there may be.
        what: of them, in the plural: ``"values"``, ``"columns of the design"``.
        span: the text that asks.

    Raises:
        FormulaError: if there are more, or it is no count.

    >>> bounded(3, 10, "values")
    3
    """
    if not 0 <= count <= most:  # nor NaN
        size = f"{count:,.0f}" if abs(count) < 1e15 else f"{count:.3g}"
        raise FormulaError(
            f"this asks for {size} {what}", span=span, hint=f"at most {most:,.0f} are made"
        )
    return int(count)
