"""What a row of the families is, and the plain ones.

A row is everything the compiler knows of a family; the modules around it ask the row and never the
name.  Adding a family is a row here and its density in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mix2stan.families.ordinal import Ordinal
from mix2stan.links import LINKS

__all__ = ["PARAMETERS", "ROWS", "Family", "Parameter", "parameter_row"]

Array = NDArray[np.float64]
#: A density of :data:`mix2stan.priors.DENSITIES` and the numbers of its slots.
Numbers = tuple[str, tuple[tuple[str, float], ...]]

#: What a response has to look like: a row of :data:`mix2stan.responses.SUPPORTS`.
Support = Literal[
    "real",
    "positive",
    "nonnegative",
    "unit",
    "unit_zero",
    "unit_closed",
    "count",
    "positive_count",
    "binary",
    "trials",
    "categories",
    "angle",
]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a distribution besides its mean.

    Attributes:
        bound: its Stan constraint.
        meaning: what it is, in words.
        prior: its default prior, and ``brms`` that of brms, with what ``source`` says of the first;
            that of ``sigma`` is in units of the response instead.
        start: about where chains start.
        links: where it has a predictor of its own, its links, the default first.
        centre: from the response to where the default prior puts the middle of that predictor.
        brms_centre: brms' prior of the middle.
        unit: how much on the scale of the link is a large effect.
    """

    bound: str
    meaning: str
    prior: Numbers = ("gamma_2", (("rate", 0.1),))
    brms: Numbers = ("gamma_small", (("rate", 0.01),))
    source: str = "mean 20, wide"
    start: float = 10.0
    links: tuple[str, ...] = ("log",)
    centre: Callable[[Array], float] = lambda y: 0.0
    brms_centre: Numbers = ("student_t", (("loc", 0.0), ("scale", 2.5)))
    unit: float = 1.0

    def allows(self, value: float) -> bool:
        """Whether it can have a value: one inside the numbers of its bounds."""
        low, high = self._ends
        return low < value < high

    def inside(self, value: float) -> float:
        """The value, away from the ends of what it can be where there are two."""
        low, high = self._ends
        margin = 0.1 * (high - low) if np.isfinite(high - low) else 0.0
        return float(np.clip(value, low + margin, high - margin))

    @property
    def _ends(self) -> tuple[float, float]:
        ends = dict(re.findall(r"(lower|upper)=(-?[\d.]+)", self.bound))
        return float(ends.get("lower", -np.inf)), float(ends.get("upper", np.inf))


def _log_sd(y: Array) -> float:
    spread = float(np.std(y, ddof=1)) if len(y) > 1 else 1.0
    return float(np.log(spread)) if spread > 0 else 0.0


def _probability(meaning: str) -> Parameter:
    return Parameter(
        "<lower=0, upper=1>",
        meaning,
        prior=("uniform_unit", ()),
        brms=("uniform_unit", ()),
        source="all values equally likely",
        start=0.2,
        links=("logit", "probit", "cloglog"),
        brms_centre=("logistic", (("loc", 0.0), ("scale", 1.0))),
        unit=2.5,
    )


def _cut(bound: str, meaning: str, start: float) -> Parameter:
    wide: Numbers = ("normal", (("loc", 0.0), ("scale", 5.0)))
    return Parameter(bound, meaning, wide, wide, "wide on the scale of logits", start, links=())


PARAMETERS: dict[str, Parameter] = {
    "sigma": Parameter("<lower=0>", "residual sd", centre=_log_sd),
    "shape": Parameter("<lower=0>", "the larger, the less spread"),
    "phi": Parameter("<lower=0>", "precision of a proportion"),
    "nu": Parameter(
        "<lower=1>",
        "degrees of freedom",
        brms=("gamma_2", (("rate", 0.1),)),
        links=("logm1", "log"),
        centre=lambda y: 2.7,
        brms_centre=("normal", (("loc", 2.7), ("scale", 0.8))),
    ),
    "alpha": Parameter(
        "",
        "skewness, to the right where positive",
        prior=("normal", (("loc", 0.0), ("scale", 4.0))),
        brms=("normal", (("loc", 0.0), ("scale", 4.0))),
        source="from all to the left to all to the right",
        start=1.0,
        links=("identity",),
        brms_centre=("normal", (("loc", 0.0), ("scale", 4.0))),
    ),
    "kappa": Parameter("<lower=0>", "concentration of angles", start=2.0),
    "quantile": replace(_probability("probability of less than mu"), start=0.5),
    "power": Parameter(
        "<lower=1, upper=2>",
        "power of the mean that the variance is proportional to",
        prior=("uniform", ()),
        brms=("uniform", ()),
        source="all values equally likely",
        start=1.5,
        links=(),
    ),
    "zi": _probability("share of zeros from elsewhere"),
    "hu": _probability("probability of a zero"),
    "zoi": _probability("probability of 0 or 1"),
    "coi": _probability("share of ones among these"),
    "cut_zero": _cut("", "predictor at which half are zeros", -2.0),
    "cut_one": _cut("<lower=cut_zero>", "predictor at which half are ones", 2.0),
}

