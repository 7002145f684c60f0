"""What a fit remembers of its model and data, so that it can speak about rows, old or new.

R keeps a model frame and ``predvars`` for this.  A schema has the graph, the levels of every factor,
what functions such as ``poly``, ``ns`` and ``scale`` learnt, and the columns of the data that the model
uses.  It is written as JSON and arrays: formula text and numbers, nothing that runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.design import (
    TRAIT,
    Column,
    Evaluation,
    Frame,
    Grouping,
    ModelFrame,
    align,
    grouping,
    in_pandas,
    of_every_trait,
)
from mix2stan.errors import DataError, suggestion
from mix2stan.families import mean_groups
from mix2stan.graph import UNITS, Factor, ModelGraph, Population
from mix2stan.matrices import Data
from mix2stan.row_names import index_from_parts, index_parts
from mix2stan.schema_text import decode, encode
from mix2stan.syntax import Call, Node, Number, names_in

__all__ = ["Levels", "Rows", "Schema", "remember"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: Calls that only make a factor: what they learnt are the levels, and new data may have others.
_MAKES_FACTOR = ("factor", "as.factor", "as.character")


@dataclass(frozen=True, eq=False)
class Levels:
    """The level of every row among those of the fit and new ones.

    Attributes:
        codes: shape (n,): from 0 to J - 1 a level of the fit, from J on a new one, -1 unknown.
        new: the names of the new levels.
    """

    codes: Index
    new: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that predictions are about.

    Attributes:
        data: the model's expressions on the complete ones among them, as :class:`Data` has them.
        complete: their positions, shape (n,).
        labels: what all rows are called, shape (N,); the others are missing.
        levels: by grouping factor.
        fitted: whether they are the rows of the fit.
    """

    data: Data
    complete: Index
    labels: pd.Index
    levels: Mapping[Factor, Levels]
    fitted: bool

    @property
    def n(self) -> int:
        """Number of complete rows."""
        return len(self.complete)

    def some(self, good: NDArray[np.bool_]) -> Rows:
        """The complete rows that are good; the others count as missing."""
        levels = {f: Levels(v.codes[good], v.new) for f, v in self.levels.items()}
        data = self.data.take(np.flatnonzero(good), {})
        return replace(self, data=data, complete=self.complete[good], levels=levels)


