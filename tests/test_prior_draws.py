"""Draws from the prior: every density, the effects, the responses; and what the table says of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.graph import Prior
from mix2stan.priors.numbers import draw, lkj_roots
from tests.conftest import table
from tests.test_priors import DENSITIES

SLOPE = "lmer(Reaction ~ Days + (Days | Subject))"


def model_with(prior, call=SLOPE, data="sleepstudy"):
    return m2s.model(call, table(data), prior=prior)


def agrees(draws, cdf):
    assert stats.kstest(np.asarray(draws).ravel(), cdf).pvalue > 1e-3


@pytest.mark.parametrize("text", DENSITIES)
def test_draws_are_of_the_density_between_its_bounds(text):
    fit = model_with({"sigma": text}).sample_prior(2000, seed=3)
    density, (low, high) = DENSITIES[text], (1, 60) if "T[" in text else (0, np.inf)
    first, last = density.cdf(low), density.cdf(high)
    agrees(fit.prior["sigma"], lambda x: (density.cdf(x) - first) / (last - first))


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("eta", [0.7, 1, 3])
def test_correlations_have_their_beta_distribution(k, eta):
    L = lkj_roots(k, eta, 4000, np.random.default_rng(k))
    R = L @ np.swapaxes(L, 1, 2)
    np.testing.assert_allclose(np.diagonal(R, axis1=1, axis2=2), 1)
    a = eta - 1 + k / 2
    for i in range(k):
        for j in range(i):
            agrees((R[:, i, j] + 1) / 2, stats.beta(a, a).cdf)


def test_mcmcglmms_variances_are_inverse_gamma():
    call = (
        "MCMCglmm(Reaction ~ Days, random = ~us(1 + Days):Subject, prior = list("
        "R = list(V = 2, nu = 5), G = list(G1 = list(V = diag(c(4, 1)), nu = 4))))"
    )
    fit = model_with(None, call).sample_prior(4000, seed=1)
    agrees(fit.prior["sigma"] ** 2, stats.invgamma(2.5, scale=5).cdf)
    # an element of the diagonal of an inverse Wishart matrix has k - 1 degrees of freedom less
    agrees(fit.prior["sd_Subject"][0, :, 0] ** 2, stats.invgamma(1.5, scale=8).cdf)


def test_errors_whose_last_variance_is_known_are_those_of_the_whole_matrix_given_it():
    V, nu, known = np.array([[2, 0.5, 0.4], [0.5, 1, -0.3], [0.4, -0.3, 1.5]]), 6, 0.8
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"z": rng.normal(size=40), "y": rng.poisson(1, 40)})
    df.loc[:9, "y"] = 0
    given = V.copy()
    given[2, 2] = known
    call = (
        "MCMCglmm(cbind(z, y) ~ trait - 1, rcov = ~us(trait):units, "
        'family = c("gaussian", "zipoisson"), prior = list(B = list(mu = rep(0, 3), V = diag(3)), '
        f"R = list(V = matrix(c({', '.join(map(str, given.ravel()))}), 3), nu = {nu}, fix = 3)))"
    )
    fit = m2s.model(call, df).sample_prior(4000, seed=1)
    every = stats.invwishart(nu, nu * given).rvs(400_000, random_state=2)
    near = every[np.abs(every[:, 2, 2] - known) < 0.02 * known]
    assert len(near) > 3000
    sds = np.sqrt(np.diagonal(near, axis1=1, axis2=2))
    ratio = fit.prior["var_ratio"].sel(chain=0)
    R = fit.prior["cor_R"].sel(chain=0)
    for k, name in enumerate(("z", "y")):
        ours = ratio.sel(var_ratio_element=name)
        assert stats.ks_2samp(ours, sds[:, k] / known**0.5).pvalue > 1e-3, name
    names = R["cor_R_element"].values.tolist()
    for i, j in ((0, 1), (0, 2), (1, 2)):
        theirs = near[:, i, j] / (sds[:, i] * sds[:, j])
        assert stats.ks_2samp(R[:, i, j], theirs).pvalue > 1e-3, (names[i], names[j])


def test_errors_of_which_a_block_is_known_are_those_of_the_whole_matrix_given_it():
    V, nu = np.array([[2, 0.5, 0.4], [0.5, 1, -0.3], [0.4, -0.3, 1.5]]), 6
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"z": rng.normal(size=40), "y": rng.poisson(1, 40)})
    df.loc[:9, "y"] = 0
    call = (
        "MCMCglmm(cbind(z, y) ~ trait - 1, rcov = ~us(trait):units, "
        'family = c("gaussian", "zipoisson"), prior = list(B = list(mu = rep(0, 3), V = diag(3)), '
        f"R = list(V = matrix(c({', '.join(map(str, V.ravel()))}), 3), nu = {nu}, fix = 2)))"
    )
    fit = m2s.model(call, df).sample_prior(4000, seed=1)
    # given the others the first has regressions on them that are normal, and a variance apart
    rest = stats.invgamma(
        nu / 2, scale=nu / 2 * (V[0, 0] - V[0, 1:] @ np.linalg.solve(V[1:, 1:], V[0, 1:]))
    )
    sds = np.column_stack(
        [fit.prior["var_ratio"].values[0, :, 0], np.ones(4000), np.full(4000, 1.5**0.5)]
    )
    whole = fit.prior["cor_R"].values[0] * sds[:, :, None] * sds[:, None, :]
    np.testing.assert_allclose(whole[:, 1:, 1:], np.broadcast_to(V[1:, 1:], (4000, 2, 2)))
    slope = np.linalg.solve(whole[:, 1:, 1:], whole[:, 1:, :1])[:, :, 0]
    apart = whole[:, 0, 0] - (slope * whole[:, 1:, 0]).sum(axis=1)
    agrees(apart, rest.cdf)
    root = np.linalg.cholesky(nu * V[1:, 1:])
    mean = np.linalg.solve(V[1:, 1:], V[1:, 0])
    for z in ((slope - mean) @ root / np.sqrt(apart)[:, None]).T:
        agrees(z, stats.norm.cdf)


def test_a_covariance_given_a_block_is_that_of_the_whole_matrix_given_it():
    V, nu = np.array([[2, 0.5, 0.4], [0.5, 1, -0.3], [0.4, -0.3, 1.5]]), 6
    call = (
        "MCMCglmm(tarsus ~ 1, random = ~us(sex):dam, prior = list(B = list(mu = 0, V = 1), R = "
        f"list(V = 1, nu = 1), G = list(G1 = list(V = matrix(c({', '.join(map(str, V.ravel()))}), "
        f"3), nu = {nu}, fix = 3))))"
    )
    fit = m2s.model(call, table("BTdata")).sample_prior(4000, seed=1)
    every = stats.invwishart(nu, nu * V).rvs(400_000, random_state=2)
    near = every[np.abs(every[:, 2, 2] - V[2, 2]) < 0.02 * V[2, 2]]
    assert len(near) > 3000
    sds = np.sqrt(np.diagonal(near, axis1=1, axis2=2))
    ours, R = (fit.prior[name].values[0] for name in ("sd_dam", "R_dam"))
    np.testing.assert_allclose(ours[:, 2], V[2, 2] ** 0.5)
    for k in (0, 1):
        assert stats.ks_2samp(ours[:, k], sds[:, k]).pvalue > 1e-3
    for i, j in ((0, 1), (0, 2), (1, 2)):
        theirs = near[:, i, j] / (sds[:, i] * sds[:, j])
        assert stats.ks_2samp(R[:, i, j], theirs).pvalue > 1e-3


def test_expanded_parameters_have_scaled_standard_deviations():
    call = (
        "MCMCglmm(Reaction ~ Days, random = ~us(1 + Days):Subject, prior = list(R = list(V = 1, "
        "nu = 1), G = list(G1 = list(V = diag(2), nu = 3, alpha.mu = c(0, 0), alpha.V = diag(c(9, 1))))))"
    )
    fit = model_with(None, call).sample_prior(4000, seed=1)
    # |alpha| sqrt(nu / chi2) with nu - 1 degrees of freedom
    scale = 3 * np.sqrt(3 / 2)
    sds = fit.prior["sd_Subject"][0, :, 0]
    agrees(sds, lambda x: 2 * stats.t(2, 0, scale).cdf(x) - 1)


def test_rstanarms_standard_deviations_share_a_trace():
    fit = model_with("rstanarm").sample_prior(4000, seed=2)
    sd, sigma = fit.prior["sd_Subject"].values[0], fit.prior["sigma"].values[0]
    tau = np.sqrt((sd**2).sum(axis=1) / 2) / sigma
    agrees(tau, stats.expon().cdf)
    agrees(sd[:, 0] ** 2 / (sd**2).sum(axis=1), stats.uniform().cdf)


def test_effects_and_responses_have_the_variances_of_their_parameters():
    prior = (
        "Intercept ~ normal(250, 10); beta ~ normal(0, 2); sigma ~ uniform(4.99, 5.01); "
        "sd_Subject ~ uniform(9.99, 10.01)"
    )
    model = model_with(prior, "lmer(Reaction ~ Days + (1 | Subject))")
    fit = model.sample_prior(8000, seed=5)
    effects = fit.prior["b_Subject"].values[0]
    assert effects.std() == pytest.approx(10, rel=0.02)
    y = fit.prior_predictive.values[0]
    days = table("sleepstudy")["Days"].to_numpy()
    expected = np.sqrt(100 + 4 * (days - days.mean()) ** 2 + 100 + 25)
    np.testing.assert_allclose(y.mean(axis=0), 250, atol=5 * expected.max() / np.sqrt(8000))
    np.testing.assert_allclose(y.std(axis=0), expected, rtol=0.05)
    # two rows of a subject, on different days
    shared = np.cov(y[:, 0], y[:, 9])[0, 1]
    slope = 4 * (days[0] - days.mean()) * (days[9] - days.mean())
    assert shared == pytest.approx(100 + 100 + slope, rel=0.15)


def test_effects_of_related_levels_have_their_covariance():
    names = [str(s) for s in table("sleepstudy")["Subject"].unique()]
    K = 0.7 ** np.abs(np.subtract.outer(np.arange(18), np.arange(18)))
    data = {"d": table("sleepstudy"), "K": pd.DataFrame(K, names, names)}
    call = "MCMCglmm(Reaction ~ Days, random = ~us(1 + Days):Subject, ginverse = list(Subject = solve(K)))"
    prior = "sd_Subject ~ uniform(2.99, 3.01); cor_Subject ~ lkj(1)"
    fit = m2s.model(call, data, prior=prior).sample_prior(8000, seed=5)
    effects, R = fit.prior["b_Subject"].values[0], fit.prior["R_Subject"].values[0]
    intercepts, slopes, r = effects[:, :, 0], effects[:, ::-1, 1], R[:, 0, 1]
    np.testing.assert_allclose(np.cov(intercepts.T), 9 * K, atol=0.6)
    # correlations are uniform, their mean square is 1/3
    shared = np.mean(intercepts * slopes * r[:, None], axis=0)
    np.testing.assert_allclose(shared, 9 * np.diag(K[:, ::-1]) / 3, atol=0.4)


CALLS = {
    "glmer(TICKS ~ YEAR + (1 | LOCATION), family = poisson)": "grouseticks",
    "glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), family = binomial)": "cbpp",
    "glmmTMB(tarsus ~ sex + cs(0 + sex | dam))": "BTdata",
    "glmmTMB(tarsus ~ sex + rr(0 + sex | dam, d = 2))": "BTdata",
    "MCMCglmm(tarsus ~ sex, random = ~ante1(sex):dam)": "BTdata",
    "gls(follicles ~ Time, correlation = corARMA(form = ~1 | Mare, p = 2, q = 1))": "Ovary",
    "gls(distance ~ age, correlation = corCompSymm(form = ~1 | Subject))": "Orthodont",
    "lme(distance ~ age, random = ~1 | Subject, weights = varPower(form = ~fitted(.)))": "Orthodont",
    "glmmTMB(distance ~ age, dispformula = ~ Sex, data = d)": "Orthodont",
}


@pytest.mark.parametrize("call", CALLS)
def test_every_kind_of_model_can_be_drawn_from(call):
    model = model_with("default", call, CALLS[call])
    fit = model.sample_prior(50, seed=1)
    assert fit.prior_predictive.shape == (1, 50, len(table(CALLS[call])))
    assert set(fit.names("main")) <= set(fit.prior)
    assert model.priors["2.5%"].notna().all()


def test_the_same_seed_draws_the_same():
    one, two = (model_with("default").sample_prior(20, seed=8) for _ in range(2))
    assert one.prior.equals(two.prior)
    assert one.prior_predictive.equals(two.prior_predictive)


def test_it_has_the_tables_of_a_fit_and_arvizs_groups():
    fit = model_with("default").sample_prior(100, seed=1)
    assert "sigma" in fit.summary().index
    groups = fit.idata
    assert groups["prior"]["beta"].shape == (1, 100, 2)
    assert groups["prior_predictive"]["Reaction"].shape == (1, 100, 180)
    with pytest.raises(m2s.Mix2stanError, match="no fit"):
        fit.save("x.nc")


def test_improper_priors_are_named():
    with pytest.raises(m2s.Mix2stanError, match=r"improper priors: beta\[Days\]"):
        model_with("brms").sample_prior()
    assert model_with("brms").priors.loc["beta[Days]", ["2.5%", "97.5%"]].isna().all()


def test_what_has_no_generator_is_refused():
    rng = np.random.default_rng(1)
    with pytest.raises(m2s.Unsupported, match="cannot be drawn"):
        draw(Prior("sigma", "decov"), 1, (0, np.inf), {}, 5, rng)


def test_the_table_says_what_priors_imply():
    priors = model_with("sd_Subject ~ exponential(0.1); beta ~ normal(3, 2)").priors
    assert priors.loc["beta[Days]", "97.5%"] == pytest.approx(3 + 2 * 1.96, rel=0.05)
    assert priors.loc["sd_Subject[Days]", "97.5%"] == pytest.approx(
        stats.expon(scale=10).ppf(0.975), rel=0.1
    )
    words = priors.loc["sd_Subject[(Intercept)]", "implies"]
    assert words.startswith("two levels of Subject differ by up to")
    assert "ICC 0.00 to" in words
    assert priors.loc["cor_Subject", "97.5%"] == pytest.approx(0.95, abs=0.02)
    logit = "glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), family = binomial)"
    words = model_with("sd_herd ~ uniform(0.999, 1.001)", logit, "cbpp").priors.loc[
        "sd_herd", "implies"
    ]
    # 1.96 sqrt(2), exponentiated; and 1 / (1 + pi^2 / 3)
    assert 15 < float(words.split("up to ")[1].split(";")[0]) < 17
    assert "ICC 0.23 to 0.23" in words
