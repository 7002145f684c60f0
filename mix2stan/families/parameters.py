"""What distributions have besides their means: one row each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.spread import spread

__all__ = ["PARAMETERS", "Numbers", "Parameter", "parameter_row"]

Array = NDArray[np.float64]
#: A density of :data:`mix2stan.priors.rows.DENSITIES` and the numbers of its slots.
Numbers = tuple[str, tuple[tuple[str, float], ...]]


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
        brms_centre: brms' prior of the middle; where ``scaled`` its scale is that of the response.
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
    scaled: bool = False

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
    return float(np.log(spread(y)))


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
    "sigma": Parameter("<lower=0>", "residual sd", centre=_log_sd, scaled=True),
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
    "kappa": Parameter(
        "<lower=0>",
        "concentration of angles",
        brms=("gamma_2", (("rate", 0.01),)),
        start=2.0,
        brms_centre=("normal", (("loc", 5.0), ("scale", 0.8))),
    ),
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
