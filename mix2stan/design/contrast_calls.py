"""R's functions that choose a factor's contrasts, and make matrices of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.counts import bounded
from mix2stan.design.contrasts import (
    CONTRASTS,
    completed,
    contrast_columns,
    contrast_name,
    poly_contrasts,
)
from mix2stan.design.evaluate import Evaluation
from mix2stan.design.frame import Column, Frame
from mix2stan.design.room import CELLS
from mix2stan.errors import FormulaError
from mix2stan.parser import parse_expression
from mix2stan.syntax import Call, Name, Node, String

__all__ = ["choose_contrasts", "contrast_function", "matrix", "of_text"]

Array = NDArray[np.float64]
Arguments = Mapping[str, Node]

#: The most cells of a matrix that is written out.
_CELLS = 1_000_000

#: The names that ``C(f, sum)`` takes for those of contrast functions.
_SHORT = frozenset({"poly", "helmert", "sum", "treatment", "SAS"})


def choose_contrasts(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``C(f, contr, how.many)``: the factor with its own contrasts, by name or as a matrix.

    As in R a function is called with the number of levels, so that its columns have numbers, where
    one that is named by a string has the levels.
    """
    column = evaluation.column(arguments["x"]).as_factor()
    further = {name: arguments[name] for name in ("base", "scores") if name in arguments}
    whole = "how.many" not in arguments
    count = len(column.levels)
    evaluation.table(count, count, call)
    match arguments.get("contr"):
        case None:
            return column
        case Name(name=kind) if kind in _SHORT and whole and not further:
            return replace(column, contrasts=contrast_name(kind))
        case String(value=kind) if whole and not further:
            return replace(column, contrasts=contrast_name(kind))
        case Name(name=kind) | String(value=kind):
            numbers = [str(i + 1) for i in range(len(column.levels))]
            made = _called(evaluation, contrast_name(kind), numbers, further)
        case other:
            made = _matrix_of(evaluation.column(other), other)
    values, labels = made
    if len(values) != count:
        shape = "x".join(map(str, values.shape))
        message = f"a {shape} contrast matrix does not fit {count} levels"
        raise FormulaError(message, span=call.span)
    if whole:
        values = completed(values)
        labels = (*labels, *[""] * (values.shape[1] - len(labels))) if labels else ()
    else:
        many = evaluation.whole(arguments["how.many"])
        values, labels = values[:, :many], labels[:many]
    return replace(column, contrasts=values, labels=labels[: values.shape[1]])


def contrast_function(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``contr.treatment(4, base = 2)``: the matrix for a number of levels, or for levels."""
    given = evaluation.column(arguments["n"])
    if given.kind == "numeric" and len(given) == 1:
        count = evaluation.whole(arguments["n"])
        if count < 2:
            raise FormulaError("contrasts are of at least two levels", span=call.span)
        evaluation.table(count, count, call)
        levels = [str(i + 1) for i in range(count)]
    else:
        levels = evaluation.strings(arguments["n"])
        evaluation.table(len(levels), len(levels), call)
    values, labels = _called(evaluation, call.function, levels, arguments)
    # what has no names but numbers is a matrix without names to R
    numbered = tuple(str(i + 1) for i in range(values.shape[1]))
    plain = call.function in ("contr.sum", "contr.helmert") and labels == numbered
    return Column.numeric(values, () if plain else labels)


def _called(
    evaluation: Evaluation, function: str, levels: list[str], arguments: Arguments
) -> tuple[Array, tuple[str, ...]]:
    """What a contrast function makes of levels, with its further arguments."""
    values, labels = CONTRASTS[function](levels)
    if function == "contr.treatment" and "base" in arguments:
        base = evaluation.whole(arguments["base"])
        if not 1 <= base <= len(levels):
            message = f"the base is one of {len(levels)} levels, by its number"
            raise FormulaError(message, span=arguments["base"].span)
        values = np.delete(np.eye(len(levels)), base - 1, axis=1)
        labels = [level for i, level in enumerate(levels) if i != base - 1]
    elif function == "contr.poly" and "scores" in arguments:
        scores = evaluation.numbers(arguments["scores"])
        if scores.shape != (len(levels),):
            message = f"{scores.size} scores do not fit {len(levels)} levels"
            raise FormulaError(message, span=arguments["scores"].span)
        values, labels = poly_contrasts(scores)
    elif "base" in arguments or "scores" in arguments:
        name = "base" if "base" in arguments else "scores"
        message = f"{function}() has no argument '{name}'"
        raise FormulaError(message, span=arguments[name].span)
    return values, tuple(labels)


def _matrix_of(column: Column, node: Node) -> tuple[Array, tuple[str, ...]]:
    if column.kind != "numeric":
        raise FormulaError(f"{node} is no contrast matrix", span=node.span)
    values = np.asarray(column.values, dtype=float)
    return (values[:, None], ()) if values.ndim == 1 else (values, column.labels)


def of_text(levels: tuple[str, ...], text: str) -> tuple[Array, list[str]]:
    """The contrasts of levels by what a call's ``contrasts`` has for their factor.

    Args:
        levels: k of them.
        text: the name of a function (a string to R), a function called with the number of levels
            (``contr.SAS()``), or an expression for a matrix or a single column.

    Raises:
        FormulaError: if there is no such function, or the matrix does not fit.
    """
    if "(" not in text:
        return contrast_columns(levels, text)
    expression = parse_expression(text)
    if isinstance(expression, Call) and not expression.args:
        numbers = [str(i + 1) for i in range(len(levels))]
        return contrast_columns(numbers, expression.function)
    column = Evaluation(Frame({}, 0)).column(expression)
    values, labels = _matrix_of(column, expression)
    if column.values.ndim == 1 and len(values) == len(levels):
        values = completed(values)
    return contrast_columns(levels, values, labels)


def matrix(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``matrix(data, nrow, ncol, byrow)`` without names."""
    data = evaluation.numbers(arguments["data"]).ravel()
    rows, columns = (
        evaluation.whole(arguments[name]) if name in arguments else None
        for name in ("nrow", "ncol")
    )
    if rows is None:
        rows = -(-len(data) // columns) if columns else len(data)
    columns = columns or -(-len(data) // max(rows, 1))
    if rows < 1 or columns < 1 or not len(data):
        raise FormulaError("this matrix has no shape", span=call.span)
    bounded(rows * columns, _CELLS, CELLS, call.span)
    order = "byrow" in arguments and evaluation.flag(arguments["byrow"])
    filled = np.resize(data, rows * columns)
    return Column.numeric(filled.reshape(rows, columns, order="C" if order else "F"))
