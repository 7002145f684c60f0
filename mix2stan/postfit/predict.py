"""Predictions for rows, old or new, at every draw."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.counts import seed_or_drawn, whole
from mix2stan.distributions import DISTRIBUTIONS, seen_through
from mix2stan.errors import Mix2stanError, suggestion
from mix2stan.families import FAMILIES, Family, mean_groups, mean_predictors
from mix2stan.graph import ModelGraph, Response
from mix2stan.postfit.categories import as_shares, by_category, labels_of, odds_labels
from mix2stan.postfit.errors import correlation_roots
from mix2stan.postfit.estimable import estimable
from mix2stan.postfit.layered import expected_of_layers
from mix2stan.postfit.predictor import NEW_LEVELS, Effects, NewLevels, Predictor
from mix2stan.postfit.sample import Sample, sample_of
from mix2stan.schema import Rows, Schema

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = [
    "KINDS",
    "SHARE",
    "Kind",
    "mean_has_parameters",
    "predict",
    "predicted",
    "predictor_of",
    "simulate",
    "simulated",
    "summary_of",
]

_log = logging.getLogger(__name__)

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
    return predicted(fit, newdata, KINDS[kind], re, new_levels, draws, seed, summary)


def predicted(
    fit: Fit,
    newdata: object,
    quantity: Quantity,
    re: Effects,
    new_levels: NewLevels,
    draws: int | None,
    seed: int | None,
    summary: bool = False,
) -> Any:
    """A quantity of rows at every draw, or a table of it; see :meth:`mix2stan.fit.Fit.predict`."""
    graph = fit.schema.graph
    whole = quantity.whole(FAMILIES[graph.response.family])
    expected = quantity.expected
    task = _Task(predictor_of(fit, newdata, re, new_levels, draws, seed, whole, expected), re)
    rows, categories = task.predictor.rows, quantity.categories(graph)
    labels = rows.labels
    if summary:
        return _table(task, quantity, labels)
    C = (len(categories),) if categories else ()
    out = np.full((len(labels), task.sample.size, *C), np.nan)
    for block in task.predictor.blocks():
        out[rows.complete[block]] = quantity.values(task, block)
    found = task.sample.labelled(out, labels, fit.labels.response, categories=categories)
    return found.assign_attrs(quantity.about(graph))


def _table(task: _Task, quantity: Quantity, labels: pd.Index) -> pd.DataFrame:
    """A row per row, or per category of each, with mean, sd and quantiles."""
    graph, complete = task.predictor.graph, task.predictor.rows.complete
    categories = quantity.in_tables(graph)
    C = max(1, len(categories))
    whole = np.full((len(labels), C, 5), np.nan)
    for block in task.predictor.blocks():
        values = quantity.values(task, block)
        if categories and values.ndim == 2:
            values = as_shares(values, C)
        by_row = values if categories else values[..., None]
        flat = np.moveaxis(by_row, 1, -1).reshape(-1, values.shape[1])
        whole[complete[block]] = summary_of(flat).reshape(-1, C, 5)
    index = by_category(labels, categories)
    columns = ["mean", "sd", "2.5%", "50%", "97.5%"]
    return pd.DataFrame(whole.reshape(-1, 5), index=index, columns=columns)


def predictor_of(
    fit: Fit,
    newdata: object = None,
    re: Effects = "conditional",
    new_levels: NewLevels = "error",
    draws: int | None = None,
    seed: int | None = None,
    response: bool = False,
    expected: bool = True,
    aliased: bool = False,
) -> Predictor:
    """What computes the predictor of some rows, or what is expected there.

    With ``response`` also what else the distribution has; without ``expected`` the predictor alone.
    Rows that the data of the fit say nothing of are as good as missing, unless they are wanted as
    ``aliased`` columns have them.

    With ``re = "integrate"`` and the response wanted, every level is treated as a new one.
    """
    one_of("re", re, ("conditional", "population", "integrate"))
    one_of("new_levels", new_levels, NEW_LEVELS)
    sample = sample_of(fit, draws)
    graph = fit.schema.graph
    whole = response or (expected and mean_has_parameters(graph.response))
    rows = fit.schema.rows(newdata, groups=re != "population", response=whole)
    seed = seed_or_drawn(seed, None)
    if not aliased and not rows.fitted:
        rows = _estimable(fit.schema, rows, whole)
    fresh = re == "integrate" and response
    groups = graph.groups if whole else mean_groups(graph)
    groups = groups if re == "conditional" or fresh else ()
    return Predictor(sample, rows, groups, "sample" if fresh else new_levels, fresh, seed)


def _estimable(schema: Schema, rows: Rows, whole: bool) -> Rows:
    """The rows without those that the data say nothing of."""
    graph = schema.graph
    good = estimable(schema, rows.data, graph.every_predictor if whole else mean_predictors(graph))
    if good.all():
        return rows
    _log.warning(
        "%d of %d rows have no prediction: columns of the design were left out, and the data say "
        "nothing of these combinations",
        np.sum(~good),
        rows.n,
    )
    return rows.some(good)


def mean_has_parameters(response: Response) -> bool:
    """Whether an expectation, such as the lognormal's, needs more than the predictor of the mean."""
    row = DISTRIBUTIONS.get(response.family)
    return response.truncation is not None or (row is not None and row.mean_has_parameters)


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
    if predictor.graph.response.layers:
        return expected_of_layers(predictor, block, eta, task.re == "integrate")
    parameters = (
        predictor.parameters(block, eta) if predictor.distribution.mean_has_parameters else {}
    )
    if task.re != "integrate" or not mean_groups(predictor.graph):
        return predictor.expected(eta, parameters)
    return predictor.integrated(eta, predictor.random_variance(block), parameters)


