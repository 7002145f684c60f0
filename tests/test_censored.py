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
    ("brm(round(y) | cens(late) ~ x, family = poisson())", "poisson"),
    ('MCMCglmm(cbind(low, high) ~ x, rcov = ~ idh(g):units, family = "cengaussian")', "structure"),
]


@pytest.mark.parametrize(("call", "words"), BAD)
def test_mistakes_are_named(call, words):
    with pytest.raises(m2s.FormulaError, match=words):
        m2s.model(call, DATA.assign(late=DATA["number"] == 1))
