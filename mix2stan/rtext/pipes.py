"""R's pipes: ``d |> lmer(y ~ x + (1 | g), data = _)``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mix2stan.design.verb_arguments import in_order_if_known
from mix2stan.errors import FormulaError
from mix2stan.rtext.update import argument_names
from mix2stan.syntax import Argument, Call, Formula, Name, Operator, Parens, String

__all__ = ["PIPES", "piped"]

#: The pipes, by the name that stands for what comes in.
PIPES = {"|>": "_", "%>%": ".", "%T>%": ".", "%$%": ""}

_SWAPPED = (
    "R puts what comes through the pipe first, where the formula is: it is read as data = ; "
    "write data = _"
)


def piped(node: Operator, functions: Mapping[str, Sequence[str]]) -> tuple[Call, str]:
    """The call that a pipe stands for, and a remark if R would not take it so.

    Args:
        node: the pipe.
        functions: the model functions, by their arguments.

    Raises:
        FormulaError: if there is no call on its right.
    """
    left, right = node.operands
    if isinstance(right, Name) and node.symbol != "|>":
        right = Call(right.name, span=right.span)
    if not isinstance(right, Call):
        message = f"a call has to stand right of {node.symbol}"
        raise FormulaError(message, span=right.span, hint="as in d |> lmer(y ~ x, data = _)")
    if node.symbol == "%$%":
        both = tuple(Argument(None, side, span=side.span) for side in (left, right))
        return Call("with", both, span=node.span), ""
    place = Name(PIPES[node.symbol])
    if any(a.value == place for a in right.args):
        args = tuple(replace(a, value=left) if a.value == place else a for a in right.args)
        return in_order_if_known(replace(right, args=args)), ""
    first = Argument(None, left, span=left.span)
    call = replace(right, args=(first, *right.args))
    if right.function in functions and not _is_formula(left):
        places = argument_names(call, functions[right.function])
        formulas = [p for a, p in zip(right.args, places[1:], strict=True) if _is_formula(a.value)]
        if places[0] == functions[right.function][0] and formulas:
            data = Argument("data", left, span=left.span)
            return replace(right, args=(*right.args, data)), _SWAPPED
    return in_order_if_known(call), ""


def _is_formula(node: object) -> bool:
    match node:
        case Formula():
            return True
        case Parens(inner=inner):
            return _is_formula(inner)
        case String(value=text):
            return "~" in text
        case Call(function="bf" | "brmsformula" | "formula" | "as.formula"):
            return True
    return False
