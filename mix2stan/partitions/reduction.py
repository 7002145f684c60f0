"""Rows reduced to triangles per level, and what stands in for the rows from then on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.design import Column, Grouping, ModelFrame
from mix2stan.graph import Columns, Factor, ModelGraph
from mix2stan.matrices import Data, places_of
from mix2stan.partitions.medians import Count
from mix2stan.partitions.reading import Reading
from mix2stan.partitions.sources import Source
from mix2stan.partitions.summaries import Passed, ReducedSummaries
from mix2stan.priors.summaries import Summaries
from mix2stan.syntax import Node

__all__ = ["Reduced", "reduce_rows"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: Rows of a level that are reduced together, if they are not fewer than columns, and numbers that are
#: held at a time.
_BLOCK, _NUMBERS = 64, 2**24


class Reduced(Data):
    """A few rows per level that have the cross-products of all.

    Args:
        coded: the model's expressions.
        graph: the model.
        columns: the reduced vectors by expression, the designs by formula, and the ones.
        levels: the grouping of the reduced rows.
        count: how many rows they stand for, and ``dropped`` how many lacked a value.
        response: the responses of all rows, in passes.
    """

    reduced = True

    def __init__(
        self,
        coded: Data,
        columns: Mapping[Node | None, Array],
        levels: Mapping[Factor, Grouping],
        count: int,
        dropped: int,
        response: tuple[Passed, Passed],
    ) -> None:
        ones = columns[None][:, 0]
        vectors = {n: Column.numeric(v[:, 0]) for n, v in columns.items() if n is not None}
        frame = ModelFrame(vectors, np.arange(len(ones)), dropped, {})
        super().__init__(frame, coded.names_of_data, coded._response, coded.contrasts)
        self._coded = coded
        self._memberships = {factor: (found,) for factor, found in levels.items()}
        self._designs = {n: v for n, v in columns.items() if n is not None}
        self._ones = ones
        self._count = count
        self._response_of_all = response

    @property
    def count(self) -> int:
        return self._count

    def column(self, expression: Node) -> Column:
        coded = self._coded
        assert coded is not None
        return coded.column(expression)

    def means(self, X: Array) -> Array:
        return np.asarray(self._ones @ X / self._count)

    def matrix(self, columns: Columns) -> Array:
        if columns.turn:
            return super().matrix(columns)
        whole = np.hstack([self._designs[f] for f in columns.formulas])
        if len(columns.names) in (0, whole.shape[1]):
            return whole
        return whole[:, places_of(columns.names, self.names(columns.formulas))]

    def summaries(self, y: Array | None, X: Array, intercept: bool, words: str) -> Summaries:
        """What priors ask for, of all rows."""
        passed, whole = self._response_of_all
        return ReducedSummaries(
            y,
            X,
            intercept,
            words,
            ones=self._ones,
            count=self._count,
            response=passed,
            with_offsets=whole,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_response_of_all": None}


@dataclass(frozen=True)
class _Triangles:
    """What is left of a partition.

    Attributes:
        levels: places of the levels it has, shape (j,).
        counts: their rows, shape (j,).
        triangles: shape (j, p, p).
        low, high: the least and the greatest response, offsets taken off and with them, shape (2,).
    """

    levels: Index
    counts: Index
    triangles: Array
    low: Array
    high: Array


class _Sum:
    """Triangles (J, p, p) of the rows so far."""

    def __init__(self, levels: int, width: int) -> None:
        self.triangles = np.zeros((levels, width, width))
        self.counts = np.zeros(levels, dtype=np.int64)
        self.low, self.high = np.full(2, np.inf), np.full(2, -np.inf)

    def add(self, part: _Triangles) -> None:
        both = np.concatenate([self.triangles[part.levels], part.triangles], axis=1)
        self.triangles[part.levels] = np.linalg.qr(both, mode="r")
        self.counts[part.levels] += part.counts
        self.low = np.minimum(self.low, part.low)
        self.high = np.maximum(self.high, part.high)

    def present(self) -> _Triangles:
        """Of the levels that have rows."""
        levels = np.flatnonzero(self.counts)
        counts, triangles = self.counts[levels], self.triangles[levels]
        return _Triangles(levels, counts, triangles, self.low, self.high)


@dataclass(frozen=True)
class _Reduction:
    """Makes triangles of the rows of a partition."""

    reading: Reading
    graph: ModelGraph
    factor: Factor | None
    vectors: tuple[Node, ...]
    formulas: tuple[Node, ...]
    levels: int
    width: int

    def __call__(self, partition: pd.DataFrame) -> _Triangles:
        total, block = _Sum(self.levels, self.width), max(1, _NUMBERS // self.width)
        for start in range(0, len(partition), block):
            data = self.reading.rows(partition.iloc[start : start + block])
            if data.rows:
                total.add(self._of(data))
        return total.present()

    def _of(self, data: Data) -> _Triangles:
        rows = np.column_stack(
            [
                np.ones(data.rows),
                *(data.vector(v) for v in self.vectors),
                *(data.matrix(Columns((f,))) for f in self.formulas),
            ]
        )
        y, codes = (
            [_response(data, self.graph, whole) for whole in (False, True)],
            self._codes(data),
        )
        counts = np.bincount(codes)
        levels = np.flatnonzero(counts)
        codes = (np.cumsum(counts > 0) - 1)[codes]
        triangles = _triangles(codes, counts[levels], rows)
        return _Triangles(levels, counts[levels], triangles, np.min(y, axis=1), np.max(y, axis=1))

    def _codes(self, data: Data) -> Index:
        """The place of every row's level among those of all rows."""
        if self.factor is None:
            return np.zeros(data.rows, dtype=np.int64)
        (variable,) = self.factor.variables
        found, known = (d.frame.column(variable).as_factor() for d in (data, self.reading.data))
        place = {level: i for i, level in enumerate(known.used_levels().levels)}
        # levels of this partition that no row has may be none of those that are used
        table = np.array([place.get(level, -1) for level in found.levels], dtype=np.int64)
        return np.asarray(table[found.values])


