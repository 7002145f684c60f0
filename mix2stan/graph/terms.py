"""The terms of a predictor: columns, factors, covariances, and how effects are sampled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from mix2stan.errors import Span
from mix2stan.graph.priors import WishartPrior
from mix2stan.syntax import NOWHERE, Name, Node

__all__ = [
    "UNITS",
    "Columns",
    "Covariance",
    "Factor",
    "Group",
    "LevelOrder",
    "Parameterisation",
    "Population",
    "Predictor",
    "Relationship",
    "Share",
    "term_labels",
]


#: MCMCglmm's name for the rows of the data, a level each.
UNITS = "units"

#: Which factor of ``a:b`` varies slowest when its levels are listed (the packages differ).
LevelOrder = Literal["first_slowest", "first_fastest"]


@dataclass(frozen=True)
class Columns:
    """Design columns, as right-hand sides of R formulas that stand side by side.

    Each formula is coded on its own, so ``(1 | g) + (0 + x | g)`` merged into one term keeps two.
    ``names`` (R's column names) are known once the data types are.  Those that are ``plain`` code their
    factors as ever, whatever ``contrasts`` the call has: random terms, where lme4 reads them.  Without
    the ``constant`` factors are coded as beside an intercept, which is left out then.  With a ``turn``,
    a square matrix, they are combinations of those columns.
    """

    formulas: tuple[Node, ...]
    names: tuple[str, ...] = ()
    plain: bool = False
    constant: bool = True
    turn: tuple[tuple[float, ...], ...] = ()

    @property
    def intercept_only(self) -> bool:
        return self.names == ("(Intercept)",)

    def __str__(self) -> str:
        text = " and ".join(str(f) for f in self.formulas)
        return text if self.constant else f"{text}, without the constant"


@dataclass(frozen=True)
class Relationship:
    """A known covariance among the levels of a factor: the right-hand K of ``Sigma ⊗ K``.

    ``source`` names it, and its numbers are bound later, as other data are.  ``role`` is what the call
    takes it for: a ``pedigree`` (or a phylogeny, ``scaled`` to unit height or not), a ``covariance`` or
    its ``inverse``.  ``form`` is known once the numbers are: a ``recursion`` from parents to
    offspring, or a ``matrix``.
    """

    role: Literal["pedigree", "inverse", "covariance"]
    source: Node
    scaled: bool = True
    form: str = field(default="", compare=False)

    def __str__(self) -> str:
        return str(self.source)


@dataclass(frozen=True)
class Factor:
    """A grouping factor: one variable, the combinations of several, or several of the same levels.

    With ``signs`` the variables share their levels, and every row belongs to a level of each: where
    they are ``apart`` each has an effect of its own (MCMCglmm's ``str``), otherwise the effects of a
    row's levels are added, or subtracted where the sign is -1 (``mm``).

    ``order`` says how the levels of a combination are listed, ``levels`` how many there are: those
    that have data, or all that ``relationship``, a known covariance among them, is about.
    """

    variables: tuple[Node, ...]
    order: LevelOrder = field(default="first_slowest", compare=False)
    levels: int = field(default=0, compare=False)
    relationship: Relationship | None = None
    signs: tuple[int, ...] = ()
    apart: bool = False

    @property
    def of_rows(self) -> bool:
        """Whether every row of the data is a level, as MCMCglmm's ``units`` are."""
        return self.variables == (Name(UNITS),)

    def __str__(self) -> str:
        if not self.signs:
            return ":".join(str(v) for v in self.variables)
        signed = zip(self.signs, self.variables, strict=True)
        text = "".join(f"{' + ' if sign > 0 else ' - '}{v}" for sign, v in signed)
        return f"{'str' if self.apart else 'mm'}({text.removeprefix(' + ').strip()})"


@dataclass(frozen=True)
class Covariance:
    """Covariance among the columns of a term: a row of :data:`mix2stan.covariances.COVARIANCES`.

    ``order`` is the number that belongs to the kind: the order of antedependence, the column from
    which variances are fixed, the number of common factors; ``variances`` are those known.
    """

    kind: str
    order: int = 0
    variances: tuple[float, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}{self.order or ''}"


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
class Share:
    """What one formula of a term adds to: the predictor of ``parameter``.

    Its columns are those from ``start`` to ``stop``, once they are known.  Of a term that several
    responses have in common ``response`` is the name of the other one whose parameter it is, empty for
    the graph's own, and ``label`` what it is called in all of them.
    """

    parameter: str
    start: int = field(default=0, compare=False)
    stop: int = field(default=0, compare=False)
    response: str = ""
    label: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """What columns are called after: nothing for the mean's."""
        return self.label or self.parameter

    def __str__(self) -> str:
        return self.name or "mu"


@dataclass(frozen=True)
class Group:
    """A group-level term of one predictor, or of several: then its formulas have ``shares``.

    ``owner`` is the parameter whose predictor it is of, empty for the mean's, and the first of them;
    ``id`` is its Stan identifier, unique in the model, and ``index`` the Stan name of the levels of all
    rows; ``span`` where it stands in the call;
    ``integrated`` whether its effects are integrated out, and drawn exactly afterwards;
    ``parameterisation`` how they are sampled otherwise.  Where errors have a structure, ``inside``
    are the other grouping factors whose levels hold its own whole.  ``prior`` is that of its
    covariance, if the call has one.
    """

    columns: Columns
    factor: Factor
    covariance: Covariance
    owner: str = ""
    id: str = field(default="", compare=False)
    index: str = field(default="", compare=False, repr=False)
    integrated: bool = field(default=False, compare=False)
    inside: tuple[Factor, ...] = field(default=(), compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    parameterisation: Parameterisation = field(default=Parameterisation(), compare=False)
    prior: WishartPrior | None = field(default=None, compare=False)
    shares: tuple[Share, ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters whose predictors it is in."""
        own = dict.fromkeys(s.parameter for s in self.shares if not s.response)
        return tuple(own) or (self.owner,)

    def columns_in(self, parameter: str) -> range:
        """The columns that are in the predictor of a parameter: some where the term is shared."""
        if not self.shares:
            return range(len(self.columns.names) if parameter == self.owner else 0)
        own = [s for s in self.shares if s.parameter == parameter and not s.response]
        return range(own[0].start, own[-1].stop) if own else range(0)

    @property
    def common(self) -> bool:
        """Whether other responses have columns of it too."""
        return any(share.response for share in self.shares)

    @property
    def coupled(self) -> bool:
        """Whether the effects of different levels have to be looked at together."""
        return self.factor.relationship is not None or bool(self.factor.signs)

    def __str__(self) -> str:
        known = self.factor.relationship
        among = "" if known is None else f" related by {known}"
        columns = str(self.columns)
        if self.shares:
            pairs = zip(self.shares, self.columns.formulas, strict=True)
            columns = " and ".join(f"{s}: {formula}" for s, formula in pairs)
        return f"{self.covariance}({columns}):{self.factor}{among}"


def term_labels(groups: Iterable[Group]) -> tuple[str, ...]:
    """What terms are called: after their factor; a second term of one factor after its columns too.

    A term of another parameter than the mean has its name before it; one that several responses have
    in common has none.
    """
    groups = tuple(groups)
    taken = [str(group.factor) for group in groups if group.common]
    labels = []
    for group in groups:
        owner = f"{group.owner}_" if group.owner and not group.shares else ""
        label = f"{owner}{group.factor}"
        if not group.common:
            label = "_".join((label, *group.columns.names[:1])) if label in taken else label
            taken.append(label)
        labels.append(label)
    return tuple(labels)


@dataclass(frozen=True)
class Population:
    """The population-level part of a predictor: columns and known offsets.

    ``centred`` is whether brms' prior of the intercept is about the predictor at the mean of the other
    columns; otherwise the intercept is a coefficient as the others are.
    """

    columns: Columns
    offsets: tuple[Node, ...] = ()
    centred: bool = field(default=True, compare=False)

    def __str__(self) -> str:
        return " + ".join([str(self.columns), *(f"offset({o})" for o in self.offsets)])


@dataclass(frozen=True)
class Predictor:
    """The population's part of what a parameter of the response's distribution depends on.

    ``parameter`` is a row of :data:`mix2stan.families.PARAMETERS`, empty for the mean, and ``link``
    is from the parameter to the predictor; the group terms are those of the model with that owner.
    """

    parameter: str
    link: str
    population: Population

    @property
    def suffix(self) -> str:
        """What ends the Stan names of its columns and coefficients: those of the mean have none."""
        return f"_{self.parameter}" if self.parameter else ""

    def __str__(self) -> str:
        return f"{self.link}({self.parameter}) ~ {self.population}"
