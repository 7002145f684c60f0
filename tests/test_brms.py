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
        "o": pd.Categorical.from_codes(
            np.arange(N) % 4, ["low", "mid", "high", "top"], ordered=True
        ),
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
    ("stan_lm(y ~ x)", "lm(y ~ x)"),
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
    ("brm(bf(y ~ a * x, a ~ 1, nl = TRUE))", "nl|a"),
    ("brm(bf(y ~ x) + gaussian())", "this part of the formula"),
    ("brm(bf(y ~ x) + bf(p ~ x, sigma ~ x))", "several responses"),
    ("brm(y ~ x + ar(time = t, gr = g))", "regresses residuals"),
    ("brm(y ~ x + ar(t, g, p = 2, cov = TRUE))", "order 1"),
    ("brm(y ~ x + cosy(gr = g))", "cosy"),
    ("brm(k ~ x + ar(t, g, cov = TRUE), family = poisson())", "not Gaussian"),
    ("brm(y | mi() ~ x)", "mi\\(\\)"),
    ("brm(y ~ x + (1 | gr(g, by = f)))", "'by'"),
    ('brm(y ~ x + (1 | gr(g, dist = "student")))', "student"),
    ("brm(bf(k ~ x, shape ~ f), family = poisson())", "no parameter 'shape'"),
    ("brm(cbind(k, n) ~ x, family = binomial())", "several responses"),
    ("brm(bf(y ~ x, quantile = 1.5), family = asym_laplace())", "quantile cannot be 1.5"),
    ("brm(bf(y ~ x, quantil = 0.5), family = asym_laplace())", "no parameter 'quantil'"),
]


@pytest.mark.parametrize(("call", "words"), CANNOT)
def test_what_cannot_be_expressed_is_named(call, words):
    with pytest.raises(m2s.FormulaError, match=words):
        m2s.model(call, DATA)


def test_a_set_that_is_asked_for_takes_the_place_of_the_priors_of_the_call():
    call = "brm(y ~ x, prior = prior(normal(0, 1)))"
    model = m2s.model(call, DATA, prior="flat")
    assert any("a set of priors was asked for" in note for note in model.notes)
    assert model.priors.loc["beta[x]", "density"] == "flat"
    pd.testing.assert_frame_equal(
        m2s.model(call, DATA, prior="brms").priors, m2s.model(call, DATA).priors
    )


#: The call's prior, and the same by the names of the table; the rest are brms'.
PRIORS = [
    ("prior(normal(0, 1))", {"beta": "normal(0, 1)"}),
    ("set_prior('normal(0, 1)', class = 'b', coef = 'x')", {"beta[x]": "normal(0, 1)"}),
    (
        "c(prior(normal(0, 3), class = b, coef = Ix_gt_0), prior(normal(0, 1), class = b))",
        {"beta": "normal(0, 1)"},
    ),
    ("prior(student_t(3, 0, 5), class = Intercept)", {"Intercept": "student_t(3, 0, 5)"}),
    ("prior(exponential(1), class = sigma)", {"sigma": "exponential(1)"}),
    (
        "prior(exponential(1), class = sd, group = g) + prior(exponential(2), class = 'sd')",
        {"sd_g": "exponential(1)", "sd_h": "exponential(2)"},
    ),
    (
        "prior(cauchy(0, 2), class = sd, group = g, coef = x)",
        {"sd_g[x]": "cauchy(0, 2)"},
    ),
    ("prior(cauchy(0, 2), class = sd, group = h, coef = Intercept)", {"sd_h": "cauchy(0, 2)"}),
    ("prior(lkj(2), class = cor)", {"cor_g": "lkj(2)"}),
    ("prior(lkj_corr_cholesky(2), class = cor, group = g)", {"cor_g": "lkj(2)"}),
    ("prior(normal(0, 5), class = sigma, lb = 1)", {"sigma": "normal(0, 5) T[1, ]"}),
    (
        "c(prior('', class = b), prior(normal(0, 1), class = sigma))",
        {"beta": "flat", "sigma": "normal(0, 1)"},
    ),
]


