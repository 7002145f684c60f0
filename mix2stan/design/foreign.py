"""Data frames of other libraries, as pandas ones: polars, Arrow, and what narwhals knows."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import narwhals.selectors as columns
import pandas as pd

from mix2stan.errors import DataError

__all__ = ["in_pandas", "is_frame"]


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
    an ordered factor.  Decimal numbers are numbers, and polars' ``Categorical``, which declares no
    levels, is sorted, as strings are.

    Raises:
        DataError: if the library cannot make a pandas frame without pyarrow.

    >>> import pyarrow as pa
    >>> in_pandas(pa.table({"g": ["b", "a"], "x": [1, None]}))["x"].tolist()
    [1.0, nan]
    >>> in_pandas("no frame")
    'no frame'
    """
    if isinstance(given, pd.DataFrame) or not is_frame(given):
        return given
    frame = nw.from_native(given)
    whole = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    # pandas has objects where these are, which would be read as levels of a factor
    whole = whole.with_columns(
        columns.by_dtype(nw.Decimal).cast(nw.Float64), columns.by_dtype(nw.Date).cast(nw.Datetime)
    )
    if whole.implementation.is_polars():
        # its levels would stand in the order of their first rows
        whole = whole.with_columns(columns.categorical().cast(nw.String))
    try:
        return whole.to_pandas()
    except ImportError as error:
        hint = "pip install 'mix2stan[parquet]', or give data.to_pandas()"
        raise DataError(f"a {type(given).__name__} needs pyarrow: {error}", hint=hint) from None
