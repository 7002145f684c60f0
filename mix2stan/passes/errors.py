"""Errors: the strata and blocks of the residual, checked before anything is sampled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.graph import (
    ErrorCorrelation,
    Factor,
    ModelGraph,
    Residual,
    VarianceFunction,
    note,
)
from mix2stan.passes.context import Context
from mix2stan.passes.nesting import with_holders
from mix2stan.residual_data import blocks_of, general_root, positions
from mix2stan.residuals import VARIANCES, known_errors

__all__ = ["resolve_errors"]


def resolve_errors(graph: ModelGraph, context: Context) -> ModelGraph:
    """Name strata, reference first; refuse covariates and times that a structure cannot take.

    Raises:
        FormulaError: for what cannot be meant.
    """
    if graph.residual.plain:
        return graph
    remarks: list[str] = []
    parts: list[VarianceFunction] = []
    for part in graph.residual.variances:
        resolved = _variance(part, graph, context)
        if resolved.kind == "varIdent" and len(resolved.levels) == 1:
            remarks.append(f"{part.strata} has one level: the errors have one variance")
            continue
        if not part.of_fitted and part.covariate is not None:
            _check_covariate(part, context)
        parts.append(replace(resolved, id=f"_{len(parts) + 1}" if parts else ""))
    correlation = graph.residual.correlation
    if correlation is not None:
        correlation = replace(
            _correlation(correlation, context), within=_within(correlation, graph, context)
        )
    graph = replace(graph, residual=Residual(tuple(parts), correlation))
    if not known_errors(graph.residual):
        graph = with_holders(graph, context)
    return note(graph, *remarks)


def _variance(part: VarianceFunction, graph: ModelGraph, context: Context) -> VarianceFunction:
    if part.strata is None:
        return part
    groups = context.data.grouping(part.strata)
    met = groups.codes[_r_order(graph, context)]
    _, where = np.unique(met, return_index=True)
    levels = [groups.levels[c] for c in met[np.sort(where)]]
    _check_named(part, levels)
    named = {
        _stratum(s, levels, part)
        for given in (part.fixed, part.start)
        for _, g in given
        for s, _ in g
    }
    if VARIANCES[part.kind].relative and len(named) == len(levels) - 1:
        # nlme: the stratum that the values do not name is the reference
        reference = next(level for level in levels if level not in named)
        levels = [reference, *(level for level in levels if level != reference)]
    fixed = tuple((n, tuple((_stratum(s, levels, part), x) for s, x in g)) for n, g in part.fixed)
    start = tuple((n, tuple((_stratum(s, levels, part), x) for s, x in g)) for n, g in part.start)
    known = [s for _, values in fixed for s, _ in values if s]
    if any({s for s, _ in values if s} != set(known) for _, values in fixed):
        message = f"the parameters of {part.kind}() are fixed in different strata"
        raise Unsupported(message, span=part.span, hint="fix them in the same strata, or in all")
    first = levels[:1] if VARIANCES[part.kind].relative else []
    if first and first[0] in known:
        message = f"{first[0]} is the reference, whose ratio is 1"
        raise FormulaError(message, span=part.span, hint="fix the ratios of other strata")
    ordered = [*first, *(s for s in levels if s in known), *(s for s in levels if s not in known)]
    return replace(part, levels=tuple(dict.fromkeys(ordered)), fixed=fixed, start=start)


def _check_named(part: VarianceFunction, levels: list[str]) -> None:
    """Strata listed one by one are all there are, each once: every row has one error."""
    listed = [_stratum(name, levels, part) for name in part.named]
    missing = [level for level in levels if level not in listed] if listed else []
    twice = [name for name in listed if listed.count(name) > 1]
    if missing or twice:
        what = f"{missing[0]} have no residual" if missing else f"{twice[0]} have two residuals"
        hint = f"every row has exactly one: write idh({part.strata}):units"
        raise FormulaError(f"the rows of {part.strata} {what}", span=part.span, hint=hint)


def _r_order(graph: ModelGraph, context: Context) -> np.ndarray:
    """The rows as nlme has them: sorted by the groups of lme, or of the correlation in gls."""
    factors = [g.factor for g in graph.groups]
    correlation = graph.residual.correlation
    if not factors and correlation is not None and correlation.block is not None:
        factors = [correlation.block]
        if len(factors[0].variables) > 1:
            # combinations of factors have their levels as they come
            codes = context.data.grouping(factors[0]).codes
            _, first, place = np.unique(codes, return_index=True, return_inverse=True)
            return np.argsort(first[place], kind="stable")
    keys = [context.data.grouping(f).codes for f in factors]
    return np.lexsort(keys[::-1]) if keys else np.arange(context.data.rows)


def _stratum(name: str, levels: list[str], part: VarianceFunction) -> str:
    """A stratum's name as we have it: R joins combinations by ``*``."""
    if name in ("", *levels):
        return name
    if name.replace("*", ":") in levels:
        return name.replace("*", ":")
    hint = suggestion(name, levels, what="its levels")
    raise FormulaError(f"{part.strata} has no level {name!r}", span=part.span, hint=hint)


def _check_covariate(part: VarianceFunction, context: Context) -> None:
    assert part.covariate is not None
    values = context.data.vector(part.covariate)
    if VARIANCES[part.kind].positive and (values <= 0).any():
        row = int(np.argmax(values <= 0))
        what = "negative" if values[row] < 0 else "0"
        where = int(context.data.frame.rows[row]) + 1
        message = (
            f"{part.kind}() needs a positive covariate; {part.covariate} is {what} in row {where}"
        )
        size = f"~ abs({part.covariate}) is what nlme takes; " if what == "negative" else ""
        hint = f"{size}varExp() takes any covariate"
        raise FormulaError(message, span=part.covariate.span, hint=hint)


def _correlation(correlation: ErrorCorrelation, context: Context) -> ErrorCorrelation:
    blocks = blocks_of(correlation, context.data)
    if correlation.kind == "corSymm":
        size = int(positions(blocks).max())
        values = correlation.fixed or correlation.start
        if values and len(values) != size * (size - 1) // 2:
            message = f"value has {len(values)} correlations for {size * (size - 1) // 2} pairs"
            raise FormulaError(message, span=correlation.span)
        if values:
            general_root(np.array(values))
        correlation = replace(correlation, positions=size)
    if blocks.sizes.max() == 1:
        message = "every block has one row: no errors can correlate"
        raise FormulaError(message, span=correlation.span)
    return correlation


def _within(
    correlation: ErrorCorrelation, graph: ModelGraph, context: Context
) -> tuple[Factor, ...]:
    """The grouping factors that are constant within every block."""
    data = context.data
    blocks = blocks_of(correlation, data)
    of_row = np.repeat(np.arange(len(blocks.sizes)), blocks.sizes)
    found = []
    for factor in dict.fromkeys(g.factor for g in graph.groups):
        codes = data.grouping(factor).codes[blocks.order]
        if (codes == codes[blocks.first[:-1]][of_row]).all():
            found.append(factor)
    return tuple(found)
