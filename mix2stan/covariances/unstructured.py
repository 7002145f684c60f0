"""Structures whose covariances are free or zero, with all, some or no variances known."""

from __future__ import annotations

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
from mix2stan.covariances.symbols import CORG, CORGH, CORS, IDH, IDV, SUB

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
