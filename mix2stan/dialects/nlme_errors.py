"""nlme's ``weights`` and ``correlation``: the classes varFunc and corStruct."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from mix2stan.counts import bounded
from mix2stan.dialects.arguments import Arguments, Signature, match_arguments
from mix2stan.dialects.bars import summands
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.graph import ErrorCorrelation, Factor, Given, Residual, VarianceFunction
from mix2stan.residuals import CORRELATIONS, METRICS, VARIANCES, partial_autocorrelations
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
    String,
    walk,
)

__all__ = ["formless", "residual"]

_VARIANCE_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "varFixed": ("value",),
    "varIdent": ("value", "form", "fixed"),
    "varPower": ("value", "form", "fixed"),
    "varExp": ("value", "form", "fixed"),
    "varConstPower": ("const", "power", "form", "fixed"),
    "varConstProp": ("const", "prop", "form", "fixed"),
}
#: The largest order of an ARMA process.
_MOST_LAGS = 1_000
_CORRELATION_ARGUMENTS = {
    **dict.fromkeys(("corCompSymm", "corSymm", "corAR1", "corCAR1"), ("value", "form", "fixed")),
    "corARMA": ("value", "form", "p", "q", "fixed"),
    **dict.fromkeys(
        ("corExp", "corGaus", "corLin", "corRatio", "corSpher"),
        ("value", "form", "nugget", "metric", "fixed"),
    ),
}
#: The classes with a formula 'form', which is not their first argument.
_FORMED = {
    name: names
    for name, names in {**_VARIANCE_ARGUMENTS, **_CORRELATION_ARGUMENTS}.items()
    if "form" in names
}


def residual(arguments: Arguments, innermost: Factor | None = None) -> Residual:
    """What ``weights`` and ``correlation`` say of the errors.

    Args:
        arguments: those of ``lme`` or ``gls``.
        innermost: the factor within which errors are correlated if the call names none.

    Raises:
        FormulaError: for what the classes do not take.
        Unsupported: for a class that cannot be expressed.
    """
    weights, correlation = arguments.get("weights"), arguments.get("correlation")
    parts = [] if weights is None else _variances(weights)
    found = None if correlation is None else _correlation(correlation, innermost)
    # the order of a product does not matter: equal models have equal graphs
    return Residual(tuple(sorted(parts, key=str)), found)


def formless(arguments: Arguments) -> tuple[str, ...]:
    """Remarks on classes whose formula stands where R has values: ``varIdent(~ 1 | f)``."""
    remarks = []
    for part in (arguments.get("weights"), arguments.get("correlation")):
        for node in () if part is None else walk(part):
            names = _FORMED.get(node.function) if isinstance(node, Call) else None
            if names is None or not isinstance(node, Call):
                continue
            given = match_arguments(node, Signature(names))
            value = given.get(names[0])
            if not isinstance(value, Formula) or given.get("form") is not None:
                continue
            does = "fits one variance, without a word" if node.function == "varIdent" else "stops"
            meant = f"{node.function}(form = {value})"
            remarks.append(f"{node} is read as {meant}; without 'form =' R {does}")
    return tuple(remarks)


# -- variance functions ----------------------------------------------------------------------------


def _variances(node: Node) -> list[VarianceFunction]:
    match node:
        case Formula(left=None):
            return [_fixed_variance(node)]
        case Call(function="varComb", args=args) if args:
            return [part for argument in args for part in _variances(argument.value)]
        case Call(function=name) if name in _VARIANCE_ARGUMENTS:
            return [_variance(node)]
        case Call(function=name):
            raise _no_class(node, (*VARIANCES, "varComb"))
    message = "'weights' has to be a variance function"
    hint = "write weights = varIdent(form = ~ 1 | f), or weights = ~ v for a variance like v"
    raise FormulaError(message, span=node.span, hint=hint)


def _no_class(call: Call, known: Iterable[str]) -> FormulaError:
    """A class that is none of nlme's, or of which nlme has more than are known."""
    name, known = call.function, tuple(known)
    hint = suggestion(name, known, what="available")
    if name.startswith(known[0][:3]):
        return Unsupported(f"the class {name}() cannot be expressed", span=call.span, hint=hint)
    return FormulaError(f"there is no class {name}()", span=call.span, hint=hint)


