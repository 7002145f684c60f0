"""Columns as they come: numbers, levels, dates and times in every type that data frames have."""

import datetime
import io
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mix2stan as m2s

N = 60
ROW = np.arange(N)
BIG = 9218868437227000000
IDS = [BIG + i for i in range(6)]
BERLIN = pd.date_range("2020-10-25 00:30", periods=4, freq="30min", tz="UTC").tz_convert(
    "Europe/Berlin"
)
QUICK = {"chains": 1, "warmup": 30, "draws": 30, "seed": 1, "progress": False}


def data(**columns):
    rng = np.random.default_rng(1)
    plain = {"y": rng.normal(size=N) + ROW % 3, "x": rng.normal(size=N)}
    return pd.DataFrame(plain).assign(g=[f"s{i % 5}" for i in ROW], **columns)


def levels_of(frame, group="id"):
    return m2s.model(f"lmer(y ~ 1 + (1 | {group}))", frame).labels.groups[0].levels


def names(values):
    return tuple(map(str, values))


@pytest.mark.parametrize(
    "dtype", ["int64", "uint64", "Int64", "UInt64", "int64[pyarrow]", "object", "category"]
)
@pytest.mark.parametrize("group", ["id", "factor(id)"])
def test_integers_beyond_two_to_the_53_are_levels_each(dtype, group):
    frame = data(id=pd.Series(IDS * 10).astype(dtype))
    assert levels_of(frame, group) == names(IDS)


@pytest.mark.parametrize("make", [pl.from_pandas, pa.Table.from_pandas], ids=["polars", "arrow"])
def test_a_missing_value_does_not_make_floats_of_integers(make):
    frame = make(data(id=pd.array([None, *(IDS * 10)[1:]], dtype="Int64")))
    assert levels_of(frame) == names(IDS)


def test_integers_of_any_length_and_whole_decimals_are_levels_each():
    long = [10**25 + i % 6 for i in range(N)]
    polars = pl.from_pandas(data()).with_columns(id=pl.Series(long, dtype=pl.Int128))
    assert levels_of(polars) == names(sorted(set(long)))
    assert levels_of(data(id=[Decimal(i) for i in IDS * 10])) == names(IDS)


def test_a_csv_file_keeps_long_integers_beside_a_missing_one():
    lines = ["y,id", *(f"{i % 7},{IDS[i % 6] if i else 'NA'}" for i in ROW)]
    assert levels_of(m2s.read_table(io.BytesIO("\n".join(lines).encode()))) == names(IDS)


def test_partitions_keep_long_integers_and_dates(tmp_path):
    days = [datetime.date(2020, 1, 1 + i % 6) for i in ROW]
    frame = data(id=pd.array([None, *(IDS * 10)[1:]], dtype="Int64"), day=days)
    frame[:30].to_parquet(tmp_path / "a.parquet")
    frame[30:].to_parquet(tmp_path / "b.parquet")
    assert levels_of(tmp_path) == names(IDS)
    assert levels_of(tmp_path, "day") == tuple(f"2020-01-0{i + 1}" for i in range(6))


@pytest.mark.parametrize(
    ("subset", "rows"),
    [
        ("id == other", 50),
        ("id > other", 10),
        (f"as.character(id) == '{BIG + 1}'", 10),
        (f"id %in% as.character(c('{BIG}', '{BIG + 1}'))", 20),
        ("as.Date(day) == day", 60),
    ],
)
def test_long_integers_and_times_are_compared_exactly(subset, rows):
    other = [i if i != BIG + 3 else BIG + 2 for i in IDS * 10]
    frame = data(id=IDS * 10, other=other, day=pd.to_datetime(["2020-01-01"] * N))
    assert len(m2s.model(f"lm(y ~ x, subset = {subset})", frame).X) == rows
    with pytest.raises(m2s.FormulaError, match="15 digits"):
        m2s.model(f"lm(y ~ x, subset = id == {BIG + 1})", frame)


