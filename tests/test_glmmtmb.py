"""glmmTMB's families and dispersion formulas: its estimates, and one model with other packages."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import mix2stan as m2s
from tests.conftest import FIXTURES, table

CASES = {case["id"]: case for case in json.loads((FIXTURES / "glmmtmb.json").read_text())}


def data():
    rng = np.random.default_rng(8)
    n = 240
    df = pd.DataFrame({"f": rng.choice(list("abc"), n), "h": rng.choice(["p", "q"], n)})
    df = df.assign(x=rng.normal(size=n), z=rng.uniform(size=n), g=[f"g{i % 12}" for i in range(n)])
    log_sd = 0.5 * (df["f"] == "b") - 0.4 * (df["h"] == "q") + 0.3 * df["x"]
    return df.assign(
        y=1 + df["x"] + np.exp(log_sd) * rng.normal(size=n), n=rng.poisson(3, n), trials=20
    )


DATA = data()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_call_is_the_same_model_as_in_another_package(case):
    a, b = (m2s.model(call, {"d": table(case["data"])}).meaning for call in case["calls"].values())
    assert a == b


def test_estimates_of_a_dispersion_are_glmmtmbs():
    case = CASES["orthodont-varident"]
    want = case["fit"]
    fit = m2s.model(case["calls"]["glmmTMB"], {"d": table(case["data"])}).ml("stanli")
    assert fit.logLik == pytest.approx(want["logLik"], abs=1e-6)
    for name, value in want["fixef"].items():
        assert fit.fixef()[name] == pytest.approx(value, rel=1e-4)
        assert fit.standard_errors[name] == pytest.approx(want["se"][name], rel=1e-3)
    # glmmTMB's are on the scale of log(sigma^2)
    dispersion = want["disp_fixef"]
    assert 2 * np.log(fit.sigma()) == pytest.approx(dispersion["(Intercept)"], abs=1e-4)
    ratio = fit.residual()["varIdent ratio[Female]"]
    assert 2 * np.log(ratio) == pytest.approx(dispersion["SexFemale"], abs=1e-3)


def test_the_laplace_likelihood_of_a_binomial_model_is_glmmtmbs():
    """The herds are independent given the coefficients, so the Hessian is diagonal."""
    case = CASES["cbpp"]
    fit = case["fit"]
    model = m2s.model(case["calls"]["glmmTMB"], {"d": table(case["data"])})
    sd = [fit["random"]["herd"]["sd"]["(Intercept)"]]
    term = {"group": "herd", "coefficients": ["(Intercept)"], "sd": sd}
    point = {"beta": fit["fixef"], "random": [term]}
    levels, h = len(model.Z[0].levels), 1e-3

    def joint(u):
        return model.loglik({**point, "u": [u[:, None]]}, engine="stanli")

    u = np.zeros(levels)
    for _ in range(6):
        up, down = (np.array([joint(u + s * h * e) for e in np.eye(levels)]) for s in (1, -1))
        curvature = (up - 2 * joint(u) + down) / h**2
        u = u - (up - down) / (2 * h) / curvature
    laplace = joint(u) + 0.5 * np.sum(np.log(2 * np.pi) - np.log(-curvature))
    assert laplace == pytest.approx(fit["logLik"], abs=1e-4)


FORMULAS = ["f", "0 + f", "x", "f + x", "f * x", "f + h", "f:h", "f / h", "h * f + x", "f + I(x^2)"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_likelihood_of_a_dispersion_is_that_of_its_design(formula):
    """Against R's columns for the log of the sd, maximised by scipy."""
    X = m2s.model_matrix("~ x", DATA).to_numpy()
    D = m2s.model_matrix(f"~ {formula}", DATA).to_numpy()
    D = D[:, np.abs(D).sum(axis=0) > 0]
    y = DATA["y"].to_numpy()

    def deviance(parameters):
        beta, gamma = parameters[:2], parameters[2:]
        return -stats.norm(X @ beta, np.exp(D @ gamma)).logpdf(y).sum()

    want = optimize.minimize(deviance, np.zeros(2 + D.shape[1]), method="BFGS")
    fit = m2s.glmmTMB("y ~ x", dispformula=f"~ {formula}", data=DATA).ml("stanli")
    assert fit.logLik == pytest.approx(-want.fun, abs=1e-4)
    np.testing.assert_allclose(fit.fixef(), want.x[:2], atol=2e-3)


