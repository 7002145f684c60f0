"""Responses seen through latent variables beside others: what is expected, and how likely they are.

Given the effects, the latent variables and Gaussian responses of a row of the data are normal, with the
covariance of their residuals; what a response is seen through is averaged over that distribution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.distributions import seen_through
from mix2stan.errors import Unsupported
from mix2stan.graph import UNITS, Factor, Layer
from mix2stan.postfit.integrals import (
    MOST_DIRECTIONS,
    NARROW,
    STACK,
    mean_over_normals,
    posterior_roots,
    product_nodes,
)
from mix2stan.postfit.predictor import Predictor
from mix2stan.responses import observed
from mix2stan.syntax import Name

__all__ = ["expected_of_layers", "log_lik_of_units"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_UNITS = Factor((Name(UNITS),))


def expected_of_layers(predictor: Predictor, block: slice, eta: Array, integrate: bool) -> Array:
    """The expected values of the traits of some rows, shape (m, S); see :class:`Seen`.

    Args:
        predictor: the rows and draws.
        block: which rows; all of them, where a response has several latent variables.
        eta: their predictor, shape (m, S).
        integrate: whether group effects are averaged over besides the residuals.

    Raises:
        Unsupported: for a response of more than three latent variables.
    """
    data, out = predictor.rows.data, eta.copy()
    sd = predictor.parameters(block, eta)["sigma"] * np.ones(eta.shape)
    for layer in predictor.graph.response.layers:
        rows, _, trials = data.layer(layer, np.zeros(data.rows))
        here = (rows[0] >= block.start) & (rows[0] < block.stop)
        places = rows[:, here] - block.start
        covariance = _residual(predictor, layer, sd[places])
        if integrate:
            covariance = covariance + predictor.covariance_within(rows[:, here])
        out[places] = _averaged(layer, eta[places], covariance, trials[here, None])
    return out


def _averaged(layer: Layer, eta: Array, covariance: Array, trials: Array) -> Array:
    """What is expected of a layer's traits whose latent variables are normal, shape (q, n, S)."""
    row = seen_through(layer.family, layer.link)

    def mean(latent: Array) -> Array:
        return np.moveaxis(row.mean(np.moveaxis(latent, -1, 0), trials), 0, -1)

    what, hint = f"latent variables of {layer.response}", 'kind = "linpred" and fit.simulate() can'
    found = mean_over_normals(mean, np.moveaxis(eta, 0, -1), covariance, what, hint)
    return np.moveaxis(found, -1, 0)


def _residual(predictor: Predictor, layer: Layer, sd: Array) -> Array:
    """The covariance of the residuals of a layer's latent variables, shape (n, S, q, q)."""
    own = [predictor.graph.response.traits.index(t) for t in layer.traits]
    R = predictor.trait_correlations[:, own][:, :, own]
    scale = np.moveaxis(sd, 0, -1)
    return np.asarray(R * scale[..., :, None] * scale[..., None, :])


# -- how likely they are ---------------------------------------------------------------------------


def log_lik_of_units(predictor: Predictor) -> tuple[pd.Index, Array]:
    """The log-likelihood of every row of the data given its effects, all its responses together.

    Gaussian responses have theirs exactly, the others given them by quadrature over their latent
    variables, the points spread as the posterior of these is.

    Returns:
        What the rows are called, shape (n,), and the values, shape (n, S).

    Raises:
        Unsupported: for more than three latent variables of a row.
    """
    units = _Units(predictor)
    out = np.empty((len(units.labels), predictor.sample.size))
    for members, traits in units.patterns():
        out[members] = units.log_lik(members, traits)
    return units.labels, out


