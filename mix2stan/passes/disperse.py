"""Disperse: a formula of the log standard deviation as a product of variance functions.

What is added to a logarithm multiplies, so ``~ f + x`` is a standard deviation per level of f
(``varIdent``) times an exponential in x (``varExp``).  That is the same model as nlme's, whatever the
scale of the coefficients: glmmTMB reports those of log(sigma^2).  What is no such product (offsets,
products of numbers, no intercept) is a predictor of sigma instead, and sampled.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.design import Terms
from mix2stan.errors import FormulaError
from mix2stan.families import PARAMETERS
from mix2stan.graph import (
    Columns,
    Factor,
    ModelGraph,
    Population,
    Predictor,
    Residual,
    VarianceFunction,
)
from mix2stan.passes.context import Context
from mix2stan.passes.priors import named_set
from mix2stan.syntax import NOWHERE, Node

__all__ = ["disperse"]

#: The factors and the numbers of a term.
_Split = tuple[frozenset[Node], frozenset[Node]]


def disperse(graph: ModelGraph, context: Context) -> ModelGraph:
    """Read the dispersion formula, now that it is known which of its variables are factors.

    Raises:
        FormulaError: if the response is one of its variables.
    """
    formula = graph.residual.dispersion
    if formula is None:
        return graph
    parts = context.data.terms(formula)
    if graph.response.expression in parts.variables:
        message = "the response cannot be a term of its own dispersion"
        raise FormulaError(message, span=formula.span)
    spaces = None if parts.offsets else _spaces(parts, context)
    multiplied = spaces is not None and (parts.intercept or any(f and not x for f, x in spaces))
    # brms has priors of the logarithm's coefficients
    apart = named_set(graph, context) == "brms"
    if spaces is None or not multiplied or apart:
        population = Population(Columns((formula,)), parts.offsets)
        predictor = Predictor("sigma", PARAMETERS["sigma"].links[0], population)
        residual = replace(graph.residual, dispersion=None)
        predictors = (*graph.predictors, predictor)
        return replace(graph, residual=residual, predictors=predictors, apart=multiplied)
    order = {v: i for i, v in enumerate(parts.variables)}
    functions = [
        _function(sorted(factors, key=order.__getitem__), next(iter(numbers), None))
        for factors, numbers in spaces
    ]
    # the order of a product does not matter: equal models have equal graphs
    variances = (*graph.residual.variances, *functions)
    ordered = tuple(sorted(variances, key=str))
    return replace(graph, residual=Residual(ordered, graph.residual.correlation))


def _spaces(parts: Terms, context: Context) -> list[_Split] | None:
    """The terms without those that others contain: ``f + f:g`` is a value per cell of f and g.

    None if they are no variance functions, or the data cannot tell them apart.

    R codes a term so that it completes what is there, hence only the spaces that the terms span
    matter, not how they are written.
    """
    found: list[_Split] = []
    for term in parts.terms:
        factors = frozenset(v for v in term.variables if context.data.frame.column(v).is_factor)
        numbers = frozenset(term.variables) - factors
        if len(numbers) > 1 or any(context.data.frame.column(n).values.ndim > 1 for n in numbers):
            return None
        found.append((factors, numbers))
    largest = [a for a in found if not any(a[1] == b[1] and a[0] < b[0] for b in found)]
    columns = np.hstack([np.ones((context.data.rows, 1))] + [_columns(s, context) for s in largest])
    lengths = np.linalg.norm(columns, axis=0)
    rank = np.linalg.matrix_rank(columns / np.where(lengths > 0, lengths, 1))
    return largest if rank == columns.shape[1] else None


def _columns(space: _Split, context: Context) -> NDArray[np.float64]:
    """What the parameters of the variance function are about, shape (N, number of them)."""
    factors, numbers = space
    cells = np.ones((context.data.rows, 1))
    if factors:
        codes = context.data.grouping(Factor(tuple(sorted(factors, key=str)))).codes
        # without a number the first cell is the reference
        cells = np.eye(int(codes.max()) + 1)[codes][:, 0 if numbers else 1 :]
    for number in numbers:
        cells = cells * context.data.vector(number)[:, None]
    return cells


def _function(factors: list[Node], number: Node | None) -> VarianceFunction:
    strata = Factor(tuple(factors)) if factors else None
    span = (number or factors[0]).span if number or factors else NOWHERE
    kind = "varIdent" if number is None else "varExp"
    return VarianceFunction(kind, number, strata, span=span)
