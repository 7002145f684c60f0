"""The top of a likelihood: climbs from one start or many, each taken up again where it stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mix2stan.engines import Optimum, Program
from mix2stan.errors import EngineError

__all__ = ["highest", "maximum"]

#: How often the optimiser is started again, and for how little more log-likelihood not.
_RESTARTS = 20
_GAIN = 1e-5


def maximum(
    program: Program, start: Mapping[str, Any], apart: Mapping[str, Any] | None = None
) -> Optimum:
    """The optimum; the optimiser is started again where it stopped until that brings nothing.

    ``apart`` says what is held, as in :meth:`~mix2stan.engines.contract.Program.optimize`.
    """
    best = program.optimize(dict(start), jacobian=False, apart=apart)
    for _ in range(_RESTARTS):
        last = {name: best.values[name] for name in start}
        moved = None if apart is None else _moved(last, start, apart)
        again = program.optimize(last, jacobian=False, apart=moved)
        if again.log_density < best.log_density + _GAIN:
            break
        best = again
    return best


def _moved(
    last: Mapping[str, Any], start: Mapping[str, Any], apart: Mapping[str, Any]
) -> dict[str, Any]:
    """A point apart from the last one where ``apart`` is from the start, element by element."""
    return {n: np.where(np.equal(start[n], apart[n]), v, apart[n]) for n, v in last.items()}


def highest(
    program: Program,
    start: Mapping[str, Any],
    line: Sequence[Mapping[str, Any]] = (),
    every: bool = False,
) -> Optimum:
    """The highest top that is reached from a start, and from it with other values of some parameter.

    Args:
        program: the likelihood.
        start: where to start, by Stan name.
        line: other values, which follow each other; the climb begins at those where the density is
            higher than at their neighbours.
        every: whether it begins at all of them.

    Raises:
        EngineError: if no start leads anywhere.
    """
    points = [{**start, **values} for values in line]
    heights = np.array([-np.inf, *(_height(program, point) for point in points), -np.inf])
    before, here, after = heights[:-2], heights[1:-1], heights[2:]
    chosen = np.isfinite(here) & (every | ((here >= before) & (here > after)))
    tops: list[Optimum] = []
    for point in [start, *(points[i] for i in np.flatnonzero(chosen))]:
        try:
            tops.append(maximum(program, point))
        except EngineError:
            # the only start says why it leads nowhere
            if not chosen.any():
                raise
    return max(tops, key=lambda top: top.log_density)


def _height(program: Program, point: Mapping[str, Any]) -> float:
    """The log density at a point, minus infinity where there is none."""
    try:
        value, _ = program.log_density(point, jacobian=False)
    except EngineError:
        return -np.inf
    return value if np.isfinite(value) else -np.inf
