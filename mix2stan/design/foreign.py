"""Data frames of other libraries, as pandas ones: polars, Arrow, and what narwhals knows."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import narwhals.selectors as columns
import numpy as np
import pandas as pd

from mix2stan.errors import DataError

__all__ = ["arrow_in_pandas", "in_pandas", "is_frame"]


def is_frame(given: object) -> bool:
    """Whether it is a data frame; one of Dask is not, whose rows are not here."""
    if isinstance(given, pd.DataFrame):
        return True
    if nw.dependencies.is_dask_dataframe(given):
        return False
    return isinstance(nw.from_native(given, pass_through=True), nw.DataFrame | nw.LazyFrame)


def in_pandas(given: Any) -> Any:
    """A data frame of any library as pandas', and anything else as it is.

    A lazy frame is collected.  Columns become what the library's own ``to_pandas`` makes of them: a
    dictionary of Arrow is a factor with its levels in its order, ordered if that is; polars' ``Enum``
    an ordered factor.  Integers stay integers where values are missing, and dates dates; decimal
    numbers are numbers, and polars' ``Categorical``, which declares no levels, is sorted, as strings
    are.

    Raises:
        DataError: if the library cannot make a pandas frame without pyarrow.

    >>> import pyarrow as pa
    >>> in_pandas(pa.table({"g": ["b", "a"], "x": [1, None]}))["x"].tolist()
    [1, <NA>]
    >>> in_pandas("no frame")
    'no frame'
    """
    if isinstance(given, pd.DataFrame) or not is_frame(given):
        return given
    frame = nw.from_native(given)
    whole = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    exact = {name: whole[name] for name in whole.columns if _is_exact(whole[name])}
    if whole.implementation.is_polars():
        # its levels would stand in the order of their first rows
        whole = whole.with_columns(columns.categorical().cast(nw.String))
    try:
        rest = whole.select([name for name in whole.columns if name not in exact]).to_pandas()
    except ImportError as error:
        hint = "pip install 'mix2stan[parquet]', or give data.to_pandas()"
        raise DataError(f"a {type(given).__name__} needs pyarrow: {error}", hint=hint) from None
    if not exact:
        return rest
    found = {n: _exactly(exact[n]) if n in exact else rest[n] for n in whole.columns}
    return pd.DataFrame(found)


#: What pandas has as Python's objects, if it is to be what it is.
_AS_OBJECTS = (nw.Int128, nw.UInt128, nw.Date)


def _is_exact(column: nw.Series[Any]) -> bool:
    """Whether pandas would make something else of a column, or cannot have it."""
    if column.dtype in _AS_OBJECTS:
        return True
    return column.dtype.is_integer() and column.null_count() > 0


def _exactly(column: nw.Series[Any]) -> pd.Series:
    """Whole numbers as pandas' nullable ones; those it has no type for, and dates, as Python's."""
    if column.dtype in _AS_OBJECTS:
        return pd.Series(column.to_list(), dtype=object)
    missing, known = column.is_null().to_numpy(), column.fill_null(0).to_numpy()
    return pd.Series(pd.arrays.IntegerArray(np.array(known), np.array(missing)))


def arrow_in_pandas(table: Any) -> pd.DataFrame:
    """A table of Arrow as pandas', integers with missing values still integers."""
    import pyarrow

    types = {pyarrow.int64(): pd.Int64Dtype(), pyarrow.uint64(): pd.UInt64Dtype()}
    return pd.DataFrame(table.to_pandas(ignore_metadata=True, types_mapper=types.get))
