"""ArviZ's container for draws, in both of its shapes.

ArviZ 0.x (Python 3.11) has ``InferenceData``, ArviZ 1.x (newer Pythons) xarray's ``DataTree``.  Both
are built from the same xarray datasets here, and nothing outside this file knows the difference.
"""

from __future__ import annotations

import functools
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from mix2stan.errors import Mix2stanError
from mix2stan.labels import Labels

__all__ = [
    "container",
    "dataset",
    "load",
    "posterior",
    "power_scaling",
    "sample_stats",
    "save",
]

_ABOUT = "mix2stan"


def posterior(variables: Mapping[str, np.ndarray], labels: Labels) -> Any:
    """Draws by Stan name, shape (chains, draws, …), as a dataset with the user's labels."""
    import xarray as xr

    dims, coords = labels.dims(), labels.coords()
    arrays = {}
    for name, values in variables.items():
        inner = dims.get(name)
        if inner is None or len(inner) != values.ndim - 2:
            inner = tuple(f"{name}_dim_{i}" for i in range(values.ndim - 2))
        arrays[name] = xr.DataArray(
            values,
            dims=("chain", "draw", *inner),
            coords={d: list(coords[d]) for d in inner if d in coords},
        )
    return _numbered(xr.Dataset(arrays))


def sample_stats(stats: Mapping[str, np.ndarray]) -> Any:
    """Sampler statistics by ArviZ's names, shape (chains, draws), as a dataset."""
    import xarray as xr

    return _numbered(xr.Dataset({k: (("chain", "draw"), v) for k, v in stats.items()}))


def dataset(columns: Mapping[str, np.ndarray]) -> Any:
    """Arrays of one length, each possibly of several columns, as a dataset."""
    import xarray as xr

    return xr.Dataset(
        {
            name: (("row", *(f"{name}_{i}" for i in range(values.ndim - 1))), values)
            for name, values in columns.items()
        }
    )


def container(groups: Mapping[str, Any]) -> Any:
    """ArviZ's container of datasets by group."""
    import xarray as xr

    # ArviZ 1.x keeps the old name for the new class
    kind = getattr(_arviz(), "InferenceData", xr.DataTree)
    return xr.DataTree.from_dict(dict(groups)) if kind is xr.DataTree else kind(**groups)


def power_scaling() -> Callable[..., Any] | None:
    """ArviZ's power-scaling sensitivity of a container and a ``component``, None if it has none."""
    arviz = _arviz()
    if hasattr(arviz, "psens"):
        before: Callable[..., Any] = arviz.psens
        return before
    if not hasattr(arviz, "psense"):
        return None
    # its name and its argument from ArviZ 1.0 on
    return lambda data, component: arviz.psense(data, group=component)


def save(groups: Mapping[str, Any], path: Path, about: str) -> Path:
    """Write a NetCDF file, whole or not at all; ``about`` is kept with the posterior."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(suffix=".nc", dir=path.parent)
    os.close(handle)
    try:
        for name, data in groups.items():
            attributes = {_ABOUT: about} if name == "posterior" else {}
            first = name == next(iter(groups))
            data.assign_attrs(attributes).to_netcdf(
                temporary, group=name, mode="w" if first else "a", engine="h5netcdf"
            )
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def load(path: Path, further: str) -> tuple[dict[str, Any], str]:
    """Read what :func:`save` wrote: the groups, ``further`` if it is there, and ``about``.

    Raises:
        Mix2stanError: if the file is missing or damaged.
    """
    import xarray as xr

    if not path.is_file():
        raise Mix2stanError(f"there is no file {path}")
    groups = {}
    for name in ("posterior", "sample_stats", further):
        try:
            with xr.open_dataset(path, group=name, engine="h5netcdf") as data:
                groups[name] = data.load()
        except (OSError, ValueError, KeyError) as error:
            if name == further and isinstance(error, OSError) and groups:
                continue
            raise Mix2stanError(f"{path} is damaged, or not a fit that mix2stan saved") from error
    about = str(groups["posterior"].attrs.pop(_ABOUT, ""))
    return groups, about


def _numbered(data: Any) -> Any:
    """With chains and draws counted from 0, as ArviZ does."""
    return data.assign_coords({d: np.arange(data.sizes[d]) for d in ("chain", "draw")})


@functools.cache
def _arviz() -> ModuleType:
    with warnings.catch_warnings():
        # ArviZ 0.x announces its own successor on import
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    return arviz
