"""Categories: their probabilities averaged over group effects, and how they are labelled."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.errors import Unsupported
from mix2stan.families import FAMILIES
from mix2stan.graph import ModelGraph
from mix2stan.postfit.integrals import nodes

__all__ = ["as_shares", "averaged_shares", "by_category", "labels_of", "odds_labels"]

Array = NDArray[np.float64]

#: Points of the quadrature in each direction, by the number of directions.
_POINTS = {1: 60, 2: 40, 3: 24}
#: Points of less weight than this are left out.
_LEAST = 1e-14


def labels_of(graph: ModelGraph) -> tuple[str, ...]:
    """The names of the categories; none if the response is of another kind."""
    return graph.response.levels if FAMILIES[graph.response.family].categories else ()


def odds_labels(graph: ModelGraph) -> tuple[str, ...]:
    """The names of the categories that have a predictor, where they are unordered; else none."""
    return graph.response.levels[1:] if FAMILIES[graph.response.family].unordered else ()


def averaged_shares(
    shares: Callable[[Array], Array], eta: Array, variance: Array, unordered: bool
) -> Array:
    """The mean of probabilities over normal predictors, shape (m, S, C).

    By Gauss-Hermite quadrature: of ordered categories in one direction, of unordered ones in one for
    every category that has group effects, of which there may be three.

    Args:
        shares: the probabilities at a predictor.
        eta: the means of the predictor, shape (m, S); of unordered categories (m, S, C - 1).
        variance: its variances, of the same shape.
        unordered: whether there is one predictor for each category after the first.

    Raises:
        Unsupported: for more than three independent predictors.
    """
    if not unordered:
        eta, variance = eta[..., None], variance[..., None]
    moving = np.flatnonzero(variance.reshape(-1, variance.shape[-1]).any(axis=0))
    sd = np.sqrt(variance[..., moving])
    total: Array | None = None
    for point, weight in _grid(len(moving)):
        at = eta.copy()
        at[..., moving] += sd * point
        part = weight * shares(at if unordered else at[..., 0])
        total = part if total is None else total + part
    assert total is not None
    return total


def _grid(directions: int) -> Iterator[tuple[Array, float]]:
    """Points of shape (directions,) and weights that add up to one."""
    if directions == 0:
        yield np.zeros(0), 1.0
        return
    if directions not in _POINTS:
        most = max(_POINTS)
        message = f"probabilities are averaged over at most {most} group effects of a row together"
        hint = 're = "population" is without them; kind = "response" draws them'
        raise Unsupported(f"{message}, one of each category: here are {directions}", hint=hint)
    x, w = nodes(_POINTS[directions])
    kept = [
        (x[list(place)], weight)
        for place in itertools.product(range(len(x)), repeat=directions)
        if (weight := math.prod(w[list(place)].tolist())) > _LEAST
    ]
    total = math.fsum(weight for _, weight in kept)
    yield from ((point, weight / total) for point, weight in kept)


def by_category(rows: pd.Index, categories: tuple[str, ...]) -> pd.Index:
    """The labels of rows, or of every category of each row, if there are any."""
    if not categories:
        return rows
    return pd.MultiIndex.from_product([rows, list(categories)], names=[rows.name, "category"])


def as_shares(y: Array, categories: int) -> Array:
    """Draws of categories, shape (m, S), as zeros and a one for each, shape (m, S, C)."""
    return np.asarray(y[..., None] == np.arange(1, categories + 1), dtype=float)
