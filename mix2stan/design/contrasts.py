"""R's contrast matrices.

Sources: R's ``?contr.treatment``, ``?contr.poly`` and ``?contrasts``, MASS's ``?contr.sdif``; Chambers
& Hastie (1992), chapter 2.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mix2stan.counts import bounded
from mix2stan.errors import FormulaError, suggestion

__all__ = ["CONTRASTS", "completed", "contrast_columns", "contrast_name", "poly_contrasts"]

Array = NDArray[np.float64]

#: R's contr.poly() makes no more.
_MOST_SCORES = 95


def _treatment(levels: Sequence[str]) -> tuple[Array, list[str]]:
    return np.eye(len(levels))[:, 1:], list(levels[1:])


def _sas(levels: Sequence[str]) -> tuple[Array, list[str]]:
    return np.eye(len(levels))[:, :-1], list(levels[:-1])


def _sum(levels: Sequence[str]) -> tuple[Array, list[str]]:
    k = len(levels)
    matrix = np.vstack([np.eye(k - 1), -np.ones((1, k - 1))])
    return matrix, [str(i + 1) for i in range(k - 1)]


def _helmert(levels: Sequence[str]) -> tuple[Array, list[str]]:
    k = len(levels)
    matrix = np.zeros((k, k - 1))
    for j in range(k - 1):
        matrix[: j + 1, j] = -1.0
        matrix[j + 1, j] = j + 1.0
    return matrix, [str(i + 1) for i in range(k - 1)]


def _poly(levels: Sequence[str]) -> tuple[Array, list[str]]:
    return poly_contrasts(np.arange(1, len(levels) + 1, dtype=float))


def _differences(levels: Sequence[str]) -> tuple[Array, list[str]]:
    """MASS's: each level less the one before it."""
    k = len(levels)
    steps = np.arange(1, k, dtype=float)
    matrix = np.where(np.arange(k)[:, None] < steps, steps - k, steps) / k
    return matrix, [f"{b}-{a}" for a, b in itertools.pairwise(levels)]


#: Contrast functions by R's name: from the levels to a matrix (levels x columns) and column names.
CONTRASTS: dict[str, Callable[[Sequence[str]], tuple[Array, list[str]]]] = {
    "contr.treatment": _treatment,
    "contr.sum": _sum,
    "contr.helmert": _helmert,
    "contr.poly": _poly,
    "contr.SAS": _sas,
    "contr.sdif": _differences,
}


def contrast_columns(
    levels: Sequence[str], kind: str | Array, labels: Sequence[str] = ()
) -> tuple[Array, list[str]]:
    """The contrast matrix for some levels, and the names of its columns.

    Args:
        levels: k of them.
        kind: a contrast function's name, or a matrix of k rows.
        labels: the names of a matrix's columns; none are numbers.

    Raises:
        FormulaError: if there is no such function, or the matrix does not fit.
    """
    if isinstance(kind, str):
        return CONTRASTS[contrast_name(kind)](levels)
    if kind.ndim != 2 or kind.shape[0] != len(levels):
        shape = "x".join(map(str, kind.shape))
        raise FormulaError(f"a {shape} contrast matrix does not fit {len(levels)} levels")
    return kind, list(labels) or [str(i + 1) for i in range(kind.shape[1])]


def contrast_name(kind: str) -> str:
    """The full name of a contrast function: ``sum`` is ``contr.sum``.

    Raises:
        FormulaError: if there is no such function.
    """
    name = kind if kind.startswith("contr.") else f"contr.{kind}"
    if name not in CONTRASTS:
        hint = suggestion(name, CONTRASTS, what="available")
        raise FormulaError(f"there is no contrast function {kind!r}", hint=hint)
    return name


def poly_contrasts(scores: Array) -> tuple[Array, list[str]]:
    """Orthonormal polynomials of levels that stand at ``scores``, shape (k,)."""
    k = len(scores)
    # as in R: beyond, powers cannot be told apart
    bounded(k, _MOST_SCORES, "levels of orthogonal polynomials")
    powers = np.vander(scores - scores.mean(), k, increasing=True)
    Q, R = np.linalg.qr(powers)
    matrix = (Q * np.sign(np.diag(R)))[:, 1:]
    names = [".L", ".Q", ".C"][: k - 1] + [f"^{d}" for d in range(4, k)]
    return matrix, names


def completed(matrix: Array) -> Array:
    """As many columns as k levels have contrasts: R adds ones orthogonal to those that are there.

    Args:
        matrix: shape (k, columns).

    Raises:
        FormulaError: if its columns and a constant are not independent.
    """
    k, columns = matrix.shape
    if columns >= k - 1:
        return matrix[:, : k - 1]
    whole = np.column_stack([np.ones(k), matrix])
    if np.linalg.matrix_rank(whole) < columns + 1:
        raise FormulaError("the contrasts are not independent of each other and of a constant")
    Q, _ = np.linalg.qr(whole, mode="complete")
    return np.column_stack([matrix, Q[:, columns + 1 :]])