@dataclass(frozen=True, eq=False)
class Schema:
    """A model and the rows it was fitted to.

    Attributes:
        graph: the model, its passes done, without priors.
        data: the rows of the fit.
        columns: the columns of the data frame that the model uses, at those rows.
        names: all column names of the data frame, for ``.`` in formulas.
        contrasts: contrast functions of the call.
    """

    graph: ModelGraph
    data: Data
    columns: Frame
    names: tuple[str, ...]
    contrasts: Mapping[str, str]

    @cached_property
    def fitted(self) -> Rows:
        """The rows of the fit."""
        factors = (g.factor for g in self.graph.groups if not g.factor.signs)
        levels = {factor: Levels(self.data.grouping(factor).codes, ()) for factor in factors}
        everything = np.arange(self.data.rows)
        return Rows(self.data, everything, self.data.row_names, levels, True)

    def rows(self, newdata: object = None, groups: bool = True, response: bool = False) -> Rows:
        """The model's expressions on new data, or those of the fit if there are none.

        Args:
            newdata: a data frame; only the columns that are needed have to be there.
            groups: whether the group terms are needed.
            response: whether the response, its weights and the structure of the errors are.

        Raises:
            DataError: for a missing column, a column of another type, or a level of a population
                factor that the fit has not seen.
        """
        if newdata is None:
            return self.fitted
        frame = in_pandas(newdata)
        if not isinstance(frame, pd.DataFrame):
            raise DataError(f"newdata has to be a data frame, not {type(newdata).__name__}")
        if self.graph.response.traits and TRAIT not in frame.columns and not response:
            # a row of data has a predictor for every response
            frame = of_every_trait(frame, self.graph.response.traits)
        return self._new_rows(frame, groups, response)

    def _new_rows(self, newdata: pd.DataFrame, groups: bool, response: bool) -> Rows:
        wanted = dict.fromkeys(self.population())
        terms = self.graph.groups if response else mean_groups(self.graph)
        terms = terms if groups else ()
        wanted |= dict.fromkeys(v for g in terms for f in g.columns.formulas for v in self._in(f))
        inner = self._blocks() if response else ()
        if response:
            others = (v for p in self.graph.predictors for v in self._of(p.population))
            wanted |= dict.fromkeys(others)
            wanted |= {v: None for v in self.graph.residual.variables() if v not in inner}
            wanted |= dict.fromkeys(self.known_of_response())
        factors = tuple(dict.fromkeys(g.factor for g in terms if not g.factor.signs))
        frame = self._aligned(
            newdata, [*wanted, *inner, *(v for f in factors for v in f.variables)]
        )
        evaluation = Evaluation(frame, dict(self.data.frame.states))
        found = {f: self._grouping(f, evaluation) for f in factors}
        model = self.data.frame.replay(frame, tuple(wanted))
        blocks = {v: evaluation.variable(_bare(v)) for v in inner}
        known = np.zeros(frame.n, dtype=bool)
        known[model.rows] = True
        for missing in (
            *(v.codes < 0 for v in found.values()),
            *(c.missing for c in blocks.values()),
        ):
            known &= ~missing
        keep, complete = known[model.rows], np.flatnonzero(known)
        columns = {node: c.rows(keep) for node, c in model.columns.items()}
        columns |= {node: c.rows(complete) for node, c in blocks.items()}
        data = self.data.on(ModelFrame(columns, complete, frame.n - len(complete), model.states))
        levels = {f: Levels(v.codes[complete], v.new) for f, v in found.items()}
        return Rows(data, complete, newdata.index, levels, False)

    def raw(self) -> pd.DataFrame:
        """The columns the model uses, at the rows of the fit, as a data frame."""
        return pd.DataFrame(
            {name: _series(column) for name, column in self.columns.columns.items()},
            index=self.data.row_names,
        )

    def population(self) -> tuple[Node, ...]:
        """The variables of the population parts, offsets last."""
        parts = (predictor.population for predictor in self.graph.every_predictor)
        return tuple(dict.fromkeys(node for part in parts for node in self._of(part)))

    def _of(self, part: Population) -> list[Node]:
        return [*(v for f in part.columns.formulas for v in self._in(f)), *part.offsets]

    def _in(self, formula: Node) -> tuple[Node, ...]:
        return self.data.terms(formula).variables

    def _blocks(self) -> tuple[Node, ...]:
        """The variables of the factor within whose levels errors are correlated; any may be new."""
        correlation = self.graph.residual.correlation
        return correlation.block.variables if correlation and correlation.block else ()

    def known_of_response(self) -> tuple[Node, ...]:
        """What says how many trials a row has, and its known standard error and bounds, if any."""
        response = self.graph.response
        more: tuple[Node, ...] = () if response.noise is None else (response.noise,)
        if response.truncation is not None:
            ends = response.truncation.variables()
            more = (*more, *(end for end in ends if not isinstance(end, Number)))
        if response.trials is not None:
            return (response.trials, *more)
        pair = self.data.frame.column(response.expression).values.ndim == 2
        is_pair = pair and response.censoring is None
        return (response.expression, *more) if is_pair else more

    def _aligned(self, newdata: pd.DataFrame, expressions: Iterable[Node]) -> Frame:
        """The columns that are needed; factors have the levels of the fit first."""
        given = Frame.of(newdata)
        columns = {}
        for name in dict.fromkeys(n.name for e in expressions for n in names_in(e)):
            if name not in self.columns.columns:
                continue
            if name == UNITS and name not in given.columns:
                codes = np.arange(given.n) + len(self.columns.columns[UNITS].levels)
                labels = tuple(f"new {i + 1}" for i in range(given.n))
                levels = self.columns.columns[UNITS].levels + labels
                columns[name] = Column("factor", codes.astype(np.int64), levels)
                continue
            if name not in given.columns:
                hint = suggestion(name, given.names, what="its columns")
                raise DataError(f"the new data have no column {name!r}", hint=hint)
            columns[name] = align(given.columns[name], self.columns.columns[name], name)
        return Frame(columns, given.n)

    def _grouping(self, factor: Factor, evaluation: Evaluation) -> Levels:
        """The levels of new rows; those without a value are unknown."""
        columns = {v: evaluation.variable(_bare(v)).as_factor() for v in factor.variables}
        missing = np.any([c.missing for c in columns.values()], axis=0)
        present = np.flatnonzero(~missing)
        codes = np.full(evaluation.frame.n, -1, dtype=np.int64)
        kept = {v: c.rows(present) for v, c in columns.items()}
        fitted = self.data.grouping(factor)
        here = grouping(factor.variables, ModelFrame(kept, present, 0, {}), factor.order, fitted)
        known = fitted.levels
        place = {level: i for i, level in enumerate(known)}
        new = [level for level in here.levels if level not in place]
        place |= {level: len(known) + i for i, level in enumerate(new)}
        table = np.array([place[level] for level in here.levels], dtype=np.int64)
        codes[present] = table[here.codes] if len(table) else -1
        return Levels(codes, tuple(new))

    # -- files -------------------------------------------------------------------------------------

    def to_parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """A JSON-able part, and the values of the columns."""
        frame = self.data.frame
        used = self.columns.columns
        about = {
            "graph": encode(self.graph),
            "names": list(self.names),
            "contrasts": dict(self.contrasts),
            "columns": [
                {
                    "name": name,
                    "kind": column.kind,
                    "levels": list(column.levels),
                    "text": column.text,
                    "unit": column.unit,
                    "exact": _as_text(column.exact),
                }
                for name, column in used.items()
            ],
            "variables": [[encode(node), _without_values(c)] for node, c in frame.columns.items()],
            "states": [[encode(node), encode(state)] for node, state in frame.states.items()],
            "dropped": frame.dropped,
        }
        values = {f"column_{i}": c.values for i, c in enumerate(used.values())}
        values |= {
            f"exact_{i}": c.exact
            for i, c in enumerate(used.values())
            if c.exact is not None and c.exact.dtype != object
        }
        about["index"], of_index = index_parts(self.data.row_names)
        values |= of_index
        related = dict.fromkeys(g.factor for g in self.graph.groups if g.factor.relationship)
        found = [self.data.grouping(factor) for factor in related if not factor.signs]
        about["related"] = [
            [encode(factor), list(levels.levels)]
            for factor, levels in zip((f for f in related if not f.signs), found, strict=True)
        ]
        values |= {f"related_{i}": levels.codes for i, levels in enumerate(found)}
        return about, values | {"rows": frame.rows}

    @classmethod
    def from_parts(cls, about: Mapping[str, Any], values: Mapping[str, NDArray[Any]]) -> Schema:
        """The inverse of :meth:`to_parts`.

        Raises:
            KeyError, TypeError, ValueError: if it is not that of a schema.
        """
        graph = decode(about["graph"])
        rows = np.asarray(values["rows"], dtype=np.int64)
        columns = {
            c["name"]: Column(
                c["kind"],
                values[f"column_{i}"],
                tuple(c["levels"]),
                text=c.get("text", False),
                exact=_from_long(c.get("exact"), values.get(f"exact_{i}")),
                unit=c.get("unit", ""),
            )
            for i, c in enumerate(about["columns"])
        }
        named = "index" in about
        row_names = index_from_parts(about["index"], values) if named else None
        raw = Frame(columns, len(rows))
        states = {decode(node): decode(state) for node, state in about["states"]}
        variables = {decode(node): _from_text(c) for node, c in about["variables"]}
        empty = ModelFrame(variables, rows[:0], 0, states)
        learnt = empty.replay(raw)
        frame = ModelFrame(learnt.columns, rows, about["dropped"], states)
        names, contrasts = tuple(about["names"]), dict(about["contrasts"])
        response = graph.response.expression
        data = Data(frame, names, response, contrasts, row_names=row_names)
        # the numbers of a known covariance are not kept, the levels it is about are
        related = {
            decode(factor): Grouping(
                np.asarray(values[f"related_{i}"], dtype=np.int64), tuple(levels)
            )
            for i, (factor, levels) in enumerate(about["related"])
        }
        data = data.take(np.arange(len(rows)), related) if related else data
        return cls(graph, data, raw, names, contrasts)


