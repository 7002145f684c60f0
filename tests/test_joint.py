"""Several responses with distributions of their own, in brms' words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s

TWO = (
    "brm(bf(y ~ x + (1 |p| g) + (1 | h)) "
    "+ bf(k | trials(n) ~ x + (1 + x |p| g), family = binomial()))"
)


@pytest.fixture(scope="module")
def df() -> pd.DataFrame:
    """20 levels of g with correlated effects on a normal y and on successes k of n."""
    rng, J, rows = np.random.default_rng(1), 20, 300
    g, x, n = rng.integers(0, J, rows), rng.normal(size=rows), rng.integers(3, 9, rows)
    u = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 0.5]], J)
    p = 1 / (1 + np.exp(-(0.5 + 0.3 * x + u[g, 1])))
    return pd.DataFrame(
        {
            "g": pd.Categorical(g),
            "h": rng.integers(0, 6, rows).astype(str),
            "x": x,
            "n": n,
            "y": 1 + x + u[g, 0] + rng.normal(size=rows),
            "k": rng.binomial(n, p),
            "c": rng.poisson(np.exp(0.3 * x)) * rng.integers(0, 2, rows),
            "z": rng.poisson(np.exp(0.2 * x)) * rng.integers(0, 2, rows),
            "t": rng.gamma(2, 1.5, rows),
            "o": pd.Categorical(rng.integers(0, 3, rows), ordered=True),
            "w": rng.choice(["red", "green", "blue"], rows),
            "e": rng.integers(0, 2, rows),
        }
    )


@pytest.fixture(scope="module")
def model(df):
    return m2s.model(TWO, df)


def own(values, name, common=()):
    """The names that values of one response have among all."""
    return {v if v in common else f"{v}_{name}": value for v, value in values.items()}


def test_the_density_is_that_of_correlated_effects(df, model, engine):
    program = engine.compile(model.stan_code, model.stan_data)
    rng, g = np.random.default_rng(2), df["g"].astype(int).to_numpy()
    h, x = df["h"].astype(int).to_numpy(), df["x"].to_numpy()
    sd, L = np.array([0.8, 0.5, 0.3]), np.linalg.cholesky([[1, 0.2, 0.6], [0.2, 1, 0], [0.6, 0, 1]])
    theta = [
        np.linalg.solve(model.stan_data[f"R_inverse_{name}"], beta)
        for name, beta in (("y", [0.5, -0.2]), ("k", [0.1, 0.4]))
    ]
    ours, theirs = [], []
    for _ in range(3):
        z, zh = rng.normal(size=(3, 20)), rng.normal(size=6)
        point = {"theta_y": theta[0], "theta_k": theta[1], "sd_g": sd, "L_g": L, "z_g": z}
        point |= {"sd_h_y": 0.7, "z_h_y": zh, "sigma_y": 1.3}
        ours.append(program.log_density(point, jacobian=False)[0])
        b = (sd[:, None] * (L @ z)).T
        mean = 0.5 - 0.2 * x + b[g, 0] + 0.7 * zh[h]
        logit = 0.1 + 0.4 * x + b[g, 1] + b[g, 2] * x
        likelihood = stats.norm.logpdf(df["y"], mean, 1.3).sum()
        likelihood += stats.binom.logpmf(df["k"], df["n"], 1 / (1 + np.exp(-logit))).sum()
        theirs.append(likelihood + stats.norm.logpdf(z).sum() + stats.norm.logpdf(zh).sum())
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-9)


#: Responses of all kinds, none with anything in common.
PARTS = {
    "y": "y ~ x + (1 | g), sigma ~ x + (1 | h)",
    "c": "c ~ x + (1 | g), family = zero_inflated_poisson()",
    "z": "z ~ 1, zi ~ x, family = zero_inflated_poisson()",
    "k": "k | trials(n) ~ x + (x || g), family = beta_binomial()",
    "t": "t | trunc(lb = 0) ~ x, family = student()",
    "o": "o ~ x + (1 | g), family = cumulative()",
    "w": "w ~ x, family = categorical()",
    "e": "e | weights(n) ~ x, family = bernoulli(link = 'probit')",
}


def test_without_anything_in_common_it_is_every_model_of_its_own(df, engine):
    """Density and starting values, of families with functions, sets of rows and thresholds."""
    df = df.assign(t=df["t"] + 0.1)
    joint = m2s.model(f"brm({' + '.join(f'bf({part})' for part in PARTS.values())})", df)
    assert list(joint.responses) == list(PARTS)
    program = engine.compile(joint.stan_code, joint.stan_data)
    starts = joint._near(1, seed=3)[0]
    value, total = program.log_density(starts, jacobian=True)[0], 0.0
    for name, part in PARTS.items():
        alone = m2s.model(f"brm(bf({part}))", df, strategy="noncentred")
        one = engine.compile(alone.stan_code, alone.stan_data)
        point = {v: starts[f"{v}_{name}"] for v in alone._near(1, seed=0)[0]}
        total += one.log_density(point, jacobian=True)[0]
    assert value == pytest.approx(total, rel=1e-9)


def test_of_every_response_there_is_a_fit(df, model):
    fit = model.sample(chains=2, warmup=300, draws=200, seed=1, engine="stanli")
    assert fit.responses == ("y", "k")
    summary, priors = fit.summary(), model.priors
    assert {"y.sigma", "k.beta[x]", "sd_g[k[x]]", "y.sd_h"} <= set(summary.index)
    assert {"y.sigma", "k.beta[x]", "sd_g[k[x]]", "cor_g", "y.sd_h"} <= set(priors.index)
    assert set(fit.posterior.data_vars) >= {"sigma_y", "beta_k", "b_g", "R_g", "sd_h_y"}
    k = fit.response("k")
    expected = k.predict(kind="epred")
    b, beta = fit.posterior["b_g"].values, fit.posterior["beta_k"].values
    g, x = df["g"].astype(int).to_numpy(), df["x"].to_numpy()
    eta = beta[..., :1] + beta[..., 1:] * x + b[:, :, g, 1] + b[:, :, g, 2] * x
    np.testing.assert_allclose(expected.values, 1 / (1 + np.exp(-eta)), rtol=1e-12)
    ours = fit.log_lik()
    theirs = sum(fit.response(name).log_lik().values for name in fit.responses)
    np.testing.assert_allclose(ours.values, theirs)
    assert k.fixef()["x"] == fit.fixef()["k", "x"]
    # the truth: a correlation of 0.7
    assert summary.loc["cor_g[y[(Intercept)], k[(Intercept)]]", "mean"] > 0.2


def test_it_is_saved_whole(df, model, tmp_path):
    fit = model.sample(chains=1, warmup=50, draws=20, seed=1, engine="stanli")
    again = m2s.load(fit.save(tmp_path / "fit"))
    pd.testing.assert_frame_equal(again.summary("all"), fit.summary("all"))
    assert again.response("k").predict(df.head(2), seed=1).shape == (1, 20, 2)
    with pytest.raises(m2s.Mix2stanError, match=r"responses\.json"):
        m2s.load(tmp_path)


def test_formulas_in_a_list_have_families(df):
    formulas = ["y ~ x + (1 |p| g) + (1 | h)", "k | trials(n) ~ x + (1 + x |p| g)"]
    model = m2s.model(formulas, df, family=["gaussian()", "binomial()"])
    assert m2s.compare(model, TWO, df).same
    assert "in common" in str(m2s.compare(model, TWO.replace("1 + x |p|", "1 |p|"), df))
    both = m2s.model(["c ~ x", "z ~ x"], df, family="poisson")
    assert [m.graph.response.family for m in both.meaning.members] == ["poisson", "poisson"]
    with pytest.raises(m2s.Mix2stanError, match="1 families for 2"):
        m2s.model(formulas, df, family=["poisson"])


def test_priors_are_those_of_a_response_or_of_a_term(df):
    model = m2s.model(TWO, df, prior={"y.sigma": "exponential(2)", "sd_g": "exponential(1)"})
    density = model.priors["density"]
    assert density["y.sigma"] == "exponential(2)"
    assert density["sd_g[y[(Intercept)]]"] == density["sd_g[k[x]]"] == "exponential(1)"
    with pytest.raises(m2s.FormulaError, match="no response 'q'"):
        m2s.model(TWO, df, prior={"q.sigma": "exponential(2)"})


def test_tables_of_all_leave_those_of_one_as_they_are(df):
    model = m2s.model(TWO, df)
    assert "y.sigma" in model.priors.index
    assert "sigma" in model.responses["y"].priors.index


def test_rows_that_lack_a_response_are_dropped(df):
    holes = df.assign(y=df["y"].where(df.index > 4), k=df["k"].where(df.index < 290))
    assert m2s.model(TWO, holes).stan_data["N"] == 285


MISTAKES = {
    "brm(bf(y ~ x) + bf(c ~ x, family = poisson()) + set_rescor(TRUE))": "cannot be correlated",
    "brm(bf(y ~ x, sigma ~ x) + bf(t ~ x))": "set_rescor(FALSE)",
    "brm(bf(c ~ x) + bf(c ~ 1), family = poisson())": "two formulas",
    "brm(bf(y ~ x + (1 |p| g)) + bf(c ~ (1 |p| h), family = poisson()))": "different grouping",
    "brm(bf(y ~ (1 |p| g)) + bf(w ~ (1 |p| g), family = categorical()))": "without an order",
    "brm(bf(y ~ x) + bf(e ~ x, family = bernoulli()), prior = prior(exponential(1), class = sigma))": "resp = y or e",
    "brm(bf(y ~ x) + bf(e ~ x, family = bernoulli()), prior = prior(normal(0, 1), resp = q))": "no response 'q'",
    "brm(bf(y ~ x) + bf(e ~ x, family = bernoulli()), prior = prior(lkj(2), class = cor))": "class cor",
}  # fmt: skip


@pytest.mark.parametrize("call", MISTAKES)
def test_mistakes_are_explained(call, df):
    with pytest.raises(m2s.FormulaError) as caught:
        m2s.model(call, df)
    assert MISTAKES[call] in f"{caught.value} {caught.value.hint}"


def test_what_one_response_has_says_how_to_ask(model):
    for ask in (model.reml, lambda: model.X, lambda: model.translate("lme4"), model.kfold):
        with pytest.raises(m2s.Unsupported) as caught:
            ask()
        assert "model.responses" in caught.value.hint
    with pytest.raises(m2s.Unsupported, match="cannot be expressed"):
        m2s.model(model.text, model.given, strategy="collapsed")


def test_it_explains_every_response(model):
    text = str(model.explain())
    assert "Response y" in text and "Response k" in text
    assert "logit(μ)" in str(model)
