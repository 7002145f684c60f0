"""What can go wrong, and the one way it is shown.

Every error a user meets is a :class:`Mix2stanError`.  Those that come from R text know the text and
the span they are about, and print it with a caret::

    no column 'Day' in the data
      lmer(Reaction ~ Day + (1 | Subject))
                      ^^^
      nearest: 'Days'
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

__all__ = [
    "DataError",
    "EngineError",
    "FormulaError",
    "Mix2stanError",
    "Span",
    "Unsupported",
    "caret",
    "nearest",
    "suggestion",
    "visible",
]

_LINE_WIDTH = 100


class Span(NamedTuple):
    """Half-open range of characters in a source text."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(min(self.start, other.start), max(self.end, other.end))


class Mix2stanError(Exception):
    """Base of all errors that are meant for the user.

    Args:
        message: what is wrong, in one sentence without a full stop.
        hint: what would work instead, if it is known.

    >>> print(Mix2stanError("there is no engine 'stan'", hint="nearest: 'stanli'"))
    there is no engine 'stan'
      nearest: 'stanli'
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.message, *(self.hint.splitlines() if self.hint else ())]
        return visible("\n  ".join(lines))


class FormulaError(Mix2stanError):
    """R text that cannot be read, or that does not fit the data.

    Args:
        message: what is wrong.
        text: the R text it is about.
        span: the characters of ``text`` to point at.
        hint: what would work instead.

    >>> print(FormulaError("no column 'Day'", "lm(y ~ Day)", Span(7, 10), "nearest: 'Days'"))
    no column 'Day'
      lm(y ~ Day)
             ^^^
      nearest: 'Days'
    """

    def __init__(
        self,
        message: str,
        text: str | None = None,
        span: Span | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.text = text
        self.span = span

    def at(self, text: str) -> FormulaError:
        """The same error, told which text its span belongs to (keeps a text it already has)."""
        if self.text is None:
            self.text = text
        return self

    def __str__(self) -> str:
        lines = [self.message]
        if self.text is not None and self.span is not None:
            lines += caret(self.text, self.span)
        if self.hint:
            lines += self.hint.splitlines()
        return visible("\n  ".join(lines))


class Unsupported(FormulaError):
    """R text that is understood but cannot be expressed; the hint says what can."""


class DataError(Mix2stanError):
    """A data frame that does not fit the model."""


class EngineError(Mix2stanError):
    """A Stan engine that failed; the message carries what it printed."""


def caret(text: str, span: Span) -> list[str]:
    """The line of ``text`` that holds ``span``, and a line of carets under it.

    Long lines are cut to a window around the span.
    """
    start = max(0, min(span.start, len(text)))
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", start)
    line = text[first : len(text) if last < 0 else last].replace("\t", " ").rstrip()
    column = start - first
    width = max(1, min(span.end, first + len(line)) - start)
    if len(line) > _LINE_WIDTH:
        left = max(0, min(column - _LINE_WIDTH // 3, len(line) - _LINE_WIDTH))
        right = left + _LINE_WIDTH
        cut_left, cut_right = left > 0, right < len(line)
        line = ("…" if cut_left else "") + line[left:right] + ("…" if cut_right else "")
        column = column - left + cut_left
        width = max(1, min(width, len(line) - column))
    return [line, " " * column + "^" * width]


#: What a terminal would obey, hide or refuse: control characters but for tabulators and new lines,
#: marks of direction, half characters.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """Text for a terminal: names in it cannot move the cursor or change colours.

    >>> visible("dose\x1b[31m")
    'dose\\\\x1b[31m'
    """
    return _INVISIBLE.sub(_by_number, text)


def _by_number(match: re.Match[str]) -> str:
    place = ord(match[0])
    return "\\r" if place == 13 else f"\\x{place:02x}" if place < 256 else f"\\u{place:04x}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to ``name``, letter case aside, or None if none is close."""
    folded: dict[str, str] = {}
    for candidate in known:
        folded.setdefault(candidate.casefold(), candidate)
    matches = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None


def suggestion(name: str, known: Iterable[str], *, what: str = "known") -> str:
    """A hint line: the nearest known name, or the list of them."""
    names = list(known)
    near = nearest(name, names)
    if near is not None:
        return f"nearest: '{near}'"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"{what}: {shown}" if shown else f"nothing is {what}"
