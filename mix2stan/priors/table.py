"""The priors of a model as a table."""

from __future__ import annotations

import pandas as pd

from mix2stan.graph import ModelGraph, Prior
from mix2stan.priors.names import element_names
from mix2stan.priors.text import describe, is_proper

__all__ = ["prior_table"]


def prior_table(graph: ModelGraph) -> pd.DataFrame:
    """A row per parameter, labelled as the draws are: ``density``, ``source``, ``proper``."""
    blocks = dict.fromkeys(p.block for p in graph.priors)
    rows = []
    for block in blocks:
        names = element_names(graph, block, blocks)
        found: dict[int, tuple[str, str, bool]] = {}
        for prior in graph.priors:
            if prior.block == block:
                places = prior.places or range(len(names))
                found |= {place: _row(prior, i) for i, place in enumerate(places)}
        rows += [(names[place], *found[place]) for place in sorted(found)]
    table = pd.DataFrame(rows, columns=["parameter", "density", "source", "proper"])
    return table.set_index("parameter")


def _row(prior: Prior, element: int) -> tuple[str, str, bool]:
    return describe(prior, element), prior.source, is_proper(prior)
