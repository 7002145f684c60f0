"""Laplace's approximation with effects integrated out: what glmer, TMB and INLA do.

For given hyperparameters (coefficients, variances, correlations) the effects have a mode and a
curvature there; their integral is the density at the mode times the volume of that normal
distribution (Tierney & Kadane 1986).  What is left is a density of the hyperparameters alone, which
has a mode where the joint one has none, and does not depend on how effects are scaled or centred.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.linalg import cho_solve, solve_triangular

from mix2stan.errors import EngineError

__all__ = ["marginal_laplace"]

Array = NDArray[np.float64]
Density = Callable[[Array], tuple[float, Array]]

#: The most effects: their curvature is a matrix that is factored thousands of times.
_MOST = 600
#: Of Newton's method: how far from level it may stop, and how often it steps, and halves a step.
_LEVEL, _STEPS, _HALVES = 1e-7, 100, 40
#: Steps of the differences, of effects and (at first) of hyperparameters.
_OF_EFFECTS, _OF_OTHERS = 1e-5, 1e-4
#: The step of the final differences, in standard deviations.
_OF_SD = 0.1
_HINT = "sample() needs none"


def marginal_laplace(
    density: Density, start: Array, effects: NDArray[np.bool_], draws: int, seed: int
) -> Array:
    """Draws of all unconstrained parameters, shape (draws, n).

    Hyperparameters are normal around the mode of their own density; the effects of each draw are
    normal around their mode given it.  The seed is that of the draws, and of nothing else.

    Args:
        density: the log density and its gradient.
        start: where to climb from, shape (n,).
        effects: which parameters are integrated out, shape (n,).
        draws: how many.
        seed: of the draws.

    Raises:
        EngineError: if there are too many effects, or no mode with a curvature of its own.
    """
    if effects.sum() > _MOST:
        message = f"the effects are too many to be integrated here: {effects.sum():,}, of {_MOST}"
        raise EngineError(message, hint=_HINT)
    inner = _Effects(density, effects, start)
    mode, root = _mode_of_others(inner, start[~effects])
    rng = np.random.default_rng(seed)
    found = np.empty((draws, len(start)))
    for row in found:
        others = mode + solve_triangular(root.T, rng.standard_normal(len(mode)))
        at = inner.mode(others)
        if at is None:
            raise EngineError("the effects have no mode everywhere", hint=_HINT)
        u, own, _ = at
        row[~effects] = others
        row[effects] = u + solve_triangular(own.T, rng.standard_normal(len(u)))
    return found


class _Effects:
    """The effects for given hyperparameters: their mode, and a root of their precision."""

    def __init__(self, density: Density, effects: NDArray[np.bool_], start: Array) -> None:
        self._density, self._where, self._start = density, effects, start
        self._u = start[effects]
        count = len(self._u)
        self._pattern, self._colours = np.ones((count, count), dtype=bool), np.arange(count)
        # columns that no row has both of are differenced together: levels, of one factor
        self._pattern = self._precision(start) != 0
        self._colours = _colours(self._pattern)

    def check(self, others: Array) -> None:
        """See that the curvature has no other pattern where the hyperparameters have their mode.

        Raises:
            EngineError: if it has.
        """
        found = self.mode(others)
        q = self._start.copy()
        q[~self._where], q[self._where] = others, self._u
        short = self._precision(q)
        self._pattern, self._colours = np.ones_like(self._pattern), np.arange(len(self._u))
        whole = self._precision(q)
        if found is None or np.abs(whole - short).max(initial=0) > 1e-4 * np.abs(whole).max(
            initial=1
        ):
            raise EngineError("the effects have no mode with a curvature of their own", hint=_HINT)
        self._pattern = (self._precision(self._start) != 0) | (whole != 0)
        self._colours = _colours(self._pattern)

    def mode(self, others: Array) -> tuple[Array, Array, float] | None:
        """Mode (E,), root of the precision there (E, E), and the integral's logarithm.

        None if there is no such mode.
        """
        q = self._start.copy()
        q[~self._where] = others
        # what was the mode elsewhere may have no density here
        for u in (self._u, np.zeros_like(self._u)):
            q[self._where] = u
            found = self._climb(q)
            if found is not None:
                self._u = found[0]
                return found
        return None

    def _climb(self, q: Array) -> tuple[Array, Array, float] | None:
        value, slope = self._at(q)
        for _ in range(_STEPS):
            if not np.isfinite(value):
                return None
            precision = self._precision(q)
            root = _positive_root(precision)
            step = cho_solve((root, True), slope[self._where])
            # what a full step would gain
            if float(slope[self._where] @ step) < _LEVEL**2:
                exact = _root(precision)
                if exact is None:
                    return None
                logarithm = value - float(np.sum(np.log(np.diag(exact))))
                return q[self._where].copy(), exact, logarithm
            for halves in range(_HALVES):
                further = q.copy()
                further[self._where] += step * 0.5**halves
                higher, slope_there = self._at(further)
                if higher >= value - 1e-10 * abs(value):
                    break
            else:
                return None
            q, value, slope = further, higher, slope_there
        return None

    def _at(self, q: Array) -> tuple[float, Array]:
        try:
            return self._density(q)
        except EngineError:
            return -np.inf, np.zeros_like(q)

    def _precision(self, q: Array) -> Array:
        """Minus the second derivatives of the effects, shape (E, E), by differences of gradients."""
        places = np.flatnonzero(self._where)
        found = np.zeros((len(places), len(places)))
        for colour in range(self._colours.max(initial=-1) + 1):
            mine = np.flatnonzero(self._colours == colour)
            ahead, behind = q.copy(), q.copy()
            ahead[places[mine]] += _OF_EFFECTS
            behind[places[mine]] -= _OF_EFFECTS
            change = (self._at(behind)[1] - self._at(ahead)[1])[places] / (2 * _OF_EFFECTS)
            found[:, mine] = np.where(self._pattern[:, mine], change[:, None], 0.0)
        return (found + found.T) / 2


def _colours(pattern: NDArray[np.bool_]) -> NDArray[np.int64]:
    """A number for every column, so that columns of one number share no row."""
    found = np.zeros(len(pattern), dtype=np.int64)
    taken: list[NDArray[np.bool_]] = []
    for j, rows in enumerate(pattern.T):
        colour = next((c for c, used in enumerate(taken) if not (used & rows).any()), len(taken))
        if colour == len(taken):
            taken.append(np.zeros(len(pattern), dtype=bool))
        taken[colour] |= rows
        found[j] = colour
    return found


def _root(precision: Array) -> Array | None:
    """The lower Cholesky factor, None if there is none."""
    try:
        return np.asarray(np.linalg.cholesky(precision), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None


def _positive_root(precision: Array) -> Array:
    """That of the matrix, or of one with more on its diagonal, which still leads up."""
    more = 0.0
    size = float(np.abs(np.diag(precision)).max(initial=0)) or 1.0
    while (root := _root(precision + more * np.eye(len(precision)))) is None:
        more = max(10 * more, 1e-6 * size)
        if not np.isfinite(more):
            raise EngineError("the density has no curvature", hint=_HINT)
    return root


def _mode_of_others(inner: _Effects, start: Array) -> tuple[Array, Array]:
    """The mode of the hyperparameters, shape (d,), and a root of their precision there, (d, d).

    Raises:
        EngineError: if there is none.
    """
    wall = 0.0

    def objective(others: Array) -> float:
        at = inner.mode(others)
        return wall if at is None or not np.isfinite(at[2]) else min(wall, -at[2])

    def slope(others: Array) -> Array:
        steps = _OF_OTHERS * np.eye(len(others))
        ends = [objective(others + h) - objective(others - h) for h in steps]
        return np.array(ends) / (2 * _OF_OTHERS)

    wall = np.inf
    first = objective(start)
    if not np.isfinite(first):
        raise EngineError("the effects have no mode where the climb starts", hint=_HINT)
    # a line search that interpolates to a value of another magnitude steps nowhere
    wall = first + abs(first) + 100
    mode = start
    for _ in range(3):  # from where it has stopped, the search begins with new directions
        mode = optimize.minimize(
            objective, mode, jac=slope, method="L-BFGS-B", options={"ftol": 1e-13, "gtol": 1e-6}
        ).x
    inner.check(mode)
    steps = np.full(len(mode), _OF_OTHERS * 10)
    precision = _curvature(objective, mode, steps)
    if (np.diag(precision) <= 0).any():
        raise _no_mode()
    precision = _curvature(objective, mode, _OF_SD / np.sqrt(np.diag(precision)))
    root = _root(precision)
    steepness = slope(mode)
    # level, as far as its spread shows
    if root is None or np.abs(solve_triangular(root, steepness, lower=True)).max(initial=0) > 0.05:
        raise _no_mode()
    return mode, root


def _curvature(function: Callable[[Array], float], at: Array, steps: Array) -> Array:
    """The second derivatives of a function, shape (d, d), by differences of its values."""
    d = len(at)
    found = np.empty((d, d))
    moves = np.diag(steps)
    middle = function(at)
    for i in range(d):
        found[i, i] = function(at + moves[i]) - 2 * middle + function(at - moves[i])
        for j in range(i):
            mixed = function(at + moves[i] + moves[j]) + function(at - moves[i] - moves[j])
            mixed -= function(at + moves[i] - moves[j]) + function(at - moves[i] + moves[j])
            found[i, j] = found[j, i] = mixed / 4
    return np.asarray(found / np.outer(steps, steps))


def _no_mode() -> EngineError:
    return EngineError("the posterior has no mode with a curvature of its own", hint=_HINT)
