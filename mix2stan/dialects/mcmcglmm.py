"""MCMCglmm: ``random = ~ us(1 + x):g``."""

from __future__ import annotations

import math

from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments, request
from mix2stan.dialects.bars import response_of
from mix2stan.dialects.families import family_of
from mix2stan.dialects.mcmcglmm_prior import fixed_residual
from mix2stan.dialects.mcmcglmm_random import linked, random_groups
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.families import FAMILIES
from mix2stan.graph import (
    UNITS,
    Censoring,
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

#: Families whose residual variance the prior has to fix, by what they are.
_FIXED = {"ordinal": "cumulative", "threshold": "cumulative", "categorical": "bernoulli"}


#: Families of which an interval is known: the response is its two ends.
_CENSORED = {"cengaussian": "gaussian", "cenexponential": "exponential"}

#: Families whose zeros have a predictor of their own, in the same formula.
_TWO_LATENT = frozenset({"zipoisson", "zapoisson", "hupoisson", "zibinomial", "hubinomial"})


def lower_mcmcglmm(call: Call) -> Request:
    """``MCMCglmm(y ~ x, random = ~ us(1 + x):g)``; ``a:b`` lists its levels first factor fastest."""
    arguments = match_arguments(call, _SIGNATURE)
    formula = arguments.formula("fixed", "MCMCglmm(y ~ x, random = ~ g)")
    response = _response(arguments, response_of(formula, "MCMCglmm"))
    groups, rcov = random_groups(arguments), arguments.get("rcov")
    residual = _residual(rcov)
    if response.family != "gaussian":
        if rcov is not None and not residual.plain:
            message = "a residual structure of a response that is not Gaussian cannot be expressed"
            raise Unsupported(message, span=rcov.span, hint="rcov = ~ units can")
        if not response.anchored:
            groups += (_overdispersion(arguments),)
    graph = ModelGraph(response, Population(Columns((formula.right,))), groups, residual)
    return request(arguments, graph)


def _response(arguments: Arguments, expression: Node) -> Response:
    """The response; of categories in an order the residual is part of the error behind them.

    ``threshold`` has a probit whose error is the residual, of variance V, and ``ordinal`` one of
    variance 1 besides; together that is a probit of variance 1 + V.
    """
    family = arguments.get("family")
    names = {name: row for row, entry in FAMILIES.items() for name in entry.mcmcglmm}
    if family is None:
        return Response(expression, *family_of(None))
    wanted = family.value if isinstance(family, String) else str(family)
    if wanted in _FIXED:
        V = fixed_residual(arguments.get("prior"), wanted, family.span)
        if _FIXED[wanted] == "bernoulli":
            return Response(expression, "bernoulli", "logit")
        sd = math.sqrt(V if wanted == "threshold" else 1 + V)
        return Response(expression, "cumulative", "probit", anchored=True, latent_sd=sd)
    if wanted in _CENSORED:
        row = _CENSORED[wanted]
        link = FAMILIES[row].mcmcglmm_link or FAMILIES[row].links[0]
        return Response(expression, row, link, censoring=Censoring())
    if wanted not in names:
        hint = f"those that can: {', '.join([*names, *_FIXED, *_CENSORED])}"
        if wanted.startswith("multinomial"):
            hint = "categories by trait are several responses; brm(family = categorical()) has them"
        if wanted in _TWO_LATENT:
            hint = "it has two latent variables a row, told apart by trait; glmmTMB's ziformula can"
        message = f"the family {wanted!r} cannot be expressed"
        raise Unsupported(message, span=family.span, hint=hint)
    row = names[wanted]
    return Response(expression, row, FAMILIES[row].mcmcglmm_link or FAMILIES[row].links[0])


def _overdispersion(arguments: Arguments) -> Group:
    """MCMCglmm's residual, normal on the scale of the predictor: an effect of every row."""
    span, family = arguments.call.span, arguments.get("family")
    factor = Factor((Name(UNITS, span=span),))
    covariance = Covariance("us")
    if isinstance(family, String) and family.value in _FIXED:
        V = fixed_residual(arguments.get("prior"), family.value, family.span)
        covariance = Covariance("known", variances=(V,))
    return Group(Columns((Number(1.0, span=span),)), factor, covariance, span=span)


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
