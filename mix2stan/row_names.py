"""What rows are called, which is the index of their data frame: in files, and in xarray."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["coordinate", "index_from_parts", "index_parts", "storable"]

#: What can stand in JSON as it is.
_PLAIN = (str, int, float, bool, type(None))


def coordinate(index: pd.Index, dim: str) -> Any:
    """The coordinates of a dimension along rows, to be given to xarray."""
    import xarray as xr

    if isinstance(index, pd.MultiIndex):
        return xr.Coordinates.from_pandas_multiindex(_unlike(index, dim), dim)
    return {dim: np.asarray(index)}


def _unlike(index: pd.MultiIndex, dim: str) -> pd.MultiIndex:
    """With names for all levels, none of them a dimension's."""
    taken = ("chain", "draw", "category", dim)
    names = [
        f"{dim}_{i}" if name is None or str(name) in taken else str(name)
        for i, name in enumerate(index.names)
    ]
    return index.set_names(names)


def storable(data: Any, dim: str) -> Any:
    """A dataset whose variables and rows are called what a NetCDF file can hold."""
    # a slash would be a group of the file
    data = data.rename({name: str(name).replace("/", "\u2215") for name in data.data_vars})
    if dim not in data.indexes:
        return data
    index = data.indexes[dim]
    if isinstance(index, pd.MultiIndex):
        return data.reset_index(dim)
    held = index.inferred_type in ("integer", "floating", "string", "datetime64", "empty")
    return data if held else data.assign_coords({dim: np.asarray(index.astype(str))})


# -- files -----------------------------------------------------------------------------------------


def index_parts(index: pd.Index) -> tuple[list[dict[str, Any]], dict[str, NDArray[Any]]]:
    """A JSON-able part for every level, and the values of those that are numbers or times."""
    about, values = [], {}
    for k in range(index.nlevels):
        level = index.get_level_values(k)
        name = level.name if isinstance(level.name, _PLAIN) else str(level.name)
        one: dict[str, Any] = {"name": name}
        if isinstance(level, pd.DatetimeIndex | pd.TimedeltaIndex):
            one["unit"] = level.unit
            one["zone"] = str(getattr(level, "tz", None) or "")
            one["kind"] = "point" if isinstance(level, pd.DatetimeIndex) else "span"
            values[f"index_{k}"] = level.asi8
        elif isinstance(level, pd.PeriodIndex):
            one |= {"kind": "periods", "unit": level.freqstr}
            values[f"index_{k}"] = level.asi8
        elif isinstance(level.dtype, np.dtype) and level.dtype.kind in "iuf":
            one["kind"] = "numbers"
            values[f"index_{k}"] = level.to_numpy()
        else:
            one |= {"kind": "objects", "values": [_encoded(v) for v in level.astype(object)]}
        about.append(one)
    return about, values


def index_from_parts(about: list[dict[str, Any]], values: Mapping[str, NDArray[Any]]) -> pd.Index:
    """The inverse of :func:`index_parts`.

    Raises:
        KeyError, TypeError, ValueError: if it is not that of an index.
    """
    levels = [_level(one, values.get(f"index_{k}")) for k, one in enumerate(about)]
    names = [one["name"] for one in about]
    if len(levels) == 1:
        alone: pd.Index = levels[0].rename(names[0])
        return alone
    return pd.MultiIndex.from_arrays(levels, names=names)


def _level(one: Mapping[str, Any], values: NDArray[Any] | None) -> pd.Index:
    if one["kind"] == "objects":
        objects: pd.Index = pd.Index([_decoded(v) for v in one["values"]])
        return objects
    if values is None:
        raise ValueError("an index without values")
    if one["kind"] == "numbers":
        numbers: pd.Index = pd.Index(values)
        return numbers
    stored = values.astype(np.int64)
    if one["kind"] == "periods":
        made: list[Any] = [pd.Period(ordinal=i, freq=one["unit"]) for i in stored.tolist()]
        periods: pd.Index = pd.Index(made)
        return periods
    if one["kind"] == "span":
        return pd.TimedeltaIndex(stored.view(f"timedelta64[{one['unit']}]"))
    points = pd.DatetimeIndex(stored.view(f"datetime64[{one['unit']}]"))
    return points.tz_localize("UTC").tz_convert(one["zone"]) if one["zone"] else points


def _encoded(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return {"date": value.isoformat()}
    if isinstance(value, tuple):
        return [_encoded(v) for v in value]
    return value if isinstance(value, _PLAIN) and value == value else str(value)


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        return datetime.date.fromisoformat(value["date"])
    return tuple(_decoded(v) for v in value) if isinstance(value, list) else value
