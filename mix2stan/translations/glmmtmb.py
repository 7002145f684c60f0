"""Models as glmmTMB writes them."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.dialects.glmmtmb import STRUCTURES
from mix2stan.families import FAMILIES
from mix2stan.graph import Covariance, Group, ModelGraph, Residual
from mix2stan.translations.lme4 import formula_of, with_units
from mix2stan.translations.parts import (
    Source,
    bar,
    call,
    coded_alike,
    factor_text,
    family_text,
    formulas_of,
    no_subset,
    prepared,
    refuse,
    spelt,
)

__all__ = ["log_sd_terms", "term", "write"]

#: The column of a factor of one level.
_ONE = "one"

#: glmmTMB's name of every covariance structure it has; none is needed for the first two.
_KINDS = {kind: name for name, kind in STRUCTURES.items()} | {"scalar": "", "us": ""}

#: Its names of the families that R's other functions call otherwise.
_FAMILIES = {
    "negbinomial": "nbinom2",
    "truncated_negbinomial": "truncated_nbinom2",
    "student": "t_family",
    "beta": "beta_family",
    "beta_binomial": "betabinomial",
    "ordered_beta": "ordbeta",
    "skew_normal": "skewnormal",
    "lognormal_mean": "lognormal",
}
#: Families it has not, or in other parameters.
_ABSENT = {
    "lognormal": "its lognormal has the mean and sd of y; lmer(log(y) ~ x) is this one",
    "inverse.gaussian": "lme4's glmer() can",
    "geometric": "MCMCglmm can, with a residual; nbinom2 estimates its shape",
    "exponential": "MCMCglmm can, with a residual; Gamma estimates its shape",
    "weibull": "Gamma can",
    "zero_one_inflated_beta": "ordbeta can",
}


def write(source: Source) -> str:
    """``glmmTMB(y ~ x + cs(0 + f | g), dispformula = ~ f)``."""
    graph = source.graph
    weights = graph.response.weights or graph.response.powers
    coded_alike(source, "glmmTMB", plain=True)
    no_subset(source, "glmmTMB")
    line, data = prepared(_with_one(source), source)
    return line + call(
        "glmmTMB",
        formula_of(source, _bars(source, "")),
        _family(graph),
        *_further(source),
        "" if graph.residual.plain else f"dispformula = ~{log_sd_terms(graph.residual, 'glmmTMB')}",
        f"data = {data}",
        "" if weights is None else f"weights = {weights}",
        f"contrasts = {source.contrasts}" if source.contrasts else "",
    )


def term(group: Group, source: Source) -> str:
    """One random term: ``cs(0 + f | g)``."""
    return " + ".join(_group(group, source))


def _bars(source: Source, parameter: str) -> list[str]:
    """The random terms of one predictor."""
    return [t for group in source.graph.groups_of(parameter) for t in _group(group, source)]


def _group(group: Group, source: Source) -> list[str]:
    nearest = "nearest: us(0 + f | g), all variances and covariances free"
    if _is_of_known(group):
        first, *others = map(str, group.factor.variables)
        within = ":".join(others) or _ONE
        name = "equalto" if group.covariance == _UNIT else "propto"
        return [f"{name}(0 + {first} | {within}, {group.factor.relationship})"]
    name = spelt(group, _KINDS, "glmmTMB", nearest)
    more = f", d = {group.covariance.order}" if group.covariance.kind == "rr" else ""
    return [f"{name}({bar(group, f)}{more})" for f in formulas_of(group.columns, source)]


#: The variance of levels whose covariance is known altogether.
_UNIT = Covariance("known", variances=(1.0,))


def _is_of_known(group: Group) -> bool:
    """Whether it is a known covariance of the levels of a factor, as a matrix."""
    known = group.factor.relationship
    matrix = known is not None and known.role == "covariance" and known.form == "matrix"
    matrix = matrix and group.covariance in (Covariance("scalar"), _UNIT)
    return matrix and group.columns.intercept_only and not group.factor.signs


def _with_one(source: Source) -> str:
    """The data, with a factor of one level for related levels that are within no other."""
    alone = [g for g in source.graph.groups if len(g.factor.variables) == 1]
    data = with_units(source)
    return f"transform({data}, {_ONE} = 1)" if any(map(_is_of_known, alone)) else data


def _further(source: Source) -> list[str]:
    """The formulas of parameters besides the mean."""
    row = FAMILIES[source.graph.response.family]
    zeros = row.parameters[-1] if row.without_zeros else ""
    formulas = {row.dispersion: ("dispformula", "log"), zeros: ("ziformula", "logit")}
    predicted = [p.parameter for p in source.graph.predictors]
    found = ["ziformula = ~1"] if zeros and zeros not in predicted else []
    for predictor in source.graph.predictors:
        argument, link = formulas.get(predictor.parameter, ("", ""))
        if predictor.link != link:
            hint = "it has dispformula, of a logarithm, and ziformula, of a logit"
            raise refuse("glmmTMB", f"a predictor of {predictor.parameter}", hint)
        population = predictor.population
        parts = [str(f) for f in population.columns.formulas]
        parts += [f"offset({o})" for o in population.offsets]
        right = " + ".join([*parts, *_bars(source, predictor.parameter)])
        found.append(f"{argument} = ~{right}")
    return found


def _family(graph: ModelGraph) -> str:
    family, link = graph.response.family, graph.response.link
    if graph.response.linear:
        return ""
    family = FAMILIES[family].without_zeros or family
    if family in _ABSENT:
        raise refuse("glmmTMB", f"a response that is {family}", _ABSENT[family])
    name = _FAMILIES.get(family)
    if name is None:
        response = replace(graph.response, family=family)
        name = family_text(replace(graph, response=response))
        # the plain Gamma family takes no zeros
        inflated = family != graph.response.family and family == "Gamma"
        return f"family = {'zi' if inflated else ''}{name}"
    default = link == FAMILIES[family].links[0]
    return f"family = {name}" if default else f'family = {name}(link = "{link}")'


def log_sd_terms(residual: Residual, package: str) -> str:
    """The errors' variance functions as terms of the log standard deviation."""
    known = all(
        part.kind in ("varIdent", "varExp") and not part.fixed and not part.of_fitted
        for part in residual.variances
    )
    if residual.correlation is not None or not known:
        raise refuse(package, f"errors that are {residual}", "nlme's gls() and lme() can")
    terms = []
    for part in residual.variances:
        factors = () if part.strata is None else part.strata.variables
        numbers = () if part.covariate is None else (part.covariate,)
        terms.append(factor_text((*factors, *numbers)))
    return " + ".join(terms)
