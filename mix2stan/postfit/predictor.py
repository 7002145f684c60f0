"""The linear predictor of some rows at every draw, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mix2stan.distributions import Distribution, distribution_of
from mix2stan.errors import DataError
from mix2stan.families import FAMILIES
from mix2stan.graph import Group, ModelGraph
from mix2stan.links import LINKS
from mix2stan.postfit.errors import error_multiplier
from mix2stan.postfit.integrals import averaged
from mix2stan.postfit.sample import Sample
from mix2stan.responses import known_part, observed
from mix2stan.schema import Rows

__all__ = ["NEW_LEVELS", "Effects", "NewLevels", "Predictor"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

Effects = Literal["conditional", "population", "integrate"]
NewLevels = Literal["sample", "zero", "error"]
NEW_LEVELS = ("sample", "zero", "error")

#: Numbers in one block: 32 MB of them.
_BLOCK = 4_000_000


@dataclass(frozen=True, eq=False)
class Predictor:
    """Rows and draws.

    Attributes:
        sample: the draws, S of them.
        rows: the rows, n of them.
        groups: the terms whose effects are in the predictor.
        new_levels: what is done about levels the fit has not seen.
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
        if self.new_levels != "error":
            return
        for group in self.groups:
            if self.rows.levels[group.factor].new:
                level = self.rows.levels[group.factor].new[0]
                raise DataError(
                    f"{group.factor} has the level {level!r}, which the fit has not seen",
                    hint='new_levels = "sample" draws its effects, "zero" leaves them out',
                )

    @property
    def graph(self) -> ModelGraph:
        return self.sample.fit.schema.graph

    @property
    def distribution(self) -> Distribution:
        return distribution_of(self.graph.response.family)

    def blocks(self) -> Iterator[slice]:
        """The rows in pieces that fit into memory."""
        step = max(1, _BLOCK // self.sample.size)
        for start in range(0, self.rows.n, step):
            yield slice(start, min(start + step, self.rows.n))

    def linear(self, block: slice) -> Array:
        """The predictor, shape (m, S)."""
        eta = self._X[block] @ self._beta + self._known[block][:, None]
        for number, group in enumerate(self.groups):
            codes, Z = self._codes(group)[block], self._designs[group.id][block]
            eta += self._part(number, group, codes, Z)
        return eta

    def random_variance(self, block: slice, groups: tuple[Group, ...] | None = None) -> Array:
        """The variance of the random part, z' Sigma z summed over terms, shape (m, S)."""
        groups = self.graph.groups if groups is None else groups
        m = block.stop - block.start
        total = np.zeros((m, self.sample.size))
        for group in groups:
            Z, Sigma = self._designs[group.id][block], self._covariances[group.id]
            products = (Z[:, :, None] * Z[:, None, :]).reshape(m, -1)
            total += products @ Sigma.reshape(-1, self.sample.size)
        return total

    def expected(self, eta: Array, parameters: dict[str, Array]) -> Array:
        """The expected response (of one trial) at a predictor."""
        row = self.distribution
        link = row.mean_link or self.graph.response.link
        return np.asarray(LINKS[link].inverse(eta + row.shift(parameters)))

    def integrated(self, eta: Array, variance: Array, parameters: dict[str, Array]) -> Array:
        """The expected response, the mean over normal effects of that variance."""
        row = self.distribution
        return averaged(
            row.mean_link or self.graph.response.link, eta + row.shift(parameters), variance
        )

    def mu(self, eta: Array) -> Array:
        """The inverse link."""
        return np.asarray(LINKS[self.graph.response.link].inverse(eta))

    def parameters(self, block: slice, eta: Array) -> dict[str, Array]:
        """What the family has besides its mean, by name, each of a shape like (m, S)."""
        family = FAMILIES[self.graph.response.family]
        values = {name: self.sample.value(name) for name in family.parameters}
        residual = self.graph.residual
        if residual.variances:
            values["sigma"] = values["sigma"] * error_multiplier(
                residual, self.sample, self.rows.data, block, eta
            )
        if family.counts_trials:
            values["trials"] = self.trials[block][:, None]
        return values

    @cached_property
    def trials(self) -> Array:
        """The number of trials of every row, shape (n,)."""
        data, response = self.rows.data, self.graph.response
        if self.rows.fitted:
            return observed(self.graph, data).trials
        if response.weights is not None:
            return data.vector(response.weights)
        if response.expression in data.frame.columns:
            return np.asarray(data.frame.column(response.expression).values.sum(axis=1))
        return np.ones(self.rows.n)

    # -- inside ------------------------------------------------------------------------------------

    @cached_property
    def _beta(self) -> Array:
        return self.sample.coefficients()

    @cached_property
    def _X(self) -> Array:
        return self.rows.data.matrix(self.graph.population.columns)

    @cached_property
    def _known(self) -> Array:
        return known_part(self.graph, self.rows.data)

    @cached_property
    def _designs(self) -> dict[str, Array]:
        return {g.id: self.rows.data.matrix(g.columns) for g in self.graph.groups}

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
