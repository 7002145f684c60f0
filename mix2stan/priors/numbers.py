"""The densities of priors as numbers: draws, and log densities.

A density is known by its Stan text alone, so that what is drawn here is what the program says; those
of several parameters at once have a row of :data:`JOINT`.  Shapes: S draws first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mix2stan.errors import Unsupported
from mix2stan.graph import Prior
from mix2stan.priors.rows import DENSITIES

__all__ = ["JOINT", "WITH_SIGMA", "Joint", "Values", "draw", "lkj_roots", "log_density"]

Array = NDArray[np.float64]
Values = Mapping[str, Array]
Generator = np.random.Generator

_TINY = float(np.finfo(float).tiny)
#: The least square of a root that is inverted, so that variances are numbers.
_LEAST = 1e-280

#: Stan's densities of a number, as scipy's.
_SCIPY: dict[str, Callable[..., Any]] = {
    "normal": lambda loc, scale: stats.norm(loc, scale),
    "std_normal": lambda: stats.norm(),
    "student_t": lambda df, loc, scale: stats.t(df, loc, scale),
    "cauchy": lambda loc, scale: stats.cauchy(loc, scale),
    "logistic": lambda loc, scale: stats.logistic(loc, scale),
    "double_exponential": lambda loc, scale: stats.laplace(loc, scale),
    "exponential": lambda rate: stats.expon(scale=1 / rate),
    "gamma": lambda shape, rate: stats.gamma(shape, scale=1 / rate),
    "inv_gamma": lambda shape, scale: stats.invgamma(shape, scale=scale),
    "lognormal": lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc)),
    "beta": lambda a, b: stats.beta(a, b),
    "uniform": lambda low, high: stats.uniform(low, high - low),
}

#: What else than numbers the texts have, from what was drawn before, shape (S, 1).
_EXPRESSIONS: dict[str, Callable[[Values], Array]] = {
    "sigma": lambda drawn: drawn["sigma"][:, None],
    "1 / sigma": lambda drawn: 1 / drawn["sigma"][:, None],
    "cor_rho_lower": lambda drawn: drawn["cor_rho_lower"],
}


def draw(
    prior: Prior,
    size: int,
    support: tuple[float, float],
    drawn: Values,
    draws: int,
    rng: Generator,
) -> Array:
    """Draws of the elements of a block whose prior is one density of each, shape (S, n).

    Args:
        prior: the density, by the name of a row, with its numbers.
        size: the number n of elements.
        support: what values the parameter can have.
        drawn: what was drawn before, by Stan name.
        draws: the number S of draws.
        rng: the source of randomness.

    Raises:
        Unsupported: if the density has no generator.
    """
    numbers = {slot: np.array(v) for slot, v in prior.values}
    low, high = (
        np.broadcast_to(numbers.get(slot, end), (size,))
        for slot, end in zip(("lower", "upper"), support, strict=True)
    )
    share = rng.uniform(size=(draws, size))
    text = DENSITIES[prior.density].text
    if not text:
        return np.asarray(low + share * (high - low))
    density = _density(prior, numbers, drawn)
    first, last = density.cdf(low), density.cdf(high)
    return np.asarray(density.ppf(first + share * (last - first)), dtype=float)


def log_density(prior: Prior, values: Array, drawn: Values) -> Array:
    """The log densities of the elements of a block at draws of shape (S, n), as they are.

    What its bounds add is a constant, which is left out.

    Raises:
        Unsupported: if the density is not known as a number.
    """
    numbers = {slot: np.array(v) for slot, v in prior.values}
    return np.asarray(_density(prior, numbers, drawn).logpdf(values), dtype=float)


def _density(prior: Prior, numbers: Values, drawn: Values) -> Any:
    """The density as scipy's."""
    name, arguments = _parts(DENSITIES[prior.density].text)
    if name not in _SCIPY:
        raise Unsupported(f"the prior of {prior.block} cannot be drawn from: {name}")
    return _SCIPY[name](*(_argument(a, numbers, drawn) for a in arguments))


def _parts(text: str) -> tuple[str, list[str]]:
    """The name and the arguments of a density's text."""
    found = re.fullmatch(r"(\w+)\((.*)\)", text)
    assert found is not None
    return found[1], [a for a in found[2].split(", ") if a]


def _argument(text: str, numbers: Values, drawn: Values) -> Array:
    if text.startswith("{"):
        slot, _, unit = text.partition(" / ")
        value = numbers[slot[1:-1]]
        return value / _EXPRESSIONS[unit](drawn) if unit else value
    if text in _EXPRESSIONS:
        return _EXPRESSIONS[text](drawn)
    return np.array(float(text))


# -- several parameters at once --------------------------------------------------------------------


@dataclass(frozen=True)
class Joint:
    """What a joint density is drawn with.

    Attributes:
        block: what it is the density of.
        numbers: its numbers by slot.
        size: the number of elements of its block.
        drawn: what was drawn before, by Stan name.
        draws: the number S of draws.
        rng: the source of randomness.
    """

    block: str
    numbers: Values
    size: int
    drawn: Values
    draws: int
    rng: Generator

    def alone(self, values: Array) -> dict[str, Array]:
        """Draws of the block, with which nothing else is drawn."""
        return {self.block: values}

    def with_root(self, values: Array, root: Array) -> dict[str, Array]:
        """Draws of standard deviations, and of the roots of their correlations."""
        return {self.block: values, f"L_{self.block.partition('_')[2]}": root}


