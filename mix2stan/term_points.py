"""The group terms' part of a point at which a likelihood is wanted, as the program's parameters.

A term of the model may be several entries of the point, or part of one: independent blocks of columns
are one term here, and ``pdBlocked`` prints them as one matrix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from mix2stan.covariances import COVARIANCES, covariance_of, parameters_of
from mix2stan.errors import Mix2stanError, suggestion
from mix2stan.graph import Group
from mix2stan.matrices import Data
from mix2stan.points import number_of, numbers_of

__all__ = ["least_sd", "term_values"]

Array = NDArray[np.float64]

#: A standard deviation that is zero, as a share of sigma; and how far from one a correlation of one is.
_ZERO, _ONE = 1e-9, 1e-12
#: An eigenvalue of correlations that were printed with few digits.
_INDEFINITE = 1e-6


@dataclass(frozen=True)
class _Entry:
    """Standard deviations and correlations of named effects."""

    names: tuple[str, ...]
    sd: Array
    cor: Array

    @classmethod
    def of(cls, term: Mapping[str, Any]) -> _Entry:
        names = tuple(term["coefficients"])
        about = f"{', '.join(names)} of {term['group']}"
        sd = numbers_of(term["sd"], f"the sd of {about}")
        if sd.shape != (len(names),) or not (np.isfinite(sd) & (sd >= 0)).all():
            many = "one number, which is" if len(names) == 1 else f"{len(names)} numbers, which are"
            raise Mix2stanError(f"the sd of {about} has to be {many} not negative")
        if term.get("cor") is None:
            return cls(names, sd, np.eye(len(sd)))
        cor = np.atleast_2d(numbers_of(term["cor"], f"the cor of {about}"))
        if cor.shape != (len(names), len(names)):
            raise Mix2stanError(f"the cor of {about} has to be {len(names)} x {len(names)}")
        # an effect that is zero has no correlation, and packages print none
        zero = (sd == 0) & np.isnan(cor).any(axis=1)
        cor = np.where(np.isnan(cor) & (zero[:, None] | zero), np.eye(len(sd)), cor)
        if not _is_correlation(cor):
            raise Mix2stanError(f"the cor of {about} is no correlation matrix")
        return cls(names, sd, cor)

    def of_names(self, names: Sequence[str]) -> _Entry:
        """Some of the effects, in another order."""
        places = [self.names.index(name) for name in names]
        return _Entry(tuple(names), self.sd[places], self.cor[np.ix_(places, places)])

    def splits(self, names: Sequence[str]) -> bool:
        """Whether these effects are independent of the others."""
        inside = np.array([name in names for name in self.names])
        return bool(np.all(np.abs(self.cor[np.ix_(inside, ~inside)]) <= 1e-12))


def _is_correlation(cor: Array) -> bool:
    """Whether a matrix is one of correlations, which may be one."""
    if not np.isfinite(cor).all() or not np.allclose(cor, cor.T, atol=1e-8):
        return False
    unit = np.allclose(np.diag(cor), 1.0, atol=1e-8)
    return bool(unit and np.linalg.eigvalsh(cor)[0] > -_INDEFINITE)


def term_values(
    groups: Sequence[Group], point: Mapping[str, Any], data: Data
) -> list[dict[str, Any]]:
    """The covariance parameters of every term, by Stan name.

    Programs have no place for a standard deviation of zero, or a correlation of one: there the
    values are so near that no digit of a likelihood shows it.

    Args:
        groups: the terms of the model.
        point: its ``random`` lists ``group``, ``coefficients``, ``sd`` and ``cor``.
        data: the rows, which know the levels of factors.

    Raises:
        Mix2stanError: if the point does not fit the terms.
    """
    terms = list(point.get("random", ()))
    for term in terms:
        _check_factor(term, groups)
    _check_once(terms)
    _check_used(terms, groups, data)
    sigma = number_of(point.get("residual", {}).get("sigma", 1.0), "sigma")
    return [
        _values(group, _entry_of(group, groups, terms, data), least_sd(group, data, sigma))
        if COVARIANCES[group.covariance.kind].parameters
        else {}
        for group in groups
    ]


def _check_factor(term: Mapping[str, Any], groups: Sequence[Group]) -> None:
    """Refuse what is said of no grouping factor of the model."""
    factors = list(dict.fromkeys(str(g.factor) for g in groups))
    variables = {str(v) for g in groups for v in g.factor.variables}
    named = str(term["group"])
    if named not in factors and not variables.issuperset(_variables_named(named)):
        hint = suggestion(named, factors, what="the grouping factors") if factors else None
        raise Mix2stanError(f"the point has a term of {named!r}, and the model has none", hint=hint)


def _entry_of(
    group: Group, groups: Sequence[Group], terms: Sequence[Mapping[str, Any]], data: Data
) -> _Entry:
    """What the point says of a term."""
    names = group.columns.names
    here = [_Entry.of(t) for t in terms if _is_about(t, group, groups)]
    exact = next((entry for entry in here if entry.names == names), None)
    found = exact or _of_blocks(here, names) or _of_combination(group, terms, data)
    if found is not None:
        return found
    # the same columns under other names: dummy(f, "a") and fa
    plain = tuple(map(_plain, names))
    renamed = [replace(entry, names=tuple(map(_plain, entry.names))) for entry in here]
    same = _of_blocks(renamed, plain)
    if same is not None:
        return replace(same, names=names)
    message = f"the point has no entry for {', '.join(names)} of {group.factor}"
    said = ", ".join(name for entry in here for name in entry.names)
    raise Mix2stanError(message, hint=f"what it has of it: {said}" if said else None)


def _plain(name: str) -> str:
    """The name of a column as packages agree on it, whatever its spaces and the order of factors."""
    level = re.sub(r'\bdummy\(([^,()]+),\s*"([^"]*)"\)', r"\1\2", name)
    factors = re.sub(r"[\s`]", "", level).split(":")
    return ":".join(sorted("(Intercept)" if f == "Intercept" else f for f in factors))


def _check_once(terms: Sequence[Mapping[str, Any]]) -> None:
    """Refuse two entries that say something of one effect."""
    said: set[tuple[str, ...]] = set()
    for term in terms:
        factor = sorted(_variables_named(str(term["group"])))
        for name in map(str, term["coefficients"]):
            one = (_owner(term), *factor, "|", _plain(name))
            if one in said:
                message = f"the point has two entries for {name} of {term['group']}"
                raise Mix2stanError(message, hint="leave one of them away")
            said.add(one)


def _check_used(terms: Sequence[Mapping[str, Any]], groups: Sequence[Group], data: Data) -> None:
    """Refuse effects that no term of the model has."""
    for term in terms:
        here = [g for g in groups if _is_about(term, g, groups)]
        known = {_plain(name) for g in here for name in g.columns.names}
        odd = [n for n in map(str, term["coefficients"]) if _plain(n) not in known]
        combined = any(_of_combination(g, [term], data) is not None for g in groups)
        if here and odd and not combined:
            listed = [name for g in here for name in g.columns.names]
            message = f"the model has no coefficient {odd[0]!r} of {term['group']}"
            raise Mix2stanError(message, hint=suggestion(odd[0], listed, what="its coefficients"))


def _of_blocks(entries: Sequence[_Entry], names: tuple[str, ...]) -> _Entry | None:
    """Effects that are an entry, several, or some of one's, if nothing correlates them with others."""
    parts = [e for e in entries if set(e.names) & set(names)]
    every = tuple(name for e in parts for name in e.names)
    if not set(names) <= set(every) or len(set(every)) < len(every):
        return None
    if not all(e.splits(names) for e in parts):
        return None
    whole = _Entry(
        every, np.concatenate([e.sd for e in parts]), block_diag(*(e.cor for e in parts))
    )
    return whole.of_names(names)


