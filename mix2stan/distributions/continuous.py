"""Angles, quantiles, and amounts that may be zero, as numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from mix2stan.distributions.basic import Distribution, Parameters

__all__ = ["ROWS"]

Array = NDArray[np.float64]
Rng = np.random.Generator

#: Points of a quadrature, and how many standard deviations it reaches to either side.
_POINTS, _REACH = np.polynomial.legendre.leggauss(96), 12.0


def _turned(y: Array, mu: Array) -> Array:
    """The angle from mu to y, the shorter way."""
    return np.asarray((y - mu + np.pi) % (2 * np.pi) - np.pi)


def _angle_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    kappa = p["kappa"]
    return np.asarray(kappa * (np.cos(y - mu) - 1) - np.log(2 * np.pi) - np.log(special.i0e(kappa)))


def _angle_variance(mu: Array, p: Parameters) -> Array:
    """The mean square of the angle from the mean direction, by quadrature."""
    kappa = np.asarray(p["kappa"], dtype=float)[..., None]
    half = np.minimum(np.pi, _REACH / np.sqrt(np.maximum(kappa, 1e-3)))
    u = half * _POINTS[0]
    weight = _POINTS[1] * np.exp(kappa * (np.cos(u) - 1))
    return np.asarray(np.sum(weight * u**2, axis=-1) / np.sum(weight, axis=-1) + 0 * mu)


def _angle_cdf(y: Array, mu: Array, p: Parameters) -> Array:
    """The probability of what lies between minus pi and y."""
    centre = _turned(mu, np.zeros(()))
    law = stats.vonmises(p["kappa"])
    return np.asarray(law.cdf(y - centre) - law.cdf(-np.pi - centre))


def _laplace_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    sigma, q = p["sigma"], p["quantile"]
    z = (y - mu) / sigma
    return np.asarray(np.log(q) + np.log1p(-q) - np.log(sigma) - z * (q - (z < 0)))


def _laplace_cdf(y: Array, mu: Array, p: Parameters) -> Array:
    q, z = p["quantile"], (y - mu) / p["sigma"]
    below = q * np.exp((1 - q) * np.minimum(z, 0))
    return np.where(z < 0, below, 1 - (1 - q) * np.exp(-q * np.maximum(z, 0)))


def _draw_laplace(rng: Rng, mu: Array, p: Parameters) -> Array:
    q = p["quantile"]
    up, down = rng.exponential(size=mu.shape) / q, rng.exponential(size=mu.shape) / (1 - q)
    return np.asarray(mu + p["sigma"] * (up - down))


def _laplace_variance(mu: Array, p: Parameters) -> Array:
    q = p["quantile"]
    return np.asarray(p["sigma"] ** 2 * (1 - 2 * q + 2 * q**2) / (q * (1 - q)) ** 2 + 0 * mu)


def _laplace_mean(mu: Array, p: Parameters) -> Array:
    q = p["quantile"]
    return np.asarray(mu + p["sigma"] * (1 - 2 * q) / (q * (1 - q)))


def _events(mu: Array, p: Parameters) -> tuple[Array, Array, Array]:
    """The rate of events, the shape of their amounts, and the scale of these."""
    power = p["power"]
    rate = mu ** (2 - power) / (p["phi"] * (2 - power))
    return np.asarray(rate), (2 - power) / (power - 1), p["phi"] * (power - 1) * mu ** (power - 1)


def _tweedie_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    """A sum over numbers of events, each term relative to the largest."""
    rate, shape, scale = _events(mu, p)
    positive = np.where(y > 0, y, 1.0)
    u = positive / scale
    log_z = np.log(rate) + shape * np.log(u)
    mode = np.maximum(np.exp((log_z - shape * np.log(shape)) / (1 + shape)), 1.0)

    def term(n: Array) -> Array:
        return np.asarray(n * log_z - special.gammaln(n + 1) - special.gammaln(n * shape))

    largest, total = term(mode), np.zeros(mode.shape)
    for n in range(1, _most_events(mode, shape) + 1):
        total = total + np.exp(term(np.array(float(n))) - largest)
    return np.where(y > 0, np.log(total) + largest - u - np.log(positive) - rate, -rate)


def _most_events(mode: Array, shape: Array) -> int:
    """The number of events from which on terms are below exp(-40) of the largest one."""
    spread = np.sqrt(80 * mode / (1 + shape))
    return int(np.ceil(np.max(mode + spread + 80 / (1 + shape)))) + 10


def _tweedie_cdf(y: Array, mu: Array, p: Parameters) -> Array:
    rate, shape, scale = _events(mu, p)
    total = np.exp(-rate)
    for n in range(1, _most_events(rate, np.zeros(())) + 1):
        amount = special.gammainc(n * shape, np.maximum(y, 0) / scale)
        total = total + np.exp(n * np.log(rate) - rate - special.gammaln(n + 1)) * amount
    return np.where(y < 0, 0.0, np.minimum(total, 1.0))


def _draw_tweedie(rng: Rng, mu: Array, p: Parameters) -> Array:
    rate, shape, scale = _events(mu, p)
    n = rng.poisson(rate)
    return np.where(n > 0, scale * rng.gamma(np.maximum(n, 1) * shape), 0.0)


ROWS: dict[str, Distribution] = {
    "von_mises": Distribution(
        variance=_angle_variance,
        log_density=_angle_log_density,
        cdf=_angle_cdf,
        simulate=lambda rng, mu, p: np.asarray(rng.vonmises(mu, p["kappa"])),
        difference=_turned,
    ),
    "asym_laplace": Distribution(
        variance=_laplace_variance,
        log_density=_laplace_log_density,
        cdf=_laplace_cdf,
        simulate=_draw_laplace,
        mean=_laplace_mean,
    ),
    "tweedie": Distribution(
        variance=lambda mu, p: np.asarray(p["phi"] * mu ** p["power"]),
        log_density=_tweedie_log_density,
        cdf=_tweedie_cdf,
        simulate=_draw_tweedie,
        below=lambda y, mu, p: np.where(y <= 0, 0.0, _tweedie_cdf(y, mu, p)),
    ),
}
