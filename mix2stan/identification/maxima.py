"""Likelihoods of Gaussian responses that have no maximum, as nothing is left for the errors.

If a response lies in the span of the columns of X and of those Z of the effects, the errors can
vanish: the likelihood grows as sigma^-(N - rank Z), the restricted one as sigma^-(N - rank [X Z]).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import lsmr

from mix2stan.graph import Group, ModelGraph
from mix2stan.matrices import Data

__all__ = ["no_maximum"]

Array = NDArray[np.float64]

#: What is left of a response that is fitted exactly, relative to its size: its rounding.
_ROUNDING = 3e-13
#: So many rows are looked at first: what does not fit them does not fit all.
_FEW_ROWS = 400
#: Numbers of a design that is decomposed as it is.
_DENSE = 1_000_000
#: Steps towards the least squares of a larger one, and what of a response the first have to leave.
_FEW_STEPS, _STEPS, _NEARLY = 15, 300, 0.01


def no_maximum(graph: ModelGraph, data: Data, method: Literal["REML", "ML"]) -> str | None:
    """Why a likelihood of a Gaussian response has no maximum, None if nothing is seen that says so.

    Args:
        graph: the model.
        data: its rows.
        method: which likelihood.
    """
    names = graph.population.columns.names
    if data.count <= len(names):
        count, many = data.count, len(names)
        return (
            f"there are {count} observations for {many} coefficients: none is left for the errors"
        )
    own = data.response(graph)
    # rounding is that of the response before its offsets are taken off
    whole = np.abs(data.vector(graph.response.expression))
    size = max(float(np.max(whole)), float(np.max(np.abs(own))))
    X = data.matrix(graph.population.columns) if names else np.zeros((data.rows, 0))
    grows = "the likelihood grows without bound as sigma goes to 0"
    few = slice(0, max(_FEW_ROWS, 2 * len(names)))
    if _fits(X[few], own[few], size) and _fits(X, own, size):
        constant = float(np.ptp(own)) <= _ROUNDING * size
        what = (
            "the response is constant" if constant else "the coefficients fit the response exactly"
        )
        return f"{what}: {grows}"
    groups = graph.groups_of("")
    if not groups or not _effects_fit(groups, data, X, own, size):
        return None
    Z = _designs(groups, data)
    rank = _rank(Z if method == "ML" else sparse.csr_array(sparse.hstack([sparse.csr_array(X), Z])))
    if rank >= data.count:
        return None
    listed = " and ".join(dict.fromkeys(str(g.factor) for g in groups))
    return f"the effects of {listed} and the coefficients fit the response exactly: {grows}"


def _designs(groups: tuple[Group, ...], data: Data) -> sparse.csr_array:
    """The columns of all effects, those that are zero left out."""
    ones = np.ones(data.rows)
    found = [design for group in groups for design in data.designs(group, ones)]
    return sparse.csr_array(sparse.hstack(found))


def _effects_fit(groups: tuple[Group, ...], data: Data, X: Array, y: Array, size: float) -> bool:
    """Whether effects and coefficients leave nothing of the response."""
    Z = _designs(groups, data)
    if data.rows > _FEW_ROWS:
        coarsest = min(groups, key=lambda g: g.factor.levels)
        codes = data.grouping(coarsest.factor).codes
        some = np.sort(np.argsort(codes, kind="stable")[:_FEW_ROWS])
        few = sparse.csr_array(Z[some])
        few = few[:, np.flatnonzero(np.diff(sparse.csc_array(few).indptr))]
        if not _fits(np.hstack([X[some], few.toarray()]), y[some], size):
            return False
    if data.rows * (Z.shape[1] + X.shape[1]) <= _DENSE:
        return _fits(np.hstack([X, Z.toarray()]), y, size)
    whole = sparse.csr_array(sparse.hstack([sparse.csr_array(X), Z]))
    rest = y - X @ np.linalg.lstsq(X, y, rcond=None)[0] if X.shape[1] else y
    # what is fitted exactly is nearly so after a few steps
    nearly = lsmr(whole, rest, atol=1e-15, btol=1e-15, maxiter=_FEW_STEPS)[3]
    if nearly > _NEARLY * float(np.linalg.norm(rest)):
        return False
    left = lsmr(whole, rest, atol=1e-15, btol=1e-15, maxiter=_STEPS)[3]
    return bool(left / np.sqrt(len(y)) <= 100 * _ROUNDING * size)


def _fits(X: Array, y: Array, size: float) -> bool:
    """Whether the columns leave nothing of a vector."""
    if not X.shape[1]:
        return bool(np.sqrt(np.mean(y**2)) <= _ROUNDING * size)
    lengths = np.linalg.norm(X, axis=0)
    Q, values, _ = np.linalg.svd(X / np.where(lengths > 0, lengths, 1.0), full_matrices=False)
    Q = Q[:, values > 1e-10 * values[0]]
    rest = y - Q @ (Q.T @ y)
    rest = rest - Q @ (Q.T @ rest)
    return bool(np.sqrt(np.mean(rest**2)) <= _ROUNDING * size)


def _rank(Z: sparse.csr_array) -> int:
    """The rank of a design, or at most as many as it has columns where it is large."""
    if Z.shape[0] * Z.shape[1] > _DENSE:
        return int(min(Z.shape))
    return int(np.linalg.matrix_rank(Z.toarray()))
