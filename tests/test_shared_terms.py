"""Effects that several predictors share: ``(1 |p| g)`` of a mean, of sigma, of every category."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.engines import engine_named

CALL = "brm(bf(y ~ x + (1 + x |p| g), sigma ~ (1 |p| g)))"
NAMES = ["(Intercept)", "x", "sigma[(Intercept)]"]


@pytest.fixture(scope="module")
def df() -> pd.DataFrame:
    """30 levels of 10 rows; effects on the mean and on log sigma are correlated."""
    rng, J, n = np.random.default_rng(1), 30, 10
    g, x = np.repeat(np.arange(J), n), rng.normal(size=J * n)
    covariance = [[1, 0.3, 0.5], [0.3, 0.5, 0.1], [0.5, 0.1, 0.4]]
    u = rng.multivariate_normal(np.zeros(3), covariance, J)
    y = 1 + u[g, 0] + u[g, 1] * x + np.exp(-0.3 + u[g, 2]) * rng.normal(size=J * n)
    c = rng.choice(["red", "green", "blue"], J * n)
    return pd.DataFrame(
        {"y": y, "x": x, "g": [f"{i:02d}" for i in g], "c": c, "k": rng.poisson(1, J * n)}
    )


@pytest.fixture(scope="module")
def model(df):
    return m2s.model(CALL, df)


def test_the_density_is_that_of_correlated_effects(df, model):
    program = engine_named("stanli").compile(model.stan_code, model.stan_data)
    rng, g = np.random.default_rng(2), df["g"].astype(int).to_numpy()
    sd, L = np.array([0.8, 0.5, 0.3]), np.linalg.cholesky([[1, 0.2, 0.6], [0.2, 1, 0], [0.6, 0, 1]])
    ours, theirs = [], []
    theta = np.linalg.solve(model.stan_data["R_inverse"], [0.5, -0.2])
    for _ in range(3):
        z = rng.normal(size=(3, 30))
        point = {"theta": theta, "sd_g": sd, "L_g": L, "z_g": z, "beta_sigma": [-0.1]}
        ours.append(program.log_density(point, jacobian=False)[0])
        b = (sd[:, None] * (L @ z)).T
        mean = 0.5 - 0.2 * df["x"] + b[g, 0] + b[g, 1] * df["x"]
        likelihood = stats.norm.logpdf(df["y"], mean, np.exp(-0.1 + b[g, 2])).sum()
        theirs.append(likelihood + stats.norm.logpdf(z).sum())
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-10)


def test_columns_are_named_and_scaled_by_predictor(model):
    (term,) = model.meaning.groups
    assert list(term.columns.names) == NAMES
    assert [list(term.columns_in(p)) for p in ("", "sigma", "nu")] == [[0, 1], [2], []]
    priors = model.priors["density"]
    # the units of sigma's predictor are those of a logarithm
    assert priors["sd_g[x]"] == "student_t(3, 0, 2.5)"
    assert priors["sd_g[sigma[(Intercept)]]"] == "student_t(3, 0, 1)"
    text = " ".join(str(model.explain()).split())
    assert "effects on the mean ((Intercept) and x) and on sigma (sigma[(Intercept)])" in text
    assert "log(σ) = β_sigma,0 + b_g[sigma[(Intercept)]]" in text


def test_predictions_use_the_columns_of_each_predictor(df, model):
    fit = model.sample(chains=1, warmup=100, draws=30, seed=1)
    b, beta = (fit.posterior[name].values[0] for name in ("b_g", "beta"))
    new = df.iloc[[0, 15, 299]]
    g, x = new["g"].astype(int).to_numpy(), new["x"].to_numpy()
    mean = beta[:, :1] + beta[:, 1:] * x + b[:, g, 0] + b[:, g, 1] * x
    np.testing.assert_allclose(fit.predict(new, kind="epred").values[0], mean, rtol=1e-12)
    sigma = np.exp(fit.posterior["beta_sigma"].values[0] + b[:, g, 2])
    wanted = stats.norm.logpdf(new["y"].to_numpy(), mean, sigma)
    found = fit.log_lik().sel(obs=new.index).values[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-10)
    assert fit.VarCorr()["sd"].index.get_level_values("effect").tolist() == NAMES
    with pytest.raises(m2s.Unsupported, match="effects of sigma"):
        fit.log_lik(by="g")


def test_it_is_not_the_model_without_the_correlation(df, model):
    apart = m2s.model("brm(bf(y ~ x + (1 + x |p| g), sigma ~ (1 |q| g)))", df)
    moved = m2s.model("brm(bf(y ~ x + (1 |p| g), sigma ~ (1 + x |p| g)))", df)
    again = m2s.model("brm(bf(y ~ x + (x |i| g), sigma ~ 1 + (1 |i| g)))", df)
    assert not m2s.compare(model, apart).same
    assert not m2s.compare(model, moved).same
    assert m2s.compare(model, again).same
    assert m2s.compare(model, m2s.model(model.translate("brms"), df)).same
    with pytest.raises(m2s.Unsupported, match="shared by predictors"):
        model.translate("glmmTMB")


def test_terms_of_one_predictor_are_one_term(df):
    merged = m2s.model("brm(y ~ x + (1 |p| g) + (0 + x |p| g))", df)
    assert m2s.compare(merged, m2s.model("lmer(y ~ x + (1 + x | g))", df)).same


def test_categories_and_zeros_share_effects_too(df):
    model = m2s.model("brm(c ~ x + (1 |p| g), family = categorical())", df)
    (term,) = model.meaning.groups
    assert list(term.columns.names) == ["mu_green[(Intercept)]", "mu_red[(Intercept)]"]
    assert "Z_g[ : , 1] .* b_g[g, 1]" in model.stan_code
    assert "Z_g[ : , 2] .* b_g[g, 2]" in model.stan_code
    assert m2s.compare(model, m2s.model(model.translate("brms"), df)).same
    apart = m2s.model("brm(c ~ x + (1 | g), family = categorical())", df)
    assert not m2s.compare(model, apart).same
    call = "brm(bf(k ~ x + (1 |p| g), zi ~ (1 |p| g)), family = zero_inflated_poisson())"
    fit = m2s.model(call, df).sample(chains=1, warmup=50, draws=20, seed=1)
    assert fit.summary().index.str.startswith("cor_g").sum() == 1


def test_effects_are_correlated_within_levels_alone(df):
    with pytest.raises(m2s.FormulaError, match="different grouping factors"):
        m2s.model("brm(bf(y ~ x + (1 |p| g), sigma ~ (1 |p| k)))", df)
