"""Reference grids: marginal means, comparisons and slopes of the population.

As in emmeans, a grid has every combination of the levels of the factors, each of one weight, and
numbers at their means; quantities are of the expected response, its group effects zero.  Those that the
data say nothing of, of a combination of levels that no row has, say, are missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.errors import Mix2stanError, suggestion
from mix2stan.postfit.categories import labels_of
from mix2stan.postfit.estimable import estimable
from mix2stan.postfit.predict import SHARE, mean_has_parameters, predicted, predictor_of
from mix2stan.schema import Schema
from mix2stan.spread import spread
from mix2stan.summaries import summarise
from mix2stan.syntax import Node, names_in

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["comparisons", "few_values", "marginal_means", "slopes"]

Array = NDArray[np.float64]
Names = str | Sequence[str]
At = Mapping[str, Any]

#: More rows than this are a slip: numbers that were meant to be held at their mean.
_MOST_ROWS = 100_000
#: A number of at most so many values, by which something is listed, has these.
_FEW = 5
#: The step of a slope, as a share of the spread of the variable.
_STEP = 1e-4


def marginal_means(fit: Fit, specs: Names, by: Names, at: At | None) -> pd.DataFrame:
    """See :meth:`mix2stan.fit.Fit.marginal_means`."""
    wanted = [*_list(by), *(s for s in _list(specs) if s not in _list(by))]
    grid = _Grid(fit, dict(at or {}), tuple(wanted))
    table = grid.table(wanted)
    return _averaged(grid, table, grid.expected(table), wanted)


def comparisons(fit: Fit, variable: str, by: Names, at: At | None) -> pd.DataFrame:
    """See :meth:`mix2stan.fit.Fit.comparisons`."""
    grid = _Grid(fit, dict(at or {}), tuple(_list(by)))
    table = grid.table([variable, *_list(by)])
    values = list(dict.fromkeys(table[variable]))
    if len(values) == 1 and grid.is_number(variable):
        pairs = [(values[0], values[0] + 1, "+1")]
    else:
        pairs = [(a, b, f"{_shown(b)} - {_shown(a)}") for a, b in itertools.combinations(values, 2)]
    first = table[table[variable] == values[0]]
    found = []
    for low, high, label in pairs:
        gap = grid.gap(first.assign(**{variable: high}), first.assign(**{variable: low}))
        found.append(_averaged(grid, first, gap, _list(by), label))
    if not found:
        hint = f"at = {{{variable!r}: […]}} has the values that are compared"
        raise Mix2stanError(f"{variable} has one value, and there is no other", hint=hint)
    return pd.concat(found)


def slopes(fit: Fit, variable: str, by: Names, at: At | None) -> pd.DataFrame:
    """See :meth:`mix2stan.fit.Fit.slopes`."""
    grid = _Grid(fit, dict(at or {}), tuple(_list(by)))
    table = grid.table([variable, *_list(by)])
    if not grid.is_number(variable):
        hint = f"comparisons({variable!r}) has the differences of its levels"
        raise Mix2stanError(f"{variable} is a factor, which has no slope", hint=hint)
    step = _STEP * spread(grid.raw[variable], ddof=0)
    up, down = (table.assign(**{variable: table[variable] + s}) for s in (step, -step))
    return _averaged(grid, table, grid.gap(up, down) / (2 * step), _list(by), variable)


def _list(names: Names) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def few_values(column: pd.Series) -> list[float]:
    """The values of numbers that have few, more than one; none of others."""
    found = sorted(column.dropna().unique().tolist())
    return found if 1 < len(found) <= _FEW else []


def _several(name: str, values: Any) -> list[Any]:
    """What a variable is held at: values, or one alone."""
    several = list(values) if np.ndim(values) or isinstance(values, set | range) else [values]
    if not several:
        raise Mix2stanError(f"at has no value of {name}", hint=f"write at = {{{name!r}: [0, 1]}}")
    return several


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, eq=False)
class _Grid:
    """The reference grid of a fit.

    Attributes:
        fit: the fit.
        at: the values of some variables.
        listed: the variables that a table has rows for.
    """

    fit: Fit
    at: At
    listed: tuple[str, ...]

    @property
    def schema(self) -> Schema:
        return self.fit.schema

    @property
    def raw(self) -> pd.DataFrame:
        return self.schema.raw()

    @property
    def variables(self) -> list[str]:
        """The columns of the data that the population part uses."""
        return self._columns_of(self.schema.population())

    @property
    def besides(self) -> list[str]:
        """Further columns, that expectations within bounds need, and those of trials."""
        graph = self.schema.graph
        nodes = self.schema.known_of_response() if mean_has_parameters(graph.response) else ()
        return [name for name in self._columns_of(nodes) if name not in self.variables]

    def _columns_of(self, nodes: Iterable[Node]) -> list[str]:
        names = dict.fromkeys(n.name for node in nodes for n in names_in(node))
        return [name for name in names if name in self.schema.columns.columns]

    def is_number(self, name: str) -> bool:
        """Whether it is a number, and not only to name the levels of a factor."""
        if self.schema.columns.columns[name].kind != "numeric":
            return False
        used = [n for n in self.schema.population() if name in {m.name for m in names_in(n)}]
        return not all(self.schema.data.frame.column(n).is_factor for n in used)

    def values(self, name: str) -> list[Any]:
        """The values of a variable in the grid."""
        if name in self.at:
            return _several(name, self.at[name])
        column = self.raw[name]
        if name in self.besides:
            middle = float(column.mean())
            # of trials there is no fraction
            return [float(round(middle)) if (column == column.round()).all() else middle]
        if self.is_number(name):
            few = few_values(column) if name in self.listed else []
            return few or [float(column.mean())]
        if isinstance(column.dtype, pd.CategoricalDtype):
            return list(column.cat.remove_unused_categories().cat.categories)
        return sorted(column.dropna().unique().tolist())

    def table(self, wanted: Sequence[str]) -> pd.DataFrame:
        """All combinations, a row each.

        Raises:
            Mix2stanError: for a variable that is not in the population part.
        """
        names = [*self.variables, *self.besides]
        for name in [*wanted, *self.at]:
            if name not in names:
                hint = suggestion(name, names, what="its variables")
                message = f"the population part of the model has no variable {name!r}"
                raise Mix2stanError(message, hint=hint)
        lists = [self.values(name) for name in names]
        size = int(np.prod([len(v) for v in lists]))
        if size > _MOST_ROWS:
            raise Mix2stanError(
                f"the reference grid has {size:,} rows", hint="at = {...} holds some"
            )
        if not names:
            return pd.DataFrame(index=[0])
        return pd.DataFrame(list(itertools.product(*lists)), columns=names)

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories of the response, if that is one of several."""
        return labels_of(self.schema.graph)

    def expected(self, table: pd.DataFrame) -> Array:
        """The expected response without group effects, shape (chains, draws, rows, C).

        C is the number of categories, whose probabilities it has, else 1.
        """
        values = predicted(self.fit, table, SHARE, "population", "error", None, 0).values
        return np.array(values if self.categories else values[..., None])

    def gap(self, high: pd.DataFrame, low: pd.DataFrame) -> Array:
        """The difference of the expected response of two tables, shape as that of :meth:`expected`.

        Where the response is expected at its predictor the data may tell a difference without
        telling either of the two.
        """
        gap = self.expected(high) - self.expected(low)
        if not self.schema.graph.response.linear or not np.isnan(gap).any():
            return gap
        draws = [self._aliased(table) for table in (high, low)]
        data = [self.schema.rows(table, groups=False).data for table in (high, low)]
        told = estimable(self.schema, data[0], [self.schema.graph.mean], less=data[1])
        gap[:, :, told, 0] = (draws[0] - draws[1])[:, :, told]
        return gap

    def _aliased(self, table: pd.DataFrame) -> Array:
        """The predictor, coefficients of columns left out being zero, shape (chains, draws, rows)."""
        one = predictor_of(self.fit, table, "population", expected=False, aliased=True)
        found = one.sample.labelled(one.linear(slice(0, one.rows.n)), table.index.to_numpy(), "")
        return np.asarray(found.values)


def _averaged(
    grid: _Grid, table: pd.DataFrame, draws: Array, by: list[str], label: str = ""
) -> pd.DataFrame:
    """Means over all rows that agree in some variables; a row each, or one for every category."""
    keys = list(table[by].itertuples(index=False, name=None)) if by else [()] * len(table)
    places: dict[tuple[Any, ...], list[int]] = {}
    for i, key in enumerate(keys):
        places.setdefault(key, []).append(i)
    blocks = [
        ([str(k)] * draws.shape[3], draws[:, :, rows].mean(axis=2)) for k, rows in places.items()
    ]
    summary = summarise(blocks)
    extra = (label,) if label else ()
    names = [*by, *(["contrast"] if label else []), *(["category"] if grid.categories else [])]
    last: list[tuple[str, ...]] = [(c,) for c in grid.categories] or [()]
    keyed = [(*k, *extra, *c) for k in places for c in last]
    index = pd.MultiIndex.from_tuples(keyed, names=names)
    return summary.set_axis(index.get_level_values(0) if len(names) == 1 else index)
