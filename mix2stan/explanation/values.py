"""Values at which a covariance is printed in numbers: round ones, or estimates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.covariances import COVARIANCES, Parameter, constants_of, covariance_of
from mix2stan.errors import Mix2stanError, suggestion
from mix2stan.explanation.facts import Facts, listed
from mix2stan.graph import Group
from mix2stan.residual_data import (
    blocks_of,
    general_root,
    multiplier,
    natural_correlation,
    positions,
    residual_entries,
)
from mix2stan.residual_point import residual_values
from mix2stan.residuals import CORRELATIONS, ErrorBlock, distances, error_blocks
from mix2stan.spread import spread
from mix2stan.syntax import format_number

__all__ = ["Estimated", "Point", "covariance_at", "point_of"]

Array = NDArray[np.float64]

_SHOWN = 0.5
_LABEL = re.compile(r"(?P<kind>\w+) (?P<name>\w+)(?:\[(?P<level>.*)\])?")


class Estimated(Protocol):
    """Estimates, as :meth:`mix2stan.Model.reml` makes them."""

    @property
    def method(self) -> str: ...

    def VarCorr(self) -> pd.DataFrame: ...

    def sigma(self) -> float: ...

    def residual(self) -> pd.Series: ...


@dataclass(frozen=True, eq=False)
class Point:
    """Values of all that a covariance depends on.

    Attributes:
        words: which values these are.
        Sigmas: the covariance of the effects of every term, q x q, in order.
        sigma: the residual standard deviation.
        errors: the parameters of structured errors, by Stan name.
    """

    words: str
    Sigmas: tuple[Array, ...]
    sigma: float
    errors: Mapping[str, Any]


def point_of(facts: Facts, at: Estimated | Mapping[str, Any] | None) -> Point:
    """The point to print a covariance at.

    Args:
        facts: the model.
        at: estimates; or values by Stan name, those missing being round ones; or nothing.

    Raises:
        Mix2stanError: if a name is of no parameter.
    """
    if at is not None and not isinstance(at, Mapping):
        return _estimates(facts, at)
    given = dict(at or {})
    round_ones = {name: value for g in facts.graph.groups for name, value in _round(g).items()}
    errors = {b.name: _round_error(b, facts) for b in error_blocks(facts.graph.residual) if b.free}
    known = {**round_ones, **errors, "sigma": 1.0}
    for name in given:
        if name not in known:
            hint = suggestion(name, known, what="the parameters of the covariance")
            raise Mix2stanError(f"at: there is no parameter '{name}'", hint=hint)
    values = known | given
    return Point(
        _words(known, given),
        tuple(covariance_of(g, values) for g in facts.graph.groups),
        float(values["sigma"]),
        {name: values[name] for name in errors},
    )


def _words(known: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Which values these are: the user's, and round ones by their names."""
    said = ["at the values given"] if given else []
    rest = [name for name in known if name not in given]
    sds = [name for name in rest if name == "sigma" or name.startswith("sd_")]
    roots = [name for name in rest if name.startswith("L_") or name == "cor_L"]
    said += ["every standard deviation 1"] if sds else []
    said += ["every correlation 0.5"] if roots else []
    for name in rest:
        if name not in (*sds, *roots):
            numbers = [format_number(float(x), 3) for x in np.atleast_1d(known[name])]
            said.append(f"{name} {listed(numbers)}")
    return "with " * (not given) + ", ".join(said)


def _round(group: Group) -> dict[str, Any]:
    row, q = COVARIANCES[group.covariance.kind], len(group.columns.names)
    constants = constants_of(group)
    return {
        f"{p.name}_{group.id}": _round_value(p, p.size(q, group.covariance.order), constants)
        for p in row.parameters
    }


def _round_value(parameter: Parameter, size: int, constants: Mapping[str, Any]) -> Any:
    if parameter.shape == "L":
        return np.linalg.cholesky(_SHOWN * np.eye(size) + (1 - _SHOWN))
    value = 1.0 if parameter.density == "sd" and not parameter.signed else _SHOWN
    if parameter.density == "lognormal" and parameter.start is not None:
        value = parameter.start(constants)
    return value if parameter.shape == "real" else np.full(size, value)


def _round_error(block: ErrorBlock, facts: Facts) -> Any:
    """A value of a parameter of the errors that makes its pattern visible."""
    size, name = block.parameter.size or len(block.labels) or 1, block.parameter.name
    if block.name == "cor_L":
        return general_root(np.full(size, _SHOWN))
    value = np.full(size, _SHOWN)
    if name == "ratio":
        value = 1 + _SHOWN * np.arange(1, size + 1)
    elif name in ("expon", "prop") and block.part is not None and not block.part.of_fitted:
        assert block.part.covariate is not None
        value = value / spread(facts.data.vector(block.part.covariate), ddof=0)
    elif name == "const":
        value = np.ones(size)
    elif name == "range":
        value = value * _typical_distance(facts)
    return float(value[0]) if block.scalar else value


