"""The covariance of two observations, in words and symbols, by what they have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mix2stan.documents import Block, Items, Paragraph, Section, Table, Text
from mix2stan.explanation.errors import correlation_formula
from mix2stan.explanation.facts import Facts
from mix2stan.graph import Group
from mix2stan.mathematics import (
    ONE,
    ZERO,
    Apply,
    Fraction,
    Math,
    Number,
    Power,
    Symbol,
    product,
    total,
)
from mix2stan.residual_data import blocks_of

__all__ = ["Pattern", "Shared", "pairs", "patterns", "shared_parts"]

Index = NDArray[np.int64]

#: More factors than these are not combined: what each contributes is listed.
_MOST_FACTORS = 5
_S, _T = Symbol("s"), Symbol("t")


@dataclass(frozen=True, eq=False)
class Shared:
    """What two observations may have in common, and what it adds to their covariance.

    Attributes:
        name: the factor.
        codes: its level in every row, shape (N,).
        covariance: what two observations of one level have in common.
        variance: the same for an observation and itself.
        at: the columns whose values in the two observations are s and t.
        legend: what else is to be said of the symbols.
    """

    name: str
    codes: Index
    covariance: Math
    variance: Math
    at: tuple[str, ...] = ()
    legend: tuple[Text, ...] = ()


@dataclass(frozen=True)
class Pattern:
    """Which factors two rows share, and two such rows; the first row by itself if they are one."""

    shared: frozenset[str]
    rows: tuple[int, int]


def shared_parts(facts: Facts) -> list[Shared]:
    """One for every random term, and one for the blocks of correlated errors."""
    found = [_term(facts, group) for group in facts.groups]
    correlation = facts.graph.residual.correlation
    if correlation is not None:
        formula = correlation_formula(correlation)
        r = formula if isinstance(formula, Math) else Apply("cor", (_S, _T))
        block = "" if correlation.block is None else str(correlation.block)
        blocks = blocks_of(correlation, facts.data)
        codes = np.zeros(facts.data.rows, dtype=np.int64)
        for i, (start, end) in enumerate(zip(blocks.first, blocks.first[1:], strict=False)):
            codes[blocks.order[start:end]] = i
        at = tuple(map(str, correlation.covariates))
        found.append(Shared(block, codes, product(_spread(facts, two=True), r), ZERO, at))
    return found


def _spread(facts: Facts, two: bool) -> Math:
    """The variance of an error, or the product of the sds of two."""
    sigma2 = Power(Symbol("sigma"), Number(2))
    if not facts.graph.residual.variances:
        return sigma2
    if two:
        return product(sigma2, Symbol("g", "s"), Symbol("g", "t"))
    return product(sigma2, Power(Symbol("g"), Number(2)))


def _term(facts: Facts, group: Group) -> Shared:
    """z_s' Sigma z_t, as short as the columns allow."""
    name, codes = str(group.factor), facts.codes(group.factor)
    columns = [group.columns.names[k] for k in group.columns_in("")]
    design = facts.data.matrix(group.columns)[:, group.columns_in("")]
    if columns == ["(Intercept)"]:
        V = facts.entry(group, 0, 0)
        return Shared(name, codes, V, V)
    slopes = [c for c in columns if c != "(Intercept)"]
    if group.shares:
        return _product(facts, group, columns, codes)
    if len(slopes) == 1 and len(columns) <= 2:
        return _line(facts, group, slopes[0], codes)
    if _indicator(design):
        return _cells(facts, group, codes)
    return _product(facts, group, columns, codes)


def _product(facts: Facts, group: Group, columns: Sequence[str], codes: Index) -> Shared:
    """z_s' Sigma z_t, of the columns that are in the mean's predictor."""
    name = str(group.factor)
    Sigma, z = facts.tagged(group, Symbol("Sigma")), facts.name(group)
    zs, zt = Symbol("z", f"{z},s"), Symbol("z", f"{z},t")
    both = product(Power(zs, Symbol("T")), Sigma, zt)
    alone = product(Power(zs, Symbol("T")), Sigma, zs)
    legend = (f"z_{z},s and z_{z},t: the values of {', '.join(columns)} in the two observations",)
    return Shared(name, codes, both, alone, (), legend)


def _line(facts: Facts, group: Group, slope: str, codes: Index) -> Shared:
    """An intercept and a slope, or a slope alone."""
    columns, name = group.columns.names, str(group.factor)
    if len(columns) == 1:
        V = facts.entry(group, 0, 0)
        both = product(_S, _T, V)
        return Shared(name, codes, both, product(Power(_S, Number(2)), V), (slope,))
    a, c, b = (facts.entry(group, i, j) for i, j in ((0, 0), (0, 1), (1, 1)))
    if columns[0] == slope:
        a, b = b, a
    both = total(a, product(total(_S, _T), c), product(_S, _T, b))
    alone = total(a, product(Number(2), _S, c), product(Power(_S, Number(2)), b))
    return Shared(name, codes, both, alone, (slope,))


def _indicator(design: NDArray[np.float64]) -> bool:
    """Whether every row has one effect, as it is."""
    return bool(((design == 0) | (design == 1)).all() and (design.sum(axis=1) == 1).all())


