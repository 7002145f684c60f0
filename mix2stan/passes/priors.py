"""Priors: a density with numbers for every block of parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.covariances import COVARIANCES
from mix2stan.errors import Unsupported
from mix2stan.families import FAMILIES, free_thresholds, parameter_row
from mix2stan.graph import Group, ModelGraph, Predictor, Prior, note
from mix2stan.links import LINKS
from mix2stan.passes.context import Context
from mix2stan.priors.classes import of_classes
from mix2stan.priors.predictors import Predicted, predictor_priors
from mix2stan.priors.residual import residual_priors
from mix2stan.priors.scaled import with_scaled
from mix2stan.priors.sets import default_priors
from mix2stan.priors.shared import merged
from mix2stan.priors.stacked import of_each_response
from mix2stan.priors.stated import state
from mix2stan.priors.summaries import Summaries
from mix2stan.priors.traits import by_response
from mix2stan.priors.wishart import unlike
from mix2stan.responses import in_brms, link_scale, observed, predicted_mean

__all__ = ["ANOTHER_SET", "WITHOUT_OWN", "named_set", "set_priors"]

WITHOUT_OWN = "the prior of the call is not used, as a set of priors was asked for"
#: What is said where a call has no priors, and its package would have others.
ANOTHER_SET = "the priors are mix2stan's own; the default priors of {0} are the set prior = '{0}'"


def set_priors(graph: ModelGraph, context: Context) -> ModelGraph:
    """The named set of default priors, scaled to the data, and what the user states besides."""
    data, columns = context.data, graph.population.columns
    intercept = columns.names[:1] == ("(Intercept)",)
    X, thresholds = data.matrix(columns), free_thresholds(graph)
    named = named_set(graph, context)
    if named == "brms" and not graph.population.centred:
        _check_coefficients(graph)
        intercept = False
    if thresholds:
        # slopes are judged as beside an intercept, whose prior the thresholds have
        X, intercept = np.hstack([np.ones((data.rows, 1)), X]), True
    summaries = (_in_brms if named == "brms" else _summaries)(graph, context, X, intercept)
    wanted = context.prior.set
    other = wanted is not None and wanted != graph.defaults
    graph = _without_own(graph) if other else _own(graph, context)
    if graph.defaults and named == "default" and not wanted:
        graph = note(graph, ANOTHER_SET.format(graph.defaults))
    priors = default_priors(graph, summaries, named)
    if graph.scaled:
        priors = tuple(with_scaled(priors, graph, summaries))
    if thresholds:
        priors = tuple(p for p in priors if p.block != "intercept")
    errors = list(residual_priors(graph, data, flat=named == "flat"))
    if graph.response.traits and named == "default":
        priors = by_response(priors, graph, data)
        errors = list(by_response(errors, graph, data))
    elif graph.response.traits and named == "brms" and not graph.response.layers:
        priors = tuple(of_each_response(priors, graph, data))
        errors = of_each_response(errors, graph, data)
    blocks = {p.block for p in priors}
    errors = [p for p in errors if p.block not in blocks]
    further = [
        prior
        for predictor in graph.predictors
        for prior in _predicted(graph, context, predictor, summaries.wide)
    ]
    every = _of_shares(graph, (*priors, *further, *errors))
    stated = of_classes(graph, {p.block for p in every})
    return replace(graph, priors=state(graph, every, (*stated, *context.prior.densities)))


def named_set(graph: ModelGraph, context: Context) -> str:
    """The set of default priors: that asked for, or the one on which the call's own stand."""
    if context.prior.set is not None:
        return context.prior.set
    if graph.prior is not None:
        return "mcmcglmm"
    return graph.defaults if graph.own else "default"


def _check_coefficients(graph: ModelGraph) -> None:
    """Refuse thresholds as coefficients: their priors are about the means of the columns.

    Raises:
        Unsupported: for those of ordered categories.
    """
    if free_thresholds(graph) and graph.population.columns.names:
        span = graph.population.columns.formulas[0].span
        message = "priors of thresholds that are not about the means of columns cannot be expressed"
        raise Unsupported(message, span=span, hint="leave center = FALSE and 0 + Intercept away")


def _summaries(
    graph: ModelGraph, context: Context, X: NDArray[np.float64], intercept: bool
) -> Summaries:
    link, words = LINKS[graph.response.link], _words(graph)
    found = context.summaries(link_scale(graph, context.data), X, intercept, words)
    middle = predicted_mean(graph, context.data)
    if middle is not None:
        found = replace(found, middle=(middle, words.replace("(y)", "(mean(y))")))
    # of a latent variable link_scale is a guess, as far as it is on this scale
    return replace(found, least=1.0) if link.relative else found


