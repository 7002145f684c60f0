"""Model matrices, held against R's."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s
from tests.conftest import FIXTURES, table

DESIGN = json.loads((FIXTURES / "design.json").read_text())
GAUSSIAN = json.loads((FIXTURES / "gaussian.json").read_text())
CALLS = [(c, dialect) for c in GAUSSIAN for dialect in c["calls"]]


@pytest.mark.parametrize("case", DESIGN, ids=lambda c: c["id"])
def test_the_matrix_is_rs(case):
    want = case["model_matrix"]["X"]
    got = m2s.model_matrix(case["formula"], table(case["data"]), case.get("contrasts") or None)
    assert list(got.columns) == want["columns"]
    np.testing.assert_allclose(got.to_numpy(), np.array(want["matrix"], dtype=float), atol=1e-8)


@pytest.mark.parametrize(
    ("case", "dialect"), CALLS, ids=lambda p: p if isinstance(p, str) else p["id"]
)
def test_the_design_of_a_call_is_rs(case, dialect):
    model = m2s.model(case["calls"][dialect], {"d": table(case["data"])})
    want = case["model_matrix"]["X"]
    assert list(model.X.columns) == want["columns"]
    np.testing.assert_allclose(model.X.sum(), want["col_sums"], rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose((model.X**2).sum(), want["col_sumsq"], rtol=1e-8)
    random = case["model_matrix"].get("Z") or []
    nonzero = sorted(int((abs(z.matrix.data) > 1e-14).sum()) for z in model.Z)
    assert nonzero == sorted(w.get("nnz", w.get("nonzero")) for w in random)
    if dialect != "nlme":  # which writes a:b as effects of a within b
        shapes = sorted((len(z.levels), len(z.coefficients)) for z in model.Z)
        assert shapes == sorted((w["levels"], len(w["coefficients"])) for w in random)


def test_missing_rows_are_dropped_and_counted():
    df = table("sleepstudy").copy()
    df.loc[[3, 7], "Days"] = np.nan
    model = m2s.model("lmer(Reaction ~ Days + (1 | Subject))", df)
    assert len(model.X) == 178
    assert 3 not in model.X.index
    assert "2 rows with missing values dropped" in model.notes
    with pytest.raises(m2s.Mix2stanError, match="missing"):
        m2s.model("lmer(Reaction ~ Days + (1 | Subject), na.action = na.fail)", df)


def test_dependent_columns_are_dropped_by_name():
    df = table("sleepstudy").assign(twice=lambda d: 2 * d["Days"])
    model = m2s.model("lmer(Reaction ~ Days + twice + (1 | Subject))", df)
    assert list(model.X.columns) == ["(Intercept)", "Days"]
    assert any("twice" in note for note in model.notes)


def test_rows_are_chosen_and_made_by_the_safe_verbs():
    df = table("sleepstudy")
    model = m2s.model("lmer(Reaction ~ Days + (1 | Subject), data = d, subset = Days > 1)", df)
    assert len(model.X) == 144
    text = "lm(r ~ week, data = transform(subset(d, Days < 8), r = log(Reaction), week = Days / 7))"
    made = m2s.model(text, {"d": df})
    assert len(made.X) == 144
    np.testing.assert_allclose(made.X["week"], df["Days"][df["Days"] < 8] / 7)
    np.testing.assert_allclose(
        made._compiled.data.vector(made.meaning.response.expression),
        np.log(df["Reaction"][df["Days"] < 8]),
    )


def test_level_order_of_combinations_follows_the_package():
    df = pd.DataFrame({"y": np.arange(4.0), "a": list("xxyy"), "b": list("uvuv")})
    lme4, mcmc = (
        m2s.model(t, df).Z[0] for t in ("lmer(y ~ 1 + (1 | a:b))", "MCMCglmm(y ~ 1, random = ~a:b)")
    )
    assert lme4.levels == ("x:u", "x:v", "y:u", "y:v")
    assert mcmc.levels == ("x:u", "y:u", "x:v", "y:v")


def test_numbers_group_as_factors_and_booleans_are_coded():
    df = pd.DataFrame({"y": np.arange(6.0), "g": [10, 9, 10, 9, 2, 2], "ok": [True, False] * 3})
    model = m2s.model("lmer(y ~ ok + (1 | g))", df)
    assert model.Z[0].levels == ("2", "9", "10")
    assert list(model.X.columns) == ["(Intercept)", "okTRUE"]


ODD = ["x; target += 1e9", "};", "größe", "real", "y", "x" * 200, "a b", "1st", "__y__", "if"]


@pytest.mark.parametrize("name", ODD)
def test_columns_can_be_called_anything(name, stanli):
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"out": rng.normal(size=30), name: [f"l{i % 5}" for i in range(30)]})
    quoted = "`" + name + "`"
    model = m2s.model(f"lmer(out ~ 1 + (1 | {quoted}))", df)
    draws = model.sample(chains=1, warmup=50, draws=20, seed=1, engine="stanli")
    code = [line.split("//")[0] for line in model.stan_code.splitlines()]
    assert not any("+= 1e9" in line or "größe" in line for line in code)
    group = model.labels.groups[0]
    assert group.levels == ("l0", "l1", "l2", "l3", "l4")
    assert draws.ranef().index.get_level_values("effect").unique().tolist() == ["(Intercept)"]
    numeric = m2s.model(f"lm(out ~ {quoted})", df.assign(**{name: rng.normal(size=30)}))
    fit = numeric.sample(chains=1, warmup=50, draws=20, seed=1, engine="stanli")
    assert fit.fixef().index[0] == "(Intercept)"
    assert name in fit.fixef().index[1].replace("`", "")


def test_a_name_of_several_lines_stays_out_of_the_program():
    df = pd.DataFrame({"y": [1.0, 2, 4], "a\n} model { target += 1e9;": [0.0, 1, 5]})
    model = m2s.model("lm(y ~ .)", df)
    assert "1e9" not in model.stan_code
    assert len(model.X.columns) == 2


ROWS = pd.DataFrame(
    {
        "y": np.arange(8.0) ** 2,
        "x": [0.15, 0.25, 0.35, 0.45, 0.55, 0.65, -0.15, -0.35],
        "f": [*"abcdabcd"],
    }
)
VALUES = {
    "round(x, 1)": [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, -0.1, -0.3],
    "as.numeric(f == c('a', 'b'))": [1, 1, 0, 0, 1, 1, 0, 0],
    "ifelse(f == c('a', 'c'), c(5, 6), 0)": [5, 0, 0, 0, 5, 0, 0, 0],
    "pmax(x, c(0, 1))": [0.15, 1, 0.35, 1, 0.55, 1, 0, 1],
    "pmin(x, 0.3, na.rm = TRUE)": [0.15, 0.25, 0.3, 0.3, 0.3, 0.3, -0.15, -0.35],
    "x * c(0, 1)": [0, 0.25, 0, 0.45, 0, 0.65, 0, -0.35],
    "as.numeric(x > 0 & c(TRUE, FALSE))": [1, 0, 1, 0, 1, 0, 0, 0],
    "rep(1:2, 8, 8)": [1, 2, 1, 2, 1, 2, 1, 2],
}


@pytest.mark.parametrize("text", VALUES)
def test_functions_have_the_values_of_r(text):
    values = m2s.model_matrix(f"~ 0 + I({text})", ROWS).to_numpy()[:, 0]
    np.testing.assert_array_equal(values, VALUES[text])


def test_values_that_a_factor_excludes_are_missing():
    model = m2s.model("lm(y ~ factor(f, excl = 'b'), d)", {"d": ROWS})
    assert (len(model.X), model.X.shape[1]) == (6, 3)
    named = m2s.model(
        "lm(y ~ factor(f, c('d', 'c', 'b'), c('D', 'C'), exclude = 'b'), d)", {"d": ROWS}
    )
    assert list(named.X.iloc[:, 1]) == [1, 0, 1, 0]


def test_what_multinom_does_to_fit_is_allowed():
    assert m2s.model("multinom(f ~ x, d, trace = FALSE, maxit = 9, Hess = TRUE)", {"d": ROWS})
    with pytest.raises(m2s.Unsupported, match="decay"):
        m2s.model("multinom(f ~ x, d, decay = 1)", {"d": ROWS})
