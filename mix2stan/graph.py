"""The model graph: what a mixed model means, whatever package it was written for.

Every group-level term is ``Z (Sigma ⊗ K) Z'``: design columns, a grouping factor, a covariance among
the columns (Sigma) and one among the levels (K, here the identity).  The errors are ``sigma^2 D R D``:
variance functions (D) and a correlation (R).  The graph is free of dialect
and of data: column expressions are R syntax, and numbers (levels, prior scales) are notes that do not
take part in equality.  Passes refine it with :func:`dataclasses.replace`; nothing is mutated.

Every node prints as formula text.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from mix2stan.errors import Span
from mix2stan.syntax import NOWHERE, Call, Node, Number, Operator

__all__ = [
    "UNITS",
    "Columns",
    "Covariance",
    "ErrorCorrelation",
    "Factor",
    "Given",
    "Group",
    "LevelOrder",
    "ModelGraph",
    "Parameterisation",
    "Population",
    "Predictor",
    "Prior",
    "Residual",
    "Response",
    "Strategy",
    "VarianceFunction",
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
class Group:
    """A group-level term of one predictor.

    ``owner`` is the parameter whose predictor it is of, empty for the mean's; ``id`` is its Stan
    identifier, unique in the model; ``span`` where it stands in the call; ``integrated`` whether
    its effects are integrated out, and drawn exactly afterwards; ``parameterisation`` how they are
    sampled otherwise.
    """

    columns: Columns
    factor: Factor
    covariance: Covariance
    owner: str = ""
    id: str = field(default="", compare=False)
    integrated: bool = field(default=False, compare=False)
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


#: Numbers given in a call, by parameter and stratum (``""`` where there are none, or for all).
Given = tuple[tuple[str, tuple[tuple[str, float], ...]], ...]


@dataclass(frozen=True)
class VarianceFunction:
    """A factor of the errors' standard deviation: a row of :data:`mix2stan.residuals.VARIANCES`.

    ``covariate`` is an expression of the columns, or ``fitted(.)`` for the predictor.  ``levels`` are
    the strata, those with known parameters first; ``id`` ends its Stan names.
    """

    kind: str
    covariate: Node | None = None
    strata: Factor | None = None
    fixed: Given = ()
    start: Given = field(default=(), compare=False)
    levels: tuple[str, ...] = field(default=(), compare=False)
    id: str = field(default="", compare=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    @property
    def of_fitted(self) -> bool:
        """Whether the covariate is the predictor."""
        return isinstance(self.covariate, Call) and self.covariate.function == "fitted"

    @property
    def weights(self) -> Node | None:
        """The prior weights w it stands for, if it is the known variance 1 / w."""
        match self:
            case VarianceFunction("varFixed", Operator("/", (Number(1.0), weights))):
                return weights
        return None

    def __str__(self) -> str:
        parts = [str(part) for part in (self.covariate, self.strata) if part is not None]
        fixed = [f"{name} = {value:g}" for name, given in self.fixed for _, value in given]
        return f"{self.kind}({' | '.join(parts)}{''.join(f', {f}' for f in fixed)})"


@dataclass(frozen=True)
class ErrorCorrelation:
    """Correlation of the errors of a block: a row of :data:`mix2stan.residuals.CORRELATIONS`.

    ``covariates`` are times or coordinates, none for the order of the rows; ``block`` is the factor
    outside whose levels errors are independent, None for one block; ``orders`` are p and q of ARMA;
    ``positions`` the number of places of a corSymm, and ``within`` the grouping factors in whose levels
    all blocks lie, known once the data are.
    """

    kind: str
    covariates: tuple[Node, ...] = ()
    block: Factor | None = None
    orders: tuple[int, int] = (0, 0)
    nugget: bool = False
    metric: str = "euclidean"
    fixed: tuple[float, ...] = ()
    start: tuple[float, ...] = field(default=(), compare=False)
    positions: int = field(default=0, compare=False)
    within: tuple[Factor, ...] = field(default=(), compare=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    def __str__(self) -> str:
        details = [" + ".join(map(str, self.covariates)) or "1"]
        details[0] += f" | {self.block}" if self.block is not None else ""
        details += [f"p = {self.orders[0]}, q = {self.orders[1]}"] if any(self.orders) else []
        details += ["nugget"] if self.nugget else []
        details += [self.metric] if self.metric != "euclidean" else []
        details += [f"fixed {value:g}" for value in self.fixed]
        return f"{self.kind}({', '.join(details)})"


@dataclass(frozen=True)
class Residual:
    """The errors: ``sigma^2 D R D``, D the product of variance functions, R a correlation.

    ``dispersion`` is a formula of the log standard deviation; it becomes variance functions once it
    is known which of its variables are factors.
    """

    variances: tuple[VarianceFunction, ...] = ()
    correlation: ErrorCorrelation | None = None
    dispersion: Node | None = None

    @property
    def plain(self) -> bool:
        """Whether the errors are independent, of one variance."""
        return not self.variances and self.correlation is None and self.dispersion is None

    def variables(self) -> tuple[Node, ...]:
        """The expressions of the columns it is about."""
        found: list[Node] = []
        for part in self.variances:
            found += [part.covariate] if part.covariate and not part.of_fitted else []
            found += part.strata.variables if part.strata else []
        if self.correlation is not None:
            found += self.correlation.covariates
            found += self.correlation.block.variables if self.correlation.block else []
        return tuple(found)

    @property
    def of_fitted(self) -> bool:
        """Whether the variance depends on the predictor."""
        return any(v.of_fitted for v in self.variances)

    @classmethod
    def weighted(cls, weights: Node | None) -> Residual:
        """Errors of the variance sigma^2 / w, R's prior weights; of one variance without them."""
        if weights is None:
            return cls()
        inverse = Operator("/", (Number(1.0), weights), span=weights.span)
        return cls((VarianceFunction("varFixed", inverse, span=weights.span),))

    def __str__(self) -> str:
        parts: list[object] = [*self.variances]
        parts += [self.correlation] if self.correlation else []
        parts += [f"exp({self.dispersion})"] if self.dispersion is not None else []
        return " * ".join(map(str, parts)) or "independent"


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
    its parameterisation says), ``joint`` (non-centred, constants kept), ``collapsed`` (the
    coefficients, and the effects of those terms that say so, are integrated out and drawn exactly
    afterwards) or ``profiled`` (collapsed, the coefficients at their maximum: maximum likelihood);
    ``reason`` says why in words.  ``pooled`` says that equal observations are summed.
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

    ``population`` is that of the mean and ``predictors`` are the further ones, each of a parameter
    that would be one number without; ``groups`` are the terms of all of them. ``call`` is the R
    call it came from, for headers; ``notes`` are remarks for the user that the passes leave on
    their way, in order.
    """

    response: Response
    population: Population
    groups: tuple[Group, ...] = ()
    residual: Residual = Residual()
    priors: tuple[Prior, ...] = field(default=(), compare=False)
    call: str = field(default="", compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    strategy: Strategy = field(default=Strategy(), compare=False)
    predictors: tuple[Predictor, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.response} ~ {self.population}"]
        lines += [f"  + {g}" for g in self.groups_of("")]
        for predictor in self.predictors:
            lines += [f"  {predictor}"]
            lines += [f"    + {g}" for g in self.groups_of(predictor.parameter)]
        return "\n".join([*lines, *([] if self.residual.plain else [f"  errors {self.residual}"])])

    @property
    def mean(self) -> Predictor:
        """The predictor of the mean."""
        return Predictor("", self.response.link, self.population)

    @property
    def every_predictor(self) -> tuple[Predictor, ...]:
        """All predictors, that of the mean first."""
        return (self.mean, *self.predictors)

    def groups_of(self, parameter: str) -> tuple[Group, ...]:
        """The group terms of one predictor, of the mean's where the parameter is empty."""
        return tuple(g for g in self.groups if g.owner == parameter)

    def formulas(self) -> tuple[Node, ...]:
        """All design formulas, population first, that of the log standard deviation last."""
        populations = (p.population.columns for p in self.every_predictor)
        parts = (*populations, *(g.columns for g in self.groups))
        last = () if self.residual.dispersion is None else (self.residual.dispersion,)
        return (*(f for part in parts for f in part.formulas), *last)


def note(graph: ModelGraph, *remarks: str) -> ModelGraph:
    """The graph with further remarks for the user."""
    return replace(graph, notes=(*graph.notes, *remarks))
