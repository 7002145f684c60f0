"""Covariance structures among the columns of a group-level term: one row each.

A row is everything the compiler knows of a structure; its Stan text is the template of the same
name.  Adding a structure is a row here, a template, a golden and a line of the reference table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["COVARIANCES", "CovarianceRow"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CovarianceRow:
    """One structure for ``q`` columns.

    Attributes:
        title: what it is, in words.
        template: the macros under ``stan_templates/covariances/``.
        sds: number of standard deviations for q columns.
        correlated: whether it has a correlation matrix, by its Cholesky factor ``L``.
        count: number of free parameters for q columns.
        matrix: the q x q covariance from one draw of its parameters (``sd`` of shape (q,) or (),
            ``L`` the q x q Cholesky factor of the correlation matrix).
    """

    title: str
    template: str
    sds: Callable[[int], int]
    correlated: bool
    count: Callable[[int], int]
    matrix: Callable[[int, Mapping[str, Array]], Array]


def _scalar(q: int, values: Mapping[str, Array]) -> Array:
    return np.eye(q) * np.square(values["sd"])


def _diagonal(q: int, values: Mapping[str, Array]) -> Array:
    return np.diag(np.square(np.broadcast_to(values["sd"], q)))


def _unstructured(q: int, values: Mapping[str, Array]) -> Array:
    root = np.asarray(values["sd"])[:, None] * values["L"]
    return root @ root.T


COVARIANCES: dict[str, CovarianceRow] = {
    "scalar": CovarianceRow(
        title="one variance",
        template="covariances/scalar",
        sds=lambda q: 1,
        correlated=False,
        count=lambda q: 1,
        matrix=_scalar,
    ),
    "us": CovarianceRow(
        title="all variances and covariances free",
        template="covariances/us",
        sds=lambda q: q,
        correlated=True,
        count=lambda q: q * (q + 1) // 2,
        matrix=_unstructured,
    ),
    "idh": CovarianceRow(
        title="a variance per column, no covariance",
        template="covariances/idh",
        sds=lambda q: q,
        correlated=False,
        count=lambda q: q,
        matrix=_diagonal,
    ),
    "idv": CovarianceRow(
        title="one variance for all columns, no covariance",
        template="covariances/idv",
        sds=lambda q: 1,
        correlated=False,
        count=lambda q: 1,
        matrix=_scalar,
    ),
}
