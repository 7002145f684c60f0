"""The errors: variance functions and correlations as formulas."""

from __future__ import annotations

import re

from mix2stan.documents import Block, Equation, Items, Paragraph, Section, Text
from mix2stan.explanation.facts import Facts, listed, plural
from mix2stan.graph import ErrorCorrelation, VarianceFunction
from mix2stan.mathematics import (
    Apply,
    Math,
    Number,
    Power,
    Symbol,
    Word,
    product,
    read,
    row,
)
from mix2stan.residuals import CORRELATIONS, VARIANCES, error_blocks, stratum_values
from mix2stan.syntax import format_number

__all__ = ["correlation_formula", "errors", "multiplier_symbol"]

_SIGMA2 = Power(Symbol("sigma"), Number(2))
#: Parameters of variance functions as letters.
_LETTERS = {"power": "delta", "expon": "delta", "ratio": "delta", "const": "c", "prop": "p"}
#: Parameters of correlations, as their formulas call them, as letters.
_CORRELATIONS: dict[str, Math] = {
    "cor_rho": Symbol("rho"),
    "cor_phi": Symbol("phi"),
    "cor_range": Symbol("range"),
}
_GENERAL = re.compile(r"cor_R\[(\w), (\w)\]")


def errors(facts: Facts) -> Section:
    """What is assumed of the errors; nothing to say of a family that has none."""
    residual = facts.graph.residual
    if not facts.gaussian:
        return Section("Errors")
    if any(p.parameter == "sigma" for p in facts.graph.predictors):
        words = "Independent; their standard deviation has a predictor of its own, in the model."
        return Section("Errors", (Paragraph(words),))
    if residual.plain:
        words = "Independent, of one variance for all observations."
        line = row(Apply("Var", (Symbol("e"),)), "=", _SIGMA2)
        return Section("Errors", (Paragraph(words), Equation(line)))
    blocks: list[Block] = [Equation(_variance(residual.variances))]
    for i, part in enumerate(residual.variances):
        g = multiplier_symbol(residual.variances, i)
        blocks += [Equation(row(g, "=", _multiplier(part))), Items(_words(part))]
    if residual.correlation is not None:
        blocks += _correlated(facts, residual.correlation)
    return Section("Errors", tuple(blocks))


def multiplier_symbol(parts: tuple[VarianceFunction, ...], i: int) -> Symbol:
    """``g``, or one of several."""
    return Symbol("g", str(i + 1) if len(parts) > 1 else "")


def _variance(parts: tuple[VarianceFunction, ...]) -> Math:
    squares = [Power(multiplier_symbol(parts, i), Number(2)) for i in range(len(parts))]
    return row(Apply("Var", (Symbol("e"),)), "=", product(_SIGMA2, *squares))


def _multiplier(part: VarianceFunction) -> Math:
    """The sd multiplier, in letters; parameters of strata have the stratum as a subscript."""
    strata = "" if part.strata is None else str(part.strata)
    given: dict[str, Math] = {}
    for parameter in VARIANCES[part.kind].parameters:
        known, free = stratum_values(part, parameter)
        value: Math = Symbol(_LETTERS.get(parameter.name, parameter.name), strata)
        if not free and not strata:
            value = Number(next(iter(known.values())))
        given[parameter.name] = value
    covariate: Math = Symbol("mu") if part.of_fitted else Word(str(part.covariate))
    return read(VARIANCES[part.kind].formula, covariate=covariate, **given)


def _words(part: VarianceFunction) -> tuple[Text, ...]:
    """The function by name, its parameters, and what they are."""
    row_ = VARIANCES[part.kind]
    lines: list[Text] = []
    count = 0
    for parameter in row_.parameters:
        known, free = stratum_values(part, parameter)
        count += len(free)
        letter = Symbol(_LETTERS.get(parameter.name, parameter.name), str(part.strata or ""))
        lines.append((letter, f": {parameter.about}"))
        fixed = [f"{s or 'value'} = {format_number(x)}" for s, x in known.items()]
        if fixed and not (row_.relative and len(fixed) == 1):
            lines.append(f"known: {listed(fixed)}")
    if part.strata is not None:
        reference = f", {part.levels[0]} the reference" if row_.relative and part.levels else ""
        lines.append(f"strata: {listed(list(part.levels))}{reference}")
    if part.kind == "varFixed":
        lines.append(f"the variance, not the sd, is proportional to {part.covariate}")
    if part.of_fitted:
        lines.append("the covariate is the predictor, random effects included")
    return (f"{part}: {plural(count, 'parameter')}", *lines)


def correlation_formula(correlation: ErrorCorrelation) -> Math | str:
    """The correlation of two errors, as a formula or else in words."""
    text = CORRELATIONS[correlation.kind].formula
    text = _GENERAL.sub(r"r_\1\2", text).split(", ")[0]
    letters = _CORRELATIONS
    try:
        if " u" in text:
            letters = letters | {"u": read("d / range")}
        found = read(text, **letters)
    except ValueError:
        return text
    return product(read("1 - nugget"), found) if correlation.nugget else found


def _correlated(facts: Facts, correlation: ErrorCorrelation) -> list[Block]:
    formula = correlation_formula(correlation)
    left = Apply("cor", (Symbol("e", "s"), Symbol("e", "t")))
    line: Block = (
        Equation(row(left, "=", formula))
        if isinstance(formula, Math)
        else Paragraph(f"The correlation of two errors is {formula}.")
    )
    places = " and ".join(map(str, correlation.covariates)) or "the order of the rows"
    what = "their distance in" if CORRELATIONS[correlation.kind].times == "place" else "at"
    within = "all observations are one block"
    if correlation.block is not None:
        within = f"within the levels of {correlation.block}; independent between them"
    blocks = [b for b in error_blocks(facts.graph.residual) if b.part is None]
    count = sum(b.parameter.size or 1 for b in blocks if b.free)
    lines: list[Text] = [f"{correlation.kind}: {plural(count, 'parameter')}", within]
    if CORRELATIONS[correlation.kind].times != "any":
        lines.append(f"s and t: {places}" if what == "at" else f"d: distance in {places}")
    rest = CORRELATIONS[correlation.kind].formula.split(", ")[1:]
    lines += [part.replace("cor_range", "range") for part in rest if part.startswith("or ")]
    if correlation.latter:
        lines.append("those of the last positions are known")
    if correlation.orders != (0, 0):
        p, q = correlation.orders
        lines.append(f"autoregression of order {p}, moving average of order {q}")
    return [line, Items(tuple(lines))]
