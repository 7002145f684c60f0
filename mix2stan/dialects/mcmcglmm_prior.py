"""MCMCglmm's ``prior = list(R = , G = list(G1 = list(V, nu, alpha.mu, alpha.V, fix)), B = )``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mix2stan.counts import bounded
from mix2stan.errors import FormulaError, Span, Unsupported, suggestion
from mix2stan.graph import CallPrior, Rows, WishartPrior
from mix2stan.syntax import Argument, Call, Name, Node, Number, Operator, Parens

__all__ = [
    "FixedBlock",
    "call_prior",
    "fixed_block",
    "fixed_from",
    "fixed_residual",
    "known_covariance",
    "known_variances",
    "misplaced",
    "term_prior",
]

Array = NDArray[np.float64]

#: The most numbers of a vector or matrix of a prior: a covariance of a thousand effects.
_NUMBERS = 1_000_000

_ENTRIES = ("R", "G", "B", "S")
_OF_TERM = ("V", "nu", "fix", "alpha.mu", "alpha.V", "beta.mu", "beta.V", "covu")
_OF_COEFFICIENTS = ("mu", "V")


def call_prior(prior: Node | None, terms: int) -> CallPrior | None:
    """The prior of the coefficients and of the errors; None if there is none.

    Args:
        prior: the call's prior.
        terms: how many terms ``random`` has.

    Raises:
        FormulaError: if it cannot be read or is not there, or G has not an element for every term.
    """
    if prior is None:
        return None
    _check_there(prior)
    entries = _named(prior, _ENTRIES)
    G = entries.get("G")
    if G is not None:
        count = len(_arguments(G))
        if count != terms:
            what = "1 term" if terms == 1 else f"{terms} terms"
            message = f"G of the prior has {count} elements, and 'random' {what}"
            raise FormulaError(message, span=G.span)
    if "S" in entries:
        message = "the prior of theta_scale cannot be expressed"
        raise Unsupported(message, span=entries["S"].span)
    residual, B = WishartPrior("us"), entries.get("B")
    if "R" in entries:
        residual = _wishart(entries["R"], "us")
    mean: tuple[float, ...] = ()
    variance: Rows = ()
    if B is not None:
        of_B = _named(B, _OF_COEFFICIENTS)
        if "mu" in of_B:
            mean = _numbers(of_B["mu"])
        variance = _square(of_B["V"]) if "V" in of_B else ()
    return CallPrior(mean, variance, residual, prior.span)


def _check_there(prior: Node) -> None:
    """Refuse the name of a prior that neither the text nor the data have."""
    if isinstance(prior, Name):
        message = f"there is no {prior}: a prior is a list"
        hint = (
            f"write {prior} <- list(R = list(V = 1, nu = 0.002), …) in a line before the call, "
            f'or give it with the data: {{"d": df, "{prior}": …}}'
        )
        raise FormulaError(message, span=prior.span, hint=hint)
    if not isinstance(prior, Call) or prior.function != "list":
        hint = "write prior = list(R = list(V = 1, nu = 0.002))"
        raise FormulaError("'prior' has to be a list", span=prior.span, hint=hint)


def term_prior(prior: Node | None, term: int, kind: str) -> WishartPrior | None:
    """The prior of a term's covariance; improper, as MCMCglmm's default, if G is not there.

    Args:
        prior: the call's prior.
        term: the place of the term, from 0.
        kind: its covariance structure.
    """
    if prior is None:
        return None
    entry = _entry(prior, term)
    return WishartPrior(kind) if entry is None else _wishart(entry, kind)


def known_covariance(prior: Node | None, term: int) -> FixedBlock | None:
    """What ``fix`` says is known of a term's covariance, None if nothing is.

    Raises:
        FormulaError: if ``fix`` is no column of V, or V is not there or no covariance.
    """
    entry = _entry(prior, term)
    block = _fixed(entry)
    if entry is None or block is None:
        return None
    matrix = np.array(block.V)
    if not np.allclose(matrix, matrix.T) or np.linalg.eigvalsh(matrix).min() <= 0:
        raise FormulaError("V is not a covariance matrix", span=block.span)
    if block.first >= len(matrix):
        message = f"fix = {block.first + 1} is no row of V, which has {len(matrix)}"
        raise FormulaError(message, span=block.span)
    return block


def fixed_from(prior: Node | None, term: int, function: Call) -> int:
    """The column from which a term's variances are fixed.

    Raises:
        FormulaError: if the prior does not say.
    """
    match _element(_entry(prior, term), "fix"):
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
    V = _element(_entry(prior, term), "V")
    if V is None:
        hint = f"write prior = list(G = list(G{term + 1} = list(V = diag(c(1, 4)), nu = 3)))"
        message = f"{function.function}() needs 'V' in the prior"
        raise FormulaError(message, span=function.span, hint=hint)
    variances = tuple(np.diag(_square(V)).tolist())
    if min(variances) <= 0:
        raise FormulaError("the variances in V have to be positive", span=V.span)
    return variances


def fixed_residual(prior: Node | None, family: str, span: Span) -> float:
    """The residual variance that ``prior$R`` fixes; such data do not identify it.

    Raises:
        FormulaError: if the prior does not fix it.
    """
    block = fixed_block(prior)
    if block is None:
        R = _element(prior, "R")
        message = f"the residual variance of the family {family} is not identified"
        hint = "fix it: prior = list(R = list(V = 1, fix = 1))"
        raise FormulaError(message, span=span if R is None else R.span, hint=hint)
    if len(block.V) != 1 or block.V[0][0] <= 0:
        raise FormulaError("the residual variance has to be a positive number", span=block.span)
    return block.V[0][0]


@dataclass(frozen=True)
class FixedBlock:
    """What ``fix`` holds at V: the rows and columns from ``first`` on, counted from 0."""

    V: Rows
    first: int
    span: Span

    @property
    def values(self) -> tuple[float, ...]:
        """The block itself, row by row."""
        return tuple(value for row in self.V[self.first :] for value in row[self.first :])


def fixed_block(prior: Node | None) -> FixedBlock | None:
    """What is fixed of the residual's covariance, None if nothing is.

    Raises:
        FormulaError: if ``fix`` is no whole number, or V is not there.
    """
    return _fixed(_element(prior, "R"))


def _fixed(entry: Node | None) -> FixedBlock | None:
    V, fix = _element(entry, "V"), _element(entry, "fix")
    if entry is None or fix is None:
        return None
    if not isinstance(fix, Number) or fix.value < 1 or fix.value != int(fix.value):
        raise FormulaError("'fix' has to be a whole number", span=fix.span)
    if V is None:
        hint = "write list(V = diag(2), nu = 0.002, fix = 2)"
        raise FormulaError("fix needs V", span=entry.span, hint=hint)
    return FixedBlock(_square(V), int(fix.value) - 1, entry.span)


def _wishart(entry: Node, kind: str) -> WishartPrior:
    values = _named(entry, _OF_TERM)
    for name in ("beta.mu", "beta.V", "covu"):
        if name in values:
            raise Unsupported(f"{name} of the prior cannot be expressed", span=values[name].span)
    if "V" not in values:
        hint = "write list(V = 1, nu = 0.002)"
        raise FormulaError("V is missing in the prior", span=entry.span, hint=hint)
    nu = _numbers(values["nu"]) if "nu" in values else (0.0,)
    if len(nu) != 1 or nu[0] < 0:
        raise FormulaError("nu has to be a number, not negative", span=values["nu"].span)
    alpha_V = _square(values["alpha.V"]) if "alpha.V" in values else ()
    if not np.any(alpha_V):
        alpha_V = ()
    alpha_mu = _numbers(values["alpha.mu"]) if "alpha.mu" in values else ()
    return WishartPrior(kind, nu, _square(values["V"]), alpha_mu, alpha_V, entry.span)


def _entry(prior: Node | None, term: int) -> Node | None:
    """``prior$G[[term]]``."""
    G = _element(prior, "G")
    # MCMCglmm takes them by place, whatever their names
    if not isinstance(G, Call) or G.function != "list" or term >= len(G.args):
        return None
    return G.args[term].value


def misplaced(prior: Node | None) -> str:
    """What to mind of a G whose names say another order than its elements have; empty if none."""
    G = _element(prior, "G")
    names = [a.name for a in G.args] if isinstance(G, Call) else []
    numbered = [f"G{k + 1}" for k in range(len(names))]
    if names == numbered or not set(names) & set(numbered):
        return ""
    odd = [(k, name) for k, name in enumerate(names) if name in numbered and name != numbered[k]]
    if not odd:
        return ""
    place, name = odd[0]
    return (
        f"{name} is element {place + 1} of G in the prior, so that it is the prior of term "
        f"{place + 1} of 'random': MCMCglmm takes them by place, not by name"
    )


def _element(node: Node | None, name: str) -> Node | None:
    """An element of ``list(…)`` by name."""
    if not isinstance(node, Call) or node.function != "list":
        return None
    for argument in node.args:
        if argument.name == name:
            return argument.value
    return None


def _arguments(node: Node) -> tuple[Argument, ...]:
    if not isinstance(node, Call) or node.function != "list":
        hint = "write list(G1 = list(V = 1, nu = 0.002))"
        raise FormulaError("the prior has lists here", span=node.span, hint=hint)
    return node.args


def _named(node: Node, known: tuple[str, ...]) -> dict[str, Node]:
    """The elements of a list whose names are known; ``n`` is an older name of ``nu``."""
    found: dict[str, Node] = {}
    for argument in _arguments(node):
        name = "nu" if argument.name == "n" else argument.name or ""
        if name not in known:
            hint = suggestion(name, known, what="what can be in it")
            raise FormulaError(f"the prior has no {name!r} here", span=argument.span, hint=hint)
        found[name] = argument.value
    return found


# -- numbers ---------------------------------------------------------------------------------------


def _numbers(node: Node) -> tuple[float, ...]:
    return tuple(_array(node).ravel().tolist())


def _square(node: Node) -> Rows:
    """A matrix, a number being one by one."""
    array = _array(node)
    matrix = array.reshape(1, 1) if array.size == 1 else array
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        hint = "write V = diag(c(1, 4))"
        raise FormulaError(f"{node} is no square matrix", span=node.span, hint=hint)
    return tuple(tuple(row) for row in matrix.tolist())


_ARITHMETIC = {"*": np.multiply, "/": np.divide, "+": np.add, "^": np.power}
_FUNCTIONS = {"sqrt": np.sqrt, "exp": np.exp, "log": np.log}


def _array(node: Node) -> Array:
    """Numbers, and what ``c rep diag matrix`` and arithmetic make of them; looked up, not run."""
    match node:
        case Number(value=value):
            return np.array([value])
        case Name(name="pi"):
            return np.array([np.pi])
        case Parens(inner=inner):
            return _array(inner)
        case Call(function=name, args=(only,)) if name in _FUNCTIONS:
            return np.asarray(_FUNCTIONS[name](_array(only.value)))
        case Call(function="cbind" | "rbind" as name, args=args) if args:
            rows = np.vstack([np.atleast_2d(_array(a.value)) for a in args])
            return rows if name == "rbind" else rows.T
        case Operator(symbol="-", operands=(only,)):
            return -_array(only)
        case Operator(symbol=symbol, operands=operands) if symbol in _ARITHMETIC:
            first, *others = (_array(o) for o in operands)
            for other in others:
                if first.size > 1 and other.size > 1 and first.shape != other.shape:
                    raise FormulaError("these are of different sizes", span=node.span)
                first = np.asarray(_ARITHMETIC[symbol](first, other), dtype=float)
            return first
        case Call(function="c", args=args) if args:
            parts = [_array(a.value).ravel() for a in args]
            _room(sum(map(len, parts)), node)
            return np.concatenate(parts)
        case Call(function="rep", args=(first, second)):
            values, times = _array(first.value), _first(second.value)
            _room(values.size * times, node)
            return np.repeat(values, int(times))
        case Call(function="diag", args=(only,)):
            values = _array(only.value).ravel()
            n = _first(only.value) if len(values) == 1 else len(values)
            _room(n * abs(n), node)
            return np.eye(int(n)) if len(values) == 1 else np.diag(values)
        case Call(function="diag", args=(first, second)):
            n = _first(second.value)
            _room(n * abs(n), node)
            return np.diag(np.resize(_array(first.value).ravel(), int(n)))
        case Call(function="matrix", args=(first, *sizes)):
            return _filled(_array(first.value).ravel(), sizes, node)
    hint = "numbers, their arithmetic, c(), rep(), diag(), matrix() and cbind() can be read, "
    hint += "as in V = diag(c(1, 4))"
    raise FormulaError(f"{node} cannot be read in a prior", span=node.span, hint=hint)


def _first(node: Node) -> float:
    """A count: the first of some numbers."""
    values = _array(node).ravel()
    return float(values[0]) if len(values) else math.nan


def _room(count: float, node: Node) -> int:
    """The numbers that a prior asks for, before they are made."""
    return bounded(count, _NUMBERS, "numbers of a prior", node.span)


def _filled(values: Array, sizes: list[Argument], node: Node) -> Array:
    """``matrix(values, nrow, ncol)``, by columns; its sides in any way R takes them."""
    given = {
        a.name or place: a.value for a, place in zip(sizes, ("nrow", "ncol", ""), strict=False)
    }
    sides = {
        side: _room(_first(given[side]), given[side]) for side in ("nrow", "ncol") if side in given
    }
    default = round(len(values) ** 0.5) if not sides else None
    rows = sides.get("nrow") or default or len(values) // max(1, sides.get("ncol", 1))
    columns = sides.get("ncol") or default or max(1, len(values) // rows)
    _room(rows * columns, node)
    # V is symmetric, so that byrow = TRUE is the same matrix
    if rows * columns < len(values) or rows < 1:
        raise FormulaError(f"{node} is no matrix", span=node.span)
    return np.resize(values, (columns, rows)).T
