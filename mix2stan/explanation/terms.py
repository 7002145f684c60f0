"""Every random term: what varies, its covariance in symbols, its sizes, its spelling elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mix2stan.covariances import COVARIANCES
from mix2stan.documents import Block, Code, Equation, Items, Paragraph, Section, Table, Text
from mix2stan.explanation.equation import effect
from mix2stan.explanation.facts import Facts, listed, plural, shown
from mix2stan.graph import Group
from mix2stan.mathematics import (
    ONE,
    Apply,
    Fraction,
    Math,
    Symbol,
    plain_lines,
    row,
    total,
)
from mix2stan.syntax import Node, format_number
from mix2stan.translations.spelling import spellings

__all__ = ["per_level", "sizes", "terms"]

#: Two matrices that are longer stand below each other.
_LONGEST = 92


def sizes(facts: Facts) -> Section:
    """A line for every term."""
    graph = facts.graph
    lines = [f"{facts.data.count} observations of {graph.response.expression}"]
    names = graph.population.columns.names
    if names:
        lines.append(f"population: {', '.join(names)}")
    for predictor in graph.predictors:
        further = predictor.population.columns.names
        lines += [f"population of {predictor.parameter}: {', '.join(further)}"] if further else []
    for group in graph.groups:
        row_ = COVARIANCES[group.covariance.kind]
        columns = ", ".join(group.columns.names)
        of = f" of {group.owner}" if group.owner and not group.shares else ""
        lines.append(
            f"{group.factor}{of}, {plural(group.factor.levels, 'level')}: {columns}; "
            f"{row_.title} ({plural(_parameters(group), 'parameter')})"
        )
    return Section("Terms", (Items(tuple(lines)),))


def _parameters(group: Group) -> int:
    row_ = COVARIANCES[group.covariance.kind]
    return row_.count(len(group.columns.names), group.covariance.order)


def terms(facts: Facts) -> Section:
    """A section for every term, and for two that are to be understood together."""
    sections = [_term(facts, group) for group in facts.graph.groups]
    return Section("Random terms", (), (*sections, *_together(facts)))


def per_level(facts: Facts, group: Group) -> tuple[int, float, int]:
    """Observations per level: least, median, most."""
    counts = facts.counts(group.factor)
    return int(counts.min()), float(np.median(counts)), int(counts.max())


def _term(facts: Facts, group: Group) -> Section:
    row_ = COVARIANCES[group.covariance.kind]
    least, middle, most = per_level(facts, group)
    columns = group.columns.names
    many = len(columns) > 1
    facts_: list[Text] = [
        f"{plural(_parameters(group), 'parameter')}: {row_.title}",
        f"{plural(group.factor.levels, 'level')}; observations per level: "
        f"{least} / {format_number(middle)} / {most} (min / median / max)",
    ]
    if many:
        numbered = listed([f"{k + 1} = {name}" for k, name in enumerate(columns)], 12)
        facts_.append(f"columns: {numbered}")
    if row_.symbols.note:
        facts_.append(row_.symbols.note)
    blocks: list[Block] = [Paragraph(_words(facts, group)), *_matrices(facts, group)]
    blocks += [Items(tuple(facts_)), _spelt(facts, group)]
    of = f" of {group.owner}" if group.owner and not group.shares else ""
    return Section(f"{facts.name(group)}{of}: {listed(columns, 5)}", tuple(blocks))


def _words(facts: Facts, group: Group) -> str:
    """What an effect of a level is."""
    columns, factor = group.columns.names, group.factor
    variables = facts.variables(group.columns)
    intercept = "(Intercept)" in columns
    slopes = [n for n in columns if n != "(Intercept)"]
    subject = f"Each of the {factor.levels} levels of {factor}"
    if factor.levels == facts.data.rows:
        subject = f"Each observation ({factor} has a level for every one)"
    if group.shares:
        parts = []
        for parameter in group.parameters:
            own = listed([columns[k] for k in group.columns_in(parameter)])
            parts.append(f"on {parameter or 'the mean'} ({own})")
        return f"{subject} has effects {listed(parts)}, which are correlated."
    if not slopes:
        return f"{subject} shifts the intercept: all its observations together, up or down."
    if not any(variables.values()):
        what = f"slope of {slopes[0]}" if len(slopes) == 1 else f"slopes of {listed(slopes)}"
        if intercept:
            return f"{subject} shifts the intercept and the {what}: it has a line of its own."
        return f"{subject} shifts the {what}, and not the intercept."
    names = listed([str(v) for v, is_factor in variables.items() if is_factor])
    if intercept:
        return (
            f"{subject} shifts the intercept, which is the mean at the reference level of {names}, "
            f"and the differences from it: {listed(slopes)}."
        )
    if _cells(variables):
        return f"{subject} has an effect for each level of {names}: {listed(slopes)}."
    return f"{subject} has an effect on each of {listed(slopes)}."


def _cells(variables: dict[Node, bool]) -> bool:
    return len(variables) == 1 and all(variables.values())


def _matrices(facts: Facts, group: Group) -> tuple[Equation, ...]:
    """Sigma, and the correlations it implies."""
    if len(group.columns.names) == 1:
        variance = facts.entry(group, 0, 0)
        return (Equation(row(Apply("Var", (effect(facts, group),)), "=", variance)),)
    Sigma = facts.tagged(group, Symbol("Sigma"))
    return _side_by_side(Sigma, facts.covariance(group), facts.correlation(group))


def _side_by_side(Sigma: Math, covariance: Math, correlation: Math) -> tuple[Equation, ...]:
    """A covariance and its correlations in one line, if that is not too long."""
    left = row(Sigma, "=", covariance)
    right = row(Symbol("correlations"), "=", correlation)
    both = row(*left.parts, ",", *right.parts)
    if max(map(len, plain_lines(both))) <= _LONGEST:
        return (Equation(both),)
    return Equation(left), Equation(right)


def _spelt(facts: Facts, group: Group) -> Block:
    rows: list[tuple[Text, ...]] = []
    for package, text, reason in spellings(facts.compiled, group):
        rows.append((package, Code(text) if text else f"none; {reason}"))
    return Table(("package", "this term"), tuple(rows))


# -- two terms that are one structure --------------------------------------------------------------


def _together(facts: Facts) -> Iterator[Section]:
    """``dam + sex:dam``: effects of sex within a dam that are equally correlated."""
    single = [g for g in facts.groups if g.columns.intercept_only]
    for outer in single:
        for inner in single:
            more = set(inner.factor.variables) - set(outer.factor.variables)
            nested = set(outer.factor.variables) < set(inner.factor.variables)
            if nested and len(more) == 1:
                yield _pair(facts, outer, inner, next(iter(more)))


def _pair(facts: Facts, outer: Group, inner: Group, within: Node) -> Section:
    common, own = Symbol("V", "1"), Symbol("V", "2")
    column = facts.data.frame.column(within).as_factor()
    q = max(2, len(column.levels))
    share = Fraction(common, total(common, own))
    covariance = shown(lambda i, j: total(common, own) if i == j else common, q)
    correlation = shown(lambda i, j: ONE if i == j else share, q)
    words: Text = (
        f"Together they give every {within} within a {outer.factor} an effect, with one variance "
        "and one correlation, which cannot be negative (2 parameters); ",
        row(common, "=", facts.entry(outer, 0, 0)),
        " and ",
        row(own, "=", facts.entry(inner, 0, 0)),
        ".",
    )
    title = f"{facts.name(outer)} and {facts.name(inner)} together"
    matrices = _side_by_side(Symbol("Sigma"), covariance, correlation)
    return Section(title, (Paragraph(words), *matrices))
