"""Where chains start: around the least-squares fit, apart from each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.covariances import COVARIANCES, constants_of
from mix2stan.elimination import Elimination, elimination
from mix2stan.families import (
    FAMILIES,
    LAYERS,
    PARAMETERS,
    free_thresholds,
    single_parameters,
)
from mix2stan.glm_fit import least_squares
from mix2stan.graph import Group, ModelGraph, Predictor
from mix2stan.latent import error_term
from mix2stan.links import LINKS
from mix2stan.priors.residual import residual_starts
from mix2stan.residuals import known_errors
from mix2stan.responses import Observed, stand_in
from mix2stan.spread import spread

__all__ = ["effects_apart", "starting_points"]

Array = NDArray[np.float64]

#: The size of effects on the scale of a link.
_SMALL = 0.3
#: How often their size is halved to find one that is small enough.
_HALVINGS = 20


def starting_points(
    graph: ModelGraph, data: dict[str, Any], chains: int, seed: int
) -> list[dict[str, Any]]:
    """One set of starting values per chain, by Stan name.

    Stan's own random starts lie within (-2, 2), which is far from a response of 1e6.  These are the
    coefficients of a fit without group effects, two standard errors around, with the standard
    deviations within a factor of two of the residual's, and standard normals for the effects.
    """
    starts = _starting_points(graph, data, chains, np.random.default_rng(seed))
    for start in starts:
        for name, _ in graph.response.known:
            start.pop(name, None)
    for prior in graph.priors:
        bounds = dict(prior.values)
        if "lower" in bounds or "upper" in bounds:
            for start in starts:
                start[prior.block] = _within(start[prior.block], bounds)
    return starts


def effects_apart(graph: ModelGraph, start: Mapping[str, Any]) -> dict[str, Any] | None:
    """A point that differs from a start in the effects alone, None if the program samples none.

    Effects are what has a value for every level, or every row, and a distribution that other
    parameters give it: those of terms, as the program has them, and latent variables.
    """
    names = {f"{kind}_{group.id}" for group in graph.groups for kind in "zbm"}
    names |= {f"m_{graph.strategy.errors}"} if graph.strategy.errors else set()
    names |= {f"l_{i}" for layer in graph.response.layers for i in layer.ids}
    sampled = names & start.keys()
    return {**start, **{n: np.asarray(start[n]) + 1.0 for n in sampled}} if sampled else None


def _within(value: Any, bounds: Mapping[str, tuple[float, ...]]) -> Any:
    """Values inside the bounds of their prior, moved as little as needed."""
    inside = np.atleast_1d(np.asarray(value, dtype=float))
    low = np.array(bounds.get("lower", (-np.inf,)))
    high = np.array(bounds.get("upper", (np.inf,)))
    margin = 0.05 * np.where(np.isfinite(high - low), high - low, 1.0)
    inside = np.clip(inside, low + margin, high - margin)
    return float(inside[0]) if np.ndim(value) == 0 else inside


def _starting_points(
    graph: ModelGraph, data: dict[str, Any], chains: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    starts = _of_gaussian(graph, data, chains, rng)
    for layer in graph.response.layers:
        row = LAYERS[layer.family]
        near = row.start({e: data[f"{e}_{layer.id}"] for e in row.entries}, len(layer.ids))
        for start in starts:
            for name, value in zip(layer.ids, near, strict=True):
                start[f"l_{name}"] = value + _SMALL * rng.standard_normal(len(value))
    return starts


def _of_gaussian(
    graph: ModelGraph, data: dict[str, Any], chains: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Starting values of all parameters but the responses that are some."""
    if not graph.strategy.samples_effects:
        return [_collapsed(graph, data, rng) for _ in range(chains)]
    X = _design(graph, data)
    y = np.asarray(data["y"], dtype=float)
    y = y.argmax(axis=1) + 1.0 if y.ndim == 2 else y
    seen = Observed(y, np.asarray(data.get("trials", np.ones(len(y))), dtype=float))
    known = np.broadcast_to(np.asarray(data.get("known", 0.0), dtype=float), y.shape)
    thresholds = _thresholds(graph, data)
    graph, seen, known = stand_in(graph, seen, known)
    y = seen.y
    estimates, eta = least_squares(graph, X, seen, known)
    family, link = FAMILIES[graph.response.family], LINKS[graph.response.link]
    rest = family.scale(y) - link.inverse(eta)
    errors, multipliers = residual_starts(graph.residual, data)
    residual = spread(rest / multipliers, ddof=0, size=float(np.abs(y).max(initial=0.0)))
    # effects act on the scale of the predictor, where one unit is much unless that is the response's
    unit = residual if graph.response.link == "identity" else 0.5
    unit = _room(graph, eta, unit)
    # columns of the design have length sqrt(N)
    error = unit / np.sqrt(len(y))
    coefficients = "theta" if "R_inverse" in data else "beta"

    def chain() -> dict[str, Any]:
        start: dict[str, Any] = {
            name: PARAMETERS[name].inside(
                (residual if name == "sigma" else family.start(name)) * float(_factor(rng))
            )
            for name in single_parameters(graph)
        }
        start |= errors | thresholds
        values = estimates + error * rng.uniform(-2, 2, len(estimates))
        if len(estimates):
            start[coefficients] = values
        for group in graph.groups_of(""):
            start |= _effects(group, data, unit, rng)
        _move(graph.groups_of(""), X, values, data, start)
        for predictor in graph.predictors:
            start |= _predicted(graph, predictor, data, residual, rng)
        return start

    return [chain() for _ in range(chains)]