SAME = {
    "f": "varIdent(form = ~1 | f)",
    "f * h": "varIdent(form = ~1 | f * h)",
    "x": "varExp(form = ~x)",
    "x + f": "varComb(varIdent(form = ~1 | f), varExp(form = ~x))",
    "f * x": "varComb(varIdent(form = ~1 | f), varExp(form = ~x | f))",
    "f:x": "varExp(form = ~x | f)",
}


@pytest.mark.parametrize("formula", SAME)
def test_a_dispersion_is_a_product_of_nlmes_variance_functions(formula):
    a = m2s.model(f"glmmTMB(y ~ x + (1 | g), dispformula = ~ {formula})", DATA)
    b = m2s.model(f"lme(y ~ x, random = ~1 | g, weights = {SAME[formula]})", DATA)
    assert a.meaning == b.meaning
    assert a.stan_code.split("data {", 1)[1] == b.stan_code.split("data {", 1)[1]


GENERALISED = {
    "glmmTMB(n ~ x + (1 | g), family = poisson, offset = z)": (
        "glmer(n ~ x + (1 | g), family = poisson, offset = z)"
    ),
    "glmmTMB(n ~ x + offset(z) + (1 | g), family = nbinom2)": (
        "glmer.nb(n ~ x + offset(z) + (1 | g))"
    ),
    "glmmTMB(n / trials ~ x + (1 | g), family = binomial('probit'), weights = trials)": (
        "glmer(n / trials ~ x + (1 | g), family = binomial(probit), weights = trials)"
    ),
    "glmmTMB(exp(y) ~ x + (1 | g), family = Gamma(link = 'log'), dispformula = ~1)": (
        "glmer(exp(y) ~ x + (1 | g), family = Gamma(link = log))"
    ),
    "glmmTMB(y ~ x + (1 | g), family = 'gaussian')": "lmer(y ~ x + (1 | g))",
    "glmmTMB(h ~ x, family = binomial, dispformula = ~0)": "glm(h ~ x, family = binomial)",
}


@pytest.mark.parametrize("call", GENERALISED)
def test_families_are_those_of_glmer(call):
    ours, theirs = m2s.model(call, DATA), m2s.model(GENERALISED[call], DATA)
    assert ours.meaning == theirs.meaning
    for name, value in theirs.stan_data.items():
        np.testing.assert_array_equal(ours.stan_data[name], value)


ORTHODONT = table("Orthodont").drop(index=[1, 29])
# glmmTMB 1.1.5 with dispformula = ~ 0 on these rows
WITHOUT_ERRORS = {
    "ar1(factor(age) + 0 | Subject)": (-221.646761, 4),
    "us(factor(age) + 0 | Subject)": (-211.145862, 12),
    "(0 + factor(age) | Subject)": (-211.145862, 12),
    "cs(factor(age) + 0 | Subject)": (-215.509117, 7),
    "toep(factor(age) + 0 | Subject)": (-212.667817, 9),
    "diag(factor(age) + 0 | Subject)": (-247.580501, 6),
    "exp(numFactor(age) + 0 | Subject)": (-221.646761, 4),
    "ou(numFactor(age) + 0 | Subject)": (-221.646761, 4),
    "gau(numFactor(age) + 0 | Subject)": (-233.269795, 4),
    "(1 | Subject) + ar1(factor(age) + 0 | Subject)": (-216.890161, 5),
}


@pytest.mark.parametrize("terms", WITHOUT_ERRORS)
def test_without_a_residual_the_structured_term_is_it(terms):
    call = f"glmmTMB(distance ~ age + {terms}, d, dispformula = ~ 0)"
    fit = m2s.model(call, {"d": ORTHODONT}).ml("stanli")
    assert (fit.logLik, fit.parameters) == (
        pytest.approx(WITHOUT_ERRORS[terms][0], abs=2e-5),
        WITHOUT_ERRORS[terms][1],
    )


def test_effects_of_rows_in_the_residuals_place_are_plain_errors():
    data = ORTHODONT.assign(row=range(len(ORTHODONT)))
    call = "glmmTMB(distance ~ age + (1 | Subject) + (1 | row), d, dispformula = ~ 0)"
    model = m2s.model(call, {"d": data})
    assert (
        model.meaning == m2s.model("lmer(distance ~ age + (1 | Subject), d)", {"d": data}).meaning
    )
    assert "the errors are the effects of row" in model.notes[0]


