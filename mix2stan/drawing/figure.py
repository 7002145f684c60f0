"""What is drawn: boxes, arrows, and plates around boxes that are there many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Arrow", "Box", "Figure", "Kind", "Plate", "layers_of"]

#: ``data`` are known, ``parameter`` and ``effects`` unknown, ``predictor`` follows from others.
Kind = Literal["data", "parameter", "effects", "predictor", "response"]


@dataclass(frozen=True)
class Box:
    """A box: its key, its lines of text, what it is."""

    key: str
    lines: tuple[str, ...]
    kind: Kind


@dataclass(frozen=True)
class Arrow:
    """An arrow; ``chooses`` is that of a factor, which says what effect is meant."""

    start: str
    end: str
    chooses: bool = False


@dataclass(frozen=True)
class Plate:
    """Boxes that are there once for everything its label names."""

    label: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """A drawing with its title and a description for those who cannot see it."""

    title: str
    description: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    plates: tuple[Plate, ...]


def layers_of(figure: Figure) -> dict[str, int]:
    """The layer of every box, as low as its arrows allow; the response is in the last.

    A box stands one layer above the highest box that it points to.
    """
    ends: dict[str, list[str]] = {box.key: [] for box in figure.boxes}
    for arrow in figure.arrows:
        ends[arrow.start].append(arrow.end)
    height: dict[str, int] = {}

    def height_of(key: str) -> int:
        if key not in height:
            height[key] = 1 + max((height_of(end) for end in ends[key]), default=-1)
        return height[key]

    tallest = max((height_of(box.key) for box in figure.boxes), default=0)
    return {key: tallest - h for key, h in height.items()}
