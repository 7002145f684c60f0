"""Posterior summaries of many quantities at once, with the estimators of Vehtari et al."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mix2stan.convergence import convergence

__all__ = ["COLUMNS", "summarise"]

COLUMNS = ("mean", "sd", "2.5%", "50%", "97.5%", "ess_bulk", "ess_tail", "r_hat")


def summarise(blocks: Sequence[tuple[Sequence[str], np.ndarray]]) -> pd.DataFrame:
    """One row per quantity.

    Args:
        blocks: labels, and draws of shape (chains, draws, len(labels)).

    Returns:
        A frame with the columns :data:`COLUMNS`: effective sample sizes and the rank-normalised
        split R-hat of Vehtari et al. (2021), as ArviZ has them.
    """
    labels = [label for names, _ in blocks for label in names]
    if not labels:
        return pd.DataFrame(columns=list(COLUMNS), dtype=float)
    draws = np.concatenate([d for _, d in blocks], axis=2)
    quantiles = np.quantile(draws, [0.025, 0.5, 0.975], axis=(0, 1))
    table = pd.DataFrame(
        {
            "mean": draws.mean(axis=(0, 1)),
            "sd": draws.std(axis=(0, 1), ddof=1),
            "2.5%": quantiles[0],
            "50%": quantiles[1],
            "97.5%": quantiles[2],
        },
        index=labels,
    )
    ess_bulk, ess_tail, r_hat = convergence(draws)
    return table.assign(ess_bulk=ess_bulk, ess_tail=ess_tail, r_hat=r_hat)