def remember(graph: ModelGraph, data: Data) -> Schema | None:
    """The schema of a completed model; None if the data do not say what they came from."""
    if data.raw is None:
        return None
    used = dict.fromkeys(n.name for e in data.frame.columns for n in names_in(e))
    rows = data.frame.rows
    columns = {n: data.raw.columns[n].rows(rows) for n in used if n in data.raw.columns}
    plain = replace(graph, priors=(), notes=())
    return Schema(plain, data, Frame(columns, len(rows)), data.names_of_data, data.contrasts)


def _bare(node: Node) -> Node:
    """A grouping variable without a call that only makes it a factor."""
    if isinstance(node, Call) and node.function in _MAKES_FACTOR and len(node.args) == 1:
        return node.args[0].value
    return node


def _as_text(exact: NDArray[Any] | None) -> list[str] | None:
    """Integers that no array of a file holds."""
    return None if exact is None or exact.dtype != object else [str(int(v)) for v in exact]


def _from_long(text: list[str] | None, values: NDArray[Any] | None) -> NDArray[Any] | None:
    return values if text is None else np.array([int(v) for v in text], dtype=object)


def _series(column: Column) -> Any:
    if column.kind in ("factor", "ordered"):
        kind = pd.CategoricalDtype(list(column.levels), ordered=column.kind == "ordered")
        return pd.Categorical.from_codes(column.values.tolist(), dtype=kind)
    if column.kind == "logical":
        return np.where(column.values < 0, None, column.values == 1)
    return column.values


def _without_values(column: Column) -> dict[str, Any]:
    return {
        "kind": column.kind,
        "levels": list(column.levels),
        "labels": list(column.labels),
        "contrasts": encode(column.contrasts),
    }


def _from_text(about: Mapping[str, Any]) -> Column:
    """A column of no rows."""
    numeric = about["kind"] == "numeric"
    shape = (0, len(about["labels"])) if numeric and about["labels"] else (0,)
    values: NDArray[Any] = np.zeros(shape, dtype=float if numeric else np.int64)
    levels, labels = tuple(about["levels"]), tuple(about["labels"])
    return Column(about["kind"], values, levels, labels, decode(about["contrasts"]))
