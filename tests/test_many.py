"""Many tasks: the same results wherever they run, deaths survived, folders that go on."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from mix2stan.errors import Mix2stanError
from mix2stan.many import Failure, Store, Work, fingerprint, run_many, seed_of


def draw(shared, item):
    rng = np.random.default_rng(seed_of(shared, item))
    return {"x": rng.standard_normal(3), "item": np.array(item)}


def fail_at_two(shared, item):
    if item == 2:
        raise ValueError("two is too much")
    return {"item": np.array(item)}


def die_once(folder, item):
    """The second task kills its process the first time."""
    marker = Path(folder) / "died"
    if item == 1 and not marker.exists():
        marker.touch()
        os._exit(9)
    return {"item": np.array(item)}


def die_at_one(folder, item):
    if item == 1:
        os._exit(9)
    return {"item": np.array(item)}


def count(folder, item):
    (Path(folder) / f"ran-{item}-{os.urandom(4).hex()}").touch()
    return {"item": np.array(item)}


def test_results_do_not_depend_on_where_they_ran():
    work = Work(draw, 7, range(5), "draw")
    local = run_many(work)
    with ThreadPoolExecutor(1) as threads:
        other = run_many(work, executor=threads)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        third = run_many(work, executor=processes)
    for a, b, c in zip(local, other, third, strict=True):
        np.testing.assert_array_equal(a["x"], b["x"])
        np.testing.assert_array_equal(a["x"], c["x"])
    children = np.random.SeedSequence(7).spawn(5)
    expected = np.random.default_rng(children[3]).standard_normal(3)
    np.testing.assert_array_equal(local[3]["x"], expected)


def test_a_task_that_always_fails_is_reported_and_the_others_are_not_lost():
    with ThreadPoolExecutor(2) as executor:
        results = run_many(Work(fail_at_two, None, range(4), "task"), executor=executor)
    assert isinstance(results[2], Failure)
    assert str(results[2]) == "failed 3 times: two is too much"
    assert [int(r["item"]) for i, r in enumerate(results) if i != 2] == [0, 1, 3]


def test_a_worker_that_dies_has_its_task_run_again(tmp_path):
    results = run_many(Work(die_once, str(tmp_path), range(4), "task"))
    assert [int(r["item"]) for r in results] == [0, 1, 2, 3]


def test_a_task_that_kills_every_worker_is_the_only_one_blamed(tmp_path):
    results = run_many(Work(die_at_one, str(tmp_path), range(4), "task"))
    assert isinstance(results[1], Failure)
    assert [int(r["item"]) for i, r in enumerate(results) if i != 1] == [0, 2, 3]


def test_an_executor_that_lost_its_workers_is_an_error(tmp_path):
    executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    with executor, pytest.raises(Mix2stanError, match="lost its workers"):
        run_many(Work(die_at_one, str(tmp_path), range(2), "task"), executor=executor)


def test_what_is_no_executor_is_refused():
    with pytest.raises(Mix2stanError, match="get_executor"):
        run_many(Work(draw, 7, range(5), "draw"), executor="tcp://here")


def test_a_folder_goes_on_where_it_stopped(tmp_path):
    ran = tmp_path / "ran"
    ran.mkdir()
    store = Store(tmp_path / "run", "task", {"call": "y ~ x", "seed": 1})
    store.put(0, {"item": np.array(0)})
    (tmp_path / "run" / "task-2.npz").write_bytes(b"PK half a file")
    with ThreadPoolExecutor(1) as executor:
        again = Store(tmp_path / "run", "task", {"call": "y ~ x", "seed": 1})
        results = run_many(Work(count, str(ran), range(3), "task"), executor=executor, store=again)
    assert [int(r["item"]) for r in results] == [0, 1, 2]
    assert sorted(p.name.split("-")[1] for p in ran.iterdir()) == ["1", "2"]
    assert not list((tmp_path / "run").glob(".*"))


def test_another_request_is_refused_and_nothing_overwritten(tmp_path):
    Store(tmp_path / "run", "task", {"call": "y ~ x", "seed": 1})
    before = (tmp_path / "run" / "request.json").read_text()
    with pytest.raises(Mix2stanError, match="nothing is overwritten") as error:
        Store(tmp_path / "run", "task", {"call": "y ~ x + z", "seed": 1})
    assert 'call was "y ~ x", now "y ~ x + z"' in str(error.value)
    assert (tmp_path / "run" / "request.json").read_text() == before


def test_a_folder_that_cannot_be_written_is_an_error_before_any_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Mix2stanError, match="cannot write"):
        Store(tmp_path / "file" / "run", "task", {"seed": 1})


def test_a_full_disk_loses_nothing_finished(tmp_path, monkeypatch):
    store = Store(tmp_path / "run", "task", {"seed": 1})
    store.put(0, {"item": np.array(0)})

    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with ThreadPoolExecutor(1) as executor, pytest.raises(Mix2stanError, match="No space left"):
        run_many(Work(draw, 7, range(3), "task"), executor=executor, store=store)
    monkeypatch.undo()
    again = Store(tmp_path / "run", "task", {"seed": 1})
    assert list(again.results(3)) == [0]


def test_fingerprints_tell_data_apart():
    a = {"y": np.arange(3.0), "N": 3}
    assert fingerprint(a) == fingerprint({"N": 3, "y": np.arange(3.0)})
    assert fingerprint(a) != fingerprint({**a, "y": np.array([0.0, 1.0, 2.5])})
    assert fingerprint("a", "b") != fingerprint("ab")


def test_a_run_that_is_stopped_while_results_are_sent_ends():
    """A worker that is ended half way through a large result leaves nobody waiting for the rest."""
    code = """
import numpy as np
from mix2stan.many.run import Work, run_many
if __name__ == "__main__":
    def stop(i):
        raise KeyboardInterrupt
    run_many(Work(np.full, 3_000_000, range(8), "array"), progress=stop)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode and "KeyboardInterrupt" in done.stderr
