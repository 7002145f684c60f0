"""MCMCglmm: ``random = ~ us(1 + x):g``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from mix2stan.design import trials_name
from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments, request
from mix2stan.dialects.bars import response_of
from mix2stan.dialects.families import family_of
from mix2stan.dialects.mcmcglmm_errors import errors_of
from mix2stan.dialects.mcmcglmm_latent import (
    errors_of_latent,
    has_levels,
    is_several,
    latent_of,
    named,
)
from mix2stan.dialects.mcmcglmm_prior import call_prior, fixed_residual
from mix2stan.dialects.mcmcglmm_random import random_groups
from mix2stan.dialects.mcmcglmm_related import related
from mix2stan.errors import Unsupported
from mix2stan.families import FAMILIES
from mix2stan.graph import (
    UNITS,
    CallPrior,
    Censoring,
    Columns,
    Covariance,
    Factor,
    Group,
    ModelGraph,
    Population,
    Response,
)
from mix2stan.syntax import Argument, Call, Formula, Name, Node, Number, String

__all__ = ["FUNCTIONS"]

_SIGNATURE = Signature(
    names=(
        "fixed", "random", "rcov", "family", "mev", "data", "start", "prior", "tune", "pedigree",
        "nodes", "scale", "nitt", "thin", "burnin", "pr", "pl", "verbose", "DIC", "singular.ok",
        "saveX", "saveZ", "saveXL", "slice", "ginverse", "trunc", "theta_scale", "saveWS",
    ),
    ignored=frozenset(
        {
            "start", "prior", "tune", "nodes", "nitt", "thin", "burnin", "pr", "pl",
            "verbose", "DIC", "singular.ok", "saveX", "saveZ", "saveXL", "slice", "trunc", "saveWS",
        }
    ),
    refused={
        "mev": "known error variances cannot be expressed",
        "theta_scale": "scaled effects cannot be expressed",
    },
)  # fmt: skip

#: Families whose residual variance the prior has to fix, by what they are.
_FIXED = {"ordinal": "cumulative", "threshold": "cumulative", "categorical": "bernoulli"}

_NO_PRIOR = (
    "without 'prior', MCMCglmm takes V = I and nu = 0, which is improper; here the priors are those "
    "listed, and prior='mcmcglmm' takes its own"
)


#: Families of which an interval is known: the response is its two ends.
_CENSORED = {
    "cengaussian": "gaussian",
    "cenexponential": "exponential",
    "cenpoisson": "poisson",
}


def lower_mcmcglmm(call: Call) -> Request:
    """``MCMCglmm(y ~ x, random = ~ us(1 + x):g)``; ``a:b`` lists its levels first factor fastest."""
    arguments = match_arguments(call, _SIGNATURE)
    formula = arguments.formula("fixed", "MCMCglmm(y ~ x, random = ~ g)")
    if _are_several(arguments, formula, _families(arguments)):
        return _several(arguments, formula)
    response = _response(arguments, response_of(formula, "MCMCglmm"))
    groups, rcov = related(random_groups(arguments), arguments), arguments.get("rcov")
    residual = errors_of(rcov)
    prior = call_prior(arguments.get("prior"), len(groups), fixed=_is_fixed(arguments))
    if response.family != "gaussian":
        if rcov is not None and not residual.plain:
            message = "a residual structure of a response that is not Gaussian cannot be expressed"
            raise Unsupported(message, span=rcov.span, hint="rcov = ~ units can")
        if not response.anchored:
            groups += (_overdispersion(arguments, prior),)
    population = Population(Columns((formula.right,)))
    notes = () if "prior" in arguments.values else (_NO_PRIOR,)
    graph = ModelGraph(response, population, groups, residual, notes=notes, prior=prior)
    return request(arguments, graph)


def _families(arguments: Arguments) -> tuple[Node, ...]:
    """The names of the distributions, one or one for each response."""
    match arguments.get("family"):
        case None:
            return ()
        case Call(function="c", args=args):
            return tuple(a.value for a in args)
        case Call(function="rep", args=(name, Argument(value=Number(value=times)))):
            return (name.value,) * int(times)
        case family:
            return (family,)


def _response(arguments: Arguments, expression: Node) -> Response:
    """The response; of categories in an order the residual is part of the error behind them.

    ``threshold`` has a probit whose error is the residual, of variance V, and ``ordinal`` one of
    variance 1 besides; together that is a probit of variance 1 + V.
    """
    family = next(iter(_families(arguments)), None)
    names = {name: row for row, entry in FAMILIES.items() for name in entry.mcmcglmm}
    if family is None:
        return Response(expression, *family_of(None))
    wanted = family.value if isinstance(family, String) else str(family)
    if wanted in _FIXED:
        V = fixed_residual(arguments.get("prior"), wanted, family.span)
        if _FIXED[wanted] == "bernoulli":
            return Response(expression, "bernoulli", "logit")
        sd = math.sqrt(V if wanted == "threshold" else 1 + V)
        return Response(
            expression, "cumulative", "probit", anchored=True, latent_sd=sd, order="sizes"
        )
    if wanted in _CENSORED:
        row = _CENSORED[wanted]
        link = FAMILIES[row].mcmcglmm_link or FAMILIES[row].links[0]
        return Response(expression, row, link, censoring=Censoring())
    if wanted not in names:
        hint = f"those that can: {', '.join([*names, *_FIXED, *_CENSORED])}"
        message = f"the family {wanted!r} cannot be expressed"
        raise Unsupported(message, span=family.span, hint=hint)
    row = names[wanted]
    return Response(expression, row, FAMILIES[row].mcmcglmm_link or FAMILIES[row].links[0])


# -- several responses -----------------------------------------------------------------------------


def _are_several(arguments: Arguments, formula: Formula, families: tuple[Node, ...]) -> bool:
    """Whether there are several responses, or latent variables of one.

    ``cbind()`` of a family of counts, or of intervals, is one response.
    """
    match formula.left:
        case Call(function="cbind", args=args) if len(args) > 1:
            several = True
        case _:
            several = False
    formulas = (formula.right, arguments.get("random"), arguments.get("rcov"))
    if len(families) > 1 or is_several(families, formulas):
        return True
    return several and not (families and _takes_counts(families[0]))


def _takes_counts(family: Node) -> bool:
    """Whether a response of several columns is one of counts: binomial, or an interval."""
    name = named(family)
    return name.startswith("multinomial") or name in _CENSORED


def _several(arguments: Arguments, formula: Formula) -> Request:
    """``cbind(y1, y2) ~ trait - 1 + trait:x``: a row for every latent variable, of ``trait``."""
    left = formula.left
    assert left is not None
    columns = left.args if isinstance(left, Call) and left.function == "cbind" else ()
    listed = ", ".join(str(a.value) for a in columns) or str(left)

    def finish(levels: Callable[[Node], tuple[str, ...]]) -> Request:
        latent = latent_of(formula, _families(arguments), levels, trials_name(listed))
        groups = related(random_groups(arguments), arguments)
        residual, known = errors_of_latent(arguments, latent)
        prior = call_prior(arguments.get("prior"), len(groups), fixed=bool(known))
        graph = ModelGraph(
            Response(
                Name(listed if columns else f"{left} by trait", span=left.span),
                traits=tuple(trait.name for trait in latent.traits),
                layers=latent.layers,
                known=known,
            ),
            Population(Columns((formula.right,))),
            groups,
            residual,
            notes=() if "prior" in arguments.values else (_NO_PRIOR,),
            prior=prior,
        )
        return replace(request(arguments, graph), stacked=latent.traits)

    if not has_levels(_families(arguments)):
        return finish(lambda node: ())
    # until the levels are known there is no more to say
    unfinished = ModelGraph(Response(left), Population(Columns((formula.right,))))
    return replace(request(arguments, unfinished), finish=finish)


def _is_fixed(arguments: Arguments) -> bool:
    """Whether the family is one whose residual variance the prior fixes."""
    family = next(iter(_families(arguments)), None)
    return isinstance(family, String) and family.value in _FIXED


def _overdispersion(arguments: Arguments, prior: CallPrior | None) -> Group:
    """MCMCglmm's residual, normal on the scale of the predictor: an effect of every row."""
    span, family = arguments.call.span, arguments.get("family")
    factor = Factor((Name(UNITS, span=span),))
    covariance, residual = Covariance("us"), prior.residual if prior else None
    if isinstance(family, String) and family.value in _FIXED:
        V = fixed_residual(arguments.get("prior"), family.value, family.span)
        covariance = Covariance("known", variances=(V,))
        residual = replace(residual, kind="known") if residual else None
    columns = Columns((Number(1.0, span=span),))
    return Group(columns, factor, covariance, span=span, prior=residual)


FUNCTIONS = {"MCMCglmm": lower_mcmcglmm}
