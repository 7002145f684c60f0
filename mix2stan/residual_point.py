"""The errors' part of a point at which a likelihood is wanted, as the program's parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.errors import Mix2stanError, suggestion
from mix2stan.graph import ErrorCorrelation, Residual, VarianceFunction
from mix2stan.points import number_of
from mix2stan.residual_data import natural_correlation, partial_of, root_in_program, symmetric
from mix2stan.residuals import VARIANCES, ErrorBlock, error_blocks

__all__ = ["free_parameters", "is_degenerate", "residual_estimates", "residual_values"]

Array = NDArray[np.float64]

#: An eigenvalue of a correlation matrix that is none: no likelihood has a maximum there.
_SINGULAR = 1e-9


def residual_values(residual: Residual, point: Mapping[str, Any]) -> dict[str, Any]:
    """Values by Stan name.

    Args:
        residual: the resolved errors.
        point: ``sigma``, and what each structure needs under nlme's name of it: a number, several in
            nlme's order, or several by their names or by strata.  ``varIdent`` may take any stratum
            as its reference.  The parts of a ``varComb`` stand beside each other, or in
            its own, those of one kind in the order of the call.

    Raises:
        Mix2stanError: if the point does not fit the errors.
    """
    correlation = residual.correlation
    kinds = [p.kind for p in residual.variances] + ([correlation.kind] if correlation else [])
    given = _by_kind(point, kinds)
    for name in given:
        if name not in kinds:
            hint = suggestion(name, kinds, what="the structures of its errors") if kinds else None
            raise Mix2stanError(f"the errors of this model have no {name}", hint=hint)
    if "sigma" not in point:
        raise Mix2stanError("the point has no sigma in residual", hint="{'sigma': 1.0}")
    values: dict[str, Any] = {"sigma": number_of(point["sigma"], "sigma")}
    if values["sigma"] <= 0:
        raise Mix2stanError(f"sigma has to be positive, not {values['sigma']:g}")
    blocks = error_blocks(residual)
    # parts of one kind stand in the order of the call, which the graph has not kept
    for part in sorted(residual.variances, key=lambda p: p.span.start):
        own = [b for b in blocks if b.part is part]
        if any(b.free for b in own):
            taken = _wanted(given, part.kind)
            with _fitting(part.kind, taken):
                values |= _variance(part, own, taken, values)
        elif given.get(part.kind):
            given[part.kind].pop(0)
    if correlation is not None and not correlation.fixed:
        own = [b for b in blocks if b.part is None]
        taken = _wanted(given, correlation.kind)
        with _fitting(correlation.kind, taken):
            values |= _correlation(correlation, own, taken)
    return values


@contextmanager
def _fitting(kind: str, given: object) -> Iterator[None]:
    """Numbers of another count, or no numbers, are not what a structure needs."""
    try:
        yield
    except (TypeError, ValueError, AttributeError):
        message = f"the point's {kind} is {given!r}, which are not the numbers of its parameters"
        raise Mix2stanError(message) from None


def _by_kind(point: Mapping[str, Any], kinds: Sequence[str]) -> dict[str, list[Any]]:
    """What a point says of the structures of one kind, in its order."""
    comb = point.get("varComb", ())
    parts: Iterable[Any] = [comb] if isinstance(comb, Mapping) else comb
    single = {k: v for k, v in point.items() if k not in ("sigma", "varComb")}
    given: dict[str, list[Any]] = {}
    for part in (single, *parts):
        for name, value in part.items():
            # nlme keeps an autoregression whose times have gaps as an ARMA process
            same = name == "corARMA" and name not in kinds and "corAR1" in kinds
            given.setdefault("corAR1" if same else name, []).append(value)
    return given


def _wanted(given: Mapping[str, list[Any]], kind: str) -> Any:
    if not given.get(kind):
        raise Mix2stanError(f"the point has no value for {kind}")
    return given[kind].pop(0)


def _variance(
    part: VarianceFunction, blocks: list[ErrorBlock], given: Any, values: dict[str, Any]
) -> dict[str, Any]:
    """The free values of a variance function; sigma changes with the reference of varIdent."""
    names = [b.parameter.name for b in blocks]
    if len(names) == 1:
        given = {names[0]: given}
    elif not isinstance(given, Mapping):
        given = dict(zip(names, given, strict=True))
    found: dict[str, Any] = {}
    for block in blocks:
        numbers = given.get(block.parameter.name)
        if numbers is None:
            raise Mix2stanError(f"the point has no {block.parameter.name} of {part.kind}")
        whole = _by_stratum(part, numbers)
        if VARIANCES[part.kind].relative:
            reference = whole[0]
            found["sigma"] = values["sigma"] * reference
            whole = whole / reference
        if not np.allclose(whole[: len(block.known)], block.known, rtol=1e-12):
            raise Mix2stanError(f"the point changes a fixed {block.parameter.name} of {part.kind}")
        free = whole[len(block.known) :]
        if block.free:
            found[block.name] = float(free[0]) if block.scalar else free
    return found


def _by_stratum(part: VarianceFunction, numbers: Any) -> Array:
    """One value per stratum, in the order of the program."""
    if not part.levels:
        return np.atleast_1d(np.asarray(numbers, dtype=float))
    if not isinstance(numbers, Mapping):
        return np.broadcast_to(np.asarray(numbers, dtype=float), len(part.levels)).copy()
    named = {str(k).replace("*", ":"): float(v) for k, v in numbers.items()}
    if VARIANCES[part.kind].relative and len(named) == len(part.levels) - 1:
        named = {**dict.fromkeys(part.levels, 1.0), **named}
    missing = [level for level in part.levels if level not in named]
    if missing or len(named) > len(part.levels):
        odd = missing or [n for n in named if n not in part.levels]
        raise Mix2stanError(f"{part.kind}: the strata are {', '.join(part.levels)}, not {odd[0]}")
    return np.array([named[level] for level in part.levels])


def _correlation(
    correlation: ErrorCorrelation, blocks: list[ErrorBlock], given: Any
) -> dict[str, Any]:
    sizes = [b.parameter.size or 1 for b in blocks]
    if isinstance(given, Mapping):
        names = [b.parameter.name for b in blocks]
        if set(given) == set(names):
            given = np.concatenate([np.atleast_1d(given[name]) for name in names])
        else:
            # nlme's own labels, as Phi1, Phi2, Theta1
            given = list(given.values())
    numbers = np.atleast_1d(np.asarray(given, dtype=float)).ravel()
    if len(numbers) != sum(sizes):
        message = f"{correlation.kind} has {sum(sizes)} parameters, and the point {len(numbers)}"
        raise Mix2stanError(message)
    found: dict[str, Any] = {}
    for block, value in zip(blocks, np.split(numbers, np.cumsum(sizes)[:-1]), strict=True):
        if block.name == "cor_L":
            found[block.name] = root_in_program(correlation, value)
        elif block.name.startswith("cor_partial"):
            found[block.name] = partial_of(block.name, value)
        else:
            found[block.name] = float(value[0])
    return found


def free_parameters(residual: Residual) -> int:
    """The number of parameters of the errors besides sigma that are estimated."""
    return sum(len(b.labels) or 1 for b in error_blocks(residual) if b.free)


def is_degenerate(residual: Residual, values: Mapping[str, Any]) -> bool:
    """Whether free correlations of the errors leave some combination of them no variance."""
    correlation = residual.correlation
    if correlation is None or "cor_L" not in values:
        return False
    whole = symmetric(correlation, np.asarray(values["cor_L"]))
    return bool(np.linalg.eigvalsh(whole)[0] < _SINGULAR)


def residual_estimates(residual: Residual, values: Mapping[str, Any]) -> pd.Series:
    """The parameters of the errors besides sigma at values of the program's, as nlme prints them.

    The strata of varIdent have their ratio to the reference, correlations are those of the errors.
    """
    found: dict[str, float] = {}
    for block in error_blocks(residual):
        if block.part is not None:
            free = np.atleast_1d(values[block.name]) if block.free else np.zeros(0)
            whole = np.concatenate([block.known, free])
            name = block.parameter.name
            labels = [f"{name}[{level}]" for level in block.part.levels] or [name]
            found |= {
                f"{block.part.kind} {label}": float(x)
                for label, x in zip(labels, whole, strict=True)
            }
    if residual.correlation is not None:
        kind = residual.correlation.kind
        for name, value in natural_correlation(residual, values).items():
            numbers = np.atleast_1d(value)
            many = [f"{name}[{i + 1}]" for i in range(len(numbers))]
            for label, x in zip(many if value.ndim else [name], numbers, strict=True):
                found[f"{kind} {label}"] = float(x)
    return pd.Series(found, name="estimate", dtype=float)
