"""R's model frame: the variables of a model, evaluated, and the rows that have all of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mix2stan.design.evaluate import Evaluation
from mix2stan.design.frame import Column, Frame
from mix2stan.errors import DataError, FormulaError
from mix2stan.syntax import Call, Name, Node, walk

__all__ = ["ModelFrame", "model_frame"]

Key = TypeVar("Key")
NOTHING: Mapping[Any, Any] = MappingProxyType({})


#: Functions that make a factor of what they are given, and what says which levels it has.
_MAKERS = ("factor", "as.factor", "ordered", "as.ordered")
_OWN_LEVELS = frozenset({"levels", "exclude", "labels"})


@dataclass(frozen=True, eq=False)
class ModelFrame:
    """Evaluated variables on complete rows.

    Attributes:
        columns: the variables by their expressions.
        rows: positions of the rows in the frame they came from, shape (n,).
        dropped: how many rows lacked a value.
        states: what functions such as ``poly`` learnt, for :meth:`replay`.
    """

    columns: Mapping[Node, Column]
    rows: NDArray[np.int64]
    dropped: int
    states: Mapping[Node, Any]

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def column(self, expression: Node) -> Column:
        """The variable an expression stands for."""
        return self.columns[expression]

    def replay(self, frame: Frame, expressions: Sequence[Node] | None = None) -> ModelFrame:
        """The same variables on new data: same levels, knots, means; incomplete rows dropped.

        Args:
            frame: the new data.
            expressions: the variables wanted; all if None.

        Raises:
            DataError: for a level that was not there before.
        """
        wanted = tuple(self.columns) if expressions is None else expressions
        evaluation = Evaluation(frame, dict(self.states))
        found = {node: evaluation.variable(node) for node in wanted}
        _check_made(wanted, evaluation)
        rows, dropped = _complete_rows(found, frame.n)
        columns = {}
        for node, column in found.items():
            # what is known of rows, such as their trials, may be part of a variable of the fit
            old, new = self.columns.get(node), column.rows(rows) if dropped else column
            columns[node] = new if old is None or not old.is_factor else _recode(new, old, node)
        return ModelFrame(columns, rows, dropped, self.states)


def model_frame(
    expressions: Sequence[Node],
    frame: Frame,
    *,
    na_action: str = "na.omit",
    drop_levels: bool = True,
    unbounded: Collection[Node] = (),
    needed: Mapping[Node, tuple[Node, Callable[[Column], NDArray[np.bool_]]]] = NOTHING,
    keep: NDArray[np.bool_] | None = None,
    complete_first: bool = False,
) -> ModelFrame:
    """Evaluate variables and drop incomplete rows, in R's order.

    Functions learn from all rows; then those that ``keep`` leaves out go, then those in which any
    variable is missing, then levels that no row has any more.  With ``complete_first`` functions
    learn from what is left, as in nlme.

    Args:
        expressions: the variables, each once.
        frame: the data.
        na_action: ``"na.omit"`` or ``"na.exclude"`` to drop rows, ``"na.fail"`` to stop at them.
        unbounded: the variables that may be infinite.
        needed: variables that only some rows need, each with another and what says from that which
            rows; elsewhere they may be missing.
        drop_levels: whether unused levels go, as in the fitting functions but not ``model.matrix``.
        keep: the rows of ``subset``, all if None; positions are those in the frame.
        complete_first: whether rows that lack a column in use go before functions are evaluated.

    Raises:
        FormulaError: if no row is left, if a value is infinite, or for missing values under
            ``na.fail``.
    """
    chosen = np.arange(frame.n) if keep is None else np.flatnonzero(keep)
    asked, source, places = len(chosen), frame, chosen
    if complete_first and na_action != "na.fail":
        used = {name: frame.columns[name].rows(chosen) for name in _columns_of(expressions, frame)}
        complete, _ = _complete_rows(used, asked)
        chosen, places = chosen[complete], np.arange(len(complete))
        source = Frame(_used_levels({n: c.rows(complete) for n, c in used.items()}), len(complete))
    evaluation = Evaluation(source)
    columns = {node: evaluation.variable(node) for node in expressions}
    if len(places) < source.n:
        columns = {node: column.rows(places) for node, column in columns.items()}
    for node, column in columns.items():
        if node not in unbounded:
            _check_finite(node, column, chosen)
    excused = {node: ~of(columns[other]) for node, (other, of) in needed.items() if node in columns}
    rows, _ = _complete_rows(columns, len(chosen), excused)
    dropped = asked - len(rows)
    if dropped and na_action == "na.fail":
        culprit = next(str(n) for n, c in columns.items() if c.missing.any())
        raise FormulaError(
            f"{dropped} rows have missing values, first in {culprit}, and na.action is na.fail"
        )
    if len(rows) == 0:
        reason = "every row has a missing value" if asked else "the data have no rows"
        raise FormulaError(f"there is nothing to fit: {reason}")
    if len(rows) < len(chosen):
        columns = {node: column.rows(rows) for node, column in columns.items()}
    if drop_levels:
        columns = _used_levels(columns)
    for column in columns.values():
        # what reads them afterwards may share them
        column.values.setflags(write=False)
    return ModelFrame(columns, chosen[rows], dropped, evaluation.states)


def _used_levels(columns: Mapping[Key, Column]) -> dict[Key, Column]:
    """The columns, factors without the levels that no row has."""
    factors = ("factor", "ordered")
    return {k: c.used_levels() if c.kind in factors else c for k, c in columns.items()}


def _columns_of(expressions: Sequence[Node], frame: Frame) -> list[str]:
    """The columns that expressions are made of."""
    named = {n.name: None for e in expressions for n in walk(e) if isinstance(n, Name)}
    return [name for name in named if name in frame.columns]


def _complete_rows(
    columns: Mapping[Any, Column], n: int, excused: Mapping[Any, NDArray[np.bool_]] = NOTHING
) -> tuple[NDArray[np.int64], int]:
    """The rows that have all variables, but those of which they are excused, and how many have not."""
    complete = np.ones(n, dtype=bool)
    for node, column in columns.items():
        complete &= ~column.missing | excused.get(node, False)
    rows = np.flatnonzero(complete)
    return rows, n - len(rows)


def _check_finite(node: Node, column: Column, rows: NDArray[np.int64]) -> None:
    if column.kind != "numeric":
        return
    infinite = np.isinf(column.values)
    if infinite.any():
        row = int(rows[np.argwhere(infinite)[0][0]])
        raise FormulaError(f"{node} is infinite in row {row + 1}", span=node.span)


def _check_made(expressions: Sequence[Node], evaluation: Evaluation) -> None:
    """Refuse a value that ``factor(x)`` has no level for, as the rows it learnt from had none.

    Where a call has levels of its own such a value is missing, as in R.

    Raises:
        DataError: naming the first such value.
    """
    for node in dict.fromkeys(n for e in expressions for n in walk(e)):
        named = {a.name for a in node.args} if isinstance(node, Call) else set()
        if not isinstance(node, Call) or node.function not in _MAKERS or named & _OWN_LEVELS:
            continue
        made, given = evaluation.variable(node), evaluation.variable(node.args[0].value)
        unknown = made.missing & ~given.missing
        if unknown.any():
            as_levels = given.rows(np.flatnonzero(unknown)[:1]).as_factor()
            level = as_levels.levels[int(as_levels.values[0])]
            raise DataError(f"{node} has the level {level!r}, which the model has not seen")


def _recode(new: Column, old: Column, node: Node) -> Column:
    """A new factor with the old one's levels."""
    place = {level: i for i, level in enumerate(old.levels)}
    new = new.as_factor() if new.kind != old.kind else new
    used = set(new.values.tolist())
    unknown = [level for i, level in enumerate(new.levels) if level not in place and i in used]
    if unknown:
        raise DataError(f"{node} has the level {unknown[0]!r}, which the model has not seen")
    table = np.array([place.get(level, -1) for level in new.levels] + [-1], dtype=np.int64)
    return replace(old, values=table[new.values])
