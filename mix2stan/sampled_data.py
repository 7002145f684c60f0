"""The data of a program that samples all effects: one row per observation, or per equal ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mix2stan.censoring import bounds, row_sets
from mix2stan.collapsed_data import orthogonaliser
from mix2stan.covariances import constants_of
from mix2stan.families import FAMILIES, Family, free_thresholds
from mix2stan.graph import Group, ModelGraph, Predictor
from mix2stan.kinship_data import kinship_data
from mix2stan.layer_data import layer_data, without_layers
from mix2stan.matrices import Data
from mix2stan.responses import known_part, noise_of, observed, powers_of

__all__ = ["Cells", "cells", "group_data", "response_data", "sampled_data"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Cells(NamedTuple):
    """Observations with one predictor.

    ``first`` is a row of each cell, in order of appearance, shape (n,); ``of`` the cell of each row,
    shape (N,).
    """

    first: Index
    of: Index


def cells(graph: ModelGraph, data: Data) -> Cells:
    """The observations that have the same predictor whatever the parameters are."""
    parts: list[NDArray[Any]] = [known_part(graph, data)]
    if graph.population.columns.names:
        parts.append(data.matrix(graph.population.columns))
    for group in graph.groups:
        parts += [levels.codes for levels in data.memberships(group.factor)]
        parts.append(data.matrix(group.columns))
    table = np.column_stack(parts)
    _, first, of = np.unique(table, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Cells(first[order], rank[of.reshape(-1)])


def sampled_data(graph: ModelGraph, data: Data) -> dict[str, Any]:
    """Every entry but the prior scales, by its Stan name."""
    rows: Index = np.arange(data.rows)
    if graph.strategy.pooled:
        rows = cells(graph, data).first
        entries = _pooled(graph, data)
    else:
        entries = response_data(graph, data, rows)
    if graph.response.layers:
        entries["y"] = without_layers(graph, data, entries["y"], entries["y"])
        entries |= layer_data(graph, data)
    for predictor in graph.predictors:
        if predictor.population.offsets:
            entries[f"known{predictor.suffix}"] = known_part(graph, data, predictor.parameter)
    for predictor in graph.every_predictor:
        entries |= _population(graph, predictor, data, rows)
    for group in graph.groups:
        entries |= group_data(group, data, rows)
    return entries


def _counted(ends: dict[str, Array]) -> dict[str, Any]:
    """The bounds of counts: the most of those that are left out below, and of those that are not.

    Rows whose lower bound leaves out no count are left out of ``cut``.
    """
    found: dict[str, Any] = {}
    if "lower" in ends:
        found["y_below"] = np.maximum(ends["lower"], 0).astype(np.int64) - 1
    if "upper" in ends:
        found["y_upper"] = ends["upper"].astype(np.int64)
    elif "lower" in ends:
        places = np.flatnonzero(found["y_below"] >= 0) + 1
        found |= {"N_cut": len(places), "cut": places}
    return found


def response_data(graph: ModelGraph, data: Data, rows: Index) -> dict[str, Any]:
    """The response and what is known of it, of the rows in the order given."""
    seen, family = observed(graph, data), FAMILIES[graph.response.family]
    entries = _values(family, seen.y[rows], seen.trials[rows])
    if graph.response.truncation is not None:
        ends = bounds(graph.response.truncation, data, family.integer)
        ends = {name: values[rows] for name, values in ends.items()}
        entries |= _counted(ends) if family.integer else {f"y_{n}": v for n, v in ends.items()}
    if seen.lower is not None and seen.upper is not None:
        lower, upper = seen.lower[rows], seen.upper[rows]
        within = np.isfinite(lower) & np.isfinite(upper)
        ends = {"y": np.where(within, lower, seen.y[rows])}
        ends["y_upper"] = np.where(within, upper, seen.y[rows])
        entries |= {k: v.astype(np.int64) if family.integer else v for k, v in ends.items()}
        for name, places in row_sets(lower, upper).items():
            entries |= {f"N_{name}": len(places), name: places}
    if seen.levels:
        entries["C"] = len(seen.levels)
    if seen.counts is not None:
        entries["y"] = seen.counts[rows].astype(np.int64)
    entries |= dict(graph.response.known)
    powers, noise = powers_of(graph, data), noise_of(graph, data)
    entries |= {} if powers is None else {"weight": powers[rows]}
    entries |= {} if noise is None else {"se": noise[rows]}
    if graph.response.latent_sd != 1:
        entries["latent_sd"] = graph.response.latent_sd
    if graph.population.offsets:
        entries["known"] = known_part(graph, data)[rows]
    return entries


def _pooled(graph: ModelGraph, data: Data) -> dict[str, Any]:
    """The sums of the observations of one predictor."""
    seen, family = observed(graph, data), FAMILIES[graph.response.family]
    first, of = cells(graph, data)
    y, trials = (np.bincount(of, v, len(first)).astype(float) for v in (seen.y, seen.trials))
    known = known_part(graph, data)[first]
    entries = _values(FAMILIES[family.pooled or graph.response.family], y, trials)
    if graph.response.latent_sd != 1:
        entries["latent_sd"] = graph.response.latent_sd
    if family.exposure:
        return entries | {"known": known + np.log(trials)}
    return entries | ({"known": known} if graph.population.offsets else {})


def _values(family: Family, y: Array, trials: Array) -> dict[str, Any]:
    """The response as a family has it."""
    entries: dict[str, Any] = {"N": len(y), "y": y.astype(np.int64) if family.integer else y}
    for name, rows_of in family.row_sets.items():
        places = np.flatnonzero(rows_of(y)) + 1
        entries |= {f"N_{name}": len(places), name: places}
    if family.counts_trials:
        entries["trials"] = trials.astype(np.int64)
    return entries


def _population(graph: ModelGraph, predictor: Predictor, data: Data, rows: Index) -> dict[str, Any]:
    columns, s = predictor.population.columns, predictor.suffix
    if not columns.names:
        return {}
    X, groups = data.matrix(columns), graph.groups_of(predictor.parameter)
    entries: dict[str, Any] = {f"K{s}": X.shape[1], f"X{s}": X[rows]}
    if free_thresholds(graph) and not s:
        entries["X_mean"] = X.mean(axis=0)
        entries["R_inverse"] = _orthogonaliser(columns.names, groups, X - entries["X_mean"])
    elif not columns.intercept_only:
        entries[f"R_inverse{s}"] = _orthogonaliser(columns.names, groups, X)
        if any(p.block == f"intercept{s}" and p.values for p in graph.priors):
            entries[f"X_mean{s}"] = X.mean(axis=0)
    moved = {c for g in groups for c in g.parameterisation.columns}
    rest = [k for k in range(X.shape[1]) if k not in moved]
    if moved and rest:
        entries |= {f"K_rest{s}": len(rest), f"rest{s}": np.array(rest) + 1}
    return entries


def _orthogonaliser(names: tuple[str, ...], groups: tuple[Group, ...], X: Array) -> Array:
    """The matrix T for which the columns of X T are orthogonal, but not across blocks.

    The columns in the mean of a group term are a block, and what is left is one: columns that are
    constant within the levels of a factor stay so.  With an intercept each block is centred.
    """
    K = X.shape[1]
    blocks = [list(g.parameterisation.columns) for g in groups if g.parameterisation.columns]
    blocks.append([k for k in range(K) if not any(k in b for b in blocks)])
    blocks = [b for b in blocks if b]
    if len(blocks) == 1:
        return orthogonaliser(X)
    T = np.zeros((K, K))
    intercept = names[0] == "(Intercept)"
    for block in blocks:
        inner = [k for k in block if not (intercept and k == 0)]
        if not inner:
            continue
        centre = X[:, inner].mean(axis=0) if intercept else np.zeros(len(inner))
        T[np.ix_(inner, inner)] = orthogonaliser(X[:, inner] - centre)
        if intercept:
            T[0, inner] = -centre @ T[np.ix_(inner, inner)]
    if intercept:
        T[0, 0] = 1.0
    return T


def group_data(group: Group, data: Data, rows: Index) -> dict[str, Any]:
    """The levels and columns of a sampled term, of the rows given, and the constants it has."""
    levels = data.grouping(group.factor)
    codes = levels.codes[rows]
    entries: dict[str, Any] = {f"J_{group.id}": len(levels.levels)}
    if group.factor.signs:
        for i, member in enumerate(data.memberships(group.factor), start=1):
            entries[f"level_{group.id}_{i}"] = member.codes[rows] + 1
    else:
        entries[group.index] = codes + 1
    if group.factor.apart:
        entries[f"Q_{group.id}"] = len(group.columns.names)
    elif group.covariance.kind != "scalar":
        Z = data.matrix(group.columns)[rows]
        entries |= {f"Q_{group.id}": Z.shape[1], f"Z_{group.id}": Z}
    elif not group.columns.intercept_only:
        entries[f"Z_{group.id}"] = data.matrix(group.columns)[rows, 0]
    how = group.parameterisation
    kinship = data.kinship(group.factor)
    if kinship is not None:
        entries |= kinship_data(group.id, kinship, how.centred)
    if how.moved:
        entries[f"row_{group.id}"] = np.unique(codes, return_index=True)[1] + 1
    if how.columns:
        entries[f"K_{group.id}"] = len(how.columns)
        entries[f"columns_{group.id}"] = np.array(how.columns) + 1
    return entries | {f"{k}_{group.id}": v for k, v in constants_of(group).items()}
