"""The data argument: a frame by name, or ``transform``, ``subset``, ``na.omit`` and ``[`` of one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.design.evaluate import Evaluation
from mix2stan.design.frame import Column, Frame
from mix2stan.design.verb_arguments import in_order
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.syntax import (
    Argument,
    Call,
    Constant,
    Name,
    Node,
    Number,
    Operator,
    Parens,
    String,
    rewrite,
    walk,
)

__all__ = ["evaluate_data", "rows_of_subset"]

#: What stands in ``d[rows, ]`` for all columns.
_ALL = Constant("NULL")
#: The column of rows without missing values, under a name no data have.
_COMPLETE = "complete.cases()"


def evaluate_data(node: Node, bound: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The data frame an expression stands for.

    Args:
        node: a name, or calls of ``transform``, ``subset``, ``na.omit``, ``droplevels`` around one,
            or part of one, ``d[d$x > 1, ]``.
        bound: data frames by name.

    Raises:
        FormulaError: for an unknown name or function.
    """
    if isinstance(node, Call):
        node = in_order(node)
    match node:
        case Parens(inner=inner):
            return evaluate_data(inner, bound)
        case Name(name=name) if name in bound:
            return bound[name]
        case Name(name=name):
            hint = suggestion(name, bound, what="the data given") if bound else "give data="
            raise FormulaError(f"there are no data called {name!r}", span=node.span, hint=hint)
        case Call(function="transform", args=(first, *rest)):
            return _transform(evaluate_data(first.value, bound), rest)
        case Call(function="subset", args=(first, *rest)):
            return _subset(evaluate_data(first.value, bound), rest)
        case Call(function="na.omit", args=(first,)):
            return evaluate_data(first.value, bound).dropna()
        case Call(function="[", args=(first, rows, columns)):
            return _part(evaluate_data(first.value, bound), rows.value, columns.value)
        case Call(function="[", args=(first, _)):
            message = f"{node} takes columns; rows need a comma"
            raise FormulaError(message, span=node.span, hint=f"write {first}[rows, ]")
        case Call(function="droplevels" | "as.data.frame" | "data.frame", args=(first,)):
            return evaluate_data(first.value, bound)
        case Call(function=name):
            message = f"{name}() of data cannot be computed here"
            hint = "transform(d, …), subset(d, …), na.omit(d) and d[rows, ] can"
            raise FormulaError(message, span=node.span, hint=hint)
    raise FormulaError(f"{node} is not a data frame", span=node.span)


def _transform(df: pd.DataFrame, arguments: list[Argument]) -> pd.DataFrame:
    """New columns; all are computed from the old frame, as in R."""
    evaluation = Evaluation(Frame.of(df))
    made = {}
    for argument in arguments:
        if argument.name is None:
            hint = f"write transform(d, name = {argument.value})"
            raise FormulaError("a new column needs a name", span=argument.span, hint=hint)
        made[argument.name] = _series(evaluation.variable(argument.value), df.index)
    return df.assign(**made)


def _subset(df: pd.DataFrame, arguments: list[Argument]) -> pd.DataFrame:
    """The rows where a condition is true (not missing), and the columns of ``select``."""
    named = {argument.name: argument for argument in arguments}
    condition, drop = named.get("subset"), named.get("drop")
    if drop is not None and drop.value not in (Constant("FALSE"), Name("F")):
        hint = "a data frame is had with drop = FALSE"
        raise Unsupported(f"{drop} of subset() cannot be done", span=drop.span, hint=hint)
    if condition is not None:
        evaluation = Evaluation(Frame.of(df))
        truth = evaluation.variable(condition.value)
        if truth.kind != "logical":
            message = "the condition of a subset has to be true or false"
            raise FormulaError(message, span=condition.span, hint="write it with ==, < or %in%")
        df = df[truth.values == 1]
    select = named.get("select")
    return df if select is None else df[_selected(select.value, df)]


