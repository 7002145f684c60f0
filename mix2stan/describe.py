"""A model in words and mathematics: what ``print(model)`` shows."""

from __future__ import annotations

import pandas as pd

from mix2stan.covariances import COVARIANCES
from mix2stan.families import FAMILIES
from mix2stan.graph import Group, ModelGraph, Predictor
from mix2stan.labels import Labels
from mix2stan.links import LINKS

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
    if not graph.strategy.samples_effects:
        integrated += ["beta"] if graph.population.columns.names else []
    kind = "sampled" if graph.strategy.samples_effects else "collapsed"
    lines = [f"{kind}: {graph.strategy.reason}"]
    if integrated:
        lines.append(f"integrated out, then drawn exactly: {', '.join(integrated)}")
    if graph.strategy.pooled:
        lines.append("observations with equal predictors are summed")
    columns = {p.parameter: p.population.columns.names for p in graph.every_predictor}
    for group in graph.groups:
        if group.integrated:
            continue
        names = columns[group.owner]
        how = group.parameterisation
        around = [f"{names[k]}" for k in how.columns] + [f"b_{p}" for p in how.parents]
        way = f"centred on {', '.join(around) or '0'}" if how.centred else "non-centred"
        lines.append(f"b_{group.id} sampled, {way}")
    return lines


def _equations(graph: ModelGraph) -> list[str]:
    words = FAMILIES[graph.response.family].words(graph.response.link)
    distribution = words.replace("{eta}", _sum(graph, graph.mean))
    lines = [f"{graph.response.expression} ~ {distribution}"]
    lines += [f"{p.parameter} = {_value(graph, p)}" for p in graph.predictors]
    if not graph.residual.plain:
        lines.append(f"errors: {graph.residual}")
    return lines + [_distribution(group) + _among(group) for group in graph.groups]


def _among(group: Group) -> str:
    """What relates the levels of a term."""
    known = group.factor.relationship
    if known is None:
        return ""
    inverse = " the inverse of" if known.role == "inverse" and known.form == "matrix" else ""
    said = {"recursion": "the relationships in", "matrix": f"K,{inverse}"}
    return f"; levels related by {said[known.form]} {known}"


def _value(graph: ModelGraph, predictor: Predictor) -> str:
    """A parameter by its predictor."""
    return LINKS[predictor.link].stan.format(eta=_sum(graph, predictor))


def _sum(graph: ModelGraph, predictor: Predictor) -> str:
    """A predictor, term by term."""
    s, population = predictor.suffix, predictor.population
    parts = [f"X{s} beta{s}"] if population.columns.names else []
    parts += [f"offset{s}"] if population.offsets else []
    parts += [_contribution(group) for group in graph.groups_of(predictor.parameter)]
    return " + ".join(parts) or "0"


def _contribution(group: Group) -> str:
    effects = f"b_{group.id}[{group.factor}]"
    if group.factor.signs:
        return f"Z_{group.id} b_{group.id}"
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
    for parameter, names in labels.predictors:
        if names:
            lines.append(f"population of {parameter}: {', '.join(names)}")
    for group in graph.groups:
        row = COVARIANCES[group.covariance.kind]
        q = len(group.columns.names)
        count = row.count(q, group.covariance.order)
        parameters = "1 parameter" if count == 1 else f"{count} parameters"
        effects = ", ".join(group.columns.names)
        owner = f" of {group.owner}" if group.owner else ""
        lines.append(
            f"{group.factor}{owner}, {group.factor.levels} levels: {effects}; "
            f"{row.title} ({parameters})"
        )
    return lines


def _priors(priors: pd.DataFrame) -> list[str]:
    width = max((len(name) for name in priors.index), default=0)
    rows = zip(priors.index, priors["density"], priors["source"], strict=True)
    return [f"{name:<{width}} ~ {density}  ({source})" for name, density, source in rows]
