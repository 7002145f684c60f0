"""The named sets of default priors.

The sets follow their packages to the letter: brms 2.23 (``def_scale_prior``), rstanarm 2.32
(``default_prior_coef`` and friends, ``decov``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.covariances import COVARIANCES, Parameter, constants_of
from mix2stan.errors import FormulaError, suggestion
from mix2stan.families import FAMILIES, PARAMETERS, Numbers, single_parameters
from mix2stan.graph import Group, ModelGraph, Prior
from mix2stan.priors.summaries import Summaries
from mix2stan.priors.wishart import call_priors

__all__ = ["PRIOR_SETS", "PROBIT", "block_prior", "default_priors", "group_priors"]

Array = NDArray[np.float64]

#: The standard normal density at 0 over the logistic one.
PROBIT = 4 / math.sqrt(2 * math.pi)
SetRule = Callable[[ModelGraph, Summaries], list[Prior]]


def default_priors(
    graph: ModelGraph, data: Summaries, prior_set: str = "default"
) -> tuple[Prior, ...]:
    """The priors of a named set for every block of a resolved graph.

    Raises:
        FormulaError: if there is no set of that name.
    """
    if prior_set not in PRIOR_SETS:
        hint = suggestion(prior_set, PRIOR_SETS, what="the sets")
        raise FormulaError(f"there is no set of priors called {prior_set!r}", hint=hint)
    return (*PRIOR_SETS[prior_set](graph, data), *_threshold_priors(graph, prior_set))


def _threshold_priors(graph: ModelGraph, prior_set: str) -> list[Prior]:
    """brms' prior of thresholds in all proper sets; those after one at zero are not symmetric."""
    if FAMILIES[graph.response.family].ordinal is None:
        return []
    anchored = graph.response.anchored
    block, n = ("cutpoints", -2) if anchored else ("thresholds", -1)
    if prior_set == "flat":
        return [block_prior(block, "flat", "asked for; improper")]
    size = len(graph.response.levels) + n
    place = "" if anchored else "; at the mean of the columns"
    source = f"brms: 2.5 on the scale of the link{place}"
    loc, scale = np.zeros(size), np.full(size, 2.5)
    return [block_prior(block, "student_t", source, loc=loc, scale=scale)]


def block_prior(block: str, density: str, source: str, **slots: Array | float) -> Prior:
    """The prior of a block, its numbers by slot; one number is for all elements alone."""
    values = tuple((k, tuple(np.atleast_1d(v).astype(float).tolist())) for k, v in slots.items())
    return Prior(block, density, values, source)


def group_priors(groups: Iterable[Group], sd: Callable[[Group, int], Prior]) -> list[Prior]:
    """The priors of group terms; ``sd`` gives those of their standard deviations."""
    priors = []
    for group in groups:
        row, order = COVARIANCES[group.covariance.kind], group.covariance.order
        for p in row.parameters:
            n = p.size(len(group.columns.names), order)
            if p.density == "sd":
                prior = replace(sd(group, n), block=f"{p.name}_{group.id}")
                signed = _SIGNED.get(prior.density, prior.density)
                priors.append(replace(prior, density=signed) if p.signed else prior)
            else:
                priors.append(_structural(group, p, n))
    return priors


#: The counterparts of densities that are for positive numbers alone.
_SIGNED = {"decov": "normal_sigma", "exponential_sigma": "normal_sigma"}
#: What the defaults of correlation parameters are for.
_REASONS = {
    "lkj": "all correlation matrices equally likely",
    "uniform": "all values between the bounds equally likely",
    "normal": "effects of a size with those they are regressed on",
    "lognormal": "around the median of the distances",
}


def _structural(group: Group, parameter: Parameter, n: int) -> Prior:
    """The prior of a parameter that is no standard deviation: the same in all sets."""
    slots = parameter.slots(constants_of(group))
    values = {slot: np.full(n, value) for slot, value in slots.items()}
    block = f"{parameter.name}_{group.id}"
    return block_prior(block, parameter.density, _REASONS[parameter.density], **values)


def _numbered(block: str, numbers: Numbers, source: str) -> Prior:
    density, slots = numbers
    return block_prior(block, density, source, **dict(slots))


def _mad_scale(data: Summaries) -> tuple[float, str]:
    if data.y is None:
        return 2.5, "2.5 on the scale of the link"
    what = "the response" if data.words == "y" else data.words
    return max(2.5, data.mad), f"max(2.5, mad of {what})"


def _spread(graph: ModelGraph, sigma: Prior, own: Callable[[str], Prior]) -> list[Prior]:
    """The priors of what the family has besides its mean; ``own`` gives those but the residual's."""
    return [sigma if name == "sigma" else own(name) for name in single_parameters(graph)]


def _default(graph: ModelGraph, data: Summaries) -> list[Prior]:
    scale, source = _mad_scale(data)
    priors = _normal_coefficients(data)
    priors += group_priors(
        graph.groups_of(""),
        lambda g, n: block_prior(f"sd_{g.id}", "half_student_t", source, scale=np.full(n, scale)),
    )
    return priors + _spread(
        graph,
        block_prior("sigma", "half_student_t", source, scale=scale),
        lambda name: _numbered(name, PARAMETERS[name].prior, PARAMETERS[name].source),
    )


