"""Models as other packages write them: from the graph, one module per package.

What is written is read again, and has to be the same model; else nothing is returned.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

from mix2stan.comparison import Holder, compare_compiled, read
from mix2stan.compiler import DataArgument
from mix2stan.errors import FormulaError, Mix2stanError, Unsupported, suggestion
from mix2stan.families import FAMILIES
from mix2stan.graph import ModelGraph
from mix2stan.partitions import compile_given, of_likelihood
from mix2stan.translations import brms, glmmtmb, lme4, mcmcglmm, nlme, ordinal
from mix2stan.translations.parts import Source, assigned, refuse, source_of

__all__ = ["PACKAGES", "Package", "translate"]

Package = Literal["lme4", "nlme", "MCMCglmm", "glmmTMB", "brms", "ordinal"]

#: What writes the call of each package.
PACKAGES: dict[str, Callable[[Source], str]] = {
    "lme4": lme4.write,
    "nlme": nlme.write,
    "MCMCglmm": mcmcglmm.write,
    "glmmTMB": glmmtmb.write,
    "brms": brms.write,
    "ordinal": ordinal.write,
}


#: Those whose calls have priors, and what is said where they are not written.
_HAVE_PRIORS = frozenset({"MCMCglmm", "brms"})
_LOST = (
    "# the priors of the call given are not written here: {} takes its own where it is told none"
)

_log = logging.getLogger(__name__)


def translate(given: Holder | str, to: str, data: DataArgument | None = None) -> str:
    """The call with which another package fits the same model.

    Args:
        given: R text with one model call, or a model.
        to: ``"lme4"`` (and base R), ``"nlme"``, ``"MCMCglmm"``, ``"glmmTMB"``, ``"brms"`` or
            ``"ordinal"``.
        data: the data frame of a call given as text, or a mapping from names to data frames.

    Returns:
        An R call, after a line that makes its data where it needs further columns; reading it gives
        a model equal to the one given, but for its priors.  Where these are not in a call that could
        have them, a comment says so; a warning is logged for all.

    Raises:
        Unsupported: if the package cannot express the model; says what, and what comes nearest.
        FormulaError: if the text cannot be read or does not fit the data.

    >>> import pandas as pd
    >>> df = pd.DataFrame({"y": [1.0, 2, 4, 3], "x": [0.0, 1, 2, 3], "g": list("aabb")})
    >>> translate("lmer(y ~ x + (1 + x | g), data = d)", "MCMCglmm", df)
    'MCMCglmm(y ~ x, random = ~us(1 + x):g, data = d)'
    """
    if to not in PACKAGES:
        hint = suggestion(to, PACKAGES, what="those that are written")
        raise Mix2stanError(f"there is no package '{to}' to translate to", hint=hint)
    source = source_of(of_likelihood(read(given, data)))
    _check_categories(source, to)
    if source.graph.members:
        message = "responses with distributions of their own have no call in another package"
        first = source.graph.members[0].name
        raise Unsupported(
            message, hint=f"model.responses[{first!r}].translate() writes one of them"
        )
    if source.graph.response.traits and to != "MCMCglmm":
        raise refuse(to, "several responses of one call", "MCMCglmm can")
    if source.graph.predictors and to not in ("glmmTMB", "brms"):
        named = " and ".join(p.parameter for p in source.graph.predictors)
        raise refuse(to, f"a predictor of {named}", "glmmTMB's dispformula may")
    made, source = assigned(source)
    written = "\n".join([*made, *source.settings, PACKAGES[to](source)])
    try:
        again = compile_given(written, source.model.given)
        found = compare_compiled(source.model, again)
    except FormulaError as error:
        message = f"{to}'s call for this model could not be read again: {written}"
        raise Unsupported(message, hint=str(error)) from None
    if not found.same:
        message = f"{to} cannot express this model; nearest: {written}"
        raise Unsupported(message, hint="; ".join(found.differences))
    if not _loses_priors(source.graph, again.graph):
        return written
    _log.warning("%s: its priors are not in the call of %s", source.graph.call, to)
    return f"{_LOST.format(to)}\n{written}" if to in _HAVE_PRIORS else written


def _loses_priors(given: ModelGraph, again: ModelGraph) -> bool:
    """Whether a call says priors that its translation has not."""
    if given.prior is None and not given.stated and not given.scaled:
        return False
    one, other = ([(p.block, p.density, p.values) for p in g.priors] for g in (given, again))
    return one != other


def _check_categories(source: Source, to: str) -> None:
    """Refuse responses of categories, or known in part, where the package has none."""
    family = source.graph.response.family
    response = source.graph.response
    cut = response.censoring is not None or response.truncation is not None
    if cut and to != "brms":
        raise refuse(to, "a censored or truncated response", "brms has cens() and trunc()")
    if response.known and not response.traits and to != "brms":
        name, value = response.known[0]
        if to == "nlme" and name == "sigma" and value > 0:
            return
        raise refuse(to, f"a known {name}", f"brms has bf(y ~ x, {name} = {value:g})")
    if response.noise is not None and to != "brms":
        raise refuse(to, "known standard errors beside sigma", "brms has se(s, sigma = TRUE)")
    if response.powers is not None and to not in ("brms", "glmmTMB", "lme4"):
        raise refuse(to, "weights of the likelihood", "brms and glmmTMB have them")
    if not FAMILIES[family].categories:
        return
    having = ("brms", "ordinal", "MCMCglmm") if FAMILIES[family].ordinal else ("brms",)
    if to not in having:
        what = f"a response that is {family}"
        raise refuse(to, what, f"what can: {', '.join(having)}")
