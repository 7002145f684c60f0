"""Known weights: R's prior weights, Var = sigma^2 / w, enter the sums of collapsed programs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import mix2stan as m2s
from mix2stan.errors import FormulaError, Unsupported


def weighted(rows=90, seed=3):
    """y ~ x + (1 | a) + (1 | b), the variance of an error 1 / w."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 6, rows), rng.integers(0, 5, rows)
    frame = pd.DataFrame({"x": rng.normal(size=rows), "w": rng.uniform(0.2, 5, rows)})
    frame["y"] = 10 + frame.x + rng.normal(size=6)[a] + 0.5 * rng.normal(size=5)[b]
    frame["y"] += rng.normal(size=rows) / np.sqrt(frame.w)
    return frame.assign(a=np.array(list("uvwxyz"))[a], b=np.array(list("klmno"))[b])


A = {"group": "a", "coefficients": ["(Intercept)"], "sd": [0.7]}
A_SLOPE = {
    "group": "a",
    "coefficients": ["(Intercept)", "x"],
    "sd": [0.7, 0.4],
    "cor": [[1, 0.3], [0.3, 1]],
}
B = {"group": "b", "coefficients": ["(Intercept)"], "sd": [0.5]}
BETA = {"(Intercept)": 9.5, "x": 0.8}


def covariance(model, data, random, sigma):
    V = np.diag(sigma**2 / data.w.to_numpy())
    for term, point in zip(model.Z, random, strict=True):
        sd = np.array(point["sd"])
        S = np.outer(sd, sd) * np.array(point.get("cor", np.eye(len(sd))))
        Z = term.matrix.toarray()
        V = V + Z @ np.kron(np.eye(len(term.levels)), S) @ Z.T
    return V


CALLS = {
    "lm(y ~ x, weights = w)": [],
    "glm(y ~ x, weights = w)": [],
    "glm(y ~ x, family = gaussian, weights = w)": [],
    "gls(y ~ x, weights = varFixed(~ 1/w))": [],
    "gls(y ~ x, weights = varPower(form = ~ w, fixed = -0.5))": [],
    "lmer(y ~ x + (1 | a), weights = w)": [A],
    "lme(y ~ x, random = ~ 1 | a, weights = ~ I(1/w))": [A],
    "lmer(y ~ x + (x | a) + (1 | b), weights = w)": [A_SLOPE, B],
    "lmer(y ~ x + (1 | a) + (1 | b), weights = w)": [A, B],
}


@pytest.mark.parametrize("call", CALLS)
def test_the_likelihood_is_the_dense_normal(call):
    data, random = weighted(), CALLS[call]
    model = m2s.model(call, data)
    point = {"beta": BETA, "random": random, "residual": {"sigma": 1.3}}
    V = covariance(model, data, random, 1.3)
    want = stats.multivariate_normal(model.X.to_numpy() @ [9.5, 0.8], V).logpdf(data.y)
    assert model.loglik(point, engine="stanli") == pytest.approx(want, rel=1e-10)
    assert model.meaning.strategy.kind == "collapsed"
    assert "matrix[N" not in model.stan_code  # sums alone, no rows


def restricted(model, data, random, sigma):
    """The restricted log-likelihood: that of the contrasts free of beta, with R's constants."""
    V, X, y = covariance(model, data, random, sigma), model.X.to_numpy(), data.y.to_numpy()
    precision = np.linalg.inv(V)
    information = X.T @ precision @ X
    r = y - X @ np.linalg.solve(information, X.T @ precision @ y)
    determinants = np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1]
    n = len(y) - X.shape[1]
    return -0.5 * (n * np.log(2 * np.pi) + determinants + r @ precision @ r)


def test_estimates_are_the_maximum_of_the_dense_likelihood():
    data = weighted()
    model = m2s.model("lmer(y ~ x + (1 | a) + (1 | b), weights = w)", data)
    fit = model.reml("stanli")

    def loss(theta):
        sds = np.exp(theta)
        return -restricted(model, data, [{"sd": [sds[0]]}, {"sd": [sds[1]]}], sds[2])

    best = optimize.minimize(loss, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-7})
    assert fit.logLik == pytest.approx(-best.fun, abs=1e-5)
    np.testing.assert_allclose(fit.VarCorr()["sd"], np.exp(best.x), rtol=1e-3)


def test_lm_has_the_weighted_least_squares():
    data = weighted()
    fit = m2s.model("lm(y ~ x, weights = w)", data).ml("stanli")
    X = np.column_stack([np.ones(len(data)), data.x])
    W = data.w.to_numpy()[:, None]
    beta = np.linalg.solve(X.T @ (W * X), X.T @ (data.w * data.y))
    variance = np.mean(data.w * (data.y - X @ beta) ** 2)
    np.testing.assert_allclose(fit.fixef(), beta, rtol=1e-6)
    assert fit.sigma() == pytest.approx(np.sqrt(variance), rel=1e-4)
    # logLik.lm
    n = len(data)
    want = 0.5 * (np.log(data.w).sum() - n * (np.log(2 * np.pi) + 1 + np.log(variance)))
    assert fit.logLik == pytest.approx(want, abs=1e-6)


