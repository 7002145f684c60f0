"""An exported folder runs without mix2stan."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from mix2stan.engines.install import install_cmdstan
from mix2stan.errors import EngineError
from tests.programs import model_of


def test_the_folder_has_all_that_is_needed(tmp_path):
    model = model_of("slope")
    folder = model.export(tmp_path / "out")
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["data.json", "model.stan", "names.json", "run.R", "run.py"]
    assert (folder / "model.stan").read_text() == model.stan_code
    assert json.loads((folder / "data.json").read_text())["J_Subject"] == 18
    assert json.loads((folder / "names.json").read_text())["groups"][0]["levels"][0] == "308"


@pytest.mark.cmdstan
def test_run_py_samples_with_cmdstanpy(cmdstan, tmp_path):
    folder = model_of("intercept").export(tmp_path)
    environment = {**os.environ, "CMDSTAN": str(cmdstan.path)}
    command = [sys.executable, "run.py"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    # CmdStan's stansummary is not part of the small home; the draws are
    assert len(list((folder / "draws").glob("*.csv"))) == 4, done.stderr
    import cmdstanpy

    fit = cmdstanpy.from_csv(str(folder / "draws"))
    assert fit.stan_variable("beta").mean(axis=0) == pytest.approx([251, 10.5], rel=0.05)


def test_a_network_that_refuses_is_said(monkeypatch):
    import cmdstanpy

    def refuse(**_):
        raise OSError("connection refused")

    monkeypatch.setattr(cmdstanpy, "install_cmdstan", refuse)
    with pytest.raises(EngineError, match="connection refused") as caught:
        install_cmdstan()
    assert "embedded engine" in str(caught.value)
