"""Prior densities, and the named sets of default priors.

Scales are data, not text: a density row has slots (``loc``, ``scale``, ``rate``) that become data of
the Stan program, so that one compiled program serves every data set of its shape.

The sets follow their packages to the letter: brms 2.23 (``def_scale_prior``), rstanarm 2.32
(``default_prior_coef`` and friends, ``decov``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.covariances import COVARIANCES, Parameter, constants_of
from mix2stan.errors import FormulaError, suggestion
from mix2stan.graph import Group, ModelGraph, Prior
from mix2stan.syntax import format_number

__all__ = [
    "DENSITIES",
    "PRIOR_SETS",
    "Density",
    "PriorText",
    "Summaries",
    "default_priors",
    "describe",
]

Array = NDArray[np.float64]

_BOUNDS = {"loc": "", "scale": "<lower=0>", "rate": "<lower=0>"}


@dataclass(frozen=True)
class Density:
    """A row of :data:`DENSITIES`.

    Attributes:
        text: the Stan density, with its data slots in braces; empty if there is nothing to say.
        slots: the names of the data slots, in order.
        proper: whether it integrates to one.
        functions: the template with the Stan function it needs, if any.
    """

    text: str
    slots: tuple[str, ...] = ()
    proper: bool = True
    functions: str | None = None


DENSITIES: dict[str, Density] = {
    "flat": Density("", proper=False),
    "normal": Density("normal({loc}, {scale})", ("loc", "scale")),
    "student_t": Density("student_t(3, {loc}, {scale})", ("loc", "scale")),
    "half_student_t": Density("student_t(3, 0, {scale})", ("scale",)),
    "exponential": Density("exponential({rate})", ("rate",)),
    "lkj": Density("lkj_corr_cholesky(1)"),
    "uniform": Density(""),
    "lognormal": Density("lognormal({loc}, {scale})", ("loc", "scale")),
    "normal_sigma": Density("normal(0, sigma)"),
    "std_normal": Density("std_normal()"),
    "normal_0": Density("normal(0, {scale})", ("scale",)),
    "lognormal_1": Density("lognormal(0, 1)"),
    "uniform_0_1": Density("uniform(0, 1)"),
    "uniform_1_1": Density("uniform(-1, 1)"),
    "uniform_rho": Density("uniform(cor_rho_lower, 1)"),
    "exponential_sigma": Density("exponential(1 / sigma)"),
    "decov": Density("decov(sigma)", functions="functions/decov"),
}


@dataclass(frozen=True)
class PriorText:
    """A prior as the templates write it."""

    block: str
    density: Density

    def data(self, size: str | None) -> str:
        """Declarations of its data slots; ``size`` is the Stan size of the block, None for a real."""
        kind = "real{bound}" if size is None else "vector{bound}[" + size + "]"
        lines = (
            f"{kind.format(bound=_BOUNDS[slot])} {self.block}_{slot};"
            for slot in self.density.slots
        )
        return "\n".join(lines)

    def statement(self, target: str) -> str:
        """The sampling statement for ``target``; nothing for a flat prior."""
        if not self.density.text:
            return ""
        names = {slot: f"{self.block}_{slot}" for slot in self.density.slots}
        return f"{target} ~ {self.density.text.format(**names)};"


def describe(prior: Prior, element: int) -> str:
    """The density of one element of a block, with its numbers.

    >>> describe(Prior("sigma", "half_student_t", (("scale", (44.7,)),)), 0)
    'student_t(3, 0, 44.7)'
    """
    density = DENSITIES[prior.density]
    if not density.text:
        return "uniform" if density.proper else "flat"
    numbers = {slot: format_number(values[element], 5) for slot, values in prior.values}
    return density.text.format(**numbers)


@dataclass(frozen=True)
class Summaries:
    """What the default priors need to know of the data.

    Attributes:
        y: the response, shape (N,).
        X: the population design, shape (N, K), its intercept first if ``intercept``.
        intercept: whether the first column of X is the intercept.
    """

    y: Array
    X: Array
    intercept: bool

    @property
    def mean(self) -> float:
        return float(np.mean(self.y))

    @property
    def sd(self) -> float:
        """Standard deviation of the response, 1 if it is constant."""
        return float(np.std(self.y, ddof=1)) or 1.0 if len(self.y) > 1 else 1.0

    @property
    def median(self) -> float:
        return float(np.median(self.y))

    @property
    def mad(self) -> float:
        """R's ``mad``: the median absolute deviation times 1.4826."""
        return float(1.4826 * np.median(np.abs(self.y - self.median)))

    def slope_scales(self, factor: float) -> Array:
        """``factor`` over the standard deviation of each column of X (over 1 for a constant one)."""
        spread = np.std(self.X, axis=0, ddof=1) if len(self.X) > 1 else np.ones(self.X.shape[1])
        return factor / np.where(spread > 0, spread, 1.0)

    def constant_in_columns(self) -> Array | None:
        """Weights c with X c = 1, if the columns span the constant, else None."""
        ones = np.ones(len(self.X))
        weights: Array = np.linalg.lstsq(self.X, ones, rcond=None)[0].astype(float)
        return weights if np.allclose(self.X @ weights, ones, atol=1e-8) else None


