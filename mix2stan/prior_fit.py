"""What a model believes before it sees the response: draws of its priors, with the tables of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mix2stan import inference_data
from mix2stan.errors import Mix2stanError
from mix2stan.fit import Fit
from mix2stan.labels import Labels
from mix2stan.schema import Schema

__all__ = ["PriorSample"]


class PriorSample(Fit):
    """Independent draws from the prior: as a fit, with one chain, that has seen no response.

    Attributes:
        prior: the draws by Stan name, with the dims ``chain`` and ``draw`` first.
    """

    def __init__(
        self, draws: Mapping[str, np.ndarray], labels: Labels, schema: Schema | None, seed: int
    ) -> None:
        prior = inference_data.posterior({k: v[None] for k, v in draws.items()}, labels)
        size = int(prior.sizes["draw"])
        stats = inference_data.sample_stats({"diverging": np.zeros((1, size), dtype=bool)})
        super().__init__(prior, stats, labels, "independent draws from the prior", 10, schema)
        self.prior = prior
        self._seed = seed

    @cached_property
    def prior_predictive(self) -> Any:
        """Responses of the rows of the model, one per draw; of the dims ``chain draw obs``."""
        return self.predict(kind="response", seed=self._seed)

    @property
    def idata(self) -> Any:
        """ArviZ's container with the groups ``prior``, ``prior_predictive`` and ``observed_data``."""
        from mix2stan.postfit.groups import observed_data

        groups = {
            "prior": self.prior,
            "prior_predictive": self.prior_predictive.to_dataset(),
            "observed_data": observed_data(self),
        }
        return inference_data.container(groups)

    def save(self, path: str | Path) -> Path:
        """Not a fit: ``idata`` can be written.

        Raises:
            Mix2stanError: always.
        """
        hint = "idata.to_netcdf(path) writes them; the same seed draws them again"
        raise Mix2stanError("draws from a prior are no fit to be saved", hint=hint)

    def __repr__(self) -> str:
        return f"<mix2stan prior draws: {self.labels.call}>"
