"""Graphs, syntax and learnt numbers as JSON, and back; formula text is parsed, nothing is run."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from mix2stan import graph as graph_module
from mix2stan.parser import parse_expression
from mix2stan.syntax import Node

__all__ = ["decode", "encode"]

#: The kinds of node a file may hold: those of the graph, and no other class.
_KINDS = {
    name: kind
    for name, kind in vars(graph_module).items()
    if is_dataclass(kind) and isinstance(kind, type) and not issubclass(kind, Node)
}


def encode(value: Any) -> Any:
    """A value of a graph, or what a function learnt, as lists, mappings, texts and numbers.

    Raises:
        TypeError: for a value of any other type.
    """
    if isinstance(value, Node):
        return {"R": str(value)}
    if is_dataclass(value) and type(value).__name__ in _KINDS:
        kept = {
            f.name: encode(getattr(value, f.name))
            for f in fields(value)
            if f.init and f.name != "span"
        }
        return {"is": type(value).__name__, **kept}
    if isinstance(value, np.ndarray):
        return {"array": value.ravel().tolist(), "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | list):
        return [encode(v) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a {type(value).__name__} has no place in a file")


def decode(value: Any) -> Any:
    """The inverse of :func:`encode`; every list becomes a tuple.

    Raises:
        KeyError, TypeError, ValueError: if it is not what :func:`encode` makes.
    """
    if isinstance(value, list):
        return tuple(decode(v) for v in value)
    if not isinstance(value, dict):
        return value
    if "R" in value:
        return parse_expression(value["R"])
    if "array" in value:
        return np.array(value["array"], dtype=float).reshape(value["shape"])
    kept = {name: decode(v) for name, v in value.items() if name != "is"}
    return _KINDS[value["is"]](**kept)
