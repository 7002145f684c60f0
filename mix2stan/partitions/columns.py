"""What the columns of partitions are together: numbers, truth values, or factors of which levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mix2stan.design import Column, Frame
from mix2stan.design.frame import Kind
from mix2stan.errors import DataError

__all__ = ["MOST_LEVELS", "Kinds", "Look", "Seen", "joined", "kinds_of", "typed"]

#: Numbers with more values than this are no factor.
MOST_LEVELS = 1_000_000
#: Different numbers that are enough for every function to be evaluated.
_NUMBERS = 50


@dataclass(frozen=True)
class Seen:
    """A column of one partition.

    Attributes:
        kind: None if it has nothing but missing values, and no categories.
        levels: of a factor.
        categories: whether they were declared, and have an order of their own.
        by_size: whether they are numbers.
        numbers: a numeric column's different values: all, or enough; empty for others.
    """

    kind: Kind | None
    levels: tuple[str, ...]
    categories: bool
    by_size: bool
    numbers: Column


@dataclass(frozen=True)
class Look:
    """What a partition has in its columns; of those ``as_levels`` all numbers."""

    as_levels: frozenset[str]

    def __call__(self, partition: pd.DataFrame) -> dict[str, Seen]:
        frame = _frame(partition)
        return {name: self._seen(partition, frame, i) for i, name in enumerate(frame.names)}

    def _seen(self, partition: pd.DataFrame, frame: Frame, place: int) -> Seen:
        name, dtype = frame.names[place], partition.dtypes.iloc[place]
        column = frame.columns[name]
        declared = dtype.categories if isinstance(dtype, pd.CategoricalDtype) else None
        by_size = declared is not None and pd.api.types.is_numeric_dtype(declared.dtype)
        numbers = Column.numeric([])
        if column.kind == "numeric":
            every = np.arange(len(column))
            most = len(column) if name in self.as_levels else 100 * _NUMBERS
            numbers = column.rows(every[:most]).distinct()
            few = np.arange(min(len(numbers), _NUMBERS))
            numbers = numbers if name in self.as_levels else numbers.rows(few)
        empty = declared is None and bool(column.missing.all())
        kind = None if empty else column.kind
        return Seen(kind, column.levels, declared is not None, by_size, numbers)


@dataclass(frozen=True)
class Kinds:
    """The type of every column: its levels, and some numbers or all.

    Attributes:
        columns: by name; the values of a factor are its levels, of others different values.
    """

    columns: Mapping[str, Column]

    def skeleton(self, names: Iterable[str]) -> Frame:
        """As many rows as the column with most values has, the others' repeated; the rest unknown."""
        most = max((len(column) for column in self.columns.values()), default=0)
        unknown = Column.numeric(np.full(most, np.nan))
        rows = dict.fromkeys(names, unknown) | {
            name: column.rows(np.resize(np.arange(len(column)), most))
            for name, column in self.columns.items()
        }
        return Frame(rows, most)


def kinds_of(names: Iterable[str], look: Look, partitions: Iterable[Mapping[str, Seen]]) -> Kinds:
    """The types of columns from what a look at partitions saw of them.

    Categories keep their order if all partitions have the same; otherwise, as strings, levels are
    sorted, so that they do not depend on how rows are divided.

    Raises:
        DataError: if a column has different types.
    """
    found: dict[str, _Found] = {
        name: _Found(name, MOST_LEVELS if name in look.as_levels else _NUMBERS) for name in names
    }
    for partition in partitions:
        for name, seen in partition.items():
            found[name].add(seen)
    return Kinds({name: each.column() for name, each in found.items()})


class _Found:
    """A column, as far as partitions have been looked at."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._kinds: dict[Kind, None] = {}
        self._levels: dict[tuple[str, ...], None] = {}
        self._all: set[str] = set()
        self._categories: set[bool] = set()
        self._by_size = True
        self._numbers = Column.numeric([])

    def add(self, seen: Seen) -> None:
        if seen.kind is None:
            return
        self._kinds[seen.kind] = None
        if seen.kind == "numeric":
            if len(self._numbers) <= self._most:
                self._numbers = joined(self._name, self._numbers, seen.numbers)
            return
        self._categories.add(seen.categories)
        self._by_size &= seen.by_size
        if seen.categories:
            self._levels[seen.levels] = None
        self._all |= set(seen.levels)

    def column(self) -> Column:
        kinds = list(self._kinds)
        if len(kinds) > 1:
            what = " and ".join(_WORDS[kind] for kind in kinds)
            raise DataError(f"{self._name!r} has {what} in different partitions")
        if not kinds or kinds == ["numeric"]:
            # without a number, functions can be evaluated on a missing one
            return self._numbers if len(self._numbers) else Column.numeric([np.nan])
        if kinds == ["logical"]:
            return Column.logical([False, True])
        levels = self._ordered(kinds[0])
        return Column(kinds[0], np.arange(len(levels)), levels)

    def _ordered(self, kind: Kind) -> tuple[str, ...]:
        if len(self._levels) == 1 and self._categories == {True}:
            return next(iter(self._levels))
        if kind == "ordered":
            hint = "give all partitions the same categories"
            message = f"the levels of {self._name!r} have different orders in different partitions"
            raise DataError(message, hint=hint)
        return tuple(sorted(self._all, key=float) if self._by_size else sorted(self._all))


_WORDS: Mapping[Kind, str] = {
    "numeric": "numbers",
    "logical": "truth values",
    "factor": "the levels of a factor",
    "ordered": "those of an ordered factor",
}


def joined(name: object, before: Column, more: Column) -> Column:
    """The different numbers of partitions so far.

    Raises:
        DataError: if they are times in some partitions only.
    """
    try:
        return before.joined(more).distinct()
    except DataError as error:
        raise DataError(f"'{name}' has {error} in different partitions") from None


def typed(partition: pd.DataFrame, kinds: Kinds) -> Frame:
    """The columns of a partition, with the levels that all partitions have."""
    frame = _frame(partition)
    columns = {name: _as(frame.columns[name], known) for name, known in kinds.columns.items()}
    return Frame(columns, frame.n)


def _frame(partition: pd.DataFrame) -> Frame:
    """The partition as R sees it; every string is looked at once, however many rows have it."""
    columns, plain = {}, Frame.of(partition)
    for i, name in enumerate(plain.names):
        series = partition.iloc[:, i]
        if pd.api.types.is_object_dtype(series.dtype) or pd.api.types.is_string_dtype(series.dtype):
            codes, values = pd.factorize(series)
            one = Frame.of(pd.DataFrame({name: [*values, None]}, dtype=object)).columns[name]
            columns[name] = one.rows(codes)
        else:
            columns[name] = plain.columns[name]
    return Frame(columns, len(partition))


def _as(column: Column, known: Column) -> Column:
    if column.kind == known.kind == "numeric":
        return column.exactly() if known.exact is not None else column
    if known.kind == "numeric":
        # nothing is there
        return Column.numeric(np.full(len(column), np.nan))
    column = column if column.is_factor else column.as_factor()
    place = {level: i for i, level in enumerate(known.levels)}
    table = np.array([*(place.get(level, -1) for level in column.levels), -1], dtype=np.int64)
    return Column(known.kind, table[column.values], known.levels)
