"""Predictors of parameters besides the mean: densities, names, tables, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.priors.sets import PRIOR_SETS

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
    (predictor,) = model.meaning.predictors
    assert str(predictor) == f"log(sigma) ~ {fixed}"
    assert len(model.meaning.groups_of("sigma")) == terms
    assert model.meaning.residual.plain
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


# -- zeros -----------------------------------------------------------------------------------------

ZEROS = {
    "poisson": ("zi", stats.poisson),
    "truncated_poisson": ("hu", stats.poisson),
}


@pytest.mark.parametrize("family", ZEROS)
def test_the_joint_density_of_zeros_is_scipys(family, engine):
    parameter, law = ZEROS[family]
    call = f"glmmTMB(n ~ x + (1 | g), family = {family}, ziformula = ~ z + (1 | g))"
    model = m2s.model(call, DATA)
    point = {
        "beta": {"(Intercept)": 0.8, "x": 0.1},
        f"{parameter}_beta": {"(Intercept)": -0.2, "z": 0.3},
        "random": [{**TERM, "sd": [0.4]}, {**TERM, "owner": parameter, "sd": [0.7]}],
        "u": [B, C],
    }
    share = 1 / (1 + np.exp(0.2 - 0.3 * DATA["z"] - C[EACH, 0]))
    base = law(np.exp(0.8 + 0.1 * DATA["x"] + B[EACH, 0]))
    n = DATA["n"]
    if parameter == "zi":
        value = np.log(share * (n == 0) + (1 - share) * base.pmf(n)).sum()
    else:
        rest = np.log1p(-share) + base.logpmf(n) - np.log1p(-base.pmf(0 * n))
        value = np.where(n == 0, np.log(share), rest).sum()
    value += stats.norm(0, 0.4).logpdf(B).sum() + stats.norm(0, 0.7).logpdf(C).sum()
    assert model.loglik(point, engine.name) == pytest.approx(value, rel=1e-10)


GLMMTMB = {
    "n ~ x, family = poisson, ziformula = ~ 1": "zero_inflated_poisson[log](n) ~ x",
    "n ~ x, family = nbinom1, ziformula = ~ f": "zero_inflated_nbinom1[log](n) ~ x\n  logit(zi) ~ f",
    "n ~ x, family = nbinom2(), ziformula = ~ .": (
        "zero_inflated_negbinomial[log](n) ~ x\n  logit(zi) ~ x"
    ),
    "n ~ x, family = truncated_nbinom2, ziformula = ~ f": (
        "hurdle_negbinomial[log](n) ~ x\n  logit(hu) ~ f"
    ),
    "n + 1 ~ x, family = truncated_nbinom1": "truncated_nbinom1[log](n + 1) ~ x",
    "n ~ x, family = ziGamma(link = 'log'), ziformula = ~ 1": "hurdle_gamma[log](n) ~ x",
    "p ~ x, family = lognormal, dispformula = ~ f": (
        "lognormal_mean[log](p) ~ x\n  log(sigma) ~ f"
    ),
    "p ~ x, family = beta_family, ziformula = ~ f": "zero_inflated_beta[logit](p) ~ x\n  logit(zi) ~ f",
    "p ~ x, family = ordbeta": "ordered_beta[logit](p) ~ x",
    "y ~ x, family = skewnormal, dispformula = ~ f": (
        "skew_normal[identity](y) ~ x\n  log(sigma) ~ f"
    ),
    "cbind(n, n) ~ x, family = betabinomial, ziformula = ~ 1, dispformula = ~ f": (
        "zero_inflated_beta_binomial[logit](cbind(n, n)) ~ x\n  log(phi) ~ f"
    ),
}


@pytest.mark.parametrize("arguments", GLMMTMB)
def test_glmmtmbs_families_are_read_and_written(arguments):
    model = m2s.model(f"glmmTMB({arguments})", DATA)
    assert str(model.meaning) == GLMMTMB[arguments]
    written = m2s.translate(model, "glmmTMB")
    assert m2s.model(written, DATA).meaning == model.meaning


@pytest.mark.parametrize(
    ("family", "link", "row"),
    [
        ("ztpoisson", "log", "truncated_poisson"),
        ("geometric", "-log", "geometric"),
        ("exponential", "-log", "exponential"),
    ],
)
def test_mcmcglmms_families_have_its_residual(family, link, row):
    model = m2s.model(f'MCMCglmm(n + 1 ~ x, random = ~g, family = "{family}")', DATA)
    assert (model.meaning.response.family, model.meaning.response.link) == (row, link)
    assert [str(g.factor) for g in model.meaning.groups] == ["g", "units"]
    assert m2s.compare(model, m2s.translate(model, "MCMCglmm"), DATA).same


def test_mcmcglmms_families_of_two_latent_variables_tell_them_apart_by_trait():
    with pytest.raises(m2s.FormulaError, match="several latent variables, told apart by 'trait'"):
        m2s.model('MCMCglmm(n ~ x, family = "zipoisson")', DATA)


OFF = {
    "glmmTMB(n ~ x, family = truncated_poisson)": "n is 0 in row 17: .*from one\n.*\n.*\n.*hurdle_poisson",
    "glmmTMB(y - 3 ~ x, family = ziGamma, ziformula = ~ 1)": "not negative",
    "glmmTMB(y ~ x, family = ordbeta)": "lies between 0 and 1",
    "glmmTMB(1 * (p > 0.5) ~ x, family = beta_family, ziformula = ~ 1)": "1 excluded",
    "glmmTMB(n ~ x, family = nbinom1('logit'))": "nearest: 'log'",
}


@pytest.mark.parametrize("call", OFF)
def test_what_a_family_does_not_take_is_named(call):
    with pytest.raises(m2s.FormulaError, match=OFF[call]):
        m2s.model(call, DATA)


# -- predictions -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inflated():
    """A fit of zeros and of a shape that have predictors, both with terms of g."""
    call = (
        "glmmTMB(n ~ x + (1 | g), ziformula = ~ z + offset(0.1 * x) + (1 | g), "
        "dispformula = ~ f, family = nbinom2)"
    )
    return m2s.model(call, DATA).sample(1, 150, 50, seed=4, engine="stanli")


def parts_of(fit, data):
    """Mean, share of zeros and shape at every draw and row, from the draws."""
    draws = {name: np.asarray(v.values)[0] for name, v in fit.posterior.items()}
    g = np.array([list("pqrst").index(level) for level in data["g"]])
    one = np.ones(len(data))
    eta = draws["beta"] @ np.array([one, data["x"]]) + draws["b_g"][:, g]
    logit = draws["beta_zi"] @ np.array([one, data["z"]]) + draws["b_zi_g"][:, g]
    logit = logit + 0.1 * data["x"].to_numpy()
    cells = np.array([one, data["f"] == "b", data["f"] == "c"], dtype=float)
    return np.exp(eta), 1 / (1 + np.exp(-logit)), np.exp(draws["beta_shape"] @ cells)


@pytest.mark.parametrize("rows", [slice(None), [3, 1, 50]])
def test_predictions_have_every_predictor(inflated, rows, tmp_path):
    again = m2s.load(inflated.save(tmp_path / "fit.nc"))
    data = DATA.iloc[rows].drop(columns="n")
    mu, zi, _ = parts_of(inflated, data)
    for fit in (inflated, again):
        linear = fit.predict(data, kind="linpred", summary=False).values[0]
        np.testing.assert_allclose(linear, np.log(mu), rtol=1e-10)
        expected = fit.predict(data, kind="epred", summary=False).values[0]
        np.testing.assert_allclose(expected, (1 - zi) * mu, rtol=1e-10)
    drawn = inflated.predict(data, kind="response", summary=False, seed=1).values[0]
    assert drawn.mean() == pytest.approx(((1 - zi) * mu).mean(), rel=0.3)


def test_pointwise_likelihoods_have_every_predictor(inflated):
    mu, zi, shape = parts_of(inflated, DATA)
    n = DATA["n"].to_numpy()
    density = (1 - zi) * stats.nbinom(shape, shape / (shape + mu)).pmf(n) + zi * (n == 0)
    np.testing.assert_allclose(inflated.log_lik().values[0], np.log(density), rtol=1e-9)
    for kind in ("response", "pearson", "quantile"):
        assert np.isfinite(inflated.residuals(kind)).all()
    with pytest.raises(m2s.Unsupported, match="effects of zi"):
        inflated.log_lik(by="g")
    with pytest.raises(m2s.Unsupported, match="effects of zi"):
        inflated.predict(DATA, kind="epred", re="integrate")


def test_a_predictor_of_sigma_does_not_change_the_mean():
    model = m2s.model("glmmTMB(y ~ x, dispformula = ~ f + (1 | g))", DATA)
    fit = model.sample(1, 100, 50, seed=4, engine="stanli")
    draws = {name: np.asarray(v.values)[0] for name, v in fit.posterior.items()}
    mean = fit.predict(kind="epred", re="integrate", summary=False).values[0]
    np.testing.assert_allclose(mean, draws["beta"] @ model.X.to_numpy().T, rtol=1e-10)
    assert np.isfinite(
        fit.predict(DATA.assign(g="new"), kind="response", seed=2, new_levels="sample")
    ).all()
