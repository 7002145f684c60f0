"""R's ``update()``: arguments replaced, formulas with ``.`` for what stood there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mix2stan.design import terms
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
    Parens,
    names_in,
    rewrite,
    walk,
)

__all__ = ["argument_names", "updated_call", "updated_formula"]

_DOT = Name(".")


def argument_names(call: Call, names: Sequence[str]) -> tuple[str, ...]:
    """The full names of a call's arguments, in the order of the text, as R matches them.

    >>> from mix2stan.parser import parse_expression
    >>> argument_names(parse_expression("lm(dat = d, y ~ x)"), ("formula", "data"))
    ('data', 'formula')
    """
    found = [a.name if a.name is None else _full(a.name, names) for a in call.args]
    free = iter([name for name in names if name not in found])
    return tuple(next(free, "") if name is None else name for name in found)


def _full(name: str, names: Sequence[str]) -> str:
    partial = [n for n in names if n.startswith(name)]
    return partial[0] if name not in names and len(partial) == 1 else name


def updated_call(model: Call, update: Call, names: Sequence[str]) -> Call:
    """A model's call with the arguments of ``update(m, …)`` in place of its own.

    Args:
        model: the call, its formula a formula.
        update: the call of ``update``, the model in its first place.
        names: the arguments of the model's function; the first is its formula.

    Raises:
        FormulaError: for a second formula, or one that cannot be updated.
    """
    first, change, extras = names[0], None, []
    for argument in update.args[1:]:
        # update's own second argument is formula., that of lme is fixed.
        own = argument.name is None or any(
            f"{n}.".startswith(argument.name) for n in (first, "formula")
        )
        if own and change is not None:
            raise FormulaError("update() takes one formula", span=argument.span)
        if own:
            change = argument.value
        elif argument.name not in ("evaluate", "recompile"):
            extras.append(argument)
    for argument in extras:
        name = "data" if argument.name == "newdata" else _full(str(argument.name), names)
        model = _with(model, name, argument.value, names)
    if change is None or change == Constant("NULL"):
        return model
    old = next(
        (
            a.value
            for a, name in zip(model.args, argument_names(model, names), strict=True)
            if name == first
        ),
        None,
    )
    hint = "write update(m, . ~ . - x)"
    if not isinstance(change, Formula):
        raise FormulaError("update() takes a formula here", span=change.span, hint=hint)
    if not isinstance(old, Formula):
        message = f"the formula of {model.function}() cannot be updated: it is {old}"
        raise Unsupported(message, span=change.span, hint="write the whole call")
    return _with(model, first, updated_formula(old, change), names)


def _with(call: Call, name: str, value: Node, names: Sequence[str]) -> Call:
    """A call with an argument replaced, or added at its end; ``NULL`` takes it away."""
    places = argument_names(call, names)
    if value == Constant("NULL"):
        # what stands behind it keeps its meaning by its name
        kept = [
            replace(a, name=n) if a.name is None and n != names[0] else a
            for a, n in zip(call.args, places, strict=True)
            if n != name
        ]
        return replace(call, args=tuple(kept))
    if name in places:
        args = list(call.args)
        at = places.index(name)
        args[at] = replace(args[at], value=value)
        return replace(call, args=tuple(args))
    return replace(call, args=(*call.args, Argument(name, value, span=value.span)))


def updated_formula(old: Formula, new: Formula) -> Formula:
    """R's ``update.formula``: ``.`` is what stood on its side; what is left is simplified.

    >>> from mix2stan.parser import parse_expression as read
    >>> str(updated_formula(read("y ~ a * b + (1 | g)"), read("log(.) ~ . - a:b")))
    'log(y) ~ a + b + (1 | g)'
    """
    if _DOT in names_in(old.right):
        message = "a formula with '.' for all columns cannot be updated"
        raise Unsupported(message, span=new.span, hint="write its columns")
    left = old.left
    if new.left is not None and old.left is not None:
        left = _dotted(new.left, old.left)
    fixed: list[Node] = []
    bars: list[Node] = []
    for sign, part in _parts(new.right, old.right):
        if _is_bar(part):
            _change_bar(bars, sign, part)
        elif sign < 0 and isinstance(part, Call) and part.function == "offset":
            message = "update() does not take an offset away: R keeps it"
            raise Unsupported(message, span=part.span, hint="write the whole formula")
        else:
            fixed.append(part if sign > 0 else Operator("-", (part,), span=part.span))
    return Formula(left, _summed([*_simplified(fixed, bars), *bars], new), span=new.span)


def _dotted(node: Node, old: Node) -> Node:
    return rewrite(node, lambda inner: old if inner == _DOT else inner)


def _parts(node: Node, old: Node) -> list[tuple[int, Node]]:
    """The terms that are added, +1, and taken away, -1, in order."""
    match node:
        case Operator(symbol="+", operands=operands):
            return [part for operand in operands for part in _parts(operand, old)]
        case Operator(symbol="-", operands=(operand,)) if not _is_bar(operand):
            if operand == _DOT:
                return [(-sign, part) for sign, part in _parts(operand, old)]
            return [(-1, _within(operand, old))]
        case Operator(symbol="-", operands=(operand,)):
            return [(-1, operand)]
        case Name(name="."):
            return _old_parts(old)
        case Parens(inner=inner) if not _is_bar(node):
            return _parts(inner, old)
    return [(1, node if _is_bar(node) else _within(node, old))]


def _old_parts(old: Node) -> list[tuple[int, Node]]:
    if isinstance(old, Operator) and old.symbol in ("|", "||"):
        # the whole right side is one bar without brackets
        return [(1, Number(1.0)), (1, Parens(old, span=old.span))]
    return _parts(old, old)


def _within(node: Node, old: Node) -> Node:
    """A term with ``.`` in it, as ``.:x``."""
    if _DOT not in names_in(node):
        return node
    if any(_is_bar(inner) for inner in walk(old)):
        message = f"{node} would multiply random terms"
        raise FormulaError(message, span=node.span, hint="write … + (1 | g) behind the rest")
    return _dotted(node, Parens(old, span=old.span))


def _is_bar(node: Node) -> bool:
    """Whether a term is random: ``(x | g)``, or a structure of one, ``ar1(0 + t | g)``."""
    match node:
        case Parens(inner=Operator(symbol="|" | "||")):
            return True
        case Call(args=(Argument(value=Operator(symbol="|" | "||")), *_)):
            return True
    return False


def _change_bar(bars: list[Node], sign: int, bar: Node) -> None:
    if sign > 0 and bar not in bars:
        bars.append(bar)
    elif sign < 0 and bar in bars:
        bars.remove(bar)
    elif sign < 0:
        named = ", ".join(map(str, bars)) or "there are none"
        message = f"the model has no term {bar} to take away: R would leave it as it is"
        raise FormulaError(message, span=bar.span, hint=f"its random terms: {named}")


def _simplified(fixed: list[Node], bars: list[Node]) -> list[Node]:
    """The terms by degree, each once, as ``terms.formula(simplify = TRUE)`` writes them."""
    if not fixed:
        return [] if bars else [Number(1.0)]
    span = fixed[0].span
    found = terms(Operator("+", tuple(fixed), span=span), columns=())
    parts = [replace(term.product, span=span) for term in found.terms]
    parts += [Call("offset", (Argument(None, o),), span=span) for o in found.offsets]
    if not found.intercept:
        parts.append(Operator("-", (Number(1.0, span=span),), span=span))
    elif not found.terms:
        parts.insert(0, Number(1.0, span=span))
    return parts


def _summed(parts: list[Node], new: Formula) -> Node:
    return parts[0] if len(parts) == 1 else Operator("+", tuple(parts), span=new.right.span)
