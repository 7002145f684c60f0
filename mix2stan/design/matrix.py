"""R's model matrix: which factor is coded how, in which column, under which name.

The coding rule is that of R's ``model.matrix``: within a term, a factor is coded by contrasts if the
term without it is already in the model (is part of an earlier term, or is the intercept), and by a
dummy for each level otherwise (Chambers & Hastie 1992, section 2.4.1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mix2stan.counts import bounded
from mix2stan.design.contrast_calls import of_text
from mix2stan.design.contrasts import contrast_columns
from mix2stan.design.frame import Column
from mix2stan.design.model_frame import ModelFrame
from mix2stan.design.room import CELLS, COLUMNS, most_cells
from mix2stan.design.terms import Terms
from mix2stan.errors import FormulaError, visible
from mix2stan.syntax import Node

__all__ = ["DesignSpec", "design", "independent_columns", "settings_of"]

Array = NDArray[np.float64]
Contrasts = Mapping[str, str]

#: Columns that are orthogonalised together.
_BLOCK = 64

#: R's defaults.
R_CONTRASTS = {"unordered": "contr.treatment", "ordered": "contr.poly"}


@dataclass(frozen=True, eq=False)
class _Coding:
    """One variable within one term: the matrix that replaces a factor's codes, or None for numbers."""

    variable: Node
    matrix: Array | None
    labels: tuple[str, ...]

    def columns(self, frame: ModelFrame) -> Array:
        """Shape (n, number of labels)."""
        column = frame.column(self.variable)
        if self.matrix is None:
            return column.values.reshape(len(column), -1)
        return np.asarray(self.matrix[column.values])


@dataclass(frozen=True, eq=False)
class DesignSpec:
    """How to build the columns of a design from a model frame; holds for new data too.

    Attributes:
        intercept: whether the first column is the intercept.
        codings: for each term, the codings of its variables.
        names: R's column names.
        assign: for each column the number of its term, 0 for the intercept.
        indicator: what all columns are multiplied by, None for 1.
    """

    intercept: bool
    codings: tuple[tuple[_Coding, ...], ...]
    names: tuple[str, ...]
    assign: tuple[int, ...]
    indicator: Node | None = None

    def matrix(self, frame: ModelFrame) -> Array:
        """The design, shape (n, number of names)."""
        blocks = [np.ones((frame.n, 1))] if self.intercept else []
        blocks += [_product([c.columns(frame) for c in codings]) for codings in self.codings]
        whole = np.hstack(blocks) if blocks else np.zeros((frame.n, 0))
        if self.indicator is None:
            return whole
        return np.asarray(whole * frame.column(self.indicator).values[:, None])


def design(terms: Terms, frame: ModelFrame, contrasts: Contrasts | None = None) -> DesignSpec:
    """Decide the coding of every term.

    Args:
        terms: the expanded formula.
        frame: its variables.
        contrasts: contrast function by variable, by ``"unordered"`` and ``"ordered"`` the defaults,
            and by ``contrasts(f)`` those that a line before the call gave f.

    Raises:
        FormulaError: for a factor of one level that would need a contrast.
    """
    _check_size(terms, frame)
    chosen = {**R_CONTRASTS, **(contrasts or {})}
    sets = [frozenset(t.variables) for t in terms.terms]
    full = _first_factor(terms, frame) if not terms.intercept else None
    codings: list[tuple[_Coding, ...]] = []
    names = ["(Intercept)"] if terms.intercept else []
    assign = [0] if terms.intercept else []
    for number, term in enumerate(terms.terms):
        coded = tuple(
            _code(
                v,
                frame.column(v),
                chosen,
                dummies=(number, v) == full or not _marginal(sets, number, v),
            )
            for v in term.variables
        )
        codings.append(coded)
        labels = _product_names([c.labels for c in coded])
        names += labels
        assign += [number + 1] * len(labels)
    if terms.indicator is not None:
        names = [_indicated(name, str(terms.indicator)) for name in names]
    return DesignSpec(terms.intercept, tuple(codings), tuple(names), tuple(assign), terms.indicator)


def settings_of(contrasts: Contrasts) -> Contrasts:
    """The contrasts that lines before a call set, which hold for all its parts."""
    return {k: v for k, v in contrasts.items() if k in R_CONTRASTS or k.startswith("contrasts(")}


