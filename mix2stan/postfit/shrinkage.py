"""Partial pooling shown: every level's own estimate, the common one, and where the posterior is.

For one mean per level, the lecture's formula of the best linear unbiased predictor is

    (n_j / sigma^2 * mean_j + 1 / sd^2 * mean) / (n_j / sigma^2 + 1 / sd^2),

a mean of the two weighted by how precise they are; with several effects per level the precisions are
the matrices Z'Z / sigma^2 and the inverse of the effects' covariance (Henderson 1975).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.errors import Mix2stanError, Unsupported
from mix2stan.graph import Group
from mix2stan.postfit.predict import predictor_of
from mix2stan.postfit.predictor import Predictor

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["shrinkage"]

Array = NDArray[np.float64]

_COLUMNS = ["n", "raw", "pooled", "formula", "mean", "sd", "2.5%", "97.5%"]


def shrinkage(fit: Fit) -> pd.DataFrame:
    """See :meth:`mix2stan.fit.Fit.shrinkage`."""
    graph = fit.schema.graph
    if not graph.groups:
        raise Mix2stanError("the model has no group effects, so nothing is shrunk")
    if not graph.response.linear or not graph.residual.plain:
        message = "shrinkage is shown where errors are Gaussian, independent, of one variance"
        raise Unsupported(message, hint="ranef() and coef() have the effects of any model")
    predictor = predictor_of(fit, seed=0)
    return pd.concat([_term(predictor, group) for group in graph.groups])


def _term(predictor: Predictor, group: Group) -> pd.DataFrame:
    """A row per level and effect of one term."""
    fit, data, sample = predictor.sample.fit, predictor.rows.data, predictor.sample
    levels, Z = data.grouping(group.factor), data.matrix(group.columns)
    names = group.columns.names
    fixed = fit.labels.coefficients
    beta = sample.coefficients()
    shared = [fixed.index(n) if n in fixed else None for n in names]
    pooled = np.stack([beta[k] if k is not None else np.zeros(sample.size) for k in shared])
    posterior = pooled + sample.effects(group)
    left = _without_others(predictor, group, Z, posterior.mean(axis=2)[levels.codes])
    sigma = float(np.sqrt(np.mean(sample.value("sigma") ** 2)))
    Sigma = sample.covariance(group).mean(axis=2)
    rows = []
    for j in range(len(levels.levels)):
        mine = levels.codes == j
        rows.append(_level(Z[mine], left[mine], pooled.mean(axis=1), Sigma, sigma))
    index = pd.MultiIndex.from_product(
        [[str(group.factor)], levels.levels, names], names=["group", "level", "effect"]
    )
    raw, formula = (np.concatenate([row[i] for row in rows]) for i in (0, 1))
    flat = posterior.reshape(-1, sample.size)
    lower, upper = np.quantile(flat, [0.025, 0.975], axis=1)
    counts = np.repeat(np.bincount(levels.codes), len(names))
    means = np.tile(pooled.mean(axis=1), len(levels.levels))
    columns = [counts, raw, means, formula, flat.mean(axis=1), flat.std(axis=1, ddof=1)]
    return pd.DataFrame(dict(zip(_COLUMNS, [*columns, lower, upper], strict=True)), index=index)


def _without_others(predictor: Predictor, group: Group, Z: Array, own: Array) -> Array:
    """The response without what is expected of all but this term and its own columns."""
    data = predictor.rows.data
    y = data.vector(predictor.graph.response.expression)
    means = [predictor.linear(block).mean(axis=1) for block in predictor.blocks()]
    return np.asarray(y - np.concatenate(means) + np.sum(Z * own, axis=1))


def _level(Z: Array, left: Array, pooled: Array, Sigma: Array, sigma: float) -> tuple[Array, Array]:
    """The estimate of the level's rows alone, NaN where they do not tell, and the formula's."""
    information = Z.T @ Z
    q = len(pooled)
    raw = np.full(q, np.nan)
    if np.linalg.matrix_rank(Z) == q:
        raw = np.linalg.lstsq(Z, left, rcond=None)[0]
    # (Z'Z / sigma^2 + Sigma^-1)^-1 without the inverse of a covariance that may be singular
    shift = Sigma @ Z.T @ (left - Z @ pooled)
    formula = pooled + np.linalg.solve(np.eye(q) * sigma**2 + Sigma @ information, shift)
    return raw, formula
