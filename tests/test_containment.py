"""Error structures within others: anova() tests them as R does, and no others."""

from __future__ import annotations

import pytest

import mix2stan as m2s
from tests.conftest import table

ORTHODONT = table("Orthodont").assign(t=lambda d: (d.age - 6) / 2)
CALLS = {
    "squid": ("gls(Testisweight ~ DML, d{})", table("squid")),
    "birds": ("gls(Birds ~ Rainfall + Year, d{})", table("birds")),
    "orthodont": ("gls(distance ~ age, d{})", ORTHODONT),
}

# the ratio and its p as anova() of nlme 3.1-162 has them
NESTED = (
    ("squid", "weights = varPower(form = ~DML)", "weights = varPower(form = ~DML | fMONTH)", 73.07252, 3.17109e-11),
    ("squid", "weights = varPower(form = ~DML)", "weights = varConstPower(form = ~DML)", 3.339977, 0.06761555),
    ("squid", "weights = varIdent(form = ~1 | fMONTH)",
     "weights = varComb(varIdent(form = ~1 | fMONTH), varExp(form = ~DML))", 129.6688, 4.84175e-30),
    ("squid", "weights = varExp(form = ~DML)",
     "weights = varComb(varIdent(form = ~1 | fMONTH), varExp(form = ~DML))", 71.08308, 7.600901e-11),
    ("squid", "weights = varFixed(~DML)", "weights = varPower(form = ~DML)", 22.51296, 2.08731e-06),
    ("birds", "correlation = corAR1(form = ~Year)", "correlation = corARMA(form = ~Year, p = 1, q = 1)", 0.4324262, 0.5108009),
    ("birds", "correlation = corAR1(form = ~Year)", "correlation = corARMA(form = ~Year, p = 2)", 0.2361591, 0.6269941),
    ("birds", "correlation = corCAR1(form = ~Year)", "correlation = corExp(form = ~Year, nugget = TRUE)", 0.4324262, 0.5108009),
    ("orthodont", "correlation = corCompSymm(form = ~1 | Subject)", "correlation = corSymm(form = ~1 | Subject)", 7.519917, 0.1847543),
    ("orthodont", "correlation = corAR1(form = ~t | Subject)", "correlation = corSymm(form = ~t | Subject)", 18.35291, 0.00253513),
    ("orthodont", "correlation = NULL",
     "correlation = corSymm(form = ~t | Subject), weights = varIdent(form = ~1 | age)", 73.86925, 2.641382e-12),
    ("orthodont", "correlation = corAR1(.5, form = ~t | Subject, fixed = TRUE)", "correlation = corAR1(form = ~t | Subject)", 6.23742, 0.01250786),
)  # fmt: skip


@pytest.mark.parametrize("name, small, large, ratio, p", NESTED)
def test_nested_errors_are_tested_as_in_r(name, small, large, ratio, p):
    call, data = CALLS[name]
    models = (m2s.model(call.format(f", {errors}"), {"d": data}) for errors in (small, large))
    found = m2s.anova(*models)
    assert found.notes == ()
    assert found.table["Chisq"].iloc[1] == pytest.approx(ratio, rel=1e-4)
    assert found.table["Pr(>Chisq)"].iloc[1] == pytest.approx(p, rel=2e-3)


APART = (
    ("squid", "weights = varExp(form = ~DML)", "weights = varPower(form = ~DML | fMONTH)"),
    ("squid", "weights = varPower(form = ~DML)", "weights = varIdent(form = ~1 | fMONTH)"),
    (
        "orthodont",
        "correlation = corAR1(form = ~t | Subject)",
        "correlation = corCompSymm(form = ~1 | Subject), weights = varIdent(form = ~1 | age)",
    ),
)


@pytest.mark.parametrize("name, small, large", APART)
def test_others_are_not(name, small, large):
    call, data = CALLS[name]
    models = (m2s.model(call.format(f", {errors}"), {"d": data}) for errors in (small, large))
    (note,) = m2s.anova(*models).notes
    assert "does not contain" in note
