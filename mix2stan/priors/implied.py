"""What priors imply: ranges of the parameters, differences of levels, shares of the variance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.covariances import parameter_of
from mix2stan.graph import Group, ModelGraph
from mix2stan.priors.draws import block_draws
from mix2stan.priors.names import element_names
from mix2stan.syntax import format_number

__all__ = ["with_implied"]

Array = NDArray[np.float64]

_DRAWS, _SEED = 4000, 1
_ENDS = (0.025, 0.975)

#: What the exponential of a difference is called, by link; it is a difference elsewhere.
_FACTORS = {"log": "by a factor of up to", "logit": "by an odds ratio of up to"}
#: The variance of one observation on the scale of the link, where it is no parameter.
_OF_LINK = {"logit": np.pi**2 / 3, "probit": 1.0, "cloglog": np.pi**2 / 6}


def with_implied(
    table: pd.DataFrame, graph: ModelGraph, entries: Mapping[str, Any]
) -> pd.DataFrame:
    """The table of priors with the columns ``2.5%``, ``97.5%`` and ``implies``.

    Ranges are those of independent draws with a fixed seed; of correlations that of each one.  What
    is improper has none.

    Args:
        table: the table, a row per parameter.
        graph: the completed model.
        entries: the program's data.
    """
    rng = np.random.default_rng(_SEED)
    drawn = block_draws(graph, entries, _DRAWS, rng)
    blocks = dict.fromkeys(p.block for p in graph.priors)
    ranges: dict[str, tuple[float, float]] = {}
    words: dict[str, str] = {}
    for block in blocks:
        if block not in drawn:
            continue
        values = _elements(drawn[block])
        for k, name in enumerate(element_names(graph, block, blocks)):
            low, high = np.quantile(values[:, min(k, values.shape[1] - 1)], _ENDS)
            ranges[name] = (float(low), float(high))
        words |= _implied(graph, block, blocks, drawn, rng)
    nothing = (np.nan, np.nan)
    table = table.copy()
    table["2.5%"] = [ranges.get(name, nothing)[0] for name in table.index]
    table["97.5%"] = [ranges.get(name, nothing)[1] for name in table.index]
    table["implies"] = [words.get(name, "") for name in table.index]
    return table


def _elements(values: Array) -> Array:
    """Shape (S, n); of roots of correlations the first correlation, which all are distributed as."""
    if values.ndim == 3:
        return values[:, 1, :1] if values.shape[1] > 1 else np.ones((len(values), 1))
    return values[:, None] if values.ndim == 1 else values


def _implied(
    graph: ModelGraph,
    block: str,
    blocks: Mapping[str, Any],
    drawn: Mapping[str, Array],
    rng: np.random.Generator,
) -> dict[str, str]:
    """What the standard deviations of a term say of its levels, by their names."""
    for group in graph.groups:
        parameter = parameter_of(group, block)
        if parameter is not None and parameter.name == "sd" and not group.owner:
            sds = _elements(drawn[block])
            names = element_names(graph, block, blocks)
            effects = group.columns.names if len(names) > 1 else group.columns.names[:1]
            return {
                name: "; ".join(_words(graph, group, effect, sds[:, k], drawn, rng))
                for k, (name, effect) in enumerate(zip(names, effects, strict=True))
            }
    return {}


def _words(
    graph: ModelGraph,
    group: Group,
    effect: str,
    sd: Array,
    drawn: Mapping[str, Array],
    rng: np.random.Generator,
) -> list[str]:
    """The difference of two levels, nineteen times of twenty; the share of an intercept's variance."""
    difference = np.sqrt(2) * sd * np.abs(rng.standard_normal(len(sd)))
    most = float(np.quantile(difference, 0.95))
    link = graph.response.link
    by = _FACTORS.get(link, "by up to")
    size = format_number(float(np.exp(min(most, 700.0))) if link in _FACTORS else most, 3)
    what = "" if effect == "(Intercept)" else f" in {effect}"
    words = [f"two levels of {group.factor} differ{what} {by} {size}"]
    rest = _residual(graph, drawn)
    if effect == "(Intercept)" and rest is not None:
        total = rest + sum((_intercept(g, drawn) for g in graph.groups_of("")), start=np.zeros(1))
        low, high = np.quantile(sd**2 / total, _ENDS)
        words.append(f"ICC {low:.2f} to {high:.2f}")
    return words


def _residual(graph: ModelGraph, drawn: Mapping[str, Array]) -> Array | None:
    """The variance of one observation on the scale of the predictor."""
    if graph.response.linear and "sigma" in drawn:
        return np.asarray(drawn["sigma"] ** 2)
    if graph.response.link in _OF_LINK:
        return np.array([_OF_LINK[graph.response.link]])
    return None


def _intercept(group: Group, drawn: Mapping[str, Array]) -> Array:
    """The variance of a term's intercepts; nothing where they have no sd of their own."""
    values = drawn.get(f"sd_{group.id}")
    names = group.columns.names
    if values is None or "(Intercept)" not in names:
        return np.zeros(1)
    sds = _elements(values)
    return np.asarray(sds[:, min(names.index("(Intercept)"), sds.shape[1] - 1)] ** 2)
