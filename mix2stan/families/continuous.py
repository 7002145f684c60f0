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
}
