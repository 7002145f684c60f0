"""Several responses below each other: a row for each, as MCMCglmm and many scripts have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mix2stan.design.evaluate import Evaluation
from mix2stan.design.frame import Frame
from mix2stan.errors import FormulaError
from mix2stan.syntax import Node

__all__ = ["TRAIT", "UNIT", "stack"]

#: The factor of the responses, and that of the rows they came from: MCMCglmm's names.
TRAIT, UNIT = "trait", "units"


def stack(df: pd.DataFrame, responses: Sequence[Node], name: str) -> pd.DataFrame:
    """The data once for every response.

    Args:
        df: the data, shape (n, …).
        responses: numeric expressions of its columns, T of them.
        name: what the column of all responses is called.

    Returns:
        Shape (T n, …): the columns of ``df``, the responses under ``name`` (missing where they are),
        the factors ``trait`` and ``units``.  The first response comes first.

    Raises:
        FormulaError: if a response is a factor, or the data have a column ``trait``.
    """
    if TRAIT in df.columns:
        hint = "rename it: the responses of cbind() are the levels of 'trait'"
        raise FormulaError("the data have a column 'trait' already", hint=hint)
    evaluation = Evaluation(Frame.of(df))
    values = []
    for response in responses:
        column = evaluation.variable(response)
        if column.is_factor or column.values.ndim != 1:
            raise FormulaError(f"{response} is not numeric", span=response.span)
        values.append(column.numbers())
    rows, traits = np.arange(len(df)), len(responses)
    labels = [str(response) for response in responses]
    long = pd.concat([df] * traits, ignore_index=True)
    long[name] = np.concatenate(values)
    long[TRAIT] = pd.Categorical(np.repeat(labels, len(df)), labels)
    long[UNIT] = pd.Categorical(np.tile(rows + 1, traits))
    return long
