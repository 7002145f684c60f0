"""Data larger than memory: a Parquet folder, reduced batch by batch to what a model needs.

Rows [y X Z] of one level are replaced by the triangle R of their QR decomposition.  It has as many rows
as columns, the same cross-products, and, made by orthogonal transformations alone, loses no digits to
cancellation; two triangles stand on each other and are reduced again.  So a collapsed Gaussian model
with at most one grouping factor is fitted to a few rows per level, as if they were all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.compiler import Compiled, DataArgument, compile_model, remarks
from mix2stan.design import Column, Frame, Grouping, ModelFrame
from mix2stan.dialects import Request, lower, model_call
from mix2stan.errors import DataError, FormulaError, Unsupported
from mix2stan.graph import Columns, Factor, ModelGraph, note
from mix2stan.matrices import Data, bind
from mix2stan.parser import parse
from mix2stan.passes import Context, run_passes
from mix2stan.plan import plan
from mix2stan.priors.choice import PriorArgument, prior_choice
from mix2stan.priors.summaries import Summaries
from mix2stan.render import render
from mix2stan.stan_data import stan_data
from mix2stan.syntax import Call, Name, Node, names_in

__all__ = ["compile_folder", "compile_given"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: Functions that learn levels alone, which are known.
_MAKES_FACTOR = ("factor", "as.factor", "as.character", "ordered")
#: Different numbers that are enough for every function to be evaluated.
_NUMBERS = 50
#: Whole numbers with more values than this are no factor.
_MOST_LEVELS = 1_000_000
#: Rows that are reduced at a time within a level, at least.
_CHUNK = 64
#: Values that are sorted at once in the search of a median.
_SORTED, _BINS = 1_000_000, 4096


def compile_folder(
    text: str, folder: Path, prior: PriorArgument = None, strategy: str | Mapping[str, str] = "auto"
) -> Compiled:
    """Compile one R model call on a folder of Parquet files.

    The files are read once for the levels, once for the cross-products, and a few times for the median
    and the median deviation of the response, which the default priors ask for.

    Args:
        text, prior, strategy: as in :func:`mix2stan.compiler.compile_model`.
        folder: the files have the same columns; together they are the rows.

    Raises:
        Unsupported: if the model needs the rows themselves; it says why.
        DataError: if the folder cannot be read.
    """
    source = _Parquet(folder)
    try:
        request = lower(model_call(parse(text), frozenset(source.names)))
        _check_rows(request)
        coded, batches = _coded(request, source)
        _check_model(request.graph, coded)
        reduced = _reduced(request.graph, coded, batches)
        graph = note(request.graph, *remarks(request, reduced))
        graph = run_passes(
            graph, Context(reduced, prior_choice(prior), strategy, reduced.summaries)
        )
        if graph.strategy.samples_effects:
            raise _needs_rows(graph.strategy.reason or "its effects are sampled")
        program = plan(graph)
        code, entries = render(program), stan_data(graph, reduced)
        return Compiled(text, folder, graph, reduced, program, code, entries)
    except FormulaError as error:
        raise error.at(text) from None


def compile_given(
    text: str,
    data: DataArgument | str | Path,
    prior: PriorArgument = None,
    strategy: str | Mapping[str, str] = "auto",
) -> Compiled:
    """Compile a call on whatever ``data=`` may be: in memory, or a folder."""
    if isinstance(data, str | Path):
        return compile_folder(text, Path(data), prior, strategy)
    return compile_model(text, data, prior, strategy)


def _needs_rows(why: str) -> Unsupported:
    message = f"this model needs all rows in memory: {why}"
    return Unsupported(message, hint="read the folder into a data frame, or a sample of it")


def _check_rows(request: Request) -> None:
    if request.subset is not None:
        raise _needs_rows("subset is applied to a data frame")
    if request.data is not None and not isinstance(request.data, Name):
        raise _needs_rows(f"{request.data} makes a data frame")
    if request.stacked:
        raise _needs_rows("it has several responses")


def _check_model(graph: ModelGraph, coded: Data) -> None:
    if not graph.response.linear:
        raise _needs_rows(f"its response is {graph.response.family}")
    if not graph.residual.plain or graph.response.weights is not None:
        raise _needs_rows("its errors are not of one variance")
    if graph.predictors:
        raise _needs_rows("it has predictors besides that of the mean")
    factors = list(dict.fromkeys(g.factor for g in graph.groups))
    if len(factors) > 1:
        names = " and ".join(map(str, factors))
        raise _needs_rows(f"it has several grouping factors, {names}")
    if factors and len(factors[0].variables) > 1:
        raise _needs_rows(f"the levels of {factors[0]} are combinations")
    learnt = [
        str(node)
        for node in coded.frame.states
        if not (isinstance(node, Call) and node.function in _MAKES_FACTOR)
    ]
    if learnt:
        raise _needs_rows(f"{learnt[0]} learns from all rows")


# -- the files -------------------------------------------------------------------------------------


class _Parquet:
    """Record batches of the files of a folder, in order of their names."""

    def __init__(self, folder: Path) -> None:
        try:
            from pyarrow import dataset
        except ImportError as error:
            hint = "pip install 'mix2stan[parquet]'"
            raise DataError("reading Parquet needs pyarrow", hint=hint) from error
        files = sorted(folder.glob("*.parquet"))
        if not files:
            raise DataError(f"there are no Parquet files in {folder}")
        try:
            self._dataset = dataset.dataset([str(f) for f in files], format="parquet")
        except (OSError, ValueError) as error:
            raise DataError(f"{folder} cannot be read: {error}") from error
        self.names: tuple[str, ...] = tuple(self._dataset.schema.names)

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        """The complete rows of each batch."""
        for batch in self._dataset.to_batches(columns=columns):
            frame = batch.to_pandas()
            if len(frame):
                yield frame


def _coded(
    request: Request, source: _Parquet
) -> tuple[Data, Callable[[], Iterator[tuple[Data, int]]]]:
    """The model's expressions bound to a few rows with all levels; and those of every batch.

    A batch comes with the number of its rows that lack a value.
    """
    graph = request.graph
    nodes: list[Node] = [graph.response.expression, *graph.formulas(), *graph.population.offsets]
    nodes += [v for g in graph.groups for v in g.factor.variables]
    nodes += [*graph.residual.variables()]
    wanted = dict.fromkeys(name.name for node in nodes for name in names_in(node))
    columns = list(source.names) if "." in wanted else [n for n in source.names if n in wanted]
    values, kinds = _values(source, columns)
    most = max((len(v) for v in values.values()), default=0)
    skeleton = pd.DataFrame({n: _series(np.resize(v, most), kinds[n]) for n, v in values.items()})
    coded = bind(graph, skeleton, request.na_action, request.contrasts)

    def batches() -> Iterator[tuple[Data, int]]:
        for frame in source.frames(columns):
            typed = pd.DataFrame({n: _series(frame[n], kinds[n]) for n in columns})
            found = coded.frame.replay(Frame.of(typed))
            if found.dropped and request.na_action == "na.fail":
                raise FormulaError(f"{found.dropped} rows have missing values: na.fail")
            yield coded.on(found), found.dropped

    return coded, batches


def _values(
    source: _Parquet, columns: list[str]
) -> tuple[dict[str, NDArray[Any]], dict[str, pd.CategoricalDtype | None]]:
    """Values of every column: all that a factor may need, some of numbers; and the type of factors."""
    seen: dict[str, dict[Any, None]] = {name: {} for name in columns}
    ordered: dict[str, bool] = {}
    categories: dict[str, dict[Any, None]] = {}
    for frame in source.frames(columns):
        for name, column in frame.dropna().items():
            label = str(name)
            if isinstance(column.dtype, pd.CategoricalDtype):
                categories.setdefault(label, {}).update(dict.fromkeys(column.dtype.categories))
                ordered[label] = bool(column.dtype.ordered)
            elif not pd.api.types.is_numeric_dtype(column.dtype):
                categories.setdefault(label, {})
            numbers = pd.api.types.is_float_dtype(column.dtype)
            if len(seen[label]) < (_NUMBERS if numbers else _MOST_LEVELS):
                new = np.asarray(column[:_NUMBERS] if numbers else column.unique())
                seen[label].update(dict.fromkeys(new.tolist()))
    kinds: dict[str, pd.CategoricalDtype | None] = dict.fromkeys(columns)
    for name, known in categories.items():
        # as a data frame has them: categories in their order, strings by code point
        levels = [c for c in known if c in seen[name]] if known else sorted(seen[name])
        kinds[name] = pd.CategoricalDtype(levels, ordered=ordered.get(name, False))
    if not all(seen.values()):
        raise FormulaError("there is nothing to fit: every row has a missing value")
    return {name: np.array(list(v)) for name, v in seen.items()}, kinds


def _series(values: Any, kind: pd.CategoricalDtype | None) -> Any:
    return values if kind is None else pd.Categorical(values, dtype=kind)


# -- the reduction ---------------------------------------------------------------------------------


class Reduced(Data):
    """A few rows per level that have the cross-products of all.

    Args:
        coded: the model's expressions.
        graph: the model.
        columns: the reduced vectors by expression, the designs by formula, and the ones.
        levels: the grouping of the reduced rows.
        count: how many rows they stand for, and ``dropped`` how many lacked a value.
        response: a new pass over the response, a batch at a time.
    """

    reduced = True

    def __init__(
        self,
        coded: Data,
        columns: Mapping[Node | None, Array],
        levels: Mapping[Factor, Grouping],
        count: int,
        dropped: int,
        response: Callable[[], Iterator[Array]],
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
        self._passes = response

    @property
    def count(self) -> int:
        return self._count

    def is_factor(self, expression: Node) -> bool:
        coded = self._coded
        assert coded is not None
        return coded.is_factor(expression)

    def means(self, X: Array) -> Array:
        return np.asarray(self._ones @ X / self._count)

    def matrix(self, columns: Columns) -> Array:
        whole = np.hstack([self._designs[f] for f in columns.formulas])
        if len(columns.names) in (0, whole.shape[1]):
            return whole
        names = self.names(columns.formulas)
        return whole[:, [names.index(name) for name in columns.names]]

    def summaries(self, y: Array | None, X: Array, intercept: bool, words: str) -> Summaries:
        """What priors ask for, of all rows."""
        return _ReducedSummaries(y, X, intercept, words, self._ones, self._count, self._passes)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_passes": None}


def _reduced(
    graph: ModelGraph, coded: Data, batches: Callable[[], Iterator[tuple[Data, int]]]
) -> Reduced:
    response = graph.response.expression
    vectors = [response, *graph.population.offsets]
    formulas = list(dict.fromkeys(graph.formulas()))
    factor = graph.groups[0].factor if graph.groups else None
    levels = coded.grouping(factor).levels if factor else ("",)
    place = {level: j for j, level in enumerate(levels)}
    triangles: Array | None = None
    counts = np.zeros(len(levels), dtype=np.int64)
    dropped = 0
    for batch, lost in batches():
        dropped += lost
        rows = np.column_stack(
            [
                np.ones(batch.rows),
                *(batch.vector(v) for v in vectors),
                *(batch.matrix(Columns((f,))) for f in formulas),
            ]
        )
        codes = np.zeros(batch.rows, dtype=np.int64)
        if factor is not None:
            here = batch.grouping(factor)
            codes = np.array([place[level] for level in here.levels])[here.codes]
        if triangles is None:
            triangles = np.zeros((len(levels), rows.shape[1], rows.shape[1]))
        counts += np.bincount(codes, minlength=len(levels))
        _add(triangles, codes, rows)
    if triangles is None or not counts.all():
        raise FormulaError("there is nothing to fit: a level has no row without missing values")
    p = triangles.shape[1]
    whole = triangles.reshape(-1, p)
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
        codes = np.repeat(np.arange(len(levels)), p)
        groupings = {factor: Grouping(codes, levels)}

    def passes() -> Iterator[Array]:
        for batch, _ in batches():
            yield batch.response(graph)

    return Reduced(coded, columns, groupings, int(counts.sum()), dropped, passes)


def _add(triangles: Array, codes: Index, rows: Array) -> None:
    """Rows (n, p) into the triangles (J, p, p) of their levels, in place."""
    order = np.argsort(codes, kind="stable")
    codes, rows = codes[order], rows[order]
    present, first, sizes = np.unique(codes, return_index=True, return_counts=True)
    p = rows.shape[1]
    chunk = max(_CHUNK, int(2 * sizes.mean()))
    within = np.arange(len(codes)) - np.repeat(first, sizes)
    level = np.repeat(np.arange(len(present)), sizes)
    for start in range(0, int(sizes.max()), chunk):
        here = np.flatnonzero((within >= start) & (within < start + chunk))
        some, index = np.unique(level[here], return_inverse=True)
        stacked = np.zeros((len(some), p + chunk, p))
        stacked[:, :p] = triangles[present[some]]
        stacked[index, p + within[here] - start] = rows[here]
        triangles[present[some]] = np.linalg.qr(stacked, mode="r")


# -- summaries -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _ReducedSummaries(Summaries):
    """Means and deviations from the cross-products; medians by counting, a pass at a time."""

    ones: Array = field(default_factory=lambda: np.zeros(0))
    count: int = 0
    passes: Callable[[], Iterator[Array]] = lambda: iter(())

    @property
    def mean(self) -> float:
        return 0.0 if self.y is None else float(self.ones @ self.y / self.count)

    @property
    def sd(self) -> float:
        if self.y is None:
            return 1.0
        return float(np.sqrt(self._squares(self.y) / max(self.count - 1, 1))) or 1.0

    @cached_property
    def median(self) -> float:
        return _median(self.passes, self.count)

    @cached_property
    def mad(self) -> float:
        centre = self.median

        def deviations() -> Iterator[Array]:
            for y in self.passes():
                yield np.abs(y - centre)

        return 1.4826 * _median(deviations, self.count)

    @property
    def rms(self) -> float:
        return 1.0 if self.y is None else float(np.sqrt(self.y @ self.y / self.count)) or 1.0

    @property
    def rms_X(self) -> Array:
        return np.asarray(np.sqrt(np.sum(self.X**2, axis=0) / self.count))

    def slope_scales(self, factor: float) -> Array:
        squares = np.array([self._squares(x) for x in self.X.T])
        # a constant column leaves rounding errors
        squares[squares <= 1e-24 * np.sum(self.X**2, axis=0)] = 0.0
        spread = np.sqrt(squares / max(self.count - 1, 1))
        return np.asarray(factor / np.where(spread > 0, spread, 1.0))

    def constant_in_columns(self) -> Array | None:
        weights: Array = np.linalg.lstsq(self.X, self.ones, rcond=None)[0].astype(float)
        rest = self.X @ weights - self.ones
        return weights if rest @ rest <= 1e-16 * self.count else None

    def _squares(self, x: Array) -> float:
        """The sum of squares around the mean."""
        rest = x - self.ones * (self.ones @ x / self.count)
        return float(rest @ rest)


def _median(passes: Callable[[], Iterator[Array]], n: int) -> float:
    """The median of n values that come in parts; the mean of the two in the middle."""
    low, high = np.inf, -np.inf
    for part in passes():
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    ranks = np.array([(n - 1) // 2, n // 2])
    below = 0
    while True:
        edges, width = np.linspace(low, high, _BINS + 1), high - low
        counts = np.zeros(_BINS, dtype=np.int64)
        for part in passes():
            counts += np.histogram(part[(part >= low) & (part <= high)], edges)[0]
        cumulative = below + np.cumsum(counts)
        first, last = np.searchsorted(cumulative, ranks, side="right")
        below = int(cumulative[first - 1]) if first else below
        low, high = float(edges[first]), float(edges[last + 1])
        if cumulative[last] - below <= _SORTED or not 0 < high - low < width:
            break
    # values of the upper edge belong to the next bin, and come after all that count
    parts = [np.unique(p[(p >= low) & (p <= high)], return_counts=True) for p in passes()]
    values, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(values, kind="stable")
    places = below + np.cumsum(counts[order])
    middle = values[order][np.searchsorted(places, ranks, side="right")]
    return float(middle.mean())