def _cells(facts: Facts, group: Group, codes: Index) -> Shared:
    """An effect per level of a factor: the entries of Sigma themselves."""
    columns = group.columns.names
    tag = f"{facts.name(group)},kl" if len(facts.graph.groups) > 1 else "kl"
    own = f"{tag[:-1]}k"
    legend: tuple[Text, ...] = (
        (
            Symbol("Sigma", tag),
            ": the entry for the columns k and l of the two observations; ",
            facts.entry(group, 0, 0),
            f" where both are {columns[0]}, ",
            facts.entry(group, 0, 1),
            f" where one is {columns[0]}, the other {columns[1]}",
        ),
    )
    name = str(group.factor)
    return Shared(name, codes, Symbol("Sigma", tag), Symbol("Sigma", own), (), legend)


# -- what occurs -----------------------------------------------------------------------------------


def patterns(facts: Facts) -> list[Pattern]:
    """What pairs of observations share, as far as pairs of the data do; the most first."""
    factors: dict[str, Index] = {}
    for part in shared_parts(facts):
        factors.setdefault(part.name, part.codes)
    names = list(factors)
    found: dict[frozenset[str], tuple[int, int]] = {}
    chosen = range(len(names), 0, -1) if len(names) <= _MOST_FACTORS else (1,)
    for size in chosen:
        for subset in combinations(names, size):
            for same, rows in _occurring(factors, _candidates([factors[n] for n in subset])):
                found.setdefault(same, rows)
    order = sorted(found, key=lambda s: (-len(s), [n not in s for n in names]))
    return [Pattern(shared, found[shared]) for shared in order]


def _occurring(
    factors: dict[str, Index], rows: Index
) -> Iterator[tuple[frozenset[str], tuple[int, int]]]:
    """Every set of factors that some of these pairs of rows share, and the first such pair."""
    if not len(rows):
        return
    agree = np.column_stack([c[rows[:, 0]] == c[rows[:, 1]] for c in factors.values()])
    kinds, first = np.unique(agree, axis=0, return_index=True)
    for kind, place in zip(kinds, first, strict=True):
        same = frozenset(n for n, shared in zip(factors, kind, strict=True) if shared)
        yield same, (int(rows[place, 0]), int(rows[place, 1]))


def _candidates(codes: list[Index]) -> Index:
    """Pairs of rows that agree in all of these, shape (pairs, 2): the ends of every run first."""
    order = np.lexsort(codes[::-1])
    table = np.column_stack([c[order] for c in codes])
    new = np.append(True, (np.diff(table, axis=0) != 0).any(axis=1))
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(order)) - 1
    neighbours = np.column_stack([order[:-1], order[1:]])[~new[1:]]
    ends = np.column_stack([order[first], order[last]])[last > first + 1]
    return np.vstack([ends, neighbours])


def pairs(facts: Facts) -> Section:
    """A table of what two observations share, and their covariance then."""
    parts = shared_parts(facts)
    if not parts:
        return Section("Two observations")
    rows: list[tuple[Text, ...]] = []
    own = total(*(p.variance for p in parts), _residual(facts))
    rows.append(("an observation and itself", own))
    single = all(p.covariance == p.variance for p in parts)
    names = list(dict.fromkeys(p.name for p in parts))
    if len(names) > _MOST_FACTORS:
        rows += [(f"the same {p.name} adds{_at(p)}", p.covariance) for p in parts]
    else:
        for pattern in patterns(facts):
            mine = [p for p in parts if p.name in pattern.shared]
            covariance = total(*(p.covariance for p in mine))
            line: tuple[Text, ...] = (_words(names, pattern, mine), covariance)
            share = ONE if covariance == own else Fraction(covariance, own)
            rows.append((*line, share) if single else line)
        if all(names):
            rows.append((f"no {' and no '.join(names)} in common", ZERO))
    width = max(map(len, rows))
    head: tuple[Text, ...] = ("two observations", "covariance", "correlation")[:width]
    padded = tuple(_filled(r, width) for r in rows)
    blocks: list[Block] = [Paragraph(_opening(facts)), Table(head, padded)]
    legend = tuple(line for p in parts for line in p.legend)
    return Section("Two observations", (*blocks, *([Items(legend)] if legend else [])))


def _filled(cells: tuple[Text, ...], width: int) -> tuple[Text, ...]:
    """The correlation of an observation with itself is 1, of strangers 0."""
    if len(cells) == width:
        return cells
    return (*cells, ZERO if cells[1] == ZERO else ONE)


def _residual(facts: Facts) -> Math:
    return _spread(facts, two=False) if facts.gaussian else ZERO


def _opening(facts: Facts) -> str:
    if facts.gaussian:
        return "Given the population part, the covariance of two observations is:"
    return (
        f"Given the population part, the covariance of the predictors of two observations, on "
        f"{facts.scale}, is:"
    )


def _at(part: Shared) -> str:
    return f", at {' and '.join(part.at)} s and t" if part.at else ""


def _words(names: list[str], pattern: Pattern, parts: list[Shared]) -> str:
    here = [f"same {n}" for n in names if n in pattern.shared and n]
    other = [f"other {n}" for n in names if n not in pattern.shared and n]
    places = list(dict.fromkeys(_at(p) for p in parts if p.at))
    return (", ".join([*here, *other]) or "any two") + "".join(places)
