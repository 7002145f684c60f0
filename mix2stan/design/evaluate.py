"""Expressions of R, evaluated on columns by looking every function up in a table.

Nothing is handed to an interpreter: an expression is a syntax tree, a name is a column, and a
function is a row of :data:`mix2stan.design.functions.FUNCTIONS`.  Functions that learn from the data
(``poly``, ``scale``, the levels of ``factor``) leave what they learnt in :attr:`Evaluation.states`, so
that the same expression means the same on new data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mix2stan.counts import bounded
from mix2stan.design.column import LARGEST
from mix2stan.design.frame import Column, Frame
from mix2stan.design.room import CELLS, most_cells
from mix2stan.design.times import TIMES
from mix2stan.errors import DataError, FormulaError, Unsupported, suggestion
from mix2stan.syntax import Call, Constant, Formula, Name, Node, Number, Operator, Parens, String

__all__ = ["Evaluation", "unclear_time"]

Array = NDArray[Any]
State = TypeVar("State")

#: How many values an expression may have where the data have fewer rows, and all of them together.
_VALUES, _IN_ALL = 10_000_000, 100_000_000
#: So many times the rows of the data are never too many.
_TIMES = 4
#: How many words a list of levels or breaks may have, where the data have fewer rows.
_WORDS = 1_000_000

_CONSTANT_NAMES = {"pi": math.pi, "T": True, "F": False}

_ARITHMETIC: dict[str, Callable[[Array, Array], Array]] = {
    "+": np.add,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
    "%%": np.mod,
    "%/%": np.floor_divide,
}
_COMPARISONS: dict[str, Callable[[Array, Array], Array]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    ">": np.greater,
    "<=": np.less_equal,
    ">=": np.greater_equal,
}


class Evaluation:
    """Evaluates expressions on one frame.

    Args:
        frame: the columns.
        states: what functions learnt earlier; None to let them learn now.
    """

    def __init__(self, frame: Frame, states: dict[Node, Any] | None = None) -> None:
        self.frame = frame
        self.states: dict[Node, Any] = {} if states is None else states
        self._replaying = states is not None
        self._spent = 0

    def room(self, count: float, node: Node, what: str = "values") -> int:
        """A number of values that an expression asks for, before they are made.

        Whatever has more values than what it is made of asks here, so that a short text cannot ask
        for unbounded work: neither at once nor in many pieces.

        Raises:
            FormulaError: if they are many more than the data have rows, alone or with all before.
        """
        most = max(_VALUES, _TIMES * self.frame.n)
        found = bounded(count, most, what, node.span)
        if found > self.frame.n:
            in_all = max(_IN_ALL, _IN_ALL // _VALUES * most)
            self._spent = bounded(self._spent + found, in_all, f"{what} in all", node.span)
        return found

    def table(self, rows: int, columns: float, node: Node) -> None:
        """As :meth:`room`, of a matrix.

        Raises:
            FormulaError: if it has too many cells.
        """
        bounded(rows * columns, most_cells(self.frame.n), CELLS, node.span)

    def words(self, count: float, node: Node, what: str = "levels") -> int:
        """As :meth:`room`, of levels and their like, which are text.

        Raises:
            FormulaError: if there are too many.
        """
        return bounded(count, max(_WORDS, self.frame.n), what, node.span)

    def remember(self, call: Node, learn: Callable[[], State]) -> State:
        """What a call learnt from the data it was first evaluated on."""
        if call not in self.states:
            if self._replaying:
                raise DataError(f"{call} was not part of the model")
            self.states[call] = learn()
        state: State = self.states[call]
        return state

    def variable(self, node: Node) -> Column:
        """An expression as a column of the frame's length.

        Raises:
            FormulaError: if it names what does not exist, or computes with what has no numbers.
        """
        column = self.column(node)
        if len(column) == self.frame.n:
            return column
        if len(column) == 1:
            self.table(self.frame.n, column.values.size, node)
            return column.rows(np.zeros(self.frame.n, dtype=np.int64))
        message = f"{node} has {len(column)} values for {self.frame.n} rows"
        raise FormulaError(message, span=node.span)

    def column(self, node: Node) -> Column:
        """An expression as a column; a constant has length 1."""
        match node:
            case Name():
                return self._name(node)
            case Number(value=value):
                return Column.numeric([value])
            case String(value=text):
                return Column("factor", np.zeros(1, dtype=np.int64), (text,))
            case Constant(value=bool(value)):
                return Column.logical([value])
            case Constant(name="NULL"):
                raise FormulaError("NULL has no value here", span=node.span)
            case Constant(value=value):
                return Column.numeric([value])
            case Parens(inner=inner):
                return self.column(inner)
            case Operator():
                return self._operator(node)
            case Call():
                return self._call(node)
            case Formula():
                raise FormulaError("a formula has no value here", span=node.span)
        raise FormulaError(f"{node} has no value", span=node.span)

    def numbers(self, node: Node) -> NDArray[np.float64]:
        """An expression as numbers, shape (n,), (n, p) or (1,)."""
        column = self.column(node)
        if column.kind in ("factor", "ordered"):
            message = f"{node} is a factor, which has no numeric value"
            raise FormulaError(
                message, span=node.span, hint=f"write as.numeric({node}) for its codes"
            )
        return column.numbers()

    def truths(self, node: Node) -> Column:
        """An expression as truth values."""
        column = self.column(node)
        if column.kind == "logical":
            return column
        if column.kind == "numeric" and column.values.ndim == 1:
            return Column.logical(np.nan_to_num(column.values) != 0, column.missing)
        raise FormulaError(f"{node} is neither true nor false", span=node.span)

    def strings(self, node: Node) -> list[str]:
        """A literal vector of strings or numbers: ``"a"``, ``c("a", "b")``, ``1:3``."""
        column = self.column(node)
        self.words(len(column), node, "values as text")
        column = column.as_factor()
        return [column.levels[i] for i in column.values.tolist() if i >= 0]

    def scalar(self, node: Node) -> float:
        """A single number."""
        values = self.numbers(node)
        if values.size != 1:
            raise FormulaError("a single number is expected here", span=node.span)
        return float(values.reshape(-1)[0])

    def whole(self, node: Node) -> int:
        """A single number without its fraction, as R takes counts.

        Raises:
            FormulaError: if it is missing, or infinite.
        """
        value = self.scalar(node)
        if not math.isfinite(value):
            raise FormulaError("a number is expected here", span=node.span)
        return int(value)

    def flag(self, node: Node) -> bool:
        """``TRUE`` or ``FALSE``."""
        return self.scalar(node) != 0

    def concatenate(self, nodes: Sequence[Node]) -> Column:
        """The values of several expressions one after the other, as R's ``c()``."""
        columns = [self.column(n) for n in nodes]
        if nodes:
            self.room(sum(c.values.size for c in columns), nodes[0])
        if any(c.kind in ("factor", "ordered") for c in columns):
            factors = [c.as_factor() for c in columns]
            labels = [f.levels[i] for f in factors for i in f.values.tolist()]
            levels = tuple(dict.fromkeys(labels))
            place = {level: i for i, level in enumerate(levels)}
            codes = [place[label] for label in labels]
            return Column("factor", np.array(codes, dtype=np.int64), levels)
        values = [c.numbers().reshape(-1) for c in columns]
        whole = np.concatenate(values) if values else np.zeros(0)
        if columns and all(c.kind == "logical" for c in columns):
            return Column.logical(np.nan_to_num(whole), np.isnan(whole))
        return Column.numeric(whole)

    # -- the kinds of node -------------------------------------------------------------------------

    def _name(self, node: Name) -> Column:
        if node.name in self.frame.columns:
            return self.frame.columns[node.name]
        if node.name in _CONSTANT_NAMES:
            value = _CONSTANT_NAMES[node.name]
            return Column.logical([value]) if isinstance(value, bool) else Column.numeric([value])
        hint = suggestion(node.name, self.frame.names, what="its columns")
        raise FormulaError(f"the data have no column {node.name!r}", span=node.span, hint=hint)

    def _operator(self, node: Operator) -> Column:
        symbol, operands = node.symbol, node.operands
        if symbol == "!":
            truth = self.truths(operands[0])
            return Column.logical(truth.values == 0, truth.missing)
        if symbol in ("&", "|", "&&", "||"):
            return self._connective(symbol, operands)
        if symbol in _COMPARISONS:
            return self._comparison(symbol, operands)
        if symbol == "%in%":
            wanted = set(self.strings(operands[1]))
            numbers = self.column(operands[0])
            _comparable(numbers, self.column(operands[1]), operands)
            column = numbers.as_factor()
            hits = np.array([level in wanted for level in column.levels] + [False])
            return Column.logical(hits[column.values])
        if symbol == ":":
            first, last = (self.scalar(o) for o in operands)
            count = self.room(np.floor(abs(last - first) + 1e-10) + 1, node)
            return Column.numeric(first + np.arange(count) * (1 if last >= first else -1))
        if symbol not in _ARITHMETIC and symbol != "-":
            raise FormulaError(f"{symbol!r} cannot be computed", span=node.span)
        return self._arithmetic(node)

    def _arithmetic(self, node: Operator) -> Column:
        values = [self.numbers(o) for o in node.operands]
        for operand in node.operands:
            unclear_time(self.column(operand), operand)
        with np.errstate(all="ignore"):
            if node.symbol == "-" and len(values) == 1:
                return Column.numeric(-values[0])
            total = values[0]
            for value in values[1:]:
                total = _ARITHMETIC[node.symbol](*self.same_length(total, value, node))
        return Column.numeric(total)

    def same_length(self, a: Array, b: Array, node: Node) -> tuple[Array, Array]:
        """Shapes that numpy broadcasts as R recycles: scalars, and a vector over a matrix's columns.

        Raises:
            FormulaError: if the longer one is no multiple of the shorter one.
        """
        if len(a) != len(b) and 1 not in (len(a), len(b)):
            short, long = sorted((len(a), len(b)))
            if not short or long % short or a.ndim != 1 or b.ndim != 1:
                message = f"{node} combines {len(a)} values with {len(b)}"
                hint = "a shorter one is repeated if its length divides the other"
                raise FormulaError(message, span=node.span, hint=hint)
            a, b = (np.resize(v, long) for v in (a, b))
        if a.ndim != b.ndim:
            a, b = (v[:, None] if v.ndim == 1 else v for v in (a, b))
        if a.ndim == 2:
            self.table(max(len(a), len(b)), max(a.shape[1], b.shape[1]), node)
        return a, b

    def _connective(self, symbol: str, operands: tuple[Node, ...]) -> Column:
        a, b = (self.truths(o) for o in operands)
        x, y = self.same_length(a.values, b.values, operands[0])
        if symbol[0] == "&":
            known_false = (x == 0) | (y == 0)
            return Column.logical(~known_false & (x != 0), ~known_false & ((x < 0) | (y < 0)))
        known_true = (x == 1) | (y == 1)
        return Column.logical(known_true, ~known_true & ((x < 0) | (y < 0)))

    def _comparison(self, symbol: str, operands: tuple[Node, ...]) -> Column:
        a, b = (self.column(o) for o in operands)
        if a.kind == b.kind == "numeric" or (
            "factor" not in (a.kind, b.kind)
            and "ordered"
            not in (
                a.kind,
                b.kind,
            )
        ):
            missing = np.logical_or(*self.same_length(a.missing, b.missing, operands[0]))
            x, y = self.same_length(*_comparable(a, b, operands), operands[0])
            return Column.logical(_COMPARISONS[symbol](x, y), missing)
        a, b = a.as_factor(), b.as_factor()
        base = a if a.kind == "ordered" else b
        if symbol not in ("==", "!=") and base.kind != "ordered":
            message = f"{symbol!r} has no meaning for a factor without an order"
            raise FormulaError(message, span=operands[0].span)
        levels = (
            base.levels if base.kind == "ordered" else tuple(dict.fromkeys(a.levels + b.levels))
        )
        x, y = self.same_length(_codes_in(a, levels), _codes_in(b, levels), operands[0])
        return Column.logical(_COMPARISONS[symbol](x, y), (x == -1) | (y == -1))

    def _call(self, node: Call) -> Column:
        from mix2stan.design.functions import FUNCTIONS

        row = FUNCTIONS.get(node.function)
        if row is None:
            near = suggestion(node.function, FUNCTIONS, what="some that are known")
            message = f"the function {node.function}() is not known"
            raise FormulaError(message, span=node.span, hint=near)
        if row.reason is not None:
            message = f"{node.function}() cannot be expressed"
            raise Unsupported(message, span=node.span, hint=row.reason)
        return row.evaluate(self, node, row.match(node))


