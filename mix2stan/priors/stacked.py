"""brms' priors of several responses that are stacked: each has those it would have alone.

Intercepts are priors of a response at the means of its columns, and standard deviations of errors are
those of the response, whatever is sampled: a block ``intercepts`` is of linear combinations of the
coefficients, and ratios of standard deviations have the densities of what they are ratios of.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.graph import Group, ModelGraph, Prior
from mix2stan.matrices import Data
from mix2stan.priors.summaries import Summaries
from mix2stan.residuals import error_blocks
from mix2stan.syntax import String

__all__ = ["intercept_names", "means_of_responses", "of_each_response", "response_of_columns"]

Array = NDArray[np.float64]

_INTERCEPT = "(Intercept)"


def response_of_columns(graph: ModelGraph, term: Group | None = None) -> dict[str, tuple[str, str]]:
    """The response that a column is about, and the column's name in a model of this alone.

    Args:
        graph: the model of stacked responses.
        term: whose columns; the population's if None.

    Returns:
        By the names of the columns; those of no single response are left out.
    """
    columns = graph.population.columns if term is None else term.columns
    heads = {f"trait{trait}": trait for trait in graph.response.traits}
    heads |= {f"at.level(trait, {String(trait)})": trait for trait in graph.response.traits}
    found = {}
    for name in columns.names:
        for head in sorted(heads, key=len, reverse=True):
            if name == head or name.startswith(f"{head}:"):
                found[name] = (heads[head], name[len(head) + 1 :] or _INTERCEPT)
                break
    return found


def intercept_names(graph: ModelGraph) -> dict[str, str]:
    """The columns that are the intercept of a response, and of which, where these are centred."""
    whole = _INTERCEPT in graph.population.columns.names
    if not graph.response.traits or not graph.population.centred or whole:
        return {}
    of = response_of_columns(graph)
    return {name: response for name, (response, own) in of.items() if own == _INTERCEPT}


def means_of_responses(graph: ModelGraph, data: Data) -> Array:
    """The means of the columns over the rows of each response with an intercept, shape (R, K)."""
    columns, of = graph.population.columns, response_of_columns(graph)
    X = data.matrix(columns)
    means = np.zeros((len(intercept_names(graph)), X.shape[1]))
    for i, response in enumerate(intercept_names(graph).values()):
        own = [of.get(name, ("",))[0] == response for name in columns.names]
        means[i, own] = X[data.rows_of(response)].mean(axis=0)[own]
    return means


def of_each_response(priors: Iterable[Prior], graph: ModelGraph, data: Data) -> list[Prior]:
    """brms' priors, those of the scale of all responses as they are of each."""
    found: list[Prior] = []
    for prior in priors:
        if prior.block == "beta":
            found += _of_coefficients(prior, graph, data)
        elif prior.block == "sigma" and graph.residual.variances:
            scale = _summaries(graph, data)[graph.response.traits[0]].wide
            found.append(_scaled(prior, [scale]))
        elif prior.block == "var_ratio":
            found.append(_of_ratios(graph, data))
        else:
            found.append(_of_term(prior, graph, data))
    return found


def _summaries(graph: ModelGraph, data: Data) -> dict[str, Summaries]:
    """What brms looks at: a response with its offsets, whose mean it takes off the median alone."""
    y, found = data.vector(graph.response.expression), {}
    for trait in graph.response.traits:
        rows = data.rows_of(trait)
        known = sum(float(data.vector(o)[rows].mean()) for o in graph.population.offsets)
        found[trait] = Summaries(y[rows], np.zeros((len(rows), 0)), False, offset=known)
    return found


def _of_coefficients(prior: Prior, graph: ModelGraph, data: Data) -> list[Prior]:
    intercepts, every = intercept_names(graph), _summaries(graph, data)
    found = []
    if intercepts:
        own = [every[response] for response in intercepts.values()]
        loc = tuple(round(s.median, 1) - s.offset for s in own)
        scale = tuple(s.wide for s in own)
        source = "brms: median(y) and max(2.5, mad(y)) of its response, at the mean of its columns"
        values = (("loc", loc), ("scale", scale))
        found.append(Prior("intercepts", "student_t", values, source))
    return found + [prior] * (len(graph.population.columns.names) > len(intercepts))


def _of_ratios(graph: ModelGraph, data: Data) -> Prior:
    """The standard deviations of the errors of the responses after the first."""
    block = next(b for b in error_blocks(graph.residual) if b.name == "var_ratio")
    every = _summaries(graph, data)
    ratios = Prior("var_ratio", "half_student_t", unit="sigma")
    return _scaled(ratios, [every[label].wide for label in block.labels])


def _of_term(prior: Prior, graph: ModelGraph, data: Data) -> Prior:
    group = next((g for g in graph.groups if prior.block == f"sd_{g.id}"), None)
    if group is None:
        return prior
    of, every = response_of_columns(graph, group), _summaries(graph, data)
    whole = dict(prior.values)["scale"]
    scales = [
        every[of[name][0]].wide if name in of else own
        for name, own in zip(group.columns.names, whole, strict=False)
    ]
    return _scaled(prior, scales)


def _scaled(prior: Prior, scales: list[float]) -> Prior:
    source = "brms: max(2.5, mad(y) to one decimal) of its response"
    return replace(prior, values=(("scale", tuple(scales)),), source=source)
