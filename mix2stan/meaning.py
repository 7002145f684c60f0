"""What the terms of a model imply for its data, in a form that does not depend on how they are written.

Two terms are one if their contributions ``Z (Sigma ⊗ I) Z'`` to the covariance of the observations are
the same family of matrices.  So factors count as partitions of the rows, not by their names; columns
of an unstructured term by the space they span; an independent column up to its scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.covariances import COVARIANCES
from mix2stan.covariances.spatial import distances
from mix2stan.graph import Covariance, ErrorCorrelation, Group, ModelGraph, VarianceFunction
from mix2stan.matrices import Data
from mix2stan.residual_data import blocks_of
from mix2stan.residuals import CORRELATIONS

__all__ = [
    "Component",
    "components_of",
    "correlation_key",
    "partition",
    "same_columns",
    "same_space",
    "variance_key",
]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
#: What identifies a part of the errors: hashable, rows by number.
Key = tuple[object, ...]

_TOLERANCE = 1e-9
#: Structures that stay what they are when their columns change places.
_EXCHANGEABLE = frozenset({"idv", "cs", "corh", "corg"})
#: Structures that stay what they are when all covariances are multiplied by a number.
_SCALED = frozenset({"scalar", "us", "idh", "idv", "cs", "corh", "ar1", "hetar1", "toep"})


@dataclass(frozen=True)
class Component:
    """A part of a random term that is independent of its other parts.

    Attributes:
        group: the term it is of.
        kind: its structure, with its numbers; ``scalar`` for every column of a diagonal one.
        levels: the level of every row, numbered as they first occur; -1 where all columns are zero.
        columns: its design, shape (N, q), every level's first entry positive in a single column,
            unless levels are related.
        among: the covariance of the levels in the order of their numbers, None if independent.
    """

    group: Group
    kind: Covariance
    levels: Index
    columns: Array
    among: Array | None = None

    def same(self, other: Component) -> bool:
        """Whether it contributes the same family of covariance matrices."""
        if _parameters_of(self.group) != _parameters_of(other.group):
            return False
        if self.kind != other.kind or not np.array_equal(self.levels, other.levels):
            return False
        a, b = self.columns, other.columns
        if a.shape != b.shape or not self._same_among(other):
            return False
        if self.kind.kind == "us":
            # a change of coordinates stays within the columns of one predictor
            own = [list(self.group.columns_in(p)) for p in self.group.parameters]
            return all(same_space(a[:, k], b[:, k]) for k in own)
        if self.kind.kind in _EXCHANGEABLE and not self.kind.variances:
            a, b = _sorted_columns(a), _sorted_columns(b)
        return same_columns(a, b) and self._same_places(other)

    def _same_among(self, other: Component) -> bool:
        """Whether the levels are related in the same way, up to a variance where that is free."""
        if self.among is None or other.among is None:
            return self.among is other.among
        return bool(np.allclose(self.among, other.among, rtol=1e-8, atol=1e-10))

    def _same_places(self, other: Component) -> bool:
        """Whether the columns stand at the same distances of each other, up to a unit of length."""
        if "distance" not in COVARIANCES[self.kind.kind].constants:
            return True
        mine, theirs = (distances(c.group.columns.names) for c in (self, other))
        return same_columns(mine / mine.max(), theirs / theirs.max())


def _parameters_of(group: Group) -> tuple[str, ...]:
    """The parameter whose predictor each column is in; one where it is the same for all."""
    if not group.shares:
        return (group.owner,)
    return tuple(s.parameter for s in group.shares for _ in range(s.start, s.stop))


def partition(codes: Index) -> Index:
    """The groups of the rows, numbered as they first occur; negative codes stay apart as -1."""
    found: dict[int, int] = {}
    numbered = [found.setdefault(int(c), len(found)) if c >= 0 else -1 for c in codes]
    return np.array(numbered, dtype=np.int64)


def same_columns(a: Array, b: Array) -> bool:
    """Whether two designs are equal to rounding, every column on its own scale."""
    if a.shape != b.shape:
        return False
    scale = np.maximum(np.abs(a).max(axis=0, initial=0.0), np.abs(b).max(axis=0, initial=0.0))
    return bool((np.abs(a - b) <= _TOLERANCE * np.where(scale > 0, scale, 1.0)).all())


def same_space(a: Array, b: Array) -> bool:
    """Whether the columns of two designs span the same space."""
    basis_a, basis_b = _basis(a), _basis(b)
    if basis_a.shape != basis_b.shape:
        return False
    return bool(np.abs(basis_b - basis_a @ (basis_a.T @ basis_b)).max(initial=0.0) < 1e-7)


def _basis(matrix: Array) -> Array:
    """An orthonormal basis of the columns, which are scaled first: units do not make a rank."""
    norms = np.linalg.norm(matrix, axis=0)
    u, s, _ = np.linalg.svd(matrix[:, norms > 0] / norms[norms > 0], full_matrices=False)
    return np.asarray(u[:, s > 1e-9 * max(s.max(initial=0.0), 1.0)])


def components_of(graph: ModelGraph, data: Data) -> tuple[Component, ...]:
    """The independent parts of all random terms."""
    return tuple(c for group in graph.groups for c in _components(group, data))


def _memberships(group: Group, data: Data) -> Component:
    """A term of several levels per row: its rows are related levels, one each."""
    root = data.root(group.factor)
    effects = np.vstack([Z @ root for Z in data.designs(group, np.ones(data.rows))])
    kind = _simplest(group.covariance, len(group.columns.names))
    ones = np.ones((data.rows, len(group.columns.names)))
    return Component(group, kind, np.arange(data.rows), ones, effects @ effects.T)


def _components(group: Group, data: Data) -> Iterator[Component]:
    if group.factor.signs:
        yield _memberships(group, data)
        return
    codes, design = data.grouping(group.factor).codes, data.matrix(group.columns)
    if group.covariance.kind in ("scalar", "idh"):
        for column in design.T:
            yield _single(group, codes, column, data)
        return
    levels = partition(np.where((design != 0).any(axis=1), codes, -1))
    kind = _simplest(group.covariance, design.shape[1])
    yield Component(group, kind, levels, design, _among(group, levels, codes, data))


def _among(group: Group, levels: Index, codes: Index, data: Data) -> Array | None:
    """The covariance of the levels that have rows, in the order of their numbers."""
    if not group.coupled:
        return None
    numbers, first = np.unique(levels, return_index=True)
    root = data.root(group.factor)[codes[first[numbers >= 0]]]
    K = root @ root.T
    if group.covariance.kind in _SCALED:
        K = K / np.mean(np.diag(K))
        if np.allclose(K, np.eye(len(K)), atol=1e-10):
            return None
    return np.asarray(K)


def _single(group: Group, codes: Index, column: Array, data: Data) -> Component:
    """A column of its own variance: its scale is in the variance, its sign in the effects."""
    levels = partition(np.where(column != 0, codes, -1))
    among = _among(group, levels, codes, data)
    if among is not None:
        largest = column[np.argmax(np.abs(column))] or 1.0
        return Component(group, Covariance("scalar"), levels, (column / largest)[:, None], among)
    first = np.zeros(int(levels.max(initial=-1)) + 1)
    for row in np.flatnonzero(levels >= 0)[::-1]:
        first[levels[row]] = column[row]
    signed = np.where(levels >= 0, column * np.sign(first)[levels], 0.0) if first.size else column
    largest = float(np.abs(signed).max(initial=0.0)) or 1.0
    return Component(group, Covariance("scalar"), levels, (signed / largest)[:, None])


def _simplest(covariance: Covariance, q: int) -> Covariance:
    """One name for families that have several, without their number of columns being special."""
    kind = covariance.kind
    if kind == "ou":
        # a rate is the inverse of a range
        return Covariance("exp")
    if kind == "corgh" and set(covariance.variances) == {1.0}:
        return Covariance("corg")
    if q == 2 and kind == "ar1":
        # two columns are neighbours: one correlation between -1 and 1
        return Covariance("cs")
    if q == 2 and kind == "antecv":
        return replace(covariance, kind="antev")
    return covariance


def _sorted_columns(design: Array) -> Array:
    return np.asarray(design[:, np.lexsort(np.round(design, 9)[::-1])])


def variance_key(part: VarianceFunction, data: Data) -> Key:
    """What identifies a variance function on its data; sigma takes up scales that do not matter."""
    kind, fixed = part.kind, part.fixed
    if kind == "varFixed":
        # a variance like v is a standard deviation like its square root
        kind, fixed = "varPower", (("power", (("", 0.5),)),)
    strata = None
    if part.strata is not None:
        strata = tuple(partition(data.grouping(part.strata).codes).tolist())
    covariate: object = None
    if part.of_fitted:
        covariate = "fitted"
    elif part.covariate is not None:
        values = data.vector(part.covariate)
        if kind == "varPower" and strata is None:
            values = values / float(np.exp(np.log(np.abs(values)).mean()))
        covariate = tuple(float(f"{v:.9g}") for v in values)
    # ratios that are known are known relative to the first stratum
    reference = part.levels[:1] if kind == "varIdent" and fixed else ()
    return (kind, covariate, strata, tuple(sorted(fixed)), reference)


def correlation_key(correlation: ErrorCorrelation, data: Data) -> Key:
    """What identifies a correlation of errors on its data: blocks, and the distances in them."""
    blocks = blocks_of(correlation, data)
    codes = np.zeros(data.rows, dtype=np.int64)
    points = np.zeros((data.rows, blocks.points.shape[1]))
    for i, (start, end) in enumerate(zip(blocks.first, blocks.first[1:], strict=False)):
        rows = blocks.order[start:end]
        codes[rows] = i
        if CORRELATIONS[correlation.kind].times != "any":
            # corSymm has a correlation for each pair of places; all others have distances only
            origin = 0.0 if correlation.kind == "corSymm" else blocks.points[start]
            points[rows] = blocks.points[start:end] - origin
    if correlation.kind == "corSymm":
        points = points - points.min(axis=0)
    return (
        correlation.kind,
        tuple(partition(codes).tolist()),
        tuple(float(f"{v:.9g}") for v in points.ravel()),
        correlation.orders,
        correlation.nugget,
        correlation.metric,
        correlation.fixed,
    )
