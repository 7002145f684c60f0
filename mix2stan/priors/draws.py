"""Draws of everything a model has a prior of, exactly, without an engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.covariances import COVARIANCES, covariance_of, parameter_of
from mix2stan.errors import Mix2stanError, Unsupported
from mix2stan.families import FAMILIES, PARAMETERS
from mix2stan.graph import Group, ModelGraph, Predictor, Prior
from mix2stan.matrices import Data
from mix2stan.priors.names import element_names
from mix2stan.priors.numbers import DATA, JOINT, WITH_SIGMA, Joint, draw
from mix2stan.priors.ordered import elements_of, ordered_draws
from mix2stan.priors.rows import DENSITIES
from mix2stan.priors.stacked import intercept_names, means_of_responses
from mix2stan.priors.stated import support_of
from mix2stan.priors.text import is_proper
from mix2stan.relationships import Kinship
from mix2stan.residual_data import symmetric
from mix2stan.residuals import error_blocks, stationary

__all__ = ["block_draws", "improper_names", "prior_draws"]

Array = NDArray[np.float64]


def improper_names(graph: ModelGraph) -> list[str]:
    """The parameters, as the table of priors has them, whose priors do not integrate to one."""
    blocks = dict.fromkeys(p.block for p in graph.priors)
    names = {block: element_names(graph, block, blocks) for block in blocks}
    return [
        names[p.block][place]
        for p in graph.priors
        if not is_proper(p)
        for place in (p.places or range(len(names[p.block])))
    ]


def prior_draws(
    graph: ModelGraph, data: Data, entries: Mapping[str, Any], draws: int, seed: int
) -> dict[str, Array]:
    """Draws of the parameters and effects by their Stan names, S first.

    Args:
        graph: the completed model.
        data: its data, for the levels and the columns.
        entries: the program's data.
        draws: the number S of draws.
        seed: makes them reproducible.

    Raises:
        Mix2stanError: if a prior is improper; names the parameters.
        Unsupported: if a prior has no generator.
    """
    improper = improper_names(graph)
    if improper:
        raise Mix2stanError(
            f"nothing can be drawn from improper priors: {', '.join(improper)}",
            hint=f"give them a density, as in prior = '{improper[0]} ~ …', or take the default set",
        )
    rng = np.random.default_rng(seed)
    drawn = block_draws(graph, entries, draws, rng)
    found: dict[str, Array] = {}
    for predictor in graph.every_predictor:
        found |= _coefficients(predictor, data, drawn)
    if "intercepts" in drawn:
        found["beta"] = _of_responses(graph, data, drawn)
    for group in graph.groups:
        found |= _group(group, data.kinship(group.factor), drawn, draws, rng)
    own = {b: v for b, v in drawn.items() if b in _family_blocks(graph)}
    return found | own | _errors(graph, drawn) | _thresholds(graph, data, found, drawn)


def block_draws(
    graph: ModelGraph, entries: Mapping[str, Any], draws: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Draws of the blocks whose priors are proper: shape (S, n), (S,) of a number, (S, k, k)."""
    drawn = {name: np.full(draws, value) for name, value in graph.response.known}
    drawn |= {name: np.asarray(entries[name], float) for name in DATA if name in entries}
    blocks = dict.fromkeys(p.block for p in graph.priors)
    improper = {p.block for p in graph.priors if not is_proper(p)}
    _draw_in_order(graph, drawn, draws, rng)
    # sigma before what is said in its units
    for block in sorted(blocks, key=lambda b: not _has_sigma(graph, b)):
        known = "sigma" in drawn or not _in_units_of_sigma(graph, block)
        if block not in drawn and block not in improper and known:
            _draw_block(graph, block, blocks, drawn, draws, rng)
    return drawn


def _has_sigma(graph: ModelGraph, block: str) -> bool:
    """Whether it is sigma, or what sigma is drawn with."""
    return block == "sigma" or any(
        p.density in WITH_SIGMA for p in graph.priors if p.block == block
    )


def _in_units_of_sigma(graph: ModelGraph, block: str) -> bool:
    if _has_sigma(graph, block):
        return False
    priors = [p for p in graph.priors if p.block == block]
    return any("sigma" in DENSITIES[p.density].text or p.unit for p in priors)


