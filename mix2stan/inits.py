"""Where chains start: around the least-squares fit, apart from each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from mix2stan.covariances import COVARIANCES, constants_of
from mix2stan.elimination import elimination
from mix2stan.graph import Group, ModelGraph
from mix2stan.residual_priors import residual_starts

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
        return [_collapsed(graph, data, rng) for _ in range(chains)]
    y = np.asarray(data["y"], dtype=float) - np.asarray(data.get("known", 0.0))
    design = np.asarray(data["X"]) @ data["R_inverse"] if "R_inverse" in data else data.get("X")
    estimates = np.zeros(0)
    if design is not None:
        estimates = np.linalg.lstsq(design, y, rcond=None)[0]
        y = y - design @ estimates
    spread = float(np.std(y)) or 1.0
    # columns of the design have length sqrt(N)
    error = spread / np.sqrt(len(y))
    errors, multipliers = residual_starts(graph.residual, data)
    sigma = float(np.std(y / multipliers)) or 1.0
    coefficients = "theta" if "R_inverse" in data else "beta"

    def chain() -> dict[str, Any]:
        start: dict[str, Any] = {"sigma": sigma * _factor(rng), **errors}
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
    q, levels = len(group.columns.names), data[f"J_{name}"]
    # an effect of size sd moves the response by sd times its column
    Z = np.atleast_2d(np.asarray(data.get(f"Z_{name}", 1.0), dtype=float).T)
    scale = spread / np.maximum(np.sqrt(np.mean(Z**2, axis=1)), 1e-12)
    start = _variances(group, scale, rng)
    row = COVARIANCES[group.covariance.kind]
    shape = (row.rank(q, group.covariance.order), levels)
    start[f"z_{name}"] = rng.standard_normal(
        shape[1:] if group.covariance.kind == "scalar" else shape
    )
    return start


def _collapsed(graph: ModelGraph, data: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Starting values of a collapsed program, from its sums of squares."""
    if not graph.residual.plain:
        return _whitened(graph, data, rng)
    parts = elimination(graph.groups)
    squares = float(np.sum(data["r"] ** 2)) if parts.sampled else float(data["rr_0"])
    spread = float(np.sqrt(squares / data["N"])) or 1.0
    start: dict[str, Any] = {"sigma": spread * _factor(rng)}
    means = _mean_squares(graph, data)
    for group in parts.block + parts.dense:
        scale = spread / np.maximum(np.sqrt(means[group.id]), 1e-12)
        start |= _variances(group, scale, rng)
    for group in parts.sampled:
        start |= _effects(group, data, spread, rng)
    return start


def _whitened(graph: ModelGraph, data: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Starting values of a collapsed program with structured errors, from its rows [r Q Z]."""
    errors, multipliers = residual_starts(graph.residual, data)
    mean_squares = np.mean(np.square(data["rows"]), axis=0)
    spread = float(np.sqrt(mean_squares[0])) or 1.0
    sigma = float(np.sqrt(np.mean(np.square(data["rows"][:, 0] / multipliers)))) or 1.0
    start: dict[str, Any] = {"sigma": sigma * _factor(rng), **errors}
    place = 1 + data.get("K", 0)
    for group in graph.groups:
        sizes = mean_squares[place : place + len(group.columns.names)]
        start |= _variances(group, spread / np.maximum(np.sqrt(sizes), 1e-12), rng)
        place += len(sizes)
    return start


def _mean_squares(graph: ModelGraph, data: dict[str, Any]) -> dict[str, Any]:
    """The mean square of every column of the integrated terms, by the term's identifier."""
    parts = elimination(graph.groups)
    means: dict[str, Any] = {}
    k = 0
    for group in parts.block:
        q = len(group.columns.names)
        name = parts.block[0].id
        sums = [float(np.sum(data[f"ZZ_{name}_{i}{i}"])) for i in range(k + 1, k + q + 1)]
        means[group.id] = np.array(sums) / data["N"]
        k += q
    e = 0
    for group in parts.dense:
        q, J = len(group.columns.names), data[f"J_{group.id}"]
        unit = np.asarray(data.get("unit", np.ones(e + q * J)))
        means[group.id] = unit[e : e + q * J : J] ** 2
        e += q * J
    return means


def _variances(group: Group, scale: Any, rng: np.random.Generator) -> dict[str, Any]:
    """Starting values of the covariance parameters; ``scale`` is that of each effect, shape (q,)."""
    row, order, q = COVARIANCES[group.covariance.kind], group.covariance.order, len(scale)
    start: dict[str, Any] = {}
    for p in row.parameters:
        n = p.size(q, order)
        if p.shape == "L":
            value: Any = np.eye(n)
        elif p.start is not None:
            value = np.full(n, p.start(constants_of(group)) * float(_factor(rng)))
        else:
            value = scale[:n] * _factor(rng, n) if n > 1 else np.full(n, scale.min() * _factor(rng))
        start[f"{p.name}_{group.id}"] = float(value[0]) if p.shape == "real" else value
    return start
