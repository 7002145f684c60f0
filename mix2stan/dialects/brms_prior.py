"""brms' ``prior = prior(normal(0, 1), class = sd, group = g) + set_prior("normal(0, 5)")``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import cycle, islice

from mix2stan.dialects.arguments import Arguments, Signature, match_arguments
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.graph import StatedPrior
from mix2stan.syntax import (
    Argument,
    Call,
    Constant,
    Formula,
    Name,
    Node,
    Number,
    Operator,
    Parens,
    String,
    format_number,
)

__all__ = ["stated_priors"]

_FUNCTIONS = ("prior", "set_prior", "prior_string", "prior_")
_SIGNATURE = Signature(
    names=("prior", "class", "coef", "group", "resp", "dpar", "nlpar", "lb", "ub", "check", "tag"),
    ignored=frozenset({"check", "tag"}),
    refused={"nlpar": "means are linear in their coefficients"},
)
_HINT = 'write prior = set_prior("normal(0, 5)", class = "b"), or several of them in c()'
_NORMAL = "a normal or student_t density can"
#: What brms has besides densities of numbers.
_NOT_DENSITIES = {
    "constant": ("a parameter that is constant", "bf(y ~ x, sigma = 1) fixes sigma"),
    **dict.fromkeys(("horseshoe", "R2D2", "lasso"), ("a prior that shrinks all coefficients", _NORMAL)),
    "dirichlet": ("a prior of a simplex", _NORMAL),
    "target": ("Stan code of one's own", "model.stan_code can be changed"),
}  # fmt: skip


def stated_priors(node: Node | None, orthogonal: Sequence[bool] = ()) -> tuple[StatedPrior, ...]:
    """The priors of a call, in order.

    Args:
        node: its argument.
        orthogonal: of every formula whether it is decomposed, so that class b is of other columns.

    Raises:
        FormulaError: if it is no prior, stands for none that is known, or says one thing twice.
        Unsupported: if it is one that cannot be expressed.
    """
    found = tuple(_read(node))
    for i, one in enumerate(found):
        if one.place in [other.place for other in found[:i]]:
            hint = "brms refuses it too: leave one of them away"
            raise FormulaError(f"there are two priors of {one}", span=one.span, hint=hint)
        if any(orthogonal) and one.kind == "b" and not one.parameter and one.density:
            message = (
                "with decomp = 'QR' priors of class b are of the coefficients of other columns"
            )
            hint = "leave decomp away: columns are made orthogonal in any case"
            raise Unsupported(f"{message}, which cannot be expressed", span=one.span, hint=hint)
    return tuple(one for one in found if one.density)


def _read(node: Node | None) -> Iterable[StatedPrior]:
    match node:
        case None | Constant(name="NULL") | Call(function="empty_prior"):
            return ()
        case Name(name=name):
            hint = (
                f'put it into the call, or {name} <- prior(…) before it, or data = {{"{name}": …}}'
            )
            message = f"the prior {name} is not known: its text is not here"
            raise FormulaError(message, span=node.span, hint=hint)
        case Parens(inner=inner):
            return _read(inner)
        case Operator(symbol="+", operands=operands):
            return [one for operand in operands for one in _read(operand)]
        case Call(function="c" | "rbind", args=args):
            return [one for argument in args for one in _read(argument.value)]
        case Call(function=name) if name in _FUNCTIONS:
            return [_stated(match_arguments(one, _SIGNATURE)) for one in _apart(node)]
    raise FormulaError(f"{node} is no prior of brms", span=node.span, hint=_HINT)


def _apart(call: Call) -> list[Call]:
    """``set_prior("…", coef = c("a", "b"))`` as one call for each, shorter vectors over again."""
    vectors = [_elements(argument.value) for argument in call.args]
    longest = max((len(v) for v in vectors), default=1)
    columns = [list(islice(cycle(v), longest)) for v in vectors]
    names = [argument.name for argument in call.args]
    return [
        replace(
            call, args=tuple(Argument(n, v, span=v.span) for n, v in zip(names, row, strict=True))
        )
        for row in zip(*columns, strict=True)
    ] or [call]


def _elements(node: Node) -> list[Node]:
    if isinstance(node, Call) and node.function == "c" and node.args:
        return [argument.value for argument in node.args]
    return [node]


def _stated(arguments: Arguments) -> StatedPrior:
    """One prior; an empty text is flat for a class, and what its class has for a part of one."""
    density, span = arguments.get("prior"), arguments.call.span
    if density is None:
        raise FormulaError("this prior has no density", span=span, hint=_HINT)
    text = _word(density)
    head = text.partition("(")[0].split("+=")[0].strip()
    if head in _NOT_DENSITIES:
        what, hint = _NOT_DENSITIES[head]
        raise Unsupported(f"{what} cannot be expressed by a prior", span=span, hint=hint)
    low, high = (_end(arguments.get(side)) for side in ("lb", "ub"))
    names = ("class", "coef", "group", "dpar", "resp")
    kind, coefficient, group, parameter, response = (_word(arguments.get(n)) for n in names)
    arguments.finish()
    if (low or high) and coefficient:
        message = "bounds are of a class of parameters, not of one coefficient"
        raise FormulaError(message, span=span, hint="leave coef away")
    if not text and not (coefficient or group):
        text = "flat"
    bounds = f" T[{low}, {high}]" if low or high else ""
    return StatedPrior(
        f"{text}{bounds}" if text else "",
        kind or "b",
        coefficient,
        group,
        parameter,
        response,
        span=span,
    )


def _word(node: Node | None) -> str:
    match node:
        case None | Constant(name="NA"):
            return ""
        case String(value=text):
            return text.strip()
        case Formula(left=None, right=right):
            # prior_() quotes its arguments so
            return str(right)
    return str(node)


def _end(node: Node | None) -> str:
    match node:
        case None | Name(name="NA") | Constant(name="NA" | "Inf"):
            return ""
        case Operator(symbol="-", operands=(Constant(name="Inf"),)):
            return ""
        case Number(value=value):
            return format_number(value)
        case Operator(symbol="-", operands=(Number(value=value),)):
            return format_number(-value)
        case String(value=text):
            try:
                return format_number(float(text)) if text.strip() else ""
            except ValueError:
                pass
    raise FormulaError(f"{node} is no number", span=node.span, hint="write lb = 0")
