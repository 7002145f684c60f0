"""How far numbers spread, where rounding is no spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["spread"]

#: Values that differ by no more than this share of their size are one value, computed twice.
_ROUNDING = 64 * np.finfo(float).eps


def spread(values: Any, constant: float = 1.0, size: float = 0.0, ddof: int = 1) -> float:
    """The standard deviation of numbers, or another unit where they are constant up to rounding.

    Args:
        values: numbers, shape (N,).
        constant: what is returned for constant ones.
        size: of numbers the values were computed from, if these were larger.
        ddof: as in :func:`numpy.std`.

    >>> round(spread([1.0, 3.0]), 6), spread([0.1 + 0.2, 0.3, 0.3])
    (1.414214, 1.0)
    """
    found: NDArray[np.float64] = np.asarray(values, dtype=float)
    if found.size <= ddof:
        return constant
    size = max(size, float(np.abs(found).max()))
    if not np.ptp(found) > _ROUNDING * size:
        return constant
    # in units of the largest, whose square may be no number
    unit = float(np.abs(found).max())
    return unit * float(np.std(found / unit, ddof=ddof))
