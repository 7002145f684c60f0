"""Where chains start: around the least-squares fit, apart from each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.covariances import COVARIANCES
from mix2stan.families import FAMILIES
from mix2stan.glm_fit import least_squares
from mix2stan.graph import Group, ModelGraph
from mix2stan.links import LINKS
from mix2stan.responses import Observed

__all__ = ["starting_points"]

Array = NDArray[np.float64]


def starting_points(
    graph: ModelGraph, data: dict[str, Any], chains: int, seed: int
) -> list[dict[str, Any]]:
    """One set of starting values per chain, by Stan name.

    Stan's own random starts lie within (-2, 2), which is far from a response of 1e6.  These are the
    coefficients of a fit without group effects, two standard errors around, with the standard
    deviations within a factor of two of the residual's, and standard normals for the effects.
    """
    rng = np.random.default_rng(seed)
    if not graph.strategy.samples_effects:
        return [_variances(graph, data, rng) for _ in range(chains)]
    design = np.asarray(data["X"]) @ data["R_inverse"] if "R_inverse" in data else data.get("X")
    X = np.zeros((data["N"], 0)) if design is None else np.asarray(design)
    y = np.asarray(data["y"], dtype=float)
    seen = Observed(y, np.asarray(data.get("trials", np.ones(len(y))), dtype=float))
    known = np.broadcast_to(np.asarray(data.get("known", 0.0), dtype=float), y.shape)
    estimates, eta = least_squares(graph, X, seen, known)
    family, link = FAMILIES[graph.response.family], LINKS[graph.response.link]
    rest = family.scale(y) - link.inverse(eta)
    residual = float(np.std(rest)) or 1.0
    # effects act on the scale of the predictor, where one unit is much unless that is the response's
    spread = residual if graph.response.link == "identity" else 0.5
    # columns of the design have length sqrt(N)
    error = spread / np.sqrt(len(y))
    coefficients = "theta" if "R_inverse" in data else "beta"

    def chain() -> dict[str, Any]:
        start: dict[str, Any] = {
            name: (residual if name == "sigma" else 10.0) * _factor(rng)
            for name in family.parameters
        }
        values = estimates + error * rng.uniform(-2, 2, len(estimates))
        if len(estimates):
            start[coefficients] = values
        for group in graph.groups:
            start |= _effects(group, data, spread, rng)
        _move(graph, X, values, data, start)
        return start

    return [chain() for _ in range(chains)]


def _move(
    graph: ModelGraph, X: Array, values: Array, data: dict[str, Any], start: dict[str, Any]
) -> None:
    """Turn the effects of terms that are centred on something into the sums that are sampled."""
    for group in sorted(graph.groups, key=lambda g: g.factor.levels):
        how, name = group.parameterisation, group.id
        if not how.moved:
            continue
        rows = data[f"row_{name}"] - 1
        mean = X[np.ix_(rows, how.columns)] @ values[list(how.columns)]
        for parent in how.parents:
            above = next(v for v in (f"m_{parent}", f"b_{parent}", f"z_{parent}") if v in start)
            scale = start[f"sd_{parent}"] if above[0] == "z" else 1.0
            mean = mean + scale * start[above][data[parent][rows] - 1]
        start[f"m_{name}"] = mean + start.pop(f"b_{name}")


def _factor(rng: np.random.Generator, size: int | None = None) -> Any:
    return 2.0 ** rng.uniform(-1, 1, size)


def _effects(
    group: Group, data: dict[str, Any], spread: float, rng: np.random.Generator
) -> dict[str, Any]:
    name = group.id
    row = COVARIANCES[group.covariance.kind]
    q, levels = len(group.columns.names), data[f"J_{name}"]
    single = group.covariance.kind in ("scalar", "idv")
    # an effect of size sd moves the response by sd times its column
    Z = np.atleast_2d(np.asarray(data.get(f"Z_{name}", 1.0), dtype=float).T)
    scale = spread / np.maximum(np.sqrt(np.mean(Z**2, axis=1)), 1e-12)
    start: dict[str, Any] = {
        f"sd_{name}": float(scale.min() * _factor(rng)) if single else scale * _factor(rng, q)
    }
    if row.correlated:
        start[f"L_{name}"] = np.eye(q)
    if group.parameterisation.centred:
        shape = (levels,) if group.covariance.kind == "scalar" else (levels, q)
        start[f"b_{name}"] = rng.standard_normal(shape) * start[f"sd_{name}"]
        return start
    shape = (levels,) if group.covariance.kind == "scalar" else (q, levels)
    start[f"z_{name}"] = rng.standard_normal(shape)
    return start


def _variances(graph: ModelGraph, data: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Starting values of a collapsed program, from its sums of squares."""
    spread = float(np.sqrt(data["S_0"][0] / data["N"])) or 1.0
    start: dict[str, Any] = {"sigma": spread * _factor(rng)}
    for group in graph.groups:
        q, name = len(group.columns.names), group.id
        squares = [float(np.sum(data[f"ZZ_{name}_{k}{k}"])) for k in range(1, q + 1)]
        scale = spread / np.maximum(np.sqrt(np.array(squares) / data["N"]), 1e-12)
        single = group.covariance.kind in ("scalar", "idv")
        start[f"sd_{name}"] = (
            float(scale.min() * _factor(rng)) if single else scale * _factor(rng, q)
        )
        if COVARIANCES[group.covariance.kind].correlated:
            start[f"L_{name}"] = np.eye(q)
    return start
