"""Python values as the R text that stands for them: a prior, say, that is given with the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mix2stan.errors import Mix2stanError, Span
from mix2stan.parser import parse_expression
from mix2stan.syntax import Argument, Call, Constant, Node, Number, rewrite

__all__ = ["is_list", "node_of", "placed_at"]

_HINT = "give numbers, lists, arrays, mappings, or R text such as 'diag(2)'"


#: What the text of a list begins with; priors of brms are one.
_LISTS = ("list(", "c(", "prior(", "set_prior(", "prior_string(")


def is_list(value: object) -> bool:
    """Whether a value given with the data is a list of R's: a mapping, or text that makes one."""
    return isinstance(value, Mapping) or (
        isinstance(value, str) and value.lstrip().startswith(_LISTS)
    )


def node_of(value: object, name: str) -> Node:
    """The R expression a Python value stands for.

    Args:
        value: a number, a truth value, None, a sequence, a matrix, a mapping, or R text.
        name: what it is called, for errors.

    Raises:
        Mix2stanError: for any other value.
        FormulaError: if text is no R expression.

    >>> str(node_of({"R": {"V": 1, "nu": 0.002}, "G": "list(G1 = list(V = diag(2)))"}, "prior1"))
    'list(R = list(V = 1, nu = 0.002), G = list(G1 = list(V = diag(2))))'
    """
    match value:
        case None:
            return Constant("NULL")
        case bool() | np.bool_():
            return Constant("TRUE" if value else "FALSE")
        case int() | float() | np.integer() | np.floating():
            return Number(float(value))
        case str():
            return parse_expression(value)
        case Mapping():
            items = [Argument(str(k), node_of(v, name)) for k, v in value.items()]
            return Call("list", tuple(items))
        case np.ndarray() if value.ndim == 2:
            size = Argument("nrow", Number(float(len(value))))
            return Call("matrix", (Argument(None, _vector(value.T.ravel(), name)), size))
        case np.ndarray() | Sequence():
            whole = np.asarray(value)
            return node_of(whole, name) if whole.ndim == 2 else _vector(value, name)
    raise Mix2stanError(f"{name} cannot have a {type(value).__name__}", hint=_HINT)


def _vector(values: Sequence[object] | np.ndarray, name: str) -> Node:
    return Call("c", tuple(Argument(None, node_of(v, name)) for v in values))


def placed_at(node: Node, span: Span) -> Node:
    """The same expression, all of it said to stand where ``span`` is."""

    def move(inner: Node) -> Node:
        moved = replace(inner, span=span)
        if isinstance(moved, Call):
            args = tuple(replace(a, span=span) for a in moved.args)
            return replace(moved, args=args)
        return moved

    return rewrite(node, move)
