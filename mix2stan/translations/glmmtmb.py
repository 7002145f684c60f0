"""Models as glmmTMB writes them."""

from __future__ import annotations

from mix2stan.dialects.glmmtmb import STRUCTURES
from mix2stan.families import FAMILIES
from mix2stan.graph import Group, ModelGraph, Residual
from mix2stan.translations.lme4 import formula_of, with_units
from mix2stan.translations.parts import (
    Source,
    bar,
    call,
    factor_text,
    family_text,
    formulas_of,
    prepared,
    refuse,
    spelt,
)

__all__ = ["term", "write"]

#: glmmTMB's name of every covariance structure it has; none is needed for the first two.
_KINDS = {kind: name for name, kind in STRUCTURES.items()} | {"scalar": "", "us": ""}

#: Its names of the families that R's other functions call otherwise.
_FAMILIES = {"negbinomial": "nbinom2", "student": "t_family", "beta": "beta_family"}
#: Families it has not, or in other parameters.
_ABSENT = {
    "lognormal": "its lognormal has the mean and sd of y; lmer(log(y) ~ x) is this one",
    "inverse.gaussian": "lme4's glmer() can",
}


def write(source: Source) -> str:
    """``glmmTMB(y ~ x + cs(0 + f | g), dispformula = ~ f)``."""
    graph = source.graph
    texts = [text for group in graph.groups for text in _bars(group, source)]
    weights = graph.response.weights
    line, data = prepared(with_units(source), source)
    return line + call(
        "glmmTMB",
        formula_of(source, texts),
        _family(graph),
        "" if graph.residual.plain else f"dispformula = ~{_dispersion(graph.residual)}",
        f"data = {data}",
        "" if weights is None else f"weights = {weights}",
        f"contrasts = {source.contrasts}" if source.contrasts else "",
    )


def term(group: Group, source: Source) -> str:
    """One random term: ``cs(0 + f | g)``."""
    return " + ".join(_bars(group, source))


def _bars(group: Group, source: Source) -> list[str]:
    nearest = "nearest: us(0 + f | g), all variances and covariances free"
    name = spelt(group, _KINDS, "glmmTMB", nearest)
    more = f", d = {group.covariance.order}" if group.covariance.kind == "rr" else ""
    return [f"{name}({bar(group, f)}{more})" for f in formulas_of(group, source)]


def _family(graph: ModelGraph) -> str:
    family, link = graph.response.family, graph.response.link
    if graph.response.linear:
        return ""
    if family in _ABSENT:
        raise refuse("glmmTMB", f"a response that is {family}", _ABSENT[family])
    name = _FAMILIES.get(family)
    if name is None:
        return f"family = {family_text(graph)}"
    default = link == FAMILIES[family].links[0]
    return f"family = {name}" if default else f'family = {name}(link = "{link}")'


def _dispersion(residual: Residual) -> str:
    """The errors' variance functions as terms of the log standard deviation."""
    known = all(
        part.kind in ("varIdent", "varExp") and not part.fixed and not part.of_fitted
        for part in residual.variances
    )
    if residual.correlation is not None or not known:
        raise refuse("glmmTMB", f"errors that are {residual}", "nlme's gls() and lme() can")
    terms = []
    for part in residual.variances:
        factors = () if part.strata is None else part.strata.variables
        numbers = () if part.covariate is None else (part.covariate,)
        terms.append(factor_text((*factors, *numbers)))
    return " + ".join(terms)
