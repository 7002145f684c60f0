"""Columns of new data as what the columns of a fit are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mix2stan.design.column import Column
from mix2stan.errors import DataError

__all__ = ["align"]


def align(new: Column, old: Column, name: str) -> Column:
    """A new column of the old one's type; the old one's levels first, whatever else there is after."""
    if old.kind in ("factor", "ordered"):
        factor = new.as_factor()
        extra = tuple(level for level in factor.levels if level not in set(old.levels))
        levels = old.levels + extra
        place = {level: i for i, level in enumerate(levels)}
        table = np.array([place[level] for level in factor.levels] + [-1], dtype=np.int64)
        return Column(old.kind, table[factor.values], levels, text=old.text)
    if new.kind in ("factor", "ordered"):
        if new.missing.all():
            return Column.numeric(np.full(len(new), np.nan))
        what = "numbers" if old.kind == "numeric" else "truth values"
        what = "times" if old.unit else what
        message = f"the new data have a factor {name!r}, where the fit has {what}"
        raise DataError(message, hint=_of_levels(new, old, name))
    if old.kind == "logical" and new.kind == "numeric":
        return Column.logical(np.nan_to_num(new.values) != 0, np.isnan(new.values))
    if old.kind == "logical":
        return new
    if new.unit and new.unit != old.unit and not {new.unit, old.unit} <= {"date", "time"}:
        kinds = [c.unit or "plain numbers" for c in (new, old)]
        message = f"{name!r} is of another kind in the new data ({kinds[0]}) than in the fit"
        raise DataError(message, hint=f"the fit has {kinds[1]}")
    if new.kind == "logical":
        return Column.numeric(new.numbers())
    if old.unit:
        return Column.counted(new, old.unit)
    return new.exactly() if old.exact is not None else new


def _of_levels(new: Column, old: Column, name: str) -> str | None:
    """How a column of text could be what the fit has."""
    column = f"newdata[{name!r}]"
    if old.unit:
        return f"{column} = pd.to_datetime({column})"
    if old.kind == "logical":
        return None
    read = pd.to_numeric(pd.Series(new.used_levels().levels, dtype=object), errors="coerce")
    if not read.isna().any():
        return f"{column} = pd.to_numeric({column})"
    taken = old.exact if old.exact is not None else old.values[~old.missing]
    free = int(np.max(taken, initial=0)) + 1
    odd = new.levels[int(np.flatnonzero(read.isna())[0])]
    return (
        f"{odd!r} is no number; if {name} is a group, a new level is a new number, such as {free}"
    )