def _comparable(a: Column, b: Column, nodes: Sequence[Node]) -> tuple[Array, Array]:
    """Two columns as numbers, or as the whole numbers that these stand for.

    Raises:
        FormulaError: for a number of the text that has lost digits.
    """
    if a.kind in ("factor", "ordered") or b.kind in ("factor", "ordered"):
        return a.values, b.values
    if (a.exact is None and b.exact is None) or bool(a.unit) != bool(b.unit):
        return a.numbers(), b.numbers()
    for column, node, other in ((a, nodes[0], nodes[1]), (b, nodes[1], nodes[0])):
        if column.exact is None and (np.abs(np.nan_to_num(column.values)) >= LARGEST).any():
            message = f"numbers of R have 15 digits, which is too few for those of {other}"
            hint = f'compare texts, as in as.character({other}) == "1234567890123456789"'
            raise FormulaError(message, span=node.span, hint=hint)
    x, y = (c if c.kind == "numeric" else Column.numeric(c.numbers()) for c in (a, b))
    return tuple(c.exactly().exact for c in (x, y))  # type: ignore[return-value]


def unclear_time(column: Column, node: Node) -> None:
    """Refuse a point in time as a number: a ``Date`` counts days, a ``POSIXct`` seconds.

    Raises:
        FormulaError: if it is one.
    """
    if not column.unit or TIMES[column.unit.partition(" ")[0]].says:
        return
    message = f"{node} has a type of which R would count days, or seconds"
    hint = f"write as.Date({node}) for days, as.numeric({node}) for seconds since 1970-01-01"
    raise FormulaError(message, span=node.span, hint=hint)


def _codes_in(column: Column, levels: tuple[str, ...]) -> Array:
    """The column's codes among other levels; -2 for a level that is not there."""
    place = {level: i for i, level in enumerate(levels)}
    table = np.array([place.get(level, -2) for level in column.levels] + [-1])
    return np.asarray(table[column.values])
