"""What the templates of a collapsed program see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mix2stan.priors import PriorText

if TYPE_CHECKING:
    from mix2stan.plan import Component, GroupView

__all__ = ["BlockView", "CollapsedView"]


@dataclass(frozen=True)
class BlockView:
    """What the template of the block, the factor eliminated level by level, sees.

    ``id``, ``label`` and ``J`` (its number of levels) are those of the first of its terms; ``q`` counts
    the effects of all.  ``w`` and ``d`` are the name and the number of the columns that are integrated
    out after it, empty if there are none; ``rows`` is whether the program has rows.
    """

    id: str
    label: str
    J: str
    terms: tuple[GroupView, ...]
    names: tuple[str, ...]
    w: str
    d: str
    rows: bool

    @property
    def q(self) -> int:
        return len(self.names)

    def plus(self, name: str) -> str:
        """What stands between the terms of a sum over effects: a new statement where it gets long."""
        return " + " if self.q < 3 else f";\n{name} += "

    def _place(self, k: int) -> tuple[GroupView, int]:
        """The term that has effect k, and which of its effects that is, from 1."""
        for term in self.terms:
            if k <= term.q:
                return term, k
            k -= term.q
        raise IndexError(k)

    def root(self, k: int, m: int) -> str:
        """Element k, m of the root A of the covariance; empty where it is zero."""
        (term, i), (other, j) = self._place(k), self._place(m)
        if term is not other or (i != j and not (term.lower and i > j)):
            return ""
        return f"A_{term.id}" if term.scalar else f"A_{term.id}[{i}, {j}]"

    def column(self, k: int) -> str:
        """The design column of effect k; empty for an intercept."""
        return "" if self.names[k - 1] == "(Intercept)" else f"Z_{self.id}_{k}"

    def target(self, k: int) -> str:
        """Where the draws of effect k go."""
        term, i = self._place(k)
        return f"b_{term.id}" if term.scalar else f"b_{term.id}[ : , {i}]"


@dataclass(frozen=True)
class CollapsedView:
    """What the templates of a collapsed response see.

    ``integrated`` says in words what is integrated out.  ``w`` and ``d`` are the name and the number of
    the columns of that, besides the block: ``Q`` for the population's alone, ``W`` with those of
    ``dense`` terms, ``scaled`` if these were divided by their lengths.  ``scale`` is how their effects
    are made from standard normals: by scales ``s``, or by a root ``F`` of their covariance.
    ``sampled`` are the terms that stay in the predictor; then the program has ``rows``.  ``normal`` is
    whether the prior of the coefficients is normal (it is flat otherwise), ``heavy`` whether that of
    the intercept is Student's t, and ``log_det`` the part of
    the log density that their variance has (none where they are profiled: maximum likelihood).
    """

    response: str
    formula: str
    population: bool
    terms: tuple[Component, ...]
    block: BlockView | None
    dense: tuple[GroupView, ...]
    sampled: tuple[Component, ...]
    integrated: str
    scaled: bool
    normal: bool
    heavy: bool
    profiled: bool
    priors: dict[str, PriorText]

    @property
    def rows(self) -> bool:
        return bool(self.sampled)

    @property
    def w(self) -> str:
        return "W" if self.dense else "Q"

    @property
    def d(self) -> str:
        if self.dense:
            return "D"
        return "K" if self.population else ""

    @property
    def scale(self) -> str:
        if not self.dense:
            return ""
        return "F" if any(g.lower for g in self.dense) else "s"

    @property
    def dense_names(self) -> str:
        return ", ".join(g.label for g in self.dense)

    @property
    def integrated_terms(self) -> tuple[GroupView, ...]:
        return (*self.dense, *(self.block.terms if self.block else ()))

    @property
    def log_det(self) -> str:
        if not self.profiled:
            return " - sum(log(diagonal(L_P)))"
        return " - sum(log(diagonal(L_P)[ : E]))" if self.dense else ""
