"""Structures whose covariances are free or zero, with all, some or no variances known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mix2stan.covariances.rows import (
    CHOLESKY,
    SD,
    SDS,
    Array,
    CovarianceRow,
    Parameter,
    Values,
    correlations,
    standard_deviations,
)
from mix2stan.covariances.symbols import CORG, CORGH, CORS, IDH, IDV, KNOWN_BLOCK, SUB

__all__ = ["ROWS"]


def _one_variance(q: int, order: int, values: Values) -> Array:
    return np.asarray(np.eye(q) * np.square(values["sd"]), dtype=float)


def _diagonal(q: int, order: int, values: Values) -> Array:
    return np.asarray(np.diag(np.square(np.broadcast_to(values["sd"], q))), dtype=float)


def _scaled(sd: Array, L: Array) -> Array:
    root = np.asarray(sd)[:, None] * L
    return np.asarray(root @ root.T)


def _unstructured(q: int, order: int, values: Values) -> Array:
    return _scaled(values["sd"], values["L"])


def _unit_variances(q: int, order: int, values: Values) -> Array:
    return _scaled(np.ones(q), values["L"])


def _known_variances(q: int, order: int, values: Values) -> Array:
    return _scaled(values["known_sd"], values["L"])


def _partly_known(q: int, order: int, values: Values) -> Array:
    return _scaled(np.append(values["free_sd"], np.ones(q - order + 1)), values["L"])


def _block(q: int, order: int, values: Values) -> Array:
    covariance = np.eye(q)
    covariance[: order - 1, : order - 1] = _scaled(values["free_sd"], values["L"])
    return covariance


def _given(q: int, order: int, values: Values) -> Array:
    root = np.asarray(values["known_root"])
    return np.asarray(root @ root.T)


def _regressed(q: int, order: int, values: Values) -> Array:
    """A known block, and the effects before it regressed on it."""
    p, known = order - 1, _given(q, order, values)
    slope = np.reshape(values["slope"], (p, q - p), order="F")
    covariance = np.empty((q, q))
    covariance[p:, p:] = known
    covariance[:p, p:] = slope @ known
    covariance[p:, :p] = covariance[:p, p:].T
    covariance[:p, :p] = _scaled(values["rest"], values["L"]) + slope @ covariance[p:, :p]
    return covariance


def _solve_nothing(q: int, order: int, covariance: Array, constants: Values) -> dict[str, Any]:
    return {}


def _free_sds(q: int, order: int) -> int:
    return order - 1


def _cholesky(covariance: Array) -> Array:
    """The Cholesky factor of its correlations."""
    return np.asarray(np.linalg.cholesky(correlations(covariance)), dtype=float)


def _solve_one(q: int, order: int, covariance: Array, constants: Values) -> dict[str, Any]:
    return {"sd": float(standard_deviations(covariance).mean())}


def _solve_diagonal(q: int, order: int, covariance: Array, constants: Values) -> dict[str, Any]:
    return {"sd": standard_deviations(covariance)}


def _solve_free(q: int, order: int, covariance: Array, constants: Values) -> dict[str, Any]:
    return {"sd": standard_deviations(covariance), "L": _cholesky(covariance)}


def _solve_correlations(q: int, order: int, covariance: Array, constants: Values) -> dict[str, Any]:
    return {"L": _cholesky(covariance)}


def _solve_partly(q: int, order: int, covariance: Array, constants: Values) -> dict[str, Any]:
    return {
        "free_sd": standard_deviations(covariance)[: order - 1],
        "L": _cholesky(covariance),
    }


def _solve_block(q: int, order: int, covariance: Array, constants: Values) -> dict[str, Any]:
    block = covariance[: order - 1, : order - 1]
    return {"free_sd": standard_deviations(block), "L": _cholesky(block)}


def _solve_regressed(q: int, order: int, covariance: Array, constants: Values) -> dict[str, Any]:
    p = order - 1
    slope = np.linalg.solve(covariance[p:, p:], covariance[p:, :p]).T
    rest = covariance[:p, :p] - slope @ covariance[p:, :p]
    values = {"rest": standard_deviations(rest), "L": _cholesky(rest)}
    return {**values, "slope": slope.ravel(order="F")}


def _slopes(names: tuple[str, ...], order: int) -> tuple[str, ...]:
    p = order - 1
    return tuple(f"{free} on {known}" for known in names[p:] for free in names[:p])


_FREE_SD = Parameter(
    "free_sd",
    "vector",
    _free_sds,
    labels=lambda names, order: names[: order - 1],
    words="standard deviations that are free",
)

ROWS: dict[str, CovarianceRow] = {
    "scalar": CovarianceRow(
        title="one variance",
        template="covariances/scalar",
        parameters=(SD,),
        sds="one",
        correlated=False,
        matrix=_one_variance,
        solve=_solve_one,
        symbols=IDV,
    ),
    "us": CovarianceRow(
        title="all variances and covariances free",
        template="covariances/us",
        parameters=(SDS, CHOLESKY),
        sds="each",
        correlated=True,
        matrix=_unstructured,
        solve=_solve_free,
        same_as=lambda q, order: "scalar" if q == 1 else None,
    ),
    "idh": CovarianceRow(
        title="a variance per column, no covariance",
        template="covariances/idh",
        parameters=(SDS,),
        sds="each",
        correlated=False,
        matrix=_diagonal,
        solve=_solve_diagonal,
        symbols=IDH,
        same_as=lambda q, order: "scalar" if q == 1 else None,
    ),
    "idv": CovarianceRow(
        title="one variance for all columns, no covariance",
        template="covariances/idv",
        parameters=(SD,),
        sds="one",
        correlated=False,
        matrix=_one_variance,
        solve=_solve_one,
        symbols=IDV,
        same_as=lambda q, order: "scalar" if q == 1 else None,
    ),
    "corg": CovarianceRow(
        title="all variances 1, correlations free",
        template="covariances/corg",
        parameters=(CHOLESKY,),
        sds="known",
        correlated=True,
        matrix=_unit_variances,
        solve=_solve_correlations,
        symbols=CORG,
        fewest=2,
    ),
    "corgh": CovarianceRow(
        title="known variances, correlations free",
        template="covariances/corgh",
        parameters=(CHOLESKY,),
        sds="known",
        correlated=True,
        matrix=_known_variances,
        solve=_solve_correlations,
        symbols=CORGH,
        constants=("known_sd",),
        fewest=2,
    ),
    "known": CovarianceRow(
        title="all variances and covariances known",
        template="covariances/known",
        parameters=(),
        sds="known",
        correlated=True,
        matrix=_given,
        solve=_solve_nothing,
        constants=("known_root",),
    ),
    "known_block": CovarianceRow(
        title="all variances and covariances free but those of the later columns, which are known",
        template="covariances/known_block",
        parameters=(
            replace(_FREE_SD, name="rest", words="standard deviations given the known effects"),
            Parameter(
                "L", "L", _free_sds, "lkj", words="Cholesky factor of the correlations given these"
            ),
            Parameter(
                "slope",
                "vector",
                lambda q, order: (order - 1) * (q - order + 1),
                density="normal",
                slots=lambda constants: {"loc": 0.0, "scale": 1.0},
                start=lambda constants: 0.0,
                labels=_slopes,
                words="regressions on the known effects",
            ),
        ),
        sds="each",
        correlated=True,
        matrix=_regressed,
        solve=_solve_regressed,
        constants=("known_root",),
        functions=("functions/known_block_root",),
        symbols=KNOWN_BLOCK,
        fewest=2,
        orders=lambda q: (2, q),
        number="'fix'",
    ),
    "cors": CovarianceRow(
        title="all covariances free, the later variances 1",
        template="covariances/cors",
        parameters=(_FREE_SD, CHOLESKY),
        sds="each",
        correlated=True,
        matrix=_partly_known,
        solve=_solve_partly,
        symbols=CORS,
        fewest=2,
        orders=lambda q: (2, q),
        number="'fix'",
    ),
    "sub": CovarianceRow(
        title="a free block, and independent effects of variance 1",
        template="covariances/sub",
        parameters=(
            _FREE_SD,
            Parameter(
                "L", "L", _free_sds, "lkj", words="Cholesky factor of the block's correlations"
            ),
        ),
        sds="each",
        correlated=True,
        matrix=_block,
        solve=_solve_block,
        symbols=SUB,
        fewest=2,
        orders=lambda q: (2, q),
        number="'fix'",
    ),
}