def _variance(call: Call) -> VarianceFunction:
    given = match_arguments(call, Signature(_VARIANCE_ARGUMENTS[call.function]))
    row = VARIANCES[call.function]
    if call.function == "varFixed":
        return _fixed_variance(given.formula("value", "varFixed(~ v)"))
    right, strata = _form(given, f"{call.function}(form = ~ v | f)", "*")
    # an expression, computed as it stands: a + b is a sum
    covariates = () if right in (None, Number(1.0)) else (right,)
    if row.covariate:
        form = given.get("form")
        fitted: Node = Call("fitted", (Argument(None, Name(".")),), span=call.span)
        covariate = covariates[0] if covariates else fitted
        if form is not None and not covariates:
            message = f"{call.function}() needs a covariate"
            hint = f"write {call.function}(form = ~ v | {strata})" if strata else None
            raise FormulaError(message, span=form.span, hint=hint)
        if isinstance(covariate, Call) and covariate.function == "fitted":
            covariate = fitted
    else:
        # nlme ignores what stands before the strata
        covariate = None
        if strata is None:
            message = f"{call.function}() is about strata alone"
            raise FormulaError(message, span=call.span, hint="write varIdent(form = ~ 1 | f)")
    names = [p.name for p in row.parameters]
    fixed = _fixed(given.get("fixed"), names)
    start: dict[str, tuple[tuple[str, float], ...]] = {}
    for name in names:
        value = given.get(name if len(names) > 1 else "value")
        if value is not None and not isinstance(value, Formula):
            start[name] = tuple(_numbers(value))
    return VarianceFunction(
        call.function,
        covariate,
        strata,
        fixed if strata else _unnamed(fixed),
        tuple(start.items()) if strata else _unnamed(start.items()),
        span=call.span,
    )


def _fixed_variance(formula: Formula) -> VarianceFunction:
    """``~ v``: a variance proportional to v."""
    right = formula.right
    if isinstance(right, Operator) and right.symbol == "|":
        message = "varFixed() has no strata"
        raise FormulaError(message, span=right.span, hint=f"write varFixed(~ {right.operands[0]})")
    return VarianceFunction("varFixed", right, span=formula.span)


def _fixed(node: Node | None, names: list[str]) -> Given:
    """``fixed = 0.5``, ``fixed = c(a = 2)``, or ``fixed = list(const = 1, power = …)``."""
    if node is None:
        return ()
    if len(names) == 1:
        return ((names[0], tuple(_numbers(node))),)
    if not isinstance(node, Call) or node.function not in ("list", "c"):
        hint = f"write fixed = list({names[0]} = 1)"
        raise FormulaError("'fixed' has to name its parameters", span=node.span, hint=hint)
    given: list[tuple[str, tuple[tuple[str, float], ...]]] = []
    for argument in node.args:
        if argument.name not in names:
            hint = suggestion(argument.name or "", names, what="its parameters")
            message = "'fixed' has to name its parameters"
            raise FormulaError(message, span=argument.span, hint=hint)
        given.append((argument.name, tuple(_numbers(argument.value))))
    return tuple(sorted(given))


def _unnamed(given: Iterable[tuple[str, tuple[tuple[str, float], ...]]]) -> Given:
    """The same numbers where there are no strata that their names could be of."""
    return tuple((name, tuple(("", x) for _, x in numbers)) for name, numbers in given)


# -- correlations ----------------------------------------------------------------------------------


def _correlation(node: Node, innermost: Factor | None) -> ErrorCorrelation:
    if not isinstance(node, Call) or node.function not in _CORRELATION_ARGUMENTS:
        if isinstance(node, Call):
            raise _no_class(node, CORRELATIONS)
        hint = "write correlation = corAR1(form = ~ t | g)"
        raise FormulaError("'correlation' has to be a structure", span=node.span, hint=hint)
    kind = node.function
    given = match_arguments(node, Signature(_CORRELATION_ARGUMENTS[kind]))
    right, block = _form(given, f"{kind}(form = ~ t | g)", "/")
    covariates = () if right is None else tuple(p for p in summands(right) if not _is_constant(p))
    row = CORRELATIONS[kind]
    if len(covariates) > 1 and row.times != "place":
        message = f"{kind}() has one covariate"
        raise FormulaError(message, span=node.span, hint="corExp() and its like have coordinates")
    # exchangeable errors have no order, so their covariate means nothing
    covariates = () if row.times == "any" else covariates
    orders = (_order(given, "p"), _order(given, "q")) if kind == "corARMA" else (0, 0)
    if kind == "corARMA" and not any(orders):
        message = "corARMA() needs an order"
        raise FormulaError(message, span=node.span, hint="write corARMA(p = 1, q = 1)")
    value = given.get("value")
    values = () if isinstance(value, Formula) else _values(value, kind, orders)
    if kind == "corARMA" and orders == (1, 0):
        kind = "corAR1"
    fixed = _flag(given.get("fixed"))
    if fixed and not values:
        hint = f"write {kind}(value = …, fixed = TRUE)"
        raise FormulaError("fixed = TRUE needs a value", span=node.span, hint=hint)
    return ErrorCorrelation(
        kind,
        covariates,
        block or innermost,
        orders if kind == "corARMA" else (0, 0),
        _flag(given.get("nugget")),
        _metric(given.get("metric")),
        values if fixed else (),
        () if fixed else values,
        span=node.span,
    )


