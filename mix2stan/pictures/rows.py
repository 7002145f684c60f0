"""Pictures of data and expectations: lines of every level, conditional effects, predictive checks."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mix2stan.distributions import distribution_of
from mix2stan.errors import Mix2stanError, Unsupported, suggestion
from mix2stan.families import FAMILIES, mean_groups, mean_predictors
from mix2stan.graph import Factor
from mix2stan.pictures.canvas import Array, Make, panels, terms_of, words
from mix2stan.postfit.categories import labels_of
from mix2stan.postfit.grid import few_values, marginal_means
from mix2stan.postfit.predict import predictor_of, simulated, summary_of
from mix2stan.postfit.predictor import Predictor
from mix2stan.responses import observed
from mix2stan.schema import Schema
from mix2stan.syntax import Node, names_in

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["effects", "lines", "ppc"]

#: Points of a line of one level, and of a conditional effect.
_POINTS, _CURVE = 25, 60
#: Characters of a line of a title.
_TITLE = 80
#: Discrete responses of at most this range have a bin for every value.
_VALUES = 60


def _design(schema: Schema) -> tuple[Node, ...]:
    """The variables of the designs of the mean, offsets not among them."""
    graph = schema.graph
    formulas = [f for p in mean_predictors(graph) for f in p.population.columns.formulas]
    formulas += [f for g in mean_groups(graph) for f in g.columns.formulas]
    return tuple(dict.fromkeys(v for f in formulas for v in schema.data.terms(f).variables))


def _numbers(schema: Schema) -> list[str]:
    """The columns of numbers that the mean depends on, in the order of the formula."""
    frame, columns = schema.data.frame, schema.columns.columns
    numeric = (node for node in _design(schema) if not frame.column(node).is_factor)
    names = dict.fromkeys(n.name for node in numeric for n in names_in(node))
    return [n for n in names if n in columns and columns[n].kind == "numeric"]


def _response(fit: Fit) -> tuple[Array, str]:
    """The response of the rows of the fit on the scale of expectations, and its label."""
    schema = fit.schema
    found = observed(schema.graph, schema.data)
    if FAMILIES[schema.graph.response.family].counts_trials:
        return found.y / np.maximum(found.trials, 1), f"share of {fit.labels.response}"
    return found.y, fit.labels.response


def _held(schema: Schema, rows: pd.DataFrame) -> dict[str, Any]:
    """What every column is held at: the mean of numbers, what is most frequent of all else."""
    return {name: _middle(schema, rows[name]) for name in rows.columns}


def _middle(schema: Schema, column: pd.Series) -> Any:
    """The mean of numbers that the predictor is made of, else the first of the most frequent values."""
    offsets = {
        n.name
        for p in schema.graph.every_predictor
        for o in p.population.offsets
        for n in names_in(o)
    }
    numeric = schema.columns.columns[str(column.name)].kind == "numeric"
    if numeric and str(column.name) in {*_numbers(schema), *offsets}:
        return float(column.mean())
    counts = column.value_counts(sort=False)
    # of values as frequent the first in their order, wherever their rows stand
    return counts.sort_index(kind="stable").idxmax()


def _table(schema: Schema, values: Mapping[str, Any], n: int) -> pd.DataFrame:
    """So many rows of the same values."""
    raw = schema.raw()
    return pd.DataFrame(
        {name: pd.Series([value] * n).astype(raw[name].dtype) for name, value in values.items()}
    )


def _varying(schema: Schema, raw: pd.DataFrame, codes: NDArray[np.int64]) -> list[str]:
    """The variables of the mean that differ between rows of one level."""
    used = [*schema.population(), *_design(schema)]
    names = dict.fromkeys(n.name for node in used for n in names_in(node))
    by_level = raw.groupby(codes)
    return [n for n in names if n in raw.columns and (by_level[n].nunique() > 1).any()]


def _held_in_words(values: Mapping[str, Any], names: Sequence[str]) -> str:
    """What the lines have in common: ``held: trt = a, z = 0.52``."""
    shown = [
        f"{n} = {v:.3g}" if isinstance(v, float) else f"{n} = {v}"
        for n, v in values.items()
        if n in names
    ]
    return f"held: {', '.join(map(words, shown))}" if shown else ""


def _expected(predictor: Predictor) -> Array:
    """Summaries of the expected response of every row, shape (n, 5), NaN where there is none."""
    rows = predictor.rows
    table = np.full((len(rows.labels), 5), np.nan)
    for block in predictor.blocks():
        eta = predictor.linear(block)
        needed = predictor.distribution.mean_has_parameters
        parameters = predictor.parameters(block, eta) if needed else {}
        table[rows.complete[block]] = summary_of(predictor.expected(eta, parameters))
    return table


def _factor(fit: Fit, group: str | None) -> Factor:
    """The grouping factor whose levels have lines."""
    term = terms_of(fit, group, "lines")[0]
    factor = next(g.factor for g in fit.schema.graph.groups if g.id == term.id)
    if factor.signs:
        message = f"a row belongs to several levels of {factor}, so no line is that of a level"
        raise Unsupported(message, hint="caterpillar() draws their effects")
    return factor


def lines(
    make: Make, fit: Fit, variable: str | None, group: str | None, levels: int, draws: int | None
) -> Figure:
    """See :meth:`mix2stan.pictures.Pictures.lines`."""
    schema, factor = fit.schema, _factor(fit, group)
    if labels_of(schema.graph):
        message = "the categories of the response are no points that lines could go through"
        raise Unsupported(message, hint="effects() draws their probabilities")
    numbers = _numbers(schema)
    if not numbers:
        message = "the mean of this model depends on no number, so there are no lines to draw"
        raise Unsupported(message, hint="effects() draws factors, caterpillar() group effects")
    name = numbers[0] if variable is None else variable
    if name not in numbers:
        hint = suggestion(name, numbers, what="its numbers")
        raise Mix2stanError(f"the mean of this model has no number {name!r}", hint=hint)
    raw, codes = schema.raw(), schema.data.grouping(factor).codes
    present = np.unique(codes)
    shown = present[np.unique(np.linspace(0, len(present) - 1, levels).round().astype(int))]
    common, varying = _held(schema, raw), _varying(schema, raw, codes)
    tables = []
    for code in shown:
        mine = raw[codes == code]
        x = np.linspace(mine[name].min(), mine[name].max(), _POINTS)
        # what is constant within the level is its own
        own = {n: common[n] if n in varying else _middle(schema, mine[n]) for n in common}
        tables.append(_table(schema, own, _POINTS).assign(**{name: x}))
    new = pd.concat(tables, ignore_index=True)
    available = int(fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"])
    draws = min(draws or available, available)
    # levels of other factors do not matter, and together may be none of the fit
    whole = predictor_of(fit, new, "conditional", "zero", draws, 0)
    inner = {str(v) for v in factor.variables}
    own_terms = tuple(g for g in whole.groups if {str(v) for v in g.factor.variables} <= inner)
    curves = _expected(replace(whole, groups=own_terms))[:, 0].reshape(len(shown), _POINTS)
    figure, (ax,) = panels(make, 1, 4.0)
    y, label = _response(fit)
    ax.scatter(raw[name], y, s=9, color="0.65", linewidths=0, zorder=1)
    for table, curve in zip(tables, curves, strict=True):
        x = table[name].to_numpy(dtype=float)
        # a level whose rows are all at one place has a point
        marker = "o" if x[0] == x[-1] else ""
        ax.plot(x, curve, f"{marker}-", color="C0", lw=0.8, ms=3, alpha=0.7, zorder=2)
    _population_line(ax, fit, raw, name, common, draws)
    ax.set_xlabel(words(name))
    ax.set_ylabel(words(label))
    some = f"{len(shown)} of {len(present)}" if len(shown) < len(present) else f"{len(shown)}"
    held = _held_in_words(common, [n for n in varying if n != name])
    title = f"{some} levels of {words(str(factor))}"
    ax.set_title(textwrap.fill(f"{title}; {held}" if held else title, _TITLE), fontsize=9)
    ax.legend(fontsize=8)
    return figure


def _population_line(
    ax: Axes, fit: Fit, raw: pd.DataFrame, name: str, common: Mapping[str, Any], draws: int
) -> None:
    """The expectation without group effects, with its 95 % band."""
    x = np.linspace(raw[name].min(), raw[name].max(), _CURVE)
    table = _table(fit.schema, common, _CURVE).assign(**{name: x})
    found = _expected(predictor_of(fit, table, "population", "error", draws, 0))
    ax.fill_between(x, found[:, 2], found[:, 4], color="C1", alpha=0.25, linewidth=0)
    ax.plot(x, found[:, 0], color="C1", linewidth=2.2, label="population", zorder=3)


def effects(make: Make, fit: Fit, variable: str | None, by: str | None) -> Figure:
    """See :meth:`mix2stan.pictures.Pictures.effects`."""
    schema = fit.schema
    columns = schema.columns.columns
    if variable is None:
        names = [n.name for node in schema.population() for n in names_in(node)]
        variable = next((n for n in names if n in columns and n != by), None)
        if variable is None:
            raise Unsupported("the population part has no variable", hint="forest() draws it")
    numbers, raw = _numbers(schema), schema.raw()
    at: dict[str, Any] = {}
    if variable in numbers:
        at[variable] = np.linspace(raw[variable].min(), raw[variable].max(), _CURVE).tolist()
    if by is not None and by in numbers:
        mean, sd = float(raw[by].mean()), float(raw[by].std())
        at[by] = few_values(raw[by]) or [mean - sd, mean, mean + sd]
    table = marginal_means(fit, variable, by or (), at)
    # of categories there is a curve each, and by another variable a panel for every level
    inner, outer = ("category", by) if labels_of(schema.graph) else (by, None)
    shown = [name for name in (by,) if name in numbers]
    pieces = _split(table, outer)
    figure, axes = panels(make, len(pieces), 3.6)
    for ax, (level, piece) in zip(axes, pieces.items(), strict=True):
        curves = {_value(k, inner in shown): part for k, part in _split(piece, inner).items()}
        _curves(ax, curves, variable in numbers)
        ax.set_xlabel(words(variable))
        ax.set_ylabel(words(f"expected {_response(fit)[1]}" if inner == by else "probability"))
        if by is not None and inner == by:
            ax.legend(title=words(by), fontsize=8)
        if outer is not None:
            ax.set_title(words(f"{outer} {_value(level, outer in shown)}"), fontsize=9)
    if inner == "category":
        highest = max(ax.get_ylim()[1] for ax in axes)
        for ax in axes:
            ax.set_ylim(0, highest)
        # beside the panels, whose curves fill them
        handles, names = axes[0].get_legend_handles_labels()
        title = words(fit.labels.response)
        figure.legend(handles, names, title=title, fontsize=8, loc="outside right upper")
    return figure


def _split(table: pd.DataFrame, name: str | None) -> dict[Any, pd.DataFrame]:
    """The parts of a table by a level of its index, without it; by None the whole."""
    if name is None:
        return {None: table}
    keys = table.index.get_level_values(name)
    return {key: table[keys == key].droplevel(name) for key in dict.fromkeys(keys)}


def _value(level: Any, number: bool) -> str:
    return "" if level is None else f"{level:.3g}" if number else str(level)


def _curves(ax: Axes, parts: Mapping[str, pd.DataFrame], number: bool) -> None:
    """Curves with bands over a number, points with intervals over the levels of a factor."""
    for i, (level, part) in enumerate(parts.items()):
        label = words(level) or None
        middle, low, high = (part[c].to_numpy(dtype=float) for c in ("mean", "2.5%", "97.5%"))
        if number:
            x = part.index.to_numpy(dtype=float)
            ax.fill_between(x, low, high, color=f"C{i}", alpha=0.22, linewidth=0)
            ax.plot(x, middle, color=f"C{i}", label=label)
        else:
            places = np.arange(len(part)) + (i - (len(parts) - 1) / 2) * 0.6 / len(parts)
            ax.errorbar(
                places, middle, [middle - low, high - middle], fmt="o", capsize=3, label=label
            )
            _factor_ticks(ax, [words(str(v)) for v in part.index])


def _factor_ticks(ax: Axes, names: list[str]) -> None:
    long = sum(map(len, names)) > 50
    ax.set_xticks(
        range(len(names)), names, rotation=40 if long else 0, ha="right" if long else "center"
    )
    ax.set_xlim(-0.5, len(names) - 0.5)


def ppc(make: Make, fit: Fit, draws: int, seed: int | None) -> Figure:
    """See :meth:`mix2stan.pictures.Pictures.ppc`."""
    schema = fit.schema
    if schema.graph.response.censoring is not None:
        message = "simulated responses cannot be compared with censored ones"
        raise Unsupported(message, hint="fit.simulate() draws them")
    y, drawn = observed(schema.graph, schema.data).values, simulated(fit, draws, seed)
    levels = labels_of(schema.graph)
    edges = _edges(fit, y, drawn) if not levels else np.arange(len(levels) + 1) + 0.5

    def heights(data: Array) -> Array:
        # counts of categories are there already, row by row
        counted = data.sum(axis=0) if data.ndim == 2 else np.histogram(data, edges)[0]
        return np.asarray(counted, dtype=float)

    figure, (ax,) = panels(make, 1, 3.2)
    for i in range(draws):
        label = f"{draws} simulated data sets" if i == 0 else None
        ax.stairs(heights(drawn[:, i]), edges, color="C0", alpha=0.3, linewidth=0.7, label=label)
    ax.stairs(heights(y), edges, color="black", linewidth=1.6, label="data")
    if levels:
        ax.set_xticks(range(1, len(levels) + 1), [words(level) for level in levels])
    ax.set_xlabel(words(fit.labels.response))
    ax.set_ylabel("rows" if y.ndim == 1 else "counts")
    ax.legend(fontsize=8)
    return figure


def _edges(fit: Fit, y: Array, drawn: Array) -> Array:
    """The edges of the bins of a histogram of data and simulated ones, shape (N, n)."""
    central = np.quantile(drawn, [0.005, 0.995])
    low, high = min(float(central[0]), y.min()), max(float(central[1]), y.max())
    if distribution_of(fit.schema.graph.response.family).discrete and high - low <= _VALUES:
        return np.arange(np.floor(low), np.ceil(high) + 2) - 0.5
    return np.asarray(np.histogram_bin_edges(y, "auto", (low, high)))
