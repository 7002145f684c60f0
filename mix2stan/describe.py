"""A model in words and mathematics: what ``print(model)`` shows."""

from __future__ import annotations

import pandas as pd

from mix2stan.covariances import COVARIANCES
from mix2stan.graph import Group, ModelGraph
from mix2stan.labels import Labels

__all__ = ["describe_model"]


def describe_model(graph: ModelGraph, labels: Labels, priors: pd.DataFrame) -> str:
    """The call, the equations, every term with its size, the priors, and the notes."""
    sections = [
        labels.call,
        "\n".join(["Model", *(f"  {line}" for line in _equations(graph))]),
        "\n".join(["Terms", *(f"  {line}" for line in _terms(graph, labels))]),
        "\n".join(["Priors", *(f"  {line}" for line in _priors(priors))]),
    ]
    sections.append("\n".join(["Strategy", *(f"  {line}" for line in _strategy(graph))]))
    if graph.notes:
        sections.append("\n".join(["Notes", *(f"  {remark}" for remark in graph.notes)]))
    return "\n\n".join(sections)


def _strategy(graph: ModelGraph) -> list[str]:
    """What is integrated out, what is sampled and how, and why."""
    integrated = [f"b_{g.id}" for g in graph.groups if g.integrated]
    sampled = [f"b_{g.id}" for g in graph.groups if not g.integrated]
    if graph.strategy.kind == "collapsed":
        integrated += ["beta"] if graph.population.columns.names else []
    lines = [f"{graph.strategy.kind}: {graph.strategy.reason}"]
    if integrated:
        lines.append(f"integrated out, then drawn exactly: {', '.join(integrated)}")
    if sampled:
        lines.append(f"sampled as standard normals (non-centred): {', '.join(sampled)}")
    return lines


def _equations(graph: ModelGraph) -> list[str]:
    parts = ["X beta"] if graph.population.columns.names else []
    parts += ["offset"] if graph.population.offsets else []
    parts += [_contribution(group) for group in graph.groups]
    lines = [f"{graph.response.expression} ~ normal({' + '.join(parts) or '0'}, sigma)"]
    return lines + [_distribution(group) for group in graph.groups]


def _contribution(group: Group) -> str:
    effects = f"b_{group.id}[{group.factor}]"
    return effects if group.columns.intercept_only else f"Z_{group.id} {effects}"


def _distribution(group: Group) -> str:
    row = COVARIANCES[group.covariance.kind]
    match group.covariance.kind:
        case "us":
            name = group.id
            return f"b_{name} ~ multi_normal(0, D R_{name} D), D = diag(sd_{name})"
        case _ if row.correlated:
            return f"b_{group.id} ~ multi_normal(0, Sigma), {row.title}"
        case "idh":
            return f"b_{group.id} ~ normal(0, sd_{group.id}), an sd for each effect, independent"
        case "idv":
            return (
                f"b_{group.id} ~ normal(0, sd_{group.id}), the same sd for all effects, independent"
            )
    return f"b_{group.id} ~ normal(0, sd_{group.id})"


def _terms(graph: ModelGraph, labels: Labels) -> list[str]:
    lines = [f"{labels.observations} observations of {labels.response}"]
    if labels.coefficients:
        lines.append(f"population: {', '.join(labels.coefficients)}")
    for group in graph.groups:
        row = COVARIANCES[group.covariance.kind]
        q = len(group.columns.names)
        count = row.count(q, group.covariance.order)
        parameters = "1 parameter" if count == 1 else f"{count} parameters"
        effects = ", ".join(group.columns.names)
        lines.append(
            f"{group.factor}, {group.factor.levels} levels: {effects}; {row.title} ({parameters})"
        )
    return lines


def _priors(priors: pd.DataFrame) -> list[str]:
    width = max((len(name) for name in priors.index), default=0)
    rows = zip(priors.index, priors["density"], priors["source"], strict=True)
    return [f"{name:<{width}} ~ {density}  ({source})" for name, density, source in rows]
