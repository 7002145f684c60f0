"""What a row of the families is, and the plain ones.

A row is everything the compiler knows of a family; the modules around it ask the row and never the
name.  Adding a family is a row here and its density in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mix2stan.families.ordinal import Ordinal
from mix2stan.families.parameters import parameter_row
from mix2stan.links import LINKS, Link

__all__ = ["ROWS", "Family", "Support", "on_link"]

Array = NDArray[np.float64]
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
    "several_counts",
    "angle",
]


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
        brms: brms' priors of parameters, where the family has its own.
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
    brms: Mapping[str, tuple[str, tuple[tuple[str, float], ...]]] = field(
        default_factory=lambda: MappingProxyType({})
    )
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
    def logarithmic(self) -> bool:
        """Whether its link is about the logarithm of the response."""
        return self.scale is not _itself

    @property
    def censorable(self) -> bool:
        """Whether Stan has its distribution function."""
        return self.density.split("(", 1)[0] in _WITH_CDF

    @property
    def categories(self) -> bool:
        """Whether the response is one of several categories, numbered from 1, or counts of them."""
        return self.support in ("categories", "several_counts")

    @property
    def several(self) -> bool:
        """Whether the response is counts of several categories, a column each."""
        return self.support == "several_counts"

    @property
    def unordered(self) -> bool:
        """Whether the response is of categories without an order: each has a predictor of its own."""
        return self.categories and self.ordinal is None

    @property
    def may_be_layer(self) -> bool:
        """Whether MCMCglmm has it with one latent variable, and Stan its density without more."""
        whole = self.parameters or self.counts_trials or self.categories or self.base
        return bool(self.mcmcglmm) and not whole

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


def on_link(y: Array, family: Family, link: Link) -> Array:
    """A response on the scale of its predictor, zeros moved off where that has no value there."""
    y = family.scale(y)
    with np.errstate(all="ignore"):
        return np.asarray(link.forward(np.where(y == 0, y + link.shift, y)), dtype=float)


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
        brms={"shape": ("inv_gamma", (("shape", 0.4), ("scale", 0.3)))},
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
