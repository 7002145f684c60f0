"""Responses that are one of several categories, or counts of them.

In the place of a mean stand the logs of the probabilities of the categories, shape (..., S, C), which
:func:`log_probabilities` has from the predictor.  A response is the number of a category, from 1 on, or
the counts of all, shape (..., C); what is expected of it are shares, one of every category.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mix2stan.distributions.basic import Distribution, Parameters
from mix2stan.errors import Unsupported
from mix2stan.families import FAMILIES
from mix2stan.families.ordinal import LATENT, draw_category

__all__ = ["ROWS", "log_probabilities"]

Array = NDArray[np.float64]
Rng = np.random.Generator


def log_probabilities(
    family: str, link: str, eta: Array, thresholds: Array, sd: Array | float = 1.0
) -> Array:
    """The logs of the probabilities of the categories, shape (..., C).

    Args:
        family: a row of the families that is of categories.
        link: one of its links.
        eta: the predictor, shape (...); of unordered categories the log odds of each against the
            first, shape (..., C - 1).
        thresholds: those of ordered categories, shape (C - 1, S), S the last axis of ``eta``.
        sd: of the error behind ordered categories, shape (...), or one number.
    """
    ordinal = FAMILIES[family].ordinal
    if ordinal is None:
        first = np.zeros((*eta.shape[:-1], 1))
        return np.asarray(special.log_softmax(np.concatenate([first, eta], axis=-1), axis=-1))
    gap = (thresholds.T - eta[..., None]) / np.asarray(sd)[..., None]
    return ordinal.log_probabilities(gap, LATENT[link])


def _share_variance(mu: Array, p: Parameters) -> Array:
    share = np.exp(mu)
    return np.asarray(share * (1 - share))


def _counted_variance(mu: Array, p: Parameters) -> Array:
    return np.asarray(_share_variance(mu, p) / np.maximum(p["trials"], 1)[..., None])


def _taken(y: Array, values: Array) -> Array:
    """The values at the places y, counted from 0, shape (..., S)."""
    places = y.astype(np.int64)[..., None]
    return np.asarray(np.take_along_axis(values, places, axis=-1)[..., 0])


def _cdf(y: Array, mu: Array, p: Parameters) -> Array:
    below = np.cumsum(np.exp(mu), axis=-1)
    nothing = np.zeros((*mu.shape[:-1], 1))
    return _taken(y, np.minimum(np.concatenate([nothing, below], axis=-1), 1.0))


def _no_order(y: Array, mu: Array, p: Parameters) -> Array:
    message = "quantile residuals do not exist: the categories of this response have no order"
    raise Unsupported(message, hint='type = "pearson" has a residual of every category')


def _multinomial_log_density(y: Array, mu: Array, p: Parameters) -> Array:
    choose = special.gammaln(y.sum(axis=-1) + 1) - special.gammaln(y + 1).sum(axis=-1)
    # no count of a category without probability is no surprise
    return np.asarray(choose + np.where(y > 0, y * mu, 0.0).sum(axis=-1))


def _multinomial(rng: Rng, mu: Array, p: Parameters) -> Array:
    trials = np.broadcast_to(p["trials"], mu.shape[:-1]).astype(np.int64)
    return np.asarray(rng.multinomial(trials, np.exp(mu)), dtype=float)


_ORDERED = Distribution(
    variance=_share_variance,
    log_density=lambda y, mu, p: _taken(y - 1, mu),
    cdf=_cdf,
    simulate=lambda rng, mu, p: np.asarray(draw_category(rng, mu), dtype=float),
    discrete=True,
    mean=lambda mu, p: np.exp(mu),
    alone=True,
)

ROWS: dict[str, Distribution] = {
    "categorical": Distribution(
        variance=_share_variance,
        log_density=_ORDERED.log_density,
        cdf=_no_order,
        simulate=_ORDERED.simulate,
        discrete=True,
        mean=_ORDERED.mean,
        alone=True,
    ),
    "multinomial": Distribution(
        variance=_counted_variance,
        log_density=_multinomial_log_density,
        cdf=_no_order,
        simulate=_multinomial,
        discrete=True,
        mean=_ORDERED.mean,
        alone=True,
    ),
    **dict.fromkeys(("cumulative", "sratio", "cratio", "acat"), _ORDERED),
}
