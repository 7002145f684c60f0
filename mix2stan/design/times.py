"""Dates and times: the numbers R has for them, and how their levels are written.

All are kept in nanoseconds since 1970, or of a duration, as integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["TIMES", "Time", "nanoseconds"]

Ticks = NDArray[Any]

_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
_PER: dict[str, int] = {"s": _SECOND, "ms": 1_000_000, "us": 1_000, "ns": 1}
#: Clocks are set back by half an hour or a whole one.
_SET_BACK = (-3_600 * _SECOND, -1_800 * _SECOND, 1_800 * _SECOND, 3_600 * _SECOND)


@dataclass(frozen=True)
class Time:
    """What is measured in time.

    Attributes:
        counts: what it is as a number, in words.
        nanoseconds: those of one unit of the number, by the column's whole unit.
        spell: the names of levels, from different nanoseconds and the column's whole unit.
        says: whether what it is as a number is clear; a point in time is a ``Date`` in days or a
            ``POSIXct`` in seconds to R, which are one type to pandas.
    """

    counts: str
    nanoseconds: Callable[[str], int]
    spell: Callable[[Ticks, str], Sequence[str]]
    says: bool = True


def nanoseconds(index: pd.DatetimeIndex | pd.TimedeltaIndex) -> Ticks:
    """The nanoseconds of points in time or durations, shape (n,); Python's integers for far ones."""
    stored, scale = index.asi8, _PER[index.unit]
    known = np.where(index.isna(), 0, stored)
    if scale > 1 and len(known) and np.abs(known).max() > np.iinfo(np.int64).max // scale:
        return np.asarray(known.astype(object) * scale)
    return np.asarray(known * scale)


def _points(ticks: Ticks) -> pd.DatetimeIndex:
    """Points in time, UTC without saying so; those beyond 2262 to the microsecond."""
    if ticks.dtype != object:
        return pd.DatetimeIndex(ticks.astype("datetime64[ns]"))
    micro = np.array([int(t) // 1_000 for t in ticks], dtype=np.int64)
    return pd.DatetimeIndex(micro.astype("datetime64[us]"))


def _written(points: pd.DatetimeIndex) -> list[str]:
    """R's ``as.character``: without a time of day at midnight, without a fraction of whole seconds."""
    return [str(t).removesuffix(" 00:00:00") for t in points.tz_localize(None)]


def _spell_point(ticks: Ticks, unit: str) -> Sequence[str]:
    """Local times; with the distance from UTC where a clock that was set back shows them twice."""
    zone = unit.partition(" ")[2]
    points = _points(ticks)
    if not zone:
        return _written(points)
    local = points.tz_localize("UTC").tz_convert(zone)
    walls = local.tz_localize(None)
    twice = np.zeros(len(points), dtype=bool)
    for shift in _SET_BACK:
        moved = (points + pd.Timedelta(shift, "ns")).tz_localize("UTC").tz_convert(zone)
        twice |= np.asarray(moved.tz_localize(None) == walls)
    names = _written(local)
    return [f"{n}{t:%z}" if two else n for n, t, two in zip(names, local, twice, strict=True)]


def _spell_duration(ticks: Ticks, unit: str) -> Sequence[str]:
    found = (pd.Timedelta(int(t), "ns") for t in ticks)
    return [str(t).removesuffix(" 00:00:00") for t in found]


def _spell_clock(ticks: Ticks, unit: str) -> Sequence[str]:
    return [str(pd.Timedelta(int(t), "ns")).partition("days ")[2] for t in ticks]


def _spell_period(ticks: Ticks, unit: str) -> Sequence[str]:
    return [str(p) for p in _points(ticks).to_period(unit.partition(" ")[2])]


def _per_period(unit: str) -> int:
    """Periods of a day and more count days, shorter ones seconds, to their beginnings."""
    start = pd.Period(ordinal=0, freq=unit.partition(" ")[2])
    return _DAY if (start + 1).start_time - start.start_time >= pd.Timedelta(1, "D") else _SECOND


TIMES: dict[str, Time] = {
    "date": Time("days since 1970-01-01", lambda unit: _DAY, _spell_point),
    "time": Time("seconds since 1970-01-01", lambda unit: _SECOND, _spell_point, says=False),
    "duration": Time("days", lambda unit: _DAY, _spell_duration),
    "clock": Time("seconds since midnight", lambda unit: _SECOND, _spell_clock),
    "period": Time(
        "days or seconds from 1970-01-01 to their beginning", _per_period, _spell_period
    ),
}
