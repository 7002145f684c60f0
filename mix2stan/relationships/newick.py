"""Phylogenies in Newick's format: ``((a:1,b:1):1,c:2);``.

Tips and inner nodes are levels, the root is none: its effect is part of the mean.  An effect differs
from that of the node above by a normal deviate whose variance is the length of the branch, which is
Brownian motion (Hadfield and Nakagawa 2010, Journal of Evolutionary Biology 23, 494-508).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from mix2stan.errors import DataError
from mix2stan.relationships.recursion import Recursion, in_generations

__all__ = ["phylogeny"]

_TOKEN = re.compile(r"\s*(?:([(),;])|'((?:[^']|'')*)'|:\s*([^\s(),:;\[\]']*)|([^\s(),:;\[\]']+))")
_COMMENT = re.compile(r"\[[^\]]*\]")
#: Differences in height, relative to it, below which a tree counts as ultrametric.
_TOLERANCE = 1.5e-8


@dataclass
class _Node:
    """A node while the tree is read: the number of the one above, -1 for the root."""

    above: int
    name: str = ""
    length: float | None = None
    inner: bool = False


def phylogeny(text: str, scaled: bool = True) -> Recursion:
    """Read a rooted tree with branch lengths.

    Args:
        text: the tree.  Inner nodes without a name are called Node2, Node3 and so on, as they come;
            Node1 is the root.
        scaled: whether lengths are divided by the height of the tree, as MCMCglmm does by default;
            then all tips have to be at one height.

    Raises:
        DataError: if it cannot be read, a branch has no length or none above zero, two nodes have one
            name, or the tips of a tree that is to be scaled are at several heights.
    """
    nodes = _read(text)
    inner = 0
    for node in nodes:
        inner += node.inner
        node.name = node.name or (f"Node{inner}" if node.inner else "")
    branches = nodes[1:]
    for node in branches:
        if not node.name:
            raise DataError("a tip of the tree has no name")
        if node.length is None:
            raise DataError(f"the branch to {node.name} has no length", hint="write name:length")
        if not (node.length > 0 and np.isfinite(node.length)):
            raise DataError(f"the length of the branch to {node.name} is not above zero")
    names = [node.name for node in branches]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"two nodes of the tree are called {twice!r}")
    lengths = np.array([node.length for node in branches], dtype=float)
    if scaled:
        lengths = lengths / _height(nodes)
    above = np.array([node.above - 1 for node in branches], dtype=np.int64)
    order, last = in_generations(names, np.column_stack([above, np.full(len(above), -1)]))
    rank = np.empty(len(order) + 1, dtype=np.int64)
    rank[order], rank[-1] = np.arange(len(order)), -1
    parents = np.repeat(rank[above[order]][:, None], 2, axis=1)
    return Recursion(tuple(names[i] for i in order), parents, lengths[order], last)


def _height(nodes: list[_Node]) -> float:
    """The distance of all tips from the root."""
    heights = np.zeros(len(nodes))
    for i, node in enumerate(nodes[1:], start=1):
        heights[i] = heights[node.above] + (node.length or 0.0)
    tips = heights[[not node.inner for node in nodes]]
    if np.ptp(tips) > _TOLERANCE * tips.max():
        span = f"{tips.min():g} to {tips.max():g}"
        hint = "scale = FALSE takes the lengths as they are"
        raise DataError(f"the tips are at heights from {span}: no common unit", hint=hint)
    return float(tips.max())


def _read(text: str) -> list[_Node]:
    """The nodes in the order in which they are met, the root first."""
    text = _COMMENT.sub("", text).strip()
    nodes = [_Node(-1)]
    here, place, ended = 0, 0, False
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None or ended:
            raise _unreadable(text, place)
        mark, quoted, length, name = found.groups()
        if mark == "(":
            if nodes[here].inner or nodes[here].name:
                raise _unreadable(text, place)
            nodes[here].inner = True
            nodes.append(_Node(here))
            here = len(nodes) - 1
        elif mark in (",", ")"):
            if nodes[here].above < 0:
                raise _unreadable(text, place)
            here = nodes[here].above
            if mark == ",":
                nodes.append(_Node(here))
                here = len(nodes) - 1
        elif mark == ";":
            ended = True
        elif length is not None:
            nodes[here].length = _number(length, text, place)
        else:
            if nodes[here].name:
                raise _unreadable(text, place)
            nodes[here].name = name if quoted is None else quoted.replace("''", "'")
        place = found.end()
    if here != 0 or not nodes[0].inner:
        message = "the tree is not complete: brackets are left open" if here else "this is no tree"
        raise DataError(message, hint="a tree is written like ((a:1,b:1):1,c:2);")
    return nodes


def _number(length: str, text: str, place: int) -> float:
    try:
        return float(length)
    except ValueError:
        raise _unreadable(text, place) from None


def _unreadable(text: str, place: int) -> DataError:
    near = text[place : place + 20]
    hint = "a tree is written like ((a:1,b:1):1,c:2);"
    return DataError(f"the tree cannot be read at character {place + 1}: {near!r}", hint=hint)
