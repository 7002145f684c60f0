"""The model graph: what a mixed model means, whatever package it was written for.

Every group-level term is ``Z (Sigma ⊗ K) Z'``: design columns, a grouping factor, a covariance among
the columns (Sigma) and one among the levels (K, here the identity).  The graph is free of dialect
and of data: column expressions are R syntax, and numbers (levels, prior scales) are notes that do not
take part in equality.  Passes refine it with :func:`dataclasses.replace`; nothing is mutated.

Every node prints as formula text.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from mix2stan.errors import Span
from mix2stan.syntax import NOWHERE, Node

__all__ = [
    "UNITS",
    "Columns",
    "Covariance",
    "Factor",
    "Group",
    "LevelOrder",
    "ModelGraph",
    "Parameterisation",
    "Population",
    "Prior",
    "Response",
    "Strategy",
    "note",
]

#: MCMCglmm's name for the rows of the data, a level each.
UNITS = "units"

#: Which factor of ``a:b`` varies slowest when its levels are listed (the packages differ).
LevelOrder = Literal["first_slowest", "first_fastest"]


@dataclass(frozen=True)
class Columns:
    """Design columns, as right-hand sides of R formulas that stand side by side.

    Each formula is coded on its own, so ``(1 | g) + (0 + x | g)`` merged into one term keeps two.
    ``names`` (R's column names) are known once the data types are.
    """

    formulas: tuple[Node, ...]
    names: tuple[str, ...] = ()

    @property
    def intercept_only(self) -> bool:
        return self.names == ("(Intercept)",)

    def __str__(self) -> str:
        return " and ".join(str(f) for f in self.formulas)


@dataclass(frozen=True)
class Factor:
    """A grouping factor: one variable, or the combinations of several.

    ``order`` says how the levels of a combination are listed, ``levels`` how many have data.
    """

    variables: tuple[Node, ...]
    order: LevelOrder = field(default="first_slowest", compare=False)
    levels: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return ":".join(str(v) for v in self.variables)


@dataclass(frozen=True)
class Covariance:
    """Covariance among the columns of a term: a row of :data:`mix2stan.covariances.COVARIANCES`."""

    kind: str

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True)
class Parameterisation:
    """How the effects of a group term are sampled.

    Not ``centred``: as standard normals times their standard deviation.  Centred: as they are, around
    a mean: the effects of the terms ``parents`` (identifiers) whose levels contain this term's, plus
    the population columns ``columns`` (positions) that are constant within its levels; around zero
    if there are neither.
    """

    centred: bool = False
    parents: tuple[str, ...] = ()
    columns: tuple[int, ...] = ()

    @property
    def moved(self) -> bool:
        """Whether the mean is anything but zero."""
        return bool(self.parents or self.columns)


@dataclass(frozen=True)
class Group:
    """A group-level term of one predictor.

    ``id`` is its Stan identifier, unique in the model; ``span`` where it stands in the call;
    ``parameterisation`` how its effects are sampled, if they are.
    """

    columns: Columns
    factor: Factor
    covariance: Covariance
    id: str = field(default="", compare=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    parameterisation: Parameterisation = field(default=Parameterisation(), compare=False)

    def __str__(self) -> str:
        return f"{self.covariance}({self.columns}):{self.factor}"


@dataclass(frozen=True)
class Population:
    """The population-level part of a predictor: columns and known offsets."""

    columns: Columns
    offsets: tuple[Node, ...] = ()

    def __str__(self) -> str:
        return " + ".join([str(self.columns), *(f"offset({o})" for o in self.offsets)])


@dataclass(frozen=True)
class Response:
    """What is modelled, and its distribution given the predictor.

    ``family`` is a row of :data:`mix2stan.families.FAMILIES` and ``link`` one of its links;
    ``weights`` are the numbers of trials of a proportion.
    """

    expression: Node
    family: str = "gaussian"
    link: str = "identity"
    weights: Node | None = None

    @property
    def linear(self) -> bool:
        """Whether it is Gaussian, its mean the predictor: what can be integrated exactly."""
        return self.family == "gaussian" and self.link == "identity"

    def __str__(self) -> str:
        family = self.family if self.linear else f"{self.family}[{self.link}]"
        weights = "" if self.weights is None else f", trials = {self.weights}"
        return f"{family}({self.expression}{weights})"


@dataclass(frozen=True)
class Prior:
    """The prior of one block of parameters: a row of :data:`mix2stan.priors.DENSITIES`.

    ``block`` is the Stan identifier it is about (``beta``, ``sd_Subject``, ``L_Subject``, ``sigma``;
    ``intercept`` for the mean response).  ``values`` are the numbers of the density's data slots, one
    per element of the block, and ``source`` says in words where they came from.
    """

    block: str
    density: str
    values: tuple[tuple[str, tuple[float, ...]], ...] = field(default=(), compare=False)
    source: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.block} ~ {self.density}"


@dataclass(frozen=True)
class Strategy:
    """How the posterior is computed; never what it is.

    ``kind`` is ``noncentred`` (effects are sampled as standard normals), ``centred`` (each term as
    its parameterisation says), ``joint`` (non-centred, constants kept) or ``collapsed`` (effects
    and coefficients are integrated out and drawn exactly afterwards), or ``profiled`` (collapsed,
    the coefficients at their maximum: maximum likelihood); ``reason`` says why in words.
    ``pooled`` says that equal observations are summed.
    """

    kind: str = "noncentred"
    reason: str = ""
    pooled: bool = False

    @property
    def samples_effects(self) -> bool:
        """Whether the effects are parameters of the program."""
        return self.kind in ("noncentred", "centred", "joint")


@dataclass(frozen=True)
class ModelGraph:
    """A whole model.

    ``call`` is the R call it came from, for headers; ``notes`` are remarks for the user that the
    passes leave on their way, in order.
    """

    response: Response
    population: Population
    groups: tuple[Group, ...] = ()
    priors: tuple[Prior, ...] = field(default=(), compare=False)
    call: str = field(default="", compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    strategy: Strategy = field(default=Strategy(), compare=False)

    def __str__(self) -> str:
        return "\n".join(
            [f"{self.response} ~ {self.population}", *(f"  + {g}" for g in self.groups)]
        )

    def formulas(self) -> tuple[Node, ...]:
        """All design formulas, population first."""
        parts = (self.population.columns, *(g.columns for g in self.groups))
        return tuple(f for part in parts for f in part.formulas)


def note(graph: ModelGraph, *remarks: str) -> ModelGraph:
    """The graph with further remarks for the user."""
    return replace(graph, notes=(*graph.notes, *remarks))
