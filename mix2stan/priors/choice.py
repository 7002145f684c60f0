"""The user's choice of priors: a named set, and densities by the names of parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mix2stan.errors import FormulaError, Mix2stanError, Span
from mix2stan.priors.densities import Written, parse_density

__all__ = ["PriorArgument", "PriorChoice", "prior_choice"]

#: What ``prior=`` may be: a set, densities by parameter as text or as a mapping, nothing.
PriorArgument = str | Mapping[str, str] | None

#: The key of a mapping that names the set.
_SET = "set"


@dataclass(frozen=True)
class PriorChoice:
    """A set of default priors, None if none is named, and what is said of single parameters."""

    set: str | None = None
    densities: tuple[tuple[str, Written], ...] = ()


def prior_choice(given: PriorArgument) -> PriorChoice:
    """What ``prior=`` says.

    Args:
        given: the name of a set; densities by parameter, ``{"sigma": "gamma(2, 0.1)"}``, in which
            ``set`` names the set; or both as text, ``"brms; sd_Subject ~ exponential(1)"``, as
            the table of priors prints them.

    Raises:
        FormulaError: if a density cannot be read.
        Mix2stanError: if it is not text.

    >>> prior_choice("brms; sigma ~ exponential(1)").densities[0][1].values
    (('rate', 1.0),)
    """
    if given is None:
        return PriorChoice()
    if isinstance(given, str):
        return _of_text(given)
    entries: Mapping[Any, object] = given
    wrong = [n for n, t in entries.items() if not isinstance(n, str) or not isinstance(t, str)]
    if wrong:
        hint = 'write it as text: {"sd_Subject": "exponential(1)"}'
        raise Mix2stanError(
            f"the prior of {wrong[0]} is not text: {entries[wrong[0]]!r}", hint=hint
        )
    densities = tuple((n, parse_density(t)) for n, t in given.items() if n != _SET)
    return PriorChoice(given.get(_SET), densities)


def _of_text(text: str) -> PriorChoice:
    """``set; parameter ~ density; …``, parts on lines of their own or parted by ``;``."""
    named: str | None = None
    densities: list[tuple[str, Written]] = []
    for found in re.finditer(r"[^;\n]+", text):
        part = found[0].strip()
        start = text.index(part, found.start())
        name, tilde, density = (word.strip() for word in part.rpartition("~"))
        if tilde and name in dict(densities):
            span = Span(start, start + len(name))
            raise FormulaError(f"{name} has two priors", text, span, "leave one of them away")
        if tilde:
            densities.append((name, parse_density(density)))
        elif part and named is None:
            named = part
        elif part:
            message = f"there are two sets of priors, {named} and {part}"
            hint = "a density is written as sd_Subject ~ exponential(1)"
            raise FormulaError(message, text, Span(start, start + len(part)), hint)
    return PriorChoice(named, tuple(densities))
