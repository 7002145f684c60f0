"""A Dask cluster on this machine: a scheduler and two worker processes, one of which is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s
from mix2stan.many import Work, run_many
from mix2stan.many.dask import dask_executor
from tests.conftest import table

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=50,
    ) as cluster:
        yield cluster


def slow_square(folder, item):
    time.sleep(0.3)
    (Path(folder) / f"{item}-{os.getpid()}").touch()
    return {"square": np.array(item**2)}


@pytest.mark.slow
def test_a_worker_that_is_killed_has_its_tasks_run_again(cluster, tmp_path):
    with distributed.Client(cluster) as client:
        pids = list(client.run(os.getpid).values())
        assert len(set(pids)) == 2

        def kill():
            while len(list(tmp_path.iterdir())) < 4:
                time.sleep(0.05)
            os.kill(pids[0], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        work = Work(slow_square, str(tmp_path), range(16), "square")
        results = run_many(work, executor=client.get_executor())
        killer.join()
        assert [int(r["square"]) for r in results] == [i**2 for i in range(16)]
        ran = {int(p.name.split("-")[1]) for p in tmp_path.iterdir()}
        assert set(pids) <= ran


@pytest.mark.slow
def test_draws_and_replicates_are_those_of_this_machine(cluster):
    model = m2s.model("lmer(Yield ~ 1 + (1 | Batch))", table("Dyestuff"))
    how = {"chains": 2, "warmup": 100, "draws": 50, "seed": 4, "engine": "stanli"}
    with ThreadPoolExecutor(1) as here, dask_executor(cluster.scheduler_address) as there:
        one, other = (model.sample(**how, executor=e) for e in (here, there))
        for name in one.posterior.data_vars:
            np.testing.assert_array_equal(one.posterior[name], other.posterior[name])
        one, other = (model.bootstrap(25, seed=1, executor=e) for e in (here, there))
        pd.testing.assert_frame_equal(one.replicates, other.replicates, rtol=1e-9)


def test_a_scheduler_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr("mix2stan.many.dask._SECONDS", "1s")
    with (
        pytest.raises(m2s.Mix2stanError, match="no Dask scheduler answers"),
        dask_executor("tcp://127.0.0.1:9"),
    ):
        pass
