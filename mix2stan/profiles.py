"""Profile likelihood: one parameter held, the likelihood maximised over all others.

The signed root of the deviance, zeta(c) = sign(c - estimate) sqrt(2 (l_max - l(c))), is nearly
linear in c where a normal approximation holds; limits are where it crosses normal quantiles
(Venzon & Moolgavkar 1988; Bates et al. 2015, section 5.1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import ndtri

from mix2stan.climbs import maximum
from mix2stan.compiler import Compiled
from mix2stan.counts import share
from mix2stan.covariances import COVARIANCES
from mix2stan.documents import Paragraph, result_page, table_of
from mix2stan.engines import Engine
from mix2stan.errors import Mix2stanError, Unsupported, suggestion, visible
from mix2stan.estimates import Estimates, Likelihood, likelihood_of
from mix2stan.graph import Columns, Population, term_labels
from mix2stan.names import RowNames
from mix2stan.priors.names import in_r_names

__all__ = ["Profile", "profile"]

#: A standard deviation below this share of its scale is at its bound of zero.
_ZERO = 1e-5
_DOUBLINGS = 40
_NOT_HELD = "cannot be held while the others are maximised"
_INSTEAD = "model.bootstrap() has an interval for every parameter"


@dataclass(frozen=True, eq=False)
class Profile:
    """Profiles of the likelihood.

    Attributes:
        call: the R call.
        estimates: by maximum likelihood, which is what is profiled, also for a model fitted by REML.
        points: what was evaluated: ``parameter``, ``value``, ``zeta``, in order.
        limits: a row per parameter, the limits of the interval; NaN where there is no profile.
        notes: which parameters have none, and why.
    """

    call: str
    estimates: Estimates
    points: pd.DataFrame
    limits: pd.DataFrame
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        table = self._table().to_string(float_format=lambda x: f"{x:.4g}")
        return visible("\n\n".join([f"{self.call}\nprofile likelihood", table, *self.notes]))

    def __repr__(self) -> str:
        return f"<mix2stan profile: {self.call}>"

    def _repr_html_(self) -> str:
        notes = map(Paragraph, self.notes)
        return result_page(self.call, "Profile likelihood", table_of(self._table()), *notes)

    def _table(self) -> pd.DataFrame:
        table = self.limits.copy()
        table.insert(0, "estimate", self.estimates.values[list(table.index)])
        return table


def profile(
    compiled: Compiled,
    engine: Engine,
    parameters: Sequence[str] | None = None,
    level: float = 0.95,
) -> Profile:
    """Profile intervals; see :meth:`mix2stan.model.Model.profile`."""
    level = share("level", level)
    likelihood = likelihood_of(compiled, "ML")
    estimates = likelihood.maximise(engine)
    curves = _curves(likelihood, estimates, engine)
    wanted, notes = list(map(str, estimates.values.index)), _without(estimates, curves)
    if parameters is not None:
        known = [n for n in wanted if n in curves]
        wanted = [_wanted(name, likelihood, estimates, known) for name in parameters]
        notes = ()
    quantile = float(ndtri((1 + level) / 2))
    rows, limits = [], []
    for name in wanted:
        if name not in curves:
            limits.append([math.nan, math.nan])
            continue
        curve = curves[name]()
        limits.append([_limit(curve, side, quantile) for side in (-1.0, 1.0)])
        rows += [(name, value, zeta) for value, zeta in sorted(curve.seen.items())]
    names = [f"{50 * (1 - level):g}%", f"{50 * (1 + level):g}%"]
    table = pd.DataFrame(limits, index=pd.Index(wanted, dtype=object), columns=names)
    points = pd.DataFrame(rows, columns=["parameter", "value", "zeta"])
    return Profile(compiled.graph.call, estimates, points, table, notes)


def _without(estimates: Estimates, curves: Mapping[str, Any]) -> tuple[str, ...]:
    """What to say of the parameters that have no profile."""
    unknown = _unknown(estimates)
    held = [str(n) for n in estimates.values.index if n not in curves and n not in unknown]
    notes = tuple(map(str, estimates.unidentified))
    if not held:
        return notes
    return (*notes, f"no profile of {', '.join(held)}: {_NOT_HELD}; {_INSTEAD}")


def _unknown(estimates: Estimates) -> dict[str, str]:
    """Why a parameter is not identified, by name; a coefficient whose error depends on one has none."""
    found: dict[str, str] = {}
    for finding in estimates.unidentified:
        found |= dict.fromkeys(finding.names, str(finding))
        found |= {f"beta[{name}]": str(finding) for name in finding.errors_of}
    return found


def _wanted(name: str, likelihood: Likelihood, estimates: Estimates, known: list[str]) -> str:
    """The parameter that a name means, in which a term may be called as R calls it."""
    groups = likelihood.graph.groups
    terms = tuple(zip(groups, term_labels(groups), strict=True))
    rows: dict[str, tuple[str, ...]] = {}
    for row in known:
        names = [row, *(in_r_names(row, *term) for term in terms)]
        # a summary of draws has the only sd of a term without its column
        names += [n.removesuffix("[(Intercept)]") for n in names if row.startswith("sd_")]
        rows[row] = tuple(names)
    found = RowNames(rows).meant(name)
    if found is None:
        raise _no_profile(name, estimates, known)
    return found


def _no_profile(name: str, estimates: Estimates, known: Sequence[str]) -> Mix2stanError:
    if name in (unknown := _unknown(estimates)):
        return Unsupported(f"there is no interval of {name}: {unknown[name]}")
    if name in estimates.values.index:
        return Unsupported(f"{name} {_NOT_HELD}", hint=_INSTEAD)
    hint = suggestion(name, known, what="its parameters")
    return Mix2stanError(f"the model has no parameter {name!r}", hint=hint)


@dataclass
class _Curve:
    """Zeta of one parameter.

    Attributes:
        estimate: where it is zero.
        step: how far from there to look first.
        bounds: of the parameter.
        loglik: the maximum over the other parameters.
        top: the maximum over all.
        seen: zeta by value.
    """

    estimate: float
    step: float
    bounds: tuple[float, float]
    loglik: Callable[[float], float]
    top: float
    seen: dict[float, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seen[self.estimate] = 0.0

    def zeta(self, value: float) -> float:
        if value not in self.seen:
            deviance = max(2 * (self.top - self.loglik(value)), 0.0)
            self.seen[value] = math.copysign(math.sqrt(deviance), value - self.estimate)
        return self.seen[value]


def _limit(curve: _Curve, side: float, quantile: float) -> float:
    """Where zeta is the quantile on one side; the bound where it never is."""
    bound = curve.bounds[0] if side < 0 else curve.bounds[1]
    inner, step = curve.estimate, curve.step
    for _ in range(_DOUBLINGS):
        outer = inner + side * step
        if (outer - bound) * side >= 0:
            # never on the bound itself, where a density may be infinite: half the way there
            outer = (inner + bound) / 2
            if abs(bound - outer) < _ZERO * curve.step:
                return bound
        if curve.zeta(outer) * side >= quantile:
            gap = abs(outer - inner)
            root = optimize.brentq(
                lambda c: side * curve.zeta(c) - quantile,
                inner,
                outer,
                xtol=1e-5 * max(gap, 1e-12),
                rtol=1e-8,
            )
            return float(root)
        inner, step = outer, 2 * step
    return bound


# -- what is held ----------------------------------------------------------------------------------


def _curves(
    likelihood: Likelihood, estimates: Estimates, engine: Engine
) -> dict[str, Callable[[], _Curve]]:
    """How to make the curve of every parameter that can be held, by name."""
    curves: dict[str, Callable[[], _Curve]] = {}
    for k, name in enumerate(likelihood.graph.population.columns.names):
        curves[f"beta[{name}]"] = partial(_coefficient, likelihood, estimates, engine, k)
    for name, place in _elements(likelihood, estimates).items():
        curves[name] = partial(_parameter, likelihood, estimates, engine, name, place)
    unknown = _unknown(estimates)
    return {name: make for name, make in curves.items() if name not in unknown}


def _coefficient(likelihood: Likelihood, estimates: Estimates, engine: Engine, k: int) -> _Curve:
    """A coefficient is held by taking its column off the response and out of the model."""
    graph, data = likelihood.graph, likelihood.data
    columns = graph.population.columns
    x, y = data.matrix(columns)[:, k], data.response(graph)
    rest = tuple(n for i, n in enumerate(columns.names) if i != k)
    formulas = columns.formulas if rest else ()
    population = Population(Columns(formulas, rest), graph.population.offsets)
    reduced = likelihood.with_graph(replace(graph, population=population))
    start = {**estimates.point, **estimates.starts}

    def loglik(value: float) -> float:
        sums, first = reduced.bind(y - value * x)
        best = maximum(engine.compile(reduced.stan_code, sums), {**first, **start})
        return best.log_density + reduced.constant(sums)

    estimate = float(estimates.fixef().iloc[k])
    step = 2 * float(estimates.standard_errors.iloc[k])
    return _Curve(estimate, step, (-math.inf, math.inf), loglik, estimates.logLik)


@dataclass(frozen=True)
class _Place:
    """Where a parameter is in the program: the Stan name and, in a vector or matrix, the element."""

    name: str
    index: tuple[int, ...]
    bounds: tuple[float, float]


def _elements(likelihood: Likelihood, estimates: Estimates) -> dict[str, _Place]:
    """The parameters that are a coordinate of the unconstrained space."""
    found: dict[str, _Place] = {}
    positive = (0.0, math.inf)
    for group in likelihood.graph.groups:
        row, columns = COVARIANCES[group.covariance.kind], group.columns.names
        sd, root = f"sd_{group.id}", f"L_{group.id}"
        if sd in estimates.point and row.sds in ("each", "one"):
            vector = np.ndim(estimates.point[sd]) == 1
            for k, column in enumerate(columns if vector else columns[:1]):
                found[f"{sd}[{column}]"] = _Place(sd, (k,) if vector else (), positive)
        # the first correlation of a Cholesky factor is an element of it
        if root in estimates.point and len(columns) > 1 and row.parameter("L") is not None:
            found[f"cor_{group.id}[{columns[0]}, {columns[1]}]"] = _Place(root, (1, 0), (-1.0, 1.0))
    return found | {"sigma": _Place("sigma", (), positive)}


def _parameter(
    likelihood: Likelihood, estimates: Estimates, engine: Engine, name: str, place: _Place
) -> _Curve:
    data, first = likelihood.bind()
    program = engine.compile(likelihood.stan_code, data)
    constant = likelihood.constant(data)
    top: dict[str, Any] = {**first, **estimates.point, **estimates.starts}
    tops: dict[float, dict[str, Any]] = {}

    def loglik(value: float) -> float:
        nudged = value * 1.01 if place.bounds[0] == 0 else 0.9 * value + 0.05
        # far out the others may be on a flat edge, from which a search does not come back
        nearest = [tops[min(tops, key=lambda c: abs(c - value))]] if tops else []
        found = []
        for other in (top, *nearest):
            start = _with(other, place, value)
            found.append(maximum(program, start, apart=_with(start, place, nudged)))
        best = max(found, key=lambda f: f.log_density)
        tops[value] = {n: best.values[n] for n in top}
        return best.log_density + constant

    estimate = float(estimates.values[name])
    sigma = estimates.sigma()
    low, high = place.bounds
    if math.isnan(estimate):
        estimate = 0.0
    step = 0.25 * estimate if low == 0 else 0.25 * (1 - abs(estimate))
    if low == 0 and estimate < _ZERO * sigma:
        step = 0.05 * sigma
    return _Curve(estimate, step, (low, high), loglik, estimates.logLik)


def _with(point: Mapping[str, Any], place: _Place, value: float) -> dict[str, Any]:
    """The point with one parameter changed; the row of a Cholesky factor keeps length one."""
    changed = np.array(point[place.name], dtype=float)
    changed[place.index] = value
    if len(place.index) == 2:
        row = place.index[0]
        changed[row, row] = math.sqrt(1 - value**2)
    whole = changed if changed.ndim else float(changed)
    return {**point, place.name: whole}
