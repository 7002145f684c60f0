"""Approximations against closed forms and NUTS; fits to several data sets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s
from tests.conftest import table


def regression():
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"x": rng.normal(size=40)})
    return df.assign(y=3 + 2 * df["x"] + rng.normal(size=40))


def test_laplace_is_the_normal_distribution_at_the_mode():
    df = regression()
    fit = m2s.model("lm(y ~ x)", df, prior="flat").approximate("laplace", 4000, seed=1)
    X = np.column_stack([np.ones(40), df["x"]])
    _, rss, *_ = np.linalg.lstsq(X, df["y"], rcond=None)
    # log sigma under a flat prior on sigma: mode and curvature in closed form
    free = 40 - 2 - 1
    logs = np.log(fit.posterior["sigma"].values.ravel())
    assert logs.size == 4000
    sd = 1 / np.sqrt(2 * free)
    assert logs.mean() == pytest.approx(0.5 * np.log(rss[0] / free), abs=4 * sd / np.sqrt(4000))
    assert logs.std() == pytest.approx(sd, rel=0.05)


@pytest.mark.parametrize("kind", ["laplace", "pathfinder"])
def test_approximations_are_near_and_say_what_they_are(kind, tmp_path):
    model = m2s.model("lmer(Reaction ~ Days + (Days | Subject))", table("sleepstudy"))
    fit = model.approximate(kind, 1000, seed=2)
    exact = model.sample(seed=2, engine="stanli").summary("fixef")
    near = fit.summary("fixef")
    assert (abs(near["mean"] - exact["mean"]) < 0.35 * exact["sd"]).all()
    assert near["sd"].to_numpy() == pytest.approx(exact["sd"].to_numpy(), rel=0.3)
    assert f"{kind} approximation, not MCMC" in str(fit)
    assert "not MCMC" in m2s.load(fit.save(tmp_path / "fit.nc")).engine
    again = model.approximate(kind, 1000, seed=2)
    np.testing.assert_array_equal(fit.posterior["beta"], again.posterior["beta"])


@pytest.mark.cmdstan
@pytest.mark.parametrize("kind", ["laplace", "pathfinder", "meanfield", "fullrank"])
def test_cmdstan_offers_them_too(kind, cmdstan):
    model = m2s.model("lmer(Reaction ~ Days + (Days | Subject))", table("sleepstudy"))
    fit = model.approximate(kind, 1000, seed=2, engine=cmdstan.name)
    exact = model.sample(seed=2, engine="stanli").summary("fixef")
    near = fit.summary("fixef")
    assert fit.posterior.sizes["draw"] == 1000
    # coefficients are drawn exactly given the variances, which ADVI finds roughly
    assert (abs(near["mean"] - exact["mean"]) < 0.35 * exact["sd"]).all()
    assert near["sd"].to_numpy() == pytest.approx(exact["sd"].to_numpy(), rel=0.5)
    assert f"{kind} approximation, not MCMC" in str(fit)


#: The Laplace approximation of lme4, with its own optimum, and the standard deviation of the effects.
CBPP = "glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), family = binomial)"


@pytest.fixture(scope="module")
def cbpp():
    return m2s.read_table("examples/data/cbpp.csv")


def test_laplace_integrates_effects_for_given_variances(cbpp):
    """Of flat priors its mode is lme4's: -1.398, -0.992, -1.128, -1.580, and an sd of 0.642."""
    model = m2s.model(CBPP, cbpp, prior="flat")
    fit = model.approximate("laplace", 2000, seed=1)
    beta = fit.posterior["beta"].values[0]
    assert beta.mean(0) == pytest.approx([-1.398, -0.992, -1.128, -1.580], abs=0.06)
    # standard errors of glmer
    assert beta.std(0) == pytest.approx([0.231, 0.303, 0.323, 0.422], rel=0.12)
    # log sd is normal; a flat prior on the sd moves its mode up by about its variance
    logs = np.log(fit.posterior["sd_herd"].values[0])
    assert np.exp(np.median(logs) - logs.var()) == pytest.approx(0.642, abs=0.06)


