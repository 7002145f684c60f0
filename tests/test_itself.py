"""A response among its own predictors: dropped as R drops it, or remarked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s

DROPPED = "the response appeared on the right-hand side and was dropped: "


def frame():
    rng = np.random.default_rng(6)
    df = pd.DataFrame({"x": rng.normal(size=60), "g": list("abcdef") * 10, "f": list("uvw") * 20})
    df = df.assign(y=np.exp(rng.normal(size=60)), n=rng.poisson(3, 60), t=10)
    return df.assign(k=rng.binomial(10, 0.4, 60), z=rng.normal(size=60))


#: Calls, what is dropped, and the columns that R's lm, glm and lmer are left with.
CALLS = [
    ("lm(y ~ y + x)", "y", "(Intercept) x"),
    ("lm(y ~ y)", "y", "(Intercept)"),
    ("lm(y ~ y - 1)", "y", ""),
    ("lm(y ~ 0 + y + x)", "y", "x"),
    ("lm(y ~ y * x)", "y", "(Intercept) x y:x"),
    ("lm(y ~ (y + x)^2)", "y", "(Intercept) x y:x"),
    ("lm(log(y) ~ log(y) + x)", "log(y)", "(Intercept) x"),
    ("lmer(y ~ y + x + (1 | g))", "y", "(Intercept) x"),
    ("lmer(y ~ x + f + y + (x | g))", "y", "(Intercept) x fv fw"),
    ("glmer(n ~ n + x + (1 | g), family = poisson)", "n", "(Intercept) x"),
    ("glm(cbind(k, t) ~ cbind(k, t) + x, family = binomial)", "cbind(k, t)", "(Intercept) x"),
    ("lme(y ~ y + x, random = ~ 1 | g)", "y", "(Intercept) x"),
    ("gls(y ~ x + y)", "y", "(Intercept) x"),
    ("glmmTMB(y ~ y + x + (1 | g))", "y", "(Intercept) x"),
    ("brm(y ~ y + x + (1 | g))", "y", "(Intercept) x"),
    ("brm(y | cens(t > 20) ~ y + x)", "y", "(Intercept) x"),
    ("MCMCglmm(y ~ y + x, random = ~ g)", "y", "(Intercept) x"),
    ("stan_lmer(y ~ y + x + (1 | g))", "y", "(Intercept) x"),
]


@pytest.mark.parametrize(("call", "what", "columns"), CALLS)
def test_the_response_is_dropped_with_a_word(call, what, columns):
    model = m2s.model(call, frame())
    assert f"{DROPPED}{what}" in model.notes
    assert list(model.X.columns) == columns.split()


def test_what_is_left_is_the_model_without_it():
    df = frame()
    pairs = (
        ("lmer(y ~ y + x + (1 | g))", "lmer(y ~ x + (1 | g))"),
        ("brm(bf(y ~ y + x) + bf(z ~ x + y))", "brm(bf(y ~ x) + bf(z ~ x + y))"),
        (
            "brm(bf(n ~ n + x, family = poisson()) + bf(z ~ x))",
            "brm(bf(n ~ x, family = poisson()) + bf(z ~ x))",
        ),
    )
    for call, without in pairs:
        assert m2s.compare(call, without, df).same
        assert any(DROPPED in remark for remark in m2s.model(call, df).notes)
        assert not any(DROPPED in remark for remark in m2s.model(without, df).notes)
    fit = m2s.model(pairs[0][0], df).sample(chains=1, warmup=50, draws=10, seed=1)
    assert fit.predict(df[["x", "g"]].head(2)).shape == (1, 10, 2)


@pytest.mark.parametrize(
    ("call", "term"),
    [
        ("lm(y ~ y:x)", "y:x"),
        ("lm(log(y) ~ y + x)", "y"),
        ("lm(y ~ log(y))", "log(y)"),
        ("lm(y ~ I(y) + x)", "I(y)"),
        ("lm(y ~ x + offset(y))", "y"),
        ("lmer(y ~ x + (y | g))", "y"),
        ("glm(cbind(k, t) ~ k, family = binomial)", "k"),
        ("brm(k | trials(t) ~ k + x, family = binomial())", "k"),
    ],
)
def test_terms_made_of_the_response_stay_and_are_said(call, term):
    """R keeps them; the fit is perfect and means nothing."""
    notes = m2s.model(call, frame()).notes
    assert f"{term} is made of the response, which so predicts itself" in notes


@pytest.mark.parametrize(
    "call",
    [
        "lm(y ~ .)",
        "glm(cbind(k, t - k) ~ t + x, family = binomial)",
        "glm(k / t ~ t, family = binomial, weights = t)",
        "lm(y ~ x + n)",
    ],
)
def test_other_predictors_are_no_response(call):
    df = frame().drop(columns=["f"]).assign(t=lambda d: 10 + d.index % 3)
    assert not any("response" in remark for remark in m2s.model(call, df).notes)