SetRule = Callable[[ModelGraph, Summaries], list[Prior]]


def default_priors(
    graph: ModelGraph, data: Summaries, prior_set: str = "default"
) -> tuple[Prior, ...]:
    """The priors of a named set for every block of a resolved graph.

    Raises:
        FormulaError: if there is no set of that name.
    """
    if prior_set not in PRIOR_SETS:
        hint = suggestion(prior_set, PRIOR_SETS, what="the sets")
        raise FormulaError(f"there is no set of priors called {prior_set!r}", hint=hint)
    return tuple(PRIOR_SETS[prior_set](graph, data))


def _block(block: str, density: str, source: str, **slots: Array | float) -> Prior:
    values = tuple((k, tuple(np.atleast_1d(v).astype(float).tolist())) for k, v in slots.items())
    return Prior(block, density, values, source)


def _group_priors(graph: ModelGraph, sd: Callable[[Group, int], Prior]) -> list[Prior]:
    """The priors of every group term; ``sd`` gives those of its standard deviations."""
    priors = []
    for group in graph.groups:
        row, order = COVARIANCES[group.covariance.kind], group.covariance.order
        for p in row.parameters:
            n = p.size(len(group.columns.names), order)
            if p.density == "sd":
                prior = replace(sd(group, n), block=f"{p.name}_{group.id}")
                signed = _SIGNED.get(prior.density, prior.density)
                priors.append(replace(prior, density=signed) if p.signed else prior)
            else:
                priors.append(_structural(group, p, n))
    return priors


#: The counterparts of densities that are for positive numbers alone.
_SIGNED = {"decov": "normal_sigma", "exponential_sigma": "normal_sigma"}
#: What the defaults of correlation parameters are for.
_REASONS = {
    "lkj": "all correlation matrices equally likely",
    "uniform": "all values between the bounds equally likely",
    "normal": "effects of a size with those they are regressed on",
    "lognormal": "around the median of the distances",
}


def _structural(group: Group, parameter: Parameter, n: int) -> Prior:
    """The prior of a parameter that is no standard deviation: the same in all sets."""
    slots = parameter.slots(constants_of(group))
    values = {slot: np.full(n, value) for slot, value in slots.items()}
    block = f"{parameter.name}_{group.id}"
    return _block(block, parameter.density, _REASONS[parameter.density], **values)


def _mad_scale(data: Summaries) -> tuple[float, str]:
    return max(2.5, data.mad), "max(2.5, mad of the response)"


def _default(graph: ModelGraph, data: Summaries) -> list[Prior]:
    scale, source = _mad_scale(data)
    priors = _normal_coefficients(data)
    priors += _group_priors(
        graph,
        lambda g, n: _block(f"sd_{g.id}", "half_student_t", source, scale=np.full(n, scale)),
    )
    return [*priors, _block("sigma", "half_student_t", source, scale=scale)]


