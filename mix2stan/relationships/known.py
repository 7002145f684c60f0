"""Known covariance matrices with labels, or their inverses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.sparse.linalg import splu

from mix2stan.design.series import level_label
from mix2stan.errors import DataError

__all__ = ["Known", "KnownMatrix", "known_matrix"]

Array = NDArray[np.float64]

#: Difference between a matrix and its transpose, relative to its largest element.
_SYMMETRIC = 1e-8


@dataclass(frozen=True, eq=False)
class Known:
    """A known covariance among levels, or its inverse, to be given with the data.

    Attributes:
        matrix: an array or a scipy sparse matrix, shape (n, n).
        labels: the n levels, in the order of its rows.
        inverse: whether it is the inverse of the covariance, as MCMCglmm's ``ginverse``.

    >>> A = Known([[1.0, 0.5], [0.5, 1.0]], ["a", "b"])
    >>> df = pd.DataFrame({"y": [1.0, 2.0, 4.0], "g": ["a", "b", "a"]})
    >>> m2s.MCMCglmm("y ~ 1", random="~ g", ginverse={"g": A}, data=df).labels.groups[0].levels
    ('a', 'b')
    """

    matrix: Any
    labels: Sequence[Any]
    inverse: bool = False


@dataclass(frozen=True, eq=False)
class KnownMatrix:
    """A covariance matrix, or its inverse, that has been checked.

    Attributes:
        levels: the names of the rows.
        matrix: shape (n, n), sparse if it is an inverse.
        inverse: whether it is the inverse of the covariance.
    """

    levels: tuple[str, ...]
    matrix: Any
    inverse: bool

    form = "matrix"

    @cached_property
    def root(self) -> Array:
        """A matrix M with M M' the covariance, shape (n, n)."""
        if not self.inverse:
            return np.asarray(np.linalg.cholesky(self.matrix))
        lower = np.linalg.cholesky(self.matrix.toarray())
        return np.asarray(linalg.solve_triangular(lower, np.eye(len(lower)), lower=True).T)

    @cached_property
    def precision(self) -> sparse.coo_array:
        """The inverse of the covariance."""
        if self.inverse:
            return sparse.coo_array(self.matrix)
        whole = linalg.cho_solve((self.root, True), np.eye(len(self.levels)))
        return sparse.coo_array((whole + whole.T) / 2)

    def own(self, effects: Array) -> Array:
        """The inverse of the root times effects: independent, of shape (n,) or (n, q)."""
        return np.asarray(linalg.solve_triangular(self.root, effects, lower=not self.inverse))

    def spread(self, own: Array) -> Array:
        """The inverse of :meth:`own`."""
        return np.asarray(self.root @ own)

    @property
    def log_det_root(self) -> float:
        """The log determinant of the root."""
        return float(np.sum(np.log(np.diag(self.root))))

    def within(self, others: Sequence[str]) -> KnownMatrix:
        """The same covariance in every level of another factor, independent between them."""
        levels = tuple(f"{a}:{b}" for a in self.levels for b in others)
        if self.inverse:
            whole: Any = sparse.csc_array(sparse.kron(self.matrix, sparse.eye_array(len(others))))
        else:
            whole = np.kron(self.matrix, np.eye(len(others)))
        return KnownMatrix(levels, whole, self.inverse)


def known_matrix(given: Any, inverse: bool) -> KnownMatrix:
    """Check a matrix and its labels.

    Args:
        given: a data frame with equal row and column labels, or a :class:`Known`, which says itself
            what it is.
        inverse: whether a data frame is the inverse of the covariance.

    Raises:
        DataError: if it is neither, its labels differ or are there twice, or it is not symmetric or
            not positive definite.
    """
    if isinstance(given, pd.DataFrame):
        labels = _texts(given.index)
        columns = _texts(given.columns)
        if sorted(labels) != sorted(columns):
            odd = sorted(set(labels) ^ set(columns)) or sorted(labels)
            hint = "rows and columns of a covariance have the same labels"
            raise DataError(f"{odd[0]!r} is not both a row and a column of the matrix", hint=hint)
        _no_duplicates(labels)
        place = {label: i for i, label in enumerate(columns)}
        try:
            matrix: Any = given.to_numpy(dtype=float)[:, [place[label] for label in labels]]
        except (TypeError, ValueError):
            raise DataError("the matrix holds other things than numbers") from None
    elif isinstance(given, Known):
        labels, matrix, inverse = _texts(given.labels), given.matrix, given.inverse
        matrix = matrix if sparse.issparse(matrix) else np.asarray(matrix)
        _no_duplicates(labels)
    else:
        hint = "give a data frame with labels, or m2s.Known(matrix, labels, inverse=True)"
        raise DataError(f"a {type(given).__name__} has no labels", hint=hint)
    if matrix.shape != (len(labels), len(labels)):
        raise DataError(f"a matrix of shape {matrix.shape} for {len(labels)} labels")
    return KnownMatrix(labels, _definite(matrix, inverse), inverse)


def _texts(labels: Sequence[Any] | pd.Index) -> tuple[str, ...]:
    """Labels as the levels of a factor are named."""
    return tuple(level_label(label) for label in labels)


def _no_duplicates(labels: tuple[str, ...]) -> None:
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise DataError(f"the label {twice!r} is there twice")


def _definite(matrix: Any, inverse: bool) -> Any:
    """The matrix, symmetric to the last digit and positive definite; sparse if an inverse."""
    whole = sparse.csc_array(matrix, dtype=float)
    if not np.isfinite(whole.data).all():
        raise DataError("the matrix has missing or infinite values")
    largest = np.abs(whole.data).max(initial=0.0)
    if np.abs((whole - whole.T).data).max(initial=0.0) > _SYMMETRIC * largest:
        raise DataError("the matrix is not symmetric")
    whole = sparse.csc_array(0.5 * (whole + whole.T), dtype=float)
    if inverse:
        if not _pivots_positive(whole):
            raise _indefinite("the inverse covariance")
        return whole
    dense = whole.toarray()
    try:
        np.linalg.cholesky(dense)
    except np.linalg.LinAlgError:
        raise _indefinite("the covariance") from None
    return dense


def _pivots_positive(matrix: sparse.csc_array) -> bool:
    """Whether elimination without exchange of rows meets positive pivots only."""
    try:
        parts = splu(
            sparse.csc_matrix(matrix),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
    except RuntimeError:
        return False
    unmoved = np.array_equal(parts.perm_r, parts.perm_c)
    return bool(unmoved and (parts.U.diagonal() > 0).all())


def _indefinite(what: str) -> DataError:
    hint = "levels that determine each other, as identical twins do, have to be one level"
    return DataError(f"{what} is not positive definite", hint=hint)
