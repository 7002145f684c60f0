"""The priors of a model as a table."""

from __future__ import annotations

import pandas as pd

from mix2stan.covariances import Parameter, parameter_of
from mix2stan.graph import Group, ModelGraph, Prior
from mix2stan.priors import DENSITIES, describe
from mix2stan.residuals import error_blocks

__all__ = ["prior_table"]


def prior_table(graph: ModelGraph) -> pd.DataFrame:
    """A row per parameter, labelled as the draws are: ``density``, ``source``, ``proper``."""
    rows = [row for prior in graph.priors for row in _rows(graph, prior)]
    table = pd.DataFrame(rows, columns=["parameter", "density", "source", "proper"])
    return table.set_index("parameter")


def _rows(graph: ModelGraph, prior: Prior) -> list[tuple[str, str, str, bool]]:
    proper = DENSITIES[prior.density].proper
    parameters = _parameters(graph, prior)
    return [(label, describe(prior, i), prior.source, proper) for i, label in enumerate(parameters)]


def _parameters(graph: ModelGraph, prior: Prior) -> list[str]:
    """The labels of a block's elements."""
    for predictor in graph.every_predictor:
        names, s = predictor.population.columns.names, predictor.suffix
        label = predictor.parameter or "beta"
        if prior.block == f"intercept{s}":
            return [f"{label}[(Intercept)]"]
        if prior.block == f"beta{s}":
            slopes = names[1:] if any(p.block == f"intercept{s}" for p in graph.priors) else names
            return [f"{label}[{name}]" for name in slopes]
    for group in graph.groups:
        parameter = parameter_of(group, prior.block)
        if parameter is not None:
            return _structural(group, parameter, prior.block)
    for block in error_blocks(graph.residual):
        if prior.block == block.name and block.labels and block.name != "cor_L":
            return [f"{block.name}[{label}]" for label in block.labels]
    return [prior.block]


def _structural(group: Group, parameter: Parameter, block: str) -> list[str]:
    if parameter.shape == "L":
        return [f"cor_{group.id}"]
    if parameter.shape == "real":
        return [block]
    names = parameter.labels(group.columns.names, group.covariance.order)
    return [f"{block}[{name}]" for name in names]
