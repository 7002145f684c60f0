"""Effects: a term that takes the residual's place has an effect for every row, and only one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mix2stan.errors import FormulaError, Span
from mix2stan.graph import ErrorCorrelation, ModelGraph
from mix2stan.passes.context import Context

__all__ = ["take_effects"]


def take_effects(graph: ModelGraph, context: Context) -> ModelGraph:
    """Check that the rows have an effect each, now that they are known.

    Raises:
        FormulaError: if rows share an effect, or what should be a factor is none.
    """
    factor, correlation = graph.residual.effects, graph.residual.correlation
    if factor is None:
        return graph
    span = correlation.span if correlation is not None else factor.variables[0].span
    place = factor.variables[0]
    if len(factor.variables) > 1 and not context.data.frame.column(place).is_factor:
        message = f"{place} is a number, and has no levels to have effects"
        raise FormulaError(message, span=place.span, hint=f"write factor({place})")
    _check_alone(context.data.grouping(factor).codes, str(factor), span)
    if correlation is not None and correlation.kind == "corARMA":
        correlation = _of_all_lags(correlation, context)
    residual = replace(graph.residual, effects=None, correlation=correlation)
    return replace(graph, residual=residual)


def _check_alone(codes: np.ndarray, name: str, span: Span) -> None:
    _, counts = np.unique(codes, return_counts=True)
    if counts.max() > 1:
        message = f"rows share an effect of {name}, and without a residual would be equal"
        hint = "dispformula = ~ 1 estimates a residual beside the effects"
        raise FormulaError(message, span=span, hint=hint)


def _of_all_lags(correlation: ErrorCorrelation, context: Context) -> ErrorCorrelation:
    """An autoregression of as many coefficients as there are lags: any correlations by lag."""
    (covariate,) = correlation.covariates
    lags = int(np.ptp(context.data.vector(covariate)))
    if lags < 2:
        return replace(correlation, kind="corAR1")
    return replace(correlation, orders=(lags, 0))
