"""Scaling of many fits: ``python -m tests.bench.machines`` prints seconds on one and two workers.

A bootstrap of 400 replicates and a 10-fold cross-validation of sleepstudy, on local processes and on
a Dask cluster of worker processes on this machine.  Starting the workers is not counted for Dask.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context

import mix2stan as m2s
from tests.conftest import table

CALL = "lmer(Reaction ~ Days + (Days | Subject))"


def bootstrap(executor: Executor) -> None:
    model = m2s.model(CALL, table("sleepstudy"))
    model.bootstrap(400, seed=1, executor=executor)


def kfold(executor: Executor) -> None:
    model = m2s.model(CALL, table("sleepstudy"))
    model.kfold(10, seed=1, engine="stanli", executor=executor)


def seconds(work: Callable[[Executor], None], executor: Executor) -> float:
    start = time.perf_counter()
    work(executor)
    return time.perf_counter() - start


def local(workers: int, work: Callable[[Executor], None]) -> float:
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        return seconds(work, executor)


def dask(workers: int, work: Callable[[Executor], None]) -> float:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        return seconds(work, client.get_executor())


def main() -> None:
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    places: dict[str, Callable[[int, Callable[[Executor], None]], float]] = {"processes": local}
    try:
        import distributed  # noqa: F401

        places["Dask"] = dask
    except ImportError:
        print("Dask is not installed: pip install 'mix2stan[dask]'")
    for name, place in places.items():
        for work in (bootstrap, kfold):
            one, two = place(1, work), place(2, work)
            print(f"{name:<10} {work.__name__:<10} {one:6.1f} s {two:6.1f} s  x {one / two:.2f}")


if __name__ == "__main__":
    main()
