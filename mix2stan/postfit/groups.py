"""Further groups of ArviZ's container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mix2stan.responses import observed

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["observed_data"]


def observed_data(fit: Fit) -> Any:
    """The response of the rows of the fit, of trials the number of successes, as a dataset."""
    import xarray as xr

    schema = fit.schema
    y = observed(schema.graph, schema.data).y
    coords = {"obs": schema.fitted.labels}
    return xr.Dataset({fit.labels.response: (("obs",), y)}, coords=coords)