def _room(graph: ModelGraph, eta: Array, spread: float) -> float:
    """The size of effects, smaller where those of this size would leave the means no value.

    Such is ``1 / mu``, which has to stay positive; most links take any number.
    """
    family, link = FAMILIES[graph.response.family], LINKS[graph.response.link]
    columns = 1 + sum(len(group.columns.names) for group in graph.groups_of(""))
    for _ in range(_HALVINGS):
        # two standard deviations twice as large as meant
        both = np.concatenate([eta - 4 * columns * spread, eta + 4 * columns * spread])
        with np.errstate(all="ignore"):
            if bool((link.valid(both) & family.domain(link.inverse(both))).all()):
                break
        spread /= 2
    return spread


def _design(graph: ModelGraph, data: dict[str, Any]) -> Array:
    """The columns whose coefficients are sampled, shape (N, K)."""
    if "X" not in data:
        return np.zeros((data["N"], 0))
    X = np.asarray(data["X"])
    X = X - data["X_mean"] if free_thresholds(graph) else X
    return np.asarray(X @ data["R_inverse"] if "R_inverse" in data else X)


def _thresholds(graph: ModelGraph, data: dict[str, Any]) -> dict[str, Any]:
    """The thresholds that give each category its share of the rows."""
    ordinal = FAMILIES[graph.response.family].ordinal
    if ordinal is None:
        return {}
    # rows held out may have been all of a category
    share = np.maximum(np.bincount(data["y"], minlength=data["C"] + 1)[1:], 0.5)
    share = share / share.sum()
    values = ordinal.thresholds(share, LINKS[graph.response.link].forward)
    values = values * graph.response.latent_sd
    if graph.response.anchored:
        return {"cutpoints": values[1:] - values[0]}
    return {"cuts" if "X" in data else "thresholds": values}


