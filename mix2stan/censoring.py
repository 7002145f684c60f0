"""Censored responses: the interval that each value is known to lie in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mix2stan.design import Column
from mix2stan.errors import FormulaError
from mix2stan.graph import Censoring, Truncation
from mix2stan.matrices import Data
from mix2stan.syntax import Node, Number

__all__ = ["ROW_SETS", "bounds", "intervals", "row_sets"]

Array = NDArray[np.float64]

#: The names of the rows that a program takes apart.
ROW_SETS = ("observed", "left", "right", "interval")
#: brms' codes, as numbers.
_CODES = {"left": -1.0, "none": 0.0, "right": 1.0, "interval": 2.0}


def intervals(
    censoring: Censoring, expression: Node, column: Column, data: Data, counts: bool = False
) -> tuple[Array, Array]:
    """The ends of the interval of every row, equal where the value was observed; shape (N,) each.

    The lower end is outside the interval and the upper one in it, which matters to counts: brms
    counts from above ``y`` to ``y2``, and MCMCglmm from its first column on.

    Args:
        censoring: what says which rows are censored.
        expression: the response.
        column: its values; two columns, the ends, if there is no code.
        data: the rows.
        counts: whether the values are counts.

    Raises:
        FormulaError: for a code that is none, or an interval that ends before it begins.
    """
    if column.is_factor:
        hint = "only numbers are censored"
        raise FormulaError(f"{expression} is not numeric", span=expression.span, hint=hint)
    values = column.numbers()
    if censoring.code is None:
        if values.ndim != 2 or values.shape[1] != 2:
            message = f"{expression} has to be two columns, the ends of an interval"
            raise FormulaError(message, span=expression.span, hint="write cbind(lower, upper)")
        lower, upper = values[:, 0], values[:, 1]
        first = lower
        if counts:
            _check_whole(expression, lower, upper, data)
            lower = _from_counts(lower, upper)
    else:
        if values.ndim != 1:
            raise FormulaError(f"{expression} has several columns", span=expression.span)
        code = _codes(censoring.code, data)
        ends = values if censoring.upper is None else data.vector(censoring.upper)
        if censoring.upper is None and (code == _CODES["interval"]).any():
            hint = "write cens(code, y2), with y2 where the interval ends"
            message = "an interval needs a second end"
            raise FormulaError(message, span=censoring.code.span, hint=hint)
        first = lower = np.where(code == _CODES["left"], -np.inf, values)
        upper = np.where(code == _CODES["interval"], ends, values)
        upper = np.where(code == _CODES["right"], np.inf, upper)
        if counts:
            _check_whole(expression, lower, upper, data)
        empty = (code == _CODES["interval"]) & (lower == upper)
        if counts and empty.any():
            i = int(np.argmax(empty))
            message = f"{expression} ends its interval at {upper[i]:g} in row {_row(data, i)}"
            hint = "an interval of counts is from above y to y2: y2 has to be more than y"
            raise FormulaError(message, span=expression.span, hint=hint)
    bad = ~(lower <= upper) | (np.isinf(lower) & np.isinf(upper))
    if bad.any():
        i = int(np.argmax(bad))
        ends_of = f"from {first[i]:g} to {upper[i]:g}"
        message = f"{expression} is {ends_of} in row {_row(data, i)}"
        hint = "an interval begins before it ends, and one of its ends is finite"
        raise FormulaError(message, span=expression.span, hint=hint)
    return lower, upper


def _from_counts(lower: Array, upper: Array) -> Array:
    """The lower ends that are no longer in the interval; none where all counts up to the upper are."""
    below = np.where(lower == upper, lower, lower - 1)
    return np.where((below < 0) & (lower < upper), -np.inf, below)


def _check_whole(expression: Node, lower: Array, upper: Array, data: Data) -> None:
    for ends in (lower, upper):
        bad = np.isfinite(ends) & (ends != np.round(ends))
        if bad.any():
            i = int(np.argmax(bad))
            message = f"{expression} has an end at {ends[i]:g} in row {_row(data, i)}"
            raise FormulaError(message, span=expression.span, hint="a count is a whole number")


def _row(data: Data, i: int) -> int:
    return int(data.frame.rows[i]) + 1


def bounds(truncation: Truncation, data: Data, counts: bool = False) -> dict[str, Array]:
    """The bounds of every row, ``lower`` and ``upper``, where there are such; shape (N,) each.

    Both are values that can be observed; those of counts are rounded inwards.

    Raises:
        FormulaError: for a bound of counts that is infinite.
    """
    ends = {"lower": truncation.lower, "upper": truncation.upper}
    found = {name: (end, _bound(end, data)) for name, end in ends.items() if end is not None}
    for end, values in found.values():
        if counts and not np.isfinite(values).all():
            row = _row(data, int(np.argmin(np.isfinite(values))))
            message = f"the bound {end} is infinite in row {row}"
            hint = "a lower bound of counts that is none is 0, an upper one larger than all counts"
            raise FormulaError(message, span=end.span, hint=hint)
    inwards = {"lower": np.ceil, "upper": np.floor}
    return {name: inwards[name](v) if counts else v for name, (_, v) in found.items()}


def _bound(end: Node, data: Data) -> Array:
    if isinstance(end, Number):
        return np.full(data.rows, end.value)
    return data.vector(end)


def _codes(code: Node, data: Data) -> Array:
    """The codes as numbers: words, brms' numbers, or truth values, true being right."""
    column = data.frame.column(code)
    if column.kind in ("factor", "ordered"):
        found = [_CODES.get(level, np.nan) for level in column.levels]
        values = np.array(found, dtype=float)[column.values]
        shown = [column.levels[i] for i in column.values]
    else:
        values = np.asarray(column.numbers(), dtype=float)
        shown = [f"{v:g}" for v in values]
    bad = ~np.isin(values, list(_CODES.values()))
    if bad.any():
        i = int(np.argmax(bad))
        message = f"{code} is {shown[i]} in row {int(data.frame.rows[i]) + 1}"
        hint = "censoring is none, left, right or interval, or 0, -1, 1 or 2"
        raise FormulaError(message, span=code.span, hint=hint)
    return np.asarray(values)


def row_sets(lower: Array, upper: Array) -> dict[str, NDArray[np.int64]]:
    """The rows of each kind, counted from 1."""
    kinds = (lower == upper, np.isinf(lower), np.isinf(upper))
    masks = (*kinds, ~np.any(kinds, axis=0))
    return {name: np.flatnonzero(m) + 1 for name, m in zip(ROW_SETS, masks, strict=True)}
