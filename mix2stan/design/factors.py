"""R's functions that make and change factors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.counts import bounded
from mix2stan.design.evaluate import Evaluation
from mix2stan.design.frame import Column
from mix2stan.errors import DataError, FormulaError, Unsupported, suggestion
from mix2stan.syntax import Call, Constant, Node, format_number

__all__ = [
    "as_character",
    "as_factor",
    "at_level",
    "cut",
    "drop_levels",
    "dummy",
    "factor",
    "interaction",
    "levels",
    "num_factor",
    "ordered",
    "paste",
    "relevel",
]

Arguments = Mapping[str, Node]

#: The most breaks of cut(), where there are fewer values.
_BREAKS = 100_000


def factor(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``factor(x, levels, labels, ordered)``: the levels in use, or those that are given."""
    made = _factor_of(evaluation, call, arguments)
    if "ordered" in arguments:
        return replace(made, kind="ordered" if evaluation.flag(arguments["ordered"]) else "factor")
    return made


def ordered(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``ordered(x, levels)``."""
    return replace(_factor_of(evaluation, call, arguments), kind="ordered")


def as_factor(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``as.factor(x)``; levels learnt from the data stay what they were on new data."""
    return _factor_of(evaluation, call, arguments)


def as_character(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``as.character(x)``: text, so a factor whose levels are sorted."""
    column = _factor_of(evaluation, call, arguments)
    return replace(_with_levels(column, tuple(sorted(column.levels))), text=True)


def paste(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``paste(a, b, sep = "_")`` and ``paste0(a, b)``: text; ``NA`` is a word like any other."""
    between = " " if call.function == "paste" else ""
    if "sep" in arguments:
        between = evaluation.strings(arguments["sep"])[0]
    parts = [evaluation.column(n).as_factor() for name, n in arguments.items() if name != "sep"]
    if not parts:
        raise FormulaError(f"{call.function}() needs something to paste", span=call.span)
    length = max(len(part) for part in parts)
    words = [np.array([*part.levels, "NA"], dtype=object)[part.values] for part in parts]
    if any(len(word) not in (1, length) for word in words):
        raise FormulaError("what is pasted has unequal lengths", span=call.span)
    longest = sum(max((len(w) for w in part.levels), default=0) + len(between) for part in parts)
    evaluation.table(length, longest, call)
    rows = zip(*(np.resize(word, length) for word in words), strict=True)
    pasted = [between.join(row) for row in rows]
    # numpy's texts would lose what ends in a null character
    place = {level: i for i, level in enumerate(sorted(set(pasted)))}
    return Column.factor([place[word] for word in pasted], tuple(place), text=True)


def levels(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``levels(f)``: text, a value for each level; ``as.numeric(levels(f))[f]`` reads numbers."""
    names = evaluation.remember(call, lambda: evaluation.column(arguments["x"]).as_factor().levels)
    known = tuple(sorted(names))
    place = {name: i for i, name in enumerate(known)}
    codes = np.array([place[name] for name in names], dtype=np.int64)
    return Column("factor", codes, known, text=True)


def drop_levels(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``droplevels(f)``: the levels in use."""
    return _factor_of(evaluation, call, arguments)


def _factor_of(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    column = evaluation.column(arguments["x"]).as_factor()

    def learn() -> tuple[str, ...]:
        left_out = _excluded(evaluation, column, arguments)
        return tuple(level for level in every() if level not in left_out)

    def every() -> tuple[str, ...]:
        if "levels" in arguments:
            return tuple(evaluation.strings(arguments["levels"]))
        keep_all = call.function in ("as.factor", "as.character", "as.ordered")
        return column.levels if keep_all else column.used_levels().levels

    levels = evaluation.remember(call, learn)
    made = _with_levels(column, levels)
    if "labels" not in arguments:
        return made
    labels = tuple(evaluation.strings(arguments["labels"]))
    if len(labels) != len(levels):
        message = f"{len(labels)} labels for {len(levels)} levels"
        raise FormulaError(message, span=arguments["labels"].span)
    return Column.factor(made.values, labels, made.kind)


def _excluded(evaluation: Evaluation, column: Column, arguments: Arguments) -> frozenset[str]:
    """The values that ``exclude`` makes missing."""
    node = arguments.get("exclude")
    if node is None:
        return frozenset()
    if node == Constant("NULL"):
        if column.missing.any():
            message = "missing values cannot be a level"
            hint = "make them a word of the column first"
            raise Unsupported(message, span=node.span, hint=hint)
        return frozenset()
    return frozenset(evaluation.strings(node))


def _with_levels(column: Column, levels: tuple[str, ...]) -> Column:
    """The column with these levels; values that have none of them are missing."""
    place = {level: i for i, level in enumerate(levels)}
    table = np.array([place.get(level, -1) for level in column.levels] + [-1], dtype=np.int64)
    return replace(column, values=table[column.values], levels=levels, text=False)


def relevel(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``relevel(f, ref)``: another first level, by its name or its number."""
    column = evaluation.column(arguments["x"]).as_factor()
    wanted = evaluation.column(arguments["ref"])
    if wanted.kind == "numeric":
        place = evaluation.whole(arguments["ref"]) - 1
        if not 0 <= place < len(column.levels):
            message = f"there is no level number {place + 1} of {len(column.levels)}"
            raise FormulaError(message, span=arguments["ref"].span)
        ref = column.levels[place]
    else:
        (ref,) = evaluation.strings(arguments["ref"])[:1] or [""]
    if ref not in column.levels:
        hint = suggestion(ref, column.levels, what="the levels")
        raise FormulaError(f"there is no level {ref!r}", span=arguments["ref"].span, hint=hint)
    levels = (ref, *(level for level in column.levels if level != ref))
    return _with_levels(column, levels)


def dummy(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """lme4's ``dummy(f, "level")``: a column for each level named, 1 for its rows and 0 for others.

    Without names it is all levels but the first.
    """
    column = evaluation.column(arguments["x"]).as_factor()
    wanted = arguments.get("level")
    names = list(column.levels[1:]) if wanted is None else evaluation.strings(wanted)
    known = {level: i for i, level in enumerate(column.levels)}
    for name in names:
        if name not in known:
            hint = suggestion(name, column.levels, what="the levels")
            raise FormulaError(f"there is no level {name!r}", span=call.span, hint=hint)
    if not names:
        raise FormulaError("dummy() has no level to show", span=call.span)
    evaluation.table(len(column), len(names), call)
    places = [known[name] for name in names]
    hits = (column.values[:, None] == np.array(places)).astype(float)
    hits[column.missing] = np.nan
    return Column.numeric(hits[:, 0]) if len(names) == 1 else Column.numeric(hits, names)


def at_level(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """MCMCglmm's ``at.level(f, "a")``: 1 for the rows of some levels, by name or by number."""
    column = evaluation.column(arguments["x"]).as_factor()
    wanted = evaluation.column(arguments["level"])
    if wanted.kind == "numeric":
        places = [int(v) - 1 for v in wanted.values.tolist()]
        names = [column.levels[i] if 0 <= i < len(column.levels) else str(i + 1) for i in places]
    else:
        names = evaluation.strings(arguments["level"])
    known = {level: i for i, level in enumerate(column.levels)}
    for name in names:
        if name not in known:
            hint = suggestion(name, column.levels, what="the levels")
            raise FormulaError(f"there is no level {name!r}", span=call.span, hint=hint)
    hits = np.isin(column.values, [known[name] for name in names]).astype(float)
    return Column.numeric(np.where(column.missing, np.nan, hits))


def num_factor(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """glmmTMB's ``numFactor(x, y)``: a level for every place, named by its coordinates."""
    points = np.column_stack([evaluation.numbers(a) for a in arguments.values()])
    missing: NDArray[np.bool_] = np.asarray(np.isnan(points).any(axis=1))
    places = evaluation.remember(call, lambda: np.unique(points[~missing], axis=0))
    levels = tuple(f"({','.join(format_number(x) for x in p)})" for p in places.tolist())
    index = {tuple(p): i for i, p in enumerate(places.tolist())}
    codes = [index.get(tuple(p), -1) for p in points.tolist()]
    return Column.factor(codes, levels)


def interaction(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``interaction(a, b)``: all combinations, the first factor fastest unless ``lex.order``."""
    separator = evaluation.strings(arguments["sep"])[0] if "sep" in arguments else "."
    first_slowest = "lex.order" in arguments and evaluation.flag(arguments["lex.order"])
    parts = [n for name, n in arguments.items() if name.startswith("...")]
    if not parts:
        raise FormulaError("interaction() needs factors", span=call.span)
    columns = [evaluation.column(n).as_factor() for n in parts]
    evaluation.words(math.prod(len(c.levels) for c in columns), call)
    codes, levels = columns[0].values, columns[0].levels
    for column in columns[1:]:
        missing = (codes < 0) | column.missing
        if first_slowest:
            codes = np.where(missing, -1, len(column.levels) * codes + column.values)
            levels = tuple(f"{a}{separator}{b}" for a in levels for b in column.levels)
        else:
            codes = np.where(missing, -1, codes + len(levels) * column.values)
            levels = tuple(f"{a}{separator}{b}" for b in column.levels for a in levels)
    made = Column.factor(codes, levels)
    drop = "drop" in arguments and evaluation.flag(arguments["drop"])
    return made.used_levels() if drop else made


def cut(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``cut(x, breaks)``: intervals, closed on the right unless ``right = FALSE``."""
    values = evaluation.numbers(arguments["x"])
    right = "right" not in arguments or evaluation.flag(arguments["right"])
    lowest = "include.lowest" in arguments and evaluation.flag(arguments["include.lowest"])

    def learn() -> NDArray[np.float64]:
        given = np.sort(evaluation.numbers(arguments["breaks"]))
        bounded(len(given), max(_BREAKS, len(values)), "breaks", arguments["breaks"].span)
        return _equal_breaks(values, int(given[0])) if len(given) == 1 else given

    breaks = evaluation.remember(call, learn)
    if len(breaks) < 2 or len(set(breaks.tolist())) != len(breaks):
        raise FormulaError("the breaks are not distinct", span=arguments["breaks"].span)
    codes = np.searchsorted(breaks, values, side="left" if right else "right") - 1
    if lowest:
        codes = np.where(
            values == breaks[0 if right else -1], 0 if right else len(breaks) - 2, codes
        )
    outside = np.isnan(values) | (codes < 0) | (codes >= len(breaks) - 1)
    if "labels" in arguments and evaluation.column(arguments["labels"]).kind == "logical":
        return Column.numeric(np.where(outside, np.nan, codes + 1.0))
    levels = _interval_labels(evaluation, arguments, breaks, right, lowest)
    is_ordered = "ordered_result" in arguments and evaluation.flag(arguments["ordered_result"])
    codes = np.where(outside, -1, codes)
    return Column.factor(codes, levels, "ordered" if is_ordered else "factor")


def _equal_breaks(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """R's breaks for a number of intervals: equal, the outer ones moved out by 0.1 %."""
    if not 2 <= count <= 10_000:
        raise DataError("cut() takes between 2 and 10,000 intervals")
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    width = high - low
    if width == 0:
        width = abs(low)
        return np.linspace(low - width / 1000, high + width / 1000, count + 1)
    breaks = np.linspace(low, high, count + 1)
    breaks[0], breaks[-1] = low - width / 1000, high + width / 1000
    return breaks


def _interval_labels(
    evaluation: Evaluation,
    arguments: Arguments,
    breaks: NDArray[np.float64],
    right: bool,
    lowest: bool,
) -> tuple[str, ...]:
    count = len(breaks) - 1
    if "labels" in arguments:
        labels = tuple(evaluation.strings(arguments["labels"]))
        if len(labels) != count:
            message = f"{len(labels)} labels for {count} intervals"
            raise FormulaError(message, span=arguments["labels"].span)
        return labels
    digits = evaluation.whole(arguments["dig.lab"]) if "dig.lab" in arguments else 3
    shown = [_bound(b, digits) for b in breaks]
    while len(set(shown)) < len(shown) and digits < 16:
        digits += 1
        shown = [_bound(b, digits) for b in breaks]
    left, close = ("(", "]") if right else ("[", ")")
    intervals = [f"{left}{a},{b}{close}" for a, b in itertools.pairwise(shown)]
    if lowest and right:
        intervals[0] = "[" + intervals[0][1:]
    elif lowest:
        intervals[-1] = intervals[-1][:-1] + "]"
    return tuple(intervals)


def _bound(value: float, digits: int) -> str:
    """A bound as R's ``formatC`` writes it; an infinite one has a space for its sign."""
    if np.isinf(value):
        return " Inf" if value > 0 else "-Inf"
    return f"{value:.{digits}g}"
