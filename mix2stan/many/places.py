"""Where tasks run: local processes, any executor, a Dask cluster.  One row of ``PLACES`` each."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any, Protocol

from mix2stan.errors import Mix2stanError

__all__ = ["Keep", "Place", "cores", "place_of"]

#: One thread of linear algebra per process: the processes are the parallelism, and sums do not
#: depend on the number of threads.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


#: Keeps the result of a task; raises :class:`~mix2stan.many.store.NotKept` if it cannot.
Keep = Callable[[Any], None]


class Place(Protocol):
    """Runs ``function(shared, item)`` somewhere, the shared part sent once.

    Attributes:
        width: how many tasks are worth having under way.
        keeps: whether tasks keep their results themselves, before they are handed over.
    """

    width: int
    keeps: bool

    def submit(
        self, function: Callable[[Any, Any], Any], item: Any, keep: Keep | None
    ) -> Future[Any]:
        """Start a task; ``keep`` is called with its result, if the place does that."""

    def restart(self) -> bool:
        """Begin again after workers died; False if that cannot be done here."""

    def close(self) -> None:
        """Give up what is still running."""


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def place_of(executor: Executor | None, shared: Any, tasks: int) -> Place:
    """The place for an executor; local processes if there is none."""
    if executor is None:
        return _LocalProcesses(shared, min(cores(), tasks))
    if not isinstance(executor, Executor):
        raise Mix2stanError(
            f"executor has to be a concurrent.futures.Executor, not {type(executor).__name__}",
            hint="of a Dask client: client.get_executor()",
        )
    for module, make in PLACES:
        if type(executor).__module__.partition(".")[0] == module:
            return make(executor, shared)
    return _AnyExecutor(executor, shared)


# -- local processes -------------------------------------------------------------------------------

#: What a local worker was sent, set once by :func:`_receive`.
_shared: Any = None


def _receive(shared: bytes) -> None:
    global _shared
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Ctrl-C is the parent's, which then stops its workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _shared = pickle.loads(shared)


def _end_with_parent() -> None:
    """Ends this process when the one that began it has ended, however that was.

    A parent that is killed says nothing, and a worker that waits for its next task waits for ever.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _run_here(function: Callable[[Any, Any], Any], item: Any, keep: Keep | None) -> Any:
    result = function(_shared, item)
    if keep is not None:
        keep(result)
    return result


class _LocalProcesses:
    """Fresh processes on this machine, one per core.

    They keep their results themselves: what has finished is there though the parent has died.
    """

    keeps = True

    def __init__(self, shared: Any, workers: int) -> None:
        self.width = max(1, workers)
        self._bytes = pickle.dumps(shared)
        self._pool = self._begin()

    def _begin(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.width,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_receive,
            initargs=(self._bytes,),
        )

    def submit(
        self, function: Callable[[Any, Any], Any], item: Any, keep: Keep | None
    ) -> Future[Any]:
        with _bare_start():
            return self._pool.submit(_run_here, function, item, keep)

    def restart(self) -> bool:
        self.close()
        self._pool = self._begin()
        return True

    def close(self) -> None:
        # the executor waits for running tasks unless its processes are ended
        workers = list((getattr(self._pool, "_processes", None) or {}).values())
        sent = getattr(getattr(self._pool, "_result_queue", None), "_writer", None)
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()
        if sent is not None:
            # a worker that ended while it sent a result left half of it: its reader is told that no
            # more comes, or waits for it when this process ends
            sent.close()


#: The main module and the environment are one for all threads.
_starting = threading.Lock()


@contextlib.contextmanager
def _bare_start() -> Iterator[None]:
    """Processes begun within do not run the user's script again, and have one thread each.

    A spawned process imports the main module, which starts everything over in a script without
    ``if __name__ == "__main__"``; tasks are functions of this package and need none of it.
    """
    with _starting:
        main = sys.modules["__main__"]
        before = {name: os.environ.get(name) for name in _ONE_THREAD}
        sys.modules["__main__"] = types.ModuleType("__main__")
        os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
        try:
            yield
        finally:
            sys.modules["__main__"] = main
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


# -- other executors -------------------------------------------------------------------------------


class _AnyExecutor:
    """Whatever has the interface; the shared part goes with every task.

    It may be on another machine, which has no such folder: results are kept here.
    """

    keeps = False

    def __init__(self, executor: Executor, shared: Any) -> None:
        self.width = 2 * int(getattr(executor, "_max_workers", cores()))
        self._executor = executor
        self._shared = shared
        self._begun: set[Future[Any]] = set()

    def submit(
        self, function: Callable[[Any, Any], Any], item: Any, keep: Keep | None
    ) -> Future[Any]:
        future = self._executor.submit(function, self._shared, item)
        self._begun.add(future)
        future.add_done_callback(self._begun.discard)
        return future

    def restart(self) -> bool:
        return False

    def close(self) -> None:
        """The executor is the user's and stays; what has not begun is withdrawn."""
        for future in list(self._begun):
            future.cancel()


class _Dask(_AnyExecutor):
    """A Dask cluster: the shared part is scattered to all workers once."""

    def __init__(self, executor: Any, shared: Any) -> None:
        super().__init__(executor, None)
        client = executor._client
        self.width = 2 * max(1, sum(client.nthreads().values()))
        # a copy on every worker, so that one that dies takes nothing along
        self._shared = client.scatter(shared, broadcast=True, hash=False)


#: What makes the place of an executor, by the package it comes from.
PLACES: tuple[tuple[str, Callable[[Any, Any], Place]], ...] = (("distributed", _Dask),)

#: What a dead worker looks like.
Broken = concurrent.futures.BrokenExecutor
