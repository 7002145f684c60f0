"""The likelihood of a model at a point, evaluated by an engine on the program we render."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.collapsed_data import collapsed_data
from mix2stan.compiler import Compiled
from mix2stan.covariances import COVARIANCES, covariance_of
from mix2stan.covariances.rows import lower_root
from mix2stan.engines import Engine, Program
from mix2stan.errors import EngineError, Mix2stanError, Unsupported, suggestion
from mix2stan.families import FAMILIES, PARAMETERS, single_parameters
from mix2stan.graph import (
    Columns,
    Group,
    ModelGraph,
    Parameterisation,
    Population,
    Predictor,
    Prior,
    Strategy,
)
from mix2stan.matrices import Data
from mix2stan.naming import named
from mix2stan.passes.strategy import integrate_all, obstacle_to_collapsing, refuse_lasting
from mix2stan.plan import plan
from mix2stan.points import checked_point, number_of, numbers_of
from mix2stan.render import render
from mix2stan.residual_data import known_multiplier
from mix2stan.residual_point import residual_values
from mix2stan.residuals import error_blocks, known_errors
from mix2stan.stan_data import stan_data
from mix2stan.structured_data import structured_data
from mix2stan.term_points import least_sd, term_values

__all__ = [
    "constant_of_rows",
    "joint_log_likelihood",
    "likelihood_graph",
    "log_likelihood",
    "refuse_layers",
    "switched_off",
]

Array = NDArray[np.float64]

#: An eigenvalue of correlations that is zero.
SINGULAR = 1e-10
#: Seconds beyond which a likelihood is not evaluated once.
_LONGEST = 60.0


@runtime_checkable
class Found(Protocol):
    """Estimates, which are a point."""

    @property
    def point(self) -> Mapping[str, Any]:
        """The parameters of the covariance, by Stan name."""

    @property
    def standard_errors(self) -> pd.Series:
        """Those of the population effects, by name."""

    def fixef(self) -> pd.Series:
        """The population effects, by name."""


def log_likelihood(compiled: Compiled, point: Mapping[str, Any] | Found, engine: Engine) -> float:
    """log p(y | beta, variances), the effects integrated out, with all constants.

    Args:
        compiled: the model.
        point: ``beta`` by R's column names; ``random``, a list of ``group coefficients sd cor``;
            ``residual`` with ``sigma`` and the parameters of its structures by nlme's names; with
            ``u``, see :func:`joint_log_likelihood`.
        engine: what evaluates the program.

    Raises:
        Mix2stanError: if the point does not fit the model.
        Unsupported: if the effects cannot be integrated out.
    """
    if isinstance(point, Mapping) and "u" in point:
        return joint_log_likelihood(compiled, point, engine)
    refuse_layers(compiled.graph)
    graph = named(likelihood_graph(compiled.graph, compiled.data))
    if isinstance(point, Found):
        values = _of_estimates(graph, point)
        beta = {str(name): float(b) for name, b in point.fixef().items()}
    else:
        point = checked_point(point, _further_names(compiled.graph))
        beta = point.get("beta", {})
        if "residual" not in point:
            raise Mix2stanError("the point has no residual", hint="'residual': {'sigma': 1.0}")
        values = residual_values(graph.residual, point["residual"])
        for found in term_values(graph.groups, point, compiled.data):
            values |= found
    y = np.asarray(compiled.data.response(compiled.graph) - _population(compiled, beta))
    collapse = collapsed_data if known_errors(graph.residual) else structured_data
    program = engine.compile(render(plan(graph)), collapse(graph, compiled.data, y))
    value = _at(program, values)
    if math.isnan(value) and graph.residual.correlation is not None:
        # the errors' covariance is singular, and the errors are not in what it spans
        return -math.inf
    return value + constant_of_rows(graph, compiled.data)


def _at(program: Program, values: Mapping[str, Any]) -> float:
    """The log density at values of the parameters.

    Raises:
        Mix2stanError: if they are outside of what the parameters can be.
    """
    try:
        value, _ = program.log_density(values, jacobian=False)
    except EngineError as error:
        listed = ", ".join(
            f"{n} = {np.round(v, 12).tolist()}" for n, v in values.items() if np.ndim(v) < 2
        )
        message = f"the likelihood cannot be evaluated at {listed}"
        hint = f"correlations of errors are between -1 and 1, variances positive; {error.message}"
        raise Mix2stanError(message, hint=hint) from None
    return float(value)


def _of_estimates(graph: ModelGraph, found: Found) -> dict[str, Any]:
    """The parameters of a likelihood where estimates have them.

    Raises:
        Mix2stanError: if the estimates are those of another model.
    """
    wanted = ["sigma", *(b.name for b in error_blocks(graph.residual) if b.free)]
    for group in graph.groups:
        wanted += [f"{p.name}_{group.id}" for p in COVARIANCES[group.covariance.kind].parameters]
    odd = [
        *(n for n in wanted if n not in found.point),
        *(n for n in found.point if n not in wanted),
    ]
    odd = [name for name in odd if name not in ("theta", "beta")]
    if odd:
        raise Mix2stanError(f"the estimates are those of another model: {odd[0]} is in one alone")
    if not np.isfinite(found.fixef().to_numpy(dtype=float)).all():
        raise Mix2stanError("some of the estimates are not identified, so they are no point")
    return {name: found.point[name] for name in wanted}


def _further_names(graph: ModelGraph) -> list[str]:
    """What a point may name besides the coefficients of the mean, its terms, and the errors."""
    # a point may serve models of several families, as their parameters have one name each
    return [*PARAMETERS, *(f"{p.parameter}_beta" for p in graph.predictors)]


def constant_of_rows(graph: ModelGraph, data: Data) -> float:
    """What a collapsed program leaves out of the log density of N rows: its constants."""
    d = np.broadcast_to(known_multiplier(graph.residual, data), data.rows)
    return -float(np.sum(np.log(d))) - data.count / 2 * math.log(2 * math.pi)


def joint_log_likelihood(compiled: Compiled, point: Mapping[str, Any], engine: Engine) -> float:
    """log p(y | beta, u) + log p(u | variances), with all constants.

    Args:
        compiled: the model, of any family.
        point: as in :func:`log_likelihood`; further ``u``, an array of levels x coefficients for
            every term, and what the family has besides its mean by name (``shape``, ``phi``, ``nu``,
            ``thresholds``: all of them, or those after one at zero);
            coefficients of its predictor as ``shape_beta``.  Random terms, and ``u``, are those of
            the mean first, then those of each further predictor, with ``owner``.
        engine: what evaluates the program.

    Raises:
        Mix2stanError: if the point does not fit the model.
    """
    refuse_layers(compiled.graph)
    point = checked_point(point, _further_names(compiled.graph))
    effects = [numbers_of(u, "u") for u in _listed(point["u"])]
    plain = tuple(
        replace(g, parameterisation=Parameterisation(), integrated=False)
        for g in compiled.graph.groups
    )
    graph = named(
        replace(
            compiled.graph,
            groups=plain,
            priors=switched_off(compiled.graph.priors),
            strategy=Strategy("joint"),
        )
    )
    plain = graph.groups
    if len(effects) != len(plain):
        raise Mix2stanError(f"the point has {len(effects)} blocks of u for {len(plain)} terms")
    data = stan_data(graph, compiled.data)
    point, thresholds = _thresholds(graph, point)
    values = _beside_the_mean(graph, point)
    for predictor in graph.every_predictor:
        values |= _on_columns(predictor, point, data)
    if len(thresholds) and graph.response.anchored:
        values["cutpoints"] = thresholds[1:]
    elif len(thresholds) and "theta" in values:
        mean = data["X_mean"] @ data["R_inverse"] @ values["theta"]
        values["cuts"] = thresholds - mean
    elif len(thresholds):
        values["thresholds"] = thresholds
    constant = 0.0
    found = term_values(plain, point, compiled.data)
    for group, u, variances in zip(plain, effects, found, strict=True):
        shape = (group.factor.levels, len(group.columns.names))
        if u.shape != shape:
            raise Mix2stanError(f"u of {group.factor} has the shape {u.shape}, not {shape}")
        values |= variances
        kinship = compiled.data.kinship(group.factor)
        own = u if kinship is None else kinship.own(u)
        sigma = float(values.get("sigma", 1.0))
        z, volume = _standardised(group, own, variances, 2 * least_sd(group, compiled.data, sigma))
        if z is None:
            return -math.inf
        values[f"z_{group.id}"] = z[0] if group.covariance.kind == "scalar" else z
        # from the density of z, its constant left out, to that of u
        constant -= z.size / 2 * math.log(2 * math.pi) + shape[0] * volume
        constant -= 0.0 if kinship is None else len(z) * kinship.log_det_root
    return _at(engine.compile(render(plan(graph)), data), values) + constant


def _listed(given: object) -> Sequence[Any]:
    """The blocks of effects."""
    if isinstance(given, str | Mapping) or not hasattr(given, "__len__"):
        raise Mix2stanError(
            "u has to be a list with an array for every term, levels x coefficients"
        )
    return list(given)  # type: ignore[call-overload,no-any-return]


def _standardised(
    group: Group, own: Array, variances: Mapping[str, Any], zero: float
) -> tuple[Array | None, float]:
    """The independent effects that become those of a term, shape (rank, levels), and a log volume.

    Effects of fewer common factors than columns have a density on what these span; others have none,
    and z is None.

    Raises:
        Mix2stanError: if the covariance is singular otherwise: no effect has a density there.
    """
    covariance = covariance_of(group, variances)
    row, q = COVARIANCES[group.covariance.kind], len(group.columns.names)
    sd = np.sqrt(np.diag(covariance))
    rank = row.rank(q, group.covariance.order)
    scale = sd if rank == q else np.full(q, np.max(sd))
    flat = bool((scale <= zero).any())
    if flat or np.linalg.eigvalsh(covariance / np.outer(scale, scale))[q - rank] < SINGULAR:
        what = f"u of {group.factor} has no density where a variance is zero or a correlation one"
        raise Mix2stanError(what, hint="without u the likelihood has a value")
    root = np.linalg.cholesky(covariance) if rank == q else lower_root(covariance, rank)
    z = np.asarray(np.linalg.lstsq(root, own.T, rcond=None)[0])
    if np.abs(root @ z - own.T).max(initial=0.0) > 1e-8 * max(np.abs(own).max(initial=0.0), 1e-300):
        return None, 0.0
    return z, float(np.linalg.slogdet(root.T @ root)[1]) / 2


def _thresholds(graph: ModelGraph, point: Mapping[str, Any]) -> tuple[Mapping[str, Any], Array]:
    """A point with the constant where the model has it, and its thresholds."""
    if FAMILIES[graph.response.family].ordinal is None:
        return point, np.zeros(0)
    beta = dict(point.get("beta", {}))
    given = point.get("thresholds", point.get("residual", {}).get("thresholds"))
    if given is None:
        raise Mix2stanError("the point has no value for thresholds")
    thresholds, size = np.asarray(given, dtype=float), len(graph.response.levels) - 1
    if len(thresholds) == size - 1 and graph.response.anchored:
        thresholds = np.append(0.0, thresholds)
    if len(thresholds) != size:
        raise Mix2stanError(f"the point has {len(thresholds)} thresholds of {size}")
    constant = 0.0
    if not graph.response.anchored:
        constant = beta.pop("(Intercept)", 0.0)
    elif "(Intercept)" in graph.population.columns.names:
        constant = thresholds[0]
        beta["(Intercept)"] = beta.get("(Intercept)", 0.0) - constant
    elif thresholds[0] != 0:
        raise Mix2stanError("the first threshold of this model is zero: it has no intercept")
    return {**point, "beta": beta}, np.asarray(thresholds - constant)


def _beside_the_mean(graph: ModelGraph, point: Mapping[str, Any]) -> dict[str, Any]:
    """The family's further parameters at a point, and those of the errors."""
    values: dict[str, Any] = {}
    if not graph.residual.plain:
        return residual_values(graph.residual, point["residual"])
    for name in single_parameters(graph):
        given = point.get("residual", {}).get(name, point.get(name))
        if given is None:
            raise Mix2stanError(f"the point has no value for {name}")
        values[name] = number_of(given, name)
    return values


