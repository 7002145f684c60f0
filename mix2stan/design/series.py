"""Columns of pandas as R's: which are numbers, which truth values, which levels.

Numbers stay what they are in whatever they come: integers of any size and type, ``Decimal`` and
``Fraction`` among objects, dates and times.
"""

from __future__ import annotations

import datetime
import numbers
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.design.column import LARGEST, Column, Kind, number_label
from mix2stan.design.times import nanoseconds
from mix2stan.errors import DataError

__all__ = ["check_text", "column_of", "level_label"]

Mask = NDArray[np.bool_]


def column_of(series: pd.Series, name: str) -> Column:
    """A column of a data frame, with which it shares nothing.

    Raises:
        DataError: for a type that no model can use, or levels that cannot be told apart.
    """
    if not name:
        hint = "rename it; a formula has no way to call it"
        raise DataError("a column that is used has no name", hint=hint)
    check_text(name, "the name of a column")
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _category(series, name)
    if isinstance(dtype, pd.IntervalDtype):
        return _category(series.astype("category"), name)
    if isinstance(dtype, pd.ArrowDtype) and dtype.kind not in "iufbU":
        # dates, decimals and whatever else Arrow has: as Python's objects
        return _objects(series.astype(object), name)
    for of_type, read in _READERS:
        if of_type(dtype):
            return read(series, name)
    hint = "turn it into numbers or strings first"
    raise DataError(f"the column {name!r} has the type {dtype}, which no model can use", hint=hint)


def check_text(text: str, what: str) -> None:
    """Refuse half a character, which no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        message = f"{what}, {text!r}, has a lone surrogate, which is half a character"
        hint = "it was read in the wrong encoding; read it again, or rename it"
        raise DataError(message, hint=hint) from None


# -- types -----------------------------------------------------------------------------------------


def _truths(series: pd.Series, name: str) -> Column:
    missing = series.isna().to_numpy()
    return Column.logical(series.fillna(False).to_numpy(dtype=bool), missing)


def _integers(series: pd.Series, name: str) -> Column:
    missing = series.isna().to_numpy()
    unsigned = str(series.dtype).lower().startswith("uint")
    whole = series.fillna(0) if missing.any() else series
    dtype = np.uint64 if unsigned else np.int64
    return Column.whole(whole.to_numpy(dtype=dtype, copy=True), missing)


def _floats(series: pd.Series, name: str) -> Column:
    return Column.numeric(series.to_numpy(dtype=float, na_value=np.nan, copy=True))


def _points(series: pd.Series, name: str) -> Column:
    index = pd.DatetimeIndex(series)
    unit = "time" if index.tz is None else f"time {index.tz}"
    return Column.whole(nanoseconds(index), np.asarray(index.isna()), unit)


def _durations(series: pd.Series, name: str) -> Column:
    index = pd.TimedeltaIndex(series)
    return Column.whole(nanoseconds(index), np.asarray(index.isna()), "duration")


def _periods(series: pd.Series, name: str) -> Column:
    index = pd.PeriodIndex(series)
    starts = index.to_timestamp(how="start")
    return Column.whole(nanoseconds(starts), np.asarray(index.isna()), f"period {index.freqstr}")


def _is_real(dtype: Any) -> bool:
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)


def _is_text(dtype: Any) -> bool:
    return pd.api.types.is_object_dtype(dtype) or pd.api.types.is_string_dtype(dtype)


def _is_period(dtype: Any) -> bool:
    return isinstance(dtype, pd.PeriodDtype)


# -- categories ------------------------------------------------------------------------------------


def _category(series: pd.Series, name: str) -> Column:
    """A factor with its levels in their order; those of numbers are named as numbers are."""
    categories = series.cat.categories
    kind: Kind = "ordered" if series.cat.ordered else "factor"
    codes = series.cat.codes.to_numpy(dtype=np.int64)
    if not len(categories):
        return Column(kind, codes, ())
    # intervals would be categories again
    plain = categories.astype(object) if _is_text(categories.dtype) else categories
    if isinstance(categories.dtype, pd.IntervalDtype):
        plain = categories.astype(str)
    of_levels = column_of(pd.Series(plain), name)
    as_levels = of_levels.as_factor()
    levels = [as_levels.levels[code] for code in as_levels.values.tolist()]
    if len(set(levels)) != len(levels) and of_levels.is_factor:
        raise DataError(f"two levels of {name!r} print alike")
    return Column.factor(codes, levels, kind)


# -- objects ---------------------------------------------------------------------------------------


def _objects(series: pd.Series, name: str) -> Column:
    """Strings, or objects of mixed type, as a factor; objects that are all numbers as numbers."""
    missing = series.isna().to_numpy()
    present = series.to_numpy(dtype=object)[~missing]
    kinds = {type(v) for v in present} if series.dtype == object else {str}
    for accepted, read in _OBJECTS:
        if kinds and all(accepted(kind) for kind in kinds):
            return read(present, missing)
    words = (
        present if kinds <= {str} else np.array([*map(level_label, present), ""], dtype=object)[:-1]
    )
    found, first = pd.factorize(words)
    levels = sorted(first)
    place = {level: i for i, level in enumerate(levels)}
    codes = np.full(len(series), -1, dtype=np.int64)
    codes[~missing] = np.array([place[level] for level in first], dtype=np.int64)[found]
    for level in levels:
        check_text(level, f"a level of {name!r}")
    return Column("factor", codes, tuple(map(str, levels)), text=True)


def level_label(value: Any) -> str:
    """What a value is called among texts."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).upper()
    if isinstance(value, numbers.Integral):
        return number_label(int(value))
    return number_label(float(value)) if _is_number(type(value)) else str(value)


