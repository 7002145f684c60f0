"""Coordinates of effects in which a likelihood is climbed.

Intercepts and slopes of a covariate far from zero have correlations within 1e-10 of one, and variances
of unlike sizes: no optimiser gets along there.  A free covariance matrix is as free in other
coordinates, so the columns Z of such a term are climbed as orthogonal ones, Z C; the covariance G of
their effects is that of the effects asked for as C G C'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.collapsed_data import orthogonaliser
from mix2stan.graph import Group, ModelGraph
from mix2stan.matrices import Data

__all__ = ["as_asked", "as_climbed", "turned"]

Array = NDArray[np.float64]
#: Columns of which one is so nearly a combination of others are left as they are.
_DEPENDENT = 1e-12


def turned(graph: ModelGraph, data: Data) -> ModelGraph:
    """The model with the columns of its free covariances orthogonal."""
    return replace(graph, groups=tuple(_turned(group, data) for group in graph.groups))


def _turned(group: Group, data: Data) -> Group:
    if group.covariance.kind != "us":
        return group
    Z = data.matrix(group.columns)
    lengths = np.sqrt(np.sum(Z**2, axis=0))
    if not lengths.all():
        return group
    R = np.linalg.qr(Z / lengths, mode="r")
    if np.abs(np.diag(R)).min() < _DEPENDENT:
        return group
    C = orthogonaliser(Z, data.count)
    return replace(group, columns=replace(group.columns, turn=tuple(map(tuple, C.tolist()))))


def as_asked(graph: ModelGraph, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a climb, by Stan name, as those of the model it was for."""
    return dict(values) | _moved(graph, values, np.array)


def as_climbed(graph: ModelGraph, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a model, by Stan name, as those of its climb."""
    return dict(values) | _moved(graph, values, np.linalg.inv)


def _moved(graph: ModelGraph, values: Mapping[str, Any], matrix: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for group in graph.groups:
        sd, L = f"sd_{group.id}", f"L_{group.id}"
        if group.columns.turn and sd in values and L in values:
            C = matrix(np.array(group.columns.turn))
            found[sd], found[L] = _parameters(C @ (np.asarray(values[sd])[:, None] * values[L]))
    return found


def _parameters(root: Array) -> tuple[Array, Array]:
    """Standard deviations, and the root of the correlations, from any root of a covariance."""
    lower = np.asarray(np.linalg.qr(root.T, mode="r")).T
    lower = lower * np.where(np.diag(lower) < 0, -1.0, 1.0)
    sd = np.sqrt(np.sum(lower**2, axis=1))
    # where there is no variance, any correlation will do
    none = sd == 0
    L = np.where(none[:, None], np.eye(len(sd)), lower / np.where(none, 1.0, sd)[:, None])
    return sd, L
