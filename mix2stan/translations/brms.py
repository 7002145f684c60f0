"""Models as brms writes them."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.families import FAMILIES
from mix2stan.graph import (
    ErrorCorrelation,
    Group,
    ModelGraph,
    Population,
    Residual,
)
from mix2stan.syntax import Argument, Call, Name, Node, Operator, format_number
from mix2stan.translations.glmmtmb import log_sd_terms
from mix2stan.translations.lme4 import with_units
from mix2stan.translations.parts import (
    Source,
    call,
    columns_of,
    factor_text,
    formulas_of,
    no_subset,
    prepared,
    refuse,
    spelt,
)

__all__ = ["write"]

#: The bar of a term of each structure.
_BARS = {"scalar": "|", "us": "|", "idh": "||"}
#: Its names of the families, where they are not those of the rows.
_NAMES = {"beta": "Beta"}
#: Rows that are its families, in its parameters.
_HAS = frozenset(
    """
    gaussian student skew_normal lognormal poisson negbinomial geometric bernoulli binomial
    beta_binomial Gamma inverse.gaussian exponential weibull beta zero_one_inflated_beta
    zero_inflated_poisson zero_inflated_negbinomial zero_inflated_binomial
    zero_inflated_beta_binomial zero_inflated_beta hurdle_poisson hurdle_negbinomial hurdle_gamma
    hurdle_lognormal von_mises asym_laplace multinomial cumulative sratio cratio acat
    categorical
    """.split()
)
#: What has the correlations of errors that it has not, or only in part.
_NEAREST = "gls() and lme() of nlme can"


def write(source: Source) -> str:
    """``brm(bf(y ~ x + (1 + x || g), sigma ~ f), family = …)``."""
    graph = source.graph
    if source.contrasts:
        raise refuse("brms", "contrasts in the call", "set them with contrasts(d$f) <- …")
    family = FAMILIES[graph.response.family]
    unordered = family.unordered
    # every category has the terms of the first predictor
    first = graph.predictors[0] if unordered else graph.mean
    terms = _terms(source, first.population, first.parameter)
    series = _series(graph.residual.correlation)
    formulas = [f"{_left(source)} ~ {' + '.join([*terms, *([series] if series else [])])}"]
    for predictor in () if unordered else graph.predictors:
        further = _terms(source, predictor.population, predictor.parameter)
        formulas.append(f"{predictor.parameter} ~ {' + '.join(further)}")
    if graph.residual.variances and _errors_alone(graph) is None:
        alone = Residual(graph.residual.variances)
        formulas.append(f"sigma ~ {log_sd_terms(alone, 'brms')}")
    formulas += [
        f"{name} = {format_number(value)}"
        for name, value in graph.response.known
        if name != "sigma" or not _of_errors(graph)
    ]
    formula = formulas[0] if len(formulas) == 1 else call("bf", *formulas)
    no_subset(source, "brms")
    line, data = prepared(with_units(source), source)
    return line + call("brm", formula, f"data = {data}", _family(graph))


def _check_order(source: Source) -> None:
    """Refuse ordered categories that brms takes for none: it wants an ordered factor, or 1, 2, …"""
    response, data = source.graph.response, source.model.data
    if FAMILIES[response.family].ordinal is None:
        return
    column, counted = (
        data.frame.column(response.expression),
        map(str, range(1, 1 + len(response.levels))),
    )
    if column.kind == "factor" or (column.kind == "numeric" and response.levels != tuple(counted)):
        hint = f"make it an ordered factor first: ordered({response.expression})"
        raise refuse("brms", f"categories of {response.expression}, which has no order", hint)


def _left(source: Source) -> str:
    """The response, and what is known of it after the bar."""
    graph = source.graph
    response = graph.response
    expression = response.expression
    if response.censoring is not None and response.censoring.code is None:
        hint = "nearest: y | cens(code, y2), with a code for every row"
        raise refuse("brms", "a response that is two ends of an interval", hint)
    _check_order(source)
    additions = [str(one) for one in (response.censoring, response.truncation) if one is not None]
    left = str(expression)
    match expression:
        case Call(args=args) if FAMILIES[response.family].several:
            total = response.weights or " + ".join(str(a.value) for a in args)
            additions.append(f"trials({total})")
        case _ if response.weights is not None:
            left = f"round({expression} * ({response.weights}))"
            additions.append(f"trials({response.weights})")
        case Call(function="cbind", args=(Argument(value=y), Argument(value=failures))) if (
            response.censoring is None
        ):
            left = str(y)
            additions.append(f"trials({_total(y, failures)})")
    if response.powers is not None:
        additions.append(f"weights({response.powers})")
    if response.noise is not None:
        alone = dict(response.known).get("sigma") == 0
        additions.append(call("se", str(response.noise), "" if alone else "sigma = TRUE"))
    if _errors_alone(graph) is not None:
        additions.append(f"se({_errors_alone(graph)})")
    return f"{left} | {' + '.join(additions)}" if additions else left


def _errors_alone(graph: ModelGraph) -> Node | None:
    """The standard errors where errors have no other variance than theirs."""
    known = dict(graph.response.known).get("sigma") == 1 and graph.residual.correlation is None
    match graph.residual.variances:
        case (part,) if known:
            return part.standard_errors
    return None


def _of_errors(graph: ModelGraph) -> bool:
    """Whether sigma is known because of se()."""
    return graph.response.noise is not None or _errors_alone(graph) is not None


def _total(y: Node, failures: Node) -> str:
    """y + failures, which is n where failures are n - y."""
    match failures:
        case Operator(symbol="+", operands=(n, Operator(symbol="-", operands=(subtracted,)))):
            if subtracted == y:
                return str(n)
    return f"{y} + {failures}"


def _terms(source: Source, population: Population, parameter: str) -> list[str]:
    """The right-hand side of a predictor."""
    fixed = [str(f) for f in population.columns.formulas] if population.columns.names else ["1"]
    offsets = [f"offset({o})" for o in population.offsets]
    groups = source.graph.groups_in(parameter)
    return [*fixed, *offsets, *(bar for group in groups for bar in _bars(group, source, parameter))]


def _bars(group: Group, source: Source, parameter: str) -> list[str]:
    """The terms in one predictor; those of one that is shared have an ID."""
    if group.shares:
        pairs = zip(group.shares, group.columns.formulas, strict=True)
        own = [formula for share, formula in pairs if share.parameter == parameter]
        behind = f"|{group.id}| {factor_text(group.factor.variables)}"
        return [f"({columns_of(formula)} {behind})" for formula in own]
    known, factor = group.factor.relationship, factor_text(group.factor.variables)
    if known is not None and known.role == "covariance" and isinstance(known.source, Name):
        factor = f"gr({factor}, cov = {known})"
        group = replace(group, factor=replace(group.factor, relationship=None))
    symbol = spelt(group, _BARS, "brms", "nearest: (0 + f | g); glmmTMB or MCMCglmm may have it")
    return [f"({columns_of(f)} {symbol} {factor})" for f in formulas_of(group.columns, source)]


def _series(correlation: ErrorCorrelation | None) -> str:
    """``ar(time = t, gr = g, cov = TRUE)``, for errors of consecutive times."""
    if correlation is None:
        return ""
    if correlation.kind != "corAR1" or correlation.fixed or correlation.nugget:
        raise refuse("brms", f"errors that are {correlation}", _NEAREST)
    time = f"time = {correlation.covariates[0]}" if correlation.covariates else ""
    block = "" if correlation.block is None else f"gr = {factor_text(correlation.block.variables)}"
    return call("ar", time, block, "cov = TRUE")


def _family(graph: ModelGraph) -> str:
    response = graph.response
    if response.linear:
        return ""
    row = FAMILIES[response.family]
    name = _NAMES.get(response.family, response.family)
    if response.family not in _HAS:
        raise refuse("brms", f"a response that is {response.family}", "glmmTMB may")
    link = "" if response.link == row.links[0] else f'link = "{response.link}"'
    return f"family = {call(name, link)}"
