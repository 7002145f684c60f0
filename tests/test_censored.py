"""Censored responses: densities of what is observed, probabilities of intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s

RNG = np.random.default_rng(5)
N = 40
DATA = pd.DataFrame(
    {
        "x": RNG.normal(size=N),
        "y": RNG.uniform(0.3, 2, N),
        "code": np.array(["none", "left", "right", "interval"])[np.arange(N) % 4],
        "g": [f"g{i % 5}" for i in range(N)],
    }
)
DATA["y2"] = DATA["y"] + 0.7
DATA["number"] = DATA["code"].map({"none": 0, "left": -1, "right": 1, "interval": 2})
DATA["low"] = DATA["y"].where(DATA["code"] != "left", -np.inf)
DATA["high"] = np.select(
    [DATA["code"] == "right", DATA["code"] == "interval"], [np.inf, DATA["y2"]], DATA["y"]
)
LAWS = {
    "gaussian": ("identity", lambda mu: stats.norm(mu, 0.8)),
    "student": ("identity", lambda mu: stats.t(5.5, mu, 0.8)),
    "lognormal": ("identity", lambda mu: stats.lognorm(0.8, scale=np.exp(mu))),
    "Gamma": ("log", lambda mu: stats.gamma(1.7, scale=np.exp(mu) / 1.7)),
    "exponential": ("log", lambda mu: stats.expon(scale=np.exp(mu))),
}
PARAMETERS = {"sigma": 0.8, "nu": 5.5, "shape": 1.7}


def log_probability(law, y, y2, code):
    low, high = law.cdf(y), law.cdf(y2)
    return {
        "none": law.logpdf(y),
        "left": law.logcdf(y),
        "right": law.logsf(y),
        "interval": np.log(high - low),
    }[code]


@pytest.mark.parametrize("family", LAWS)
def test_the_density(family, engine):
    link, law = LAWS[family]
    call = f'brm(y | cens(code, y2) ~ x + (1 | g), family = {family}(link = "{link}"))'
    u = np.linspace(-0.5, 0.5, 5)[:, None]
    point = {
        "beta": {"(Intercept)": 0.2, "x": 0.3},
        "random": [{"group": "g", "coefficients": ["(Intercept)"], "sd": [0.4]}],
        "u": [u],
        "residual": PARAMETERS,
    }
    eta = 0.2 + 0.3 * DATA["x"] + u[np.arange(N) % 5, 0]
    rows = zip(eta, DATA["y"], DATA["y2"], DATA["code"], strict=True)
    expected = sum(log_probability(law(e), y, y2, code) for e, y, y2, code in rows)
    expected += stats.norm(0, 0.4).logpdf(u).sum()
    model = m2s.model(call, DATA)
    assert model.loglik(point, engine.name) == pytest.approx(expected, rel=1e-10)


BOUNDS = [
    ("lb = 0.1", 0.1, np.inf),
    ("ub = 3", -np.inf, 3),
    ("lb = 0.1, ub = y2", 0.1, DATA["y2"]),
]


@pytest.mark.parametrize(("text", "lower", "upper"), BOUNDS)
@pytest.mark.parametrize("family", LAWS)
def test_the_truncated_density(family, text, lower, upper, engine):
    link, law = LAWS[family]
    call = f'brm(y | trunc({text}) ~ x, family = {family}(link = "{link}"))'
    eta = 0.2 + 0.3 * DATA["x"]
    expected = law(eta).logpdf(DATA["y"]) - np.log(law(eta).cdf(upper) - law(eta).cdf(lower))
    point = {"beta": {"(Intercept)": 0.2, "x": 0.3}, "u": [], "residual": PARAMETERS}
    model = m2s.model(call, DATA)
    assert model.loglik(point, engine.name) == pytest.approx(expected.sum(), rel=1e-10)


def test_four_ways_to_say_the_same():
    calls = [
        "brm(y | cens(code, y2) ~ x + (1 | g))",
        "brm(y | cens(number, y2) ~ x + (1 | g))",
        'MCMCglmm(cbind(low, high) ~ x, random = ~ g, family = "cengaussian")',
    ]
    for other in calls[1:]:
        found = m2s.compare(calls[0], other, DATA)
        assert found.same, found.differences
    assert not m2s.compare(calls[0], "lmer(y ~ x + (1 | g))", DATA).same
    right = DATA.assign(late=DATA["number"] == 1)
    assert not m2s.compare("brm(y | cens(late) ~ x + (1 | g))", calls[0], right).same


def test_mcmcglmm_exponential_has_a_residual_and_a_rate():
    model = m2s.model('MCMCglmm(cbind(low, high) ~ x, family = "cenexponential")', DATA)
    assert model.meaning.response.link == "-log"
    assert [str(g.factor) for g in model.meaning.groups] == ["units"]


def test_a_fit_gives_the_truth_back():
    rng = np.random.default_rng(9)
    x = rng.normal(size=800)
    y = 1 + 0.7 * x + rng.normal(0, 0.5, 800)
    df = pd.DataFrame({"x": x, "y": np.minimum(y, 1.4), "late": y > 1.4})
    summary = (
        m2s.model("brm(y | cens(late) ~ x)", df)
        .sample(2, 300, 300, seed=4, engine="stanli")
        .summary()
    )
    assert (np.abs(summary["mean"] - [1, 0.7, 0.5]) < 4 * summary["sd"]).all()


BAD = [
    ("brm(y | cens(g) ~ x)", "g is g0 in row 1"),
    ("brm(y | cens(code) ~ x)", "second end"),
    ("brm(y | cens(code, x) ~ x)", "from .* to .* in row"),
    ('MCMCglmm(y ~ x, family = "cengaussian")', "two columns"),
    ('MCMCglmm(cbind(high, low) ~ x, family = "cengaussian")', "from .* to .* in row"),
    ("brm(y | cens(code, y2) ~ x, family = inverse.gaussian())", "inverse.gaussian"),
    ("brm(y | trunc(lb = 1) ~ x)", "below its lower bound"),
    ("brm(y | trunc() ~ x)", "needs a bound"),
    ("brm(y | trunc(lb = 0) + cens(code, y2) ~ x)", "both censored and truncated"),
    ("brm(y | cens(late) ~ x, family = Beta())", "Beta|beta"),
    ('MCMCglmm(cbind(low, high) ~ x, rcov = ~ idh(g):units, family = "cengaussian")', "structure"),
]


@pytest.mark.parametrize(("call", "words"), BAD)
def test_mistakes_are_named(call, words):
    with pytest.raises(m2s.FormulaError, match=words):
        m2s.model(call, DATA.assign(late=DATA["number"] == 1))


# -- counts ----------------------------------------------------------------------------------------

COUNTS = DATA[["x", "code", "g", "number"]].assign(
    y=RNG.poisson(4, N) + 1, low=lambda d: d["y"] % 3, high=lambda d: d["y"] + 4
)
COUNTS["y2"] = COUNTS["y"] + 3
COUNT_LAWS = {
    "poisson": stats.poisson,
    "negbinomial": lambda mu: stats.nbinom(1.7, 1.7 / (1.7 + mu)),
    "geometric": lambda mu: stats.nbinom(1.0, 1 / (1 + mu)),
}
COUNT_POINT = {"beta": {"(Intercept)": 1.2, "x": 0.3}, "u": [], "residual": PARAMETERS}


@pytest.mark.parametrize("family", COUNT_LAWS)
def test_the_density_of_censored_counts(family, engine):
    """As brms has it: up to y, above y, from above y to y2."""
    law = COUNT_LAWS[family](np.exp(1.2 + 0.3 * COUNTS["x"].to_numpy()))
    y, y2, code = COUNTS["y"], COUNTS["y2"], COUNTS["code"]
    expected = np.select(
        [code == "none", code == "left", code == "right"],
        [law.logpmf(y), law.logcdf(y), law.logsf(y)],
        np.log(law.cdf(y2) - law.cdf(y)),
    ).sum()
    model = m2s.model(f'brm(y | cens(code, y2) ~ x, family = {family}("log"))', COUNTS)
    assert model.loglik(COUNT_POINT, engine.name) == pytest.approx(expected, rel=1e-10)


COUNT_BOUNDS = [
    ("lb = 1", 1, np.inf),
    ("lb = low", COUNTS["low"], np.inf),
    ("ub = 20.5", 0, 20),
    ("lb = low, ub = high", COUNTS["low"], COUNTS["high"]),
]


@pytest.mark.parametrize(("text", "lower", "upper"), COUNT_BOUNDS)
@pytest.mark.parametrize("family", COUNT_LAWS)
def test_the_density_of_truncated_counts(family, text, lower, upper, engine):
    """Both bounds are counts that can be observed."""
    law = COUNT_LAWS[family](np.exp(1.2 + 0.3 * COUNTS["x"].to_numpy()))
    inside = law.cdf(upper) - law.cdf(np.asarray(lower) - 1)
    expected = (law.logpmf(COUNTS["y"]) - np.log(inside)).sum()
    model = m2s.model(f'brm(y | trunc({text}) ~ x, family = {family}("log"))', COUNTS)
    assert model.loglik(COUNT_POINT, engine.name) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("mean", [1.0, 40.0, 400.0])
def test_intervals_far_from_the_mean_have_a_probability(mean, stanli):
    df = pd.DataFrame({"low": [40.0] * 3, "high": [45.0] * 3})
    model = m2s.model('MCMCglmm(cbind(low, high) ~ 1, family = "cenpoisson")', df)
    point = {"beta": {"(Intercept)": np.log(mean)}, "u": [np.zeros((3, 1))]}
    point["random"] = [{"group": "units", "coefficients": ["(Intercept)"], "sd": [1.0]}]
    law = stats.poisson(mean)
    expected = 3 * np.log(law.pmf(np.arange(40, 46)).sum()) + 3 * stats.norm.logpdf(0)
    assert model.loglik(point, "stanli") == pytest.approx(expected, rel=1e-9)


def test_the_gradient_where_a_bound_leaves_out_nothing(stanli):
    model = m2s.model("brm(y | trunc(lb = low, ub = high) ~ x, family = poisson())", COUNTS)
    program = stanli.compile(model.stan_code, model.stan_data)
    theta = np.array([1.0, 0.2])
    value, gradient = program.log_density({"theta": theta})
    for k in range(2):
        moved = theta.copy()
        moved[k] += 1e-6
        slope = (program.log_density({"theta": moved})[0] - value) / 1e-6
        assert gradient[k] == pytest.approx(slope, rel=1e-3, abs=1e-3)


def test_counts_without_zeros_are_the_truncated_family():
    one = m2s.model("brm(y | trunc(lb = 1) ~ x, family = poisson())", COUNTS)
    other = m2s.model("glmmTMB(y ~ x, family = truncated_poisson)", COUNTS)
    values = [m.loglik(COUNT_POINT, "stanli") for m in (one, other)]
    assert values[0] == pytest.approx(values[1], rel=1e-10)
    nothing = m2s.model("brm(y | trunc(lb = 0) ~ x, family = poisson())", COUNTS)
    plain = m2s.model("brm(y ~ x, family = poisson())", COUNTS)
    values = [m.loglik(COUNT_POINT, "stanli") for m in (nothing, plain)]
    assert values[0] == pytest.approx(values[1], rel=1e-10)
    assert any("leaves out no count" in note for note in nothing.notes)
    late = m2s.model("brm(y | cens(y > 3) ~ x, family = poisson())", COUNTS)
    assert any("on the right are above y" in note for note in late.notes)


def test_mcmcglmm_counts_lie_from_its_first_column_to_its_second():
    df = COUNTS.assign(high=np.where(COUNTS["x"] > 1, np.inf, COUNTS["high"]))
    df["low"] = np.where(COUNTS["x"] < -1, df["high"], df["low"] + (COUNTS["x"] > 1))
    model = m2s.model('MCMCglmm(cbind(low, high) ~ x, family = "cenpoisson")', df)
    u = np.linspace(-0.2, 0.2, N)[:, None]
    point = {
        "beta": {"(Intercept)": 1.2, "x": 0.3},
        "random": [{"group": "units", "coefficients": ["(Intercept)"], "sd": [0.4]}],
        "u": [u],
    }
    law = stats.poisson(np.exp(1.2 + 0.3 * df["x"].to_numpy() + u[:, 0]))
    expected = np.log(law.cdf(df["high"]) - law.cdf(df["low"] - 1)).sum()
    expected += stats.norm(0, 0.4).logpdf(u).sum()
    assert model.loglik(point, "stanli") == pytest.approx(expected, rel=1e-10)


def test_censored_counts_give_the_truth_back():
    rng = np.random.default_rng(3)
    x = rng.normal(size=800)
    y = rng.poisson(np.exp(1 + 0.4 * x))
    df = pd.DataFrame({"x": x, "y": np.minimum(y, 3), "late": y > 3})
    truncated = pd.DataFrame({"x": x, "y": y})[(y >= 2) & (y <= 6)]
    calls = {"brm(y | cens(late) ~ x, family = poisson())": df}
    calls["brm(y | trunc(lb = 2, ub = 6) ~ x, family = poisson())"] = truncated
    for call, data in calls.items():
        summary = m2s.model(call, data).sample(2, 300, 300, seed=4, engine="stanli").summary()
        assert (np.abs(summary["mean"] - [1, 0.4]) < 4 * summary["sd"]).all()


BAD_COUNTS = [
    ("brm(y | cens(code, y) ~ x, family = poisson())", "ends its interval at"),
    ("brm(y | trunc(lb = 4) ~ x, family = poisson())", "below its lower bound"),
    ("brm(y | trunc(ub = ends) ~ x, family = poisson())", "ends is infinite in row 1"),
    ("brm(y + 0.5 | cens(late) ~ x, family = poisson())", "has an end at"),
    ('MCMCglmm(cbind(low + 0.5, high) ~ x, family = "cenpoisson")', "has an end at"),
    ("brm(y | cens(late) ~ x, family = beta_binomial())", "cannot be expressed"),
    ('MCMCglmm(cbind(0 * low, ends) ~ x, family = "cenpoisson")', "from 0 to inf in row 1"),
]


@pytest.mark.parametrize(("call", "words"), BAD_COUNTS)
def test_mistakes_with_counts_are_named(call, words):
    with pytest.raises(m2s.FormulaError, match=words):
        m2s.model(call, COUNTS.assign(late=COUNTS["number"] == 1, ends=np.inf))


# -- what is predicted -----------------------------------------------------------------------------

SETTINGS = {"chains": 2, "warmup": 200, "draws": 150, "seed": 5, "engine": "stanli"}


def draws_of(fit, name):
    values = fit.posterior[name].values
    return values.reshape(-1, *values.shape[2:])


def eta_of(fit, df):
    return draws_of(fit, "beta") @ np.stack([np.ones(len(df)), df["x"].to_numpy()])


def test_the_pointwise_log_likelihood_of_intervals():
    for df, call in (
        (DATA, "brm(y | cens(code, y2) ~ x, family = lognormal())"),
        (COUNTS, "brm(y | cens(code, y2) ~ x, family = poisson())"),
    ):
        fit = m2s.model(call, df).sample(**SETTINGS)
        eta = eta_of(fit, df)
        law = stats.poisson(np.exp(eta))
        if df is DATA:
            law = stats.lognorm(draws_of(fit, "sigma")[:, None], scale=np.exp(eta))
        y, y2, code = (df[n].to_numpy() for n in ("y", "y2", "code"))
        observed = law.logpmf(y) if df is COUNTS else law.logpdf(y)
        wanted = np.select(
            [code == "none", code == "left", code == "right"],
            [observed, law.logcdf(y), law.logsf(y)],
            np.log(law.cdf(y2) - law.cdf(y)),
        )
        found = fit.log_lik().values.reshape(wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-7)
        with pytest.raises(m2s.Unsupported, match="residuals of a censored"):
            fit.residuals()
    ends = m2s.model('MCMCglmm(cbind(low, high) ~ x, family = "cengaussian")', DATA)
    new = ends.sample(**SETTINGS).predict(pd.DataFrame({"x": [0.0]}), kind="response")
    assert new.sizes["obs"] == 1


@pytest.mark.parametrize(("text", "lower", "upper"), COUNT_BOUNDS)
def test_truncated_counts_are_predicted_within_their_bounds(text, lower, upper):
    fit = m2s.model(f"brm(y | trunc({text}) ~ x, family = poisson())", COUNTS).sample(**SETTINGS)
    law = stats.poisson(np.exp(eta_of(fit, COUNTS)))
    lower, upper = (np.broadcast_to(end, N) for end in (lower, upper))
    inside = law.cdf(upper) - law.cdf(lower - 1)
    wanted = law.logpmf(COUNTS["y"].to_numpy()) - np.log(inside)
    np.testing.assert_allclose(fit.log_lik().values.reshape(wanted.shape), wanted, rtol=1e-8)
    k = np.arange(200)[:, None, None]
    mass = np.where((k >= lower) & (k <= upper), law.pmf(k), 0)
    expected = fit.predict(kind="epred").values.reshape(wanted.shape)
    np.testing.assert_allclose(expected, (k * mass).sum(axis=0) / inside, rtol=1e-8)
    drawn = fit.predict(kind="response").values
    assert (drawn >= lower).all() and (drawn <= upper).all()
    assert drawn.mean() == pytest.approx(expected.mean(), rel=0.05)
    assert 0.6 < fit.residuals("quantile").std() < 1.5


def test_a_truncated_normal_is_predicted_within_its_bounds():
    call = "brm(y | trunc(lb = 0.1, ub = y2) ~ x)"
    fit = m2s.model(call, DATA).sample(**SETTINGS)
    mu, sigma = eta_of(fit, DATA), draws_of(fit, "sigma")[:, None]
    upper = DATA["y2"].to_numpy()
    law = stats.truncnorm((0.1 - mu) / sigma, (upper - mu) / sigma, mu, sigma)
    wanted = law.logpdf(DATA["y"].to_numpy())
    np.testing.assert_allclose(fit.log_lik().values.reshape(wanted.shape), wanted, rtol=1e-7)
    expected = fit.predict(kind="epred").values.reshape(wanted.shape)
    np.testing.assert_allclose(expected, law.mean(), rtol=1e-6)
    drawn = fit.predict(kind="response").values
    assert (drawn >= 0.1).all() and (drawn <= upper).all()
    new = pd.DataFrame({"x": [0.0, 1.0], "y2": [0.3, 5.0]})
    assert fit.predict(new, kind="response").values[..., 0].max() <= 0.3
    other = m2s.model("brm(y | trunc(lb = 0.1) ~ x, family = student())", DATA).sample(**SETTINGS)
    assert other.predict(kind="response").values.min() >= 0.1
    with pytest.raises(m2s.Unsupported, match="expected response of a truncated student"):
        other.predict(kind="epred")
