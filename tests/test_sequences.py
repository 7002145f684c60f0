"""Sequences: structures whose order means something, and what is said of a strange one."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s


def visits():
    rng = np.random.default_rng(4)
    t = np.tile(np.arange(1, 13), 8)
    df = pd.DataFrame({"y": rng.normal(size=96), "x": rng.normal(size=96), "t": t})
    df["g"] = np.repeat([f"g{i}" for i in range(8)], 12)
    df["visit"] = [f"VISIT{i}" for i in t]
    df["padded"] = [f"VISIT{i:02d}" for i in t]
    df["month"] = np.array(["Jan", "Feb", "Mar", "Apr"])[t % 4]
    return df.assign(late=t > 6, f=pd.Categorical(t), category=df["visit"].astype("category"))


@pytest.mark.parametrize("structure", ["ar1", "hetar1"])
@pytest.mark.parametrize(
    "columns", ["0 + t", "t", "1 + t", "0 + late", "0 + f:month", "0 + log(t)"]
)
def test_a_series_is_of_the_levels_of_one_factor(structure, columns):
    """glmmTMB: ar1() expects a single, factor variable as the time component."""
    call = f"glmmTMB(y ~ x + {structure}({columns} | g))"
    with pytest.raises(m2s.FormulaError, match="expects a single, factor variable") as caught:
        m2s.model(call, visits())
    assert "0 + factor(" in caught.value.hint


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("glmmTMB(y ~ x + ar1(1 + f | g))", "not meaningful with an intercept"),
        ("glmmTMB(y ~ x + ar1(f | g))", "not meaningful with an intercept"),
        ("glmmTMB(y ~ x + ar1(0 + t + f | g))", "for times in that order"),
        ("glmmTMB(y ~ x + toep(0 + t | g))", "toep of one column, t, is a variance alone"),
        ("glmmTMB(y ~ x + cs(0 + t | g))", "cs of one column|corh of one column"),
        ("glmmTMB(y ~ x + ar1(0 + visit | g))", "VISIT1, VISIT10, VISIT11, VISIT12, …, not"),
        ("glmmTMB(y ~ x + hetar1(0 + category | g))", "VISIT1, VISIT10"),
        ("glmmTMB(y ~ x + toep(0 + visit | g))", "VISIT1, VISIT10"),
        ("MCMCglmm(y ~ x, random = ~ ante1(visit):g)", "VISIT1, VISIT10"),
        ("lm(y ~ ordered(visit))", "VISIT1, VISIT10"),
        ("lm(y ~ factor(visit, ordered = TRUE))", "VISIT1, VISIT10"),
        ("gls(y ~ x, correlation = corAR1(form = ~ as.integer(category) | g))", "VISIT1, VISIT10"),
        ("glmmTMB(y ~ x + ar1(0 + month | g))", "the order of the alphabet: Apr, Feb, Jan, Mar"),
        ("lm(y ~ ordered(month))", "the order of the alphabet: Apr, Feb, Jan, Mar"),
        ("glmmTMB(y ~ x + ar1(0 + factor(t^2) | g))", "equally far apart: 1, 4, 9, 16"),
    ],
)
def test_a_strange_order_of_times_is_said(call, words):
    df = visits()
    assert any(re.search(words, remark) for remark in m2s.model(call, df).notes)


@pytest.mark.parametrize(
    "call",
    [
        "glmmTMB(y ~ x + ar1(0 + f | g))",
        "glmmTMB(y ~ x + ar1(0 + padded | g))",
        "glmmTMB(y ~ x + ar1(0 + numFactor(t) | g))",
        'glmmTMB(y ~ x + ar1(0 + factor(visit, levels = paste0("VISIT", 1:12)) | g))',
        "gls(y ~ x, correlation = corAR1(form = ~ t | g))",
        "lm(y ~ visit)",
        "lmer(y ~ x + (1 | visit))",
    ],
)
def test_times_in_their_order_need_no_word(call):
    assert m2s.model(call, visits()).notes == ()
