"""The arguments of functions of data frames, by R's rules: exact names, partial ones, then order."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mix2stan.errors import FormulaError, suggestion
from mix2stan.syntax import Argument, Call

__all__ = ["in_order", "in_order_if_known"]


@dataclass(frozen=True)
class _Verb:
    """A function of a data frame.

    Attributes:
        frame: what its data frame is called.
        others: its further arguments in order.
        open: whether it takes arguments of any name, or none, beside them.
        refused: how the names begin that are none of those.
    """

    frame: str
    others: tuple[str, ...] = ()
    open: bool = False
    refused: str = ""


_VERBS = {
    "subset": _Verb("x", ("subset", "select", "drop")),
    "transform": _Verb("_data", open=True),
    "within": _Verb("data", ("expr", "keepAttrs")),
    "with": _Verb("data", ("expr",)),
    "attach": _Verb("what", ("pos", "name", "warn.conflicts")),
    "na.omit": _Verb("object"),
    "droplevels": _Verb("x", ("except", "exclude")),
    **dict.fromkeys(("filter", "mutate", "select"), _Verb(".data", open=True, refused=".")),
    "drop_na": _Verb("data", open=True),
}


def in_order(call: Call) -> Call:
    """A call of such a function, its data frame first and other arguments by their full names.

    >>> from mix2stan.parser import parse_expression
    >>> str(in_order(parse_expression("subset(sub = x > 0, d)")))
    'subset(d, subset = x > 0)'

    Args:
        call: any call; of a function that is none of them it is left as it is.

    Raises:
        FormulaError: for an argument the function does not have, or has twice.
    """
    verb = _VERBS.get(call.function)
    if verb is None:
        return call
    known = (verb.frame, *verb.others)
    found: dict[str, Argument] = {}
    rest: list[Argument] = []
    for argument in call.args:
        name = None if argument.name is None else _full(argument.name, known, verb.open)
        if name is None and (argument.name is None or verb.open):
            _check_open(argument, verb, call)
            rest.append(argument)
        elif name is None or name in found:
            what = "has no argument" if name is None else "has twice its argument"
            hint = suggestion(str(argument.name), known, what="its arguments")
            message = f"{call.function}() {what} '{argument.name}'"
            raise FormulaError(message, span=argument.span, hint=hint)
        else:
            found[name] = replace(argument, name=None if name == verb.frame else name)
    if verb.frame not in found:
        at = next((i for i, a in enumerate(rest) if a.name is None), None)
        if at is None:
            return call  # the data frame comes through a pipe
        found[verb.frame] = rest.pop(at)
    if not verb.open:
        free = [n for n in verb.others if n not in found]
        if len(rest) > len(free):
            message = f"{call.function}() has no place for this argument"
            raise FormulaError(message, span=rest[len(free)].span)
        found |= {n: replace(a, name=n) for n, a in zip(free, rest, strict=False)}
        rest = []
    first = found.pop(verb.frame)
    return replace(call, args=(first, *(found[n] for n in verb.others if n in found), *rest))


def in_order_if_known(call: Call) -> Call:
    """As :func:`in_order`; what cannot be matched stays, to be refused where the model needs it."""
    try:
        return in_order(call)
    except FormulaError:
        return call


def _full(name: str, known: tuple[str, ...], open_: bool) -> str | None:
    """The argument a name means, None if it is none; those of columns are no abbreviations."""
    if name in known:
        return name
    partial = [] if open_ else [n for n in known if n.startswith(name)]
    return partial[0] if len(partial) == 1 else None


def _check_open(argument: Argument, verb: _Verb, call: Call) -> None:
    if argument.name is not None and verb.refused and argument.name.startswith(verb.refused):
        message = f"'{argument.name}' of {call.function}() cannot be done here"
        raise FormulaError(message, span=argument.span, hint="leave it away, or write it otherwise")