def test_laplace_depends_neither_on_the_seed_nor_on_the_strategy(cbpp):
    tables = [
        m2s.model(CBPP, cbpp, strategy=strategy).approximate("laplace", 1000, seed=seed).summary()
        for strategy, seed in (("auto", 1), ("auto", 2), ("noncentred", 1))
    ]
    first = tables[0]
    for other in tables[1:]:
        assert (abs(other["mean"] - first["mean"]) < 0.15 * first["sd"]).all()
        assert other["sd"].to_numpy() == pytest.approx(first["sd"].to_numpy(), rel=0.12)
    # with the same draws it is the same
    columns = ["mean", "sd"]
    pd.testing.assert_frame_equal(tables[2][columns], first[columns], rtol=1e-3)


@pytest.mark.parametrize(
    "call",
    [
        "lmer(Reaction ~ Days + (Days | Subject))",
        "lmer(Reaction ~ Days + (1 | Subject) + (1 | half))",
    ],
)
def test_laplace_of_sampled_gaussian_effects_is_that_of_integrated_ones(call):
    df = table("sleepstudy")
    df = df.assign(half=[f"h{i % 7}" for i in range(len(df))])
    exact = m2s.model(call, df).approximate("laplace", 500, seed=3)
    sampled = m2s.model(call, df, strategy="noncentred").approximate("laplace", 500, seed=3)
    a, b = (f.summary().loc[:, ["mean", "sd"]] for f in (exact, sampled))
    names = [n for n in a.index if not n.startswith("cor_")]
    assert (abs(a["mean"] - b["mean"])[names] < 0.25 * a["sd"][names]).all()
    assert b["sd"][names].to_numpy() == pytest.approx(a["sd"][names].to_numpy(), rel=0.3)
    effects = exact.ranef().iloc[:, 0], sampled.ranef().iloc[:, 0]
    assert np.corrcoef(*effects)[0, 1] > 0.99


def test_effects_that_are_too_many_to_be_integrated_are_refused():
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"g": [f"g{i // 2}" for i in range(1400)], "y": rng.poisson(3, 1400)})
    model = m2s.model("glmer(y ~ 1 + (1 | g), family = poisson)", df)
    with pytest.raises(m2s.EngineError, match="effects are too many"):
        model.approximate("laplace", seed=1)


@pytest.mark.parametrize("strategy", ["auto", "noncentred"])
def test_laplace_of_an_effect_of_every_row_is_refused(cbpp, strategy):
    call = CBPP.replace("(1 | herd)", "(1 | herd) + (1 | obs)")
    model = m2s.model(call, cbpp.assign(obs=[f"o{i}" for i in range(len(cbpp))]), strategy=strategy)
    with pytest.raises(m2s.Unsupported, match="every row has an effect of its own"):
        model.approximate("laplace", seed=1)


def test_what_is_not_offered_is_said():
    model = m2s.model("lm(y ~ x)", regression())
    with pytest.raises(m2s.EngineError, match="laplace, pathfinder"):
        model.approximate("advi")


def test_data_sets_are_pooled():
    df = regression()
    sets = [df.assign(y=df["y"] + shift) for shift in (0.0, 1.0, 5.0)]
    how = {"warmup": 300, "draws": 500, "engine": "stanli"}
    with ThreadPoolExecutor(1) as here:
        fit = m2s.fit_multiple("lm(y ~ x)", sets, prior="flat", seed=3, executor=here, **how)
        again = m2s.fit_multiple("lm(y ~ x)", sets, prior="flat", seed=3, executor=here, **how)
    assert fit.posterior.sizes["chain"] == 6
    assert "pooled over 3 data sets" in str(fit)
    np.testing.assert_array_equal(fit.posterior["beta"], again.posterior["beta"])
    whose = fit.posterior["data_set"].values
    assert whose.tolist() == [1, 1, 2, 2, 3, 3]
    means = fit.posterior["beta"].values[..., 0].mean(axis=1)
    for i, data in enumerate(sets):
        alone = m2s.model("lm(y ~ x)", data).reml("stanli")
        error = alone.standard_errors["(Intercept)"] / np.sqrt(1000)
        assert means[whose == i + 1].mean() == pytest.approx(alone.fixef().iloc[0], abs=5 * error)


def test_data_sets_that_do_not_match_are_refused():
    df = regression()
    with pytest.raises(m2s.DataError, match="data set 2 has other rows"):
        m2s.fit_multiple("lm(y ~ x)", [df, df[:30]], engine="stanli")
    with pytest.raises(m2s.Mix2stanError, match="list of data frames"):
        m2s.fit_multiple("lm(y ~ x)", df, engine="stanli")
