"""What MCMCglmm's ``prior =`` says of the structure of a term: known variances, and ``fix``."""

from __future__ import annotations

from mix2stan.errors import FormulaError, Span
from mix2stan.syntax import Call, Node, Number, Operator, Parens

__all__ = ["fixed_from", "fixed_residual", "known_variances"]


def fixed_from(prior: Node | None, term: int, function: Call) -> int:
    """The column from which a term's variances are fixed.

    Raises:
        FormulaError: if the prior does not say.
    """
    match _entry(prior, term, "fix"):
        case Number(value=value) if value >= 1 and value == int(value):
            return int(value)
        case None:
            hint = f"write prior = list(G = list(G{term + 1} = list(V = diag(3), nu = 3, fix = 2)))"
            message = f"{function.function}() needs 'fix' in the prior"
            raise FormulaError(message, span=function.span, hint=hint)
        case other:
            raise FormulaError("'fix' has to be a whole number", span=other.span)


def known_variances(prior: Node | None, term: int, function: Call) -> tuple[float, ...]:
    """The diagonal of a term's V.

    Raises:
        FormulaError: if the prior does not say, or a variance is not positive.
    """
    V = _entry(prior, term, "V")
    if V is None:
        hint = f"write prior = list(G = list(G{term + 1} = list(V = diag(c(1, 4)), nu = 3)))"
        message = f"{function.function}() needs 'V' in the prior"
        raise FormulaError(message, span=function.span, hint=hint)
    variances = tuple(_diagonal(V))
    if min(variances) <= 0:
        raise FormulaError("the variances in V have to be positive", span=V.span)
    return variances


def fixed_residual(prior: Node | None, family: str, span: Span) -> float:
    """The residual variance that ``prior$R`` fixes; such data do not identify it.

    Raises:
        FormulaError: if the prior does not fix it.
    """
    R = _element(prior, "R", None)
    V, fix = _element(R, "V", None), _element(R, "fix", None)
    if V is None or not isinstance(fix, Number):
        message = f"the residual variance of the family {family} is not identified"
        hint = "fix it: prior = list(R = list(V = 1, fix = 1))"
        raise FormulaError(message, span=span if R is None else R.span, hint=hint)
    variances = _diagonal(V)
    if len(variances) != 1 or variances[0] <= 0:
        raise FormulaError("the residual variance has to be a positive number", span=V.span)
    return variances[0]


def _entry(prior: Node | None, term: int, name: str) -> Node | None:
    """``prior$G[[term]]$name``."""
    terms = _element(prior, "G", None)
    return _element(_element(terms, f"G{term + 1}", term), name, None)


def _element(node: Node | None, name: str, position: int | None) -> Node | None:
    """An element of ``list(…)`` by name, or by position."""
    if not isinstance(node, Call) or node.function != "list":
        return None
    for argument in node.args:
        if argument.name == name:
            return argument.value
    if position is not None and position < len(node.args):
        return node.args[position].value
    return None


def _diagonal(V: Node) -> list[float]:
    """The diagonal of ``diag(…)``, ``matrix(…)`` or a number, times or over numbers."""
    match V:
        case Parens(inner=inner):
            return _diagonal(inner)
        case Number(value=value):
            return [value]
        case Operator(symbol="*", operands=(Number(value=factor), other)):
            return [factor * v for v in _diagonal(other)]
        case Operator(symbol="*", operands=(other, Number(value=factor))):
            return [factor * v for v in _diagonal(other)]
        case Operator(symbol="/", operands=(other, Number(value=divisor))) if divisor:
            return [v / divisor for v in _diagonal(other)]
        case Call(function="diag", args=(only,)):
            values = _vector(only.value)
            return [1.0] * int(values[0]) if len(values) == 1 else values
        case Call(function="diag", args=(first, second)):
            values, (n, *_) = _vector(first.value), _vector(second.value)
            return [values[i % len(values)] for i in range(int(n))]
        case Call(function="matrix", args=(first, *_)):
            values = _vector(first.value)
            n = round(len(values) ** 0.5)
            if n * n == len(values):
                return values[:: n + 1]
    raise FormulaError("V cannot be read", span=V.span, hint="write V = diag(c(1, 4))")


def _vector(node: Node) -> list[float]:
    match node:
        case Number(value=value):
            return [value]
        case Call(function="c", args=args) if args:
            return [v for argument in args for v in _vector(argument.value)]
    raise FormulaError("numbers are expected here", span=node.span, hint="write c(1, 4)")
