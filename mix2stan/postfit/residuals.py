"""Residuals: what is left of the response, at the posterior."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from mix2stan.counts import seed_or_drawn
from mix2stan.postfit.categories import by_category, labels_of
from mix2stan.postfit.errors import correlation_roots
from mix2stan.postfit.predict import one_of, predictor_of
from mix2stan.postfit.predictor import Predictor
from mix2stan.responses import observed

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["TYPES", "residuals"]

Array = NDArray[np.float64]

#: Quantiles are kept this far from 0 and 1, where the normal quantile is infinite.
_EDGE = 1e-12


def residuals(fit: Fit, kind: str, draws: int | None, seed: int | None) -> pd.Series:
    """See :meth:`mix2stan.fit.Fit.residuals`."""
    one_of("type", kind, TYPES)
    seed = None if seed is None else seed_or_drawn(seed, None)
    predictor = predictor_of(fit, draws=draws, seed=0, response=True)
    predictor.uncensored("residuals")
    values = TYPES[kind](predictor, seed)
    categories = labels_of(predictor.graph) if values.ndim == 2 else ()
    index = by_category(predictor.rows.labels, categories)
    return pd.Series(values.ravel(), index=index, name=kind)


def _blocks(
    predictor: Predictor, function: Callable[[Array, Array, slice], Array], shares: bool = False
) -> Array:
    """A function of response (m, 1), predictor (m, S) and block, averaged over the draws.

    With ``shares`` it is of what expectations are about: of categories shares (m, 1, C).
    """
    seen = observed(predictor.graph, predictor.rows.data)
    y = seen.shares if shares else seen.y
    means = [
        function(y[block][:, None], predictor.linear(block), block).mean(axis=1)
        for block in predictor.blocks()
    ]
    return np.concatenate(means)


def _left(predictor: Predictor, share: Array, eta: Array, parameters: dict[str, Array]) -> Array:
    """The response, of trials and categories their share, minus its expectation."""
    return predictor.distribution.difference(share, predictor.expected(eta, parameters))


def _response(predictor: Predictor, seed: int | None) -> Array:
    def left(y: Array, eta: Array, block: slice) -> Array:
        return _left(predictor, y, eta, predictor.parameters(block, eta))

    return _blocks(predictor, left, shares=True)


def _pearson(predictor: Predictor, seed: int | None) -> Array:
    def left(y: Array, eta: Array, block: slice) -> Array:
        parameters = predictor.parameters(block, eta)
        variance = predictor.distribution.variance(predictor.mu(eta), parameters)
        return np.asarray(_left(predictor, y, eta, parameters) / np.sqrt(variance))

    return _blocks(predictor, left, shares=True)


def _standardised(predictor: Predictor, seed: int | None) -> Array:
    correlation = predictor.graph.residual.correlation
    if correlation is None:
        return _pearson(predictor, seed)
    data = predictor.rows.data
    y = observed(predictor.graph, data).y
    everything = slice(0, predictor.rows.n)
    eta = predictor.linear(everything)
    scaled = (y[:, None] - eta) / predictor.parameters(everything, eta)["sigma"]
    for index, roots in correlation_roots(correlation, predictor.sample, data):
        scaled[index] = np.linalg.solve(roots, scaled[index].T[:, :, None])[:, :, 0].T
    return np.asarray(scaled.mean(axis=1))


def _quantile(predictor: Predictor, seed: int | None) -> Array:
    """Normal quantiles of the posterior predictive distribution (Dunn and Smyth 1996)."""
    row = predictor.distribution

    def at(y: Array, eta: Array, block: slice) -> Array:
        return row.cdf(y, predictor.mu(eta), predictor.parameters(block, eta))

    def below(y: Array, eta: Array, block: slice) -> Array:
        return row.less(y, predictor.mu(eta), predictor.parameters(block, eta))

    upper = _blocks(predictor, at)
    if row.discrete or row.below is not None:
        lower = _blocks(predictor, below)
        upper = lower + np.random.default_rng(seed).uniform(size=len(upper)) * (upper - lower)
    return np.asarray(special.ndtri(np.clip(upper, _EDGE, 1 - _EDGE)))


#: The kinds of residual, from a predictor of the rows of the fit and a seed, shape (n,).
TYPES: dict[str, Callable[[Predictor, int | None], Array]] = {
    "response": _response,
    "pearson": _pearson,
    "standardised": _standardised,
    "quantile": _quantile,
}