def _of_combination(group: Group, terms: Sequence[Mapping[str, Any]], data: Data) -> _Entry | None:
    """An intercept of f:g that is written as equal, independent effects of the levels of f in g."""
    first, *rest = map(str, group.factor.variables)
    column = data.frame.columns.get(group.factor.variables[0])
    if not rest or not group.columns.intercept_only or column is None or not column.is_factor:
        return None
    wanted = [first + level for level in column.levels]
    for term in terms:
        same = sorted(_variables_named(term["group"])) == sorted(rest)
        if not same or _owner(term) != group.owner or not set(wanted) <= set(term["coefficients"]):
            continue
        whole = _Entry.of(term)
        part = whole.of_names(wanted)
        equal = np.allclose(part.sd, part.sd[0], rtol=1e-10)
        if equal and whole.splits(wanted) and np.allclose(part.cor, np.eye(len(wanted))):
            return _Entry(group.columns.names, part.sd[:1], np.eye(1))
    return None


def _is_about(term: Mapping[str, Any], group: Group, groups: Sequence[Group]) -> bool:
    """Whether an entry is of the factor of a term; a:b and b:a are one factor.

    nlme calls the factor of b within a just ``b``.
    """
    if _owner(term) != group.owner:
        return False
    named = _variables_named(term["group"])
    factors = [sorted(_variables_named(str(g.factor))) for g in groups]
    if sorted(named) in factors:
        return sorted(_variables_named(str(group.factor))) == sorted(named)
    return named == [str(group.factor.variables[-1])]


def _variables_named(group: str) -> list[str]:
    """The variables of a grouping factor; lme4 calls the innermost of a/b/c ``c:(b:a)``."""
    return [part.strip("()") for part in group.split(":")]


def _owner(term: Mapping[str, Any]) -> str:
    """The parameter whose predictor a term is of, empty for the mean's."""
    owner = str(term.get("owner", ""))
    return "" if owner == "mu" else owner


def least_sd(group: Group, data: Data, sigma: float) -> float:
    """A standard deviation that is none beside the errors."""
    size = np.sqrt(np.mean(data.matrix(group.columns) ** 2, axis=0))
    return _ZERO * sigma / max(float(np.max(size, initial=0.0)), 1e-12)


def _values(group: Group, entry: _Entry, least: float) -> dict[str, Any]:
    """The parameters of a term's covariance."""
    sd, cor, row = entry.sd, entry.cor, COVARIANCES[group.covariance.kind]
    if row.sds == "one" and not np.allclose(sd, sd[0], rtol=1e-10):
        raise Mix2stanError(f"{group.factor} has one standard deviation for all effects")
    if not row.correlated and not np.allclose(cor, np.eye(len(sd)), atol=1e-12):
        raise Mix2stanError(f"the effects of {group.factor} are independent in this model")
    sd = np.maximum(sd, least)
    if np.linalg.eigvalsh(cor)[0] < _ONE:
        cor = (1 - _ONE) * cor + _ONE * np.eye(len(sd))
    covariance = cor * np.outer(sd, sd)
    try:
        values = parameters_of(group, covariance)
        found = covariance_of(group, values)
    except (np.linalg.LinAlgError, ValueError):
        found = np.full_like(covariance, np.nan)
    # what an effect that is zero correlates with is not looked at
    allowed = np.where(entry.sd > 0, sd, np.inf)
    if not np.all(np.abs(found - covariance) <= 1e-8 * np.outer(allowed, allowed)):
        message = f"the effects of {group.factor} cannot have this covariance in this model"
        raise Mix2stanError(message, hint=row.title)
    return values
