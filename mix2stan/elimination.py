"""In which order the effects of a collapsed model are integrated out.

The terms of one factor, its *block*, are eliminated level by level, as their effects are independent
between levels.  What is left couples the other factors: their effects, the *dense* terms, are
integrated out together with the coefficients, by one Cholesky factor.  Terms that are too many for
that are *sampled*, and everything else is integrated out given them.

Correlated errors leave effects independent between levels only if no block of them is in two levels.
"""

from __future__ import annotations

from dataclasses import dataclass

from mix2stan.graph import ErrorCorrelation, Factor, Group

__all__ = ["MOST_EFFECTS", "Elimination", "elimination"]

#: Effects per level beyond which the unrolled text of a block is longer than anyone reads.
MOST_EFFECTS = 5


@dataclass(frozen=True)
class Elimination:
    """The group terms of a collapsed model by what becomes of them, in the order of the model."""

    block: tuple[Group, ...]
    dense: tuple[Group, ...]
    sampled: tuple[Group, ...]

    @property
    def columns(self) -> int:
        """How many effects the dense terms have in all."""
        return sum(size(g) for g in self.dense)


def size(group: Group) -> int:
    """How many effects a term has in all: levels times columns."""
    return group.factor.levels * len(group.columns.names)


def elimination(
    groups: tuple[Group, ...], correlation: ErrorCorrelation | None = None
) -> Elimination:
    """The block is the factor with the most effects, among those with few per level.

    Args:
        groups: the terms, which say whether they are integrated out.
        correlation: that of the errors.
    """
    integrated = tuple(g for g in groups if g.integrated)
    factors: dict[Factor, tuple[Group, ...]] = {}
    for group in integrated:
        factors[group.factor] = (*factors.get(group.factor, ()), group)
    apart = factors if correlation is None else correlation.within
    small = [
        terms
        for factor, terms in factors.items()
        if sum(len(g.columns.names) for g in terms) <= MOST_EFFECTS and factor in apart
    ]
    block = max(small, key=lambda terms: sum(map(size, terms)), default=())
    return Elimination(
        block=block,
        dense=tuple(g for g in integrated if g not in block),
        sampled=tuple(g for g in groups if not g.integrated),
    )
