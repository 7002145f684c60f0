"""brms' ``prior = prior(normal(0, 1), class = sd, group = g) + set_prior("normal(0, 5)")``."""

from __future__ import annotations

from mix2stan.dialects.arguments import Arguments, Signature, match_arguments
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.graph import StatedPrior
from mix2stan.syntax import Call, Name, Node, Number, Operator, Parens, String, format_number

__all__ = ["stated_priors"]

_FUNCTIONS = ("prior", "set_prior", "prior_string", "prior_")
_SIGNATURE = Signature(
    names=("prior", "class", "coef", "group", "resp", "dpar", "nlpar", "lb", "ub", "check", "tag"),
    ignored=frozenset({"check", "tag"}),
    refused={
        "resp": 'priors of one of several responses are given by name: prior = {"…": …}',
        "nlpar": "means are linear in their coefficients",
    },
)
_HINT = 'write prior = set_prior("normal(0, 5)", class = "b"), or several of them in c()'


def stated_priors(node: Node | None) -> tuple[StatedPrior, ...]:
    """The priors of a call, in order; none where a name stands for what is not in the text.

    Raises:
        FormulaError: if it is no prior.
        Unsupported: if it is one that cannot be expressed.
    """
    match node:
        case None | Name():
            return ()
        case Parens(inner=inner):
            return stated_priors(inner)
        case Operator(symbol="+", operands=operands):
            return tuple(one for operand in operands for one in stated_priors(operand))
        case Call(function="c", args=args):
            return tuple(one for argument in args for one in stated_priors(argument.value))
        case Call(function=name) if name in _FUNCTIONS:
            return _stated(match_arguments(node, _SIGNATURE))
    raise FormulaError(f"{node} is no prior of brms", span=node.span, hint=_HINT)


def _stated(arguments: Arguments) -> tuple[StatedPrior, ...]:
    """One prior; an empty text, which says that there is none, leaves the default."""
    density, span = arguments.get("prior"), arguments.call.span
    if density is None:
        raise FormulaError("this prior has no density", span=span, hint=_HINT)
    text = _word(density)
    if text.startswith("constant("):
        message = "a parameter that is constant cannot be expressed by a prior"
        raise Unsupported(message, span=span, hint="bf(y ~ x, sigma = 1) fixes sigma")
    low, high = (_end(arguments.get(side)) for side in ("lb", "ub"))
    bounds = f" T[{low}, {high}]" if low or high else ""
    word = {name: _word(arguments.get(name)) for name in ("class", "coef", "group", "dpar")}
    kind = word["class"] or "b"
    stated = StatedPrior(text + bounds, kind, word["coef"], word["group"], word["dpar"], span)
    return (stated,) if text else ()


def _word(node: Node | None) -> str:
    match node:
        case None:
            return ""
        case String(value=text):
            return text.strip()
    return str(node)


def _end(node: Node | None) -> str:
    match node:
        case None | Name(name="NA"):
            return ""
        case Number(value=value):
            return format_number(value)
        case Operator(symbol="-", operands=(Number(value=value),)):
            return format_number(-value)
    raise FormulaError(f"{node} is no number", span=node.span, hint="write lb = 0")