@dataclass(frozen=True)
class _Responses:
    """Counts the responses of a partition, or how far they are from somewhere.

    ``whole``: with their offsets.
    """

    reading: Reading
    graph: ModelGraph
    whole: bool
    count: Count
    centre: float | None

    def __call__(self, partition: pd.DataFrame) -> tuple[Array, Index] | None:
        if not len(partition):
            return None
        data = self.reading.rows(partition)
        y = _response(data, self.graph, self.whole)
        return self.count(y if self.centre is None else np.abs(y - self.centre))


def _response(data: Data, graph: ModelGraph, whole: bool) -> Array:
    """The response, its offsets taken off unless it is wanted whole."""
    return data.vector(graph.response.expression) if whole else data.response(graph)


def reduce_rows(graph: ModelGraph, reading: Reading, source: Source, dropped: int) -> Reduced:
    """Triangles of all rows in one pass, merged level by level in the order of the partitions.

    Args:
        graph: the model, with at most one grouping factor.
        reading: its expressions.
        source: the rows.
        dropped: how many of them lack a value.
    """
    coded = reading.data
    vectors = (graph.response.expression, *graph.population.offsets)
    formulas = tuple(dict.fromkeys(graph.formulas()))
    factor = graph.groups[0].factor if graph.groups else None
    levels = coded.grouping(factor).levels if factor else ("",)
    p = 1 + len(vectors) + sum(len(coded.spec(f).names) for f in formulas)
    work = _Reduction(reading, graph, factor, vectors, formulas, len(levels), p)
    total = _Sum(len(levels), p)
    for part in source.each(work, reading.columns):
        total.add(part)
    whole = total.triangles.reshape(-1, p)
    columns: dict[Node | None, Array] = {None: whole[:, :1]}
    end = 1
    for vector in vectors:
        columns[vector] = whole[:, end : end + 1]
        end += 1
    for formula in formulas:
        width = len(coded.spec(formula).names)
        columns[formula] = whole[:, end : end + width]
        end += width
    groupings = {}
    if factor is not None:
        groupings = {factor: Grouping(np.repeat(np.arange(len(levels)), p), levels)}

    def passed(whole: bool) -> Passed:
        def passes(count: Count, centre: float | None) -> Iterator[tuple[Array, Index]]:
            work = _Responses(reading, graph, whole, count, centre)
            return (part for part in source.each(work, reading.columns) if part is not None)

        return Passed(passes, float(total.low[int(whole)]), float(total.high[int(whole)]))

    responses = passed(False), passed(True)
    return Reduced(coded, columns, groupings, int(total.counts.sum()), dropped, responses)


def _triangles(codes: Index, counts: Index, rows: Array) -> Array:
    """The triangles (j, p, p) of rows (n, p) of j levels, all of which have some.

    Every level is divided into blocks of a few rows, so that sums are short and rounding errors few;
    the triangles of its blocks stand on each other and are reduced again, until there is one.
    """
    # small whole numbers are sorted fastest
    rows = rows[np.argsort(codes.astype(np.min_scalar_type(len(counts))), kind="stable")]
    p = rows.shape[1]
    most = max(_BLOCK, 2 * p)
    while True:
        blocks = -(-counts // most)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        block = np.repeat(np.cumsum(blocks) - blocks, counts) + within // most
        stacked = np.zeros((int(blocks.sum()), max(p, min(most, int(counts.max()))), p))
        stacked[block, within % most] = rows
        triangles: Array = np.asarray(np.linalg.qr(stacked, mode="r"))
        if len(triangles) == len(counts):
            return triangles
        counts, rows = blocks * p, triangles.reshape(-1, p)
