"""What the translations share: a model's parts as R text."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mix2stan.compiler import Compiled, script_with_values
from mix2stan.design import Evaluation, Terms, product, terms
from mix2stan.dialects import request_of
from mix2stan.dialects.arguments import Request
from mix2stan.errors import Unsupported
from mix2stan.families import FAMILIES
from mix2stan.graph import Columns, Group, ModelGraph
from mix2stan.syntax import Call, Name, Node, Number, Operator, String, quote_name

__all__ = [
    "Source",
    "assigned",
    "bar",
    "call",
    "coded_alike",
    "columns_of",
    "factor_text",
    "family_text",
    "formulas_of",
    "lists_given",
    "names_given",
    "no_subset",
    "prepared",
    "refuse",
    "source_of",
    "spelt",
]


#: Functions that learn no more than which levels there are.
_LEVELS_ALONE = frozenset(
    ("factor", "as.factor", "ordered", "as.ordered", "as.character", "as.vector", "droplevels")
)


@dataclass(frozen=True)
class Source:
    """A model to be translated: its graph, and what its call says of the data."""

    model: Compiled
    request: Request

    @property
    def graph(self) -> ModelGraph:
        """What the model means."""
        return self.model.graph

    @property
    def data(self) -> str:
        """The data argument, ``subset`` within it: not all functions have one of their own."""
        name = "d" if self.request.data is None else str(self.request.data)
        subset, raw = self.request.subset, self.model.data.raw
        if subset is None or raw is None or self.learnt:
            return name
        numbers = Evaluation(raw).column(subset).kind == "numeric"
        return f"{name}[{subset}, ]" if numbers else f"subset({name}, {subset})"

    @property
    def learnt(self) -> bool:
        """Whether functions may have learnt from rows that ``subset`` leaves out."""
        if self.request.subset is None or self.request.rows_first:
            return False
        calls = (node for node in self.model.data.frame.states if isinstance(node, Call))
        return any(call.function not in _LEVELS_ALONE for call in calls)

    @property
    def subset(self) -> str:
        """The argument of functions that evaluate all rows before they take some, if that matters."""
        return f"subset = {self.request.subset}" if self.learnt else ""

    @property
    def contrasts(self) -> str:
        """The contrasts as a list, empty if the call has none."""
        given = self.request.contrasts.items()
        entries = [f"{quote_name(name)} = {_contrast(kind)}" for name, kind in given]
        return f"list({', '.join(entries)})" if entries else ""

    @property
    def settings(self) -> tuple[str, ...]:
        """The lines before a call that say how factors are coded."""
        given = self.request.settings
        lines = []
        if "unordered" in given:
            both = ", ".join(str(String(given[name])) for name in ("unordered", "ordered"))
            lines.append(f"options(contrasts = c({both}))")
        name = "d" if self.request.data is None else str(self.request.data)
        for key, kind in given.items():
            if key.startswith("contrasts("):
                lines.append(f"contrasts({name}${key[10:-1]}) <- {_contrast(kind)}")
        return tuple(lines)

    @property
    def rows(self) -> int:
        """The number of rows before incomplete ones are dropped."""
        if self.learnt and self.model.data.raw is not None:
            return self.model.data.raw.n
        return self.model.data.rows + self.model.data.frame.dropped


def coded_alike(source: Source, package: str, plain: bool) -> None:
    """Refuse contrasts that the package would take for random terms as well, or would not.

    Raises:
        Unsupported: if that is another model; where terms have no factors it is not.
    """
    data = source.model.data
    for group in source.graph.groups if source.contrasts else ():
        for formula in group.columns.formulas:
            one, two = (data.spec(formula, way) for way in (plain, group.columns.plain))
            if one.names != two.names or not np.array_equal(
                one.matrix(data.frame), two.matrix(data.frame)
            ):
                where = "fixed effects alone" if group.columns.plain else "random terms too"
                raise refuse(package, f"contrasts of {where}", "make factors that have contrasts")


def no_subset(source: Source, package: str) -> None:
    """Refuse functions that learnt from rows left out, where a package has no such ``subset``.

    Raises:
        Unsupported: if there are any.
    """
    if source.learnt:
        what = "a function that learns from rows which subset leaves out"
        raise refuse(package, what, "make a column of its values first")


def _contrast(kind: str) -> str:
    """A contrast function's name, the function itself, or the text of a matrix."""
    return kind.removesuffix("()") if "(" in kind else str(String(kind))


def names_given(compiled: Compiled) -> frozenset[str]:
    """The names of all columns of the data, which a call in R text is read with."""
    given: Any = compiled.given
    if compiled.data.reduced:
        return frozenset(compiled.data.names_of_data)
    frames: list[Any] = [given] if isinstance(given, pd.DataFrame) else list(given.values())
    frames = [frame for frame in frames if isinstance(frame, pd.DataFrame)]
    return frozenset(str(c) for frame in frames for c in frame.columns)


def lists_given(compiled: Compiled) -> Mapping[str, Any]:
    """What was given beside the data frames, by name."""
    given: Any = compiled.given
    return given if isinstance(given, Mapping) else {}


