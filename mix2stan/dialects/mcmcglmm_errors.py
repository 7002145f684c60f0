"""MCMCglmm's ``rcov =``: the residual, by rows or among responses."""

from __future__ import annotations

from mix2stan.dialects.mcmcglmm_random import linked
from mix2stan.errors import FormulaError, Span, Unsupported
from mix2stan.graph import UNITS, ErrorCorrelation, Factor, Residual, VarianceFunction
from mix2stan.syntax import Argument, Call, Formula, Name, Node, Operator

__all__ = ["errors_of", "errors_of_traits"]

_TRAIT = Name("trait")


def errors_of(rcov: Node | None) -> Residual:
    """``~ units``: one variance; ``~ idh(f):units``: one for each level of f."""
    if rcov is None:
        return Residual()
    match _right(rcov):
        case Name(name="units"):
            return Residual()
        case Operator(symbol=":", operands=(Call(function="idh") as function, Name(name="units"))):
            factors = linked(function.args[0].value) if len(function.args) == 1 else []
            if factors and all(isinstance(f, Name) for f in factors):
                return Residual((_variances(factors, rcov.span),))
    message = "this residual structure cannot be expressed"
    hint = "rcov = ~ units and rcov = ~ idh(f):units, with a factor f, can"
    raise Unsupported(message, span=rcov.span, hint=hint)


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
                return Residual((_variances([_TRAIT], rcov.span),))
            case Call(function="us", args=(Argument(value=Name(name="trait")),)):
                places = Call("as.integer", (Argument(None, _TRAIT),), span=rcov.span)
                block = Factor((Name(UNITS),))
                correlation = ErrorCorrelation("corSymm", (places,), block, span=rcov.span)
                return Residual((_variances([_TRAIT], rcov.span),), correlation)
    message = "this residual structure of several responses cannot be expressed"
    hint = "rcov = ~ us(trait):units, ~ idh(trait):units and ~ trait:units can"
    raise Unsupported(message, span=rcov.span, hint=hint)


def _right(rcov: Node) -> Node:
    if not isinstance(rcov, Formula) or rcov.left is not None:
        hint = "write rcov = ~ units or rcov = ~ idh(f):units"
        raise FormulaError("'rcov' has to be a one-sided formula", span=rcov.span, hint=hint)
    return rcov.right


def _variances(factors: list[Node], span: Span) -> VarianceFunction:
    return VarianceFunction("varIdent", None, Factor(tuple(factors)), span=span)
