"""A Dask cluster by its address."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor

from mix2stan.errors import Mix2stanError

__all__ = ["dask_executor"]

_SECONDS = "10s"


@contextlib.contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """An executor of the cluster whose scheduler is at an address, as ``tcp://host:8786``.

    Raises:
        Mix2stanError: if Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        hint = "pip install 'mix2stan[dask]'"
        raise Mix2stanError("Dask is not installed", hint=hint) from error
    try:
        client = Client(address, timeout=_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise Mix2stanError(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        yield client.get_executor()
