"""The driver for rows in partitions: the stages of :mod:`mix2stan.compiler`, on reduced rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mix2stan.compiler import Compiled, DataArgument, compile_model, members_of, noted
from mix2stan.design import read_table
from mix2stan.dialects import Request, request_of, script_of
from mix2stan.errors import FormulaError, Mix2stanError
from mix2stan.naming import named
from mix2stan.parser import parse
from mix2stan.partitions.reading import names_a_row, read, refusal
from mix2stan.partitions.reduction import reduce_rows
from mix2stan.partitions.sources import Source, source_of
from mix2stan.passes import Context, run_passes
from mix2stan.plan import plan
from mix2stan.priors.choice import PriorArgument, prior_choice
from mix2stan.render import render
from mix2stan.stan_data import stan_data
from mix2stan.syntax import Name

if TYPE_CHECKING:
    from dask.dataframe import DataFrame as DaskDataFrame

__all__ = ["compile_given", "compile_partitions", "of_likelihood"]


def compile_given(
    text: str,
    data: DataArgument | str | Path | DaskDataFrame,
    prior: PriorArgument = None,
    strategy: str | Mapping[str, str] = "auto",
) -> Compiled:
    """Compile a call on whatever ``data=`` may be: in memory, a file, a folder, or a Dask frame.

    Raises:
        Mix2stanError: as the drivers, and if there is not memory enough for the model.
    """
    if isinstance(data, str | Path) and not Path(data).is_dir():
        return compile_model(text, read_table(data), prior, strategy)
    source = source_of(data)
    try:
        if source is None:
            return compile_model(text, cast(DataArgument, data), prior, strategy)
        return compile_partitions(text, cast(str, data), source, prior, strategy)
    except MemoryError as error:
        hint = str(error) or "fewer columns, or fewer levels"
        raise Mix2stanError("the model does not fit into memory", hint=hint) from error


def of_likelihood(compiled: Compiled) -> Compiled:
    """The same model as its likelihood says it, where its priors make it another program.

    Under brms' priors a formula of sigma is a predictor; without them it is variance functions.
    """
    if not compiled.graph.apart:
        return compiled
    whole = compile_given(compiled.text, cast(DataArgument, compiled.given), "default")
    response = compiled.graph.response.expression
    members = members_of(whole).values()
    return next((m for m in members if m.graph.response.expression == response), whole)


def compile_partitions(
    text: str,
    given: str | Path | DaskDataFrame,
    source: Source,
    prior: PriorArgument = None,
    strategy: str | Mapping[str, str] = "auto",
) -> Compiled:
    """Compile one R model call on rows in partitions.

    There is a pass over the rows for the types of the columns, one for the levels in use, and one for
    the cross-products; and usually four for the median and the median deviation of the response,
    which the default priors ask for.

    Args:
        text, prior, strategy: as in :func:`mix2stan.compiler.compile_model`.
        given: the data as they were given.
        source: their partitions.

    Raises:
        Unsupported: if the model needs the rows themselves; it says why.
        DataError: if the data cannot be read, or do not fit.
    """
    try:
        request = request_of(script_of(parse(text), frozenset(source.names)))
        _check(request, source)
        reading, dropped = read(request, source)
        reduced = reduce_rows(request.graph, reading, source, dropped)
        choice = prior_choice(prior)
        graph = noted(request, reduced, choice)
        graph = run_passes(graph, Context(reduced, choice, strategy, reduced.summaries))
        if graph.strategy.samples_effects:
            raise refusal(source, graph.strategy.reason or "its effects are sampled")
        graph = named(graph)
        program = plan(graph)
        code, entries = render(program), stan_data(graph, reduced)
        return Compiled(text, given, graph, reduced, program, code, entries)
    except FormulaError as error:
        raise error.at(text) from None


def _check(request: Request, source: Source) -> None:
    """Refuse what cannot be reduced, whatever the rows are."""
    graph = request.graph
    factors = list(dict.fromkeys(g.factor for g in graph.groups))
    named = " and ".join(map(str, factors))
    data = request.data is None or isinstance(request.data, Name)
    reasons = (
        (request.subset is not None, "subset is applied to a data frame"),
        (not data, f"{request.data} makes a data frame"),
        (bool(request.stacked), "it has several responses"),
        (not graph.response.linear, f"its response is {graph.response.family}"),
        (not graph.residual.plain or bool(graph.response.added()), "its errors differ by row"),
        (bool(graph.predictors), "it has predictors besides that of the mean"),
        (len(factors) > 1, f"it has several grouping factors, {named}"),
        (any(len(f.variables) > 1 for f in factors), f"the levels of {named} are combinations"),
        (any(g.columns.plain for g in graph.groups), "contrasts are chosen for a part of it"),
        (names_a_row(graph, source.names), "it has an effect of every row"),
    )
    for holds, why in reasons:
        if holds:
            raise refusal(source, why)
