"""How large a design may be: counted before anything is built."""

from __future__ import annotations

__all__ = ["CELLS", "COLUMNS", "most_cells"]

#: What is counted.
CELLS = "cells of a matrix"
#: The most columns a design may have.
COLUMNS = 50_000
#: A matrix of so many cells is small, whatever the data are; and of so many columns.
_SMALL, _NARROW = 50_000_000, 1_000


def most_cells(rows: int) -> int:
    """The most cells a matrix of so many rows may have: a text may not ask for more than it can hold.

    >>> most_cells(180)
    50000000
    """
    return max(_SMALL, _NARROW * rows)