def lkj_roots(k: int, eta: float, draws: int, rng: Generator) -> Array:
    """Cholesky factors of correlation matrices of the density |R|^(eta - 1), shape (S, k, k).

    The rows are independent, each a point in a ball (Lewandowski, Kurowicka and Joe 2009).
    """
    L = np.zeros((draws, k, k))
    L[:, 0, 0] = 1
    for i in range(1, k):
        share = rng.beta(i / 2, eta + (k - 1 - i) / 2, draws)
        point = rng.standard_normal((draws, i))
        point /= np.linalg.norm(point, axis=1, keepdims=True)
        L[:, i, :i] = np.sqrt(share)[:, None] * point
        L[:, i, i] = np.sqrt(1 - share)
    return L


def _inverse_wishart(nu: float, V: Array, draws: int, rng: Generator) -> tuple[Array, Array]:
    """Of covariances with the scale matrix nu V their sds, and the roots of their correlations.

    The inverse is a Wishart matrix, whose triangular root has independent elements (Bartlett 1933);
    from the upper one the lower root of the covariance follows without a difference, so that it holds
    where nu is near the number of rows less one and correlations are one but for rounding.
    """
    k = len(V)
    freedom = nu - k + np.arange(1, k + 1)
    U = np.triu(rng.standard_normal((draws, k, k)), 1)
    # of little freedom most draws are smaller than numbers can be
    squares = np.maximum(rng.chisquare(freedom, (draws, k)), _LEAST)
    U[:, np.arange(k), np.arange(k)] = np.sqrt(squares)
    inverse = np.linalg.solve(U, np.broadcast_to(np.eye(k), U.shape))
    C = np.linalg.cholesky(nu * V) @ np.swapaxes(inverse, 1, 2)
    sd = np.linalg.norm(C, axis=2)
    return sd, np.asarray(C / sd[:, :, None])


def _wishart(j: Joint) -> dict[str, Array]:
    V = np.reshape(j.numbers["scale_matrix"], (j.size, j.size))
    return j.with_root(*_inverse_wishart(float(j.numbers["nu"][0]), V, j.draws, j.rng))


def _of_errors(j: Joint) -> dict[str, Array]:
    """The sd of the first response, the ratios of the others' to it, and the root of correlations."""
    V = np.reshape(j.numbers["of_errors"], (j.size + 1, j.size + 1))
    sd, root = _inverse_wishart(float(j.numbers["nu"][0]), V, j.draws, j.rng)
    return {"sigma": sd[:, 0], j.block: sd[:, 1:] / sd[:, :1], "cor_L": root}


def _given_rest(
    nu: float, V: Array, free: int, draws: int, rng: Generator
) -> tuple[Array, Array, Array]:
    """Of such covariances, those of the first ``free`` given the others, and regressions on these.

    They do not depend on the others' covariance (Korsgaard, Andersen and Sorensen 1999).

    Returns:
        Standard deviations, shape (S, free), the roots of their correlations, and the regressions,
        shape (S, free, k - free).
    """
    mean = np.linalg.solve(V[free:, free:], V[free:, :free]).T
    sd, root = _inverse_wishart(nu, V[:free, :free] - mean @ V[free:, :free], draws, rng)
    z = rng.standard_normal((draws, *mean.shape))
    spread = np.linalg.inv(np.linalg.cholesky(nu * V[free:, free:]))
    return sd, root, mean + sd[:, :, None] * (root @ z @ spread)


def _given_block(j: Joint) -> dict[str, Array]:
    """Sds and the root of correlations given the known effects, and the regressions on these."""
    k = math.isqrt(j.numbers["of_effects"].size)
    V, nu = np.reshape(j.numbers["of_effects"], (k, k)), float(j.numbers["nu"][0])
    sd, root, slope = _given_rest(nu, V, j.size, j.draws, j.rng)
    by_columns = np.swapaxes(slope, 1, 2).reshape(j.draws, -1)
    return j.with_root(sd, root) | {f"slope_{j.block.partition('_')[2]}": by_columns}


def _with_rest(sd: Array, root: Array, slope: Array, known: Array) -> tuple[Array, Array]:
    """The covariance of all from that of the first given the others, and that of these.

    Returns:
        Standard deviations, shape (S, k), and correlations, shape (S, k, k).
    """
    across, given = slope @ known, sd[:, :, None] * root
    first = given @ np.swapaxes(given, 1, 2) + across @ np.swapaxes(slope, 1, 2)
    whole = np.block([[first, across], [np.swapaxes(across, 1, 2), known]])
    sds = np.sqrt(np.diagonal(whole, axis1=1, axis2=2))
    return np.asarray(sds, dtype=float), np.asarray(whole / (sds[:, :, None] * sds[:, None, :]))


