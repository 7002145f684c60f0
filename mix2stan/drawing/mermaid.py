"""Figures in the language of Mermaid, which Markdown on many sites draws."""

from __future__ import annotations

import re

from mix2stan.drawing.figure import Box, Figure, Kind

__all__ = ["to_mermaid"]

_SHAPES: dict[Kind, tuple[str, str]] = {
    "data": ("[", "]"),
    "parameter": ("([", "])"),
    "effects": ("([", "])"),
    "predictor": ("(", ")"),
    "response": ("[[", "]]"),
}
_SPECIAL = re.compile(r"[\"<>&#;`\\]")


def to_mermaid(figure: Figure) -> str:
    """A flowchart; plates are subgraphs."""
    keys = {box.key: f"n{i}" for i, box in enumerate(figure.boxes)}
    by_key = {box.key: box for box in figure.boxes}
    plated = {key for plate in figure.plates for key in plate.keys}
    lines = ["flowchart TB"]
    for i, plate in enumerate(figure.plates):
        lines.append(f'  subgraph plate{i}["{_escaped(plate.label)}"]')
        lines += [f"    {_node(keys[key], by_key[key])}" for key in plate.keys]
        lines.append("  end")
    lines += [f"  {_node(keys[b.key], b)}" for b in figure.boxes if b.key not in plated]
    for arrow in figure.arrows:
        line = "-.->" if arrow.chooses else "-->"
        lines.append(f"  {keys[arrow.start]} {line} {keys[arrow.end]}")
    return "\n".join([*lines, ""])


def _node(name: str, box: Box) -> str:
    left, right = _SHAPES[box.kind]
    text = "<br/>".join(_escaped(line) for line in box.lines)
    return f'{name}{left}"{text}"{right}'


def _escaped(text: str) -> str:
    """Characters that mean something to it, by their numbers."""
    return _SPECIAL.sub(lambda found: f"#{ord(found[0])};", text.replace("\n", " "))
