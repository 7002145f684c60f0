"""Responses of several latent variables as numbers: a row per such row of the families."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mix2stan.distributions import basic
from mix2stan.distributions.basic import Distribution
from mix2stan.distributions.zeros import hurdle, zero_inflated

__all__ = ["SEEN"]

Array = NDArray[np.float64]
#: Draws a response: from latent variables, shape (q, n, S), and trials, (n, 1), the values of the
#: traits, shape (q, n, S) or one that broadcasts to it.
Draw = Callable[[np.random.Generator, Array, Array], Array]
#: The inverse of a link.
Inverse = Callable[[Array], Array]


def _zeros(distribution: Distribution, mean: Inverse, share: str, probability: Inverse) -> Draw:
    """One with a probability of zeros, both from latent variables."""

    def draw(rng: np.random.Generator, eta: Array, trials: Array) -> Array:
        with np.errstate(over="ignore"):
            mu, zero = mean(eta[0]), probability(eta[1])
        return distribution.simulate(rng, mu, {share: zero, "trials": trials})

    return draw


def _absent(eta: Array) -> Array:
    return np.asarray(np.exp(-np.exp(eta)))


def _shares(eta: Array) -> Array:
    """The probabilities of all categories, the reference first, shape (q + 1, n, S)."""
    return np.asarray(special.softmax(np.concatenate([np.zeros_like(eta[:1]), eta]), axis=0))


def _counts(rng: np.random.Generator, eta: Array, trials: Array) -> Array:
    shares = np.moveaxis(_shares(eta), 0, -1)
    counts = rng.multinomial(np.broadcast_to(trials, shares.shape[:-1]).astype(np.int64), shares)
    return np.moveaxis(counts[..., 1:], -1, 0).astype(float)


def _category(rng: np.random.Generator, eta: Array, trials: Array) -> Array:
    upper = np.cumsum(_shares(eta), axis=0)[:-1]
    return np.asarray(1.0 + (rng.random(eta.shape[1:]) > upper).sum(axis=0))


_POISSON, _BINOMIAL = basic.ROWS["poisson"], basic.ROWS["binomial"]
_LOGIT: Inverse = special.expit

SEEN: dict[str, Draw] = {
    "zipoisson": _zeros(zero_inflated(_POISSON), np.exp, "zi", _LOGIT),
    "hupoisson": _zeros(hurdle(_POISSON), np.exp, "hu", _LOGIT),
    "zapoisson": _zeros(hurdle(_POISSON), np.exp, "hu", _absent),
    "zibinomial": _zeros(zero_inflated(_BINOMIAL), _LOGIT, "zi", _LOGIT),
    "hubinomial": _zeros(hurdle(_BINOMIAL), _LOGIT, "hu", _LOGIT),
    "multinomial": _counts,
    "categorical": _category,
}
