"""Priors that a user states: read, refused, written, and the densities they are."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.errors import nearest
from mix2stan.priors.densities import STATED, parse_density
from tests.conftest import table

SLOPE = "lmer(Reaction ~ Days + (Days | Subject))"
INTERCEPT = "lmer(Reaction ~ Days + (1 | Subject))"

#: Every density by Stan's name, and the same in scipy.
DENSITIES = {
    "normal(3, 5)": stats.norm(3, 5),
    "half_normal(5)": stats.norm(0, 5),
    "student_t(4, 3, 5)": stats.t(4, 3, 5),
    "half_student_t(4, 5)": stats.t(4, 0, 5),
    "cauchy(3, 5)": stats.cauchy(3, 5),
    "half_cauchy(5)": stats.cauchy(0, 5),
    "logistic(3, 5)": stats.logistic(3, 5),
    "double_exponential(3, 5)": stats.laplace(3, 5),
    "exponential(0.2)": stats.expon(scale=5),
    "gamma(2, 0.1)": stats.gamma(2, scale=10),
    "inv_gamma(3, 20)": stats.invgamma(3, scale=20),
    "lognormal(2, 0.5)": stats.lognorm(0.5, scale=np.exp(2)),
    "uniform(0, 50)": stats.uniform(0, 50),
    "normal(3, 5) T[1, 60]": stats.norm(3, 5),
    "std_normal()": stats.norm(),
}


def sleepstudy(prior, call=SLOPE, **options):
    return m2s.model(call, table("sleepstudy"), prior=prior, **options)


def prior_part(prior, block, points, others, stanli):
    """The log density at each value of one block, less that under a flat prior of it."""

    def values(p):
        model = sleepstudy(p, strategy="noncentred")
        program = stanli.compile(model.stan_code, model.stan_data)
        return [program.log_density({**others, block: x}, jacobian=False)[0] for x in points]

    return np.subtract(values(prior), values({block: "flat"}))


@pytest.mark.parametrize("text", DENSITIES)
def test_a_stated_density_is_scipys(text, stanli):
    rng = np.random.default_rng(1)
    points = rng.uniform(2, 40, 6)
    others = {
        "theta": np.zeros(2),
        "sd_Subject": np.array([20.0, 5.0]),
        "L_Subject": np.eye(2),
        "z_Subject": rng.normal(size=(2, 18)),
    }
    ours = prior_part({"sigma": text}, "sigma", points, others, stanli)
    # Stan drops what does not depend on a parameter
    np.testing.assert_allclose(np.diff(ours), np.diff(DENSITIES[text].logpdf(points)), atol=1e-9)


def test_every_density_is_held_against_scipy():
    tested = {text.split("(")[0] for text in DENSITIES}
    assert set(STATED) - tested == {"beta", "lkj", "lkj_corr_cholesky", "flat"}


def test_elements_of_a_block_have_densities_of_their_own(stanli):
    rng = np.random.default_rng(2)
    points = rng.uniform(2, 30, (6, 2))
    others = {
        "theta": np.zeros(2),
        "sigma": 25.0,
        "L_Subject": np.eye(2),
        "z_Subject": rng.normal(size=(2, 18)),
    }
    prior = {"sd_Subject": "exponential(0.1)", "sd_Subject[Days]": "student_t(4, 1, 10)"}
    ours = prior_part(prior, "sd_Subject", points, others, stanli)
    scipys = stats.expon(scale=10).logpdf(points[:, 0]) + stats.t(4, 1, 10).logpdf(points[:, 1])
    np.testing.assert_allclose(np.diff(ours), np.diff(scipys), atol=1e-9)


def test_coefficients_have_densities_of_their_own(stanli):
    call = "lm(Reaction ~ Days + I(Days^2) + I(Days^3))"
    prior = "Intercept ~ cauchy(250, 9); beta ~ normal(0, 5); beta[I(Days^2)] ~ logistic(1, 2)"
    rng = np.random.default_rng(3)
    betas = rng.normal(size=(5, 4))
    stated, flat = (m2s.model(call, table("sleepstudy"), prior=p) for p in (prior, "flat"))
    differences = []
    for model in (
        m2s.model(call, table("sleepstudy"), prior=p, strategy="noncentred")
        for p in (f"flat; {prior}", "flat")
    ):
        program = stanli.compile(model.stan_code, model.stan_data)
        points = [np.linalg.solve(model.stan_data["R_inverse"], b) for b in betas]
        differences.append(
            [program.log_density({"theta": t, "sigma": 30.0}, jacobian=False)[0] for t in points]
        )
    centre = betas @ stated.X.to_numpy().mean(axis=0)
    expected = (
        stats.cauchy(250, 9).logpdf(centre)
        + stats.norm(0, 5).logpdf(betas[:, [1, 3]]).sum(axis=1)
        + stats.logistic(1, 2).logpdf(betas[:, 2])
    )
    np.testing.assert_allclose(np.diff(np.subtract(*differences)), np.diff(expected), atol=1e-8)
    assert not flat.priors["proper"].any()


def test_correlations_have_an_lkj_density(stanli):
    rng = np.random.default_rng(4)
    others = {
        "theta": np.zeros(2),
        "sigma": 25.0,
        "sd_Subject": np.array([20.0, 5.0]),
        "z_Subject": np.zeros((2, 18)),
    }
    rs = rng.uniform(-0.9, 0.9, 5)
    roots = [np.array([[1.0, 0.0], [r, np.sqrt(1 - r**2)]]) for r in rs]
    model = sleepstudy({"cor_Subject": "lkj(3)"}, strategy="noncentred")
    program = stanli.compile(model.stan_code, model.stan_data)
    ours = [program.log_density({**others, "L_Subject": L}, jacobian=False)[0] for L in roots]
    # of two effects: r has the density (1 - r^2)^(eta - 1), and L that of r as L[2, 1] is r
    np.testing.assert_allclose(np.diff(ours), 2 * np.diff(np.log(1 - rs**2)), atol=1e-9)


def test_the_table_says_what_was_asked_for():
    model = sleepstudy(
        {"set": "brms", "beta[Days]": "normal(0, 5)", "cor_Subject": "lkj(2)", "sigma": "flat"}
    )
    priors = model.priors
    assert priors.loc["beta[Days]", "density"] == "normal(0, 5)"
    assert priors.loc["beta[Days]", "source"] == "as asked"
    assert priors.loc["beta[(Intercept)]", "density"] == "student_t(3, 288.7, 59.3)"
    assert priors.loc["cor_Subject", "density"] == "lkj_corr_cholesky(2)"
    assert list(priors.index[~priors["proper"]]) == ["sigma"]
    assert "improper" in str(model)


def test_text_and_mapping_are_one_prior():
    text = sleepstudy("brms; sd_Subject ~ exponential(1)\nsigma ~ gamma(2, 0.1)")
    mapping = sleepstudy({"set": "brms", "sd_Subject": "exponential(1)", "sigma": "gamma(2, 0.1)"})
    assert text.priors.equals(mapping.priors)
    assert text.stan_code == mapping.stan_code


def test_numbers_are_data():
    one, two = (
        sleepstudy(
            f"sigma ~ student_t({n}, 0, {n}); sd_Subject ~ uniform(0, {n}); cor_Subject ~ lkj({n})"
        )
        for n in (3, 7)
    )
    assert one.stan_code == two.stan_code
    assert one.stan_data["L_Subject_eta"] == 3


def test_normal_coefficients_stay_integrated_out():
    assert not sleepstudy({"beta[Days]": "normal(0, 5)"}).meaning.strategy.samples_effects
    assert not sleepstudy("brms; beta ~ normal(0, 5)").meaning.strategy.samples_effects
    sampled = sleepstudy({"beta[Days]": "cauchy(0, 5)"})
    assert sampled.meaning.strategy.samples_effects
    assert "not normal" in str(sampled)


def test_the_collapsed_prior_is_that_of_the_elements():
    call = "lm(Reaction ~ Days + I(Days^2) + I(Days^3))"
    model = m2s.model(call, table("sleepstudy"), prior="brms; beta[I(Days^2)] ~ normal(1, 5)")
    data = model.stan_data
    np.testing.assert_allclose(data["C"][1], [0, 0, 1, 0])
    np.testing.assert_allclose([data["beta_loc"][1], data["beta_scale"][1]], [1, 5])


def test_chains_start_and_stay_within_bounds(stanli):
    model = sleepstudy("sigma ~ uniform(0, 20); sd_Subject ~ normal(0, 50) T[0, 10]", INTERCEPT)
    fit = model.sample(chains=2, warmup=200, draws=200, seed=1, engine="stanli")
    assert fit.posterior["sigma"].max() < 20
    assert fit.posterior["sd_Subject"].max() < 10


REFUSED = {
    "beta[Day] ~ normal(0, 1)": "nearest: 'beta[Days]'",
    "sd_Subjct ~ normal(0, 1)": "nearest: 'sd_Subject'",
    "sigma ~ norml(0, 1)": "nearest: 'normal'",
    "sigma ~ normal(0, )": "cannot be read",
    "sigma ~ normal(0, x)": "cannot be read",
    "sigma ~ normal(0)": "write normal(loc, scale)",
    "sigma ~ normal(0, -1)": "has to be positive",
    "sigma ~ beta(1, 2)": "between 0 and 1; sigma is between 0 and infinity",
    "sigma ~ uniform(-3, -1)": "leaves nothing of sigma",
    "sigma ~ normal(0, 1) T[3, 2]": "nothing is left",
    "sigma ~ lkj(2)": "correlation matrices",
    "cor_Subject ~ normal(0, 1)": "write cor_Subject ~ lkj(2)",
    "beta ~ exponential(1)": "all values",
    "beta ~ normal(0, 1) T[0, ]": "cannot have the bounds",
    "rstanarm; sd_Subject[Days] ~ normal(0, 1)": "one joint prior",
    "sd_Subject[Days] ~ uniform(0, 5)": "without the others",
    "brm": "nearest: 'brms'",
    "brms; flat": "two sets of priors",
}


@pytest.mark.parametrize("text", REFUSED)
def test_mistakes_are_named(text):
    with pytest.raises(m2s.Mix2stanError) as caught:
        sleepstudy(text)
    assert REFUSED[text] in str(caught.value)


def test_what_is_not_text_is_refused():
    with pytest.raises(m2s.Mix2stanError, match="is not text"):
        sleepstudy({"sigma": 3})


def test_a_density_is_read_with_its_bounds():
    written = parse_density(" student_t( 3,0 , 2.5e1 )T[ , 1e2]")
    assert dict(written.values) == {"df": 3, "loc": 0, "scale": 25}
    assert (written.lower, written.upper) == (None, 100)
    assert nearest("half_norml", STATED) == "half_normal"


def numbers(density):
    """The numbers of a density as it is written."""
    return [float(n) for n in re.findall(r"-?[\d.]+(?:e[+-]?\d+)?", density)]


def rare(events, rows=1000):
    """Few events in many rows, observed twice as long in the second half."""
    y = np.zeros(rows, dtype=int)
    y[:events] = 1
    n = np.where(np.arange(rows) < rows / 2, 1.0, 2.0)
    return pd.DataFrame({"y": y, "n": n, "g": [f"g{i % 10}" for i in range(rows)], "x": n})


@pytest.mark.parametrize("offset", ["", " + offset(log(n))"])
@pytest.mark.parametrize("start", ["glm(", "glm.nb(", "glmer("])
@pytest.mark.parametrize("events", [0, 1, 5, 400])
def test_logarithms_of_counts_are_expected_at_that_of_the_mean(events, start, offset):
    """The mean of the logarithms is no number for zeros, and their spread says nothing of effects."""
    effect = " + (1 | g)" if start == "glmer(" else ""
    family = "" if start == "glm.nb(" else ", family = poisson"
    prior = m2s.model(f"{start}y ~ 1{offset}{effect}{family})", rare(events)).priors
    loc, scale = numbers(prior.density["beta[(Intercept)]"])
    assert loc == pytest.approx(np.log((events or 0.5) / (1500 if offset else 1000)), rel=1e-4)
    assert scale >= 2.5


def test_a_latent_count_is_expected_where_a_count_is():
    call = (
        "MCMCglmm(cbind(n, y) ~ trait - 1, random = ~us(trait):g, rcov = ~us(trait):units, "
        "family = c('gaussian', 'poisson'))"
    )
    prior = m2s.model(call, rare(5), prior="default").priors
    assert numbers(prior.density["beta[traity]"]) == pytest.approx((np.log(0.005), 2.5), rel=1e-4)


def test_rare_events_are_as_rare_as_they_were(stanli):
    arms = pd.DataFrame({"y": rare(2, 500)["y"].tolist() + rare(20, 500)["y"].tolist()})
    arms["arm"] = np.repeat(["a", "b"], 500)
    fit = m2s.model("glm(y ~ arm, family = poisson)", arms).sample(seed=1, engine="stanli")
    # maximum likelihood, whose standard error is 0.74
    assert fit.fixef()["armb"] == pytest.approx(np.log(10), abs=0.35)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 5.0, 0.0, 1e6])
@pytest.mark.parametrize("offset", ["", " + offset(x)"])
def test_rounding_is_no_spread(value, offset):
    x = np.arange(20) * 0.37
    data = pd.DataFrame({"x": x, "y": value + x * bool(offset)})
    prior = m2s.model(f"lm(y ~ 1{offset})", data).priors
    assert numbers(prior.density["beta[(Intercept)]"]) == pytest.approx((value, 2.5), rel=1e-4)


def test_a_column_that_is_constant_up_to_rounding_has_no_spread():
    data = pd.DataFrame({"y": np.arange(6.0), "x": [0.3, 0.1 + 0.2, 0.3] * 2})
    _, scale = numbers(m2s.model("lm(y ~ 0 + x)", data).priors.density["beta[x]"])
    assert scale < 100
