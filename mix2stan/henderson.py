"""Coefficients and effects where the variances are known: Henderson's equations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.sparse.linalg import splu

from mix2stan.collapsed_data import orthogonaliser
from mix2stan.covariances import covariance_of
from mix2stan.graph import Group, ModelGraph
from mix2stan.matrices import Data
from mix2stan.residual_data import whitener

__all__ = ["effects_at", "root_of"]

Array = NDArray[np.float64]


def root_of(group: Group, values: Mapping[str, Array]) -> Array:
    """A root of the effects' covariance, q x q."""
    squares, axes = np.linalg.eigh(np.asarray(covariance_of(group, values)))
    return np.asarray(axes * np.sqrt(np.maximum(squares, 0)))


def effects_at(
    data: Data,
    graph: ModelGraph,
    roots: Mapping[str, Array],
    values: Mapping[str, Array],
    y: Array | None,
) -> tuple[Array, Array, dict[str, Array]]:
    """Population effects, their covariance, and the conditional modes by group, J x q.

    Henderson's equations for effects b = Lambda u, whose solution needs no inverse of a covariance.
    """
    sigma = float(values["sigma"])
    y = data.response(graph) if y is None else y
    X = data.matrix(graph.population.columns)
    R_inverse = orthogonaliser(X) if X.shape[1] else np.zeros((0, 0))
    Q = X @ R_inverse
    first = Q.T @ y / len(y)
    r = y - Q @ first
    terms = [data.random_term(g) for g in graph.groups]
    designs = [t.matrix for t in terms]
    if not graph.residual.plain:
        white = whitener(graph.residual, data, values)
        r, Q = white @ r, white @ Q
        designs = [sparse.csr_matrix(white @ d) for d in designs]
    among: list[Any] = [
        data.root(g.factor) if g.factor.relationship else sparse.eye_array(len(t.levels))
        for g, t in zip(graph.groups, terms, strict=True)
    ]
    Lambda = [
        sparse.kron(levels, roots[g.id] / sigma)
        for g, levels in zip(graph.groups, among, strict=True)
    ]
    if not terms:
        precision = Q.T @ Q
        beta = R_inverse @ (first + np.linalg.solve(precision, Q.T @ r))
        return beta, sigma**2 * R_inverse @ np.linalg.solve(precision, R_inverse.T), {}
    Z, solve = _solver(designs, Lambda, dense=any(g.factor.relationship for g in graph.groups))
    ZQ, Zr = np.asarray(Z.T @ Q), Z.T @ r
    precision = Q.T @ Q - ZQ.T @ solve(ZQ) if Q.shape[1] else np.zeros((0, 0))
    shift = np.linalg.solve(precision, Q.T @ r - ZQ.T @ solve(Zr))
    beta = R_inverse @ (first + shift)
    covariance = sigma**2 * R_inverse @ np.linalg.solve(precision, R_inverse.T)
    u = solve(Zr - ZQ @ shift)
    ends = np.cumsum([L.shape[0] for L in Lambda])[:-1]
    modes = {
        g.id: np.asarray(L @ part).reshape(len(t.levels), -1)
        for g, t, L, part in zip(graph.groups, terms, Lambda, np.split(u, ends), strict=True)
    }
    return beta, covariance, modes


def _solver(
    designs: Sequence[Any], Lambda: Sequence[Any], dense: bool
) -> tuple[Any, Callable[[Array], Array]]:
    """The design Z of independent effects, and what solves equations of Z'Z + I."""
    if dense:
        # a known covariance fills the design
        whole = np.hstack([d @ L.toarray() for d, L in zip(designs, Lambda, strict=True)])
        factor = linalg.cho_factor(whole.T @ whole + np.eye(whole.shape[1]))
        return whole, lambda b: np.asarray(linalg.cho_solve(factor, b))
    Z = sparse.hstack([d @ L for d, L in zip(designs, Lambda, strict=True)], format="csc")
    return Z, splu(sparse.csc_matrix(Z.T @ Z + sparse.eye_array(Z.shape[1]))).solve