@pytest.mark.parametrize(("prior", "named"), PRIORS)
def test_priors_of_the_call_are_those_of_its_classes(prior, named):
    if "Ix_gt_0" in prior:
        with pytest.raises(m2s.FormulaError, match="Ix_gt_0"):
            m2s.model(f"brm(y ~ x, prior = {prior})", DATA)
        return
    formula = "y ~ x + (x | g) + (1 | h)"
    ours = m2s.model(f"brm({formula}, prior = {prior})", DATA).priors
    theirs = m2s.model(f"brm({formula})", DATA, prior={**named, "set": "brms"}).priors
    pd.testing.assert_frame_equal(ours, theirs)


def test_priors_of_the_call_reach_other_predictors_and_odd_columns():
    call = (
        "brm(bf(k ~ I(x^2) + f, shape ~ x), prior = c(prior(normal(0, 1), class = b, coef = IxE2), "
        "prior(normal(0, 2), class = b, dpar = shape), prior(normal(0, 3), class = b, coef = fb), "
        "prior(normal(1, 4), class = Intercept, dpar = shape)), family = negbinomial())"
    )
    density = m2s.model(call, DATA).priors["density"]
    assert density["beta[I(x^2)]"] == "normal(0, 1)"
    assert density["beta[fb]"] == "normal(0, 3)"
    assert density["shape[x]"] == "normal(0, 2)"
    assert density["shape[(Intercept)]"] == "normal(1, 4)"
    call = "brm(o ~ x, family = cumulative(), prior = prior(normal(0, 7), class = Intercept))"
    table = m2s.model(call, DATA).priors
    assert (
        table.loc[[n for n in table.index if "threshold" in n], "density"] == "normal(0, 7)"
    ).all()


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ("prior(normal(0, 1), class = sd)", "no parameters of class sd"),
        ("prior(normal(0, 1), class = b, coef = z)", "no coefficient 'z'"),
        ("prior(norml(0, 1))", "norml"),
        ("prior(constant(1), class = sigma)", "constant"),
        ("prior(normal(0, 1), resp = y)", "resp"),
        ("normal(0, 1)", "no prior of brms"),
        ("prior(exponential(1), class = b)", "exponential"),
    ],
)
def test_mistakes_in_priors_of_the_call_are_named(prior, words):
    with pytest.raises(m2s.FormulaError, match=words) as caught:
        m2s.model(f"brm(y ~ x, prior = {prior})", DATA)
    assert caught.value.text


# -- written ---------------------------------------------------------------------------------------

