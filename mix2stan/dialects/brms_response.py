"""What brms says of a response: its family, and after its bar, ``y | trials(n) ~ x``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mix2stan.dialects.arguments import Signature, match_arguments
from mix2stan.dialects.bars import summands
from mix2stan.dialects.families import Distribution, family_of
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.families import FAMILIES
from mix2stan.graph import Censoring, Residual, Response, Truncation, VarianceFunction
from mix2stan.syntax import Argument, Call, Constant, Formula, Node, Number, Operator, String

__all__ = ["Described", "describe", "family_in_brms"]


@dataclass(frozen=True)
class Described:
    """A response, and what its terms say of its errors and of its predictor."""

    response: Response
    errors: Residual = field(default=Residual())
    offsets: tuple[Node, ...] = ()


def describe(formula: Formula, distribution: Distribution) -> Described:
    """The left side of a formula.

    Raises:
        FormulaError: if there is none, or a term lacks what it is about.
        Unsupported: for a term, or several responses, that cannot be expressed.
    """
    left = formula.left
    if left is None:
        hint = f"write brm(y ~ {formula.right})"
        raise FormulaError("the formula has no response", span=formula.span, hint=hint)
    counts = FAMILIES[distribution.family].several
    together = ("mvbind",) if counts else ("mvbind", "cbind")
    if isinstance(left, Call) and left.function in together:
        message = "several responses cannot be expressed"
        hint = "one response in a call of its own"
        if left.function == "cbind":
            hint = "brms writes numbers of successes as y | trials(n)"
        raise Unsupported(message, span=left.span, hint=hint)
    if not isinstance(left, Operator) or left.symbol != "|":
        return Described(Response(left, *distribution, order="ordered"))
    expression, terms = left.operands
    described = Described(Response(expression, *distribution, order="ordered"))
    # how errors are expressed depends on the rest
    for term in sorted(summands(terms), key=lambda t: isinstance(t, Call) and t.function == "se"):
        if not isinstance(term, Call) or term.function not in _ADDITIONS:
            hint = suggestion(str(term), _ADDITIONS, what="those that can")
            raise Unsupported(f"{term} cannot be expressed", span=term.span, hint=hint)
        described = _ADDITIONS[term.function](described, term)
    return described


def _trials(described: Described, term: Call) -> Described:
    """``y | trials(n)`` as ``cbind(y, n - y)``; of counts of categories n is their sum."""
    response = described.response
    y, n = response.expression, _only(term)
    if FAMILIES[response.family].several:
        return replace(described, response=replace(response, weights=n))
    failures = Operator("+", (n, Operator("-", (y,))), span=term.span)
    parts = (Argument(None, y), Argument(None, failures))
    pair = Call("cbind", parts, span=y.span)
    return replace(described, response=replace(response, expression=pair))


_CENS = Signature(("x", "y2"))


def _censored(described: Described, term: Call) -> Described:
    """``y | cens(code)``, or ``y | cens(code, y2)`` where there are intervals."""
    given = match_arguments(term, _CENS)
    code, upper = given.get("x"), given.get("y2")
    if code is None:
        hint = "write y | cens(code)"
        raise FormulaError("cens() takes a code", span=term.span, hint=hint)
    censoring = Censoring(code, None if upper == Constant("NA") else upper)
    return replace(described, response=replace(described.response, censoring=censoring))


_TRUNC = Signature(("lb", "ub"))


def _truncated(described: Described, term: Call) -> Described:
    """``y | trunc(lb = 0, ub = n)``."""
    given = match_arguments(term, _TRUNC)
    ends = Truncation(given.get("lb"), given.get("ub"))
    if not ends.variables():
        hint = "write y | trunc(lb = 0)"
        raise FormulaError("trunc() needs a bound", span=term.span, hint=hint)
    return replace(described, response=replace(described.response, truncation=ends))


_WEIGHTS = Signature(("x", "scale"))


def _weighted(described: Described, term: Call) -> Described:
    """``y | weights(w)``: the log-likelihood of a row, w times."""
    given = match_arguments(term, _WEIGHTS)
    weights, scale = given.get("x"), given.get("scale")
    if weights is None:
        raise FormulaError("weights() needs weights", span=term.span, hint="write y | weights(w)")
    if scale not in (None, Constant("FALSE")):
        message = "weights that are scaled cannot be expressed"
        hint = f"divide them by their mean first, and write weights({weights})"
        raise Unsupported(message, span=term.span, hint=hint)
    return replace(described, response=replace(described.response, powers=weights))


_SE = Signature(("x", "sigma"))


def _with_errors(described: Described, term: Call) -> Described:
    """``y | se(s)``: errors of known sds s alone, or beside sigma.

    Alone in a Gaussian model they are errors of the variance sigma^2 s^2, and sigma is known to be 1.
    """
    given, response = match_arguments(term, _SE), described.response
    s, sigma = given.get("x"), given.get("sigma")
    if s is None:
        raise FormulaError("se() needs standard errors", span=term.span, hint="write y | se(s)")
    if sigma == Constant("TRUE"):
        return replace(described, response=replace(response, noise=s))
    if sigma not in (None, Constant("FALSE")):
        hint = "write y | se(s, sigma = TRUE)"
        raise FormulaError("sigma is TRUE or FALSE", span=term.span, hint=hint)
    if not response.linear:
        alone = replace(response, noise=s, known=(("sigma", 0.0),))
        return replace(described, response=alone)
    square = Operator("^", (s, Number(2.0)), span=s.span)
    errors = Residual((VarianceFunction("varFixed", square, span=s.span),))
    return replace(described, response=replace(response, known=(("sigma", 1.0),)), errors=errors)


def _exposed(described: Described, term: Call) -> Described:
    """``y | rate(n)``: n times the mean, which is an offset of its logarithm."""
    response, n = described.response, _only(term)
    if (response.family, response.link) != ("poisson", "log"):
        message = f"rate() of a {response.family} model with link {response.link}"
        hint = "family = poisson() has it; offset(log(n)) multiplies the mean alone"
        raise Unsupported(f"{message} cannot be expressed", span=term.span, hint=hint)
    exposure = Call("log", (Argument(None, n),), span=n.span)
    return replace(
        described,
        response=replace(response, exposure=exposure),
        offsets=(*described.offsets, exposure),
    )


def _only(term: Call) -> Node:
    if len(term.args) != 1:
        message = f"{term.function}() takes one argument here"
        raise FormulaError(message, span=term.span, hint=f"write {term.function}(n)")
    return term.args[0].value


#: What may stand after the bar of a response.
_ADDITIONS: dict[str, Callable[[Described, Call], Described]] = {
    "trials": _trials,
    "cens": _censored,
    "trunc": _truncated,
    "weights": _weighted,
    "se": _with_errors,
    "rate": _exposed,
}


# -- the family ------------------------------------------------------------------------------------

#: brms' names of families that R's own functions have under another name, as strings.
_STRINGS = {"gamma": "Gamma"}
#: The links of families given as strings, where they are not those of R's functions.
_STRING_LINKS = {"gamma": "log"}


def family_in_brms(node: Node | None) -> Distribution:
    """The family; given as a string its links are brms' own."""
    match node:
        case String(value=name) if name in _STRINGS:
            return family_of(String(_STRINGS[name], span=node.span))._replace(
                link=_STRING_LINKS[name]
            )
        case Call(function="brmsfamily", args=(first, *rest)) if isinstance(first.value, String):
            given = family_in_brms(first.value)
            if not rest:
                return given
            name = _STRINGS.get(first.value.value, first.value.value)
            return family_in_brms(Call(name, tuple(rest), span=node.span))
        case Call(args=args) if any(a.name == "threshold" for a in args):
            return _flexible(node)
    return family_of(node)


def _flexible(call: Call) -> Distribution:
    """``cumulative(threshold = "flexible")``."""
    (threshold,) = (a for a in call.args if a.name == "threshold")
    if threshold.value != String("flexible"):
        message = f"thresholds that are {threshold.value} cannot be expressed"
        raise Unsupported(message, span=threshold.span, hint='threshold = "flexible" can')
    return family_of(replace(call, args=tuple(a for a in call.args if a is not threshold)))
