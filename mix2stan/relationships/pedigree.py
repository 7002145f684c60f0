"""Pedigrees: who descends from whom, and how much of each individual is its own.

The own part of an individual is Mendelian sampling; its variance depends on how inbred its parents
are.  Inbreeding coefficients by Meuwissen and Luo (1992), Genetics Selection Evolution 24, 305-313.
"""

from __future__ import annotations

import heapq

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.design import Frame
from mix2stan.errors import DataError
from mix2stan.relationships.recursion import Recursion, in_generations

__all__ = ["inbreeding", "pedigree"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: What the columns of a pedigree are called.
_COLUMNS = {
    "animal": ("animal", "id", "individual", "ind"),
    "sire": ("sire", "father"),
    "dam": ("dam", "mother"),
}
#: What other programs write for an unknown parent.
_UNKNOWN = ("0", "*", "-", "", "NA")


def pedigree(table: pd.DataFrame) -> Recursion:
    """Read a table with a row per individual: ``animal``, ``sire`` and ``dam``.

    The rows may be in any order.  Unknown parents are missing values; parents without a row of their
    own are founders.

    Raises:
        DataError: if a column is missing, an individual has two rows, is both a sire and a dam, or is
            its own ancestor.
    """
    animals, sires, dams = (_names(table, role) for role in _COLUMNS)
    for i, name in enumerate(animals):
        if name is None:
            raise DataError(f"row {i + 1} of the pedigree has no animal")
    own = [name for name in animals if name is not None]
    if len(set(own)) < len(own):
        twice = next(name for name in own if own.count(name) > 1)
        raise DataError(f"{twice!r} has more than one row in the pedigree")
    both = {s for s in sires if s is not None} & {d for d in dams if d is not None}
    if both:
        raise DataError(f"{_listed(both)} appear both as sire and as dam")
    listed = set(own)
    founders = dict.fromkeys(
        p for pair in zip(sires, dams, strict=True) for p in pair if p is not None
    )
    founders = {p: None for p in founders if p not in listed}
    for name in founders:
        if name in _UNKNOWN:
            hint = "unknown parents are missing values, as in sire = None"
            raise DataError(f"the parent {name!r} has no row of its own", hint=hint)
    names = [*founders, *own]
    place = {name: i for i, name in enumerate(names)}
    parents = np.full((len(names), 2), -1, dtype=np.int64)
    for k, column in enumerate((sires, dams)):
        parents[len(founders) :, k] = [-1 if p is None else place[p] for p in column]
    order, last = in_generations(names, parents)
    rank = np.empty(len(order) + 1, dtype=np.int64)
    rank[order], rank[-1] = np.arange(len(order)), -1
    parents = rank[parents[order]]
    F = inbreeding(parents)
    return Recursion(tuple(names[i] for i in order), parents, _own_variances(parents, F), last)


def _names(table: pd.DataFrame, role: str) -> list[str | None]:
    """A column as names, None where missing."""
    known = [c for c in table.columns if str(c).lower() in _COLUMNS[role]]
    if not known:
        others = ", ".join(map(str, table.columns)) or "none"
        hint = f"a pedigree has the columns animal, sire and dam; this table has {others}"
        raise DataError(f"the pedigree has no column {role!r}", hint=hint)
    column = Frame.of(table[[known[0]]]).columns[str(known[0])].as_factor()
    return [None if code < 0 else column.levels[code] for code in column.values.tolist()]


def _listed(names: set[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} others" if len(shown) > 5 else "")


def _own_variances(parents: Index, F: Array) -> Array:
    """Variances of Mendelian sampling: 1 less a quarter of (1 + F) for each known parent."""
    known = np.where(parents >= 0, 1 + F[parents], 0.0)
    return np.asarray(1 - known.sum(axis=1) / 4)


def inbreeding(parents: Index) -> Array:
    """Inbreeding coefficients of individuals whose parents come before them, shape (n,).

    The diagonal of A is the sum of squares of a row of T sqrt(D), which only ancestors are in; they are
    met from the youngest to the oldest.  Full sibs are as inbred as each other.
    """
    n = len(parents)
    F, own = np.zeros(n), np.ones(n)
    pairs = parents.tolist()
    known: dict[tuple[int, int], float] = {}
    for i, (first, second) in enumerate(pairs):
        own[i] = 1 - sum((1 + F[p]) / 4 for p in (first, second) if p >= 0)
        if first < 0 or second < 0:
            continue
        if (first, second) not in known:
            known[first, second] = _diagonal(i, pairs, own) - 1
        F[i] = known[first, second]
    return F


def _diagonal(i: int, pairs: list[list[int]], own: Array) -> float:
    """The i-th diagonal element of T D T'."""
    shares = {i: 1.0}
    queue = [-i]
    total = 0.0
    while queue:
        one = -heapq.heappop(queue)
        share = shares.pop(one)
        total += share * share * float(own[one])
        for parent in pairs[one]:
            if parent < 0:
                continue
            if parent not in shares:
                heapq.heappush(queue, -parent)
            shares[parent] = shares.get(parent, 0.0) + share / 2
    return total
