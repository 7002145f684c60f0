"""R text, valid and not."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mix2stan as m2s
from mix2stan.errors import FormulaError
from mix2stan.parser import parse

ROUND_TRIPS = [
    "lmer(y ~ x + (1 | g), data = d)",
    "y ~ a * b + poly(x, 2):f - 1",
    "MCMCglmm(y ~ 1, random = ~us(1 + x):g, prior = list(R = list(V = 1, nu = 0.002)))",
    'f(a = c(1, 2, -3), b = "two", TRUE, NULL)',
    "y ~ I(x^2) + `a b` %in% g/h",
    "log(y + 1) ~ offset(log(n)) + (0 + x || g)",
]


@pytest.mark.parametrize("text", ROUND_TRIPS)
def test_a_node_prints_back_as_r(text):
    program = parse(text)
    printed = str(program.statements[0])
    assert printed == text
    assert str(parse(printed).statements[0]) == printed


def test_spans_are_places_in_the_text():
    call = parse("x <- 1; lmer(y ~ größe)").statements[1]
    assert (call.span.start, call.span.end) == (8, 23)


@pytest.mark.parametrize(
    "text", ["(" * 10_000 + "y" + ")" * 10_000, "lm(y ~ " + "I(" * 10_000, "-" * 10_000]
)
def test_depth_has_a_clear_end(text):
    with pytest.raises(FormulaError):
        parse(text)


def test_a_long_text_is_refused_and_a_long_sum_is_not():
    with pytest.raises(FormulaError, match="at most"):
        parse("lm(y ~ " + " + ".join(["x"] * 400_000) + ")")
    terms = [f"x{i}" for i in range(3000)]
    program = parse("lm(y ~ " + " + ".join(terms) + ")")
    assert str(program.statements[0]).endswith("x2999)")


DATA = pd.DataFrame(
    {
        "y": [1.0, 2.0, 4.0, 3.0, 5.5, 2.5],
        "x": [0.0, 1.0, 2.0, 3.0, 4.0, 7.0],
        "g": list("aabbcc"),
        "f": list("uvuvuv"),
    }
)

CALLS = [
    "lmer(y ~ x + (1 | g), data = d)",
    "lmer(y ~ x * f + (0 + x || g) + (1 | f:g), REML = FALSE)",
    "lme(y ~ poly(x, 2), random = list(g = pdDiag(~ x)), data = d)",
    "MCMCglmm(y ~ x, random = ~us(1 + x):g + idh(f):g, data = d)",
    "lm(log(y) ~ 0 + f / x + I(x^2) - 1, subset = x > 0, contrasts = list(f = contr.sum))",
]


def read(text: str) -> None:
    """A model or one of the two errors; anything else is a bug."""
    try:
        m2s.model(text, DATA)
    except FormulaError as error:
        assert str(error)


FUZZ = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
R_CHARACTERS = "lmery xgf~+-*/^:|()=,.%'\"`<>01 c_\n#"


@st.composite
def mutated_calls(draw):
    """A call with a few characters put in, or cut out."""
    text = draw(st.sampled_from(CALLS))
    for _ in range(draw(st.integers(1, 3))):
        at, cut = draw(st.integers(0, len(text))), draw(st.integers(0, 3))
        text = text[:at] + draw(st.text(alphabet=R_CHARACTERS, max_size=3)) + text[at + cut :]
    return text


TEXTS = {
    "any": st.text(max_size=60),
    "like R": st.text(alphabet=R_CHARACTERS, max_size=40),
    "mutated": mutated_calls(),
}


@pytest.mark.parametrize("examples", [300, pytest.param(10_000, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("kind", TEXTS)
def test_any_text_is_read_or_refused(kind, examples):
    settings(max_examples=examples, **FUZZ)(given(TEXTS[kind])(read))()
