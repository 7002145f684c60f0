"""K-fold cross-validation against closed forms and by-hand computation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from tests.conftest import table

HOW = {"chains": 2, "warmup": 300, "draws": 1000, "seed": 6, "engine": "stanli"}


@pytest.fixture
def here():
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_rows_of_a_regression_have_the_predictive_t_distribution(here):
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"x": rng.normal(size=40)})
    df["y"] = 3 + 2 * df["x"] + rng.normal(size=40)
    found = m2s.model("lm(y ~ x)", df, prior="flat").kfold(4, executor=here, **HOW)
    assert sorted(found.pointwise["fold"].value_counts()) == [10, 10, 10, 10]
    want = np.empty(40)
    for fold in range(1, 5):
        out = (found.pointwise["fold"] == fold).to_numpy()
        X, y = np.column_stack([np.ones(30), df["x"][~out]]), df["y"][~out]
        beta, rss, *_ = np.linalg.lstsq(X, y, rcond=None)
        # a flat prior on sigma itself: one degree of freedom less than with 1 / sigma
        free = 30 - 2 - 1
        Xo = np.column_stack([np.ones(10), df["x"][out]])
        spread = 1 + np.sum(Xo @ np.linalg.inv(X.T @ X) * Xo, axis=1)
        scale = np.sqrt(rss[0] / free * spread)
        want[out] = stats.t.logpdf(df["y"][out], free, Xo @ beta, scale)
    np.testing.assert_allclose(found.pointwise["elpd"], want, atol=0.06)
    assert found.elpd == pytest.approx(want.sum(), abs=0.5)
    assert found.se == pytest.approx(np.sqrt(40) * found.pointwise["elpd"].std())


def test_levels_are_held_out_whole_and_predicted_as_new_ones(here):
    model = m2s.model("lmer(Yield ~ 1 + (1 | Batch))", table("Dyestuff"))
    found = model.kfold(6, group="Batch", executor=here, **HOW)
    batch = table("Dyestuff")["Batch"].to_numpy()
    assert all(len(set(found.pointwise["fold"][batch == b])) == 1 for b in set(batch))
    # by hand: the fit without the batch, a row being normal around the mean with both variances
    out = (found.pointwise["fold"] == 1).to_numpy()
    rest = m2s.model("lmer(Yield ~ 1 + (1 | Batch))", table("Dyestuff")[~out], prior="flat")
    fit = rest.sample(chains=2, warmup=300, draws=1000, seed=2, engine="stanli")
    mu, sd, tau = (
        fit.posterior[v].values.reshape(2000, -1)[:, 0] for v in ("beta", "sigma", "sd_Batch")
    )
    y = table("Dyestuff")["Yield"][out].to_numpy()[:, None]
    want = np.log(np.mean(stats.norm.pdf(y, mu, np.hypot(sd, tau)), axis=1))
    np.testing.assert_allclose(found.pointwise["elpd"][out], want, atol=0.35)


def test_folds_do_not_depend_on_where_they_ran_and_go_on(tmp_path, here):
    how = {**HOW, "chains": 1, "warmup": 50, "draws": 20}
    model = m2s.model("glmer(TICKS ~ 1 + (1 | BROOD), family = poisson)", table("grouseticks"))
    first = model.kfold(2, executor=here, out=tmp_path, **how)
    (tmp_path / "fold-1.npz").unlink()
    again = model.kfold(2, out=tmp_path, **how)
    pd.testing.assert_frame_equal(first.pointwise, again.pointwise)
    assert np.isfinite(first.elpd)
    with pytest.raises(m2s.Mix2stanError, match="k was 2, now 3"):
        model.kfold(3, out=tmp_path, **how)


def test_what_is_wrong_is_said(here):
    model = m2s.model("lmer(Yield ~ 1 + (1 | Batch))", table("Dyestuff"))
    with pytest.raises(m2s.Mix2stanError, match="number of levels of Batch"):
        model.kfold(7, group="Batch", engine="stanli")
    with pytest.raises(m2s.Mix2stanError, match="nearest: 'Batch'"):
        model.kfold(3, group="batch", engine="stanli")


def test_threads_find_what_processes_find():
    model = m2s.model("lmer(Reaction ~ Days + (Days | Subject))", table("sleepstudy"))
    how = {"chains": 1, "warmup": 100, "draws": 100, "seed": 1, "engine": "stanli"}
    with ThreadPoolExecutor(2) as threads:
        found = model.kfold(3, executor=threads, **how)
    np.testing.assert_array_equal(found.pointwise["elpd"], model.kfold(3, **how).pointwise["elpd"])
