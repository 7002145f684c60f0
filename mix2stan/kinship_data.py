"""The data of sampled effects whose levels are related."""

from __future__ import annotations

from typing import Any

import numpy as np

from mix2stan.relationships import Kinship, KnownMatrix, Recursion

__all__ = ["kinship_data"]


def kinship_data(name: str, kinship: Kinship, centred: bool) -> dict[str, Any]:
    """What a term needs, by Stan name.

    Args:
        name: the identifier of the term.
        kinship: the covariance among its levels.
        centred: whether effects are sampled as they are.
    """
    if isinstance(kinship, Recursion):
        return _recursion(name, kinship, centred)
    return _matrix(name, kinship, centred)


def _recursion(name: str, kinship: Recursion, centred: bool) -> dict[str, Any]:
    # 1 is the unknown parent, whose effect is zero, so that level i is i + 1
    entries: dict[str, Any] = {
        f"first_{name}": kinship.parents[:, 0] + 2,
        f"second_{name}": kinship.parents[:, 1] + 2,
        f"own_{name}": np.sqrt(kinship.variances),
    }
    if not centred:
        entries |= {f"G_{name}": len(kinship.last), f"last_{name}": kinship.last}
    return entries


def _matrix(name: str, kinship: KnownMatrix, centred: bool) -> dict[str, Any]:
    if not centred:
        return {f"root_{name}": kinship.root}
    precision = kinship.precision
    return {
        f"M_{name}": len(precision.data),
        f"precision_{name}": precision.data,
        f"row_{name}": precision.coords[0] + 1,
        f"column_{name}": precision.coords[1] + 1,
    }
