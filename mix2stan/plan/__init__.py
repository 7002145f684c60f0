"""How a model is computed: which templates say it, in which order, about what.

The plan is the last stage that knows anything; the renderer below it only asks templates for text.
A part is a paragraph of each block (the response, the population, one group term, the residual);
its components are the templates that together make it up.
"""

from __future__ import annotations

from collections.abc import Iterator

from mix2stan.graph import ModelGraph
from mix2stan.plan.collapsed import collapsed
from mix2stan.plan.latent import latent
from mix2stan.plan.parts import Component, GroupView, Part, Plan, comment, functions_of
from mix2stan.plan.sampled import ROWS, ModelView, sampled
from mix2stan.plan.whitened import whitened
from mix2stan.priors.rows import DENSITIES
from mix2stan.residuals import known_errors

__all__ = ["Component", "GroupView", "ModelView", "Part", "Plan", "plan"]


def plan(graph: ModelGraph) -> Plan:
    """Choose the templates for a graph that the passes have completed."""
    if graph.members:
        return Plan(comment(graph.call, 1000), tuple(_of_members(graph)))
    rule = RULES[graph.strategy.kind]
    functions = dict.fromkeys(f for g in graph.groups for f in functions_of(g))
    functions |= dict.fromkeys(f for p in graph.priors if (f := DENSITIES[p.density].functions))
    extra = [Part((Component(f, None),)) for f in functions]
    return Plan(comment(graph.call, 1000), (*rule(graph), *extra))


def _of_members(graph: ModelGraph) -> Iterator[Part]:
    """The parts of all responses, those of what they have in common once."""
    rows, seen = Component(ROWS, None), set[str]()
    for member in graph.members:
        common = {g.id for g in member.graph.groups if g.common}
        for part in plan(member.graph).parts:
            subject = part.components[0].subject
            if isinstance(subject, GroupView) and subject.id in common:
                if subject.id not in seen:
                    yield part
                seen.add(subject.id)
                continue
            own = tuple(c for c in part.components if c.template != ROWS)
            first = len(own) < len(part.components) and member is graph.members[0]
            yield Part(((rows, *own) if first else own), member)


def integrated(graph: ModelGraph) -> list[Part]:
    """Collapsed: sums over the rows, which are made independent first where that takes parameters."""
    return collapsed(graph) if known_errors(graph.residual) else whitened(graph)


#: How each strategy is planned.
RULES = {
    **dict.fromkeys(("noncentred", "centred", "joint"), sampled),
    **dict.fromkeys(("collapsed", "profiled"), integrated),
    "latent": latent,
}