def _on_columns(
    predictor: Predictor, point: Mapping[str, Any], data: Mapping[str, Any]
) -> dict[str, Any]:
    """The coefficients of one predictor as its program has them."""
    s = predictor.suffix
    given = point.get(f"{predictor.parameter}_beta" if predictor.parameter else "beta", {})
    beta = _coefficients(predictor.population.columns, given)
    if f"R_inverse{s}" in data:
        return {f"theta{s}": np.linalg.solve(data[f"R_inverse{s}"], beta)}
    return {f"beta{s}": beta} if len(beta) else {}


def refuse_layers(graph: ModelGraph) -> None:
    """The likelihood of responses seen through families is an integral that nothing here computes.

    Raises:
        Unsupported: if there are any.
    """
    for layer in graph.response.layers:
        message = f"the likelihood cannot be evaluated: {layer}, its residual not integrated out"
        raise Unsupported(message, hint="the posterior can be sampled")


def likelihood_graph(graph: ModelGraph, data: Data) -> ModelGraph:
    """The model with its coefficients known, all priors off, and its effects integrated out."""
    alone = replace(graph, population=Population(Columns(()), ()), priors=())
    structured = graph.groups or graph.predictors or not known_errors(graph.residual)
    if graph.response.known:
        names = ", ".join(name for name, _ in graph.response.known)
        message = f"the likelihood cannot be evaluated with {names} known"
        raise Unsupported(message, hint="model.sample() can")
    obstacle = obstacle_to_collapsing(alone) if structured else None
    if obstacle is not None:
        raise Unsupported(f"the likelihood cannot be evaluated: {obstacle}")
    blocks = [p for p in graph.priors if p.block not in ("intercept", "intercepts", "beta")]
    whole = integrate_all(alone, data)
    refuse_lasting(whole, data, _LONGEST)
    return replace(whole, priors=switched_off(blocks), strategy=Strategy("collapsed"))


def switched_off(priors: Sequence[Prior]) -> tuple[Prior, ...]:
    """The same blocks, each with a flat prior."""
    return tuple(Prior(p.block, "flat", source="switched off") for p in priors)


def _population(compiled: Compiled, beta: Mapping[str, float]) -> Array:
    columns = compiled.graph.population.columns
    values = _coefficients(columns, beta)
    if not columns.names:
        return np.zeros(compiled.data.rows)
    return np.asarray(compiled.data.matrix(columns) @ values)


def _coefficients(columns: Columns, beta: Mapping[str, float]) -> Array:
    for name in beta:
        if name not in columns.names:
            hint = suggestion(name, columns.names, what="its coefficients")
            raise Mix2stanError(f"the model has no coefficient {name!r}", hint=hint)
    missing = [name for name in columns.names if name not in beta]
    if missing:
        raise Mix2stanError(f"the point has no value for {', '.join(missing)}")
    return np.array([beta[n] for n in columns.names], dtype=float)
