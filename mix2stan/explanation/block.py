"""The covariance of a few observations, in numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mix2stan.documents import Block, Equation, Paragraph, Section, Table, Text
from mix2stan.explanation.facts import Facts
from mix2stan.explanation.pairs import patterns
from mix2stan.explanation.values import Point, covariance_at
from mix2stan.mathematics import Matrix, Number, Symbol, row
from mix2stan.syntax import Node, format_number

__all__ = ["block", "chosen_rows"]

Index = NDArray[np.int64]

_MOST_ROWS = 6
_OF_ONE_LEVEL = 4


def block(facts: Facts, point: Point) -> Section:
    """V of rows chosen to show its pattern, and the rows themselves."""
    rows = [] if facts.data.reduced else chosen_rows(facts)
    if len(rows) < 2:
        return Section("V of a few observations")
    V = covariance_at(facts, point, rows)
    entries = tuple(tuple(Number(float(f"{x:.4g}")) for x in line) for line in V)
    what = "observations" if facts.gaussian else f"predictors (on {facts.scale})"
    words = f"The covariance of {len(rows)} {what} {point.words}:"
    if facts.graph.residual.of_fitted:
        words += " (variances that depend on the predictor are those at 1)"
    blocks: list[Block] = [_table(facts, rows), Paragraph(words)]
    return Section(
        "V of a few observations", (*blocks, Equation(row(Symbol("V"), "=", Matrix(entries))))
    )


def chosen_rows(facts: Facts) -> list[int]:
    """Some rows of one level, and a partner for every other pattern of what two rows share."""
    graph = facts.graph
    found = patterns(facts)
    if not found and not graph.residual.variances:
        return []
    if not found:
        return _spread_out(np.arange(facts.data.rows), _OF_ONE_LEVEL)
    correlated = graph.residual.correlation
    if not facts.groups:
        assert correlated is not None
        codes = np.zeros(facts.data.rows, dtype=np.int64)
        if correlated.block is not None:
            codes = facts.codes(correlated.block)
    else:
        factor = max(
            (g.factor for g in facts.groups), key=lambda f: float(np.median(facts.counts(f)))
        )
        codes = facts.codes(factor)
    anchor = codes[found[0].rows[0]]
    rows = np.flatnonzero(codes == anchor)
    pattern = len(facts.groups) > 1
    chosen = list(found[0].rows) if pattern else rows[:_OF_ONE_LEVEL].tolist()
    for other in found:
        partner = _partner(facts, chosen[0], other.shared)
        if partner is not None and partner not in chosen and len(chosen) < _MOST_ROWS - 1:
            chosen.append(partner)
    stranger = _partner(facts, chosen[0], frozenset())
    if stranger is not None and stranger not in chosen:
        chosen.append(stranger)
    return chosen


def _spread_out(rows: Index, most: int) -> list[int]:
    places = np.unique(np.linspace(0, len(rows) - 1, most).astype(int))
    return [int(row) for row in rows[places]]


def _partner(facts: Facts, row: int, shared: frozenset[str]) -> int | None:
    """The first row that shares exactly these factors with the given one."""
    agree = np.ones(facts.data.rows, dtype=bool)
    for group in facts.groups:
        codes = facts.codes(group.factor)
        agree &= (codes == codes[row]) == (str(group.factor) in shared)
    agree[row] = False
    return int(np.argmax(agree)) if agree.any() else None


def _table(facts: Facts, rows: list[int]) -> Table:
    """The rows' grouping factors and covariates."""
    graph, frame = facts.graph, facts.data.frame
    nodes: dict[Node, None] = {}
    for group in facts.groups:
        nodes |= dict.fromkeys(group.factor.variables)
        nodes |= dict.fromkeys(facts.variables(group.columns))
    nodes |= dict.fromkeys(graph.residual.variables())
    lines: list[tuple[Text, ...]] = []
    for i in rows:
        cells: list[Text] = [str(int(frame.rows[i]) + 1)]
        for node in nodes:
            column = frame.column(node)
            cells.append(_cell(column.values[i], column.levels))
        lines.append(tuple(cells))
    return Table(("row", *map(str, nodes)), tuple(lines))


def _cell(value: object, levels: tuple[str, ...]) -> str:
    if levels:
        return levels[int(value)]  # type: ignore[call-overload]
    numbers = np.atleast_1d(np.asarray(value, dtype=float))
    return ", ".join(format_number(float(x), 4) for x in numbers)
