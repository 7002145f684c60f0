"""Exact draws of parameters that are in order, as thresholds are.

Their joint density is the product of their priors where they increase, and zero elsewhere.  Draws of
equal priors are put in order, which is exact, for all their orders have one density; those of unlike
priors are drawn until they are in order (rejection).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mix2stan.errors import Unsupported
from mix2stan.graph import Prior
from mix2stan.priors.numbers import Values, draw
from mix2stan.priors.rows import SINGLE

__all__ = ["elements_of", "ordered_draws"]

Array = NDArray[np.float64]

#: Of so many times the draws that are wanted one in a thousand has to be in order.
_MOST = 1000


def elements_of(priors: Sequence[Prior], size: int) -> list[Prior]:
    """The prior of every element of a block of so many."""
    found: dict[int, Prior] = {}
    for prior in priors:
        for i, place in enumerate(prior.places or range(size)):
            values = tuple((s, (v[0 if s in SINGLE else i],)) for s, v in prior.values)
            found[place] = Prior(prior.block, prior.density, values, prior.source)
    return [prior for _, prior in sorted(found.items())]


def ordered_draws(
    elements: Sequence[Prior],
    support: tuple[float, float],
    drawn: Values,
    draws: int,
    rng: np.random.Generator,
) -> Array:
    """Draws that increase from the first element to the last, shape (S, n).

    Args:
        elements: the prior of every element.
        support: what values they can have.
        drawn: what was drawn before, by Stan name.
        draws: the number S of draws.
        rng: the source of randomness.

    Raises:
        Unsupported: if hardly any draw is in order, or a density has no generator.
    """
    alike = itertools.groupby(elements, key=lambda p: (p.density, p.values))
    runs = [list(run) for _, run in alike]
    kept: list[Array] = [np.zeros((0, len(elements)))]
    for tried in itertools.count(1):
        parts = [
            np.sort(_alike(run[0], len(run), support, drawn, draws, rng), axis=1) for run in runs
        ]
        values = np.hstack([np.zeros((draws, 0)), *parts])
        kept.append(values[(np.diff(values, axis=1) > 0).all(axis=1)])
        found = sum(map(len, kept))
        if found >= draws:
            break
        if tried >= _MOST:
            names = " and ".join(dict.fromkeys(p.block for p in elements))
            message = f"the priors of {names} are hardly ever in order: {found} of {tried * draws}"
            hint = "the program samples them; priors whose means increase can be drawn from"
            raise Unsupported(message, hint=hint)
    return np.concatenate(kept)[:draws]


def _alike(
    prior: Prior,
    count: int,
    support: tuple[float, float],
    drawn: Values,
    draws: int,
    rng: np.random.Generator,
) -> Array:
    """Independent draws of so many elements with one prior, shape (S, count)."""
    values = tuple((s, v if s in SINGLE else v * count) for s, v in prior.values)
    return draw(Prior(prior.block, prior.density, values), count, support, drawn, draws, rng)
