"""Several responses that are seen through families of their own."""

from __future__ import annotations

from dataclasses import dataclass

from mix2stan.families import LAYERS
from mix2stan.graph import Layer, ModelGraph
from mix2stan.plan.parts import Component, Part, comment

__all__ = ["LatentView", "LayerView", "layer_parts", "layer_views"]


@dataclass(frozen=True)
class LatentView:
    """One latent variable: its Stan identifier, and its name for comments."""

    id: str
    trait: str


@dataclass(frozen=True)
class LayerView:
    """What the template of a layer sees: its data, and its density, ``words`` in mathematics.

    ``latent`` are its latent variables, and ``functions`` the templates of what the density needs.
    """

    id: str
    response: str
    latent: tuple[LatentView, ...]
    declarations: tuple[str, ...]
    density: str
    words: str
    functions: tuple[str, ...]


def layer_views(graph: ModelGraph) -> tuple[LayerView, ...]:
    """The layers of a response, in order."""
    return tuple(map(_view, graph.response.layers))


def layer_parts(layers: tuple[LayerView, ...]) -> list[Part]:
    """The layers, a paragraph each, and the functions they need, each once."""
    functions = dict.fromkeys(name for layer in layers for name in layer.functions)
    parts = [Part((Component("latent/layer", layer),)) for layer in layers]
    return parts + [Part((Component(name, None),)) for name in functions]


def _view(layer: Layer) -> LayerView:
    row, name = LAYERS[layer.family], layer.id
    latent = tuple(LatentView(i, comment(t)) for i, t in zip(layer.ids, layer.traits, strict=True))
    parameters = [f"l_{v.id}" for v in latent]
    means = [f"y[rows_{v.id}]" for v in latent]
    size = {"N": f"N_{name}", "K": str(len(latent) + 1)}
    data = {entry: f"{entry}_{name}" for entry in row.entries}
    return LayerView(
        id=name,
        response=comment(layer.response),
        latent=latent,
        declarations=tuple(
            entry.declaration.format(**size, y=data[e]) for e, entry in row.entries.items()
        ),
        density=row.density.format(*parameters, all=_matrix(parameters), **data),
        words=row.words.format(*means, list=", ".join(means), **data),
        functions=row.functions,
    )


def _matrix(columns: list[str]) -> str:
    """Columns side by side."""
    first, *rest = columns
    if not rest:
        return f"to_matrix({first})"
    return f"append_col({first}, {_matrix(rest) if len(rest) > 1 else rest[0]})"
