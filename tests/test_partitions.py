"""Rows in partitions, of Parquet folders and Dask: the statistics, estimates and posteriors of the same rows in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s
from tests.conftest import table

pytest.importorskip("pyarrow")
try:
    import dask.dataframe as dask
except ImportError:
    dask = None


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("mix2stan.partitions.sources._ROWS", 50)


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


def same(there, here):
    """That the programs and their data are the same, to 1e-10 of the largest number of each."""
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
    assert there.labels.coefficients == here.labels.coefficients
    assert there.notes == here.notes
    pd.testing.assert_frame_equal(there.priors, here.priors, rtol=1e-10)


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
    same(m2s.model(call, folder(df, tmp_path / "rows"), prior=prior), here)
    if dask is not None:
        same(m2s.model(call, dask.from_pandas(df, npartitions=3, sort=False), prior=prior), here)


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


@pytest.mark.parametrize("held", [1, 2**24])
def test_levels_of_any_size(held, tmp_path, monkeypatch):
    monkeypatch.setattr("mix2stan.partitions.reduction._NUMBERS", held * 50)
    monkeypatch.setattr("mix2stan.partitions.sources._ROWS", 10_000)
    df = rows()
    df["g"] = np.where(np.arange(len(df)) % 3, "most", df["g"])
    df["flag"] = df["x"] > -100
    for call in ("lmer(y ~ x + (x | g))", "lmer(y ~ x + (1 | flag))"):
        here = m2s.model(call, df)
        same(m2s.model(call, folder(df, tmp_path / call[-6:-2], 2)), here)


@pytest.mark.parametrize("values", [[3.0], [1, 2, 3, 4], [5, 5, 5, 5, 1], range(101)])
def test_medians_are_exact(values, monkeypatch):
    from mix2stan.partitions import medians

    monkeypatch.setattr(medians, "_FEW", 2)
    monkeypatch.setattr(medians, "_BINS", 8)
    rng = np.random.default_rng(2)
    whole = np.concatenate([np.asarray(values, dtype=float), rng.normal(size=len(values) - 1)])
    parts = np.array_split(whole, min(3, len(whole)))
    found = medians.median(
        lambda count: map(count, parts), len(whole), float(whole.min()), float(whole.max())
    )
    assert found == np.median(whole)


def awkward(n=2400, levels=30):
    """Columns of every type, values missing everywhere, levels that some rows alone have."""
    rng = np.random.default_rng(3)
    g = np.sort(rng.integers(0, levels, n))
    df = pd.DataFrame(
        {
            "g": [f"level {j}" for j in g],
            "category": pd.Categorical.from_codes(g % 4, ["d", "b", "a", "c", "e"][:4]),
            "grade": pd.Categorical.from_codes(g % 3, ["low", "mid", "high"], ordered=True),
            "id": (g * 3).astype(float),
            "flag": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "whole": pd.array(rng.integers(0, 9, n), dtype="Int64"),
            "x": rng.normal(size=n),
            "y": rng.normal(size=n) + g,
        }
    )
    for name in ("g", "category", "id", "flag", "whole", "x"):
        df.loc[rng.integers(0, n, 20), name] = None if name != "id" else np.nan
    # a level that only rows have which lack a value, of text and of numbers
    df.loc[df.index[:5], ["g", "id"]] = "lost", -1.0
    df.loc[df.index[:5], "y"] = np.nan
    # and a stretch without any value
    df.loc[df.index[800:1200], ["g", "category"]] = None
    return df


AWKWARD = [
    "lmer(y ~ category * x + (1 | g))",
    "lmer(y ~ grade + flag + (1 + x | id))",
    "lmer(y ~ whole + factor(id > 30) + (1 | factor(id)))",
    "lmer(y ~ ifelse(x > 0, category, 'none') + (1 | g))",
    "lmer(y ~ relevel(category, 'b') + as.numeric(whole) + (1 | floor(id / 10)))",
    "lmer(y ~ cut(x, c(-9, 0, 3, 8, 9)) + (1 | cut(id, c(-2, 40, 80, 200))))",
    "lm(y ~ interaction(grade, flag) + I(x^2))",
    "lmer(y ~ g + (1 | id))",
]


@pytest.mark.parametrize("call", AWKWARD)
def test_columns_of_every_type(call, tmp_path):
    df = awkward()
    here = m2s.model(call, df)
    same(m2s.model(call, folder(df, tmp_path / "rows", 5)), here)
    if dask is not None:
        same(m2s.model(call, dask.from_pandas(df, npartitions=7, sort=False)), here)


needs_dask = pytest.mark.skipif(dask is None, reason="needs Dask")


def partitions(frames):
    """A Dask frame whose partitions are these, as they are."""
    meta = frames[0].iloc[:0]
    return dask.from_map(lambda i: frames[i], range(len(frames)), meta=meta)


@needs_dask
@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_categories_that_are_not_known_before(scheduler):
    import dask as dask_itself

    df, call = rows(), "lmer(y ~ f + (x | g))"
    parts = dask.from_pandas(df, npartitions=4, sort=True).astype({"f": "category"})
    assert not parts["f"].cat.known
    # a part with no row, and parts that lack levels, in an order of their own
    pieces = [d.astype({"f": "category"}) for _, d in df.groupby("f", sort=False)]
    lacking = partitions([*pieces, pieces[0].iloc[:0]])
    here = m2s.model(call, df.astype({"f": "category"}))
    with dask_itself.config.set(scheduler=scheduler):
        same(m2s.model(call, parts), here)
        same(m2s.model(call, lacking), here)


@needs_dask
def test_columns_that_differ_between_partitions():
    df = rows(60, 3)
    with pytest.raises(m2s.DataError, match="'f' has the levels of a factor and numbers"):
        m2s.model("lm(y ~ f)", partitions([df, df.assign(f=1.0)]))
    one, other = (pd.CategoricalDtype(o, ordered=True) for o in (["a", "b"], ["b", "a"]))
    pair = [df.assign(f=pd.Categorical(["a", "b"] * 30, dtype=d)) for d in (one, other)]
    with pytest.raises(m2s.DataError, match="different orders"):
        m2s.model("lm(y ~ f)", partitions(pair))


@needs_dask
@pytest.mark.parametrize(
    ("change", "call", "message"),
    [
        ({"x": np.inf}, "lm(y ~ x)", "x is infinite"),
        ({"x": np.nan}, "lm(y ~ x)", "every row has a missing value"),
        ({"f": np.nan}, "lm(y ~ x, na.action = na.fail)", "no column|na.fail"),
        ({}, "lm(y ~ X)", "nearest: 'x'"),
        ({}, "lm(f ~ x)", "f is"),
        ({}, "lmer(y ~ (1 | units))", "units|an effect of every row"),
    ],
)
def test_rows_that_do_not_fit_are_refused_as_in_memory(change, call, message):
    df = rows(60, 3).assign(**change)
    if "na.fail" in call:
        df.loc[7, "x"] = np.nan
    with pytest.raises(m2s.Mix2stanError, match=message):
        m2s.model(call, dask.from_pandas(df, npartitions=2))


@needs_dask
def test_a_part_of_a_frame_is_no_data():
    frame = dask.from_pandas(rows(60, 3), npartitions=2)
    for part in (frame["x"], frame.to_dask_array()):
        with pytest.raises(m2s.DataError, match="has to be a data frame, not"):
            m2s.model("lm(y ~ x)", part)
    named = m2s.model("lm(y ~ x, data = d)", {"d": frame})
    assert named.stan_data["N"] == 60


@pytest.mark.slow
def test_worker_processes_reduce_to_the_same():
    distributed = pytest.importorskip("distributed")
    df = awkward()
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=50,
        ) as cluster,
        distributed.Client(cluster),
    ):
        for call in AWKWARD[:3]:
            there = m2s.model(call, dask.from_pandas(df, npartitions=5, sort=False))
            same(there, m2s.model(call, df))
        with pytest.raises(m2s.FormulaError, match="g is not numeric"):
            m2s.model("lm(g ~ x)", dask.from_pandas(df, npartitions=5))


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("lmer(y ~ x + (1 | g) + (1 | f))", "several grouping factors"),
        ("lmer(y ~ poly(x, 2) + (1 | g))", "learns from all rows"),
        ("lmer(y ~ cut(x, 3) + (1 | g))", "learns from all rows"),
        ("lmer(y ~ x + (1 | g:f))", "combinations"),
        ("glmer(id ~ x + (1 | g), family = poisson)", "its response is poisson"),
        ("lmer(y ~ x + (1 | g), subset = x > 0)", "subset"),
        ("lmer(y ~ x + (1 | g), weights = id)", "errors differ"),
        ("lmer(y ~ x + (1 | factor(id + x)))", "levels of several columns"),
        ("lmer(y ~ x + (1 | interaction(id, f)))", "those of all rows"),
    ],
)
def test_a_model_that_cannot_be_reduced_says_why(call, why, tmp_path):
    df = rows(300).sort_values("id")
    with pytest.raises(m2s.Unsupported, match=f"(?s){why}.*read the folder"):
        m2s.model(call, folder(df, tmp_path / "rows"))
    if dask is not None:
        with pytest.raises(m2s.Unsupported, match=f"(?s){why}.*compute()"):
            m2s.model(call, dask.from_pandas(df, npartitions=2, sort=False))


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


def test_what_is_said_of_reduced_rows_is_about_all(tmp_path):
    df = rows()
    df.iloc[:90].to_parquet(tmp_path / "a.parquet")
    df.iloc[90:].to_parquet(tmp_path / "b.parquet")
    model = m2s.model("lmer(y ~ x + (x | g))", tmp_path)
    for said in (str(model), str(model.explain()), model.graph("dot")):
        assert f"{len(df)} observations" in said
    with pytest.raises(m2s.Unsupported, match="reduced"):
        _ = model.X
