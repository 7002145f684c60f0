"""Hypotheses, shares of variance, shrinkage, marginal means: each against a computation by hand."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

import mix2stan as m2s
from tests.conftest import table
from tests.test_predict import draws_of, fit_call, fit_of, flat

# -- hypotheses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Days > 10", lambda d: d["beta"][:, 1] - 10),
        ("beta[Days] > 10", lambda d: d["beta"][:, 1] - 10),
        ("(Intercept) + 9 * Days > 345", lambda d: d["beta"] @ [1, 9] - 345),
        (
            "sd_Subject[Days] > 0.25 * sigma",
            lambda d: d["sd_Subject"][:, 1] - 0.25 * d["sigma"],
        ),
        (
            "b_Subject[308, Days] > b_Subject[309,Days]",
            lambda d: d["b_Subject"][:, 0, 1] - d["b_Subject"][:, 1, 1],
        ),
        ("0 < cor_Subject[Days, (Intercept)]", None),
        (
            "log(sd_Subject[(Intercept)]^2) - abs(-sigma) > -17",
            lambda d: np.log(d["sd_Subject"][:, 0] ** 2) - d["sigma"] + 17,
        ),
    ],
)
def test_a_hypothesis_has_its_probability(text, value):
    fit = fit_of("slope")
    if value is None:
        name = next(n for n in fit.summary().index if n.startswith("cor_"))
        text = f"0 < {name}"
        difference = -flat(fit, "R_Subject")[:, 1, 0]
    else:
        names = ("beta", "sd_Subject", "b_Subject", "sigma")
        difference = value({n: flat(fit, n) for n in names})
    row = fit.hypothesis(text).loc[text]
    p = np.mean(difference < 0 if "<" in text else difference > 0)
    assert row["probability"] == p
    assert row["evidence_ratio"] == pytest.approx(p / (1 - p) if p < 1 else np.inf)
    assert row["mean"] == pytest.approx(difference.mean(), abs=1e-10)
    assert row["97.5%"] == pytest.approx(np.quantile(difference, 0.975), abs=1e-10)


def test_names_that_are_no_expressions():
    fit = fit_call("sleepstudy", "lmer(Reaction ~ poly(Days, 2) + (1 | Subject))", 50)
    both = fit.hypothesis(["poly(Days, 2)1 > 0", "`poly(Days, 2)2` < 1e6"])
    assert both["probability"].tolist() == [1.0, 1.0]
    assert both["evidence_ratio"].tolist() == [np.inf, np.inf]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Day > 5", "no quantity 'Day'\n.*\n.*\n.*nearest: 'Days'"),
        ("sd_Subject[Dais] > 0", "is no quantity of this fit"),
        ("Days", "compares two quantities"),
        ("Days = 0", "no probability.*\n.*\n *\\^\n.*abs\\(Days\\) < 0.1"),
        ("Days == sigma", "abs\\(Days - \\(sigma\\)\\) < 0.1"),
        ("system(Days) > 1", "is no quantity"),
        ("Days >", "Days"),
    ],
)
def test_what_is_no_hypothesis(text, message):
    with pytest.raises(m2s.FormulaError, match=message):
        fit_of("slope").hypothesis(text)


# -- shares of variance ----------------------------------------------------------------------------


def test_r_squared_is_gelmans():
    fit = fit_of("slope")
    whole = draws_of(fit.predict()).var(axis=1, ddof=1)
    fixed = draws_of(fit.predict(re="population")).var(axis=1, ddof=1)
    total = whole + flat(fit, "sigma") ** 2
    found = fit.bayes_R2()
    assert found.loc["conditional", "mean"] == pytest.approx((whole / total).mean(), rel=1e-10)
    assert found.loc["marginal", "50%"] == pytest.approx(np.median(fixed / total), rel=1e-10)
    fit = fit_of("binomial")
    p, n = draws_of(fit.predict()), table("cbpp")["size"].to_numpy()
    share = p.var(axis=1, ddof=1) / (p.var(axis=1, ddof=1) + (p * (1 - p) / n).mean(axis=1))
    assert fit.bayes_R2().loc["conditional", "mean"] == pytest.approx(share.mean(), rel=1e-10)


def test_shares_of_a_gaussian_response():
    fit = fit_of("slope")
    z = np.column_stack([np.ones(180), table("sleepstudy")["Days"]])
    sd, R = flat(fit, "sd_Subject"), flat(fit, "R_Subject")
    group = np.einsum("ik,skl,il->si", z, R * sd[:, :, None] * sd[:, None, :], z).mean(axis=1)
    fixed = (flat(fit, "beta") @ z.T).var(axis=1, ddof=1)
    residual = flat(fit, "sigma") ** 2
    total = fixed + group + residual
    found = fit.variance_partition()
    assert found.index.tolist() == ["population", "Subject", "residual"]
    assert found.loc["Subject", "variance"] == pytest.approx(group.mean(), rel=1e-10)
    assert found.loc["Subject", "mean"] == pytest.approx((group / total).mean(), rel=1e-10)
    assert found["mean"].sum() == pytest.approx(1)
    same = fit.variance_partition("data")
    np.testing.assert_allclose(same["mean"], found["mean"], rtol=1e-8)


def test_the_latent_variance_of_nakagawa():
    found = fit_of("binomial").variance_partition()
    assert found.loc["residual", "variance"] == pytest.approx(np.pi**2 / 3)
    assert fit_of("probit").variance_partition().loc["residual", "variance"] == 1.0
    fit = fit_of("negative_binomial")
    mean = draws_of(fit.predict(re="integrate"))
    expected = np.log1p(1 / mean + 1 / flat(fit, "shape")[:, None]).mean()
    assert fit.variance_partition().loc["residual", "variance"] == pytest.approx(expected)


def test_shares_of_the_data_by_quadrature():
    fit = fit_of("binomial")
    found = fit.variance_partition("data", draws=2)
    s = [0, 100]
    eta = draws_of(fit.predict(kind="linpred", re="population"))[s]
    sd = flat(fit, "sd_herd")[s]

    def mean(f, at, spread):
        return integrate.quad(
            lambda u: f(special.expit(at + spread * u)) * stats.norm.pdf(u), -9, 9
        )[0]

    moments = np.array(
        [[[mean(f, e, sd[i]) for f in (lambda p: p, np.square)] for e in eta[i]] for i in range(2)]
    )
    group = (moments[..., 1] - moments[..., 0] ** 2).mean(axis=1)
    residual = (moments[..., 0] - moments[..., 1]).mean(axis=1)
    fixed = moments[..., 0].var(axis=1, ddof=1)
    for name, part in {"herd": group, "residual": residual, "population": fixed}.items():
        assert found.loc[name, "variance"] == pytest.approx(part.mean(), rel=1e-4)


def test_terms_of_several_factors_have_their_names():
    found = fit_of("nested").variance_partition()
    assert found.index.tolist() == ["population", "batch", "batch:cask", "residual"]
    poisson = fit_of("units").variance_partition("data", draws=10)
    assert poisson.index[-2:].tolist() == ["interaction", "residual"]
    assert poisson["mean"].sum() == pytest.approx(1)


# -- shrinkage -------------------------------------------------------------------------------------


def test_the_lectures_formula():
    data = table("sct").dropna(subset=["SCT"])
    fit = fit_call("sct", "lmer(SCT ~ 1 + (1 | line))", 500)
    found = fit.shrinkage()
    groups = data.groupby("line", observed=True)["SCT"]
    raw = groups.mean()
    n = groups.size()
    found = found.droplevel(["group", "effect"]).loc[raw.index]
    np.testing.assert_allclose(found["raw"], raw, rtol=1e-12)
    np.testing.assert_array_equal(found["n"], n)
    within = np.mean(flat(fit, "sigma") ** 2)
    between = np.mean(flat(fit, "sd_line") ** 2)
    overall = fit.fixef()["(Intercept)"]
    blup = (n / within * raw + overall / between) / (n / within + 1 / between)
    np.testing.assert_allclose(found["formula"], blup, rtol=1e-10)
    np.testing.assert_allclose(found["mean"], fit.coef()["(Intercept)"].to_numpy(), rtol=1e-10)
    # the posterior mean is the formula's, averaged over the variances
    assert np.abs(found["mean"] - found["formula"]).max() < 0.3 * found["sd"].max()
    assert (np.abs(found["formula"] - overall) <= np.abs(raw - overall)).all()


def test_shrinkage_of_lines():
    fit = fit_of("slope")
    found = fit.shrinkage().loc[("Subject", "308")]
    data = table("sleepstudy")
    mine = data[data["Subject"] == "308"]
    slope, intercept = np.polyfit(mine["Days"], mine["Reaction"], 1)
    np.testing.assert_allclose(found["raw"], [intercept, slope], rtol=1e-9)
    assert found.loc["Days", "pooled"] == pytest.approx(fit.fixef()["Days"])
    assert found.loc["Days", "mean"] == pytest.approx(
        fit.coef().loc[("Subject", "308"), "Days"], rel=1e-10
    )


def test_shrinkage_is_of_gaussian_responses():
    with pytest.raises(m2s.Unsupported, match="Gaussian"):
        fit_of("binomial").shrinkage()
    with pytest.raises(m2s.Mix2stanError, match="no group effects"):
        fit_of("mean").shrinkage()


# -- reference grids -------------------------------------------------------------------------------


def test_marginal_means_weigh_levels_equally():
    fit = fit_of("factors")
    beta = dict(zip(fit.labels.coefficients, flat(fit, "beta").T, strict=True))
    tarsus = fit.schema.raw()["tarsus"].mean()
    names = {"wt": "genotypewt", "30": "temp30"}
    base = beta["(Intercept)"] + tarsus * beta["tarsus"]
    wt = base + beta[names["wt"]]
    expected = wt + (beta[names["30"]] + beta["genotypewt:temp30"]) / 2
    found = fit.marginal_means("genotype")
    assert found.loc["wt", "mean"] == pytest.approx(expected.mean(), rel=1e-10)
    both = fit.marginal_means("genotype", by="temp")
    assert both.index.names == ["temp", "genotype"]
    assert both.loc[("25", "wt"), "mean"] == pytest.approx(wt.mean(), rel=1e-10)
    at = fit.marginal_means("genotype", at={"tarsus": [0.0], "temp": ["25"]})
    assert at.loc["Dll", "mean"] == pytest.approx(beta["(Intercept)"].mean(), rel=1e-10)


def test_comparisons_of_levels_and_numbers():
    fit = fit_of("factors")
    beta = dict(zip(fit.labels.coefficients, flat(fit, "beta").T, strict=True))
    found = fit.comparisons("genotype", by="temp")
    assert found.index.tolist() == [("25", "wt - Dll"), ("30", "wt - Dll")]
    hot = beta["genotypewt"] + beta["genotypewt:temp30"]
    assert found.loc[("30", "wt - Dll"), "mean"] == pytest.approx(hot.mean(), rel=1e-9)
    assert fit.comparisons("tarsus").loc["+1", "mean"] == pytest.approx(
        beta["tarsus"].mean(), rel=1e-9
    )
    fit = fit_of("binomial")
    pairs = fit.comparisons("period")
    assert len(pairs) == 6
    eta = flat(fit, "beta")
    gap = special.expit(eta[:, 0] + eta[:, 2]) - special.expit(eta[:, 0] + eta[:, 1])
    assert pairs.loc["3 - 2", "mean"] == pytest.approx(gap.mean(), rel=1e-9)


def test_slopes_are_derivatives():
    call = "glmer(TICKS ~ YEAR * cHEIGHT + (1 | LOCATION), family = poisson)"
    fit = fit_call("grouseticks", call, 50)
    beta = dict(zip(fit.labels.coefficients, flat(fit, "beta").T, strict=True))
    height = fit.schema.raw()["cHEIGHT"].mean()
    slope = beta["cHEIGHT"] + beta["YEAR96:cHEIGHT"]
    mean = np.exp(beta["(Intercept)"] + beta["YEAR96"] + slope * height)
    found = fit.slopes("cHEIGHT", by="YEAR")
    assert found.loc[("96", "cHEIGHT"), "mean"] == pytest.approx((slope * mean).mean(), rel=1e-6)
    with pytest.raises(m2s.Mix2stanError, match="a factor, which has no slope"):
        fit.slopes("YEAR")
    with pytest.raises(m2s.Mix2stanError, match="no variable 'HEIGHT'"):
        fit.slopes("HEIGHT")


def test_a_number_made_a_factor_has_its_values_in_the_grid():
    fit = fit_call("sleepstudy", "lmer(Reaction ~ factor(Days) + (1 | Subject))", 20)
    found = fit.marginal_means("Days")
    assert found.index.tolist() == list(range(10))
    curve = fit_call("sleepstudy", "lmer(Reaction ~ poly(Days, 2) + (1 | Subject))", 50)
    at = curve.comparisons("Days", at={"Days": [0.0, 9.0]})
    ends = curve.predict(pd.DataFrame({"Days": [0.0, 9.0]}), re="population")
    assert at.loc["9 - 0", "mean"] == pytest.approx(float(ends.diff("obs").mean()), rel=1e-9)


@functools.cache
def with_an_empty_cell(call):
    """Crossed factors, no row in a2:b3, and the cell means by hand."""
    rng = np.random.default_rng(7)
    df = pd.DataFrame({"a": np.tile(["a1", "a2"], 60), "b": np.repeat(["b1", "b2", "b3"], 40)})
    df = df.assign(x=rng.normal(size=120), t=np.arange(120) // 2 % 2, g=list("pqrs") * 30)
    df = df[~((df["a"] == "a2") & (df["b"] == "b3"))].reset_index(drop=True)
    df["y"] = rng.normal(size=len(df)) + 2 * df["x"]
    df["n"] = rng.poisson(3, len(df))
    df["r"] = pd.Categorical(rng.integers(1, 4, len(df)), ordered=True)
    df["c"] = np.array(list("uvw"))[rng.integers(0, 3, len(df))]
    fit = m2s.model(call, df, prior="flat" if call.startswith("lm(") else None).sample(
        chains=2, warmup=100, draws=50, seed=1, engine="stanli"
    )
    return fit, df


CELL = pd.DataFrame({"a": ["a1", "a2"], "b": ["b3", "b3"], "x": 0.5, "t": 0, "g": "p"})


@pytest.mark.parametrize(
    "call",
    [
        "lm(y ~ a * b + x)",
        "lm(y ~ a:b + x)",
        "lm(y ~ 0 + b:a + x)",
        "lmer(y ~ a * b + x + (1 | g))",
        "glm(n ~ a * b + x, family = poisson)",
        "clm(r ~ a * b + x)",
        "clm(r ~ 0 + a:b + x)",
        "brm(c ~ a * b + x, family = categorical())",
        "glmmTMB(n ~ x, ziformula = ~ a * b, family = poisson)",
    ],
)
def test_a_combination_without_data_has_no_prediction(call):
    fit, df = with_an_empty_cell(call)
    for kind in ("linpred", "epred", "response"):
        found = fit.predict(CELL, kind, seed=1).values
        assert np.isfinite(found[:, :, 0]).all()
        # zeros of their own are no part of the predictor of the mean
        known = "ziformula" in call and kind == "linpred"
        assert (np.isfinite if known else np.isnan)(found[:, :, 1]).all()
    rows = df.head(20)
    fitted = fit.predict(rows, re="population").values
    np.testing.assert_allclose(fitted, fit.predict(re="population").values[:, :, :20], rtol=1e-9)


def test_means_of_combinations_with_data_are_had():
    """emmeans gives these cells, and nonEst for the other."""
    fit, df = with_an_empty_cell("lm(y ~ a * b + x)")
    least = np.linalg.lstsq(
        np.column_stack([*((df["a"] + df["b"]) == c for c in CELLS), df["x"]]).astype(float),
        df["y"],
        rcond=None,
    )[0]
    means = dict(zip(CELLS, least[:-1] + least[-1] * df["x"].mean(), strict=True))
    table = fit.marginal_means("a", by="b")["mean"]
    for cell, value in means.items():
        assert table[cell[2:], cell[:2]] == pytest.approx(value, abs=0.15)
    assert table.isna().tolist() == [False] * 5 + [True]
    some = fit.marginal_means("a", at={"b": ["b1", "b2"]})["mean"]
    assert some["a2"] == pytest.approx((table["b1", "a2"] + table["b2", "a2"]) / 2)
    assert fit.marginal_means("a")["mean"].isna().tolist() == [False, True]
    assert fit.marginal_means("b", at={"a": "a1"})["mean"].notna().all()
    gaps = fit.comparisons("a", by="b")["mean"]
    assert gaps["b2", "a2 - a1"] == pytest.approx(table["b2", "a2"] - table["b2", "a1"])
    assert gaps.isna().tolist() == [False, False, True]
    # a difference may be told where neither mean is
    slope = flat(fit, "beta")[:, list(fit.labels.coefficients).index("x")].mean()
    for found in (fit.slopes("x"), fit.slopes("x", by=["a", "b"]), fit.comparisons("x", by="a")):
        np.testing.assert_allclose(found["mean"], slope, rtol=1e-6)
    poisson, _ = with_an_empty_cell("glm(n ~ a * b + x, family = poisson)")
    assert poisson.slopes("x", by=["a", "b"])["mean"].isna().tolist() == [False] * 5 + [True]


CELLS = ["a1b1", "a2b1", "a1b2", "a2b2", "a1b3"]


def test_a_number_of_few_values_has_rows_of_its_own():
    fit, _ = with_an_empty_cell("lm(y ~ x * t + a)")
    beta = dict(zip(fit.labels.coefficients, flat(fit, "beta").T, strict=True))
    found = fit.slopes("x", by="t")["mean"]
    assert [key[0] for key in found.index] == [0, 1]
    np.testing.assert_allclose(
        found, [beta["x"].mean(), (beta["x"] + beta["x:t"]).mean()], rtol=1e-6
    )
    assert len(fit.comparisons("a", by="t")) == 2
    assert fit.marginal_means("t").index.tolist() == [0, 1]
    assert len(fit.marginal_means("x")) == 1
    one = fit.marginal_means("a", at={"t": 1, "x": 0.0})
    pd.testing.assert_frame_equal(one, fit.marginal_means("a", at={"t": [1], "x": np.zeros(1)}))
    with pytest.raises(m2s.Mix2stanError, match="no value of t"):
        fit.slopes("x", at={"t": []})
