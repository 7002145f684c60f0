"""R's function names in Python: each writes the R call its arguments stand for, and reads it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from mix2stan.compiler import DataArgument
from mix2stan.design import is_frame
from mix2stan.errors import FormulaError, Mix2stanError
from mix2stan.model import Model, model
from mix2stan.parser import parse
from mix2stan.priors.choice import PriorArgument
from mix2stan.relationships import Known
from mix2stan.syntax import Call, Operator, String, format_number, quote_name

__all__ = ["MCMCglmm", "brm", "glm", "glmer", "glmer_nb", "glmmTMB", "gls", "lm", "lme", "lmer"]

#: Arguments that R takes as strings; any other string is R text.
_STRINGS = frozenset({"method", "contrasts"})


def _reader(function: str, package: str, example: str) -> Callable[..., Model]:
    def read(
        formula: str,
        data: DataArgument,
        *,
        prior: PriorArgument = None,
        strategy: str = "auto",
        **arguments: Any,
    ) -> Model:
        text: object = formula
        if not isinstance(text, str):
            message = f"the first argument is a formula, R text, not a {type(formula).__name__}"
            raise Mix2stanError(message, hint=f"m2s.{read.__name__}({example}, data=df)")
        parts, given = [formula], _Given()
        if _is_r(prior):
            parts.append(f"prior = {prior}")
            prior = None
        for name, value in arguments.items():
            parts.append(f"{_r_name(name)} = {_r_text(name, value, given)}")
        text = f"{function}({', '.join(parts)})"
        return model(text, given.beside(data), prior=prior, strategy=strategy)

    read.__name__ = read.__qualname__ = function.replace(".", "_")
    read.__doc__ = f"""Read a model as R's ``{package}::{function}`` would.

    Args:
        formula: the first formula, as R text.
        data: as :func:`mix2stan.model` has it.
        prior: a set of default priors, or densities by parameter, see :func:`mix2stan.model`; or the
            package's own as R text, ``"set_prior('normal(0, 1)', class = 'b')"``.
        strategy: how to compute, see :func:`mix2stan.model`.
        **arguments: R's other arguments. Strings are R text (``random="~ us(1 + x):g"``), numbers
            and truth values R's, mappings ``list(name = value)``; ``na_action`` is ``na.action``.
            Data frames (``pedigree=ped``) and known covariances are given as they are.

    Returns:
        The model; nothing is sampled yet.

    Raises:
        FormulaError: if the text cannot be read or does not fit the data.
        Unsupported: if it is understood but cannot be expressed.
        DataError: if the data do not fit.

    >>> isinstance({read.__name__}({example}, data=sleepstudy), m2s.Model)
    True
    """
    return read


#: What R's priors are calls of: brms' and MCMCglmm's.
_PRIORS = frozenset({"prior", "set_prior", "prior_string", "prior_", "c", "list", "gelman.prior"})


def _is_r(prior: PriorArgument) -> TypeGuard[str]:
    """Whether a prior is R text, and no set or densities by parameter."""
    if not isinstance(prior, str):
        return False
    try:
        (node,) = parse(prior).statements
    except (FormulaError, ValueError):
        return False
    parts = node.operands if isinstance(node, Operator) and node.symbol == "+" else (node,)
    return all(isinstance(part, Call) and part.function in _PRIORS for part in parts)


def _r_name(name: str) -> str:
    return quote_name(name.replace("_", "."))


class _Given(dict[str, Any]):
    """The tables and matrices among the arguments, by the names they get in the text."""

    def name(self, wanted: str, value: Any) -> str:
        """The name of a value: that of its argument, changed if it is taken."""
        name, n = wanted, 1
        while name in self:
            n += 1
            name = f"{wanted}_{n}"
        self[name] = value
        return name

    def beside(self, data: DataArgument) -> DataArgument:
        """The data with these beside them."""
        if not self:
            return data
        rows = dict(data) if isinstance(data, Mapping) else {"data": data}
        return {**rows, **self}


def _r_text(name: str, value: Any, given: _Given) -> str:
    if isinstance(value, Known) or is_frame(value):
        return quote_name(given.name(name, value))
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return format_number(float(value)) if math.isfinite(value) else str(value).capitalize()
    if isinstance(value, str):
        return str(String(value)) if name in _STRINGS else value
    if isinstance(value, Mapping):
        items = [
            f"{quote_name(str(k))} = {_r_item(name, str(k), v, given)}" for k, v in value.items()
        ]
        return f"list({', '.join(items)})"
    if isinstance(value, Sequence):
        return f"c({', '.join(_r_text(name, v, given) for v in value)})"
    raise Mix2stanError(
        f"{name} cannot be a {type(value).__name__}", hint="give R text, or a number"
    )


def _r_item(name: str, key: str, value: Any, given: _Given) -> str:
    """A named element of a list; a table or matrix is called as its element."""
    return _r_text(key if isinstance(value, Known) or is_frame(value) else name, value, given)


_SLOPES = '"Reaction ~ Days + (Days | Subject)"'
_GAMMA = 'family="Gamma(link = log)"'

lm = _reader("lm", "stats", '"Reaction ~ Days"')
lmer = _reader("lmer", "lme4", _SLOPES)
glm = _reader("glm", "stats", f'"Reaction ~ Days", {_GAMMA}')
glmer = _reader("glmer", "lme4", f"{_SLOPES}, {_GAMMA}")
glmer_nb = _reader("glmer.nb", "lme4", '"round(Reaction) ~ Days + (1 | Subject)"')
lme = _reader("lme", "nlme", '"Reaction ~ Days", random="~ Days | Subject"')
gls = _reader("gls", "nlme", '"Reaction ~ Days", weights="varPower()"')
glmmTMB = _reader("glmmTMB", "glmmTMB", f'{_SLOPES}, dispformula="~ Days"')
brm = _reader("brm", "brms", _SLOPES)
MCMCglmm = _reader("MCMCglmm", "MCMCglmm", '"Reaction ~ Days", random="~ us(1 + Days):Subject"')
