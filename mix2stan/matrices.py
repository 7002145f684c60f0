"""A model graph's expressions as numbers: design matrices, grouping factors, the response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from mix2stan.design import (
    Column,
    DesignSpec,
    Frame,
    Grouping,
    ModelFrame,
    Terms,
    design,
    grouping,
    incidence,
    model_frame,
    terms,
)
from mix2stan.errors import FormulaError, nearest
from mix2stan.graph import UNITS, Columns, Factor, Group, ModelGraph
from mix2stan.syntax import Formula, Name, Node

__all__ = ["Data", "RandomTerm", "bind"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RandomTerm:
    """One random term as numbers.

    Attributes:
        group: the grouping factor, as R prints it (``"cask:batch"``).
        levels: its levels that have data, in order; J of them.
        coefficients: R's names of the q columns.
        matrix: shape (N, J q), sparse; level by level, the coefficients of one level side by side.
    """

    group: str
    levels: tuple[str, ...]
    coefficients: tuple[str, ...]
    matrix: sparse.csr_matrix


class Data:
    """The rows a model is fitted to, and its expressions evaluated on them.

    Args:
        frame: R's model frame: every variable of the model, incomplete rows dropped.
        names: the columns of the data, for ``.`` in formulas.
        response: the left side, whose variables ``.`` leaves out.
        contrasts: contrast function by factor.
        raw: the data frame they were evaluated on, all rows, if it is there.
    """

    def __init__(
        self,
        frame: ModelFrame,
        names: Sequence[str],
        response: Node,
        contrasts: Mapping[str, str],
        raw: Frame | None = None,
    ) -> None:
        self.frame = frame
        self.raw = raw
        self.contrasts = contrasts
        self.names_of_data = tuple(names)
        self._response = response
        self._coded: Data | None = None
        self._specs: dict[Node, DesignSpec] = {}
        self._groupings: dict[Factor, Grouping] = {}

    @property
    def rows(self) -> int:
        return self.frame.n

    def __getstate__(self) -> dict[str, Any]:
        """All but the data frame: another process needs the model's expressions alone."""
        return {**self.__dict__, "raw": None}

    def on(self, frame: ModelFrame) -> Data:
        """The same expressions on other rows, their columns coded as here."""
        other = Data(frame, self.names_of_data, self._response, self.contrasts)
        other._coded = self
        return other

    def spec(self, formula: Node) -> DesignSpec:
        """The design specification of one right-hand side."""
        if self._coded is not None:
            return self._coded.spec(formula)
        if formula not in self._specs:
            self._specs[formula] = design(self.terms(formula), self.frame, self.contrasts)
        return self._specs[formula]

    def terms(self, formula: Node) -> Terms:
        """The terms of one right-hand side, ``.`` standing for all columns but the response."""
        return terms(Formula(self._response, formula), columns=self.names_of_data)

    def names(self, formulas: Sequence[Node]) -> tuple[str, ...]:
        """R's names of the columns of formulas that stand side by side."""
        return tuple(name for f in formulas for name in self.spec(f).names)

    def matrix(self, columns: Columns) -> Array:
        """The design, shape (N, q): of all columns, or of those the graph has names for."""
        blocks = [self.spec(f).matrix(self.frame) for f in columns.formulas]
        whole = np.hstack(blocks) if len(blocks) != 1 else blocks[0]
        if len(columns.names) in (0, whole.shape[1]):
            return whole
        names = self.names(columns.formulas)
        return whole[:, [names.index(name) for name in columns.names]]

    def grouping(self, factor: Factor) -> Grouping:
        """The level of every row."""
        if factor not in self._groupings:
            self._groupings[factor] = grouping(factor.variables, self.frame, factor.order)
        return self._groupings[factor]

    def take(self, rows: NDArray[np.intp], groupings: Mapping[Factor, Grouping]) -> Data:
        """Some of the rows, in any order and as often as wanted; designs are those of all rows.

        Args:
            rows: positions, from 0.
            groupings: the levels of the new rows, for the factors that are not to keep theirs.
        """
        columns = {node: column.rows(rows) for node, column in self.frame.columns.items()}
        frame = replace(self.frame, columns=columns, rows=self.frame.rows[rows])
        taken = self.on(frame)
        taken._groupings = dict(groupings)
        return taken

    def vector(self, expression: Node) -> Array:
        """A numeric expression, shape (N,)."""
        column: Column = self.frame.column(expression)
        if column.is_factor or column.values.ndim != 1:
            message = f"{expression} is not numeric"
            raise FormulaError(message, span=expression.span)
        return np.asarray(column.values, dtype=float)

    def response(self, graph: ModelGraph) -> Array:
        """The response with the known offsets taken off, shape (N,)."""
        y = self.vector(graph.response.expression)
        for offset in graph.population.offsets:
            y = y - self.vector(offset)
        return y

    def random_term(self, group: Group) -> RandomTerm:
        """The incidence of one group term."""
        levels = self.grouping(group.factor)
        return RandomTerm(
            str(group.factor),
            levels.levels,
            group.columns.names,
            incidence(levels, self.matrix(group.columns)),
        )


def bind(graph: ModelGraph, df: pd.DataFrame, na_action: str, contrasts: Mapping[str, str]) -> Data:
    """Evaluate the variables of a lowered graph on a data frame.

    Rows with a missing value in any of them are dropped, as ``na_action`` says.
    """
    names = Frame.of(df).names
    frame = Frame.of(_with_units(graph, df))
    response = graph.response.expression
    wanted: dict[Node, None] = {response: None}
    if graph.response.weights is not None:
        wanted[graph.response.weights] = None
    for formula in graph.formulas():
        parts = terms(Formula(response, formula), columns=names)
        wanted |= dict.fromkeys((*parts.variables, *parts.offsets))
    for group in graph.groups:
        _check_not_the_response(group, response, frame)
        wanted |= dict.fromkeys(group.factor.variables)
    for part in graph.residual.variances:
        if part.weights is not None:
            _check_weights(part.weights, frame)
    for predictor in graph.every_predictor:
        wanted |= dict.fromkeys(predictor.population.offsets)
    wanted |= dict.fromkeys(graph.residual.variables())
    model = model_frame(tuple(wanted), frame, na_action=na_action)
    return Data(model, names, response, contrasts, frame)


def _with_units(graph: ModelGraph, df: pd.DataFrame) -> pd.DataFrame:
    """The data with a factor of a level per row, if the model names one and they have none."""
    if UNITS in df.columns or not any(Name(UNITS) in g.factor.variables for g in graph.groups):
        return df
    return df.assign(**{UNITS: pd.Categorical(np.arange(1, len(df) + 1))})


def _check_weights(weights: Node, frame: Frame) -> None:
    """Weights are 1 / variance: each has to be a positive number; rows that lack one are dropped."""
    alone = model_frame((weights,), frame)
    column = alone.column(weights)
    if column.is_factor or column.values.ndim != 1:
        raise FormulaError(f"{weights} is not numeric", span=weights.span)
    wrong = np.flatnonzero(~(column.values > 0))
    if len(wrong):
        value, row = column.values[wrong[0]], int(alone.rows[wrong[0]]) + 1
        what = "negative" if value < 0 else "0"
        message = f"weights have to be positive; {weights} is {what} in row {row}"
        hint = "an observation of weight 0 says nothing: leave it out with subset"
        raise FormulaError(message, span=weights.span, hint=hint if value == 0 else None)


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
