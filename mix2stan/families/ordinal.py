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

from mix2stan.links import LINKS

__all__ = ["LATENT", "ORDINAL", "Latent", "Ordinal", "draw_category"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Latent:
    """The distribution function F of a link in Stan, the argument in braces.

    Attributes:
        link: its name.
        below: the sum of log F over a vector.
        above: the sum of log(1 - F) over a vector.
        between: the sum of log(F(upper) - F(lower)); empty where Stan has the whole density.
    """

    link: str
    below: str
    above: str
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


LATENT: dict[str, Latent] = {
    row.link: row
    for row in (
        Latent("logit", "sum(log_inv_logit({x}))", "sum(log1m_inv_logit({x}))"),
        Latent("probit", "std_normal_lcdf({x})", "std_normal_lccdf({x})"),
        Latent(
            "cloglog",
            "sum(log1m_exp(-exp({x})))",
            "sum(-exp({x}))",
            "sum(log_diff_exp(-exp({lower}), -exp({upper})))",
        ),
        # the difference of two arctangents, without cancellation
        Latent(
            "cauchit",
            "cauchy_lcdf({x} | 0, 1)",
            "cauchy_lccdf({x} | 0, 1)",
            "sum(log(atan2({upper} - ({lower}), 1 + ({upper}) .* ({lower})) / pi()))",
        ),
    )
}


@dataclass(frozen=True)
class Ordinal:
    """What a model of ordered categories is besides its Stan text.

    Attributes:
        constraint: the Stan type of the thresholds: ``ordered`` where they are, else ``vector``.
        probabilities: of the categories, shape (N, C), from the predictor, shape (N,), thresholds,
            shape (C - 1,), and F.
        thresholds: those of known probabilities, shape (C,), where the predictor is zero, from the
            inverse of F.
    """

    constraint: str
    probabilities: Callable[[Array, Array, Callable[[Array], Array]], Array]
    thresholds: Callable[[Array, Callable[[Array], Array]], Array]


def _cumulative(eta: Array, t: Array, F: Callable[[Array], Array]) -> Array:
    below = F(t[None, :] - eta[:, None])
    ends = np.zeros((len(eta), 1)), np.ones((len(eta), 1))
    return np.asarray(np.diff(np.hstack([ends[0], below, ends[1]]), axis=1))


def _stopping(stop: Array) -> Array:
    """Probabilities of the categories from those of stopping at each, shape (N, C - 1)."""
    n = len(stop)
    going = np.cumprod(np.hstack([np.ones((n, 1)), 1 - stop]), axis=1)
    return np.asarray(going * np.hstack([stop, np.ones((n, 1))]))


def _sratio(eta: Array, t: Array, F: Callable[[Array], Array]) -> Array:
    return _stopping(F(t[None, :] - eta[:, None]))


def _cratio(eta: Array, t: Array, F: Callable[[Array], Array]) -> Array:
    return _stopping(1 - F(eta[:, None] - t[None, :]))


def _acat(eta: Array, t: Array, F: Callable[[Array], Array]) -> Array:
    odds = special.logit(F(eta[:, None] - t[None, :]))
    log = np.hstack([np.zeros((len(eta), 1)), np.cumsum(odds, axis=1)])
    return np.asarray(special.softmax(log, axis=1))


def _survivors(p: Array) -> Array:
    """P(y >= c) of all categories but the last."""
    return np.asarray(np.cumsum(p[::-1])[::-1][:-1])


ORDINAL: dict[str, Ordinal] = {
    "cumulative": Ordinal("ordered", _cumulative, lambda p, inverse: inverse(np.cumsum(p)[:-1])),
    "sratio": Ordinal("vector", _sratio, lambda p, inverse: inverse(p[:-1] / _survivors(p))),
    "cratio": Ordinal("vector", _cratio, lambda p, inverse: -inverse(1 - p[:-1] / _survivors(p))),
    "acat": Ordinal("vector", _acat, lambda p, inverse: -inverse(p[1:] / (p[1:] + p[:-1]))),
}


def draw_category(
    family: str, link: str, rng: np.random.Generator, eta: Array, thresholds: Array
) -> NDArray[np.int64]:
    """Categories, counted from 1, shape (N,).

    Args:
        family: a row of :data:`ORDINAL`.
        link: a row of :data:`LATENT`.
        rng: the source of randomness.
        eta: the predictor, shape (N,).
        thresholds: shape (C - 1,).
    """
    p = ORDINAL[family].probabilities(eta, thresholds, LINKS[link].inverse)
    reached = rng.uniform(size=(len(eta), 1)) > np.cumsum(p, axis=1)[:, :-1]
    return np.asarray(1 + reached.sum(axis=1), dtype=np.int64)
