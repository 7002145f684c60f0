"""Log-likelihoods against scipy, and what ArviZ makes of them."""

from __future__ import annotations

import json

import arviz as az
import numpy as np
import pytest
from scipy import integrate, special, stats

import mix2stan as m2s
from mix2stan.distributions import DISTRIBUTIONS, distribution_of
from mix2stan.families import FAMILIES
from tests.conftest import table
from tests.programs import model_of
from tests.test_predict import draws_of, fit_call, fit_of, flat

#: A hundred draws say little about tails, and loo says so.
pytestmark = pytest.mark.filterwarnings("ignore:Estimated shape parameter")

RNG = np.random.default_rng(3)
P = {
    "sigma": np.array(1.3),
    "nu": np.array(4.5),
    "shape": np.array(2.2),
    "phi": np.array(3.7),
    "trials": np.array(9.0),
}
SCIPY = {
    "gaussian": (lambda m: stats.norm(m, 1.3), [-1.0, 0.4]),
    "student": (lambda m: stats.t(4.5, m, 1.3), [-1.0, 0.4]),
    "lognormal": (lambda m: stats.lognorm(1.3, scale=np.exp(m)), [0.3, 2.0]),
    "poisson": (lambda m: stats.poisson(m), [0.0, 1.0, 4.0]),
    "negbinomial": (lambda m: stats.nbinom(2.2, 2.2 / (2.2 + m)), [0.0, 1.0, 4.0]),
    "bernoulli": (lambda m: stats.bernoulli(m), [0.0, 1.0]),
    "binomial": (lambda m: stats.binom(9, m), [0.0, 4.0, 9.0]),
    "Gamma": (lambda m: stats.gamma(2.2, scale=m / 2.2), [0.3, 2.0]),
    "inverse.gaussian": (lambda m: stats.invgauss(m / 2.2, scale=2.2), [0.3, 2.0]),
    "beta": (lambda m: stats.beta(m * 3.7, (1 - m) * 3.7), [0.2, 0.9]),
}


@pytest.mark.parametrize("family", SCIPY)
def test_distributions_are_scipys(family):
    make, values = SCIPY[family]
    row, mu, y = DISTRIBUTIONS[family], 0.4, np.array(values)
    scipy = make(mu)
    density = scipy.logpmf if row.discrete else scipy.logpdf
    at = np.full(len(y), mu)
    np.testing.assert_allclose(row.log_density(y, at, P), density(y), rtol=1e-12)
    np.testing.assert_allclose(row.cdf(y, at, P), scipy.cdf(y), rtol=1e-10)
    trials = 9 if FAMILIES[family].counts_trials else 1
    assert row.variance(at, P)[0] == pytest.approx(scipy.var() / trials**2, rel=1e-12)
    drawn = row.simulate(RNG, np.full(20_000, mu), P)
    if row.discrete:
        assert drawn.mean() == pytest.approx(scipy.mean(), abs=5 * scipy.std() / np.sqrt(20_000))
        assert drawn.var() == pytest.approx(scipy.var(), rel=0.1)
        np.testing.assert_array_equal(row.cdf(np.array([-1.0]), at[:1], P), 0)
    else:
        assert stats.kstest(drawn, scipy.cdf).pvalue > 1e-3
    if row.mean_link == "log":
        assert np.exp(mu + row.shift(P)) == pytest.approx(scipy.mean())


def test_a_family_without_its_distribution_is_refused():
    with pytest.raises(m2s.Unsupported, match="cannot be computed for a bell response"):
        distribution_of("bell")


def test_pointwise_given_the_effects():
    fit = fit_of("slope")
    y = table("sleepstudy")["Reaction"].to_numpy()
    mean, sigma = draws_of(fit.predict()), flat(fit, "sigma")[:, None]
    np.testing.assert_allclose(
        draws_of(fit.log_lik()), stats.norm.logpdf(y, mean, sigma), rtol=1e-12
    )
    fit = fit_of("binomial")
    data = table("cbpp")
    expected = stats.binom.logpmf(
        data["incidence"], data["size"].astype(int), draws_of(fit.predict())
    )
    np.testing.assert_allclose(draws_of(fit.log_lik()), expected, rtol=1e-10, atol=1e-10)


def test_leave_one_out_of_two_programs_of_one_model():
    """Collapsed and direct are one posterior: pointwise and loo agree up to Monte Carlo error."""
    fits = [fit_of(name, 1000, 4) for name in ("collapsed_slope", "slope")]
    means, errors = [], []
    for fit in fits:
        values = draws_of(fit.log_lik())
        means.append(values.mean(axis=0))
        sizes = np.asarray(az.ess(fit.idata.log_likelihood)["Reaction"].values)
        errors.append(values.std(axis=0) / np.sqrt(sizes))
    assert np.abs((means[0] - means[1]) / np.hypot(*errors)).max() < 5
    loos = [az.loo(fit.idata, pointwise=True) for fit in fits]
    elpds = [float(getattr(loo, "elpd_loo", None) or loo.elpd) for loo in loos]
    assert elpds[0] == pytest.approx(elpds[1], abs=1.5)
    table = az.compare({"collapsed": fits[0].idata, "direct": fits[1].idata})
    assert set(table.index) == {"collapsed", "direct"}


