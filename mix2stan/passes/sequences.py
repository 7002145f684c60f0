"""Sequences: what is said of levels whose order means something, such as those of times."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from mix2stan.covariances import COVARIANCES
from mix2stan.design import Column
from mix2stan.errors import FormulaError
from mix2stan.graph import Group, ModelGraph, note
from mix2stan.passes.context import Context
from mix2stan.syntax import Call, Node, names_in, walk

__all__ = ["check_sequences"]

#: A level such as ``VISIT10`` or ``(2.5)``: what stands before its number, and that.
_NUMBERED = re.compile(r"(.*?)(\d+(?:\.\d+)?)\D?")
#: Levels that are shown of many.
_SHOWN = 4
#: R's functions that make numbers of levels: their places.
_PLACES = frozenset({"as.numeric", "as.integer"})


def check_sequences(graph: ModelGraph, context: Context) -> ModelGraph:
    """Refuse series of anything but the levels of one factor; say where these have a strange order.

    Raises:
        FormulaError: for ``ar1()`` of a number, or of several factors.
    """
    remarks: list[str] = []
    for group in graph.groups:
        sequence = COVARIANCES[group.covariance.kind].sequence
        remarks += _of_one_column(group, context)
        if sequence:
            remarks += _of_columns(group, context, alone=sequence == "levels")
    # contrasts of a polynomial
    ordered = (n for n, c in context.data.frame.columns.items() if c.kind == "ordered")
    for node in (*ordered, *_times(graph)):
        if node in context.data.frame.columns:
            remarks += _of_levels(node, context)
    return note(graph, *dict.fromkeys(remarks))


def _of_one_column(group: Group, context: Context) -> Iterator[str]:
    """A pattern of correlations has none to say anything of: that is not what its name promises."""
    row = COVARIANCES[group.covariance.kind]
    names = context.data.names(group.columns.formulas, group.columns.plain)
    patterned = row.correlated and row.parameters and row.parameters[-1].shape != "L"
    if patterned and len(names) == 1:
        kind = group.covariance.kind
        yield f"{kind} of one column, {names[0]}, is a variance alone: there is nothing to correlate"


def _of_columns(group: Group, context: Context, alone: bool) -> Iterator[str]:
    """Remarks on a term whose columns follow each other; ``alone``: they are levels of one factor."""
    parts = [context.data.terms(f) for f in group.columns.formulas]
    nodes = list(dict.fromkeys(v for part in parts for v in part.variables))
    kinds = {node: context.data.frame.column(node).kind for node in nodes}
    factors = [node for node in nodes if kinds[node] in ("factor", "ordered")]
    kind = group.covariance.kind
    if alone and len(factors) != 1:
        message = f"{kind}() expects a single, factor variable as the time component"
        one = nodes[0] if nodes else "f"
        raise FormulaError(message, span=group.span, hint=f"write {kind}(0 + factor({one}) | g)")
    names = context.data.names(group.columns.formulas, group.columns.plain)
    if any(part.intercept for part in parts):
        yield (
            f"{kind} is not meaningful with an intercept: (Intercept) is taken for the first time, "
            f"the differences to it for the others; write 0 + {nodes[0] if nodes else 'f'}"
        )
    elif len(factors) < len(nodes):
        yield f"{kind} takes the columns {_shown(names)} for times in that order, equally far apart"
    for node in factors:
        yield from _of_levels(node, context, equally=True)


def _times(graph: ModelGraph) -> Iterator[Node]:
    """What the times of correlated errors are made of, if those are places of levels."""
    correlation = graph.residual.correlation
    for node in () if correlation is None else correlation.covariates:
        if isinstance(node, Call) and node.function in _PLACES:
            yield node


def _of_levels(node: Node, context: Context, equally: bool = False) -> Iterator[str]:
    """Remarks on the order of the levels, and where they are taken ``equally`` far apart on that."""
    source = _source(node, context)
    column = context.data.frame.column(node)
    if not column.is_factor and source is not None and not source.text:
        # the places of levels are numbers, the levels those of the column
        column = source
    if column.kind not in ("factor", "ordered"):
        return
    levels, name = column.used_levels().levels, next(iter(names_in(node)), node)
    numbers = _numbers(levels)
    if len(levels) < 3:
        return
    if numbers is None:
        text = column.text or (source is not None and source.text and not _says_levels(node))
        if text and levels == tuple(sorted(levels)):
            yield f"the levels of {node} are text, in the order of the alphabet: {_shown(levels)}"
        elif equally and (empty := [x for x in column.levels if x not in levels]):
            yield f"no row has {_shown(empty)} of {node}: the levels around are taken for neighbours"
        return
    gaps = np.diff(numbers)
    if not ((gaps > 0).all() or (gaps < 0).all()):
        sizes = [levels[i] for i in np.argsort(numbers)]
        yield (
            f"the levels of {node} are in the order {_shown(levels)}, not {_shown(sizes)}: "
            f"factor({name}, levels = c(…)) says another"
        )
    elif equally and np.ptp(gaps) > 0:
        yield f"the levels of {node} are taken to be equally far apart: {_shown(levels)}"


def _source(node: Node, context: Context) -> Column | None:
    """The column of the data that levels are those of, if it is one."""
    raw, names = context.data.raw, [n.name for n in names_in(node)]
    own = raw is not None and len(names) == 1 and names[0] in raw.columns
    return raw.columns[names[0]] if raw is not None and own else None


def _says_levels(node: Node) -> bool:
    """Whether a call lists the levels of the factor it makes."""
    calls = (n for n in walk(node) if isinstance(n, Call))
    return any(len(c.args) > 1 and c.args[1].name in (None, "levels") for c in calls)


def _numbers(levels: tuple[str, ...]) -> list[float] | None:
    """The numbers that levels end with, if these are all they differ by."""
    found = [match for level in levels if (match := _NUMBERED.fullmatch(level))]
    if len(found) < len(levels) or len({match[1] for match in found}) > 1:
        return None
    return [float(match[2]) for match in found]


def _shown(levels: tuple[str, ...] | list[str]) -> str:
    return ", ".join(levels[:_SHOWN]) + (", …" if len(levels) > _SHOWN else "")
