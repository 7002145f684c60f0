"""Where chains start: around the least-squares fit, apart from each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from mix2stan.covariances import COVARIANCES
from mix2stan.graph import Group, ModelGraph

__all__ = ["starting_points"]


def starting_points(
    graph: ModelGraph, data: dict[str, Any], chains: int, seed: int
) -> list[dict[str, Any]]:
    """One set of starting values per chain, by Stan name.

    Stan's own random starts lie within (-2, 2), which is far from a response of 1e6.  These are the
    least-squares coefficients two standard errors around, with the standard deviations within a
    factor of two of the residual's, and standard normals for the effects.
    """
    rng = np.random.default_rng(seed)
    if graph.strategy.kind != "noncentred":
        return [_variances(graph, data, rng) for _ in range(chains)]
    y = np.asarray(data["y"], dtype=float) - np.asarray(data.get("known", 0.0))
    design = np.asarray(data["X"]) @ data["R_inverse"] if "R_inverse" in data else data.get("X")
    estimates = np.zeros(0)
    if design is not None:
        estimates = np.linalg.lstsq(design, y, rcond=None)[0]
        y = y - design @ estimates
    spread = float(np.std(y)) or 1.0
    # columns of the design have length sqrt(N)
    error = spread / np.sqrt(len(y))
    coefficients = "theta" if "R_inverse" in data else "beta"

    def chain() -> dict[str, Any]:
        start: dict[str, Any] = {"sigma": spread * _factor(rng)}
        if len(estimates):
            start[coefficients] = estimates + error * rng.uniform(-2, 2, len(estimates))
        for group in graph.groups:
            start |= _effects(group, data, spread, rng)
        return start

    return [chain() for _ in range(chains)]


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
    shape = levels if group.covariance.kind == "scalar" else (q, levels)
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
