"""glmmTMB's ``dispformula = ~ 0``: a term with an effect for every row takes the residual's place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mix2stan.design import terms
from mix2stan.errors import FormulaError, Span, Unsupported
from mix2stan.graph import ErrorCorrelation, Factor, Group, Residual, VarianceFunction
from mix2stan.syntax import Argument, Call, Name, Node, Number

__all__ = ["effects_as_errors"]


class _Errors(NamedTuple):
    """The errors that effects of a structure are: a correlation, and a variance per place or one."""

    correlation: str
    unequal: bool
    spatial: bool = False


#: The structures that errors can have, by the kind of covariance.
_AS_ERRORS = {
    "us": _Errors("corSymm", True),
    "idh": _Errors("", True),
    "idv": _Errors("", False),
    "corh": _Errors("corCompSymm", True),
    "cs": _Errors("corCompSymm", False),
    "ar1": _Errors("corAR1", False),
    "hetar1": _Errors("corAR1", True),
    # a process of as many coefficients as there are lags has any autocorrelations
    "toep": _Errors("corARMA", True),
    "ou": _Errors("corCAR1", False, spatial=True),
    "exp": _Errors("corExp", False, spatial=True),
    "gau": _Errors("corGaus", False, spatial=True),
}

_HINT = "dispformula = ~ 1 estimates a residual beside the terms"


def effects_as_errors(
    groups: Sequence[Group], span: Span
) -> tuple[tuple[Group, ...], Residual, str]:
    """The terms that are left, the errors that one of them is, and a remark.

    The term is the last that has a structure, or is ``(0 + f | g)`` or ``(1 | row)``.  Whether it has
    an effect for every row is checked once the rows are known.

    Args:
        groups: the random terms.
        span: the place of ``dispformula``.

    Raises:
        FormulaError: if there is no such term.
        Unsupported: if errors cannot have its structure.
    """
    found = [(group, place) for group in groups if (place := _place(group)) is not None]
    structured = [pair for pair in found if pair[1] != Number(1.0)]
    if not found:
        message = "without a residual a term needs an effect for every row, and none has one"
        hint = "write ar1(0 + f | g) or (1 | row); dispformula = ~ 1 estimates a residual"
        raise FormulaError(message, span=span, hint=hint)
    group, place = (structured or found)[-1]
    left = tuple(other for other in groups if other is not group)
    if place == Number(1.0):
        remark = f"the errors are the effects of {group.factor}, and sigma is their sd"
        return left, Residual(effects=group.factor), remark
    remark = f"the errors are the effects of {place} in {group.factor}, and sigma is their sd"
    return left, _residual(group, place), remark


def _place(group: Group) -> Node | None:
    """The factor f of ``0 + f``, 1 of a single effect, None of anything else."""
    (formula,) = group.columns.formulas
    parts = terms(formula, columns=())
    if parts.intercept:
        return Number(1.0) if not parts.terms and group.covariance.kind in _AS_ERRORS else None
    one = len(parts.terms) == 1 and len(parts.terms[0].variables) == 1
    return parts.terms[0].variables[0] if one and not parts.offsets else None


def _residual(group: Group, place: Node) -> Residual:
    """The errors that the effects at places f of the levels of g are."""
    kind, span, factor = group.covariance.kind, group.span, group.factor
    if kind not in _AS_ERRORS or factor.relationship is not None:
        message = f"{kind} effects in the place of the residual cannot be expressed"
        hint = "ar1, hetar1, us, cs, diag, toep, ou, exp and gau can stand there; " + _HINT
        raise Unsupported(message, span=span, hint=hint)
    row = _AS_ERRORS[kind]
    every = Factor((place, *factor.variables))
    variances = (VarianceFunction("varIdent", None, Factor((place,)), span=span),)
    correlation = None
    if row.correlation:
        covariates = _coordinates(place, kind, span) if row.spatial else (_number(place),)
        covariates = () if row.correlation == "corCompSymm" else covariates
        correlation = ErrorCorrelation(row.correlation, covariates, factor, span=span)
    return Residual(variances if row.unequal else (), correlation, effects=every)


def _number(place: Node) -> Node:
    """The place of a level among those in use."""
    used = Call("droplevels", (Argument(None, place),), span=place.span)
    return Call("as.integer", (Argument(None, used),), span=place.span)


def _coordinates(place: Node, kind: str, span: Span) -> tuple[Node, ...]:
    match place:
        case Call(function="numFactor", args=args) if args and (kind != "ou" or len(args) == 1):
            return tuple(argument.value for argument in args)
    name = place if isinstance(place, Name) else "f"
    message = f"the coordinates of {name} have to be known for errors"
    raise Unsupported(message, span=span, hint=f"write {kind}(0 + numFactor(x) | g)")
