"""Data frames as tables of a document."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mix2stan.documents.nodes import Table

__all__ = ["table_of"]


def table_of(frame: pd.DataFrame | pd.Series, rows: int | None = None) -> Table:
    """A table: the index first, numbers to four digits, nothing where there is no value.

    Args:
        frame: what is shown; a series is a frame of one column.
        rows: only the first so many.
    """
    frame = frame.to_frame() if isinstance(frame, pd.Series) else frame
    frame = frame if rows is None else frame.iloc[:rows]
    head = [*("" if n is None else str(n) for n in frame.index.names), *map(str, frame.columns)]
    lines = []
    for key, values in zip(frame.index, frame.itertuples(index=False, name=None), strict=True):
        keys = key if isinstance(key, tuple) else (key,)
        lines.append(tuple(map(_shown, (*keys, *values))))
    return Table(tuple(head), tuple(lines))


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
