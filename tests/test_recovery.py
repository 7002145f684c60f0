"""Simulated data of every family are fitted, and the truth is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s
from mix2stan.distributions import DISTRIBUTIONS
from mix2stan.families import FAMILIES, PARAMETERS
from mix2stan.links import LINKS

TRUTH = {
    "sigma": 0.7,
    "shape": 2.5,
    "phi": 3.0,
    "nu": 6.0,
    "alpha": 3.0,
    "zi": 0.25,
    "hu": 0.3,
    "zoi": 0.2,
    "coi": 0.4,
    "kappa": 3.0,
    "quantile": 0.3,
    "power": 1.4,
    "cut_zero": -1.5,
    "cut_one": 2.0,
}
#: A coefficient of x at which responses are neither all alike nor far apart.
INTERCEPT, SLOPE, SD = 0.6, 0.4, 0.5
QUICK = {"zero_inflated_poisson", "hurdle_negbinomial", "ordered_beta", "von_mises"}


def simulated(name, rows=900, groups=30, seed=8):
    """Data of a family with one grouping factor, and what they were drawn with."""
    rng = np.random.default_rng(seed)
    family = FAMILIES[name]
    g = np.arange(rows) % groups
    x, b = rng.normal(size=rows), rng.normal(0, SD, groups)
    # effects on every level would be a shift of all
    b = (b - b.mean()) / b.std() * SD
    link = default_link(name)
    eta = INTERCEPT + SLOPE * x + b[g]
    values = {p: np.asarray(TRUTH[p]) for p in family.parameters}
    values["trials"] = np.full(rows, 12.0)
    y = DISTRIBUTIONS[name].simulate(rng, LINKS[link].inverse(eta), values)
    return pd.DataFrame({"y": y, "f": 12 - y, "x": x, "g": [f"g{k:02d}" for k in g]})


def default_link(name):
    links = FAMILIES[name].links
    return "log" if "log" in links and "positive" in FAMILIES[name].support else links[0]


def cases():
    for name in FAMILIES:
        if FAMILIES[name].support not in SUPPORTED:
            continue
        yield name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)


SUPPORTED = {
    *("real", "positive", "nonnegative", "unit", "unit_zero", "unit_closed"),
    *("count", "positive_count", "binary", "trials", "angle"),
}


@pytest.mark.parametrize("name", cases())
def test_the_truth_is_found(name):
    df = simulated(name)
    left = "cbind(y, f)" if FAMILIES[name].counts_trials else "y"
    family = f'{name}(link = "{default_link(name)}")'
    model = m2s.model(f"glmer({left} ~ x + (1 | g), family = {family})", df)
    fit = model.sample(2, 500, 500, seed=2, engine="stanli")
    table = fit.summary()
    wanted = {"beta[x]": SLOPE, "beta[(Intercept)]": INTERCEPT, "sd_g": SD}
    wanted |= {p: TRUTH[p] for p in FAMILIES[name].parameters}
    assert (table["r_hat"] < 1.05).all()
    for parameter, truth in wanted.items():
        row = table.loc[parameter]
        assert abs(row["mean"] - truth) < 4 * row["sd"], parameter


def test_a_predictor_of_zeros_is_found():
    rng = np.random.default_rng(5)
    n, groups = 800, 25
    g = np.arange(n) % groups
    x, z = rng.normal(size=(2, n))
    b, c = rng.normal(0, 0.5, groups), rng.normal(0, 0.8, groups)
    zi = 1 / (1 + np.exp(0.8 - 0.7 * z - c[g]))
    shape = np.exp(1.0 - 0.5 * x)
    law = DISTRIBUTIONS["zero_inflated_negbinomial"]
    y = law.simulate(rng, np.exp(1.5 + 0.4 * x + b[g]), {"zi": zi, "shape": shape})
    df = pd.DataFrame({"y": y, "x": x, "z": z, "g": g.astype(str)})
    call = (
        "glmmTMB(y ~ x + (1 | g), ziformula = ~ z + (1 | g), dispformula = ~ x, family = nbinom2)"
    )
    table = m2s.model(call, df).sample(2, 500, 500, seed=2, engine="stanli").summary()
    wanted = {
        "beta[(Intercept)]": 1.5,
        "beta[x]": 0.4,
        "zi[(Intercept)]": -0.8,
        "zi[z]": 0.7,
        "shape[(Intercept)]": 1.0,
        "shape[x]": -0.5,
        "sd_g": 0.5,
        "sd_zi_g": 0.8,
    }
    for parameter, truth in wanted.items():
        row = table.loc[parameter]
        assert abs(row["mean"] - truth) < 4 * row["sd"], parameter


def test_every_parameter_has_a_truth():
    names = {p for name in FAMILIES for p in FAMILIES[name].parameters}
    assert names <= set(TRUTH) <= set(PARAMETERS)