def _in_brms(
    graph: ModelGraph, context: Context, X: NDArray[np.float64], intercept: bool
) -> Summaries:
    """What brms looks at: the response with its offsets, whose mean it takes off the median alone.

    Of latent responses it is what the other sets look at.
    """
    data, link = context.data, graph.response.link
    if graph.response.layers:
        return _summaries(graph, context, X, intercept)
    logarithmic = FAMILIES[graph.response.family].logarithmic
    words = "log(y)" if logarithmic else _words(graph)
    found = context.summaries(in_brms(graph, data, link), X, intercept, words).whole()
    natural = None
    if link != "identity" and not logarithmic:
        natural = context.summaries(in_brms(graph, data, "identity"), X, intercept, "y").whole()
    # what rate() says is no offset to brms
    exposure = graph.response.exposure
    known = [data.vector(o)[:, None] for o in graph.population.offsets if o != exposure]
    offset = 0.0 if found.y is None else float(np.sum([data.means(v) for v in known]))
    return replace(found, offset=offset, natural=natural)


def _of_shares(graph: ModelGraph, priors: tuple[Prior, ...]) -> tuple[Prior, ...]:
    """The priors, each block's once: of a shared term every predictor has given them."""
    terms = {
        f"{parameter.name}_{g.id}": g
        for g in graph.groups
        if g.shares
        for parameter in COVARIANCES[g.covariance.kind].parameters
    }
    offered: dict[str, list[Prior]] = {}
    for prior in priors:
        offered.setdefault(prior.block, []).append(prior)
    whole = {block: _of_term(offered[block], term) for block, term in terms.items()}
    found = (whole.pop(p.block, None) if p.block in terms else p for p in priors)
    return tuple(prior for prior in found if prior is not None)


def _of_term(offered: list[Prior], term: Group) -> Prior:
    """One block of a shared term, from the priors that its predictors have for it."""
    own = (term.columns_in(parameter) for parameter in term.parameters)
    return merged(list(zip(offered, own, strict=True)), len(term.columns.names))


def _without_own(graph: ModelGraph) -> ModelGraph:
    """The model without the priors of its call: a set was asked for."""
    if graph.prior is None and not graph.own:
        return graph
    groups = tuple(replace(g, prior=None) for g in graph.groups)
    return note(
        replace(graph, groups=groups, prior=None, stated=(), scaled=(), own=False), WITHOUT_OWN
    )


def _own(graph: ModelGraph, context: Context) -> ModelGraph:
    """The model with the priors of its call, V of the errors in the order of our strata."""
    if graph.prior is None:
        return graph
    given = graph.prior
    ours = [str(g.factor) for g in graph.groups if unlike(g) and g.covariance.kind != "known"]
    if ours:
        what = f"the covariance of {' and '.join(ours)} has not MCMCglmm's prior"
        graph = note(graph, f"{what}, which cannot be expressed: the priors are those listed")
    V = np.array(given.residual.V)
    for part in graph.residual.variances:
        levels = list(context.data.grouping(part.strata).levels) if part.strata else []
        if V.shape == (len(levels), len(levels)) and set(levels) == set(part.levels):
            order = [levels.index(level) for level in part.levels]
            V = V[np.ix_(order, order)]
    residual = replace(given.residual, V=tuple(tuple(row) for row in V.tolist()))
    return replace(graph, prior=replace(given, residual=residual))


def _predicted(
    graph: ModelGraph, context: Context, predictor: Predictor, sd_scale: float
) -> list[Prior]:
    """The priors of a predictor of another parameter than the mean."""
    columns, named = predictor.population.columns, named_set(graph, context)
    intercept = columns.names[:1] == ("(Intercept)",)
    intercept &= predictor.population.centred or named != "brms"
    X = context.data.matrix(columns) if columns.names else np.zeros((context.data.rows, 0))
    y = FAMILIES[graph.response.family].scale(observed(graph, context.data).y)
    groups = graph.groups_in(predictor.parameter)
    spread = 2.5
    if named == "brms" and parameter_row(predictor.parameter).scaled:
        spread = Summaries(in_brms(graph, context.data, predictor.link), X, intercept).wide
    columns_of = Summaries(None, X, intercept)
    predicted = Predicted(predictor.parameter, groups, columns_of, y, sd_scale, spread)
    return predictor_priors(predicted, named)


def _words(graph: ModelGraph) -> str:
    """What the response is called once it is on the scale of the predictor."""
    return "y" if graph.response.link == "identity" else f"{graph.response.link}(y)"
