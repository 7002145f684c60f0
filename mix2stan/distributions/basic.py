"""Response distributions as numbers: variance, density, distribution function, generator.

One row per row of :data:`mix2stan.families.FAMILIES`, under the same name; the parametrisations are
those of its Stan densities.  All functions broadcast; ``mu`` is the inverse link of the predictor, and
the parameters of the family go by their names, with ``trials`` where it counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["ROWS", "Distribution", "Parameters"]

Array = NDArray[np.float64]
Parameters = Mapping[str, Array]

#: Probabilities are kept this far from 0 and 1, where a link has rounded.
_EDGE = 1e-16
#: numpy draws no Poisson number of a greater mean.
_MOST = 1e18


def _no_shift(p: Parameters) -> Array:
    return np.zeros(())


def _minus(y: Array, mean: Array) -> Array:
    return np.asarray(y - mean)


@dataclass(frozen=True)
class Distribution:
    """A distribution of the response.

    Attributes:
        variance: of one observation, from mu and the parameters; of a share where there are trials.
        log_density: from y, mu and the parameters, with all constants.
        cdf: the probability of y or less.
        simulate: random responses of the shape of mu, from a generator, mu and the parameters.
        discrete: whether responses are counts.
        mean_link: the link of the expected response, where it is not that of the model.
        shift: what is added to the predictor before the inverse of that link.
        mean: the expected response, of trials their share, where that is no inverse link.
        alone: whether that takes no parameters.
        below: the probability of less than y, where some responses alone have a mass.
        difference: from a response and its expectation to what is between them.
    """

    variance: Callable[[Array, Parameters], Array]
    log_density: Callable[[Array, Array, Parameters], Array]
    cdf: Callable[[Array, Array, Parameters], Array]
    simulate: Callable[[np.random.Generator, Array, Parameters], Array]
    discrete: bool = False
    mean_link: str | None = None
    shift: Callable[[Parameters], Array] = _no_shift
    mean: Callable[[Array, Parameters], Array] | None = None
    alone: bool = False
    below: Callable[[Array, Array, Parameters], Array] | None = None
    difference: Callable[[Array, Array], Array] = _minus

    @property
    def mean_has_parameters(self) -> bool:
        """Whether the expected response depends on more than the predictor of the mean."""
        return self.mean_link is not None or (self.mean is not None and not self.alone)

    def expected(self, mu: Array, p: Parameters) -> Array:
        """The expected response, of trials the expected share, from the inverse link of the model."""
        if self.mean is not None:
            return self.mean(mu, p)
        return mu if self.mean_link is None else np.exp(mu + self.shift(p))

    def less(self, y: Array, mu: Array, p: Parameters) -> Array:
        """The probability of less than y."""
        if self.below is not None:
            return self.below(y, mu, p)
        return self.cdf(y - 1 if self.discrete else y, mu, p)


def _normal_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    sigma = p["sigma"]
    return np.asarray(-0.5 * np.log(2 * np.pi) - np.log(sigma) - 0.5 * ((y - mu) / sigma) ** 2)


def _normal_cdf(y: Array, mu: Array, p: Parameters) -> Array:
    return np.asarray(special.ndtr((y - mu) / p["sigma"]))


def _log(y: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(np.log(y))


def _student_variance(mu: Array, p: Parameters) -> Array:
    nu = p["nu"]
    # infinite for two degrees of freedom and fewer
    with np.errstate(all="ignore"):
        return np.asarray(np.where(nu > 2, p["sigma"] ** 2 * nu / (nu - 2), np.inf) + 0 * mu)


def _student_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    nu, sigma = p["nu"], p["sigma"]
    constant = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - np.log(nu * np.pi) / 2
    return np.asarray(
        constant - np.log(sigma) - (nu + 1) / 2 * np.log1p(((y - mu) / sigma) ** 2 / nu)
    )


def _poisson_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    return np.asarray(special.xlogy(y, mu) - mu - special.gammaln(y + 1))


def _poisson_cdf(y: Array, mu: Array, p: Parameters) -> Array:
    return np.asarray(np.where(y < 0, 0.0, special.pdtr(np.maximum(y, 0), mu)))


def _poisson(rng: np.random.Generator, mu: Array, p: Parameters) -> Array:
    return np.asarray(rng.poisson(np.minimum(mu, _MOST)), dtype=float)


def _negative_binomial_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    shape = p["shape"]
    choose = special.gammaln(y + shape) - special.gammaln(shape) - special.gammaln(y + 1)
    return np.asarray(choose - shape * np.log1p(mu / shape) + special.xlogy(y, mu / (mu + shape)))


def _negative_binomial_cdf(y: Array, mu: Array, p: Parameters) -> Array:
    shape = p["shape"]
    below = special.betainc(shape, np.maximum(y, 0) + 1, shape / (shape + mu))
    return np.asarray(np.where(y < 0, 0.0, below))


def _negative_binomial(rng: np.random.Generator, mu: Array, p: Parameters) -> Array:
    return _poisson(rng, rng.gamma(np.broadcast_to(p["shape"], mu.shape)) * mu / p["shape"], p)


def _binomial_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    n, share = p["trials"], np.clip(mu, _EDGE, 1 - _EDGE)
    choose = special.gammaln(n + 1) - special.gammaln(y + 1) - special.gammaln(n - y + 1)
    return np.asarray(choose + special.xlogy(y, share) + special.xlog1py(n - y, -share))


def _binomial_cdf(y: Array, mu: Array, p: Parameters) -> Array:
    n = p["trials"]
    below = special.betaincc(np.maximum(y, 0) + 1, np.maximum(n - y, 1), mu)
    return np.asarray(np.where(y < 0, 0.0, np.where(y >= n, 1.0, below)))


def _binomial(rng: np.random.Generator, mu: Array, p: Parameters) -> Array:
    return np.asarray(rng.binomial(p["trials"].astype(np.int64), mu), dtype=float)


def _binomial_variance(mu: Array, p: Parameters) -> Array:
    return np.asarray(mu * (1 - mu) / np.maximum(p["trials"], 1))


def _single(p: Parameters) -> Parameters:
    return {**p, "trials": np.ones(())}


def _gamma_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    a = p["shape"]
    return np.asarray(
        special.xlogy(a, a / mu) - special.gammaln(a) + (a - 1) * _log(y) - a * y / mu
    )


def _inverse_gaussian_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    shape = p["shape"]
    return np.asarray(
        0.5 * (np.log(shape / (2 * np.pi)) - 3 * _log(y)) - shape * (y - mu) ** 2 / (2 * mu**2 * y)
    )


def _inverse_gaussian_cdf(y: Array, mu: Array, p: Parameters) -> Array:
    root = np.sqrt(p["shape"] / y)
    tail = 2 * p["shape"] / mu + special.log_ndtr(-root * (y / mu + 1))
    return np.asarray(special.ndtr(root * (y / mu - 1)) + np.exp(tail))


def _beta_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    a, b = mu * p["phi"], (1 - mu) * p["phi"]
    return np.asarray((a - 1) * _log(y) + (b - 1) * np.log1p(-y) - special.betaln(a, b))


ROWS: dict[str, Distribution] = {
    "gaussian": Distribution(
        variance=lambda mu, p: p["sigma"] ** 2 + 0 * mu,
        log_density=_normal_log_density,
        cdf=_normal_cdf,
        simulate=lambda rng, mu, p: mu + p["sigma"] * rng.standard_normal(mu.shape),
    ),
    "student": Distribution(
        variance=_student_variance,
        log_density=_student_log_density,
        cdf=lambda y, mu, p: np.asarray(special.stdtr(p["nu"], (y - mu) / p["sigma"])),
        simulate=lambda rng, mu, p: mu + p["sigma"] * rng.standard_t(p["nu"], mu.shape),
    ),
    "lognormal": Distribution(
        variance=lambda mu, p: np.expm1(p["sigma"] ** 2) * np.exp(2 * mu + p["sigma"] ** 2),
        log_density=lambda y, mu, p: _normal_log_density(_log(y), mu, p) - _log(y),
        cdf=lambda y, mu, p: _normal_cdf(_log(y), mu, p),
        simulate=lambda rng, mu, p: np.exp(mu + p["sigma"] * rng.standard_normal(mu.shape)),
        mean_link="log",
        shift=lambda p: p["sigma"] ** 2 / 2,
    ),
    "poisson": Distribution(
        variance=lambda mu, p: mu,
        log_density=_poisson_log_density,
        cdf=_poisson_cdf,
        simulate=_poisson,
        discrete=True,
    ),
    "negbinomial": Distribution(
        variance=lambda mu, p: mu + mu**2 / p["shape"],
        log_density=_negative_binomial_log_density,
        cdf=_negative_binomial_cdf,
        simulate=_negative_binomial,
        discrete=True,
    ),
    "bernoulli": Distribution(
        variance=lambda mu, p: mu * (1 - mu),
        log_density=lambda y, mu, p: _binomial_log_density(y, mu, _single(p)),
        cdf=lambda y, mu, p: _binomial_cdf(y, mu, _single(p)),
        simulate=lambda rng, mu, p: _binomial(rng, mu, _single(p)),
        discrete=True,
    ),
    "binomial": Distribution(
        variance=_binomial_variance,
        log_density=_binomial_log_density,
        cdf=_binomial_cdf,
        simulate=_binomial,
        discrete=True,
    ),
    "Gamma": Distribution(
        variance=lambda mu, p: mu**2 / p["shape"],
        log_density=_gamma_log_density,
        cdf=lambda y, mu, p: np.asarray(special.gammainc(p["shape"], p["shape"] * y / mu)),
        simulate=lambda rng, mu, p: (
            rng.gamma(np.broadcast_to(p["shape"], mu.shape)) * mu / p["shape"]
        ),
    ),
    "inverse.gaussian": Distribution(
        variance=lambda mu, p: mu**3 / p["shape"],
        log_density=_inverse_gaussian_log_density,
        cdf=_inverse_gaussian_cdf,
        simulate=lambda rng, mu, p: rng.wald(mu, np.broadcast_to(p["shape"], mu.shape)),
    ),
    "beta": Distribution(
        variance=lambda mu, p: mu * (1 - mu) / (1 + p["phi"]),
        log_density=_beta_log_density,
        cdf=lambda y, mu, p: np.asarray(special.betainc(mu * p["phi"], (1 - mu) * p["phi"], y)),
        simulate=lambda rng, mu, p: rng.beta(mu * p["phi"], (1 - mu) * p["phi"]),
    ),
}
