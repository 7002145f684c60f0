"""Distributions of what lies between bounds, of each row its own: ``lower`` and ``upper``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mix2stan.distributions.basic import Distribution, Parameters
from mix2stan.errors import Unsupported

__all__ = ["bounded", "probability"]

Array = NDArray[np.float64]
Rng = np.random.Generator

#: From base, mu, parameters and the probability inside, the mean and the mean square.
Moments = Callable[[Distribution, Array, Parameters, Array], tuple[Array, Array]]

#: Rounds of redrawing what is outside; what is then left has all but nothing inside but a bound.
_ROUNDS = 10_000
#: The least probability of what lies between the bounds.
_TINY = float(np.finfo(float).tiny)


def probability(base: Distribution, lower: Array, upper: Array, mu: Array, p: Parameters) -> Array:
    """The probability of more than ``lower`` and at most ``upper``; either may be infinite."""
    with np.errstate(all="ignore"):
        below = np.where(np.isfinite(lower), base.cdf(_finite(lower), mu, p), 0.0)
        least = np.where(np.isfinite(upper), base.cdf(_finite(upper), mu, p), 1.0)
    return np.asarray(np.nan_to_num(least) - np.nan_to_num(below))


def bounded(base: Distribution, family: str) -> Distribution:
    """The base given that it is not outside the bounds, which are values that it can have."""

    def inside(mu: Array, p: Parameters) -> Array:
        below = p["lower"] - 1 if base.discrete else p["lower"]
        return np.maximum(probability(base, below, p["upper"], mu, p), _TINY)

    def log_density(y: Array, mu: Array, p: Parameters) -> Array:
        between = (y >= p["lower"]) & (y <= p["upper"])
        return np.where(between, base.log_density(y, mu, p) - np.log(inside(mu, p)), -np.inf)

    def cdf(y: Array, mu: Array, p: Parameters) -> Array:
        below = p["lower"] - 1 if base.discrete else p["lower"]
        part = probability(base, below, np.minimum(y, p["upper"]), mu, p)
        return np.clip(part / inside(mu, p), 0.0, 1.0)

    def simulate(rng: Rng, mu: Array, p: Parameters) -> Array:
        y = np.array(base.simulate(rng, mu, p))
        lower, upper = (np.broadcast_to(p[end], mu.shape) for end in ("lower", "upper"))
        for _ in range(_ROUNDS):
            places = np.nonzero((y < lower) | (y > upper))
            if not len(places[0]):
                return y
            some = {name: np.broadcast_to(value, mu.shape)[places] for name, value in p.items()}
            y[places] = base.simulate(rng, mu[places], some)
        return np.clip(y, lower, upper)

    def mean(mu: Array, p: Parameters) -> Array:
        return _moments(base, family)(base, mu, p, inside(mu, p))[0]

    def variance(mu: Array, p: Parameters) -> Array:
        first, second = _moments(base, family)(base, mu, p, inside(mu, p))
        return np.asarray(second - first**2)

    return Distribution(variance, log_density, cdf, simulate, discrete=base.discrete, mean=mean)


def _finite(ends: Array) -> Array:
    return np.where(np.isfinite(ends), ends, 0.0)


def _counts(base: Distribution, mu: Array, p: Parameters, inside: Array) -> tuple[Array, Array]:
    """Mean and mean square, as sums over what is inside, or less what is below."""
    lower, upper = np.maximum(p["lower"], 0), p["upper"]
    first, second = np.zeros(inside.shape), np.zeros(inside.shape)
    open_ended = not np.isfinite(upper).all()
    last = np.max(lower) - 1 if open_ended else np.max(upper)
    for k in range(int(last) + 1):
        wanted = (k < lower) if open_ended else (k >= lower) & (k <= upper)
        mass = np.where(wanted, np.exp(base.log_density(np.array(float(k)), mu, p)), 0.0)
        first, second = first + k * mass, second + k**2 * mass
    if open_ended:
        whole = base.expected(mu, p)
        first, second = whole - first, base.variance(mu, p) + whole**2 - second
    return first / inside, second / inside


def _normal(base: Distribution, mu: Array, p: Parameters, inside: Array) -> tuple[Array, Array]:
    """Mean and mean square of a truncated normal distribution."""
    sigma = p["sigma"]
    a, b = ((p[end] - mu) / sigma for end in ("lower", "upper"))
    at_a, at_b = (np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) for z in (a, b))
    shift = (at_a - at_b) / inside
    ends = (_finite(a) * at_a - _finite(b) * at_b) / inside
    first = mu + sigma * shift
    return first, sigma**2 * (1 + ends - shift**2) + first**2


def _moments(base: Distribution, family: str) -> Moments:
    if base.discrete:
        return _counts
    if family == "gaussian":
        return _normal
    message = f"the expected response of a truncated {family} model cannot be computed"
    raise Unsupported(message, hint='kind = "response" draws responses, whose mean it is')
