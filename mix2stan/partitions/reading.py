"""The model's expressions bound to partitions: levels that all have together, rows of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.binding import variables_of
from mix2stan.design import Column, Evaluation, Frame, ModelFrame
from mix2stan.design.functions import FUNCTIONS
from mix2stan.dialects import Request
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.graph import UNITS, ModelGraph
from mix2stan.matrices import Data
from mix2stan.partitions.columns import MOST_LEVELS, Kinds, Look, joined, kinds_of, typed
from mix2stan.partitions.sources import Source
from mix2stan.syntax import Call, Name, Node, names_in, walk

__all__ = ["Reading", "read", "refusal"]

#: Functions that learn levels alone, which are known.
_MAKES_FACTOR = ("factor", "as.factor", "as.character", "ordered", "as.ordered")


@dataclass(frozen=True)
class Reading:
    """The model's expressions, ready to be evaluated on any partition; it can be pickled.

    Attributes:
        kinds: the columns they are made of.
        data: the expressions on a few rows that have all levels.
    """

    kinds: Kinds
    data: Data

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.kinds.columns)

    def rows(self, partition: pd.DataFrame) -> Data:
        """The complete rows of a partition."""
        return self.data.on(self.data.frame.replay(typed(partition, self.kinds)))


def refusal(source: Source, why: str) -> Unsupported:
    """That a model cannot be reduced."""
    return Unsupported(f"this model needs all rows in memory: {why}", hint=source.whole)


def read(request: Request, source: Source) -> tuple[Reading, int]:
    """Bind a model to partitions in two passes: the types of the columns, then the levels in use.

    Returns:
        The model's expressions, and how many rows lack a value.

    Raises:
        Unsupported: if a function learns from all rows, or there are too many levels.
        FormulaError, DataError: as :func:`mix2stan.matrices.bind`.
    """
    graph = request.graph
    wanted = variables_of(graph, source.names)
    # a name misspelt is found before all rows are read
    named = Evaluation(Frame(dict.fromkeys(source.names, Column.numeric([np.nan])), 1))
    for node in wanted:
        if isinstance(node, Name):
            named.variable(node)
    kinds = _kinds(source, wanted)
    evaluation = Evaluation(kinds.skeleton(source.names))
    sketch = {node: evaluation.variable(node) for node in wanted}
    _check_states(source, evaluation)
    numeric = [v for g in graph.groups for v in g.factor.variables if not sketch[v].is_factor]
    survey = _Survey(kinds, evaluation.states, wanted, tuple(dict.fromkeys(numeric)))
    total = _Total(source)
    for part in source.each(survey, tuple(kinds.columns)):
        total.add(part)
    total.check(request.na_action)
    columns = {node: total.column(node, column) for node, column in sketch.items()}
    most = max(len(column) for column in columns.values())
    columns = {n: c.rows(np.resize(np.arange(len(c)), most)) for n, c in columns.items()}
    frame = ModelFrame(columns, np.arange(most), total.dropped, evaluation.states)
    data = Data(frame, source.names, graph.response.expression, request.coding)
    return Reading(kinds, data), total.dropped


def _kinds(source: Source, wanted: Iterable[Node]) -> Kinds:
    names = {name.name for node in wanted for name in names_in(node)}
    columns = tuple(name for name in source.names if name in names)
    made = [n for node in wanted for n in walk(node) if _makes_factor(n)]
    as_levels = frozenset(name.name for node in made for name in names_in(node))
    look = Look(as_levels)
    kinds = kinds_of(columns, look, source.each(look, columns))
    for name, column in kinds.columns.items():
        if name in as_levels and len(column) > MOST_LEVELS:
            raise refusal(source, f"{name!r} would have more than {MOST_LEVELS:,} levels")
        if not len(column):
            raise FormulaError("there is nothing to fit: every row has a missing value")
    return kinds


def _makes_factor(node: Node) -> bool:
    return isinstance(node, Call) and node.function in _MAKES_FACTOR


def _check_states(source: Source, evaluation: Evaluation) -> None:
    for node in evaluation.states:
        if _is_given(node):
            continue
        if not _makes_factor(node):
            raise refusal(source, f"{node} learns from all rows")
        if len({name.name for name in names_in(node)}) > 1:
            raise refusal(source, f"{node} makes levels of several columns")


def _is_given(node: Node) -> bool:
    """Whether a call learns nothing, having been told: ``cut()`` with its breaks."""
    if not isinstance(node, Call) or node.function != "cut":
        return False
    breaks = FUNCTIONS["cut"].match(node)["breaks"]
    return not names_in(breaks) and Evaluation(Frame({}, 0)).numbers(breaks).size > 1


# -- the levels in use -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Surveyed:
    """The variables of one partition, on its complete rows.

    Attributes:
        rows, dropped: how many rows have all variables, and how many do not.
        missing: the variables that lack a value.
        infinite: those that have an infinite one.
        factors: those that are factors, without values, and which levels are in use.
        numbers: numeric grouping factors, a row for each of their different values.
    """

    rows: int
    dropped: int
    missing: tuple[Node, ...]
    infinite: tuple[Node, ...]
    factors: Mapping[Node, tuple[Column, NDArray[np.bool_]]]
    numbers: Mapping[Node, Column]


@dataclass(frozen=True)
class _Survey:
    """Evaluates the variables of a model on a partition."""

    kinds: Kinds
    states: Mapping[Node, Any]
    variables: tuple[Node, ...]
    numeric: tuple[Node, ...]

    def __call__(self, partition: pd.DataFrame) -> _Surveyed | None:
        if not len(partition):
            return None
        frame = typed(partition, self.kinds)
        evaluation = Evaluation(frame, dict(self.states))
        columns = {node: evaluation.variable(node) for node in self.variables}
        missing = {node: column.missing for node, column in columns.items()}
        complete = ~np.any(list(missing.values()), axis=0)
        infinite = tuple(
            n for n, c in columns.items() if not c.is_factor and np.isinf(c.values).any()
        )
        return _Surveyed(
            int(complete.sum()),
            int((~complete).sum()),
            tuple(node for node, lacks in missing.items() if lacks.any()),
            infinite,
            {n: _in_use(c, complete) for n, c in columns.items() if c.is_factor},
            {n: columns[n].rows(complete).distinct() for n in self.numeric},
        )


def _in_use(column: Column, complete: NDArray[np.bool_]) -> tuple[Column, NDArray[np.bool_]]:
    counts = np.bincount(column.values[complete], minlength=len(column.levels))
    return column.rows(np.zeros(0, dtype=np.int64)), counts > 0


class _Total:
    """The surveys of all partitions so far."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.rows = self.dropped = 0
        self._missing: dict[Node, None] = {}
        self._infinite: dict[Node, None] = {}
        self._factors: dict[Node, tuple[Column, NDArray[np.bool_]]] = {}
        self._numbers: dict[Node, Column] = {}

    def add(self, part: _Surveyed | None) -> None:
        if part is None:
            return
        self.rows += part.rows
        self.dropped += part.dropped
        self._missing |= dict.fromkeys(part.missing)
        self._infinite |= dict.fromkeys(part.infinite)
        for node, (column, used) in part.factors.items():
            known, before = self._factors.setdefault(node, (column, used))
            if known.levels != column.levels:
                raise refusal(self._source, f"the levels of {node} are those of all rows")
            self._factors[node] = known, before | used
        for node, numbers in part.numbers.items():
            known_numbers = joined(node, self._numbers.get(node, numbers), numbers)
            if len(known_numbers) > MOST_LEVELS:
                raise refusal(self._source, f"{node} would have more than {MOST_LEVELS:,} levels")
            self._numbers[node] = known_numbers

    def check(self, na_action: str) -> None:
        for node in self._infinite:
            raise FormulaError(f"{node} is infinite in some row", span=node.span)
        if self.dropped and na_action == "na.fail":
            raise FormulaError(
                f"{self.dropped} rows have missing values, among others in "
                f"{next(iter(self._missing))}, and na.action is na.fail"
            )
        if not self.rows:
            reason = "every row has a missing value" if self.dropped else "the data have no rows"
            raise FormulaError(f"there is nothing to fit: {reason}")

    def column(self, node: Node, sketch: Column) -> Column:
        """A variable with all its levels, or a few numbers."""
        if node in self._numbers:
            return self._numbers[node]
        if node not in self._factors:
            return sketch
        column, used = self._factors[node]
        everything = replace(column, values=np.flatnonzero(used))
        # truth values keep both levels, as in memory
        return everything if column.kind == "logical" else everything.used_levels()


def names_a_row(graph: ModelGraph, names: Iterable[str]) -> bool:
    """Whether a factor has a level of its own for every row."""
    return UNITS not in names and any(Name(UNITS) in g.factor.variables for g in graph.groups)