def source_of(compiled: Compiled) -> Source:
    """A model, and what its text says of the data."""
    given = lists_given(compiled)
    frames = {name: x for name, x in given.items() if isinstance(x, pd.DataFrame)}
    if isinstance(compiled.given, pd.DataFrame):
        frames[""] = compiled.given
    request = request_of(script_with_values(compiled.text, names_given(compiled), given, frames))
    if request.finish is not None:
        request = request.finish(lambda node: _levels(compiled, node))
    return Source(compiled, request)


def _levels(compiled: Compiled, node: Node) -> tuple[str, ...]:
    """The levels of a response of categories, whose latent variables have their names."""
    layers = compiled.graph.response.layers
    return next(x.levels for x in layers if x.levels and x.response == str(node))


def refuse(package: str, what: str, nearest: str) -> Unsupported:
    """Why a package has no such model, and what comes nearest."""
    return Unsupported(f"{package} cannot express {what}", hint=nearest)


def call(function: str, *arguments: str) -> str:
    """An R call; empty arguments are left out."""
    return f"{function}({', '.join(a for a in arguments if a)})"


def prepared(data: str, source: Source) -> tuple[str, str]:
    """A line that makes the data, and their name; no line where they are there, or a part of them.

    >>> prepared("subset(d, x > 1)", source)  # doctest: +SKIP
    ('', 'subset(d, x > 1)')
    """
    if not data.startswith("transform("):
        return "", data
    fresh = quote_name(_fresh(source))
    return f"{fresh} <- {data}\n", fresh


def assigned(source: Source) -> tuple[tuple[str, ...], Source]:
    """A line that makes data whose factors are given contrasts, which R sets in what has a name.

    Returns:
        The line, if it is needed; and the source with data of that name.
    """
    data = source.request.data
    coded = any(key.startswith("contrasts(") for key in source.request.settings)
    if not coded or data is None or isinstance(data, Name):
        return (), source
    fresh = Name(_fresh(source))
    return (f"{fresh} <- {data}",), replace(source, request=replace(source.request, data=fresh))


def _fresh(source: Source) -> str:
    """A name of data that no variable has."""
    given = source.request.data
    name = given.name if isinstance(given, Name) else "d"
    taken = {str(variable) for variable in source.model.data.frame.columns}
    names = (f"{name}{k}" for k in itertools.count(2))
    return next(n for n in names if quote_name(n) not in taken)


def factor_text(variables: Sequence[Node], joined: str = ":") -> str:
    """A grouping factor."""
    return joined.join(str(v) for v in variables)


def columns_of(formula: Node, *, intercept: str = "1", none: str = "0") -> str:
    """A right-hand side in the form ``1 + x``, or ``0 + x`` without an intercept."""
    parts = terms(formula, columns=())
    first = intercept if parts.intercept and parts.indicator is None else none
    return " + ".join([*([first] if first else []), *map(str, _sum(parts))])


def formulas_of(columns: Columns, source: Source) -> tuple[Node, ...]:
    """The formulas of columns; those of an intercept and of numbers, merged once, are one again."""
    formulas, frame = columns.formulas, source.model.data.frame
    parts = [terms(formula, columns=()) for formula in formulas]
    variables = [v for part in parts for v in part.variables]
    intercepts = sum(part.intercept for part in parts if part.indicator is None)
    apart = len(formulas) == 1 and parts[0].indicator is None
    if apart or intercepts > 1 or any(frame.column(v).is_factor for v in variables):
        return formulas
    merged = Operator("+", (Number(float(intercepts)), *(p for part in parts for p in _sum(part))))
    names = source.model.data.names((merged,))
    return (merged,) if sorted(names) == sorted(columns.names) else formulas


def _sum(part: Terms) -> Iterator[Node]:
    """The columns of a formula besides the intercept of all rows."""
    indicator = () if part.indicator is None else (part.indicator,)
    if indicator and part.intercept:
        yield indicator[0]
    for term in part.terms:
        yield product((*indicator, *term.variables))


def bar(group: Group, formula: Node) -> str:
    """``1 + x | g``."""
    return f"{columns_of(formula)} | {factor_text(group.factor.variables)}"


def spelt(group: Group, spellings: dict[str, str], package: str, nearest: str) -> str:
    """The package's word for the covariance structure of a term.

    Raises:
        Unsupported: if it has none.
    """
    kind = group.covariance.kind
    if group.shares:
        raise refuse(package, f"effects of {group.factor} shared by predictors", "brms can")
    if group.coupled and package != "MCMCglmm":
        what = "related" if group.factor.relationship else "several"
        raise refuse(package, f"{what} levels of {group.factor}", "MCMCglmm can")
    if kind not in spellings:
        raise refuse(package, f"the structure {group.covariance} of {group.factor}", nearest)
    return spellings[kind]


def family_text(graph: ModelGraph) -> str:
    """R's name of the distribution, with its link if that is not the default."""
    name = graph.response.family
    # single trials are binomial ones to R
    name = next((many for many, f in FAMILIES.items() if f.single == name), name)
    row = FAMILIES[name]
    if graph.response.link == row.links[0]:
        return row.r_names[0]
    return f'{row.r_names[0]}(link = "{graph.response.link}")'
