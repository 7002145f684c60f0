"""Unordered categories: the density, a fit, and what cannot be meant."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import mix2stan as m2s

LEVELS = ("ant", "bee", "cat 1")
CALL = "brm(y ~ x + (1 | g), family = categorical())"


def simulated(n: int, beta, u) -> pd.DataFrame:
    """``beta`` of shape (2, 2): a row of intercept and slope per category after the first."""
    rng = np.random.default_rng(6)
    df = pd.DataFrame({"x": rng.normal(1, 1, n), "i": np.arange(n) % u.shape[1]})
    mu = beta[:, :1] + beta[:, 1:] * df["x"].to_numpy() + u[:, df["i"]]
    p = special.softmax(np.vstack([np.zeros(n), mu]), axis=0)
    y = (rng.uniform(size=n) > np.cumsum(p, axis=0)[:-1]).sum(axis=0)
    g = [f"g{i:02d}" for i in df["i"]]
    return df.assign(g=g, y=pd.Categorical.from_codes(y, LEVELS))


def test_the_density_is_a_softmax(engine):
    beta, u = np.array([[0.3, 0.5], [-0.4, 0.9]]), np.random.default_rng(1).normal(size=(2, 5))
    df = simulated(50, beta, u)
    model = m2s.model(CALL, df)
    sd = (0.7, 1.3)
    owners = ("mu_bee", "mu_cat_1")
    point = {
        **{
            f"{o}_beta": dict(zip(model.X.columns, b, strict=True))
            for o, b in zip(owners, beta, strict=True)
        },
        "random": [
            {"group": "g", "owner": o, "coefficients": ["(Intercept)"], "sd": [s]}
            for o, s in zip(owners, sd, strict=True)
        ],
        "u": [row[:, None] for row in u],
    }
    mu = beta[:, :1] + beta[:, 1:] * df["x"].to_numpy() + u[:, df["i"]]
    log_p = np.vstack([np.zeros(50), mu]) - np.log(1 + np.exp(mu).sum(axis=0))
    expected = log_p[df["y"].cat.codes, np.arange(50)].sum()
    expected += sum(stats.norm(0, s).logpdf(row).sum() for s, row in zip(sd, u, strict=True))
    assert model.loglik(point, engine.name) == pytest.approx(expected, rel=1e-10)


def test_simulated_data_give_the_truth_back():
    beta = np.array([[0.3, 0.5], [-0.4, 0.9]])
    u = np.random.default_rng(2).normal(size=(2, 30)) * np.array([[0.6], [1.0]])
    table = m2s.model(CALL, simulated(1500, beta, u)).sample(2, 400, 400, seed=2, engine="stanli")
    summary = table.summary()
    names = ["mu_bee[(Intercept)]", "mu_bee[x]", "mu_cat_1[(Intercept)]", "mu_cat_1[x]"]
    truth = dict(
        zip([*names, "sd_mu_bee_g", "sd_mu_cat_1_g"], [*beta.ravel(), 0.6, 1.0], strict=True)
    )
    for name, value in truth.items():
        assert abs(summary.loc[name, "mean"] - value) < 4 * summary.loc[name, "sd"], name


def test_two_packages_have_one_model():
    df = simulated(60, np.zeros((2, 2)), np.zeros((2, 5)))
    calls = ("multinom(y ~ x)", "brm(y ~ x, family = categorical())")
    assert m2s.compare(*calls, df).same
    assert not m2s.compare(calls[0], "multinom(y ~ 1)", df).same
    assert not m2s.compare(calls[0], "clm(y ~ x)", df).same
    assert any("against the first category, ant" in note for note in m2s.model(calls[0], df).notes)


BAD = [
    ("multinom(y ~ x + (1 | g))", "no random terms"),
    ("glm(y ~ x, family = binomial)", "3 levels"),
    (
        'MCMCglmm(y ~ x, family = "categorical", prior = list(R = list(V = 1, fix = 1)))',
        "3 levels",
    ),
]


@pytest.mark.parametrize(("call", "words"), BAD)
def test_mistakes_are_named(call, words):
    df = simulated(60, np.zeros((2, 2)), np.zeros((2, 5)))
    with pytest.raises(m2s.FormulaError, match=words) as caught:
        m2s.model(call, df)
    assert "categorical()" in caught.value.hint


# -- counts of categories --------------------------------------------------------------------------

COUNTS = "brm(cbind(a, b, c) | trials(n) ~ x + (1 | g), family = multinomial())"


def counted(n: int, beta, u) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    df = pd.DataFrame({"x": rng.normal(1, 1, n), "i": np.arange(n) % u.shape[1]})
    mu = beta[:, :1] + beta[:, 1:] * df["x"].to_numpy() + u[:, df["i"]]
    p = special.softmax(np.vstack([np.zeros(n), mu]), axis=0)
    df["n"] = rng.integers(0, 12, n)
    df[["a", "b", "c"]] = rng.multinomial(df["n"], p.T)
    return df.assign(g=[f"g{i:02d}" for i in df["i"]])


def test_the_density_of_counts(engine):
    beta, u = np.array([[0.3, 0.5], [-0.4, 0.9]]), np.random.default_rng(1).normal(size=(2, 5))
    df = counted(50, beta, u)
    model = m2s.model(COUNTS, df)
    sd, owners = (0.7, 1.3), ("mu_b", "mu_c")
    names = ("(Intercept)", "x")
    point = {
        f"{o}_beta": dict(zip(names, b, strict=True)) for o, b in zip(owners, beta, strict=True)
    }
    point["random"] = [
        {"group": "g", "owner": o, "coefficients": ["(Intercept)"], "sd": [s]}
        for o, s in zip(owners, sd, strict=True)
    ]
    point["u"] = [row[:, None] for row in u]
    mu = beta[:, :1] + beta[:, 1:] * df["x"].to_numpy() + u[:, df["i"]]
    p = special.softmax(np.vstack([np.zeros(50), mu]), axis=0).T
    expected = stats.multinomial(df["n"].to_numpy(), p).logpmf(df[["a", "b", "c"]].to_numpy()).sum()
    expected += sum(stats.norm(0, s).logpdf(row).sum() for s, row in zip(sd, u, strict=True))
    assert model.loglik(point, engine.name) == pytest.approx(expected, rel=1e-10)


def test_simulated_counts_give_the_truth_back():
    beta = np.array([[0.3, 0.5], [-0.4, 0.9]])
    u = np.random.default_rng(2).normal(size=(2, 30)) * np.array([[0.6], [1.0]])
    fit = m2s.model(COUNTS, counted(400, beta, u)).sample(2, 400, 400, seed=2, engine="stanli")
    summary = fit.summary()
    names = ["mu_b[(Intercept)]", "mu_b[x]", "mu_c[(Intercept)]", "mu_c[x]"]
    truth = dict(zip([*names, "sd_mu_b_g", "sd_mu_c_g"], [*beta.ravel(), 0.6, 1.0], strict=True))
    for name, value in truth.items():
        assert abs(summary.loc[name, "mean"] - value) < 4 * summary.loc[name, "sd"], name


def test_counts_in_other_words():
    df = counted(60, np.zeros((2, 2)), np.zeros((2, 5)))
    one = "brm(cbind(a, b, c) | trials(n) ~ x, family = multinomial())"
    assert m2s.compare(one, "multinom(cbind(a, b, c) ~ x)", df).same
    assert not m2s.compare(one, "multinom(cbind(a, c, b) ~ x)", df).same
    written = m2s.translate("multinom(cbind(a, b, c) ~ x)", "brms", df)
    assert written.startswith("brm(cbind(a, b, c) | trials(a + b + c) ~ x, ")
    two = m2s.model("brm(cbind(a, b) | trials(a + b) ~ x, family = multinomial())", df)
    binomial = m2s.model("glm(cbind(b, a) ~ x, family = binomial)", df)
    point = {"mu_b_beta": {"(Intercept)": 0.2, "x": 0.4}, "u": []}
    other = {"beta": point["mu_b_beta"], "u": []}
    assert two.loglik(point, "stanli") == pytest.approx(binomial.loglik(other, "stanli"), rel=1e-10)


BAD_COUNTS = [
    ("brm(cbind(a, b) | trials(n) ~ x, family = multinomial())", "number of trials"),
    ("brm(cbind(a - 99, b) | trials(n) ~ x, family = multinomial())", "not negative"),
    ("brm(cbind(a + 0.5, b) | trials(n) ~ x, family = multinomial())", "whole numbers"),
    ("brm(cbind(a, 0 * b) | trials(a) ~ x, family = multinomial())", "0 in all rows"),
    ("brm(a | trials(n) ~ x, family = multinomial())", "no counts of several"),
]


@pytest.mark.parametrize(("call", "words"), BAD_COUNTS)
def test_mistakes_in_counts_are_named(call, words):
    df = counted(60, np.zeros((2, 2)), np.zeros((2, 5)))
    with pytest.raises(m2s.FormulaError, match=words):
        m2s.model(call, df)
