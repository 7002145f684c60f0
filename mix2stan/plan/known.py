"""Parameters of the response's distribution whose values are known."""

from __future__ import annotations

from dataclasses import dataclass

from mix2stan.families import FAMILIES, PARAMETERS
from mix2stan.graph import ModelGraph
from mix2stan.plan.parts import Component, Part

__all__ = ["KnownView", "known_parts"]


@dataclass(frozen=True)
class KnownView:
    """What the template of a further parameter whose value is known sees."""

    name: str
    bound: str
    meaning: str


def known_parts(graph: ModelGraph) -> list[Part]:
    """The parameters of the distribution whose values are known, a paragraph each."""
    family = FAMILIES[graph.response.family]
    views = (KnownView(n, PARAMETERS[n].bound, family.meaning(n)) for n, _ in graph.response.known)
    return [Part((Component("families/known", view),)) for view in views]