def _part(df: pd.DataFrame, rows: Node, columns: Node) -> pd.DataFrame:
    """``d[d$x > 1, ]``, ``d[complete.cases(d), c("y", "x")]``: rows by a condition or numbers.

    Where the condition is missing R has a row of missing values, which no model uses.
    """
    if rows != _ALL:
        df = df[rows_of_subset(rewrite(rows, _own_column), Frame.of(_with_cases(df, rows)))]
    return df if columns == _ALL else df[_selected(columns, df)]


def _own_column(node: Node) -> Node:
    """``d$x`` and ``d[["x"]]`` as ``x``, ``complete.cases(d)`` as the column made of it."""
    match node:
        case Call(function="$", args=(Argument(value=Name()), Argument(value=Name() as column))):
            return column
        case Call(function="complete.cases", args=(Argument(value=Name()),)):
            return Name(_COMPLETE, span=node.span)
    return node


def _with_cases(df: pd.DataFrame, rows: Node) -> pd.DataFrame:
    wanted = any(isinstance(n, Call) and n.function == "complete.cases" for n in walk(rows))
    return df.assign(**{_COMPLETE: df.notna().all(axis=1)}) if wanted else df


def rows_of_subset(condition: Node, frame: Frame) -> NDArray[np.bool_]:
    """Which rows the ``subset`` of a fitting function keeps: where it is true, or by their numbers.

    Raises:
        FormulaError: if it is neither a condition nor distinct row numbers.
    """
    evaluation = Evaluation(frame)
    column = evaluation.column(condition)
    if column.kind == "logical":
        return np.asarray(evaluation.variable(condition).values == 1)
    keep = np.zeros(frame.n, dtype=bool)
    if column.kind == "numeric" and column.values.ndim == 1:
        numbers = column.values[column.values != 0]
        places = np.abs(numbers).astype(np.int64) - 1
        one_sign = bool((numbers > 0).all() or (numbers < 0).all())
        distinct = len(set(places.tolist())) == len(places) or bool((numbers < 0).all())
        whole = bool((numbers == np.trunc(numbers)).all()) and len(numbers) > 0
        if one_sign and distinct and whole and places.max() < frame.n:
            keep[places] = True
            return keep if numbers[0] > 0 else ~keep
    message = "a subset has to be true or false of every row, or the numbers of rows"
    raise FormulaError(message, span=condition.span, hint="write it with ==, < or %in%")


def _selected(node: Node, df: pd.DataFrame) -> list[str]:
    """``select = c(a, b)`` or ``-c(a, b)``."""
    columns = [str(c) for c in df.columns]
    if isinstance(node, Operator) and node.symbol == "-" and len(node.operands) == 1:
        dropped = _selected(node.operands[0], df)
        return [c for c in columns if c not in dropped]
    nodes = (
        [a.value for a in node.args] if isinstance(node, Call) and node.function == "c" else [node]
    )
    chosen = []
    for item in nodes:
        match item:
            case Name(name=name) if name in columns:
                chosen.append(name)
            case String(value=name) if name in columns:
                chosen.append(name)
            case Number(value=value) if 1 <= value <= len(columns):
                chosen.append(columns[int(value) - 1])
            case _:
                hint = suggestion(str(item), columns, what="the columns")
                raise FormulaError(f"there is no column {item}", span=item.span, hint=hint)
    return chosen


def _series(column: Column, index: pd.Index) -> pd.Series:
    """A column back as pandas."""
    if column.kind == "numeric":
        values = column.values if column.values.ndim == 1 else column.values[:, 0]
        return pd.Series(values, index=index)
    if column.kind == "logical":
        known = pd.array(np.where(column.values == 1, True, False), dtype="boolean")
        known[column.missing] = pd.NA
        return pd.Series(known, index=index)
    codes = pd.Categorical.from_codes(
        column.values, categories=pd.Index(column.levels), ordered=column.kind == "ordered"
    )
    return pd.Series(codes, index=index)
