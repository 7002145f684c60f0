"""Any name of a column, and of a level, survives; none of them reaches a terminal as it is."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import mix2stan as m2s
from mix2stan.cli import app
from mix2stan.parser import parse_expression
from mix2stan.syntax import Name, String, quote_name

NAMES = [
    "Dose\n(mg)", "a`b", "back\\slash", "\\n", "tab\t", "\x1b[31mred", "null\0x", "{{x}}", "größe 中",
    "a–b", "“x”", "if", "  ", "NA", "\r\nx", "*/ real", "\u202erev", "x:y", "#c", "%a%",
]  # fmt: skip
HALVES = ["\ud800", "a\udc80"]
QUICK = {"chains": 1, "warmup": 20, "draws": 20, "seed": 1, "progress": False}


def data(n=30):
    rng = np.random.default_rng(1)
    text = np.array(["a", "b\x1b[0m"], dtype=object)[np.arange(n) % 2]
    frame = pd.DataFrame({"y": rng.normal(size=n), "x": rng.normal(size=n), "f": text})
    return frame.assign(g=[f"s{i % 5}" for i in range(n)])


def renamed(frame, old, new):
    columns = [new if name == old else name for name in frame.columns]
    return frame.set_axis(pd.Index(columns, dtype=object), axis=1)


@pytest.mark.parametrize("name", NAMES)
def test_names_and_strings_are_read_back_as_they_are_written(name):
    for node in (Name(name), String(name)):
        assert parse_expression(str(node)) == node
        assert str(node).isprintable()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"`a\nb\x1b\033\u4e2d\u{4e2d}\U0001f600\\`", "a\nb\x1b\x1b中中\U0001f600\\"),
        ("`a\nb`", "a\nb"),
        ("`a–b`", "a–b"),
    ],
)
def test_escapes_in_backticks_are_those_of_r(text, value):
    assert parse_expression(text) == Name(value)


@pytest.mark.parametrize("name", NAMES[:9])
def test_a_model_of_any_name_can_be_sampled_saved_read_and_translated(name, tmp_path):
    roles = {
        "x": "lmer(y ~ . - g + (1 | g))",
        "g": f"lmer(y ~ x + f + (1 | {quote_name(name)}))",
        "y": f"lmer({quote_name(name)} ~ x + f + (1 | g))",
    }
    for role, call in roles.items():
        frame = renamed(data(), role, name)
        model = m2s.model(call, frame)
        fit = model.sample(**QUICK)
        again = m2s.load(fit.save(tmp_path / "fit.nc"))
        assert np.allclose(again.predict(frame), fit.predict())
        assert again.summary().equals(fit.summary())
        for package in ("lme4", "nlme", "MCMCglmm", "glmmTMB", "brms"):
            assert model.translate(package)
        shown = (str(model), str(model.explain()), model.priors.to_string(), str(fit), model.call)
        assert all("\x1b" not in text and "\u202e" not in text for text in shown)
    fit.report(model, tmp_path / "report.html")
    fit.log_lik()
    fit.idata.to_netcdf(tmp_path / "idata.nc")


def test_the_command_line_writes_no_escape_sequences(tmp_path):
    data().to_csv(tmp_path / "d.csv", index=False)
    for command in ("explain", "priors", "fit"):
        call = [command, "lmer(y ~ x + f + (1 | g))", "-d", str(tmp_path / "d.csv")]
        more = ["--method", "ml"] if command == "fit" else []
        result = CliRunner().invoke(app, [*call, *more])
        assert result.exit_code == 0
        assert "\x1b" not in result.output
        assert r"b\x1b[0m" in result.output


@pytest.mark.parametrize("name", HALVES)
def test_half_characters_are_refused_in_words(name):
    level = data().assign(g=pd.Series([name, "b", "c"] * 10, dtype=object))
    for call, frame in (
        ("lmer(y ~ . - g + (1 | g))", renamed(data(), "x", name)),
        (f"lmer(y ~ x + (1 | `{name}`))", renamed(data(), "g", name)),
        ("lmer(y ~ x + (1 | g))", level),
    ):
        with pytest.raises(m2s.Mix2stanError, match="half a character") as caught:
            m2s.model(call, frame)
        assert str(caught.value).isascii()


def test_a_column_that_is_not_used_may_be_called_anything(tmp_path):
    frame = renamed(data().assign(w=1.0), "w", HALVES[0])
    fit = m2s.model("lmer(y ~ x + (1 | g))", frame).sample(**QUICK)
    assert m2s.load(fit.save(tmp_path / "fit.nc")).fixef().equals(fit.fixef())
    with pytest.raises(m2s.DataError, match="a column that is used has no name"):
        m2s.model("lmer(y ~ . - g + (1 | g))", renamed(data(), "x", ""))


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("0x" + "F" * 300, "Inf"),
        ("1" * 400 + "L", "Inf"),
        ("1e999", "Inf"),
        ("3000000000L", "3e+09"),
        ("1.5L", "1.5"),
        ("0x10L", "16L"),
    ],
)
def test_numbers_are_what_r_reads(text, printed):
    assert str(parse_expression(text)) == printed
    assert parse_expression(printed) == parse_expression(text)
