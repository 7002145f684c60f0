"""``poly``, ``bs`` and ``ns``: columns learnt from the data and replayed on new ones.

Sources: R's ``?poly`` (three-term recurrence, Kennedy & Gentle 1980, pp. 343-344), ``?bs`` and
``?ns`` (Hastie in Chambers & Hastie 1992, chapter 7).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mix2stan.design.evaluate import Evaluation
from mix2stan.design.frame import Column
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.syntax import Call, Node

__all__ = ["evaluate_bs", "evaluate_ns", "evaluate_poly"]

Array = NDArray[np.float64]
Arguments = Mapping[str, Node]

_MAX_COLUMNS = 200


def evaluate_poly(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``poly(x, degree, raw)``: orthogonal polynomials over the data, or plain powers.

    Of several variables, ``poly(x, z, degree = 2)``, it is the products of theirs up to that degree.
    """
    if "coefs" in arguments:
        hint = "leave it out: predictions take those of the fit"
        raise Unsupported("poly() learns its own", span=arguments["coefs"].span, hint=hint)
    further = [node for name, node in arguments.items() if name.startswith("...")]
    if "degree" not in arguments and len(further) == 1:
        arguments, further = {**arguments, "degree": further[0]}, []
    degree = _whole(evaluation, arguments, "degree", 1)
    raw = "raw" in arguments and evaluation.flag(arguments["raw"])
    variables = [_vector(evaluation, node) for node in (arguments["x"], *further)]

    def learn() -> tuple[tuple[Array, Array], ...]:
        return tuple(_coefficients(x[~np.isnan(x)], degree, call) for x in variables)

    if raw:
        powers = [x[:, None] ** np.arange(degree + 1) for x in variables]
    else:
        learnt = evaluation.remember(call, learn)
        powers = [
            _recurrence(x, alpha, norms) / np.sqrt(np.append(1.0, norms[2:]))
            for x, (alpha, norms) in zip(variables, learnt, strict=True)
        ]
    if len(variables) == 1:
        return Column.numeric(powers[0][:, 1:], [str(i + 1) for i in range(degree)])
    made = math.comb(degree + len(variables), degree) - 1
    evaluation.table(len(powers[0]), made, call)
    evaluation.words((degree + 1) ** len(variables), call, "products of degrees")
    # the first variable's degree fastest, as in expand.grid()
    degrees = [d[::-1] for d in itertools.product(range(degree + 1), repeat=len(variables))]
    degrees = [d for d in degrees if 0 < sum(d) <= degree]
    columns = [np.prod([p[:, k] for p, k in zip(powers, d, strict=True)], axis=0) for d in degrees]
    return Column.numeric(np.column_stack(columns), [".".join(map(str, d)) for d in degrees])


def _coefficients(known: Array, degree: int, call: Call) -> tuple[Array, Array]:
    if degree >= len(np.unique(known)):
        message = f"poly() of degree {degree} needs more than {degree} different values"
        raise FormulaError(message, span=call.span)
    return _orthogonal_coefficients(known, degree)


def _orthogonal_coefficients(x: Array, degree: int) -> tuple[Array, Array]:
    """The recurrence's centres, and squared norms (1, n, …) as R keeps them."""
    alpha = np.zeros(degree)
    norms = np.ones(degree + 2)
    previous, current = np.zeros_like(x), np.ones_like(x)
    norms[1] = len(x)
    for i in range(degree):
        alpha[i] = np.sum(x * current**2) / norms[i + 1]
        ratio = norms[i + 1] / norms[i] if i else 0.0
        previous, current = current, (x - alpha[i]) * current - ratio * previous
        norms[i + 2] = np.sum(current**2)
    return alpha, norms


def _recurrence(x: Array, alpha: Array, norms: Array) -> Array:
    """The monic orthogonal polynomials of degree 0, 1, … at x; shape (n, degree + 1)."""
    columns = [np.ones_like(x)]
    for i, centre in enumerate(alpha):
        nxt = (x - centre) * columns[-1]
        if i:
            nxt = nxt - norms[i + 1] / norms[i] * columns[-2]
        columns.append(nxt)
    return np.column_stack(columns)