#: The log odds of a category against the first, which are the parameters of unordered categories.
_LOG_ODDS = Parameter(
    "", "log odds against the first category", start=0.0, links=("identity",), unit=2.5
)


def parameter_row(name: str) -> Parameter:
    """A row of :data:`PARAMETERS`, or that of a category, which has the name of its level."""
    return PARAMETERS.get(name, _LOG_ODDS)


def _itself(y: Array) -> Array:
    return y


def _always(mu: Array) -> NDArray[np.bool_]:
    return np.isfinite(mu)


def _positive(mu: Array) -> NDArray[np.bool_]:
    return np.asarray(mu > 0)


def _proper(mu: Array) -> NDArray[np.bool_]:
    return np.asarray((mu > 0) & (mu < 1))


#: Distributions of Stan's with a distribution function.
_WITH_CDF = frozenset(
    "normal student_t lognormal gamma weibull exponential poisson neg_binomial_2".split()
)

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Family:
    """One distribution of the response given its predictor.

    Stan texts have the predictor in braces (``{eta}``), or the mean (``{mu}``), and for a primitive
    the design and its coefficients (``{x}``, ``{coefficients}``).  A further parameter is a number or
    has an element per row.

    Attributes:
        links: the names of its links, the default first.
        support: what the response has to look like.
        density: its Stan density in terms of the mean.
        variance: the variance of one observation (one trial) as a function of its mean, up to the
            dispersion where ``parameters`` has one.
        r_names: what ``family =`` of lme4, base R, glmmTMB and brms calls it.
        mcmcglmm: MCMCglmm's names of it, with its link the default, if it has any.
        parameters: names in :data:`PARAMETERS`.
        integer: whether the response is declared as integers.
        natural: by link, a density in terms of the predictor, where Stan has one.
        primitive: by link, the density that takes the design apart and has an analytic gradient.
        functions: the template with the Stan function it needs, if any.
        domain: which means are possible.
        scale: from the response to the quantity whose mean the link is about.
        single: the family of responses of one trial each.
        pooled: the family of the sum of equally distributed observations; they may be summed.
        exposure: whether that sum has the number of observations times the mean (else it is the
            number of successes in so many trials).
        link_functions: by link, the template with the Stan function it needs.
        ordinal: its thresholds, if its response has ordered categories.
        mathematics: what the distribution is called in headers, if that is not its Stan density.
        dispersion: the parameter that glmmTMB's ``dispformula`` is about.
        mcmcglmm_link: the link of MCMCglmm's predictor, if that is not the default.
        meanings: what parameters are called where their own words do not fit.
        starts: where chains start parameters, if not where they usually do.
        zero: the log of the probability of a zero, row by row, as Stan text.
        row_sets: which rows the density takes apart, by name, from the response.
        base: the family that a wrapper is around, and ``without_zeros`` the one that is left if its
            zeros are no more than usual; ``keeps_zeros`` whether those of the base stay.
    """

    links: tuple[str, ...]
    support: Support
    density: str
    variance: Callable[[Array], Array]
    r_names: tuple[str, ...] = ()
    mcmcglmm: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    integer: bool = False
    natural: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    primitive: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    functions: str | None = None
    domain: Callable[[Array], NDArray[np.bool_]] = _always
    scale: Callable[[Array], Array] = _itself
    single: str | None = None
    pooled: str | None = None
    exposure: bool = False
    link_functions: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    ordinal: Ordinal | None = None
    mathematics: str = ""
    dispersion: str = ""
    mcmcglmm_link: str = ""
    meanings: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    starts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    zero: str = ""
    row_sets: Mapping[str, Callable[[Array], NDArray[np.bool_]]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    base: str = ""
    without_zeros: str = ""
    keeps_zeros: bool = False

    @property
    def counts_trials(self) -> bool:
        return self.support == "trials"

    @property
    def censorable(self) -> bool:
        """Whether Stan has its distribution function."""
        return self.density.split("(", 1)[0] in _WITH_CDF

    @property
    def categories(self) -> bool:
        """Whether the response is one of several categories, numbered from 1."""
        return self.support == "categories"

    def words(self, link: str) -> str:
        """The distribution in mathematics, its predictor in braces."""
        if not self.categories:
            return self.said(LINKS[link].stan)
        return self.density.replace("{link}", link).replace("{thresholds}", "thresholds")

    def meaning(self, parameter: str) -> str:
        """What one of its parameters is, in words."""
        return self.meanings.get(parameter, parameter_row(parameter).meaning)

    def start(self, parameter: str) -> float:
        """About where chains start one of its parameters."""
        return self.starts.get(parameter, parameter_row(parameter).start)

    def said(self, mean: str) -> str:
        """The distribution in mathematics, its mean as text."""
        text = self.mathematics or self.density
        return text.format(mu=mean).replace("./", "/")


def _of_proportion(mu: Array) -> Array:
    return mu * (1 - mu)


_BINARY_LINKS = ("logit", "probit", "cloglog", "cauchit")

ROWS: dict[str, Family] = {
    "gaussian": Family(
        links=("identity", "log", "inverse"),
        support="real",
        density="normal({mu}, sigma)",
        r_names=("gaussian",),
        mcmcglmm=("gaussian",),
        variance=np.ones_like,
        dispersion="sigma",
        parameters=("sigma",),
        primitive={"identity": "normal_id_glm({x}, {eta}, {coefficients}, sigma)"},
    ),
    "student": Family(
        links=("identity", "log", "inverse"),
        support="real",
        density="student_t(nu, {mu}, sigma)",
        r_names=("student", "t_family"),
        variance=np.ones_like,
        dispersion="sigma",
        parameters=("sigma", "nu"),
    ),
    "lognormal": Family(
        links=("identity",),
        support="positive",
        density="lognormal({mu}, sigma)",
        r_names=("lognormal",),
        variance=np.ones_like,
        dispersion="sigma",
        parameters=("sigma",),
        scale=np.log,
    ),
    "poisson": Family(
        links=("log", "identity", "sqrt"),
        support="count",
        density="poisson({mu})",
        r_names=("poisson",),
        mcmcglmm=("poisson",),
        zero="-{mu}",
        variance=lambda mu: mu,
        integer=True,
        natural={"log": "poisson_log({eta})"},
        primitive={"log": "poisson_log_glm({x}, {eta}, {coefficients})"},
        domain=_positive,
        pooled="poisson",
        exposure=True,
    ),
    "negbinomial": Family(
        links=("log", "identity", "sqrt"),
        support="count",
        density="neg_binomial_2({mu}, shape)",
        r_names=("negbinomial", "nbinom2"),
        zero="-shape .* log1p({mu} ./ shape)",
        variance=lambda mu: mu,
        dispersion="shape",
        parameters=("shape",),
        integer=True,
        natural={"log": "neg_binomial_2_log({eta}, shape)"},
        primitive={"log": "neg_binomial_2_log_glm({x}, {eta}, {coefficients}, shape)"},
        domain=_positive,
    ),
    "bernoulli": Family(
        links=_BINARY_LINKS,
        support="binary",
        density="bernoulli({mu})",
        r_names=("bernoulli",),
        variance=_of_proportion,
        integer=True,
        natural={"logit": "bernoulli_logit({eta})"},
        primitive={"logit": "bernoulli_logit_glm({x}, {eta}, {coefficients})"},
        domain=_proper,
        pooled="binomial",
    ),
    "binomial": Family(
        links=_BINARY_LINKS,
        support="trials",
        density="binomial(trials, {mu})",
        r_names=("binomial",),
        mcmcglmm=("multinomial2",),
        zero="to_vector(trials) .* log1m({mu})",
        variance=_of_proportion,
        integer=True,
        natural={"logit": "binomial_logit(trials, {eta})"},
        primitive={"logit": "binomial_logit_glm(trials, {x}, {eta}, {coefficients})"},
        domain=_proper,
        single="bernoulli",
        pooled="binomial",
    ),
    "Gamma": Family(
        links=("inverse", "log", "identity"),
        support="positive",
        density="gamma(shape, shape ./ {mu})",
        r_names=("Gamma",),
        variance=np.square,
        dispersion="shape",
        parameters=("shape",),
        domain=_positive,
    ),
    "inverse.gaussian": Family(
        links=("1/mu^2", "inverse", "log", "identity"),
        support="positive",
        density="inverse_gaussian({mu}, shape)",
        r_names=("inverse.gaussian",),
        variance=lambda mu: mu**3,
        dispersion="shape",
        parameters=("shape",),
        functions="functions/inverse_gaussian",
        domain=_positive,
    ),
    "beta": Family(
        links=("logit", "probit", "cloglog"),
        support="unit",
        density="beta_proportion({mu}, phi)",
        r_names=("beta", "beta_family", "Beta"),
        variance=_of_proportion,
        dispersion="phi",
        parameters=("phi",),
        domain=_proper,
    ),
}
