"""lme4's ``glmer`` and ``glmer.nb``, and ``glm`` and ``glm.nb`` without random effects."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments, request
from mix2stan.dialects.bars import response_of
from mix2stan.dialects.families import Distribution, family_of, known_shape
from mix2stan.dialects.lme4 import random_terms
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.families import FAMILIES
from mix2stan.graph import Columns, ModelGraph, Population, Residual, Response
from mix2stan.syntax import Call, Node, String

__all__ = ["ARGUMENTS", "FUNCTIONS", "lowered"]

_GLMER = Signature(
    names=(
        "formula", "data", "family", "control", "start", "verbose", "nAGQ", "subset", "weights",
        "na.action", "offset", "contrasts", "mustart", "etastart", "devFunOnly",
    ),
    ignored=frozenset(
        {"control", "start", "verbose", "nAGQ", "mustart", "etastart", "devFunOnly"}
    ),
)  # fmt: skip

_GLMER_NB = Signature(
    names=(
        "formula", "data", "subset", "weights", "na.action", "offset", "contrasts", "control",
        "start", "verbose", "nAGQ", "nb.control", "initCtrl", "interval", "tol",
    ),
    ignored=frozenset(
        {"control", "start", "verbose", "nAGQ", "nb.control", "initCtrl", "interval", "tol"}
    ),
)  # fmt: skip

_GLM = Signature(
    names=(
        "formula", "family", "data", "weights", "subset", "na.action", "start", "etastart",
        "mustart", "offset", "control", "model", "method", "x", "y", "singular.ok", "contrasts",
    ),
    ignored=frozenset(
        {"start", "etastart", "mustart", "control", "model", "method", "x", "y", "singular.ok"}
    ),
)  # fmt: skip

_GLM_NB = Signature(
    names=(
        "formula", "data", "weights", "subset", "na.action", "start", "etastart", "mustart",
        "control", "method", "model", "x", "y", "contrasts", "init.theta", "link",
    ),
    ignored=frozenset(
        {"start", "etastart", "mustart", "control", "method", "model", "x", "y", "init.theta"}
    ),
)  # fmt: skip


#: Functions of lme4, which has structures of covariances by name.
_STRUCTURED = frozenset({"glmer", "glmer.nb"})
#: What glm() and glmer() take of MASS: its shape is known.
_MASS = {"negative.binomial": "negbinomial"}


def lower_glmer(call: Call) -> Request:
    """``glmer(y ~ x + (1 | g), family = poisson)``."""
    arguments = match_arguments(call, _GLMER)
    return lowered(arguments, family_of(arguments.get("family"), own=_MASS), grouped=True)


def lower_glmer_nb(call: Call) -> Request:
    """``glmer.nb(y ~ x + (1 | g))``: negative binomial, its shape estimated."""
    return lowered(match_arguments(call, _GLMER_NB), Distribution("negbinomial", "log"), True)


def lower_glm(call: Call) -> Request:
    """``glm(y ~ x, family = binomial)``: no group terms."""
    arguments = match_arguments(call, _GLM)
    return lowered(arguments, family_of(arguments.get("family"), own=_MASS), grouped=False)


def lower_glm_nb(call: Call) -> Request:
    """``glm.nb(y ~ x)``, of the package MASS."""
    arguments = match_arguments(call, _GLM_NB)
    link = arguments.get("link")
    named = link.value if isinstance(link, String) else "log" if link is None else str(link)
    links = FAMILIES["negbinomial"].links
    if link is not None and named not in links:
        hint = f"its links: {', '.join(links)}"
        raise FormulaError(f"glm.nb() has no link {named!r}", span=link.span, hint=hint)
    return lowered(arguments, Distribution("negbinomial", named), grouped=False)


def lowered(
    arguments: Arguments, distribution: Distribution, grouped: bool, powers: bool = False
) -> Request:
    """The request of a call with lme4's bars, or without random terms.

    With ``powers`` weights raise likelihoods to them, whatever the family, as rstanarm's do.

    Raises:
        FormulaError: if it has no random terms and should, or the other way round.
    """
    function = arguments.call.function
    example = f"{function}(y ~ x + (1 | g))" if grouped else f"{function}(y ~ x)"
    formula = arguments.formula("formula", example)
    fixed, bars, groups = random_terms(formula.right, structures=function in _STRUCTURED)
    if grouped and not groups:
        hint = "write + (1 | g), or use glm() for a model without random effects"
        raise FormulaError("there is no random term", span=formula.span, hint=hint)
    if bars and not grouped:
        message = f"{function}() has no random terms"
        raise FormulaError(message, span=bars[0].term.span, hint="glmer() has")
    family, link = distribution
    response, errors = Response(response_of(formula, function), family, link), Residual()
    response = replace(response, known=known_shape(arguments.get("family")))
    if response.linear and not powers:
        errors = Residual.weighted(arguments.get("weights"))
    else:
        trials, raised = _weights(arguments, family, powers)
        response = replace(response, weights=trials, powers=raised)
    offset = arguments.get("offset") if "offset" in arguments.values else None
    graph = ModelGraph(
        response,
        Population(Columns((fixed,)), () if offset is None else (offset,)),
        groups,
        errors,
    )
    return request(arguments, graph)


#: Families whose dispersion is one: R's weights multiply their log-likelihoods.
_OF_ONE = frozenset({"poisson", "negbinomial"})


def _weights(arguments: Arguments, family: str, powers: bool) -> tuple[Node | None, Node | None]:
    """The numbers of trials, or powers of the likelihood; elsewhere they divide the dispersion."""
    weights = arguments.get("weights")
    if weights is None or FAMILIES[family].counts_trials:
        return weights, None
    if family not in _OF_ONE and not powers:
        hint = "glmmTMB() raises likelihoods to powers; binomial models have numbers of trials, "
        hint += "Gaussian ones with link identity variances"
        message = f"weights that divide the dispersion of a {family} model cannot be expressed"
        raise Unsupported(message, span=weights.span, hint=hint)
    return None, weights


FUNCTIONS = {
    "glmer": lower_glmer,
    "glmer.nb": lower_glmer_nb,
    "glm": lower_glm,
    "glm.nb": lower_glm_nb,
}
ARGUMENTS = {
    "glmer": _GLMER.names,
    "glmer.nb": _GLMER_NB.names,
    "glm": _GLM.names,
    "glm.nb": _GLM_NB.names,
}
