"""MCMCglmm: ``random = ~ us(1 + x):g``."""

from __future__ import annotations

from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments, request
from mix2stan.dialects.bars import response_of, summands
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.graph import (
    Columns,
    Covariance,
    Factor,
    Group,
    ModelGraph,
    Population,
    Residual,
    Response,
    VarianceFunction,
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
_OTHER_FUNCTIONS = frozenset(
    {"cor", "corh", "corg", "corgh", "cors", "sub", "str", "mm", "at.level", "at.set", "leg", "spl"}
)


def lower_mcmcglmm(call: Call) -> Request:
    """``MCMCglmm(y ~ x, random = ~ us(1 + x):g)``; ``a:b`` lists its levels first factor fastest."""
    arguments = match_arguments(call, _SIGNATURE)
    formula = arguments.formula("fixed", "MCMCglmm(y ~ x, random = ~ g)")
    _check_gaussian(arguments)
    graph = ModelGraph(
        Response(response_of(formula, "MCMCglmm")),
        Population(Columns((formula.right,))),
        tuple(_group(term) for term in _random_terms(arguments)),
        _residual(arguments.get("rcov")),
    )
    return request(arguments, graph)


def _check_gaussian(arguments: Arguments) -> None:
    family = arguments.get("family")
    if family is not None and family != String("gaussian"):
        hint = 'family = "gaussian" can'
        raise Unsupported("this family cannot be expressed", span=family.span, hint=hint)


def _residual(rcov: Node | None) -> Residual:
    """``~ units``: one variance; ``~ idh(f):units``: one for each level of f."""
    if rcov is None:
        return Residual()
    if not isinstance(rcov, Formula) or rcov.left is not None:
        hint = "write rcov = ~ units or rcov = ~ idh(f):units"
        raise FormulaError("'rcov' has to be a one-sided formula", span=rcov.span, hint=hint)
    match rcov.right:
        case Name(name="units"):
            return Residual()
        case Operator(symbol=":", operands=(Call(function="idh") as function, Name(name="units"))):
            factors = _linked(function.args[0].value) if len(function.args) == 1 else []
            if factors and all(isinstance(f, Name) for f in factors):
                strata = Factor(tuple(factors))
                return Residual((VarianceFunction("varIdent", None, strata, span=rcov.span),))
    message = "this residual structure cannot be expressed"
    hint = "rcov = ~ units and rcov = ~ idh(f):units, with a factor f, can"
    raise Unsupported(message, span=rcov.span, hint=hint)


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
            message = "'units' is the residual; in 'random' of a Gaussian model it is there twice"
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
