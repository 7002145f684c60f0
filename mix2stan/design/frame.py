"""Data frames as R sees them: named columns of one length, converted as they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mix2stan.design.column import Column, Kind
from mix2stan.design.series import column_of
from mix2stan.errors import DataError

__all__ = ["Column", "Frame", "Kind"]


@dataclass(frozen=True, eq=False)
class Frame:
    """Named columns of one length."""

    columns: Mapping[str, Column]
    n: int

    @classmethod
    def of(cls, df: pd.DataFrame) -> Frame:
        """A pandas frame, column by column as they are asked for.

        Strings, mixed objects and plain categories are factors (levels of strings sorted by code
        point), ordered categories are ordered factors, booleans truth values, all numbers numeric,
        dates and times numbers that know what they count.  Columns are copies, so that a change of
        the data frame changes none of them.

        Raises:
            DataError: if two columns have the same name.
        """
        names = [str(c) for c in df.columns]
        if len(set(names)) != len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise DataError(f"two columns are called {twice!r}")
        return cls(_Columns(df, names), len(df))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)


class _Columns(Mapping[str, Column]):
    """Converts a column when it is first used, so that unused ones may be of any type."""

    def __init__(self, df: pd.DataFrame, names: list[str]) -> None:
        self._df = df
        self._place = {name: i for i, name in enumerate(names)}
        self._done: dict[str, Column] = {}

    def __getitem__(self, name: str) -> Column:
        if name not in self._done:
            column = column_of(self._df.iloc[:, self._place[name]], name)
            column.values.setflags(write=False)
            self._done[name] = column
        return self._done[name]

    def __iter__(self) -> Any:
        return iter(self._place)

    def __len__(self) -> int:
        return len(self._place)
