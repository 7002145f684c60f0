"""Documents as lists, mappings and texts, for a JSON file, and back."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from mix2stan import mathematics
from mix2stan.documents import nodes
from mix2stan.documents.nodes import Document

__all__ = ["from_plain", "to_plain"]

#: The kinds of node a file may hold, and no other class.
_KINDS = {
    name: kind
    for module in (mathematics, nodes)
    for name in module.__all__
    if isinstance(kind := getattr(module, name), type) and is_dataclass(kind)
}


def to_plain(value: Any) -> Any:
    """A document, or a part of one.

    Raises:
        TypeError: for what is no part of one, or holds bytes.
    """
    name = type(value).__name__
    if _KINDS.get(name) is type(value):
        return {"is": name, **{f.name: to_plain(getattr(value, f.name)) for f in fields(value)}}
    if isinstance(value, tuple):
        return [to_plain(v) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a {name} has no place in a file")


def from_plain(value: Any) -> Document:
    """The inverse of :func:`to_plain`, of a whole document.

    Raises:
        KeyError, TypeError, ValueError: if it is not what :func:`to_plain` makes.
    """
    found = _node(value)
    if not isinstance(found, Document):
        raise TypeError("that is no document")
    return found


def _node(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_node(v) for v in value)
    if not isinstance(value, dict):
        return value
    return _KINDS[value["is"]](**{name: _node(v) for name, v in value.items() if name != "is"})
