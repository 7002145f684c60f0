"""Categories: their probabilities averaged over group effects, and how they are labelled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.families import FAMILIES
from mix2stan.graph import ModelGraph
from mix2stan.postfit.integrals import mean_over_normals

__all__ = ["as_shares", "averaged_shares", "by_category", "labels_of", "odds_labels"]

Array = NDArray[np.float64]


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
        variance: its variances, of the same shape; of unordered categories the covariances of their
            predictors, shape (m, S, C - 1, C - 1).
        unordered: whether there is one predictor for each category after the first.

    Raises:
        Unsupported: for more than three predictors.
    """
    if not unordered:
        eta, variance = eta[..., None], variance[..., None, None]
    return mean_over_normals(
        shares if unordered else lambda at: shares(at[..., 0]),
        eta,
        variance,
        "group effects of a row, one of each category,",
        're = "population" is without them; kind = "response" draws them',
    )


def by_category(rows: pd.Index, categories: tuple[str, ...]) -> pd.Index:
    """The labels of rows, or of every category of each row, if there are any."""
    if not categories:
        return rows
    place = np.repeat(np.arange(len(rows)), len(categories))
    levels = [rows.get_level_values(k)[place] for k in range(rows.nlevels)]
    names = list(rows.names) if rows.nlevels > 1 or rows.name is not None else ["row"]
    each = list(categories) * len(rows)
    return pd.MultiIndex.from_arrays([*levels, each], names=[*names, "category"])


def as_shares(y: Array, categories: int) -> Array:
    """Draws of categories, shape (m, S), as zeros and a one for each, shape (m, S, C)."""
    return np.asarray(y[..., None] == np.arange(1, categories + 1), dtype=float)
