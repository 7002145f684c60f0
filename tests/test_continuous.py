"""Angles, quantiles and Tweedie amounts at random parameters: densities, and what is said of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

import mix2stan as m2s
from mix2stan.distributions import DISTRIBUTIONS

RNG = np.random.default_rng(21)
POINTS = 50
KAPPAS = (0.05, 1.0, 40.0, 2000.0)
QUANTILES = (0.02, 0.5, 0.9)
POWERS = (1.03, 1.3, 1.7, 1.97)


def loglik(call, y, engine, **values):
    """At 50 means: those of an intercept of 0.3 and a slope of 0.4."""
    x = RNG.normal(size=POINTS)
    model = m2s.model(call, pd.DataFrame({"y": y, "x": x}))
    point = {"beta": {"(Intercept)": 0.3, "x": 0.4}, "u": [], **values}
    return model.loglik(point, engine), 0.3 + 0.4 * x


@pytest.mark.parametrize("kappa", KAPPAS)
def test_angles(kappa):
    y = RNG.uniform(-np.pi, np.pi, POINTS)
    found, eta = loglik("brm(y ~ x, family = von_mises())", y, "stanli", kappa=kappa)
    expected = stats.vonmises(kappa, 2 * np.arctan(eta)).logpdf(y).sum()
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("quantile", QUANTILES)
def test_quantiles(quantile):
    y = RNG.normal(size=POINTS)
    call = f"brm(bf(y ~ x, quantile = {quantile}), family = asym_laplace())"
    found, mu = loglik(call, y, "stanli", sigma=0.7)
    z = (y - mu) / 0.7
    check = np.where(z < 0, z * (quantile - 1), z * quantile)
    expected = (np.log(quantile * (1 - quantile) / 0.7) - check).sum()
    assert found == pytest.approx(expected, rel=1e-10)


def compound(y, mu, phi, power):
    """Gamma amounts of a Poisson number of events, summed over that number."""
    rate, shape = mu ** (2 - power) / (phi * (2 - power)), (2 - power) / (power - 1)
    scale = phi * (power - 1) * mu ** (power - 1)
    n = np.arange(1, 3000)[:, None]
    amounts = stats.gamma(n * shape, scale=scale).logpdf(np.where(y > 0, y, 1.0))
    return np.where(
        y > 0, special.logsumexp(stats.poisson(rate).logpmf(n) + amounts, axis=0), -rate
    )


@pytest.mark.parametrize("phi", [0.05, 1.0, 20.0])
@pytest.mark.parametrize("power", POWERS)
def test_amounts(power, phi):
    y = RNG.lognormal(0, 1.5, POINTS) * (RNG.uniform(size=POINTS) > 0.3)
    found, eta = loglik("glmmTMB(y ~ x, family = tweedie)", y, "stanli", phi=phi, power=power)
    assert found == pytest.approx(compound(y, np.exp(eta), phi, power).sum(), rel=1e-10)
    ours = DISTRIBUTIONS["tweedie"].log_density(
        y, np.exp(eta), {"phi": np.array(phi), "power": np.array(power)}
    )
    assert ours.sum() == pytest.approx(found, rel=1e-10)


def test_amounts_have_the_mass_of_one():
    def density(y):
        return np.exp(compound(np.array([y]), np.array([2.0]), 1.5, 1.4)[0])

    positive, _ = integrate.quad(density, 0, 60, points=[0.1, 1, 5], limit=200)
    assert positive + density(0.0) == pytest.approx(1, abs=1e-8)


def test_all_zeros_or_none():
    for y in (np.zeros(POINTS), np.ones(POINTS)):
        found, eta = loglik("glmmTMB(y ~ x, family = tweedie)", y, "stanli", phi=1.2, power=1.6)
        assert found == pytest.approx(compound(y, np.exp(eta), 1.2, 1.6).sum(), rel=1e-10)


def test_no_sum_goes_on_for_ever():
    found, _ = loglik(
        "glmmTMB(y ~ x, family = tweedie)", np.ones(POINTS), "stanli", phi=1e-300, power=1.5
    )
    assert found == -np.inf


def test_residuals_of_angles_go_the_shorter_way():
    y = np.array([3.0, -3.0] * 40)
    data = pd.DataFrame({"y": y, "x": np.tile([0.0, 1.0], 40)})
    model = m2s.model('brm(y ~ x, family = von_mises(link = "identity"))', data)
    fit = model.sample(2, 200, 200, seed=1, engine="stanli")
    assert np.abs(fit.residuals()).max() < np.pi
    assert set(np.sign(fit.predict(kind="response").values.ravel())) == {-1.0, 1.0}


def test_packages_without_a_family_are_told():
    data = pd.DataFrame({"y": [1.0, 0.5, 0, 1], "x": [0.0, 1, 2, 4]})
    for call in ("glmmTMB(y ~ x, family = tweedie)", "brm(y ~ x, family = skew_normal())"):
        for package in ("lme4", "nlme"):
            with pytest.raises(m2s.Unsupported, match=f"{package} cannot express a response"):
                m2s.translate(call, package, data)


REFUSED = [
    ("glmmTMB(y - 2 ~ x, family = tweedie)", "in row 1: a tweedie response is not negative"),
    ("glmmTMB(y ~ x, ziformula = ~ 1, family = tweedie)", "zeros of a tweedie"),
    ("brm(bf(y ~ x, power ~ x), family = tweedie())", "predictor of power"),
    ("brm(4 * y ~ x, family = von_mises())", "4 in row 1: .*angle"),
    ('brm(y ~ x, family = von_mises(link = "log"))', "no link 'log'"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_what_does_not_fit_is_named(call, words):
    with pytest.raises(m2s.FormulaError, match=words):
        m2s.model(call, pd.DataFrame({"y": [1.0, 0.5, 0, 1], "x": [0.0, 1, 2, 4]}))
