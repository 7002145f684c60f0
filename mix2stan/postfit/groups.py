"""Further groups of ArviZ's container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mix2stan.postfit.sample import beside
from mix2stan.responses import observed
from mix2stan.row_names import coordinate, storable

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["observed_data"]


def observed_data(fit: Fit) -> Any:
    """The response of the rows of the fit, of trials the number of successes, as a dataset.

    Categories are numbers from 1 on, of several categories there are counts.
    """
    import xarray as xr

    schema = fit.schema
    seen = observed(schema.graph, schema.data)
    dims = ("obs",) if seen.counts is None else ("obs", "category")
    coords = {} if seen.counts is None else {"category": np.array(seen.levels)}
    name = beside(fit.labels.response, ("chain", "draw", *dims))
    found = xr.Dataset({name: (dims, seen.values)}, coords=coords)
    return storable(found.assign_coords(coordinate(schema.fitted.labels, "obs")), "obs")
