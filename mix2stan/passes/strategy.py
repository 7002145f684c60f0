"""Strategy: how to compute the posterior, chosen from the structure and the sizes of the model.

The cost of a gradient decides.  A *block* (one factor, eliminated level by level) costs its levels,
whatever the number of rows.  *Dense* terms cost the cube of their effects in a Cholesky factor, and
the products of columns that meet in a level of the block.  A *sampled* term costs the rows, and its
effects make trajectories long.  Where rows have to be made independent first, a block costs the rows,
as do the factors in which it is nested, and dense terms cost them many times.  So everything is
integrated out as long as the dense part is cheaper than sampling it, and the largest terms beyond that
are sampled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mix2stan.elimination import elimination, size
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.graph import Group, ModelGraph, Parameterisation, Strategy
from mix2stan.matrices import Data
from mix2stan.passes.context import Context
from mix2stan.residual_data import blocks_of
from mix2stan.residuals import CORRELATIONS, known_errors

__all__ = [
    "STRATEGIES",
    "choose_strategy",
    "integrate_all",
    "obstacle_to_collapsing",
    "refuse_lasting",
]

STRATEGIES = ("auto", "collapsed", "noncentred", "centred", "latent")
#: What can be asked for one term.
TREATMENTS = ("integrated", "noncentred", "centred")

#: Beyond this the K x K precision costs more than the effects it saves.
_MOST_COLUMNS = 40


@dataclass(frozen=True)
class _Limits:
    """Sizes of the dense terms: their effects, and the products of columns that meet in the block.

    Where errors have a structure, the dense columns are whole ones, and a gradient costs the square of
    their number (``columns``, those of the population among them) in every row: then these and their
    ``elements`` count.
    """

    dense: int
    products: float
    columns: int
    elements: int


#: Up to these it is cheaper to integrate dense effects out than to sample them.
_CHEAP = _Limits(200, 400_000, 30, 2_000_000)
#: So few dense effects are always integrated out: sampled, they mix worse than their time is worth.
_FEW = 40
#: What dense effects cost in a gradient of the embedded engine, by the cube of their number and by
#: products, in ns; and what a row costs, ten times over where effects of another term are sampled:
#: trajectories are two to three times as long then, and draws worth a half to a sixth.
_CUBE, _PRODUCT, _ROW = 1.9, 14.0, 250.0
#: The same where rows are made independent: by row and the square of the columns, in ns; and by the
#: cube of the rows of a block whose correlations are filled in one by one, or looked up by lag.
_WHITENED, _FILLED, _BY_LAG = 50.0, 2.0, 300.0
#: The largest sizes where it is asked for, or needed for a likelihood: what memory allows.
_MOST = _Limits(3_000, 20_000_000, 3_000, 20_000_000)
#: Related levels that are separated, which takes a time of their cube, and their square as data.
_MOST_SEPARATED = 3_000
#: Elements of the dense columns, row by row, in a program that has rows.
_MOST_ELEMENTS = 500_000
#: Priors of coefficients under which they can be integrated out.
_CONJUGATE = ("normal", "multi_normal", "flat")


def choose_strategy(graph: ModelGraph, context: Context) -> ModelGraph:
    """Integrate out what can be, unless the user wants it otherwise.

    Raises:
        FormulaError: if there is no strategy of that name.
        Unsupported: if it is asked for, and cannot be done.
    """
    wanted = context.strategy
    if not isinstance(wanted, str):
        return _term_by_term(graph, wanted, context.data)
    if wanted not in STRATEGIES:
        hint = suggestion(wanted, STRATEGIES, what="the strategies")
        raise FormulaError(f"there is no strategy called {wanted!r}", hint=hint)
    if wanted in ("noncentred", "centred", "latent"):
        # what latent needs is looked at once it is known how terms are nested
        kind = "centred" if wanted == "latent" else wanted
        return replace(graph, strategy=Strategy(kind, "as asked"))
    obstacle = obstacle_to_collapsing(graph)
    if wanted == "collapsed":
        if obstacle is not None:
            hint = "strategy = 'auto'"
            raise Unsupported(f"this model cannot be collapsed: {obstacle}", hint=hint)
        whole = integrate_all(graph, context.data)
        return replace(whole, strategy=Strategy("collapsed", "as asked"))
    obstacle = obstacle or _cost_of_columns(graph)
    if obstacle is not None:
        return replace(graph, strategy=Strategy("noncentred", obstacle))
    chosen = _affordable(graph, context.data)
    if not known_errors(graph.residual) and not all(g.integrated for g in chosen.groups):
        parts = elimination(_integrate(graph, graph.groups).groups, graph.residual)
        names = " and ".join(str(g.factor) for g in parts.dense)
        reason = f"the errors have a structure, and the effects of {names} are too many"
        return replace(graph, strategy=Strategy("noncentred", f"{reason} to be integrated out"))
    chosen = _centre_informed(chosen, context.data)
    sampled = [str(g.factor) for g in chosen.groups if not g.integrated]
    reason = "the response is Gaussian"
    if graph.response.layers:
        reason = "the predictors of all responses, residuals included, are Gaussian"
    if sampled:
        reason += f"; {' and '.join(sampled)} sampled, too many to be integrated out as well"
    return replace(chosen, strategy=Strategy("collapsed", reason))


def _centre(graph: ModelGraph, treatments: Mapping[str, str]) -> ModelGraph:
    """The terms that are to be centred, by identifier, sampled as they are."""
    centred = Parameterisation(centred=True)
    groups = tuple(
        replace(g, parameterisation=centred) if treatments.get(g.id) == "centred" else g
        for g in graph.groups
    )
    return replace(graph, groups=groups)


def _term_by_term(graph: ModelGraph, wanted: Mapping[str, str], data: Data) -> ModelGraph:
    """What is said of a term holds; what nothing is said of is integrated out if it can be."""
    treatments: dict[str, str] = {}
    names = {g.id: g.id for g in graph.groups} | {str(g.factor): g.id for g in graph.groups}
    for name, treatment in wanted.items():
        if name not in names:
            hint = suggestion(name, names, what="the terms")
            raise FormulaError(f"strategy: there is no term {name!r}", hint=hint)
        if treatment not in TREATMENTS:
            hint = suggestion(treatment, TREATMENTS, what="what a term can be")
            raise FormulaError(f"strategy of {name}: there is no {treatment!r}", hint=hint)
        factor = next(str(g.factor) for g in graph.groups if g.id == names[name])
        same = [g.id for g in graph.groups if str(g.factor) == factor]
        for one in same if name == factor else [names[name]]:
            treatments[one] = treatment
    asked = "integrated" in treatments.values()
    obstacle = obstacle_to_collapsing(graph)
    if obstacle is not None and asked:
        raise Unsupported(f"no term can be integrated out: {obstacle}", hint="noncentred")
    obstacle = obstacle if asked else obstacle or _cost_of_columns(graph)
    if obstacle is not None:
        return replace(_centre(graph, treatments), strategy=Strategy("noncentred", obstacle))
    chosen = [g for g in graph.groups if treatments.get(g.id, "integrated") == "integrated"]
    if not known_errors(graph.residual) and len(chosen) < len(graph.groups):
        return replace(_centre(graph, treatments), strategy=Strategy("noncentred", "as asked"))
    graph = _integrate(_centre(graph, treatments), chosen)
    _check_size(graph, data)
    return replace(graph, strategy=Strategy("collapsed", "term by term, as asked"))


def obstacle_to_collapsing(graph: ModelGraph) -> str | None:
    """Why nothing of the model can be integrated out, or None."""
    if graph.response.censoring is not None:
        return "the response is censored"
    if graph.response.truncation is not None:
        return "the response is truncated"
    if graph.response.powers is not None:
        return "the likelihood is raised to powers"
    if graph.response.noise is not None:
        return "known standard errors are added to sigma"
    if not graph.response.linear:
        family, link = graph.response.family, graph.response.link
        return f"the response is {family} with the link {link}, so no integral is known exactly"
    if graph.predictors:
        named = " and ".join(p.parameter for p in graph.predictors)
        return f"{named} {'has' if len(graph.predictors) == 1 else 'have'} a predictor of its own"
    if graph.response.known and not graph.groups and not graph.response.layers:
        return "with sigma known there would be nothing to sample"
    columns = len(graph.population.columns.names)
    known = known_errors(graph.residual)
    if graph.residual.of_fitted:
        if not graph.groups:
            return "the variance depends on fitted values; that of varPower(form = ~ x) does not"
        return "the variance of the errors depends on the effects"
    if not columns and not graph.groups and known:
        return "there is nothing to integrate out"
    of_population = [p for p in graph.priors if p.block in ("intercepts", "beta")]
    of_responses = any(p.block == "intercepts" for p in of_population)
    if of_responses and any(p.density != "flat" for p in of_population):
        return "the priors of the intercepts are about the means of each response"
    for prior in graph.priors:
        heavy = prior.block == "intercept" and prior.density == "student_t"
        if prior.block in ("intercept", "beta") and prior.density not in _CONJUGATE and not heavy:
            return "the prior of the population effects is not normal"
    return None


def _cost_of_columns(graph: ModelGraph) -> str | None:
    """Why integrating out the population effects would not pay, or None."""
    if len(graph.population.columns.names) > _MOST_COLUMNS:
        return f"there are more than {_MOST_COLUMNS} population effects"
    return None


def integrate_all(graph: ModelGraph, data: Data) -> ModelGraph:
    """The model with the effects of all terms integrated out.

    Raises:
        Unsupported: if they are too many.
    """
    whole = _integrate(graph, graph.groups)
    _check_size(whole, data)
    return whole


def refuse_lasting(graph: ModelGraph, data: Data, seconds: float) -> None:
    """Refuse a program, its effects integrated out, whose gradient would take longer than that.

    Raises:
        Unsupported: with the sizes that make it so.
    """
    parts = elimination(graph.groups, graph.residual)
    columns = parts.columns + len(graph.population.columns.names)
    known, correlation = known_errors(graph.residual), graph.residual.correlation
    cost = _ROW * data.rows if not known else 0.0
    words = f"{data.rows} rows and {columns} effects and coefficients"
    if known and graph.groups:
        cost = _CUBE * float(columns) ** 3 + _PRODUCT * _products(graph, data)
    elif not known:
        cost += _WHITENED * data.rows * float(columns + 1) ** 2
    if correlation is not None and CORRELATIONS[correlation.kind].whitening == "dense":
        longest = int(blocks_of(correlation, data).sizes.max())
        cost += (_FILLED if CORRELATIONS[correlation.kind].spatial else _BY_LAG) * longest**3
        words += f", a block of {longest} rows whose errors are correlated"
    if cost > seconds * 1e9:
        message = f"this is too large for a likelihood with the effects integrated out: {words}"
        raise Unsupported(message, hint="model.sample() can, without the integral")


def _check_size(graph: ModelGraph, data: Data) -> None:
    if not _fits(graph, data, _MOST):
        parts = elimination(graph.groups, graph.residual)
        names = " and ".join(str(g.factor) for g in parts.dense)
        raise Unsupported(
            f"the effects of {names} are too many to be integrated out together",
            hint="strategy = 'auto' samples those",
        )


def _integrate(graph: ModelGraph, chosen: Collection[Group]) -> ModelGraph:
    groups = tuple(replace(g, integrated=g in chosen) for g in graph.groups)
    return replace(graph, groups=groups)


def _affordable(graph: ModelGraph, data: Data) -> ModelGraph:
    """The block integrated out, then as many other terms as pay, the smallest first."""
    whole = _integrate(graph, graph.groups)
    if _pays(whole, data):
        return whole
    if not known_errors(graph.residual):
        return _integrate(graph, ())
    # related levels are no block beside terms that are sampled
    free = tuple(g for g in whole.groups if not g.coupled)
    chosen: list[Group] = list(elimination(free).block)
    others = [g for g in whole.groups if g not in chosen]
    for group in sorted(others, key=size):
        candidate = _integrate(graph, [*chosen, group])
        elements = elimination(candidate.groups).columns * data.rows
        if elements <= _MOST_ELEMENTS and _pays(candidate, data):
            chosen.append(group)
    return _integrate(graph, chosen)


def _centre_informed(graph: ModelGraph, data: Data) -> ModelGraph:
    """The sampled terms of a collapsed model, centred if their levels have enough rows.

    An effect of variance tau^2 with n rows is known better from these than from its prior if
    n tau^2 / sigma^2 > 1; the variances are those of a one-way analysis of the residuals.
    """
    sampled = elimination(graph.groups).sampled
    if not sampled:
        return graph
    X, y = data.matrix(graph.population.columns), data.response(graph)
    r = y - X @ np.linalg.lstsq(X, y, rcond=None)[0] if X.shape[1] else y
    treatments = {}
    for group in sampled:
        _, codes = np.unique(data.grouping(group.factor).codes, return_inverse=True)
        n = np.bincount(codes)
        if len(n) == len(r):
            # a row per level says nothing of the variance within
            continue
        means = np.bincount(codes, r) / n
        within = np.sum((r - means[codes]) ** 2) / max(len(r) - len(n), 1)
        between = max(np.var(means) - within * np.mean(1 / n), 0.0)
        if len(r) / group.factor.levels * between > within:
            treatments[group.id] = "centred"
    return _centre(graph, treatments)


def _pays(graph: ModelGraph, data: Data) -> bool:
    """Whether integrating the dense terms out is cheaper than sampling them."""
    parts, limits = elimination(graph.groups, graph.residual), _CHEAP
    related = any(g.coupled for g in (*parts.block, *parts.dense))
    if parts.columns > _FEW and not related and known_errors(graph.residual):
        left = (_ROW * data.rows - _CUBE * parts.columns**3) / _PRODUCT
        limits = replace(limits, products=min(limits.products, left))
    return _fits(graph, data, limits)


def _fits(graph: ModelGraph, data: Data, limits: _Limits) -> bool:
    """Whether the dense terms have so many effects, and so many meet in the block, at most.

    Where rows are made independent first, all columns of the dense terms meet in each of them.
    """
    parts = elimination(graph.groups, graph.residual)
    separated = sum(size(g) for g in parts.block if g.coupled)
    if separated > _MOST_SEPARATED:
        return False
    if not parts.dense:
        return True
    if parts.columns > limits.dense:
        return False
    if not known_errors(graph.residual):
        columns = parts.columns + len(graph.population.columns.names)
        return columns <= limits.columns and data.rows * columns <= limits.elements
    return _products(graph, data) <= limits.products


def _products(graph: ModelGraph, data: Data) -> float:
    """Products of the columns that meet in a level of the block, over all levels."""
    parts = elimination(graph.groups, graph.residual)
    if not parts.block:
        return 0.0
    if any(g.coupled for g in (*parts.block, *parts.dense)):
        # what is a combination of all levels meets everything
        meeting = parts.columns + len(graph.population.columns.names)
        return size(parts.block[0]) * meeting * (meeting + 1) / 2
    block = data.grouping(parts.block[0].factor)
    met = np.full(len(block.levels), len(graph.population.columns.names), dtype=float)
    for group in parts.dense:
        other = data.grouping(group.factor)
        pairs = np.unique(block.codes.astype(np.int64) * len(other.levels) + other.codes)
        levels = pairs // len(other.levels)
        met += len(group.columns.names) * np.bincount(levels, minlength=len(met))
    return float(np.sum(met * (met + 1)) / 2)
