"""rstanarm's priors of a call, in the units it says: in the place of its defaults."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.errors import FormulaError, Unsupported
from mix2stan.families import PARAMETERS, single_parameters
from mix2stan.graph import ModelGraph, Prior, ScaledPrior
from mix2stan.priors.sets import PROBIT, block_prior
from mix2stan.priors.summaries import Summaries

__all__ = ["with_scaled"]

Array = NDArray[np.float64]

_SOURCE = "as asked"
#: What its scales are if nothing is said.
_SCALE = 2.5


def with_scaled(priors: Sequence[Prior], graph: ModelGraph, data: Summaries) -> list[Prior]:
    """The priors with those in their place that the call has.

    Raises:
        FormulaError: if one has numbers for another count of coefficients.
        Unsupported: for what cannot be expressed.
    """
    found = list(priors)
    for scaled in graph.scaled:
        rule = _RULES[scaled.argument]
        found = [rule(prior, scaled, graph, data) or prior for prior in found]
    return found


def _of_slopes(p: Prior, s: ScaledPrior, graph: ModelGraph, data: Summaries) -> Prior | None:
    if p.block != "beta":
        return None
    spread = data.slope_scales(_units(s, graph, data))[int(data.intercept) :]
    if not s.autoscale:
        spread = np.full(len(spread), _units(s, graph, data))
    return _located(p.block, s, spread)


def _of_intercept(p: Prior, s: ScaledPrior, graph: ModelGraph, data: Summaries) -> Prior | None:
    if p.block != "intercept":
        return None
    return _located(p.block, s, np.array([_units(s, graph, data)]))


def _units(s: ScaledPrior, graph: ModelGraph, data: Summaries) -> float:
    """What scales are multiplied by: of the response, and of the logit where it is a probit."""
    unit = data.sd if s.autoscale and graph.response.linear else 1.0
    return unit * (PROBIT if graph.response.link == "probit" else 1.0)


def _located(block: str, s: ScaledPrior, units: Array) -> Prior:
    if s.density == "flat":
        return block_prior(block, "flat", f"{_SOURCE}; improper")
    slots = dict(s.values)
    df, loc, scale = (
        _as_many(slots.get(name, default), len(units), s)
        for name, default in (("df", (1.0,)), ("location", (0.0,)), ("scale", (_SCALE,)))
    )
    numbers = {"loc": loc, "scale": scale * units}
    if s.density == "student":
        return block_prior(block, "student", _SOURCE, df=df, **numbers)
    return block_prior(block, s.density, _SOURCE, **numbers)


def _as_many(values: tuple[float, ...], count: int, s: ScaledPrior) -> Array:
    if len(values) not in (1, count):
        message = f"{s.argument} has {len(values)} numbers for {count} coefficients"
        raise FormulaError(message, span=s.span, hint="give one for each, or one for all")
    return np.broadcast_to(np.array(values), (count,))


def _of_dispersion(p: Prior, s: ScaledPrior, graph: ModelGraph, data: Summaries) -> Prior | None:
    """That of sigma, or of the one further parameter: half a density, from its location on."""
    if p.block not in single_parameters(graph) or PARAMETERS[p.block].bound != "<lower=0>":
        return None
    unit = data.sd if s.autoscale and p.block == "sigma" else 1.0
    if s.density == "flat":
        return block_prior(p.block, "flat", f"{_SOURCE}; improper")
    slots = dict(s.values)
    if s.density == "exponential":
        return block_prior(p.block, "exponential", _SOURCE, rate=slots["rate"][0] / unit)
    if "scale" not in slots:
        message = "prior_aux without a scale cannot be expressed"
        raise Unsupported(message, span=s.span, hint="write prior_aux = cauchy(0, 5)")
    prior = _located(p.block, s, np.array([unit]))
    location = slots["location"][0]
    if location < 0:
        message = "prior_aux with a negative location cannot be expressed"
        raise Unsupported(message, span=s.span, hint="its location is 0")
    cut = (("lower", (location,)),) if location else ()
    return replace(prior, values=(*prior.values, *cut))


def _of_covariance(p: Prior, s: ScaledPrior, graph: ModelGraph, data: Summaries) -> Prior | None:
    """``decov``: correlations are lkj, and the sd of one effect is a gamma in units of sigma."""
    numbers = dict(s.values)
    if any(len(values) > 1 for values in numbers.values()):
        message = "a decov() with numbers for each term cannot be expressed"
        raise Unsupported(message, span=s.span, hint="it has one number for all")
    eta, concentration, shape, scale = (
        numbers[k][0] for k in ("regularization", "concentration", "shape", "scale")
    )
    term = next((g for g in graph.groups if p.block in (f"sd_{g.id}", f"L_{g.id}")), None)
    if term is None:
        return None
    if p.block.startswith("L_"):
        return block_prior(p.block, "lkj_eta", _SOURCE, eta=eta)
    if len(term.columns.names) > 1:
        if (concentration, shape, scale) != (1, 1, 1):
            message = (
                "decov() of correlated effects with a concentration, shape or scale of its own"
            )
            hint = "its regularization can be said; or prior = {'sd_…': 'exponential(1)'}"
            raise Unsupported(f"{message} cannot be expressed", span=s.span, hint=hint)
        return None
    dispersed = "sigma" in single_parameters(graph)
    if math.isclose(shape, 1) and not dispersed:
        return block_prior(p.block, "exponential", _SOURCE, rate=1 / scale)
    row = "gamma_sigma" if dispersed else "gamma"
    source = f"{_SOURCE}, in units of sigma" if dispersed else _SOURCE
    return block_prior(p.block, row, source, shape=shape, rate=1 / scale)


_RULES: dict[str, Callable[[Prior, ScaledPrior, ModelGraph, Summaries], Prior | None]] = {
    "prior": _of_slopes,
    "prior_intercept": _of_intercept,
    "prior_aux": _of_dispersion,
    "prior_covariance": _of_covariance,
}