def _predicted(
    graph: ModelGraph,
    predictor: Predictor,
    data: dict[str, Any],
    residual: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """A predictor of another parameter, about constant at where that would start."""
    name, s = predictor.parameter, predictor.suffix
    middle = (residual if name == "sigma" else FAMILIES[graph.response.family].start(name)) * float(
        _factor(rng)
    )
    eta = np.asarray(LINKS[predictor.link].forward(np.array(middle)))
    start: dict[str, Any] = {}
    X, values = np.zeros((data["N"], 0)), np.zeros(0)
    if predictor.population.columns.names:
        X = np.asarray(data[f"X{s}"])
        X = X @ data[f"R_inverse{s}"] if f"R_inverse{s}" in data else X
        known = np.broadcast_to(data.get(f"known{s}", 0.0), len(X))
        values = np.linalg.lstsq(X, eta - known, rcond=None)[0]
        start[f"theta{s}" if f"R_inverse{s}" in data else f"beta{s}"] = values
    groups = graph.groups_of(name)
    for group in groups:
        start |= _effects(group, data, _SMALL, rng)
    _move(groups, X, values, data, start)
    return start


def _move(
    groups: tuple[Group, ...], X: Array, values: Array, data: dict[str, Any], start: dict[str, Any]
) -> None:
    """Turn the effects of terms that are centred on something into the sums that are sampled."""
    indices = {group.id: group.index for group in groups}
    for group in sorted(groups, key=lambda g: g.factor.levels):
        how, name = group.parameterisation, group.id
        if not how.moved:
            continue
        rows = data[f"row_{name}"] - 1
        mean = X[np.ix_(rows, how.columns)] @ values[list(how.columns)]
        for parent in how.parents:
            above = next(v for v in (f"m_{parent}", f"b_{parent}", f"z_{parent}") if v in start)
            scale = start[f"sd_{parent}"] if above[0] == "z" else 1.0
            mean = mean + scale * start[above][data[indices[parent]][rows] - 1]
        start[f"m_{name}"] = mean + start.pop(f"b_{name}")


def _factor(rng: np.random.Generator, size: int | None = None) -> Any:
    return 2.0 ** rng.uniform(-1, 1, size)


def _effects(
    group: Group, data: dict[str, Any], spread: float, rng: np.random.Generator
) -> dict[str, Any]:
    name = group.id
    q, levels = len(group.columns.names), data[f"J_{name}"]
    # an effect of size sd moves the response by sd times its column
    Z = np.atleast_2d(np.asarray(data.get(f"Z_{name}", 1.0), dtype=float).T)
    scale = np.broadcast_to(spread / np.maximum(np.sqrt(np.mean(Z**2, axis=1)), 1e-12), q)
    start = _variances(group, scale, rng)
    if group.parameterisation.centred:
        shape = (levels,) if group.covariance.kind == "scalar" else (levels, q)
        start[f"b_{name}"] = rng.standard_normal(shape) * start.get(f"sd_{name}", scale)
        return start
    row = COVARIANCES[group.covariance.kind]
    shape = (row.rank(q, group.covariance.order), levels)
    start[f"z_{name}"] = rng.standard_normal(
        shape[1:] if group.covariance.kind == "scalar" else shape
    )
    return start


def _collapsed(graph: ModelGraph, data: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Starting values of a collapsed program, from its sums of squares."""
    if graph.strategy.errors:
        return _latent(graph, data, rng)
    if not known_errors(graph.residual):
        return _whitened(graph, data, rng)
    parts = elimination(graph.groups)
    spread = float(np.sqrt(_squares(parts, data)[0] / data["N"])) or 1.0
    start: dict[str, Any] = {"sigma": spread * _factor(rng)}
    start |= _heavy_intercept(graph, rng)
    means = _mean_squares(graph, data)
    for group in parts.block + parts.dense:
        scale = spread / np.maximum(np.sqrt(means[group.id]), 1e-12)
        start |= _variances(group, scale, rng)
    for group in parts.sampled:
        start |= _effects(group, data, spread, rng)
    return start


def _heavy_intercept(graph: ModelGraph, rng: np.random.Generator) -> dict[str, Any]:
    """The variance that mixes normals to Student's t, if that is the prior of the intercept."""
    heavy = any(p.block == "intercept" and p.density == "student_t" for p in graph.priors)
    return {"mix_intercept": _factor(rng)} if heavy else {}


def _latent(graph: ModelGraph, data: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Starting values of a program that samples the predictor: near the coefficients' fit."""
    name, family = graph.strategy.errors, FAMILIES[graph.response.family]
    term = error_term(graph)
    W = np.asarray(data.get("W", data.get("Q", np.zeros((data["N"], 0)))))
    predictor = W[:, data.get("E", 0) :] @ data.get("theta_hat", np.zeros(0))
    start: dict[str, Any] = {
        parameter: family.start(parameter) * _factor(rng) for parameter in single_parameters(graph)
    }
    start |= _heavy_intercept(graph, rng)
    for group in graph.groups:
        start |= _variances(group, np.full(len(group.columns.names), 0.5), rng)
    effects = np.zeros(len(predictor))
    effects[data[term.index] - 1] = predictor + 0.5 * rng.standard_normal(len(predictor))
    return start | {f"m_{name}": effects}


def _whitened(graph: ModelGraph, data: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Starting values of a collapsed program with structured errors, from its rows [r Q Z]."""
    errors, multipliers = residual_starts(graph.residual, data)
    parts = elimination(graph.groups, graph.residual)
    observations = data.get("observations", data["N"])
    squares = np.sum(np.square(data["rows"]), axis=0) / observations
    spread = float(np.sqrt(squares[0])) or 1.0
    sigma = np.sqrt(np.sum(np.square(data["rows"][:, 0] / multipliers)) / observations) or 1.0
    start: dict[str, Any] = {"sigma": float(sigma) * _factor(rng), **errors}
    start |= _heavy_intercept(graph, rng)
    means = _dense_squares(parts, data, squares[1:])
    place = 1 + data.get("D", data.get("K", 0))
    chain = tuple(g for terms in parts.chain for g in terms)
    for group in chain:
        means[group.id] = squares[place : place + len(group.columns.names)]
        place += len(group.columns.names)
    for group in chain + parts.dense:
        start |= _variances(group, spread / np.maximum(np.sqrt(means[group.id]), 1e-12), rng)
    return start


def _mean_squares(graph: ModelGraph, data: dict[str, Any]) -> dict[str, Any]:
    """The mean square of every column of the integrated terms, by the term's identifier."""
    parts = elimination(graph.groups)
    means: dict[str, Any] = {}
    squares, k = _triangle_squares(parts, data), 0
    for group in parts.block:
        q = len(group.columns.names)
        means[group.id] = squares[k : k + q] / data["N"]
        k += q
    if parts.dense:
        means |= _dense_squares(parts, data, _squares(parts, data)[1:] / data["N"])
    return means


def _triangle_squares(parts: Elimination, data: dict[str, Any]) -> Array:
    """The sum of squares of every column of the block, from the triangles of its levels."""
    if not parts.block:
        return np.zeros(0)
    q = sum(len(g.columns.names) for g in parts.block)
    stored = np.sum(np.atleast_2d(data[f"T_{parts.block[0].id}"]) ** 2, axis=1)
    _, columns = np.triu_indices(q)
    return np.asarray(np.bincount(columns, stored, q), dtype=float)


def _squares(parts: Elimination, data: dict[str, Any]) -> Array:
    """The sum of squares of every column of [r W], that in which effects have a part included."""
    name, w = parts.block[0].id if parts.block else "", "W" if parts.dense else "Q"
    own = [np.asarray(data[f"{w}_of_{name}"])] if f"{w}_of_{name}" in data else []
    added = [np.sum(rows.reshape(-1, rows.shape[-1]) ** 2, axis=0) for rows in own]
    if parts.sampled:
        rest = np.diag(data.get(f"{w}{w}_0", np.zeros((0, 0))))
        return np.concatenate([[np.sum(np.square(data["r"]))], sum(added, rest)])
    total = np.diag(np.atleast_2d(data["S_0"])).astype(float)
    total[0] += np.sum(np.square(data.get(f"r_{name}", 0.0)))
    total[1:] = sum(added, total[1:])
    return total


def _dense_squares(parts: Elimination, data: dict[str, Any], squares: Array) -> dict[str, Any]:
    """The mean square of every column of the dense terms, from those of the columns of W."""
    means: dict[str, Any] = {}
    e = 0
    for group in parts.dense:
        q, J = len(group.columns.names), data[f"J_{group.id}"]
        unit = np.asarray(data.get("unit", np.ones(e + q * J)))[e : e + q * J]
        own = squares[e : e + q * J] * unit**2
        means[group.id] = own.reshape(q, J).sum(axis=1)
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
