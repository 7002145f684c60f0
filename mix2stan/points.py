"""A point at which a likelihood is wanted: what it has to be, said in words where it is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.errors import Mix2stanError, suggestion

__all__ = ["checked_point", "number_of", "numbers_of"]

Array = NDArray[np.float64]

_PARTS = ("beta", "random", "residual", "u", "thresholds")
_OF_TERM = ("group", "coefficients", "sd", "cor", "owner")
#: What files of points say besides: their source, and what was found there.
_REMARKS = ("loglik", "joint", "family", "note", "u_rule", "log_p_", "levels_of_")
_HINT = (
    "{'beta': {'(Intercept)': 1.0}, 'random': [{'group': 'g', 'coefficients': ['(Intercept)'], "
    "'sd': [0.5]}], 'residual': {'sigma': 1.0}}; or estimates: model.loglik(model.reml())"
)


def checked_point(point: object, parameters: Iterable[str]) -> dict[str, Any]:
    """The point, its coefficients as numbers by name.

    Args:
        point: what was given.
        parameters: names it may have besides ``beta``, ``random``, ``residual``, ``u`` and
            ``thresholds``.

    Raises:
        Mix2stanError: if it is no mapping, or a part of it is not what it has to be.
    """
    if not isinstance(point, Mapping):
        raise Mix2stanError(f"a point is a mapping, not a {type(point).__name__}", hint=_HINT)
    known = (*_PARTS, *parameters)
    found: dict[str, Any] = dict(point)
    for name in found:
        if name not in known and not str(name).startswith(_REMARKS):
            hint = suggestion(str(name), known, what="what a point has")
            raise Mix2stanError(
                f"the point has {name!r}, which is nothing of this model", hint=hint
            )
    for name in [n for n in found if str(n) == "beta" or str(n).endswith("_beta")]:
        found[name] = _by_name(found[name], name)
    if "residual" in found and not isinstance(found["residual"], Mapping):
        kind = type(found["residual"]).__name__
        raise Mix2stanError(f"residual has to be a mapping, not a {kind}", hint=_HINT)
    if "random" in found:
        found["random"] = _terms(found["random"])
    return found


def _by_name(given: object, name: str) -> dict[str, float]:
    """Coefficients by name: a mapping, or a series."""
    values = given.to_dict() if hasattr(given, "to_dict") else given
    if not isinstance(values, Mapping):
        kind = type(given).__name__
        hint = "{'(Intercept)': 1.0, 'x': 2.0}"
        message = f"{name} has to be a mapping from coefficients to numbers, not a {kind}"
        raise Mix2stanError(message, hint=hint)
    return {str(n): number_of(x, f"the {n} of {name}") for n, x in values.items()}


def _terms(given: object) -> list[Mapping[str, Any]]:
    """The random terms, each with what it needs."""
    if isinstance(given, Mapping) or not isinstance(given, Sequence) or isinstance(given, str):
        message = (
            f"random has to be a list with a mapping for every term, not a {type(given).__name__}"
        )
        raise Mix2stanError(message, hint=_HINT)
    for k, term in enumerate(given):
        if not isinstance(term, Mapping):
            message = f"term {k + 1} of random has to be a mapping, not a {type(term).__name__}"
            raise Mix2stanError(message, hint=_HINT)
        for name in ("group", "coefficients", "sd"):
            if name not in term:
                raise Mix2stanError(f"term {k + 1} of random has no {name}", hint=_HINT)
        for name in term:
            if name not in _OF_TERM and not str(name).startswith(_REMARKS):
                hint = suggestion(str(name), _OF_TERM, what="what a term has")
                message = f"term {k + 1} of random has {name!r}, which is nothing of a term"
                raise Mix2stanError(message, hint=hint)
        if isinstance(term["coefficients"], str):
            message = f"the coefficients of term {k + 1} of random have to be a list of names"
            raise Mix2stanError(message, hint=f"[{term['coefficients']!r}]")
    return list(given)


def number_of(given: object, what: str) -> float:
    """A finite number.

    Raises:
        Mix2stanError: if it is none.
    """
    values = numbers_of(given, what)
    if values.size != 1 or not np.isfinite(values).all():
        raise Mix2stanError(f"{what} has to be a number, not {given!r}")
    return float(values.ravel()[0])


def numbers_of(given: object, what: str) -> Array:
    """Numbers as an array of one dimension or more.

    Raises:
        Mix2stanError: if they are none.
    """
    if isinstance(given, str):
        raise Mix2stanError(f"{what} has to be numbers, not the text {given!r}")
    try:
        return np.atleast_1d(np.asarray(given, dtype=float))
    except (TypeError, ValueError):
        raise Mix2stanError(f"{what} has to be numbers, not {given!r}") from None