def _typical_distance(facts: Facts) -> float:
    """The median distance between the places of a block."""
    correlation = facts.graph.residual.correlation
    assert correlation is not None
    blocks = blocks_of(correlation, facts.data)
    largest = int(np.argmax(blocks.sizes))
    points = blocks.points[blocks.first[largest] : blocks.first[largest + 1]][:500]
    d = distances(points, correlation.metric)
    return float(np.median(d[d > 0])) if (d > 0).any() else 1.0


def _estimates(facts: Facts, at: Estimated) -> Point:
    """Estimates, also those on the boundary."""
    table, start, Sigmas = at.VarCorr(), 0, []
    for group in facts.graph.groups:
        q = len(group.columns.names)
        part = table.iloc[start : start + q]
        sd, R = part["sd"].to_numpy(float), np.eye(q)
        for k in range(q):
            for j, name in enumerate(group.columns.names[:k]):
                r = float(part[f"cor {name}"].iloc[k]) if f"cor {name}" in part else 0.0
                R[k, j] = R[j, k] = 0.0 if np.isnan(r) else r
        Sigmas.append(R * np.outer(sd, sd))
        start += q
    residual, sigma = facts.graph.residual, at.sigma()
    errors = {} if residual.plain else residual_values(residual, _by_kind(at.residual(), sigma))
    return Point(f"at the {at.method} estimates", tuple(Sigmas), sigma, errors)


def _by_kind(series: pd.Series, sigma: float) -> dict[str, Any]:
    """nlme's printed parameters as a point of the likelihood."""
    point: dict[str, Any] = {"sigma": sigma}
    for label, value in series.items():
        found = _LABEL.fullmatch(str(label))
        if found is None:
            continue
        of_kind = point.setdefault(found["kind"], {})
        if found["level"] is None:
            of_kind[found["name"]] = float(value)
        else:
            of_kind.setdefault(found["name"], {})[found["level"]] = float(value)
    return {kind: _simplest(kind, value) for kind, value in point.items()}


def _simplest(kind: str, value: Any) -> Any:
    """Parameters alone in their kind stand for themselves; those of correlations in order."""
    if not isinstance(value, dict):
        return value
    if kind in CORRELATIONS:
        listed = [list(v.values()) if isinstance(v, dict) else [v] for v in value.values()]
        return [x for part in listed for x in part]
    return next(iter(value.values())) if len(value) == 1 else value


def covariance_at(facts: Facts, point: Point, rows: list[int]) -> Array:
    """The covariance of a few rows: of the response if it is Gaussian, else of its predictor."""
    index = np.asarray(rows)
    V = np.zeros((len(rows), len(rows)))
    for group, Sigma in zip(facts.graph.groups, point.Sigmas, strict=True):
        own = np.array(group.columns_in(""), dtype=np.int64)
        if not len(own):
            continue
        z, Sigma = facts.data.matrix(group.columns)[np.ix_(index, own)], Sigma[np.ix_(own, own)]
        codes = facts.codes(group.factor)[index]
        V += (codes[:, None] == codes[None, :]) * (z @ Sigma @ z.T)
    return V + _errors_at(facts, point, index) if facts.gaussian else V


def _errors_at(facts: Facts, point: Point, rows: NDArray[np.int64]) -> Array:
    """sigma^2 D R D of a few rows; a variance of the predictor is taken at 1."""
    residual, data = facts.graph.residual, facts.data
    entries = residual_entries(residual, data)
    fitted = np.ones(data.rows)
    g = np.broadcast_to(multiplier(residual, entries, point.errors, fitted), data.rows)[rows]
    R = np.eye(len(rows))
    if residual.correlation is not None:
        correlation = residual.correlation
        blocks = blocks_of(correlation, data)
        places = blocks.points
        if correlation.kind == "corSymm":
            places = positions(blocks)[:, None].astype(float)
        points, block = np.zeros((data.rows, places.shape[1])), np.zeros(data.rows, dtype=int)
        points[blocks.order] = places
        block[blocks.order] = np.repeat(np.arange(len(blocks.sizes)), blocks.sizes)
        d = distances(points[rows], correlation.metric)
        values = natural_correlation(residual, point.errors)
        whole = CORRELATIONS[correlation.kind].matrix(points[rows], d, values)
        R = np.where(block[rows][:, None] == block[rows][None, :], whole, 0.0)
        np.fill_diagonal(R, 1.0)
    return np.asarray(point.sigma**2 * R * np.outer(g, g))
