"""A variable as R sees it: numbers, truth values, or a factor with ordered levels.

There is one rule of what levels numbers have.  Integers are levels each, however large.  Floats are
those of R's ``factor()``: as they print with 15 significant digits, and what prints alike is one level.
So within a variable a level's name is as good as its value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mix2stan.design.times import TIMES
from mix2stan.errors import DataError
from mix2stan.syntax import format_number

__all__ = ["LARGEST", "Column", "Kind", "number_label", "number_labels"]

Kind = Literal["numeric", "logical", "factor", "ordered"]

_LOGICAL_LEVELS = ("FALSE", "TRUE")
_DIGITS = 15
#: From here on integers have digits that R does not print of a float.
LARGEST = 10**_DIGITS
#: From here on floats skip integers.
_FLOATS = 2**53


@dataclass(frozen=True, eq=False)
class Column:
    """A variable.

    Attributes:
        kind: numbers, truth values, or an unordered or ordered factor.
        values: numbers as float64 of shape (n,), or (n, p) for what ``poly`` and its like return;
            truth values and factors as int64 codes of shape (n,), -1 for missing.
        levels: the levels of a factor, in order, each once; ``FALSE`` and ``TRUE`` for truth values.
        labels: the names of the p columns of a matrix, appended to the variable's name; of a factor
            with a contrast matrix those of its columns.
        text: whether a factor is text to R, so that ``as.numeric`` reads its levels as numbers.
        contrasts: a contrast function or matrix chosen for this factor by ``C()``.
        exact: the whole numbers that the values stand for, shape (n,), where floats cannot tell them
            apart: large integers, and the nanoseconds of times; what they are in rows without a value
            does not matter.
        unit: a row of :data:`~mix2stan.design.times.TIMES`, then what comes after a blank is its time
            zone or frequency; empty for plain numbers.
    """

    kind: Kind
    values: NDArray[Any]
    levels: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    contrasts: str | NDArray[np.float64] | None = field(default=None)
    text: bool = False
    exact: NDArray[Any] | None = field(default=None)
    unit: str = ""

    @classmethod
    def numeric(cls, values: Any, labels: Iterable[str] = ()) -> Column:
        """Numbers, shape (n,) or (n, p)."""
        return cls("numeric", np.asarray(values, dtype=float), labels=tuple(labels))

    @classmethod
    def whole(cls, exact: NDArray[Any], missing: Any = None, unit: str = "") -> Column:
        """Integers, shape (n,), or the nanoseconds of times; exact as far as that is needed."""
        scale = TIMES[unit.partition(" ")[0]].nanoseconds(unit) if unit else 1
        values = exact.astype(float) / scale
        if missing is not None:
            values[missing] = np.nan
        if not unit and not (np.abs(values) >= LARGEST).any():
            return cls("numeric", values)
        return cls("numeric", values, exact=exact, unit=unit)

    @classmethod
    def counted(cls, numbers: Column, unit: str) -> Column:
        """Times of a unit: from times like these, or the numbers that they are."""
        if numbers.unit and numbers.exact is not None:
            return cls.whole(numbers.exact, numbers.missing, unit)
        scale = TIMES[unit.partition(" ")[0]].nanoseconds(unit)
        known = np.nan_to_num(numbers.values, nan=0.0)
        ticks = np.array([round(v * scale) for v in known.tolist()], dtype=object)
        small = bool((np.abs(known) * scale < 2.0**62).all())
        return cls.whole(ticks.astype(np.int64) if small else ticks, numbers.missing, unit)

    @classmethod
    def logical(cls, values: Any, missing: Any = None) -> Column:
        """Truth values, shape (n,)."""
        codes = np.asarray(values).astype(np.int64)
        if missing is not None:
            codes = np.where(missing, -1, codes)
        return cls("logical", codes, _LOGICAL_LEVELS)

    @classmethod
    def factor(
        cls, codes: Any, levels: Sequence[str], kind: Kind = "factor", text: bool = False
    ) -> Column:
        """A factor; levels of one name are one level, as in R."""
        place: dict[str, int] = {}
        table = [place.setdefault(level, len(place)) for level in levels]
        codes = np.asarray(codes, dtype=np.int64)
        if len(place) < len(table):
            codes = np.array([*table, -1], dtype=np.int64)[codes]
        return cls(kind, codes, tuple(place), text=text)

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
        exact = None if self.exact is None else self.exact[index]
        return replace(self, values=self.values[index], exact=exact)

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
        missing = self.missing
        present = (self.values if self.exact is None else self.exact)[~missing]
        distinct, places = np.unique(present, return_inverse=True)
        codes = np.full(len(self), -1, dtype=np.int64)
        codes[~missing] = places
        return Column.factor(codes, self._spelled(distinct))

    def _spelled(self, distinct: NDArray[Any]) -> Sequence[str]:
        if self.unit:
            return TIMES[self.unit.partition(" ")[0]].spell(distinct, self.unit)
        return number_labels(distinct.tolist())

    @property
    def counts(self) -> str:
        """What the numbers of times count, in words."""
        return TIMES[self.unit.partition(" ")[0]].counts

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

    # -- numbers of several pieces -----------------------------------------------------------------

    def distinct(self) -> Column:
        """The different values of numbers, as they are met, without missing and infinite ones."""
        finite = self.rows(np.flatnonzero(np.isfinite(self.values)))
        whole = finite.values if finite.exact is None else finite.exact
        _, first = np.unique(whole, return_index=True)
        return finite.rows(np.sort(first))

    def joined(self, other: Column) -> Column:
        """These numbers, and then those of another piece of the same variable.

        Raises:
            DataError: if they are of different kinds, times and plain numbers, say.
        """
        if not len(self) or not len(other):
            return other if not len(self) else self
        if self.unit != other.unit:
            raise DataError("times, and numbers of another kind")
        values = np.concatenate([self.values, other.values])
        if self.exact is None and other.exact is None:
            return Column.numeric(values)
        parts = [c.exact if c.exact is not None else _integers(c.values) for c in (self, other)]
        return replace(self, values=values, exact=np.concatenate(parts))

    def exactly(self) -> Column:
        """Floats that are whole numbers as integers: what integers with missing values have become."""
        if self.exact is not None or self.kind != "numeric" or self.unit:
            return self
        return replace(self, exact=_integers(self.values))


def _integers(values: NDArray[np.float64]) -> NDArray[Any]:
    """As they are if they are not all whole; 0 where missing."""
    known = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if not (known == np.trunc(known)).all():
        return known
    small = bool((np.abs(known) < _FLOATS).all())
    return known.astype(np.int64) if small else np.array([int(v) for v in known], dtype=object)


def number_labels(values: Iterable[float]) -> list[str]:
    """The levels that numbers are."""
    return [number_label(v) for v in values]


def number_label(value: float) -> str:
    """A number as a level: as R prints it, but for integers that have more than 15 digits."""
    if not isinstance(value, int):
        return format_number(value, _DIGITS)
    try:
        label = format_number(float(value), _DIGITS)
        return label if int(float(label)) == value else str(value)
    except OverflowError:
        return str(value)
