"""MCMCglmm's priors and known errors: read to the letter, or refused."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.design import Evaluation, Frame
from mix2stan.design.gelman import gelman_prior
from mix2stan.parser import parse_expression

RNG = np.random.default_rng(3)
N = 40
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=N),
        "low": RNG.normal(size=N) - 1,
        "x": RNG.normal(size=N),
        "v": RNG.uniform(0.2, 1, size=N),
        "n": RNG.poisson(2, size=N),
        "f": np.tile(list("abcd"), 10),
        "g": np.repeat(list("pqrst"), 8),
    }
).assign(high=lambda d: d.low + 2)
PRIOR = "prior = list(R = list(V = 1, nu = 1), G = list(G1 = list(V = 1, nu = 3)))"
CALL = "MCMCglmm(y ~ x, random = ~g, data = d, prior = prior1)"


def priors(text: str, **given: object) -> dict[str, str]:
    return m2s.model(text, {"d": DATA, **given}).priors["density"].to_dict()


def test_a_prior_that_is_not_there_is_refused():
    with pytest.raises(m2s.FormulaError, match="there is no prior1") as caught:
        m2s.model(CALL, {"d": DATA})
    assert '{"d": df, "prior1": …}' in str(caught.value)


GIVEN = (
    {"R": {"V": 1, "nu": 1}, "G": {"G1": {"V": 1, "nu": 3}}},
    {"R": {"V": np.eye(1), "nu": 1}, "G": ["list(V = 1, nu = 3)"]},
    "list(R = list(V = 1, nu = 1), G = list(G1 = list(V = 1, nu = 3)))",
)


@pytest.mark.parametrize("given", GIVEN[::2])
def test_a_prior_may_be_given_with_the_data(given):
    wanted = priors(f"MCMCglmm(y ~ x, random = ~g, data = d, {PRIOR})")
    assert priors(CALL, prior1=given) == wanted
    assert priors(f"prior1 <- {PRIOR[8:]}\n{CALL}") == wanted
    model = m2s.model(CALL, {"d": DATA, "prior1": given})
    assert "Random terms" in [section.title for section in model.explain().document]
    assert model.translate("lme4") == "lmer(y ~ x + (1 | g), data = d)"


NUMBERS = {
    "25^2": 625,
    "pi^2/3": np.pi**2 / 3,
    "1e3": 1000,
    "sqrt(4) * 10": 20,
    "diag(1) * 2/3": 2 / 3,
}


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_of_priors_may_be_computed(text):
    call = f"MCMCglmm(y ~ x, random = ~g, data = d, {PRIOR.replace('V = 1, nu = 3', f'V = {text}, nu = 3')})"
    prior = m2s.model(call, {"d": DATA}).meaning.groups[0].prior
    assert ((pytest.approx(NUMBERS[text]),),) == prior.V


def test_without_a_prior_it_is_said_aloud_that_this_is_another_posterior(caplog):
    with caplog.at_level(logging.WARNING):
        model = m2s.model("MCMCglmm(y ~ x, random = ~g, data = d)", {"d": DATA})
    assert "this is another posterior than its own" in caplog.text
    assert "another posterior" in str(model)
    caplog.clear()
    for chosen in ("mcmcglmm", "default"):
        m2s.model("MCMCglmm(y ~ x, random = ~g, data = d)", {"d": DATA}, prior=chosen)
    assert not caplog.text


def test_gelman_prior_is_mcmcglmms():
    d = pd.DataFrame({"x": [1, 2, 4, 7, 3, 9.0], "f": list("abaccb"), "z": [0.5, 1, 0, 2, 1, 1]})
    node = gelman_prior(parse_expression("gelman.prior(~x + f + x:z, d, scale = 1.7)"), {"d": d})
    V = Evaluation(Frame({}, 0)).column(node).values
    wanted = [4.60641646531, -0.51612471866, -1.21221749328, -1.21221749328, 0.05105316101]
    assert V[0] == pytest.approx(wanted)
    assert V[2:4, 2:4] == pytest.approx(
        np.array([[3.19895965, 0.30895965], [0.30895965, 3.19895965]])
    )
    B = "B = list(mu = rep(0, 2), V = gelman.prior(~x, data = d, scale = sqrt(1 + pi^2/3)))"
    call = f"MCMCglmm(y ~ x, data = d, prior = list({B}, R = list(V = 1, nu = 1)))"
    assert len(m2s.model(call, {"d": DATA}).meaning.prior.variance) == 2


def test_a_residual_variance_may_be_known():
    fixed = "prior = list(R = list(V = 4, fix = 1), G = list(G1 = list(V = 1, nu = 3)))"
    model = m2s.model(f"MCMCglmm(y ~ x, random = ~g, data = d, {fixed})", {"d": DATA})
    assert model.meaning.response.known == (("sigma", 2.0),)
    assert "sigma" not in model.priors.index
    counts = f"MCMCglmm(n ~ x, random = ~g, family = 'poisson', data = d, {fixed})"
    group = m2s.model(counts, {"d": DATA}).meaning.groups[1]
    assert (str(group.factor), group.covariance.variances) == ("units", (4.0,))
    with pytest.raises(m2s.Unsupported, match="beside a residual structure"):
        alone = "prior = list(R = list(V = 4, fix = 1))"
        m2s.model(f"MCMCglmm(y ~ x, rcov = ~idh(f):units, data = d, {alone})", {"d": DATA})


def test_known_variances_of_measurements_add_to_the_residual():
    call = f"MCMCglmm(y ~ x, random = ~g, mev = d$v, data = d, {PRIOR})"
    model = m2s.model(call, {"d": DATA})
    assert m2s.compare(
        model, "brm(y | se(sqrt(v), sigma = TRUE) ~ x + (1 | g), data = d)", {"d": DATA}
    ).same
    assert model.priors.density["sigma"].startswith("inverse_wishart(nu = 1, V = 1)")


def test_the_prior_of_the_residual_is_that_of_intervals_too():
    call = f"MCMCglmm(cbind(low, high) ~ x, random = ~g, family = 'cengaussian', data = d, {PRIOR})"
    assert priors(call)["sigma"].startswith("inverse_wishart(nu = 1, V = 1)")


def test_effects_of_rows_may_be_scaled():
    known = PRIOR.replace("V = 1, nu = 3", "V = 1, fix = 1")
    call = f"MCMCglmm(y ~ 1, random = ~idh(sqrt(v)):units, data = d, {known})"
    term = {"group": "units", "coefficients": ["sqrt(v)"], "sd": [1.0]}
    point = {"beta": {"(Intercept)": 0.3}, "random": [term], "residual": {"sigma": 0.7}}
    want = stats.norm.logpdf(DATA.y, 0.3, np.sqrt(0.49 + DATA.v)).sum()
    assert m2s.model(call, {"d": DATA}).loglik(point, "stanli") == pytest.approx(want, rel=1e-10)
    for term in ("us(x):units", "idh(f):units"):
        assert str(
            m2s.model(f"MCMCglmm(y ~ 1, random = ~{term}, data = d)", {"d": DATA}).Z[0].group
        )


def test_responses_may_stand_in_c():
    text = "MCMCglmm({}(y, low) ~ trait - 1, rcov = ~us(trait):units, data = d)"
    ours, theirs = (m2s.model(text.format(f), {"d": DATA}) for f in ("c", "cbind"))
    assert ours.meaning == theirs.meaning


REFUSED = {
    "random = ~units": "would be there twice",
    "random = ~us(1):units": "would be there twice",
    "random = ~spl(x)": r"spl\(\) cannot be expressed",
    "random = ~us(leg(x, 1)):g": r"leg\(\) cannot be expressed",
    "random = ~idv(mult.memb(~f + g))": r"mult.memb\(\) cannot be expressed",
    "random = ~US(1 + x):g": r"there is no US\(\)",
    "prior = 3": "has to be a list",
    "family = 'poisson', mev = v": "mev of a poisson response",
}


@pytest.mark.parametrize("argument", REFUSED)
def test_what_mcmcglmm_has_besides_is_refused_with_true_words(argument):
    response = "n" if "poisson" in argument else "y"
    with pytest.raises(m2s.FormulaError, match=REFUSED[argument]):
        m2s.model(f"MCMCglmm({response} ~ x, {argument}, data = d)", {"d": DATA})


@pytest.mark.parametrize(
    ("names", "said"), [("G1 G2", False), ("a b", False), ("G2 G1", True), ("b G1", True)]
)
def test_priors_of_terms_are_taken_by_place(names, said):
    first, second = names.split()
    G = f"list({first} = list(V = 1, nu = 3), {second} = list(V = 5, nu = 7))"
    call = f"MCMCglmm(y ~ x, random = ~g + f, prior = list(R = list(V = 1, nu = 1), G = {G}))"
    model = m2s.model(call, DATA)
    found = model.priors["density"]
    assert "nu = 3, V = 1" in found["sd_g"]
    assert "nu = 7, V = 5" in found["sd_f"]
    assert any("by place, not by name" in note for note in model.notes) == said


@pytest.mark.parametrize(
    "V", ["matrix(c(2, 1, 1, 2), 2, 2)", "gelman.prior(~x, data = d, scale = 2)"]
)
def test_coefficients_may_have_a_prior_that_correlates_them(V):
    B = f"B = list(mu = c(0, 0), V = {V})"
    model = m2s.model(f"MCMCglmm(y ~ x, random = ~g, data = d, {PRIOR[:-1]}, {B}))", {"d": DATA})
    found = model.priors["density"]
    assert found["beta[x]"].endswith("correlated with the others")
    if V.startswith("matrix"):
        assert found["beta[x]"].startswith("normal(0, 1.4142)")
    assert found["beta[x]"] in str(model)
    assert model.explain()._repr_html_()
    fit = model.sample(chains=1, warmup=50, draws=20, seed=1, engine="stanli")
    assert fit.posterior.sizes["draw"] == 20
