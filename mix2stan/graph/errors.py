"""The errors: variance functions and a correlation."""

from __future__ import annotations

from dataclasses import dataclass, field

from mix2stan.errors import Span
from mix2stan.graph.terms import Factor
from mix2stan.syntax import NOWHERE, Call, Node, Number, Operator

__all__ = ["ErrorCorrelation", "Given", "Residual", "VarianceFunction"]


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
    all blocks lie, known once the data are.  ``fixed`` are the values of all parameters, or ``latter``
    the correlations of the last positions of a corSymm, by columns of the lower triangle.
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
    latter: tuple[float, ...] = ()
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
        details += [f"the last fixed {value:g}" for value in self.latter]
        return f"{self.kind}({', '.join(details)})"


@dataclass(frozen=True)
class Residual:
    """The errors: ``sigma^2 D R D``, D the product of variance functions, R a correlation.

    ``dispersion`` is a formula of the log standard deviation; it becomes variance functions once it
    is known which of its variables are factors.  ``effects`` are the levels of a term whose effects are
    the errors, one for every row, until that is checked.
    """

    variances: tuple[VarianceFunction, ...] = ()
    correlation: ErrorCorrelation | None = None
    dispersion: Node | None = None
    effects: Factor | None = None

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
        found += self.effects.variables if self.effects is not None else []
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