def test_floats_that_print_alike_are_one_level_as_in_r():
    # levels(factor(c(.1 + .2, .3, .1 * 3, .5, .7, .1 * 7))) in R
    dose = np.array([0.1 + 0.2, 0.3, 0.1 * 3, 0.5, 0.7, 0.1 * 7])[ROW % 6]
    frame = data(dose=dose, kind=pd.Categorical(dose))
    model = m2s.model("lmer(y ~ x + (1 | dose))", frame)
    assert model.labels.groups[0].levels == levels_of(frame, "kind") == ("0.3", "0.5", "0.7")
    assert "dose has 5 different numbers and 3 levels" in " ".join(model.notes)
    fit = model.sample(**QUICK)
    assert np.allclose(fit.predict(frame), fit.predict())


def test_combinations_that_print_alike_are_told_apart(tmp_path):
    a, b = (np.array(v, dtype=object)[ROW % 3] for v in (["x:y", "x", "q"], ["z", "y:z", "r"]))
    frame = data(a=a, b=b)
    fit = m2s.model("lmer(y ~ x + (1 | a:b))", frame).sample(**QUICK)
    assert fit.labels.groups[0].levels == ("q:r", 'x:"y:z"', '"x:y":z')
    for one in (fit, m2s.load(fit.save(tmp_path / "fit.nc"))):
        for rows in (frame, frame[:1], frame[1:2]):
            assert np.allclose(one.predict(rows), fit.predict()[..., rows.index])


def test_text_that_ends_in_null_characters_is_not_cut():
    text = pd.Series(["\0", "\0\0", "q"] * 20, dtype=object)
    assert levels_of(data(id=text)) == ("\0", "\0\0", "q")


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([Decimal("1.5"), Decimal("2")], [1.5, 2]),
        ([Fraction(1, 2), Fraction(3, 2)], [0.5, 1.5]),
        ([np.float32(0.5), np.int32(2)], [0.5, 2]),
        ([np.float16(0.5), 2], [0.5, 2]),
        ([datetime.date(2020, 1, 1), datetime.date(1969, 12, 31)], [18262, -1]),
        ([datetime.timedelta(hours=36), datetime.timedelta(1)], [1.5, 1]),
        ([datetime.time(1), datetime.time(0, 0, 1)], [3600, 1]),
        ([pd.Period("2020-01-01", "D"), pd.Period("1970-01-02", "D")], [18262, 1]),
    ],
)
def test_objects_that_are_numbers_or_times_are_numbers(values, numbers):
    column = pd.Series(np.array([*values, None], dtype=object)[ROW % 3], dtype=object)
    model = m2s.model("lmer(y ~ v + (1 | g))", data(v=column))
    assert model.X["v"][:2].tolist() == numbers
    assert len(model.X) == 40


def test_a_point_in_time_says_what_it_counts():
    frame = data(when=pd.date_range("2020-01-01", periods=N, tz="Asia/Tokyo"))
    with pytest.raises(m2s.FormulaError, match=r"a type of which.*\n.*\n.*\n.*as\.Date\(when\)"):
        m2s.model("lmer(y ~ when + (1 | g))", frame)
    # as.Date() and as.numeric() of R, the first where the clocks are
    days = m2s.model("lmer(y ~ as.Date(when) + (1 | g))", frame)
    assert days.X.iloc[0, 1] == 18262
    assert "counts days since 1970-01-01" in " ".join(days.notes)
    assert m2s.model("lmer(y ~ as.numeric(when) + (1 | g))", frame).X.iloc[0, 1] == 1577804400


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (pd.date_range("2020-01-01", periods=2), ("2020-01-01", "2020-01-02")),
        (
            pd.to_datetime(["2020-01-01 10:00", "2020-01-01 00:00"]),
            ("2020-01-01", "2020-01-01 10:00:00"),
        ),
        (
            BERLIN,
            (
                "2020-10-25 02:30:00+0200",
                "2020-10-25 02:00:00+0100",
                "2020-10-25 02:30:00+0100",
                "2020-10-25 03:00:00",
            ),
        ),
        (pd.period_range("2020-01", periods=2, freq="M"), ("2020-01", "2020-02")),
        (pd.to_timedelta([36, 48], unit="h"), ("1 days 12:00:00", "2 days")),
        (pd.IntervalIndex.from_breaks([0, 1, 2]), ("(0, 1]", "(1, 2]")),
    ],
)
def test_times_are_levels_of_groups(values, levels):
    assert levels_of(data(id=values[ROW % len(values)])) == levels


