"""MCMCglmm: ``random = ~ us(1 + x):g``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from mix2stan.counts import bounded
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
from mix2stan.dialects.mcmcglmm_prior import (
    call_prior,
    fixed_block,
    fixed_residual,
    misplaced,
)
from mix2stan.dialects.mcmcglmm_random import random_groups
from mix2stan.dialects.mcmcglmm_related import related
from mix2stan.errors import FormulaError, Unsupported, suggestion
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
    Residual,
    Response,
    warn,
)
from mix2stan.syntax import Argument, Call, Formula, Name, Node, Number, String

__all__ = ["ARGUMENTS", "FUNCTIONS"]

#: The most responses that rep() may count.
_RESPONSES = 10_000
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
        "theta_scale": "scaled effects cannot be expressed",
    },
)  # fmt: skip

#: Families whose residual variance the prior has to fix, by what they are.
_FIXED = {"ordinal": "cumulative", "threshold": "cumulative", "categorical": "bernoulli"}

_NO_PRIOR = (
    "without 'prior', MCMCglmm takes V = I and nu = 0, which is improper: this is another posterior "
    "than its own, of the priors listed; prior='mcmcglmm' takes its own, prior='default' these"
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
    formula = _bound(arguments.formula("fixed", "MCMCglmm(y ~ x, random = ~ g)"))
    if _are_several(arguments, formula, _families(arguments)):
        return _several(arguments, formula)
    response = _response(arguments, response_of(formula, "MCMCglmm"))
    groups, rcov = related(random_groups(arguments), arguments), arguments.get("rcov")
    residual = errors_of(rcov)
    prior = call_prior(arguments.get("prior"), len(groups))
    response = _with_known_errors(response, residual, arguments)
    if response.family != "gaussian":
        if rcov is not None and not residual.plain:
            message = "a residual structure of a response that is not Gaussian cannot be expressed"
            raise Unsupported(message, span=rcov.span, hint="rcov = ~ units can")
        if not response.anchored:
            groups += (_overdispersion(arguments, prior),)
    population = Population(Columns((formula.right,)))
    graph = ModelGraph(response, population, groups, residual, prior=prior)
    return request(arguments, _warned(graph, arguments))


def _bound(formula: Formula) -> Formula:
    """The formula; ``c(y1, y2)`` has responses side by side, as ``cbind(y1, y2)``."""
    match formula.left:
        case Call(function="c", args=(_, _, *_)) as left:
            return replace(formula, left=replace(left, function="cbind"))
    return formula


def _warned(graph: ModelGraph, arguments: Arguments) -> ModelGraph:
    """The graph; where the call has no prior it is not MCMCglmm's posterior that it has."""
    prior = arguments.get("prior")
    if prior is None:
        return replace(graph, unsaid=_NO_PRIOR)
    said = misplaced(prior)
    return warn(graph, said) if said else graph


def _with_known_errors(response: Response, residual: Residual, arguments: Arguments) -> Response:
    """What is known of the errors: ``mev =`` adds to them, ``fix = 1`` of R holds them at V."""
    block, mev = fixed_block(arguments.get("prior")), arguments.get("mev")
    node = mev if mev is not None else arguments.get("prior")
    if node is None or (block is None and mev is None):
        return response
    if not residual.plain:
        message = "known errors beside a residual structure cannot be expressed"
        raise Unsupported(message, span=node.span, hint="rcov = ~ units can have them")
    if mev is not None:
        if response.family != "gaussian":
            message = f"mev of a {response.family} response cannot be expressed"
            hint = "write random = ~ idh(sqrt(v)):units with R's fix = 1 in its prior"
            raise Unsupported(message, span=mev.span, hint=hint)
        root = Call("sqrt", (Argument(None, mev),), span=mev.span)
        response = replace(response, noise=root)
    if block is None or response.family != "gaussian":
        return response
    if len(block.V) != 1 or block.V[0][0] <= 0:
        message = "the residual variance has to be a positive number"
        raise FormulaError(message, span=block.span, hint="write R = list(V = 1, fix = 1)")
    return replace(response, known=(("sigma", math.sqrt(block.V[0][0])),))


def _families(arguments: Arguments) -> tuple[Node, ...]:
    """The names of the distributions, one or one for each response."""
    match arguments.get("family"):
        case None:
            return ()
        case Call(function="c", args=args):
            return tuple(a.value for a in args)
        case Call(function="rep", args=(name, Argument(value=Number(value=times) as node))):
            return (name.value,) * bounded(times, _RESPONSES, "responses", node.span)
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
        hint = suggestion(wanted, [*names, *_FIXED, *_CENSORED], what="those that can")
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
    left, mev = formula.left, arguments.get("mev")
    assert left is not None
    if mev is not None:
        message = "mev of several responses cannot be expressed"
        raise Unsupported(message, span=mev.span, hint="one response can have it")
    columns = left.args if isinstance(left, Call) and left.function == "cbind" else ()
    listed = ", ".join(str(a.value) for a in columns) or str(left)

    def finish(levels: Callable[[Node], tuple[str, ...]]) -> Request:
        latent = latent_of(formula, _families(arguments), levels, trials_name(listed))
        groups = related(random_groups(arguments), arguments)
        residual, known = errors_of_latent(arguments, latent)
        prior = call_prior(arguments.get("prior"), len(groups))
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
            prior=prior,
        )
        graph = _warned(graph, arguments)
        return replace(request(arguments, graph), stacked=latent.traits)

    if not has_levels(_families(arguments)):
        return finish(lambda node: ())
    # until the levels are known there is no more to say
    unfinished = ModelGraph(Response(left), Population(Columns((formula.right,))))
    return replace(request(arguments, unfinished), finish=finish)


def _overdispersion(arguments: Arguments, prior: CallPrior | None) -> Group:
    """MCMCglmm's residual, normal on the scale of the predictor: an effect of every row."""
    span, family = arguments.call.span, arguments.get("family")
    factor = Factor((Name(UNITS, span=span),))
    covariance, residual = Covariance("us"), prior.residual if prior else None
    name = family.value if isinstance(family, String) else "gaussian"
    if name in _FIXED or fixed_block(arguments.get("prior")) is not None:
        V = fixed_residual(arguments.get("prior"), name, span if family is None else family.span)
        covariance = Covariance("known", variances=(V,))
        residual = replace(residual, kind="known") if residual else None
    columns = Columns((Number(1.0, span=span),))
    return Group(columns, factor, covariance, span=span, prior=residual)


FUNCTIONS = {"MCMCglmm": lower_mcmcglmm}
ARGUMENTS = {"MCMCglmm": _SIGNATURE.names}
