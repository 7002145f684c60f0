"""Means over normal effects: the expected inverse link of a normal predictor.

Exact for the identity, log (the mean of a lognormal), square root and probit links; by Gauss-Hermite
quadrature for logit and cloglog (relative error below 1e-5 up to a standard deviation of 2).  The
inverse of a normal has no mean, so neither have those links.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mix2stan.errors import Unsupported
from mix2stan.links import LINKS

__all__ = ["averaged", "nodes"]

Array = NDArray[np.float64]

_NODES = 60


def nodes(count: int = _NODES) -> tuple[Array, Array]:
    """Points and weights for a mean over a standard normal, shape (count,) each."""
    x, w = np.polynomial.hermite_e.hermegauss(count)
    return x, w / np.sum(w)


def _by_quadrature(link: str) -> Callable[[Array, Array], Array]:
    def mean(eta: Array, variance: Array) -> Array:
        inverse, sd = LINKS[link].inverse, np.sqrt(variance)
        total = np.zeros(np.broadcast_shapes(eta.shape, sd.shape))
        for x, w in zip(*nodes(), strict=True):
            total += w * inverse(eta + x * sd)
        return total

    return mean


_MEANS: dict[str, Callable[[Array, Array], Array]] = {
    "identity": lambda eta, v: eta,
    "log": lambda eta, v: np.exp(eta + v / 2),
    "sqrt": lambda eta, v: eta**2 + v,
    "probit": lambda eta, v: special.ndtr(eta / np.sqrt(1 + v)),
    "logit": _by_quadrature("logit"),
    "cloglog": _by_quadrature("cloglog"),
}


def averaged(link: str, eta: Array, variance: Array) -> Array:
    """The mean of the inverse link of a normal with these means and variances.

    Raises:
        Unsupported: for a link whose inverse has no mean.
    """
    if link not in _MEANS:
        message = f"the mean over group effects does not exist for the link {link!r}"
        hint = 're = "conditional" or "population" predicts at given effects'
        raise Unsupported(message, hint=hint)
    return np.asarray(_MEANS[link](eta, variance))
