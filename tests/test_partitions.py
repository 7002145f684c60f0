"""Parquet folders: the statistics, estimates and posteriors of the same rows in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s
from tests.conftest import table

pytest.importorskip("pyarrow")


def folder(df, path, parts=3):
    path.mkdir()
    for i, index in enumerate(np.array_split(np.arange(len(df)), parts)):
        df.iloc[index].reset_index(drop=True).to_parquet(path / f"part-{i}.parquet")
    return path


def rows(n=3000, levels=40):
    rng = np.random.default_rng(1)
    g = rng.integers(0, levels, n)
    df = pd.DataFrame(
        {
            "g": np.char.add("g", g.astype(str)),
            "id": g * 7,
            "f": rng.choice(["low", "mid", "high"], n),
            "x": rng.normal(5, 2, n),
            "unused": "text",
        }
    )
    u = rng.normal(size=(levels, 2))
    df["y"] = 1e4 + 3 * df["x"] + u[g, 0] + u[g, 1] * df["x"] + rng.normal(0, 2, n)
    return df


CALLS = [
    "lmer(y ~ x + (x | g))",
    "lmer(y ~ f * x + (1 | g))",
    "lmer(y ~ 0 + f + (1 | factor(id)))",
    "lmer(y ~ log(x + 20) + (x || g), na.action = na.omit)",
    "lm(y ~ x + f)",
    "lmer(y ~ offset(2 * x) + (1 | id))",
    "lmer(y ~ 0 + x + (0 + x | g))",
]


@pytest.mark.parametrize("prior", ["default", "brms", "rstanarm", "flat"])
@pytest.mark.parametrize("call", CALLS)
def test_statistics_are_those_of_the_rows(call, prior, tmp_path):
    df = rows()
    df.loc[[5, 77, 1500], "x"] = np.nan
    here = m2s.model(call, df, prior=prior)
    there = m2s.model(call, folder(df, tmp_path / "rows"), prior=prior)
    assert there.stan_code == here.stan_code
    assert there.stan_data.keys() == here.stan_data.keys()
    n = here.stan_data["N"]
    for name, want in here.stan_data.items():
        # sums of residuals cancel: what is left of zero counts beside what was added up
        slack = 1e-10 * max(np.max(np.abs(want)), n if "r_" in name else 0)
        np.testing.assert_allclose(
            there.stan_data[name], want, rtol=1e-10, atol=slack, err_msg=name
        )
    assert there.labels.groups == here.labels.groups
    pd.testing.assert_frame_equal(there.priors, here.priors)


def test_estimates_and_draws_are_those_of_the_rows(tmp_path):
    call, df = "lmer(Reaction ~ Days + (Days | Subject))", table("sleepstudy")
    here, there = m2s.model(call, df), m2s.model(call, folder(df, tmp_path / "rows"))
    one, other = here.reml("stanli"), there.reml("stanli")
    assert other.logLik == pytest.approx(one.logLik, abs=1e-6)
    pd.testing.assert_series_equal(other.values, one.values, rtol=1e-4)
    pd.testing.assert_series_equal(other.standard_errors, one.standard_errors, rtol=1e-4)
    pd.testing.assert_frame_equal(other.ranef(), one.ranef(), rtol=1e-3, atol=1e-3)
    how = {"chains": 4, "warmup": 500, "draws": 1000, "seed": 1, "engine": "stanli"}
    one, other = (m.sample(**how).summary() for m in (here, there))
    error = np.sqrt(one["sd"] ** 2 / one["ess_bulk"] + other["sd"] ** 2 / other["ess_bulk"])
    assert (abs(one["mean"] - other["mean"]) < 5 * error).all()


def test_the_cut_into_files_does_not_matter(tmp_path):
    df, call = rows(), "lmer(y ~ f + (x | g))"
    one, many = (m2s.model(call, folder(df, tmp_path / f"{k}", k)) for k in (1, 17))
    for name, want in one.stan_data.items():
        scale = max(np.max(np.abs(want)), len(df) if "r_" in name else 0)
        np.testing.assert_allclose(many.stan_data[name], want, rtol=1e-10, atol=1e-10 * scale)


def test_categories_keep_their_order(tmp_path):
    df = rows().astype({"f": pd.CategoricalDtype(["low", "mid", "high", "never"])})
    here, there = (m2s.model("lm(y ~ f)", d) for d in (df, folder(df, tmp_path / "rows")))
    assert there.labels.coefficients == here.labels.coefficients == ("(Intercept)", "fmid", "fhigh")


@pytest.mark.parametrize("values", [[3.0], [1, 2, 3, 4], [5, 5, 5, 5, 1], range(101)])
def test_medians_are_exact(values, monkeypatch):
    from mix2stan import partitions

    monkeypatch.setattr(partitions, "_SORTED", 2)
    rng = np.random.default_rng(2)
    whole = np.concatenate([np.asarray(values, dtype=float), rng.normal(size=len(values) - 1)])
    parts = np.array_split(whole, min(3, len(whole)))
    assert partitions._median(lambda: iter(parts), len(whole)) == np.median(whole)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("lmer(y ~ x + (1 | g) + (1 | f))", "several grouping factors"),
        ("lmer(y ~ poly(x, 2) + (1 | g))", "learns from all rows"),
        ("lmer(y ~ x + (1 | g:f))", "combinations"),
        ("glmer(id ~ x + (1 | g), family = poisson)", "its response is poisson"),
        ("lmer(y ~ x + (1 | g), subset = x > 0)", "subset"),
    ],
)
def test_a_model_that_cannot_be_reduced_says_why(call, why, tmp_path):
    with pytest.raises(m2s.Unsupported, match=why):
        m2s.model(call, folder(rows(300), tmp_path / "rows"))


def test_what_needs_rows_is_refused(tmp_path):
    model = m2s.model("lmer(y ~ x + (1 | g))", folder(rows(300), tmp_path / "rows"))
    with pytest.raises(m2s.Unsupported, match="cannot be drawn again"):
        model.bootstrap(5)
    with pytest.raises(m2s.Unsupported, match="cannot be held out"):
        model.kfold(5, engine="stanli")
    with pytest.raises(m2s.Unsupported, match="needs all rows"):
        m2s.model("lmer(y ~ x + (1 | g))", tmp_path / "rows", strategy="noncentred")
    with pytest.raises(m2s.DataError, match="no Parquet files"):
        m2s.model("lm(y ~ x)", tmp_path)
