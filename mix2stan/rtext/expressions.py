"""Expressions that make formulas or data frames, as what they make."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.errors import FormulaError, Span
from mix2stan.parser import parse_expression
from mix2stan.rtext.frames import in_base_r
from mix2stan.rtext.pipes import PIPES, piped
from mix2stan.rtext.update import updated_formula
from mix2stan.rtext.values import placed_at
from mix2stan.syntax import Argument, Call, Formula, Node, Operator, Parens, String, rewrite

__all__ = ["parsed", "simpler"]


def simpler(node: Node) -> Node:
    """A node as what it makes, if that is known: formulas, and data frames by R's own verbs.

    ``as.formula("y ~ x")``, ``formula(y ~ x)`` and ``update(f, . ~ . - x)`` are formulas; pipes are
    calls; ``filter()``, ``mutate()`` and ``within()`` are ``subset()`` and ``transform()``.
    """
    match node:
        case Operator(symbol=symbol) if symbol in PIPES:
            return rewrite(piped(node, {})[0], simpler)
        case Call(function=name) if name in ("filter", "mutate", "select", "within", "drop_na"):
            return in_base_r(node)
        case Call(function="as.formula" | "formula", args=(first, *_)):
            value = _text_of(first.value)
            if isinstance(value, Parens):
                value = value.inner
            if isinstance(value, String):
                value = parsed(value)
            return value if isinstance(value, Formula) else node
        case Call(
            function="update" | "update.formula", args=(Argument(value=Formula() as old), new)
        ):
            if isinstance(new.value, Formula):
                return updated_formula(old, new.value)
    return node


def _text_of(node: Node) -> Node:
    """``paste("y", "~ x")`` as the string it makes, if all its parts are strings."""
    match node:
        case Call(function="paste" | "paste0" as name, args=args):
            sep = next((a.value for a in args if a.name == "sep"), String(" "))
            parts = [_text_of(a.value) for a in args if a.name is None]
            joined = sep.value if name == "paste" and isinstance(sep, String) else ""
            if len(parts) + any(a.name == "sep" for a in args) == len(args) and all(
                isinstance(p, String) for p in parts
            ):
                text = joined.join(p.value for p in parts if isinstance(p, String))
                return String(text, span=node.span)
    return node


def parsed(text: String) -> Node:
    """The expression in a string, its parts at their places if the string is as it stands."""
    start, inside = text.span.start + 1, text.span.end - text.span.start - 2
    try:
        read = parse_expression(text.value)
    except FormulaError as error:
        span = text.span
        if error.span is not None and inside == len(text.value):
            span = Span(start + error.span.start, start + error.span.end)
        raise type(error)(error.message, span=span, hint=error.hint) from None
    if inside != len(text.value):
        return placed_at(read, text.span)

    def move(node: Node) -> Node:
        moved = replace(node, span=Span(start + node.span.start, start + node.span.end))
        if isinstance(moved, Call):
            args = tuple(
                replace(a, span=Span(start + a.span.start, start + a.span.end)) for a in moved.args
            )
            return replace(moved, args=args)
        return moved

    return rewrite(read, move)
