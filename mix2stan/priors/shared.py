"""The prior of a term that several predictors, or several responses, have columns of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mix2stan.graph import Prior

__all__ = ["merged"]


def merged(offered: Sequence[tuple[Prior, Sequence[int]]], columns: int) -> Prior:
    """Everyone's numbers for their own columns; of unlike densities the first holds.

    Args:
        offered: the priors of one block, and the columns each is asked about, counted from 0.
        columns: how many the term has; slots of another length are those of the first.
    """
    first, _ = offered[0]
    if any(prior.density != first.density for prior, _ in offered):
        return first
    values = {slot: np.array(numbers) for slot, numbers in first.values}
    for prior, own in offered:
        for slot, numbers in prior.values:
            if len(numbers) == columns:
                values[slot][list(own)] = np.array(numbers)[list(own)]
    slots = tuple((slot, tuple(v.tolist())) for slot, v in values.items())
    sources = dict.fromkeys(prior.source for prior, _ in offered)
    return replace(first, values=slots, source="; ".join(sources))
