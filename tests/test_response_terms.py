"""What brms says of a response besides its formula: known parameters, weights, errors, exposure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import mix2stan as m2s

N = 200
RNG = np.random.default_rng(11)
DATA = pd.DataFrame({"x": RNG.normal(size=N), "g": [f"g{i % 8}" for i in range(N)]})
DATA["y"] = 1 + 0.5 * DATA["x"] + RNG.laplace(size=N)
SETTINGS = {"chains": 2, "warmup": 300, "draws": 300, "seed": 3, "engine": "stanli"}


def test_a_known_quantile_is_fitted():
    model = m2s.model("brm(bf(y ~ x, quantile = 0.9), family = asym_laplace())", DATA)
    fit = model.sample(**SETTINGS)
    assert "quantile" not in fit.summary().index
    line = fit.predict(kind="linpred").mean(("chain", "draw")).values
    assert np.mean(DATA["y"] < line) == pytest.approx(0.9, abs=0.03)
    sigma, mu = fit.sigma(), line.mean()
    expected = fit.predict(kind="epred").mean().item()
    assert expected == pytest.approx(mu + sigma * (1 - 1.8) / 0.09, abs=0.1)


# -- weights of the likelihood ---------------------------------------------------------------------

DATA["w"] = RNG.uniform(0, 3, N)
DATA["s"] = RNG.uniform(0.2, 1.5, N)
DATA["n"] = RNG.integers(1, 9, N)
DATA["k"] = RNG.poisson(DATA["n"] * np.exp(0.3 + 0.2 * DATA["x"]))
DATA["b"] = RNG.binomial(DATA["n"], 0.4)
DATA["p"] = np.exp(DATA["y"] / 3)
DATA["f"] = RNG.choice(["u", "v"], N)
MU = (0.4 + 0.3 * DATA["x"]).to_numpy()
POINT = {"beta": {"(Intercept)": 0.4, "x": 0.3}, "u": [], "sigma": 0.8, "shape": 1.7, "phi": 4.2}
POINT |= {"nu": 5.5, "alpha": 1.3, "power": 1.5, "kappa": 2.0, "quantile": 0.3}
#: Calls, and the log densities of their rows.
WEIGHTED = {
    "brm(y | weights(w) ~ x)": stats.norm(MU, 0.8).logpdf(DATA["y"]),
    "glmmTMB(y ~ x, weights = w)": stats.norm(MU, 0.8).logpdf(DATA["y"]),
    "brm(y | weights(w) ~ x, family = student)": stats.t(5.5, MU, 0.8).logpdf(DATA["y"]),
    "brm(k | weights(w) ~ x, family = poisson())": stats.poisson(np.exp(MU)).logpmf(DATA["k"]),
    "glm(k ~ x, weights = w, family = poisson)": stats.poisson(np.exp(MU)).logpmf(DATA["k"]),
    "glm.nb(k ~ x, weights = w)": stats.nbinom(1.7, 1.7 / (1.7 + np.exp(MU))).logpmf(DATA["k"]),
    "glmmTMB(p ~ x, weights = w, family = Gamma(log))": stats.gamma(
        1.7, scale=np.exp(MU) / 1.7
    ).logpdf(DATA["p"]),
    "glm(p ~ x, family = inverse.gaussian(log))": stats.invgauss(
        np.exp(MU) / 1.7, scale=1.7
    ).logpdf(DATA["p"]),
    "brm(b | trials(n) + weights(w) ~ x, family = binomial())": stats.binom(
        DATA["n"], special.expit(MU)
    ).logpmf(DATA["b"]),
    "brm(b | trials(n) + weights(w) ~ x, family = beta_binomial())": stats.betabinom(
        DATA["n"], special.expit(MU) * 4.2, special.expit(-MU) * 4.2
    ).logpmf(DATA["b"]),
    "brm(p | weights(w) ~ x, family = lognormal())": stats.lognorm(0.8, scale=np.exp(MU)).logpdf(
        DATA["p"]
    ),
}


@pytest.mark.parametrize("call", WEIGHTED)
def test_weights_multiply_the_log_likelihood(call, engine):
    powers = DATA["w"] if "w" in call.replace("weights", "").split("family")[0] else 1
    model = m2s.model(call, DATA)
    found = model.loglik(POINT, engine.name)
    assert found == pytest.approx((powers * WEIGHTED[call]).sum(), rel=1e-10)


@pytest.mark.parametrize(
    ("family", "link"), [("cumulative", "logit"), ("cumulative", "cloglog"), ("acat", "logit")]
)
def test_weights_of_ordered_categories(family, link, engine):
    df = DATA.assign(o=pd.Categorical.from_codes(RNG.integers(0, 3, N), ["l", "m", "h"], True))
    df["twice"] = 2 * np.ones(N)
    call = f'brm(o {{}} ~ x, family = {family}(link = "{link}"))'
    point = {"beta": {"x": 0.3}, "thresholds": [-0.5, 0.9], "u": []}
    once, twice = (
        m2s.model(call.format(w), df).loglik(point, engine.name) for w in ("", "| weights(twice)")
    )
    assert twice == pytest.approx(2 * once, rel=1e-10)
    for row in (0, 5):
        some = df.assign(w=np.arange(N) == row)
        alone = m2s.model(call.format("| weights(1 + w)"), some).loglik(point, engine.name) - once
        rest = m2s.model(call.format("| weights(1 - w)"), some).loglik(point, engine.name)
        assert alone == pytest.approx(once - rest, rel=1e-8)


def test_what_weights_mean_elsewhere_is_said():
    said = str(m2s.model("glmmTMB(y ~ x, weights = w)", DATA).explain())
    assert "multiplies the" in said and "sigma^2 / w" in said


def test_whole_weights_are_repeated_rows():
    df = DATA.assign(times=RNG.integers(0, 4, N))
    once = df.loc[df.index.repeat(df["times"])].reset_index(drop=True)
    tables = [
        m2s.model("brm(y | weights(times) ~ x + (1 | g))", df).sample(**SETTINGS).summary(),
        m2s.model("lmer(y ~ x + (1 | g))", once).sample(**SETTINGS).summary(),
    ]
    for name in tables[0].index:
        gap = abs(tables[0].loc[name, "mean"] - tables[1].loc[name, "mean"])
        assert gap < 0.3 * tables[1].loc[name, "sd"], name


def test_the_pointwise_log_likelihood_is_weighted():
    model = m2s.model("brm(y | weights(w) ~ x)", DATA)
    fit = model.sample(**SETTINGS)
    mu = fit.predict(kind="linpred").values
    sigma = fit.posterior["sigma"].values[..., None]
    expected = DATA["w"].to_numpy() * stats.norm(mu, sigma).logpdf(DATA["y"].to_numpy())
    np.testing.assert_allclose(fit.log_lik().values, expected, rtol=1e-9)
    assert "multiplied by w" in str(model.explain())


# -- known standard errors -------------------------------------------------------------------------


def test_standard_errors_alone_are_integrated_over_exactly(stanli):
    model = m2s.model("brm(y | se(s) ~ x + (1 | g))", DATA)
    assert model.meaning.strategy.kind == "collapsed"
    program = stanli.compile(model.stan_code, model.stan_data)
    g = DATA["g"].to_numpy()
    X = np.column_stack([np.ones(N), DATA["x"]])
    priors = {p.block: dict(p.values) for p in model.meaning.priors}
    mean = X.mean(axis=0)
    # the priors of the coefficients: of the middle of the predictor, and of the slope
    T = np.array([mean, [0, 1]])
    scales = [priors["intercept"]["scale"][0], priors["beta"]["scale"][0]]
    inverse = np.linalg.inv(T)
    centre = inverse @ [priors["intercept"]["loc"][0], 0.0]
    prior = inverse @ np.diag(np.square(scales)) @ inverse.T

    def expected(sd):
        V = np.diag(DATA["s"] ** 2) + sd**2 * (g[:, None] == g) + X @ prior @ X.T
        density = stats.multivariate_normal(X @ centre, V).logpdf(DATA["y"])
        return density + stats.t(3, 0, priors["sd_g"]["scale"][0]).logpdf(sd)

    found = [program.log_density({"sd_g": sd}, jacobian=False)[0] for sd in (0.2, 0.5, 1.1)]
    wanted = [expected(sd) for sd in (0.2, 0.5, 1.1)]
    np.testing.assert_allclose(np.diff(found), np.diff(wanted), rtol=1e-8)


SE = {
    "brm(y | se(s, sigma = TRUE) ~ x)": stats.norm(MU, np.hypot(0.8, DATA["s"])),
    "brm(y | se(s) ~ x, family = student())": stats.t(5.5, MU, DATA["s"]),
    "brm(y | se(s, sigma = TRUE) ~ x, family = student())": stats.t(
        5.5, MU, np.hypot(0.8, DATA["s"])
    ),
}


@pytest.mark.parametrize("call", SE)
def test_the_density_with_standard_errors(call, engine):
    found = m2s.model(call, DATA).loglik(POINT, engine.name)
    assert found == pytest.approx(SE[call].logpdf(DATA["y"]).sum(), rel=1e-10)


def test_intervals_with_weights_and_standard_errors(engine):
    df = DATA.assign(late=DATA["y"] > 1.5)
    scale, y = np.hypot(0.8, df["s"]), df["y"]
    law, w = stats.norm(MU, scale), df["w"]
    censored = np.where(df["late"], law.logsf(y), law.logpdf(y))
    inside = law.logpdf(y) - np.log(law.cdf(9) - law.cdf(-9))
    count = stats.poisson(np.exp(MU))
    counted = count.logpmf(df["k"] + 1) - np.log(count.sf(0))
    calls = {
        "brm(y | cens(late) + se(s, sigma = TRUE) ~ x)": censored.sum(),
        "brm(y | cens(late) + se(s, sigma = TRUE) + weights(w) ~ x)": (w * censored).sum(),
        "brm(y | trunc(lb = -9, ub = 9) + weights(w) + se(s, sigma = TRUE) ~ x)": (
            w * inside
        ).sum(),
        "brm(k + 1 | trunc(lb = 1) + weights(w) ~ x, family = poisson())": (w * counted).sum(),
    }
    # Stan's own tails of the normal distribution are right to so many digits
    digits = 1e-10 if engine.name == "stanli" else 1e-8
    for call, expected in calls.items():
        found = m2s.model(call, df).loglik(POINT, engine.name)
        assert found == pytest.approx(expected, rel=digits), call
    nothing = m2s.model("brm(y | cens(late) ~ 0)", df).loglik({**POINT, "beta": {}}, engine.name)
    law = stats.norm(0, 0.8)
    expected = np.where(df["late"], law.logsf(y), law.logpdf(y)).sum()
    assert nothing == pytest.approx(expected, rel=digits)


def test_a_meta_analysis_finds_the_truth():
    rng = np.random.default_rng(2)
    n = 300
    df = pd.DataFrame({"s": rng.uniform(0.1, 1.0, n), "g": [f"g{i % 30}" for i in range(n)]})
    effects = rng.normal(0, 0.4, 30)[np.arange(n) % 30]
    df["y"] = 0.5 + effects + rng.normal(size=n) * df["s"]
    df["z"] = df["y"] + rng.normal(size=n) * 0.6
    alone = m2s.model("brm(y | se(s) ~ 1 + (1 | g))", df).sample(**SETTINGS)
    assert "sigma" not in alone.summary().index
    with pytest.raises(m2s.Mix2stanError, match="sigma is known"):
        alone.sigma()
    beside = m2s.model("brm(z | se(s, sigma = TRUE) ~ 1 + (1 | g))", df).sample(**SETTINGS)
    for fit, truth in ((alone, (0.5, 0.4)), (beside, (0.5, 0.4, 0.6))):
        table = fit.summary()
        assert (np.abs(table["mean"] - truth) < 4 * table["sd"]).all()
    spread = beside.predict(kind="response").std(("chain", "draw")).values
    assert np.corrcoef(spread, np.hypot(0.6, df["s"]))[0, 1] > 0.9
    new = alone.predict(pd.DataFrame({"s": [0.1, 2.0], "g": ["g1", "g1"]}), kind="response")
    spread = new.std(("chain", "draw")).values
    assert spread[1] == pytest.approx(2.0, rel=0.15) and spread[0] < 0.5


def test_exposure_is_an_offset():
    one = m2s.model("brm(k | rate(n) ~ x + (1 | g), family = poisson())", DATA)
    other = m2s.model("glmer(k ~ x + offset(log(n)) + (1 | g), family = poisson)", DATA)
    assert m2s.compare(one, other).same
    fit = one.sample(**SETTINGS)
    assert fit.predict(kind="epred").mean().item() == pytest.approx(DATA["k"].mean(), rel=0.1)


def test_trials_are_numbers_of_trials():
    one = m2s.model("brm(b | trials(n) ~ x, family = binomial())", DATA)
    other = m2s.model("glm(cbind(b, n - b) ~ x, family = binomial)", DATA)
    assert m2s.compare(one, other).same


SAME = [
    ("brm(y | weights(w) ~ x)", "glmmTMB(y ~ x, weights = w)", True),
    ("brm(y | weights(w) ~ x)", "lm(y ~ x, weights = w)", False),
    ("brm(y | weights(w) ~ x)", "brm(y | weights(s) ~ x)", False),
    ("brm(y | se(s) ~ x)", "brm(y | se(s, sigma = TRUE) ~ x)", False),
    ("brm(y | weights(w) + se(s) ~ x)", "brm(y | se(s) + weights(w) ~ x)", True),
    ("brm(y | se(s) ~ x)", "gls(y ~ x, weights = varFixed(~ I(s^2)))", False),
]


@pytest.mark.parametrize(("one", "other", "same"), SAME)
def test_what_is_the_same(one, other, same):
    assert m2s.compare(one, other, DATA).same == same


TRANSLATED = [
    ("glmmTMB(y ~ x, weights = w)", "brms", "brm(y | weights(w) ~ x, "),
    ("brm(k | weights(w) ~ x, family = poisson())", "lme4", "weights = w"),
    ("brm(k | weights(w) ~ x, family = poisson())", "glmmTMB", "weights = w"),
    ("brm(y | se(s) ~ x + (1 | g))", "brms", "brm(y | se(s) ~ x + (1 | g), "),
    ("brm(y | se(s, sigma = TRUE) ~ x)", "brms", "brm(y | se(s, sigma = TRUE) ~ x, "),
    ("brm(y | se(s) + cens(k > 3) ~ x)", "brms", "brm(y | cens(k > 3) + se(s) ~ x, "),
    (
        "brm(b | trials(n) + weights(w) ~ x, family = binomial())",
        "brms",
        "| trials(n) + weights(w)",
    ),
]


@pytest.mark.parametrize(("call", "to", "written"), TRANSLATED)
def test_translations(call, to, written):
    assert written in m2s.translate(call, to, DATA)


REFUSED = [
    ("brm(y | weights(x) ~ 1)", "x is -.* in row .*: a weight is a number from 0 on"),
    ("brm(y | weights(w, scale = TRUE) ~ x)", "scaled"),
    ("brm(y | weights() ~ x)", "needs weights"),
    ("brm(y | se() ~ x)", "needs standard errors"),
    ("brm(y | se(x) ~ 1 + (1 | g))", "standard errors have to be positive; x is negative in row"),
    ("brm(y | se(0 * s) ~ 1)", "standard errors have to be positive; 0 \\* s is 0 in row 1"),
    ("brm(y | se(x, sigma = TRUE) ~ 1)", "x is -.* in row .*: a standard error is positive"),
    ("brm(k | se(s) ~ x, family = poisson())", "poisson"),
    ("brm(bf(y | se(s) ~ x, sigma ~ x))", "sigma is known, and has a formula"),
    ("brm(k | rate(n) ~ x, family = negbinomial())", "rate\\(\\) of a negbinomial"),
    ("brm(f | weights(w) ~ x, family = categorical())", "weights of a categorical"),
    ("brm(k | weights(w) ~ x, family = zero_inflated_poisson())", "weights of a zero_inflated"),
    ("glm(p ~ x, weights = w, family = Gamma)", "divide the dispersion of a Gamma"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_mistakes_are_named(call, words):
    with pytest.raises(m2s.FormulaError, match=words):
        m2s.model(call, DATA)


def test_maximum_likelihood_with_a_known_sigma_is_refused():
    with pytest.raises(m2s.Unsupported, match="sigma"):
        m2s.model("brm(y | se(s) ~ x + (1 | g))", DATA).reml("stanli")


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("glm(visits ~ x, family = poisson)", "visits is 3e"),
        ("brm(visits ~ x, family = negbinomial())", "visits is 3e"),
        ("glmmTMB(visits ~ x, family = truncated_poisson)", "visits is 3e"),
        ("glm(cbind(k, visits) ~ x, family = binomial)", "visits"),
        ("brm(k | trials(visits) ~ x, family = binomial())", "visits"),
        ("clm(visits ~ x)", "no row of visits is in category 3"),
    ],
)
def test_counts_that_stan_has_no_integers_for_are_refused_by_their_name(call, name):
    rows = {"x": [0.0, 1, 2, 3], "visits": [1, 2, 3_000_000_000, 4], "k": [1, 2, 3, 4]}
    with pytest.raises(m2s.FormulaError, match=name) as caught:
        m2s.model(call, pd.DataFrame(rows))
    assert "2,147,483,647" in str(caught.value) or "clm" in call


def test_a_time_of_zero_has_a_hint_of_its_own():
    rows = pd.DataFrame({"x": [0.0, 1, 2, 3], "t": [0.0, 1, 2, 3]})
    for family, words in (("weibull", "censored"), ("Gamma", "hurdle_gamma")):
        with pytest.raises(m2s.FormulaError) as caught:
            m2s.model(f"brm(t ~ x, family = {family}())", rows)
        assert words in caught.value.hint
