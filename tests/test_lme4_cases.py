"""Calls as users of lme4 write them, on data sets of R, held against lme4 1.1-31.

``lme4_cases.json`` has for each call what R 4.2.2 made of it: the columns of X with their sums and
sums of squares (``getME(m, "X")``), levels, coefficients and non-zero entries of every random term
(``mkReTrms``; independent scalar terms of one factor are counted as one, as here), and estimates of
``lmer``, the best of three optimisers.  ``loglik`` are marginal log-likelihoods at points beside the
optimum, from the Cholesky factor of ``Z'Z`` and again, for up to 400 rows, of the dense V.  ``joint`` are
sums of ``dbinom``, ``dpois`` and so on given effects ``0.1 sin(level + 7 (coefficient - 1) + 13 (term -
1))``, counted from 1, plus their normal density.  Character columns have their levels in the order of
the C locale.  Those with a ``formula`` are ``model.matrix``.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

import mix2stan as m2s
from tests.conftest import FIXTURES, table

CASES = {c["id"]: c for c in json.loads((FIXTURES / "lme4_cases.json").read_text())}
MODELS: dict[str, m2s.Model] = {}


def model_of(case):
    if case["id"] not in MODELS:
        MODELS[case["id"]] = m2s.model(case["call"], {"d": table(case["data"])})
    return MODELS[case["id"]]


def having(key):
    return pytest.mark.parametrize(
        "case", [c for c in CASES.values() if key in c], ids=lambda c: c["id"]
    )


def check_columns(X, want):
    assert list(X.columns) == want["columns"]
    np.testing.assert_allclose(X.sum(), want["sums"], rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose((X**2).sum(), want["squares"], rtol=1e-8)


@having("formula")
def test_the_model_matrix_is_rs(case):
    check_columns(m2s.model_matrix(case["formula"], table(case["data"])), case["X"])


@having("call")
def test_the_design_is_rs(case):
    model = model_of(case)
    check_columns(model.X, case["X"])
    shapes = [
        [len(z.levels), len(z.coefficients), int((abs(z.matrix.data) > 1e-14).sum())]
        for z in model.Z
    ]
    assert shapes == case["Z"]


@having("loglik")
def test_the_marginal_likelihood_is_rs(case):
    for point in case["loglik"]:
        assert model_of(case).loglik(point) == pytest.approx(point["loglik"], rel=1e-8)


@having("joint")
def test_the_joint_density_is_rs(case):
    model = model_of(case)
    u = [
        0.1 * np.sin(np.arange(1, len(z.levels) + 1)[:, None] + 7 * k + 13 * t)
        for t, z in enumerate(model.Z)
        for k in [np.arange(len(z.coefficients))]
    ]
    for point in case["joint"]:
        assert model.loglik({**point, "u": u}) == pytest.approx(point["joint"], rel=1e-8)


@having("reml")
@pytest.mark.parametrize("method", ["reml", "ml"])
def test_estimates_are_rs(case, method):
    found, want = getattr(model_of(case), method)(), case[method]
    assert found.logLik == pytest.approx(want["logLik"], abs=2e-4)
    assert found.sigma() == pytest.approx(want["sigma"], rel=1e-3)
    scale = max(abs(v) for v in want["fixef"].values())
    for name, value in want["fixef"].items():
        assert found.fixef()[name] == pytest.approx(value, rel=1e-3, abs=1e-4 * scale)


@pytest.mark.parametrize(
    "name", "cake-9 ct-6 ct-2 chick-2 sub-ns sub-rows op-2 op-27 op-44 re-29 g-18".split()
)
def test_every_translation_is_the_same_model(name):
    case = CASES[name]
    model = model_of(case)
    for package in ("lme4", "nlme", "glmmTMB", "MCMCglmm", "brms"):
        try:
            text = model.translate(package)
        except m2s.Unsupported:
            continue
        again = m2s.model(text, {"d": table(case["data"])})
        assert m2s.compare(model, again).same, text


@pytest.mark.parametrize(
    ("subset", "match"),
    [
        ("c(1, 1)", "numbers of rows"),
        ("c(-1, 2)", "numbers of rows"),
        ("1:1000", "numbers of rows"),
    ],
)
def test_subsets_that_are_none_are_refused(subset, match):
    with pytest.raises(m2s.FormulaError, match=match):
        m2s.model(f"lm(Reaction ~ Days, d, subset = {subset})", {"d": table("sleepstudy")})


@pytest.mark.parametrize(
    ("formula", "match"),
    [
        ("~ C(Type, contr.treatment(3))", "does not fit"),
        ("~ C(Type, contr.treatment, base = 9)", "one of 4 levels"),
        ("~ C(Type, c(1, 1, 1, 1))", "not independent"),
        ("~ C(Type, contr.sum, base = 2)", "no argument 'base'"),
        ("~ dummy(Type, 'T9')", "no level"),
    ],
)
def test_contrasts_that_are_none_are_refused(formula, match):
    with pytest.raises(m2s.FormulaError, match=match):
        m2s.model_matrix(formula, table("ergoStool"))


def test_contrasts_are_rs():
    """Each against ``model.matrix`` of R 4.2.2 and MASS 7.3-58.2, row by row of four levels."""
    d = table("ergoStool").iloc[:4]
    want = {
        "C(Type, c(-1, 0, 0, 1))": ("123", [[-1, -0.2698, 0.4210], [0, -0.3256, -0.8025]]),
        "C(Type, contr.sdif)": (("2-1", "3-2", "4-3"), [[-0.75, -0.5, -0.25], [0.25, -0.5, -0.25]]),
        "C(Type, poly, 2)": ((".L", ".Q"), [[-0.6708, 0.5], [-0.2236, -0.5]]),
        "C(Type, contr.poly(4, scores = c(1, 2, 4, 8)))": (
            (".L", ".Q", ".C"),
            [[-0.5129, 0.5296, -0.4544], [-0.3264, -0.1059, 0.7951]],
        ),
        "C(Type, matrix(c(1, 2, 3, 4, 1, 0, 0, 0), ncol = 2), 2)": ("12", [[1, 1], [2, 0]]),
    }
    for term, (labels, rows) in want.items():
        X = m2s.model_matrix(f"~ {term}", d).iloc[:2, 1:]
        assert list(X.columns) == [term + label for label in labels]
        np.testing.assert_allclose(X, rows, atol=5e-5)


def test_a_column_that_minus_takes_out_still_drops_rows():
    d = table("column_types")
    kept = m2s.model("lm(cnt ~ . - x - site - treated - g, d)", {"d": d})
    assert len(kept.X) == len(d.dropna())


@pytest.mark.parametrize(
    "call",
    [
        "lmer(rt ~ ns(trial, knots = quantile(trial, c(0.3, 0.7))) + C(item, contr.sdif) + (1 | subj))",
        "lmer(rt ~ cond + relevel(item, 3) + (cond | subj), contrasts = list(cond = contr.sum))",
        "lmer(rt ~ poly(trial, as.numeric(levels(item))[item], degree = 2) + (trial > 5 | subj), "
        "subset = trial != 3)",
    ],
)
def test_what_functions_learnt_holds_for_new_rows(call):
    d = table("trials")
    model = m2s.model(call, d)
    fit = model.sample(chains=2, warmup=20, draws=20, seed=1, engine="stanli")
    rows = model.X.index[:6]
    again = fit.predict(d.loc[rows], summary=True)["mean"]
    np.testing.assert_allclose(again, fit.predict(summary=True)["mean"].iloc[:6])


def test_chains_start_where_the_mean_has_a_value():
    """An effect of the usual size would make 1 / mu negative."""
    call = "glmer(decrease ~ treatment + (1 | rowpos), data = d, family = Gamma(link = 'inverse'))"
    model = m2s.model(call, {"d": table("OrchardSprays")})
    fit = model.sample(chains=2, warmup=20, draws=20, seed=1, engine="stanli")
    assert np.isfinite(fit.summary()["mean"]).all()


def test_nlme_takes_the_subset_of_the_first_data_whatever_they_are_called():
    d = table("sleepstudy")
    call = "lme(Reaction ~ poly(Days, 2), random = ~ 1 | Subject, subset = Days > 2)"
    model = m2s.model(call, {"sleep": d, "other": d.head(3)})
    assert model.data.rows == (d.Days > 2).sum()
    alone = m2s.model(call, d[d.Days > 2].reset_index(drop=True))
    np.testing.assert_array_equal(model.X.to_numpy(), alone.X.to_numpy())


@pytest.mark.parametrize(
    ("call", "fixef", "loglik"),
    [
        (
            "lme(Reaction ~ poly(Days, 2) + scale(z), random = ~ 1 | Subject, data = d, "
            "na.action = na.omit, subset = Days > 0)",
            [299.74627981513, 344.29074794407, 46.15372796881, 1.32218387007],
            -693.72421743,
        ),
        (
            "gls(Reaction ~ poly(Days, 2) + scale(z), data = d, na.action = na.omit, "
            "correlation = corAR1(form = ~ Days | Subject))",
            [294.4453973517, 395.7861855752, 76.9417330820, 1.9287576816],
            -766.290046128,
        ),
    ],
)
def test_functions_learn_from_complete_rows_in_nlme(call, fixef, loglik):
    """REML estimates of nlme 3.1-162."""
    d, i = table("sleepstudy").copy(), np.arange(1, 181)
    d["z"] = np.where((d.Days > 6) & (i % 3 == 0), np.nan, np.sqrt(i % 7))
    d.loc[4, "Reaction"] = np.nan
    found = m2s.model(call, {"d": d}).reml()
    np.testing.assert_allclose(found.fixef(), fixef, rtol=1e-5)
    assert found.logLik == pytest.approx(loglik, abs=1e-5)
