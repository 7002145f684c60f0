"""From a data frame to R's model frame and model matrix, and again for new data.

The stages are R's: ``terms`` expands a formula, ``model_frame`` evaluates its variables and drops
incomplete rows, ``design`` decides the coding of every factor, and the resulting specification makes
the matrix, for the data it was made from or for others.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from narwhals.typing import IntoFrame

from mix2stan.design.alignment import align
from mix2stan.design.contrasts import CONTRASTS
from mix2stan.design.data_verbs import evaluate_data, rows_of_subset
from mix2stan.design.evaluate import Evaluation, unclear_time
from mix2stan.design.foreign import arrow_in_pandas, in_pandas, is_frame
from mix2stan.design.frame import Column, Frame
from mix2stan.design.grouping import Grouping, grouping, incidence
from mix2stan.design.matrix import DesignSpec, design, independent_columns, settings_of
from mix2stan.design.model_frame import ModelFrame, model_frame
from mix2stan.design.of_data import with_values
from mix2stan.design.stack import TRAIT, levels_of, of_every_trait, stack, trials_name
from mix2stan.design.tables import read_table
from mix2stan.design.terms import Term, Terms, product, terms, without_term
from mix2stan.errors import DataError, FormulaError
from mix2stan.parser import parse_expression

__all__ = [
    "CONTRASTS",
    "TRAIT",
    "Column",
    "DesignSpec",
    "Evaluation",
    "Frame",
    "Grouping",
    "ModelFrame",
    "Term",
    "Terms",
    "align",
    "arrow_in_pandas",
    "design",
    "evaluate_data",
    "grouping",
    "in_pandas",
    "incidence",
    "independent_columns",
    "is_frame",
    "levels_of",
    "model_frame",
    "model_matrix",
    "of_every_trait",
    "product",
    "read_table",
    "rows_of_subset",
    "settings_of",
    "stack",
    "terms",
    "trials_name",
    "unclear_time",
    "with_values",
    "without_term",
]


def model_matrix(
    formula: str, data: pd.DataFrame | IntoFrame, contrasts: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """R's ``model.matrix(formula, data)``.

    Args:
        formula: R text, such as ``"~ a * b + poly(x, 2)"``.
        data: the data frame, of pandas, polars or Arrow; rows with missing values are dropped.
        contrasts: contrast function by factor (``{"a": "contr.sum"}``); the keys ``"unordered"`` and
            ``"ordered"`` set the default, which is ``contr.treatment`` and ``contr.poly``.

    Returns:
        A row per complete row of the data, with its index; columns named as R names them.  As in R,
        unused levels of a factor keep their columns.

    Raises:
        FormulaError: if the formula cannot be read or does not fit the data.
        DataError: if the data are no data frame.

    >>> model_matrix("~ g + x", pd.DataFrame({"g": ["a", "b"], "x": [1.0, 2.0]})).columns.tolist()
    ['(Intercept)', 'gb', 'x']
    """
    if not is_frame(data):
        raise DataError(f"data has to be a data frame, not {type(data).__name__}")
    rows: pd.DataFrame = in_pandas(data)
    try:
        frame = Frame.of(rows)
        parts = terms(parse_expression(formula), columns=frame.names)
        wanted = dict.fromkeys((*parts.variables, *parts.offsets))
        variables = model_frame(tuple(wanted), frame, drop_levels=False)
        spec = design(parts, variables, contrasts)
    except FormulaError as error:
        raise error.at(formula) from None
    matrix = spec.matrix(variables)
    return pd.DataFrame(matrix, columns=list(spec.names), index=rows.index[variables.rows])
