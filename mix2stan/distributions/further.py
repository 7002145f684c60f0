"""Distributions besides those of R's own functions, as numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mix2stan.distributions import basic
from mix2stan.distributions.basic import Distribution, Parameters

__all__ = ["ROWS"]

Array = NDArray[np.float64]
Rng = np.random.Generator

_BETA, _NEGBINOMIAL = basic.ROWS["beta"], basic.ROWS["negbinomial"]
_EDGE = 1e-16


def _of_shape(size: Callable[[Array, Parameters], Array]) -> Distribution:
    """A negative binomial whose shape is a function of mean and parameters."""
    base = _NEGBINOMIAL

    def given(mu: Array, p: Parameters) -> Parameters:
        return {**p, "shape": size(mu, p)}

    return Distribution(
        variance=lambda mu, p: base.variance(mu, given(mu, p)),
        log_density=lambda y, mu, p: base.log_density(y, mu, given(mu, p)),
        cdf=lambda y, mu, p: base.cdf(y, mu, given(mu, p)),
        simulate=lambda rng, mu, p: base.simulate(rng, mu, given(mu, p)),
        discrete=True,
    )


def _ends(mu: Array, p: Parameters) -> tuple[Array, Array]:
    """Both parameters of the beta distribution with that mean, off the edge of what they can be."""
    share = np.clip(mu, _EDGE, 1 - _EDGE)
    return np.asarray(share * p["phi"]), np.asarray((1 - share) * p["phi"])


def _beta_binomial_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    n, (a, b) = p["trials"], _ends(mu, p)
    choose = special.gammaln(n + 1) - special.gammaln(y + 1) - special.gammaln(n - y + 1)
    return np.asarray(choose + special.betaln(y + a, n - y + b) - special.betaln(a, b))


def _beta_binomial_cdf(y: Array, mu: Array, p: Parameters) -> Array:
    """A sum, since there is no other way; as many terms as the largest number of trials."""
    total = np.zeros(np.broadcast_shapes(np.shape(y), np.shape(mu), np.shape(p["trials"])))
    for k in range(int(np.max(p["trials"])) + 1):
        here = (k <= y) & (k <= p["trials"])
        with np.errstate(all="ignore"):
            density = np.exp(_beta_binomial_log_density(np.array(float(k)), mu, p))
        total = total + np.where(here, density, 0.0)
    return np.minimum(total, 1.0)


def _draw_beta_binomial(rng: Rng, mu: Array, p: Parameters) -> Array:
    a, b = _ends(mu, p)
    return np.asarray(rng.binomial(p["trials"].astype(np.int64), rng.beta(a, b)), dtype=float)


def _beta_binomial_variance(mu: Array, p: Parameters) -> Array:
    n = np.maximum(p["trials"], 1)
    return np.asarray(mu * (1 - mu) / n * (1 + (n - 1) / (p["phi"] + 1)))


def _on_log(mu: Array, p: Parameters) -> tuple[Array, Parameters]:
    """Mean and sd of log(y) of a lognormal y, from those of y."""
    variance = np.log1p(np.square(p["sigma"] / mu))
    return np.asarray(np.log(mu) - variance / 2), {**p, "sigma": np.sqrt(variance)}


def _skew(mu: Array, p: Parameters) -> tuple[Array, Array, Array]:
    """delta, and location and scale of the skew-normal distribution with mean mu and sd sigma."""
    delta = p["alpha"] / np.sqrt(1 + np.square(p["alpha"]))
    scale = p["sigma"] / np.sqrt(1 - 2 / np.pi * delta**2)
    return np.asarray(delta), np.asarray(mu - np.sqrt(2 / np.pi) * scale * delta), np.asarray(scale)


def _skew_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    _, location, scale = _skew(mu, p)
    z = (y - location) / scale
    normal = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - np.log(scale)
    return np.asarray(np.log(2) + normal + special.log_ndtr(p["alpha"] * z))


def _skew_cdf(y: Array, mu: Array, p: Parameters) -> Array:
    _, location, scale = _skew(mu, p)
    z = (y - location) / scale
    return np.asarray(special.ndtr(z) - 2 * special.owens_t(z, p["alpha"]))


def _draw_skew(rng: Rng, mu: Array, p: Parameters) -> Array:
    delta, location, scale = _skew(mu, p)
    half, other = np.abs(rng.standard_normal(mu.shape)), rng.standard_normal(mu.shape)
    return np.asarray(location + scale * (delta * half + np.sqrt(1 - delta**2) * other))


def _weibull_scale(mu: Array, p: Parameters) -> Array:
    return np.asarray(mu / special.gamma(1 + 1 / p["shape"]))


def _weibull_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    k, z = p["shape"], y / _weibull_scale(mu, p)
    return np.asarray(np.log(k) - np.log(y) + k * np.log(z) - z**k)


def _weibull_variance(mu: Array, p: Parameters) -> Array:
    square = _weibull_scale(mu, p) ** 2 * special.gamma(1 + 2 / p["shape"])
    return np.asarray(square - mu**2)


#: The probabilities of 0 and of 1, from the mean of what is between and the parameters.
_Ends = Callable[[Array, Parameters], tuple[Array, Array]]


def _with_ends(ends: _Ends) -> Distribution:
    """A beta distribution with masses at 0 and 1."""

    def mean(mu: Array, p: Parameters) -> Array:
        zero, one = ends(mu, p)
        return np.asarray(one + (1 - zero - one) * mu)

    def variance(mu: Array, p: Parameters) -> Array:
        zero, one = ends(mu, p)
        square = one + (1 - zero - one) * (_BETA.variance(mu, p) + mu**2)
        return np.asarray(square - mean(mu, p) ** 2)

    def log_density(y: Array, mu: Array, p: Parameters) -> Array:
        zero, one = ends(mu, p)
        between = (y > 0) & (y < 1)
        share = np.clip(mu, _EDGE, 1 - _EDGE)
        inner = np.log(1 - zero - one) + _BETA.log_density(np.where(between, y, 0.5), share, p)
        return np.where(between, inner, np.log(np.where(y == 0, zero, one)))

    def cdf(y: Array, mu: Array, p: Parameters) -> Array:
        zero, one = ends(mu, p)
        inner = _BETA.cdf(np.clip(y, 0, 1), mu, p)
        return np.where(y >= 1, 1.0, zero + (1 - zero - one) * inner)

    def below(y: Array, mu: Array, p: Parameters) -> Array:
        _, one = ends(mu, p)
        return np.where(y <= 0, 0.0, np.where(y >= 1, 1 - one, cdf(y, mu, p)))

    def simulate(rng: Rng, mu: Array, p: Parameters) -> Array:
        zero, one = ends(mu, p)
        u, inner = rng.random(mu.shape), rng.beta(*_ends(mu, p))
        return np.where(u < zero, 0.0, np.where(u > 1 - one, 1.0, inner))

    return Distribution(variance, log_density, cdf, simulate, mean=mean, below=below)


def _inflated(mu: Array, p: Parameters) -> tuple[Array, Array]:
    return p["zoi"] * (1 - p["coi"]), p["zoi"] * p["coi"]


def _ordered(mu: Array, p: Parameters) -> tuple[Array, Array]:
    eta = special.logit(np.clip(mu, _EDGE, 1 - _EDGE))
    return special.expit(p["cut_zero"] - eta), special.expit(eta - p["cut_one"])


_LOGNORMAL = basic.ROWS["lognormal"]

ROWS: dict[str, Distribution] = {
    "nbinom1": _of_shape(lambda mu, p: mu / p["phi"]),
    "geometric": _of_shape(lambda mu, p: np.ones_like(mu)),
    "beta_binomial": Distribution(
        variance=_beta_binomial_variance,
        log_density=_beta_binomial_log_density,
        cdf=_beta_binomial_cdf,
        simulate=_draw_beta_binomial,
        discrete=True,
    ),
    "lognormal_mean": Distribution(
        variance=lambda mu, p: p["sigma"] ** 2 + 0 * mu,
        log_density=lambda y, mu, p: _LOGNORMAL.log_density(y, *_on_log(mu, p)),
        cdf=lambda y, mu, p: _LOGNORMAL.cdf(y, *_on_log(mu, p)),
        simulate=lambda rng, mu, p: _LOGNORMAL.simulate(rng, *_on_log(mu, p)),
    ),
    "skew_normal": Distribution(
        variance=lambda mu, p: p["sigma"] ** 2 + 0 * mu,
        log_density=_skew_log_density,
        cdf=_skew_cdf,
        simulate=_draw_skew,
    ),
    "exponential": Distribution(
        variance=lambda mu, p: mu**2,
        log_density=lambda y, mu, p: -np.log(mu) - y / mu,
        cdf=lambda y, mu, p: -np.expm1(-y / mu),
        simulate=lambda rng, mu, p: rng.exponential(mu),
    ),
    "weibull": Distribution(
        variance=_weibull_variance,
        log_density=_weibull_log_density,
        cdf=lambda y, mu, p: -np.expm1(-((y / _weibull_scale(mu, p)) ** p["shape"])),
        simulate=lambda rng, mu, p: (
            _weibull_scale(mu, p) * rng.weibull(np.broadcast_to(p["shape"], mu.shape))
        ),
    ),
    "zero_one_inflated_beta": _with_ends(_inflated),
    "ordered_beta": _with_ends(_ordered),
}
