"""The density of every family and link is scipy's, on both engines, in every parameterisation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import mix2stan as m2s
from mix2stan.families import FAMILIES
from mix2stan.passes.strategy import STRATEGIES
from tests.conftest import table

INVERSE = {
    "identity": lambda x: x,
    "log": np.exp,
    "-log": lambda x: np.exp(-x),
    "sqrt": np.square,
    "inverse": lambda x: 1 / x,
    "1/mu^2": lambda x: x**-0.5,
    "logit": special.expit,
    "probit": stats.norm.cdf,
    "cloglog": lambda x: 1 - np.exp(-np.exp(x)),
    "cauchit": stats.cauchy.cdf,
    "tan_half": lambda x: 2 * np.arctan(x),
}
SHAPE, PHI, NU, SIGMA = 1.7, 4.2, 5.5, 0.8
KAPPA, QUANTILE, POWER = 2.3, 0.3, 1.6
ALPHA, ZI, HU, ZOI, COI, CUTS = 1.3, 0.25, 0.35, 0.3, 0.4, (-1.1, 2.2)


def beta(y, mu):
    return stats.beta(mu * PHI, (1 - mu) * PHI).logpdf(y)


def skew_normal(y, mu):
    delta = ALPHA / np.sqrt(1 + ALPHA**2)
    scale = SIGMA / np.sqrt(1 - 2 / np.pi * delta**2)
    return stats.skewnorm(ALPHA, mu - scale * delta * np.sqrt(2 / np.pi), scale).logpdf(y)


def lognormal_mean(y, mu):
    variance = np.log1p((SIGMA / mu) ** 2)
    return stats.lognorm(np.sqrt(variance), scale=mu * np.exp(-variance / 2)).logpdf(y)


def zero_inflated(base):
    def density(y, mu):
        return np.log(ZI * (y == 0) + (1 - ZI) * np.exp(base(y, mu)))

    return density


def truncated(base):
    return lambda y, mu: base(y, mu) - np.log1p(-np.exp(base(0 * y, mu)))


def hurdle(base, share=HU):
    return lambda y, mu: np.where(
        y == 0, np.log(share), np.log1p(-share) + base(np.where(y == 0, 0.5, y), mu)
    )


def hurdle_count(base):
    rest = truncated(base)
    return lambda y, mu: np.where(
        y == 0, np.log(HU), np.log1p(-HU) + rest(np.where(y == 0, 1, y), mu)
    )


def zero_one_inflated(y, mu):
    inner = np.log1p(-ZOI) + beta(np.where(y % 1 > 0, y, 0.5), mu)
    ends = np.log(ZOI) + np.where(y == 1, np.log(COI), np.log1p(-COI))
    return np.where(y % 1 > 0, inner, ends)


def ordered_beta(y, mu):
    eta = special.logit(mu)
    zero, one = special.expit(CUTS[0] - eta), special.expit(eta - CUTS[1])
    inner = np.log(1 - zero - one) + beta(np.where(y % 1 > 0, y, 0.5), mu)
    return np.where(y == 0, np.log(zero), np.where(y == 1, np.log(one), inner))


def asym_laplace(y, mu):
    # scipy's skewness and scale in terms of probability and sd-like scale
    q = QUANTILE
    kappa = np.sqrt(q / (1 - q))
    return stats.laplace_asymmetric(kappa, mu, SIGMA / np.sqrt(q * (1 - q))).logpdf(y)


def tweedie(y, mu):
    rate, shape = mu ** (2 - POWER) / (PHI * (2 - POWER)), (2 - POWER) / (POWER - 1)
    scale = PHI * (POWER - 1) * mu ** (POWER - 1)
    n = np.arange(1, 400)[:, None]
    amounts = stats.gamma(n * shape, scale=scale).logpdf(np.where(y > 0, y, 1.0))
    series = special.logsumexp(stats.poisson(rate).logpmf(n) + amounts, axis=0)
    return np.where(y > 0, series, -rate)


COUNTS = {
    "poisson": lambda y, mu: stats.poisson(mu).logpmf(y),
    "negbinomial": lambda y, mu: stats.nbinom(SHAPE, SHAPE / (SHAPE + mu)).logpmf(y),
    "nbinom1": lambda y, mu: stats.nbinom(mu / PHI, 1 / (1 + PHI)).logpmf(y),
    "geometric": lambda y, mu: stats.geom(1 / (1 + mu), loc=-1).logpmf(y),
}
TRIALS = {
    "binomial": lambda y, mu: stats.binom(5, mu).logpmf(y),
    "beta_binomial": lambda y, mu: stats.betabinom(5, mu * PHI, (1 - mu) * PHI).logpmf(y),
}
DENSITY = {
    "gaussian": lambda y, mu: stats.norm(mu, SIGMA).logpdf(y),
    "student": lambda y, mu: stats.t(NU, mu, SIGMA).logpdf(y),
    "lognormal": lambda y, mu: stats.lognorm(SIGMA, scale=np.exp(mu)).logpdf(y),
    "bernoulli": lambda y, mu: stats.bernoulli(mu).logpmf(y),
    "Gamma": lambda y, mu: stats.gamma(SHAPE, scale=mu / SHAPE).logpdf(y),
    "inverse.gaussian": lambda y, mu: stats.invgauss(mu / SHAPE, scale=SHAPE).logpdf(y),
    "beta": beta,
    **COUNTS,
    **TRIALS,
    "lognormal_mean": lognormal_mean,
    "skew_normal": skew_normal,
    "exponential": lambda y, mu: stats.expon(scale=mu).logpdf(y),
    "weibull": lambda y, mu: stats.weibull_min(
        SHAPE, scale=mu / special.gamma(1 + 1 / SHAPE)
    ).logpdf(y),
    "von_mises": lambda y, mu: stats.vonmises(KAPPA, mu).logpdf(y),
    "asym_laplace": asym_laplace,
    "tweedie": tweedie,
    "zero_one_inflated_beta": zero_one_inflated,
    "ordered_beta": ordered_beta,
    **{f"zero_inflated_{name}": zero_inflated(d) for name, d in (COUNTS | TRIALS).items()},
    **{f"truncated_{name}": truncated(d) for name, d in COUNTS.items() if name != "geometric"},
    **{f"hurdle_{name}": hurdle_count(d) for name, d in COUNTS.items() if name != "geometric"},
    "hurdle_lognormal_mean": hurdle(lognormal_mean),
    "zero_inflated_beta": hurdle(beta, ZI),
}
DENSITY["hurdle_gamma"] = hurdle(DENSITY["Gamma"])
DENSITY["hurdle_lognormal"] = hurdle(DENSITY["lognormal"])
#: Those of categories have tests of their own.
SINGLE = {name: row for name, row in FAMILIES.items() if not row.categories}
ROWS = [(name, link) for name, row in SINGLE.items() for link in row.links]


def data_of(name):
    rng = np.random.default_rng(4)
    n = 24
    kind = FAMILIES[name].support
    unit = rng.uniform(0.1, 0.9, n)
    zeros = rng.integers(0, 2, n)
    y = {
        "real": rng.uniform(0.5, 3, n),
        "positive": rng.uniform(0.2, 3, n),
        "nonnegative": rng.uniform(0.2, 3, n) * zeros,
        "unit": unit,
        "unit_zero": unit * zeros,
        "unit_closed": np.where(zeros, unit, rng.integers(0, 2, n)),
        "count": rng.poisson(3, n),
        "positive_count": rng.poisson(3, n) + 1,
        "binary": rng.integers(0, 2, n),
        "trials": rng.integers(0, 6, n),
        "angle": rng.uniform(-3, 3, n),
    }[kind]
    return pd.DataFrame({"y": y, "f": 5 - y, "x": rng.uniform(-1, 1, n), "g": list("abcdef") * 4})


@pytest.mark.parametrize(("name", "link"), ROWS)
def test_the_joint_density_is_scipys(name, link, engine):
    df = data_of(name)
    left = "cbind(y, f)" if FAMILIES[name].counts_trials else "y"
    model = m2s.model(f'glmer({left} ~ x + (1 | g), family = {name}(link = "{link}"))', df)
    rng = np.random.default_rng(9)
    u = rng.normal(0, 0.1, (6, 1))
    point = {
        "beta": {"(Intercept)": 0.9, "x": 0.2},
        "random": [{"group": "g", "coefficients": ["(Intercept)"], "sd": [0.4]}],
        "u": [u],
        "sigma": SIGMA,
        "shape": SHAPE,
        "phi": PHI,
        "nu": NU,
        "alpha": ALPHA,
        "zi": ZI,
        "hu": HU,
        "zoi": ZOI,
        "coi": COI,
        "cut_zero": CUTS[0],
        "cut_one": CUTS[1],
        "kappa": KAPPA,
        "quantile": QUANTILE,
        "power": POWER,
    }
    eta = 0.9 + 0.2 * df["x"].to_numpy() + np.tile(u[:, 0], 4)
    expected = DENSITY[name](df["y"].to_numpy(), INVERSE[link](eta)).sum()
    expected += stats.norm(0, 0.4).logpdf(u).sum()
    assert model.loglik(point, engine.name) == pytest.approx(expected, rel=1e-10)


def test_every_family_has_a_density_here():
    assert set(DENSITY) == set(SINGLE)


BAD = [
    ("poisson", [1.0, 2.5, 3, 4], "2.5 in row 2"),
    ("poisson", [1.0, 2, -3, 4], "-3 in row 3"),
    ("binomial", [0.0, 1, 0.5, 1], "0.5 in row 3"),
    ("binomial", list("abca"), "3 levels"),
    ("Gamma", [1.0, 0, 1, 2], "0 in row 2"),
    ("beta", [0.5, 1.2, 0.1, 0.2], "1.2 in row 2"),
    ("von_mises", [0.5, -3.2, 0.1, 0.2], "-3.2 in row 2.*angle from -pi to pi"),
]


@pytest.mark.parametrize(("family", "y", "words"), BAD)
def test_a_response_that_does_not_fit_is_named(family, y, words):
    with pytest.raises(m2s.FormulaError, match=words):
        m2s.model(f"glm(y ~ 1, family = {family})", pd.DataFrame({"y": y}))


def test_three_ways_to_write_a_binomial_response_are_one():
    df = data_of("binomial").assign(p=lambda d: d["y"] / 5, n=5)
    a = m2s.model("glmer(cbind(y, f) ~ x + (1 | g), family = binomial)", df).stan_data
    b = m2s.model("glmer(p ~ x + (1 | g), weights = n, family = binomial)", df).stan_data
    np.testing.assert_array_equal(a["y"], b["y"])
    np.testing.assert_array_equal(a["trials"], b["trials"])


def test_maximum_likelihood_is_refused_with_the_reason():
    model = m2s.model("glmer(y ~ x + (1 | g), family = poisson)", data_of("poisson"))
    with pytest.raises(m2s.Unsupported, match="poisson"):
        model.reml()


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_summed_observations_have_the_same_density(family, stanli):
    rng = np.random.default_rng(2)
    df = pd.DataFrame({"x": rng.integers(0, 2, 90) * 1.0, "g": list("abc") * 30})
    df["y"] = rng.integers(0, 2, 90)
    call = f"glmer(y ~ x + (1 | g), family = {family})"
    models = [m2s.model(call, df, strategy=s) for s in ("auto", "noncentred")]
    assert models[0].stan_data["N"] < models[1].stan_data["N"] == 90
    values = []
    for model in models:
        program = stanli.compile(model.stan_code, model.stan_data)
        points = np.random.default_rng(5).normal(0, 0.4, (4, 5))
        values.append(
            [
                program.log_density({"theta": p[:2], "sd_g": 0.7, "z_g": p[2:]}, jacobian=False)[0]
                for p in points
            ]
        )
    # there is no group effect in these data, so both programs sample standard normals
    assert not any(g.parameterisation.centred for m in models for g in m.meaning.groups)
    np.testing.assert_allclose(np.diff(values[0]), np.diff(values[1]), rtol=1e-9)


def test_every_parameterisation_is_one_posterior():
    df = table("grouseticks")
    call = "glmer(TICKS ~ YEAR + cHEIGHT + (1 | LOCATION/BROOD), family = poisson)"
    assert {"noncentred", "centred"} < set(STRATEGIES)
    tables = [
        m2s.model(call, df, strategy=s).sample(2, 500, 500, seed=3, engine="stanli").summary()
        for s in ("auto", "noncentred", "centred")
    ]
    for other in tables[1:]:
        assert list(other.index) == list(tables[0].index)
        error = np.hypot(
            *(t["sd"].to_numpy() / np.sqrt(t["ess_bulk"].to_numpy()) for t in (tables[0], other))
        )
        assert (np.abs(tables[0]["mean"] - other["mean"]) < 5 * error).all()