def _normal_coefficients(data: Summaries) -> list[Prior]:
    """normal(0, 2.5 sd(y) / sd(x)); the intercept, at the mean of the columns, normal(mean(y), …)."""
    if data.X.shape[1] == 0:
        return []
    scales = data.slope_scales(2.5 * data.unit)
    by_sd = data.times("2.5", "sd")
    if data.intercept:
        source = f"{data.centre_words}, {by_sd}; at the mean of the other columns"
        priors = [
            block_prior("intercept", "normal", source, loc=data.centre, scale=2.5 * data.unit)
        ]
        if len(scales) > 1:
            loc = np.zeros(len(scales) - 1)
            priors.append(
                block_prior("beta", "normal", f"{by_sd} / sd(x)", loc=loc, scale=scales[1:])
            )
        return priors
    weights = data.constant_in_columns()
    if weights is not None:
        source = f"{data.centre_words}, as the columns add up to the intercept; {by_sd} / sd(x)"
        return [block_prior("beta", "normal", source, loc=data.centre * weights, scale=scales)]
    rms_x = data.rms_X
    scales = 2.5 * max(data.rms, data.least) / np.where(rms_x > 0, rms_x, 1.0)
    source = f"{data.times('2.5', 'rms')} / rms(x), as there is no intercept"
    return [block_prior("beta", "normal", source, loc=np.zeros(len(scales)), scale=scales)]


def _brms(graph: ModelGraph, data: Summaries) -> list[Prior]:
    scale, source = data.wide, _wide_words(data)
    columns = data.X.shape[1]
    priors = []
    if data.intercept:
        centre = round(data.median, 1) - data.offset
        middle = "0" if data.y is None else f"median({data.words})"
        middle += " - mean of the offsets" if data.offset else ""
        priors.append(
            block_prior("intercept", "student_t", f"{source}; {middle}", loc=centre, scale=scale)
        )
    if columns > data.intercept:
        priors.append(block_prior("beta", "flat", "brms: improper"))
    priors += group_priors(
        graph.groups_of(""),
        lambda g, n: block_prior(f"sd_{g.id}", "half_student_t", source, scale=np.full(n, scale)),
    )
    natural, own = data.natural or data, FAMILIES[graph.response.family].brms
    return priors + _spread(
        graph,
        block_prior("sigma", "half_student_t", _wide_words(natural), scale=natural.wide),
        lambda name: _numbered(name, own.get(name, PARAMETERS[name].brms), "brms"),
    )


def _wide_words(data: Summaries) -> str:
    return "brms: 2.5" if data.y is None else f"brms: max(2.5, mad({data.words}) to one decimal)"


def _rstanarm(graph: ModelGraph, data: Summaries) -> list[Prior]:
    """Its priors are in units of the response where that is Gaussian, of the link elsewhere."""
    linear = graph.response.linear
    spread, centre = (data.sd, data.mean) if linear else (1.0, 0.0)
    # rstanarm states the priors of probit models in units of the logit's
    spread *= PROBIT if graph.response.link == "probit" else 1.0
    by_sd = "2.5 sd(y)" if linear else f"{2.5 * spread:.3g}"
    priors = []
    scales = data.slope_scales(2.5 * spread)
    if data.intercept:
        source = f"rstanarm: {'mean(y)' if linear else '0'}, {by_sd}"
        priors.append(block_prior("intercept", "normal", source, loc=centre, scale=2.5 * spread))
    slopes = scales[int(data.intercept) :]
    if len(slopes):
        source = f"rstanarm: {by_sd} / sd(x)"
        priors.append(
            block_prior("beta", "normal", source, loc=np.zeros(len(slopes)), scale=slopes)
        )
    dispersed = "sigma" in single_parameters(graph)
    source = "rstanarm: decov(1, 1, 1, 1)" + (", in units of sigma" if dispersed else "")

    def sd(group: Group, n: int) -> Prior:
        # of one standard deviation, decov is an exponential
        if dispersed:
            return block_prior(f"sd_{group.id}", "decov" if n > 1 else "exponential_sigma", source)
        if n > 1:
            return block_prior(f"sd_{group.id}", "decov_1", source)
        return block_prior(f"sd_{group.id}", "exponential", source, rate=1.0)

    return (
        priors
        + group_priors(graph.groups_of(""), sd)
        + _spread(
            graph,
            block_prior("sigma", "exponential", "rstanarm: 1 / sd(y)", rate=1 / data.sd),
            lambda name: (
                block_prior(name, "exponential", "rstanarm: 1", rate=1.0)
                if PARAMETERS[name].bound == "<lower=0>"
                else _numbered(name, PARAMETERS[name].prior, PARAMETERS[name].source)
            ),
        )
    )


def _flat(graph: ModelGraph, data: Summaries) -> list[Prior]:
    source = "asked for; improper"
    columns = data.X.shape[1]
    priors = [block_prior("intercept", "flat", source)] if data.intercept else []
    priors += [block_prior("beta", "flat", source)] if columns > data.intercept else []
    priors += group_priors(
        graph.groups_of(""), lambda g, n: block_prior(f"sd_{g.id}", "flat", source)
    )
    sigma = block_prior("sigma", "flat", source)
    return priors + _spread(graph, sigma, lambda name: block_prior(name, "flat", source))


def _mcmcglmm(graph: ModelGraph, data: Summaries) -> list[Prior]:
    """What MCMCglmm has a prior of, and the default set of the rest."""
    predicted = {p.parameter for p in graph.predictors}
    theirs = [p for p in call_priors(graph) if p.block not in predicted]
    blocks = {p.block for p in theirs}
    without = {"intercept", "beta"} if "beta" in blocks else set()
    return [*theirs, *(p for p in _default(graph, data) if p.block not in blocks | without)]


PRIOR_SETS: dict[str, SetRule] = {
    "default": _default,
    "brms": _brms,
    "rstanarm": _rstanarm,
    "mcmcglmm": _mcmcglmm,
    "flat": _flat,
}
