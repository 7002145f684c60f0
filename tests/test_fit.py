"""The posterior as a user sees it."""

from __future__ import annotations

import numpy as np
import pytest

import mix2stan as m2s
from mix2stan.engines import Draws
from mix2stan.fit import Fit
from tests.programs import PROGRAMS, model_of


@pytest.fixture(scope="module")
def fit():
    return model_of("slope").sample(chains=2, warmup=300, draws=300, seed=1, engine="stanli")


def test_tables_have_rs_names(fit):
    assert list(fit.fixef().index) == ["(Intercept)", "Days"]
    assert list(fit.summary(kind="fixef").index) == ["(Intercept)", "Days"]
    columns = ["mean", "sd", "2.5%", "50%", "97.5%", "ess_bulk", "ess_tail", "r_hat"]
    assert list(fit.summary().columns) == columns
    assert "sd_Subject[Days]" in fit.summary().index
    assert "b_Subject[308, Days]" in fit.summary(kind="ranef").index
    assert len(fit.summary(kind="all")) == len(fit.summary()) + 36
    assert fit.ranef().index.names == ["group", "level", "effect"]
    assert fit.coef().loc[("Subject", "308")].index.tolist() == ["(Intercept)", "Days"]
    assert ("Residual", "") in fit.VarCorr().index
    assert isinstance(fit.sigma(), float)


def test_coefficients_are_population_plus_group(fit):
    total = fit.coef().loc[("Subject", "309"), "Days"]
    part = fit.ranef().loc[("Subject", "309", "Days"), "mean"]
    assert total == pytest.approx(fit.fixef()["Days"] + part)


def test_draws_are_labelled_by_the_data(fit):
    draws = fit.posterior["b_Subject"]
    assert draws.dims == ("chain", "draw", "Subject_level", "Subject_effect")
    one = draws.sel(Subject_level="308", Subject_effect="Days")
    assert one.shape == (2, 300)
    assert fit.posterior["beta"].sel(coefficient="Days").mean() == pytest.approx(
        fit.fixef()["Days"]
    )
    assert {"diverging", "tree_depth", "energy", "lp"} <= set(fit.sample_stats.data_vars)


def test_arviz_reads_it(fit):
    import arviz as az

    table = az.summary(fit.idata, var_names=["beta", "sigma"])
    assert "beta[Days]" in table.index
    assert float(table.loc["beta[Days]", "mean"]) == pytest.approx(fit.fixef()["Days"], abs=0.05)


def test_a_fit_survives_its_file(fit, tmp_path):
    path = fit.save(tmp_path / "fit.nc")
    again = m2s.load(path)
    assert again.summary("all").equals(fit.summary("all"))
    assert str(again) == str(fit)
    assert again.coef().equals(fit.coef())


def test_a_file_that_is_no_fit_is_refused(tmp_path, fit):
    with pytest.raises(m2s.Mix2stanError, match="no file"):
        m2s.load(tmp_path / "missing.nc")
    (tmp_path / "bad.nc").write_text("hello")
    with pytest.raises(m2s.Mix2stanError):
        m2s.load(tmp_path / "bad.nc")
    whole = fit.save(tmp_path / "fit.nc").read_bytes()
    (tmp_path / "half.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(m2s.Mix2stanError):
        m2s.load(tmp_path / "half.nc")


#: Programs of which a gradient takes milliseconds, and one whose matrix is singular to rounding in
#: places, so that a short chain may be lost (seen with NumPy 2.5).
LONG = (
    "errors_spatial",
    "matern",
    "collapsed_errors_many",
    "known_covariance_centred",
    "bounded_counts",
    "tweedie_dispersion",
)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in PROGRAMS]
)
def test_every_kind_of_model_has_its_tables(name):
    fit = model_of(name).sample(chains=2, warmup=150, draws=50, seed=2, engine="stanli")
    for table in (fit.summary("all"), fit.VarCorr(), fit.ranef(), fit.coef()):
        assert table is not None
    assert np.isfinite(fit.summary("all")["mean"]).all()
    assert str(fit)


def made_up(**stats):
    """A fit of the model of means from draws that are given."""
    rng = np.random.default_rng(4)
    model = model_of("mean")
    shape = (2, 500)
    variables = {"beta": rng.normal(size=(*shape, 1)), "sigma": rng.gamma(2, size=shape)}
    variables |= {k: v for k, v in stats.items() if k in variables}
    base = {
        "lp": rng.normal(size=shape),
        "energy": rng.normal(size=shape),
        "diverging": np.zeros(shape, bool),
        "tree_depth": np.full(shape, 3),
    }
    base |= {k: v for k, v in stats.items() if k in base}
    return Fit.of(Draws(variables, base, "none", (1, 2), (), 10), model.labels)


@pytest.mark.parametrize(
    ("stats", "word"),
    [
        ({"diverging": np.arange(1000).reshape(2, 500) < 5}, "diverge"),
        ({"tree_depth": np.full((2, 500), 10)}, "treedepth"),
        ({"beta": np.stack([np.zeros(500), np.ones(500)])[..., None] + 0.01}, "R-hat"),
        ({"beta": np.cumsum(np.ones((2, 500, 1)), axis=1)}, "effective"),
        ({"energy": np.cumsum(np.random.default_rng(1).normal(size=(2, 500)), axis=1)}, "E-BFMI"),
    ],
)
def test_trouble_is_said_in_words(stats, word):
    if "beta" in stats:
        stats["beta"] = stats["beta"] + np.random.default_rng(2).normal(0, 1e-3, (2, 500, 1))
    assert any(word.lower() in str(p).lower() for p in made_up(**stats).problems)


def test_no_trouble_no_words():
    assert made_up().problems == ()


def test_starting_values_are_checked_by_name():
    model = model_of("intercept")
    with pytest.raises(m2s.Mix2stanError, match="sigma"):
        model.sample(inits={"sigmaa": 1.0}, engine="stanli")
    with pytest.raises(m2s.Mix2stanError, match="2 starting points for 4"):
        model.sample(inits=[{}, {}], engine="stanli")
    fit = model.sample(
        chains=1, warmup=20, draws=10, seed=1, inits={"sigma": 30.0}, engine="stanli"
    )
    assert fit.posterior.sizes["draw"] == 10


def test_python_functions_write_the_r_call(sleepstudy):
    model = m2s.lme("Reaction ~ Days", random={"Subject": "~ Days"}, method="ML", data=sleepstudy)
    assert model.call == "lme(Reaction ~ Days, random = list(Subject = ~Days))"
    model = m2s.lm("Reaction ~ Days", contrasts={"Subject": "contr.sum"}, data=sleepstudy)
    assert list(model.X.columns) == ["(Intercept)", "Days"]
    model = m2s.lmer(
        "Reaction ~ Days + (1 | Subject)", data=sleepstudy, REML=False, na_action="na.omit"
    )
    assert any("REML" in n for n in model.notes)


def test_the_model_is_explained():
    text = str(model_of("slope"))
    for part in ("lmer(", "Normal(", "Subject, 18 levels", "student_t(3, 0", "beta[Days]"):
        assert part in text
