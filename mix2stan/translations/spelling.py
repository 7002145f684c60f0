"""One random term as every package spells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mix2stan.compiler import Compiled
from mix2stan.errors import Unsupported
from mix2stan.graph import Group
from mix2stan.translations import glmmtmb, lme4, mcmcglmm, nlme
from mix2stan.translations.parts import Source, source_of

__all__ = ["Spelling", "spellings"]

#: What writes one term, by package.
_TERMS: dict[str, Callable[[Group, Source], str]] = {
    "lme4": lme4.term,
    "nlme": nlme.term,
    "MCMCglmm": mcmcglmm.term,
    "glmmTMB": glmmtmb.term,
}

#: A package, its text for the term, and what comes nearest if it has none.
Spelling = tuple[str, str, str]


def spellings(compiled: Compiled, group: Group) -> list[Spelling]:
    """The term in every package; where one has no text for it, what comes nearest."""
    graph = replace(compiled.graph, groups=(group,))
    source = source_of(replace(compiled, graph=graph))
    found: list[Spelling] = []
    for package, write in _TERMS.items():
        try:
            found.append((package, write(group, source), ""))
        except Unsupported as error:
            found.append((package, "", error.hint or error.message))
    return found
