"""rstanarm's ``prior = normal(0, 1)``, ``prior_aux = exponential(1)`` and their like."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from mix2stan.dialects.arguments import Arguments, Signature, match_arguments
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.graph import ScaledPrior
from mix2stan.syntax import Call, Constant, Name, Node, Number, Operator, Parens

__all__ = ["scaled_priors"]


class _Function(NamedTuple):
    """What makes a prior: the density, and its numbers in R's order with what they are unsaid."""

    density: str
    defaults: Mapping[str, float | None]


_LOCATED: dict[str, float | None] = {"location": 0.0, "scale": None}
_FUNCTIONS = {
    "normal": _Function("normal", _LOCATED),
    "student_t": _Function("student", {"df": 1.0, **_LOCATED}),
    "cauchy": _Function("cauchy", _LOCATED),
    "laplace": _Function("double_exponential", _LOCATED),
    "exponential": _Function("exponential", {"rate": 1.0}),
    "decov": _Function(
        "decov", {"regularization": 1.0, "concentration": 1.0, "shape": 1.0, "scale": 1.0}
    ),
}
_NOT_READ = ("hs", "hs_plus", "lasso", "product_normal", "R2", "dirichlet", "lkj", "mrp_structured")

#: Which functions an argument takes.
_TAKES = {
    "prior": ("normal", "student_t", "cauchy", "laplace"),
    "prior_intercept": ("normal", "student_t", "cauchy"),
    "prior_aux": ("normal", "student_t", "cauchy", "exponential"),
    "prior_covariance": ("decov",),
}


def scaled_priors(arguments: Arguments) -> tuple[ScaledPrior, ...]:
    """The priors that the call has; ``NULL`` is a flat one.

    Raises:
        FormulaError: for what is no prior, or not one of that parameter.
        Unsupported: for one that cannot be expressed.
    """
    found = []
    for name, functions in _TAKES.items():
        if name not in arguments.values:
            continue
        value = arguments.get(name)
        if value is None:
            if name == "prior_covariance":
                span = arguments.values[name].span
                raise FormulaError(
                    "prior_covariance cannot be NULL", span=span, hint="write decov()"
                )
            found.append(ScaledPrior(name, "flat", span=arguments.values[name].span))
        elif not (isinstance(value, Call) and value.function.startswith("default_prior_")):
            found.append(_read(name, value, functions))
    return tuple(found)


def _read(name: str, node: Node, functions: tuple[str, ...]) -> ScaledPrior:
    example = f"write {name} = {functions[0]}()"
    if isinstance(node, Parens):
        return _read(name, node.inner, functions)
    if isinstance(node, Name):
        message = f"the prior {node} is not known: its text is not here"
        hint = f"put it into the call, or {node} <- {functions[0]}(…) before it"
        raise FormulaError(message, span=node.span, hint=hint)
    if not isinstance(node, Call) or node.function not in (*_FUNCTIONS, *_NOT_READ):
        raise FormulaError(f"{node} is no prior of rstanarm", span=node.span, hint=example)
    if node.function in _NOT_READ:
        message = f"the prior {node.function}() of rstanarm cannot be expressed"
        raise Unsupported(message, span=node.span, hint=f"{' and '.join(functions)} can")
    if node.function not in functions:
        hint = suggestion(node.function, functions, what="its priors")
        raise FormulaError(f"{name} cannot be {node.function}()", span=node.span, hint=hint)
    function = _FUNCTIONS[node.function]
    scales = () if function.density == "decov" else ("autoscale",)
    given = match_arguments(node, Signature((*function.defaults, *scales)))
    values: list[tuple[str, tuple[float, ...]]] = []
    for slot, default in function.defaults.items():
        value = given.get(slot)
        numbers = (default,) if value is None else _numbers(value)
        if None not in numbers:
            known = tuple(x for x in numbers if x is not None)
            _check(slot, known, value or node)
            values.append((slot, known))
    autoscale = given.truth("autoscale", False)
    given.finish()
    return ScaledPrior(name, function.density, tuple(values), autoscale, span=node.span)


def _check(slot: str, numbers: tuple[float, ...], node: Node) -> None:
    if slot != "location" and min(numbers) <= 0:
        raise FormulaError(f"{slot} has to be positive", span=node.span)


def _numbers(node: Node) -> tuple[float, ...]:
    if isinstance(node, Call) and node.function == "c":
        return tuple(_number(argument.value) for argument in node.args)
    return (_number(node),)


def _number(node: Node) -> float:
    """A number, as R computes it from others."""
    match node:
        case Number(value=value):
            return value
        case Parens(inner=inner):
            return _number(inner)
        case Operator(symbol="-", operands=(one,)):
            return -_number(one)
        case Operator(symbol="+", operands=operands):
            return sum(map(_number, operands))
        case Operator(symbol="-" | "*" | "/" | "^" as symbol, operands=(left, right)):
            found = _computed(symbol, _number(left), _number(right))
            if found is not None:
                return found
        case Operator(symbol="*", operands=operands):
            return math.prod(map(_number, operands))
        case Call(function="sqrt" | "log" | "exp" as name, args=(argument,)):
            return float(getattr(math, name)(_number(argument.value)))
        case Name(name="pi"):
            return math.pi
        case Constant():
            pass
    hint = "numbers are written as they are, or as c(1, 2)"
    raise FormulaError(f"{node} is no number", span=node.span, hint=hint)


def _computed(symbol: str, left: float, right: float) -> float | None:
    if symbol == "/":
        return left / right if right else None
    if symbol == "^":
        try:
            return float(left**right)
        except (OverflowError, ZeroDivisionError, TypeError):
            return None
    return left * right if symbol == "*" else left - right
