"""Draws from priors of what is in order, and of the covariance of several responses."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import mix2stan as m2s
from mix2stan.graph import Prior
from mix2stan.priors.numbers import _inverse_wishart
from mix2stan.priors.ordered import ordered_draws
from tests.conftest import table
from tests.test_categorical import CALL, COUNTS, counted
from tests.test_categorical import simulated as unordered
from tests.test_ordinal import FIXED, LEVELS, simulated
from tests.test_traits import data as traits

UNEQUAL = "thresholds[low|mid] ~ normal(-1, 1); thresholds[mid|high] ~ normal(0, 2)"


def agrees(draws, cdf):
    assert stats.kstest(np.asarray(draws).ravel(), cdf).pvalue > 1e-3


@functools.cache
def frame():
    return simulated(n=60)


def drawn(call, prior=None, draws=4000, data=None):
    return m2s.model(call, frame() if data is None else data, prior=prior).sample_prior(
        draws, seed=2
    )


# -- thresholds ------------------------------------------------------------------------------------


def test_thresholds_of_one_prior_are_order_statistics():
    fit = drawn("clmm(y ~ x + (1 | g))")
    cuts, law = fit.prior["cuts"].values[0], stats.t(3, 0, 2.5)
    for i in range(3):
        # of the i-th of n independent numbers
        agrees(cuts[:, i], lambda x, i=i: special.betainc(i + 1, 3 - i, law.cdf(x)))
    beta = fit.prior["beta"].values[0, :, 0]
    at_zero = cuts + (beta * frame()["x"].mean())[:, None]
    np.testing.assert_allclose(fit.prior["thresholds"].values[0], at_zero, rtol=1e-12)


def test_unlike_priors_are_drawn_given_their_order():
    fit = drawn("clm(y ~ 1)", f"{UNEQUAL}; thresholds[high|top] ~ normal(0, 2)")
    cuts = fit.prior["thresholds"].values[0]
    assert (np.diff(cuts, axis=1) > 0).all()
    laws = [stats.norm(-1, 1), stats.norm(0, 2), stats.norm(0, 2)]
    x = np.linspace(-12, 14, 5201)
    step = x[1] - x[0]
    # by recursion: the mass of what comes after, and that of what came before
    after = np.array([1.0 - law.cdf(x) for law in laws])
    last = laws[2].pdf(x)
    middle = laws[1].pdf(x) * after[2]
    beyond = np.cumsum(middle[::-1])[::-1] * step - middle * step / 2
    first = laws[0].pdf(x) * beyond
    before = np.cumsum(laws[0].pdf(x)) * step
    second = middle * before
    third = last * (np.cumsum(laws[1].pdf(x) * before) * step)
    for i, density in enumerate((first, second, third)):
        cumulative = np.cumsum(density) / density.sum()
        agrees(cuts[:, i], lambda at, c=cumulative: np.interp(at, x, c))


def test_the_program_without_a_likelihood_has_the_same_draws():
    """Weights of zero leave all rows out, so that NUTS samples the prior."""
    call = "brm(y | weights(w) ~ x + (1 | g), family = cumulative())"
    prior = f"{UNEQUAL}; thresholds[high|top] ~ student_t(4, 1, 1); sd_g ~ exponential(1)"
    model = m2s.model(call, frame().assign(w=0.0), prior=prior)
    nuts = model.sample(4, 500, 1000, seed=5, engine="stanli", adapt_delta=0.95).summary()
    exact = model.sample_prior(20_000, seed=1).summary()
    for name in ("thresholds[low|mid]", "thresholds[mid|high]", "thresholds[high|top]", "sd_g"):
        error = nuts.loc[name, "sd"] / np.sqrt(nuts.loc[name, "ess_bulk"])
        assert abs(nuts.loc[name, "mean"] - exact.loc[name, "mean"]) < 5 * error, name
        assert nuts.loc[name, "sd"] == pytest.approx(exact.loc[name, "sd"], rel=0.1)
        tails = nuts.loc[name, ["2.5%", "97.5%"]] - exact.loc[name, ["2.5%", "97.5%"]]
        assert (np.abs(tails) < 0.25 * exact.loc[name, "sd"]).all()


def test_cutpoints_are_above_the_first():
    call = f'MCMCglmm(y ~ x, family = "ordinal", {FIXED})'
    fit = drawn(call)
    cuts = fit.prior["thresholds"].values[0]
    assert (cuts[:, 0] == 0).all()
    law = stats.t(3, 0, 2.5)
    for i in range(2):
        agrees(cuts[:, i + 1], lambda x, i=i: special.betainc(i + 1, 2 - i, 2 * law.cdf(x) - 1))
    agrees(
        drawn(call, "cutpoints ~ exponential(0.5)").prior["cutpoints"].values[0][:, 0],
        lambda x: stats.expon(scale=1).cdf(x),
    )


def test_thresholds_in_no_order_are_independent():
    fit = drawn('brm(y ~ x + (1 | g), family = sratio("probit"))')
    cuts = fit.prior["cuts"].values[0]
    for i in range(3):
        agrees(cuts[:, i], stats.t(3, 0, 2.5).cdf)
    assert (np.abs(np.corrcoef(stats.rankdata(cuts, axis=0).T) - np.eye(3)) < 0.08).all()


def test_what_is_hardly_ever_in_order_is_refused():
    priors = [Prior("thresholds", "normal", (("loc", (m,)), ("scale", (0.1,)))) for m in (5.0, 0.0)]
    rng = np.random.default_rng(1)
    with pytest.raises(m2s.Unsupported, match="hardly ever in order") as caught:
        ordered_draws(priors, (-np.inf, np.inf), {}, 20, rng)
    assert "means increase" in caught.value.hint


def test_the_cuts_of_an_ordered_beta_response_are_in_order():
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"y": rng.uniform(size=40).round(1), "x": rng.normal(size=40)})
    fit = drawn("glmmTMB(y ~ x, family = ordbeta)", data=df)
    low, high = (fit.prior[f"cut_{end}"].values[0] for end in ("zero", "one"))
    law = stats.norm(0, 5)
    agrees(low, lambda x: 1 - (1 - law.cdf(x)) ** 2)
    agrees(high, lambda x: law.cdf(x) ** 2)
    assert (low < high).all()


def test_log_prior_of_thresholds_is_that_at_the_mean_of_the_columns():
    model = m2s.model("clm(y ~ x)", frame(), prior="beta ~ normal(0, 1)")
    fit = model.sample(1, 100, 20, seed=1, engine="stanli")
    cuts, beta = fit.posterior["cuts"].values[0], fit.posterior["beta"].values[0, :, 0]
    expected = stats.t(3, 0, 2.5).logpdf(cuts).sum(axis=1) + stats.norm().logpdf(beta)
    found = model.log_prior(fit).values[0]
    np.testing.assert_allclose(found - expected, (found - expected)[0], atol=1e-10)


KINDS = {
    "clmm(y ~ x + (1 | g))": simulated,
    CALL: lambda n: unordered(n, np.zeros((2, 2)), np.zeros((2, 5))),
    COUNTS: lambda n: counted(n, np.zeros((2, 2)), np.zeros((2, 5))),
}


@pytest.mark.parametrize("call", KINDS)
def test_responses_of_categories_are_drawn(call):
    df = KINDS[call](n=60)
    model = m2s.model(call, df)
    fit = model.sample_prior(300, seed=1)
    y = fit.prior_predictive
    assert y.sizes["obs"] == 60
    assert model.priors["2.5%"].notna().all()
    if "category" in y.dims:
        assert (y.sum("category").values[0] == df["n"].to_numpy()).all()
    else:
        assert set(np.unique(y)) <= set(range(1, 1 + len(y.attrs["categories"])))
    groups = fit.idata
    assert groups["observed_data"][fit.labels.response].shape[0] == 60


# -- several responses -----------------------------------------------------------------------------

V = np.array([[1.0, 0.4], [0.4, 2.0]])
US = (
    "MCMCglmm(cbind(a, b) ~ trait - 1, random = ~us(trait):g, rcov = ~{rcov}(trait):units, "
    'family = c("gaussian", "{family}"), prior = list(R = list(V = matrix(c(1, 0.4, 0.4, 2), 2), '
    "nu = {nu}), G = list(G1 = list(V = diag(2) * 0.01, nu = {nu})), "
    "B = list(mu = c(0, 1), V = diag(2) * 1e-4)))"
)


def covariances(fit):
    """Of the errors at every draw, shape (S, 2, 2)."""
    sigma, ratio = fit.prior["sigma"].values[0], fit.prior["var_ratio"].values[0, :, 0]
    sd = np.column_stack([sigma, sigma * ratio])
    return fit.prior["cor_R"].values[0] * sd[:, :, None] * sd[:, None, :]


def test_the_errors_of_several_responses_are_inverse_wishart():
    nu = 9
    model = m2s.model(US.format(rcov="us", family="gaussian", nu=nu), traits())
    assert model.meaning.response.traits == ("a", "b")
    assert model.priors["2.5%"].notna().all()
    S = covariances(model.sample_prior(8000, seed=4))
    law = stats.invwishart(nu, nu * V)
    for i in range(2):
        agrees(S[:, i, i], stats.invgamma((nu - 1) / 2, scale=nu * V[i, i] / 2).cdf)
    scipys = law.rvs(8000, random_state=3)
    for statistic in (
        lambda S: S[:, 0, 1],
        lambda S: S[:, 0, 1] / np.sqrt(S[:, 0, 0] * S[:, 1, 1]),
        lambda S: S[:, 1, 1] - S[:, 0, 1] ** 2 / S[:, 0, 0],
        lambda S: np.linalg.det(S),
    ):
        assert stats.ks_2samp(statistic(S), statistic(scipys)).pvalue > 1e-3
    np.testing.assert_allclose(S.mean(axis=0), law.mean(), rtol=0.1)


def test_responses_have_the_covariance_of_their_errors():
    nu = 30
    df = traits().dropna().reset_index(drop=True)
    fit = m2s.model(US.format(rcov="us", family="gaussian", nu=nu), df).sample_prior(6000, seed=4)
    y = fit.prior_predictive.values[0]
    n = len(df)
    a, b = y[:, :n], y[:, n:]
    assert a.mean() == pytest.approx(0, abs=0.02)
    assert b.mean() == pytest.approx(1, abs=0.02)
    expected = nu * V / (nu - 3) + np.eye(2) * 0.01 * nu / (nu - 3) + np.eye(2) * 1e-4
    found = np.mean([np.cov(a[:, i], b[:, i]) for i in range(n)], axis=0)
    np.testing.assert_allclose(found, expected, rtol=0.05)
    assert abs(np.cov(a[:, 0], b[:, 1])[0, 1]) < 0.1


def test_responses_through_families_are_drawn():
    df = traits().dropna().assign(b=lambda d: np.round(d["b"].abs()))
    for rcov in ("us", "idh"):
        call = US.format(rcov=rcov, family="poisson", nu=12)
        call = call.replace("c(1, 0.4, 0.4, 2)", "c(1, 0, 0, 2)") if rcov == "idh" else call
        fit = m2s.model(call, df).sample_prior(200, seed=1)
        y = fit.prior_predictive.values[0]
        counts = y[:, len(df) :]
        assert (counts == np.round(counts)).all()
        assert (counts >= 0).all()
        assert not (y[:, : len(df)] == np.round(y[:, : len(df)])).any()


@pytest.mark.parametrize("nu", [1.002, 1.5, 2])
def test_correlations_near_one_are_drawn(nu):
    """MCMCglmm's nu = k - 1 + 0.002: a matrix is singular but for rounding, its root is not."""
    fit = m2s.model(US.format(rcov="us", family="gaussian", nu=nu), traits()).sample_prior(
        500, seed=4
    )
    assert (fit.prior["sigma"] > 0).all()
    assert np.isfinite(fit.prior_predictive).all()
    _, L = _inverse_wishart(nu, V, 5000, np.random.default_rng(1))
    assert (L[:, 1, 1] > 0).all()
    assert (L[:, 0, 1] == 0).all()
    if nu >= 1.5:
        # with less freedom half of the variances are beyond what numbers can be
        law = stats.invgamma((nu - 1) / 2, scale=nu * V[1, 1] / 2)
        agrees(covariances(fit)[:, 1, 1], law.cdf)


def test_an_improper_covariance_is_named():
    model = m2s.model(US.format(rcov="us", family="gaussian", nu=0.5), traits())
    with pytest.raises(m2s.Mix2stanError, match="improper"):
        model.sample_prior()


def test_levels_are_those_of_the_response():
    fit = drawn("clm(y ~ x)", draws=20)
    assert fit.prior_predictive.attrs["categories"] == list(LEVELS)
    assert fit.predict(kind="epred").sizes["category"] == 4
    wine = m2s.model("clm(rating ~ temp)", table("wine")).sample_prior(10, seed=1)
    assert wine.prior_predictive.shape == (1, 10, 72)
