"""Ordered categories: densities, fits, and what the packages call them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.engines import engine_named
from mix2stan.families import FAMILIES
from mix2stan.families.ordinal import LATENT, ORDINAL, draw_category
from tests.conftest import table

F = {
    "logit": stats.logistic.cdf,
    "probit": stats.norm.cdf,
    "cloglog": lambda x: -np.expm1(-np.exp(x)),
    "cauchit": stats.cauchy.cdf,
}
T = np.array([-0.4, 0.3, 1.1])
LEVELS = ("low", "mid", "high", "top")
ROWS = [(name, link) for name in ORDINAL for link in FAMILIES[name].links]
FIXED = "prior = list(R = list(V = 1, fix = 1))"


def frame(y):
    rng = np.random.default_rng(3)
    n = len(y)
    df = pd.DataFrame({"x": rng.normal(1, 1, n), "g": [f"g{i % 6}" for i in range(n)]})
    return df.assign(y=pd.Categorical.from_codes(y - 1, LEVELS, ordered=True))


def probability(name, link, y, eta):
    """P(y), one row at a time, from the definitions alone."""
    f, c, C = F[link], y - 1, len(T) + 1
    if name == "cumulative":
        upper = f(T[c] - eta) if y < C else 1.0
        return upper - (f(T[c - 1] - eta) if y > 1 else 0.0)
    if name == "acat":
        weights = np.exp([sum(eta - T[:k]) for k in range(C)])
        return weights[c] / weights.sum()
    stop = [f(t - eta) if name == "sratio" else 1 - f(eta - t) for t in T] + [1.0]
    return stop[c] * np.prod([1 - s for s in stop[:c]])


@pytest.mark.parametrize(("name", "link"), ROWS)
def test_the_density_is_that_of_the_definition(name, link, engine):
    rng = np.random.default_rng(8)
    df = frame(np.append(rng.integers(1, 5, 46), [1, 2, 3, 4]))
    model = m2s.model(f'brm(y ~ x + (1 | g), family = {name}("{link}"))', df)
    u = rng.normal(0, 0.5, (6, 1))
    point = {
        "beta": {"x": 0.8},
        "thresholds": T,
        "random": [{"group": "g", "coefficients": ["(Intercept)"], "sd": [0.4]}],
        "u": u,
    }
    point["u"] = [u]
    eta = 0.8 * df["x"].to_numpy() + u[[i % 6 for i in range(50)], 0]
    y = df["y"].cat.codes.to_numpy() + 1
    p = np.array([probability(name, link, a, e) for a, e in zip(y, eta, strict=True)])
    expected = np.log(p).sum() + stats.norm(0, 0.4).logpdf(u).sum()
    assert model.loglik(point, engine.name) == pytest.approx(expected, rel=1e-10)
    rows = np.exp(ORDINAL[name].log_probabilities(T - eta[:, None], LATENT[link]))
    np.testing.assert_allclose(rows[np.arange(50), y - 1], p, rtol=1e-9)
    np.testing.assert_allclose(rows.sum(axis=1), 1)


@pytest.mark.parametrize("name", ORDINAL)
def test_thresholds_of_shares_give_them_back(name):
    shares = np.array([0.1, 0.4, 0.3, 0.2])
    t = ORDINAL[name].thresholds(shares, lambda p: np.log(p / (1 - p)))
    p = np.exp(ORDINAL[name].log_probabilities(t, LATENT["logit"]))
    np.testing.assert_allclose(p, shares)


def test_the_primitive_is_the_density(stanli):
    df = frame(np.tile([1, 2, 3, 4, 2], 10))
    model = m2s.model("clm(y ~ x)", df)
    assert "ordered_logistic_glm(Q, theta, cuts)" in model.stan_code
    eta, y = 0.8 * df["x"].to_numpy(), df["y"].cat.codes.to_numpy() + 1
    p = [probability("cumulative", "logit", a, e) for a, e in zip(y, eta, strict=True)]
    point = {"beta": {"x": 0.8}, "thresholds": T, "u": []}
    assert model.loglik(point, stanli.name) == pytest.approx(np.log(p).sum(), rel=1e-10)


def simulated(name="cumulative", link="logit", n=1500):
    rng = np.random.default_rng(11)
    df = pd.DataFrame({"x": rng.normal(2, 1, n), "g": np.arange(n) % 30})
    u = rng.normal(0, 0.7, 30)
    eta = 0.9 * (df["x"].to_numpy() - 2) + u[df["g"]]
    y = draw_category(rng, ORDINAL[name].log_probabilities(T - eta[:, None], LATENT[link]))
    return df.assign(
        g=df["g"].astype(str), y=pd.Categorical.from_codes(y - 1, LEVELS, ordered=True)
    )


@pytest.mark.parametrize(("name", "link"), [("cumulative", "logit"), ("sratio", "cloglog")])
def test_simulated_data_give_the_truth_back(name, link):
    model = m2s.model(f'brm(y ~ x + (1 | g), family = {name}("{link}"))', simulated(name, link))
    summary = model.sample(2, 400, 400, seed=2, engine="stanli").summary()
    # the simulation has x - 2
    truth = [0.9, 0.7, *(T + 1.8)]
    names = [
        "beta[x]",
        "sd_g",
        "thresholds[low|mid]",
        "thresholds[mid|high]",
        "thresholds[high|top]",
    ]
    assert list(summary.index) == names
    assert (np.abs(summary["mean"] - truth) < 4 * summary["sd"]).all()
    assert (summary["r_hat"] < 1.1).all()


# -- what the packages call it ---------------------------------------------------------------------


def test_one_model_of_three_packages():
    df = frame(np.tile([1, 2, 3, 4, 2], 10))
    calls = [
        'clmm(y ~ x + (1 | g), link = "probit")',
        'brm(y ~ 1 + x + (1 | g), family = cumulative("probit"))',
        f'MCMCglmm(y ~ x, random = ~ g, family = "threshold", {FIXED})',
        f'MCMCglmm(y ~ x, random = ~ g, family = "ordinal", {FIXED})',
    ]
    for other in calls[1:]:
        assert m2s.compare(calls[0], other, df).same
    assert not m2s.compare(calls[0], "clmm(y ~ x + (1 | g))", df).same
    assert m2s.compare("clm(y ~ x)", 'polr(y ~ x, method = "logistic")', df).same


@pytest.mark.parametrize(
    ("family", "variance"), [("threshold", 1.0), ("threshold", 2.0), ("ordinal", 0.5)]
)
def test_mcmcglmm_adds_up_the_errors_behind_the_categories(family, variance, engine):
    df = frame(np.tile([1, 2, 3, 4, 2], 10))
    prior = f"prior = list(R = list(V = {variance}, fix = 1))"
    model = m2s.model(f'MCMCglmm(y ~ x, family = "{family}", {prior})', df)
    assert list(model.X.columns) == ["(Intercept)", "x"]
    sd = np.sqrt(variance + (family == "ordinal"))
    eta, y = 0.2 + 0.8 * df["x"].to_numpy(), df["y"].cat.codes.to_numpy()
    cut = np.array([-np.inf, 0.0, 0.9, 2.0, np.inf])
    p = stats.norm.cdf((cut[y + 1] - eta) / sd) - stats.norm.cdf((cut[y] - eta) / sd)
    point = {"beta": {"(Intercept)": 0.2, "x": 0.8}, "thresholds": [0.9, 2.0], "u": []}
    assert model.loglik(point, engine.name) == pytest.approx(np.log(p).sum(), rel=1e-10)
    # all thresholds, and no intercept: another way to say the same
    point = {"beta": {"x": 0.8}, "thresholds": [-0.2, 0.7, 1.8], "u": []}
    assert model.loglik(point, engine.name) == pytest.approx(np.log(p).sum(), rel=1e-10)


def test_mcmcglmm_of_two_levels_keeps_its_residual(engine):
    df = frame(np.tile([1, 2, 3, 4, 2], 10)).assign(b=lambda d: d["y"] > "mid")
    model = m2s.model(
        'MCMCglmm(b ~ x, family = "categorical", prior = list(R = list(V = 2, fix = 1)))', df
    )
    e = np.random.default_rng(1).normal(size=(50, 1))
    eta = 0.2 + 0.8 * df["x"].to_numpy() + e[:, 0]
    expected = stats.bernoulli(stats.logistic.cdf(eta)).logpmf(df["b"]).sum()
    expected += stats.norm(0, np.sqrt(2)).logpdf(e).sum()
    point = {"beta": {"(Intercept)": 0.2, "x": 0.8}, "u": [e]}
    assert model.loglik(point, engine.name) == pytest.approx(expected, rel=1e-10)
    assert list(model.priors.index) == ["beta[(Intercept)]", "beta[x]"]


def test_the_intercept_is_in_the_thresholds():
    df = frame(np.tile([1, 2, 3, 4, 2], 10))
    for call in ("clm(y ~ x)", "clm(y ~ 0 + x)"):
        assert list(m2s.model(call, df).X.columns) == ["x"]
    model = m2s.model("clm(y ~ 0 + g)", df)
    assert len(model.X.columns) == 5
    assert any("combinations" in note for note in model.notes)
    assert m2s.model("clm(y ~ 1)", df).X.shape == (50, 0)


def test_priors_of_the_sets():
    df = frame(np.tile([1, 2, 3, 4, 2], 10))
    for name in ("default", "brms", "rstanarm", "flat"):
        priors = m2s.model("clmm(y ~ x + (1 | g))", df, prior=name).priors
        density = priors.loc["thresholds[mid|high]", "density"]
        assert density == ("flat" if name == "flat" else "student_t(3, 0, 2.5)")


BAD = [
    ("clm(y ~ x)", {"y": [1.0, 2.5, 3, 1]}, "y is 2.5 in row 2"),
    ("clm(y ~ x)", {"y": [0.0, 1, 2, 1]}, "y is 0 in row 1"),
    ("clm(y ~ x)", {"y": [1.0, 2, 4, 1]}, "no row of y is in category 3"),
    ("clm(factor(y) ~ x)", {"y": list("aaaa")}, "factor\\(y\\) is a in all rows"),
    ("glm(y ~ x, family = binomial)", {"y": list("abca")}, "3 levels"),
    ("clmm(y ~ x)", {"y": list("abca")}, "no random term"),
    ("clm(y ~ x, scale = ~ x)", {"y": list("abca")}, "'scale'"),
    ('clm(y ~ x, link = "loglog")', {"y": list("abca")}, "loglog"),
    ('clm(y ~ x, threshold = "equidistant")', {"y": list("abca")}, "equidistant"),
    ('brm(y ~ x, family = acat("probit"))', {"y": list("abca")}, "no link 'probit'"),
    ('MCMCglmm(y ~ x, family = "ordinal")', {"y": list("abca")}, "not identified"),
]


@pytest.mark.parametrize(("call", "y", "words"), BAD)
def test_mistakes_are_named(call, y, words):
    with pytest.raises(m2s.FormulaError, match=words) as caught:
        m2s.model(call, pd.DataFrame(y).assign(x=[1.0, 2, 4, 3]))
    assert caught.value.hint


IN_ORDER = ["low", "mid", "top"]
ORDINAL_CALLS = [
    "clm(y ~ x)",
    "clmm(y ~ x + (1 | g))",
    "polr(y ~ x)",
    *(f"brm(y ~ x, family = {name}())" for name in ORDINAL),
    "brm(bf(y ~ x, family = cumulative()) + bf(x ~ 1))",
    f'MCMCglmm(y ~ x, family = "ordinal", {FIXED})',
    f'MCMCglmm(y ~ x, family = "threshold", {FIXED})',
]


def in_three(n=48):
    rng = np.random.default_rng(5)
    y = np.array(IN_ORDER)[np.arange(n) % 3]
    return pd.DataFrame({"x": rng.normal(size=n), "g": [f"g{i % 6}" for i in range(n)], "y": y})


@pytest.mark.parametrize("call", ORDINAL_CALLS)
def test_text_has_no_order(call):
    df = in_three()
    with pytest.raises(m2s.FormulaError, match="y is text") as caught:
        m2s.model(call, df)
    for words in ("ordered(y, levels", "pd.Categorical", "Enum", '"type": "ordered"'):
        assert words in caught.value.hint
    with pytest.raises(m2s.FormulaError, match="is text"):
        m2s.model(call.replace("y ~", "as.character(y) ~"), df.assign(y=pd.Categorical(df["y"])))
    levels = 'levels = c("low", "mid", "top")'
    for said in (f"ordered(y, {levels})", f"factor(y, {levels}, ordered = TRUE)"):
        model = m2s.model(call.replace("y ~", f"{said} ~"), df)
        assert "low < mid < top" in str(model)
    assert "low < mid < top" in str(
        m2s.model(call, df.assign(y=pd.Categorical(df["y"], IN_ORDER, ordered=True)))
    )


@pytest.mark.parametrize("call", ORDINAL_CALLS)
def test_an_unordered_factor_is_refused_where_r_refuses_it(call):
    """brms stops; ordinal, MASS and MCMCglmm take the order of the levels."""
    df = in_three().assign(y=lambda d: pd.Categorical(d["y"], ["top", "low", "mid"]))
    if "brm" in call:
        with pytest.raises(m2s.FormulaError, match="y is a factor without an order: top, low, mid"):
            m2s.model(call, df)
    else:
        assert "the categories are in the order top < low < mid" in m2s.model(call, df).notes


def test_numbers_have_the_order_of_their_sizes():
    df = in_three()
    ranks = np.arange(len(df)) % 3 + 1
    for call in ORDINAL_CALLS:
        assert "1 < 2 < 3" in str(m2s.model(call, df.assign(y=ranks)))
    # MCMCglmm makes levels of any numbers
    for call in ORDINAL_CALLS[-2:]:
        assert "0 < 1" in str(m2s.model(call, df.assign(y=(ranks > 2).astype(int))))
        assert "0 < 2 < 7" in str(m2s.model(call, df.assign(y=np.array([0, 2, 7])[ranks - 1])))
    assert "FALSE < TRUE" in str(m2s.model("clm(y ~ x)", df.assign(y=ranks > 1)))


def test_a_level_without_rows_is_no_category():
    df = frame(np.tile([1, 2, 4, 4, 2], 10))
    model = m2s.model("clm(y ~ x)", df)
    assert model.stan_data["C"] == 3
    assert model.meaning.response.levels == ("low", "mid", "top")


def test_a_fit_can_be_saved_and_read(tmp_path):
    fit = m2s.model("clm(y ~ x)", frame(np.tile([1, 2, 3, 4, 2], 10))).sample(
        1, 100, 50, seed=1, engine="stanli"
    )
    again = m2s.load(fit.save(tmp_path / "fit.nc"))
    assert list(again.summary().index) == list(fit.summary().index)


def test_clm_of_the_wine_data():
    """The estimates of ordinal's own documentation are the maximum of our density."""
    model = m2s.model("clm(rating ~ temp + contact)", table("wine"), prior="flat")
    program = engine_named("stanli").compile(model.stan_code, model.stan_data)
    beta, t = np.array([2.503102, 1.527798]), np.array([-1.344383, 1.250809, 3.466887, 5.006404])
    point = {"beta": dict(zip(model.X.columns, beta, strict=True)), "thresholds": t, "u": []}
    assert model.loglik(point, "stanli") == pytest.approx(-86.49192, abs=1e-5)
    theta = np.linalg.solve(model.stan_data["R_inverse"], beta)
    cuts = t - model.stan_data["X_mean"] @ beta
    gradient = program.log_density({"theta": theta, "cuts": cuts}, jacobian=False)[1]
    assert np.abs(gradient).max() < 1e-3