def _is_truth(kind: type) -> bool:
    return issubclass(kind, bool | np.bool_)


def _is_number(kind: type) -> bool:
    return issubclass(kind, numbers.Real | Decimal) or _is_truth(kind)


def _truth_objects(present: NDArray[Any], missing: Mask) -> Column:
    values = np.zeros(len(missing), dtype=bool)
    values[~missing] = present.astype(bool)
    return Column.logical(values, missing)


def _number_objects(present: NDArray[Any], missing: Mask) -> Column:
    """Floats; integers, also as decimals without a fraction, as they are."""
    values = np.full(len(missing), np.nan)
    values[~missing] = [_as_float(v) for v in present]
    if not (np.abs(values) >= LARGEST).any() or not all(_is_whole(v) for v in present):
        return Column.numeric(values)
    exact = np.zeros(len(missing), dtype=object)
    exact[~missing] = [int(v) for v in present]
    return Column("numeric", values, exact=exact)


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def _is_whole(value: Any) -> bool:
    """Whether it is an integer by its type, or a decimal or fraction that is one."""
    if isinstance(value, numbers.Integral):
        return True
    exact = isinstance(value, Decimal | numbers.Rational)
    return exact and bool(value == value // 1)


def _date_objects(present: NDArray[Any], missing: Mask) -> Column:
    return _indexed(pd.DatetimeIndex(present.astype("datetime64[s]")), missing, "date")


def _point_objects(present: NDArray[Any], missing: Mask) -> Column:
    zones = {getattr(v, "tzinfo", None) for v in present}
    points = pd.DatetimeIndex(pd.to_datetime(pd.Index(present), utc=zones != {None}))
    if len(zones) == 1 and points.tz is not None:
        points = points.tz_convert(zones.pop())
    return _indexed(points, missing, "time" if points.tz is None else f"time {points.tz}")


def _duration_objects(present: NDArray[Any], missing: Mask) -> Column:
    return _indexed(pd.TimedeltaIndex(pd.to_timedelta(pd.Index(present))), missing, "duration")


def _clock_objects(present: NDArray[Any], missing: Mask) -> Column:
    spans = [
        datetime.timedelta(
            hours=t.hour, minutes=t.minute, seconds=t.second, microseconds=t.microsecond
        )
        for t in present
    ]
    return _indexed(pd.TimedeltaIndex(spans), missing, "clock")


def _period_objects(present: NDArray[Any], missing: Mask) -> Column:
    index = pd.PeriodIndex(present)
    return _indexed(index.to_timestamp(how="start"), missing, f"period {index.freqstr}")


def _indexed(index: pd.DatetimeIndex | pd.TimedeltaIndex, missing: Mask, unit: str) -> Column:
    """Times where they are there."""
    found = nanoseconds(index)
    ticks = np.zeros(len(missing), dtype=found.dtype)
    ticks[~missing] = found
    return Column.whole(ticks, missing, unit)


def _is_date(kind: type) -> bool:
    return issubclass(kind, datetime.date) and not issubclass(kind, datetime.datetime)


#: What objects are, if all are; the first row that fits.
_OBJECTS: tuple[tuple[Callable[[type], bool], Callable[[NDArray[Any], Mask], Column]], ...] = (
    (_is_truth, _truth_objects),
    (_is_number, _number_objects),
    (_is_date, _date_objects),
    (lambda kind: issubclass(kind, datetime.date | np.datetime64), _point_objects),
    (lambda kind: issubclass(kind, datetime.timedelta | np.timedelta64), _duration_objects),
    (lambda kind: issubclass(kind, datetime.time), _clock_objects),
    (lambda kind: issubclass(kind, pd.Period), _period_objects),
)

#: What a type of column is read by; the first row that fits.
_READERS: tuple[tuple[Callable[[Any], bool], Callable[[pd.Series, str], Column]], ...] = (
    (pd.api.types.is_bool_dtype, _truths),
    (pd.api.types.is_integer_dtype, _integers),
    (_is_real, _floats),
    (pd.api.types.is_datetime64_any_dtype, _points),
    (pd.api.types.is_timedelta64_dtype, _durations),
    (_is_period, _periods),
    (_is_text, _objects),
)
