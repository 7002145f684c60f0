"""What default priors need to know of the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mix2stan.spread import spread

__all__ = ["Summaries"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Summaries:
    """What the default priors need to know of the data.

    Attributes:
        y: the response on the scale of the predictor, shape (N,); None if it does not say how large
            effects are (links of probabilities), then their unit is that of the link.
        X: the population design, shape (N, K), its intercept first if ``intercept``.
        intercept: whether the first column of X is the intercept.
        words: what y is called in sources.
        offset: what brms takes off the median of y, the mean of the offsets.
        natural: the same of the response as its residual standard deviation is about it, if that
            is not y.
        middle: the predictor of the mean response, if that is not the mean of y, and how it is
            written.
        least: below this no sd is a unit; on a logarithmic scale y spreads little where it is
            mostly zero, and says nothing of how large effects are.
    """

    y: Array | None
    X: Array
    intercept: bool
    words: str = "y"
    offset: float = 0.0
    natural: Summaries | None = None
    middle: tuple[float, str] | None = None
    least: float = 0.0

    def whole(self) -> Summaries:
        """The same of responses with their offsets, where y is not looked at one by one."""
        return self

    @property
    def mean(self) -> float:
        return 0.0 if self.y is None else float(np.mean(self.y))

    @property
    def sd(self) -> float:
        """Standard deviation of the response, 1 if it is constant."""
        return 1.0 if self.y is None else spread(self.y)

    @property
    def centre(self) -> float:
        """Where a predictor is expected: at that of the mean response."""
        return self.mean if self.middle is None else self.middle[0]

    @property
    def unit(self) -> float:
        """How much of a predictor is a large effect."""
        return max(self.sd, self.least)

    @property
    def median(self) -> float:
        return 0.0 if self.y is None else float(np.median(self.y))

    @property
    def mad(self) -> float:
        """R's ``mad``: the median absolute deviation times 1.4826."""
        return 0.0 if self.y is None else float(1.4826 * np.median(np.abs(self.y - self.median)))

    @property
    def wide(self) -> float:
        """brms' scale of priors: the mad to one decimal, and at least 2.5."""
        return max(2.5, round(self.mad, 1))

    @property
    def rms(self) -> float:
        """Root mean square of the response, 1 if it is zero throughout."""
        return 1.0 if self.y is None else float(np.sqrt(np.mean(self.y**2))) or 1.0

    @property
    def rms_X(self) -> Array:
        """Root mean square of each column of X."""
        return np.asarray(np.sqrt(np.mean(self.X**2, axis=0)))

    @property
    def centre_words(self) -> str:
        """The mean of the response, in words."""
        if self.middle is not None:
            return self.middle[1]
        return "0" if self.y is None else f"mean({self.words})"

    def times(self, factor: str, statistic: str) -> str:
        """A multiple of a statistic of the response, in words."""
        if self.y is None:
            return factor
        own = f"{statistic}({self.words})"
        return f"{factor} max({self.least:g}, {own})" if self.least else f"{factor} {own}"

    def slope_scales(self, factor: float) -> Array:
        """``factor`` over the standard deviation of each column of X (over 1 for a constant one)."""
        return np.array([factor / spread(x) for x in self.X.T])

    def constant_in_columns(self) -> Array | None:
        """Weights c with X c = 1, if the columns span the constant, else None."""
        ones = np.ones(len(self.X))
        weights: Array = np.linalg.lstsq(self.X, ones, rcond=None)[0].astype(float)
        return weights if np.allclose(self.X @ weights, ones, atol=1e-8) else None
