"""The model graph: what a mixed model means, whatever package it was written for.

Every group-level term is ``Z (Sigma ⊗ K) Z'``: design columns, a grouping factor, a covariance among
the columns (Sigma) and one among the levels (K, the identity unless it is known).  The errors are
``sigma^2 D R D``: variance functions (D) and a correlation (R).  The graph is free of dialect
and of data: column expressions are R syntax, and numbers (levels, prior scales) are notes that do not
take part in equality.  Passes refine it with :func:`dataclasses.replace`; nothing is mutated.

Every node prints as formula text.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from mix2stan.errors import Span
from mix2stan.names import index_name
from mix2stan.syntax import NOWHERE, Call, Node, Number, Operator

__all__ = [
    "UNITS",
    "CallPrior",
    "Censoring",
    "Columns",
    "Covariance",
    "ErrorCorrelation",
    "Factor",
    "Given",
    "Group",
    "Layer",
    "LevelOrder",
    "ModelGraph",
    "Parameterisation",
    "Population",
    "Predictor",
    "Prior",
    "Relationship",
    "Residual",
    "Response",
    "Strategy",
    "Truncation",
    "VarianceFunction",
    "WishartPrior",
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


#: A matrix, row by row.
Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class WishartPrior:
    """MCMCglmm's prior of the covariance of a term or of the errors.

    Attributes:
        kind: the structure it was written for.
        nu: degrees of freedom; one, or one per column of independent effects.
        V: the scale matrix over nu; empty for the identity.
        alpha_mu: means of the scales of expanded parameters; empty for zeros.
        alpha_V: their covariance; empty if the parameters are not expanded.
    """

    kind: str
    nu: tuple[float, ...] = (0.0,)
    V: Rows = ()
    alpha_mu: tuple[float, ...] = ()
    alpha_V: Rows = ()
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class CallPrior:
    """MCMCglmm's prior of what is no group term: the coefficients, the errors.

    ``mean`` and ``variance`` are those of the coefficients, empty for 0 and 1e10.
    """

    mean: tuple[float, ...] = ()
    variance: Rows = ()
    residual: WishartPrior = WishartPrior("us")
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Group:
    """A group-level term of one predictor.

    ``owner`` is the parameter whose predictor it is of, empty for the mean's; ``id`` is its Stan
    identifier, unique in the model; ``span`` where it stands in the call; ``integrated`` whether
    its effects are integrated out, and drawn exactly afterwards; ``parameterisation`` how they are
    sampled otherwise.  Where errors have a structure, ``inside`` are the other grouping factors whose
    levels hold its own whole.  ``prior`` is that of its covariance, if the call has one.
    """

    columns: Columns
    factor: Factor
    covariance: Covariance
    owner: str = ""
    id: str = field(default="", compare=False)
    integrated: bool = field(default=False, compare=False)
    inside: tuple[Factor, ...] = field(default=(), compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    parameterisation: Parameterisation = field(default=Parameterisation(), compare=False)
    prior: WishartPrior | None = field(default=None, compare=False)

    @property
    def index(self) -> str:
        """The Stan name of the levels of all rows."""
        return index_name(self.id)

    @property
    def coupled(self) -> bool:
        """Whether the effects of different levels have to be looked at together."""
        return self.factor.relationship is not None or bool(self.factor.signs)

    def __str__(self) -> str:
        known = self.factor.relationship
        among = "" if known is None else f" related by {known}"
        return f"{self.covariance}({self.columns}):{self.factor}{among}"


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
class Censoring:
    """What is known of values that were not observed.

    ``code`` says of every row whether it is observed, and ``upper`` where an interval ends; without a
    code the response is two columns, the ends of an interval, equal where it is observed.
    """

    code: Node | None = None
    upper: Node | None = None

    def variables(self) -> tuple[Node, ...]:
        """The expressions of the columns it is about."""
        return tuple(node for node in (self.code, self.upper) if node is not None)

    def __str__(self) -> str:
        return f"cens({', '.join(map(str, self.variables()))})"


@dataclass(frozen=True)
class Truncation:
    """Bounds outside which no value could have been observed; None where there is none."""

    lower: Node | None = None
    upper: Node | None = None

    def variables(self) -> tuple[Node, ...]:
        """The expressions of the bounds."""
        return tuple(node for node in (self.lower, self.upper) if node is not None)

    def __str__(self) -> str:
        ends = (("lb", self.lower), ("ub", self.upper))
        return f"trunc({', '.join(f'{name} = {end}' for name, end in ends if end is not None)})"


@dataclass(frozen=True)
class Layer:
    """One of several responses that is seen through a family: the Gaussian one is its predictor.

    ``trait`` is its name, ``id`` its Stan identifier.
    """

    trait: str
    family: str
    link: str
    id: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.trait} is {self.family}[{self.link}]"


@dataclass(frozen=True)
class Response:
    """What is modelled, and its distribution given the predictor.

    ``family`` is a row of :data:`mix2stan.families.FAMILIES` and ``link`` one of its links;
    ``weights`` are the numbers of trials of a proportion.  Of a response of categories ``levels`` are
    their names, known once the data are; ``anchored`` is whether the first threshold is zero and the
    population has an intercept instead; ``latent_sd`` is the known standard deviation of the normal
    error behind a probit.  ``censoring`` is what is known of values that were not observed,
    ``truncation`` the bounds of what could be.  ``known`` are the parameters of the distribution
    whose values are given, and these.  ``powers`` multiply the log-likelihood of the rows, and
    ``noise`` are known standard errors that add to sigma.  ``traits`` are the names of several
    responses that are stacked, and ``layers`` those of them that are not Gaussian themselves: what
    is stacked is their predictor, residual included.
    """

    expression: Node
    family: str = "gaussian"
    link: str = "identity"
    weights: Node | None = None
    anchored: bool = field(default=False, compare=False)
    latent_sd: float = 1.0
    levels: tuple[str, ...] = field(default=(), compare=False)
    censoring: Censoring | None = None
    truncation: Truncation | None = None
    known: tuple[tuple[str, float], ...] = ()
    powers: Node | None = None
    noise: Node | None = None
    traits: tuple[str, ...] = field(default=(), compare=False)
    layers: tuple[Layer, ...] = ()

    @property
    def cut(self) -> bool:
        """Whether it is censored or truncated."""
        return self.censoring is not None or self.truncation is not None

    @property
    def linear(self) -> bool:
        """Whether it is Gaussian, its mean the predictor: what can be integrated exactly."""
        plain = not self.cut and self.powers is None and self.noise is None
        return plain and self.family == "gaussian" and self.link == "identity"

    def added(self) -> tuple[Node, ...]:
        """The expressions of what is known of the rows besides their values."""
        return tuple(node for node in (self.weights, self.powers, self.noise) if node is not None)

    def __str__(self) -> str:
        family = self.family if self.linear else f"{self.family}[{self.link}]"
        weights = "" if self.weights is None else f", trials = {self.weights}"
        latent = "" if self.latent_sd == 1 else f", latent sd = {self.latent_sd:.6g}"
        latent += "".join(f", {name} = {value:.6g}" for name, value in self.known)
        latent += "" if self.powers is None else f", to the power of {self.powers}"
        latent += "" if self.noise is None else f", standard errors {self.noise}"
        censored = "" if self.censoring is None else f" | {self.censoring}"
        censored += "" if self.truncation is None else f" | {self.truncation}"
        seen = "".join(f", {layer}" for layer in self.layers)
        return f"{family}({self.expression}{censored}{weights}{latent}{seen})"


#: Numbers given in a call, by parameter and stratum (``""`` where there are none, or for all).
Given = tuple[tuple[str, tuple[tuple[str, float], ...]], ...]


@dataclass(frozen=True)
class VarianceFunction:
    """A factor of the errors' standard deviation: a row of :data:`mix2stan.residuals.VARIANCES`.

    ``covariate`` is an expression of the columns, or ``fitted(.)`` for the predictor.  ``levels`` are
    the strata, those with known parameters first; ``id`` ends its Stan names.  ``named`` are strata the
    call lists one by one, which then have to be all there are.
    """

    kind: str
    covariate: Node | None = None
    strata: Factor | None = None
    fixed: Given = ()
    start: Given = field(default=(), compare=False)
    levels: tuple[str, ...] = field(default=(), compare=False)
    named: tuple[str, ...] = field(default=(), compare=False)
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

    @property
    def standard_errors(self) -> Node | None:
        """The standard deviations s it stands for, if it is the known variance s^2."""
        match self:
            case VarianceFunction("varFixed", Operator("^", (s, Number(2.0)))):
                return s
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
    ``consecutive`` is whether only the order of the times counts, not how far apart they are;
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
    consecutive: bool = False
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
    """The prior of one block of parameters: a row of :data:`mix2stan.priors.rows.DENSITIES`.

    ``block`` is the Stan identifier it is about (``beta``, ``sd_Subject``, ``L_Subject``, ``sigma``;
    ``intercept`` for the mean response).  ``values`` are the numbers of the density's data slots, one
    per element of the block, and ``source`` says in words where they came from.  A prior of some
    elements alone has their ``places``, counted from 0; the block then has several priors.
    ``proper`` is whether its numbers let it integrate to one.
    """

    block: str
    density: str
    values: tuple[tuple[str, tuple[float, ...]], ...] = field(default=(), compare=False)
    source: str = field(default="", compare=False)
    places: tuple[int, ...] = ()
    proper: bool = field(default=True, compare=False)

    @property
    def stem(self) -> str:
        """What the Stan names of its data begin with."""
        return f"{self.block}_{self.density}" if self.places else self.block

    def __str__(self) -> str:
        return f"{self.block} ~ {self.density}"


@dataclass(frozen=True)
class Strategy:
    """How the posterior is computed; never what it is.

    ``kind`` is ``noncentred`` (effects are sampled as standard normals), ``centred`` (each term as
    its parameterisation says), ``joint`` (non-centred, constants kept), ``collapsed`` (the
    coefficients, and the effects of those terms that say so, are integrated out and drawn exactly
    afterwards), ``profiled`` (collapsed, the coefficients at their maximum: maximum likelihood) or
    ``latent`` (the predictor is sampled as the response of a Gaussian model, which is collapsed;
    ``errors`` identifies the term whose effects, one per row, are its errors);
    ``reason`` says why in words.  ``pooled`` says that equal observations are summed.
    """

    kind: str = "noncentred"
    reason: str = ""
    pooled: bool = False
    errors: str = ""

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
    their way, in order.  ``prior`` is what the call itself says of priors.
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
    prior: CallPrior | None = field(default=None, compare=False)

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

    @property
    def shared_columns(self) -> Columns:
        """The population's columns: those of the mean, or of every category where it has none."""
        alone = self.predictors and not self.population.columns.names
        return self.predictors[0].population.columns if alone else self.population.columns

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