def _cholesky(correlations: Array) -> Array:
    return np.asarray(np.linalg.cholesky(correlations), dtype=float)


def _given_last(j: Joint) -> dict[str, Array]:
    """Ratios of the sds to the last, which is known, and the root of correlations."""
    k, nu, sigma = j.size + 1, float(j.numbers["nu"][0]), j.drawn["sigma"]
    V = np.reshape(j.numbers["of_errors"], (k, k))
    rest = _given_rest(nu, V, j.size, j.draws, j.rng)
    sds, correlations = _with_rest(*rest, (sigma**2)[:, None, None])
    return {j.block: sds[:, :-1] / sds[:, -1:], "cor_L": _cholesky(correlations)}


def _given_latter(j: Joint) -> dict[str, Array]:
    """Ratios of the sds to the first that is known, and the root of correlations, the last first."""
    ratios, root, sigma = j.drawn["var_ratio_known"], j.drawn["cor_known"], j.drawn["sigma"]
    k, nu = j.size + len(ratios), float(j.numbers["nu"][0])
    V = np.reshape(j.numbers["of_errors"], (k, k))[::-1, ::-1]
    known = (root @ root.T)[::-1, ::-1] * np.outer(ratios, ratios) * sigma[:, None, None] ** 2
    sds, correlations = _with_rest(*_given_rest(nu, V, j.size, j.draws, j.rng), known)
    backwards = correlations[:, ::-1, ::-1]
    return {j.block: sds[:, : j.size] / sigma[:, None], "cor_L": _cholesky(backwards)}


def _scaled_wishart(j: Joint) -> dict[str, Array]:
    V = np.diag(j.numbers["V"])
    sd, root = _inverse_wishart(float(j.numbers["nu"][0]), V, j.draws, j.rng)
    scales = np.sqrt(j.numbers["alpha_V"]) * j.rng.standard_normal((j.draws, j.size))
    signs = np.sign(scales)
    return j.with_root(sd * np.abs(scales), root * signs[:, :, None] * signs[:, None, :])


def _wishart_root(j: Joint) -> dict[str, Array]:
    nu = float(j.numbers["nu"][0])
    return j.alone(_inverse_wishart(nu, np.eye(j.size), j.draws, j.rng)[1])


def _gamma_sds(j: Joint) -> Array:
    """Standard deviations whose variances are nu V over a chi-square."""
    nu = j.numbers.get("df", j.numbers.get("nu"))
    assert nu is not None
    # of nu near zero most draws are smaller than numbers can be
    square = np.maximum(j.rng.chisquare(np.broadcast_to(nu, (j.draws, j.size))), _TINY)
    return np.asarray(np.sqrt(nu * j.numbers["V"] / square))


def _inverse_gamma(j: Joint) -> dict[str, Array]:
    return j.alone(_gamma_sds(j))


def _ratios(j: Joint) -> dict[str, Array]:
    return j.alone(_gamma_sds(j) / j.drawn["sigma"][:, None])


def _decov(sigma: bool) -> Callable[[Joint], dict[str, Array]]:
    def sds(j: Joint) -> dict[str, Array]:
        """The trace is K (tau sigma)^2, its shares are uniform on the simplex."""
        tau = j.rng.exponential(size=j.draws)
        tau = tau * j.drawn["sigma"] if sigma else tau
        shares = j.rng.dirichlet(np.ones(j.size), j.draws)
        return j.alone(tau[:, None] * np.sqrt(j.size * shares))

    return sds


def _multi_normal(j: Joint) -> dict[str, Array]:
    V = np.reshape(j.numbers["scale_matrix"], (j.size, j.size))
    return j.alone(j.rng.multivariate_normal(j.numbers["loc"], V, j.draws, method="cholesky"))


def _lkj(j: Joint) -> dict[str, Array]:
    eta = float(j.numbers["eta"][0]) if "eta" in j.numbers else 1.0
    return j.alone(lkj_roots(j.size, eta, j.draws, j.rng))


#: Generators of joint densities: the block and what is drawn with it, by Stan name.
JOINT: dict[str, Callable[[Joint], dict[str, Array]]] = {
    "lkj": _lkj,
    "lkj_eta": _lkj,
    "decov": _decov(sigma=True),
    "decov_1": _decov(sigma=False),
    "multi_normal": _multi_normal,
    "inverse_gamma": _inverse_gamma,
    "inverse_gammas": _inverse_gamma,
    "inverse_gamma_ratios": _ratios,
    "inverse_wishart": _wishart,
    "scaled_inverse_wishart": _scaled_wishart,
    "inverse_wishart_root": _wishart_root,
    "inverse_wishart_given_block": _given_block,
    "inverse_wishart_errors": _of_errors,
    "inverse_wishart_given_last": _given_last,
    "inverse_wishart_given_latter": _given_latter,
}
#: Data of a program, besides the numbers of priors, that a prior is about.
DATA = ("cor_rho_lower", "cor_known", "var_ratio_known")
#: Those with which sigma is drawn.
WITH_SIGMA = frozenset({"inverse_wishart_errors"})
