"""The formula of a ``brm()``: plain, in ``bf()`` with formulas of parameters, or a sum of these."""

from __future__ import annotations

from dataclasses import dataclass

from mix2stan.dialects.arguments import Arguments
from mix2stan.dialects.bars import summands
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.syntax import Argument, Call, Constant, Formula, Name, Node, Number, Operator

__all__ = ["Part", "Parts", "formulas_of", "responses_of"]


@dataclass(frozen=True)
class Part:
    """The formula of the mean, and what ``bf()`` says besides it.

    ``formulas`` are those of parameters, ``known`` are parameters at known values.
    """

    formula: Formula
    formulas: tuple[Formula, ...] = ()
    family: Node | None = None
    known: tuple[Argument, ...] = ()


@dataclass(frozen=True)
class Parts:
    """All ``bf()`` of a call, and the argument of its ``set_rescor()``."""

    parts: tuple[Part, ...]
    rescor: Node | None = None

    @property
    def several(self) -> bool:
        """Whether they are about more than one response."""
        return len(self.parts) > 1 or len(responses_of(self.parts[0].formula)) > 1


def responses_of(formula: Formula) -> tuple[Node, ...]:
    """The responses of ``mvbind(a, b) ~ x``, or the one of ``y ~ x``; nothing if it has none."""
    match formula.left:
        case Call(function="mvbind", args=args):
            return tuple(a.value for a in args)
        case None:
            return ()
        case response:
            return (response,)


def formulas_of(arguments: Arguments) -> Parts:
    """What the call's formula says.

    Raises:
        FormulaError: if it is no formula, or ``bf()`` has none.
        Unsupported: for a part of it that cannot be expressed.
    """
    node, parts, rescor = arguments.get("formula"), list[Part](), None
    match node:
        case Call(function="mvbf" | "mvbrmsformula", args=args):
            # rescor = TRUE is what set_rescor(TRUE) adds
            pieces = tuple(_added(a) for a in args)
        case None:
            pieces = ()
        case _:
            pieces = summands(node)
    for piece in pieces:
        match piece:
            case Call(function="set_rescor", args=(value, *_)) if parts:
                rescor = value.value
            case Call(function="bf" | "brmsformula"):
                parts.append(_part(piece))
            case Formula():
                parts.append(Part(piece))
            case _ if parts:
                message = f"this part of the formula cannot be expressed: {piece}"
                hint = "bf(y1 ~ x) + bf(y2 ~ x) + set_rescor(TRUE) can"
                raise Unsupported(message, span=piece.span, hint=hint)
    if not parts:
        # says what is wrong with it
        parts.append(Part(arguments.formula("formula", "brm(y ~ x + (1 | g))")))
    return Parts(tuple(parts), rescor)


def _added(argument: Argument) -> Node:
    """An argument of ``mvbf()`` as what is added to a formula."""
    if argument.name is None:
        return argument.value
    return Call(f"set_{argument.name}", (Argument(None, argument.value),), span=argument.span)


def _part(call: Call) -> Part:
    """``bf(y ~ x, sigma ~ x, nu = 4, family = student())``."""
    first, *others = call.args or (Argument(None, call),)
    if not isinstance(first.value, Formula):
        message = f"{call.function}() needs a formula"
        raise FormulaError(message, span=call.span, hint="write bf(y ~ x + (1 | g))")
    formulas: list[Formula] = []
    known: list[Argument] = []
    family = None
    for argument in others:
        match argument.value:
            case Formula(left=Name()) as formula if argument.name is None:
                formulas.append(formula)
            case value if argument.name == "family":
                family = value
            case Number() | Operator("-", (Number(),)) if argument.name is not None:
                known.append(argument)
            case _ if argument.name in ("center", "decomp") or argument.value == Constant("FALSE"):
                pass
            case value:
                message = f"this part of {call.function}() cannot be expressed: {value}"
                hint = "bf(y ~ x, sigma ~ x + (1 | g)), formulas of parameters, can"
                raise Unsupported(message, span=argument.span, hint=hint)
    return Part(first.value, tuple(formulas), family, tuple(known))
