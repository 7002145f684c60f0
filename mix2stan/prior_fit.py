"""What a model believes before it sees the response: draws of its priors, with the tables of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mix2stan import inference_data
from mix2stan.diagnostics import Problem
from mix2stan.errors import Mix2stanError, Unsupported
from mix2stan.fit import Fit
from mix2stan.graph import ModelGraph
from mix2stan.labels import Labels
from mix2stan.matrices import Data
from mix2stan.priors.density import log_prior
from mix2stan.row_names import storable
from mix2stan.schema import Schema

__all__ = ["PriorSample", "add_log_prior", "sensitivity"]


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
        """Responses of the rows of the model, one per draw; of the dims ``chain draw obs``.

        >>> model.sample_prior(10, seed=1).prior_predictive.dims
        ('chain', 'draw', 'obs')
        """
        return self.predict(kind="response", seed=self._seed)

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """None: independent draws have no sampler."""
        return ()

    @property
    def idata(self) -> Any:
        """ArviZ's container with the groups ``prior``, ``prior_predictive`` and ``observed_data``.

        >>> model.sample_prior(10, seed=1).idata.prior["sigma"].shape
        (1, 10)
        """
        from mix2stan.postfit.groups import observed_data

        groups = {
            "prior": self.prior,
            "prior_predictive": storable(self.prior_predictive.to_dataset(), "obs"),
            "observed_data": observed_data(self),
        }
        return inference_data.container(groups)

    def save(self, path: str | Path) -> Path:
        """Not a fit: ``idata`` can be written.

        Args:
            path: of no use.

        Raises:
            Mix2stanError: always.
        """
        hint = "idata.to_netcdf(path) writes them; the same seed draws them again"
        raise Mix2stanError("draws from a prior are no fit to be saved", hint=hint)

    _title = "Prior"

    def __repr__(self) -> str:
        return f"<mix2stan prior draws: {self.labels.call}>"


def add_log_prior(fit: Fit, graph: ModelGraph, data: Data, entries: Mapping[str, Any]) -> Any:
    """The log density of the priors at the draws of a fit, also as a group of its ``idata``."""
    import xarray as xr

    posterior = fit.posterior
    chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
    values = {
        str(name): np.asarray(v.values, dtype=float).reshape(chains * draws, *v.shape[2:])
        for name, v in posterior.data_vars.items()
        if not str(name).startswith(("b_", "z_", "m_"))
    }
    for predictor in graph.every_predictor:
        columns = predictor.population.columns
        if columns.names:
            values[f"centre{predictor.suffix}"] = data.matrix(columns).mean(axis=0)
    total = log_prior(graph, entries, values).reshape(chains, draws)
    coords = {d: posterior[d].values for d in ("chain", "draw")}
    found = xr.DataArray(total, dims=("chain", "draw"), coords=coords, name="log_prior")
    fit._further["log_prior"] = found.to_dataset()
    return found


def sensitivity(fit: Fit) -> pd.DataFrame:
    """Power-scaling sensitivities of all but the single effects, of a fit that has its log prior.

    Raises:
        Unsupported: if the installed ArviZ has no power-scaling for this container.
    """
    import xarray as xr

    psens = inference_data.power_scaling()
    if psens is None:
        raise Unsupported(
            "the installed ArviZ has no psens()",
            hint="model.log_prior(fit) and fit.log_lik() add the groups that others need",
        )
    if "log_likelihood" not in fit._further:
        fit.log_lik()
    names = fit.names("main")
    columns: dict[str, np.ndarray] = {}
    for variable, labels in names.items():
        draws = np.asarray(fit.posterior[variable].values)
        flat = draws.reshape(*draws.shape[:2], -1)
        if variable.startswith("R_") or variable == "cor_R":
            q = draws.shape[-1]
            flat = flat[..., [i * q + j for i in range(q) for j in range(i)]]
        columns |= {label: flat[..., k] for k, label in enumerate(labels)}
    elements = xr.Dataset({n: (("chain", "draw"), v) for n, v in columns.items()})
    elements = elements.assign_coords({d: fit.posterior[d].values for d in ("chain", "draw")})
    groups = {"posterior": elements}
    groups |= {name: fit._further[name] for name in ("log_prior", "log_likelihood")}
    data = inference_data.container(groups)
    found = {component: psens(data, component=component) for component in ("prior", "likelihood")}
    table = {c: [float(values[n]) for n in columns] for c, values in found.items()}
    return pd.DataFrame(table, index=list(columns))
