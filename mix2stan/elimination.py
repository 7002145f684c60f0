"""In which order the effects of a collapsed model are integrated out.

The terms of one factor, its *block*, are eliminated level by level, as their effects are independent
between levels.  What is left couples the other factors: their effects, the *dense* terms, are
integrated out together with the coefficients, by one Cholesky factor.  Terms that are too many for
that are *sampled*, and everything else is integrated out given them.

Related levels are not independent, nor are levels of which a row has several, but some combinations of
their effects are, given all rows: those of a root of K that diagonalises Z'Z.  So such a term, of one
effect per level, can be the block, where the program has sums over all rows, not the rows.

Correlated errors leave effects independent between levels only if no block of them is in two levels.
"""

from __future__ import annotations

from dataclasses import dataclass

from mix2stan.graph import Factor, Group, Residual
from mix2stan.residuals import known_errors

__all__ = ["MOST_EFFECTS", "Elimination", "elimination", "is_rotated"]

#: Effects per level beyond which the unrolled text of a block is longer than anyone reads.
MOST_EFFECTS = 5


#: Effects of a level and of those that hold it, in the text of whitened rows.
_MOST_IN_CHAIN = 8


@dataclass(frozen=True)
class Elimination:
    """The group terms of a collapsed model by what becomes of them, in the order of the model.

    ``above`` are the terms of further factors, each of levels that hold those before it whole: once
    the block is gone, their effects are independent between levels too.
    """

    block: tuple[Group, ...]
    dense: tuple[Group, ...]
    sampled: tuple[Group, ...]
    above: tuple[tuple[Group, ...], ...] = ()

    @property
    def columns(self) -> int:
        """How many effects the dense terms have in all."""
        return sum(size(g) for g in self.dense)

    @property
    def chain(self) -> tuple[tuple[Group, ...], ...]:
        """The terms of the block and of the factors above it, factor by factor."""
        return (self.block, *self.above) if self.block else ()


def size(group: Group) -> int:
    """How many effects a term has in all: levels times columns."""
    return group.factor.levels * len(group.columns.names)


def elimination(groups: tuple[Group, ...], errors: Residual | None = None) -> Elimination:
    """The block is the factor with the most effects, among those whose levels can be separated.

    Where terms know what they are nested in, the chain has all that are nested with that factor.

    Args:
        groups: the terms, which say whether they are integrated out.
        errors: their structure; None if they are known but for sigma.
    """
    correlation = None if errors is None else errors.correlation
    integrated = tuple(g for g in groups if g.integrated)
    sums = len(integrated) == len(groups) and (errors is None or known_errors(errors))
    factors: dict[Factor, tuple[Group, ...]] = {}
    for group in integrated:
        factors[group.factor] = (*factors.get(group.factor, ()), group)
    apart = factors if correlation is None else correlation.within
    small = [t for factor, t in factors.items() if factor in apart and _separable(t, sums)]
    chain: list[tuple[Group, ...]] = []
    for terms in sorted(small, key=lambda terms: -sum(map(size, terms))):
        fits = sum(map(_columns, chain)) + _columns(terms) <= _MOST_IN_CHAIN
        if not chain or (fits and all(_nested(terms, other) for other in chain)):
            chain.append(terms)
    # the finest first
    chain.sort(key=lambda terms: -terms[0].factor.levels)
    return Elimination(
        block=chain[0] if chain else (),
        dense=tuple(g for g in integrated if not any(g in terms for terms in chain)),
        sampled=tuple(g for g in groups if not g.integrated),
        above=tuple(chain[1:]),
    )


def is_rotated(group: Group, parts: Elimination) -> bool:
    """Whether what is integrated out are not the effects of an integrated term, but of a root."""
    return group.factor.relationship is not None or (group.coupled and group in parts.block)


def _separable(terms: tuple[Group, ...], sums: bool) -> bool:
    """Whether the effects of a factor fall apart into few at a time."""
    if any(g.coupled for g in terms):
        return sums and _columns(terms) == 1
    return _columns(terms) <= MOST_EFFECTS


def _columns(terms: tuple[Group, ...]) -> int:
    """Effects per level."""
    return sum(len(g.columns.names) for g in terms)


def _nested(terms: tuple[Group, ...], other: tuple[Group, ...]) -> bool:
    """Whether the levels of one of two factors are within those of the other."""
    return other[0].factor in terms[0].inside or terms[0].factor in other[0].inside
