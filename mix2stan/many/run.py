"""Runs tasks to their end: again when they fail, kept when there is a store."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from mix2stan.counts import MAX_SEED, whole
from mix2stan.errors import Mix2stanError
from mix2stan.many.places import Broken, Place, place_of
from mix2stan.many.store import Arrays, NotKept, Store

__all__ = ["Failure", "Work", "arrays_or_raise", "run_many", "seed_of"]

#: How often a task is tried.
_ATTEMPTS = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """A task that failed every time it was tried; ``error`` is the last reason."""

    error: BaseException
    attempts: int

    def __str__(self) -> str:
        times = "once" if self.attempts == 1 else f"{self.attempts} times"
        first = str(self.error).strip() or type(self.error).__name__
        return f"failed {times}: {first}"


@dataclass(frozen=True, eq=False)
class Work:
    """``function(shared, item)`` for every item.

    Attributes:
        function: a function of a module, returning arrays by name.
        shared: what all tasks need, sent to every process once.
        items: what each task needs besides, its seed included.
        what: the name of a task, for the progress bar and errors.
    """

    function: Callable[[Any, Any], Arrays]
    shared: Any
    items: Sequence[Any]
    what: str


def seed_of(seed: int, *place: int) -> np.random.SeedSequence:
    """The seed of a task: the one ``SeedSequence(seed).spawn`` gives at that place."""
    return np.random.SeedSequence(whole("seed", seed, 0, MAX_SEED), spawn_key=place)


def run_many(
    work: Work,
    *,
    executor: Executor | None = None,
    store: Store | None = None,
    progress: bool | Callable[[int], None] | None = None,
) -> list[Arrays | Failure]:
    """All results, in the order of the items.

    A task that raises, or whose process dies, is tried up to three times.  After a death those that
    ran beside it are tried one at a time, so that only the guilty one is blamed.

    Args:
        work: the tasks.
        executor: where they run; local processes if None.  It is left open.
        store: keeps each result as it comes; those it has already are not computed again.
        progress: show a bar on standard error, None if that is a terminal; or a function that is
            called with the number of each task, from 0, when it has its result.

    Raises:
        Mix2stanError: if the store cannot be written; what had finished before is in it.
    """
    kept = {} if store is None else store.results(len(work.items))
    results: dict[int, Arrays | Failure] = dict(kept)
    waiting = [i for i in range(len(work.items)) if i not in kept]
    if kept:
        _log.info("%d of %d %ss were there already", len(kept), len(work.items), work.what)
    if not waiting:
        return [results[i] for i in range(len(work.items))]
    place = place_of(executor, work.shared, len(waiting))
    with _shown(work.what, len(work.items), progress) as show, contextlib.ExitStack() as cleanup:
        cleanup.callback(place.close)
        for i in kept:
            show(i)
        for i, result in _Loop(place, work, waiting, store).run():
            if store is not None and not place.keeps and not isinstance(result, Failure):
                store.put(i, result)
            results[i] = result
            show(i)
    return [results[i] for i in range(len(work.items))]


class _Loop:
    """Tasks waiting, under way, and suspected of killing their process."""

    def __init__(
        self, place: Place, work: Work, waiting: Sequence[int], store: Store | None
    ) -> None:
        self._place = place
        self._store = store
        self._work = work
        self._waiting = deque(waiting)
        self._suspects: deque[int] = deque()
        self._running: dict[Future[Arrays], int] = {}
        self._tries = dict.fromkeys(waiting, 0)

    def run(self) -> Iterator[tuple[int, Arrays | Failure]]:
        while self._waiting or self._suspects or self._running:
            try:
                self._fill()
            except Broken as error:
                yield from self._after_death([], error)
                continue
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            died: list[int] = []
            death: BaseException | None = None
            for future in done:
                i = self._running.pop(future)
                try:
                    yield i, future.result()
                except Broken as error:
                    died, death = [*died, i], error
                except NotKept:
                    raise
                except Exception as error:
                    yield from self._again(i, error, self._waiting)
            if death is not None:
                yield from self._after_death(died, death)

    def _fill(self) -> None:
        """Suspects run alone; others as many as fit."""
        while len(self._running) < (1 if self._suspects else self._place.width):
            queue = self._suspects or self._waiting
            if not queue:
                return
            i = queue[0]
            keep = None if self._store is None else functools.partial(self._store.put, i)
            future = self._place.submit(self._work.function, self._work.items[i], keep)
            self._running[future] = queue.popleft()

    def _again(
        self, i: int, error: BaseException, queue: deque[int]
    ) -> Iterator[tuple[int, Failure]]:
        self._tries[i] += 1
        _log.warning("%s %d failed, try %d: %s", self._work.what, i + 1, self._tries[i], error)
        if self._tries[i] < _ATTEMPTS:
            queue.append(i)
        else:
            yield i, Failure(error, self._tries[i])

    def _after_death(self, died: list[int], error: BaseException) -> Iterator[tuple[int, Failure]]:
        """All that were under way may have done it, or none of them."""
        died = sorted([*died, *self._running.values()])
        self._running.clear()
        alone = len(died) == 1
        numbers = ", ".join(str(i + 1) for i in died)
        _log.warning("a process died running %s %s", self._work.what, numbers)
        if not self._place.restart():
            message = f"the executor lost its workers while running {self._work.what}s"
            raise Mix2stanError(message, hint=str(error)) from error
        for i in died:
            if alone:
                yield from self._again(i, error, self._suspects)
            else:
                self._suspects.append(i)


@contextlib.contextmanager
def _shown(
    what: str, total: int, wanted: bool | Callable[[int], None] | None
) -> Iterator[Callable[[int], None]]:
    """What is called with the number of every task that is done."""
    console = Console(stderr=True)
    if callable(wanted):
        yield wanted
    elif console.is_terminal if wanted is None else wanted:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        # standard output and error are the program's, which may have other threads
        with Bars(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as bars:
            task = bars.add_task(f"{what}s", total=total)
            yield lambda i: bars.advance(task)
    else:
        yield lambda i: None


def arrays_or_raise(results: Sequence[Arrays | Failure], what: str) -> list[Arrays]:
    """All results, if there are.

    Raises:
        Mix2stanError: naming the first task that failed.
    """
    found: list[Arrays] = []
    for i, result in enumerate(results):
        if isinstance(result, Failure):
            raise Mix2stanError(f"{what} {i + 1} {result}") from result.error
        assert isinstance(result, Mapping)
        found.append(result)
    return found
