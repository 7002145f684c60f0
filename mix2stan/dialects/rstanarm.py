"""rstanarm: ``stan_lmer``, ``stan_glmer`` and their like, which read as lme4's and base R's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments
from mix2stan.dialects.families import Distribution, family_of
from mix2stan.dialects.generalised import lowered
from mix2stan.dialects.rstanarm_prior import scaled_priors
from mix2stan.errors import Unsupported
from mix2stan.graph import note
from mix2stan.syntax import Call

__all__ = ["ARGUMENTS", "FUNCTIONS"]

_PRIORS = ("prior", "prior_intercept", "prior_aux", "prior_covariance", "prior_PD", "QR")
#: How it is sampled, kept and shown.
_SAMPLING = (
    "algorithm", "adapt_delta", "sparse", "mean_PPD", "chains", "iter", "warmup", "thin", "cores",
    "seed", "refresh", "control", "init", "model", "x", "y", "singular.ok", "show_messages",
)  # fmt: skip

_NAMES = ("formula", "data", "family", "subset", "weights", "na.action", "offset", "contrasts")
_SIGNATURE = Signature(
    names=(*_NAMES, *_PRIORS, *_SAMPLING),
    ignored=frozenset(_SAMPLING),
    unshown=frozenset(_PRIORS),
)
_GLM = replace(_SIGNATURE, names=("formula", "family", "data", *_NAMES[3:], *_PRIORS, *_SAMPLING))
_NO_FAMILY = replace(_SIGNATURE, names=tuple(n for n in _SIGNATURE.names if n != "family"))

#: Its names of families.
_OWN = {"neg_binomial_2": "negbinomial"}
#: What stan_lm() has instead of priors of coefficients.
_OF_R2 = "the prior of stan_lm() is of R^2, which cannot be expressed: the priors are those listed"


def _reader(
    signature: Signature, grouped: bool, fixed: Distribution | None = None
) -> Callable[[Call], Request]:
    def read(call: Call) -> Request:
        arguments = match_arguments(call, signature)
        distribution = fixed or family_of(arguments.get("family"), own=_OWN)
        _check_asked(arguments)
        scaled = scaled_priors(arguments)
        asked = lowered(arguments, distribution, grouped, powers=True)
        own = bool(scaled)
        graph = replace(asked.graph, scaled=scaled, defaults="rstanarm", own=own)
        return replace(asked, graph=graph)

    return read


def _check_asked(arguments: Arguments) -> None:
    """Refuse draws of the prior, and priors of the coefficients of other columns.

    Raises:
        Unsupported: for these.
    """
    if arguments.truth("prior_PD", False):
        message = "prior_PD = TRUE asks for draws of the prior, and this is the posterior"
        hint = "leave it away: model.sample_prior() draws from the prior"
        raise Unsupported(message, span=arguments.values["prior_PD"].span, hint=hint)
    flat = "prior" in arguments.values and arguments.get("prior") is None
    if arguments.truth("QR", False) and not flat:
        message = "with QR = TRUE the prior is of the coefficients of other columns"
        hint = "leave it away: columns are made orthogonal in any case; or say prior = NULL"
        span = arguments.values["QR"].span
        raise Unsupported(f"{message}, which cannot be expressed", span=span, hint=hint)


def _read_lm(call: Call) -> Request:
    """``stan_lm(y ~ x)``: its prior is of the share of the variance that is explained."""
    arguments = match_arguments(call, _NO_FAMILY)
    _check_asked(arguments)
    for name in _PRIORS[:4]:
        if name in arguments.values:
            message = f"'{name}' of stan_lm(), which has a prior of R^2, cannot be expressed"
            hint = "stan_glm(y ~ x) has priors of coefficients"
            raise Unsupported(message, span=arguments.values[name].span, hint=hint)
    asked = lowered(arguments, _GAUSSIAN, grouped=False)
    return replace(asked, graph=note(asked.graph, _OF_R2))


_GAUSSIAN, _COUNT = Distribution("gaussian", "identity"), Distribution("negbinomial", "log")

FUNCTIONS = {
    "stan_lmer": _reader(_NO_FAMILY, True, _GAUSSIAN),
    "stan_glmer": _reader(_SIGNATURE, True),
    "stan_glmer.nb": _reader(_NO_FAMILY, True, _COUNT),
    "stan_lm": _read_lm,
    "stan_glm": _reader(_GLM, False),
    "stan_glm.nb": _reader(_NO_FAMILY, False, _COUNT),
}
ARGUMENTS = {
    name: {"stan_glmer": _SIGNATURE, "stan_glm": _GLM}.get(name, _NO_FAMILY).names
    for name in FUNCTIONS
}
