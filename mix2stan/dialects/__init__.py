"""Dialects: one file per R package, each a table of the functions it reads."""

from __future__ import annotations

from collections.abc import Callable

from mix2stan.dialects import brms, generalised, glmmtmb, lme4, mcmcglmm, nlme, ordinal, rstanarm
from mix2stan.dialects.arguments import Request
from mix2stan.errors import FormulaError, Span, Unsupported, suggestion
from mix2stan.syntax import Assignment, Call, Node, Program, replace_names

__all__ = ["MODEL_FUNCTIONS", "Request", "lower", "model_call"]

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


def model_call(program: Program, columns: frozenset[str] = frozenset()) -> Call:
    """The one model call in R text, the names assigned before it put in their places.

    Names in ``columns`` mean the columns of the data even if something was assigned to them.
    """
    assigned: dict[str, Node] = {}
    found: Call | None = None
    for statement in program.statements:
        value = statement
        while isinstance(value, Assignment):
            value = value.value
        if isinstance(value, Call) and value.function in MODEL_FUNCTIONS:
            if found is not None:
                message = "there are two model calls in this text"
                raise FormulaError(message, program.text, value.span, "give one at a time")
            call = replace_names(value, assigned)
            assert isinstance(call, Call)
            found = call
        while isinstance(statement, Assignment):
            if statement.name not in columns:
                assigned[statement.name] = replace_names(value, assigned)
            statement = statement.value
    if found is None:
        raise _no_model_call(program)
    return found


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
