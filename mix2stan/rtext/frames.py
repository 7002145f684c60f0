"""Parts of data frames that are assigned to, as the verbs that make the changed frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mix2stan.design.verb_arguments import in_order
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.syntax import (
    Argument,
    Assignment,
    Call,
    Constant,
    Name,
    Node,
    Operator,
    String,
    children,
    names_in,
    replace_names,
    rewrite,
    walk,
)

__all__ = [
    "VERBS",
    "changed",
    "columns_made",
    "in_base_r",
    "of_columns",
    "pruned",
    "without_unused",
]

#: Names of values that no column has to have.
_KNOWN = frozenset({"T", "F", "pi", "LETTERS", "letters", "month.name", "month.abb"})
#: Functions of a data frame whose other arguments are about its columns.
VERBS = frozenset({"transform", "subset", "[", "filter", "mutate", "select", "within"})
#: Verbs that look at all columns.
_LOOK_AT_ALL = frozenset({"na.omit", "complete.cases", "drop_na", "distinct", "unique"})


def changed(
    target: Node, value: Node, names: Mapping[str, Node], *, attached: bool = False
) -> tuple[str, Node]:
    """The name of the frame that an assignment changes, and the frame it is then.

    Args:
        target: ``d$f``, ``d[["f"]]``, ``d[, "f"]``, ``d["f"]`` or ``levels(d$f)``.
        value: what is assigned, as it stands.
        names: what other names stand for.
        attached: whether bare names may be columns.

    Raises:
        Unsupported: for any other target.
    """
    frame, column, value = _place(target, value)
    old = names.get(frame.name, frame)
    if value == Constant("NULL"):
        without = Operator("-", (column,), span=column.span)
        args = (Argument(None, old), Argument("select", without))
        return frame.name, Call("subset", args, span=target.span)
    made = Argument(column.name, _in_columns(value, frame, names, attached), span=target.span)
    return frame.name, Call("transform", (Argument(None, old), made), span=target.span)


def _place(target: Node, value: Node) -> tuple[Name, Name, Node]:
    """The frame, the column, and the value it gets."""
    match target:
        case Call(
            function="$", args=(Argument(value=Name() as frame), Argument(value=Name() as x))
        ):
            return frame, x, value
        case Call(function="[", args=(Argument(value=Name() as frame), *places)):
            *rows, last = [p.value for p in places]
            if isinstance(last, String) and rows in ([], [Constant("NULL")]):
                return frame, Name(last.value, span=last.span), value
            hint = f"write {frame} <- transform({frame}, x = ifelse(…, …, x))"
            raise Unsupported(f"a part of {target} cannot be changed", span=target.span, hint=hint)
        case Call(function="levels", args=(Argument(value=inner),)):
            frame, column, _ = _place(inner, value)
            levels = Call("levels", (Argument(None, inner),), span=inner.span)
            args = (Argument(None, inner), Argument("levels", levels), Argument("labels", value))
            return frame, column, Call("factor", args, span=target.span)
    hint = "a column is changed by d$f <- …, rows are chosen by d <- subset(d, …)"
    raise Unsupported(f"{target} cannot be changed here", span=target.span, hint=hint)


def _in_columns(value: Node, frame: Name, names: Mapping[str, Node], attached: bool) -> Node:
    """An expression of ``d$x`` as one of the columns of d; other names are replaced."""
    others = {name: node for name, node in names.items() if name != frame.name}
    for name in _free(value):
        if not (attached or name == frame or name.name in others or name.name in _KNOWN):
            message = f"nothing is called {name} here"
            hint = f"a column of {frame} is written {frame}${name}"
            raise FormulaError(message, span=name.span, hint=hint)

    return of_columns(replace_names(value, others), frame)


def of_columns(value: Node, frame: Node) -> Node:
    """An expression with ``x`` for ``d$x`` where d is the frame."""

    def column_of(node: Node) -> Node:
        match node:
            case Call(function="$", args=(Argument(value=first), Argument(value=Name() as x))):
                return x if first == frame else node
        return node

    return rewrite(value, column_of)


def in_base_r(call: Call) -> Call:
    """``filter(d, x > 1)``, ``mutate(d, z = x^2)``, ``within(d, z <- x^2)`` by R's own verbs."""
    if not call.args or call.package not in ("", "dplyr::", "tidyr::"):
        return call
    try:
        first, *rest = in_order(call).args
    except FormulaError:
        return call
    frame = first.value
    match call.function:
        case "drop_na" if not rest:
            return Call("na.omit", (first,), span=call.span)
        case "select" if rest and all(a.name is None for a in rest):
            chosen = Call("c", tuple(rest), span=call.span)
            return Call("subset", (first, Argument("select", chosen)), span=call.span)
        case "filter" if rest and all(a.name is None for a in rest):
            for condition in rest:
                frame = Call("subset", (Argument(None, frame), condition), span=call.span)
        case "mutate" if rest and all(a.name is not None for a in rest):
            for column in rest:
                frame = Call("transform", (Argument(None, frame), column), span=call.span)
        case "within" if len(rest) == 1 and isinstance(rest[0].value, Assignment):
            made = Argument(rest[0].value.name, rest[0].value.value, span=rest[0].span)
            frame = Call("transform", (first, made), span=call.span)
    return frame if isinstance(frame, Call) and frame != first.value else call


def _free(node: Node) -> Iterator[Name]:
    """The names of an expression that something has to be called; not the ``x`` of ``d$x``."""
    if isinstance(node, Name):
        yield node
    elif isinstance(node, Call) and node.function in ("$", "@"):
        yield from _free(node.args[0].value)
    else:
        for child in children(node):
            yield from _free(child)


def columns_made(data: Node) -> Iterator[str]:
    """The columns that the verbs of a data argument make."""
    for node in walk(data):
        if isinstance(node, Call) and node.function == "transform":
            yield from (a.name for a in node.args if a.name is not None)


def without_unused(call: Call, places: Sequence[str]) -> Call:
    """The call without the columns that lines before it made and nothing in it looks at.

    So a line that cannot be computed is refused where it matters to the model, and only there.
    """
    at = next((i for i, place in enumerate(places) if place == "data"), None)
    if at is None:
        return call
    rest = [a.value for i, a in enumerate(call.args) if i != at]
    used = {name.name for node in rest for name in names_in(node)}
    if "." in used:
        return call
    args = list(call.args)
    args[at] = replace(args[at], value=pruned(args[at].value, used))
    return replace(call, args=tuple(args))


def pruned(data: Node, used: set[str]) -> Node:
    """A data frame without the columns made that are not used."""
    match data:
        case Call(function="transform", args=(first, *made)):
            kept = [a for a in made if a.name is None or a.name in used]
            needed = used | {n.name for a in kept for n in names_in(a.value)}
            inner = pruned(first.value, needed)
            if not kept:
                return inner
            return replace(data, args=(replace(first, value=inner), *kept))
        case Call(function=name, args=(first, *rest)) if name not in _LOOK_AT_ALL:
            everything = any(
                isinstance(n, Call) and n.function in _LOOK_AT_ALL
                for a in rest
                for n in walk(a.value)
            )
            if everything:
                return data
            needed = used | {n.name for a in rest for n in names_in(a.value)}
            return replace(data, args=(replace(first, value=pruned(first.value, needed)), *rest))
    return data
