"""What the columns of a model turned out to be, where that is not what it looks like."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mix2stan.design import Column, unclear_time
from mix2stan.graph import ModelGraph
from mix2stan.matrices import Data
from mix2stan.syntax import Name, Node

__all__ = ["column_remarks"]

_FEW_LEVELS = 5
#: A factor has nearly a level per row if it has more levels than rows over this, and than this.
_PER_LEVEL, _MANY = 2, 10
#: From here on floats skip integers.
_FLOATS = 2.0**53


def column_remarks(graph: ModelGraph, data: Data) -> list[str]:
    """Remarks on predictors that are text or times, and on numbers that became levels.

    Raises:
        FormulaError: for points in time that could count days as well as seconds.
    """
    predictors = dict.fromkeys(
        node for formula in graph.formulas() for node in data.terms(formula).variables
    )
    remarks = [remark for node in predictors for remark in _of_predictor(node, data)]
    factors = dict.fromkeys(v for group in graph.groups for v in group.factor.variables)
    remarks += [remark for node in factors for remark in _of_factor(node, data)]
    return list(dict.fromkeys(remarks))


def _of_predictor(node: Node, data: Data) -> Iterator[str]:
    column = data.column(node)
    if column.text and isinstance(node, Name):
        yield from _of_text(node, column, data.count)
    unclear_time(column, node)
    if column.unit:
        yield f"{node} counts {column.counts}"


def _of_text(node: Node, column: Column, rows: int) -> Iterator[str]:
    """Text that looks as if numbers were meant, or that has hardly two rows of a level."""
    k = len(column.levels)
    others = [level for level in column.levels if not _reads_as_number(level)]
    if k > 2 and not others:
        yield (
            f"{node} is text, and each of its {k} values a level, though all are numbers: "
            f"as.numeric({node}) makes it one"
        )
    elif k - len(others) > max(2, 3 * len(others)):
        named = ", ".join(map(repr, others[:3])) + (", …" if len(others) > 3 else "")
        yield (
            f"{node} is text because of {named}, and each of its {k} values is a level: "
            f"as.numeric({node}) makes it a number that is missing there"
        )
    elif k > max(_MANY, rows / _PER_LEVEL):
        yield (
            f"{node} is text of {k} different values in {rows} rows, and each has a coefficient: "
            f"is it meant as a group, (1 | {node}), or to be left out?"
        )


def _reads_as_number(level: str) -> bool:
    try:
        return bool(np.isfinite(float(level.replace("_", "x"))))
    except ValueError:
        return False


def _of_factor(node: Node, data: Data) -> Iterator[str]:
    """Measurements that became factors, and numbers of which several are one level."""
    column = data.frame.columns.get(node)
    if column is None or column.is_factor or column.values.ndim != 1 or column.unit:
        return
    values = np.unique(column.values if column.exact is None else column.exact)
    if len(values) > _FEW_LEVELS and (values != values // 1).any():
        yield (
            f"{node} is numeric, and each of its {len(values)} values is a level: "
            "is it meant as a covariate?"
        )
    if column.exact is None and len(values) and np.abs(values).max() > _FLOATS:
        yield (
            f"{node} has numbers beyond 2^53, which floating point cannot tell apart: "
            "give identifiers as integers, or as text"
        )
    levels = len(column.as_factor().levels)
    if levels < len(values):
        yield (
            f"{node} has {len(values)} different numbers and {levels} levels: those that are equal "
            "to 15 digits are one, as in R's factor()"
        )
