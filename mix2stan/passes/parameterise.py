"""Parameterise: how each group term is sampled, and whether equal observations are summed.

A term whose data say more about an effect than its prior does is sampled as it is (centred), the
others as standard normals (non-centred).  A centred term is centred on what its levels have in
common: the effects of terms it is nested in, and the population columns that are constant within its
levels; then neither has to move together with all the effects below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.errors import Unsupported
from mix2stan.families import FAMILIES
from mix2stan.glm_fit import cheap_fit
from mix2stan.graph import Columns, Group, ModelGraph, Parameterisation
from mix2stan.passes.context import Context
from mix2stan.passes.latent import as_latent, informed
from mix2stan.sampled_data import cells

__all__ = ["parameterise"]

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

#: Summing observations has to leave at most this share of them.
_WORTH_POOLING = 0.7
#: Levels of a known matrix beyond which its root is too large to be data.
_MOST_ROOT = 3_000
#: Information times variance from which on an effect is sampled as it is.
_OUTWEIGHS = 1.0


def parameterise(graph: ModelGraph, context: Context) -> ModelGraph:
    """Choose for every group term, unless all are to be sampled alike.

    Raises:
        Unsupported: if the predictor is asked to be sampled, and cannot be.
    """
    if context.strategy == "latent":
        return _asked_for_latent(graph, context)
    if not graph.strategy.samples_effects:
        return _small_roots(graph)
    if context.strategy == "auto":
        if graph.response.linear:
            return _small_roots(graph)
        graph = _pool(graph, context)
        centred = _informed(graph, context)
        if informed(graph, context, centred):
            chosen = as_latent(graph, context)
            if isinstance(chosen, ModelGraph):
                return chosen
    else:
        every = context.strategy == "centred"
        asked = (g for g in graph.groups if every or g.parameterisation.centred)
        centred = frozenset(g.id for g in asked)
    groups = _around(graph, context, centred)
    kind = "centred" if centred else "noncentred"
    return _small_roots(replace(graph, groups=groups, strategy=replace(graph.strategy, kind=kind)))


def _asked_for_latent(graph: ModelGraph, context: Context) -> ModelGraph:
    chosen = as_latent(graph, context)
    if isinstance(chosen, str):
        message = f"the predictor cannot be sampled as a Gaussian response: {chosen}"
        raise Unsupported(message, hint="strategy = 'auto'")
    return replace(chosen, strategy=replace(chosen.strategy, reason="as asked"))


def _small_roots(graph: ModelGraph) -> ModelGraph:
    """Effects of a known matrix that is large centred: its root, which the others need, is dense."""
    return replace(graph, groups=tuple(_small_root(group) for group in graph.groups))


def _small_root(group: Group) -> Group:
    known = group.factor.relationship
    if group.integrated or known is None or known.form != "matrix":
        return group
    if group.factor.levels <= _MOST_ROOT:
        return group
    return replace(group, parameterisation=replace(group.parameterisation, centred=True))


def _pool(graph: ModelGraph, context: Context) -> ModelGraph:
    """Sum observations of one predictor where that leaves much fewer."""
    rows, cut = context.data.rows, graph.response.truncation or graph.response.censoring
    if FAMILIES[graph.response.family].pooled is None or graph.predictors or cut:
        return graph
    if graph.response.cut or graph.response.powers is not None:
        return graph
    if any(g.factor.levels == rows for g in graph.groups):
        return graph
    pooled = len(cells(graph, context.data).first) <= _WORTH_POOLING * rows
    return replace(graph, strategy=replace(graph.strategy, pooled=pooled))


def _informed(graph: ModelGraph, context: Context) -> frozenset[str]:
    """The terms of one effect per level whose data outweigh their prior on average."""
    if not graph.groups_of(""):
        return frozenset()
    fit = cheap_fit(graph, context.data)
    single = _single(graph.groups_of(""))
    codes = {g.id: context.data.grouping(g.factor).codes for g in single}
    parents = _parents(single, codes, frozenset(g.id for g in single))
    passed: dict[str, Array] = {}
    centred = set()
    # from the finest: a term hears of the data through those nested in it
    for group in sorted(single, key=lambda g: -g.factor.levels):
        heard = _heard(group, single, parents, codes, passed, fit.weights)
        tau2 = fit.variances[group.id]
        if np.mean(heard) * tau2 > _OUTWEIGHS:
            centred.add(group.id)
        passed[group.id] = heard / (1 + heard * tau2)
    for group in (g for g in graph.groups_of("") if g.coupled and _is_single(g)):
        own = context.data.grouping(group.factor).codes
        about = np.bincount(own, fit.weights, group.factor.levels)
        if np.mean(about) * fit.variances[group.id] > _OUTWEIGHS:
            centred.add(group.id)
    return frozenset(centred)


def _heard(
    group: Group,
    single: list[Group],
    parents: Mapping[str, tuple[str, ...]],
    codes: Mapping[str, Codes],
    passed: Mapping[str, Array],
    weights: Array,
) -> Array:
    """The information about each effect, those of the terms nested in its own integrated out."""
    below = [g for g in single if group.id in parents[g.id] and g.id in passed]
    own = codes[group.id]
    if not below:
        return np.asarray(np.bincount(own, weights, group.factor.levels), dtype=float)
    child = min(below, key=lambda g: g.factor.levels)
    rows = np.unique(codes[child.id], return_index=True)[1]
    return np.asarray(np.bincount(own[rows], passed[child.id], group.factor.levels), dtype=float)


def _single(groups: tuple[Group, ...]) -> list[Group]:
    """The terms that others can be centred on: coupled effects have a mean of their own."""
    return [g for g in groups if _is_single(g) and not g.coupled]


def _is_single(group: Group) -> bool:
    return group.covariance.kind == "scalar" and group.columns.intercept_only


def _parents(
    single: list[Group], codes: Mapping[str, Codes], centred: frozenset[str]
) -> dict[str, tuple[str, ...]]:
    """For each term those it is centred on: every term goes to the coarsest centred one within it."""
    found: dict[str, list[str]] = {g.id: [] for g in single}
    for outer in single:
        inside = [
            g
            for g in single
            if g.id in centred
            and g.factor.levels > outer.factor.levels
            and _is_function(codes[outer.id], codes[g.id])
        ]
        if inside:
            found[min(inside, key=lambda g: g.factor.levels).id].append(outer.id)
    return {name: tuple(outer) for name, outer in found.items()}


def _is_function(values: NDArray[np.generic], codes: Codes) -> bool:
    """Whether values are the same in all rows of one level."""
    first = np.unique(codes, return_index=True)[1]
    return bool(np.array_equal(values[first][codes], values))


def _around(graph: ModelGraph, context: Context, centred: frozenset[str]) -> tuple[Group, ...]:
    """The group terms, each with its parameterisation: centred on what is in its predictor."""
    chosen: dict[str, Group] = {}
    for predictor in graph.every_predictor:
        terms = graph.groups_of(predictor.parameter)
        columns = predictor.population.columns
        chosen |= {g.id: g for g in _around_one(terms, columns, context, centred)}
    return tuple(chosen[g.id] for g in graph.groups)


def _around_one(
    terms: tuple[Group, ...], population: Columns, context: Context, centred: frozenset[str]
) -> tuple[Group, ...]:
    """The group terms of one predictor."""
    data, single = context.data, _single(terms)
    codes = {g.id: data.grouping(g.factor).codes for g in single}
    parents = _parents(single, codes, centred)
    columns: dict[str, list[int]] = {g.id: [] for g in single}
    names = population.names
    X = data.matrix(population) if names else np.zeros((data.rows, 0))
    # a term that another is centred on is not itself in the predictor
    inside = {p for found in parents.values() for p in found}
    takers = [g for g in single if g.id in centred and g.id not in inside]
    for k in range(len(names)):
        within = [g for g in takers if _is_function(X[:, k], codes[g.id])]
        if within:
            columns[min(within, key=lambda g: g.factor.levels).id].append(k)
    return tuple(
        replace(
            g,
            parameterisation=Parameterisation(
                g.id in centred, parents.get(g.id, ()), tuple(columns.get(g.id, ()))
            ),
        )
        for g in terms
    )
