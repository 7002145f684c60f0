"""Responses of several latent variables as numbers: a row per such row of the families."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

__all__ = ["SEEN"]

Array = NDArray[np.float64]
#: Draws a response: from latent variables, shape (q, n, S), and trials, (n, 1), the values of the
#: traits, shape (q, n, S) or one that broadcasts to it.
Draw = Callable[[np.random.Generator, Array, Array], Array]


def _poisson(rng: np.random.Generator, eta: Array, trials: Array) -> Array:
    return rng.poisson(np.exp(eta)).astype(float)


def _binomial(rng: np.random.Generator, eta: Array, trials: Array) -> Array:
    return rng.binomial(trials.astype(np.int64), special.expit(eta)).astype(float)


def _some_poisson(rng: np.random.Generator, eta: Array, trials: Array) -> Array:
    """Given that they are no zeros."""
    mean = np.exp(eta)
    none = np.exp(-mean)
    return np.maximum(stats.poisson.ppf(none + (1 - none) * rng.random(eta.shape), mean), 1.0)


def _some_binomial(rng: np.random.Generator, eta: Array, trials: Array) -> Array:
    p = special.expit(eta)
    none = (1 - p) ** trials
    return np.maximum(stats.binom.ppf(none + (1 - none) * rng.random(p.shape), trials, p), 1.0)


def _zeros(base: Draw, probability: Callable[[Array], Array]) -> Draw:
    """Zeros of a probability, else the base."""

    def draw(rng: np.random.Generator, eta: Array, trials: Array) -> Array:
        zero = rng.random(eta[1].shape) < probability(eta[1])
        return np.where(zero, 0.0, base(rng, eta[0], trials))

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


SEEN: dict[str, Draw] = {
    "zipoisson": _zeros(_poisson, special.expit),
    "hupoisson": _zeros(_some_poisson, special.expit),
    "zapoisson": _zeros(_some_poisson, _absent),
    "zibinomial": _zeros(_binomial, special.expit),
    "hubinomial": _zeros(_some_binomial, special.expit),
    "multinomial": _counts,
    "categorical": _category,
}
