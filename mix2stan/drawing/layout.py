"""Where boxes stand: layers from top to bottom, few crossings, nothing on top of anything.

An arrow over several layers goes through places of its own in those between (Sugiyama, Tagawa and
Toda 1981); boxes move towards what they are connected with as far as their neighbours let them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mix2stan.drawing.figure import Figure, layers_of

__all__ = ["Layout", "lay_out"]

_GAP = 24.0
_SWEEPS = 8


@dataclass(frozen=True)
class Layout:
    """Places of boxes and ways of arrows.

    Attributes:
        layers: the keys in every layer, from left to right, ways through it by keys of their own.
        x: the middle of every box and way.
        ways: for every arrow in order, the keys it leads through, its ends with them.
    """

    layers: tuple[tuple[str, ...], ...]
    x: Mapping[str, float]
    ways: tuple[tuple[str, ...], ...]


def lay_out(figure: Figure, width: Mapping[str, float]) -> Layout:
    """Place boxes of known widths."""
    layer = dict(layers_of(figure))
    ways: list[tuple[str, ...]] = []
    for i, arrow in enumerate(figure.arrows):
        between = range(layer[arrow.start] + 1, layer[arrow.end])
        through = tuple(f"way {i} {k}" for k in between)
        layer |= dict(zip(through, between, strict=True))
        ways.append((arrow.start, *through, arrow.end))
    rows: list[list[str]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for key, k in layer.items():
        rows[k].append(key)
    neighbours: dict[str, list[str]] = {key: [] for key in layer}
    for way in ways:
        for a, b in pairwise(way):
            neighbours[a].append(b)
            neighbours[b].append(a)
    layers, x = _settled(rows, neighbours, width)
    for plate in figure.plates:
        # boxes of one plate stand below each other where nothing is beside them
        for key in plate.keys[1:]:
            if layers[layer[key]] == (key,):
                x[key] = x[plate.keys[0]]
    return Layout(layers, x, tuple(ways))


def _settled(
    rows: list[list[str]], neighbours: Mapping[str, list[str]], width: Mapping[str, float]
) -> tuple[tuple[tuple[str, ...], ...], dict[str, float]]:
    """Orders and places, by sweeps down and up."""
    x: dict[str, float] = {}
    for row in rows:
        x |= _packed(row, dict.fromkeys(row, 0.0), width)
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = {key: _mean([x[n] for n in neighbours[key]], x[key]) for key in row}
            if sweep < _SWEEPS - 2:
                row.sort(key=lambda key: (wanted[key], x[key]))
            x |= _packed(row, wanted, width)
    return tuple(map(tuple, rows)), x


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _packed(
    row: Sequence[str], wanted: Mapping[str, float], width: Mapping[str, float]
) -> dict[str, float]:
    """Places in this order, apart, as near to those wanted as least squares has it.

    What is left of the distances is a monotone regression: neighbours that want to overlap are
    pooled.
    """
    shift, place = [], 0.0
    for i, key in enumerate(row):
        if i:
            place += (width.get(row[i - 1], 0.0) + width.get(key, 0.0)) / 2 + _GAP
        shift.append(place)
    pools: list[tuple[float, int]] = []
    for key, s in zip(row, shift, strict=True):
        pools.append((wanted[key] - s, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m), (b, n) = pools[-2:]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n)]
    levels = [value for value, count in pools for _ in range(count)]
    return {key: level + s for key, level, s in zip(row, levels, shift, strict=True)}
