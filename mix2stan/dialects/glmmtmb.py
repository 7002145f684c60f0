"""glmmTMB: lme4's bars, each with the name of a covariance structure before it."""

from __future__ import annotations

from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments, request
from mix2stan.dialects.bars import grouping_factors, response_of, split_bars, summands
from mix2stan.dialects.lme4 import groups_of
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.graph import Columns, Covariance, Group, ModelGraph, Population, Response
from mix2stan.syntax import Call, Formula, Name, Node, Number, Operator, String, walk

__all__ = ["FUNCTIONS", "STRUCTURES"]

_SIGNATURE = Signature(
    names=(
        "formula", "data", "family", "ziformula", "dispformula", "weights", "offset", "contrasts",
        "na.action", "se", "verbose", "doFit", "control", "REML", "start", "map", "sparseX",
    ),
    ignored=frozenset({"se", "verbose", "doFit", "control", "REML", "start", "sparseX"}),
    refused={
        "weights": "leave them out, or repeat rows that stand for several observations",
        "map": "parameters cannot be held fixed",
    },
)  # fmt: skip

#: glmmTMB's structures, by the covariance structure they are; its cs() has a variance per column.
STRUCTURES = {
    "us": "us",
    "diag": "idh",
    "homdiag": "idv",
    "cs": "corh",
    "homcs": "cs",
    "ar1": "ar1",
    "hetar1": "hetar1",
    "toep": "toep",
    "ou": "ou",
    "exp": "exp",
    "gau": "gau",
    "mat": "mat",
    "rr": "rr",
}


def lower_glmmtmb(call: Call) -> Request:
    """``glmmTMB(y ~ x + cs(0 + f | g))``: without a name before its bracket a bar is ``us``."""
    arguments = match_arguments(call, _SIGNATURE)
    formula = arguments.formula("formula", "glmmTMB(y ~ x + (1 | g))")
    _check_gaussian(arguments)
    fixed: list[Node] = []
    groups: list[Group] = []
    for operand in summands(formula.right):
        if isinstance(operand, Call) and _has_bar(operand):
            groups += _structured(operand)
            continue
        left, bars = split_bars(operand)
        groups += [group for bar in bars for group in groups_of(bar)]
        fixed += [] if bars and left == Number(1.0) else [left]
    offset = arguments.get("offset")
    graph = ModelGraph(
        Response(response_of(formula, "glmmTMB")),
        Population(Columns((_sum(fixed),)), () if offset is None else (offset,)),
        tuple(groups),
    )
    return request(arguments, graph)


def _sum(parts: list[Node]) -> Node:
    if not parts:
        return Number(1.0)
    if len(parts) == 1 and not (isinstance(parts[0], Operator) and parts[0].symbol == "-"):
        return parts[0]
    return Operator("+", tuple(parts), span=parts[0].span.to(parts[-1].span))


def _has_bar(node: Node) -> bool:
    return any(isinstance(n, Operator) and n.symbol in ("|", "||") for n in walk(node))


def _check_gaussian(arguments: Arguments) -> None:
    family = arguments.get("family")
    name = family.function if isinstance(family, Call) and not family.args else None
    name = family.name if isinstance(family, Name) else name
    name = family.value if isinstance(family, String) else name
    if family is not None and name != "gaussian":
        hint = "family = gaussian can"
        raise Unsupported("this family cannot be expressed", span=family.span, hint=hint)
    for argument, neutral in (("ziformula", 0.0), ("dispformula", 1.0)):
        value = arguments.get(argument)
        if value is not None and value != Formula(None, Number(neutral)):
            message = f"this {argument} cannot be expressed"
            raise Unsupported(message, span=value.span, hint=f"{argument} = ~ {neutral:.0f} can")


def _structured(term: Call) -> list[Group]:
    """``cs(0 + f | g)``, ``rr(0 + f | g, d = 2)``."""
    if term.function not in STRUCTURES:
        hint = f"available: {', '.join(STRUCTURES)}"
        raise Unsupported(f"{term.function}() cannot be expressed", span=term.span, hint=hint)
    kind, (first, *others) = STRUCTURES[term.function], term.args
    match first.value:
        case Operator(symbol="|", operands=(columns, factors)):
            covariance = Covariance(kind, _factors(term) if kind == "rr" else 0)
        case _:
            hint = f"write {term.function}(0 + f | g)"
            raise FormulaError("a structure takes one bar", span=term.span, hint=hint)
    if others and kind != "rr":
        message = f"{term.function}() has no place for this argument"
        raise FormulaError(message, span=others[0].span)
    return [
        Group(Columns((columns,)), factor, covariance, span=term.span)
        for factor in grouping_factors(factors)
    ]


def _factors(term: Call) -> int:
    """The ``d`` of ``rr(…, d = 2)``, which is the default."""
    argument = term.argument("d", 1)
    if argument is None:
        return 2
    match argument.value:
        case Number(value=value) if value >= 1 and value == int(value):
            return int(value)
    raise FormulaError("d has to be a whole number", span=argument.span, hint="write d = 2")


FUNCTIONS = {"glmmTMB": lower_glmmtmb}
