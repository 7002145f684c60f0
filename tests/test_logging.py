"""What is said while it works: through logging, on standard error, and nothing if that is wished."""

from __future__ import annotations

import logging
import subprocess
import sys

import numpy as np

import mix2stan as m2s
from mix2stan.many import Work, run_many
from mix2stan.progress import listening
from tests.test_cli import CALL, DATA, FAST, run

SHORT = {"chains": 2, "warmup": 40, "draws": 20, "seed": 1, "engine": "stanli"}


def test_nothing_is_said_unless_it_is_asked_for(sleepstudy, capfd):
    model = m2s.lmer("Reaction ~ Days + (1 | Subject)", data=sleepstudy)
    model.sample(**SHORT)
    model.sample(**SHORT, progress=False)
    assert capfd.readouterr() == ("", "")
    model.sample(**SHORT, progress=True)
    assert "chain 2: 60 of 60 (sampling)" in capfd.readouterr().err


def test_bars_do_not_change_the_draws(sleepstudy):
    model = m2s.lmer("Reaction ~ Days + (1 | Subject)", data=sleepstudy)
    quiet, loud = (model.sample(**SHORT, progress=p).fixef() for p in (False, True))
    assert quiet.equals(loud)


def test_a_listener_is_the_users_own_or_none():
    seen = []
    for wanted, kind in ((seen.append, seen.append), (False, None), (None, None)):
        with listening(wanted, 1, 10) as listener:
            assert listener == kind
    with listening(True, 1, 10) as listener:
        assert callable(listener)


def test_the_package_logs_what_it_does(sleepstudy, caplog):
    with caplog.at_level(logging.INFO, logger="mix2stan"):
        holes = sleepstudy.assign(Days=sleepstudy["Days"].astype(float).replace(3, np.nan))
        m2s.lmer("Reaction ~ Days + (1 | Subject)", data=holes).sample(**SHORT)
    said = [record.getMessage() for record in caplog.records]
    assert any("18 rows with missing values dropped" in line for line in said)
    assert any(line.startswith("stanli") for line in said)
    assert any(line.endswith("2 chains of 40 + 20, seed 1") for line in said)
    assert all(record.name.startswith("mix2stan.") for record in caplog.records)


def _fails(shared, item):
    raise ValueError(f"no {item}")


def test_tasks_that_fail_are_warned_of(caplog):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as executor:
        run_many(Work(_fails, None, ["luck"], "replicate"), executor=executor, progress=False)
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert said[0] == "replicate 1 failed, try 1: no luck" and len(said) == 3


def test_a_program_that_does_not_ask_sees_nothing():
    code = "import logging, mix2stan; logging.getLogger('mix2stan.model').warning('x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""


def test_quiet_on_the_command_line(tmp_path):
    done = run("fit", CALL, *DATA, *FAST, "--quiet", "--out", str(tmp_path / "run"))
    assert done.returncode == 0 and done.stderr == ""
    assert "beta[Days]" in done.stdout
    assert run("bootstrap", CALL, *DATA, "-n", "2", "--seed", "1", "-q").stderr == ""
