"""How the variance of a response divides: R squared, intraclass correlations, repeatability."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.errors import Unsupported
from mix2stan.families import FAMILIES
from mix2stan.links import LINKS
from mix2stan.postfit.categories import labels_of
from mix2stan.postfit.integrals import averaged, nodes
from mix2stan.postfit.predict import one_of, predictor_of, without_groups
from mix2stan.postfit.predictor import Predictor
from mix2stan.summaries import summarise

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["SCALES", "bayes_R2", "variance_partition"]

Array = NDArray[np.float64]

_NODES = 15


def bayes_R2(fit: Fit, draws: int | None) -> pd.DataFrame:
    """See :meth:`mix2stan.fit.Fit.bayes_R2`."""
    if labels_of(fit.schema.graph):
        message = "the variance of categories is no number, so there is no R squared"
        raise Unsupported(message, hint="fit.log_lik() lets az.loo and az.compare judge them")
    predictor = predictor_of(fit, draws=draws, seed=0, response=True)
    plain = without_groups(predictor)
    conditional, marginal = _Spread(), _Spread()
    residual = np.zeros(predictor.sample.size)
    for block in predictor.blocks():
        eta = predictor.linear(block)
        parameters = predictor.parameters(block, eta)
        conditional.add(predictor.expected(eta, parameters))
        marginal.add(plain.expected(plain.linear(block), parameters))
        residual += predictor.distribution.variance(predictor.mu(eta), parameters).sum(axis=0)
    total = conditional.variance + residual / predictor.rows.n
    shares = {"conditional": conditional.variance / total, "marginal": marginal.variance / total}
    return _summary(predictor, shares)


class _Spread:
    """The variance over rows at every draw, from blocks of shape (m, S)."""

    def __init__(self) -> None:
        self._n = 0
        self._mean: Array = np.zeros(())
        self._squares: Array = np.zeros(())

    def add(self, values: Array) -> None:
        m, mean = len(values), values.mean(axis=0)
        squares = ((values - mean) ** 2).sum(axis=0)
        gap, n = mean - self._mean, self._n + m
        self._squares = self._squares + squares + gap**2 * self._n * m / n
        self._mean = self._mean + gap * m / n
        self._n = n

    @property
    def variance(self) -> Array:
        return np.asarray(self._squares / max(self._n - 1, 1))


def _summary(predictor: Predictor, quantities: dict[str, Array]) -> pd.DataFrame:
    shape = predictor.sample.chains, len(predictor.sample.kept)
    return summarise([([name], q.reshape(*shape, 1)) for name, q in quantities.items()])


def variance_partition(fit: Fit, scale: str, draws: int | None) -> pd.DataFrame:
    """See :meth:`mix2stan.fit.Fit.variance_partition`."""
    one_of("scale", scale, SCALES)
    predictor = without_groups(predictor_of(fit, draws=draws, seed=0, response=True))
    ordinal = predictor.family.ordinal
    if labels_of(predictor.graph) and (scale == "data" or ordinal is None or not ordinal.latent):
        message = f"the variance of {predictor.graph.response.family} categories cannot be divided"
        hint = 'scale = "link" divides that of the variable behind cumulative ones'
        raise Unsupported(message, hint=hint)
    if scale == "data":
        # what is seen through a family has no variance of its own there
        predictor.refuse_layers()
    tables = []
    for trait in predictor.graph.response.traits or ("",):
        where = np.ones(predictor.rows.n, dtype=bool)
        if trait:
            where = np.isin(np.arange(predictor.rows.n), predictor.rows.data.rows_of(trait))
        found = SCALES[scale](predictor, where)
        parts = {f"{name}[{trait}]" if trait else name: part for name, part in found.items()}
        total = np.sum(list(parts.values()), axis=0)
        table = _summary(predictor, {name: part / total for name, part in parts.items()})
        table.insert(0, "variance", [float(part.mean()) for part in parts.values()])
        tables.append(table)
    return pd.concat(tables)


def _terms(predictor: Predictor) -> dict[str, str]:
    """What the terms are called, by identifier."""
    names = [str(g.factor) for g in predictor.graph.groups_of("")]
    return {
        g.id: name if names.count(name) == 1 else g.id
        for g, name in zip(predictor.graph.groups_of(""), names, strict=True)
    }


def _on_link_scale(predictor: Predictor, where: NDArray[np.bool_]) -> dict[str, Array]:
    """Variances of the population part, of each term, and of the distribution, shape (S,).

    They are averages over the rows in ``where``, shape (n,).
    """
    n, names = int(where.sum()), _terms(predictor)
    population = _Spread()
    sums = {g.id: np.zeros(predictor.sample.size) for g in predictor.graph.groups_of("")}
    residual = np.zeros(predictor.sample.size)
    for block in predictor.blocks():
        eta, own = predictor.linear(block), where[block]
        population.add(eta[own])
        variance = np.zeros(eta.shape)
        for group in predictor.graph.groups_of(""):
            part = predictor.random_variance(block, (group,), base=True)
            sums[group.id] += part[own].sum(axis=0)
            variance += part
        residual += _distribution_variance(predictor, block, eta, variance)[own].sum(axis=0)
    parts = {"population": population.variance}
    parts |= {names[g]: total / n for g, total in sums.items()}
    return parts | {"residual": residual / n}


#: Variances of the latent distribution behind a binary response.
_LATENT = {"logit": np.pi**2 / 3, "probit": 1.0, "cloglog": np.pi**2 / 6}


def _distribution_variance(predictor: Predictor, block: slice, eta: Array, v: Array) -> Array:
    """The distribution-specific variance on the link scale (Nakagawa, Johnson and Schielzeth 2017).

    Of a binary response, trials or cumulative categories that of the latent variable: pi^2/3 for
    logit, 1 for probit, pi^2/6 for cloglog.  With a log link ln(1 + V / m^2), m the expected response
    of the row over all levels and V its variance: ln(1 + 1/m) for Poisson, ln(1 + 1/m + 1/shape) for
    the negative binomial, ln(1 + 1/shape) for Gamma.  Else the delta method: V times the squared slope
    of the link.
    """
    response = predictor.graph.response
    if FAMILIES[response.family].support in ("binary", "trials", "categories"):
        if response.link not in _LATENT:
            message = f"a response with the link {response.link!r} has no variance on its scale"
            raise Unsupported(message, hint=f"links that have: {', '.join(_LATENT)}")
        return np.full(eta.shape, _LATENT[response.link] * response.latent_sd**2)
    parameters = predictor.parameters(block, eta)
    if response.layers:
        return np.asarray(parameters["sigma"] ** 2 + 0 * eta)
    row = predictor.distribution
    if row.mean_link == "log":
        return np.asarray(2 * row.shift(parameters) + 0 * eta)
    if response.link == "log":
        mean = averaged("log", eta, v)
        return np.asarray(np.log1p(row.variance(mean, parameters) / mean**2))
    slope = LINKS[response.link].slope(eta)
    return np.asarray(row.variance(predictor.mu(eta), parameters) / slope**2)


def _on_data_scale(predictor: Predictor, where: NDArray[np.bool_]) -> dict[str, Array]:
    """The same of the response itself; effects of terms are integrated one by one.

    A term's part is the variance of the expectation given its effect (de Villemereuil, Schielzeth,
    Nakagawa and Morrissey 2016); what effects do together beyond that is ``interaction``.
    """
    n, names, S = int(where.sum()), _terms(predictor), predictor.sample.size
    population = _Spread()
    sums = {g.id: np.zeros(S) for g in predictor.graph.groups_of("")}
    random, residual = np.zeros(S), np.zeros(S)
    for block in predictor.blocks():
        eta, own = predictor.linear(block), where[block]
        parameters = _of_one_trial(predictor, block, eta)
        parts = {
            g.id: predictor.random_variance(block, (g,), base=True)
            for g in predictor.graph.groups_of("")
        }
        whole = np.sum(list(parts.values()), axis=0) if parts else np.zeros(eta.shape)
        mean, square = _moments(predictor, eta, whole, 0 * whole, parameters)
        population.add(mean[own])
        random += (square - mean**2)[own].sum(axis=0)
        for name, part in parts.items():
            mean, square = _moments(predictor, eta, part, whole - part, parameters)
            sums[name] += (square - mean**2)[own].sum(axis=0)
        for x, w in zip(*nodes(_NODES), strict=True):
            mu = predictor.mu(eta + x * np.sqrt(whole))
            residual += w * predictor.distribution.variance(mu, parameters)[own].sum(axis=0)
    found = {"population": population.variance}
    found |= {names[g]: total / n for g, total in sums.items()}
    if len(sums) > 1:
        found["interaction"] = (random - np.sum(list(sums.values()), axis=0)) / n
    return found | {"residual": residual / n}


def _of_one_trial(predictor: Predictor, block: slice, eta: Array) -> dict[str, Array]:
    parameters = predictor.parameters(block, eta)
    return parameters | ({"trials": np.ones(())} if "trials" in parameters else {})


def _moments(
    predictor: Predictor, eta: Array, part: Array, rest: Array, parameters: dict[str, Array]
) -> tuple[Array, Array]:
    """Mean and mean square, over a normal of variance ``part``, of the mean over one of ``rest``."""
    mean, square = np.zeros(eta.shape), np.zeros(eta.shape)
    alone = not np.any(rest)
    for x, w in zip(*nodes(_NODES), strict=True):
        at = eta + x * np.sqrt(part)
        value = (
            predictor.expected(at, parameters)
            if alone
            else predictor.integrated(at, rest, parameters)
        )
        mean += w * value
        square += w * value**2
    return mean, square


#: The scales of a partition, from a predictor without group effects.
SCALES: dict[str, Callable[[Predictor, NDArray[np.bool_]], dict[str, Array]]] = {
    "link": _on_link_scale,
    "data": _on_data_scale,
}
