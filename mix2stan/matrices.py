"""A model graph's expressions as numbers: design matrices, grouping factors, the response."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import linalg, sparse

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
    settings_of,
    terms,
)
from mix2stan.errors import FormulaError, suggestion
from mix2stan.families import LAYERS
from mix2stan.graph import Columns, Factor, Group, Layer, ModelGraph
from mix2stan.relationships import Kinship, read_relationship
from mix2stan.syntax import Formula, Name, Node

__all__ = ["Data", "RandomTerm", "places_of"]

Array = NDArray[np.float64]
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class RandomTerm:
    """One random term as numbers.

    Attributes:
        group: the grouping factor, as R prints it (``"cask:batch"``).
        levels: its J levels, in order: those that have data, or all with a known covariance.
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
        given: what was given besides the rows, by name: pedigrees, trees, matrices.
        row_names: what the rows are called, their numbers from 0 if None.
    """

    def __init__(
        self,
        frame: ModelFrame,
        names: Sequence[str],
        response: Node,
        contrasts: Mapping[str, str],
        raw: Frame | None = None,
        given: Mapping[str, Any] | None = None,
        row_names: pd.Index | None = None,
    ) -> None:
        self.frame = frame
        self._row_names = row_names
        self.raw = raw
        self.contrasts = contrasts
        self.names_of_data = tuple(names)
        self._response = response
        self._coded: Data | None = None
        self._specs: dict[tuple[Node, bool], DesignSpec] = {}
        self._given = given or {}
        self._memberships: dict[Factor, tuple[Grouping, ...]] = {}
        self._kinships: dict[Factor, Kinship] = {}
        self._of_responses: dict[Node, Data] = {}
        self._separations: dict[tuple[Factor, Columns, bytes], Separation] = {}

    #: Whether the rows stand for more than themselves.
    reduced = False

    @property
    def rows(self) -> int:
        return self.frame.n

    @property
    def row_names(self) -> pd.Index:
        """What the rows are called: the index of the data frame, of those that are left."""
        return pd.Index(self.frame.rows) if self._row_names is None else self._row_names

    @property
    def count(self) -> int:
        """How many observations the rows stand for."""
        return self.rows

    def means(self, X: Array) -> Array:
        """The means of columns over the observations."""
        return np.asarray(X.mean(axis=0))

    def __getstate__(self) -> dict[str, Any]:
        """All but the data frame: another process needs the model's expressions alone."""
        return {**self.__dict__, "raw": None}

    def on(self, frame: ModelFrame) -> Data:
        """The same expressions on other rows, their columns coded as here."""
        other = Data(frame, self.names_of_data, self._response, self.contrasts, given=self._given)
        other._coded = self
        return other

    def of(self, response: Node) -> Data:
        """The same rows for one of several responses, which ``.`` leaves out then."""
        if response not in self._of_responses:
            other = Data(
                self.frame,
                self.names_of_data,
                response,
                self.contrasts,
                self.raw,
                self._given,
                self._row_names,
            )
            other._coded = None if self._coded is None else self._coded.of(response)
            # levels, and what relates them, are those of all
            other._memberships, other._kinships = self._memberships, self._kinships
            self._of_responses[response] = other
        return self._of_responses[response]

    def spec(self, formula: Node, plain: bool = False) -> DesignSpec:
        """The design specification of one right-hand side, ``plain`` without the call's contrasts."""
        if self._coded is not None:
            return self._coded.spec(formula, plain)
        if (formula, plain) not in self._specs:
            contrasts = settings_of(self.contrasts) if plain else self.contrasts
            made = design(self.terms(formula), self.frame, contrasts)
            self._specs[formula, plain] = made
        return self._specs[formula, plain]

    def terms(self, formula: Node) -> Terms:
        """The terms of one right-hand side, ``.`` standing for all columns but the response."""
        return terms(Formula(self._response, formula), columns=self.names_of_data)

    def names(self, formulas: Sequence[Node], plain: bool = False) -> tuple[str, ...]:
        """R's names of the columns of formulas that stand side by side."""
        return tuple(name for f in formulas for name in self.spec(f, plain).names)

    def matrix(self, columns: Columns) -> Array:
        """The design, shape (N, q): of all columns, or of those the graph has names for."""
        if columns.turn:
            return np.asarray(self.matrix(replace(columns, turn=())) @ np.array(columns.turn))
        blocks = [self.spec(f, columns.plain).matrix(self.frame) for f in columns.formulas]
        whole = np.hstack(blocks) if len(blocks) != 1 else blocks[0]
        if len(columns.names) in (0, whole.shape[1]):
            return whole
        return whole[:, places_of(columns.names, self.names(columns.formulas, columns.plain))]

    def grouping(self, factor: Factor) -> Grouping:
        """The level of every row."""
        return self.memberships(factor)[0]

    def take(self, rows: NDArray[np.intp], groupings: Mapping[Factor, Grouping]) -> Data:
        """Some of the rows, in any order and as often as wanted; designs are those of all rows.

        Args:
            rows: positions, from 0.
            groupings: the levels of the new rows, for the factors that are not to keep theirs.
        """
        columns = {node: column.rows(rows) for node, column in self.frame.columns.items()}
        frame = replace(self.frame, columns=columns, rows=self.frame.rows[rows])
        taken = self.on(frame)
        taken._row_names = self.row_names[rows]
        taken._memberships = {factor: (found,) for factor, found in groupings.items()}
        return taken

    def memberships(self, factor: Factor) -> tuple[Grouping, ...]:
        """The level of every row in each variable of the same levels; one for other factors."""
        if factor not in self._memberships:
            self._memberships[factor] = self._read_memberships(factor)
        return self._memberships[factor]

    def _read_memberships(self, factor: Factor) -> tuple[Grouping, ...]:
        if factor.signs:
            each = [grouping((v,), self.frame, factor.order) for v in factor.variables]
            found = _of_all_levels(each)
        else:
            several = self._coded is not None and len(factor.variables) > 1
            known = self._coded.grouping(factor) if self._coded and several else None
            found = [grouping(factor.variables, self.frame, factor.order, known)]
        kinship = self.kinship(factor)
        return tuple(_within(kinship, g, factor) if kinship else g for g in found)

    def kinship(self, factor: Factor) -> Kinship | None:
        """The known covariance among the levels of a factor, None if they are independent.

        Raises:
            FormulaError: if it was not given, or is not a covariance.
        """
        if factor.relationship is None:
            return None
        if self._coded is not None:
            return self._coded.kinship(factor)
        if factor not in self._kinships:
            found = read_relationship(factor.relationship, self._given)
            found = self._by_levels(found, factor.variables[0])
            if len(factor.variables) > 1 and not factor.signs:
                found = found.within(self.grouping(Factor(factor.variables[1:])).levels)
            self._kinships[factor] = found
        return self._kinships[factor]

    def _by_levels(self, kinship: Kinship, variable: Node) -> Kinship:
        """Labels like ``fa`` as the levels they are columns of: glmmTMB wants them so."""
        levels, prefix = self.grouping(Factor((variable,))).levels, str(variable)
        if set(levels) & set(kinship.levels):
            return kinship
        if not all(label.startswith(prefix) for label in kinship.levels):
            return kinship
        return replace(kinship, levels=tuple(n.removeprefix(prefix) for n in kinship.levels))

    def root(self, factor: Factor) -> Array:
        """A root of the covariance among the levels of a factor, shape (J, J)."""
        J, kinship = len(self.grouping(factor).levels), self.kinship(factor)
        return np.eye(J) if kinship is None else kinship.spread(np.eye(J))

    def designs(self, group: Group, d: Array) -> tuple[sparse.csr_array, ...]:
        """The design of every effect of a term, each N x J, a column per level, its rows over d."""
        factor = group.factor
        found = self.memberships(factor)
        shape, rows = (self.rows, len(found[0].levels)), np.arange(self.rows)
        columns = (self.matrix(group.columns) / d[:, None]).T

        def design(column: Array, levels: Grouping) -> sparse.csr_array:
            return sparse.csr_array((column, (rows, levels.codes)), shape=shape)

        if factor.apart:
            pairs = zip(columns, found, strict=True)
            return tuple(design(column, levels) for column, levels in pairs)
        signs = factor.signs or (1,)
        return tuple(
            functools.reduce(
                operator.add,
                (design(s * column, levels) for s, levels in zip(signs, found, strict=True)),
            )
            for column in columns
        )

    def separation(self, group: Group, d: Array) -> Separation:
        """The root of K that makes the levels of a term of one effect independent given the rows.

        It takes a time of the cube of the number of levels.
        """
        key = (group.factor, group.columns, d.tobytes())
        if key not in self._separations:
            (Z,) = self.designs(group, d)
            self._separations[key] = _separate(Z, self.root(group.factor))
        return self._separations[key]

    def column(self, expression: Node) -> Column:
        """An expression; of rows that were reduced what it is, without their values."""
        return self.frame.column(expression)

    def is_factor(self, expression: Node) -> bool:
        """Whether an expression is coded by contrasts."""
        return self.column(expression).is_factor

    def vector(self, expression: Node) -> Array:
        """A numeric expression, shape (N,)."""
        column: Column = self.frame.column(expression)
        if column.kind == "logical":
            return np.asarray(column.values, dtype=float)
        if column.is_factor or column.values.ndim != 1:
            message = f"{expression} is not numeric"
            raise FormulaError(message, span=expression.span)
        return np.asarray(column.values, dtype=float)

    def response(self, graph: ModelGraph) -> Array:
        """The response with the known offsets taken off, shape (N,)."""
        y = np.array(self.vector(graph.response.expression))
        for layer in graph.response.layers:
            rows, values, trials = self.layer(layer, y)
            row = LAYERS[layer.family]
            y[rows] = row.start(row.data(values, trials), len(rows))
        for offset in graph.population.offsets:
            y = y - self.vector(offset)
        return y

    def layer(self, layer: Layer, y: Array) -> tuple[NDArray[np.int64], Array, Array]:
        """The rows of a layer's latent variables, their values of y, both (q, n), and trials (n,)."""
        rows = np.array([self.rows_of(trait) for trait in layer.traits])
        return rows, y[rows], self.trials_of(layer)[rows[0]]

    def trials_of(self, layer: Layer) -> Array:
        """The numbers of trials of a layer, shape (N,)."""
        return np.ones(self.rows) if layer.trials is None else self.vector(layer.trials)

    def rows_of(self, trait: str) -> NDArray[np.int64]:
        """The rows of one of several responses that are stacked."""
        column = self.frame.column(Name("trait"))
        return np.flatnonzero(column.values == column.levels.index(trait))

    def random_term(self, group: Group) -> RandomTerm:
        """The incidence of one group term."""
        levels = self.grouping(group.factor)
        if group.factor.signs:
            designs = self.designs(group, np.ones(self.rows))
            q = len(designs)
            order = np.arange(q * len(levels.levels)).reshape(q, -1).T.ravel()
            Z = sparse.csr_matrix(sparse.hstack(designs, format="csc")[:, order])
        else:
            Z = incidence(levels, self.matrix(group.columns))
        return RandomTerm(str(group.factor), levels.levels, group.columns.names, Z)


