"""rstanarm: ``stan_lmer``, ``stan_glmer`` and their like, which read as lme4's and base R's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mix2stan.dialects.arguments import Request, Signature, match_arguments
from mix2stan.dialects.families import Distribution, family_of
from mix2stan.dialects.generalised import lowered
from mix2stan.graph import note
from mix2stan.syntax import Call

__all__ = ["ARGUMENTS", "FUNCTIONS"]

_SAMPLING = (
    "prior", "prior_intercept", "prior_aux", "prior_covariance", "prior_PD", "algorithm",
    "adapt_delta", "QR", "sparse", "mean_PPD", "chains", "iter", "warmup", "thin", "cores", "seed",
    "refresh", "control", "init", "model", "x", "y", "singular.ok", "concentration_points",
)  # fmt: skip

_NAMES = ("formula", "data", "family", "subset", "weights", "na.action", "offset", "contrasts")
_SIGNATURE = Signature(names=(*_NAMES, *_SAMPLING), ignored=frozenset(_SAMPLING))
_GLM = Signature(
    names=("formula", "family", "data", *_NAMES[3:], *_SAMPLING), ignored=frozenset(_SAMPLING)
)
_NO_FAMILY = replace(_SIGNATURE, names=tuple(n for n in _SIGNATURE.names if n != "family"))

_REMARK = "rstanarm's default priors are the set prior = 'rstanarm'"


def _reader(
    signature: Signature, grouped: bool, fixed: Distribution | None = None
) -> Callable[[Call], Request]:
    def read(call: Call) -> Request:
        arguments = match_arguments(call, signature)
        distribution = fixed or family_of(arguments.get("family"))
        asked = lowered(arguments, distribution, grouped)
        return replace(asked, graph=note(asked.graph, _REMARK))

    return read


_GAUSSIAN, _COUNT = Distribution("gaussian", "identity"), Distribution("negbinomial", "log")

FUNCTIONS = {
    "stan_lmer": _reader(_NO_FAMILY, True, _GAUSSIAN),
    "stan_glmer": _reader(_SIGNATURE, True),
    "stan_glmer.nb": _reader(_NO_FAMILY, True, _COUNT),
    "stan_lm": _reader(_NO_FAMILY, False, _GAUSSIAN),
    "stan_glm": _reader(_GLM, False),
    "stan_glm.nb": _reader(_NO_FAMILY, False, _COUNT),
}
ARGUMENTS = {
    name: {"stan_glmer": _SIGNATURE, "stan_glm": _GLM}.get(name, _NO_FAMILY).names
    for name in FUNCTIONS
}
