"""The likelihood of censored responses: the density of what is observed, probabilities of the rest."""

from __future__ import annotations

import re

from mix2stan.families import Family, single_parameters
from mix2stan.graph import ModelGraph
from mix2stan.links import LINKS

__all__ = ["censored_likelihood"]


def censored_likelihood(graph: ModelGraph, family: Family, eta: str) -> str:
    """The statements; ``eta`` is the predictor as text, a vector with an element per row."""
    mean = LINKS[graph.response.link].stan.format(eta=eta)
    name, arguments = family.density.format(mu=mean).split("(", 1)
    single = single_parameters(graph)
    vectors = [eta, *(p for p in family.parameters if p not in single)]
    indexed = re.compile(rf"\b({'|'.join(map(re.escape, vectors))})\b")

    def of(rows: str) -> str:
        return indexed.sub(rf"\1[{rows}]", arguments)

    def at(function: str, y: str, rows: str) -> str:
        return f"{name}_{function}({y}[{rows}] | {of(rows)}"

    lines = [
        f"target += {at('lpdf', 'y', 'observed')};",
        f"target += {at('lcdf', 'y', 'left')};",
        f"target += {at('lccdf', 'y', 'right')};",
        "for (i in interval) {",
        f"  real below = {at('lcdf', 'y_upper', 'i').replace('./', '/')};",
        f"  target += log_diff_exp(below, {at('lcdf', 'y', 'i').replace('./', '/')});",
        "}",
    ]
    if graph.strategy.kind != "joint":
        lines[0] = f"y[observed] ~ {name}({of('observed')};"
    return "\n".join(lines)
