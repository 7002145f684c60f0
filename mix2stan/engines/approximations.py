"""What CmdStan is told for an approximation of the posterior, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mix2stan.engines.contract import Array
from mix2stan.engines.values import STATS

__all__ = ["APPROXIMATIONS", "approximate_draws"]

#: CmdStan's arguments by kind; ``{draws}`` and ``{mode}``, a file with the mode, are filled in.
APPROXIMATIONS: Mapping[str, tuple[str, ...]] = {
    "laplace": ("laplace", "mode={mode}", "jacobian=1", "draws={draws}"),
    "pathfinder": ("pathfinder", "num_paths=1", "num_draws={draws}"),
    "meanfield": ("variational", "algorithm=meanfield", "output_samples={draws}"),
    "fullrank": ("variational", "algorithm=fullrank", "output_samples={draws}"),
}

#: Columns that are no variables of the program.
_OTHERS = frozenset({"lp__", "lp_approx__", "log_p__", "log_q__", "log_g__", "path__"})


def approximate_draws(table: pd.DataFrame, draws: int) -> tuple[list[str], Array, dict[str, Array]]:
    """The draws of an output file.

    Args:
        table: as CmdStan writes it; the variational methods put a mean before the draws.
        draws: how many were asked for.

    Returns:
        The variables' columns, their draws, shape (1, draws, columns), and the columns of NUTS, of
        which there are none but the density.
    """
    rows = table.tail(draws)
    names = [c for c in rows.columns if c not in _OTHERS]
    density = "log_p__" if "log_p__" in rows.columns else "lp__"
    columns = {name: np.zeros((1, len(rows))) for name in STATS}
    columns["lp__"] = rows[density].to_numpy(dtype=float)[None]
    return names, rows[names].to_numpy(dtype=float)[None], columns
