"""lme4: ``lmer``, and base R's ``lm``."""

from __future__ import annotations

from mix2stan.design import terms
from mix2stan.dialects.arguments import Request, Signature, match_arguments, request
from mix2stan.dialects.bars import (
    Bar,
    grouping_factors,
    has_bar,
    response_of,
    split_bars,
    summands,
)
from mix2stan.errors import FormulaError, Unsupported, suggestion
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
from mix2stan.syntax import Argument, Call, Constant, Name, Node, Number, Operator

__all__ = ["ARGUMENTS", "FUNCTIONS", "groups_of", "random_terms"]

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
    fixed, _, groups = random_terms(formula.right, structures=True)
    if not groups:
        hint = "write + (1 | g), or use lm() for a model without random effects"
        raise FormulaError("there is no random term", span=formula.span, hint=hint)
    offset = arguments.get("offset")
    graph = ModelGraph(
        Response(response_of(formula, "lmer")),
        Population(Columns((fixed,)), () if offset is None else (offset,)),
        groups,
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


#: The structures of lme4 2, each with variances that differ and with one, and which R takes alone.
_STRUCTURES = {
    "us": ("us", "", False),
    "diag": ("idh", "idv", False),
    "cs": ("corh", "cs", False),
    "ar1": ("hetar1", "ar1", True),
}


def random_terms(
    right: Node, *, structures: bool
) -> tuple[Node, tuple[Bar, ...], tuple[Group, ...]]:
    """The fixed part of a right-hand side, its bars, and the terms of these and of structures.

    Args:
        right: the right-hand side.
        structures: whether ``ar1(0 + f | g)`` is a term, as in lme4 2.
    """
    parts = summands(right)
    named = [p for p in parts if structures and isinstance(p, Call) and has_bar(p)]
    if not named:
        fixed, bars = split_bars(right)
        return fixed, bars, tuple(group for bar in bars for group in groups_of(bar))
    rest = tuple(part for part in parts if part not in named)
    fixed, bars = Number(1.0, span=right.span), ()
    if rest:
        fixed, bars = split_bars(Operator("+", rest, span=right.span))
        fixed = rest[0] if rest == (fixed,) else fixed
    groups = [group for bar in bars for group in groups_of(bar)]
    groups += [group for part in named for group in _structured(part)]
    return fixed, bars, tuple(sorted(groups, key=lambda group: group.span.start))


def _structured(term: Call) -> list[Group]:
    """``cs(0 + f | g, hom = TRUE)``: a structure before a bar, of one variance or of several."""
    if term.function not in _STRUCTURES:
        hint = suggestion(term.function, _STRUCTURES, what="lme4 has")
        hint += "; glmmTMB() has further structures"
        raise Unsupported(f"{term.function}() cannot be expressed", span=term.span, hint=hint)
    several, one, alone = _STRUCTURES[term.function]
    first, *others = term.args
    same = alone
    for argument in others:
        match argument:
            case Argument(name="hom", value=Constant(value=bool(flag))) if one:
                same = flag
            case Argument(name="hom", value=Name(name="T" | "F" as flag)) if one:
                same = flag == "T"
            case _:
                message = f"{term.function}() has no place for this argument"
                raise FormulaError(message, span=argument.span, hint="hom = TRUE is one variance")
    match first.value:
        case Operator(symbol="|", operands=(columns, factors)):
            covariance = Covariance(one if same else several)
        case _:
            hint = f"write {term.function}(0 + f | g)"
            raise FormulaError("a structure takes one bar", span=term.span, hint=hint)
    return [
        Group(Columns((columns,)), factor, covariance, span=term.span)
        for factor in grouping_factors(factors)
    ]


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
