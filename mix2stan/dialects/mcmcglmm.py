"""MCMCglmm: ``random = ~ us(1 + x):g``."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments, request
from mix2stan.dialects.bars import response_of
from mix2stan.dialects.families import Distribution, family_of
from mix2stan.dialects.mcmcglmm_prior import call_prior
from mix2stan.dialects.mcmcglmm_random import linked, random_groups
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
    Residual,
    Response,
    VarianceFunction,
)
from mix2stan.syntax import Call, Formula, Name, Node, Number, Operator, String

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

#: Families of single trials: their residual variance has to be fixed by the prior.
_BINARY = frozenset({"categorical", "ordinal", "threshold"})


def lower_mcmcglmm(call: Call) -> Request:
    """``MCMCglmm(y ~ x, random = ~ us(1 + x):g)``; ``a:b`` lists its levels first factor fastest."""
    arguments = match_arguments(call, _SIGNATURE)
    formula = arguments.formula("fixed", "MCMCglmm(y ~ x, random = ~ g)")
    distribution = _distribution(arguments)
    response = Response(response_of(formula, "MCMCglmm"), *distribution)
    groups, rcov = random_groups(arguments), arguments.get("rcov")
    residual = _residual(rcov)
    prior = call_prior(arguments.get("prior"), len(groups))
    if not response.linear:
        if rcov is not None and not residual.plain:
            message = "a residual structure of a response that is not Gaussian cannot be expressed"
            raise Unsupported(message, span=rcov.span, hint="rcov = ~ units can")
        groups += (replace(_overdispersion(arguments), prior=prior.residual if prior else None),)
    population = Population(Columns((formula.right,)))
    return request(arguments, ModelGraph(response, population, groups, residual, prior=prior))


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
