"""Figures as SVG, drawn here: no program is needed, and nothing is fetched."""

from __future__ import annotations

import html
import unicodedata
from itertools import pairwise

from mix2stan.drawing.figure import Box, Figure, Kind
from mix2stan.drawing.layout import Layout, lay_out

__all__ = ["to_svg"]

#: Size of the letters, the width of one and the height of a line, all in pixels.
_FONT, _LETTER, _LINE = 13, 8.0, 18.0
_PADDING, _BETWEEN, _MARGIN, _PLATE = 10.0, 90.0, 20.0, 12.0
_LABEL, _LONGEST = _LINE + 2, 48
_FILLS: dict[Kind, tuple[str, float]] = {
    "data": ("#e8e8e8", 2.0),
    "parameter": ("#ffffff", 14.0),
    "effects": ("#eaf2fb", 14.0),
    "predictor": ("#ffffff", 6.0),
    "response": ("#d9d9d9", 2.0),
}


class _Canvas:
    """Sizes and places of everything, in pixels."""

    def __init__(self, figure: Figure) -> None:
        self.boxes = {box.key: box for box in figure.boxes}
        plated = {key: plate for plate in figure.plates for key in plate.keys}
        self.width = {key: _width(box) for key, box in self.boxes.items()}
        room = dict(self.width)
        for key, plate in plated.items():
            widest = max(self.width[k] for k in plate.keys)
            room[key] = max(widest, _text_width(plate.label)) + 2 * _PLATE
        self.layout: Layout = lay_out(figure, room)
        left = min(x - room.get(key, 0) / 2 for key, x in self.layout.x.items())
        right = max(x + room.get(key, 0) / 2 for key, x in self.layout.x.items())
        self.x = {key: x - left + _MARGIN for key, x in self.layout.x.items()}
        self.total_width = right - left + 2 * _MARGIN
        self.top: dict[str, float] = {}
        self.height: dict[str, float] = {}
        y = _MARGIN + _PLATE
        for row in self.layout.layers:
            tallest = max((_height(self.boxes[k]) for k in row if k in self.boxes), default=0.0)
            for key in row:
                self.height[key] = _height(self.boxes[key]) if key in self.boxes else tallest
                self.top[key] = y + (tallest - self.height[key]) / 2
            y += tallest + _BETWEEN
        # arrows leave below the frame of a plate, whose label stands there
        self.bottom = {key: self.top[key] + self.height[key] for key in self.top}
        for plate in figure.plates:
            lowest = max(plate.keys, key=lambda key: self.bottom[key])
            self.bottom[lowest] += _LABEL
        # arrows bend between the floor of a layer and the ceiling of the next
        self.floor: dict[str, float] = {}
        self.ceiling: dict[str, float] = {}
        for row in self.layout.layers:
            self.floor |= dict.fromkeys(row, max(self.bottom[key] for key in row))
            self.ceiling |= dict.fromkeys(row, min(self.top[key] for key in row) - _PLATE)
        self.total_height = y - _BETWEEN + _PLATE + _LINE + _MARGIN


def to_svg(figure: Figure) -> str:
    """The figure as an SVG element, with title and description for those who cannot see it."""
    canvas = _Canvas(figure)
    size = f'width="{canvas.total_width:.0f}" height="{canvas.total_height:.0f}"'
    view = f'viewBox="0 0 {canvas.total_width:.0f} {canvas.total_height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} role="img" '
        f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="{_FONT}">',
        f"<title>{html.escape(figure.title)}</title>",
        f"<desc>{html.escape(figure.description)}</desc>",
        '<defs><marker id="mix2stan-arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 1 L9 5 L0 9 z" fill="#444"/></marker></defs>',
        f'<rect {size} fill="#ffffff"/>',
    ]
    parts += [_plate(canvas, plate.keys, plate.label) for plate in figure.plates]
    parts += [
        _arrow(canvas, way, arrow.chooses)
        for way, arrow in zip(canvas.layout.ways, figure.arrows, strict=True)
    ]
    parts += [_box(canvas, box) for box in figure.boxes]
    return "\n".join([*parts, "</svg>", ""])


def _text_width(text: str) -> float:
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return _LETTER * (len(text) + wide)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _width(box: Box) -> float:
    return max(_text_width(_shortened(line)) for line in box.lines) + 2 * _PADDING


def _height(box: Box) -> float:
    return _LINE * len(box.lines) + 2 * _PADDING


def _box(canvas: _Canvas, box: Box) -> str:
    fill, radius = _FILLS[box.kind]
    x, y = canvas.x[box.key], canvas.top[box.key]
    width, height = canvas.width[box.key], canvas.height[box.key]
    thick = 2 if box.kind == "response" else 1
    rect = (
        f'<rect x="{x - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="{radius:g}" fill="{fill}" stroke="#444" stroke-width="{thick}"/>'
    )
    texts = [
        f'<text x="{x:.1f}" y="{y + _PADDING + _LINE * (i + 0.75):.1f}" text-anchor="middle" '
        f'fill="#111">{html.escape(_shortened(line))}</text>'
        for i, line in enumerate(box.lines)
    ]
    return "".join([rect, *texts])


def _arrow(canvas: _Canvas, way: tuple[str, ...], dashed: bool) -> str:
    """From one box to another: straight down past its layer, bent only between layers."""
    x = canvas.x[way[0]]
    path = f"M{x:.1f} {canvas.bottom[way[0]]:.1f} L{x:.1f} {canvas.floor[way[0]]:.1f}"
    for above, key in pairwise(way):
        y, to_x, to_y = canvas.floor[above], canvas.x[key], canvas.ceiling[key]
        bend = (to_y - y) / 2
        path += f" C{x:.1f} {y + bend:.1f} {to_x:.1f} {to_y - bend:.1f} {to_x:.1f} {to_y:.1f}"
        path += f" L{to_x:.1f} {canvas.top[key] if key == way[-1] else canvas.floor[key]:.1f}"
        x = to_x
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<path d="{path}" fill="none" stroke="#444"{dash} marker-end="url(#mix2stan-arrow)"/>'


def _plate(canvas: _Canvas, keys: tuple[str, ...], label: str) -> str:
    """A frame around boxes, its label inside it at the bottom."""
    left = min(canvas.x[k] - canvas.width[k] / 2 for k in keys) - _PLATE
    right = max(canvas.x[k] + canvas.width[k] / 2 for k in keys) + _PLATE
    middle = (left + right) / 2
    half = max(right - left, _text_width(label) + 2 * _PLATE) / 2
    top = min(canvas.top[k] for k in keys) - _PLATE
    bottom = max(canvas.bottom[k] for k in keys)
    return (
        f'<rect x="{middle - half:.1f}" y="{top:.1f}" width="{2 * half:.1f}" '
        f'height="{bottom - top:.1f}" rx="4" fill="none" stroke="#888"/>'
        f'<text x="{middle + half - _PLATE / 2:.1f}" y="{bottom - 5:.1f}" text-anchor="end" '
        f'fill="#555">{html.escape(label)}</text>'
    )
