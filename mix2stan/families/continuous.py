"""Angles, quantiles, and amounts that may be zero."""

from __future__ import annotations

import numpy as np

from mix2stan.families.basic import Family

__all__ = ["ROWS"]

ROWS: dict[str, Family] = {
    "von_mises": Family(
        links=("tan_half", "identity"),
        support="angle",
        density="von_mises({mu}, kappa)",
        r_names=("von_mises",),
        variance=np.ones_like,
        dispersion="kappa",
        parameters=("kappa",),
        domain=lambda mu: np.asarray(np.abs(mu) < np.pi),
    ),
    "asym_laplace": Family(
        links=("identity", "log", "inverse"),
        support="real",
        density="asym_laplace({mu}, sigma, quantile)",
        r_names=("asym_laplace",),
        variance=np.ones_like,
        dispersion="sigma",
        parameters=("sigma", "quantile"),
        meanings={"sigma": "the larger, the more spread"},
        functions="functions/asym_laplace",
    ),
    "tweedie": Family(
        links=("log", "identity", "sqrt"),
        support="nonnegative",
        density="tweedie({mu}, phi, power, zero, positive)",
        mathematics="tweedie({mu}, phi, power)",
        r_names=("tweedie",),
        variance=lambda mu: np.asarray(mu**1.5),
        dispersion="phi",
        parameters=("phi", "power"),
        meanings={"phi": "the variance is phi times mu^power"},
        starts={"phi": 1.0},
        functions="functions/tweedie",
        domain=lambda mu: np.asarray(mu > 0),
        row_sets={"zero": lambda y: y == 0, "positive": lambda y: y > 0},
    ),
}
