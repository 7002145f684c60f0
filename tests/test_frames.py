"""Data frames of polars and Arrow give the model, and the predictions, that pandas' give."""

from __future__ import annotations

import datetime
import decimal
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mix2stan as m2s
from tests.conftest import table


def in_polars(df: pd.DataFrame) -> pl.DataFrame:
    """Ordered categories as enums; the levels of others, which polars does not keep, sorted."""
    ordered = {c: df[c].cat.categories for c in df if getattr(df[c].dtype, "ordered", False)}
    enums = [pl.col(c).cast(pl.Enum(list(map(str, levels)))) for c, levels in ordered.items()]
    return pl.from_pandas(df).with_columns(enums)


MAKERS = {
    "polars": in_polars,
    "lazy polars": lambda df: in_polars(df).lazy(),
    "arrow": pa.Table.from_pandas,
}
CALLS = {
    "sleepstudy": "lmer(Reaction ~ Days + (Days | Subject))",
    "cbpp": "glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), family = binomial)",
    "wine": "clmm(rating ~ temp + contact + (1 | judge))",
    "BTdata": "MCMCglmm(tarsus ~ sex + hatchdate, random = ~us(sex):dam)",
}


def plain_category(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype) and not column.dtype.ordered


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


def same_data(one, other):
    assert one.stan_code == other.stan_code
    assert one.stan_data.keys() == other.stan_data.keys()
    for name, value in one.stan_data.items():
        np.testing.assert_array_equal(np.asarray(other.stan_data[name]), np.asarray(value), name)


@pytest.mark.parametrize("name", CALLS)
def test_the_model_is_that_of_the_pandas_frame(name, make):
    df = table(name)
    if make is not MAKERS["arrow"]:
        df = df.assign(**{c: df[c].astype(str) for c in df if plain_category(df[c])})
    mine, theirs = m2s.model(CALLS[name], df), m2s.model(CALLS[name], make(df))
    same_data(mine, theirs)
    assert m2s.compare(mine, theirs).same
    assert mine.labels == theirs.labels


def test_columns_of_every_type(make):
    df = pd.DataFrame(
        {
            "y": [1.0, 2.0, 4.0, 3.0, 5.0, 2.5],
            "g": pd.Categorical(list("babcab"), categories=list("cab")),
            "o": pd.Categorical(list("lmhlmh"), categories=list("lmh"), ordered=True),
            "s": ["x", "y", None, "y", "x", "x"],
            "t": [True, False, True, True, False, False],
            "n": pd.array([1, 2, None, 4, 5, 1], dtype="Int64"),
        }
    )
    if make is not MAKERS["arrow"]:
        # levels that are not in alphabetical order and not ordered either, polars cannot say
        df = df.assign(g=df["g"].astype(str))
    frame = make(df)
    for formula in ("~ g", "~ o", "~ s", "~ t", "~ n"):
        pd.testing.assert_frame_equal(
            m2s.model_matrix(formula, frame), m2s.model_matrix(formula, df), formula
        )


def test_an_enum_is_ordered_and_a_category_is_not():
    frame = pl.DataFrame({"x": ["b", "a", "c"]})
    enum = frame.with_columns(pl.col("x").cast(pl.Enum(["b", "c", "a"])))
    assert list(m2s.model_matrix("~ x", enum)) == ["(Intercept)", "x.L", "x.Q"]
    category = frame.with_columns(pl.col("x").cast(pl.Categorical))
    assert list(m2s.model_matrix("~ x", category)) == ["(Intercept)", "xb", "xc"]


def test_decimals_are_numbers_and_dates_count_days(make):
    days = [datetime.date(2020, 1, d) for d in (1, 2, 3)]
    df = pd.DataFrame({"y": [1.0, 2, 3], "d": days, "p": [decimal.Decimal("1.5")] * 3})
    frame = make(df)
    assert m2s.model_matrix("~ p", frame)["p"].tolist() == [1.5] * 3
    assert m2s.model_matrix("~ d", frame)["d"].tolist() == [18262, 18263, 18264]


def test_frames_of_a_mapping_and_of_relationships():
    rows = pd.DataFrame({"y": [1.0, 2, 4, 3, 2, 5], "animal": list("cdecde")})
    ped = pd.DataFrame({"animal": list("cde"), "sire": ["a", "a", None], "dam": ["b", "b", "d"]})
    mine = m2s.MCMCglmm("y ~ 1", random="~ animal", pedigree=ped, data=rows)
    for make in (pl.from_pandas, pa.Table.from_pandas):
        theirs = m2s.MCMCglmm("y ~ 1", random="~ animal", pedigree=make(ped), data=make(rows))
        same_data(mine, theirs)
        text = "MCMCglmm(y ~ 1, random = ~animal, pedigree = pedigree)"
        same_data(mine, m2s.model(text, {"d": make(rows), "pedigree": make(ped)}))


def test_models_made_from_them_can_be_translated_and_fitted_again(sleepstudy, make):
    model = m2s.model("lmer(Reaction ~ Days + (Days | Subject), data = d)", {"d": make(sleepstudy)})
    assert model.translate("MCMCglmm").startswith("MCMCglmm(Reaction ~ Days")
    assert isinstance(model.given["d"], pd.DataFrame)


def test_new_data_and_tables(sleepstudy, make):
    model = m2s.lmer("Reaction ~ Days + (Days | Subject)", data=make(sleepstudy))
    fit = model.sample(chains=1, warmup=50, draws=20, seed=1, engine="stanli")
    new = sleepstudy.iloc[:12].drop(columns="Reaction")
    mine, theirs = fit.predict(new, summary=True), fit.predict(make(new), summary=True)
    pd.testing.assert_frame_equal(mine, theirs)


@pytest.mark.parametrize("given", [[1], np.eye(2), pl.Series([1]), 3])
def test_what_is_no_frame_is_refused(given, sleepstudy):
    with pytest.raises(m2s.DataError, match="has to be a data frame"):
        m2s.model("lm(y ~ 1)", given)
    with pytest.raises(m2s.DataError, match="has to be a data frame"):
        m2s.model_matrix("~ 1", given)
    with pytest.raises(m2s.Mix2stanError, match="list of data frames"):
        m2s.fit_multiple("lm(Reaction ~ 1)", pl.from_pandas(sleepstudy))


def test_a_frame_of_dask_is_not_gathered(sleepstudy):
    frames = pytest.importorskip("dask.dataframe")
    frame = frames.from_pandas(sleepstudy, npartitions=2)
    assert m2s.model("lm(Reaction ~ Days)", frame).data.reduced
    with pytest.raises(m2s.DataError, match="has to be a data frame"):
        m2s.model_matrix("~ Days", frame)


def test_polars_is_not_imported_for_pandas():
    code = "import sys, mix2stan; print([m for m in ('polars',) if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