@dataclass(frozen=True, eq=False)
class _Units:
    """The rows of the data, of which every one has some of the traits."""

    predictor: Predictor

    @cached_property
    def places(self) -> Index:
        """The stacked row of every unit and trait, shape (U, Q), and -1 where there is none."""
        data, traits = self.predictor.rows.data, self.predictor.graph.response.traits
        units = data.grouping(_UNITS)
        found = np.full((len(units.levels), len(traits)), -1, dtype=np.int64)
        for k, trait in enumerate(traits):
            rows = data.rows_of(trait)
            found[units.codes[rows], k] = rows
        return np.asarray(found[(found >= 0).any(axis=1)])

    @cached_property
    def labels(self) -> pd.Index:
        """What the rows of the data are called, which are stacked by the names of responses."""
        found: pd.Index = self.predictor.rows.labels[self.places.max(axis=1)].droplevel(-1)
        return found

    def patterns(self) -> Iterator[tuple[Index, Index]]:
        """Units with the same traits, and these."""
        seen, kind = np.unique(self.places >= 0, axis=0, return_inverse=True)
        for k, present in enumerate(seen):
            yield np.flatnonzero(kind.ravel() == k), np.flatnonzero(present)

    @cached_property
    def eta(self) -> Array:
        return self.predictor.linear(slice(0, self.predictor.rows.n))

    @cached_property
    def sd(self) -> Array:
        everything = slice(0, self.predictor.rows.n)
        return self.predictor.parameters(everything, self.eta)["sigma"] * np.ones(self.eta.shape)

    @cached_property
    def y(self) -> Array:
        return np.asarray(observed(self.predictor.graph, self.predictor.rows.data).values)

    @cached_property
    def latent(self) -> Array:
        """The draws of the latent variables, shape (n, S); of Gaussian responses nothing."""
        found, data = np.zeros(self.eta.shape), self.predictor.rows.data
        for layer in self.layers:
            for trait, name in zip(layer.traits, layer.ids, strict=True):
                found[data.rows_of(trait)] = self.predictor.sample.value(f"l_{name}")
        return found

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self.predictor.graph.response.layers

    def log_lik(self, members: Index, traits: Index) -> Array:
        """That of units with the same traits, shape (u, S)."""
        names = [self.predictor.graph.response.traits[k] for k in traits]
        own = [layer for layer in self.layers if layer.traits[0] in names]
        latent = [names.index(t) for layer in own for t in layer.traits]
        if len(latent) > MOST_DIRECTIONS:
            message = (
                f"at most {MOST_DIRECTIONS} latent variables of a row are integrated out, "
                f"and here are {len(latent)}"
            )
            raise Unsupported(message, hint="fit.simulate() can be compared with what was seen")
        normal = [k for k in range(len(names)) if k not in latent]
        R = self.predictor.trait_correlations[:, traits][:, :, traits]
        S, size = self.predictor.sample.size, max(1, STACK // (len(traits) ** 2 * len(R)))
        out = np.empty((len(members), S))
        for start in range(0, len(members), size):
            part = slice(start, start + size)
            at = self.places[members[part]][:, traits].T
            scale = np.moveaxis(self.sd[at], 0, -1)
            V = R * scale[..., :, None] * scale[..., None, :]
            gap = (self.y[at][..., None] - self.eta[at])[normal]
            out[part], mean, covariance = _given(V, np.moveaxis(gap, 0, -1), normal, latent)
            if latent:
                mean = mean + np.moveaxis(self.eta[at[latent]], 0, -1)
                out[part] += self._integral(own, at[latent], mean, covariance)
        return out

    def _integral(self, own: list[Layer], at: Index, mean: Array, covariance: Array) -> Array:
        """The log of what responses are expected to have as densities, shape (u, S).

        Args:
            own: the layers.
            at: the rows of their latent variables, shape (q, u).
            mean: of these, shape (u, S, q).
            covariance: of these, shape (u, S, q, q).
        """
        root = np.linalg.cholesky(covariance)
        gap = np.moveaxis(self.latent[at], 0, -1) - mean
        # on the scale of standard normals the posterior hardly depends on the parameters
        white = np.linalg.solve(root, gap[..., None])[..., 0]
        draws = np.swapaxes(white, 1, 2)
        centre, spread = draws.mean(axis=2), posterior_roots(draws)
        total = np.full(mean.shape[:2], -np.inf)
        for x, w in product_nodes(len(at), NARROW):
            z = centre + spread @ x
            eta = np.moveaxis(mean + np.einsum("usij,uj->usi", root, z), -1, 0)
            weight = np.log(w) + 0.5 * (float(x @ x) - (z**2).sum(axis=1, keepdims=True))
            total = np.logaddexp(total, self._log_density(own, at, eta) + weight)
        return np.asarray(total + np.linalg.slogdet(spread)[1][:, None])

    def _log_density(self, own: list[Layer], at: Index, eta: Array) -> Array:
        """The log density of the responses given their latent variables, shape (u, S)."""
        total, start = np.zeros(eta.shape[1:]), 0
        for layer in own:
            part = slice(start, start + len(layer.traits))
            y = self.y[at[part]][..., None]
            trials = self.predictor.rows.data.trials_of(layer)[at[start], None]
            total += seen_through(layer.family, layer.link).log_density(eta[part], y, trials)
            start = part.stop
        return total


def _given(
    V: Array, gap: Array, normal: list[int], latent: list[int]
) -> tuple[Array, Array, Array]:
    """The log density of what is Gaussian, and the mean and covariance of the rest given it.

    Args:
        V: the covariance of all, shape (u, S, T, T).
        gap: of what is Gaussian from its mean, shape (u, S, g).
        normal: the places of that among all.
        latent: the places of the rest.
    """
    own, across = V[..., latent, :][..., latent], V[..., latent, :][..., normal]
    if not normal:
        return np.zeros(V.shape[:2]), np.zeros((*V.shape[:2], len(latent))), own
    L = np.linalg.cholesky(V[..., normal, :][..., normal])
    white = np.linalg.solve(L, gap[..., None])
    half = np.log(np.diagonal(L, axis1=-2, axis2=-1)).sum(axis=-1)
    density = -0.5 * (white[..., 0] ** 2).sum(axis=-1) - half - len(normal) / 2 * np.log(2 * np.pi)
    slope = np.linalg.solve(L, np.swapaxes(across, -1, -2))
    mean = (np.swapaxes(slope, -1, -2) @ white)[..., 0]
    return density, mean, own - np.swapaxes(slope, -1, -2) @ slope
