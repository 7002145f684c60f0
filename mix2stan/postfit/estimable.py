"""Which rows the data of a fit say something of, where columns of its design were left out.

A column that is a combination of others is left out, so its coefficient is taken for zero.  That
changes no prediction of a row which is itself a combination of the rows of the fit; any other, such as
a cell without data of two crossed factors, could have been anything (emmeans' ``nonEst``).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mix2stan.families import free_thresholds
from mix2stan.graph import Columns, Predictor
from mix2stan.matrices import Data
from mix2stan.schema import Schema

__all__ = ["estimable"]

Array = NDArray[np.float64]

#: What is left over of a combination by rounding alone.
_ROUNDING = 1e-7


def estimable(
    schema: Schema, data: Data, predictors: Iterable[Predictor], less: Data | None = None
) -> NDArray[np.bool_]:
    """Whether the predictors of rows are combinations of those of the fit's rows, shape (n,).

    Args:
        schema: of the fit.
        data: the rows.
        predictors: those that are asked for.
        less: other rows, as many: it is asked of the differences to them.
    """
    good = np.ones(data.rows, dtype=bool)
    thresholds = free_thresholds(schema.graph)
    for predictor in predictors:
        columns = predictor.population.columns
        # thresholds take any constant
        constant = thresholds and not predictor.parameter
        names = schema.data.names(columns.formulas, columns.plain)
        kept = [name in columns.names for name in names]
        unasked = constant or not columns.constant
        gone = [
            not k and not (unasked and n == "(Intercept)") for k, n in zip(kept, names, strict=True)
        ]
        if not any(gone):
            continue
        fitted = _whole(schema.data, columns)
        base = _with_constant(fitted[:, kept], constant)
        combination = np.linalg.lstsq(base, fitted[:, gone], rcond=None)[0]
        rows = _whole(data, columns)
        asked = _with_constant(rows[:, kept], constant)
        if less is not None:
            other = _whole(less, columns)
            rows, asked = rows - other, asked - _with_constant(other[:, kept], constant)
        gap = np.abs(rows[:, gone] - asked @ combination)
        size = np.abs(rows[:, gone]) + np.abs(asked) @ np.abs(combination)
        good &= (gap <= _ROUNDING * np.maximum(size, 1.0)).all(axis=1)
    return good


def _whole(data: Data, columns: Columns) -> Array:
    """All columns of a design, those left out as well."""
    blocks = [data.spec(f, columns.plain).matrix(data.frame) for f in columns.formulas]
    return np.hstack(blocks)


def _with_constant(X: Array, constant: bool) -> Array:
    return np.column_stack([np.ones(len(X)), X]) if constant else X
