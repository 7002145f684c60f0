"""Tables of point estimates, under R's names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.covariances import COVARIANCES
from mix2stan.graph import Group, ModelGraph
from mix2stan.matrices import Data

__all__ = [
    "beside_errors",
    "every_value",
    "is_singular",
    "mode_table",
    "variance_table",
    "without_values",
]

Array = NDArray[np.float64]

#: Below this share of the errors' what effects add to a row's standard deviation is none.
_BOUNDARY = 1e-4


def every_value(
    graph: ModelGraph,
    names: tuple[str, ...],
    beta: Array,
    varcorr: pd.DataFrame,
    residual: pd.Series,
) -> pd.Series:
    """Every estimate, under the names of a posterior's summary."""
    found = {f"beta[{name}]": float(b) for name, b in zip(names, beta, strict=True)}
    row = 0
    for group in graph.groups:
        columns = group.columns.names
        part = varcorr.iloc[row : row + len(columns)]
        row += len(columns)
        found |= {
            f"sd_{group.id}[{name}]": float(sd)
            for name, sd in zip(columns, part["sd"], strict=True)
        }
        if COVARIANCES[group.covariance.kind].correlated:
            found |= {
                f"cor_{group.id}[{a}, {b}]": float(part[f"cor {a}"].iloc[k])
                for k, b in enumerate(columns)
                for a in columns[:k]
            }
    found |= {str(name): float(value) for name, value in residual.items()}
    found["sigma"] = float(varcorr["sd"].to_numpy()[-1])
    return pd.Series(found, name="estimate")


def beside_errors(group: Group, data: Data, errors: Array) -> Array:
    """The triangle T by which effects of a term are independent ones beside errors of variance 1.

    Args:
        group: the term, of q effects.
        data: the rows.
        errors: their standard deviations, shape (N,) or ().
    """
    Z = data.matrix(group.columns) / np.broadcast_to(errors, data.rows)[:, None]
    return np.asarray(np.linalg.qr(Z / np.sqrt(data.count), mode="r"), dtype=float)


def is_singular(root: Array, triangle: Array) -> bool:
    """Whether a combination of effects does not vary: their root, in units of the errors."""
    return bool(np.linalg.svd(triangle @ root, compute_uv=False).min() < _BOUNDARY)


def variance_table(
    groups: tuple[Group, ...],
    roots: Mapping[str, Array],
    sigma: float,
    triangles: Mapping[str, Array],
) -> pd.DataFrame:
    """Standard deviations and correlations: a row per effect, and the residual."""
    rows: list[dict[str, Any]] = []
    for group in groups:
        covariance = roots[group.id] @ roots[group.id].T
        sd = np.sqrt(np.diag(covariance))
        added = sd * np.sqrt(np.sum(triangles[group.id] ** 2, axis=0))
        sd = np.where(added < _BOUNDARY, 0.0, sd)
        for k, name in enumerate(group.columns.names):
            row: dict[str, Any] = {"group": str(group.factor), "effect": name, "sd": sd[k]}
            if COVARIANCES[group.covariance.kind].correlated:
                for j, other in enumerate(group.columns.names[:k]):
                    product = sd[k] * sd[j]
                    row[f"cor {other}"] = covariance[k, j] / product if product else math.nan
            rows.append(row)
    rows.append({"group": "Residual", "effect": "", "sd": sigma})
    return pd.DataFrame(rows).set_index(["group", "effect"])


def mode_table(data: Data, groups: tuple[Group, ...], modes: Mapping[str, Array]) -> pd.DataFrame:
    tables = []
    for group in groups:
        levels = data.grouping(group.factor).levels
        index = pd.MultiIndex.from_product(
            [[str(group.factor)], levels, group.columns.names], names=["group", "level", "effect"]
        )
        tables.append(pd.DataFrame({"mode": modes[group.id].ravel()}, index=index))
    return pd.concat(tables) if tables else pd.DataFrame(columns=["mode"])


def without_values(varcorr: pd.DataFrame, graph: ModelGraph, names: Sequence[str]) -> pd.DataFrame:
    """The table without the values of some names, as :func:`every_value` calls them."""
    values, row = varcorr.to_numpy(dtype=float, copy=True), 0
    place = {str(column): k for k, column in enumerate(varcorr.columns)}
    for group in graph.groups:
        columns = group.columns.names
        for k, name in enumerate(columns):
            if f"sd_{group.id}[{name}]" in names:
                values[row + k, place["sd"]] = math.nan
            for other in columns[:k]:
                if f"cor_{group.id}[{other}, {name}]" in names:
                    values[row + k, place[f"cor {other}"]] = math.nan
        row += len(columns)
    if "sigma" in names:
        values[-1, place["sd"]] = math.nan
    return pd.DataFrame(values, index=varcorr.index, columns=varcorr.columns)
