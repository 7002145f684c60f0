"""MCMCglmm: ``random = ~ us(1 + x):g``."""

from __future__ import annotations

from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments, request
from mix2stan.dialects.bars import response_of
from mix2stan.dialects.mcmcglmm_random import linked, random_groups
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.graph import (
    Columns,
    Factor,
    ModelGraph,
    Population,
    Residual,
    Response,
    VarianceFunction,
)
from mix2stan.syntax import Call, Formula, Name, Node, Operator, String

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


def lower_mcmcglmm(call: Call) -> Request:
    """``MCMCglmm(y ~ x, random = ~ us(1 + x):g)``; ``a:b`` lists its levels first factor fastest."""
    arguments = match_arguments(call, _SIGNATURE)
    formula = arguments.formula("fixed", "MCMCglmm(y ~ x, random = ~ g)")
    _check_gaussian(arguments)
    graph = ModelGraph(
        Response(response_of(formula, "MCMCglmm")),
        Population(Columns((formula.right,))),
        random_groups(arguments),
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
            factors = linked(function.args[0].value) if len(function.args) == 1 else []
            if factors and all(isinstance(f, Name) for f in factors):
                strata = Factor(tuple(factors))
                return Residual((VarianceFunction("varIdent", None, strata, span=rcov.span),))
    message = "this residual structure cannot be expressed"
    hint = "rcov = ~ units and rcov = ~ idh(f):units, with a factor f, can"
    raise Unsupported(message, span=rcov.span, hint=hint)


FUNCTIONS = {"MCMCglmm": lower_mcmcglmm}
