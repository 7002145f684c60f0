"""How far the effects of levels are pulled towards the mean."""

from __future__ import annotations

from mix2stan.documents import Block, Equation, Paragraph, Section, Table, Text
from mix2stan.explanation.facts import Facts
from mix2stan.explanation.terms import per_level
from mix2stan.graph import Group
from mix2stan.mathematics import Fraction, Math, Number, Power, Symbol, product, row, total
from mix2stan.syntax import format_number

__all__ = ["shrinkage", "weight"]

#: Residual variance over that of the effects.
_RATIOS = (0.25, 1.0, 4.0)


def weight(n: float, ratio: float) -> float:
    """The share of its own mean that a level of n observations keeps.

    Args:
        n: its number of observations.
        ratio: the residual variance over the variance of the effects.

    >>> weight(4, 4.0)
    0.5
    """
    return n / (n + ratio)


def shrinkage(facts: Facts) -> Section:
    """The lecture's formula for intercepts, and what it does to small and large levels."""
    groups = [g for g in facts.groups if g.columns.intercept_only]
    if facts.graph.predictors or not facts.gaussian or not facts.graph.residual.plain or not groups:
        return Section("Shrinkage")
    opening = (
        "The mean of a level is a compromise between the mean of its own n_j observations and the "
        "mean of all; a level keeps the share w_j of its difference from the mean"
    )
    opening += ", other terms being known:" if len(facts.groups) > 1 else ":"
    head: tuple[Text, ...] = ("level of", "observations", *(_ratio_head(r) for r in _RATIOS))
    rows = [line for group in groups for line in _lines(facts, group)]
    blocks: list[Block] = [Paragraph(opening), Equation(_formula()), Equation(_weight())]
    closing = "Small levels are pulled harder; so are all of them where their variance is small."
    return Section("Shrinkage", (*blocks, Table(head, tuple(rows)), Paragraph(closing)))


def _ratio_head(ratio: float) -> Text:
    return ("w at ", Fraction(Power(Symbol("sigma"), Number(2)), Symbol("V")), f" = {ratio:g}")


def _formula() -> Math:
    """Gelman and Hill's approximation, as the lecture has it."""
    sigma2, V, n = Power(Symbol("sigma"), Number(2)), Symbol("V"), Symbol("n", "j")
    own, all_ = Symbol("ȳ", "j"), Symbol("ȳ", "all")
    one = Number(1.0)
    top = total(product(Fraction(n, sigma2), own), product(Fraction(one, V), all_))
    bottom = total(Fraction(n, sigma2), Fraction(one, V))
    return row(Symbol("alpha", "j"), "≈", Fraction(top, bottom))


def _weight() -> Math:
    n = Symbol("n", "j")
    ratio = Fraction(Power(Symbol("sigma"), Number(2)), Symbol("V"))
    return row(Symbol("w", "j"), "=", Fraction(n, total(n, ratio)))


def _lines(facts: Facts, group: Group) -> list[tuple[Text, ...]]:
    least, middle, most = per_level(facts, group)
    sizes = dict.fromkeys((float(least), middle, float(most)))
    return [
        (facts.name(group), format_number(n), *(f"{weight(n, r):.2f}" for r in _RATIOS))
        for n in sizes
    ]
