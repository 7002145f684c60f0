"""ArviZ's container for draws, in both of its shapes.

ArviZ 0.x (Python 3.11) has ``InferenceData``, ArviZ 1.x (newer Pythons) xarray's ``DataTree``.  Both
are built from the same xarray datasets here, and nothing outside this file knows the difference.
"""

from __future__ import annotations

import functools
import hashlib
import json
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
    "not_ours",
    "posterior",
    "power_scaling",
    "sample_stats",
    "save",
]

#: Attributes of the posterior: what a fit is beside its draws, and a digest of it all.
_ABOUT, _DIGEST = "mix2stan", "mix2stan_digest"


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
    """Write a NetCDF file, whole or not at all; ``about`` is kept with the posterior.

    With it is a digest of everything, so that a file that was changed is not taken for a fit.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {_ABOUT: about, _DIGEST: _digest(groups, about)}
    # in a folder of its own, so that the file has the permissions of any other
    with tempfile.TemporaryDirectory(prefix=".mix2stan-", dir=path.parent) as folder:
        temporary = Path(folder) / "fit.nc"
        for name, data in groups.items():
            first = name == next(iter(groups))
            data.assign_attrs(known if name == "posterior" else {}).to_netcdf(
                temporary, group=name, mode="w" if first else "a", engine="h5netcdf"
            )
        temporary.replace(path)
    return path


def load(path: Path, further: str) -> tuple[dict[str, Any], str]:
    """Read what :func:`save` wrote: the groups, ``further`` if it is there, and ``about``.

    Raises:
        Mix2stanError: if the file is missing, or not what was written.
    """
    import xarray as xr

    if not path.is_file():
        raise Mix2stanError(f"there is no file {path}")
    groups = {}
    for name in ("posterior", "sample_stats", further):
        try:
            with xr.open_dataset(path, group=name, engine="h5netcdf") as data:
                groups[name] = data.load()
        except Exception as error:  # of damaged bytes HDF5 and xarray make errors of many kinds
            if name == further and isinstance(error, OSError) and groups:
                continue
            raise not_ours(path) from error
    attributes = groups["posterior"].attrs
    about, digest = (str(attributes.pop(name, "")) for name in (_ABOUT, _DIGEST))
    if not about:
        raise not_ours(path)
    if digest != _digest(groups, about):
        raise Mix2stanError(
            f"{path} is damaged: it does not hold what was saved",
            hint="take a copy, or sample again",
        )
    return groups, about


def not_ours(path: Path) -> Mix2stanError:
    """What a file is answered with that cannot be read as a fit."""
    return Mix2stanError(f"{path} is damaged, or not a fit that mix2stan saved")


def _digest(groups: Mapping[str, Any], about: str) -> str:
    """A digest of all that a file holds, the same before it is written and after it is read."""
    found = hashlib.sha256(about.encode(errors="surrogatepass"))
    for name in sorted(groups):
        data = groups[name]
        attributes = {k: np.asarray(v).tolist() for k, v in data.attrs.items() if k != _ABOUT}
        found.update(json.dumps([name, attributes], sort_keys=True).encode())
        for variable in sorted(data.variables):
            values = np.asarray(data[variable].values)
            found.update(json.dumps([variable, data[variable].dims, values.shape]).encode())
            if values.dtype.kind in "OUS":
                found.update(json.dumps(list(map(str, values.ravel()))).encode())
            else:
                kind = np.float64 if values.dtype.kind == "f" else np.int64
                found.update(np.ascontiguousarray(values.astype(kind)).tobytes())
    return found.hexdigest()


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
