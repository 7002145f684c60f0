"""Structures whose correlations fall with the distance between the columns' coordinates."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special
from scipy.optimize import least_squares
from scipy.spatial.distance import cdist

from mix2stan.covariances.rows import (
    SD,
    Array,
    CovarianceRow,
    Parameter,
    Values,
    correlations,
    standard_deviations,
)
from mix2stan.covariances.symbols import by_distance
from mix2stan.errors import DataError

__all__ = ["ROWS", "coordinates", "distances"]

_COORDINATES = re.compile(r"\(([^()]*)\)\Z")


def coordinates(names: Sequence[str]) -> Array:
    """The coordinates in column names such as ``pos(0.4,1.5)``, shape (q, dimensions).

    Raises:
        DataError: if a name has none, or another number of them than the first.
    """
    points = []
    for name in names:
        found = _COORDINATES.search(name)
        try:
            points.append([float(x) for x in found.group(1).split(",")] if found else [])
        except ValueError:
            points.append([])
        if not points[-1] or len(points[-1]) != len(points[0]):
            hint = "make the factor with numFactor(x) or numFactor(x, y)"
            raise DataError(f"{name} does not say where it is", hint=hint)
    return np.array(points)


def distances(names: Sequence[str]) -> Array:
    """Euclidean distances between the columns, q x q.

    Raises:
        DataError: if a name has no coordinates, or two columns have the same.
    """
    points = coordinates(names)
    between = np.asarray(cdist(points, points))
    if (between + np.eye(len(between)) <= 0).any():
        raise DataError("two columns have the same coordinates")
    return between


def _matern(distance: Array, reach: float, nu: float) -> Array:
    x = np.where(distance > 0, distance / reach, 1.0)
    values = x**nu * special.kv(nu, x) * 2 ** (1 - nu) / special.gamma(nu)
    return np.where(distance > 0, values, 1.0)


def _correlation(kind: str, values: Values) -> Array:
    d = np.asarray(values["distance"])
    match kind:
        case "ou":
            return np.exp(-float(values["rate"]) * d)
        case "exp":
            return np.exp(-d / float(values["range"]))
        case "gau":
            return np.exp(-np.square(d / float(values["range"])))
    return _matern(d, float(values["range"]), float(values["smoothness"]))


def _typical(constants: Values) -> float:
    """The median distance of two columns; 1 if there is but one."""
    d = np.asarray(constants["distance"])
    between = d[np.tril_indices_from(d, -1)]
    return float(np.median(between)) if between.size else 1.0


def _reciprocal(constants: Values) -> float:
    return 1 / _typical(constants)


def _positive(name: str, centre: Callable[[Values], float], words: str) -> Parameter:
    """A positive number, lognormal around a centre."""
    return Parameter(
        name,
        "real",
        density="lognormal",
        slots=lambda constants: {"loc": float(np.log(centre(constants))), "scale": 1.0},
        start=centre,
        words=words,
    )


_RATE = _positive("rate", _reciprocal, "rate at which the correlation falls")
_RANGE = _positive("range", _typical, "distance over which the correlation falls")
_SMOOTHNESS = _positive("smoothness", lambda constants: 1.0, "smoothness")


def _row(kind: str, title: str, formula: str, *parameters: Parameter) -> CovarianceRow:
    def matrix(q: int, order: int, values: Values) -> Array:
        return np.asarray(float(values["sd"]) ** 2 * _correlation(kind, values))

    def solve(q: int, order: int, covariance: Array, constants: Values) -> dict[str, Any]:
        R, lower = correlations(covariance), np.tril_indices(q, -1)
        start = [p.slots(constants)["loc"] for p in parameters]

        def named(point: Array) -> dict[str, float]:
            return {p.name: float(np.exp(x)) for p, x in zip(parameters, point, strict=True)}

        def gap(point: Array) -> Array:
            return (_correlation(kind, {**constants, **named(point)}) - R)[lower]

        best = least_squares(gap, start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
        return {"sd": float(standard_deviations(covariance).mean()), **named(best.x)}

    return CovarianceRow(
        title=title,
        template=f"covariances/{kind}",
        parameters=(SD, *parameters),
        sds="one",
        correlated=True,
        matrix=matrix,
        solve=solve,
        constants=("distance",),
        functions=("functions/matern",) if kind == "mat" else (),
        same_as=lambda q, order: "scalar" if q == 1 else None,
        symbols=by_distance(formula, "d: the distance of two columns' coordinates"),
    )


ROWS: dict[str, CovarianceRow] = {
    "ou": _row("ou", "one variance, correlation exp(-rate distance)", "exp(-rate d)", _RATE),
    "exp": _row(
        "exp", "one variance, correlation exp(-distance / range)", "exp(-d / range)", _RANGE
    ),
    "gau": _row(
        "gau", "one variance, correlation exp(-(distance / range)^2)", "exp(-(d / range)^2)", _RANGE
    ),
    "mat": _row(
        "mat", "one variance, Matern correlation", "Matern(d / range, nu)", _RANGE, _SMOOTHNESS
    ),
}
