"""The variables of a lowered model evaluated on a data frame: where formulas meet rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.design import Column, Evaluation, Frame, model_frame, rows_of_subset, terms
from mix2stan.errors import DataError, FormulaError, nearest
from mix2stan.graph import UNITS, Group, ModelGraph
from mix2stan.matrices import Data
from mix2stan.syntax import Formula, Name, Node, Number

__all__ = ["bind", "variables_of"]

#: brms' code of an interval as a number.
_INTERVAL = 2.0


def bind(
    graph: ModelGraph,
    df: pd.DataFrame,
    na_action: str,
    contrasts: Mapping[str, str],
    given: Mapping[str, Any] | None = None,
    subset: Node | None = None,
    complete_first: bool = False,
) -> Data:
    """Evaluate the variables of a lowered graph on a data frame.

    As in R's ``model.frame`` they are evaluated on all rows; then those of ``subset`` are kept, and
    of these the ones with a missing value in any variable dropped, as ``na_action`` says; ``given`` is
    what was given besides the rows, by name.  With ``complete_first`` incomplete rows go before all
    that.
    """
    names = Frame.of(df).names
    models = [member.graph for member in graph.members] or [graph]
    frame = Frame.of(_with_units(models, df))
    keep = None if subset is None else rows_of_subset(subset, frame)
    wanted: dict[Node, None] = {}
    unbounded: tuple[Node, ...] = ()
    ends: dict[Node, tuple[Node, Callable[[Column], NDArray[np.bool_]]]] = {}
    for one in models:
        _check_terms(one, frame, keep)
        wanted |= dict.fromkeys((*variables_of(one, names), *_removed(one, names, frame)))
        # an interval without a second end goes on for ever
        if one.response.censoring is not None:
            known = one.response.censoring.variables()
            unbounded = (*unbounded, one.response.expression, *known)
            if one.response.censoring.upper is not None and one.response.censoring.code is not None:
                ends[one.response.censoring.upper] = (one.response.censoring.code, _is_interval)
    model = model_frame(
        tuple(wanted),
        frame,
        na_action=na_action,
        unbounded=unbounded,
        needed={node: by for node, by in ends.items() if node not in _elsewhere(models, names)},
        keep=keep,
        complete_first=complete_first,
    )
    row_names = df.index[model.rows]
    return Data(model, names, graph.response.expression, contrasts, frame, given, row_names)


def _elsewhere(models: Sequence[ModelGraph], names: Sequence[str]) -> set[Node]:
    """The variables of models without what says where intervals end."""
    found: set[Node] = set()
    for one in models:
        plain = replace(one, response=replace(one.response, censoring=None))
        found |= set(variables_of(plain, names))
    return found


def _is_interval(code: Column) -> NDArray[np.bool_]:
    """The rows that brms' codes say are known to be in an interval: they need its end."""
    if code.kind not in ("factor", "ordered"):
        return np.asarray(code.numbers() == _INTERVAL)
    # the last is that of a missing code
    of_levels = np.array([*(level == "interval" for level in code.levels), False], dtype=bool)
    return np.asarray(of_levels[code.values])


def _check_terms(graph: ModelGraph, frame: Frame, keep: NDArray[np.bool_] | None) -> None:
    """Refuse grouping factors that are misspelt responses, and weights that are none."""
    for group in graph.groups:
        _check_not_the_response(group, graph.response.expression, frame)
    for part in graph.residual.variances:
        if part.weights is not None:
            _check_weights(part.weights, frame, keep)
        if part.standard_errors is not None and graph.response.known:
            _check_weights(part.standard_errors, frame, keep, "standard errors")


def _removed(graph: ModelGraph, names: Sequence[str], frame: Frame) -> Iterator[Node]:
    """The variables that ``-`` took out of formulas, for the rows that lack them."""
    for formula in graph.formulas():
        parts = terms(Formula(graph.response.expression, formula), columns=names)
        for node in parts.removed:
            try:
                Evaluation(frame).variable(node)
            except DataError:  # a date, say: of a type that no model could use
                continue
            yield node


def variables_of(graph: ModelGraph, names: Sequence[str]) -> tuple[Node, ...]:
    """The expressions of a lowered graph that rows must have values of; ``names`` are the columns."""
    response = graph.response.expression
    wanted: dict[Node, None] = {response: None}
    wanted |= dict.fromkeys(graph.response.added())
    if graph.response.truncation is not None:
        bounds = graph.response.truncation.variables()
        wanted |= {b: None for b in bounds if not isinstance(b, Number)}
    if graph.response.censoring is not None:
        wanted |= dict.fromkeys(graph.response.censoring.variables())
    for formula in graph.formulas():
        parts = terms(Formula(response, formula), columns=names)
        wanted |= dict.fromkeys((*parts.variables, *parts.offsets))
    for group in graph.groups:
        wanted |= dict.fromkeys(group.factor.variables)
    for predictor in graph.every_predictor:
        wanted |= dict.fromkeys(predictor.population.offsets)
    return tuple(wanted | dict.fromkeys(graph.residual.variables()))


def _with_units(models: Sequence[ModelGraph], df: pd.DataFrame) -> pd.DataFrame:
    """The data with a factor of a level per row, if a model names one and they have none."""
    groups = (group for graph in models for group in graph.groups)
    if UNITS in df.columns or not any(Name(UNITS) in g.factor.variables for g in groups):
        return df
    return df.assign(**{UNITS: pd.Categorical(np.arange(1, len(df) + 1))})


def _check_weights(
    weights: Node, frame: Frame, keep: NDArray[np.bool_] | None, what: str = "weights"
) -> None:
    """Weights are 1 / variance: each has to be a positive number; rows that lack one are dropped."""
    alone = model_frame((weights,), frame, keep=keep)
    column = alone.column(weights)
    if column.is_factor or column.values.ndim != 1:
        raise FormulaError(f"{weights} is not numeric", span=weights.span)
    wrong = np.flatnonzero(~(column.values > 0))
    if len(wrong):
        value, row = column.values[wrong[0]], int(alone.rows[wrong[0]]) + 1
        wrongly = "negative" if value < 0 else "0"
        message = f"{what} have to be positive; {weights} is {wrongly} in row {row}"
        hint = "an observation of weight 0 says nothing: leave it out with subset"
        raise FormulaError(
            message, span=weights.span, hint=hint if value == 0 and what == "weights" else None
        )


def _check_not_the_response(group: Group, response: Node, frame: Frame) -> None:
    """Refuse a grouping factor that is no column but looks like the response misspelt."""
    for variable in group.factor.variables:
        if not isinstance(variable, Name) or variable.name in frame.names:
            continue
        near = nearest(variable.name, frame.names)
        if near is not None and response == Name(near):
            raise FormulaError(
                f"the data have no column {variable.name!r}",
                span=variable.span,
                hint=f"nearest: '{near}', and that is the response: "
                "a response cannot be its own grouping factor",
            )
