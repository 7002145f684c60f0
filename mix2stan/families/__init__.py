"""Response distributions: one row each."""

from __future__ import annotations

import copyreg
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from mix2stan.families import basic, categories, continuous, further, zeros
from mix2stan.families.basic import Family, Support, on_link
from mix2stan.families.layers import LayerRow, several_latent, single_latent
from mix2stan.families.parameters import PARAMETERS, Numbers, Parameter, parameter_row
from mix2stan.graph import Group, ModelGraph, Predictor

__all__ = [
    "FAMILIES",
    "LAYERS",
    "PARAMETERS",
    "Family",
    "LayerRow",
    "Numbers",
    "Parameter",
    "Support",
    "free_thresholds",
    "mean_groups",
    "mean_predictors",
    "on_link",
    "parameter_row",
    "single_parameters",
    "threshold_labels",
    "with_zeros",
]

FAMILIES: dict[str, Family] = {
    **basic.ROWS,
    **further.ROWS,
    **zeros.ROWS,
    **continuous.ROWS,
    **categories.ROWS,
}

#: The families of responses whose predictors have residuals of their own: what they are seen through.
LAYERS: dict[str, LayerRow] = {**single_latent(FAMILIES), **several_latent()}


def _family(name: str) -> Family:
    return FAMILIES[name]


def _layer(name: str) -> LayerRow:
    return LAYERS[name]


def _by_name(
    rows: Mapping[str, Any], named: Callable[[str], Any]
) -> Callable[[Any], tuple[Callable[[str], Any], tuple[str]]]:
    """How a row goes to another process, which has it: by its name."""
    return lambda row: (named, (next(name for name, own in rows.items() if own is row),))


copyreg.pickle(Family, _by_name(FAMILIES, _family))
copyreg.pickle(LayerRow, _by_name(LAYERS, _layer))


def single_parameters(graph: ModelGraph) -> tuple[str, ...]:
    """What the response's distribution has besides its mean that is one unknown number."""
    elsewhere = {p.parameter for p in graph.predictors} | set(dict(graph.response.known))
    return tuple(p for p in FAMILIES[graph.response.family].parameters if p not in elsewhere)


def mean_predictors(graph: ModelGraph) -> tuple[Predictor, ...]:
    """That of the mean; of unordered categories that of each but the first."""
    return graph.predictors if FAMILIES[graph.response.family].unordered else (graph.mean,)


def mean_groups(graph: ModelGraph) -> tuple[Group, ...]:
    """The group terms of those predictors."""
    return tuple(g for p in mean_predictors(graph) for g in graph.groups_of(p.parameter))


def free_thresholds(graph: ModelGraph) -> bool:
    """Whether the model has thresholds in the place of an intercept."""
    return FAMILIES[graph.response.family].ordinal is not None and not graph.response.anchored


def threshold_labels(graph: ModelGraph) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The thresholds, named as ordinal's ``clm`` does by the categories they part: ``low|high``."""
    levels = graph.response.levels
    if FAMILIES[graph.response.family].ordinal is None:
        return ()
    names = tuple(f"{a}|{b}" for a, b in itertools.pairwise(levels))
    return (("cutpoints", names[1:]),) if graph.response.anchored else (("thresholds", names),)


def with_zeros(family: str) -> tuple[str, str] | None:
    """The family that has further zeros, or zeros at all, and the parameter of their probability."""
    for name, row in FAMILIES.items():
        if row.without_zeros == family:
            return name, row.parameters[-1]
    return None
