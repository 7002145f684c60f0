"""Grouping factors and the incidence matrices of random terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from mix2stan.design.model_frame import ModelFrame
from mix2stan.syntax import Node, String

__all__ = ["Grouping", "grouping", "incidence"]


@dataclass(frozen=True, eq=False)
class Grouping:
    """The level of every row.

    Attributes:
        codes: shape (n,), counted from 0.
        levels: names of the levels that have rows, ``"a:b"`` for combinations; no two are called
            the same.
        parts: of combinations the level of each factor, which says what a level is: ``a:b`` and ``c``
            are called as ``a`` and ``b:c`` are.
    """

    codes: NDArray[np.int64]
    levels: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...] = ()

    def within(self, outer: Grouping) -> bool:
        """Whether the rows of every level are in one level of another factor."""
        pairs = np.unique(self.codes.astype(np.int64) * len(outer.levels) + outer.codes)
        return len(pairs) == len(np.unique(self.codes))


def grouping(
    variables: Sequence[Node],
    frame: ModelFrame,
    order: Literal["first_slowest", "first_fastest"] = "first_slowest",
    known: Grouping | None = None,
) -> Grouping:
    """One factor, or the combinations of several that have rows.

    Args:
        variables: the factors; numbers are treated as factors.
        order: which of several factors varies slowest in the list of levels.
        known: the same factors on other rows, whose combinations keep their names.
    """
    factors = [frame.column(v).as_factor() for v in variables]
    if order == "first_fastest":
        factors = factors[::-1]
    codes = factors[0].values
    for factor in factors[1:]:
        codes = codes * len(factor.levels) + factor.values
    used, codes = np.unique(codes, return_inverse=True)
    sizes = [len(f.levels) for f in factors]
    parts = np.unravel_index(used, sizes)
    columns = [[f.levels[i] for i in p.tolist()] for f, p in zip(factors, parts, strict=True)]
    if order == "first_fastest":
        columns = columns[::-1]
    found = tuple(zip(*columns, strict=True))
    if len(factors) == 1:
        return Grouping(codes.astype(np.int64), tuple(level for (level,) in found))
    before = {} if known is None else dict(zip(known.parts, known.levels, strict=False))
    return Grouping(codes.astype(np.int64), _named(found, before), found)


def _named(
    found: Sequence[tuple[str, ...]], known: Mapping[tuple[str, ...], str]
) -> tuple[str, ...]:
    """``a:b``; quotes where another combination would be called the same."""
    called = Counter(":".join(parts) for parts in found if parts not in known)
    called.update(known.values())
    names = []
    for parts in found:
        name = ":".join(parts)
        if parts in known:
            name = known[parts]
        elif called[name] > 1:
            name = ":".join(str(String(p)) if ":" in p or '"' in p else p for p in parts)
        names.append(name)
    return tuple(names)


def incidence(groups: Grouping, columns: NDArray[np.float64]) -> sparse.csr_matrix:
    """Z of one term: shape (n, J q), level by level, zeros not stored.

    Args:
        groups: the level of every row; J levels.
        columns: the design within a level, shape (n, q).
    """
    n, q = columns.shape
    place = groups.codes[:, None] * q + np.arange(q)
    shape = (n, len(groups.levels) * q)
    rows = np.repeat(np.arange(n), q)
    Z = sparse.csr_matrix((columns.ravel(), (rows, place.ravel())), shape=shape)
    Z.eliminate_zeros()
    return Z
