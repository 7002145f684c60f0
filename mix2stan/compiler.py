"""The driver: R text and data in, a Stan program and its data out, one stage after the other.

Every stage can be called on its own, and its result printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame

from mix2stan.binding import bind
from mix2stan.design import evaluate_data, in_pandas, levels_of, stack, with_values
from mix2stan.dialects import Request, request_of, script_of
from mix2stan.errors import DataError, FormulaError, Unsupported
from mix2stan.graph import ModelGraph, note, warn
from mix2stan.matrices import Data
from mix2stan.naming import named
from mix2stan.parser import parse
from mix2stan.passes import Context, run_passes
from mix2stan.plan import Plan, plan
from mix2stan.priors.choice import PriorArgument, PriorChoice, prior_choice
from mix2stan.relationships import Known
from mix2stan.render import render
from mix2stan.rtext import Script
from mix2stan.stan_data import stan_data
from mix2stan.syntax import Argument, Call, Name, Node

__all__ = ["Compiled", "DataArgument", "Given", "compile_model", "members_of", "noted"]

#: What ``data=`` may be: one frame, of pandas or another library, or several by the names the R text
#: uses; these may also be known covariances, trees as text, and lists, such as priors, as mappings
#: or R text.
DataArgument = (
    pd.DataFrame
    | IntoFrame
    | Mapping[str, pd.DataFrame | IntoFrame | Known | str | Mapping[str, Any]]
)
#: The same with all frames those of pandas.
Given = pd.DataFrame | Mapping[str, pd.DataFrame | Known | str | Mapping[str, Any]]

_FRAMES = "those of pandas, polars and Arrow can be given, and of Dask as data of a model"


@dataclass(frozen=True)
class Compiled:
    """The result of every stage that a user may want to see; ``given`` has pandas' frames only."""

    text: str
    given: Given | str | Path
    graph: ModelGraph
    data: Data
    plan: Plan
    stan_code: str
    stan_data: dict[str, Any]


def compile_model(
    text: str,
    data: DataArgument,
    prior: PriorArgument = None,
    strategy: str | Mapping[str, str] = "auto",
) -> Compiled:
    """Compile one R model call.

    Args:
        text: R code with one model call.
        data: the data frame, or a mapping from the names in the text to data frames.
        prior: the name of a set of default priors, densities by parameter, or both.
        strategy: how to compute: ``"auto"``, ``"collapsed"`` or ``"noncentred"``, or by term.

    Raises:
        FormulaError: if the text cannot be read or does not fit the data; its ``text`` is set.
        Unsupported: if the model is understood but cannot be expressed.
        DataError: if the data do not fit.
    """
    rows = _in_pandas(data)
    given = {"": rows} if isinstance(rows, pd.DataFrame) else dict(rows)
    frames = {name: value for name, value in given.items() if isinstance(value, pd.DataFrame)}
    columns = frozenset(str(c) for frame in frames.values() for c in frame.columns)
    try:
        script = script_with_values(text, columns, given, frames)
        request = request_of(script)
        request, frame = _rows(request, frames)
        bound = bind(
            request.graph,
            frame,
            request.na_action,
            request.coding,
            given,
            request.subset,
            complete_first=request.rows_first,
        )
        _check_coded(script.coded, bound, _Bindings(frames))
        choice = prior_choice(prior)
        graph = noted(request, bound, choice)
        graph = named(run_passes(graph, Context(bound, choice, strategy)))
        program = plan(graph)
        code, entries = render(program), stan_data(graph, bound)
        return Compiled(text, rows, graph, bound, program, code, entries)
    except FormulaError as error:
        raise error.at(text) from None


def script_with_values(
    text: str,
    columns: frozenset[str],
    given: Mapping[str, Any],
    frames: Mapping[str, pd.DataFrame],
) -> Script:
    """A text's call and settings, what the call says of whole data frames computed.

    Args:
        text: R code with one model call.
        columns: the names of all columns.
        given: what was given, by name.
        frames: the data frames among these.

    Raises:
        FormulaError: if the text cannot be read.
    """
    script = script_of(parse(text), columns, given)
    names = _Bindings(dict(frames))
    args = tuple(replace(a, value=with_values(a.value, names)) for a in script.call.args)
    return replace(script, call=replace(script.call, args=args))


def members_of(compiled: Compiled) -> dict[str, Compiled]:
    """The models of several responses, each compiled as if it were alone, by name."""
    found = {}
    for member in compiled.graph.members:
        graph, data = member.graph, compiled.data.of(member.graph.response.expression)
        program = plan(graph)
        found[member.name] = replace(
            compiled,
            graph=graph,
            data=data,
            plan=program,
            stan_code=render(program),
            stan_data=stan_data(graph, data),
        )
    return found


