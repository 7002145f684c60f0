"""Bootstraps, profiles and likelihood-ratio tests: lme4's published figures, scipy's densities."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.engines import engine_named
from mix2stan.estimates import likelihood_of
from mix2stan.resampling import (
    RESAMPLINGS,
    Truth,
    resample_groups,
    resample_within,
    resampling_factor,
    simulate,
)
from tests.conftest import table


@pytest.fixture
def here():
    """One thread: no process has to be started."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


def lmer(formula, data="sleepstudy"):
    return m2s.model(f"lmer({formula})", table(data))


# -- profiles --------------------------------------------------------------------------------------

#: lme4's confint() of its own examples (Bates et al. 2015, and the lme4 book).
PROFILES = {
    "sleepstudy": (
        "Reaction ~ Days + (Days | Subject)",
        {
            "sd_Subject[(Intercept)]": (14.38, 37.72),
            "cor_Subject[(Intercept), Days]": (-0.48, 0.68),
            "sd_Subject[Days]": (3.80, 8.75),
            "sigma": (22.90, 28.86),
            "beta[(Intercept)]": (237.68, 265.13),
            "beta[Days]": (7.36, 13.58),
        },
    ),
    "Dyestuff": (
        "Yield ~ 1 + (1 | Batch)",
        {
            "sd_Batch[(Intercept)]": (12.20, 84.06),
            "sigma": (38.23, 67.66),
            "beta[(Intercept)]": (1486.45, 1568.55),
        },
    ),
    "Penicillin": (
        "diameter ~ 1 + (1 | plate) + (1 | sample)",
        {
            "sd_plate[(Intercept)]": (0.6336, 1.1821),
            "sd_sample[(Intercept)]": (1.0957, 3.5563),
            "sigma": (0.4858, 0.6295),
        },
    ),
    "Pastes": (
        "strength ~ 1 + (1 | batch / cask)",
        {
            "sd_batch[(Intercept)]": (0.0, 2.946),
            "sd_cask_batch[(Intercept)]": (2.1579, 4.0536),
            "sigma": (0.652, 1.085),
        },
    ),
}


@pytest.mark.parametrize("name", PROFILES)
def test_profile_intervals_are_lme4s(name):
    formula, want = PROFILES[name]
    found = lmer(formula, name).confint("profile", parameters=list(want))
    for parameter, limits in want.items():
        np.testing.assert_allclose(found.loc[parameter], limits, rtol=1e-3, atol=6e-3)


def test_a_profile_is_zero_at_the_estimate_and_increases():
    profile = lmer("Yield ~ 1 + (1 | Batch)", "Dyestuff").profile(["sigma"])
    assert (np.diff(profile.points["zeta"]) > 0).all()
    at = profile.points.set_index("value")["zeta"]
    assert at[profile.estimates.sigma()] == 0
    assert "profile likelihood" in str(profile)