def _normal_coefficients(data: Summaries) -> list[Prior]:
    """normal(0, 2.5 sd(y) / sd(x)); the intercept, at the mean of the columns, normal(mean(y), …)."""
    if data.X.shape[1] == 0:
        return []
    scales = data.slope_scales(2.5 * data.sd)
    if data.intercept:
        source = "mean(y), 2.5 sd(y); at the mean of the other columns"
        priors = [_block("intercept", "normal", source, loc=data.mean, scale=2.5 * data.sd)]
        if len(scales) > 1:
            loc = np.zeros(len(scales) - 1)
            priors.append(_block("beta", "normal", "2.5 sd(y) / sd(x)", loc=loc, scale=scales[1:]))
        return priors
    weights = data.constant_in_columns()
    if weights is not None:
        source = "mean(y), as the columns add up to the intercept; 2.5 sd(y) / sd(x)"
        return [_block("beta", "normal", source, loc=data.mean * weights, scale=scales)]
    rms_y, rms_x = np.sqrt(np.mean(data.y**2)), np.sqrt(np.mean(data.X**2, axis=0))
    scales = 2.5 * (rms_y or 1.0) / np.where(rms_x > 0, rms_x, 1.0)
    source = "2.5 rms(y) / rms(x), as there is no intercept"
    return [_block("beta", "normal", source, loc=np.zeros(len(scales)), scale=scales)]


def _brms(graph: ModelGraph, data: Summaries) -> list[Prior]:
    scale = max(2.5, round(data.mad, 1))
    source = "brms: max(2.5, mad(y) to one decimal)"
    columns = data.X.shape[1]
    priors = []
    if data.intercept:
        centre = round(data.median, 1)
        priors.append(
            _block("intercept", "student_t", f"{source}; median(y)", loc=centre, scale=scale)
        )
    if columns > data.intercept:
        priors.append(_block("beta", "flat", "brms: improper"))
    priors += _group_priors(
        graph,
        lambda g, n: _block(f"sd_{g.id}", "half_student_t", source, scale=np.full(n, scale)),
    )
    return [*priors, _block("sigma", "half_student_t", source, scale=scale)]


def _rstanarm(graph: ModelGraph, data: Summaries) -> list[Prior]:
    priors = []
    scales = data.slope_scales(2.5 * data.sd)
    if data.intercept:
        source = "rstanarm: mean(y), 2.5 sd(y)"
        priors.append(_block("intercept", "normal", source, loc=data.mean, scale=2.5 * data.sd))
    slopes = scales[int(data.intercept) :]
    if len(slopes):
        source = "rstanarm: 2.5 sd(y) / sd(x)"
        priors.append(_block("beta", "normal", source, loc=np.zeros(len(slopes)), scale=slopes))
    source = "rstanarm: decov(1, 1, 1, 1), in units of sigma"
    priors += _group_priors(
        graph,
        # of one standard deviation, decov is an exponential
        lambda g, n: _block(f"sd_{g.id}", "decov" if n > 1 else "exponential_sigma", source),
    )
    return [*priors, _block("sigma", "exponential", "rstanarm: 1 / sd(y)", rate=1 / data.sd)]


def _flat(graph: ModelGraph, data: Summaries) -> list[Prior]:
    source = "asked for; improper"
    columns = data.X.shape[1]
    priors = [_block("intercept", "flat", source)] if data.intercept else []
    priors += [_block("beta", "flat", source)] if columns > data.intercept else []
    priors += _group_priors(graph, lambda g, n: _block(f"sd_{g.id}", "flat", source))
    return [*priors, _block("sigma", "flat", source)]


PRIOR_SETS: dict[str, SetRule] = {
    "default": _default,
    "brms": _brms,
    "rstanarm": _rstanarm,
    "flat": _flat,
}
