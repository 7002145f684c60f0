"""Dialects: one file per R package, each a table of the functions it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mix2stan.dialects import brms, generalised, glmmtmb, lme4, mcmcglmm, nlme, ordinal, rstanarm
from mix2stan.dialects.arguments import Request
from mix2stan.errors import FormulaError, Span, Unsupported, suggestion
from mix2stan.graph import warn
from mix2stan.rtext import Script, is_list, node_of, read_script
from mix2stan.syntax import Assignment, Call, Program

__all__ = ["MODEL_FUNCTIONS", "Request", "lower", "model_call", "request_of", "script_of"]

#: The R functions that are read, by name.
MODEL_FUNCTIONS: dict[str, Callable[[Call], Request]] = {
    **lme4.FUNCTIONS,
    **generalised.FUNCTIONS,
    **nlme.FUNCTIONS,
    **mcmcglmm.FUNCTIONS,
    **glmmtmb.FUNCTIONS,
    **ordinal.FUNCTIONS,
    **brms.FUNCTIONS,
    **rstanarm.FUNCTIONS,
}

#: Their arguments in R's order; the first is the formula.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    **lme4.ARGUMENTS,
    **generalised.ARGUMENTS,
    **nlme.ARGUMENTS,
    **mcmcglmm.ARGUMENTS,
    **glmmtmb.ARGUMENTS,
    **ordinal.ARGUMENTS,
    **brms.ARGUMENTS,
    **rstanarm.ARGUMENTS,
}

#: Model functions that are known but not read, each with what is.
_NOT_READ = {
    "glmmPQL": "glmer() has the same families",
    **dict.fromkeys(("nlme", "nlmer", "gnls", "nls"), "models are linear: lme(), gls(), lmer()"),
    **dict.fromkeys(("gam", "gamm", "gamm4"), "splines of fixed degree: bs() and ns() in lmer()"),
    **dict.fromkeys(("aov", "lmList"), "lmer(), lme() or lm()"),
}


def lower(call: Call) -> Request:
    """What a model call means, in the terms of its own package.

    Raises:
        FormulaError: if the call is not what the function takes.
        Unsupported: if it is, but cannot be expressed.
    """
    return MODEL_FUNCTIONS[call.function](call)


def script_of(
    program: Program,
    columns: frozenset[str] = frozenset(),
    given: Mapping[str, Any] | None = None,
) -> Script:
    """The one model call in R text, and what the lines before it say.

    Names in ``columns`` mean the columns of the data even if something was assigned to them; of
    what is ``given`` by name, lists may stand in the call: ``prior = prior1``.

    Raises:
        FormulaError: if there is no model call, or there are several.
        Unsupported: for a line that would change the model and cannot be done.
    """
    lists = {n: node_of(value, n) for n, value in (given or {}).items() if is_list(value)}
    found = read_script(program, ARGUMENTS, columns, lists)
    if found is None:
        raise _no_model_call(program)
    return found


def model_call(
    program: Program,
    columns: frozenset[str] = frozenset(),
    given: Mapping[str, Any] | None = None,
) -> Call:
    """The one model call in R text, as :func:`script_of` reads it."""
    return script_of(program, columns, given).call


def request_of(script: Script) -> Request:
    """What a script asks for: its call, lowered, with the settings of the lines before it."""

    def with_settings(request: Request) -> Request:
        graph = warn(request.graph, *script.notes)
        return replace(request, graph=graph, settings=script.contrasts)

    request = with_settings(lower(script.call))
    if request.finish is None:
        return request
    finish = request.finish
    return replace(request, finish=lambda levels: with_settings(finish(levels)))


def _no_model_call(program: Program) -> FormulaError:
    calls = [s.value if isinstance(s, Assignment) else s for s in program.statements]
    hint = suggestion("", MODEL_FUNCTIONS, what="the functions that are read")
    for call in calls:
        if isinstance(call, Call):
            message = f"{call.function}() is not a model function that can be read"
            span = Span(call.span.start, call.span.start + len(call.function))
            if call.function in _NOT_READ:
                message = f"{call.function}() cannot be expressed yet"
                hint = f"what can: {_NOT_READ[call.function]}"
                return Unsupported(message, program.text, span, hint)
            near = suggestion(call.function, MODEL_FUNCTIONS, what="the functions that are read")
            return FormulaError(message, program.text, span, near)
    message = "there is no model call in this text"
    whole = Span(0, len(program.text))
    return FormulaError(message, program.text, whole, f"{hint}; as in lmer(y ~ x + (1 | g))")
