"""What the sections of an explanation share: a model, its sizes, and its symbols."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.compiler import Compiled
from mix2stan.covariances import COVARIANCES
from mix2stan.graph import Columns, Factor, Group, ModelGraph
from mix2stan.links import LINKS
from mix2stan.mathematics import Math, Matrix, Sign, Symbol, renamed
from mix2stan.matrices import Data
from mix2stan.priors.table import prior_table
from mix2stan.syntax import Node

__all__ = ["Facts", "listed", "plural", "shown"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: Matrices of more columns are printed in part.
_MOST_COLUMNS = 5


@dataclass(frozen=True, eq=False)
class Facts:
    """A compiled model and what is asked of it again and again."""

    compiled: Compiled

    @property
    def graph(self) -> ModelGraph:
        return self.compiled.graph

    @property
    def data(self) -> Data:
        return self.compiled.data

    @cached_property
    def priors(self) -> pd.DataFrame:
        """The prior of every parameter."""
        return prior_table(self.graph)

    @property
    def groups(self) -> tuple[Group, ...]:
        """The random terms of the mean."""
        return self.graph.groups_of("")

    @property
    def gaussian(self) -> bool:
        """Whether random effects add to the covariance of the response itself."""
        return self.graph.response.linear

    @property
    def scale(self) -> str:
        """The scale of the predictor, in words."""
        link = self.graph.response.link
        return "the scale of the response" if link == "identity" else f"the {link} scale"

    @property
    def unscaled(self) -> bool:
        """Whether the link is of probabilities, whose scale has a unit of its own."""
        return not LINKS[self.graph.response.link].scaled

    def codes(self, factor: Factor) -> Index:
        """The level of every row."""
        return self.data.grouping(factor).codes

    def counts(self, factor: Factor) -> Index:
        """The number of observations of every level that has any."""
        return np.bincount(self.codes(factor))

    def variables(self, columns: Columns) -> dict[Node, bool]:
        """The variables of a design, each with whether it is a factor."""
        nodes = [v for f in columns.formulas for v in self.data.terms(f).variables]
        return {node: self.data.is_factor(node) for node in nodes}

    def name(self, group: Group) -> str:
        """What a term is called: its factor, or its identifier if another has the same factor."""
        same = [g for g in self.graph.groups if str(g.factor) == str(group.factor)]
        return str(group.factor) if len(same) == 1 else group.id

    def tagged(self, group: Group, formula: Math) -> Math:
        """The symbols of a term told apart from those of other terms, if there are any."""
        if len(self.graph.groups) == 1:
            return formula
        name = self.name(group)

        def change(symbol: Symbol) -> Math:
            return Symbol(symbol.name, f"{name},{symbol.sub}" if symbol.sub else name)

        return renamed(formula, change)

    def entry(self, group: Group, i: int, j: int) -> Math:
        """An entry of the covariance of a term's effects."""
        symbols = COVARIANCES[group.covariance.kind].symbols
        q, order = len(group.columns.names), group.covariance.order
        return self.tagged(group, symbols.covariance(i, j, q, order))

    def covariance(self, group: Group) -> Math:
        """The covariance of a term's effects, printed in part if it is large."""
        return shown(lambda i, j: self.entry(group, i, j), len(group.columns.names))

    def correlation(self, group: Group) -> Math:
        """The correlation matrix of a term's effects, printed in part if it is large."""
        symbols = COVARIANCES[group.covariance.kind].symbols
        q, order = len(group.columns.names), group.covariance.order
        return shown(lambda i, j: self.tagged(group, symbols.correlations(i, j, q, order)), q)


def shown(entry: Callable[[int, int], Math], q: int) -> Matrix:
    """A square matrix in symbols; of a large one the first three rows and the last."""
    places: list[int | None] = list(range(q))
    if q > _MOST_COLUMNS:
        places = [0, 1, 2, None, q - 1]
    dots = Sign("…")
    return Matrix(
        tuple(
            tuple(dots if i is None or j is None else entry(i, j) for j in places) for i in places
        )
    )


def plural(count: int, one: str, many: str = "") -> str:
    """A number and its noun.

    >>> plural(1, "level"), plural(3, "level")
    ('1 level', '3 levels')
    """
    return f"{count} {one if count == 1 else many or one + 's'}"


def listed(names: tuple[str, ...] | list[str], most: int = 8) -> str:
    """Names in a row; of many the first and how many there are.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    if len(names) > most:
        return f"{', '.join(names[: most - 1])}, … ({len(names)} in all)"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
