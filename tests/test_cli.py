"""The command line, as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import mix2stan as m2s
from mix2stan.documents.suffixes import DRAWINGS, TEXTS, format_of
from tests.conftest import FIXTURES, table

CALL = "lmer(Reaction ~ Days + (1 | Subject), data = sleepstudy)"
DATA = ["--data", str(FIXTURES / "data" / "sleepstudy.csv")]
FAST = ["--chains", "2", "--warmup", "150", "--draws", "100", "--seed", "1", "--engine", "stanli"]


def run(*arguments, stdin=None):
    command = [sys.executable, "-m", "mix2stan", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def test_fit_prints_a_table_and_writes_a_folder(tmp_path):
    done = run("fit", CALL, *DATA, *FAST, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "beta[Days]" in done.stdout
    assert "chain 2: 250 of 250 (sampling)" in done.stderr
    files = {p.name for p in tmp_path.iterdir()}
    assert {"model.stan", "data.json", "names.json", "fit.nc", "summary.csv", "run.py"} <= files


def test_fit_as_json_is_json_alone():
    done = run("fit", "-", *DATA, *FAST, "--json", stdin=CALL)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert 8 < result["summary"]["beta[Days]"]["mean"] < 13
    assert result["engine"].startswith("stanli")


def test_fit_gives_rs_estimates_too():
    done = run("fit", CALL, *DATA, "--method", "reml", "--engine", "stanli", "--json")
    assert json.loads(done.stdout)["logLik"] == pytest.approx(-893.2325, abs=1e-3)
    assert run("fit", CALL, *DATA, "--method", "best", "--engine", "stanli").returncode == 1


def test_the_other_commands_print_their_part(tmp_path):
    assert run("stan", CALL, *DATA).stdout.startswith("// lmer(Reaction ~ Days")
    assert json.loads(run("data", CALL, *DATA).stdout)["N"] == 180
    assert "sd_Subject" in json.loads(run("priors", CALL, *DATA, "--json").stdout)
    assert "Subject, 18 levels" in run("explain", CALL, *DATA).stdout
    assert run("export", CALL, *DATA, "--out", str(tmp_path / "e")).returncode == 0
    assert (tmp_path / "e" / "run.R").exists()


def test_a_file_holds_what_its_name_says(tmp_path):
    for given, name, formats, found in (
        (None, "g.svg", DRAWINGS, "svg"),
        (None, "g.gv", DRAWINGS, "dot"),
        ("mermaid", "g", DRAWINGS, "mermaid"),
        (None, "e.HTML", TEXTS, "html"),
        (None, "e", TEXTS, "text"),
    ):
        assert format_of(given, Path(name), formats) == found
    for given, name, formats in (
        (None, "g.png", DRAWINGS),
        ("dot", "g.svg", DRAWINGS),
        (None, "e.docx", TEXTS),
        ("text", "e.html", TEXTS),
    ):
        with pytest.raises(m2s.Mix2stanError, match=f"would not be a {Path(name).suffix} file"):
            format_of(given, Path(name), formats)
    wrong = run("graph", CALL, *DATA, "-o", str(tmp_path / "g.png"))
    assert wrong.returncode == 1
    assert "name it by what is in it: .svg, .dot" in wrong.stderr
    assert not (tmp_path / "g.png").exists()


def test_a_model_is_explained_and_drawn_in_every_format(tmp_path):
    page = tmp_path / "model.html"
    assert run("explain", CALL, *DATA, "--format", "html", "-o", str(page)).stdout == ""
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "$$" in run("explain", CALL, *DATA, "--format", "markdown").stdout
    assert run("graph", CALL, *DATA).stdout.startswith("<svg")
    assert run("graph", CALL, *DATA, "--format", "dot").stdout.startswith("digraph")
    wrong = run("explain", CALL, *DATA, "--format", "pdf")
    assert wrong.returncode == 1
    assert "there is no format 'pdf'" in wrong.stderr


def test_a_translation_says_what_its_text_would_mean():
    call = "MCMCglmm(Reaction ~ Days, random = ~us(Days):Subject)"
    done = run("translate", call, *DATA, "--to", "lme4")
    assert done.stdout == "lmer(Reaction ~ Days + (0 + Days | Subject), data = d)\n"
    assert "us(Days) has no intercept" in done.stderr


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("lmer(Reaction ~ Day + (1 | Subject))", ["'Day'", "^^^", "nearest: 'Days'"]),
        ("glmmTMB(Reaction ~ Days + (1 | Subject), ziformula = ~1)", ["ziformula", "^^"]),
        ("lmer(Reaction ~", ["^"]),
    ],
)
def test_a_mistake_is_a_message_not_a_traceback(call, words):
    done = run("stan", call, *DATA)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_a_missing_file_and_a_wrong_option():
    assert run("stan", CALL, "--data", "nowhere.csv").returncode == 1
    assert run("stan", CALL).returncode == 2
    assert run("fit", CALL, *DATA, "--engine", "nonesuch").returncode == 1


def test_several_tables_go_by_name():
    done = run("stan", CALL, "--data", f"sleepstudy={DATA[1]}", "--data", f"other={DATA[1]}")
    assert done.returncode == 0, done.stderr


def test_doctor_tries_the_embedded_engine():
    done = run("doctor", "--json")
    checks = {c["name"]: c for c in json.loads(done.stdout)}
    assert checks["stanli"]["ok"] is True
    assert "exact: 0.50" in checks["stanli"]["detail"]


def test_a_bootstrap_goes_on_in_its_folder(tmp_path):
    command = ("bootstrap", CALL, *DATA, "-n", "3", "--method", "ml", "--out", str(tmp_path / "b"))
    first, again = (run(*command, "--json") for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout) == json.loads(again.stdout)
    assert json.loads(first.stdout)["sigma"]["estimate"] > 0
    other = run(*command[:-2], "--out", str(tmp_path / "b"), "--type", "cases")
    assert other.returncode == 1 and "another request" in other.stderr


def test_a_folder_of_parquet_files_is_data(tmp_path):
    pytest.importorskip("pyarrow")
    table("sleepstudy").to_parquet(tmp_path / "rows.parquet")
    done = run(
        "fit", CALL, "--data", str(tmp_path), "--method", "reml", "--json", "--engine", "stanli"
    )
    assert done.returncode == 0, done.stderr
    here = run("fit", CALL, *DATA, "--method", "reml", "--json", "--engine", "stanli")
    assert json.loads(done.stdout)["logLik"] == pytest.approx(json.loads(here.stdout)["logLik"])


def test_compare_tells_same_different_and_error_apart():
    first, data = "lm(Reaction ~ Days)", DATA
    assert run("compare", first, "lm(Reaction ~ 1 + Days)", *data).returncode == 0
    assert run("compare", first, "lm(Reaction ~ 1)", *data).returncode == 1
    done = run("compare", first, "lm(Reaction ~ ", *data)
    assert done.returncode == 2 and "error: " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--seed", "-1"), "seed must be a whole number"),
        (("--chains", "0"), "chains must be a whole number"),
        (("--adapt-delta", "1"), "adapt_delta must be a number between 0 and 1"),
        (("--out", ""), "names no folder"),
    ],
)
def test_what_cannot_be_is_answered_in_words(arguments, said):
    done = run("fit", CALL, *DATA, *arguments)
    assert done.returncode != 0 and said in done.stderr and "Traceback" not in done.stderr


def test_the_version_is_printed():
    assert run("--version").stdout == f"mix2stan {m2s.__version__}\n"


def test_export_writes_over_files_only_by_force(tmp_path):
    assert run("export", CALL, *DATA, "--out", str(tmp_path)).returncode == 0
    again = run("export", CALL, *DATA, "--out", str(tmp_path))
    assert again.returncode == 1 and "nothing is overwritten" in again.stderr
    assert run("export", CALL, *DATA, "--out", str(tmp_path), "--force").returncode == 0
