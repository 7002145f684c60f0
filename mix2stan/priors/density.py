"""The log density of a model's priors at draws of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.graph import ModelGraph, Prior
from mix2stan.priors.numbers import DATA, log_density
from mix2stan.priors.rows import DENSITIES
from mix2stan.priors.stacked import intercept_names

__all__ = ["log_prior"]

Array = NDArray[np.float64]
Values = Mapping[str, Array]


def log_prior(graph: ModelGraph, entries: Mapping[str, Any], values: Values) -> Array:
    """The sum of the log densities of all priors, constants left out, shape (S,).

    It is the density of what the program samples: standard deviations and roots of correlations;
    flat priors add nothing, and effects given their standard deviations are no prior here.

    Args:
        graph: the completed model.
        entries: the program's data.
        values: draws by Stan name, shape (S, …).
    """
    size = len(next(iter(values.values())))
    known = {name: np.asarray(value) for name, value in values.items()}
    known |= {name: np.asarray(entries[name], float) for name in DATA if name in entries}
    if "X_means" in entries:
        known["means"] = np.asarray(entries["X_means"], float)
    total = np.zeros(size)
    for prior in graph.priors:
        at = _at(graph, prior, known)
        rule = _JOINT.get(prior.density)
        if rule is not None:
            numbers = {slot: np.array(v) for slot, v in prior.values}
            total += rule(numbers, at, known, prior.block.partition("_")[2])
            continue
        unit = known[prior.unit][:, None] if prior.unit else np.ones((1, 1))
        if DENSITIES[prior.density].text:
            total += log_density(prior, at * unit, known).sum(axis=1)
        total += at.shape[1] * np.log(unit[:, 0])
    return total


def _at(graph: ModelGraph, prior: Prior, values: Values) -> Array:
    """The draws of what a prior is of, shape (S, n)."""
    for predictor in graph.every_predictor:
        s = predictor.suffix
        if prior.block == "intercepts" and not s:
            found = values["beta"] @ values["means"].T
            return found[:, list(prior.places)] if prior.places else found
        if prior.block not in (f"intercept{s}", f"beta{s}"):
            continue
        others = (
            intercept_names(graph) if any(p.block == "intercepts" for p in graph.priors) else {}
        )
        beta = values[f"beta{s}"]
        intercept = any(p.block == f"intercept{s}" for p in graph.priors)
        if prior.block == f"intercept{s}":
            return (beta @ values[f"centre{s}"])[:, None]
        names = predictor.population.columns.names
        slopes = beta[:, [i for i, n in enumerate(names) if n not in others][int(intercept) :]]
        return slopes[:, list(prior.places)] if prior.places else slopes
    # thresholds have their prior at the mean of the columns
    here = "cuts" if prior.block == "thresholds" and "cuts" in values else prior.block
    found = values[here]
    found = found[:, None] if found.ndim == 1 else found
    return found[:, list(prior.places)] if prior.places else found


# -- several parameters at once --------------------------------------------------------------------

Numbers = Mapping[str, Array]


def _log_diagonal(L: Array) -> Array:
    return np.log(np.diagonal(L, axis1=1, axis2=2))


def _lkj(numbers: Numbers, L: Array, values: Values, term: str) -> Array:
    k, eta = L.shape[-1], float(numbers.get("eta", np.ones(1))[0])
    return np.asarray(_log_diagonal(L) @ (k - np.arange(1, k + 1) + 2 * eta - 2))


def _decov(sigma: bool) -> Callable[[Numbers, Array, Values, str], Array]:
    def density(numbers: Numbers, sd: Array, values: Values, term: str) -> Array:
        k, unit = sd.shape[1], values["sigma"] if sigma else np.ones(len(sd))
        r = np.sqrt((sd**2).sum(axis=1)) / unit
        logs = np.log(sd).sum(axis=1) - (2 * k - 1) * np.log(r)
        return np.asarray(logs - r / np.sqrt(k) - k * np.log(unit))

    return density


def _multi_normal(numbers: Numbers, x: Array, values: Values, term: str) -> Array:
    k = x.shape[1]
    root = np.linalg.cholesky(np.reshape(numbers["scale_matrix"], (k, k)))
    z = np.linalg.solve(root, (x - numbers["loc"]).T)
    return np.asarray(-0.5 * (z**2).sum(axis=0))


def _inverse_gamma(numbers: Numbers, sd: Array, values: Values, term: str) -> Array:
    nu = numbers["df"] if "df" in numbers else numbers["nu"]
    logs = -(nu + 1) * np.log(sd) - 0.5 * nu * numbers["V"] / sd**2
    return np.asarray(logs.sum(axis=1))


def _ratios(numbers: Numbers, ratio: Array, values: Values, term: str) -> Array:
    sigma = values["sigma"]
    sds = _inverse_gamma(numbers, ratio * sigma[:, None], values, term)
    return np.asarray(sds + ratio.shape[1] * np.log(sigma))


def _powers(nu: float, L: Array) -> Array:
    return np.asarray(_log_diagonal(L) @ -(nu + 1 + np.arange(1, L.shape[-1] + 1)))


def _in_roots(nu: float, V: Array, sd: Array, L: Array) -> Array:
    """What an inverse Wishart density has of the root diag(sd) L, but for powers of sd.

    Args:
        nu: the degrees of freedom.
        V: the scale matrix over nu, its k x k elements in any shape.
        sd: standard deviations, shape (S, k).
        L: roots of correlations, shape (S, k, k).
    """
    scale = np.linalg.cholesky(np.reshape(V, L.shape[1:]))
    root = np.linalg.solve(sd[:, :, None] * L, np.broadcast_to(scale, L.shape))
    return np.asarray(_powers(nu, L) - 0.5 * nu * (root**2).sum(axis=(1, 2)))


def _wishart(numbers: Numbers, sd: Array, values: Values, term: str) -> Array:
    L, nu = values[f"L_{term}"], float(numbers["nu"][0])
    roots = _in_roots(nu, numbers["scale_matrix"], sd, L)
    return np.asarray(roots - (nu + 1) * np.log(sd).sum(axis=1))


def _of_errors(numbers: Numbers, ratio: Array, values: Values, term: str) -> Array:
    sigma, nu = values["sigma"], float(numbers["nu"][0])
    sd = sigma[:, None] * np.column_stack([np.ones(len(ratio)), ratio])
    logs = ratio.shape[1] * np.log(sigma) - (nu + 1) * np.log(sd).sum(axis=1)
    return np.asarray(logs + _in_roots(nu, numbers["of_errors"], sd, values["cor_L"]))


def _given_last(numbers: Numbers, ratio: Array, values: Values, term: str) -> Array:
    nu = float(numbers["nu"][0])
    sd = values["sigma"][:, None] * np.column_stack([ratio, np.ones(len(ratio))])
    roots = _in_roots(nu, numbers["of_errors"], sd, values["cor_L"])
    return np.asarray(roots - (nu + 1) * np.log(ratio).sum(axis=1))


def _given_latter(numbers: Numbers, ratio: Array, values: Values, term: str) -> Array:
    known, L, nu = values["cor_known"], np.array(values["cor_L"]), float(numbers["nu"][0])
    L[:, : len(known), : len(known)] = known
    given = np.broadcast_to(values["var_ratio_known"], (len(ratio), len(values["var_ratio_known"])))
    sd = values["sigma"][:, None] * np.hstack([ratio, given])[:, ::-1]
    roots = _in_roots(nu, numbers["of_errors"], sd, L)
    return np.asarray(roots - (nu + 1) * np.log(ratio).sum(axis=1))


def _given_block(numbers: Numbers, sd: Array, values: Values, term: str) -> Array:
    L, slope, nu = values[f"L_{term}"], values[f"slope_{term}"], float(numbers["nu"][0])
    p, known = sd.shape[1], slope.shape[1] // sd.shape[1]
    V = np.reshape(numbers["of_effects"], (p + known, p + known))
    mean = np.linalg.solve(V[p:, p:], V[p:, :p]).T
    rest = np.linalg.cholesky(V[:p, :p] - mean @ V[p:, :p])
    on = np.swapaxes(slope.reshape(-1, known, p), 1, 2) - mean
    whole = np.concatenate(
        [np.broadcast_to(rest, L.shape), on @ np.linalg.cholesky(V[p:, p:])], axis=2
    )
    root = np.linalg.solve(sd[:, :, None] * L, whole)
    logs = -(nu + known + 1) * np.log(sd).sum(axis=1) + _powers(nu + known, L)
    return np.asarray(logs - 0.5 * nu * (root**2).sum(axis=(1, 2)))


def _scaled_wishart(numbers: Numbers, sd: Array, values: Values, term: str) -> Array:
    L, nu = values[f"L_{term}"], float(numbers["nu"][0])
    precision = (np.linalg.inv(sd[:, :, None] * L) ** 2).sum(axis=1)
    scaled = np.log(nu * numbers["V"] * precision + 1 / numbers["alpha_V"]).sum(axis=1)
    logs = -(nu + 1) * np.log(sd).sum(axis=1) + _powers(nu, L)
    return np.asarray(logs - 0.5 * (nu + 1) * scaled)


def _wishart_root(numbers: Numbers, L: Array, values: Values, term: str) -> Array:
    nu = float(numbers["nu"][0])
    precision = (np.linalg.inv(L) ** 2).sum(axis=1)
    return np.asarray(_powers(nu, L) - 0.5 * nu * np.log(precision).sum(axis=1))


_JOINT: dict[str, Callable[[Numbers, Array, Values, str], Array]] = {
    "lkj": _lkj,
    "lkj_eta": _lkj,
    "decov": _decov(sigma=True),
    "decov_1": _decov(sigma=False),
    "multi_normal": _multi_normal,
    "inverse_gamma": _inverse_gamma,
    "inverse_gammas": _inverse_gamma,
    "inverse_gamma_ratios": _ratios,
    "inverse_wishart": _wishart,
    "inverse_wishart_errors": _of_errors,
    "inverse_wishart_given_last": _given_last,
    "inverse_wishart_given_block": _given_block,
    "inverse_wishart_given_latter": _given_latter,
    "scaled_inverse_wishart": _scaled_wishart,
    "inverse_wishart_root": _wishart_root,
}
