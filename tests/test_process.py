"""The process a fit runs in: what it prints, its workers, what it was asked, and what it keeps."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import mix2stan as m2s
from mix2stan.engines import ChainError
from tests.conftest import table
from tests.support.runs import run

SHORT = {"chains": 2, "warmup": 50, "draws": 20, "engine": "stanli", "progress": False}


@pytest.fixture(scope="module")
def model():
    return m2s.model("lmer(Yield ~ 1 + (1 | Batch))", table("Dyestuff"))


@pytest.fixture(scope="module")
def fit(model):
    return model.sample(**SHORT, seed=1)


# -- standard output -------------------------------------------------------------------------------


def test_fits_in_threads_leave_standard_output_alone(model, fit, capsys):
    out, seen = sys.stdout, []
    how = {**SHORT, "seed": 1, "progress": seen.append}
    threads = [threading.Thread(target=model.sample, kwargs=how) for _ in range(4)]
    for thread in threads:
        thread.start()
    for line in range(20):
        print("during", line)
    for thread in threads:
        thread.join()
    print("after")
    assert sys.stdout is out and {p.chain for p in seen} == {1, 2}
    assert (
        capsys.readouterr().out.split()
        == " ".join([*(f"during {line}" for line in range(20)), "after"]).split()
    )


FIRST_IN_A_THREAD = """\
import threading
import mix2stan as m2s
from tests.support.runs import CALL, DATA
model = m2s.model(CALL, m2s.read_table(DATA))
fit = lambda: model.sample(1, 50, 20, seed=1, engine="stanli", progress=False)
thread = threading.Thread(target=fit)
thread.start()
thread.join()
model.kfold(2, seed=1, chains=1, warmup=50, draws=20, engine="stanli", executor=__import__(
    "tests.support.here", fromlist=["Here"]).Here())
fit(), model.reml("stanli")
try:
    model.approximate(draws=2, seed=1)
except m2s.EngineError as error:
    print(error.message)
"""


def test_a_first_fit_in_a_thread_leaves_the_others_whole():
    command = [sys.executable, "-c", FIRST_IN_A_THREAD]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-300:]
    assert done.stdout.startswith("stanli runs approximations in the thread alone that used it")


# -- workers ---------------------------------------------------------------------------------------


def start(what, out):
    command = [sys.executable, "-m", "tests.support.runs", what, str(out)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def children(parent):
    """The processes that a process began and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, owner = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(owner) == parent and state != "Z":
                found.append(int(entry.name))
    return found


def wait_until(ready, seconds=60):
    end = time.monotonic() + seconds
    while not ready() and time.monotonic() < end:
        time.sleep(0.02)
    return ready()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes are looked up")
