"""Where partitions come from: files of a folder, in this process; or Dask, wherever it computes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import narwhals as nw
import pandas as pd

from mix2stan.design import arrow_in_pandas
from mix2stan.errors import DataError

__all__ = ["DaskFrame", "Parquet", "Source", "source_of"]

Result = TypeVar("Result")

#: Rows of a partition of files, if they have as many.
_ROWS = 500_000


class Source(Protocol):
    """Rows in partitions.

    Attributes:
        names: the columns.
        whole: how to have all rows in memory, said to people.
    """

    names: tuple[str, ...]
    whole: str

    def each(
        self, work: Callable[[pd.DataFrame], Result], columns: tuple[str, ...]
    ) -> Iterator[Result]:
        """What ``work`` makes of some columns of every partition, in the order of the partitions.

        It can be pickled, and may run in another process; partitions may be empty.
        """


def source_of(data: object) -> Source | None:
    """The partitions of what was given as data, also under a name; None if it is in memory.

    Raises:
        DataError: if they cannot be read.
    """
    if isinstance(data, str | Path):
        return Parquet(Path(data))
    rows = next(iter(data.values())) if isinstance(data, Mapping) and len(data) == 1 else data
    return DaskFrame(rows) if nw.dependencies.is_dask_dataframe(rows) else None


class Parquet:
    """The files of a folder, in order of their names, some row groups at a time."""

    whole = "read the folder into a data frame, or a sample of it"

    def __init__(self, folder: Path) -> None:
        try:
            from pyarrow import dataset
        except ImportError as error:
            hint = "pip install 'mix2stan[parquet]'"
            raise DataError("reading Parquet needs pyarrow", hint=hint) from error
        files = sorted(folder.glob("*.parquet"))
        if not files:
            hint = (
                "data are a data frame, or a folder of Parquet files; m2s.read_table() reads others"
            )
            raise DataError(f"there are no Parquet files in {folder}", hint=hint)
        try:
            self._dataset = dataset.dataset([str(f) for f in files], format="parquet")
        except (OSError, ValueError) as error:
            raise DataError(f"{folder} cannot be read: {error}") from error
        self.names: tuple[str, ...] = tuple(self._dataset.schema.names)

    def each(
        self, work: Callable[[pd.DataFrame], Result], columns: tuple[str, ...]
    ) -> Iterator[Result]:
        """See :class:`Source`; here, one after the other."""
        import pyarrow

        held, rows = [], 0
        for batch in self._dataset.to_batches(
            columns=list(columns), batch_size=_ROWS, batch_readahead=1, fragment_readahead=1
        ):
            held.append(batch)
            rows += batch.num_rows
            if rows >= _ROWS:
                table, held, rows = pyarrow.Table.from_batches(held), [], 0
                yield work(arrow_in_pandas(table))
        if rows:
            yield work(arrow_in_pandas(pyarrow.Table.from_batches(held)))


class DaskFrame:
    """A Dask data frame: partitions are worked on by the scheduler that is active."""

    whole = "compute() it into a data frame, or a sample of it"

    def __init__(self, data: Any) -> None:
        self._data = data
        self.names: tuple[str, ...] = tuple(str(name) for name in data.columns)

    def each(
        self, work: Callable[[pd.DataFrame], Result], columns: tuple[str, ...]
    ) -> Iterator[Result]:
        """See :class:`Source`; some partitions at a time, so that what is made of them stays small."""
        import dask

        places = [self.names.index(name) for name in columns]
        partitions = self._data.iloc[:, places].to_delayed()
        # under one name it is sent once
        shared = dask.delayed(work, traverse=False, pure=False)
        apply = dask.delayed(_apply, pure=False)
        width = 4 * _width()
        for start in range(0, len(partitions), width):
            some = [apply(shared, part) for part in partitions[start : start + width]]
            yield from dask.compute(*some)


def _apply(work: Callable[[pd.DataFrame], Result], partition: pd.DataFrame) -> Result:
    return work(partition)


def _width() -> int:
    """How many partitions are worked on at the same time."""
    try:
        from distributed import get_client

        return max(1, sum(int(n) for n in get_client().nthreads().values()))
    except (ImportError, ValueError):
        return os.cpu_count() or 1
