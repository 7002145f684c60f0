"""What can go wrong with sampling, in words.

Thresholds: R-hat 1.01 and 100 effective draws per chain (Vehtari et al. 2021), E-BFMI 0.3
(Betancourt 2016), no divergences, no saturated trajectories.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

__all__ = ["Problem", "find_problems"]

_R_HAT = 1.01
_ESS_PER_CHAIN = 100
_E_BFMI = 0.3


class Problem(NamedTuple):
    """Something wrong with the draws, and what to do about it."""

    kind: str
    message: str

    def __str__(self) -> str:
        return self.message


def find_problems(summary: pd.DataFrame, stats: Any, max_treedepth: int) -> tuple[Problem, ...]:
    """Problems of a sample, most serious first.

    Args:
        summary: the summary of all quantities.
        stats: sampler statistics as a dataset with the dims ``chain`` and ``draw``.
        max_treedepth: the limit the sampler was given.
    """
    found = [
        _divergences(stats),
        _r_hat(summary),
        _ess(summary, stats.sizes["chain"]),
        # draws from a prior have neither
        _treedepth(stats, max_treedepth) if "tree_depth" in stats else None,
        _energy(stats) if "energy" in stats else None,
    ]
    return tuple(problem for problem in found if problem is not None)


def _divergences(stats: Any) -> Problem | None:
    count = int(np.sum(stats["diverging"].values))
    if not count:
        return None
    share = count / stats["diverging"].size
    message = (
        f"{count} divergent transitions ({share:.1%}): parts of the posterior may be missing; "
        "sample again with adapt_delta closer to 1"
    )
    return Problem("divergences", message)


def _r_hat(summary: pd.DataFrame) -> Problem | None:
    bad = summary["r_hat"][summary["r_hat"] > _R_HAT]
    if bad.empty:
        return None
    message = (
        f"R-hat is {bad.max():.3f} for {bad.idxmax()} and above {_R_HAT} for {len(bad)} quantities: "
        "the chains disagree; take more warm-up and draws"
    )
    return Problem("r_hat", message)


def _ess(summary: pd.DataFrame, chains: int) -> Problem | None:
    ess = summary[["ess_bulk", "ess_tail"]].min(axis=1)
    bad = ess[ess < _ESS_PER_CHAIN * chains]
    if bad.empty:
        return None
    message = (
        f"{bad.idxmin()} has {bad.min():.0f} effective draws, and {len(bad)} quantities have fewer "
        f"than {_ESS_PER_CHAIN * chains}: take more draws"
    )
    return Problem("ess", message)


def _treedepth(stats: Any, limit: int) -> Problem | None:
    count = int(np.sum(stats["tree_depth"].values >= limit))
    if not count:
        return None
    message = (
        f"{count} trajectories reached the limit of 2^{limit} steps: sampling is slow, not wrong; "
        "a larger max_treedepth helps"
    )
    return Problem("treedepth", message)


def _energy(stats: Any) -> Problem | None:
    energy = np.asarray(stats["energy"].values)
    spread = np.var(energy, axis=1, ddof=1)
    moves = np.mean(np.diff(energy, axis=1) ** 2, axis=1)
    fraction = float(np.min(np.divide(moves, spread, out=np.ones_like(moves), where=spread > 0)))
    if fraction >= _E_BFMI:
        return None
    message = (
        f"E-BFMI is {fraction:.2f}: the tails may not have been explored; "
        "another parameterisation or tighter priors help"
    )
    return Problem("energy", message)
