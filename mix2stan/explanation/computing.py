"""How the posterior is computed, and why."""

from __future__ import annotations

from mix2stan.documents import Items, Section, Text
from mix2stan.explanation.facts import Facts

__all__ = ["strategy"]


def strategy(facts: Facts) -> Section:
    """What is integrated out, what is sampled and how, and why."""
    graph = facts.graph
    integrated = [f"b_{g.id}" for g in graph.groups if g.integrated]
    if not graph.strategy.samples_effects:
        integrated += ["beta"] if graph.population.columns.names else []
    kind = "sampled" if graph.strategy.samples_effects else graph.strategy.kind
    lines: list[Text] = [f"{kind}: {graph.strategy.reason}"]
    if integrated:
        lines.append(f"integrated out, then drawn exactly: {', '.join(integrated)}")
    if graph.strategy.pooled:
        lines.append("observations with equal predictors are summed")
    columns = {p.parameter: p.population.columns.names for p in graph.every_predictor}
    for group in graph.groups:
        if group.integrated:
            continue
        names, how = columns[group.owner], group.parameterisation
        around = [names[k] for k in how.columns] + [f"b_{p}" for p in how.parents]
        way = f"centred on {', '.join(around) or '0'}" if how.centred else "non-centred"
        lines.append(f"b_{group.id} sampled, {way}")
    return Section("Strategy", (Items(tuple(lines)),))
