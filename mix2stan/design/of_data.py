"""Functions of whole data frames in a call as the values they have: ``nrow(d)``."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mix2stan.design.data_verbs import evaluate_data
from mix2stan.design.gelman import gelman_prior
from mix2stan.errors import FormulaError
from mix2stan.syntax import Call, Node, Number, rewrite

__all__ = ["with_values"]

#: Functions that count, by the side of a frame that they count.
_COUNTS = {"nrow": 0, "NROW": 0, "ncol": 1, "NCOL": 1}


def with_values(node: Node, bound: Mapping[str, pd.DataFrame]) -> Node:
    """An expression with what it says of whole data frames computed.

    Args:
        node: the expression.
        bound: data frames by name.

    Raises:
        FormulaError: if ``gelman.prior()`` cannot be computed.
    """

    def value(inner: Node) -> Node:
        match inner:
            case Call(function="gelman.prior"):
                return gelman_prior(inner, bound)
            case Call(function=name, args=(data,)) if name in _COUNTS:
                try:
                    shape = evaluate_data(data.value, bound).shape
                except FormulaError:  # a column, say, which evaluation has its own words for
                    return inner
                return Number(float(shape[_COUNTS[name]]), span=inner.span)
        return inner

    return rewrite(node, value)
