"""What the passes may look at besides the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mix2stan.matrices import Data
from mix2stan.priors.choice import PriorChoice
from mix2stan.priors.summaries import Summaries

__all__ = ["Context"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Context:
    """The data the graph is bound to, and the user's choices.

    ``prior`` says which set of default priors, and what besides; ``strategy`` names a way to
    compute, or says by term what becomes of its effects; ``summaries`` makes what priors are scaled
    by.
    """

    data: Data
    prior: PriorChoice
    strategy: str | Mapping[str, str] = "auto"
    summaries: Callable[[Array | None, Array, bool, str], Summaries] = Summaries
