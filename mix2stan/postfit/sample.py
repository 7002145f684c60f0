"""The draws of a fit, all or some, one after the other: shape (..., S) for S of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.counts import whole
from mix2stan.errors import Mix2stanError
from mix2stan.graph import Group, Predictor
from mix2stan.postfit.integrals import root_of
from mix2stan.row_names import coordinate

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["Sample", "beside", "sample_of"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Draws of a fit.

    Attributes:
        fit: whose they are.
        kept: which draws of every chain, shape (D,).
    """

    fit: Fit
    kept: NDArray[np.int64]

    @property
    def chains(self) -> int:
        return int(self.fit.posterior.sizes["chain"])

    @property
    def size(self) -> int:
        """The number of draws, S."""
        return self.chains * len(self.kept)

    def value(self, name: str) -> Array:
        """A variable by its Stan name, or what is known of one, shape (..., S)."""
        known = dict(self.fit.schema.graph.response.known)
        if name in known:
            return np.full(self.size, known[name])
        values = np.asarray(self.fit.posterior[name].values, dtype=float)[:, self.kept]
        flat = values.reshape(self.size, *values.shape[2:])
        return np.ascontiguousarray(np.moveaxis(flat, 0, -1))

    def coefficients(self, predictor: Predictor) -> Array:
        """The population effects of a predictor, shape (K, S)."""
        if not predictor.population.columns.names:
            return np.zeros((0, self.size))
        return self.value(f"beta{predictor.suffix}")

    def effects(self, group: Group) -> Array:
        """The effects of a term, shape (J, q, S)."""
        values = self.value(f"b_{group.id}")
        return values[:, None] if values.ndim == 2 else values

    def covariance(self, group: Group) -> Array:
        """The covariance of a term's effects, shape (q, q, S)."""
        labels = next(g for g in self.fit.labels.groups if g.id == group.id)
        q = len(labels.coefficients)
        sd = np.array(labels.known_sds)[:, None] if labels.known_sds else self._sds(group.id)
        sd = np.broadcast_to(sd, (q, self.size))
        R = self.value(f"R_{group.id}") if labels.correlated else np.eye(q)[:, :, None]
        return np.asarray(R * sd[:, None] * sd[None, :])

    def _sds(self, name: str) -> Array:
        sd = self.value(f"sd_{name}")
        return sd[None] if sd.ndim == 1 else sd

    def root(self, group: Group) -> Array:
        """A root of that covariance, shape (S, q, q); it may be singular."""
        return root_of(np.moveaxis(self.covariance(group), -1, 0))

    def labelled(
        self,
        values: Array,
        obs: Any,
        name: str,
        dim: str = "obs",
        categories: tuple[str, ...] = (),
    ) -> Any:
        """Values of shape (n, S) as an array of the dims ``chain draw obs``; no copy.

        Those of ``categories``, shape (n, S, C), have the further dim ``category``.
        """
        import xarray as xr

        dim = beside(dim, ("chain", "draw"))
        cube = values.reshape(len(values), self.chains, len(self.kept), *values.shape[2:])
        coords = {
            "chain": self.fit.posterior["chain"].values,
            "draw": self.fit.posterior["draw"].values[self.kept],
        }
        dims = ["chain", "draw", dim]
        if categories:
            coords["category"] = list(categories)
            dims.append("category")
        name = beside(name, dims)
        found = xr.DataArray(np.moveaxis(cube, 0, 2), dims=dims, coords=coords, name=name)
        return found.assign_coords(coordinate(pd.Index(obs), dim))


def beside(name: str, others: Collection[str]) -> str:
    """The name of a variable or dimension, another where one beside it has it.

    >>> beside("y", ["chain", "obs"]), beside("obs", ["chain", "obs"])
    ('y', 'obs_')
    """
    return f"{name}_" if name in others else name


def sample_of(fit: Fit, draws: int | None = None) -> Sample:
    """All draws, or so many, spread evenly over the chains.

    Raises:
        Mix2stanError: if that many cannot be had.
    """
    chains, available = (int(fit.posterior.sizes[d]) for d in ("chain", "draw"))
    if draws is None:
        return Sample(fit, np.arange(available))
    draws = whole("draws", draws, 1)
    if draws > chains * available:
        raise Mix2stanError(f"{draws} draws are asked for, of {chains * available}")
    each = -(-draws // chains)
    return Sample(fit, np.linspace(0, available - 1, each).round().astype(np.int64))
