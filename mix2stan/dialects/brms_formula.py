"""The formula of a ``brm()``: plain, in ``bf()`` with formulas of parameters, or a sum of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mix2stan.dialects.arguments import Arguments
from mix2stan.dialects.bars import summands
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.syntax import (
    Argument,
    Call,
    Constant,
    Formula,
    Name,
    Node,
    Number,
    Operator,
    String,
)

__all__ = ["Part", "Parts", "formulas_of", "responses_of"]


@dataclass(frozen=True)
class Part:
    """The formula of the mean, and what ``bf()`` says besides it.

    ``formulas`` are those of parameters, ``known`` are parameters at known values.  Not ``centred``:
    the intercept is a coefficient as the others; not ``cells``: factors without an intercept are coded
    as beside one; ``orthogonal``: priors of coefficients are of those of orthogonal columns.
    """

    formula: Formula
    formulas: tuple[Formula, ...] = ()
    family: Node | None = None
    known: tuple[Argument, ...] = ()
    centred: bool = True
    cells: bool = True
    orthogonal: bool = False


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
            case Call(function="set_rescor", args=(value,)) if parts:
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
    part = Part(first.value)
    for argument in others:
        part = _SETTINGS.get(argument.name or "", _of_parameter)(part, argument)
    return part


def _of_parameter(part: Part, argument: Argument) -> Part:
    """A formula of a parameter, or its value."""
    match argument.value:
        case Formula(left=Name()) as formula if argument.name is None:
            return replace(part, formulas=(*part.formulas, formula))
        case Number() | Operator("-", (Number(),)) if argument.name is not None:
            return replace(part, known=(*part.known, argument))
    named = "" if argument.name is None else f"{argument.name} = "
    message = f"this part of bf() cannot be expressed: {named}{argument.value}"
    hint = "bf(y ~ x, sigma ~ x + (1 | g)), formulas of parameters, can"
    raise Unsupported(message, span=argument.span, hint=hint)


def _family(part: Part, argument: Argument) -> Part:
    return replace(part, family=argument.value)


def _list(part: Part, argument: Argument) -> Part:
    """``flist = list(sigma ~ x)``: further formulas."""
    match argument.value:
        case Constant(name="NULL"):
            return part
        case Call(function="list" | "c", args=args):
            for one in args:
                part = _of_parameter(part, one)
            return part
        case one:
            return _of_parameter(part, Argument(None, one, span=argument.span))


def _centre(part: Part, argument: Argument) -> Part:
    return replace(part, centred=_truth(argument))


def _cells(part: Part, argument: Argument) -> Part:
    return replace(part, cells=_truth(argument))


def _nonlinear(part: Part, argument: Argument) -> Part:
    if _truth(argument):
        message = "a non-linear formula of brms cannot be expressed: nl = TRUE"
        hint = "means are linear in their coefficients: transform columns, as in I(x^2) or log(x)"
        raise Unsupported(message, span=argument.span, hint=hint)
    return part


def _decomposed(part: Part, argument: Argument) -> Part:
    if argument.value not in (String("QR"), String("none"), Constant("NULL")):
        raise FormulaError("decomp is 'QR' or 'none'", span=argument.span)
    return replace(part, orthogonal=argument.value == String("QR"))


def _without_effect(part: Part, argument: Argument) -> Part:
    """How brms computes: the posterior is the same."""
    _truth(argument)
    return part


def _refused(hint: str) -> Callable[[Part, Argument], Part]:
    def refuse(part: Part, argument: Argument) -> Part:
        if argument.value == Constant("NULL"):
            return part
        message = f"'{argument.name}' of bf() cannot be expressed"
        raise Unsupported(message, span=argument.span, hint=hint)

    return refuse


def _truth(argument: Argument) -> bool:
    if argument.value not in (Constant("TRUE"), Constant("FALSE")):
        message = f"{argument.name} of bf() is TRUE or FALSE"
        raise FormulaError(message, span=argument.span)
    return argument.value == Constant("TRUE")


#: What the arguments of ``bf()`` say that are no parameters.
_SETTINGS: dict[str, Callable[[Part, Argument], Part]] = {
    "family": _family,
    "flist": _list,
    "center": _centre,
    "cmc": _cells,
    "nl": _nonlinear,
    "decomp": _decomposed,
    "sparse": _without_effect,
    "loop": _without_effect,
    "autocor": _refused("write ar(time = t, gr = g, cov = TRUE) in the formula"),
    "unused": _refused("rows that lack a value can be left out of the data first"),
    "mecor": _refused("covariates are taken as they are"),
}
