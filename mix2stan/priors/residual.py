"""Default priors and starting values of the parameters of structured errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.graph import ModelGraph, Prior, Residual
from mix2stan.matrices import Data
from mix2stan.residual_data import blocks_of, general_root, multiplier, partial_of
from mix2stan.residuals import ErrorBlock, distances, error_blocks
from mix2stan.spread import spread

__all__ = ["has_kinks", "range_starts", "residual_priors", "residual_starts"]

Array = NDArray[np.float64]

#: No more rows than these are looked at for a typical distance.
_SAMPLE = 500
#: Ranges at which a likelihood is looked at before it is climbed.
_RANGES = 12
#: Correlations that are zero beyond the range: one below all distances has no slope.
_ENDING = ("corLin", "corSpher")


def residual_priors(graph: ModelGraph, data: Data, flat: bool) -> tuple[Prior, ...]:
    """A prior for every free block of the errors besides sigma; all flat if asked for."""
    blocks = [b for b in error_blocks(graph.residual) if b.free]
    if flat:
        return tuple(Prior(b.name, "flat", source="asked for; improper") for b in blocks)
    return tuple(_prior(b, graph.residual, data) for b in blocks)


def _prior(block: ErrorBlock, residual: Residual, data: Data) -> Prior:
    kind, n = block.parameter.prior, len(block.labels) or 1
    values: tuple[tuple[str, tuple[float, ...]], ...] = ()
    source = {
        "lognormal_1": "nineteen of twenty ratios between 1/7 and 7",
        "std_normal": "between a falling and a rising square",
        "lkj": "all correlation matrices equally likely",
    }.get(kind, "all values equally likely")
    if kind == "normal_0":
        scale, source = 1 / _spread(block, data), "1 / sd of the covariate"
        values = (("scale", (scale,) * n),)
    elif kind == "half_student_t":
        scale, source = _constant_scale(block, data)
        values = (("scale", (scale,) * n),)
    elif kind == "lognormal":
        middle = _typical_distance(residual, data)
        values = (("loc", (float(np.log(middle)),)), ("scale", (1.0,)))
        source = "around the median distance"
    return Prior(block.name, kind, values, source)


def _covariate(block: ErrorBlock, data: Data) -> Array | None:
    part = block.part
    if part is None or part.covariate is None or part.of_fitted:
        return None
    return data.vector(part.covariate)


def _spread(block: ErrorBlock, data: Data) -> float:
    values = _covariate(block, data)
    return 1.0 if values is None else spread(values, ddof=0)


def _constant_scale(block: ErrorBlock, data: Data) -> tuple[float, str]:
    """The constant is beside |v|^power or prop v, the proportion is of v."""
    values = _covariate(block, data)
    size = 1.0 if values is None else float(np.sqrt(np.mean(values**2))) or 1.0
    if block.parameter.name == "prop":
        return 1 / size, "1 / rms of the covariate"
    if block.part is not None and block.part.kind == "varConstPower":
        return max(1.0, size), "rms of the covariate, at least 1"
    return 1.0, "in units of sigma"


def _typical_distance(residual: Residual, data: Data) -> float:
    assert residual.correlation is not None
    blocks = blocks_of(residual.correlation, data)
    largest = int(np.argmax(blocks.sizes))
    points = blocks.points[blocks.first[largest] : blocks.first[largest + 1]]
    return _median_distance(points, residual.correlation.metric)


def _median_distance(points: Array, metric: str) -> float:
    """The median distance between two places of a block."""
    d = distances(points[:: max(1, len(points) // _SAMPLE)], metric)
    apart = d[d > 0]
    return float(np.median(apart)) if len(apart) else 1.0


def residual_starts(residual: Residual, entries: Mapping[str, Any]) -> tuple[dict[str, Any], Array]:
    """Where the parameters of the errors start: the call's values, else without an effect.

    Args:
        residual: the resolved errors.
        entries: the program's data.

    Returns:
        Values by Stan name, and the sd multipliers there, shape (N,) or ().
    """
    start: dict[str, Any] = {}
    for block in error_blocks(residual):
        if block.free:
            start[block.name] = _start(block, residual, entries)
    return start, multiplier(residual, entries, start, np.ones(()))


def _start(block: ErrorBlock, residual: Residual, entries: Mapping[str, Any]) -> Any:
    given = _given(block, residual)
    if block.name == "cor_L":
        return np.eye(entries["M"]) if given is None else general_root(given)
    if block.name.startswith("cor_partial") and given is not None:
        return partial_of(block.name, given)
    if block.name == "cor_range":
        return _range_start(given, residual, entries)
    value = np.full(len(block.labels) or 1, block.parameter.start) if given is None else given
    return float(value[0]) if block.scalar else value


def _range_start(given: Array | None, residual: Residual, entries: Mapping[str, Any]) -> float:
    """As nlme: longer ones may make smooth correlations singular, shorter ones reach no place."""
    assert residual.correlation is not None
    nearest, _ = _extent(residual, entries)
    ends = residual.correlation.kind in _ENDING
    if given is None:
        return (1.1 if ends else 0.9) * nearest
    return max(float(given[0]), 1.1 * nearest) if ends else float(given[0])


def range_starts(residual: Residual, entries: Mapping[str, Any]) -> list[dict[str, float]]:
    """Ranges of a correlation to look at, as its likelihood often has several tops.

    Args:
        residual: the resolved errors.
        entries: the program's data.

    Returns:
        Values by Stan name in rising order, from the nearest places on to twice the farthest.
    """
    if not any(block.free and block.name == "cor_range" for block in error_blocks(residual)):
        return []
    nearest, farthest = _extent(residual, entries)
    ranges = np.geomspace(1.1 * nearest, max(2 * farthest, 2 * nearest), _RANGES)
    return [{"cor_range": float(x)} for x in ranges]


def has_kinks(residual: Residual) -> bool:
    """Whether the likelihood has one wherever the range is the distance of two places."""
    return residual.correlation is not None and residual.correlation.kind == "corLin"


def _extent(residual: Residual, entries: Mapping[str, Any]) -> tuple[float, float]:
    """The smallest and the largest distance between two places of the largest block."""
    assert residual.correlation is not None
    largest = int(np.argmax(np.asarray(entries["last"]) - entries["first"]))
    points = entries["place"][entries["first"][largest] - 1 : entries["last"][largest]]
    d = distances(points[:_SAMPLE], residual.correlation.metric)
    apart = d[d > 0]
    return (float(np.min(apart)), float(np.max(apart))) if len(apart) else (1.0, 1.0)


def _given(block: ErrorBlock, residual: Residual) -> Array | None:
    """The values of the call for the free elements of a block."""
    if block.part is not None:
        by_stratum: Mapping[str, float] = dict(dict(block.part.start).get(block.parameter.name, ()))
        if not by_stratum:
            return None
        everywhere = by_stratum.get("", block.parameter.start)
        return np.array([by_stratum.get(s, everywhere) for s in block.labels or ("",)])
    assert residual.correlation is not None
    values = list(residual.correlation.start)
    if not values:
        return None
    place = 0
    for other in error_blocks(residual):
        if other.part is None:
            size = other.parameter.size or 1
            if other.name == block.name:
                taken = values[place : place + size]
                return np.array(taken) if len(taken) == size else None
            place += size
    return None
