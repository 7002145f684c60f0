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
    censoring: Censoring, expression: Node, column: Column, data: Data
) -> tuple[Array, Array]:
    """The ends of the interval of every row, equal where the value was observed; shape (N,) each.

    Args:
        censoring: what says which rows are censored.
        expression: the response.
        column: its values; two columns, the ends, if there is no code.
        data: the rows.

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
    else:
        if values.ndim != 1:
            raise FormulaError(f"{expression} has several columns", span=expression.span)
        code = _codes(censoring.code, data)
        ends = values if censoring.upper is None else data.vector(censoring.upper)
        if censoring.upper is None and (code == _CODES["interval"]).any():
            hint = "write cens(code, y2), with y2 where the interval ends"
            message = "an interval needs a second end"
            raise FormulaError(message, span=censoring.code.span, hint=hint)
        lower = np.where(code == _CODES["left"], -np.inf, values)
        upper = np.where(code == _CODES["interval"], ends, values)
        upper = np.where(code == _CODES["right"], np.inf, upper)
    bad = ~(lower <= upper) | (np.isinf(lower) & np.isinf(upper))
    if bad.any():
        i = int(np.argmax(bad))
        ends_of = f"from {lower[i]:g} to {upper[i]:g}"
        message = f"{expression} is {ends_of} in row {int(data.frame.rows[i]) + 1}"
        hint = "an interval begins before it ends, and one of its ends is finite"
        raise FormulaError(message, span=expression.span, hint=hint)
    return lower, upper


def bounds(truncation: Truncation, data: Data) -> dict[str, Array]:
    """The bounds of every row, ``lower`` and ``upper``, where there are such; shape (N,) each."""
    ends = {"lower": truncation.lower, "upper": truncation.upper}
    return {name: _bound(end, data) for name, end in ends.items() if end is not None}


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
