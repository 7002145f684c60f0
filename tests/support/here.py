"""Many fits without other processes: each runs when it is submitted."""

from __future__ import annotations

from concurrent.futures import Executor, Future

import pytest

from mix2stan.many import run
from mix2stan.many.places import place_of


class Here(Executor):
    """An executor that does everything at once, in the thread that asks."""

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def everything_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what would start local processes run here instead."""
    monkeypatch.setattr(run, "place_of", lambda e, shared, n: place_of(e or Here(), shared, n))
