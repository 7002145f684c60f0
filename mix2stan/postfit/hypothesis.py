"""The posterior probability of what is said about parameters: ``Days > 5``.

A hypothesis is R text, a comparison of two expressions.  Names are looked up among the rows of
``fit.summary("all")`` and R's names of the coefficients, operators and functions in the tables here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.errors import FormulaError, Span, suggestion
from mix2stan.parser import parse_expression
from mix2stan.summaries import summarise
from mix2stan.syntax import Call, Name, Node, Number, Operator, Parens

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["hypotheses"]

Array = NDArray[np.float64]

_OPERATORS: dict[str, Callable[[Array, Array], Array]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
}
_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
}
_COMPARISONS: dict[str, Callable[[Array, Array], NDArray[np.bool_]]] = {
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}
_QUOTED = r"`(?:\\.|[^`\\\n])+`"


def hypotheses(fit: Fit, texts: str | Sequence[str]) -> pd.DataFrame:
    """See :meth:`mix2stan.fit.Fit.hypothesis`."""
    texts = [texts] if isinstance(texts, str) else list(texts)
    names = _Names(fit)
    differences, probabilities = [], []
    for text in texts:
        difference, probability = _judge(text, names)
        differences.append(difference)
        probabilities.append(probability)
    table = summarise([([text], d[..., None]) for text, d in zip(texts, differences, strict=True)])
    p = np.array(probabilities)
    with np.errstate(divide="ignore"):
        ratio = p / (1 - p)
    return table.assign(probability=p, evidence_ratio=ratio)


def _judge(text: str, names: _Names) -> tuple[Array, float]:
    """Draws of left minus right, shape (chains, draws), and the share of those where it holds."""
    quoted = names.quote(text)
    _refuse_equality(text, names.blank(text))
    node = parse_expression(quoted)
    try:
        if not isinstance(node, Operator) or node.symbol not in _COMPARISONS:
            message = "a hypothesis compares two quantities"
            hint = "such as Days > 5; that two are equal has no probability"
            raise FormulaError(message, span=node.span, hint=hint)
        left, right = (_value(operand, names) for operand in node.operands)
    except FormulaError as error:
        raise error.at(quoted) from None
    shape = names.fit.posterior.sizes["chain"], names.fit.posterior.sizes["draw"]
    holds = _COMPARISONS[node.symbol](left, right)
    difference = np.broadcast_to(left - right, shape)
    return np.asarray(difference), float(np.broadcast_to(holds, shape).mean())


def _refuse_equality(text: str, blank: str) -> None:
    """Say what brms' ``Days = 0`` asks for, which has no answer here; ``blank`` is it without names."""
    before = ""
    while blank != before:
        before = blank
        blank = re.sub(r"\([^()]*\)", lambda match: "_" * len(match[0]), blank)
    found = re.search(r"(?<![<>=!])==?(?!=)", blank)
    if found is None:
        return
    left, right = (side.strip() for side in (text[: found.start()], text[found.end() :]))
    near = f"abs({left})" if right == "0" else f"abs({left} - ({right}))"
    hint = f"write {left} > {right} for the side it is on, or {near} < 0.1 for how near it is"
    message = "that two quantities are equal has no probability: 0 of any continuous posterior"
    raise FormulaError(message, text, Span(found.start(), found.end()), hint)


def _value(node: Node, names: _Names) -> Array:
    """The draws of an expression, shape (chains, draws) or ()."""
    match node:
        case Number(value=value):
            return np.asarray(value, dtype=float)
        case Parens(inner=inner):
            return _value(inner, names)
        case Name():
            return names.draws(node)
        case Operator(symbol="-", operands=(operand,)):
            return -_value(operand, names)
        case Operator(symbol=symbol, operands=operands) if symbol in _OPERATORS:
            total = _value(operands[0], names)
            for operand in operands[1:]:
                total = _OPERATORS[symbol](total, _value(operand, names))
            return total
        case Call(function=function, args=(argument,)) if function in _FUNCTIONS:
            with np.errstate(all="ignore"):
                return _FUNCTIONS[function](_value(argument.value, names))
    hint = suggestion(str(node), names.known, what="its quantities")
    raise FormulaError(f"{node} is no quantity of this fit", span=node.span, hint=hint)


@dataclass(frozen=True, eq=False)
class _Names:
    """The quantities of a fit by name."""

    fit: Fit

    @cached_property
    def places(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """The Stan variable of every row of a summary, and the place in it."""
        found: dict[str, tuple[str, tuple[int, ...]]] = {}
        for variable, labels in self.fit.names("all").items():
            shape = self.fit.posterior[variable].shape[2:]
            places = list(np.ndindex(*shape))
            if variable.startswith("R_") or variable == "cor_R":
                places = [(i, j) for i, j in places if j < i]
            found |= {name: (variable, p) for name, p in zip(labels, places, strict=True)}
        return found

    @property
    def known(self) -> Collection[str]:
        """All names that mean something."""
        return self.fit._rows.every

    def draws(self, node: Name) -> Array:
        """Shape (chains, draws)."""
        try:
            row = self.fit._rows.meant(node.name) or self.fit._rows.meant(str(node))
        except FormulaError as error:
            raise FormulaError(error.message, span=node.span, hint=error.hint) from None
        if row is None:
            hint = suggestion(node.name, self.known, what="its quantities")
            message = f"this fit has no quantity {node.name!r}"
            raise FormulaError(message, span=node.span, hint=hint)
        variable, place = self.places[row]
        return np.asarray(self.fit.posterior[variable].values[(..., *place)], dtype=float)

    def quote(self, text: str) -> str:
        """The text with names such as ``sd_Subject[Days]`` in backticks."""
        return self._pattern.sub(self._quoted, text)

    def blank(self, text: str) -> str:
        """The text with underscores for names."""
        return self._pattern.sub(lambda match: "_" * len(match[0]), text)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = [_QUOTED]
        for name in sorted(self.known, key=len, reverse=True):
            body = r",\s*".join(re.escape(part) for part in name.split(", "))
            before = r"(?<![\w.])" if name[0].isalnum() else ""
            after = r"(?![\w.])" if name[-1].isalnum() else ""
            parts.append(before + body + after)
        return re.compile("|".join(parts))

    def _quoted(self, match: re.Match[str]) -> str:
        name = re.sub(r",\s*", ", ", match[0])
        if match[0] not in self.known and name not in self.known:
            return match[0]
        known = match[0] if match[0] in self.known else name
        escaped = known.replace("\\", "\\\\").replace("`", "\\`")
        return f"`{escaped}`"