def _check_size(terms: Terms, frame: ModelFrame) -> None:
    """Refuse more columns than there can be, before any is made.

    Raises:
        FormulaError: pointing at the term that is too much.
    """
    columns = 0
    for term in terms.terms:
        own = [_width(frame.column(v)) for v in term.variables]
        columns += math.prod(own)
        span = term.variables[0].span.to(term.variables[-1].span)
        bounded(columns, COLUMNS, "columns of a design", span)
        cells = max(columns * frame.n, max(own) ** 2)
        bounded(cells, most_cells(frame.n), CELLS, span)


def _width(column: Column) -> int:
    """How many columns a variable may have in a design: those of its dummies, if it is a factor."""
    return len(column.levels) if column.is_factor else column.values[:1].size


def _marginal(sets: list[frozenset[Node]], number: int, variable: Node) -> bool:
    """Whether the term without the variable is empty, or part of an earlier term."""
    rest = sets[number] - {variable}
    return not rest or any(rest <= t for t in sets[:number])


def _first_factor(terms: Terms, frame: ModelFrame) -> tuple[int, Node] | None:
    """Without an intercept, the first factor of the first term that has one gets all its dummies."""
    for number, term in enumerate(terms.terms):
        for variable in term.variables:
            if frame.column(variable).is_factor:
                return number, variable
    return None


def _code(variable: Node, column: Column, contrasts: Contrasts, dummies: bool) -> _Coding:
    label = str(variable)
    if not column.is_factor:
        return _Coding(variable, None, tuple(label + sub for sub in _sub_labels(column)))
    if dummies:
        return _Coding(
            variable, np.eye(len(column.levels)), tuple(label + visible(v) for v in column.levels)
        )
    if len(column.levels) < 2:
        message = f"{label} has only one level, so it has no contrast"
        hint = "leave it out; the intercept stands for it"
        raise FormulaError(message, span=variable.span, hint=hint)
    default = contrasts["ordered" if column.kind == "ordered" else "unordered"]
    chosen = contrasts.get(label, contrasts.get(f"contrasts({label})"))
    if chosen is not None or column.contrasts is None:
        matrix, labels_of = of_text(column.levels, chosen or default)
    else:
        matrix, labels_of = contrast_columns(column.levels, column.contrasts, column.labels)
    return _Coding(variable, matrix, tuple(label + visible(v) for v in labels_of))


def _sub_labels(column: Column) -> tuple[str, ...]:
    """The names of a variable's columns: those of a matrix without names are numbers."""
    if column.labels or column.values.ndim == 1 or column.values.shape[1] == 1:
        return column.labels or ("",)
    return tuple(str(k + 1) for k in range(column.values.shape[1]))


def _indicated(name: str, indicator: str) -> str:
    """A column's name times an indicator: what R calls the interaction of the two."""
    return indicator if name == "(Intercept)" else f"{indicator}:{name}"


def _product(blocks: list[Array]) -> Array:
    """The columns of an interaction, the first variable's fastest."""
    result = blocks[0]
    for block in blocks[1:]:
        result = (block[:, :, None] * result[:, None, :]).reshape(len(block), -1)
    return result


def _product_names(labels: list[tuple[str, ...]]) -> list[str]:
    result = list(labels[0])
    for more in labels[1:]:
        result = [f"{a}:{b}" for b in more for a in result]
    return result


def independent_columns(X: Array, tolerance: float = 1e-7) -> list[int]:
    """The columns that R's ``qr`` keeps: each that is not a combination of kept ones before it.

    As LINPACK's ``dqrdc2`` does, a column goes if orthogonalising it leaves less than ``tolerance``
    of its length.

    Args:
        X: shape (n, K).
    """
    kept: list[int] = []
    basis = np.zeros((len(X), min(X.shape)), order="F")
    for first in range(0, X.shape[1], _BLOCK):
        block = X[:, first : first + _BLOCK]
        lengths = np.linalg.norm(block, axis=0)
        # all columns of a block at once take off what was kept before it, which is much faster
        rests = _without(basis[:, : len(kept)], block)
        before = len(kept)
        for k, length in enumerate(lengths):
            if len(kept) == len(X):
                return kept
            rest = _without(basis[:, before : len(kept)], rests[:, k])
            left = np.linalg.norm(rest)
            if length > 0 and left > tolerance * length:
                basis[:, len(kept)] = rest / left
                kept.append(first + k)
    return kept


def _without(basis: Array, columns: Array) -> Array:
    """What is left of columns outside the span of an orthonormal basis.

    Twice is enough (Giraud et al. 2005): once leaves rounding errors in the direction.
    """
    for _ in range(2):
        columns = columns - basis @ (basis.T @ columns)
    return columns
