"""The starter script: it runs as it is, wherever the data are, whatever they are called."""

from __future__ import annotations

import ast
import os
import runpy
import shutil

import pandas as pd
import pytest

import mix2stan as m2s
from mix2stan.starter import Sources, starter_script
from tests.conftest import FIXTURES, table
from tests.test_cli import CALL, DATA, run


@pytest.fixture
def short(monkeypatch):
    """Chains as in the script, but short."""
    whole = m2s.Model.sample

    def sample(model, **options):
        return whole(model, **(options | {"warmup": 60, "draws": 40, "chains": 2}))

    monkeypatch.setattr(m2s.Model, "sample", sample)


def test_the_command_writes_it_and_overwrites_nothing(tmp_path, short, capsys):
    script = tmp_path / "sleep.py"
    for suffix in (".csv", ".json"):
        shutil.copy(FIXTURES / "data" / f"sleepstudy{suffix}", tmp_path)
    data = ["--data", str(tmp_path / "sleepstudy.csv")]
    done = run("new", CALL, *data, "--prior", "brms", "-o", str(script))
    assert done.returncode == 0, done.stderr
    text = script.read_text(encoding="utf-8")
    assert 'm2s.read_table(HERE / "sleepstudy.csv")' in text
    assert 'm2s.model(CALL, data, prior="brms")' in text
    assert "180 rows are used; Subject has 18 levels" in text
    again = run("new", CALL, *data, "-o", str(script))
    assert again.returncode == 1 and "nothing is overwritten" in again.stderr
    runpy.run_path(str(script), run_name="__main__")
    printed = capsys.readouterr().out
    for words in ("Shrinkage", "beta[Days]", "2 chains of 40 draws"):
        assert words in printed
    made = {p.name for p in tmp_path.iterdir()}
    assert {"caterpillar.png", "fit.nc", "report.html"} <= made
    assert (tmp_path / "caterpillar.png").read_bytes().startswith(b"\x89PNG")
    assert m2s.load(tmp_path / "fit.nc").labels.call.startswith("lmer(Reaction ~ Days")


def test_a_wrong_call_writes_nothing(tmp_path):
    done = run("new", CALL.replace("Days", "Dayz"), *DATA, "-o", str(tmp_path / "a.py"))
    assert done.returncode == 1 and "nearest: 'Days'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def run_here(model, sources, folder):
    text = starter_script(model, sources, folder)
    (folder / "script.py").write_text(text, encoding="utf-8")
    return runpy.run_path(str(folder / "script.py"))


def test_several_tables_and_text_of_several_lines(tmp_path, short):
    pd.DataFrame({"y": [1.0, 2, 4, 3, 2, 5], "animal": list("cdecde")}).to_csv(tmp_path / "d.csv")
    rows = [("a", "", ""), ("b", "", ""), ("c", "a", "b"), ("d", "a", "b"), ("e", "", "d")]
    pedigree = pd.DataFrame(rows, columns=["animal", "sire", "dam"])
    pedigree.to_csv(tmp_path / "p.csv", index=False)
    text = "# animals\nMCMCglmm(y ~ 1,\n  random = ~ animal, pedigree = p,\n  data = d)\n"
    files = {name: tmp_path / f"{name}.csv" for name in ("d", "p")}
    tables = {name: m2s.read_table(path) for name, path in files.items()}
    made = run_here(m2s.model(text, tables), Sources(files, None, {}), tmp_path)
    assert made["model"].call == m2s.model(text, tables).call
    assert made["CALL"] == text.strip()


def test_a_model_without_groups_has_another_picture(tmp_path, short):
    path = FIXTURES / "data" / "sleepstudy.csv"
    model = m2s.lm("Reaction ~ Days", data=table("sleepstudy"))
    run_here(model, Sources({"": path}, path.with_suffix(".json"), {}), tmp_path)
    assert (tmp_path / "forest.png").exists()
    relative = os.path.relpath(path, tmp_path)
    assert f'HERE / "{relative}"' in (tmp_path / "script.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["sleepstudy", "cbpp"])
def test_what_is_commented_out_runs_too(name, tmp_path, short):
    path = FIXTURES / "data" / f"{name}.csv"
    call = {"sleepstudy": CALL}.get(
        name, "glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), family = binomial)"
    )
    text = starter_script(m2s.model(call, table(name)), Sources({"": path}, None, {}), tmp_path)
    start, more = text.split("Take the # away.\n")
    assert more.startswith("# ") and len(more.splitlines()) == 6
    script = start + "\n" + more.replace("\n# ", "\n").removeprefix("# ")
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    runpy.run_path(str(tmp_path / "script.py"))
    assert (tmp_path / "ppc.png").exists()


def test_names_cannot_leave_their_place(tmp_path):
    name = 'a"""\nimport os\rboom = 1 #\u2028'
    rows = {"y": [1.0, 3, 2, 5, 4, 4], name: list("aabbcc")}
    written = name.replace("\n", "\\n").replace("\r", "\\r")
    model = m2s.model(f"lmer(y ~ 1 + (1 | `{written}`))", pd.DataFrame(rows))
    place = tmp_path / 'it"s\n.csv'
    tree = ast.parse(starter_script(model, Sources({"": place}, None, {"prior": '"\n'}), tmp_path))
    plain = m2s.lmer("Reaction ~ Days + (1 | Subject)", data=table("sleepstudy"))
    other = ast.parse(starter_script(plain, Sources({"": tmp_path / "a.csv"}, None, {}), tmp_path))
    assert [type(node) for node in tree.body] == [type(node) for node in other.body]
