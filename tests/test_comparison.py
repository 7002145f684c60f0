"""Which calls are the same model: as the reference cases and the lecture's table say."""

from __future__ import annotations

import functools
import itertools
import json

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s
from tests.conftest import FIXTURES, table

CASES = json.loads((FIXTURES / "calls.json").read_text())["cases"]


@functools.cache
def read(data, call):
    return m2s.model(call, {"d": table(data)})


def calls(case):
    return list(case["calls"].values())


PAIRS = [
    pytest.param(case["data"], *pair, id=f"{case['id']}-{i}")
    for case in CASES
    for i, pair in enumerate(itertools.combinations(calls(case), 2))
]
OTHERS = [
    pytest.param(a["data"], calls(a)[0], calls(b)[-1], id=f"{a['id']}-{b['id']}")
    for a, b in itertools.combinations(CASES, 2)
    if a["data"] == b["data"]
]


@pytest.mark.parametrize(("data", "a", "b"), PAIRS)
def test_the_calls_of_a_case_are_one_model(data, a, b):
    found = m2s.compare(read(data, a), read(data, b))
    assert found.same, str(found)
    assert found.differences == ()


@pytest.mark.parametrize(("data", "a", "b"), OTHERS)
def test_the_calls_of_different_cases_are_different_models(data, a, b):
    for one, other in ((a, b), (b, a)):
        found = m2s.compare(read(data, one), read(data, other))
        assert not found
        assert found.differences


LECTURE = [
    ("random = ~line", "(1 | line)"),
    ("random = ~us(1):line", "(1 | line)"),
    ("random = ~idh(1):line", "(1 | line)"),
    ("random = ~us(1 + tarsus):line", "(1 + tarsus | line)"),
    ("random = ~idh(1 + tarsus):line", "(1 | line) + (0 + tarsus | line)"),
    ("random = ~us(genotype):line", "(genotype - 1 | line)"),
    ("random = ~us(genotype):line", "(1 + genotype | line)"),
    ("random = ~genotype:line", "(1 | genotype:line)"),
    ("random = ~line + genotype:line", "(1 | line/genotype)"),
    (
        "random = ~idh(genotype):line",
        '(0 + dummy(genotype, "Dll") | line) + (0 + dummy(genotype, "wt") | line)',
    ),
]


@pytest.mark.parametrize(("random", "bars"), LECTURE)
def test_the_equalities_of_the_lecture(random, bars):
    df = table("sct")
    a = f"MCMCglmm(SCT ~ tarsus, {random}, data = dll.data)"
    b = f"lmer(SCT ~ tarsus + {bars}, data = dll.data)"
    assert m2s.compare(a, b, df).same


def test_the_lectures_table_has_no_two_equal_rows():
    rows = [m2s.model(f"MCMCglmm(tarsus ~ sex, random = ~{r})", table("BTdata")) for r in TABLE]
    for one, other in itertools.combinations(rows, 2):
        assert not m2s.compare(one, other)


TABLE = [
    "dam", "us(sex):dam", "sex:dam", "dam + sex:dam", "idh(sex):dam", "corh(sex):dam", "cor(sex):dam",
]  # fmt: skip


def test_the_false_equality_of_the_lecture_is_caught():
    a = "MCMCglmm(Time ~ Width, random = ~idh(1 + Width):Squirrel, data = cone.handling)"
    b = "lmer(Time ~ Width + (Width | Squirrel), data = cone.handling)"
    found = m2s.compare(a, b, table("cones"))
    assert not found.same
    (line,) = found.differences
    assert "covariance of Squirrel" in line
    assert "the first has no covariance of (Intercept) and Width" in line
    assert str(found).startswith("different models")


RNG = np.random.default_rng(5)
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=60),
        "k": RNG.poisson(3, 60),
        "x": RNG.uniform(1, 2, 60),
        "t": np.tile(np.arange(6), 10),
        "u": np.tile(np.arange(6) + 3, 10),
        "f": np.tile(["a", "b", "c"], 20),
        "g": np.repeat([f"g{i}" for i in range(10)], 6),
        "h": np.repeat([f"h{9 - i}" for i in range(10)], 6),
    }
)