def _values(node: Node | None, kind: str, orders: tuple[int, int]) -> tuple[float, ...]:
    """The numbers of ``value``, in the range of the structure."""
    if node is None:
        return ()
    values = tuple(x for _, x in _numbers(node))
    message = ""
    if kind == "corARMA":
        if len(values) != sum(orders):
            message = f"value has {len(values)} numbers for p + q = {sum(orders)} coefficients"
        else:
            for name, part, sign in (
                ("AR", values[: orders[0]], 1),
                ("MA", values[orders[0] :], -1),
            ):
                inside = partial_autocorrelations(sign * np.array(part))
                if len(inside) < len(part) or (np.abs(inside) >= 1).any():
                    message = f"the {name} coefficients are of no stationary, invertible process"
    elif kind == "corCAR1" and not 0 < values[0] < 1:
        message = "the correlation has to be between 0 and 1"
    elif kind in ("corAR1", "corCompSymm", "corSymm") and max(map(abs, values)) >= 1:
        message = "correlations have to be between -1 and 1"
    elif CORRELATIONS[kind].spatial and (values[0] <= 0 or len(values) > 2):
        message = "value has to be c(range, nugget), the range positive"
    elif CORRELATIONS[kind].spatial and len(values) == 2 and not 0 < values[1] < 1:
        message = "the nugget has to be between 0 and 1"
    elif len(values) > 1 and CORRELATIONS[kind].times != "place" and kind != "corSymm":
        message = f"{kind}() has one parameter"
    if message:
        raise FormulaError(message, span=node.span)
    return values


def _order(given: Arguments, name: str) -> int:
    node = given.get(name)
    if node is None:
        return 0
    if isinstance(node, Number) and node.value >= 0 and node.value == int(node.value):
        return bounded(node.value, _MOST_LAGS, "coefficients of past errors", node.span)
    raise FormulaError(f"the order {name} has to be a whole number", span=node.span)


def _flag(node: Node | None) -> bool:
    match node:
        case None:
            return False
        case Constant(value=bool(value)):
            return value
        case Name(name="T" | "F" as name):
            return name == "T"
    raise FormulaError("TRUE or FALSE is expected here", span=node.span)


def _metric(node: Node | None) -> str:
    if node is None:
        return "euclidean"
    name = node.value if isinstance(node, String) else node.name if isinstance(node, Name) else ""
    full = [m for m in METRICS if name and m.startswith(name)]
    if len(full) == 1:
        return full[0]
    hint = suggestion(name, METRICS, what="the metrics")
    raise FormulaError(f"there is no metric {node}", span=node.span, hint=hint)


# -- what both share -------------------------------------------------------------------------------


def _form(given: Arguments, example: str, joining: str) -> tuple[Node | None, Factor | None]:
    """The covariates and the grouping of ``~ t | g``."""
    values = next(iter(_FORMED[given.call.function]))
    first = given.get(values)
    if given.get("form") is None and not isinstance(first, Formula):
        return None, None
    # varIdent(~ 1 | f) is often written, with the formula where R has the values
    name = "form" if given.get("form") is not None else values
    right = given.formula(name, example).right
    factor = None
    if isinstance(right, Operator) and right.symbol == "|":
        right, group = right.operands
        factor = Factor(tuple(_joined(group, joining)))
    return right, factor


def _is_constant(node: Node) -> bool:
    """``1``, ``-1`` or ``0``, which say of a design whether it has an intercept."""
    if isinstance(node, Operator) and node.symbol == "-" and len(node.operands) == 1:
        node = node.operands[0]
    return isinstance(node, Number)


def _joined(node: Node, symbol: str) -> list[Node]:
    """The factors of ``f * g`` or of ``a/b``."""
    match node:
        case Parens(inner=inner):
            return _joined(inner, symbol)
        case Operator(symbol="*" | "/" | ":", operands=(left, right)):
            return [*_joined(left, symbol), *_joined(right, symbol)]
        case Name() | Call():
            return [node]
    hint = f"write the name of a column, or f {symbol} g for their combinations"
    raise FormulaError(f"{node} cannot be a grouping factor", span=node.span, hint=hint)


def _numbers(node: Node) -> list[tuple[str, float]]:
    """The numbers of ``0.5``, ``c(a = 2, 3)`` or a list, each with its name."""
    if isinstance(node, Call) and node.function in ("c", "list") and node.args:
        return [(a.name or "", x) for a in node.args for _, x in _numbers(a.value)]
    sign = 1.0
    inner = node
    if isinstance(node, Operator) and node.symbol == "-" and len(node.operands) == 1:
        sign, inner = -1.0, node.operands[0]
    if isinstance(inner, Number):
        return [("", sign * inner.value)]
    raise FormulaError("a number is expected here", span=node.span, hint="write 0.5, or c(a = 2)")
