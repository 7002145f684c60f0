"""Calls as users of nlme write them, on its own data sets, held against nlme 3.1-162.

``nlme_cases.json`` has for each call what R 4.2.2 made of it: the columns of X with their sums and sums of
squares, and the restricted and the full log-likelihood at their tops.  ``point`` are the estimates of
REML, as nlme's own accessors give them, and ``loglik`` the marginal log-likelihood there, from a dense V
put together of ``pdMatrix``, ``varWeights`` and ``corMatrix``; at the estimates of ML the same sum is
nlme's ``logLik`` to 1e-12.  Calls where nlme's optimiser stops early are not among them.  Where
``sigma_is_free`` the errors have a parameter too many, and any sigma has the same likelihood.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

import mix2stan as m2s
from tests.conftest import FIXTURES, table

CASES = json.loads((FIXTURES / "nlme_cases.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_design_likelihood_and_estimates_are_nlmes(case):
    model = m2s.model(case["call"], {"d": table(case["data"])})
    X, want = model.X, case["X"]
    assert list(X.columns) == want["columns"]
    np.testing.assert_allclose(X.sum(), want["sums"], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose((X**2).sum(), want["squares"], rtol=1e-7)
    point = case["point"]
    assert model.loglik(point) == pytest.approx(case["loglik"], rel=1e-8, abs=1e-7)
    found = model.reml()
    assert found.logLik == pytest.approx(case["logLik"]["reml"], abs=2e-4)
    assert model.ml().logLik == pytest.approx(case["logLik"]["ml"], abs=2e-4)
    beta = found.fixef()
    # a coefficient beside a random effect of the same levels has no standard error
    slack = 5e-3 * found.standard_errors.fillna(1e-3) + 1e-5 * abs(beta)
    assert (abs(beta - [point["beta"][name] for name in beta.index]) <= slack).all()
    if not case.get("sigma_is_free"):
        assert found.sigma() == pytest.approx(point["residual"]["sigma"], rel=5e-3)


def test_every_structure_is_held():
    from mix2stan.residuals import CORRELATIONS, VARIANCES

    calls = " ".join(c["call"] for c in CASES)
    classes = "pdSymm pdLogChol pdNatural pdDiag pdIdent pdCompSymm pdBlocked varComb".split()
    assert [c for c in (*classes, *CORRELATIONS, *VARIANCES) if f"{c}(" not in calls] == []


@pytest.mark.parametrize(
    ("random", "hint"),
    [
        ("~ age", "write ~ 1 | age if age is the group, else ~ age | g"),
        ("~ age + Sex", "write ~ age + Sex | g"),
        ("~ age || Subject", "list(Subject = pdDiag(~ age))"),
        ("pdSymm(~ age | Subject)", "write random = list(Subject = pdSymm(~age))"),
        ("pdDiag(c(1, 1), form = ~ age | Subject)", "list(Subject = pdDiag(c(1, 1), form = ~age))"),
        ("pdDiag(~ age)", "write random = list(g = pdDiag(~age))"),
        ("pdBlocked(list(~ 1, ~ age - 1))", "list(g = pdBlocked(list(~1, ~age - 1)))"),
    ],
)
def test_random_terms_without_groups_are_answered_with_what_can_be_read(random, hint):
    with pytest.raises(m2s.FormulaError) as caught:
        m2s.model(f"lme(distance ~ age, random = {random})", table("Orthodont"))
    assert hint in caught.value.hint


def test_a_call_may_be_that_of_a_summary():
    d = table("Orthodont")
    as_printed = m2s.model(
        "lme.formula(fixed = distance ~ age, data = d, random = ~1 | Subject)", d
    )
    assert m2s.compare(as_printed, m2s.model("lme(distance ~ age, random = ~1 | Subject)", d)).same


def test_what_stands_before_the_strata_of_varident_is_ignored():
    calls = [f"gls(distance ~ age, weights = varIdent(form = ~ {v} | Sex))" for v in ("1", "age")]
    one, other = (m2s.model(call, table("Orthodont")) for call in calls)
    assert m2s.compare(one, other).same


def test_the_reference_stratum_is_the_first_of_nested_blocks():
    """The levels of a/b come in the order of the data, those of a factor in its own."""
    d = table("OrthodontShuffled")
    first = str(d.Sex.iloc[0])
    call = "gls(distance ~ age, weights = varIdent(form = ~1 | Sex), correlation = corAR1(form = ~1 | %s))"
    for block, reference in (("Sex/Subject", first), ("Sex", "Male")):
        model = m2s.model(call % block, d)
        assert model.meaning.residual.variances[0].levels[0] == reference


@pytest.mark.parametrize("control", ["lmeControl(sigma = 1.5)", "list(maxIter = 90, sigma = 1.5)"])
def test_control_may_fix_sigma(control):
    model = m2s.model(
        f"lme(distance ~ age, random = ~1 | Subject, control = {control})", table("Orthodont")
    )
    assert model.meaning.response.known == (("sigma", 1.5),)
    assert not any("control" in note for note in model.notes)
    with pytest.raises(m2s.Unsupported, match="sigma is known"):
        model.reml()
    assert "control = lmeControl(sigma = 1.5)" in model.translate("nlme")
    assert "sigma = 1.5" in model.translate("brms")


def test_other_control_is_ignored_with_a_note():
    call = "gls(distance ~ age, control = glsControl(opt = 'optim', sigma = 0))"
    model = m2s.model(call, table("Orthodont"))
    assert model.meaning.response.known == ()
    assert any("control" in note for note in model.notes)


@pytest.mark.parametrize(("action", "stops"), [("", True), (", na.action = na.omit", False)])
def test_rows_that_nlme_would_stop_at_are_dropped_with_a_note(action, stops):
    d = table("Orthodont").copy()
    d.loc[3, "age"] = np.nan
    notes = m2s.model(f"lme(distance ~ age, random = ~1 | Subject{action})", d).notes
    note = next(n for n in notes if "missing" in n)
    assert note.startswith("1 row with missing values dropped")
    assert ("nlme stops at them" in note) is stops
