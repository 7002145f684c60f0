"""Check: models that cannot be meant, and those that are likely to disappoint."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mix2stan.errors import FormulaError, Unsupported
from mix2stan.families import FAMILIES
from mix2stan.graph import Group, ModelGraph, note
from mix2stan.passes.columns import column_remarks
from mix2stan.passes.context import Context

__all__ = ["check"]

_FEW_LEVELS = 5
#: A column within this of the span of others is in it.
_ROUNDING = 1e-8
#: Structures that can make an effect differ from all others, as an error does; a smooth curve cannot.
_WITH_NOISE = ("scalar", "idv", "idh", "us", "cs", "corh")


def check(graph: ModelGraph, context: Context) -> ModelGraph:
    """Refuse a response that is its own group; remark on what the data cannot tell apart.

    Raises:
        FormulaError: if the response is a grouping factor, or a term of its own dispersion.
        Unsupported: for structured errors whose standard deviation has a predictor as well.
    """
    for group in graph.groups:
        if graph.response.expression in group.factor.variables:
            message = "a response cannot be its own grouping factor"
            raise FormulaError(message, span=group.span)
    for predictor in graph.predictors:
        for formula in predictor.population.columns.formulas:
            if graph.response.expression in context.data.terms(formula).variables:
                message = f"the response cannot be a term of its own {predictor.parameter}"
                raise FormulaError(message, span=formula.span)
    if graph.predictors and not graph.residual.plain:
        named = graph.predictors[0].parameter
        message = f"errors with a structure and a predictor of {named} cannot be expressed together"
        raise Unsupported(message, hint="either can")
    # errors that correlate are not those of a row alone
    residual = "sigma" in FAMILIES[graph.response.family].parameters
    residual = residual and graph.residual.correlation is None
    remarks = [
        r
        for group in graph.groups
        for r in _remarks(group, context.data.count, residual and not group.owner)
    ]
    further = (*_confounded(graph, context), *_without_mean(graph, context))
    return note(graph, *remarks, *further, *column_remarks(graph, context.data))


def _without_mean(graph: ModelGraph, context: Context) -> list[str]:
    """Slopes that vary around zero: the population has no such slope."""
    data, remarks = context.data, []
    X = data.matrix(graph.population.columns) if graph.population.columns.names else None
    for group in graph.groups_of(""):
        nodes = [v for f in group.columns.formulas for v in data.terms(f).variables]
        if any(data.is_factor(node) for node in nodes):
            continue
        for name, column in zip(group.columns.names, data.matrix(group.columns).T, strict=True):
            if name == "(Intercept)" or (X is not None and _spanned(column, X)):
                continue
            remarks.append(
                f"{name} varies by {group.factor} around 0: the population part has no {name}"
            )
    return remarks


def _spanned(column: NDArray[np.float64], X: NDArray[np.float64]) -> bool:
    """Whether a column is a combination of those of X."""
    rest = column - X @ np.linalg.lstsq(X, column, rcond=None)[0]
    return bool(np.linalg.norm(rest) <= _ROUNDING * np.linalg.norm(column))


def _confounded(graph: ModelGraph, context: Context) -> list[str]:
    """Effects that vary by the same groups of rows, whatever the factors are called."""
    by: dict[tuple[str, bytes, str, str], list[str]] = {}
    for group in graph.groups:
        if group.factor.levels == 1:
            continue
        if group.factor.signs:
            continue
        partition = _partition(context.data.grouping(group.factor).codes)
        # related levels differ from independent ones of the same rows
        known = str(group.factor.relationship or "")
        for name in group.columns.names:
            by.setdefault((group.owner, partition, known, name), []).append(str(group.factor))
    remarks: dict[str, None] = {}
    for (*_, name), factors in by.items():
        if len(factors) == 1:
            continue
        cannot = "the data cannot tell their variances apart"
        if len(set(factors)) == 1:
            remarks[f"{name} varies by {factors[0]} in {len(factors)} terms: {cannot}"] = None
        else:
            listed = " and ".join(dict.fromkeys(factors))
            remarks[f"{name} varies by {listed}, which are the same groups of rows: {cannot}"] = (
                None
            )
    return list(remarks)


def _partition(codes: NDArray[np.int64]) -> bytes:
    """The groups of rows, numbered as they are met: equal for factors that differ in names alone."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return np.asarray(rank[inverse], dtype=np.int64).tobytes()


def _remarks(group: Group, rows: int, residual: bool) -> list[str]:
    levels, effects = group.factor.levels, group.factor.levels * len(group.columns.names)
    if levels == 1 or group.coupled:
        return []
    if residual and levels == rows and group.columns.intercept_only:
        return []
    if residual and effects >= rows and group.covariance.kind in _WITH_NOISE:
        # lme4 stops here
        many = f"{group.factor} has {effects} effects for {rows} rows"
        return [f"{many}: its variances and sigma can hardly be told apart"]
    if levels < _FEW_LEVELS:
        return [f"{group.factor} has {levels} levels: its variance will be vague"]
    return []
