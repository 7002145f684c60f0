"""Several responses that are seen through families of their own."""

from __future__ import annotations

from dataclasses import dataclass

from mix2stan.families import FAMILIES
from mix2stan.graph import Layer, ModelGraph
from mix2stan.links import LINKS
from mix2stan.plan.parts import Component, Part, comment

__all__ = ["LayerView", "layer_parts", "layer_views"]


@dataclass(frozen=True)
class LayerView:
    """What the template of a layer sees: its data, and its density, ``words`` in mathematics."""

    id: str
    trait: str
    declaration: str
    density: str
    words: str


def layer_views(graph: ModelGraph) -> tuple[LayerView, ...]:
    """The layers of a response, in order."""
    return tuple(map(_view, graph.response.layers))


def layer_parts(layers: tuple[LayerView, ...]) -> list[Part]:
    """The layers, a paragraph each."""
    return [Part((Component("latent/layer", layer),)) for layer in layers]


def _view(layer: Layer) -> LayerView:
    family, name = FAMILIES[layer.family], layer.id
    direct = family.density.replace("{mu}", LINKS[layer.link].stan)
    text = family.natural.get(layer.link, direct)
    size = f"N_{name}"
    integers = f"array[{size}] int<lower=0> y_{name}"
    return LayerView(
        id=name,
        trait=comment(layer.trait),
        declaration=integers if family.integer else f"vector[{size}] y_{name}",
        density=text.format(eta=f"l_{name}"),
        words=family.words(layer.link).format(eta=f"y[rows_{name}]"),
    )
