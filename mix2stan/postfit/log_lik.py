"""The log-likelihood of every observation given the effects, or of every group without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.design import Grouping
from mix2stan.distributions import probability
from mix2stan.errors import Mix2stanError, Unsupported, suggestion
from mix2stan.families import mean_predictors
from mix2stan.graph import Factor, Group, ModelGraph
from mix2stan.matrices import Data
from mix2stan.postfit.errors import correlation_roots
from mix2stan.postfit.integrals import (
    MOST_DIRECTIONS,
    NARROW,
    STACK,
    posterior_roots,
    product_nodes,
    spread_at_draws,
)
from mix2stan.postfit.layered import log_lik_of_units
from mix2stan.postfit.predict import predictor_of, without_groups
from mix2stan.postfit.predictor import Predictor, independent
from mix2stan.responses import observed, powers_of

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["log_lik", "pointwise"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Parameters = Mapping[str, Array]

_TINY = float(np.finfo(float).tiny)


def log_lik(fit: Fit, by: str, draws: int | None) -> Any:
    """See :meth:`mix2stan.fit.Fit.log_lik`."""
    predictor = predictor_of(fit, draws=draws, seed=0, response=True)
    graph = fit.schema.graph
    if by == "obs":
        layers, labels = graph.response.layers, predictor.rows.labels
        labels, values = log_lik_of_units(predictor) if layers else (labels, pointwise(predictor))
        return predictor.sample.labelled(values, labels, fit.labels.response)
    predictor.refuse_layers('by = "obs" can be had')
    factor = _factor_named(graph, by)
    own = {p.parameter for p in mean_predictors(graph)}
    elsewhere = [name for g in graph.groups for name in g.parameters if name not in own]
    if elsewhere:
        message = f"effects of {elsewhere[0]} cannot be integrated out"
        raise Unsupported(message, hint='by = "obs" is given the effects')
    for group in graph.groups:
        independent(group)
    levels = predictor.rows.data.grouping(factor)
    _check_nested(predictor.graph, predictor.rows.data, levels, by)
    marginal = _gaussian if predictor.graph.response.linear else _by_quadrature
    values = marginal(predictor, levels.codes, len(levels.levels))
    return predictor.sample.labelled(values, levels.levels, fit.labels.response, dim=by)


def _factor_named(graph: ModelGraph, by: str) -> Factor:
    factors = {str(g.factor): g.factor for g in graph.groups}
    if by not in factors:
        hint = suggestion(by, ["obs", *factors], what="it is by")
        raise Mix2stanError(f"the model has no grouping factor {by!r}", hint=hint)
    return factors[by]


def _check_nested(graph: ModelGraph, data: Data, levels: Grouping, by: str) -> None:
    """Refuse a factor whose levels share anything that is not integrated within one of them."""
    others = {str(g.factor): data.grouping(g.factor) for g in graph.groups}
    correlation = graph.residual.correlation
    for group in graph.groups:
        if group.coupled:
            message = f"the levels of {by} are not independent: those of {group.factor} are related"
            raise Unsupported(message, hint='by = "obs" is given the effects')
    if correlation is not None and correlation.block is None:
        raise Unsupported(f"the errors of the levels of {by} are correlated")
    if correlation is not None and correlation.block is not None:
        others[f"the errors' {correlation.block}"] = data.grouping(correlation.block)
    for name, inner in others.items():
        if not inner.within(levels):
            message = f"the levels of {by} are not independent: they share levels of {name}"
            raise Unsupported(message, hint='by = "obs" is given the effects')


def pointwise(predictor: Predictor) -> Array:
    """The log-likelihood of every row given its effects, shape (n, S)."""
    if predictor.graph.residual.correlation is not None:
        return _of_correlated(predictor)
    density, weights = _density(predictor), _weights(predictor)
    out = np.empty((predictor.rows.n, predictor.sample.size))
    for block in predictor.blocks():
        eta = predictor.linear(block)
        parameters = predictor.parameters(block, eta)
        out[block] = density(block, predictor.mu(eta), parameters) * weights[block][:, None]
    return out


def _density(predictor: Predictor) -> Callable[[slice, Array, Parameters], Array]:
    """From a block of rows, mu and parameters the log density of their responses, shape (m, S).

    Of what is censored it is the log probability of where it is known to be.
    """
    seen, row = observed(predictor.graph, predictor.rows.data), predictor.distribution

    def at(block: slice, mu: Array, parameters: Parameters) -> Array:
        y = seen.values[block][:, None]
        if seen.lower is None or seen.upper is None:
            return row.log_density(y, mu, parameters)
        lower, upper = seen.lower[block][:, None], seen.upper[block][:, None]
        known = np.log(np.maximum(probability(row, lower, upper, mu, parameters), _TINY))
        return np.where(lower == upper, row.log_density(y, mu, parameters), known)

    return at


def _weights(predictor: Predictor) -> Array:
    """How much the log-likelihood of every row counts, shape (n,)."""
    powers = powers_of(predictor.graph, predictor.rows.data)
    return np.ones(predictor.rows.n) if powers is None else powers


def _of_correlated(predictor: Predictor) -> Array:
    """Each observation given the others of its block (Buerkner, Gabry and Vehtari 2021)."""
    correlation = predictor.graph.residual.correlation
    assert correlation is not None
    data = predictor.rows.data
    y, everything = observed(predictor.graph, data).y, slice(0, predictor.rows.n)
    eta = predictor.linear(everything)
    scale = predictor.parameters(everything, eta)["sigma"] * np.ones(eta.shape)
    e = (y[:, None] - eta) / scale
    out = np.empty(eta.shape)
    for index, roots in correlation_roots(correlation, predictor.sample, data):
        inverse = np.linalg.inv(roots)
        precision = np.swapaxes(inverse, 1, 2) @ inverse
        diagonal = np.diagonal(precision, axis1=1, axis2=2).T
        weighted = np.einsum("sij,js->is", precision, e[index])
        out[index] = 0.5 * (np.log(diagonal / (2 * np.pi)) - weighted**2 / diagonal)
        out[index] -= np.log(scale[index])
    return out


def _gaussian(predictor: Predictor, codes: Index, J: int) -> Array:
    """The multivariate normal density of every level, its effects integrated out; shape (J, S)."""
    data, graph, S = predictor.rows.data, predictor.graph, predictor.sample.size
    plain = without_groups(predictor)
    y = observed(graph, data).y
    terms = [
        (data.grouping(g.factor).codes, data.matrix(g.columns), predictor.sample.covariance(g))
        for g in graph.groups
    ]
    everything = slice(0, data.rows)
    eta = plain.linear(everything)
    if graph.residual.of_fitted:
        message = "the variance of the errors depends on the effects"
        raise Unsupported(message, hint='by = "obs" is given the effects')
    sigma = plain.parameters(everything, eta)["sigma"] * np.ones(eta.shape)
    roots = {}
    if graph.residual.correlation is not None:
        for index, root in correlation_roots(graph.residual.correlation, plain.sample, data):
            roots[tuple(index.tolist())] = root
    out = np.empty((J, S))
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(J + 1))
    for j in range(J):
        rows = order[ends[j] : ends[j + 1]]
        m = len(rows)
        for start in range(0, S, max(1, STACK // m**2)):
            part = slice(start, min(S, start + max(1, STACK // m**2)))
            within = {index: root[part] for index, root in roots.items() if codes[index[0]] == j}
            V = _error_covariance(rows, within, sigma[rows][:, part])
            for levels, Z, Sigma in terms:
                same = levels[rows][:, None] == levels[rows][None, :]
                V += same * np.einsum("ik,kls,jl->sij", Z[rows], Sigma[:, :, part], Z[rows])
            L = np.linalg.cholesky(V)
            r = (y[rows][:, None] - eta[rows][:, part]).T[:, :, None]
            white = np.linalg.solve(L, r)[:, :, 0]
            half = np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1)
            out[j, part] = -0.5 * (white**2).sum(axis=1) - half - m / 2 * np.log(2 * np.pi)
    return out


def _error_covariance(rows: Index, roots: dict[tuple[int, ...], Array], sigma: Array) -> Array:
    """The covariance of the errors of some rows, shape (s, m, m).

    Args:
        rows: the rows, shape (m,).
        roots: by the rows of a block, a root of its correlations, shape (s, b, b).
        sigma: standard deviations, shape (m, s).
    """
    m, s = sigma.shape
    R = np.zeros((s, m, m))
    R[:, np.arange(m), np.arange(m)] = 1.0
    place = {int(row): i for i, row in enumerate(rows.tolist())}
    for index, root in roots.items():
        here = np.array([place[i] for i in index])
        R[:, here[:, None], here] = root @ np.swapaxes(root, 1, 2)
    return np.asarray(R * sigma.T[:, :, None] * sigma.T[:, None, :])


def _by_quadrature(predictor: Predictor, codes: Index, J: int) -> Array:
    """Effects of every level integrated out by Gauss-Hermite quadrature; shape (J, S).

    The points are spread as the posterior of the level's effects is, at every draw of their covariance.
    """
    graph, S = predictor.graph, predictor.sample.size
    columns = [(group, k) for group in graph.groups for k in range(len(group.columns.names))]
    if len({str(g.factor) for g in graph.groups}) > 1 or len(columns) > MOST_DIRECTIONS:
        message = (
            f"at most {MOST_DIRECTIONS} effects of a level are integrated out of this response"
        )
        message = f"{message}, and here are more, or of other levels within it"
        raise Unsupported(message, hint='by = "obs" is given the effects')
    plain = without_groups(predictor)
    at, weights = _density(plain), _weights(predictor)
    data = predictor.rows.data
    Z = np.column_stack([data.matrix(g.columns)[:, k] for g, k in columns])
    names = [p.parameter for p in mean_predictors(graph)]
    place = [next(d for d, n in enumerate(names) if k in g.columns_in(n)) for g, k in columns]
    effects = np.concatenate([predictor.sample.effects(g) for g in graph.groups], axis=1)
    prior = [(predictor.sample.effects(g).shape[1], _normal(predictor, g)) for g in graph.groups]
    covariance = _side_by_side([predictor.sample.covariance(g) for g in graph.groups])
    centre, root = spread_at_draws(effects.mean(axis=2), posterior_roots(effects), covariance)
    jacobian = np.linalg.slogdet(root)[1] + 0.5 * len(columns) * np.log(2 * np.pi)
    blocks = list(plain.blocks())
    # the predictor of one block is kept, those of more would not fit in memory
    kept = [plain.linear(block) for block in blocks] if len(blocks) == 1 else []
    total = np.full((J, S), -np.inf)
    for x, w in product_nodes(len(columns), NARROW):
        b = centre + root @ x
        sums = np.zeros(total.shape)
        for i, block in enumerate(blocks):
            eta = np.array(kept[i]) if kept else plain.linear(block)
            by_predictor = eta if eta.ndim == 3 else eta[..., None]
            for k, d in enumerate(place):
                by_predictor[..., d] += Z[block, k, None] * b[codes[block], :, k]
            parameters = plain.parameters(block, eta)
            density = at(block, plain.mu(eta), parameters)
            np.add.at(sums, codes[block], density * weights[block][:, None])
        start = 0
        for q, density_of in prior:
            sums += density_of(b[..., start : start + q])
            start += q
        point = np.log(w) + 0.5 * float(x @ x)
        total = np.logaddexp(total, sums + jacobian + point)
    return total


def _side_by_side(covariances: Sequence[Array]) -> Array:
    """Independent effects' covariances, shape (q, q, S) each, as one, shape (S, d, d)."""
    d, S = sum(len(c) for c in covariances), covariances[0].shape[2]
    whole, start = np.zeros((S, d, d)), 0
    for c in covariances:
        end = start + len(c)
        whole[:, start:end, start:end] = np.moveaxis(c, -1, 0)
        start = end
    return whole


def _normal(predictor: Predictor, group: Group) -> Callable[[Array], Array]:
    """The log density of effects, shape (J, S, q), at every draw of their covariance, (J, S)."""
    try:
        root = np.linalg.cholesky(np.moveaxis(predictor.sample.covariance(group), -1, 0))
    except np.linalg.LinAlgError:
        message = f"the effects of {group.factor} have a singular covariance, so no density"
        raise Unsupported(message, hint='by = "obs" is given the effects') from None
    half = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    inverse = np.linalg.inv(root)

    def at(b: Array) -> Array:
        z = np.einsum("sij,ksj->ksi", inverse, b)
        q = b.shape[2]
        return np.asarray(-0.5 * (z**2).sum(axis=2) - half - 0.5 * q * np.log(2 * np.pi))

    return at
