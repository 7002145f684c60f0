"""What a call says of priors, and the priors of a model."""

from __future__ import annotations

from dataclasses import dataclass, field

from mix2stan.errors import Span
from mix2stan.syntax import NOWHERE

__all__ = ["CallPrior", "Prior", "Rows", "ScaledPrior", "StatedPrior", "WishartPrior"]


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
class StatedPrior:
    """brms' prior of the parameters of a class, ``prior(normal(0, 1), class = sd, group = g)``.

    Attributes:
        density: its text, as Stan writes it.
        kind: the class: ``b``, ``Intercept``, ``sd``, ``cor``, or the name of a parameter.
        coefficient: the one it is about; empty for all of the class.
        group: the grouping factor; empty for all.
        parameter: whose predictor it is about, empty for the mean's.
        response: which of several responses it is about.
        optional: whether other responses have what it is about, if this one has not.
    """

    density: str
    kind: str
    coefficient: str = ""
    group: str = ""
    parameter: str = ""
    response: str = ""
    optional: bool = False
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    @property
    def place(self) -> tuple[str, ...]:
        """What it is about: there is one prior of each."""
        return (self.kind, self.coefficient, self.group, self.parameter, self.response)

    def __str__(self) -> str:
        parts = {
            "coef": self.coefficient,
            "group": self.group,
            "resp": self.response,
            "dpar": self.parameter,
        }
        return ", ".join([f"class {self.kind}", *(f"{k} {v}" for k, v in parts.items() if v)])


@dataclass(frozen=True)
class ScaledPrior:
    """rstanarm's prior of an argument, ``prior = normal(0, 1, autoscale = TRUE)``.

    Attributes:
        argument: the name of the argument, which says what it is about.
        density: a row of :data:`mix2stan.priors.rows.DENSITIES`, or ``decov``.
        values: its numbers by R's names, without those that the call leaves open.
        autoscale: whether its scales are in units of the data.
    """

    argument: str
    density: str
    values: tuple[tuple[str, tuple[float, ...]], ...] = ()
    autoscale: bool = False
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Prior:
    """The prior of one block of parameters: a row of :data:`mix2stan.priors.rows.DENSITIES`.

    ``block`` is the Stan identifier it is about (``beta``, ``sd_Subject``, ``L_Subject``, ``sigma``;
    ``intercept`` for the mean response).  ``values`` are the numbers of the density's data slots, one
    per element of the block, and ``source`` says in words where they came from.  A prior of some
    elements alone has their ``places``, counted from 0; the block then has several priors.
    ``proper`` is whether its numbers let it integrate to one.  With a ``unit``, a parameter, the
    density is of the block times that.
    """

    block: str
    density: str
    values: tuple[tuple[str, tuple[float, ...]], ...] = field(default=(), compare=False)
    source: str = field(default="", compare=False)
    places: tuple[int, ...] = ()
    proper: bool = field(default=True, compare=False)
    unit: str = ""

    @property
    def stem(self) -> str:
        """What the Stan names of its data begin with."""
        own = f"{self.density}_{self.unit}" if self.unit else self.density
        return f"{self.block}_{own}" if self.places else self.block

    def __str__(self) -> str:
        return f"{self.block} ~ {self.density}"
