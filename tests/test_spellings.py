"""Names nearly right, and formulas where R has something else: found, read as meant and noted."""

from __future__ import annotations

import numpy as np
import pytest

import mix2stan as m2s
from tests.conftest import table

ORTHODONT = table("Orthodont")
SLEEP = table("sleepstudy")

NEAREST = {
    "gls(distance ~ age, weights = VarFixed(~age))": "varFixed",
    "gls(distance ~ age, weights = varComb(VarPower(form = ~age)))": "varPower",
    "gls(distance ~ age, correlation = CORAR1(form = ~1 | Subject))": "corAR1",
    "lme(distance ~ age, random = list(Subject = PdDiag(~age)))": "pdDiag",
    "LMER(distance ~ age + (1 | Subject))": "lmer",
    "MCMCglmm(distance ~ age, random = ~IDH(Sex):Subject)": "idh",
    "MCMCglmm(distance ~ age, family = 'Gaussian')": "gaussian",
    "glmmTMB(distance ~ age + AR1(0 + Sex | Subject))": "ar1",
    "lmer(distance ~ age + AR1(0 + Sex | Subject))": "ar1",
    "glm(distance ~ age, family = Gamma(link = 'Log'))": "log",
    "clm(Sex ~ age, link = 'Probit')": "probit",
}


@pytest.mark.parametrize("call", NEAREST)
def test_the_nearest_name_is_found_whatever_its_case(call):
    with pytest.raises(m2s.FormulaError) as caught:
        m2s.model(call, ORTHODONT)
    assert f"nearest: '{NEAREST[call]}'" in str(caught.value)


FORMLESS = {
    "weights = varIdent(~ 1 | Sex)": "R fits one variance, without a word",
    "weights = varPower(~ age)": "R stops",
    "weights = varConstPower(~ age)": "R stops",
    "weights = varComb(varIdent(form = ~1 | Sex), varExp(~ age))": "R stops",
    "correlation = corAR1(~ 1 | Subject)": "R stops",
    "correlation = corARMA(~ 1 | Subject, p = 2)": "R stops",
}


@pytest.mark.parametrize("argument", FORMLESS)
def test_a_formula_in_the_place_of_values_is_read_as_meant_and_noted(argument):
    model = m2s.model(f"gls(distance ~ age, {argument})", ORTHODONT)
    (remark,) = (note for note in model.notes if "is read as" in note)
    assert remark.endswith(f"without 'form =' {FORMLESS[argument]}")
    meant = argument.replace("(~", "(form = ~")
    assert model.meaning == m2s.model(f"gls(distance ~ age, {meant})", ORTHODONT).meaning


def test_formulas_with_form_are_not_noted():
    assert not m2s.model("gls(distance ~ age, weights = varFixed(~ age))", ORTHODONT).notes


FAMILIES = {
    "glmer(n ~ Days + (1 | Subject), d, family = negative.binomial(2))": ("negbinomial", "log", 2),
    "glm(n ~ Days, d, family = MASS::negative.binomial(theta = 3, link = 'sqrt'))": (
        "negbinomial", "sqrt", 3,
    ),
    "glmmTMB(n ~ Days, d, family = list(family = 'poisson', link = 'log'))": ("poisson", "log", None),
    "glmmTMB(n ~ Days, d, family = list(family = 'nbinom2', link = 'log'))": (
        "negbinomial", "log", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("call", FAMILIES)
def test_families_may_be_lists_or_have_a_known_shape(call):
    family, link, shape = FAMILIES[call]
    response = m2s.model(call, {"d": SLEEP.assign(n=np.round(SLEEP.Reaction))}).meaning.response
    assert (response.family, response.link) == (family, link)
    assert response.known == ((("shape", shape),) if shape else ())


def test_a_shape_has_to_be_given():
    with pytest.raises(m2s.FormulaError, match="takes its theta"):
        m2s.model("glm(round(Reaction) ~ Days, family = negative.binomial)", SLEEP)


STRUCTURES = {
    "us(Days | Subject)": "us",
    "diag(Days | Subject)": "idh",
    "diag(Days | Subject, hom = TRUE)": "idv",
    "cs(0 + f | Subject)": "corh",
    "cs(0 + f | Subject, hom = TRUE)": "cs",
    "ar1(0 + f | Subject)": "ar1",
    "ar1(0 + f | Subject, hom = FALSE)": "hetar1",
}


@pytest.mark.parametrize("term", STRUCTURES)
def test_lme4_has_structures(term):
    data = SLEEP.assign(f=SLEEP.Days.astype(str))
    model = m2s.model(f"lmer(Reaction ~ Days + {term} + (1 | f))", data)
    assert [g.covariance.kind for g in model.meaning.groups] == [STRUCTURES[term], "scalar"]
    assert list(model.X.columns) == ["(Intercept)", "Days"]