def test_times_and_long_integers_are_the_same_in_new_data_and_files(tmp_path):
    frame = data(day=pd.date_range("2020-01-01", periods=6)[ROW % 6], id=IDS * 10)
    fit = m2s.model("lmer(y ~ x + (1 | day) + (1 | id))", frame).sample(**QUICK)
    for one in (fit, m2s.load(fit.save(tmp_path / "fit.nc"))):
        for same in (frame, frame.assign(day=frame.day.dt.date, id=frame.id.astype(object))):
            assert np.allclose(one.predict(same), fit.predict())
    hints = {"id": r"to_numeric", "day": r"to_datetime"}
    for name, hint in hints.items():
        with pytest.raises(m2s.DataError, match=f"a factor '{name}'.*\n.*{hint}"):
            fit.predict(frame.assign(**{name: frame[name].astype(str)}))
    with pytest.raises(m2s.DataError, match=f"such as {BIG + 6}"):
        fit.predict(frame.assign(id="new"))


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ([str(v / 4) for v in ROW], "though all are numbers: as.numeric(v)"),
        (["?" if v == 3 else str(v % 9) for v in ROW], "v is text because of '?'"),
        ([f"name {v}" for v in ROW], "v is text of 60 different values in 60 rows"),
    ],
)
def test_text_that_could_be_meant_otherwise_is_said(text, note):
    assert note in " ".join(m2s.model("lmer(y ~ v + (1 | g))", data(v=text)).notes)


def test_a_level_and_a_number_may_give_columns_of_one_name():
    frame = data(f=np.array(["0", "1"])[ROW % 2], f1=ROW**2.0)
    model = m2s.model("lm(y ~ x + I(2 * x) + f + f1)", frame)
    assert model.X.columns.tolist() == ["(Intercept)", "x", "f1", "f1"]
    assert model.X.iloc[3].tolist()[2:] == [1, 9]


def test_plain_columns_and_files_are_data(tmp_path):
    frame = data()
    frame.to_csv(tmp_path / "d.csv", index=False)
    want = m2s.model("lmer(y ~ x + (1 | g))", frame).X
    for given in (frame.to_dict("list"), frame.to_records(index=False), tmp_path / "d.csv"):
        assert np.allclose(m2s.model("lmer(y ~ x + (1 | g))", given).X, want)
    assert np.allclose(m2s.lmer("y ~ x + (1 | g)", frame).X, want)
    assert np.allclose(m2s.model("y ~ x + (1 | g)", frame).X, want)
    with pytest.raises(m2s.DataError, match="there is no file"):
        m2s.model("lmer(y ~ x + (1 | g))", tmp_path / "e.csv")


def test_a_model_owns_its_data():
    frame = data()
    matrix = np.array(frame[["y", "x"]])
    shared = pd.DataFrame(matrix, columns=["y", "x"], copy=False).assign(g=frame["g"])
    for given, change in (
        (frame.copy(), lambda d: d.loc.__setitem__((slice(None), "y"), d["y"] * 100)),
        (frame.copy(), lambda d: d.iloc.__setitem__((0, 1), 1e3)),
        (shared, lambda d: matrix.__imul__(2)),
    ):
        model = m2s.model("lmer(y ~ x + (1 | g))", given)
        want = m2s.model("lmer(y ~ x + (1 | g))", frame).X
        change(given)
        assert np.array_equal(model.X, want)
        assert model.ml().logLik == pytest.approx(
            m2s.model("lmer(y ~ x + (1 | g))", frame).ml().logLik
        )


def test_what_a_model_gives_away_does_not_change_it():
    model = m2s.model("lmer(y ~ x + (1 | g))", data())
    scale, priors, X = model.stan_data["sigma_scale"], model.priors, model.X
    model.stan_data["sigma_scale"] = 1.0
    priors.iloc[0, 0] = "flat"
    X.iloc[0, 0] = 7.0
    assert model.stan_data["sigma_scale"] == scale
    assert model.priors.iloc[0, 0] != "flat"
    assert model.X.iloc[0, 0] == 1.0
    estimates = model.ml()
    fixef = estimates.fixef()
    fixef["x"] = 99.0
    assert estimates.fixef()["x"] != 99.0
    array = next(v for v in model.stan_data.values() if isinstance(v, np.ndarray) and v.ndim)
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 0
