"""Predictions for rows, old or new, at every draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.distributions import DISTRIBUTIONS, SEEN, distribution_of
from mix2stan.errors import Mix2stanError, Unsupported, suggestion
from mix2stan.families import FAMILIES
from mix2stan.links import LINKS
from mix2stan.postfit.errors import correlation_roots
from mix2stan.postfit.predictor import NEW_LEVELS, Effects, NewLevels, Predictor
from mix2stan.postfit.sample import Sample, sample_of

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["KINDS", "Kind", "predict", "predictor_of", "simulate", "summary_of"]

Array = NDArray[np.float64]
Kind = Literal["linpred", "epred", "response"]

_QUANTILES = (0.025, 0.5, 0.975)
#: The generator of the errors is apart from those of the effects of new levels.
_ERRORS = 1_000_000


def predict(
    fit: Fit,
    newdata: object,
    kind: Kind,
    re: Effects,
    new_levels: NewLevels,
    draws: int | None,
    seed: int | None,
    summary: bool,
) -> Any:
    """See :meth:`mix2stan.fit.Fit.predict`."""
    one_of("kind", kind, KINDS)
    task = _Task(
        predictor_of(fit, newdata, re, new_levels, draws, seed, response=kind == "response"), re
    )
    values = KINDS[kind]
    rows = task.predictor.rows
    labels = pd.Index(rows.labels, name="row")
    if summary:
        tables = [summary_of(values(task, block)) for block in task.predictor.blocks()]
        table = np.concatenate(tables) if tables else np.zeros((0, 5))
        whole = np.full((len(labels), 5), np.nan)
        whole[rows.complete] = table
        return pd.DataFrame(whole, index=labels, columns=["mean", "sd", "2.5%", "50%", "97.5%"])
    out = np.full((len(labels), task.sample.size), np.nan)
    for block in task.predictor.blocks():
        out[rows.complete[block]] = values(task, block)
    return task.sample.labelled(out, labels, fit.labels.response)


def predictor_of(
    fit: Fit,
    newdata: object = None,
    re: Effects = "conditional",
    new_levels: NewLevels = "sample",
    draws: int | None = None,
    seed: int | None = None,
    response: bool = False,
) -> Predictor:
    """What computes the predictor of some rows; with ``response`` also what else its distribution has.

    With ``re = "integrate"`` and the response wanted, every level is treated as a new one.
    """
    one_of("re", re, ("conditional", "population", "integrate"))
    one_of("new_levels", new_levels, NEW_LEVELS)
    family = FAMILIES[fit.schema.graph.response.family]
    if family.categories and not family.ordinal:
        message = "predictions of unordered categories cannot be computed"
        raise Unsupported(
            message, hint="the draws of every category's effects are in fit.posterior"
        )
    sample = sample_of(fit, draws)
    graph = fit.schema.graph
    # an expectation such as the lognormal's needs more than the predictor of the mean
    row = DISTRIBUTIONS.get(graph.response.family)
    whole = response or (row is not None and row.mean_has_parameters)
    rows = fit.schema.rows(newdata, groups=re != "population", response=whole)
    if seed is None:
        seed = int(np.random.default_rng().integers(2**31))
    fresh = re == "integrate" and response
    groups = graph.groups if whole else graph.groups_of("")
    groups = groups if re == "conditional" or fresh else ()
    return Predictor(sample, rows, groups, "sample" if fresh else new_levels, fresh, seed)


def one_of(what: str, given: str, known: Iterable[str]) -> None:
    """Refuse a word that is none of those known."""
    names = list(known)
    if given not in names:
        raise Mix2stanError(f"{what} = {given!r} is unknown", hint=suggestion(str(given), names))


def summary_of(values: Array) -> Array:
    """Mean, sd and quantiles of draws of shape (m, S), as columns of shape (m, 5)."""
    quantiles = np.quantile(values, _QUANTILES, axis=1)
    sd = values.std(axis=1, ddof=1) if values.shape[1] > 1 else np.full(len(values), np.nan)
    return np.column_stack([values.mean(axis=1), sd, *quantiles])


@dataclass(frozen=True, eq=False)
class _Task:
    """A prediction: the predictor, and what is done about the effects."""

    predictor: Predictor
    re: Effects

    @property
    def sample(self) -> Sample:
        return self.predictor.sample

    @cached_property
    def simulated(self) -> Callable[[slice, Array], Array]:
        return simulator(self.predictor)


def _linear(task: _Task, block: slice) -> Array:
    return task.predictor.linear(block)


def _expected(task: _Task, block: slice) -> Array:
    predictor = task.predictor
    eta = predictor.linear(block)
    parameters = (
        predictor.parameters(block, eta) if predictor.distribution.mean_has_parameters else {}
    )
    if task.re != "integrate" or not predictor.graph.groups_of(""):
        return predictor.expected(eta, parameters)
    return predictor.integrated(eta, predictor.random_variance(block), parameters)


def _response(task: _Task, block: slice) -> Array:
    return task.simulated(block, task.predictor.linear(block))


#: What can be predicted, from a task and a block of its rows, shape (m, S).
KINDS: dict[str, Callable[[_Task, slice], Array]] = {
    "linpred": _linear,
    "epred": _expected,
    "response": _response,
}


def simulator(predictor: Predictor) -> Callable[[slice, Array], Array]:
    """A function that draws responses of a block of rows at its predictor, shape (m, S)."""
    layers, data = predictor.graph.response.layers, predictor.rows.data
    draw = _of_family(predictor)
    if not layers:
        return draw

    def seen(block: slice, eta: Array) -> Array:
        """The Gaussian responses, those seen through families drawn given them."""
        y = draw(block, eta)
        for i, layer in enumerate(layers):
            rng = np.random.default_rng([predictor.seed, _ERRORS + 1 + i, block.start])
            # of several latent variables all rows are in one block
            rows, _, trials = data.layer(layer, np.zeros(data.rows))
            here = (rows >= block.start) & (rows < block.stop)
            places = rows[:, here[0]] - block.start
            if layer.family in SEEN:
                y[places] = SEEN[layer.family](rng, y[places], trials[here[0], None])
            else:
                mean = LINKS[layer.link].inverse(y[places])
                y[places] = distribution_of(layer.family).simulate(rng, mean, {})
        return y

    return seen


def _of_family(predictor: Predictor) -> Callable[[slice, Array], Array]:
    """The same, without what responses are seen through."""
    correlation = predictor.graph.residual.correlation
    seed = predictor.seed

    def independent(block: slice, eta: Array) -> Array:
        rng = np.random.default_rng([seed, _ERRORS, block.start])
        parameters = predictor.parameters(block, eta)
        if predictor.graph.response.layers:
            return np.asarray(eta + parameters["sigma"] * rng.standard_normal(eta.shape))
        return np.asarray(predictor.distribution.simulate(rng, predictor.mu(eta), parameters))

    if correlation is None:
        return independent
    rng = np.random.default_rng([seed, _ERRORS])
    # errors of one block of the correlation are drawn together
    errors = rng.standard_normal((predictor.rows.n, predictor.sample.size))
    for index, roots in correlation_roots(correlation, predictor.sample, predictor.rows.data):
        errors[index] = np.einsum("sij,js->is", roots, errors[index])

    def correlated(block: slice, eta: Array) -> Array:
        return np.asarray(eta + predictor.parameters(block, eta)["sigma"] * errors[block])

    return correlated


def simulate(fit: Fit, n: int, seed: int | None) -> pd.DataFrame:
    """See :meth:`mix2stan.fit.Fit.simulate`."""
    if n < 1:
        raise Mix2stanError(f"{n} data sets cannot be simulated")
    if seed is None:
        seed = int(np.random.default_rng().integers(2**31))
    rng = np.random.default_rng([seed, 1])
    predictor = predictor_of(fit, seed=seed, response=True)
    size = predictor.sample.size
    # without replacement as long as there are draws
    chosen = np.concatenate([rng.permutation(size) for _ in range(-(-n // size))])[:n]
    draw = simulator(predictor)
    columns = np.concatenate(
        [draw(block, predictor.linear(block))[:, chosen] for block in predictor.blocks()]
    )
    names = [f"sim_{i + 1}" for i in range(n)]
    return pd.DataFrame(columns, index=pd.Index(predictor.rows.labels, name="row"), columns=names)


def without_groups(predictor: Predictor) -> Predictor:
    """The same rows and draws without the group effects of the mean."""
    return replace(predictor, groups=tuple(g for g in predictor.groups if g.owner))
