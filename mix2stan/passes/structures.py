"""Structures: whether a covariance structure fits the columns it is about."""

from __future__ import annotations

from mix2stan.covariances import COVARIANCES, constants_of
from mix2stan.errors import DataError, FormulaError
from mix2stan.graph import Group, ModelGraph
from mix2stan.passes.context import Context

__all__ = ["check_structures"]


def check_structures(graph: ModelGraph, context: Context) -> ModelGraph:
    """Refuse a structure that has no meaning for the number or the names of its columns.

    Raises:
        FormulaError: if there are too few columns, a number of the structure is out of range, or
            the columns have no coordinates.
    """
    for group in graph.groups:
        message = _mistake(group)
        if message is not None:
            raise FormulaError(message, span=group.span)
        try:
            constants_of(group)
        except DataError as error:
            raise FormulaError(error.message, span=group.span, hint=error.hint) from None
    return graph


def _mistake(group: Group) -> str | None:
    covariance, q = group.covariance, len(group.columns.names)
    row = COVARIANCES[covariance.kind]
    columns = "1 column" if q == 1 else f"{q} columns"
    if q < row.fewest:
        return f"{covariance.kind} has no meaning for {columns}: there is nothing to estimate"
    low, high = row.orders(q)
    if not low <= covariance.order <= high:
        return f"{row.number} has to be between {low} and {high} for {columns}: {covariance.order}"
    # with a number it is the block from that column on that is known
    known = q - max(covariance.order - 1, 0)
    many = known**2 if "known_root" in row.constants else q
    if covariance.variances and len(covariance.variances) != many:
        if "known_root" in row.constants:
            return f"V is not {q} x {q}, for {columns}"
        return f"there are {len(covariance.variances)} known variances for {columns}"
    return None