SAME = [
    ("lm(y ~ x)", "gls(y ~ x)"),
    ("lm(y ~ x)", "lm(y ~ I(2 * x + 1))"),
    ("lm(y ~ f)", "lm(y ~ 0 + f)"),
    ("lm(y ~ x + offset(3 * x))", "lm(y ~ x)"),
    ("lmer(y ~ (x | g))", "lmer(y ~ (I(x - 2) | h))"),
    ("lmer(y ~ (1 | g))", "lmer(y ~ (1 | h))"),
    ("lmer(y ~ (1 | g:f))", "MCMCglmm(y ~ 1, random = ~ f:g)"),
    ("glmmTMB(y ~ ou(0 + numFactor(t) | g))", "glmmTMB(y ~ exp(0 + numFactor(t) | g))"),
    ("glmmTMB(y ~ exp(0 + numFactor(2 * t) | g))", "glmmTMB(y ~ exp(0 + numFactor(t) | g))"),
    ("gls(y ~ x, weights = varFixed(~ x))", "gls(y ~ x, weights = varPower(form = ~ x, fixed = 0.5))"),
    ("gls(y ~ x, weights = ~ I(4 * x))", "gls(y ~ x, weights = ~ x)"),
    ("gls(y ~ x, weights = varIdent(form = ~ 1 | g))", "MCMCglmm(y ~ x, rcov = ~ idh(h):units)"),
    ("gls(y ~ x, correlation = corAR1(form = ~ t | g))", "gls(y ~ x, correlation = corAR1(form = ~ u | h))"),
    ("gls(y ~ x, correlation = corAR1(form = ~ 1 | g))", "gls(y ~ x, correlation = corARMA(form = ~ t | g, p = 1))"),
    ("glmer(k ~ x + (1 | g), family = poisson)", "glmer(k ~ x + (1 | h), family = poisson)"),
]  # fmt: skip

DIFFERENT = [
    ("lm(y ~ x)", "lm(y ~ log(x))", "population"),
    ("lm(y ~ x)", "lm(y ~ x + f)", "population: the means differ: the second has fb, fc"),
    ("lm(y ~ offset(x))", "lm(y ~ 1)", "offset"),
    ("lm(y ~ x)", "lm(x ~ x)", "response"),
    ("lm(y ~ x)", "lm(y ~ x, subset = t > 1)", "rows: 60"),
    ("glm(k ~ x, family = poisson)", "glm.nb(k ~ x)", "family"),
    ("lm(k ~ x)", "glm(k ~ x, family = poisson)", "family: gaussian with link identity"),
    ("lmer(y ~ (1 | g))", "lmer(y ~ (1 | f))", "only the first has g"),
    ("lmer(y ~ (1 | g))", "lmer(y ~ (1 | g) + (1 | f))", "only the second has f"),
    ("lmer(y ~ (1 | g))", "lmer(y ~ (x | g))", "columns of g: (Intercept) in the first"),
    ("lmer(y ~ (x || g))", "lmer(y ~ (I(x - 2) || g))", "but of other columns: (Intercept), x and (Intercept), I(x - 2)"),
    ("glmmTMB(y ~ cs(0 + f | g))", "glmmTMB(y ~ homcs(0 + f | g))", "covariance of g: corh"),
    ("glmmTMB(y ~ ar1(0 + f | g))", "glmmTMB(y ~ homcs(0 + f | g))", "covariance of g: ar1"),
    ("glmmTMB(y ~ exp(0 + numFactor(t) | g))", "glmmTMB(y ~ exp(0 + numFactor(t^2) | g))", "g"),
    ("gls(y ~ x)", "gls(y ~ x, weights = varPower(form = ~ x))", "residual variance: one variance"),
    ("gls(y ~ x, weights = varIdent(form = ~ 1 | f))", "gls(y ~ x, weights = varIdent(form = ~ 1 | g))", "residual variance"),
    ("gls(y ~ x, correlation = corAR1(form = ~ t | g))", "gls(y ~ x)", "residual correlation"),
    ("gls(y ~ x, correlation = corAR1(form = ~ t | g))", "gls(y ~ x, correlation = corAR1(form = ~ I(t^2) | g))", "residual correlation"),
    ("gls(y ~ x, correlation = corCompSymm(form = ~ 1 | g))", "gls(y ~ x, correlation = corAR1(form = ~ 1 | g))", "corCompSymm"),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b"), SAME)
def test_what_is_written_in_two_ways(a, b):
    found = m2s.compare(a, b, DATA)
    assert found, str(found)


@pytest.mark.parametrize(("a", "b", "words"), DIFFERENT)
def test_what_differs_is_said(a, b, words):
    found = m2s.compare(a, b, DATA)
    assert not found
    assert any(words in line for line in found.differences), str(found)


def test_other_coefficients_of_the_same_means_are_noted():
    found = m2s.compare("lm(y ~ f)", "lm(y ~ 0 + f)", DATA)
    assert found.same
    assert "(Intercept), fb, fc and fa, fb, fc" in found.notes[0]


def test_a_text_needs_data():
    with pytest.raises(m2s.Mix2stanError, match="needs data"):
        m2s.compare("lm(y ~ x)", "lm(y ~ x)")