def _response(task: _Task, block: slice) -> Array:
    return task.simulated(block, task.predictor.linear(block))


def _counted(task: _Task, block: slice) -> Array:
    """The expected response; of counts of categories those counts."""
    expected = _expected(task, block)
    if not task.predictor.family.several:
        return expected
    return np.asarray(expected * task.predictor.trials[block][:, None, None])


def _none(graph: ModelGraph) -> tuple[str, ...]:
    return ()


def _of_counts(graph: ModelGraph) -> tuple[str, ...]:
    return labels_of(graph) if FAMILIES[graph.response.family].several else ()


@dataclass(frozen=True)
class Quantity:
    """What can be predicted of rows.

    Attributes:
        values: from a task and a block of its rows, shape (m, S), or (m, S, C) of categories.
        categories: the names of these, if there are any.
        whole: whether it needs all that the response has, its trials among them.
        tabled: the categories of a table, if each has a row of its own there alone.
        numbered: whether values are numbers of categories.
        expected: whether it is of the response, not of the predictor alone.
    """

    values: Callable[[_Task, slice], Array]
    categories: Callable[[ModelGraph], tuple[str, ...]]
    whole: Callable[[Family], bool] = lambda family: False
    tabled: Callable[[ModelGraph], tuple[str, ...]] = _none
    numbered: bool = False
    expected: bool = True

    def in_tables(self, graph: ModelGraph) -> tuple[str, ...]:
        """The categories that have rows of their own in a table."""
        return self.categories(graph) or self.tabled(graph)

    def about(self, graph: ModelGraph) -> dict[str, Any]:
        """What numbers of categories stand for, to go with them."""
        names = labels_of(graph) if self.numbered and not self.categories(graph) else ()
        return {"categories": list(names)} if names else {}


#: The expected response of one trial, of categories their probabilities.
SHARE = Quantity(_expected, labels_of)
#: What :func:`predict` offers.
KINDS: dict[str, Quantity] = {
    "linpred": Quantity(_linear, odds_labels, expected=False),
    "epred": Quantity(_counted, labels_of, whole=lambda family: family.several),
    "response": Quantity(
        _response, _of_counts, whole=lambda family: True, tabled=labels_of, numbered=True
    ),
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
            row = seen_through(layer.family, layer.link)
            y[places] = row.simulate(rng, y[places], trials[here[0], None])
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
    graph, data = fit.schema.graph, fit.schema.data
    values = simulated(fit, n, seed)
    index, names = fit.schema.fitted.labels, [f"sim_{i + 1}" for i in range(n)]
    levels = labels_of(graph)
    if values.ndim == 3:
        columns = pd.MultiIndex.from_product([names, levels], names=["sim", "category"])
        return pd.DataFrame(values.reshape(len(values), -1), index=index, columns=columns)
    table = pd.DataFrame(values, index=index, columns=names)
    if not levels or not data.frame.column(graph.response.expression).is_factor:
        return table
    ordered = FAMILIES[graph.response.family].ordinal is not None
    kind = pd.CategoricalDtype(list(levels), ordered=ordered)
    return pd.DataFrame(
        {
            name: pd.Categorical.from_codes(y.astype(int) - 1, dtype=kind)
            for name, y in table.items()
        },
        index=index,
    )


def simulated(fit: Fit, n: int, seed: int | None) -> Array:
    """Data sets as numbers, shape (N, n); of counts of categories (N, n, C)."""
    n = whole("n", n, 1)
    seed = seed_or_drawn(seed, None)
    rng = np.random.default_rng([seed, 1])
    predictor = predictor_of(fit, seed=seed, response=True)
    size = predictor.sample.size
    # without replacement as long as there are draws
    chosen = np.concatenate([rng.permutation(size) for _ in range(-(-n // size))])[:n]
    draw = simulator(predictor)
    return np.concatenate(
        [draw(block, predictor.linear(block))[:, chosen] for block in predictor.blocks()]
    )


def without_groups(predictor: Predictor) -> Predictor:
    """The same rows and draws without the group effects of the mean."""
    own = mean_groups(predictor.graph)
    return replace(predictor, groups=tuple(g for g in predictor.groups if g not in own))
