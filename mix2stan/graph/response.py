"""What is modelled: the response, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mix2stan.syntax import Argument, Call, Node, Operator, Parens

__all__ = ["CategoryOrder", "Censoring", "Layer", "Response", "Trait", "Truncation"]

#: What says in which order categories are: the levels of any factor, or those of an ordered one alone
#: (brms), numbers then being counted from 1; or the levels of a factor or the sizes of numbers
#: (MCMCglmm).
CategoryOrder = Literal["levels", "ordered", "sizes"]


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
class Trait:
    """One of several responses that are stacked.

    ``values`` are an expression of the columns: numbers or, if it has ``levels``, a factor, which is
    stacked as their numbers from 1 on.  ``counts`` are the columns whose sum is the number of trials
    the values are part of.
    """

    name: str
    values: Node
    counts: tuple[Node, ...] = ()
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layer:
    """A response that is seen through a family: what is Gaussian are its latent variables.

    ``response`` is its name and ``id`` the Stan identifier of that; ``traits`` are the names of the
    latent variables, among those of the stacked responses, and ``ids`` their identifiers.
    ``family`` is a row of :data:`mix2stan.families.LAYERS`; ``link`` is said where there is one
    latent variable.  ``trials`` is the stacked column of the numbers of trials, and ``levels`` are
    the names of the categories, the reference first.
    """

    response: str
    traits: tuple[str, ...]
    family: str
    link: str = ""
    trials: Node | None = None
    levels: tuple[str, ...] = field(default=(), compare=False)
    id: str = field(default="", compare=False)
    ids: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        if len(self.traits) == 1:
            return f"{self.response} is {self.family}{f'[{self.link}]' if self.link else ''}"
        return f"{self.response} is {self.family} of {' and '.join(self.traits)}"


def _minuend(difference: Node, subtracted: Node) -> Node | None:
    """The n of ``n - y``."""
    match difference:
        case Parens(inner=inner):
            return _minuend(inner, subtracted)
        case Operator(symbol="+", operands=(n, Operator(symbol="-", operands=(y,)))) if (
            y == subtracted
        ):
            return n
    return None


@dataclass(frozen=True)
class Response:
    """What is modelled, and its distribution given the predictor.

    ``family`` is a row of :data:`mix2stan.families.FAMILIES` and ``link`` one of its links;
    ``weights`` are the numbers of trials of a proportion.  Of a response of categories ``levels`` are
    their names, known once the data are; ``anchored`` is whether the first threshold is zero and the
    population has an intercept instead; ``order`` is what the call takes for their order
    (:data:`CategoryOrder`); ``latent_sd`` is the known standard deviation of the normal
    error behind a probit.  ``censoring`` is what is known of values that were not observed,
    ``truncation`` the bounds of what could be.  ``known`` are the parameters of the distribution
    whose values are given, and these.  ``powers`` multiply the log-likelihood of the rows, and
    ``noise`` are known standard errors that add to sigma.  ``traits`` are the names of several
    responses that are stacked, and ``layers`` those of them that are not Gaussian themselves: what
    is stacked is their predictor, residual included.  ``exposure`` is the one among the offsets of
    the mean that brms' ``rate()`` stands for.
    """

    expression: Node
    family: str = "gaussian"
    link: str = "identity"
    weights: Node | None = None
    anchored: bool = field(default=False, compare=False)
    order: CategoryOrder = field(default="levels", compare=False)
    latent_sd: float = 1.0
    levels: tuple[str, ...] = field(default=(), compare=False)
    censoring: Censoring | None = None
    truncation: Truncation | None = None
    known: tuple[tuple[str, float], ...] = ()
    powers: Node | None = None
    noise: Node | None = None
    traits: tuple[str, ...] = field(default=(), compare=False)
    layers: tuple[Layer, ...] = ()
    exposure: Node | None = field(default=None, compare=False)

    @property
    def trials(self) -> Node | None:
        """The numbers of trials, where they are said apart from the successes.

        Of ``cbind(y, n - y)`` they are n.
        """
        if self.weights is not None or self.censoring is not None:
            return self.weights
        match self.expression:
            case Call(function="cbind", args=(Argument(value=y), Argument(value=failures))):
                return _minuend(failures, y)
        return None

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
        trials = dict.fromkeys(layer.trials for layer in self.layers)
        known = (self.weights, self.powers, self.noise, *trials)
        return tuple(node for node in known if node is not None)

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
