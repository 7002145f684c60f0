"""Data files: CSV (also compressed), Parquet, and the column types beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any

import pandas as pd

from mix2stan.design.column import LARGEST
from mix2stan.errors import DataError

__all__ = ["read_table"]

_MISSING: dict[str, Any] = {"na_values": ["NA", ""], "keep_default_na": False}
_FACTOR_TYPES = ("factor", "ordered")
_TYPES = ("numeric", "integer", "logical", "character", *_FACTOR_TYPES)


def read_table(source: str | Path | IO[bytes], columns: str | Path | None = None) -> pd.DataFrame:
    """Read a data file.

    In a CSV file ``NA`` and nothing mean a missing value; whole numbers stay exact beside them, however
    large.  A file ``NAME.json`` beside ``NAME.csv``, or
    the one given, says what the columns are: ``{"columns": {"g": {"type": "factor", "levels":
    ["b", "a"]}}}`` with the types numeric, integer, logical, character, factor and ordered.

    Args:
        source: a path, or a binary stream of CSV text.
        columns: the path of the file with column types, if it is not beside the data.

    Raises:
        DataError: if a file is missing or cannot be read.

    >>> from io import BytesIO
    >>> read_table(BytesIO(b"y,g\\n1.5,a\\nNA,b"))["y"].tolist()
    [1.5, nan]
    """
    types = _column_types(source, columns)
    as_strings = {c: "str" for c, t in types.items() if t["type"] in (*_FACTOR_TYPES, "character")}
    try:
        if not hasattr(source, "read") and Path(str(source)).suffix in (".parquet", ".pq"):
            df = pd.read_parquet(str(source))
        else:
            df = pd.read_csv(source, dtype=as_strings, **_MISSING)
            df = _with_exact_integers(df, source)
    except FileNotFoundError:
        raise DataError(f"there is no file {source}") from None
    except ImportError as error:
        raise DataError(f"{source} cannot be read: {error}", hint="install pyarrow") from None
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{source} cannot be read: {str(error).strip()}") from None
    for name, described in types.items():
        if name not in df.columns:
            raise DataError(f"{source} has no column {name!r}, which its column types describe")
        df[name] = _typed(df[name], described, name)
    return df


def _with_exact_integers(df: pd.DataFrame, source: Any) -> pd.DataFrame:
    """The table with long integers as they are written, which pandas made floats for a missing one."""
    floats = df.select_dtypes("float")
    long = [name for name in floats if (floats[name].abs() >= LARGEST).any()]
    if not long:
        return df
    if hasattr(source, "read"):
        source.seek(0)
    written = pd.read_csv(source, dtype=str, usecols=long, **_MISSING)
    for name in long:
        words = written[name]
        if words.dropna().str.fullmatch(r"\s*[+-]?[0-9]+\s*").all():
            df[name] = pd.Series([w if pd.isna(w) else int(w) for w in words], dtype=object)
    return df


def _column_types(source: object, columns: str | Path | None) -> dict[str, dict[str, Any]]:
    if columns is not None:
        path = Path(columns)
        if not path.is_file():
            raise DataError(f"there is no file {path}")
    elif hasattr(source, "read"):
        return {}
    else:
        path = Path(str(source).removesuffix(".gz")).with_suffix(".json")
        if not path.is_file():
            return {}
    try:
        types = json.loads(path.read_text(encoding="utf-8"))["columns"]
        unknown = [t["type"] for t in types.values() if t["type"] not in _TYPES]
    except (KeyError, TypeError, AttributeError, ValueError):
        if columns is None:
            return {}
        raise DataError(f"{path} does not describe columns") from None
    if unknown:
        hint = f"the types are {', '.join(_TYPES)}"
        raise DataError(f"{path}: there is no column type {unknown[0]!r}", hint=hint)
    return dict(types)


def _typed(series: pd.Series, described: dict[str, Any], name: str) -> pd.Series:
    kind, levels = described["type"], described.get("levels")
    if kind in _FACTOR_TYPES:
        if levels is None:
            levels = sorted(series.dropna().unique())
        unknown = set(series.dropna().unique()) - set(levels)
        if unknown:
            raise DataError(
                f"{name!r} has the value {min(unknown)!r}, which is not among its levels"
            )
        return pd.Series(
            pd.Categorical(series, categories=levels, ordered=kind == "ordered"), index=series.index
        )
    if kind in ("numeric", "integer"):
        try:
            return pd.to_numeric(series)
        except (ValueError, TypeError):
            raise DataError(f"{name!r} is not numeric") from None
    if kind == "logical":
        return series.map({"TRUE": True, "FALSE": False, True: True, False: False}).astype(
            "boolean"
        )
    return series
