"""Data frames as R sees them: numeric columns, factors with ordered levels, missing values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.errors import DataError
from mix2stan.syntax import format_number

__all__ = ["Column", "Frame", "Kind"]

Kind = Literal["numeric", "logical", "factor", "ordered"]

_LOGICAL_LEVELS = ("FALSE", "TRUE")


@dataclass(frozen=True, eq=False)
class Column:
    """A variable.

    Attributes:
        kind: numbers, truth values, or an unordered or ordered factor.
        values: numbers as float64 of shape (n,), or (n, p) for what ``poly`` and its like return;
            truth values and factors as int64 codes of shape (n,), -1 for missing.
        levels: the levels of a factor, in order; ``FALSE`` and ``TRUE`` for truth values.
        labels: the names of the p columns of a matrix, appended to the variable's name; of a factor
            with a contrast matrix those of its columns.
        text: whether a factor is text to R, so that ``as.numeric`` reads its levels as numbers.
        contrasts: a contrast function or matrix chosen for this factor by ``C()``.
    """

    kind: Kind
    values: NDArray[Any]
    levels: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    contrasts: str | NDArray[np.float64] | None = field(default=None)
    text: bool = False

    @classmethod
    def numeric(cls, values: Any, labels: Iterable[str] = ()) -> Column:
        """Numbers, shape (n,) or (n, p)."""
        return cls("numeric", np.asarray(values, dtype=float), labels=tuple(labels))

    @classmethod
    def logical(cls, values: Any, missing: Any = None) -> Column:
        """Truth values, shape (n,)."""
        codes = np.asarray(values).astype(np.int64)
        if missing is not None:
            codes = np.where(missing, -1, codes)
        return cls("logical", codes, _LOGICAL_LEVELS)

    @property
    def is_factor(self) -> bool:
        """Whether it is coded by contrasts; R does that with truth values too."""
        return self.kind != "numeric"

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Shape (n,)."""
        if self.is_factor:
            return np.asarray(self.values < 0)
        missing = np.isnan(self.values)
        return np.asarray(missing if missing.ndim == 1 else missing.any(axis=1))

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, index: NDArray[Any]) -> Column:
        """The rows at an index or mask."""
        return replace(self, values=self.values[index])

    def numbers(self) -> NDArray[np.float64]:
        """As numbers, truth values as 0 and 1; NaN where missing.

        Raises:
            DataError: for a factor.
        """
        if self.kind == "numeric":
            return np.asarray(self.values, dtype=float)
        if self.kind == "logical":
            return np.where(self.values < 0, np.nan, self.values.astype(float))
        raise DataError("a factor has no numeric value")

    def as_factor(self) -> Column:
        """As a factor: the levels of numbers are sorted by size and named as R prints them."""
        if self.kind in ("factor", "ordered"):
            return self
        if self.kind == "logical":
            return replace(self, kind="factor").used_levels()
        if self.values.ndim != 1:
            raise DataError("a matrix cannot be a factor")
        numbers, codes = np.unique(self.values, return_inverse=True)
        finite = ~np.isnan(numbers)
        codes = np.where(np.isnan(self.values), -1, codes)
        levels = tuple(format_number(v, 15) for v in numbers[finite].tolist())
        return Column("factor", codes.astype(np.int64), levels)

    def used_levels(self) -> Column:
        """Without the levels that no row has."""
        counts = np.bincount(self.values[self.values >= 0], minlength=len(self.levels))
        used = counts > 0
        if used.all():
            return self
        renumbered = np.where(used, np.cumsum(used) - 1, -1)
        codes = np.where(self.values < 0, -1, renumbered[self.values])
        levels = tuple(level for level, u in zip(self.levels, used, strict=True) if u)
        return replace(self, values=codes, levels=levels)


@dataclass(frozen=True, eq=False)
class Frame:
    """Named columns of one length."""

    columns: Mapping[str, Column]
    n: int

    @classmethod
    def of(cls, df: pd.DataFrame) -> Frame:
        """A pandas frame, column by column as they are asked for.

        Strings, objects and plain categories are factors (levels of strings sorted by code point),
        ordered categories are ordered factors, booleans truth values, all numbers numeric.

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
            self._done[name] = _column(self._df.iloc[:, self._place[name]], name)
        return self._done[name]

    def __iter__(self) -> Any:
        return iter(self._place)

    def __len__(self) -> int:
        return len(self._place)


def _column(series: pd.Series, name: str) -> Column:
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        levels = tuple(_label(v) for v in dtype.categories)
        if len(set(levels)) != len(levels):
            raise DataError(f"two levels of {name!r} print alike")
        kind: Kind = "ordered" if dtype.ordered else "factor"
        return Column(kind, series.cat.codes.to_numpy(dtype=np.int64), levels)
    if pd.api.types.is_bool_dtype(dtype):
        missing = series.isna().to_numpy()
        return Column.logical(series.fillna(False).to_numpy(dtype=bool), missing)
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return Column.numeric(series.to_numpy(dtype=float, na_value=np.nan))
    if pd.api.types.is_object_dtype(dtype) or pd.api.types.is_string_dtype(dtype):
        return _strings(series)
    hint = "turn it into numbers or strings first"
    raise DataError(f"the column {name!r} has the type {dtype}, which no model can use", hint=hint)


def _strings(series: pd.Series) -> Column:
    """Strings, or objects of mixed type, as a factor; an object column of numbers as numbers."""
    missing = series.isna().to_numpy()
    present = series[~missing]
    kinds = {type(v) for v in present} if series.dtype == object else {str}
    if kinds and kinds <= {bool, np.bool_}:
        return Column.logical(series.where(~missing, False).to_numpy(dtype=bool), missing)
    if kinds and kinds <= {int, float, np.int64, np.float64}:
        return Column.numeric(pd.to_numeric(series).to_numpy(dtype=float))
    labels = np.array([_label(v) for v in present], dtype=object)
    levels, codes = np.unique(labels.astype(str), return_inverse=True)
    whole = np.full(len(series), -1, dtype=np.int64)
    whole[~missing] = codes
    return Column("factor", whole, tuple(levels.tolist()), text=True)


def _label(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).upper()
    if isinstance(value, (int, float, np.integer, np.floating)):
        return format_number(float(value), 15)
    return str(value)