def test_what_cannot_be_profiled_is_said():
    model = lmer("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    with pytest.raises(m2s.Mix2stanError, match="nearest: 'sigma'"):
        model.profile(["sigm"])
    with pytest.raises(m2s.Mix2stanError, match="profile, wald or bootstrap"):
        model.confint("jackknife")


def test_wald_intervals_are_those_of_the_standard_errors():
    model = lmer("Reaction ~ Days + (Days | Subject)")
    fit = model.reml("stanli")
    table = model.confint("wald", level=0.9)
    half = stats.norm.ppf(0.95) * fit.standard_errors["Days"]
    assert table.loc["beta[Days]", "95%"] == pytest.approx(fit.fixef()["Days"] + half, rel=1e-6)


# -- simulation ------------------------------------------------------------------------------------


def test_simulated_data_have_the_covariance_of_the_model():
    model = lmer("Reaction ~ Days + (Days | Subject)")
    likelihood = likelihood_of(model._compiled, "ML")
    fit = likelihood.maximise(engine_named("stanli"))
    rng = np.random.default_rng(1)
    truth = Truth(fit.fixef().to_numpy(), fit.point)
    graph, data = likelihood.graph, likelihood.data
    draws = np.stack([simulate(graph, data, truth, rng) for _ in range(4000)])
    # the first subject's ten days
    Z = np.column_stack([np.ones(10), np.arange(10)])
    L = np.diag(fit.point["sd_Subject"]) @ fit.point["L_Subject"]
    V = Z @ L @ L.T @ Z.T + fit.sigma() ** 2 * np.eye(10)
    mean = Z @ fit.fixef().to_numpy()
    np.testing.assert_allclose(draws[:, :10].mean(axis=0), mean, atol=4 * np.sqrt(V.max() / 4000))
    np.testing.assert_allclose(np.cov(draws[:, :10].T), V, atol=6 * V.max() / np.sqrt(4000))
    # subjects are independent
    between = np.cov(draws[:, 0], draws[:, 10])[0, 1]
    assert abs(between) < 5 * V[0, 0] / np.sqrt(4000)


def test_simulated_errors_have_the_correlation_of_the_model():
    df = table("Ovary")
    call = "lme(follicles ~ 1, random = ~ 1 | Mare, correlation = corAR1())"
    model = m2s.model(call, df)
    likelihood = likelihood_of(model._compiled, "ML")
    fit = likelihood.maximise(engine_named("stanli"))
    phi = float(fit.residual().iloc[0])
    rng = np.random.default_rng(2)
    truth = Truth(fit.fixef().to_numpy(), fit.point)
    draws = np.stack([simulate(likelihood.graph, likelihood.data, truth, rng) for _ in range(800)])
    rows = np.flatnonzero(df["Mare"] == df["Mare"].iloc[0])[:4]
    tau, sigma = fit.VarCorr()["sd"]
    lags = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    V = tau**2 + sigma**2 * phi**lags
    np.testing.assert_allclose(np.cov(draws[:, rows].T), V, atol=6 * V.max() / np.sqrt(800))


# -- resampling ------------------------------------------------------------------------------------


def test_groups_are_drawn_whole_and_twice_is_two_levels():
    model = lmer("strength ~ 1 + (1 | batch / cask)", "Pastes")
    graph, data = model.meaning, model.data
    factor = resampling_factor(graph, data, None)
    assert str(factor) == "batch"
    sample = resample_groups(graph, data, factor, np.random.default_rng(3))
    batch, cask = (sample.grouping(g.factor) for g in sorted(graph.groups, key=lambda g: g.id))
    assert (len(batch.levels), len(cask.levels)) == (10, 30)
    # three casks of two rows in every batch, as there were, whichever batches were drawn
    assert (np.bincount(batch.codes) == 6).all()
    assert (np.bincount(cask.codes) == 2).all()
    assert len(np.unique(sample.frame.rows)) < data.rows


def test_rows_are_drawn_within_their_level():
    model = lmer("Reaction ~ Days + (Days | Subject)")
    factor = resampling_factor(model.meaning, model.data, "Subject")
    sample = resample_within(model.meaning, model.data, factor, np.random.default_rng(4))
    codes = model.data.grouping(factor).codes
    assert (np.bincount(codes[sample.frame.rows]) == np.bincount(codes)).all()
    assert len(np.unique(sample.frame.rows)) < model.data.rows
    X = model.data.matrix(model.meaning.population.columns)
    np.testing.assert_array_equal(
        sample.matrix(model.meaning.population.columns), X[sample.frame.rows]
    )


def test_crossed_groups_have_to_be_named():
    model = lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin")
    with pytest.raises(m2s.Mix2stanError, match="group= one of 'plate', 'sample'"):
        resampling_factor(model.meaning, model.data, None)
    with pytest.raises(m2s.Mix2stanError, match="nearest: 'plate'"):
        resampling_factor(model.meaning, model.data, "plates")


# -- the bootstrap ---------------------------------------------------------------------------------


def test_a_replicate_is_the_fit_of_its_data(here):
    model = lmer("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    result = model.bootstrap(3, method="ml", seed=11, executor=here)
    likelihood = likelihood_of(model._compiled, "ML")
    truth = Truth(result.estimates.fixef().to_numpy(), result.estimates.point)
    rng = np.random.default_rng(np.random.SeedSequence(11).spawn(3)[2])
    y = simulate(likelihood.graph, likelihood.data, truth, rng)
    fit = m2s.model("lmer(y ~ 1 + (1 | Batch))", table("Dyestuff").assign(y=y)).ml("stanli")
    row = result.replicates.iloc[2]
    assert row["logLik"] == pytest.approx(fit.logLik, abs=1e-4)
    assert row["beta[(Intercept)]"] == pytest.approx(fit.fixef()["(Intercept)"], rel=1e-6)
    assert row["sigma"] == pytest.approx(fit.sigma(), rel=1e-3)


def test_the_same_seed_gives_the_same_replicates_in_other_processes_and_batches(here):
    model = lmer("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    local = model.bootstrap(4, seed=5)
    thread = model.bootstrap(23, seed=5, executor=here)
    pd.testing.assert_frame_equal(local.replicates, thread.replicates.iloc[:4], rtol=1e-9)


def test_summaries_are_those_of_the_table(here):
    result = lmer("Yield ~ 1 + (1 | Batch)", "Dyestuff").bootstrap(30, seed=6, executor=here)
    low, high = np.quantile(result.replicates["sigma"], [0.05, 0.95])
    np.testing.assert_allclose(result.intervals(0.9).loc["sigma"], [low, high])
    estimate = result.estimates.values["sigma"]
    basic = result.intervals(0.9, kind="basic").loc["sigma"]
    np.testing.assert_allclose(basic, [2 * estimate - high, 2 * estimate - low])
    table = result.summary()
    bias = result.replicates["sigma"].mean() - estimate
    assert table.loc["sigma", "bias"] == pytest.approx(bias)
    assert "30 parametric bootstrap replicates, REML" in str(result)
    with pytest.raises(m2s.Mix2stanError, match="nearest: 'basic'"):
        result.intervals(kind="basics")


@pytest.mark.slow
def test_replicates_are_distributed_as_those_of_boot_mer():
    stored = json.loads((Path(__file__).parent / "fixtures" / "bootmer.json").read_text())
    result = lmer("Reaction ~ Days + (Days | Subject)").bootstrap(1000, seed=1)
    p = np.array(stored["probabilities"])
    error = np.sqrt(p * (1 - p) * (1 / 1000 + 1 / stored["replicates"]))
    for name, quantiles in stored["quantiles"].items():
        ours = result.replicates[name].dropna().to_numpy()
        below = (ours[:, None] <= np.array(quantiles)).mean(axis=0)
        assert (abs(below - p) < 4 * error).all(), (name, below)


@pytest.mark.parametrize("kind", RESAMPLINGS)
def test_resampled_data_are_fitted(kind, here):
    model = lmer("Reaction ~ Days + (Days | Subject)")
    result = model.bootstrap(4, type=kind, seed=7, executor=here)
    assert not result.failures
    assert result.replicates.notna().all().all()
    assert result.replicates["beta[Days]"].nunique() == 4


def test_a_folder_keeps_the_replicates(tmp_path, here):
    model = lmer("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    first = model.bootstrap(25, seed=8, executor=here, out=tmp_path / "boot")
    (tmp_path / "boot" / "batch-2.npz").unlink()
    again = model.bootstrap(25, seed=8, executor=here, out=tmp_path / "boot")
    pd.testing.assert_frame_equal(first.replicates, again.replicates)
    with pytest.raises(m2s.Mix2stanError, match="another request"):
        model.bootstrap(25, seed=9, executor=here, out=tmp_path / "boot")


def test_what_cannot_be_bootstrapped_is_said():
    model = lmer("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    with pytest.raises(m2s.Mix2stanError, match="nearest: 'groups'"):
        model.bootstrap(2, type="group")
    with pytest.raises(m2s.Mix2stanError, match="'reml' or 'ml'"):
        model.bootstrap(2, method="bayes")
    poisson = m2s.model("glmer(TICKS ~ 1 + (1 | BROOD), family = poisson)", table("grouseticks"))
    with pytest.raises(m2s.Unsupported, match="cannot be had"):
        poisson.bootstrap(2)


# -- anova -----------------------------------------------------------------------------------------


def test_the_table_is_lme4s():
    models = [
        lmer(f"Reaction ~ Days + {term}")
        for term in ("(Days | Subject)", "(1 | Subject)", "(Days || Subject)")
    ]
    found = m2s.anova(*models)
    # lme4's anova() of its vignette
    np.testing.assert_allclose(found.table["npar"], [4, 5, 6])
    np.testing.assert_allclose(found.table["AIC"], [1802.1, 1762.0, 1763.9], atol=0.06)
    np.testing.assert_allclose(found.table["BIC"], [1814.8, 1778.0, 1783.1], atol=0.06)
    np.testing.assert_allclose(found.table["Chisq"].iloc[1:], [42.0754, 0.0639], atol=2e-4)
    p = found.table["Pr(>Chisq)"].iloc[1:]
    np.testing.assert_allclose(p, stats.chi2.sf(found.table["Chisq"].iloc[1:], 1), rtol=1e-9)
    assert found.table["Pr(mixture)"].iloc[1] == pytest.approx(p.iloc[0] / 2)
    assert np.isnan(found.table["Pr(mixture)"].iloc[2])
    assert "boundary" in str(found)


def test_a_slope_with_its_correlation_is_a_mixture_of_one_and_two_degrees():
    small, large = (lmer(f"Reaction ~ Days + ({t} | Subject)") for t in ("1", "Days"))
    row = m2s.anova(small, large, method="reml").table.iloc[1]
    expected = (stats.chi2.sf(row["Chisq"], 1) + stats.chi2.sf(row["Chisq"], 2)) / 2
    assert row["Pr(mixture)"] == pytest.approx(expected, rel=1e-9)


def test_a_fixed_effect_is_tested_by_simulation(here):
    small, large = _dyestuff("1"), _dyestuff("half")
    found = m2s.anova(small, large, test="bootstrap", n=60, seed=3, executor=here)
    row = found.table.iloc[1]
    assert row["Pr(bootstrap)"] == (1 + np.sum(found.simulated[2] >= row["Chisq"])) / 61
    assert row["Pr(bootstrap)"] == pytest.approx(row["Pr(>Chisq)"], abs=0.2)


def _dyestuff(x):
    df = table("Dyestuff")
    return m2s.model(f"lmer(Yield ~ {x} + (1 | Batch))", df.assign(half=np.arange(len(df)) % 2))


def test_the_ratio_of_a_variance_is_half_the_time_zero(here):
    small = m2s.model("lm(Yield ~ 1)", table("Dyestuff"))
    large = lmer("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    found = m2s.anova(small, large, method="reml", test="bootstrap", n=100, seed=4, executor=here)
    zeros = np.mean(found.simulated[2] < 1e-3)
    # Crainiceanu & Ruppert (2004): more than half in small samples
    assert 0.45 < zeros < 0.8


def test_models_that_cannot_be_compared_are_refused():
    days = lmer("Reaction ~ Days + (1 | Subject)")
    with pytest.raises(m2s.Mix2stanError, match="method='ml'"):
        m2s.anova(days, lmer("Reaction ~ 1 + (1 | Subject)"), method="reml")
    with pytest.raises(m2s.Mix2stanError, match="rows"):
        m2s.anova(days, lmer("Yield ~ 1 + (1 | Batch)", "Dyestuff"))
    with pytest.raises(m2s.Mix2stanError, match="two models"):
        m2s.anova(days)
    other = m2s.anova(days, lmer("Reaction ~ 1 + (Days | Subject)"))
    assert np.isnan(other.table["Chisq"].iloc[1]) and "does not contain" in other.notes[0]
    with pytest.raises(m2s.Mix2stanError, match="has no argument 'refit'"):
        m2s.anova(days, days, refit=False)


@pytest.mark.parametrize(
    ("small", "large", "nested"),
    [
        ("1 + offset(Days)", "factor(Days > 4)", False),
        ("1 + offset(Days)", "Days", True),
        ("1 + offset(Days)", "Days + offset(3 * Days)", True),
        ("1 + offset(Days)", "I(Days^2) + offset(Days)", True),
        ("Days", "Days + I(Days^2) + offset(sqrt(Days))", False),
    ],
)
def test_models_are_nested_if_their_offsets_differ_by_effects_of_the_larger(small, large, nested):
    models = [lmer(f"Reaction ~ {fixed} + (1 | Subject)") for fixed in (small, large)]
    found = m2s.anova(*models)
    assert np.isfinite(found.table["Chisq"].iloc[1]) == nested
    assert any("does not contain" in note for note in found.notes) != nested
