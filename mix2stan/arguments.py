"""Arguments by names that a function does not have, as other packages call them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mix2stan.errors import Mix2stanError, suggestion

__all__ = ["answering"]

P = ParamSpec("P")
R = TypeVar("R")

#: What other packages call an argument, and what to write here.
_ELSEWHERE = {
    "iter": "warmup= and draws=: iterations after warm-up are draws",
    "nitt": "warmup= and draws=: iterations after warm-up are draws",
    "tune": "warmup=",
    "burnin": "warmup=",
    "iter_warmup": "warmup=",
    "iter_sampling": "draws=",
    "samples": "draws=",
    "ndraws": "draws=",
    "cores": "threads=",
    "parallel_chains": "threads=",
    "target_accept": "adapt_delta=",
    "random_seed": "seed=",
    "random_state": "seed=",
    "init": "inits=",
    "re_formula": "re='population' leaves all effects out",
    "re_form": "re='population' leaves all effects out",
    "allow_new_levels": "new_levels='sample'",
    "nsim": "n=",
    "refit": "method='reml', or method='ml', which is what refit = TRUE does",
}


def answering(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which answers an argument it does not have in words.

    Raises:
        Mix2stanError: when it is called with one; says the nearest, or what it is called here.
    """
    every = inspect.signature(function).parameters.items()
    # those of *models are given by place alone
    known = [n for n, p in every if p.kind not in (p.VAR_POSITIONAL, p.POSITIONAL_ONLY)]
    names = [name for name in known if name != "self"]

    @functools.wraps(function)
    def answers(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                here = _ELSEWHERE.get(name)
                listed = here is not None and here.split("=")[0] in known
                hint = f"here it is {here}" if listed else suggestion(name, names, what="they are")
                message = f"{function.__name__}() has no argument '{name}'"
                raise Mix2stanError(message, hint=hint)
        return function(*args, **kwargs)

    return answers