WRITTEN = [
    ("lmer(y ~ x + (x | g))", "brm(y ~ x + (1 + x | g), data = d)"),
    ("lmer(y ~ x + (x || g))", "brm(y ~ x + (1 + x || g), data = d)"),
    ("MCMCglmm(y ~ x, random = ~idh(f):g)", "brm(y ~ x + (0 + f || g), data = d)"),
    ("lm(y ~ 1)", "brm(y ~ 1, data = d)"),
    (
        "glmer(cbind(k, n - k) ~ x + (1 | g), family = binomial(probit))",
        'brm(k | trials(n) ~ x + (1 | g), data = d, family = binomial(link = "probit"))',
    ),
    (
        "glmer(k / n ~ x + (1 | g), weights = n, family = binomial)",
        "brm(round(k/n * (n)) | trials(n) ~ x + (1 | g), data = d, family = binomial())",
    ),
    ("glm(p ~ x, family = Gamma)", "brm(p ~ x, data = d, family = Gamma())"),
    ("glmer.nb(k ~ x + offset(log(n)) + (1 | g))", "brm(k ~ x + offset(log(n)) + (1 | g), data = d, family = negbinomial())"),
    ("glmmTMB(y ~ x, dispformula = ~ f)", "brm(bf(y ~ x, sigma ~ f), data = d)"),
    (
        "glmmTMB(p ~ x, family = Gamma(log), dispformula = ~ f + (1 | g))",
        'brm(bf(p ~ x, shape ~ f + (1 | g)), data = d, family = Gamma(link = "log"))',
    ),
    (
        "gls(y ~ x, correlation = corAR1(form = ~ s | g))",
        "brm(y ~ x + ar(time = s, gr = g, cov = TRUE), data = d)",
    ),
    (
        'clmm(o ~ x + (1 | g), link = "probit")',
        'brm(o ~ x + (1 | g), data = d, family = cumulative(link = "probit"))',
    ),
    (
        "brm(y | cens(f == 'a') ~ x + (x | g))",
        "brm(y | cens(f == \"a\") ~ x + (1 + x | g), data = d, family = gaussian())",
    ),
    (
        "brm(p | trunc(lb = 0, ub = n) ~ x, family = lognormal())",
        "brm(p | trunc(lb = 0, ub = n) ~ x, data = d, family = lognormal())",
    ),
    ("multinom(f ~ x)", "brm(f ~ x, data = d, family = categorical())"),
    (
        "brm(bf(y ~ x, quantile = 0.9), family = asym_laplace())",
        "brm(bf(y ~ x, quantile = 0.9), data = d, family = asym_laplace())",
    ),
    ("brm(bf(y ~ x, nu = 4), family = student)", "brm(bf(y ~ x, nu = 4), data = d, family = student())"),
    (
        "brm(bf(x ~ f, kappa ~ f), family = von_mises())",
        "brm(bf(x ~ f, kappa ~ f), data = d, family = von_mises())",
    ),
    ("brm(f ~ x + (x || g), family = categorical(), data = d)", "brm(f ~ x + (1 + x || g), data = d, family = categorical())"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "expected"), WRITTEN)
def test_the_text(call, expected):
    """The translation itself checks that what it wrote is the same model."""
    assert m2s.translate(call, "brms", DATA) == expected


ORDINAL = [
    ("brm(o ~ x + (x | g), family = cumulative())", "ordinal", "clmm(o ~ x + (1 + x | g), data = d)"),
    ('MCMCglmm(o ~ x, family = "threshold", prior = list(R = list(V = 1, fix = 1)))', "ordinal", 'clm(o ~ x, data = d, link = "probit")'),
    ('clm(o ~ 0 + x, link = "probit")', "MCMCglmm", 'MCMCglmm(o ~ x, family = "threshold", data = d, prior = list(R = list(V = 1, fix = 1)))'),
    (
        'clmm(o ~ 1 + (1 | g), link = "probit")',
        "MCMCglmm",
        'MCMCglmm(o ~ 1, random = ~g, family = "threshold", data = d, prior = list(R = list(V = 1, fix = 1)))',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "to", "expected"), ORDINAL)
def test_ordered_categories_as_other_packages_write_them(call, to, expected):
    assert m2s.translate(call, to, DATA) == expected


NOT_WRITTEN = [
    ("clm(o ~ x)", "lme4"),
    ("clm(o ~ x)", "glmmTMB"),
    ("clm(o ~ x)", "MCMCglmm"),
    ("brm(o ~ x, family = sratio())", "ordinal"),
    ("lm(y ~ x)", "ordinal"),
    ("brm(y | trunc(lb = -9) ~ x)", "glmmTMB"),
    ('MCMCglmm(cbind(y, y) ~ x, family = "cengaussian")', "brms"),
    ("multinom(f ~ x)", "MCMCglmm"),
    ("brm(bf(y ~ x, nu = 4), family = student())", "glmmTMB"),
    ("gls(y ~ x, correlation = corAR1(form = ~ t | g))", "brms"),
    ("gls(y ~ x, correlation = corCompSymm(form = ~ 1 | g))", "brms"),
    ("glmmTMB(y ~ x + cs(0 + f | g))", "brms"),
]


@pytest.mark.parametrize(("call", "to"), NOT_WRITTEN)
def test_what_a_package_has_not_is_refused(call, to):
    with pytest.raises(m2s.Unsupported, match=f"{to} cannot express") as caught:
        m2s.translate(call, to, DATA)
    assert caught.value.hint
