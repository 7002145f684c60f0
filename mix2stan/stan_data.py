"""The data of a rendered program: one entry for every declaration of its data block."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.collapsed_data import collapsed_data, row_order
from mix2stan.covariances import parameter_of
from mix2stan.elimination import elimination
from mix2stan.families import PARAMETERS
from mix2stan.graph import ModelGraph
from mix2stan.latent_data import latent_data
from mix2stan.matrices import Data
from mix2stan.priors.rows import MATRICES, SINGLE
from mix2stan.priors.stacked import intercept_names, means_of_responses
from mix2stan.priors.text import prior_texts
from mix2stan.residual_data import residual_entries
from mix2stan.residuals import error_blocks, known_errors
from mix2stan.sampled_data import group_data, sampled_data
from mix2stan.structured_data import structured_data

__all__ = ["stan_data"]


def stan_data(graph: ModelGraph, data: Data) -> dict[str, Any]:
    """Sizes, response, designs, levels and prior scales, by their Stan names; arrays are read-only."""
    entries = _entries(graph, data)
    for value in entries.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return entries


def _entries(graph: ModelGraph, data: Data) -> dict[str, Any]:
    if graph.members:
        return _of_members(graph, data)
    if graph.strategy.samples_effects:
        entries = sampled_data(graph, data) | residual_entries(graph.residual, data)
        return entries | _scales(graph) | _of_responses(graph, data)
    return _integrated(graph, data) | dict(graph.response.known)


def _of_members(graph: ModelGraph, data: Data) -> dict[str, Any]:
    """The entries of several responses, each after its own, and those of what they have in common."""
    entries: dict[str, Any] = {}
    for member in graph.members:
        model, own = member.graph, data.of(member.graph.response.expression)
        common = tuple(g for g in model.groups if g.common)
        theirs = [p for p in model.priors if any(parameter_of(g, p.block) for g in common)]
        private = replace(
            model,
            groups=tuple(g for g in model.groups if not g.common),
            priors=tuple(p for p in model.priors if p not in theirs),
        )
        found = _entries(private, own)
        entries["N"] = found.pop("N")
        entries |= {member.own(name): value for name, value in found.items()}
        for group in common:
            if f"J_{group.id}" not in entries:
                entries |= group_data(group, own, np.arange(own.rows))
        entries |= _scales(replace(model, groups=common, priors=tuple(theirs)))
    return entries


def _integrated(graph: ModelGraph, data: Data) -> dict[str, Any]:
    """The data of a collapsed program."""
    integrated = ("intercept", "beta")
    if graph.strategy.errors:
        return latent_data(graph, data) | _scales(graph, integrated)
    if not known_errors(graph.residual):
        return structured_data(graph, data) | _scales(graph, integrated)
    order = row_order(graph, data)
    entries = collapsed_data(graph, data)
    for group in elimination(graph.groups).sampled:
        entries |= group_data(group, data, order)
    return entries | _scales(graph, integrated)


def _scales(graph: ModelGraph, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The numbers of the priors, but of those blocks."""
    entries: dict[str, Any] = {}
    for prior in graph.priors:
        if prior.block in without:
            continue
        scalar = len(prior.places) == 1 or _is_scalar(graph, prior.block)
        for slot, values in prior.values:
            one = scalar or slot in SINGLE
            entries[f"{prior.stem}_{slot}"] = values[0] if one else _shaped(slot, values)
    return entries


def _of_responses(graph: ModelGraph, data: Data) -> dict[str, Any]:
    """What the priors of several responses' intercepts, and of the other coefficients, are about."""
    entries: dict[str, Any] = {}
    texts = prior_texts(graph.priors)
    if "intercepts" not in texts:
        return {}
    if not texts["intercepts"].flat:
        means = means_of_responses(graph, data)
        entries |= {"K_means": len(means), "X_means": means}
    if "beta" in texts and not texts["beta"].flat:
        names = graph.population.columns.names
        others = [i for i, n in enumerate(names, start=1) if n not in intercept_names(graph)]
        entries |= {"K_others": len(others), "others": np.array(others)}
    return entries


def _shaped(slot: str, values: tuple[float, ...]) -> NDArray[np.float64]:
    """A vector, or the square matrix that is stored row by row."""
    array = np.array(values)
    return array.reshape(2 * (round(len(values) ** 0.5),)) if slot in MATRICES else array


def _is_scalar(graph: ModelGraph, block: str) -> bool:
    """Whether a block of parameters is declared as a real."""
    parameters = [parameter_of(g, block) for g in graph.groups]
    single = any(p is not None and p.shape != "vector" for p in parameters)
    single |= any(b.name == block and b.scalar for b in error_blocks(graph.residual))
    intercept = block in {f"intercept{p.suffix}" for p in graph.every_predictor}
    return intercept or block in PARAMETERS or single
