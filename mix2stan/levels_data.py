"""Every level's rows rotated: what effects have a part in, and the rest.

The columns Z of a level are U T, U with orthonormal columns and T a triangle.  Of the rotated rows U'R
of any other columns R, q hold all that the level's q effects have a part in, and what is left,
R - U U'R, has none: its products are constant.  So what a program adds up are positive terms, and
nothing cancels however large effects are beside the errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["RotatedLevels", "dense_array", "rotate", "rotate_related"]

Array = NDArray[np.float64]
#: A column whose part that is new to a level is less than this is one of those before it.
_DEPENDENT = 1e-13
#: Numbers of the rows that are made dense at a time.
_NUMBERS = 2**23


def dense_array(values: Any) -> Array:
    """A matrix, sparse or not, as an array."""
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)


@dataclass(frozen=True)
class RotatedLevels:
    """The columns of J levels, rotated.

    Attributes:
        members: U of every effect, shape (J, N) each, a column of it for every level.
        triangles: T of every level, by (k, l) with k <= l, shape (J,) each.
    """

    members: tuple[Any, ...]
    triangles: dict[tuple[int, int], Array]

    def rows(self, R: Any) -> list[Array]:
        """The rotated rows of other columns, (N, m), by effect, shape (J, m) each."""
        return [dense_array(member @ R) for member in self.members]

    def rest(self, R: Any, rows: list[Array], part: slice = slice(None)) -> Array:
        """What no effect has a part in of some rows, R - U U'R, shape (n, m)."""
        left = dense_array(R[part])
        for member, one in zip(self.members, rows, strict=True):
            left = left - member[:, part].T @ one
        return left

    def products_of_rest(self, R: Any, rows: list[Array]) -> Array:
        """The products of that, shape (m, m), of a part of the rows at a time."""
        n, m = R.shape
        total, step = np.zeros((m, m)), max(1, _NUMBERS // m)
        for start in range(0, n, step):
            left = self.rest(R, rows, slice(start, start + step))
            total += left.T @ left
        return total


def rotate(codes: NDArray[np.int64], levels: int, Z: Array) -> RotatedLevels:
    """The rotation of levels that rows are in.

    Args:
        codes: every row's level from 0 on, shape (N,).
        levels: how many there are.
        Z: the columns, shape (N, q).
    """
    units: list[Array] = []
    triangles: dict[tuple[int, int], Array] = {}

    def sums(values: Array) -> Array:
        return np.asarray(np.bincount(codes, values, levels), dtype=float)

    for k, column in enumerate(Z.T):
        new, size = np.array(column, dtype=float), np.sqrt(sums(column**2))
        for i in range(k):
            triangles[i, k] = np.zeros(levels)
        # twice, as the first time leaves rounding of what was taken off
        for _ in range(2):
            for i, unit in enumerate(units):
                part = sums(unit * new)
                triangles[i, k] += part
                new -= unit * part[codes]
        length = np.sqrt(sums(new**2))
        length[length <= _DEPENDENT * size] = 0.0
        triangles[k, k] = length
        units.append(new * np.divide(1.0, length, out=np.zeros(levels), where=length > 0)[codes])
    n = np.arange(len(codes))
    members = (sparse.csc_array((u, (codes, n)), (levels, len(codes))) for u in units)
    return RotatedLevels(tuple(members), triangles)


def rotate_related(design: Any, root: Array, squares: Array) -> RotatedLevels:
    """The same of effects of one column that are independent once they are turned.

    Args:
        design: the column of every level, shape (N, J).
        root: by which independent effects become those of the levels, shape (J, J).
        squares: the sums of squares of the columns of the design times the root, which are
            orthogonal, shape (J,).
    """
    length = np.sqrt(np.where(squares > _DEPENDENT * squares.max(initial=0.0), squares, 0.0))
    inverse = np.divide(1.0, length, out=np.zeros(len(length)), where=length > 0)
    turned = sparse.csr_array(design) @ (root * inverse)
    return RotatedLevels((np.ascontiguousarray(turned.T),), {(0, 0): length})
