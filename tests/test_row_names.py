"""Results line up with the data frame they come from, whatever its index is."""

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s

N = 24
CALL = "lmer(y ~ x + (1 | g))"
QUICK = {"chains": 1, "warmup": 20, "draws": 20, "seed": 1, "progress": False}
PAIRS = [(f"a{i // 2}", i % 2) for i in range(N)]
INDEXES = {
    "numbers": pd.RangeIndex(100, 100 + N),
    "text": pd.Index([f"r{i}" for i in range(N)]),
    "twice": pd.Index([i // 2 for i in range(N)]),
    "times": pd.date_range("2020", periods=N, tz="Europe/Berlin", name="when"),
    "periods": pd.period_range("2020", periods=N, freq="M"),
    "mixed": pd.Index([*range(N - 1), "z"], dtype=object),
    "several": pd.MultiIndex.from_tuples(PAIRS),
    "names of dims": pd.MultiIndex.from_tuples(PAIRS, names=["chain", "draw"]),
}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"y": rng.normal(size=N), "x": rng.normal(size=N)})
    frame["y"] += 3 * frame["x"]
    frame.loc[3, "y"] = np.nan
    return frame.assign(g=[f"s{i % 4}" for i in range(N)])


@pytest.mark.parametrize("name", INDEXES)
def test_results_have_the_rows_of_the_data_frame(rows, name, tmp_path):
    frame = rows.set_index(INDEXES[name]).sample(frac=1, random_state=1)
    model = m2s.model(CALL, frame)
    fit = model.sample(**QUICK)
    index = frame.index[frame["y"].notna()]
    pd.testing.assert_index_equal(model.X.index, index)
    for one in (fit, m2s.load(fit.save(tmp_path / "fit.nc"))):
        for table in (one.fitted(), one.residuals(), one.simulate(2, seed=1)):
            pd.testing.assert_index_equal(table.index, index, exact="equiv")
        for array in (one.predict(), one.log_lik(), one.posterior_predictive()):
            assert array.indexes["obs"].equals(index)
        one.idata.to_netcdf(tmp_path / "idata.nc")
        if index.is_unique:
            found = frame.assign(r=one.residuals(), f=one.fitted()["mean"]).dropna()
            assert len(found) == N - 1
            assert np.allclose(found["y"] - found["f"], found["r"])
    assert fit.predict(frame, summary=True).index.equals(frame.index)


def test_rows_of_several_responses_are_called_by_row_and_response(rows):
    frame = rows.assign(z=rows["x"]).set_index(INDEXES["text"])
    call = "MCMCglmm(cbind(y, z) ~ trait - 1, rcov = ~us(trait):units)"
    residuals = m2s.model(call, frame).sample(**QUICK).residuals().unstack("trait")
    assert residuals.columns.tolist() == ["y", "z"]
    assert set(residuals.index) == set(frame.index)
    assert residuals.loc["r3"].isna().tolist() == [True, False]


def test_rows_of_categories_are_called_by_row_and_category(rows):
    frame = rows.dropna().assign(k=lambda d: pd.cut(d["y"], 3, labels=list("abc")))
    fitted = m2s.model("clm(k ~ 1)", frame).sample(**QUICK).fitted()
    assert fitted.index[:2].tolist() == [(0, "a"), (0, "b")]
