"""Models as other packages write them: from the graph, one module per package.

What is written is read again, and has to be the same model; else nothing is returned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from mix2stan.comparison import Holder, compare_compiled, read
from mix2stan.compiler import DataArgument
from mix2stan.errors import FormulaError, Mix2stanError, Unsupported, suggestion
from mix2stan.partitions import compile_given
from mix2stan.translations import glmmtmb, lme4, mcmcglmm, nlme
from mix2stan.translations.parts import Source, refuse, source_of

__all__ = ["PACKAGES", "Package", "translate"]

Package = Literal["lme4", "nlme", "MCMCglmm", "glmmTMB"]

#: What writes the call of each package.
PACKAGES: dict[str, Callable[[Source], str]] = {
    "lme4": lme4.write,
    "nlme": nlme.write,
    "MCMCglmm": mcmcglmm.write,
    "glmmTMB": glmmtmb.write,
}


def translate(given: Holder | str, to: str, data: DataArgument | None = None) -> str:
    """The call with which another package fits the same model.

    Args:
        given: R text with one model call, or a model.
        to: ``"lme4"`` (and base R), ``"nlme"``, ``"MCMCglmm"`` or ``"glmmTMB"``.
        data: the data frame of a call given as text, or a mapping from names to data frames.

    Returns:
        An R call, after a line that makes its data where it needs further columns; reading it gives
        a model equal to the one given.

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
    source = source_of(read(given, data))
    if source.graph.predictors and to != "glmmTMB":
        named = " and ".join(p.parameter for p in source.graph.predictors)
        raise refuse(to, f"a predictor of {named}", "glmmTMB's dispformula may")
    written = PACKAGES[to](source)
    try:
        found = compare_compiled(source.model, compile_given(written, source.model.given))
    except FormulaError as error:
        message = f"{to}'s call for this model could not be read again: {written}"
        raise Unsupported(message, hint=str(error)) from None
    if not found.same:
        message = f"{to} cannot express this model; nearest: {written}"
        raise Unsupported(message, hint="; ".join(found.differences))
    return written
