"""Figures in the language of Graphviz."""

from __future__ import annotations

from mix2stan.drawing.figure import Box, Figure, Kind

__all__ = ["to_dot"]

_SHAPES: dict[Kind, str] = {
    "data": "shape=box, style=filled, fillcolor=lightgrey",
    "parameter": "shape=ellipse",
    "effects": "shape=ellipse",
    "predictor": "shape=box, style=rounded",
    "response": "shape=box, style=filled, fillcolor=lightgrey, penwidth=2",
}


def to_dot(figure: Figure) -> str:
    """A directed graph; plates are clusters."""
    keys = {box.key: f"n{i}" for i, box in enumerate(figure.boxes)}
    plated = {key for plate in figure.plates for key in plate.keys}
    by_key = {box.key: box for box in figure.boxes}
    lines = ["digraph model {", f"  label={_quoted(figure.title)};", "  labelloc=t;"]
    for i, plate in enumerate(figure.plates):
        lines += [f"  subgraph cluster_{i} {{", f"    label={_quoted(plate.label)};"]
        lines += [f"    {_node(keys[key], by_key[key])}" for key in plate.keys]
        lines.append("  }")
    lines += [f"  {_node(keys[b.key], b)}" for b in figure.boxes if b.key not in plated]
    for arrow in figure.arrows:
        style = " [style=dashed]" if arrow.chooses else ""
        lines.append(f"  {keys[arrow.start]} -> {keys[arrow.end]}{style};")
    return "\n".join([*lines, "}", ""])


def _node(name: str, box: Box) -> str:
    text = "\\n".join(_escaped(line) for line in box.lines)
    return f'{name} [label="{text}", {_SHAPES[box.kind]}];'


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
