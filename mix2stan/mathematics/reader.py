"""Formulas from a line of text, in the notation of the registries.

Products are written side by side (``1.5 u``), a name directly before a bracket is a function
(``exp(-d / range)``), ``V_1`` has a subscript, ``{power}`` is a piece that is given.
"""

from __future__ import annotations

import re

from mix2stan.mathematics.nodes import (
    Absolute,
    Apply,
    Fraction,
    Math,
    Negative,
    Number,
    Power,
    Row,
    Sign,
    Sum,
    Symbol,
    product,
)

__all__ = ["read"]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<call>[^\W\d]\w*)\(|(?P<name>[^\W\d]\w*)|\{(?P<given>\w+)\}"
    r"|(?P<sign>[-+*/^()|~=,<>…]))"
)
_RELATIONS = frozenset("~=,<>")


def read(text: str, **given: Math) -> Math:
    """The formula a line of text stands for.

    Args:
        text: the line.
        given: pieces by the names that the text has in braces, or as symbols.

    Raises:
        ValueError: if the text is not in this notation.

    >>> read("r_12 sqrt(V_1 V_2)")
    Product(factors=(Symbol(name='r', sub='12'), Apply(function='sqrt', arguments=(...
    """
    reader = _Reader(text, given)
    found = reader.relation()
    if reader.kind:
        raise ValueError(f"what is {reader.rest!r} in the formula {text!r}?")
    return found


class _Reader:
    """A recursive descent over the tokens."""

    def __init__(self, text: str, given: dict[str, Math]) -> None:
        self._text, self._given, self._at = text, given, 0
        self.kind, self._token, self._end = "", "", 0
        self._next()

    @property
    def rest(self) -> str:
        return self._text[self._at :]

    def _next(self) -> str:
        """Move on; what was read is returned."""
        read, self._at = self._token, self._end
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            if self.rest.strip():
                raise ValueError(f"what is {self.rest!r} in the formula {self._text!r}?")
            self.kind, self._token = "", ""
            return read
        self.kind, self._end = str(found.lastgroup), found.end()
        self._token = found[self.kind]
        return read

    def _take(self, *signs: str) -> str:
        """The sign that comes next, if it is one of these."""
        return self._next() if self.kind == "sign" and self._token in signs else ""

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise ValueError(f"a {sign!r} is missing in the formula {self._text!r}")

    def relation(self) -> Math:
        parts = [self._sum()]
        while self.kind == "sign" and self._token in _RELATIONS:
            parts += [Sign(self._next()), self._sum()]
        return parts[0] if len(parts) == 1 else Row(tuple(parts))

    def _sum(self) -> Math:
        terms = [Negative(self._product()) if self._take("-") else self._product()]
        while sign := self._take("+", "-"):
            term = self._product()
            terms.append(Negative(term) if sign == "-" else term)
        return terms[0] if len(terms) == 1 else Sum(tuple(terms))

    def _product(self) -> Math:
        found = self._power()
        while True:
            if self._take("/"):
                found = Fraction(found, self._power())
            elif self._take("*") or self._begins():
                found = product(found, self._power())
            else:
                return found

    def _begins(self) -> bool:
        """Whether a factor comes next; a bar closes what it opened."""
        return self.kind in ("number", "name", "call", "given") or (
            self.kind == "sign" and self._token in "(…"
        )

    def _power(self) -> Math:
        base = self._atom()
        return Power(base, self._atom()) if self._take("^") else base

    def _atom(self) -> Math:
        if self.kind == "number":
            return Number(float(self._next()))
        if self.kind == "given":
            return self._given[self._next()]
        if self.kind == "name":
            return self._symbol(self._next())
        if self.kind == "call":
            function, arguments = self._next(), [self._sum()]
            while self._take(","):
                arguments.append(self._sum())
            self._expect(")")
            return Apply(function, tuple(arguments))
        if self._take("("):
            inner = self.relation()
            self._expect(")")
            return inner
        if self._take("|"):
            inner = self._sum()
            self._expect("|")
            return Absolute(inner)
        if self._take("…"):
            return Sign("…")
        raise ValueError(f"something is missing in the formula {self._text!r}")

    def _symbol(self, name: str) -> Math:
        if name in self._given:
            return self._given[name]
        stem, _, sub = name.partition("_")
        return Symbol(stem, sub)
