"""MCMCglmm: ``random = ~ us(1 + x):g``."""

from __future__ import annotations

from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments, request
from mix2stan.dialects.bars import response_of, summands
from mix2stan.dialects.families import Distribution, family_of
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.families import FAMILIES
from mix2stan.graph import (
    UNITS,
    Columns,
    Covariance,
    Factor,
    Group,
    ModelGraph,
    Population,
    Response,
)
from mix2stan.syntax import Call, Formula, Name, Node, Number, Operator, Parens, String

__all__ = ["FUNCTIONS"]

_SIGNATURE = Signature(
    names=(
        "fixed", "random", "rcov", "family", "mev", "data", "start", "prior", "tune", "pedigree",
        "nodes", "scale", "nitt", "thin", "burnin", "pr", "pl", "verbose", "DIC", "singular.ok",
        "saveX", "saveZ", "saveXL", "slice", "ginverse", "trunc", "theta_scale", "saveWS",
    ),
    ignored=frozenset(
        {
            "start", "prior", "tune", "nodes", "scale", "nitt", "thin", "burnin", "pr", "pl",
            "verbose", "DIC", "singular.ok", "saveX", "saveZ", "saveXL", "slice", "trunc", "saveWS",
        }
    ),
    refused={
        "mev": "known error variances cannot be expressed",
        "pedigree": "effects of related individuals cannot be expressed",
        "ginverse": "effects of related levels cannot be expressed",
        "theta_scale": "scaled effects cannot be expressed",
    },
)  # fmt: skip

#: MCMCglmm's variance functions that can be expressed; the others are named in the error.
_VARIANCE_FUNCTIONS = ("us", "idh", "idv")
#: Families of single trials: their residual variance has to be fixed by the prior.
_BINARY = frozenset({"categorical", "ordinal", "threshold"})
_OTHER_FUNCTIONS = frozenset(
    {"cor", "corh", "corg", "corgh", "cors", "sub", "str", "mm", "at.level", "at.set", "leg", "spl"}
)


def lower_mcmcglmm(call: Call) -> Request:
    """``MCMCglmm(y ~ x, random = ~ us(1 + x):g)``; ``a:b`` lists its levels first factor fastest."""
    arguments = match_arguments(call, _SIGNATURE)
    formula = arguments.formula("fixed", "MCMCglmm(y ~ x, random = ~ g)")
    distribution = _distribution(arguments)
    _check_residual(arguments)
    groups = tuple(_group(term) for term in _random_terms(arguments))
    response = Response(response_of(formula, "MCMCglmm"), *distribution)
    if not response.linear:
        groups += (_overdispersion(arguments),)
    graph = ModelGraph(response, Population(Columns((formula.right,))), groups)
    return request(arguments, graph)


def _distribution(arguments: Arguments) -> Distribution:
    family = arguments.get("family")
    names = {name: row for row, entry in FAMILIES.items() for name in entry.mcmcglmm}
    if family is None:
        return family_of(None)
    wanted = family.value if isinstance(family, String) else str(family)
    if wanted not in names:
        hint = f"those that can: {', '.join(names)}"
        if wanted in _BINARY:
            hint = "glmer(family = binomial) has no residual, which binary data do not identify"
        message = f"the family {wanted!r} cannot be expressed"
        raise Unsupported(message, span=family.span, hint=hint)
    row = names[wanted]
    return Distribution(row, FAMILIES[row].links[0])


def _overdispersion(arguments: Arguments) -> Group:
    """MCMCglmm's residual, normal on the scale of the predictor: an effect of every row."""
    span = arguments.call.span
    factor = Factor((Name(UNITS, span=span),))
    return Group(Columns((Number(1.0, span=span),)), factor, Covariance("us"), span=span)


def _check_residual(arguments: Arguments) -> None:
    rcov = arguments.get("rcov")
    if rcov is not None and rcov != Formula(None, Name("units")):
        message = "this residual structure cannot be expressed"
        raise Unsupported(message, span=rcov.span, hint="rcov = ~ units can")


def _random_terms(arguments: Arguments) -> tuple[Node, ...]:
    random = arguments.get("random")
    if random is None:
        return ()
    if not isinstance(random, Formula) or random.left is not None:
        hint = "write random = ~ g or random = ~ us(1 + x):g"
        raise FormulaError("'random' has to be a one-sided formula", span=random.span, hint=hint)
    return summands(random.right)


def _group(term: Node) -> Group:
    """One term: a factor, or a variance function linked to a factor by ``:``."""
    first, *rest = _linked(term)
    if isinstance(first, Call) and first.function in _VARIANCE_FUNCTIONS:
        if not rest:
            hint = f"write {first}:g"
            raise FormulaError("this term has no grouping factor", span=term.span, hint=hint)
        columns, kind = _columns(first), first.function
    elif isinstance(first, Call) and _is_structure(first.function):
        hint = f"available: {', '.join(_VARIANCE_FUNCTIONS)}"
        raise Unsupported(f"{first.function}() cannot be expressed", span=first.span, hint=hint)
    else:
        columns, kind, rest = Number(1.0, span=term.span), "us", [first, *rest]
    factor = Factor(tuple(_factor_variable(n, term) for n in rest), "first_fastest")
    return Group(Columns((columns,)), factor, Covariance(kind), span=term.span)


def _linked(term: Node) -> list[Node]:
    """The parts of ``a:b:c``."""
    match term:
        case Operator(symbol=":", operands=(left, right)):
            return [*_linked(left), *_linked(right)]
        case Parens(inner=inner):
            return _linked(inner)
        case Operator(symbol="|" | "||", operands=(columns, group)):
            hint = f"MCMCglmm writes us({columns}):{group}"
            raise FormulaError("a bar is not MCMCglmm's syntax", span=term.span, hint=hint)
    return [term]


def _columns(function: Call) -> Node:
    """The columns of ``us(formula)``: MCMCglmm's formula has an intercept only if it says ``1``."""
    if len(function.args) != 1:
        hint = f"write {function.function}(1 + x):g"
        raise FormulaError("a variance function takes one formula", span=function.span, hint=hint)
    inner = function.args[0].value
    parts = summands(inner)
    if Number(1.0) in parts or Number(0.0) in parts:
        return inner
    return Operator("+", (Number(0.0), *parts), span=inner.span)


def _is_structure(name: str) -> bool:
    return name in _OTHER_FUNCTIONS or name.startswith("ante")


def _factor_variable(node: Node, term: Node) -> Node:
    match node:
        case Name(name="units"):
            message = "'units' is the residual; in 'random' it is there twice"
            raise FormulaError(message, span=node.span)
        case Name():
            return node
        case Call(function=name) if _is_structure(name):
            hint = f"available: {', '.join(_VARIANCE_FUNCTIONS)}"
            raise Unsupported(f"{name}() cannot be expressed", span=node.span, hint=hint)
        case Call():
            return node
    hint = "write the name of a column, as in random = ~ g"
    raise FormulaError(f"{node} cannot be a grouping factor", span=node.span, hint=hint)


FUNCTIONS = {"MCMCglmm": lower_mcmcglmm}