def _in_pandas(data: object) -> Given:
    """The data as pandas frames; here frames of other libraries, and plain columns, come in."""
    if _are_columns(data):
        try:
            data = pd.DataFrame(data)  # type: ignore[call-overload]
        except ValueError as error:
            raise DataError(f"the columns are no data frame: {error}") from None
    if not isinstance(data, Mapping):
        frame = in_pandas(data)
        if not isinstance(frame, pd.DataFrame):
            raise DataError(f"data has to be a data frame, not {type(data).__name__}", hint=_FRAMES)
        kept: pd.DataFrame = _kept(frame)
        return kept
    found = {name: _kept(in_pandas(value)) for name, value in data.items()}
    for name, value in found.items():
        if not isinstance(value, pd.DataFrame | Known | str | Mapping):
            what = f"data[{name!r}] has to be a data frame, not {type(value).__name__}"
            hint = "a known covariance is a data frame with labels or a Known, a tree a string, "
            hint += "a list a mapping"
            raise DataError(what, hint=hint)
    return found


def _are_columns(data: object) -> bool:
    """Whether it is a mapping of columns, or an array with names for them."""
    if isinstance(data, np.ndarray):
        return data.dtype.names is not None and data.ndim == 1
    if not isinstance(data, Mapping) or not data:
        return False
    columns = (
        list,
        tuple,
        range,
        np.ndarray,
        pd.Series,
        pd.Index,
        pd.api.extensions.ExtensionArray,
    )
    return all(isinstance(value, columns) and not isinstance(value, str) for value in data.values())


def _kept(given: Any) -> Any:
    """A data frame that no later change of the user's reaches; anything else as it is.

    From pandas 3 on nothing is copied before one of the two is changed.
    """
    if not isinstance(given, pd.DataFrame):
        return given
    return given.copy(deep=int(pd.__version__.partition(".")[0]) < 3)


def _rows(request: Request, frames: dict[str, pd.DataFrame]) -> tuple[Request, pd.DataFrame]:
    """The request, complete, and its data frame, several responses stacked.

    A ``subset`` that comes first is done then, and no longer asked for.
    """
    node: Node = request.data if request.data is not None else Name(next(iter(frames), ""))
    if request.subset is not None and request.rows_first:
        arguments = (Argument(None, node), Argument(None, request.subset))
        node = Call("subset", arguments, span=request.subset.span)
        request = replace(request, subset=None)
    rows = evaluate_data(node, _Bindings(frames))
    if request.finish is not None:
        request = request.finish(lambda node: levels_of(rows, node))
    response = request.graph.response.expression
    if request.stacked and isinstance(response, Name):
        return request, stack(rows, request.stacked, response.name)
    return request, rows


def _check_coded(coded: Mapping[str, Node], data: Data, names: _Bindings) -> None:
    """Refuse a factor that lost levels since it was given contrasts: R drops these then.

    Raises:
        Unsupported: if there is one.
    """
    for name, then in coded.items():
        kept = data.frame.columns.get(Name(name))
        if kept is None or not kept.is_factor:
            continue
        lost = [
            v for v in levels_of(evaluate_data(then, names), Name(name)) if v not in kept.levels
        ]
        if lost:
            message = (
                f"no row of the model has the level {lost[0]!r} of {name}: R drops its contrasts"
            )
            hint = f"drop levels first: d${name} <- factor(d${name}), then set contrasts(d${name})"
            place = next(node for node in data.frame.columns if node == Name(name))
            raise Unsupported(message, span=place.span, hint=hint)


class _Bindings(dict[str, pd.DataFrame]):
    """Frames by name; a single frame without a name answers to every name."""

    def __init__(self, frames: dict[str, pd.DataFrame]) -> None:
        super().__init__(frames)
        self._single = next(iter(frames.values())) if len(frames) == 1 else None

    def __contains__(self, name: object) -> bool:
        return self._single is not None or super().__contains__(name)

    def __missing__(self, name: str) -> pd.DataFrame:
        if self._single is None:
            raise KeyError(name)
        return self._single


def noted(request: Request, data: Data, choice: PriorChoice) -> ModelGraph:
    """The graph with what a user should know of a call, its rows and its priors."""
    graph = note(request.graph, *_remarks(request, data))
    unsaid = graph.unsaid if choice.set is None else ""
    return warn(graph, unsaid) if unsaid else graph


def _remarks(request: Request, data: Data) -> list[str]:
    """What a user should know of a call and its rows."""
    remarks = []
    meaningless = [name for name in request.ignored if name != "prior"]
    if meaningless:
        remarks.append(f"ignored, having no meaning here: {', '.join(meaningless)}")
    graph = request.graph
    if "prior" in request.ignored and not (graph.prior or graph.stated or graph.unsaid):
        remarks.append("the call's own prior is not used: the priors are those listed")
    if data.frame.dropped:
        rows = "row" if data.frame.dropped == 1 else "rows"
        unlike = "; without na.action = na.omit nlme stops at them" * request.stops_at_missing
        remarks.append(f"{data.frame.dropped} {rows} with missing values dropped{unlike}")
    return remarks
