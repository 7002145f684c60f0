"""Ordered categories: the models of thresholds, in Stan and in numpy.

A response of C categories has C - 1 thresholds t; F is the distribution function that the link names,
eta the predictor, and with P(y = c) the probability of category c

- ``cumulative``: P(y <= c) = F(t_c - eta), the thresholds in order;
- ``sratio`` (stopping ratio): P(y = c | y >= c) = F(t_c - eta);
- ``cratio`` (continuation ratio): P(y > c | y >= c) = F(eta - t_c);
- ``acat`` (adjacent categories): P(y = c + 1 | y = c or y = c + 1) = F(eta - t_c).

So brms has them, and ordinal's ``clm`` the first (Bürkner and Vuorre 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["LATENT", "ORDINAL", "Latent", "Ordinal", "draw_category"]

Array = NDArray[np.float64]

#: Below the first exp(x) is negligible beside one, beyond the second it is nearly infinite.
_LEAST, _MOST = -40.0, 700.0


@dataclass(frozen=True)
class Latent:
    """The distribution function F of a link: in Stan, the argument in braces, and in numpy.

    Attributes:
        link: its name.
        below: the sum of log F over a vector.
        above: the sum of log(1 - F) over a vector.
        log_cdf: log F, exact in the tails.
        log_survival: log(1 - F), exact in the tails.
        between: the sum of log(F(upper) - F(lower)); empty where Stan has the whole density.
    """

    link: str
    below: str
    above: str
    log_cdf: Callable[[Array], Array]
    log_survival: Callable[[Array], Array]
    between: str = ""

    def log_below(self, x: str) -> str:
        """The sum of log F(x), as Stan text."""
        return self.below.format(x=x)

    def log_above(self, x: str) -> str:
        """The sum of log(1 - F(x)), as Stan text."""
        return self.above.format(x=x)

    def log_between(self, upper: str, lower: str) -> str:
        """The sum of log(F(upper) - F(lower)), as Stan text."""
        return self.between.format(upper=upper, lower=lower)

    def log_mass(self, upper: Array, lower: Array) -> Array:
        """log(F(upper) - F(lower)), from the tail that both are nearer to."""
        right = lower > 0
        large = np.where(right, self.log_survival(lower), self.log_cdf(upper))
        small = np.where(right, self.log_survival(upper), self.log_cdf(lower))
        with np.errstate(all="ignore"):
            return np.asarray(large + np.log(-np.expm1(small - large)))


def _log_cauchy(x: Array) -> Array:
    # the angle of (-x, 1), which does not round to zero
    return np.asarray(np.log(np.arctan2(1, -x) / np.pi))


def _log_gompertz(x: Array) -> Array:
    rate = np.exp(np.clip(x, _LEAST, _MOST))
    with np.errstate(divide="ignore"):
        left = np.where(x < _LEAST, x, np.log(-np.expm1(-rate)))
        return np.asarray(np.where(x > 0, np.log1p(-np.exp(-rate)), left))


LATENT: dict[str, Latent] = {
    row.link: row
    for row in (
        Latent(
            "logit",
            "sum(log_inv_logit({x}))",
            "sum(log1m_inv_logit({x}))",
            special.log_expit,
            lambda x: special.log_expit(-x),
        ),
        Latent(
            "probit",
            "std_normal_lcdf({x})",
            "std_normal_lccdf({x})",
            special.log_ndtr,
            lambda x: special.log_ndtr(-x),
        ),
        Latent(
            "cloglog",
            "sum(log1m_exp(-exp({x})))",
            "sum(-exp({x}))",
            _log_gompertz,
            lambda x: -np.exp(np.minimum(x, _MOST)),
            "sum(log_diff_exp(-exp({lower}), -exp({upper})))",
        ),
        # the difference of two arctangents, without cancellation
        Latent(
            "cauchit",
            "cauchy_lcdf({x} | 0, 1)",
            "cauchy_lccdf({x} | 0, 1)",
            _log_cauchy,
            lambda x: _log_cauchy(-x),
            "sum(log(atan2({upper} - ({lower}), 1 + ({upper}) .* ({lower})) / pi()))",
        ),
    )
}


@dataclass(frozen=True)
class Ordinal:
    """What a model of ordered categories is besides its Stan text.

    Attributes:
        constraint: the Stan type of the thresholds: ``ordered`` where they are, else ``vector``.
        log_probabilities: the logs of those of the categories, shape (..., C), from t - eta, shape
            (..., C - 1), and F.
        thresholds: those of known probabilities, shape (C,), where the predictor is zero, from the
            inverse of F.
        latent: whether the categories are ranges of one variable, the predictor plus an error of F.
    """

    constraint: str
    log_probabilities: Callable[[Array, Latent], Array]
    thresholds: Callable[[Array, Callable[[Array], Array]], Array]
    latent: bool = False


def _cumulative(gap: Array, F: Latent) -> Array:
    inner = F.log_mass(gap[..., 1:], gap[..., :-1])
    ends = F.log_cdf(gap[..., :1]), F.log_survival(gap[..., -1:])
    return np.concatenate([ends[0], inner, ends[1]], axis=-1)


def _stopping(stop: Array, go: Array) -> Array:
    """Of stopping at each category, and of going on from there, shape (..., C - 1)."""
    nothing = np.zeros((*stop.shape[:-1], 1))
    reached = np.concatenate([nothing, np.cumsum(go, axis=-1)], axis=-1)
    return np.asarray(reached + np.concatenate([stop, nothing], axis=-1))


def _sratio(gap: Array, F: Latent) -> Array:
    return _stopping(F.log_cdf(gap), F.log_survival(gap))


def _cratio(gap: Array, F: Latent) -> Array:
    return _stopping(F.log_survival(-gap), F.log_cdf(-gap))


def _acat(gap: Array, F: Latent) -> Array:
    odds = F.log_cdf(-gap) - F.log_survival(-gap)
    first = np.zeros((*gap.shape[:-1], 1))
    return np.asarray(
        special.log_softmax(np.concatenate([first, np.cumsum(odds, axis=-1)], axis=-1), axis=-1)
    )


def _survivors(p: Array) -> Array:
    """P(y >= c) of all categories but the last."""
    return np.asarray(np.cumsum(p[::-1])[::-1][:-1])


ORDINAL: dict[str, Ordinal] = {
    "cumulative": Ordinal(
        "ordered", _cumulative, lambda p, inverse: inverse(np.cumsum(p)[:-1]), latent=True
    ),
    "sratio": Ordinal("vector", _sratio, lambda p, inverse: inverse(p[:-1] / _survivors(p))),
    "cratio": Ordinal("vector", _cratio, lambda p, inverse: -inverse(1 - p[:-1] / _survivors(p))),
    "acat": Ordinal("vector", _acat, lambda p, inverse: -inverse(p[1:] / (p[1:] + p[:-1]))),
}


def draw_category(rng: np.random.Generator, log_probabilities: Array) -> NDArray[np.int64]:
    """Categories, counted from 1, shape (...).

    Args:
        rng: the source of randomness.
        log_probabilities: shape (..., C).
    """
    below = np.cumsum(np.exp(log_probabilities[..., :-1]), axis=-1)
    reached = rng.uniform(size=(*below.shape[:-1], 1)) > below
    return np.asarray(1 + reached.sum(axis=-1), dtype=np.int64)
