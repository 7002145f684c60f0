"""R's contrast matrices.

Sources: R's ``?contr.treatment`` and ``?contr.poly``; Chambers & Hastie (1992), chapter 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mix2stan.errors import FormulaError, suggestion

__all__ = ["CONTRASTS", "contrast_columns"]

Array = NDArray[np.float64]


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
    k = len(levels)
    scores = np.arange(1, k + 1, dtype=float)
    scores -= scores.mean()
    powers = np.vander(scores, k, increasing=True)
    Q, R = np.linalg.qr(powers)
    matrix = (Q * np.sign(np.diag(R)))[:, 1:]
    names = [".L", ".Q", ".C"][: k - 1] + [f"^{d}" for d in range(4, k)]
    return matrix, names


#: Contrast functions by R's name: from the levels to a matrix (levels x columns) and column names.
CONTRASTS: dict[str, Callable[[Sequence[str]], tuple[Array, list[str]]]] = {
    "contr.treatment": _treatment,
    "contr.sum": _sum,
    "contr.helmert": _helmert,
    "contr.poly": _poly,
    "contr.SAS": _sas,
}


def contrast_columns(levels: Sequence[str], kind: str | Array) -> tuple[Array, list[str]]:
    """The contrast matrix for some levels, and the names of its columns.

    Args:
        levels: k of them.
        kind: a contrast function's name, or a matrix of k rows.

    Raises:
        FormulaError: if there is no such function, or the matrix does not fit.
    """
    if isinstance(kind, str):
        name = kind if kind.startswith("contr.") else f"contr.{kind}"
        if name not in CONTRASTS:
            hint = suggestion(name, CONTRASTS, what="available")
            raise FormulaError(f"there is no contrast function {kind!r}", hint=hint)
        return CONTRASTS[name](levels)
    if kind.ndim != 2 or kind.shape[0] != len(levels):
        shape = "x".join(map(str, kind.shape))
        raise FormulaError(f"a {shape} contrast matrix does not fit {len(levels)} levels")
    return kind, [str(i + 1) for i in range(kind.shape[1])]
