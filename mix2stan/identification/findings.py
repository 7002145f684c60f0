"""What the data cannot tell of the covariance of a response, whatever the response is.

The restricted likelihood knows the covariance V of the response as P V P alone, P the projection
beside the columns of X; so a combination of parameters that leaves P V P where it is cannot be
estimated.  That is a rank: the directions P V_i P of all parameters are linearly dependent.  It finds
a factor that is fixed and random, one correlation of all errors beside an intercept, an effect of
every row beside sigma, one factor under two names, and whatever else comes to the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mix2stan.families import FAMILIES
from mix2stan.graph import Group, ModelGraph, Residual
from mix2stan.identification.directions import (
    Direction,
    error_directions,
    group_directions,
    too_long,
)
from mix2stan.matrices import Data
from mix2stan.residual_data import blocks_of

__all__ = ["Finding", "findings"]

Array = NDArray[np.float64]

#: Directions, each of length one, are dependent if a singular value of theirs is below this.
_DEPENDENT = 3e-7
#: Elements of a null vector, and what moves with it, below this are zero.
_NOTHING = 1e-4
#: What is zero but for rounding, relative to what it is a difference of.
_ZERO = 1e-6
#: Random vectors beyond those that are as many as the directions; so many at most; so many at once.
_SPARE, _MOST_VECTORS, _AT_ONCE = 2, 40, 4
#: Names that are listed, at most.
_MANY = 6
#: So many rows are looked at first where errors are correlated: what they tell, all tell.
_FEW_ROWS = 1_500


@dataclass(frozen=True)
class Finding:
    """Parameters of a model of which the data know a combination at most.

    Attributes:
        names: what is not identified, by the names of the estimates.
        why: the reason, a sentence without its stop.
        coefficients: population effects that depend on them, and those whose standard errors do.
        errors_of: population effects whose standard errors depend on them.
        count: how many combinations are unknown.
    """

    names: tuple[str, ...]
    why: str
    coefficients: tuple[str, ...] = ()
    errors_of: tuple[str, ...] = ()
    count: int = 1

    @property
    def listed(self) -> str:
        """The names in a row, of many the first."""
        if len(self.names) > _MANY:
            return f"{', '.join(self.names[: _MANY - 1])}, … ({len(self.names)} in all)"
        return " and ".join(filter(None, [", ".join(self.names[:-1]), self.names[-1]]))

    def is_about(self, term: str) -> bool:
        """Whether anything of a group term is among them, by its identifier."""
        return any(name.startswith((f"sd_{term}[", f"cor_{term}[")) for name in self.names)

    def __str__(self) -> str:
        return f"{self.listed}: not identified, {self.why}"


def findings(graph: ModelGraph, data: Data) -> tuple[Finding, ...]:
    """What of the covariance parameters of the mean's terms, and the errors', is not identified.

    Args:
        graph: the model, its terms named and its errors resolved.
        data: its rows.
    """
    skipped = graph.members or graph.response.layers or graph.residual.of_fitted
    groups = tuple(g for g in graph.groups_of("") if not g.shares)
    if skipped or not data.rows or len(groups) < len(graph.groups_of("")):
        return ()
    residual = _errors(graph)
    if not groups and (residual is None or residual.plain):
        return ()
    rng = np.random.default_rng(1)
    directions = [d for g in groups for d in group_directions(g, data, rng)]
    if residual is not None:
        directions += error_directions(residual, data, rng)
    # of one covariance parameter beside sigma, or of none, there is nothing to tell apart
    if len(directions) < (1 if residual is None else 2):
        return ()
    looked_at = _Looked(graph, data, groups, residual, directions, np.ones(len(directions)))
    few = looked_at.few_rows()
    # a few vectors tell most directions apart, and what some rows tell, all do
    if not looked_at.null(few, _AT_ONCE)[0].shape[1]:
        return ()
    if residual is not None and too_long(residual, data):
        return ()
    return tuple(looked_at.found())


def _errors(graph: ModelGraph) -> Residual | None:
    """The errors, if their size is a parameter."""
    if "sigma" not in FAMILIES[graph.response.family].parameters or graph.response.known:
        return None
    return graph.residual


@dataclass(frozen=True, eq=False)
class _Looked:
    """A model whose directions are looked at."""

    graph: ModelGraph
    data: Data
    groups: tuple[Group, ...]
    residual: Residual | None
    directions: Sequence[Direction]
    lengths: Array

    def few_rows(self) -> Array | None:
        """Some rows, of whole blocks and levels; None where all are quickly looked at."""
        n, correlation = self.data.rows, None
        if self.residual is not None:
            correlation = self.residual.correlation
        if correlation is None or n <= _FEW_ROWS:
            return None
        keys = [blocks_of(correlation, self.data).order]
        if self.groups:
            coarsest = min(self.groups, key=lambda g: g.factor.levels)
            codes = self.data.grouping(coarsest.factor).codes
            keys = [np.argsort(codes, kind="stable")]
        return np.sort(keys[0][:_FEW_ROWS])

    def columns(self) -> Array:
        """The population's columns; the thresholds of ordered categories are an intercept."""
        X = self.data.matrix(self.graph.population.columns)
        if FAMILIES[self.graph.response.family].ordinal is not None:
            X = np.column_stack([np.ones(self.data.rows), X])
        return X

    def null(self, rows: Array | None, vectors: int) -> tuple[Array, NDArray[np.bool_]]:
        """The combinations of directions that are zero, a column each, and which are zero alone."""
        n, m = self.data.rows, len(self.directions)
        kept = np.arange(n) if rows is None else rows
        Q, rng = _basis(self.columns()[kept]), np.random.default_rng(2)
        R, squares = np.zeros((0, m)), np.zeros(m)
        for first in range(0, vectors, _AT_ONCE):
            W = np.zeros((n, min(_AT_ONCE, vectors - first)))
            W[kept] = rng.standard_normal((len(kept), W.shape[1]))
            whole = np.array([np.linalg.norm(d.product(W)[kept]) for d in self.directions])
            squares += whole**2
            W[kept] = _beside(Q, W[kept])
            moved = [_beside(Q, d.product(W)[kept]).ravel() for d in self.directions]
            stacked = np.vstack([R, self._more(np.column_stack(moved))])
            R = np.asarray(np.linalg.qr(stacked, mode="r"))
        self.lengths[:] = np.where(squares > 0, np.sqrt(squares), 1.0)
        scaled = R / self.lengths
        _, values, axes = np.linalg.svd(scaled)
        rank = int(np.sum(values > _DEPENDENT * max(1.0, float(np.max(values, initial=0.0)))))
        return np.asarray(axes[rank:].T), np.linalg.norm(scaled, axis=0) <= _ZERO

    def _more(self, moved: Array) -> Array:
        """The products, and those of the rows that the data stand for besides: of the errors alone."""
        beyond = self.data.count - self.data.rows
        if beyond <= 0 or self.residual is None:
            return moved
        last = np.zeros((1, moved.shape[1]))
        last[0, [i for i, d in enumerate(self.directions) if not d.term]] = np.sqrt(beyond)
        return np.vstack([moved, last])

    # -- words -------------------------------------------------------------------------------------

    def found(self) -> Iterator[Finding]:
        """A finding for every set of parameters that is not told apart."""
        vectors = min(len(self.directions) + _SPARE, _MOST_VECTORS)
        null, zero = self.null(None, vectors)
        if not null.shape[1]:
            return
        # from directions of length one back to the parameters
        null = _simplest(null)
        combined = null / self.lengths[:, None]
        for own in _connected([frozenset(self._moved(c)) for c in combined.T]):
            names = tuple(dict.fromkeys(n for k in own for n in self._moved(combined[:, k])))
            members = np.flatnonzero(np.any(null[:, own] != 0, axis=1)).tolist()
            effects, errors = self._population(combined[:, own])
            if names:
                why = self._why(members, bool(zero[members].all()))
                yield Finding(names, why, effects, errors, len(own))

    def _moved(self, weights: Array) -> tuple[str, ...]:
        """The estimates that move with a combination of parameters."""
        moves: dict[str, float] = {}
        sizes: dict[str, float] = {}
        for direction, weight in zip(self.directions, weights, strict=True):
            for name, move in direction.moves.items():
                moves[name] = moves.get(name, 0.0) + weight * move
                sizes[name] = max(sizes.get(name, 0.0), abs(weight * move))
        largest = max((abs(x) for x in moves.values()), default=0.0)
        return tuple(
            name
            for name, move in moves.items()
            if abs(move) > _NOTHING * max(sizes[name], _NOTHING * largest)
        )

    def _population(self, combined: Array) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The population effects that move with what is unknown, and those whose errors do.

        The estimates are B y with B X = 1.  If P dV P = 0 they move with the rows of B dV P, and
        their variances with the diagonal of B dV B', whatever V is.
        """
        names = self.graph.population.columns.names
        if not names:
            return (), ()
        X = self.data.matrix(self.graph.population.columns)
        B = np.linalg.pinv(X)
        B = B / np.linalg.norm(B, axis=1)[:, None]
        any_ = np.random.default_rng(4).standard_normal((len(X), _SPARE))
        beside = _beside(_basis(X), any_)
        moved, errors = np.zeros(len(names), bool), np.zeros(len(names), bool)
        for vector in combined.T:
            used = [(c, d) for c, d in zip(vector, self.directions, strict=True) if c]
            size = max(float(np.max(np.abs(c * (B @ d.product(any_))))) for c, d in used)
            change = sum(c * (B @ d.product(beside)) for c, d in used)
            own = sum(c * np.einsum("ij,ji->i", B, d.product(B.T)) for c, d in used)
            moved |= np.max(np.abs(change), axis=1) > _ZERO * size
            errors |= np.abs(own) > _ZERO * size
        return _picked(names, moved), _picked(names, moved | errors)

    def _why(self, members: Sequence[int], in_span: bool) -> str:
        ids = {self.directions[i].term for i in members}
        terms = [g for g in self.groups if g.id in ids]
        factors = list(dict.fromkeys(str(g.factor) for g in terms))
        if not self.data.rows > self.columns().shape[1]:
            return "there are no more observations than coefficients"
        if len(terms) == 1 and "" not in ids:
            return self._alone(terms[0], in_span)
        if not terms:
            return self._errors_alone(members)
        if len(terms) == 1:
            if (
                self.residual is not None
                and self.residual.plain
                and terms[0].columns.intercept_only
            ):
                return (
                    f"{factors[0]} has one row per level: its variance is confounded with sigma, "
                    "and their sum is all that is known"
                )
            return (
                f"the effects of {factors[0]} and the errors move the covariance of the response "
                "in the same way: the data know their sum"
            )
        listed = " and ".join(factors) if len(factors) > 1 else f"the terms of {factors[0]}"
        beside = " and the errors" if "" in ids else ""
        return (
            f"{listed}{beside} move the covariance of the response in the same way: the data cannot "
            "tell their variances apart"
        )

    def _alone(self, group: Group, in_span: bool) -> str:
        if group.factor.levels == 1:
            return f"{group.factor} has one level, whose effect is that of a population column"
        if in_span or group.columns.intercept_only:
            return (
                f"what varies by {group.factor} is in the population part already: its coefficients "
                "take up all differences between levels"
            )
        return (
            f"the covariance of the effects of {group.factor} has more parameters than the data tell "
            "beside the population part"
        )

    def _errors_alone(self, members: Sequence[int]) -> str:
        correlation = None if self.residual is None else self.residual.correlation
        if correlation is not None and correlation.kind == "corCompSymm":
            return (
                "a correlation that all errors of a block share moves the mean of the block, which "
                "the population part has: the data know sigma^2 (1 - rho) alone"
            )
        return "these parameters move the covariance of the errors in the same way"


def _basis(X: Array) -> Array:
    """An orthonormal basis of the span of columns."""
    if not X.shape[1]:
        return np.zeros((len(X), 0))
    size = np.linalg.norm(X, axis=0)
    Q, values, _ = np.linalg.svd(X / np.where(size > 0, size, 1.0), full_matrices=False)
    return np.asarray(Q[:, values > 1e-10 * values[0]])


def _beside(Q: Array, vectors: Array) -> Array:
    """What of vectors is orthogonal to a basis; taken off twice, for the digits."""
    rest = vectors - Q @ (Q.T @ vectors)
    return np.asarray(rest - Q @ (Q.T @ rest))


def _picked(names: Sequence[str], which: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, chosen in zip(names, which, strict=True) if chosen)


def _simplest(null: Array) -> Array:
    """A basis of the same space with as many zeros as elimination brings."""
    rows = null.T.copy()
    for done in range(len(rows)):
        rest = np.abs(rows[done:])
        i, j = divmod(int(np.argmax(rest)), rest.shape[1])
        rows[[done, done + i]] = rows[[done + i, done]]
        rows[done] /= rows[done, j]
        for k in range(len(rows)):
            if k != done:
                rows[k] -= rows[k, j] * rows[done]
    rows[np.abs(rows) < _NOTHING] = 0.0
    return np.asarray(rows.T)


def _connected(sets: Sequence[frozenset[str]]) -> Iterator[list[int]]:
    """The places of sets that have members in common, directly or by others."""
    left = list(range(len(sets)))
    while left:
        own = [left.pop(0)]
        for k in own:
            more = [i for i in left if sets[i] & sets[k]]
            left = [i for i in left if i not in more]
            own += more
        yield own
