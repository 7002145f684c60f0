"""Predictors of parameters besides the mean: densities, names, tables, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.priors import PRIOR_SETS

RNG = np.random.default_rng(11)
N = 60
DATA = pd.DataFrame(
    {
        "x": RNG.normal(size=N),
        "z": RNG.uniform(0.5, 2, N),
        "f": list("abc") * 20,
        "g": list("pqrst") * 12,
        "y": RNG.normal(3, 1, N),
        "n": RNG.poisson(3, N),
        "p": RNG.uniform(0.1, 0.9, N),
    }
)
TERM = {"group": "g", "coefficients": ["(Intercept)"]}
B, C = RNG.normal(0, 0.3, (5, 1)), RNG.normal(0, 0.3, (5, 1))
EACH = np.tile(np.arange(5), 12)


def joint(density, eta, further):
    """The joint density of a model with one random intercept in both predictors."""
    value = density(eta + B[EACH, 0], np.exp(further + C[EACH, 0])).sum()
    return value + stats.norm(0, 0.4).logpdf(B).sum() + stats.norm(0, 0.7).logpdf(C).sum()


DENSITIES = {
    "gaussian": ("y", "sigma", lambda eta, s: stats.norm(eta, s).logpdf(DATA["y"])),
    "t_family": ("y", "sigma", lambda eta, s: stats.t(5.5, eta, s).logpdf(DATA["y"])),
    "nbinom2": (
        "n",
        "shape",
        lambda eta, s: stats.nbinom(s, s / (s + np.exp(eta))).logpmf(DATA["n"]),
    ),
    "Gamma(link = log)": (
        "p",
        "shape",
        lambda eta, s: stats.gamma(s, scale=np.exp(eta) / s).logpdf(DATA["p"]),
    ),
    "inverse.gaussian(link = log)": (
        "p",
        "shape",
        lambda eta, s: stats.invgauss(np.exp(eta) / s, scale=s).logpdf(DATA["p"]),
    ),
    "beta_family": (
        "p",
        "phi",
        lambda eta, s: stats.beta(s / (1 + np.exp(-eta)), s / (1 + np.exp(eta))).logpdf(DATA["p"]),
    ),
}


@pytest.mark.parametrize("family", DENSITIES)
@pytest.mark.parametrize("strategy", ["auto", "centred"])
def test_the_joint_density_is_scipys(family, strategy, engine):
    y, parameter, density = DENSITIES[family]
    call = f"glmmTMB({y} ~ x + (1 | g), family = {family}, dispformula = ~ z * x + (1 | g))"
    model = m2s.model(call, DATA, strategy=strategy)
    point = {
        "beta": {"(Intercept)": 0.2, "x": 0.1},
        f"{parameter}_beta": {"(Intercept)": -0.2, "z": 0.3, "x": 0.1, "z:x": -0.2},
        "random": [{**TERM, "sd": [0.4]}, {**TERM, "owner": parameter, "sd": [0.7]}],
        "u": [B, C],
        "nu": 5.5,
    }
    x, z = DATA["x"].to_numpy(), DATA["z"].to_numpy()
    expected = joint(density, 0.2 + 0.1 * x, -0.2 + 0.3 * z + 0.1 * x - 0.2 * z * x)
    assert model.loglik(point, engine.name) == pytest.approx(expected, rel=1e-10)


PREDICTORS = {
    "f + (1 | g)": ("f", 1),
    "0 + x": ("0 + x", 0),
    "x:z": ("x:z", 0),
    "poly(x, 2)": ("poly(x, 2)", 0),
    "x + I(2 * x)": ("x + I(2 * x)", 0),
    "f + offset(z)": ("f + offset(z)", 0),
    "0 + (1 | g)": ("0", 1),
}


@pytest.mark.parametrize("formula", PREDICTORS)
def test_what_is_no_variance_function_is_a_predictor(formula):
    model = m2s.model(f"glmmTMB(y ~ x + (1 | g), dispformula = ~ {formula})", DATA)
    fixed, terms = PREDICTORS[formula]
    (predictor,) = model.graph.predictors
    assert str(predictor) == f"log(sigma) ~ {fixed}"
    assert len(model.graph.groups_of("sigma")) == terms
    assert model.graph.residual.plain
    assert m2s.compare(model, m2s.translate(model, "glmmTMB"), DATA).same
    for other in ("lme4", "nlme", "MCMCglmm"):
        with pytest.raises(m2s.Unsupported, match="a predictor of sigma"):
            m2s.translate(model, other)


def test_both_ways_to_say_a_dispersion_are_one_likelihood():
    fixed = m2s.model("glmmTMB(y ~ x, dispformula = ~ x)", DATA, strategy="noncentred")
    further = m2s.model("glmmTMB(y ~ x, dispformula = ~ x + offset(0 * z))", DATA)
    beta = {"(Intercept)": 2.5, "x": 0.4}
    dispersion = {"sigma_beta": {"(Intercept)": np.log(0.9), "x": 0.2}}
    one = fixed.loglik({"beta": beta, "residual": {"sigma": 0.9, "varExp": 0.2}}, "stanli")
    assert further.loglik({"beta": beta, "u": [], **dispersion}, "stanli") == pytest.approx(one)


def test_a_difference_of_predictors_is_named():
    calls = [f"glmmTMB(n ~ x, family = nbinom2, dispformula = ~ {d})" for d in ("z", "x", "1")]
    assert "predictor of shape: z" in str(m2s.compare(*calls[:2], DATA))
    assert "only the first has a predictor" in str(m2s.compare(calls[0], calls[2], DATA))
    with_term = calls[0].replace("~ z", "~ z + (1 | g)")
    assert "only the second has shape: g" in str(m2s.compare(calls[0], with_term, DATA))


@pytest.mark.parametrize("prior", PRIOR_SETS)
def test_every_set_of_priors_has_those_of_predictors(prior):
    call = "glmmTMB(y ~ x + (x | g), dispformula = ~ f + (x | g))"
    model = m2s.model(call, DATA, prior=prior)
    table = model.priors
    assert {"sigma[(Intercept)]", "sigma[fb]", "cor_sigma_g"} <= set(table.index)
    assert "sigma" not in table.index
    if prior == "brms":
        assert table.loc["sigma[(Intercept)]", "density"] == "student_t(3, 0, 2.5)"
    assert table["proper"].all() == (prior in ("default", "rstanarm"))


def test_tables_name_the_owner(tmp_path):
    model = m2s.model("glmmTMB(y ~ x + (1 | g), dispformula = ~ f + (0 + x | g))", DATA)
    fit = model.sample(2, 100, 100, seed=1, engine="stanli")
    names = ["sigma[(Intercept)]", "sigma[fb]", "sigma[fc]"]
    assert list(fit.fixef().index) == ["(Intercept)", "x", *names]
    assert list(fit.VarCorr().index) == [("mu", "g", "(Intercept)"), ("sigma", "g", "x")]
    assert list(fit.ranef().index.unique("owner")) == ["mu", "sigma"]
    assert set(names) < set(fit.summary().index)
    assert "sigma[x]" in fit.coef().columns
    again = m2s.load(fit.save(tmp_path / "fit.nc"))
    pd.testing.assert_frame_equal(again.VarCorr(), fit.VarCorr())
    with pytest.raises(m2s.Mix2stanError, match="a value for every row"):
        fit.sigma()


def test_a_response_is_no_term_of_its_dispersion():
    with pytest.raises(m2s.FormulaError, match="its own shape"):
        m2s.model("glmmTMB(n ~ x, family = nbinom2, dispformula = ~ n)", DATA)


def test_integrating_out_is_refused_with_the_reason():
    model = m2s.model("glmmTMB(y ~ x, dispformula = ~ f + (1 | g))", DATA)
    with pytest.raises(m2s.Unsupported, match="sigma has a predictor of its own"):
        model.reml()
    assert "sigma has a predictor of its own" in str(model)
