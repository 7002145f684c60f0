"""Chains as tasks: the same draws wherever they run, and runs that go on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import mix2stan as m2s
from tests.conftest import FIXTURES, table

HOW = {"chains": 3, "warmup": 100, "draws": 50, "seed": 4, "engine": "stanli"}


@pytest.fixture(scope="module")
def model():
    return m2s.model("lmer(Yield ~ 1 + (1 | Batch))", table("Dyestuff"))


def same(a, b):
    for name in a.posterior.data_vars:
        np.testing.assert_array_equal(a.posterior[name], b.posterior[name])


def test_draws_do_not_depend_on_where_chains_ran(model, tmp_path):
    with ThreadPoolExecutor(1) as here:
        first = model.sample(**HOW, executor=here)
        assert np.unique(first.posterior["sigma"].values).size > 140
        # what a run that was stopped has
        whole = model.sample(**HOW, executor=here, out=tmp_path / "run")
        (tmp_path / "run" / "chain-2.npz").unlink()
        again = model.sample(**{**HOW, "seed": None}, executor=here, out=tmp_path / "run")
    same(first, whole)
    same(first, again)
    local = model.sample(**HOW, out=tmp_path / "local")
    same(first, local)


def test_the_posterior_is_that_of_chains_in_one_process(model):
    how = {**HOW, "chains": 4, "warmup": 300, "draws": 500}
    with ThreadPoolExecutor(1) as here:
        apart = model.sample(**how, executor=here).summary()
    together = model.sample(**how).summary()
    error = np.sqrt(
        apart["sd"] ** 2 / apart["ess_bulk"] + together["sd"] ** 2 / together["ess_bulk"]
    )
    assert (abs(apart["mean"] - together["mean"]) < 5 * error).all()


def test_another_request_is_refused(model, tmp_path):
    with ThreadPoolExecutor(1) as here:
        model.sample(**HOW, executor=here, out=tmp_path)
        with pytest.raises(m2s.Mix2stanError, match="draws was 50, now 60"):
            model.sample(**{**HOW, "draws": 60}, executor=here, out=tmp_path)


def fit(folder, *more):
    data = FIXTURES / "data" / "sleepstudy.csv"
    call = "lmer(Reaction ~ Days + (Days | Subject))"
    command = [
        sys.executable,
        "-m",
        "mix2stan",
        "fit",
        call,
        "--data",
        str(data),
        "--engine",
        "stanli",
    ]
    return subprocess.Popen(
        [*command, "--strategy", "noncentred", "--chains", "4", "--out", str(folder), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_run_that_was_interrupted_goes_on(tmp_path):
    how = ("--warmup", "1000", "--draws", "1000", "--seed", "3")
    process = fit(tmp_path, *how)
    while len(list(tmp_path.glob("chain-*.npz"))) < 2 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1 and "chains that finished are in" in said
    kept = {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("chain-*.npz")}
    assert 2 <= len(kept) < 4 and not (tmp_path / "fit.nc").exists()
    again = fit(tmp_path, *how)
    again.communicate(timeout=600)
    assert again.returncode == 0
    assert all((tmp_path / n).stat().st_mtime_ns == t for n, t in kept.items())
    assert m2s.load(tmp_path / "fit.nc").posterior.sizes["chain"] == 4
    other = fit(tmp_path, "--warmup", "500", "--draws", "1000", "--seed", "3")
    _, said = other.communicate(timeout=60)
    assert other.returncode == 1 and "another request" in said