def test_weights_are_nlmes_known_variance():
    data = weighted()
    lmer = m2s.model("lmer(y ~ x + (1 | a), weights = w, data = d)", {"d": data})
    lme = m2s.model(
        "lme(y ~ x, random = ~ 1 | a, weights = varFixed(~ 1/w), data = d)", {"d": data}
    )
    assert lmer.meaning == lme.meaning
    assert m2s.compare(lmer, lme).same
    assert not m2s.compare(lmer, m2s.model("lmer(y ~ x + (1 | a))", data)).same


@pytest.mark.parametrize(
    ("call", "package", "written"),
    [
        ("lmer(y ~ x + (1 | a), weights = w, data = d)", "nlme", "varFixed(~1/w)"),
        ("lme(y ~ x, ~ 1 | a, weights = varFixed(~ 1/w), data = d)", "lme4", "weights = w"),
        ("gls(y ~ x, weights = varFixed(~ w), data = d)", "lme4", "weights = 1/(w)"),
    ],
)
def test_weights_are_translated(call, package, written):
    model = m2s.model(call, {"d": weighted()})
    text = m2s.translate(model, package)
    assert written in text
    assert m2s.compare(model, m2s.model(text, {"d": weighted()})).same


STRATEGIES = ["noncentred", "collapsed", {"a": "noncentred"}, {"b": "centred"}]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
def test_every_strategy_has_one_posterior(strategy):
    data = weighted(60)
    call = "lmer(y ~ x + (x | a) + (1 | b), weights = w)"
    fits = [
        m2s.model(call, data, strategy=s).sample(seed=1, draws=500, warmup=500, engine="stanli")
        for s in ("auto", strategy)
    ]
    one, two = (fit.summary() for fit in fits)
    assert set(one.index) == set(two.index)
    gap = (one["mean"] - two["mean"][one.index]).abs() / one["sd"]
    assert gap.max() < 0.2


def test_strata_of_known_ratios_are_weights():
    data = weighted().assign(f=lambda d: np.where(d.x > 0, "p", "q"))
    fixed = "lme(y ~ x, random = ~ 1 | a, weights = varIdent(form = ~ 1 | f, fixed = c(p = 2)))"
    model = m2s.model(fixed, data)
    assert model.meaning.strategy.kind == "collapsed"
    assert "stratum" not in model.stan_code
    first = model.meaning.residual.variances[0].levels[0]
    d = np.where(data.f == first, 1.0, 2.0) if first == "q" else np.where(data.f == "p", 2.0, 1.0)
    V = covariance(model, data.assign(w=1 / d**2), [A], 1.3)
    want = stats.multivariate_normal(model.X.to_numpy() @ [9.5, 0.8], V).logpdf(data.y)
    point = {"beta": BETA, "random": [A], "residual": {"sigma": 1.3}}
    assert model.loglik(point, engine="stanli") == pytest.approx(want, rel=1e-10)


def test_the_scale_of_weights_is_that_of_sigma():
    data = weighted()
    one = m2s.model("lmer(y ~ x + (1 | a) + (1 | b), weights = w)", data).reml("stanli")
    two = m2s.model("lmer(y ~ x + (1 | a) + (1 | b), weights = I(1e6 * w))", data).reml("stanli")
    assert two.sigma() == pytest.approx(1e3 * one.sigma(), rel=1e-3)
    assert two.logLik == pytest.approx(one.logLik, abs=1e-4)
    np.testing.assert_allclose(
        two.VarCorr()["sd"].iloc[:2], one.VarCorr()["sd"].iloc[:2], rtol=1e-3
    )


@pytest.mark.parametrize(("value", "word"), [(0.0, "0"), (-1.0, "negative"), (np.inf, "infinite")])
@pytest.mark.parametrize("call", ["lmer(y ~ x + (1 | a), weights = w)", "lm(y ~ x, weights = w)"])
def test_weights_have_to_be_positive(call, value, word):
    data = weighted()
    data.loc[3, "w"] = value
    with pytest.raises(FormulaError, match=f"w is {word} in row 4"):
        m2s.model(call, data)


def test_rows_without_a_weight_are_dropped_as_in_r():
    data = weighted()
    data.loc[3, "w"] = np.nan
    model = m2s.model("lmer(y ~ x + (1 | a), weights = w)", data)
    assert "1 row with missing values dropped" in model.notes
    with pytest.raises(FormulaError, match="missing"):
        m2s.model("lmer(y ~ x + (1 | a), weights = w, na.action = na.fail)", data)


def test_weights_mean_something_else_where_variances_follow_from_means():
    data = weighted().assign(n=lambda d: np.round(d.w))
    with pytest.raises(Unsupported, match="weights that divide the dispersion"):
        m2s.model("glm(n + 1 ~ x, family = Gamma, weights = w)", data)
    with pytest.raises(Unsupported, match="weights"):
        m2s.model("glm(y ~ x, family = gaussian(link = 'log'), weights = w)", data)
