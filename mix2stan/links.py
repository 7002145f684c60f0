"""Link functions: one row each, in numpy and in Stan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["LINKS", "Link"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Link:
    """A link ``eta = g(mu)``.

    Attributes:
        forward: g.
        inverse: its inverse.
        slope: the derivative of mu in eta, at eta.
        stan: the inverse as Stan text, the predictor in braces.
        valid: whether a predictor is in the range of g, element by element.
        scaled: whether the response itself, transformed, says how large effects are (default
            priors); where it does not, the scale of the link is its own unit.
        shift: added to a zero response before it is transformed, for default priors.
        relative: whether a unit of the predictor is a factor of the mean, whatever its units are.
    """

    forward: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    stan: str
    valid: Callable[[Array], NDArray[np.bool_]] = np.isfinite
    scaled: bool = True
    shift: float = 0.0
    relative: bool = False


def _normal_density(eta: Array) -> Array:
    return np.asarray(np.exp(-0.5 * eta**2) / np.sqrt(2 * np.pi))


def _positive(eta: Array) -> NDArray[np.bool_]:
    return np.asarray(eta > 0)


LINKS: dict[str, Link] = {
    "identity": Link(lambda mu: mu, lambda eta: eta, np.ones_like, "{eta}"),
    "log": Link(np.log, np.exp, np.exp, "exp({eta})", shift=0.1, relative=True),
    "-log": Link(
        lambda mu: -np.log(mu),
        lambda eta: np.exp(-eta),
        lambda eta: -np.exp(-eta),
        "exp(-({eta}))",
        shift=0.1,
        relative=True,
    ),
    "logm1": Link(lambda mu: np.log(mu - 1), lambda eta: 1 + np.exp(eta), np.exp, "1 + exp({eta})"),
    "sqrt": Link(np.sqrt, np.square, lambda eta: 2 * eta, "square({eta})", _positive),
    "inverse": Link(
        lambda mu: 1 / mu,
        lambda eta: 1 / eta,
        lambda eta: -1 / eta**2,
        "inv({eta})",
        _positive,
        shift=0.1,
    ),
    "1/mu^2": Link(
        lambda mu: mu**-2.0,
        lambda eta: eta**-0.5,
        lambda eta: -0.5 * eta**-1.5,
        "inv_sqrt({eta})",
        _positive,
        shift=0.1,
    ),
    "logit": Link(
        special.logit,
        special.expit,
        lambda eta: special.expit(eta) * special.expit(-eta),
        "inv_logit({eta})",
        scaled=False,
    ),
    "tan_half": Link(
        lambda mu: np.tan(mu / 2),
        lambda eta: 2 * np.arctan(eta),
        lambda eta: 2 / (1 + np.square(eta)),
        "2 * atan({eta})",
        scaled=False,
    ),
    "probit": Link(special.ndtri, special.ndtr, _normal_density, "Phi({eta})", scaled=False),
    "cloglog": Link(
        lambda mu: np.log(-np.log1p(-mu)),
        lambda eta: -np.expm1(-np.exp(eta)),
        lambda eta: np.exp(eta - np.exp(eta)),
        "inv_cloglog({eta})",
        scaled=False,
    ),
    "cauchit": Link(
        lambda mu: np.tan(np.pi * (mu - 0.5)),
        lambda eta: 0.5 + np.arctan(eta) / np.pi,
        lambda eta: 1 / (np.pi * (1 + np.square(eta))),
        "(0.5 + atan({eta}) / pi())",
        scaled=False,
    ),
}
