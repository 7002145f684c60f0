"""What the passes may look at besides the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mix2stan.matrices import Data
from mix2stan.prior_choice import PriorChoice

__all__ = ["Context"]


@dataclass(frozen=True)
class Context:
    """The data the graph is bound to, and the user's choices.

    ``prior`` says which set of default priors, and what besides; ``strategy`` names a way to
    compute, or says by term what becomes of its effects.
    """

    data: Data
    prior: PriorChoice
    strategy: str | Mapping[str, str] = "auto"
