"""A cheap fit: iteratively reweighted least squares for the coefficients, then variances by EM.

Good enough to start chains from and to choose a parameterisation by; nothing it computes enters a
posterior.  The working response of each step is treated as Gaussian (penalised quasi-likelihood).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from mix2stan.families import FAMILIES, Family
from mix2stan.graph import ModelGraph
from mix2stan.links import LINKS, Link
from mix2stan.matrices import Data
from mix2stan.responses import Observed, known_part, observed, stand_in

__all__ = ["CheapFit", "cheap_fit", "information", "least_squares"]

Array = NDArray[np.float64]

_STEPS = 25
_SWEEPS = 30
#: Beyond this the equations of all but the finest term cost more than they tell; variances stay 1.
_MOST_EFFECTS = 2500


@dataclass(frozen=True)
class CheapFit:
    """What the data say, roughly.

    Attributes:
        coefficients: of the columns of X, shape (K,).
        eta: the predictor, effects included, shape (N,).
        weights: the Fisher information of each observation about its predictor, shape (N,).
        variances: of the effects of each group term that has one effect per level, by identifier.
        dispersion: the variance of an observation over that of the family at dispersion 1.
    """

    coefficients: Array
    eta: Array
    weights: Array
    variances: dict[str, float]
    dispersion: float


def information(graph: ModelGraph, eta: Array, trials: Array, dispersion: float = 1.0) -> Array:
    """The Fisher information of each observation about its predictor, shape (N,)."""
    family, link = FAMILIES[graph.response.family], LINKS[graph.response.link]
    with np.errstate(all="ignore"):
        slope = link.slope(eta)
        values = trials * slope**2 / (family.variance(link.inverse(eta)) * dispersion)
    return np.where(np.isfinite(values), values, 0.0)


def cheap_fit(graph: ModelGraph, data: Data) -> CheapFit:
    """Coefficients, predictor and variances of a resolved graph."""
    names = graph.population.columns.names
    X = data.matrix(graph.population.columns) if names else np.zeros((data.rows, 0))
    graph, seen, known = stand_in(graph, observed(graph, data), known_part(graph, data))
    beta, eta = least_squares(graph, X, seen, known)
    family, link = FAMILIES[graph.response.family], LINKS[graph.response.link]
    dispersion = _dispersion(family, link, seen, eta) if family.parameters else 1.0
    # the finest first: its effects are eliminated, one by one
    single = sorted(
        (g for g in graph.groups_of("") if g.columns.intercept_only), key=lambda g: -g.factor.levels
    )
    Z = [_incidence(data.grouping(g.factor).codes, g.factor.levels) for g in single]
    tau2 = np.ones(len(single))
    small = X.shape[1] + sum(z.shape[1] for z in Z[1:]) <= _MOST_EFFECTS
    for _ in range(_SWEEPS if single and small else 0):
        weights = information(graph, eta, seen.trials, dispersion)
        response = eta - known + _working_residual(family, link, seen, eta)
        step = _mixed_step(X, Z, weights, response, tau2)
        if step is None:
            break
        fitted, coefficients, tau2 = step
        # half way: the linearisation holds only near by
        moved = known + (eta - known + fitted) / 2
        if not link.valid(moved).all():
            break
        beta, eta = coefficients, moved
    weights = information(graph, eta, seen.trials, dispersion)
    variances = {g.id: float(v) for g, v in zip(single, tau2, strict=True)}
    return CheapFit(beta, eta, weights, variances, dispersion)


def _incidence(codes: NDArray[np.int64], levels: int) -> sparse.csr_matrix:
    n = len(codes)
    return sparse.csr_matrix((np.ones(n), (np.arange(n), codes)), shape=(n, levels))


def _mixed_step(
    X: Array, Z: list[sparse.csr_matrix], weights: Array, response: Array, tau2: Array
) -> tuple[Array, Array, Array] | None:
    """One step of EM for a Gaussian response of known precisions.

    Returns:
        The fitted values, the coefficients and the variances of the terms; None if the equations
        have no solution.
    """
    first, others = Z[0], sparse.hstack([sparse.csr_matrix(X), *Z[1:]]).tocsr()
    K = X.shape[1]
    ridge = np.concatenate(
        [
            np.full(K, 1e-10),
            *(np.full(z.shape[1], 1 / t) for z, t in zip(Z[1:], tau2[1:], strict=True)),
        ]
    )
    W = sparse.diags(weights)
    A = np.asarray(first.T @ weights) + 1 / tau2[0]
    B = (first.T @ W @ others).toarray()
    C = (others.T @ W @ others).toarray() + np.diag(ridge)
    a, c = first.T @ (weights * response), others.T @ (weights * response)
    BA = B / A[:, None]
    try:
        inverse = np.linalg.inv(C - B.T @ BA)
    except np.linalg.LinAlgError:
        return None
    rest = inverse @ (c - BA.T @ a)
    own = (a - B @ rest) / A
    spread = 1 / A + np.einsum("ij,jk,ik->i", BA, inverse, BA, optimize=True)
    new = [float(np.mean(own**2 + spread))]
    place = K
    for z in Z[1:]:
        part = slice(place, place + z.shape[1])
        new.append(float(np.mean(rest[part] ** 2 + np.diag(inverse)[part])))
        place += z.shape[1]
    fitted = np.asarray(first @ own + others @ rest)
    return fitted, rest[:K], np.maximum(new, 1e-12)


def _working_residual(family: Family, link: Link, seen: Observed, eta: Array) -> Array:
    """(y - mu) / slope, bounded: far out the linearisation means nothing."""
    y = family.scale(seen.y) / np.maximum(seen.trials, 1)
    with np.errstate(all="ignore"):
        residual = (y - link.inverse(eta)) / link.slope(eta)
    bounded = (
        np.clip(np.nan_to_num(residual), -10, 10) if link.shift or not link.scaled else residual
    )
    return np.asarray(np.where(seen.trials > 0, bounded, 0.0))


def _dispersion(family: Family, link: Link, seen: Observed, eta: Array) -> float:
    """Pearson's estimate."""
    mean = link.inverse(eta)
    squares = (family.scale(seen.y) - mean) ** 2 / family.variance(mean)
    return max(float(np.mean(squares)), 1e-12)


