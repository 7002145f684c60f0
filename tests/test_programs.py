"""The programs we write: readable, formatted, accepted by stanc, matched by their data."""

from __future__ import annotations

import functools
import re
import subprocess

import pytest

import mix2stan as m2s
from tests.programs import GOLDENS, JOINT, PROGRAMS, model_of
from tests.support.cmdstan_home import stanc

needs_stanc = pytest.mark.skipif(stanc() is None, reason="the wheel httpstan is not installed")


@functools.cache
def folds_as_ours() -> bool:
    """Whether stanc breaks long lines as that of the goldens does, which is not that of every version."""
    said = subprocess.run([stanc(), "--version"], capture_output=True, text=True, check=True)
    return "2.35" in said.stdout


@pytest.mark.parametrize("name", PROGRAMS | JOINT)
def test_the_program_is_the_golden(name):
    assert model_of(name).stan_code == (GOLDENS / f"{name}.stan").read_text()


def test_every_golden_has_a_model():
    assert {p.stem for p in GOLDENS.glob("*.stan")} == set(PROGRAMS | JOINT)


@needs_stanc
@pytest.mark.parametrize("name", PROGRAMS | JOINT)
def test_stanc_accepts_it_and_would_not_reformat_it(name):
    path = GOLDENS / f"{name}.stan"
    command = [stanc(), "--auto-format", "--max-line-length=100", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    formatted = [line.rstrip() for line in done.stdout.rstrip().splitlines()]
    ours = path.read_text().splitlines()
    if not folds_as_ours():
        formatted, ours = ("".join("".join(lines).split()) for lines in (formatted, ours))
    assert formatted == ours


@needs_stanc
@pytest.mark.parametrize("name", PROGRAMS | JOINT)
def test_stanc_has_no_complaint(name):
    command = [stanc(), "--warn-uninitialized", "--o=/dev/null", GOLDENS / f"{name}.stan"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Warning" not in done.stderr


@pytest.mark.parametrize("name", PROGRAMS | JOINT)
def test_the_data_are_those_declared(name):
    model = model_of(name)
    block = re.search(r"^data \{\n(.*?)^\}", model.stan_code, re.DOTALL | re.MULTILINE)
    statements = re.sub(r"//.*", "", block.group(1)).split(";")
    declared = {s.split()[-1] for s in statements if s.strip()}
    assert declared == set(model.stan_data)


#: Of which the embedded engine interprets a part.
INTERPRETED = "parameters { real x; } generated quantities { complex z = to_complex(x, 1); }"


def test_the_engine_says_what_it_would_interpret(stanli, monkeypatch):
    monkeypatch.setenv("STANLI_NO_INTERPRETER", "1")
    with pytest.raises(m2s.EngineError, match="no compiled path"):
        stanli.compile(INTERPRETED, {})


@pytest.mark.parametrize("name", PROGRAMS | JOINT)
def test_no_part_of_it_is_interpreted(name, stanli, monkeypatch):
    """That would be 40 times slower."""
    monkeypatch.setenv("STANLI_NO_INTERPRETER", "1")
    model = model_of(name)
    stanli.compile(model.stan_code, model.stan_data)