def _family_blocks(graph: ModelGraph) -> set[str]:
    return set(PARAMETERS) & {p.block for p in graph.priors}


def _draw_block(
    graph: ModelGraph,
    block: str,
    blocks: Mapping[str, Any],
    drawn: dict[str, Array],
    draws: int,
    rng: np.random.Generator,
) -> None:
    """Draws of one block, shape (S, n), (S, k, k) or (S,), and of roots that come with it."""
    priors = [p for p in graph.priors if p.block == block]
    rows = _rows_of_root(graph, block)
    size = rows or len(element_names(graph, block, blocks))
    if priors[0].density in JOINT:
        numbers = {slot: np.array(v) for slot, v in priors[0].values}
        found = JOINT[priors[0].density](Joint(block, numbers, size, drawn, draws, rng))
        values = found.pop(block)
        drawn |= found
    elif priors[0].density == "with_sds":
        return
    else:
        values = np.zeros((draws, size))
        for prior in priors:
            places = list(prior.places or range(size))
            support = _support(graph, block)
            own = draw(prior, len(places), support, drawn, draws, rng)
            values[:, places] = own / drawn[prior.unit][:, None] if prior.unit else own
    drawn[block] = values[:, 0] if _is_number(graph, block, priors[0]) else values


def _draw_in_order(
    graph: ModelGraph, drawn: dict[str, Array], draws: int, rng: np.random.Generator
) -> None:
    """Draws of the thresholds of ordered categories, and of other parameters that are in order."""
    ordinal = FAMILIES[graph.response.family].ordinal
    blocks = dict.fromkeys(p.block for p in graph.priors if is_proper(p))
    if ordinal is not None and ordinal.constraint == "ordered":
        for block in blocks:
            if block in ("thresholds", "cutpoints"):
                names = element_names(graph, block, blocks)
                priors = [p for p in graph.priors if p.block == block]
                elements = elements_of(priors, len(names))
                support = support_of(graph, block)
                drawn[block] = ordered_draws(elements, support, drawn, draws, rng)
    for upper in blocks:
        lower = next((b for b in blocks if _above(upper, b)), None)
        if lower is not None:
            elements = [p for b in (lower, upper) for p in graph.priors if p.block == b]
            values = ordered_draws(elements, support_of(graph, lower), drawn, draws, rng)
            drawn |= {lower: values[:, 0], upper: values[:, 1]}


def _above(block: str, other: str) -> bool:
    """Whether a parameter is declared to be above another."""
    return block in PARAMETERS and f"lower={other}>" in PARAMETERS[block].bound


def _support(graph: ModelGraph, block: str) -> tuple[float, float]:
    low, high = support_of(graph, block)
    for group in graph.groups:
        if block == f"rho_{group.id}":
            # the least correlation that q effects can have in common
            low = -1 / (len(group.columns.names) - 1)
    return low, high


def _rows_of_root(graph: ModelGraph, block: str) -> int:
    """The number of rows of a root of correlations, 0 if it is none."""
    if block == "cor_L" and graph.residual.correlation is not None:
        return graph.residual.correlation.positions
    for group in graph.groups:
        parameter = parameter_of(group, block)
        if parameter is not None and parameter.shape == "L":
            return parameter.size(len(group.columns.names), group.covariance.order)
    return 0


def _is_number(graph: ModelGraph, block: str, prior: Prior) -> bool:
    parameters = [parameter_of(g, block) for g in graph.groups]
    single = any(p is not None and p.shape == "real" for p in parameters)
    errors = {b.name: b.scalar for b in error_blocks(graph.residual)}
    return single or errors.get(block, False) or block in _family_blocks(graph)


def _coefficients(predictor: Predictor, data: Data, drawn: Mapping[str, Array]) -> dict[str, Array]:
    """Coefficients, the intercept from the mean response it was said of."""
    s, columns = predictor.suffix, predictor.population.columns
    if not columns.names:
        return {}
    slopes = drawn.get(f"beta{s}")
    if f"intercept{s}" not in drawn:
        return {} if slopes is None else {f"beta{s}": slopes}
    middle = drawn[f"intercept{s}"]
    if slopes is None:
        return {f"beta{s}": middle}
    centre = data.matrix(columns).mean(axis=0)[1:]
    return {f"beta{s}": np.column_stack([middle[:, 0] - slopes @ centre, slopes])}