def least_squares(graph: ModelGraph, X: Array, seen: Observed, known: Array) -> tuple[Array, Array]:
    """Maximum likelihood of the coefficients without group effects.

    Args:
        graph: says family and link.
        X: the design, shape (N, K); K may be 0.
        seen: the response.
        known: the offset, shape (N,).

    Returns:
        The coefficients, shape (K,), and the predictor, shape (N,).
    """
    family, link = FAMILIES[graph.response.family], LINKS[graph.response.link]
    y = family.scale(seen.y)
    # a mean inside the domain: counts off zero, proportions off 0 and 1, angles off pi
    mean = (y + 0.1) if family.support == "count" else y
    if family.support == "angle":
        mean = 0.8 * y
    elif not link.scaled and family.support != "unit":
        mean = (y + 0.5) / (seen.trials + 1)
    with np.errstate(all="ignore"):
        target = link.forward(np.where(mean == 0, link.shift, mean))
    target = np.where(np.isfinite(target), target, 0.0)
    beta: Array = np.zeros(X.shape[1])
    if not X.shape[1]:
        return beta, known
    beta = np.asarray(np.linalg.lstsq(X, target - known, rcond=None)[0], dtype=float)
    eta = known + X @ beta
    if not link.valid(eta).all():
        # start from a constant, which is always possible
        middle = np.full(len(y), float(np.mean(target)))
        beta = np.asarray(np.linalg.lstsq(X, middle - known, rcond=None)[0], dtype=float)
        eta = known + X @ beta
    for _ in range(_STEPS):
        root = np.sqrt(information(graph, eta, seen.trials))
        work = eta - known + _working_residual(family, link, seen, eta)
        new = np.linalg.lstsq(root[:, None] * X, root * work, rcond=None)[0]
        step = new - beta
        for _halving in range(10):
            moved = known + X @ (beta + step)
            if link.valid(moved).all() and family.domain(link.inverse(moved)).all():
                break
            step = step / 2
        else:
            break
        beta, eta = beta + step, moved
        if np.max(np.abs(step)) < 1e-8 * (1 + np.max(np.abs(beta))):
            break
    return np.asarray(beta), np.asarray(eta)
