"""MCMCglmm's ``gelman.prior()``: a prior of coefficients that are alike on one scale."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.design.data_verbs import evaluate_data
from mix2stan.design.evaluate import Evaluation
from mix2stan.design.frame import Frame
from mix2stan.design.matrix import design, independent_columns
from mix2stan.design.model_frame import model_frame
from mix2stan.design.terms import terms
from mix2stan.errors import FormulaError
from mix2stan.syntax import Argument, Call, Constant, Formula, Node, Number, Operator

__all__ = ["gelman_prior"]

Array = NDArray[np.float64]
_NAMES = ("formula", "data", "scale", "intercept", "singular.ok")
_HINT = "write gelman.prior(~ x, data = d, scale = 1)"


def gelman_prior(call: Call, bound: Mapping[str, pd.DataFrame]) -> Node:
    """The covariance that ``gelman.prior(~ x, d, scale = s)`` makes, as ``matrix(c(…), nrow = k)``.

    Coefficients of numbers divided by twice their sd, and of centred truth values, are independent
    with the standard deviation ``scale``; the intercept has the variance ``intercept`` (Gelman,
    Jakulin, Pittau and Su 2008).

    Args:
        call: the call.
        bound: data frames by name.

    Raises:
        FormulaError: if it is not what the function takes.
    """
    given = _matched(call)
    formula, data = given.get("formula"), given.get("data")
    if not isinstance(formula, Formula) or data is None:
        raise FormulaError("gelman.prior() takes a formula and data", span=call.span, hint=_HINT)
    df = evaluate_data(data, bound)
    scale = _number(given.get("scale"), 1.0)
    whole = _matrix(formula, df)
    scaled = _matrix(formula, _on_one_scale(formula, df))
    first = int(bool((scaled[:, 0] == 1).all()))
    for column in scaled.T[first:]:
        if np.isin(column, (0.0, 1.0)).all():
            column -= column.mean()
    kept = independent_columns(whole)
    P = np.linalg.lstsq(whole[:, kept], scaled[:, kept], rcond=None)[0]
    variances = np.full(len(kept), scale**2)
    variances[0] = _number(given.get("intercept"), scale)
    V = P @ np.diag(variances) @ P.T
    numbers = tuple(Argument(None, _literal(float(v))) for v in (V + V.T).ravel() / 2)
    rows = Argument("nrow", Number(float(len(V))))
    return Call("matrix", (Argument(None, Call("c", numbers)), rows), span=call.span)


def _matched(call: Call) -> dict[str, Node]:
    given = {a.name: a.value for a in call.args if a.name is not None}
    free = [name for name in _NAMES if name not in given]
    given |= dict(zip(free, (a.value for a in call.args if a.name is None), strict=False))
    if not set(given) <= set(_NAMES) or given.get("singular.ok", Constant("FALSE")) != Constant(
        "FALSE"
    ):
        raise FormulaError("gelman.prior() takes no such argument", span=call.span, hint=_HINT)
    return {str(name): node for name, node in given.items()}


def _number(node: Node | None, default: float) -> float:
    """A number, or the arithmetic of some."""
    return default if node is None else Evaluation(Frame({}, 0)).scalar(node)


def _matrix(formula: Formula, df: pd.DataFrame) -> Array:
    frame = Frame.of(df)
    parts = terms(Formula(None, formula.right), columns=frame.names)
    rows = model_frame(parts.variables, frame)
    return np.array(design(parts, rows).matrix(rows), dtype=float)


def _on_one_scale(formula: Formula, df: pd.DataFrame) -> pd.DataFrame:
    """The data with the numbers of the formula centred and divided by twice their sd."""
    frame = Frame.of(df)
    changed = {}
    for name in frame.names:
        column = frame.columns[name]
        if column.kind == "numeric" and column.values.ndim == 1:
            values, n = column.values, len(column.values)
            sd = float(np.std(values, ddof=1))
            changed[name] = (values - values.mean()) / (2 * sd * (n - 1) / n) if sd > 0 else values
    return df.assign(**changed)


def _literal(value: float) -> Node:
    return Number(value) if value >= 0 else Operator("-", (Number(-value),))
