"""How well chains agree: effective sample sizes and R-hat, of many quantities at once.

The estimators of Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021, Bayesian Analysis 16,
667-718), which ArviZ computes for one quantity after the other; models with thousands of effects
need them for all at once.  Tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special, stats

__all__ = ["convergence"]

Array = NDArray[np.float64]

#: Quantities that are looked at together: 64 MB of draws of usual length.
_CHUNK = 256
#: What is taken off ranks before they become normal scores (Blom).
_BLOM = 3 / 8
_TAILS = (0.05, 0.95)


def convergence(draws: Array) -> tuple[Array, Array, Array]:
    """Bulk and tail effective sample size and rank-normalised split R-hat of every quantity.

    Args:
        draws: shape (chains, draws, n).

    Returns:
        Three arrays of shape (n,): NaN for a quantity that is not finite, has fewer than 4 draws or,
        R-hat alone, one chain; for a constant the effective sample size is the number of draws.
    """
    chains, length, n = draws.shape
    out = np.full((3, n), np.nan)
    if length < 4:
        return out[0], out[1], out[2]
    several = chains > 1

    def chunk(start: int) -> None:
        part = np.ascontiguousarray(np.moveaxis(draws[:, :, start : start + _CHUNK], 2, 0))
        finite = np.isfinite(part).all(axis=(1, 2))
        if finite.any():
            out[:, start : start + len(part)][:, finite] = _of_finite(part[finite], several)

    # sorting and transforms leave the interpreter to others
    with ThreadPoolExecutor() as pool:
        list(pool.map(chunk, range(0, n, _CHUNK)))
    return out[0], out[1], out[2]


def _of_finite(draws: Array, several: bool) -> Array:
    """The three for draws of shape (n, chains, draws)."""
    halves = _split(draws)
    scores = _normal_scores(halves)
    low, high = (_ess(_split(_at_most(draws, p))) for p in _TAILS)
    r_hat = np.full(len(draws), np.nan)
    if several:
        middle = np.median(halves, axis=(1, 2), keepdims=True)
        folded = _normal_scores(np.abs(halves - middle))
        r_hat = np.maximum(_r_hat(scores), _r_hat(folded))
    return np.array([_ess(scores), np.minimum(low, high), r_hat])


def _split(draws: Array) -> Array:
    """Every chain as two, a draw in the middle left out of odd ones."""
    half = draws.shape[2] // 2
    return np.concatenate([draws[:, :, :half], draws[:, :, -half:]], axis=1)


def _whole(transform: Callable[[Array], Array], draws: Array) -> Array:
    """A transformation of all draws of each quantity together."""
    return transform(draws.reshape(len(draws), -1)).reshape(draws.shape)


def _normal_scores(draws: Array) -> Array:
    """Standard normal quantiles of the ranks, those of ties their average."""

    def scores(flat: Array) -> Array:
        ranks = stats.rankdata(flat, axis=1)
        return np.asarray(special.ndtri((ranks - _BLOM) / (flat.shape[1] - 2 * _BLOM + 1)))

    return _whole(scores, draws)


def _at_most(draws: Array, probability: float) -> Array:
    """Whether draws are at most a quantile, as 0 and 1."""

    def indicator(flat: Array) -> Array:
        size = flat.shape[1]
        place = 1 + probability * (size - 1)
        below = int(np.clip(np.floor(place), 1, size - 1))
        share = np.clip(place - below, 0, 1)
        near = np.partition(flat, [below - 1, below], axis=1)[:, below - 1 : below + 1]
        quantile = near @ np.array([1 - share, share])
        return np.asarray(flat <= quantile[:, None], dtype=float)

    return _whole(indicator, draws)


def _r_hat(draws: Array) -> Array:
    length = draws.shape[2]
    between = length * draws.mean(axis=2).var(axis=1, ddof=1)
    within = draws.var(axis=2, ddof=1).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt((between / within + length - 1) / length))


def _ess(draws: Array) -> Array:
    """Effective sample sizes by Geyer's initial monotone sequence, shape (n,)."""
    n, chains, length = draws.shape
    covariance = _autocovariance(draws)
    within = covariance[:, 0] * length / (length - 1)
    variance = within * (length - 1) / length
    if chains > 1:
        variance = variance + draws.mean(axis=2).var(axis=1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = 1 - (within[:, None] - covariance) / variance[:, None]
    rho[:, 0] = 1
    # sums of two neighbours; the first that is not positive ends the sequence
    pairs = rho[:, : length // 2 * 2].reshape(n, -1, 2).sum(axis=2)
    last = max((length - 1) // 2 - 1, 0)
    ends = ~(pairs[:, : last + 1] > 0)
    ends[:, last] = True
    k = ends.argmax(axis=1)
    rows = np.arange(n)
    monotone = np.cumsum(np.minimum.accumulate(pairs, axis=1), axis=1)
    before = np.where(k > 0, monotone[rows, np.maximum(k - 1, 0)], 0.0)
    even = rho[rows, 2 * k]
    counted = (pairs[rows, k] >= 0) | (even > 0)
    total = chains * length
    tau = -1 + 2 * before + np.where(counted, even, 0.0)
    ess = total / np.maximum(tau, 1 / np.log10(total))
    constant = np.ptp(draws, axis=(1, 2)) < np.finfo(float).resolution
    return np.where(constant, float(total), ess)


def _autocovariance(draws: Array) -> Array:
    """Mean over the chains, by lag, shape (n, draws)."""
    length = draws.shape[2]
    size = fft.next_fast_len(2 * length, real=True)
    centred = draws - draws.mean(axis=2, keepdims=True)
    spectrum = np.abs(fft.rfft(centred, size, axis=2)) ** 2
    # the transform is linear: the mean of the chains first
    return np.asarray(fft.irfft(spectrum.mean(axis=1), size, axis=1)[:, :length] / length)
