"""Residual structures: variance functions and correlations of errors, one row each.

The errors have the covariance ``sigma^2 D R D``: D is diagonal with the sd multipliers of the variance
functions, R the correlation matrix, block by block.  The rows follow nlme 3.1 in names, parameters
and formulas (Pinheiro and Bates 2000, sections 5.2 and 5.3).  A row is everything the compiler knows
of a structure but its Stan text, which is the template of the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.graph import ErrorCorrelation, Residual, VarianceFunction

__all__ = [
    "CORRELATIONS",
    "METRICS",
    "VARIANCES",
    "CorrelationRow",
    "ErrorBlock",
    "ErrorParameter",
    "VarianceRow",
    "arma_autocorrelation",
    "distances",
    "error_blocks",
    "has_unit",
    "known_errors",
    "partial_autocorrelations",
    "reported",
    "stationary",
    "stratum_values",
]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ErrorParameter:
    """One parameter of a structure, or a vector of its kind.

    Attributes:
        name: nlme's word for it.
        stan: its Stan name.
        bounds: its Stan constraint, in which ``{name}`` is the Stan name.
        prior: a row of :data:`mix2stan.priors.rows.DENSITIES`.
        start: where its estimation starts.
        about: what it is, for a comment.
        size: number of elements of a vector; None for a number.
    """

    name: str
    stan: str
    bounds: str
    prior: str
    start: float
    about: str
    size: int | None = None


@dataclass(frozen=True)
class VarianceRow:
    """A variance function.

    Attributes:
        parameters: each a number, or one per stratum.
        covariate: whether it is a function of a covariate.
        positive: whether the covariate has to be positive.
        relative: whether the first stratum is the reference.
        multiplier: the sd multiplier of every row, from the covariate and the parameters of the row.
        formula: what the multiplier is, for a comment.
    """

    parameters: tuple[ErrorParameter, ...]
    covariate: bool
    positive: bool
    relative: bool
    multiplier: Callable[[Array, Mapping[str, Array]], Array]
    formula: str


_RATIO = ErrorParameter(
    "ratio", "var_ratio", "<lower=0>", "lognormal_1", 1.0, "sd over the first's"
)
_POWER = ErrorParameter("power", "var_power", "", "std_normal", 0.0, "power of the covariate")
_EXPON = ErrorParameter(
    "expon", "var_expon", "<multiplier={name}_unit>", "normal_0", 0.0, "growth of the log sd"
)
_CONST = ErrorParameter("const", "var_const", "<lower=0>", "half_student_t", 1.0, "constant part")
_PROP = ErrorParameter("prop", "var_prop", "<lower=0>", "half_student_t", 0.1, "proportional part")


VARIANCES: dict[str, VarianceRow] = {
    "varFixed": VarianceRow(
        (), True, True, False, lambda v, p: np.sqrt(np.abs(v)), "sqrt({covariate})"
    ),
    "varIdent": VarianceRow((_RATIO,), False, False, True, lambda v, p: p["ratio"], "{ratio}"),
    "varPower": VarianceRow(
        (_POWER,),
        True,
        True,
        False,
        lambda v, p: np.abs(v) ** p["power"],
        "|{covariate}|^{power}",
    ),
    "varExp": VarianceRow(
        (_EXPON,),
        True,
        False,
        False,
        lambda v, p: np.exp(p["expon"] * v),
        "exp({expon} {covariate})",
    ),
    "varConstPower": VarianceRow(
        (_CONST, _POWER),
        True,
        True,
        False,
        lambda v, p: p["const"] + np.abs(v) ** p["power"],
        "{const} + |{covariate}|^{power}",
    ),
    "varConstProp": VarianceRow(
        (replace(_CONST, start=0.1), _PROP),
        True,
        False,
        False,
        lambda v, p: np.sqrt(p["const"] ** 2 + (p["prop"] * v) ** 2),
        "sqrt({const}^2 + ({prop} {covariate})^2)",
    ),
}


def stratum_values(
    part: VarianceFunction, parameter: ErrorParameter
) -> tuple[dict[str, float], tuple[str, ...]]:
    """The known values of a parameter by stratum, and the strata whose values are free.

    The only stratum of a function without strata is ``""``.
    """
    row = VARIANCES[part.kind]
    given = dict(dict(part.fixed).get(parameter.name, ()))
    strata = part.levels or ("",)
    known = {s: given.get(s, given.get("")) for s in strata}
    if row.relative:
        known[strata[0]] = 1.0
    return (
        {s: float(x) for s, x in known.items() if x is not None},
        tuple(s for s in strata if known[s] is None),
    )


@dataclass(frozen=True)
class CorrelationRow:
    """A correlation structure of the errors of a block.

    Attributes:
        parameters: in nlme's order; sizes of vectors depend on the model.
        matrix: the correlation matrix of rows at points (n, d) with distances (n, n).
        times: what the covariate has to be: ``"any"`` (it does not matter), ``"order"`` (a number,
            else the order of the rows), ``"integer"``, ``"place"`` (coordinates).
        formula: the correlation of two errors, for a comment.
        whitening: how errors are made independent: ``"series"`` (each given the one before it) and
            ``"exchangeable"`` in O(N), ``"positions"`` by a Cholesky factor per set of positions,
            ``"dense"`` by one per block.
        spatial: whether it takes a nugget and a metric.
    """

    parameters: tuple[ErrorParameter, ...]
    matrix: Callable[[Array, Array, Mapping[str, Array]], Array]
    times: str
    formula: str
    whitening: str = "dense"
    spatial: bool = False

    @property
    def has_matrix(self) -> bool:
        """Whether its matrix is made in the program, by a template of its own."""
        return self.whitening in ("dense", "positions")


def _exchangeable(points: Array, d: Array, values: Mapping[str, Array]) -> Array:
    n = len(d)
    return np.where(np.eye(n) > 0, 1.0, float(values["rho"]))


def _general(points: Array, d: Array, values: Mapping[str, Array]) -> Array:
    """``cor``: the correlations at all positions, by columns of the lower triangle."""
    cor = np.atleast_1d(values["cor"])
    size = round((1 + np.sqrt(1 + 8 * len(cor))) / 2)
    whole = np.eye(size)
    columns, rows = np.triu_indices(size, 1)
    whole[rows, columns] = whole[columns, rows] = cor
    place = points[:, 0].astype(int) - 1
    return np.asarray(whole[np.ix_(place, place)])


def _power(points: Array, d: Array, values: Mapping[str, Array]) -> Array:
    return np.asarray(np.power(float(values["phi"]), d))


def _arma(points: Array, d: Array, values: Mapping[str, Array]) -> Array:
    lags = np.rint(d).astype(int)
    acf = arma_autocorrelation(
        np.atleast_1d(values.get("phi", np.zeros(0))),
        np.atleast_1d(values.get("theta", np.zeros(0))),
        int(lags.max(initial=0)),
    )
    return np.asarray(acf[lags])


def arma_autocorrelation(phi: Array, theta: Array, lags: int) -> Array:
    """Autocorrelations of ``X_t = sum phi X + e_t + sum theta e`` at the lags 0 to ``lags``.

    Solves the Yule-Walker equations with the moving-average terms on the right (Brockwell and Davis
    1991, section 3.3).
    """
    p, q = len(phi), len(theta)
    weights = np.concatenate([[1.0], theta])
    psi = np.zeros(q + 1)
    for j in range(q + 1):
        psi[j] = weights[j] + sum(phi[i] * psi[j - 1 - i] for i in range(min(p, j)))
    right = np.array([weights[k:] @ psi[: q + 1 - k] for k in range(q + 1)])
    left = np.eye(p + 1)
    for k in range(p + 1):
        for i in range(p):
            left[k, abs(k - 1 - i)] -= phi[i]
    gamma = np.zeros(max(lags, p) + 1)
    gamma[: p + 1] = np.linalg.solve(left, np.pad(right, (0, max(0, p - q)))[: p + 1])
    for k in range(p + 1, len(gamma)):
        gamma[k] = (right[k] if k <= q else 0.0) + phi @ gamma[k - p : k][::-1]
    return np.asarray(gamma[: lags + 1] / gamma[0])


def stationary(partial: Array) -> Array:
    """Coefficients of the autoregression with these partial autocorrelations (Durbin-Levinson)."""
    phi = np.zeros(0)
    for r in partial:
        phi = np.append(phi - r * phi[::-1], r)
    return phi


def partial_autocorrelations(phi: Array) -> Array:
    """The inverse of :func:`stationary`; beyond (-1, 1) if the process is not stationary."""
    left, partial = np.asarray(phi, dtype=float), []
    while len(left):
        r = left[-1]
        partial.append(r)
        if abs(r) >= 1:
            break
        left = (left[:-1] + r * left[-2::-1][: len(left) - 1]) / (1 - r**2)
    return np.array(partial[::-1])


def _spatial(
    curve: Callable[[Array], Array],
) -> Callable[[Array, Array, Mapping[str, Array]], Array]:
    def matrix(points: Array, d: Array, values: Mapping[str, Array]) -> Array:
        share = 1 - float(values.get("nugget", np.zeros(()))) * (1 - np.eye(len(d)))
        return share * curve(d / float(values["range"]))

    return matrix


_RANGE = ErrorParameter("range", "cor_range", "<lower=0>", "lognormal", 1.0, "range of correlation")
_NUGGET = ErrorParameter(
    "nugget",
    "cor_nugget",
    "<lower=0, upper=1>",
    "uniform_0_1",
    0.1,
    "share of the error at a point",
)


def _spatial_row(curve: Callable[[Array], Array], formula: str) -> CorrelationRow:
    return CorrelationRow((_RANGE, _NUGGET), _spatial(curve), "place", formula, spatial=True)


_SIGNED, _UNIT = "<lower=-1, upper=1>", "<lower=0, upper=1>"

CORRELATIONS: dict[str, CorrelationRow] = {
    "corCompSymm": CorrelationRow(
        (
            ErrorParameter(
                "rho", "cor_rho", "<lower=cor_rho_lower, upper=1>", "uniform_rho", 0.0,
                "correlation within a block",
            ),
        ),
        _exchangeable, "any", "cor_rho", "exchangeable",
    ),
    "corSymm": CorrelationRow(
        (ErrorParameter("cor", "cor_L", "", "lkj", 0.0, "R = L L'"),),
        _general, "integer", "cor_R[s, t]", "positions",
    ),
    "corAR1": CorrelationRow(
        (ErrorParameter("phi", "cor_phi", _SIGNED, "uniform_1_1", 0.1, "correlation at lag 1"),),
        _power, "integer", "cor_phi^|s - t|", "series",
    ),
    "corCAR1": CorrelationRow(
        (ErrorParameter("phi", "cor_phi", _UNIT, "uniform_0_1", 0.2, "correlation at distance 1"),),
        _power, "order", "cor_phi^|s - t|", "series",
    ),
    "corARMA": CorrelationRow(
        (
            ErrorParameter(
                "phi", "cor_partial_ar", _SIGNED, "uniform_1_1", 0.1, "partial autocorrelations"
            ),
            ErrorParameter(
                "theta", "cor_partial_ma", _SIGNED, "uniform_1_1", 0.1, "partial ones of the inverse"
            ),
        ),
        _arma, "integer", "as lag |s - t| does",
    ),
    "corExp": _spatial_row(lambda u: np.exp(-u), "exp(-d / cor_range)"),
    "corGaus": _spatial_row(lambda u: np.exp(-(u**2)), "exp(-(d / cor_range)^2)"),
    "corLin": _spatial_row(lambda u: 1 - np.minimum(u, 1), "1 - d / cor_range, or 0 beyond it"),
    "corRatio": _spatial_row(lambda u: 1 / (1 + u**2), "1 / (1 + (d / cor_range)^2)"),
    "corSpher": _spatial_row(
        lambda u: 1 - 1.5 * np.minimum(u, 1) + 0.5 * np.minimum(u, 1) ** 3,
        "1 - 1.5 u + 0.5 u^3, u = d / cor_range, or 0 beyond it",
    ),
}  # fmt: skip

METRICS: dict[str, Callable[[Array], Array]] = {
    "euclidean": lambda gap: np.asarray(np.sqrt(np.sum(gap**2, axis=-1))),
    "maximum": lambda gap: np.asarray(np.max(np.abs(gap), axis=-1)),
    "manhattan": lambda gap: np.asarray(np.sum(np.abs(gap), axis=-1)),
}


def distances(points: Array, metric: str = "euclidean") -> Array:
    """Distances (n, n) between points (n, d)."""
    return METRICS[metric](points[:, None, :] - points[None, :, :])


@dataclass(frozen=True)
class ErrorBlock:
    """The parameters of one Stan name.

    Attributes:
        name: the Stan name.
        parameter: what they are.
        labels: the free ones, in the user's words; empty for a single number.
        known: the values of the known ones, which come before the free ones.
        part: the variance function they are of, None for the correlation.
        free: whether any is to be estimated.
    """

    name: str
    parameter: ErrorParameter
    labels: tuple[str, ...]
    known: tuple[float, ...]
    part: VarianceFunction | None
    free: bool

    @property
    def scalar(self) -> bool:
        """Whether it is a number rather than a vector."""
        return self.parameter.size is None and not (self.part and self.part.strata)


def error_blocks(residual: Residual) -> tuple[ErrorBlock, ...]:
    """All parameters of the errors besides sigma, variance functions first."""
    blocks = []
    for part in residual.variances:
        for parameter in VARIANCES[part.kind].parameters:
            known, free = stratum_values(part, parameter)
            labels = free if part.strata else ()
            values = tuple(known.values())
            name = parameter.stan + part.id
            blocks.append(ErrorBlock(name, parameter, labels, values, part, bool(free)))
    if residual.correlation is not None:
        blocks += _correlation_blocks(residual.correlation)
    return tuple(blocks)


def known_errors(residual: Residual) -> bool:
    """Whether errors are independent and sigma is all that is to be estimated of them."""
    if residual.correlation is not None or residual.dispersion is not None or residual.of_fitted:
        return False
    return not any(block.free for block in error_blocks(residual))


def has_unit(block: ErrorBlock) -> bool:
    """Whether its parameters are sampled in units of the covariate, which are then data."""
    return block.free and "multiplier" in block.parameter.bounds


def reported(residual: Residual) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The variables of a program that say what was estimated of its errors, with their labels.

    ``cor_R`` is a matrix, and its labels are of rows and columns; no labels are those of a number.
    """
    found = []
    for block in error_blocks(residual):
        if block.free and block.name == "cor_L":
            assert residual.correlation is not None
            places = range(1, residual.correlation.positions + 1)
            found.append(("cor_R", tuple(map(str, places))))
        elif block.free:
            name = {"cor_partial_ar": "cor_phi", "cor_partial_ma": "cor_theta"}.get(block.name)
            found.append((name or block.name, block.labels))
    return tuple(found)


def _correlation_blocks(correlation: ErrorCorrelation) -> list[ErrorBlock]:
    row = CORRELATIONS[correlation.kind]
    sizes: Sequence[int | None] = [None] * len(row.parameters)
    if correlation.kind == "corARMA":
        sizes = correlation.orders
    elif correlation.kind == "corSymm":
        sizes = [correlation.positions * (correlation.positions - 1) // 2]
    elif row.spatial:
        sizes = [None, None if correlation.nugget else 0]
    blocks, given = [], list(correlation.fixed)
    for parameter, size in zip(row.parameters, sizes, strict=True):
        if size == 0:
            continue
        known = tuple(given[: size or 1])
        given = given[size or 1 :]
        labels = tuple(str(i + 1) for i in range(size or 0))
        free = not correlation.fixed
        blocks.append(
            ErrorBlock(parameter.stan, replace(parameter, size=size), labels, known, None, free)
        )
    return blocks
