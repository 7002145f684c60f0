"""R's functions of dates, and the refusal of what could be days or seconds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mix2stan.design.column import Column
from mix2stan.design.evaluate import Evaluation
from mix2stan.errors import FormulaError
from mix2stan.syntax import Call, Node

__all__ = ["as_date"]

#: The spellings of dates that R's ``as.Date`` reads.
_FORMATS = ("%Y-%m-%d", "%Y/%m/%d")
_DAY = 86_400 * 10**9


def as_date(evaluation: Evaluation, call: Call, arguments: Mapping[str, Node]) -> Column:
    """``as.Date(x)``: the day of a point in time, where its clocks are; of text, written as R does."""
    column = evaluation.column(arguments["x"])
    if column.is_factor:
        days = _read(column.levels, call)
        known = np.array([*days, np.nan])[column.values]
    elif column.exact is not None and column.unit.partition(" ")[0] in ("date", "time"):
        zone = column.unit.partition(" ")[2]
        points = pd.DatetimeIndex(column.exact.astype("datetime64[ns]"))
        local = points.tz_localize("UTC").tz_convert(zone) if zone else points
        known = np.asarray(local.tz_localize(None).normalize().as_unit("s").asi8) / 86_400
        known = np.where(column.missing, np.nan, known)
    else:
        known = np.floor(column.numbers())
    missing = np.isnan(known)
    return Column.whole(np.where(missing, 0, known).astype(np.int64) * _DAY, missing, "date")


def _read(levels: tuple[str, ...], call: Call) -> list[float]:
    """Days since 1970, NaN for what is no date; the first level decides on the spelling."""
    for form in _FORMATS:
        found = pd.to_datetime(pd.Index(levels, dtype=object), format=form, errors="coerce")
        if len(found) and not found.isna()[0]:
            days = found.as_unit("s").asi8 / 86_400
            return [float(day) for day in np.where(found.isna(), np.nan, days)]
    hint = "they are written 2026-01-31 or 2026/01/31"
    raise FormulaError(f"{call} finds no dates", span=call.span, hint=hint)