def test_groups_with_their_effects_integrated_out():
    fit = fit_of("slope")
    values = fit.log_lik("Subject")
    assert values.dims == ("chain", "draw", "Subject")
    data = table("sleepstudy")
    rows = (data["Subject"] == "309").to_numpy()
    X = np.column_stack([np.ones(rows.sum()), data["Days"][rows]])
    sd, R = flat(fit, "sd_Subject"), flat(fit, "R_Subject")
    for s in (0, 99, 150):
        Sigma = R[s] * np.outer(sd[s], sd[s])
        V = X @ Sigma @ X.T + flat(fit, "sigma")[s] ** 2 * np.eye(len(X))
        exact = stats.multivariate_normal(X @ flat(fit, "beta")[s], V).logpdf(
            data["Reaction"][rows]
        )
        found = values.sel(Subject="309").values.ravel()[s]
        assert found == pytest.approx(exact, rel=1e-10)
    assert np.isfinite(az.loo(fit.idata).se)


def test_their_sum_is_the_marginal_likelihood():
    fit, model = fit_of("errors_ar1", draws=20), model_of("errors_ar1")
    total = fit.log_lik("Mare").sum("Mare").values.ravel()
    residual = {
        "sigma": flat(fit, "sigma")[3],
        "varExp": flat(fit, "var_expon")[3],
        "corAR1": flat(fit, "cor_phi")[3],
    }
    point = {
        "beta": dict(zip(model.X.columns, flat(fit, "beta")[3], strict=True)),
        "random": [
            {"group": "Mare", "coefficients": ["(Intercept)"], "sd": [flat(fit, "sd_Mare")[3]]}
        ],
        "residual": residual,
    }
    assert total[3] == pytest.approx(model.loglik(point, engine="stanli"), rel=1e-8)


def test_nested_terms_are_integrated_within_the_outer_factor():
    fit, model = fit_of("nested"), model_of("nested")
    values = fit.log_lik("batch")
    point = {
        "beta": {"(Intercept)": flat(fit, "beta")[7, 0]},
        "random": [
            {
                "group": str(g.factor),
                "coefficients": ["(Intercept)"],
                "sd": [flat(fit, f"sd_{g.id}")[7]],
            }
            for g in model.meaning.groups
        ],
        "residual": {"sigma": flat(fit, "sigma")[7]},
    }
    total = values.sum("batch").values.ravel()[7]
    assert total == pytest.approx(model.loglik(point, engine="stanli"), rel=1e-8)
    with pytest.raises(m2s.Unsupported, match="not independent: they share levels of batch"):
        inner = next(str(g.factor) for g in model.meaning.groups if ":" in str(g.factor))
        fit.log_lik(inner)


def test_one_effect_per_level_is_integrated_by_quadrature():
    fit = fit_of("binomial")
    values = fit.log_lik("herd").sel(herd="3").values.ravel()
    data = table("cbpp")
    rows = (data["herd"] == "3").to_numpy()
    fixed = draws_of(fit.predict(kind="linpred", re="population"))[:, rows]
    k, n = data["incidence"][rows].to_numpy(), data["size"][rows].astype(int).to_numpy()
    for s in (0, 44, 180):

        def integrand(u, s=s):
            p = special.expit(fixed[s] + flat(fit, "sd_herd")[s] * u)
            return np.exp(stats.binom.logpmf(k, n, p).sum()) * stats.norm.pdf(u)

        exact = np.log(integrate.quad(integrand, -10, 10, epsabs=0, limit=200)[0])
        assert values[s] == pytest.approx(exact, abs=1e-6)


def test_observations_given_the_others_of_their_block():
    fit = fit_call("birds", "gls(Birds ~ Year, correlation = corAR1(form = ~Year))", 20)
    values = draws_of(fit.log_lik())
    years = fit.schema.raw()["Year"].to_numpy()
    y = fit.schema.data.vector(fit.schema.graph.response.expression)
    mean = draws_of(fit.predict())
    V = flat(fit, "sigma")[5] ** 2 * flat(fit, "cor_phi")[5] ** np.abs(
        np.subtract.outer(years, years)
    )
    i, rest = 10, np.arange(len(y)) != 10
    weights = np.linalg.solve(V[np.ix_(rest, rest)], V[rest, i])
    at = mean[5, i] + weights @ (y[rest] - mean[5, rest])
    variance = V[i, i] - weights @ V[rest, i]
    assert values[5, i] == pytest.approx(stats.norm(at, np.sqrt(variance)).logpdf(y[i]), rel=1e-8)


def test_crossed_groups_are_not_independent():
    with pytest.raises(m2s.Unsupported, match="not independent: they share levels of sample"):
        fit_of("crossed").log_lik("plate")
    with pytest.raises(m2s.Mix2stanError, match="nearest: 'plate'"):
        fit_of("crossed").log_lik("plat")


def test_the_container_has_the_predictive_groups():
    fit = fit_of("slope")
    fit.posterior_predictive(seed=1)
    fit.log_lik()
    groups = fit.idata
    assert groups["posterior_predictive"]["Reaction"].dims == ("chain", "draw", "obs")
    assert groups["observed_data"]["Reaction"].shape == (180,)
    assert groups["log_likelihood"]["Reaction"].shape == (2, 100, 180)
    assert json.dumps(list(groups["observed_data"].coords)) == '["obs"]'
