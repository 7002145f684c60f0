"""Responses seen through latent variables as numbers: one row per such row of the families."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mix2stan.distributions import basic, categories
from mix2stan.distributions.basic import Distribution, Parameters
from mix2stan.distributions.zeros import hurdle, zero_inflated
from mix2stan.links import LINKS

__all__ = ["SEVERAL", "Seen", "single"]

Array = NDArray[np.float64]
Rng = np.random.Generator
#: The inverse of a link.
Inverse = Callable[[Array], Array]


@dataclass(frozen=True)
class Seen:
    """A response given its q latent variables.

    ``eta`` are the latent variables, shape (q, n, S), ``y`` the values of the traits, shape (q, n, 1),
    and ``trials`` have shape (n, 1); all may have any shape that broadcasts.

    Attributes:
        simulate: random values of the traits, of a shape that broadcasts to that of eta.
        log_density: of the response, with all constants, shape (n, S).
        mean: what is expected of every trait: of the response its mean, of its zeros their probability,
            of categories the probability or the count of each; shape (q, n, S).
    """

    simulate: Callable[[Rng, Array, Array], Array]
    log_density: Callable[[Array, Array, Array], Array]
    mean: Callable[[Array, Array], Array]


def single(distribution: Distribution, link: str) -> Seen:
    """One latent variable, of which the mean is the inverse link."""
    inverse = LINKS[link].inverse
    return Seen(
        simulate=lambda rng, eta, trials: distribution.simulate(rng, inverse(eta), {}),
        log_density=lambda eta, y, trials: distribution.log_density(y, inverse(eta), {})[0],
        mean=lambda eta, trials: distribution.expected(inverse(eta), {}),
    )


def _zeros(
    distribution: Distribution,
    mean: Inverse,
    share: str,
    probability: Inverse,
    counted: bool = False,
) -> Seen:
    """One with a probability of zeros, both from latent variables."""

    def parts(eta: Array, trials: Array) -> tuple[Array, Parameters]:
        with np.errstate(over="ignore"):
            return mean(eta[0]), {share: probability(eta[1]), "trials": trials}

    def draw(rng: Rng, eta: Array, trials: Array) -> Array:
        return distribution.simulate(rng, *parts(eta, trials))

    def log_density(eta: Array, y: Array, trials: Array) -> Array:
        return distribution.log_density(y[0], *parts(eta, trials))

    def expected(eta: Array, trials: Array) -> Array:
        mu, p = parts(eta, trials)
        value = distribution.expected(mu, p) * (trials if counted else 1.0)
        return np.array([value, np.broadcast_to(p[share], value.shape)])

    return Seen(draw, log_density, expected)


def _absent(eta: Array) -> Array:
    return np.asarray(np.exp(-np.exp(eta)))


def _log_shares(eta: Array) -> Array:
    """The logs of the probabilities of all categories, the reference first, shape (n, S, q + 1)."""
    first = np.zeros_like(eta[:1])
    every = np.moveaxis(np.concatenate([first, eta]), 0, -1)
    return np.asarray(special.log_softmax(every, axis=-1))


def _of_categories(eta: Array) -> Array:
    """The probabilities of all but the reference, shape (q, n, S)."""
    return np.moveaxis(np.exp(_log_shares(eta))[..., 1:], -1, 0)


def _counts(rng: Rng, eta: Array, trials: Array) -> Array:
    counts = _MULTINOMIAL.simulate(rng, _log_shares(eta), {"trials": trials})
    return np.moveaxis(counts[..., 1:], -1, 0)


def _log_density_of_counts(eta: Array, y: Array, trials: Array) -> Array:
    counts = np.moveaxis(np.concatenate([trials[None] - y.sum(axis=0, keepdims=True), y]), 0, -1)
    return _MULTINOMIAL.log_density(counts, _log_shares(eta), {})


def _category(rng: Rng, eta: Array, trials: Array) -> Array:
    return _CATEGORICAL.simulate(rng, _log_shares(eta), {})


_POISSON, _BINOMIAL = basic.ROWS["poisson"], basic.ROWS["binomial"]
_MULTINOMIAL, _CATEGORICAL = categories.ROWS["multinomial"], categories.ROWS["categorical"]
_LOGIT: Inverse = special.expit

#: Those of several latent variables, by the names of :data:`mix2stan.families.LAYERS`.
SEVERAL: dict[str, Seen] = {
    "zipoisson": _zeros(zero_inflated(_POISSON), np.exp, "zi", _LOGIT),
    "hupoisson": _zeros(hurdle(_POISSON), np.exp, "hu", _LOGIT),
    "zapoisson": _zeros(hurdle(_POISSON), np.exp, "hu", _absent),
    "zibinomial": _zeros(zero_inflated(_BINOMIAL), _LOGIT, "zi", _LOGIT, counted=True),
    "hubinomial": _zeros(hurdle(_BINOMIAL), _LOGIT, "hu", _LOGIT, counted=True),
    "multinomial": Seen(
        simulate=_counts,
        log_density=_log_density_of_counts,
        mean=lambda eta, trials: _of_categories(eta) * trials,
    ),
    "categorical": Seen(
        simulate=_category,
        log_density=lambda eta, y, trials: _CATEGORICAL.log_density(y[0], _log_shares(eta), {}),
        mean=lambda eta, trials: _of_categories(eta),
    ),
}
