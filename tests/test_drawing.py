"""The model graph as drawn: nothing on top of anything, and text that stays text."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import pytest

import mix2stan as m2s
from mix2stan.drawing.figure import layers_of
from mix2stan.drawing.layout import lay_out
from mix2stan.drawing.nodes import figure_of
from tests.conftest import table
from tests.programs import PROGRAMS, model_of
from tests.test_explanation import HOSTILE, SMALL

SVG = "{http://www.w3.org/2000/svg}"
DRAWN = [
    "glmer(k ~ z + x + f + (1 | g) + (1 | few) + (z | f:g), family = poisson)",
    "lme(y ~ x * f, random = ~ z | g, weights = varIdent(form = ~ 1 | f), correlation = corAR1(form = ~ 1 | g))",
    "lm(y ~ 0)",
    "lm(y ~ x)",
    "gls(y ~ x, weights = varPower(form = ~ x))",
]


def boxes(svg):
    """The frames with text and the lines of text: (left, top, right, bottom)."""
    root = ElementTree.fromstring(svg)
    frames, texts = [], []
    for rect in root.findall(f"{SVG}rect")[1:]:
        x, y, w, h = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
        if rect.get("fill") != "none":
            frames.append((x, y, x + w, y + h))
    for text in root.findall(f"{SVG}text"):
        x, y, w = float(text.get("x")), float(text.get("y")), 7.8 * len(text.text)
        left = x - w / 2 if text.get("text-anchor") == "middle" else x - w
        texts.append((left, y - 11, left + w, y + 3))
    return frames, texts, float(root.get("width")), float(root.get("height"))


def apart(a, b):
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


@pytest.mark.parametrize("call", DRAWN)
def test_nothing_lies_on_anything(call):
    frames, texts, width, height = boxes(m2s.model(call, SMALL).graph("svg"))
    assert all(apart(a, b) for a, b in itertools.combinations(frames, 2))
    assert all(apart(a, b) for a, b in itertools.combinations(texts, 2))
    for left, top, right, bottom in (*frames, *texts):
        assert left >= 0 and top >= 0 and right <= width and bottom <= height


@pytest.mark.parametrize("call", DRAWN)
def test_arrows_go_down(call):
    figure = figure_of(m2s.model(call, SMALL).compiled)
    layer = layers_of(figure)
    assert all(layer[a.start] < layer[a.end] for a in figure.arrows)
    layout = lay_out(figure, dict.fromkeys(layer, 50.0))
    assert {k for row in layout.layers for k in row} >= set(layer)
    assert layer["response"] == max(layer.values())


def test_what_is_in_the_picture():
    model = m2s.model("lmer(Reaction ~ Days + (Days | Subject))", table("sleepstudy"))
    dot = model.graph("dot")
    for part in (
        "sd_Subject (2)",
        "cor_Subject",
        "b_Subject",
        "Subject: 18 levels",
        "180 observations",
        "Days",
    ):
        for text in (dot, model.graph("mermaid"), model.graph()):
            assert part in text
    assert dot.count("->") == 9
    assert "[style=dashed]" in dot
    root = ElementTree.fromstring(model.graph())
    assert root.find(f"{SVG}title").text == model.call
    assert "effects of Subject on (Intercept), Days" in root.find(f"{SVG}desc").text
    with pytest.raises(m2s.Mix2stanError, match="no format 'png'"):
        model.graph("png")


@pytest.mark.parametrize("name", list(PROGRAMS)[::6])
def test_every_kind_of_program_is_drawn(name):
    ElementTree.fromstring(model_of(name).graph())


def test_names_cannot_break_out():
    data = SMALL.rename(columns={"z": HOSTILE})
    quoted = HOSTILE.replace("\\", "\\\\").replace("`", "\\`")
    model = m2s.model(f"lmer(y ~ `{quoted}` + (1 | g))", data)
    assert "<script" not in model.graph("svg")
    ElementTree.fromstring(model.graph("svg"))
    assert "<script" not in model.graph("mermaid")
    for line in model.graph("dot").splitlines():
        assert len(re.findall(r'(?<!\\)(?:\\\\)*"', line)) % 2 == 0
