"""Contrasts that were given to a factor: they belong to its values, and go where these go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mix2stan.errors import Unsupported
from mix2stan.syntax import Argument, Call, Name, Node, Parens

__all__ = ["Coded", "coding_of"]

_LAST = "write contrasts(d$f) <- … behind it, as the last line before the model"
#: Functions of a factor whose value is the factor itself, if it is one.
_SAME = ("as.factor", "I", "identity")
#: Functions that keep some of its values, and its contrasts.
_PARTS = ("[", "rev", "rep", "head", "tail", "sort", "C")


@dataclass(frozen=True)
class Coded:
    """``contrasts(d$f) <- contr.sum(3)``.

    Attributes:
        frame: what d stood for then.
        column: the factor.
        kind: the contrasts, as in :attr:`mix2stan.rtext.options.Options.contrasts`.
    """

    frame: Node
    column: str
    kind: str


def coding_of(column: str, data: Node, coded: Sequence[Coded]) -> Coded | None:
    """The contrasts that a column of a data argument has been given, None if it has none now.

    Args:
        column: its name.
        data: the data frame, by the verbs that made it.
        coded: what was given so far, in order.

    Raises:
        Unsupported: if it cannot be known whether it still has them.
    """
    while True:
        here = [c for c in coded if c.frame == data and c.column == column]
        if here:
            return here[-1]
        match data:
            case Call(function="transform", args=(first, *made)):
                for argument in made:
                    if argument.name == column:
                        source = _source(argument.value)
                        if source is None:
                            _check_lost(argument, first.value, coded)
                            return None
                        column = source
                        break
                data = first.value
            case Call(function="droplevels"):
                return None
            case Call(args=(first, *_)) | Parens(inner=first):
                data = first.value if isinstance(first, Argument) else first
            case _:
                return None


def _source(value: Node) -> str | None:
    """The column whose values another one has, None if they are made anew."""
    match value:
        case Name(name=name):
            return name
        case Parens(inner=inner):
            return _source(inner)
        case Call(function=function, args=(first,)) if function in _SAME:
            return _source(first.value)
    return None


def _check_lost(made: Argument, data: Node, coded: Sequence[Coded]) -> None:
    """Refuse what keeps the contrasts in part, or with other names of levels."""
    match made.value:
        case Call(function=function, args=(Argument(value=Name(name=name)), *rest)):
            levels = rest[0].value if function == "factor" and rest else None
            renamed = isinstance(levels, Call) and levels.function == "levels"
            if (renamed or function in _PARTS) and coding_of(name, data, coded):
                message = f"{name} was given contrasts before this line"
                raise Unsupported(message, span=made.value.span, hint=_LAST)
