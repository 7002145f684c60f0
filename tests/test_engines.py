"""The contract that every engine keeps."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mix2stan.engines import ChainError, Interrupted, Settings, pick_engine
from mix2stan.engines.stan_text import without_model
from mix2stan.errors import EngineError, Mix2stanError

TEXT = """\
data {
  int<lower=0> N;
  vector[N] y;
}
parameters {
  real mu;
  vector<lower=0>[2] s;
  matrix[2, 3] M;
}
model {
  y ~ normal(mu, s[1]);
  mu ~ normal(0, 5);
  s ~ gamma(3, 2);
  to_vector(M) ~ normal({1, 2, 3, 4, 5, 6}, 0.1);
}
generated quantities {
  array[2] real twice = {2 * mu, 2 * s[2]};
}
"""
DATA = {"N": 4, "y": np.array([1.0, 2.0, 3.0, 4.5])}
POINT = {"mu": 2.0, "s": np.array([1.5, 0.5]), "M": np.arange(1.0, 7.0).reshape(3, 2).T}
# runs for minutes
SLOW = "parameters { vector[5000] x; } model { x ~ std_normal(); }"


@pytest.fixture
def program(engine):
    return engine.compile(TEXT, DATA)


def test_draws_have_shapes_names_and_a_mean(program):
    draws = program.sample(Settings(seed=3, chains=2, warmup=300, draws=400))
    shapes = {name: v.shape for name, v in draws.variables.items()}
    assert shapes == {"mu": (2, 400), "s": (2, 400, 2), "M": (2, 400, 2, 3), "twice": (2, 400, 2)}
    assert draws.stats["diverging"].dtype == bool
    assert draws.stats["tree_depth"].shape == (2, 400)
    assert set(draws.stats) >= {"lp", "acceptance_rate", "step_size", "n_steps", "energy"}
    np.testing.assert_allclose(draws.variables["M"].mean((0, 1)), POINT["M"], atol=0.05)
    np.testing.assert_array_equal(draws.variables["twice"][..., 0], 2 * draws.variables["mu"])


def test_a_seed_gives_the_same_draws(program):
    settings = Settings(seed=5, chains=2, warmup=100, draws=50)
    first, second = (program.sample(settings).variables["mu"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first[0], first[1])


def test_log_density_and_gradient_are_the_formulas(program):
    def target(q):
        mu, s, M = q[0], np.exp(q[1:3]), q[3:].reshape(3, 2).T
        y = DATA["y"]
        lp = -np.sum((y - mu) ** 2) / (2 * s[0] ** 2) - len(y) * np.log(s[0]) - mu**2 / 50
        return (
            lp
            + 2 * np.log(s).sum()
            - 2 * s.sum()
            - np.sum((M - POINT["M"]) ** 2) / 0.02
            + q[1]
            + q[2]
        )

    moved = {**POINT, "M": POINT["M"] + 0.05}
    q = np.concatenate([[2.0], np.log([1.5, 0.5]), moved["M"].ravel(order="F")])
    value, gradient = program.log_density(moved)
    assert value == pytest.approx(target(q), rel=1e-12)
    steps = 1e-6 * np.eye(len(q))
    slopes = [(target(q + h) - target(q - h)) / 2e-6 for h in steps]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-6)
    without, _ = program.log_density(moved, jacobian=False)
    assert value - without == pytest.approx(np.log(1.5 * 0.5), rel=1e-12)


def test_optimum_without_jacobian(program):
    best = program.optimize(POINT)
    # the mode of gamma(3, 2) is at 1, with the Jacobian it would be at 1.5
    assert best.values["s"][1] == pytest.approx(1.0, abs=1e-3)
    np.testing.assert_allclose(best.values["M"], POINT["M"], atol=1e-3)
    assert best.values["mu"].shape == ()


@pytest.mark.parametrize("beyond", [np.nan, -1e200])
def test_a_climb_steps_back_from_where_there_is_no_density(beyond):
    """The first step, of length one, ends there."""
    from mix2stan.engines.stanli import _climb

    def density(q):
        if np.abs(q).max() > 0.1:
            return beyond, np.full(2, beyond)
        return float(-50 - ((q - [0.03, 0.06]) ** 2).sum()), -2 * (q - [0.03, 0.06])

    best, value = _climb(density, np.zeros(2), np.inf)
    np.testing.assert_allclose(best, [0.03, 0.06], atol=1e-6)
    assert value == pytest.approx(-50)


def test_progress_reaches_the_end_of_every_chain(program, capsys):
    seen = []
    program.sample(Settings(seed=1, chains=2, warmup=100, draws=100), seen.append)
    assert {p.chain for p in seen if p.iteration == p.total == 200} == {1, 2}
    assert {p.phase for p in seen} == {"warmup", "sampling"}
    assert capsys.readouterr().out == ""


def test_starting_points_are_used(program):
    far = {**POINT, "mu": 40.0}
    draws = program.sample(Settings(seed=1, chains=1, warmup=0, draws=1, inits=far))
    assert np.isfinite(draws.stats["lp"]).all()


def test_text_that_does_not_compile_is_shown_in_full(engine):
    with pytest.raises(EngineError, match="nonsense"):
        engine.compile("parameters { real x; } model { x ~ nonsense(1); }", {})


def test_a_chain_that_cannot_start_is_an_error(engine):
    program = engine.compile("parameters { real x; } model { target += log(-1 - x^2); }", {})
    with pytest.raises(ChainError, match="chain 1"):
        program.sample(Settings(seed=1, chains=1, warmup=10, draws=10))


def test_ctrl_c_stops_promptly_and_says_what_was_kept(engine):
    program = engine.compile(SLOW, {})
    timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(Interrupted, match="none of the 2 chains had finished"):
        program.sample(Settings(seed=1, chains=2, warmup=200_000, draws=500))
    assert time.monotonic() - start < 30


@pytest.mark.cmdstan
def test_a_killed_chain_is_named_and_the_others_kept(cmdstan, tmp_path):
    program = cmdstan.compile(TEXT, DATA)
    victims = []

    def kill_the_second(progress):
        if not victims and progress.chain == 2:
            victims.append(_process_of(tmp_path, 2))
            os.kill(victims[0], signal.SIGKILL)

    settings = Settings(seed=1, chains=2, warmup=2000, draws=200_000, thin=100, folder=tmp_path)
    with pytest.raises(ChainError, match="chain 2 was killed") as caught:
        program.sample(settings, kill_the_second)
    assert caught.value.chain == 2
    assert caught.value.finished.chain_ids == (1,)
    assert caught.value.finished.variables["mu"].shape == (1, 2000)
    assert "chain 1 of 2 had finished and is kept" in str(caught.value)


def _process_of(folder, chain):
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_text()
            except OSError:
                continue
            if f"chain-{chain}.csv" in command and str(folder) in command:
                return int(entry.name)
    raise AssertionError("the process of the chain was not found")


@pytest.mark.cmdstan
def test_the_same_text_is_compiled_once(cmdstan, monkeypatch):
    import cmdstanpy

    cmdstan.compile(TEXT, DATA)
    monkeypatch.setattr(cmdstanpy, "compile_stan_file", None)
    cmdstan.compile(TEXT, {**DATA, "N": 2, "y": DATA["y"][:2]})


def test_settings_are_checked():
    for bad in ({"chains": 0}, {"draws": -1}, {"adapt_delta": 1.0}, {"seed": -1}, {"seed": True}):
        with pytest.raises(Mix2stanError):
            Settings(**{"seed": 1, **bad})


def test_the_environment_chooses_where_nothing_is_asked_for(monkeypatch):
    monkeypatch.setenv("MIX2STAN_ENGINE", "stanli")
    assert pick_engine().name == "stanli"
    assert "MIX2STAN_ENGINE" in pick_engine("auto").reason
    monkeypatch.setenv("MIX2STAN_ENGINE", "stanly")
    with pytest.raises(EngineError, match="stanli"):
        pick_engine()
    assert pick_engine("stanli").reason == "as asked"


def test_the_jacobian_alone_keeps_comments_and_parameters():
    text = "// model {\nparameters { real x; }\nmodel { { real y = 1; } }\ngenerated quantities { }"
    expected = "// model {\nparameters { real x; }\nmodel {}\ngenerated quantities {}"
    assert without_model(text) == expected