def evaluate_bs(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``bs(x, df, knots, degree, intercept, Boundary.knots)``: B-splines."""
    x = _vector(evaluation, arguments["x"])
    degree = _whole(evaluation, arguments, "degree", 3)
    intercept = "intercept" in arguments and evaluation.flag(arguments["intercept"])

    def learn() -> Array:
        return _knots(evaluation, call, arguments, x, degree, fewest=degree + int(intercept))

    knots = evaluation.remember(call, learn)
    basis = _b_splines(x, knots, degree)
    basis = basis if intercept else basis[:, 1:]
    return Column.numeric(basis, [str(i + 1) for i in range(basis.shape[1])])


def evaluate_ns(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``ns(x, df, knots, intercept, Boundary.knots)``: natural cubic splines."""
    x = _vector(evaluation, arguments["x"])
    intercept = "intercept" in arguments and evaluation.flag(arguments["intercept"])

    def learn() -> Array:
        return _knots(evaluation, call, arguments, x, 3, fewest=1 + int(intercept))

    knots = evaluation.remember(call, learn)
    low, high = knots[0], knots[-1]
    basis = _linear_beyond(x, knots, low, high)
    curvature = _b_splines(np.array([low, high]), knots, 3, derivative=2)
    if not intercept:
        basis, curvature = basis[:, 1:], curvature[:, 1:]
    # the two directions in which the ends bend are rotated into the first columns, and dropped
    Q = np.linalg.qr(curvature.T, mode="complete").Q
    natural = (basis @ Q)[:, 2:]
    return Column.numeric(natural, [str(i + 1) for i in range(natural.shape[1])])


def _linear_beyond(x: Array, knots: Array, low: float, high: float) -> Array:
    """The cubic basis, continued by its tangent outside the boundary knots."""
    inside = np.clip(x, low, high)
    basis = _b_splines(inside, knots, 3)
    beyond = np.where(np.isnan(x), 0.0, x - inside)
    if np.any(beyond):
        basis = basis + beyond[:, None] * _b_splines(inside, knots, 3, derivative=1)
    return basis


def _b_splines(x: Array, knots: Array, degree: int, derivative: int = 0) -> Array:
    """All B-splines (or their derivatives) at x, extrapolated by their end pieces; NaN where x is."""
    from scipy.interpolate import BSpline

    count = len(knots) - degree - 1
    spline = BSpline(knots, np.eye(count), degree, extrapolate=True)
    values = spline(np.nan_to_num(x), nu=derivative)
    values[np.isnan(x)] = np.nan
    return np.asarray(values)


def _knots(
    evaluation: Evaluation, call: Call, arguments: Arguments, x: Array, degree: int, fewest: int
) -> Array:
    """The augmented knot vector; ``df`` places inner knots at quantiles.

    ``fewest`` is the number of columns of a basis without inner knots.
    """
    known = x[~np.isnan(x)]
    if len(known) == 0:
        raise FormulaError(f"{call.function}() needs data", span=call.span)
    ends = np.array([known.min(), known.max()])
    if "Boundary.knots" in arguments:
        ends = np.sort(evaluation.numbers(arguments["Boundary.knots"]).reshape(-1))
    if len(ends) != 2 or ends[0] == ends[1]:
        raise FormulaError("there have to be two different boundary knots", span=call.span)
    if "knots" in arguments:
        inner = np.sort(evaluation.numbers(arguments["knots"]).reshape(-1))
    else:
        inner = _inner_knots(evaluation, arguments, known, ends, fewest)
    if np.any(inner <= ends[0]) or np.any(inner >= ends[1]) or len(inner) > _MAX_COLUMNS:
        raise FormulaError("the knots have to lie inside the boundary knots", span=call.span)
    repeat = degree + 1
    return np.concatenate([np.repeat(ends[0], repeat), inner, np.repeat(ends[1], repeat)])


def _inner_knots(
    evaluation: Evaluation, arguments: Arguments, known: Array, ends: Array, fewest: int
) -> Array:
    """As many quantiles of the data as make ``df`` columns; none if no df is asked for."""
    df = _whole(evaluation, arguments, "df", fewest)
    inside = known[(known >= ends[0]) & (known <= ends[1])]
    shares = np.linspace(0, 1, max(0, df - fewest) + 2)[1:-1]
    return np.asarray(np.quantile(inside, shares), dtype=float)


def _vector(evaluation: Evaluation, node: Node) -> Array:
    values = evaluation.numbers(node)
    if values.ndim != 1:
        raise FormulaError("a single column is expected here", span=node.span)
    return values


def _whole(evaluation: Evaluation, arguments: Arguments, name: str, default: int) -> int:
    if name not in arguments:
        return default
    value = evaluation.scalar(arguments[name])
    if value != int(value) or not 1 <= value <= _MAX_COLUMNS:
        message = f"'{name}' has to be a whole number between 1 and {_MAX_COLUMNS}"
        raise FormulaError(message, span=arguments[name].span)
    return int(value)
