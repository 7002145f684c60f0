"""Draws, means and variances in numpy are those of the densities."""

from __future__ import annotations

import numpy as np
import pytest

from mix2stan.families import FAMILIES
from tests.test_families import (
    ALPHA,
    COI,
    CUTS,
    DENSITY,
    HU,
    NU,
    PHI,
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
    "trials": np.array(5.0),
}
VALUES = {name: np.asarray(value) for name, value in VALUES.items()}
#: Points and masses of every kind of response: sums of both are expectations.
ENDS = {"unit_zero": [0.0], "unit_closed": [0.0, 1.0], "nonnegative": [0.0]}


def points_of(support):
    """Where the response can be, and the width that each point stands for."""
    if support in ("count", "positive_count"):
        return np.arange(support == "positive_count", 3000.0), 1.0
    if support in ("trials", "binary"):
        return np.arange(6.0 if support == "trials" else 2.0), 1.0
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


@pytest.mark.parametrize("name", FAMILIES)
def test_moments_and_draws_are_those_of_the_density(name):
    family, mu = FAMILIES[name], np.array(0.6)
    y, width = points_of(family.support)
    with np.errstate(all="ignore"):
        mass = np.exp(DENSITY[name](y, mu)) * width
    assert mass.sum() == pytest.approx(1, abs=1e-5)
    mean = np.sum(y * mass)
    variance = np.sum((y - mean) ** 2 * mass)
    assert family.law.mean(mu, VALUES) == pytest.approx(mean, rel=1e-4)
    assert family.law.variance(mu, VALUES) == pytest.approx(variance, rel=1e-3)
    draws = family.law.draw(np.random.default_rng(3), np.full(200_000, 0.6), VALUES)
    error = np.sqrt(variance / len(draws))
    assert draws.mean() == pytest.approx(mean, abs=5 * error)
    rank = np.sort(draws)
    share = np.interp(np.quantile(draws, 0.7), y[np.argsort(y)], np.cumsum(mass[np.argsort(y)]))
    if family.support in ("real", "positive", "unit"):
        assert share == pytest.approx(0.7, abs=0.01)
    zero = mass[y == 0].sum()
    assert np.mean(rank == 0) == pytest.approx(zero, abs=0.01)


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if f.zero])
def test_the_probability_of_a_zero_is_the_density_there(name):
    mu = np.array([0.1, 0.5, 0.9])
    zero = FAMILIES[name].law.zero(mu, VALUES)
    np.testing.assert_allclose(zero, np.exp(DENSITY[name](np.zeros(3), mu)), rtol=1e-12)