NO_ERRORS = {
    "(1 | Subject)": "rows share an effect of Subject",
    "(age | Subject)": "a term needs an effect for every row",
    "ar1(factor(age) + 0 | Sex)": "rows share an effect",
    "ar1(age + 0 | Subject)": "age is a number",
    "mat(numFactor(age) + 0 | Subject)": "mat effects in the place of the residual",
}


@pytest.mark.parametrize("terms", NO_ERRORS)
def test_a_model_in_which_nothing_is_the_residual_is_refused(terms):
    with pytest.raises(m2s.FormulaError, match=NO_ERRORS[terms]):
        m2s.model(f"glmmTMB(distance ~ {terms}, d, dispformula = ~ 0)", {"d": ORTHODONT})


REFUSED = {
    "family = poisson, dispformula = ~ f": "dispformula of a poisson model",
    "family = compois": "compois cannot be expressed",
    "family = tweedie, ziformula = ~ 1": "zeros of a tweedie response",
    "family = truncated_genpois()": "truncated_poisson",
    "ziformula = ~ f": "zeros of a gaussian response",
    "weights = exp(z), ziformula = ~ 1, family = poisson": "weights of a zero_inflated_poisson",
    "family = nbinom2, dispformula = ~ 0": "without its dispersion",
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_what_cannot_be_expressed_says_what_can(arguments):
    with pytest.raises(m2s.Unsupported, match=REFUSED[arguments]):
        m2s.model(f"glmmTMB(y ~ x + (1 | g), {arguments})", DATA)


def test_a_dispersion_that_is_no_formula_is_a_mistake():
    with pytest.raises(m2s.FormulaError, match="dispformula"):
        m2s.model("glmmTMB(y ~ x, dispformula = f)", DATA)
    with pytest.raises(m2s.FormulaError, match="no column 'ff'"):
        m2s.model("glmmTMB(y ~ x, dispformula = ~ ff)", DATA)
    with pytest.raises(m2s.FormulaError, match="term of its own dispersion"):
        m2s.model("glmmTMB(y ~ x, dispformula = ~ f + y)", DATA)


def test_a_dot_is_every_other_column():
    model = m2s.model("glmmTMB(y ~ x, dispformula = ~ .)", DATA[["y", "f", "x"]])
    assert str(model.meaning.residual) == "varExp(x) * varIdent(f)"
    assert "errors: varExp(x) * varIdent(f)" in str(model)


# -- groups that the data cannot tell from errors, or from each other ------------------------------

GROUPS = DATA.assign(
    one="a", row=[f"r{i}" for i in range(len(DATA))], k=lambda d: d["g"].str.upper()
)
REMARKS = {
    "lmer(y ~ x + (1 | one))": "one has one level",
    "lmer(y ~ x + (1 | row))": "row has one row per level: its variance is confounded with sigma",
    "lmer(y ~ x + (x | row))": "row has 480 effects for 240 rows",
    "lmer(y ~ x + (1 | h))": "h has 2 levels",
    "lmer(y ~ x + (1 | g) + (x | k))": "g and k, which are the same groups of rows",
    "lmer(y ~ x + (1 | g) + (x | g))": "varies by g in 2 terms",
    "glmmTMB(y ~ x, dispformula = ~ one)": "one has one level: the errors have one variance",
}


@pytest.mark.parametrize("call", REMARKS)
def test_groups_that_the_data_cannot_tell_apart_are_said(call):
    assert any(REMARKS[call] in note for note in m2s.model(call, GROUPS).notes)


@pytest.mark.parametrize(
    "call",
    [
        "glmer(n ~ x + (1 | row), family = poisson)",
        "lmer(y ~ x + (1 | g) + (0 + x | g))",
        "lme(y ~ x, random = ~1 | row, correlation = corAR1(form = ~1 | g))",
        "lmer(y ~ x + (1 | g) + (0 + x | k))",
    ],
)
def test_groups_that_can_be_told_apart_are_not_remarked_upon(call):
    assert not m2s.model(call, GROUPS).notes


def test_a_constant_factor_among_the_columns_is_an_error_as_in_r():
    with pytest.raises(m2s.FormulaError, match="one has only one level"):
        m2s.model("lmer(y ~ one + (1 | g))", GROUPS)
