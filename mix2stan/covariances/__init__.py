"""Covariance structures among the columns of a group-level term: one row each.

A row is everything the compiler knows of a structure; its Stan text is the template of the same
name.  Adding a structure is a row here, a template, a golden and a line of the reference table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mix2stan.covariances import antedependence, patterned, spatial, unstructured
from mix2stan.covariances.rows import Array, CovarianceRow, Parameter
from mix2stan.graph import Group

__all__ = [
    "COVARIANCES",
    "CovarianceRow",
    "Parameter",
    "constants_of",
    "covariance_of",
    "parameter_of",
    "parameters_of",
]

COVARIANCES: dict[str, CovarianceRow] = {
    **unstructured.ROWS,
    **patterned.ROWS,
    **antedependence.ROWS,
    **spatial.ROWS,
}


def constants_of(group: Group) -> dict[str, Array]:
    """What a structure takes from the data or the call, by name without the identifier.

    Raises:
        DataError: if the columns have no coordinates and need them.
    """
    return {name: _CONSTANTS[name](group) for name in COVARIANCES[group.covariance.kind].constants}


def _known_sd(group: Group) -> Array:
    return np.asarray(np.sqrt(group.covariance.variances))


def _known_root(group: Group) -> Array:
    rows = math.isqrt(len(group.covariance.variances))
    return np.asarray(np.linalg.cholesky(np.reshape(group.covariance.variances, (rows, rows))))


def _distance(group: Group) -> Array:
    return spatial.distances(group.columns.names)


_CONSTANTS: dict[str, Callable[[Group], Array]] = {
    "known_sd": _known_sd,
    "known_root": _known_root,
    "distance": _distance,
}


def covariance_of(group: Group, values: Mapping[str, Any]) -> Array:
    """The q x q covariance of a term's effects, from values by Stan name."""
    row, q = COVARIANCES[group.covariance.kind], len(group.columns.names)
    mine = {p.name: np.asarray(values[f"{p.name}_{group.id}"]) for p in row.parameters}
    return row.matrix(q, group.covariance.order, {**constants_of(group), **mine})


def parameters_of(group: Group, covariance: Array) -> dict[str, Any]:
    """The parameters, by Stan name, that give a covariance of the term's structure."""
    row, q = COVARIANCES[group.covariance.kind], len(group.columns.names)
    values = row.solve(q, group.covariance.order, covariance, constants_of(group))
    return {f"{name}_{group.id}": value for name, value in values.items()}


def parameter_of(group: Group, block: str) -> Parameter | None:
    """The parameters of a term that have that Stan name."""
    row = COVARIANCES[group.covariance.kind]
    return next((p for p in row.parameters if block == f"{p.name}_{group.id}"), None)
