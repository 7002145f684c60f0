"""Antedependence: every effect regressed on those before it; and factor-analytic structures."""

from __future__ import annotations

from typing import Any

import numpy as np

from mix2stan.covariances.rows import Array, CovarianceRow, Parameter, Values, lower_root
from mix2stan.covariances.symbols import RR, ante

__all__ = ["ROWS"]

#: A positive loading that is zero, as a share of the largest.
_LEAST = 1e-9


def _regressions(q: int, order: int, coefficients: Array) -> Array:
    """The weights of earlier effects, q x q and strictly lower triangular; coefficients by lag."""
    weights, at = np.zeros((q, q)), 0
    for lag in range(1, order + 1):
        for j in range(lag, q):
            weights[j, j - lag] = coefficients[at + j - lag]
        at += q - lag
    return weights


def _each(q: int, order: int, coefficients: Array) -> Array:
    """One coefficient per lag, repeated for every effect that has it."""
    return np.repeat(coefficients, [q - lag for lag in range(1, order + 1)])


def _covariance(q: int, order: int, coefficients: Array, sd: Array) -> Array:
    T = np.eye(q) - _regressions(q, order, coefficients)
    root = np.linalg.solve(T, np.diag(np.broadcast_to(sd, q)))
    return np.asarray(root @ root.T)


def _ante(q: int, order: int, values: Values) -> Array:
    return _covariance(q, order, values["ante"], values["innovation_sd"])


def _antec(q: int, order: int, values: Values) -> Array:
    return _covariance(q, order, _each(q, order, values["ante"]), values["innovation_sd"])


def _fit(q: int, order: int, covariance: Array) -> tuple[Array, Array]:
    """Every effect's regression on the ``order`` before it: weights q x q, innovation sds."""
    weights, sd = np.zeros((q, q)), np.zeros(q)
    for j in range(q):
        before = slice(max(0, j - order), j)
        weights[j, before] = np.linalg.solve(covariance[before, before], covariance[before, j])
        sd[j] = np.sqrt(covariance[j, j] - weights[j, before] @ covariance[before, j])
    return weights, sd


def _by_lag(q: int, order: int, weights: Array) -> Array:
    return np.concatenate([np.diag(weights, -lag) for lag in range(1, order + 1)])


def _common_by_lag(q: int, order: int, weights: Array) -> Array:
    return weights[-1, ::-1][1 : order + 1]


def _row(common: bool, one_variance: bool) -> CovarianceRow:
    coefficients = _common_by_lag if common else _by_lag

    def solve(q: int, order: int, covariance: Array, constants: Values) -> dict[str, Any]:
        weights, sd = _fit(q, order, covariance)
        return {
            "innovation_sd": float(sd.mean()) if one_variance else sd,
            "ante": coefficients(q, order, weights),
        }

    def same_as(q: int, order: int) -> str | None:
        if q == 1:
            return "scalar"
        every = order >= q - 1 and (not common or q == 2)
        return "us" if every and not one_variance else None

    kind = f"ante{'c' if common else ''}{'v' if one_variance else ''}"
    title = "each effect regressed on the ones before it"
    title += ", with common coefficients" if common else ""
    title += ", innovations of one variance" if one_variance else ""
    sd = Parameter("innovation_sd", "real", words="standard deviation of the innovations")
    if not one_variance:
        sd = Parameter("innovation_sd", "vector", lambda q, order: q, words=sd.words + ", each")
    return CovarianceRow(
        title=title,
        template=f"covariances/{kind}",
        parameters=(
            sd,
            Parameter(
                "ante",
                "vector",
                (lambda q, order: order)
                if common
                else (lambda q, order: order * q - order * (order + 1) // 2),
                density="normal",
                slots=lambda constants: {"loc": 0.0, "scale": 1.0},
                start=lambda constants: 0.0,
                labels=_common_labels if common else _labels,
                words="regressions on earlier effects",
            ),
        ),
        sds="each",
        correlated=True,
        matrix=_antec if common else _ante,
        solve=solve,
        functions=(f"functions/{'common_' if common else ''}antedependence_root",),
        same_as=same_as,
        orders=lambda q: (1, max(1, q - 1)),
        number="the order of antedependence",
        sequence="columns",
        symbols=ante(common, one_variance),
    )


def _labels(names: tuple[str, ...], order: int) -> tuple[str, ...]:
    return tuple(
        f"{names[j]} on {names[j - lag]}"
        for lag in range(1, order + 1)
        for j in range(lag, len(names))
    )


def _common_labels(names: tuple[str, ...], order: int) -> tuple[str, ...]:
    return tuple(f"lag {lag}" for lag in range(1, order + 1))


def _loadings(q: int, order: int, values: Values) -> Array:
    """Lambda, q x d: a positive diagonal, the elements below it by columns."""
    Lambda, below, at = np.zeros((q, order)), np.asarray(values["loading"]), 0
    for k in range(order):
        Lambda[k, k] = values["first_loading"][k]
        Lambda[k + 1 :, k] = below[at : at + q - k - 1]
        at += q - k - 1
    return Lambda


def _reduced(q: int, order: int, values: Values) -> Array:
    Lambda = _loadings(q, order, values)
    return np.asarray(Lambda @ Lambda.T)


def _solve_reduced(q: int, order: int, covariance: Array, constants: Values) -> dict[str, Any]:
    Lambda = lower_root(covariance, order)
    first = np.maximum(np.diag(Lambda), _LEAST * np.max(np.abs(Lambda)))
    below = np.concatenate([Lambda[k + 1 :, k] for k in range(order)])
    return {"first_loading": first, "loading": below}


def _loading_labels(names: tuple[str, ...], order: int) -> tuple[str, ...]:
    return tuple(f"{names[j]}, {k + 1}" for k in range(order) for j in range(k + 1, len(names)))


ROWS: dict[str, CovarianceRow] = {
    "ante": _row(common=False, one_variance=False),
    "antec": _row(common=True, one_variance=False),
    "antev": _row(common=False, one_variance=True),
    "antecv": _row(common=True, one_variance=True),
    "rr": CovarianceRow(
        title="loadings on a few common factors",
        template="covariances/rr",
        parameters=(
            Parameter(
                "first_loading",
                "vector",
                lambda q, order: order,
                density="sd",
                labels=lambda names, order: names[:order],
                words="loading of each factor on its first effect, positive",
            ),
            Parameter(
                "loading",
                "vector",
                lambda q, order: q * order - order * (order + 1) // 2,
                density="sd",
                start=lambda constants: 0.0,
                labels=_loading_labels,
                words="other loadings",
                signed=True,
            ),
        ),
        sds="each",
        correlated=True,
        matrix=_reduced,
        solve=_solve_reduced,
        functions=("functions/loadings",),
        same_as=lambda q, order: "scalar" if q == 1 else "us" if order == q else None,
        rank=lambda q, order: order,
        orders=lambda q: (1, q),
        number="the number of factors d",
        symbols=RR,
    ),
}
