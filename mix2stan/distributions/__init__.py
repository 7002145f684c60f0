"""Response distributions as numbers: one row per row of :data:`mix2stan.families.FAMILIES`."""

from __future__ import annotations

from mix2stan.distributions import basic, categories, continuous, further, zeros
from mix2stan.distributions.basic import Distribution
from mix2stan.distributions.bounded import bounded, probability
from mix2stan.distributions.layers import SEEN
from mix2stan.errors import Unsupported

__all__ = ["DISTRIBUTIONS", "SEEN", "Distribution", "bounded", "distribution_of", "probability"]

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
