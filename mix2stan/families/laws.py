"""Distributions in numpy: draws, means and variances, given the parameter that has the link."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["Law", "hurdle", "truncated", "zero_inflated"]

Array = NDArray[np.float64]
#: The further parameters by name: numbers, or one for every row; and ``trials`` where there are any.
Values = Mapping[str, Array]
Rng = np.random.Generator

#: Rounds of redrawing zeros; a mean so small that this does not do has ones alone.
_ROUNDS = 10_000


@dataclass(frozen=True)
class Law:
    """One distribution of a response.

    All take ``mu``, what the link is about, shape (N,), and the further parameters by name.

    Attributes:
        draw: a response of every row, from a random generator.
        mean: its expectation.
        variance: its variance.
        zero: the probability of a zero, where the response is a count.
    """

    draw: Callable[[Rng, Array, Values], Array]
    mean: Callable[[Array, Values], Array]
    variance: Callable[[Array, Values], Array]
    zero: Callable[[Array, Values], Array] = lambda mu, v: np.zeros_like(mu)


def _mean(mu: Array, v: Values) -> Array:
    return mu


def zero_inflated(base: Law, share: str = "zi") -> Law:
    """With that probability a zero, else from the base."""

    def draw(rng: Rng, mu: Array, v: Values) -> Array:
        return np.where(rng.random(mu.shape) < v[share], 0.0, base.draw(rng, mu, v))

    def variance(mu: Array, v: Values) -> Array:
        return (1 - v[share]) * (base.variance(mu, v) + v[share] * base.mean(mu, v) ** 2)

    return Law(
        draw,
        lambda mu, v: (1 - v[share]) * base.mean(mu, v),
        variance,
        lambda mu, v: v[share] + (1 - v[share]) * base.zero(mu, v),
    )


def truncated(base: Law) -> Law:
    """The base given that it is not zero."""

    def draw(rng: Rng, mu: Array, v: Values) -> Array:
        y = base.draw(rng, mu, v)
        for _ in range(_ROUNDS):
            rows = np.flatnonzero(y == 0)
            if not len(rows):
                return y
            some = {name: np.broadcast_to(value, mu.shape)[rows] for name, value in v.items()}
            y[rows] = base.draw(rng, mu[rows], some)
        return np.where(y == 0, 1.0, y)

    def mean(mu: Array, v: Values) -> Array:
        return np.asarray(base.mean(mu, v) / (1 - base.zero(mu, v)))

    def variance(mu: Array, v: Values) -> Array:
        square = base.variance(mu, v) + base.mean(mu, v) ** 2
        return np.asarray(square / (1 - base.zero(mu, v)) - mean(mu, v) ** 2)

    return Law(draw, mean, variance)


def hurdle(base: Law, share: str = "hu") -> Law:
    """With that probability a zero, else from the base given that it is none."""
    return zero_inflated(truncated(base), share)


def _negative_binomial(size: Callable[[Array, Values], Array]) -> Law:
    """With mean mu and variance mu + mu^2 / size."""
    return Law(
        lambda rng, mu, v: rng.poisson(rng.gamma(size(mu, v), mu / size(mu, v))).astype(float),
        _mean,
        lambda mu, v: mu + mu**2 / size(mu, v),
        lambda mu, v: np.exp(-size(mu, v) * np.log1p(mu / size(mu, v))),
    )


def _student_variance(mu: Array, v: Values) -> Array:
    nu = np.asarray(v["nu"])
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.where(nu > 2, v["sigma"] ** 2 * nu / (nu - 2), np.inf), mu.shape)


def _betabinomial_zero(mu: Array, v: Values) -> Array:
    a, b = mu * v["phi"], (1 - mu) * v["phi"]
    return np.asarray(np.exp(special.betaln(a, v["trials"] + b) - special.betaln(a, b)))


def _weibull_scale(mu: Array, v: Values) -> Array:
    return np.asarray(mu / special.gamma(1 + 1 / v["shape"]))


def _skew(mu: Array, v: Values) -> tuple[Array, Array, Array]:
    """delta, and location and scale of the skew-normal with mean mu and sd sigma."""
    delta = v["alpha"] / np.sqrt(1 + np.square(v["alpha"]))
    scale = v["sigma"] / np.sqrt(1 - 2 / np.pi * delta**2)
    return np.asarray(delta), mu - np.sqrt(2 / np.pi) * scale * delta, np.asarray(scale)


def _draw_skew(rng: Rng, mu: Array, v: Values) -> Array:
    delta, location, scale = _skew(mu, v)
    half, other = np.abs(rng.standard_normal(mu.shape)), rng.standard_normal(mu.shape)
    return np.asarray(location + scale * (delta * half + np.sqrt(1 - delta**2) * other))


def _log_variance(mu: Array, v: Values) -> Array:
    """The variance of log(y) of a lognormal y with mean mu and sd sigma."""
    return np.asarray(np.log1p(np.square(v["sigma"] / mu)))


def _draw_inflated_ends(rng: Rng, mu: Array, v: Values) -> Array:
    one = (rng.random(mu.shape) < v["coi"]).astype(float)
    inner = BETA.draw(rng, mu, v)
    return np.where(rng.random(mu.shape) < v["zoi"], one, inner)


def _mean_inflated_ends(mu: Array, v: Values) -> Array:
    return np.asarray(v["zoi"] * v["coi"] + (1 - v["zoi"]) * mu)


def _variance_inflated_ends(mu: Array, v: Values) -> Array:
    square = v["zoi"] * v["coi"] + (1 - v["zoi"]) * (BETA.variance(mu, v) + mu**2)
    return np.asarray(square - _mean_inflated_ends(mu, v) ** 2)


def _ordered_ends(mu: Array, v: Values) -> tuple[Array, Array]:
    """The probabilities of 0 and of 1 of an ordered beta response."""
    eta = special.logit(mu)
    zero, one = special.expit(v["cut_zero"] - eta), special.expit(eta - v["cut_one"])
    return np.asarray(zero), np.asarray(one)


def _draw_ordered(rng: Rng, mu: Array, v: Values) -> Array:
    zero, one = _ordered_ends(mu, v)
    u = rng.random(mu.shape)
    return np.where(u < zero, 0.0, np.where(u > 1 - one, 1.0, BETA.draw(rng, mu, v)))


def _mean_ordered(mu: Array, v: Values) -> Array:
    zero, one = _ordered_ends(mu, v)
    return np.asarray(one + (1 - zero - one) * mu)


def _variance_ordered(mu: Array, v: Values) -> Array:
    zero, one = _ordered_ends(mu, v)
    square = one + (1 - zero - one) * (BETA.variance(mu, v) + mu**2)
    return np.asarray(square - _mean_ordered(mu, v) ** 2)


def _constant(name: str) -> Callable[[Array, Values], Array]:
    return lambda mu, v: np.broadcast_to(np.square(v[name]), mu.shape)


GAUSSIAN = Law(lambda rng, mu, v: rng.normal(mu, v["sigma"]), _mean, _constant("sigma"))
STUDENT = Law(
    lambda rng, mu, v: mu + v["sigma"] * rng.standard_t(v["nu"], mu.shape),
    _mean,
    _student_variance,
)
LOGNORMAL = Law(
    lambda rng, mu, v: rng.lognormal(mu, v["sigma"]),
    lambda mu, v: np.exp(mu + np.square(v["sigma"]) / 2),
    lambda mu, v: np.expm1(np.square(v["sigma"])) * np.exp(2 * mu + np.square(v["sigma"])),
)
LOGNORMAL_MEAN = Law(
    lambda rng, mu, v: rng.lognormal(
        np.log(mu) - _log_variance(mu, v) / 2, np.sqrt(_log_variance(mu, v))
    ),
    _mean,
    _constant("sigma"),
)
SKEW_NORMAL = Law(_draw_skew, _mean, _constant("sigma"))
POISSON = Law(
    lambda rng, mu, v: rng.poisson(mu).astype(float),
    _mean,
    _mean,
    lambda mu, v: np.exp(-mu),
)
NEGBINOMIAL = _negative_binomial(lambda mu, v: v["shape"])
NBINOM1 = _negative_binomial(lambda mu, v: mu / v["phi"])
GEOMETRIC = _negative_binomial(lambda mu, v: np.ones_like(mu))
BERNOULLI = Law(
    lambda rng, mu, v: rng.binomial(1, mu).astype(float),
    _mean,
    lambda mu, v: mu * (1 - mu),
    lambda mu, v: 1 - mu,
)
BINOMIAL = Law(
    lambda rng, mu, v: rng.binomial(v["trials"].astype(int), mu).astype(float),
    lambda mu, v: v["trials"] * mu,
    lambda mu, v: v["trials"] * mu * (1 - mu),
    lambda mu, v: (1 - mu) ** v["trials"],
)
BETA_BINOMIAL = Law(
    lambda rng, mu, v: rng.binomial(
        v["trials"].astype(int), rng.beta(mu * v["phi"], (1 - mu) * v["phi"])
    ).astype(float),
    lambda mu, v: v["trials"] * mu,
    lambda mu, v: v["trials"] * mu * (1 - mu) * (1 + (v["trials"] - 1) / (v["phi"] + 1)),
    _betabinomial_zero,
)
GAMMA = Law(
    lambda rng, mu, v: rng.gamma(v["shape"], mu / v["shape"]),
    _mean,
    lambda mu, v: mu**2 / v["shape"],
)
EXPONENTIAL = Law(lambda rng, mu, v: rng.exponential(mu), _mean, lambda mu, v: mu**2)
WEIBULL = Law(
    lambda rng, mu, v: _weibull_scale(mu, v) * rng.weibull(v["shape"], mu.shape),
    _mean,
    lambda mu, v: _weibull_scale(mu, v) ** 2 * special.gamma(1 + 2 / v["shape"]) - mu**2,
)
INVERSE_GAUSSIAN = Law(
    lambda rng, mu, v: rng.wald(mu, v["shape"]), _mean, lambda mu, v: mu**3 / v["shape"]
)
BETA = Law(
    lambda rng, mu, v: rng.beta(mu * v["phi"], (1 - mu) * v["phi"]),
    _mean,
    lambda mu, v: mu * (1 - mu) / (1 + v["phi"]),
)
ZERO_ONE_BETA = Law(_draw_inflated_ends, _mean_inflated_ends, _variance_inflated_ends)
ORDERED_BETA = Law(_draw_ordered, _mean_ordered, _variance_ordered)