@pytest.mark.parametrize(
    ("what", "kill"),
    [
        ("sample", signal.SIGKILL),
        ("bootstrap", signal.SIGTERM),
        pytest.param("kfold", signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param("fit_multiple", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("sample", signal.SIGINT, marks=pytest.mark.slow),
        pytest.param("bootstrap", signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_ends_its_workers_and_goes_on_to_the_same_result(what, kill, tmp_path):
    process = start(what, tmp_path)
    try:
        assert wait_until(lambda: list(tmp_path.glob("*-*.npz")))
        workers = children(process.pid)
        process.send_signal(kill)
        assert process.wait(60) != 0 and workers
        assert wait_until(lambda: not any(Path(f"/proc/{w}/status").exists() for w in workers))
    finally:
        process.kill()
    kept = {p: p.stat().st_mtime_ns for p in tmp_path.glob("*-*.npz")}
    with ThreadPoolExecutor(1) as here:
        again = run(what, tmp_path, here)
        np.testing.assert_array_equal(again, run(what, tmp_path / "whole", here))
    assert all(p.stat().st_mtime_ns == t for p, t in kept.items())


def test_an_error_of_a_chain_reaches_the_parent_as_it_was():
    error = ChainError("chain 2 failed", chain=2, output="no start", finished=None)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.chain, again.output) == (str(error), 2, "no start")


# -- run folders -----------------------------------------------------------------------------------


def test_a_file_of_something_else_in_a_run_is_named(model, tmp_path):
    model.sample(**SHORT, seed=1, out=tmp_path)
    np.savez(tmp_path / "chain-2.npz", other=np.zeros(3))
    with pytest.raises(m2s.Mix2stanError, match=r"chain-2\.npz is not chain 2 of this request"):
        model.sample(**SHORT, seed=1, out=tmp_path)
    (tmp_path / "chain-2.npz").write_bytes((tmp_path / "chain-1.npz").read_bytes())
    with pytest.raises(m2s.Mix2stanError, match="is not chain 2"):
        model.sample(**SHORT, seed=1, out=tmp_path)


@pytest.mark.parametrize("argument", ["out", "folder"])
def test_an_empty_folder_name_is_refused(model, argument):
    with pytest.raises(m2s.Mix2stanError, match=f"{argument} names no folder"):
        model.sample(**SHORT, seed=1, **{argument: ""})


def test_a_run_without_a_seed_goes_on_with_its_own(model, tmp_path):
    how = {"out": tmp_path, "progress": False}
    first = model.bootstrap(2, **how)
    assert model.bootstrap(2, **how).seed == first.seed


# -- what is asked ---------------------------------------------------------------------------------

SEEDED = {
    "sample": lambda model, fit, seed: model.sample(**SHORT, seed=seed),
    "sample_prior": lambda model, fit, seed: model.sample_prior(5, seed=seed),
    "approximate": lambda model, fit, seed: model.approximate(draws=5, seed=seed),
    "bootstrap": lambda model, fit, seed: model.bootstrap(2, seed=seed),
    "kfold": lambda model, fit, seed: model.kfold(2, seed=seed),
    "anova": lambda model, fit, seed: m2s.anova(
        m2s.model("lm(Yield ~ 1)", table("Dyestuff")), model, test="bootstrap", n=2, seed=seed
    ),
    "fit_multiple": lambda model, fit, seed: m2s.fit_multiple(
        "lm(Yield ~ 1)", [table("Dyestuff")] * 2, seed=seed
    ),
    "predict": lambda model, fit, seed: fit.predict(kind="response", seed=seed),
    "simulate": lambda model, fit, seed: fit.simulate(1, seed=seed),
    "residuals": lambda model, fit, seed: fit.residuals("quantile", seed=seed),
    "posterior_predictive": lambda model, fit, seed: fit.posterior_predictive(seed=seed),
    "ppc": lambda model, fit, seed: fit.plot.ppc(draws=2, seed=seed),
}


@pytest.mark.parametrize("what", SEEDED)
@pytest.mark.parametrize("seed", [-1, 1.5, "4", True, np.nan], ids=str)
def test_a_seed_that_is_none_is_answered_in_words(model, fit, what, seed):
    with pytest.raises(m2s.Mix2stanError, match="seed must be a whole number"):
        SEEDED[what](model, fit, seed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((n, v) for n in ("chains", "warmup", "draws") for v in ("4", 1.5, -1, True, None)),
        ("threads", 0),
        ("max_treedepth", "10"),
        *(("adapt_delta", v) for v in ("0.9", 1, 0.0, True, np.nan, None)),
    ],
)
def test_settings_are_answered_in_words(model, name, value):
    with pytest.raises(m2s.Mix2stanError, match=f"{name} must be a"):
        model.sample(**{**SHORT, "seed": 1, name: value})


def test_numbers_of_numpy_are_numbers(model, fit, tmp_path):
    how = {name: np.int64(SHORT[name]) for name in ("chains", "warmup", "draws")}
    again = model.sample(**{**SHORT, **how}, seed=np.uint32(1))
    assert again.summary().equals(fit.summary())
    model.sample(**{**SHORT, **how}, seed=np.int64(1), out=tmp_path)


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (lambda model, fit: model.sample_prior("5"), "draws"),
        (lambda model, fit: model.approximate(draws=0), "draws"),
        (lambda model, fit: model.bootstrap(1.5), "n"),
        (lambda model, fit: model.kfold("2"), "k"),
        (lambda model, fit: model.kfold(1), "k"),
        (lambda model, fit: model.confint("wald", level=95), "level"),
        (lambda model, fit: model.profile(level="0.9"), "level"),
        (lambda model, fit: fit.predict(draws=2.5), "draws"),
        (lambda model, fit: fit.simulate("3"), "n"),
    ],
)
def test_other_counts_are_answered_in_words(model, fit, ask, name):
    with pytest.raises(m2s.Mix2stanError, match=f"^{name} must be a"):
        ask(model, fit)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda model, fit: model.sample(iter=4000), "'iter'.*\n.*warmup= and draws="),
        (lambda model, fit: model.sample(cores=4), "'cores'.*\n.*threads="),
        (lambda model, fit: model.sample(tune=4), "'tune'.*\n.*warmup="),
        (lambda model, fit: model.sample(chain=4), "'chain'.*\n.*nearest: 'chains'"),
        (lambda model, fit: m2s.model("lm(y ~ x)", None, priors="flat"), "nearest: 'prior'"),
        (lambda model, fit: fit.predict(re_formula=None), "re='population'"),
        (lambda model, fit: fit.summary(hdi_prob=0.9), "has no argument 'hdi_prob'"),
    ],
)
def test_arguments_of_other_packages_are_answered_in_words(model, fit, ask, said):
    with pytest.raises(m2s.Mix2stanError, match=said):
        ask(model, fit)
