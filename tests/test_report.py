"""One page of everything: it parses, asks nothing of the network, and trusts no name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pandas as pd
import pytest

import mix2stan as m2s
from mix2stan.documents import from_plain, to_html, to_plain
from mix2stan.documents.highlight import highlighted
from mix2stan.report import RECORD, record_run, report_run
from tests.programs import PROGRAMS, model_of
from tests.support.here import Here

FAST = {"chains": 2, "warmup": 150, "draws": 60, "seed": 1, "engine": "stanli"}
VOID = {"meta", "img", "br"}
SECTIONS = ("Model", "Estimates", "Pictures", "Sampling", "Stan program", "To get this again")


class Page(HTMLParser):
    """The elements of a page, which have to close in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def check(text):
    """What holds for every page."""
    page = Page(text)
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes), tag
        for name in ("href", "src", "srcset", "action"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, name)
    assert all(len(image["alt"]) > 10 for image in page.of("img"))
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert not any("url(" in style or "@import" in style for style in styles)
    return page


@pytest.fixture(scope="module")
def fits():
    return {n: model_of(n).sample(**FAST) for n in ("slope", "crossed", "poisson", "mean")}


@pytest.mark.parametrize("name", ["slope", "crossed", "poisson", "mean"])
def test_a_report_is_one_page(fits, name, tmp_path):
    path = fits[name].report(model_of(name), tmp_path / "report.html")
    page = check(path.read_text(encoding="utf-8"))
    titles = "".join(page.text)
    for title in SECTIONS:
        assert f"\n{title}\n" in titles
    charts = [i for i in page.of("img") if i["src"].startswith("data:image/png;")]
    assert len(charts) == {"slope": 10, "crossed": 7, "poisson": 8, "mean": 5}[name]
    assert len(page.of("math")) > 0
    assert "seed=1" in titles and "warmup=150" in titles
    assert model_of(name).stan_code.splitlines()[0] in titles
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_nothing_is_overwritten(fits, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(m2s.Mix2stanError, match="nothing is overwritten"):
        fits["mean"].report(model_of("mean"), path)
    assert path.read_text() == "mine"
    fits["mean"].report(model_of("mean"), path, force=True)
    check(path.read_text(encoding="utf-8"))
    with pytest.raises(m2s.Mix2stanError, match="the model is"):
        fits["mean"].report(model_of("slope"), tmp_path / "other.html")
    with pytest.raises(m2s.Mix2stanError, match="no folder"):
        fits["mean"].report(model_of("mean"), tmp_path / "nowhere" / "other.html")


HOSTILE = "</td><script>alert(1)</script>$\\frac{$<img src=x onerror=alert(1)>&\"'"


def test_hostile_names_are_text(tmp_path):
    rows = {"y": [float(i % 5) for i in range(24)], "x": list(range(24))}
    rows["g"] = [f"{HOSTILE}{i % 4}" for i in range(24)]
    df = pd.DataFrame(rows).rename(columns={"x": HOSTILE, "g": "g<b>$a$b"})
    model = m2s.model(f"lmer(y ~ `{HOSTILE}` + (1 | `g<b>$a$b`))".replace("\\", "\\\\"), df)
    fit = model.sample(**FAST)
    page = check(fit.report(model, tmp_path / "r.html").read_text(encoding="utf-8"))
    assert HOSTILE in "".join(page.text)
    other = m2s.model("lmer(y ~ 1 + (1 | `g<b>$a$b`))", df)
    results = [
        model.reml(engine="stanli"),
        model.explain(),
        model.sample_prior(5, seed=1),
        model.bootstrap(2, seed=1, executor=Here()),
        model.profile(list(model.ml("stanli").values.index[:2])),
        model.kfold(2, seed=1, executor=Here(), chains=1, warmup=40, draws=20, engine="stanli"),
        m2s.anova(other, model),
        m2s.compare(other, model),
        m2s.compare(model, model),
    ]
    for shown in (model, fit, *results):
        page = check(shown._repr_html_())
        assert len(page.of("article")) == 1
        assert len(repr(shown).splitlines()) == 1


@pytest.mark.parametrize("name", ["slope", "poisson", "mean", "errors_ar1"])
def test_notebooks_show_models_and_fits(fits, name):
    model = model_of(name)
    shown = check(model._repr_html_())
    assert model.call in "".join(shown.text)
    if name in fits:
        assert set(fits[name].summary().index) <= {
            t.strip() for t in check(fits[name]._repr_html_()).text
        }
    if name in ("slope", "errors_ar1"):
        assert "REML" in check(model.reml(engine="stanli")._repr_html_()).text


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_explanation_survives_its_file(name):
    document = model_of(name).explain().document
    again = from_plain(json.loads(json.dumps(to_plain(document))))
    assert again == document
    assert to_html(again) == to_html(document)


def test_a_program_is_coloured_and_nothing_else_changes():
    code = model_of("slope").stan_code + 'print("a < b // no remark", 1.5e-3);'
    page = Page(highlighted(code, "stan"))
    assert "".join(page.text) == code
    marked = dict.fromkeys(attributes["class"] for attributes in page.of("span"))
    assert set(marked) == {"remark", "word", "type", "number", "string"}
    assert highlighted("a < b", "r") == "a &lt; b"


# -- runs ------------------------------------------------------------------------------------------


@pytest.fixture
def run(fits, tmp_path):
    model, fit = model_of("slope"), fits["slope"]
    folder = model.export(tmp_path / "run")
    fit.save(folder / "fit.nc")
    record_run(folder, model, fit, ["mix2stan", "fit", model.text, "--data", "a file.csv"])
    return folder


def test_a_run_has_a_report(run, tmp_path):
    page = check(report_run(run, tmp_path / "r.html").read_text(encoding="utf-8"))
    text = "".join(page.text)
    assert "--data 'a file.csv'" in text
    assert "\nExplanation\n" in text
    (run / RECORD).unlink()
    shorter = check(report_run(run, tmp_path / "s.html").read_text(encoding="utf-8"))
    assert "\nExplanation\n" not in "".join(shorter.text)


def test_what_is_no_finished_run_is_refused(run, tmp_path):
    out = tmp_path / "r.html"

    def refused(match, folder=run):
        with pytest.raises(m2s.Mix2stanError, match=match) as caught:
            report_run(folder, out)
        assert not out.exists()
        return caught.value

    refused("no folder", tmp_path / "nowhere")
    refused("no run of mix2stan fit", tmp_path)
    for text in ("hello", "[]", '{"format": 1}', '{"format": 1, "explanation": {"is": "Popen"}}'):
        (run / RECORD).write_text(text)
        refused("damaged")
    (run / RECORD).write_text('{"format": 99}')
    refused("another version")
    (run / "fit.nc").write_bytes((run / "fit.nc").read_bytes()[:1000])
    refused("damaged")
    (run / "fit.nc").unlink()
    (run / "request.json").write_text('{"what": "chain", "chains": 4}')
    (run / "chain-1.npz").touch()
    assert "goes on" in refused("not finished: it has 1 of 4 chains").hint


def test_a_stored_drawing_cannot_run_anything(run, tmp_path):
    record = json.loads((run / RECORD).read_text(encoding="utf-8"))
    text = json.dumps(record).replace("<svg", "<svg onload='alert(1)'")
    (run / RECORD).write_text(text, encoding="utf-8")
    check(report_run(run, tmp_path / "r.html").read_text(encoding="utf-8"))


def test_the_command_line_reports(tmp_path):
    rows = pd.DataFrame({"y": [1.0, 2, 4, 3, 5, 4], "x": [0.0, 1, 2, 3, 4, 5]})
    rows.to_csv(tmp_path / "d.csv", index=False)

    def go(*arguments):
        command = [sys.executable, "-m", "mix2stan", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    settings = ["--chains", "2", "--warmup", "150", "--draws", "60", "--engine", "stanli"]
    done = go("fit", "lm(y ~ x)", "--data", "d.csv", *settings, "--out", "run")
    assert done.returncode == 0, done.stderr
    assert go("report", "run", "-o", "r.html").stdout.strip() == "r.html"
    page = check((tmp_path / "r.html").read_text(encoding="utf-8"))
    seed = json.loads((tmp_path / "run" / "request.json").read_text())["seed"]
    assert f"--seed {seed}" in "".join(page.text)
    again = go("report", "run", "-o", "r.html")
    assert again.returncode == 1 and "nothing is overwritten" in again.stderr
    assert go("report", "run", "-o", "r.html", "--force").returncode == 0


def test_settings_survive_the_file(fits, tmp_path):
    loaded = m2s.load(fits["mean"].save(tmp_path / "fit.nc"))
    assert loaded.posterior.attrs == fits["mean"].posterior.attrs
    assert loaded.posterior.attrs["seed"] == 1
