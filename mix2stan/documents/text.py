"""Documents as plain text of a hundred columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from mix2stan.documents.nodes import (
    Block,
    Code,
    Document,
    Equation,
    Inline,
    Items,
    Listing,
    Paragraph,
    Section,
    Table,
    Text,
    parts_of,
)
from mix2stan.mathematics import plain, plain_lines

__all__ = ["to_text"]

_WIDTH = 100
_INDENT = "  "


def to_text(document: Document) -> str:
    """The document as plain text: a heading per section, its content indented."""
    sections = ["\n".join(_section(section, "")) for section in document]
    return "\n\n".join([document.title, *sections])


def _section(section: Section, indent: str) -> Iterator[str]:
    yield indent + section.title
    inner = indent + _INDENT
    for i, block in enumerate(section.blocks):
        if i and not _close(section.blocks[i - 1], block):
            yield ""
        for line in _lines(block, _WIDTH - len(inner)):
            yield (inner + line).rstrip()
    for i, below in enumerate(s for s in section.sections if s):
        if i or section.blocks:
            yield ""
        yield from _section(below, inner)


def _close(above: Block, below: Block) -> bool:
    """Whether two blocks stand together: lines of words and formulas do, tables stand apart."""
    lines = (Paragraph, Equation, Items)
    return isinstance(above, lines) and isinstance(below, lines)


def _lines(block: Block, width: int) -> list[str]:
    match block:
        case Paragraph(text):
            return textwrap.wrap(_text(text), width, break_long_words=False)
        case Equation(formula):
            return plain_lines(formula)
        case Items(items):
            return [line for item in items for line in _item(_text(item), width)]
        case Table(head, rows):
            return _table(head, rows)
        case Listing(text):
            return text.splitlines()
    return []


def _item(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=_INDENT, break_long_words=False)


def _table(head: tuple[Text, ...], rows: tuple[tuple[Text, ...], ...]) -> list[str]:
    cells = [[_text(cell) for cell in row] for row in ((head, *rows) if head else rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _text(text: Text) -> str:
    return "".join(_inline(part) for part in parts_of(text))


def _inline(part: Inline) -> str:
    match part:
        case str():
            return part
        case Code(text):
            return text
    return plain(part)
