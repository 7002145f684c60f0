"""Effects that descend from each other: half from each of two parents, plus a part of their own.

With first and second the parents of i and d the variance of its own part,

    a_i = (a_first + a_second) / 2 + sqrt(d_i) z_i,

so ``K = T D T'`` with T known from the parents alone, and nothing of size n x n is needed (Henderson
1976; Quaas 1976).  In a phylogeny both parents are one node, and d is the length of the branch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mix2stan.errors import DataError

__all__ = ["Recursion", "in_generations"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Recursion:
    """Levels sorted by generation, so that parents come first.

    Attributes:
        levels: the names of all n, also of those without data.
        parents: the numbers of both parents, shape (n, 2); -1 for an unknown one.
        variances: of each level's own part, shape (n,).
        last: where each generation ends, as the number of levels up to there.
    """

    levels: tuple[str, ...]
    parents: Index
    variances: Array
    last: Index

    form = "recursion"

    def own(self, effects: Array) -> Array:
        """What is not inherited, in its standard deviations: independent, of shape (n,) or (n, q)."""
        padded = np.concatenate([effects, np.zeros_like(effects[:1])])
        own = effects - 0.5 * (padded[self.parents[:, 0]] + padded[self.parents[:, 1]])
        return np.asarray((own.T / np.sqrt(self.variances)).T)

    def spread(self, own: Array) -> Array:
        """The inverse of :meth:`own`: a root of K times what is given."""
        effects = np.concatenate([(own.T * np.sqrt(self.variances)).T, np.zeros_like(own[:1])])
        start = 0
        for stop in self.last.tolist():
            first, second = self.parents[start:stop].T
            effects[start:stop] += 0.5 * (effects[first] + effects[second])
            start = stop
        return np.asarray(effects[:-1])

    @property
    def log_det_root(self) -> float:
        """The log determinant of the root."""
        return float(np.sum(np.log(self.variances))) / 2

    def within(self, others: Sequence[str]) -> Recursion:
        """The same relationships in every level of another factor, independent between them."""
        m = len(others)
        levels = tuple(f"{a}:{b}" for a in self.levels for b in others)
        parents = np.repeat(self.parents, m, axis=0)
        place = np.tile(np.arange(m), len(self.levels))[:, None]
        parents = np.where(parents < 0, -1, parents * m + place)
        return Recursion(levels, parents, np.repeat(self.variances, m), self.last * m)


def in_generations(names: Sequence[str], parents: Index) -> tuple[Index, Index]:
    """An order in which parents come before their offspring, and where its generations end.

    Raises:
        DataError: if somebody is their own ancestor.
    """
    n = len(names)
    offspring: list[list[int]] = [[] for _ in range(n)]
    waiting = np.sum(parents >= 0, axis=1)
    for child, pair in enumerate(parents.tolist()):
        for parent in pair:
            if parent >= 0:
                offspring[parent].append(child)
    generation = np.zeros(n, dtype=np.int64)
    ready = deque(np.flatnonzero(waiting == 0).tolist())
    while ready:
        one = ready.popleft()
        for child in offspring[one]:
            generation[child] = max(generation[child], generation[one] + 1)
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(child)
    if waiting.any():
        raise DataError(f"{_loop(names, parents, waiting > 0)} are each other's ancestors")
    order = np.argsort(generation, kind="stable")
    return order, np.cumsum(np.bincount(generation)).astype(np.int64)


def _loop(names: Sequence[str], parents: Index, left: NDArray[np.bool_]) -> str:
    """The names on one loop: everyone left has a parent left, so going up comes round."""
    seen: list[int] = []
    one = int(np.flatnonzero(left)[0])
    while one not in seen:
        seen.append(one)
        one = next(p for p in parents[one].tolist() if p >= 0 and left[p])
    return ", ".join(names[i] for i in seen[seen.index(one) :])
