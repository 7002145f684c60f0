"""Which factors are fixed and which are random, and what speaks for each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mix2stan.documents import Items, Paragraph, Section, Table, Text
from mix2stan.explanation.facts import Facts
from mix2stan.syntax import format_number

__all__ = ["roles"]

Counts = NDArray[np.int64]

_FEW_LEVELS, _MANY_LEVELS = 5, 10
_FEW_ROWS, _MANY_ROWS = 5, 30


def roles(facts: Facts) -> Section:
    """A line for every factor: how it is used, and what its sizes say; the rest is the reader's."""
    lines = [_line(str(g), "random", c) for g, c in _random(facts).items()]
    lines += [_line(name, "fixed", counts) for name, counts in _fixed(facts).items()]
    if not lines:
        return Section("Fixed or random")
    head = ("factor", "here", "levels", "per level", "for random", "for fixed")
    opening = (
        "A fixed effect is a constant of its own for every level; a random one is drawn from a "
        "distribution whose variance is estimated, and is pulled towards its mean. The data cannot "
        "say which is meant; their sizes say what each would cost."
    )
    questions: tuple[Text, ...] = (
        "Would the same levels be there in a repetition (fixed), or others drawn from many (random)?",
        "Are the levels of interest in themselves (fixed), or the population they come from (random)?",
        "Are these all the levels there are (fixed), or a sample (random)?",
        "Are predictions for levels not seen wanted? Only random effects give them.",
    )
    return Section(
        "Fixed or random", (Paragraph(opening), Table(head, tuple(lines)), Items(questions))
    )


def _random(facts: Facts) -> dict[str, Counts]:
    return {str(g.factor): facts.counts(g.factor) for g in facts.graph.groups}


def _fixed(facts: Facts) -> dict[str, Counts]:
    """The factors of the population part."""
    found = {}
    for node, is_factor in facts.variables(facts.graph.population.columns).items():
        if is_factor:
            column = facts.data.frame.column(node).as_factor()
            found[str(node)] = np.bincount(column.values, minlength=len(column.levels))
    return found


def _line(name: str, role: str, counts: Counts) -> tuple[Text, ...]:
    levels, middle = len(counts), float(np.median(counts))
    rows = f"{counts.min()} / {format_number(middle)} / {counts.max()}"
    return (name, role, str(levels), rows, *_speaking(levels, middle))


def _speaking(levels: int, middle: float) -> tuple[str, str]:
    """What the sizes say for a random factor, and for a fixed one."""
    random, fixed = [], []
    if levels < _FEW_LEVELS:
        fixed.append(f"fewer than {_FEW_LEVELS} levels hardly show their variance")
    elif levels >= _MANY_LEVELS:
        random.append(f"{levels} levels show their variance")
        random.append("few parameters instead of many")
    else:
        random.append("enough levels for a rough variance")
        fixed.append("few enough to be listed")
    if middle < _FEW_ROWS:
        random.append("few observations per level: estimates of their own are noisy")
    elif middle >= _MANY_ROWS:
        fixed.append("so many observations per level that nothing is pulled")
    return "; ".join(random) or "—", "; ".join(fixed) or "—"
