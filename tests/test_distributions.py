"""Densities, probabilities, draws, means and variances in numpy are those of the reference."""

from __future__ import annotations

import numpy as np
import pytest

from mix2stan.distributions import DISTRIBUTIONS
from mix2stan.families import FAMILIES
from tests.test_families import (
    ALPHA,
    COI,
    CUTS,
    DENSITY,
    HU,
    KAPPA,
    NU,
    PHI,
    POWER,
    QUANTILE,
    SHAPE,
    SIGMA,
    ZI,
    ZOI,
)

VALUES = {
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
    "trials": np.array(5.0),
}
VALUES = {name: np.asarray(value) for name, value in VALUES.items()}
#: Points and masses of every kind of response: sums of both are expectations.
ENDS = {"unit_zero": [0.0], "unit_closed": [0.0, 1.0], "nonnegative": [0.0]}
#: Where probabilities are compared.
AT = {
    "real": (-0.5, 0.0, 1.5),
    "positive": (0.3, 2.0),
    "nonnegative": (0.0, 0.3, 2.0),
    "unit": (0.2, 0.8),
    "unit_zero": (0.0, 0.2, 0.8),
    "unit_closed": (0.0, 0.2, 1.0),
    "count": (0.0, 1.0, 5.0),
    "positive_count": (1.0, 2.0, 5.0),
    "trials": (0.0, 1.0, 5.0),
    "angle": (-3.0, -1.0, 1.5),
}


def points_of(support):
    """Where the response can be, and the width that each point stands for."""
    if support in ("count", "positive_count"):
        return np.arange(support == "positive_count", 3000.0), 1.0
    if support in ("trials", "binary"):
        return np.arange(6.0 if support == "trials" else 2.0), 1.0
    if support == "angle":
        width = 2 * np.pi / 20_000
        return -np.pi + (np.arange(20_000) + 0.5) * width, np.full(20_000, width)
    ends = np.array(ENDS.get(support, []))
    if support.startswith("unit"):
        # midpoints of equal shares of the angle: the density may rise to the ends
        angle = (np.arange(20_000) + 0.5) * np.pi / 20_000
        inner, width = (1 - np.cos(angle)) / 2, np.sin(angle) / 2 * np.pi / 20_000
    else:
        log = np.arange(-25, 12, 0.001)
        inner, width = np.exp(log), np.exp(log) * 0.001
        if support == "real":
            inner, width = (
                np.concatenate([-inner[::-1], inner]),
                np.concatenate([width[::-1], width]),
            )
    return np.concatenate([ends, inner]), np.concatenate([np.ones(len(ends)), width])


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if not f.categories])
def test_numbers_are_those_of_the_density(name):
    family, row = FAMILIES[name], DISTRIBUTIONS[name]
    mu, trials = np.array(0.6), 5 if family.counts_trials else 1
    y, width = points_of(family.support)
    with np.errstate(all="ignore"):
        density = DENSITY[name](y, mu)
        mass = np.exp(density) * width
        ours = row.log_density(y, np.full(len(y), 0.6), VALUES)
    likely = mass > 1e-12
    np.testing.assert_allclose(ours[likely], density[likely], rtol=1e-8, atol=1e-8)
    assert mass.sum() == pytest.approx(1, abs=1e-5)
    mean = np.sum(y * mass)
    if family.support == "angle":
        mean = np.angle(np.sum(np.exp(1j * y) * mass))
    variance = np.sum(row.difference(y, mean) ** 2 * mass)
    assert row.expected(mu, VALUES) * trials == pytest.approx(mean, rel=1e-4)
    assert row.variance(mu, VALUES) * trials**2 == pytest.approx(variance, rel=1e-3)
    draws = row.simulate(np.random.default_rng(3), np.full(100_000, 0.6), VALUES)
    around = mean + row.difference(draws, mean)
    assert around.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / len(draws)))
    near = 1e-10 if np.ndim(width) == 0 else 2e-3
    for at in AT.get(family.support, (0.0, 1.0)):
        point, many = np.array([at]), np.full(1, 0.6)
        assert row.less(point, many, VALUES)[0] == pytest.approx(mass[y < at].sum(), abs=near)
        assert row.cdf(point, many, VALUES)[0] == pytest.approx(mass[y <= at].sum(), abs=near)
        massive = mass[(y == at) & (width == 1)].sum()
        assert np.mean(draws == at) == pytest.approx(massive, abs=0.01)