@dataclass(frozen=True, eq=False)
class Separation:
    """A root of a known covariance K that diagonalises the design.

    Attributes:
        root: M with M M' = K, shape (J, J).
        squares: the diagonal of M' Z'Z M, which has no other elements, shape (J,).
    """

    root: Array
    squares: Array


def _separate(Z: sparse.csr_array, root: Array) -> Separation:
    """A root of K, turned by the eigenvectors of what it makes of Z'Z."""
    inner = root.T @ (sparse.csr_array(Z.T @ Z) @ root)
    squares, axes = linalg.eigh((inner + inner.T) / 2, driver="evr")
    return Separation(np.asarray(root @ axes), np.maximum(squares, 0.0))


def places_of(wanted: Sequence[str], names: Sequence[str]) -> list[int]:
    """Where columns are among all; two of one name, a level's and a number's, in their order."""
    found: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        found.setdefault(name, []).append(place)
    return [found[name].pop(0) if len(found[name]) > 1 else found[name][0] for name in wanted]


def _of_all_levels(found: Sequence[Grouping]) -> list[Grouping]:
    """The same rows, the levels of all."""
    levels = tuple(sorted({level for g in found for level in g.levels}, key=_as_r_sorts))
    place = {level: i for i, level in enumerate(levels)}
    return [
        Grouping(np.array([place[level] for level in g.levels], dtype=np.int64)[g.codes], levels)
        for g in found
    ]


def _as_r_sorts(level: str) -> tuple[int, float, str]:
    """Numbers by size, before other names."""
    try:
        return (0, float(level), level)
    except ValueError:
        return (1, 0.0, level)


def _within(kinship: Kinship, found: Grouping, factor: Factor) -> Grouping:
    """The levels of the rows among all that a known covariance is about.

    Raises:
        FormulaError: if it is not about one of them.
    """
    place = {level: i for i, level in enumerate(kinship.levels)}
    for level in found.levels:
        if level not in place:
            message = f"{factor.relationship} says nothing of the level {level!r} of {factor}"
            hint = suggestion(level, kinship.levels, what="its levels")
            span = None if factor.relationship is None else factor.relationship.source.span
            raise FormulaError(message, span=span, hint=hint)
    table = np.array([place[level] for level in found.levels], dtype=np.int64)
    return Grouping(table[found.codes], kinship.levels)
