"""Response distributions as numbers: one row per row of :data:`mix2stan.families.FAMILIES`."""

from __future__ import annotations

from mix2stan.distributions import basic, categories, continuous, further, zeros
from mix2stan.distributions.basic import Distribution
from mix2stan.distributions.bounded import bounded, probability
from mix2stan.distributions.layers import SEVERAL, Seen, single
from mix2stan.errors import Unsupported

__all__ = [
    "DISTRIBUTIONS",
    "Distribution",
    "Seen",
    "bounded",
    "distribution_of",
    "probability",
    "seen_through",
]

DISTRIBUTIONS: dict[str, Distribution] = {
    **basic.ROWS,
    **further.ROWS,
    **zeros.ROWS,
    **continuous.ROWS,
    **categories.ROWS,
}


def distribution_of(family: str) -> Distribution:
    """The row of a family.

    Raises:
        Unsupported: if there is none.
    """
    if family not in DISTRIBUTIONS:
        hint = f"it can be had for {', '.join(DISTRIBUTIONS)}"
        raise Unsupported(f"this cannot be computed for a {family} response", hint=hint)
    return DISTRIBUTIONS[family]


def seen_through(family: str, link: str) -> Seen:
    """A response given its latent variables.

    Args:
        family: a row of :data:`mix2stan.families.LAYERS`.
        link: of what has one latent variable.

    Raises:
        Unsupported: if there is no such row.
    """
    return SEVERAL[family] if family in SEVERAL else single(distribution_of(family), link)
