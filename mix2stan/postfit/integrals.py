"""Means over normal effects: the expected inverse link of a normal predictor.

Exact for the identity, log (the mean of a lognormal), square root and probit links; by Gauss-Hermite
quadrature for logit and cloglog (relative error below 1e-5 up to a standard deviation of 2).  The
inverse of a normal has no mean, so neither have those links.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mix2stan.errors import Unsupported
from mix2stan.links import LINKS

__all__ = [
    "MOST_DIRECTIONS",
    "NARROW",
    "STACK",
    "averaged",
    "check_link",
    "mean_over_normals",
    "nodes",
    "posterior_roots",
    "product_nodes",
    "root_of",
    "spread_at_draws",
]

Array = NDArray[np.float64]

_NODES = 60
#: Numbers in one stack of covariance matrices: 64 MB of them.
STACK = 8_000_000
#: Points in each direction of an integral over several, as many as there may be: of those over the
#: distribution of effects, and of those over a posterior, which is narrow.
_WIDE = {0: 1, 1: _NODES, 2: 40, 3: 24}
NARROW = {0: 1, 1: _NODES, 2: 24, 3: 16}
MOST_DIRECTIONS = max(_WIDE)
#: Points of less weight than this are left out where there are many.
_LEAST = 1e-14


def nodes(count: int = _NODES) -> tuple[Array, Array]:
    """Points and weights for a mean over a standard normal, shape (count,) each."""
    x, w = np.polynomial.hermite_e.hermegauss(count)
    return x, w / np.sum(w)


def product_nodes(directions: int, points: Mapping[int, int]) -> Iterator[tuple[Array, float]]:
    """Points of shape (directions,) and weights for a mean over so many standard normals.

    Args:
        directions: how many.
        points: in each direction, by the number of directions.
    """
    x, w = nodes(points[directions])
    least = _LEAST if directions > 1 else 0.0
    for place in itertools.product(range(len(x)), repeat=directions):
        weight = math.prod(w[list(place)].tolist())
        if weight > least:
            yield x[list(place)], weight


def mean_over_normals(
    function: Callable[[Array], Array], mean: Array, covariance: Array, what: str, hint: str
) -> Array:
    """The mean of a function of normal vectors, by Gauss-Hermite quadrature.

    Args:
        function: of vectors, shape (..., d); its values have any shape.
        mean: theirs, shape (..., d).
        covariance: theirs, shape (..., d, d); it may be singular.
        what: what is averaged over, one of each direction, for the message.
        hint: what to do where there are too many of these.

    Raises:
        Unsupported: where more than three directions have a variance.
    """
    sizes = np.diagonal(covariance, axis1=-2, axis2=-1)
    moving = np.flatnonzero(sizes.reshape(-1, sizes.shape[-1]).any(axis=0))
    if len(moving) > MOST_DIRECTIONS:
        message = f"at most {MOST_DIRECTIONS} {what} are averaged over: here are {len(moving)}"
        raise Unsupported(message, hint=hint)
    root = _along_axes(covariance[..., moving, :][..., moving])
    total: Array | None = None
    for point, weight in product_nodes(len(moving), _WIDE):
        at = mean.copy()
        at[..., moving] += root @ point
        part = weight * function(at)
        total = part if total is None else total + part
    assert total is not None
    return total


def posterior_roots(draws: Array) -> Array:
    """Roots of the covariances of draws of shape (n, d, S), to spread points by; shape (n, d, d)."""
    gaps = draws - draws.mean(axis=2, keepdims=True)
    covariance = gaps @ np.swapaxes(gaps, 1, 2) / draws.shape[2]
    # of fewer draws than directions, or of draws in a line, the directions alone
    sizes = np.diagonal(covariance, axis1=1, axis2=2)
    ridge = 1e-6 * np.eye(draws.shape[1]) * sizes[:, :, None]
    return np.linalg.cholesky(covariance + ridge)


def spread_at_draws(centre: Array, root: Array, covariance: Array) -> tuple[Array, Array]:
    """Where effects of levels are, given the covariance of every draw: means and roots.

    A draw whose effects vary less than those of others leaves a level less room than it has on average.

    Args:
        centre: the posterior means of the levels' effects, shape (J, d).
        root: roots of their posterior covariances, shape (J, d, d).
        covariance: that of the effects, by draw, shape (S, d, d).

    Returns:
        Shapes (J, S, d) and (J, S, d, d).
    """
    d = centre.shape[1]
    prior = np.linalg.inv(covariance)
    sizes, axes = np.linalg.eigh(prior - np.linalg.inv(covariance.mean(axis=0)))
    narrower = (axes * np.maximum(sizes, 0.0)[:, None, :]) @ np.swapaxes(axes, 1, 2)
    # in units of the posterior: (I + R' N R)^-1
    turned = np.swapaxes(root, 1, 2)[:, None] @ narrower[None] @ root[:, None]
    L = np.linalg.cholesky(np.eye(d) + turned)
    roots = root[:, None] @ np.swapaxes(np.linalg.inv(L), -1, -2)
    own = np.linalg.solve(root, centre[:, :, None])[:, None]
    return np.asarray((roots @ np.linalg.solve(L, own))[..., 0]), np.asarray(roots)


def root_of(covariance: Array) -> Array:
    """Roots of covariances of shape (..., d, d), which may be singular."""
    squares, axes = np.linalg.eigh(covariance)
    return np.asarray(axes * np.sqrt(np.maximum(squares, 0))[..., None, :])


def _along_axes(covariance: Array) -> Array:
    """The same, of what is independent the standard deviations."""
    apart = not covariance[..., ~np.eye(covariance.shape[-1], dtype=bool)].any()
    return np.asarray(np.sqrt(covariance)) if apart else root_of(covariance)


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


def check_link(link: str) -> None:
    """Refuse a link whose inverse has no mean over normal predictors.

    Raises:
        Unsupported: for such a link.
    """
    if link not in _MEANS:
        message = f"the mean over group effects does not exist for the link {link!r}"
        hint = 're = "conditional" or "population" predicts at given effects'
        raise Unsupported(message, hint=hint)


def averaged(link: str, eta: Array, variance: Array) -> Array:
    """The mean of the inverse link of a normal with these means and variances.

    Raises:
        Unsupported: for a link whose inverse has no mean.
    """
    check_link(link)
    return np.asarray(_MEANS[link](eta, variance))
