"""Covariance structures in symbols, entry by entry: what is printed as Sigma.

``V_i`` is a variance that is a parameter, ``v_i`` one that is known, ``C_ij`` a covariance, ``r_ij`` a
correlation; indices count from 1.  An entry is asked for by its row and column, so that a large
matrix can be printed in part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mix2stan.mathematics import (
    ONE,
    ZERO,
    Apply,
    Math,
    Number,
    Power,
    Symbol,
    product,
    read,
    total,
)

__all__ = [
    "AR1",
    "CORG",
    "CORGH",
    "CORH",
    "CORS",
    "CS",
    "FREE",
    "HETAR1",
    "IDH",
    "IDV",
    "KNOWN_BLOCK",
    "RR",
    "SUB",
    "TOEP",
    "Symbols",
    "ante",
    "by_distance",
]

#: An entry, from row and column (counted from 0), the number of columns and the order.
Entry = Callable[[int, int, int, int], Math]


@dataclass(frozen=True)
class Symbols:
    """A structure in symbols.

    Attributes:
        covariance: the entries of Sigma.
        correlation: those of its correlation matrix; only asked for off the diagonal.
        note: what a reader of the symbols has to know besides, in words.
    """

    covariance: Entry
    correlation: Entry
    note: str = ""

    def correlations(self, i: int, j: int, q: int, order: int) -> Math:
        """An entry of the correlation matrix, its diagonal with it."""
        return ONE if i == j else self.correlation(i, j, q, order)


def _sub(i: int, j: int) -> str:
    low, high = sorted((i + 1, j + 1))
    return f"{low}{high}" if high < 10 else f"{low},{high}"


def _V(i: int) -> Math:
    return Symbol("V", str(i + 1))


def _C(i: int, j: int) -> Math:
    return _V(i) if i == j else Symbol("C", _sub(i, j))


def _r(i: int, j: int, q: int, order: int) -> Math:
    return Symbol("r", _sub(i, j))


def _none(i: int, j: int, q: int, order: int) -> Math:
    return ZERO


def _root(i: int, j: int, variance: Callable[[int], Math] = _V) -> Math:
    low, high = sorted((i, j))
    return Apply("sqrt", (product(variance(low), variance(high)),))


def _each(correlation: Entry) -> Symbols:
    """A variance per column, and correlations of a pattern."""

    def covariance(i: int, j: int, q: int, order: int) -> Math:
        return _V(i) if i == j else product(correlation(i, j, q, order), _root(i, j))

    return Symbols(covariance, correlation)


def _one(correlation: Entry) -> Symbols:
    """One variance, and correlations of a pattern."""
    V = Symbol("V")

    def covariance(i: int, j: int, q: int, order: int) -> Math:
        return V if i == j else product(correlation(i, j, q, order), V)

    return Symbols(covariance, correlation)


FREE = Symbols(lambda i, j, q, order: _C(i, j), _r)
IDH = _each(_none)
IDV = _one(_none)
CORG = Symbols(lambda i, j, q, order: ONE if i == j else _r(i, j, q, order), _r)


def _known(i: int) -> Math:
    return Symbol("v", str(i + 1))


def _corgh(i: int, j: int, q: int, order: int) -> Math:
    return _known(i) if i == j else product(_r(i, j, q, order), _root(i, j, _known))


CORGH = Symbols(_corgh, _r, "v1, v2, … are known: the call gives them")


def _cors(i: int, j: int, q: int, order: int) -> Math:
    if min(i, j) < order - 1:
        return _C(i, j)
    return ONE if i == j else _r(i, j, q, order)


def _sub_block(i: int, j: int, q: int, order: int) -> Math:
    inside = max(i, j) < order - 1
    return _C(i, j) if inside else ONE if i == j else ZERO


def _sub_correlation(i: int, j: int, q: int, order: int) -> Math:
    return _r(i, j, q, order) if max(i, j) < order - 1 else ZERO


def _known_block(i: int, j: int, q: int, order: int) -> Math:
    return _C(i, j) if min(i, j) < order - 1 else Symbol("v", _sub(i, j) if i != j else str(i + 1))


CORS = Symbols(_cors, _r)
KNOWN_BLOCK = Symbols(_known_block, _r, "what begins with v is known: the call gives it")
SUB = Symbols(_sub_block, _sub_correlation)


def _power(name: str) -> Entry:
    def correlation(i: int, j: int, q: int, order: int) -> Math:
        lag = abs(i - j)
        return Symbol(name) if lag == 1 else Power(Symbol(name), Number(lag))

    return correlation


def _common(i: int, j: int, q: int, order: int) -> Math:
    return Symbol("r")


CS = _one(_common)
CORH = Symbols(
    _each(_common).covariance,
    _common,
    "one correlation r for all pairs; the lecture's slide prints r V1 V2, where r sqrt(V1 V2) is meant",
)


AR1 = _one(_power("phi"))
HETAR1 = _each(_power("phi"))
TOEP = _each(lambda i, j, q, order: Symbol("r", str(abs(i - j))))


def by_distance(formula: str, note: str) -> Symbols:
    """One variance, and a correlation that is a formula of the distance ``d``."""

    def correlation(i: int, j: int, q: int, order: int) -> Math:
        return read(formula, d=Symbol("d", _sub(i, j)))

    symbols = _one(correlation)
    return Symbols(symbols.covariance, symbols.correlation, note)


def ante(common: bool, one_variance: bool) -> Symbols:
    """Every effect regressed on those before it: an entry in terms of those above it."""

    def weight(j: int, lag: int, order: int) -> Math:
        if common:
            return Symbol("b", str(lag) if order > 1 else "")
        return Symbol("b", f"{j + 1},{j + 1 - lag}" if order > 1 else str(j + 1))

    def covariance(i: int, j: int, q: int, order: int) -> Math:
        low, high = sorted((i, j))
        lags = range(1, min(order, high) + 1)
        regressed = [product(weight(high, m, order), _C(high - m, low)) for m in lags]
        own = Symbol("d", "" if one_variance else str(high + 1))
        return total(*regressed, own) if low == high else total(*regressed)

    def correlation(i: int, j: int, q: int, order: int) -> Math:
        low, high = sorted((i, j))
        if order > 1:
            return _r(i, j, q, order)
        return product(*(_r(k, k + 1, q, order) for k in range(low, high)))

    note = "b: regressions on the effects before, d: what is left; V and C: the entries named so"
    return Symbols(covariance, correlation, note)


def _loadings(i: int, j: int, q: int, order: int) -> Math:
    def loading(row: int, factor: int) -> Math:
        return Symbol("lambda", _pair(row, factor))

    def _pair(row: int, factor: int) -> str:
        return f"{row + 1}{factor + 1}" if row < 9 else f"{row + 1},{factor + 1}"

    factors = range(min(i, j, order - 1) + 1)
    if i == j:
        return total(*(Power(loading(i, k), Number(2)) for k in factors))
    low, high = sorted((i, j))
    return total(*(product(loading(low, k), loading(high, k)) for k in factors))


RR = Symbols(_loadings, _r)
