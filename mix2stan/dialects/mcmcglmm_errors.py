"""MCMCglmm's ``rcov =``: the residual, by rows or among responses."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.dialects.bars import summands
from mix2stan.dialects.mcmcglmm_random import linked
from mix2stan.errors import FormulaError, Span, Unsupported
from mix2stan.graph import UNITS, ErrorCorrelation, Factor, Residual, VarianceFunction
from mix2stan.syntax import Argument, Call, Formula, Name, Node, Operator, String

__all__ = ["correlated_responses", "errors_of", "errors_of_traits", "unequal_responses"]

_TRAIT = Name("trait")


def errors_of(rcov: Node | None) -> Residual:
    """``~ units``: one variance; ``~ idh(f):units``: one for each level of f.

    So is ``~ at.level(f, "a"):units + at.level(f, "b"):units`` if f has no other levels.
    """
    if rcov is None:
        return Residual()
    match _right(rcov):
        case Name(name="units"):
            return Residual()
        case Operator(symbol=":", operands=(Call(function="idh") as function, Name(name="units"))):
            factors = linked(function.args[0].value) if len(function.args) == 1 else []
            if factors and all(isinstance(f, Name) for f in factors):
                return Residual((_variances(factors, rcov.span),))
    levels = [_at_level(term) for term in summands(_right(rcov))]
    listed = [level for level in levels if level is not None]
    if len(listed) == len(levels) and len({variable for variable, _ in listed}) == 1:
        part = _variances([listed[0][0]], rcov.span)
        return Residual((replace(part, named=tuple(name for _, name in listed)),))
    message = "this residual structure cannot be expressed"
    hint = "rcov = ~ units and rcov = ~ idh(f):units, with a factor f, can"
    raise Unsupported(message, span=rcov.span, hint=hint)


def _at_level(term: Node) -> tuple[Name, str] | None:
    """The factor and the level of ``at.level(f, "a"):units``, or None."""
    match linked(term):
        case [Call(function="at.level", args=(factor, level)), Name(name="units")]:
            if isinstance(factor.value, Name) and isinstance(level.value, String):
                return factor.value, level.value.value
    return None


def errors_of_traits(rcov: Node | None, call: Span) -> Residual:
    """``~ us(trait):units``: a covariance of the responses of a row; ``idh(trait)`` without one.

    It is nlme's ``varIdent(~ 1 | trait)`` with ``corSymm(~ as.integer(trait) | units)``.
    """
    if rcov is None:
        message = "several responses need a residual structure"
        raise FormulaError(message, span=call, hint="write rcov = ~ us(trait):units")
    parts = linked(_right(rcov))
    if len(parts) == 2 and parts[1] == Name(UNITS):
        match parts[0]:
            case Name(name="trait"):
                return Residual()
            case Call(function="idh", args=(Argument(value=Name(name="trait")),)):
                return unequal_responses(rcov.span)
            case Call(function="us", args=(Argument(value=Name(name="trait")),)):
                return correlated_responses(rcov.span)
    message = "this residual structure of several responses cannot be expressed"
    hint = "rcov = ~ us(trait):units, ~ idh(trait):units and ~ trait:units can"
    raise Unsupported(message, span=rcov.span, hint=hint)


def unequal_responses(span: Span) -> Residual:
    """A variance for every one of several responses that are stacked."""
    return Residual((_variances([_TRAIT], span),))


def correlated_responses(span: Span) -> Residual:
    """The same, the errors of one row of the data correlated."""
    places = Call("as.integer", (Argument(None, _TRAIT),), span=span)
    correlation = ErrorCorrelation("corSymm", (places,), Factor((Name(UNITS),)), span=span)
    return replace(unequal_responses(span), correlation=correlation)


def _right(rcov: Node) -> Node:
    if not isinstance(rcov, Formula) or rcov.left is not None:
        hint = "write rcov = ~ units or rcov = ~ idh(f):units"
        raise FormulaError("'rcov' has to be a one-sided formula", span=rcov.span, hint=hint)
    return rcov.right


def _variances(factors: list[Node], span: Span) -> VarianceFunction:
    return VarianceFunction("varIdent", None, Factor(tuple(factors)), span=span)