def _of_responses(graph: ModelGraph, data: Data, drawn: Mapping[str, Array]) -> Array:
    """Coefficients of several responses, each's intercept from the mean it was said of."""
    names, means = graph.population.columns.names, means_of_responses(graph, data)
    first = [names.index(name) for name in intercept_names(graph)]
    others = [k for k in range(len(names)) if k not in first]
    beta = np.zeros((len(drawn["intercepts"]), len(names)))
    if others:
        beta[:, others] = drawn["beta"]
    beta[:, first] = (drawn["intercepts"] - beta @ means.T) / np.diag(means[:, first])
    return beta


def _thresholds(
    graph: ModelGraph, data: Data, found: Mapping[str, Array], drawn: Mapping[str, Array]
) -> dict[str, Array]:
    """The thresholds of ordered categories, from what they are at the mean of the columns."""
    if FAMILIES[graph.response.family].ordinal is None:
        return {}
    if graph.response.anchored:
        cutpoints = drawn["cutpoints"]
        first = np.zeros((len(cutpoints), 1))
        return {"cutpoints": cutpoints, "thresholds": np.hstack([first, cutpoints])}
    cuts, columns = drawn["thresholds"], graph.population.columns
    if not columns.names:
        return {"thresholds": cuts}
    middle = found["beta"] @ data.matrix(columns).mean(axis=0)
    return {"cuts": cuts, "thresholds": cuts + middle[:, None]}


def _group(
    group: Group,
    kinship: Kinship | None,
    drawn: Mapping[str, Array],
    draws: int,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """A term's parameters, standard deviations and correlations, and the effects of its levels."""
    row, q = COVARIANCES[group.covariance.kind], len(group.columns.names)
    names = [f"{p.name}_{group.id}" for p in row.parameters]
    found = {name: drawn[name] for name in names}
    scalar = group.covariance.kind == "scalar"
    if scalar:
        sd = found[f"sd_{group.id}"]
        z = _over_levels(kinship, rng.standard_normal((draws, group.factor.levels)))
        return found | {f"b_{group.id}": sd[:, None] * z}
    covariances = np.array(
        [covariance_of(group, {name: found[name][i] for name in names}) for i in range(draws)]
    )
    sds = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    if row.sds == "each":
        found[f"sd_{group.id}"] = sds
    scale = np.where(sds > 0, sds, 1.0)
    correlations = covariances / (scale[:, :, None] * scale[:, None, :])
    if row.correlated:
        found[f"R_{group.id}"] = correlations
    # a root by eigenvectors, as covariances of few factors are singular; sds may be far apart
    squares, axes = np.linalg.eigh(correlations)
    root = scale[:, :, None] * axes * np.sqrt(np.maximum(squares, 0))[:, None, :]
    z = _over_levels(kinship, rng.standard_normal((draws, group.factor.levels, q)))
    return found | {f"b_{group.id}": z @ np.swapaxes(root, 1, 2)}


def _over_levels(kinship: Kinship | None, z: Array) -> Array:
    """Standard normals of shape (S, J, ...) with the covariance of related levels, if they are."""
    if kinship is None:
        return z
    by_level = np.moveaxis(z, 1, 0)
    spread = kinship.spread(by_level.reshape(len(by_level), -1)).reshape(by_level.shape)
    return np.moveaxis(spread, 0, 1)


def _errors(graph: ModelGraph, drawn: Mapping[str, Array]) -> dict[str, Array]:
    """The parameters of structured errors as a fit reports them."""
    found: dict[str, Array] = {}
    for block in error_blocks(graph.residual):
        if not block.free:
            continue
        if block.name not in drawn:
            message = f"the prior of {block.name} cannot be drawn from"
            raise Unsupported(message, hint="prior = 'default' has one that can")
        values = drawn[block.name]
        if block.name == "cor_L":
            assert graph.residual.correlation is not None
            found["cor_R"] = symmetric(graph.residual.correlation, values)
        elif block.name == "cor_partial_ar":
            found["cor_phi"] = np.array([stationary(v) for v in values])
        elif block.name == "cor_partial_ma":
            found["cor_theta"] = -np.array([stationary(v) for v in values])
        found[block.name] = values
    return found
