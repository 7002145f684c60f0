"""rstanarm's calls and their priors, as its help pages say what they mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s

RNG = np.random.default_rng(12)
N = 60
DATA = pd.DataFrame(
    {
        "y": RNG.normal(3, 2, N),
        "x": RNG.normal(2, 1.5, N),
        "z": RNG.normal(size=N),
        "g": [f"g{i % 6}" for i in range(N)],
        "c": RNG.poisson(3, N),
        "b": RNG.integers(0, 2, N),
    }
)
Y, X = DATA["y"].std(), DATA["x"].std()
DEFAULT = {
    "beta[(Intercept)]": f"normal({DATA['y'].mean():.5g}, {2.5 * Y:.5g})",
    "beta[x]": f"normal(0, {2.5 * Y / X:.5g})",
    "sigma": f"exponential({1 / Y:.5g})",
}


def densities(call, **options):
    return m2s.model(call, DATA, **options).priors["density"].to_dict()


GLM = [
    ("prior = normal(0, 0.1)", {"beta[x]": "normal(0, 0.1)"}),
    ("prior = normal()", {"beta[x]": "normal(0, 2.5)"}),
    ("prior = normal(0, 1, autoscale = TRUE)", {"beta[x]": f"normal(0, {Y / X:.5g})"}),
    ("prior = student_t(3, 0, 2)", {"beta[x]": "student_t(3, 0, 2)"}),
    ("prior = cauchy(0, 2)", {"beta[x]": "cauchy(0, 2)"}),
    ("prior = laplace(0, 2)", {"beta[x]": "double_exponential(0, 2)"}),
    ("prior = NULL", {"beta[x]": "flat"}),
    ("prior_intercept = normal(1, 1/2)", {"beta[(Intercept)]": "normal(1, 0.5)"}),
    (
        "prior_intercept = cauchy(1, 2, autoscale = TRUE)",
        {"beta[(Intercept)]": f"cauchy(1, {2 * Y:.5g})"},
    ),
    ("prior_intercept = NULL", {"beta[(Intercept)]": "flat"}),
    ("prior_aux = exponential(1/2)", {"sigma": "exponential(0.5)"}),
    ("prior_aux = exponential(2, autoscale = TRUE)", {"sigma": f"exponential({2 / Y:.5g})"}),
    ("prior_aux = cauchy(0, 5)", {"sigma": "cauchy(0, 5)"}),
    ("prior_aux = normal(1, 2)", {"sigma": "normal(1, 2) T[1, ]"}),
    ("prior_aux = NULL", {"sigma": "flat"}),
    ("prior = default_prior_coef(gaussian()), prior_aux = NULL", {"sigma": "flat"}),
    ("prior = NULL, QR = TRUE, prior_PD = FALSE", {"beta[x]": "flat"}),
]


@pytest.mark.parametrize(("arguments", "own"), GLM)
def test_priors_of_a_call_stand_on_rstanarms(arguments, own):
    call = f"stan_glm(y ~ x, data = d, {arguments})"
    assert densities(call) == DEFAULT | own
    assert densities(call, prior="rstanarm") == DEFAULT | own
    assert densities(call, prior="default") == densities("lm(y ~ x)")


def test_coefficients_have_scales_of_their_own():
    found = densities("stan_glm(y ~ x + z, prior = normal(c(0, -1), c(1, 2)))")
    assert (found["beta[x]"], found["beta[z]"]) == ("normal(0, 1)", "normal(-1, 2)")
    with pytest.raises(m2s.FormulaError, match="3 numbers for 2"):
        densities("stan_glm(y ~ x + z, prior = normal(0, c(1, 2, 3)))")


def test_scales_of_probit_models_are_in_units_of_the_logit():
    found = densities("stan_glm(b ~ x, family = binomial(link = 'probit'), prior = normal(0, 1))")
    assert found["beta[x]"] == f"normal(0, {stats.norm.pdf(0) / stats.logistic.pdf(0):.5g})"


COVARIANCES = [
    ("stan_lmer(y ~ x + (x | g), prior_covariance = decov(2))", "cor_g", "lkj_corr_cholesky(2)"),
    (
        "stan_lmer(y ~ x + (1 | g), prior_covariance = decov(shape = 2, scale = 4))",
        "sd_g",
        "gamma(2, 0.25 / sigma)",
    ),
    (
        "stan_glmer(c ~ x + (1 | g), family = poisson, prior_covariance = decov(scale = 4))",
        "sd_g",
        "exponential(0.25)",
    ),
    (
        "stan_glmer(c ~ x + (1 | g), family = poisson, prior_covariance = decov(shape = 3))",
        "sd_g",
        "gamma(3, 1)",
    ),
    ("stan_glm.nb(c ~ x, prior_aux = normal(0, 2))", "shape", "normal(0, 2)"),
]


@pytest.mark.parametrize(("call", "name", "density"), COVARIANCES)
def test_covariances_and_shapes_have_priors(call, name, density):
    assert densities(call)[name] == density


def test_a_standard_deviation_in_units_of_sigma_has_its_density():
    model = m2s.model(
        "stan_lmer(y ~ x + (1 | g), prior_covariance = decov(shape = 2, scale = 4), prior = NULL, "
        "prior_intercept = NULL, prior_aux = NULL)",
        DATA,
    )
    fit = model.sample(chains=1, warmup=30, draws=8, seed=1, progress=False, engine="stanli")
    sigma, sd = (fit.posterior[n].values[0] for n in ("sigma", "sd_g"))
    want = stats.gamma(2, scale=4 * sigma).logpdf(sd)
    np.testing.assert_allclose(np.diff(model.log_prior(fit).values[0]), np.diff(want))
    program = "sd_g ~ gamma(sd_g_shape, sd_g_rate / sigma);"
    assert program in model.stan_code


REFUSED = [
    ("stan_glm(y ~ x, prior_PD = TRUE)", "draws of the prior"),
    ("stan_glm(y ~ x + z, QR = TRUE)", "other columns"),
    ("stan_glm(y ~ x, prior = hs())", "hs"),
    ("stan_glm(y ~ x, prior = product_normal(2))", "product_normal"),
    ("stan_glm(y ~ x, prior_aux = normal(0))", "without a scale"),
    ("stan_lm(y ~ x, prior = R2(0.5))", "R\\^2"),
    ("stan_lm(y ~ x, prior = NULL)", "R\\^2"),
    ("stan_lmer(y ~ x + (x | g), prior_covariance = decov(1, 2))", "correlated effects"),
    ("stan_lmer(y ~ x + (1 | g), prior_covariance = lkj(2))", "lkj"),
    ("stan_lmer(y ~ x + (1 | g), prior_covariance = decov(scale = c(1, 2)))", "each term"),
]
WRONG = [
    ("stan_glm(y ~ x, prior = N05)", "N05 is not known"),
    ("stan_glm(y ~ x, prior = normal(0, -1))", "positive"),
    ("stan_glm(y ~ x, prior = decov())", "cannot be decov"),
    ("stan_glm(y ~ x, prior = 5)", "no prior"),
    ("stan_glm(y ~ x, prior = normal(0, big))", "no number"),
    ("stan_glm(y ~ x, prior_PD = maybe)", "TRUE or FALSE"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED + WRONG)
def test_what_cannot_be_is_refused_with_its_place(call, words):
    with pytest.raises(m2s.FormulaError, match=words) as caught:
        m2s.model(call, DATA)
    assert isinstance(caught.value, m2s.Unsupported) == ((call, words) in REFUSED)
    assert caught.value.text == call
    assert caught.value.span is not None


def test_a_name_stands_for_a_prior_that_was_assigned():
    text = "N05 <- normal(0, 5)\nstan_glm(y ~ x, prior = N05, prior_intercept = N05)"
    found = densities(text)
    assert found["beta[(Intercept)]"] == found["beta[x]"] == "normal(0, 5)"


def test_stan_lm_says_that_its_prior_is_another():
    assert any("R^2" in note for note in m2s.model("stan_lm(y ~ x)", DATA).notes)


POWERS = [
    ("stan_lmer(y ~ x + (1 | g), weights = w)", "brm(y | weights(w) ~ x + (1 | g))"),
    ("stan_glm(y ~ x, weights = w)", "brm(y | weights(w) ~ x)"),
    (
        'stan_glm(w ~ x, weights = w, family = Gamma("log"))',
        'brm(w | weights(w) ~ x, family = Gamma("log"))',
    ),
    ("stan_glm(c ~ x, family = neg_binomial_2)", "glm.nb(c ~ x)"),
    (
        'stan_glmer(c ~ x + (1 | g), family = neg_binomial_2(link = "log"), weights = w)',
        "brm(c | weights(w) ~ x + (1 | g), family = negbinomial)",
    ),
]


@pytest.mark.parametrize(("call", "same"), POWERS)
def test_weights_are_powers_of_the_likelihood_whatever_the_family(call, same):
    data = DATA.assign(w=1 + DATA["b"])
    assert m2s.compare(call, same, data).same


def test_weights_are_no_precisions():
    data = DATA.assign(w=1 + DATA["b"])
    assert not m2s.compare("stan_glm(y ~ x, weights = w)", "lm(y ~ x, weights = w)", data).same
