"""What the data cannot tell is not estimated: no number, no standard error, no test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s
from tests.conftest import table

RNG = np.random.default_rng(3)
N, J = 60, 10
DATA = pd.DataFrame({"g": np.repeat([f"g{i}" for i in range(J)], N // J), "x": RNG.normal(size=N)})
DATA["y"] = 1 + 2 * DATA["x"] + np.repeat(RNG.normal(size=J), N // J) + RNG.normal(size=N)
DATA = DATA.assign(
    single="a",
    row=[f"r{i}" for i in range(N)],
    h=DATA["g"].str.upper(),
    half=np.where(DATA["g"] < "g5", "p", "q"),
    f=np.tile(list("abc"), N // 3),
    time=np.arange(N),
    t=np.tile(np.arange(N // J), J),
    far=2e5 + 3 * DATA["x"],
)

#: What is not identified, by the names of the estimates.
UNKNOWN = {
    "lmer(y ~ g + (1 | g))": {"sd_g[(Intercept)]"},
    "lmer(y ~ g * x + (x | g))": {"sd_g[(Intercept)]", "sd_g[x]", "cor_g[(Intercept), x]"},
    "lmer(y ~ g + (x | g))": {"sd_g[(Intercept)]", "cor_g[(Intercept), x]"},
    "lmer(y ~ f + (1 | f) + (1 | g))": {"sd_f[(Intercept)]"},
    "lmer(y ~ half + (1 | half / g))": {"sd_half[(Intercept)]"},
    "lmer(y ~ x + (1 | single))": {"sd_single[(Intercept)]"},
    "lmer(y ~ x + (1 | row))": {"sd_row[(Intercept)]", "sigma"},
    "lmer(y ~ x + (1 | g) + (1 | h))": {"sd_g[(Intercept)]", "sd_h[(Intercept)]"},
    "lmer(y ~ x + (1 | g) + (1 | g:half))": {"sd_g[(Intercept)]", "sd_g_half[(Intercept)]"},
    "glmmTMB(y ~ x + diag(0 + factor(t) | g))": {
        *(f"sd_g[factor(t){i}]" for i in range(N // J)),
        "sigma",
    },
    "gls(y ~ x, correlation = corCompSymm(form = ~time))": {"corCompSymm rho"},
    "gls(y ~ g, correlation = corCompSymm(form = ~1 | g))": {"corCompSymm rho"},
    "lme(y ~ x, random = ~1 | g, correlation = corCompSymm(form = ~1 | g))": {
        "sd_g[(Intercept)]",
        "corCompSymm rho",
        "sigma",
    },
}

#: Models that look like these, and of which everything is identified.
KNOWN = [
    "lmer(y ~ x + (x | g))",
    "lmer(y ~ far + (far | g))",
    "lmer(y ~ f + (f | g))",
    "lmer(y ~ g + x + (0 + x | g))",
    "lmer(y ~ 0 + x + (1 | single))",
    "lmer(y ~ x + (1 | half / g))",
    "lmer(y ~ x + (1 | f) + (1 | g) + (1 | f:g))",
    "gls(y ~ 0 + x, correlation = corCompSymm(form = ~time))",
    "gls(y ~ x, correlation = corCompSymm(form = ~1 | g))",
    "gls(y ~ x, correlation = corAR1(form = ~time))",
    "gls(y ~ factor(t), correlation = corSymm(form = ~t | g), weights = varIdent(form = ~1 | t))",
    "lme(y ~ x, random = ~1 | row, correlation = corAR1(form = ~t | g))",
    "lme(y ~ x, random = ~1 | g, weights = varIdent(form = ~1 | g))",
    "glmmTMB(y ~ x + ar1(0 + factor(t) | g))",
    "glmmTMB(y ~ x + rr(0 + factor(t) | g, 2))",
    "glmer(abs(round(y)) ~ x + (1 | row), family = poisson)",
]


@pytest.mark.parametrize("call", UNKNOWN)
def test_what_the_data_cannot_tell_has_no_estimate(call):
    model = m2s.model(call, DATA)
    assert any("not identified" in note for note in model.notes)
    assert "not identified" in model.explain().section("Be careful")
    found = model.reml("stanli")
    assert np.isfinite(found.logLik)
    assert set(found.values.index[found.values.isna()]) >= UNKNOWN[call]
    names = {name for finding in found.unidentified for name in finding.names}
    assert names == UNKNOWN[call]
    assert "not identified" in str(found)
    assert "not identified" in found._repr_html_()


@pytest.mark.parametrize("call", KNOWN)
def test_what_they_can_tell_is_no_matter_of_remark(call):
    assert not any("not identified" in note for note in m2s.model(call, DATA).notes)


def test_standard_errors_that_depend_on_it_are_left_out_and_others_stay():
    found = m2s.model("lmer(y ~ f + x + (1 | f))", DATA).reml("stanli")
    plain = m2s.model("lm(y ~ f + x)", DATA).reml("stanli")
    assert found.standard_errors.isna().tolist() == [True, True, True, False]
    assert found.standard_errors["x"] == pytest.approx(plain.standard_errors["x"], rel=1e-6)
    np.testing.assert_allclose(found.fixef(), plain.fixef(), rtol=1e-6)
    # the likelihood, and AIC, are those of the model without what is not there
    assert (found.logLik, found.AIC) == pytest.approx((plain.logLik, plain.AIC), abs=1e-6)


def test_a_correlation_of_all_errors_stays_at_zero_as_in_nlme():
    """gls() of nlme 3.1-162 prints sigma 1.7809 of the birds, and rho where it starts."""
    call = "gls(Birds ~ Rainfall + Year, correlation = corCompSymm(form = ~ Year), na.action = na.omit)"
    model = m2s.model(call, table("birds"))
    found = model.reml("stanli")
    assert found.sigma() == pytest.approx(1.780863, abs=1e-5)
    assert found.residual().isna().all()
    with pytest.raises(m2s.Unsupported, match="unbounded"):
        model.ml("stanli")


SAME = DATA.assign(
    y=DATA.groupby("g")["y"].transform("mean"), x=DATA.groupby("g")["x"].transform("mean")
)
NOTHING = {
    "lmer(y ~ x + (1 | g))": (SAME, "fit the response exactly"),
    "lmer(y ~ x + (x | g))": (SAME, "fit the response exactly"),
    "lmer(y ~ f + (1 | g))": (DATA.assign(y=2.0), "response is constant"),
    "lm(y ~ 1)": (DATA.assign(y=0.1), "response is constant"),
    "lm(y ~ x)": (DATA.assign(y=1 + 2 * DATA["x"]), "coefficients fit the response exactly"),
    "lm(y ~ row)": (DATA, "60 observations for 60 coefficients"),
    "lmer(y ~ x + (1 | f))": (DATA[:2], "2 observations for 2 coefficients"),
    "gls(y ~ x, correlation = corAR1(form = ~t | g))": (DATA.assign(y=3.0), "constant"),
}


@pytest.mark.parametrize("method", ["ml", "reml"])
@pytest.mark.parametrize("call", NOTHING)
def test_a_likelihood_without_a_maximum_is_refused(call, method):
    data, why = NOTHING[call]
    model = m2s.model(call, data)
    with pytest.raises(m2s.Unsupported, match=why):
        getattr(model, method)("stanli")
    assert any(why in note for note in model.notes)


@pytest.mark.parametrize(
    "call",
    [
        "gls(y ~ x, correlation = corCompSymm(form = ~time))",
        "gls(y ~ g, correlation = corCompSymm(form = ~1 | g))",
        # three blocks of five errors that correlate freely
        "gls(y ~ x, correlation = corSymm(form = ~place | third))",
    ],
)
def test_a_climb_that_has_no_top_is_refused(call):
    data = DATA.assign(place=np.tile(np.arange(5), 12), third=np.repeat(range(12), 5))
    data = data[data["third"] < 3] if "third" in call else data
    with pytest.raises(m2s.Unsupported, match="unbounded"):
        m2s.model(call, data).ml("stanli")


def test_a_response_far_from_zero_still_has_errors():
    data = DATA.assign(y=1e9 + 1e-3 * DATA["y"])
    model = m2s.model("lmer(y ~ x + (1 | g))", data)
    assert model.notes == ()
    sigma = m2s.model("lmer(y ~ x + (1 | g))", DATA).reml("stanli").sigma()
    assert model.reml("stanli").sigma() == pytest.approx(1e-3 * sigma, rel=1e-3)


def test_nothing_is_tested_or_held_that_is_not_identified():
    small = m2s.model("lmer(y ~ x + (1 | g))", DATA)
    large = m2s.model("lmer(y ~ x + (1 | g) + (1 | h))", DATA)
    found = m2s.anova(small, large)
    assert found.table["AIC"].isna().tolist() == [False, True]
    assert found.table["Chisq"].isna().all()
    assert "model 2 has no AIC and no test: sd_g" in str(found)
    profile = large.profile()
    assert profile.limits.isna().all(axis=1).sum() == 2
    assert "not identified" in str(profile)
    with pytest.raises(m2s.Unsupported, match="no interval of sd_h"):
        large.profile(["sd_h[(Intercept)]"])
    boot = large.bootstrap(2, seed=1)
    assert boot.intervals().isna().all(axis=1).sum() == 2
    assert "not identified" in str(boot)


def test_parameters_without_a_profile_are_said(caplog):
    model = m2s.model("gls(y ~ x, correlation = corAR1(form = ~t | g))", DATA)
    limits = model.confint()
    assert limits.loc["corAR1 phi"].isna().all()
    assert "no profile of corAR1 phi" in caplog.text
    assert "bootstrap" in caplog.text


def test_anova_says_what_it_compares():
    model = m2s.model("lm(y ~ x)", DATA)
    for given in ((model.ml("stanli"), model.reml("stanli")), (model, 3), ("a", "b")):
        with pytest.raises(m2s.Mix2stanError, match="compares models"):
            m2s.anova(*given)


#: BIC, and the first standard error of summary(), of nlme 3.1-162, lme4 1.1-31 and lm().
SUMMARIES = {
    "gls(Reaction ~ Days, correlation = corAR1(form = ~Days | Subject))": (
        (1759.93315, 11.250640),
        (1768.88564, 11.033532),
    ),
    "lme(Reaction ~ Days, random = ~1 | Subject)": (
        (1807.19222, 9.7467163),
        (1814.85047, 9.559442),
    ),
    "lmer(Reaction ~ Days + (1 | Subject))": ((1807.23691, 9.7467163), (1814.85047, 9.5061852)),
    "lm(Reaction ~ Days)": ((None, 6.610154), (1915.872, 6.610154)),
}


@pytest.mark.parametrize("call", SUMMARIES)
def test_bic_and_standard_errors_are_those_of_the_summary(call):
    model = m2s.model(call, table("sleepstudy"))
    found = (model.reml("stanli"), model.ml("stanli"))
    for fit, (bic, error) in zip(found, SUMMARIES[call], strict=True):
        if bic is not None:
            assert pytest.approx(bic, abs=1e-3) == fit.BIC
        assert fit.standard_errors.iloc[0] == pytest.approx(error, rel=1e-5)
