"""More zeros than a distribution has, or none: the same wrappers as those of the families."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mix2stan.distributions import basic, further
from mix2stan.distributions.basic import Distribution, Parameters
from mix2stan.families import FAMILIES, Family

__all__ = ["ROWS", "hurdle", "truncated", "zero_inflated"]

Array = NDArray[np.float64]
Rng = np.random.Generator

#: Rounds of redrawing zeros; a mean so small that this does not do has ones alone.
_ROUNDS = 10_000

_BASES = {**basic.ROWS, **further.ROWS}


def zero_inflated(base: Distribution, share: str = "zi") -> Distribution:
    """With that probability a zero, else from the base."""

    def mean(mu: Array, p: Parameters) -> Array:
        return np.asarray((1 - p[share]) * base.expected(mu, p))

    def variance(mu: Array, p: Parameters) -> Array:
        spread = base.variance(mu, p) + p[share] * base.expected(mu, p) ** 2
        return np.asarray((1 - p[share]) * spread)

    def log_density(y: Array, mu: Array, p: Parameters) -> Array:
        rest = np.log1p(-p[share]) + base.log_density(y, mu, p)
        return np.where(y == 0, np.logaddexp(np.log(p[share]), rest), rest)

    def cdf(y: Array, mu: Array, p: Parameters) -> Array:
        return np.asarray(p[share] * (y >= 0) + (1 - p[share]) * base.cdf(y, mu, p))

    def below(y: Array, mu: Array, p: Parameters) -> Array:
        return np.where(y <= 0, 0.0, cdf(y, mu, p))

    def simulate(rng: Rng, mu: Array, p: Parameters) -> Array:
        return np.where(rng.random(mu.shape) < p[share], 0.0, base.simulate(rng, mu, p))

    return Distribution(
        variance,
        log_density,
        cdf,
        simulate,
        discrete=base.discrete,
        mean=mean,
        below=None if base.discrete else below,
    )


def truncated(base: Distribution) -> Distribution:
    """The base given that it is not zero."""

    def zero(mu: Array, p: Parameters) -> Array:
        """The probability of a zero of the base; none where it is not discrete."""
        if not base.discrete:
            return np.zeros_like(mu)
        return np.exp(base.log_density(np.zeros(()), mu, p))

    def mean(mu: Array, p: Parameters) -> Array:
        return np.asarray(base.expected(mu, p) / (1 - zero(mu, p)))

    def variance(mu: Array, p: Parameters) -> Array:
        square = base.variance(mu, p) + base.expected(mu, p) ** 2
        return np.asarray(square / (1 - zero(mu, p)) - mean(mu, p) ** 2)

    def log_density(y: Array, mu: Array, p: Parameters) -> Array:
        rest = base.log_density(np.where(y == 0, 0.5, y), mu, p) - np.log1p(-zero(mu, p))
        return np.where(y == 0, -np.inf, rest)

    def cdf(y: Array, mu: Array, p: Parameters) -> Array:
        rest = (base.cdf(y, mu, p) - zero(mu, p)) / (1 - zero(mu, p))
        return np.where(y <= 0, 0.0, np.maximum(rest, 0.0))

    def simulate(rng: Rng, mu: Array, p: Parameters) -> Array:
        y = np.array(base.simulate(rng, mu, p))
        if not base.discrete:
            return y
        for _ in range(_ROUNDS):
            places = np.nonzero(y == 0)
            if not len(places[0]):
                return y
            some = {name: np.broadcast_to(value, mu.shape)[places] for name, value in p.items()}
            y[places] = base.simulate(rng, mu[places], some)
        return np.where(y == 0, 1.0, y)

    return Distribution(variance, log_density, cdf, simulate, discrete=base.discrete, mean=mean)


def hurdle(base: Distribution, share: str = "hu") -> Distribution:
    """With that probability a zero, else from the base given that it is none."""
    return zero_inflated(truncated(base), share)


def _wrapped(family: Family) -> Distribution:
    """The distribution of a family that is a wrapper, by what it does."""
    base = _BASES[family.base]
    if not family.without_zeros:
        return truncated(base)
    wrapper = zero_inflated if family.keeps_zeros else hurdle
    return wrapper(base, family.parameters[-1])


ROWS: dict[str, Distribution] = {
    name: _wrapped(family) for name, family in FAMILIES.items() if family.base
}
