"""The median of numbers that come in parts, by counting; no part leaves where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Count", "Passes", "median"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
#: What is made of the numbers of a part: numbers, if they are wanted, and counts.
Count = Callable[[Array], tuple[Array, Index]]

#: A pass over all parts, given something that can be pickled.
Passes = Callable[[Count], Iterator[tuple[Array, Index]]]

#: Numbers that are looked at one by one in the end, and the intervals they are counted in before.
_FEW, _BINS = 100_000, 65_536


@dataclass(frozen=True)
class _Interval:
    """How many numbers there are in each of the equal parts of an interval."""

    low: float
    high: float

    @property
    def edges(self) -> Array:
        return np.linspace(self.low, self.high, _BINS + 1)

    def __call__(self, part: Array) -> tuple[Array, Index]:
        inside = part[(part >= self.low) & (part <= self.high)]
        return np.zeros(0), np.histogram(inside, self.edges)[0]


@dataclass(frozen=True)
class _Numbers:
    """The different numbers of an interval, and how often they are there."""

    low: float
    high: float

    def __call__(self, part: Array) -> tuple[Array, Index]:
        inside = part[(part >= self.low) & (part <= self.high)]
        values, counts = np.unique(inside, return_counts=True)
        return values, counts.astype(np.int64)


def median(passes: Passes, n: int, low: float, high: float) -> float:
    """The median of n numbers; the mean of the two in the middle.

    Args:
        passes: see :data:`Passes`.
        n: how many there are.
        low, high: an interval that has them all.
    """
    ranks = np.array([(n - 1) // 2, n // 2])
    below = 0
    while True:
        interval, width = _Interval(low, high), high - low
        counts = np.zeros(_BINS, dtype=np.int64)
        for _, more in passes(interval):
            counts += more
        cumulative = below + np.cumsum(counts)
        first, last = np.searchsorted(cumulative, ranks, side="right")
        below = int(cumulative[first - 1]) if first else below
        low, high = float(interval.edges[first]), float(interval.edges[last + 1])
        if cumulative[last] - below <= _FEW or not 0 < high - low < width:
            break
    # numbers of the upper edge belong to the next part, and come after all that count
    values, counts = (np.concatenate(c) for c in zip(*passes(_Numbers(low, high)), strict=True))
    order = np.argsort(values, kind="stable")
    places = below + np.cumsum(counts[order])
    middle = values[order][np.searchsorted(places, ranks, side="right")]
    return float(middle.mean())
