"""What the compiler knows of a covariance structure, and the parts that rows are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mix2stan.covariances.symbols import FREE, Symbols

__all__ = [
    "CHOLESKY",
    "SD",
    "SDS",
    "Array",
    "CovarianceRow",
    "Parameter",
    "Values",
    "correlations",
    "lower_root",
    "standard_deviations",
]

Array = NDArray[np.float64]
Values = Mapping[str, Any]


def _names(names: tuple[str, ...], order: int) -> tuple[str, ...]:
    return names


@dataclass(frozen=True)
class Parameter:
    """A block of parameters; its Stan name is ``name`` and the term's identifier.

    Attributes:
        name: ``sd``, ``L``, ``rho`` and so on.
        shape: a ``real``, a ``vector``, or ``L``, the Cholesky factor of a correlation matrix.
        size: length of the vector or rows of L, from the number of columns and the order.
        density: its default prior: ``sd`` for that of standard deviations, which a set of priors
            decides, else a row of the densities.
        slots: the numbers of that density, from the constants of the structure.
        start: where chains start, from the constants; at the size of the effects if None.
        labels: what the elements of a vector are called, from the column names and the order.
        words: what it is.
        signed: whether what has the prior of standard deviations can be negative.
    """

    name: str
    shape: Literal["real", "vector", "L"]
    size: Callable[[int, int], int] = lambda q, order: 1
    density: str = "sd"
    slots: Callable[[Values], dict[str, float]] = lambda constants: {}
    start: Callable[[Values], float] | None = None
    labels: Callable[[tuple[str, ...], int], tuple[str, ...]] = _names
    words: str = ""
    signed: bool = False

    def free(self, q: int, order: int) -> int:
        """The number of free values."""
        n = self.size(q, order)
        return n * (n - 1) // 2 if self.shape == "L" else n


@dataclass(frozen=True)
class CovarianceRow:
    """One structure for ``q`` columns.

    Attributes:
        title: what it is, in words.
        template: the macros under ``stan_templates/covariances/``.
        parameters: its blocks of parameters, in the order of their declaration.
        sds: how the standard deviations of the columns are found among the draws: ``one`` for all,
            ``each`` its own, or ``known`` and not drawn.
        correlated: whether the columns are correlated, so that draws have a correlation matrix R
            and the root of the covariance has elements below its diagonal.
        matrix: the q x q covariance from q, the order, and one draw of the parameters together with
            the constants, by name without the term's identifier.
        solve: the inverse: parameters from q, the order, a covariance and the constants.
        constants: data of the structure: coordinates, known variances.
        functions: the templates of the Stan functions it needs.
        same_as: the kind that is the same model for this q and order, None if it is itself.
        fewest: the least q it has a meaning for.
        orders: the least and the greatest order for q columns; ``number`` is what it is called.
        sequence: what follows each other in it, so that the order means something: any ``columns``,
            or the ``levels`` of one factor.
        rank: columns of the root that are not zero, from q and the order.
        symbols: its entries as they are printed.
    """

    title: str
    template: str
    parameters: tuple[Parameter, ...]
    sds: Literal["one", "each", "known"]
    correlated: bool
    matrix: Callable[[int, int, Values], Array]
    solve: Callable[[int, int, Array, Values], dict[str, Any]]
    constants: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    same_as: Callable[[int, int], str | None] = lambda q, order: None
    fewest: int = 1
    orders: Callable[[int], tuple[int, int]] = lambda q: (0, 0)
    number: str = ""
    sequence: Literal["", "columns", "levels"] = ""
    rank: Callable[[int, int], int] = lambda q, order: q
    symbols: Symbols = FREE

    def count(self, q: int, order: int = 0) -> int:
        """The number of free parameters for q columns."""
        return sum(p.free(q, order) for p in self.parameters)

    def parameter(self, name: str) -> Parameter | None:
        """The block of that name."""
        return next((p for p in self.parameters if p.name == name), None)


#: One standard deviation for all columns.
SD = Parameter("sd", "real", words="standard deviation")
#: A standard deviation per column.
SDS = Parameter("sd", "vector", lambda q, order: q, words="standard deviations")
#: The Cholesky factor of a free correlation matrix.
CHOLESKY = Parameter(
    "L", "L", lambda q, order: q, "lkj", words="Cholesky factor of the correlation matrix"
)


def standard_deviations(covariance: Array) -> Array:
    """The square roots of the diagonal, shape (q,)."""
    return np.asarray(np.sqrt(np.diag(covariance)))


def correlations(covariance: Array) -> Array:
    """The correlation matrix of a covariance; uncorrelated where a variance is zero."""
    sd = standard_deviations(covariance)
    scale = np.where(sd > 0, sd, 1.0)
    R = np.asarray(covariance / np.outer(scale, scale))
    np.fill_diagonal(R, 1.0)
    return R


def lower_root(covariance: Array, rank: int) -> Array:
    """The root with zeros above its diagonal, q x rank, of a covariance of that rank or less."""
    squares, axes = np.linalg.eigh(covariance)
    kept = np.argsort(squares)[::-1][:rank]
    root = axes[:, kept] * np.sqrt(np.maximum(squares[kept], 0.0))
    lower = np.asarray(np.linalg.qr(root.T, mode="r")).T
    return np.asarray(lower * np.where(np.diag(lower) < 0, -1.0, 1.0))
