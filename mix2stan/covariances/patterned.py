"""Structures with few correlation parameters, by a pattern of positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from scipy.linalg import toeplitz

from mix2stan.covariances.rows import (
    SD,
    SDS,
    Array,
    CovarianceRow,
    Parameter,
    Values,
    correlations,
    standard_deviations,
)
from mix2stan.covariances.symbols import AR1, CORH, CS, HETAR1, TOEP, Symbols

__all__ = ["ROWS", "autocorrelations", "partial_autocorrelations"]

Pattern = Callable[[int, Values], Array]


def autocorrelations(partial: Array) -> Array:
    """Autocorrelations at lags 1, 2, … from the partial ones (Durbin-Levinson)."""
    r, weights, spread = np.zeros(len(partial)), np.zeros(len(partial)), 1.0
    for k, p in enumerate(partial):
        r[k] = p * spread + weights[:k] @ r[:k][::-1]
        weights[:k] = weights[:k] - p * weights[:k][::-1]
        weights[k] = p
        spread *= 1 - p**2
    return r


def partial_autocorrelations(r: Array) -> Array:
    """The inverse of :func:`autocorrelations`."""
    partial, weights, spread = np.zeros(len(r)), np.zeros(len(r)), 1.0
    for k, value in enumerate(r):
        p = (value - weights[:k] @ r[:k][::-1]) / spread
        weights[:k] = weights[:k] - p * weights[:k][::-1]
        partial[k] = weights[k] = p
        spread *= 1 - p**2
    return partial


def _common(q: int, values: Values) -> Array:
    return np.full((q, q), float(values["rho"])) + (1 - float(values["rho"])) * np.eye(q)


def _autoregressive(q: int, values: Values) -> Array:
    lags = np.abs(np.subtract.outer(np.arange(q), np.arange(q)))
    return np.asarray(float(values["phi"]) ** lags)


def _toeplitz(q: int, values: Values) -> Array:
    return np.asarray(toeplitz(np.append(1.0, autocorrelations(np.asarray(values["partial"])))))


def _scaled(pattern: Pattern) -> Callable[[int, int, Values], Array]:
    def matrix(q: int, order: int, values: Values) -> Array:
        sd = np.broadcast_to(values["sd"], q)
        return np.asarray(pattern(q, values) * np.outer(sd, sd))

    return matrix


def _solver(
    sds: Literal["one", "each"], name: str, of: Callable[[Array], Any]
) -> Callable[[int, int, Array, Values], dict[str, Any]]:
    def solve(q: int, order: int, covariance: Array, constants: Values) -> dict[str, Any]:
        sd = standard_deviations(covariance)
        return {"sd": float(sd.mean()) if sds == "one" else sd, name: of(correlations(covariance))}

    return solve


def _second(R: Array) -> float:
    return float(R[1, 0])


def _row(
    title: str,
    template: str,
    parameter: Parameter,
    pattern: Pattern,
    sds: Literal["one", "each"],
    functions: tuple[str, ...],
    symbols: Symbols,
    of: Callable[[Array], Any] = _second,
    sequence: Literal["", "columns", "levels"] = "",
) -> CovarianceRow:
    # two columns have one correlation, whatever the pattern
    small = {1: "scalar", 2: "us"} if sds == "each" else {1: "scalar"}
    return CovarianceRow(
        title=title,
        template=f"covariances/{template}",
        parameters=(SD if sds == "one" else SDS, parameter),
        sds=sds,
        correlated=True,
        matrix=_scaled(pattern),
        solve=_solver(sds, parameter.name, of),
        functions=functions,
        symbols=symbols,
        same_as=lambda q, order: small.get(q),
        sequence=sequence,
    )


def _zero(constants: Values) -> float:
    return 0.0


_RHO = Parameter(
    "rho", "real", density="uniform", start=_zero, words="correlation of any two effects"
)
_PHI = Parameter("phi", "real", density="uniform", start=_zero, words="correlation of neighbours")
_PARTIAL = Parameter(
    "partial",
    "vector",
    lambda q, order: q - 1,
    density="uniform",
    start=_zero,
    labels=lambda names, order: tuple(f"lag {k}" for k in range(1, len(names))),
    words="partial autocorrelations",
)
_COMMON = ("functions/common_correlation",)
_AUTOREGRESSIVE = ("functions/autoregressive_root",)

ROWS: dict[str, CovarianceRow] = {
    "cs": _row("one variance, one correlation", "cs", _RHO, _common, "one", _COMMON, CS),
    "corh": _row(
        "a variance per column, one correlation",
        "corh",
        _RHO,
        _common,
        "each",
        _COMMON,
        CORH,
    ),
    "ar1": _row(
        "one variance, correlation phi^distance of positions",
        "ar1",
        _PHI,
        _autoregressive,
        "one",
        _AUTOREGRESSIVE,
        AR1,
        sequence="levels",
    ),
    "hetar1": _row(
        "a variance per column, correlation phi^distance of positions",
        "hetar1",
        _PHI,
        _autoregressive,
        "each",
        _AUTOREGRESSIVE,
        HETAR1,
        sequence="levels",
    ),
    "toep": _row(
        "a variance per column, a correlation per distance of positions",
        "toep",
        _PARTIAL,
        _toeplitz,
        "each",
        ("functions/toeplitz_correlation",),
        TOEP,
        lambda R: partial_autocorrelations(R[1:, 0]),
        sequence="columns",
    ),
}
