"""brms calls: what they mean, against the same model in another package's words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s

RNG = np.random.default_rng(3)
N = 60
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=N),
        "p": RNG.uniform(0.1, 2, N),
        "k": RNG.poisson(3, N),
        "n": RNG.integers(12, 20, N),
        "x": RNG.normal(size=N),
        "t": np.tile([1, 2, 4, 5, 9, 7], 10),
        "s": np.tile([1, 2, 3, 4, 6, 5], 10),
        "f": RNG.choice(list("abc"), N),
        "g": np.repeat([f"g{i}" for i in range(10)], 6),
        "h": np.repeat([f"h{i}" for i in range(5)], 12),
    }
)

SAME = [
    ("brm(y ~ x + (1 + x | g), data = d, chains = 2)", "lmer(y ~ x + (x | g))"),
    ("brm(y ~ x + (1 + x || g))", "lmer(y ~ x + (x || g))"),
    ("brm(y ~ x + (1 | h/g))", "lmer(y ~ x + (1 | h/g))"),
    ("brm(y ~ 0 + Intercept + x + (x | gr(g, cor = FALSE)))", "lmer(y ~ x + (x || g))"),
    ("brm(y ~ x + (f || g))", "glmmTMB(y ~ x + diag(f | g))"),
    ("brm(y ~ x + (1 | p1 | g))", "lmer(y ~ x + (1 | g))"),
    ("brms::brm(bf(y ~ x + (1 | g)), family = gaussian())", "lmer(y ~ x + (1 | g))"),
    (
        "brm(k | trials(n) ~ x + (1 | g), family = binomial())",
        "glmer(cbind(k, n - k) ~ x + (1 | g), family = binomial)",
    ),
    ("brm(k ~ x + offset(log(n)) + (1 | g), family = poisson())", "glmer(k ~ x + (1 | g), family = poisson, offset = log(n))"),
    ("brm(k ~ x + (1 | g), family = negbinomial)", "glmer.nb(k ~ x + (1 | g))"),
    ('brm(p ~ x, family = "gamma")', "glm(p ~ x, family = Gamma(link = log))"),
    ('brm(p ~ x, family = brmsfamily("gamma", "inverse"))', "glm(p ~ x, family = Gamma)"),
    ("brm(y ~ x, family = student())", "glmmTMB(y ~ x, family = t_family)"),
    ("brm(bf(y ~ x, sigma ~ f))", "glmmTMB(y ~ x, dispformula = ~ f)"),
    ("brm(bf(y ~ x, sigma ~ x + (1 | g)))", "glmmTMB(y ~ x, dispformula = ~ x + (1 | g))"),
    ("brm(bf(p ~ x, shape ~ f, family = Gamma(log)))", "glmmTMB(p ~ x, family = Gamma(log), dispformula = ~ f)"),
    (
        "brm(y ~ x + ar(time = s, gr = g, cov = TRUE))",
        "gls(y ~ x, correlation = corAR1(form = ~ s | g))",
    ),
    ("stan_lmer(y ~ x + (x | g), prior = normal(0, 1), iter = 500)", "lmer(y ~ x + (x | g))"),
    ("stan_glmer(k ~ x + (1 | g), family = poisson)", "glmer(k ~ x + (1 | g), family = poisson)"),
    ("stan_glm(k ~ x, family = poisson)", "glm(k ~ x, family = poisson)"),
    ("stan_glmer.nb(k ~ x + (1 | g))", "glmer.nb(k ~ x + (1 | g))"),
    ("stan_lm(y ~ x, prior = R2(0.5))", "lm(y ~ x)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "other"), SAME)
def test_the_same_model_in_other_words(call, other):
    found = m2s.compare(call, other, DATA)
    assert found.same, found.differences


def test_double_bars_split_columns_and_lme4_splits_terms():
    found = m2s.compare("brm(y ~ x + (f || g))", "lmer(y ~ x + (f || g))", DATA)
    assert not found.same


def test_only_the_order_of_times_counts():
    """brms' covariance of a series knows places; nlme's knows times, and these have gaps."""
    brms, nlme = (
        "brm(y ~ x + ar(time = t, gr = g, cov = TRUE))",
        "gls(y ~ x, correlation = corAR1(form = ~ %s | g))",
    )
    assert not m2s.compare(brms, nlme % "t", DATA).same
    assert m2s.compare(brms, nlme % "s", DATA).same


CANNOT = [
    ("brm(y ~ s(x))", "s\\(\\) of brms"),
    ("brm(y ~ x + (1 | mm(g, h)))", "mm\\(\\) of brms"),
    ("brm(y ~ x + (1 | ID | g) + (1 | ID | h))", "correlated by ID"),
    ("brm(bf(y ~ x + (1 | ID | g), sigma ~ (1 | ID | g)))", "correlated by ID"),
    ("brm(bf(y ~ a * x, a ~ 1, nl = TRUE))", "nl|a"),
    ("brm(mvbind(y, p) ~ x)", "several responses"),
    ("brm(bf(y ~ x) + bf(p ~ x))", "several responses"),
    ("brm(y ~ x + ar(time = t, gr = g))", "regresses residuals"),
    ("brm(y ~ x + ar(t, g, p = 2, cov = TRUE))", "order 1"),
    ("brm(y ~ x + cosy(gr = g))", "cosy"),
    ("brm(k ~ x + ar(t, g, cov = TRUE), family = poisson())", "not Gaussian"),
    ("brm(y | mi() ~ x)", "mi\\(\\)"),
    ("brm(y ~ x + (1 | gr(g, by = f)))", "'by'"),
    ('brm(y ~ x + (1 | gr(g, dist = "student")))', "student"),
    ("brm(bf(k ~ x, shape ~ f), family = poisson())", "no parameter 'shape'"),
    ("brm(cbind(k, n) ~ x, family = binomial())", "several responses"),
]


@pytest.mark.parametrize(("call", "words"), CANNOT)
def test_what_cannot_be_expressed_is_named(call, words):
    with pytest.raises(m2s.FormulaError, match=words):
        m2s.model(call, DATA)


def test_priors_of_the_call_are_noted_as_not_used():
    model = m2s.model("brm(y ~ x, prior = set_prior('normal(0, 1)', class = 'b'))", DATA)
    assert any("own prior is not used" in note for note in model.notes)
