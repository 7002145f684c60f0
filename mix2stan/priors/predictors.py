"""Default priors of the predictors of parameters besides the mean.

They are on the scale of a link, so their units are those of the link: a factor of e is much for a
standard deviation, whatever it is the standard deviation of.  The intercept's prior is about the
predictor at the mean of the other columns, as in the mean's predictor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mix2stan.families import Numbers, Parameter, parameter_row
from mix2stan.graph import Group, Prior
from mix2stan.priors.sets import block_prior, group_priors
from mix2stan.priors.summaries import Summaries

__all__ = ["PREDICTED_SETS", "Predicted", "predictor_priors"]

Array = NDArray[np.float64]

#: A set's scale of the middle of a predictor where that is normal.
_WIDE = 2.5
_MIDDLE = "on the scale of the link, at the mean of the other columns"


@dataclass(frozen=True)
class Predicted:
    """One further predictor, and what its default priors need to know.

    Attributes:
        parameter: what it is the predictor of.
        groups: its group terms.
        columns: its population design.
        y: the response as its family sees it, shape (N,).
        sd_scale: the scale of brms' prior of standard deviations, which is that of the mean's.
        spread: that of its prior of the middle, where that is scaled.
    """

    parameter: str
    groups: tuple[Group, ...]
    columns: Summaries
    y: Array
    sd_scale: float
    spread: float = 2.5

    @property
    def row(self) -> Parameter:
        return parameter_row(self.parameter)

    def block(self, name: str) -> str:
        return f"{name}_{self.parameter}"


def predictor_priors(predicted: Predicted, prior_set: str) -> list[Prior]:
    """The priors of a named set for the coefficients and the group terms of a further predictor."""
    return PREDICTED_SETS[prior_set](predicted)


def _half_t(scale: float, source: str) -> Callable[[Group, int], Prior]:
    def sd(group: Group, n: int) -> Prior:
        return block_prior(f"sd_{group.id}", "half_student_t", source, scale=np.full(n, scale))

    return sd


def _coefficients(p: Predicted, middle: Numbers, words: str, unit: float) -> list[Prior]:
    """The middle as said; slopes normal(0, unit / sd(x)), all of them where there is no middle."""
    count = p.columns.X.shape[1]
    scales = p.columns.slope_scales(unit)
    by_sd = f"{unit:g} / sd(x), on the scale of the link"
    if not count:
        return []
    if p.columns.intercept:
        density, slots = middle
        priors = [block_prior(p.block("intercept"), density, words, **dict(slots))]
        if count > 1:
            loc = np.zeros(count - 1)
            beta = block_prior(p.block("beta"), "normal", by_sd, loc=loc, scale=scales[1:])
            priors.append(beta)
        return priors
    weights = p.columns.constant_in_columns()
    if weights is not None:
        loc = p.row.centre(p.y) * weights
        wide = np.full(count, _WIDE)
        source = "the middle of the predictor, as the columns add up to the intercept"
        return [block_prior(p.block("beta"), "normal", source, loc=loc, scale=wide)]
    return [block_prior(p.block("beta"), "normal", by_sd, loc=np.zeros(count), scale=scales)]


def _default(p: Predicted) -> list[Prior]:
    centre = p.row.centre(p.y)
    middle: Numbers = ("normal", (("loc", centre), ("scale", _WIDE)))
    source = f"{p.row.unit:g}, on the scale of the link"
    return [
        *_coefficients(p, middle, _MIDDLE, p.row.unit),
        *group_priors(p.groups, _half_t(p.row.unit, source)),
    ]


def _brms(p: Predicted) -> list[Prior]:
    source = f"brms: of a predictor of {p.parameter}"
    priors = []
    if p.columns.intercept:
        density, slots = p.row.brms_centre
        numbers = dict(slots) | ({"scale": p.spread} if p.row.scaled else {})
        priors.append(block_prior(p.block("intercept"), density, source, **numbers))
    if p.columns.X.shape[1] > p.columns.intercept:
        priors.append(block_prior(p.block("beta"), "flat", "brms: improper"))
    words = "brms: the scale of the mean's standard deviations"
    return priors + group_priors(p.groups, _half_t(p.sd_scale, words))


def _rstanarm(p: Predicted) -> list[Prior]:
    """It has no such predictors; these are its priors of a predictor that has no units."""
    middle: Numbers = ("normal", (("loc", 0.0), ("scale", _WIDE)))

    def sd(group: Group, n: int) -> Prior:
        source = "as rstanarm's of the mean"
        if n > 1:
            return block_prior(f"sd_{group.id}", "decov_1", source)
        return block_prior(f"sd_{group.id}", "exponential", source, rate=1.0)

    return [
        *_coefficients(p, middle, "as rstanarm's of the mean: 2.5", _WIDE),
        *group_priors(p.groups, sd),
    ]


def _flat(p: Predicted) -> list[Prior]:
    source = "asked for; improper"
    names = ["intercept"] if p.columns.intercept else []
    names += ["beta"] if p.columns.X.shape[1] > p.columns.intercept else []
    sds = group_priors(p.groups, lambda g, n: block_prior(f"sd_{g.id}", "flat", source))
    return [*(block_prior(p.block(name), "flat", source) for name in names), *sds]


PREDICTED_SETS: dict[str, Callable[[Predicted], list[Prior]]] = {
    "default": _default,
    "brms": _brms,
    "rstanarm": _rstanarm,
    # it has no such predictors
    "mcmcglmm": _default,
    "flat": _flat,
}
