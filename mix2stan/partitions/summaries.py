"""What the default priors ask for, of rows that are reduced to triangles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mix2stan.partitions.medians import Count, median
from mix2stan.priors.summaries import Summaries

__all__ = ["Passed", "ReducedSummaries"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Passed:
    """The responses of all rows, seen in passes.

    Attributes:
        passes: counts those of every partition, or their distances from a centre.
        low, high: the least and the greatest.
    """

    passes: Callable[[Count, float | None], Iterator[tuple[Array, Index]]]
    low: float
    high: float


def _nothing(count: Count, centre: float | None) -> Iterator[tuple[Array, Index]]:
    return iter(())


@dataclass(frozen=True)
class ReducedSummaries(Summaries):
    """Means and deviations from the cross-products; medians by counting, in passes."""

    ones: Array = field(default_factory=lambda: np.zeros(0))
    count: int = 0
    response: Passed = field(default_factory=lambda: Passed(_nothing, 0.0, 0.0))
    with_offsets: Passed = field(default_factory=lambda: Passed(_nothing, 0.0, 0.0))

    def whole(self) -> ReducedSummaries:
        return replace(self, response=self.with_offsets)

    @property
    def mean(self) -> float:
        return 0.0 if self.y is None else float(self.ones @ self.y / self.count)

    @property
    def sd(self) -> float:
        if self.y is None:
            return 1.0
        squares = self._squares(self.y)
        # a constant response leaves rounding errors
        constant = squares <= 1e-28 * float(self.y @ self.y)
        return 1.0 if constant else float(np.sqrt(squares / max(self.count - 1, 1)))

    @cached_property
    def median(self) -> float:
        given = self.response
        return median(lambda count: given.passes(count, None), self.count, given.low, given.high)

    @cached_property
    def mad(self) -> float:
        given, centre = self.response, self.median
        far = max(given.high - centre, centre - given.low)
        return 1.4826 * median(lambda count: given.passes(count, centre), self.count, 0.0, far)

    @property
    def rms(self) -> float:
        return 1.0 if self.y is None else float(np.sqrt(self.y @ self.y / self.count)) or 1.0

    @property
    def rms_X(self) -> Array:
        return np.asarray(np.sqrt(np.sum(self.X**2, axis=0) / self.count))

    def slope_scales(self, factor: float) -> Array:
        squares = np.array([self._squares(x) for x in self.X.T])
        # a constant column leaves rounding errors
        squares[squares <= 1e-24 * np.sum(self.X**2, axis=0)] = 0.0
        spread = np.sqrt(squares / max(self.count - 1, 1))
        return np.asarray(factor / np.where(spread > 0, spread, 1.0))

    def constant_in_columns(self) -> Array | None:
        weights: Array = np.linalg.lstsq(self.X, self.ones, rcond=None)[0].astype(float)
        rest = self.X @ weights - self.ones
        return weights if rest @ rest <= 1e-16 * self.count else None

    def _squares(self, x: Array) -> float:
        """The sum of squares around the mean."""
        rest = x - self.ones * (self.ones @ x / self.count)
        return float(rest @ rest)
