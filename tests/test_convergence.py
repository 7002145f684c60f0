"""Effective sample sizes and R-hat of many quantities are those ArviZ finds one by one."""

from __future__ import annotations

import warnings

import arviz as az
import numpy as np
import pytest
import xarray as xr

from mix2stan.convergence import convergence


def chains(chains, length):
    """Quantities of every kind: independent, slow, antithetic, apart, tied, skewed."""
    rng = np.random.default_rng(length + chains)
    noise = rng.normal(size=(chains, length, 8))
    slow, swing = noise[..., 1].copy(), noise[..., 2].copy()
    for t in range(1, length):
        slow[:, t] += 0.95 * slow[:, t - 1]
        swing[:, t] -= 0.8 * swing[:, t - 1]
    apart = noise[..., 3] + np.arange(chains)[:, None]
    ties = np.round(noise[..., 4])
    return np.stack(
        [noise[..., 0], slow, swing, apart, ties, np.exp(2 * noise[..., 5]), slow**2], axis=2
    )


def by_arviz(draws):
    data = xr.Dataset({"x": (("chain", "draw", "i"), draws)})
    data = data.assign_coords({d: np.arange(data.sizes[d]) for d in data.dims})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = (
            az.ess(data, method="bulk"),
            az.ess(data, method="tail", prob=(0.05, 0.95)),
            az.rhat(data),
        )
    return [np.asarray(f["x"].values, dtype=float) for f in found]


@pytest.mark.parametrize("shape", [(4, 1000), (4, 101), (2, 50), (3, 7), (4, 4), (1, 300)])
def test_they_are_those_of_arviz(shape):
    draws = chains(*shape)
    for ours, theirs in zip(convergence(draws), by_arviz(draws), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def test_many_are_not_mixed_up():
    draws = np.random.default_rng(1).normal(size=(4, 60, 600)).cumsum(axis=1)
    for ours, theirs in zip(convergence(draws), by_arviz(draws), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def test_constants_and_missing_values_are_as_in_arviz():
    draws = np.random.default_rng(2).normal(size=(4, 100, 3))
    draws[..., 1] = 2.5
    draws[1, 7, 2] = np.nan
    for ours, theirs in zip(convergence(draws), by_arviz(draws), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    assert np.isnan(convergence(draws[:, :3])).all()
    assert np.isnan(convergence(draws[..., 2:])).all()
