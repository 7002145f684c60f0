"""The linear predictor of some rows at every draw, a block of rows at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mix2stan.censoring import bounds
from mix2stan.distributions import Distribution, bounded, distribution_of
from mix2stan.distributions.categories import log_probabilities
from mix2stan.errors import DataError, Unsupported, nearest
from mix2stan.families import FAMILIES, Family, mean_groups, mean_predictors, single_parameters
from mix2stan.graph import Factor, Group, ModelGraph
from mix2stan.links import LINKS
from mix2stan.postfit.categories import averaged_shares, labels_of
from mix2stan.postfit.errors import error_multiplier, position_correlations
from mix2stan.postfit.integrals import averaged, check_link, nodes
from mix2stan.postfit.sample import Sample
from mix2stan.responses import counted_trials, known_part, noise_of, observed
from mix2stan.schema import Rows

__all__ = ["NEW_LEVELS", "Effects", "NewLevels", "Predictor", "independent"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

Effects = Literal["conditional", "population", "integrate"]
NewLevels = Literal["sample", "zero", "error"]
NEW_LEVELS = ("sample", "zero", "error")

#: Levels among which the nearest to an unknown one is looked for.
_COMPARED = 5_000
#: Numbers in one block: 32 MB of them.
_BLOCK = 4_000_000


def independent(group: Group) -> None:
    """Refuse a term whose levels are related: its effects cannot be drawn or integrated one by one.

    Raises:
        Unsupported: for such a term.
    """
    if group.coupled:
        message = f"the levels of {group.factor} are related, or a row belongs to several of them"
        hint = 're = "conditional" and "population" predict for the levels of the fit'
        raise Unsupported(message, hint=hint)


@dataclass(frozen=True, eq=False)
class Predictor:
    """Rows and draws.

    Attributes:
        sample: the draws, S of them.
        rows: the rows, n of them.
        groups: the terms whose effects are in the predictor.
        new_levels: what is done about levels the fit has not seen; rows, where each is a level of
            its own, are never refused.
        fresh: whether every level is one the fit has not seen.
        seed: of the effects of new levels.
    """

    sample: Sample
    rows: Rows
    groups: tuple[Group, ...]
    new_levels: NewLevels = "sample"
    fresh: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for group in self.groups:
            if group.factor.signs:
                message = f"rows cannot be predicted with the effects of {group.factor}"
                raise Unsupported(message, hint='re = "population" predicts without them')
            if self.fresh:
                independent(group)
            new = self.rows.levels[group.factor].new
            # that every row is a level of its own is no slip
            if new and self.new_levels == "error" and not self.fresh and not group.factor.of_rows:
                raise self._unseen(group.factor)
            if new and self.new_levels != "zero":
                independent(group)

    def _unseen(self, factor: Factor) -> DataError:
        """Complain about levels that the fit does not have."""
        first, *others = self.rows.levels[factor].new
        known = self.sample.fit.schema.data.grouping(factor).levels
        more = f" and {len(others)} more" if others else ""
        near = nearest(str(first), map(str, known[:_COMPARED]))
        hint = f"nearest: {near!r}\n" if near is not None else ""
        hint += 'new_levels = "sample" draws the effects of new levels, "zero" leaves them out'
        message = f"{factor} has the level {first!r}{more}, which the fit has not seen"
        return DataError(message, hint=hint)

    @property
    def graph(self) -> ModelGraph:
        return self.sample.fit.schema.graph

    @property
    def family(self) -> Family:
        return FAMILIES[self.graph.response.family]

    @property
    def distribution(self) -> Distribution:
        """That of the response within its bounds, whether it was observed or is censored."""
        response = self.graph.response
        self.refuse_layers()
        row = distribution_of(response.family)
        return row if response.truncation is None else bounded(row, response.family)

    def uncensored(self, what: str) -> None:
        """Refuse what needs the values of the response themselves.

        Raises:
            Unsupported: if it is censored.
        """
        if self.graph.response.censoring is not None:
            message = f"{what} of a censored response cannot be computed"
            raise Unsupported(message, hint="log_lik() and predict() take what is known of it")

    def refuse_layers(self, hint: str = "predict() and log_lik() can be had") -> None:
        """Stop where responses are seen through families of their own."""
        for layer in self.graph.response.layers:
            message = f"this cannot be computed for several responses of which {layer}"
            raise Unsupported(message, hint=hint)

    def blocks(self) -> Iterator[slice]:
        """The rows in pieces that fit into memory."""
        step = max(1, _BLOCK // (self.sample.size * max(1, len(labels_of(self.graph)))))
        if any(len(layer.traits) > 1 for layer in self.graph.response.layers):
            # what is drawn of a response takes all rows of its latent variables
            step = max(1, self.rows.n)
        for start in range(0, self.rows.n, step):
            yield slice(start, min(start + step, self.rows.n))

    def linear(self, block: slice, parameter: str = "") -> Array:
        """The predictor of the mean, or of another parameter that has one; shape (m, S).

        Unordered categories have one each but for the first, shape (m, S, C - 1).
        """
        if not parameter and self.family.unordered:
            odds = [self.linear(block, p.parameter) for p in mean_predictors(self.graph)]
            return np.stack(odds, axis=-1)
        X, beta, known = self._population(parameter)
        eta = X[block] @ beta + known[block][:, None]
        for number, group in enumerate(self.groups):
            if parameter not in group.parameters:
                continue
            codes, Z = self._codes(group)[block], self._design(group, parameter)[block]
            eta += self._part(number, group, codes, Z)
        return eta

    def random_variance(
        self, block: slice, groups: tuple[Group, ...] | None = None, base: bool = False
    ) -> Array:
        """The variance of the mean's random part, z' Sigma z summed over terms, shape (m, S).

        Of unordered categories it is the covariance of their predictors, (m, S, C - 1, C - 1).  With
        ``base`` that of related levels is of one whose ancestors are not related, as founders are.
        """
        if groups is None and self.family.unordered:
            return self._odds_covariance(block)
        groups = self.graph.groups_of("") if groups is None else groups
        for group in groups:
            known = group.factor.relationship
            if not (base and known is not None and known.role == "pedigree"):
                independent(group)
        m = block.stop - block.start
        total = np.zeros((m, self.sample.size))
        for group in groups:
            total += self._spread(group, "", "", block)
        return total

    def covariance_within(self, rows: Index) -> Array:
        """The covariance of what group effects add to some rows, shape (m, S, q, q).

        Args:
            rows: the rows that belong together, shape (q, m).
        """
        q, m = rows.shape
        total = np.zeros((m, self.sample.size, q, q))
        for group in mean_groups(self.graph):
            independent(group)
            codes, Z = self._codes(group)[rows], self._design(group, "")[rows]
            for i, j in itertools.product(range(q), repeat=2):
                same = (codes[i] == codes[j])[:, None]
                total[:, :, i, j] += self._product(group, same * Z[i], Z[j])
        return total

    @cached_property
    def trait_correlations(self) -> Array:
        """Those of the residuals of several responses of one row of the data, shape (S, q, q)."""
        correlation, q = self.graph.residual.correlation, len(self.graph.response.traits)
        if correlation is None:
            return np.broadcast_to(np.eye(q), (self.sample.size, q, q))
        return position_correlations(correlation, self.sample, q)

    def expected(self, eta: Array, parameters: dict[str, Array]) -> Array:
        """The expected response (of one trial) at a predictor."""
        row = self.distribution
        if row.mean is not None:
            return np.asarray(row.mean(self.mu(eta), parameters))
        link = row.mean_link or self.graph.response.link
        return np.asarray(LINKS[link].inverse(eta + row.shift(parameters)))

    def integrated(self, eta: Array, variance: Array, parameters: dict[str, Array]) -> Array:
        """The expected response, the mean over normal effects of that variance."""
        row, link = self.distribution, self.graph.response.link
        if self.family.categories:
            return self._averaged_shares(eta, variance)
        if row.mean is None:
            return averaged(row.mean_link or link, eta + row.shift(parameters), variance)
        for group in self.graph.groups_elsewhere:
            owner = group.parameters[-1]
            message = f"the mean over effects of {owner} and of the mean cannot be computed"
            hint = 're = "conditional" or "population" predicts at given effects'
            raise Unsupported(message, hint=hint)
        check_link(link)
        total = np.zeros(eta.shape)
        for x, w in zip(*nodes(), strict=True):
            total += w * self.expected(eta + x * np.sqrt(variance), parameters)
        return total

    def mu(self, eta: Array) -> Array:
        """The inverse link; of categories the logs of their probabilities, shape (m, S, C)."""
        self.refuse_layers()
        if self.family.categories:
            return self._log_probabilities(eta, self.graph.response.latent_sd)
        return np.asarray(LINKS[self.graph.response.link].inverse(eta))

    def parameters(self, block: slice, eta: Array) -> dict[str, Array]:
        """What the family has besides its mean, by name, each of a shape like (m, S)."""
        family = self.family
        if family.categories:
            return {"trials": self.trials[block][:, None]} if family.several else {}
        values = {name: self.sample.value(name) for name in single_parameters(self.graph)}
        values |= {name: self.sample.value(name) for name, _ in self.graph.response.known}
        for predictor in self.graph.predictors:
            name = predictor.parameter
            values[name] = np.asarray(LINKS[predictor.link].inverse(self.linear(block, name)))
        residual = self.graph.residual
        if residual.variances:
            values["sigma"] = values["sigma"] * error_multiplier(
                residual, self.sample, self.rows.data, block, eta
            )
        noise = noise_of(self.graph, self.rows.data)
        if noise is not None:
            values["sigma"] = np.sqrt(values["sigma"] ** 2 + noise[block][:, None] ** 2)
        truncation = self.graph.response.truncation
        if truncation is not None:
            ends = bounds(truncation, self.rows.data, family.integer)
            for name, end in (("lower", -np.inf), ("upper", np.inf)):
                values[name] = ends.get(name, np.full(self.rows.n, end))[block][:, None]
        if family.counts_trials:
            values["trials"] = self.trials[block][:, None]
        return values

    @cached_property
    def trials(self) -> Array:
        """The number of trials of every row, shape (n,)."""
        data, response = self.rows.data, self.graph.response
        if self.rows.fitted:
            return observed(self.graph, data).trials
        if response.trials is not None:
            return counted_trials(response.trials, data)
        if response.expression in data.frame.columns:
            return np.asarray(data.frame.column(response.expression).values.sum(axis=1))
        return np.ones(self.rows.n)

    # -- inside ------------------------------------------------------------------------------------

    def _odds_covariance(self, block: slice) -> Array:
        """The same of the predictors of unordered categories, shape (m, S, C - 1, C - 1)."""
        names = [p.parameter for p in mean_predictors(self.graph)]
        found = np.zeros((block.stop - block.start, self.sample.size, len(names), len(names)))
        for group in mean_groups(self.graph):
            independent(group)
            own = [d for d, name in enumerate(names) if name in group.parameters]
            for d, e in itertools.product(own, own):
                found[..., d, e] += self._spread(group, names[d], names[e], block)
        return found

    def _spread(self, group: Group, one: str, other: str, block: slice) -> Array:
        """The covariance z' Sigma z of what a term adds to two predictors, shape (m, S)."""
        Z, also = (self._design(group, parameter)[block] for parameter in (one, other))
        return self._product(group, Z, also)

    def _product(self, group: Group, Z: Array, also: Array) -> Array:
        """z' Sigma z of two designs of the same rows, shape (m, S)."""
        products = (Z[:, :, None] * also[:, None, :]).reshape(len(Z), -1)
        return np.asarray(products @ self._covariances[group.id].reshape(-1, self.sample.size))

    def _log_probabilities(self, eta: Array, sd: Array | float) -> Array:
        response = self.graph.response
        return log_probabilities(response.family, response.link, eta, self._thresholds, sd)

    def _averaged_shares(self, eta: Array, variance: Array) -> Array:
        response, ordinal = self.graph.response, self.family.ordinal
        if ordinal is not None and ordinal.latent and response.link == "probit":
            # the error behind the categories and the effects add up to another normal
            sd = np.sqrt(response.latent_sd**2 + variance)
            return np.exp(self._log_probabilities(eta, sd))

        def shares(at: Array) -> Array:
            return np.exp(self._log_probabilities(at, response.latent_sd))

        return averaged_shares(shares, eta, variance, self.family.unordered)

    @cached_property
    def _thresholds(self) -> Array:
        """Those of ordered categories, shape (C - 1, S)."""
        if self.family.ordinal is None:
            return np.zeros((0, self.sample.size))
        return self.sample.value("thresholds")

    def _population(self, parameter: str) -> tuple[Array, Array, Array]:
        """Design, coefficients and offsets of a predictor."""
        if parameter not in self._populations:
            own = next(p for p in self.graph.every_predictor if p.parameter == parameter)
            X = self.rows.data.matrix(own.population.columns)
            beta = self.sample.coefficients(own)
            self._populations[parameter] = (
                X,
                beta,
                known_part(self.graph, self.rows.data, parameter),
            )
        return self._populations[parameter]

    @cached_property
    def _populations(self) -> dict[str, tuple[Array, Array, Array]]:
        return {}

    @cached_property
    def _designs(self) -> dict[str, Array]:
        wanted = {g.id: g for g in (*self.groups, *mean_groups(self.graph))}
        return {name: self.rows.data.matrix(g.columns) for name, g in wanted.items()}

    def _design(self, group: Group, parameter: str) -> Array:
        """The columns of a term, zero where they are not in the predictor."""
        Z = self._designs[group.id]
        if not group.shares:
            return Z
        own = np.isin(np.arange(Z.shape[1]), group.columns_in(parameter))
        return np.where(own, Z, 0.0)

    @cached_property
    def _covariances(self) -> dict[str, Array]:
        return {g.id: self.sample.covariance(g) for g in self.graph.groups}

    @cached_property
    def _effects(self) -> dict[str, Array]:
        return {g.id: self.sample.effects(g) for g in self.groups if not self.fresh}

    @cached_property
    def _roots(self) -> dict[str, Array]:
        return {g.id: self.sample.root(g) for g in self.groups}

    def _codes(self, group: Group) -> Index:
        codes = self.rows.levels[group.factor].codes
        return codes + group.factor.levels if self.fresh else codes

    def _part(self, number: int, group: Group, codes: Index, Z: Array) -> Array:
        """What a term adds, shape (m, S)."""
        J = group.factor.levels
        part = np.zeros((len(codes), self.sample.size))
        seen = np.flatnonzero(codes < J)
        if len(seen):
            effects = self._effects[group.id]
            whole = len(seen) == len(codes)
            for k in range(Z.shape[1]):
                gathered = effects[codes[seen], k]
                gathered *= Z[seen, k][:, None]
                if whole:
                    part += gathered
                else:
                    part[seen] += gathered
        if self.new_levels == "zero" and not self.fresh:
            return part
        for code in np.unique(codes[codes >= J]).tolist():
            here = np.flatnonzero(codes == code)
            part[here] += Z[here] @ self._new_effect(number, group, code - J)
        return part

    def _new_effect(self, number: int, group: Group, level: int) -> Array:
        """The effects of a new level, shape (q, S); the same whenever they are asked for."""
        rng = np.random.default_rng([self.seed, number, level])
        root = self._roots[group.id]
        z = rng.standard_normal(root.shape[:2])
        return np.asarray(np.einsum("skl,sl->ks", root, z))
