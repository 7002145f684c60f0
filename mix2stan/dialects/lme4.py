"""lme4: ``lmer``, and base R's ``lm``."""

from __future__ import annotations

from mix2stan.design import terms
from mix2stan.dialects.arguments import Request, Signature, match_arguments, request
from mix2stan.dialects.bars import Bar, grouping_factors, response_of, split_bars
from mix2stan.errors import FormulaError
from mix2stan.graph import (
    Columns,
    Covariance,
    Factor,
    Group,
    ModelGraph,
    Population,
    Residual,
    Response,
)
from mix2stan.syntax import Call, Node, Number, Operator

__all__ = ["ARGUMENTS", "FUNCTIONS", "groups_of"]

_LMER = Signature(
    names=(
        "formula", "data", "REML", "control", "start", "verbose", "subset", "weights", "na.action",
        "offset", "contrasts", "devFunOnly",
    ),
    ignored=frozenset({"REML", "control", "start", "verbose", "devFunOnly"}),
)  # fmt: skip

_LM = Signature(
    names=(
        "formula", "data", "subset", "weights", "na.action", "method", "model", "x", "y", "qr",
        "singular.ok", "contrasts", "offset",
    ),
    ignored=frozenset({"method", "model", "x", "y", "qr", "singular.ok"}),
)  # fmt: skip


def lower_lmer(call: Call) -> Request:
    """``lmer(y ~ x + (x | g))``: the rules of lme4 1.1, where ``||`` splits terms, not columns."""
    arguments = match_arguments(call, _LMER)
    formula = arguments.formula("formula", "lmer(y ~ x + (1 | g))")
    fixed, bars = split_bars(formula.right)
    if not bars:
        hint = "write + (1 | g), or use lm() for a model without random effects"
        raise FormulaError("there is no random term", span=formula.span, hint=hint)
    offset = arguments.get("offset")
    graph = ModelGraph(
        Response(response_of(formula, "lmer")),
        Population(Columns((fixed,)), () if offset is None else (offset,)),
        tuple(group for bar in bars for group in groups_of(bar)),
        Residual.weighted(arguments.get("weights")),
    )
    return request(arguments, graph)


def lower_lm(call: Call) -> Request:
    """``lm(y ~ x)``: no group terms."""
    arguments = match_arguments(call, _LM)
    formula = arguments.formula("formula", "lm(y ~ x)")
    fixed, bars = split_bars(formula.right)
    if bars:
        message = "lm() has no random terms"
        raise FormulaError(message, span=bars[0].term.span, hint="lmer() has")
    offset = arguments.get("offset")
    graph = ModelGraph(
        Response(response_of(formula, "lm")),
        Population(Columns((fixed,)), () if offset is None else (offset,)),
        residual=Residual.weighted(arguments.get("weights")),
    )
    return request(arguments, graph)


def groups_of(bar: Bar) -> list[Group]:
    """The terms of one bar: every column set for every grouping factor."""
    columns = [bar.columns] if bar.symbol == "|" else _split_terms(bar.columns)
    factors: list[Factor] = grouping_factors(bar.group)
    return [
        Group(Columns((formula,)), factor, Covariance("us"), span=bar.term.span)
        for factor in factors
        for formula in columns
    ]


def _split_terms(columns: Node) -> list[Node]:
    """``(x + z || g)`` is ``(1 | g) + (0 + x | g) + (0 + z | g)``; a factor stays one term."""
    parts = terms(columns, columns=())
    split: list[Node] = [Number(1.0, span=columns.span)] if parts.intercept else []
    for term in parts.terms:
        split.append(Operator("+", (Number(0.0), term.product), span=columns.span))
    return split


FUNCTIONS = {"lmer": lower_lmer, "lm": lower_lm}
ARGUMENTS = {"lmer": _LMER.names, "lm": _LM.names}
