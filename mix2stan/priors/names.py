"""What the elements of the blocks of a model are called in its table of priors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mix2stan.covariances import COVARIANCES, Parameter, parameter_of
from mix2stan.families import threshold_labels
from mix2stan.graph import Group, ModelGraph, term_labels
from mix2stan.names import RowNames
from mix2stan.priors.stacked import intercept_names
from mix2stan.residuals import error_blocks

__all__ = ["block_names", "element_names", "in_r_names", "row_names"]


def element_names(graph: ModelGraph, block: str, blocks: Collection[str]) -> list[str]:
    """The labels of a block's elements; ``blocks`` are all that have a prior."""
    for predictor in graph.every_predictor:
        names, s = predictor.population.columns.names, predictor.suffix
        label = predictor.parameter or "beta"
        if block == f"intercept{s}":
            return [f"{label}[(Intercept)]"]
        if block == f"beta{s}":
            others = set(intercept_names(graph)) if "intercepts" in blocks else set()
            slopes = names[1:] if f"intercept{s}" in blocks else names
            return [f"{label}[{name}]" for name in slopes if name not in others]
        if block == "intercepts" and not s:
            return [f"{label}[{name}]" for name in intercept_names(graph)]
    thresholds = dict(threshold_labels(graph))
    if block in thresholds:
        return [f"{block}[{label}]" for label in thresholds[block]]
    for group in graph.groups:
        parameter = parameter_of(group, block)
        if parameter is not None:
            return _structural(group, parameter, block)
    for error in error_blocks(graph.residual):
        if block == error.name and error.labels and error.name != "cor_L":
            return [f"{error.name}[{label}]" for label in error.labels]
    return [block]


def block_names(block: str) -> tuple[str, ...]:
    """What a block as a whole is called: ``cor_Subject`` for ``L_Subject``, ``Intercept``."""
    if block in ("intercept", "intercepts"):
        return ("Intercept",)
    if block == "cor_L":
        return ("cor_L", "cor")
    return (f"cor_{block[2:]}", block) if block.startswith("L_") else (block,)


def row_names(graph: ModelGraph, labels: Mapping[str, Sequence[str]]) -> RowNames:
    """The names of all blocks and of their elements, ``labels``, with what R's names make of them."""
    found: dict[str, tuple[str, ...]] = {}
    terms = tuple(zip(graph.groups, term_labels(graph.groups), strict=True))
    for block, elements in labels.items():
        own = [(group, label) for group, label in terms if parameter_of(group, block) is not None]
        for row in (*block_names(block), *elements):
            found[row] = tuple(in_r_names(row, group, label) for group, label in own)
    return RowNames(found)


def in_r_names(row: str, group: Group, label: str) -> str:
    """The row of a table by R's name of a term, itself if it does not look like one of it."""
    for parameter in COVARIANCES[group.covariance.kind].parameters:
        for word in (parameter.name, "cor"):
            own, bracket, element = row.partition("[")
            if own == f"{word}_{group.id}":
                return f"{word}_{label}{bracket}{element}"
    return row


def _structural(group: Group, parameter: Parameter, block: str) -> list[str]:
    if parameter.shape == "L":
        return [f"cor_{group.id}"]
    if parameter.shape == "real":
        return [block]
    names = parameter.labels(group.columns.names, group.covariance.order)
    return [f"{block}[{name}]" for name in names]
