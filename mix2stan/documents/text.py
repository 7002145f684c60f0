"""Documents as plain text of a hundred columns."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterator

from mix2stan.documents.nodes import (
    Block,
    Code,
    Document,
    Equation,
    Image,
    Inline,
    Items,
    Listing,
    Paragraph,
    Picture,
    Section,
    Table,
    Text,
    parts_of,
)
from mix2stan.errors import visible
from mix2stan.mathematics import Math, plain, plain_lines

__all__ = ["to_text"]

_WIDTH = 100
#: Columns of a table are not made narrower than this.
_NARROWEST = 18
_INDENT = "  "


def to_text(document: Document) -> str:
    """The document as plain text: a heading per section, its content indented."""
    sections = ["\n".join(_section(section, "")) for section in document]
    return visible("\n\n".join([document.title, *sections]))


def _section(section: Section, indent: str) -> Iterator[str]:
    yield indent + section.title
    inner = indent + _INDENT
    blocks = [block for block in section.blocks if not isinstance(block, Picture)]
    for i, block in enumerate(blocks):
        if i and not _close(blocks[i - 1], block):
            yield ""
        for line in _lines(block, _WIDTH - len(inner)):
            yield (inner + line).rstrip()
    for i, below in enumerate(s for s in section.sections if s):
        if i or blocks:
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
            return _equation(formula, width)
        case Items(items):
            return [line for item in items for line in _item(_text(item), width)]
        case Table(head, rows):
            return _table(head, rows, width)
        case Listing(text):
            return text.splitlines()
        case Image(alt=alt):
            return textwrap.wrap(alt, width, break_long_words=False)
    return []


def _item(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=_INDENT, break_long_words=False)


def _equation(formula: Math, width: int) -> list[str]:
    """A long sum goes on in the next line, its operators first."""
    lines = plain_lines(formula)
    if len(lines) > 1 or len(lines[0]) <= width:
        return lines
    found, line = [], ""
    for piece in re.split(r"(?= [+=~] )", lines[0]):
        if line and len(line) + len(piece) > width:
            found.append(line)
            line = 2 * _INDENT + piece.lstrip()
        else:
            line += piece
    return [*found, line]


def _table(head: tuple[Text, ...], rows: tuple[tuple[Text, ...], ...], width: int) -> list[str]:
    """Columns as wide as they need to be; cells that are too long go on below."""
    cells = [[_text(cell) for cell in row] for row in ((head, *rows) if head else rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    while sum(widths) + 2 * len(widths) > width and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return [line for row in cells for line in _row(row, widths)]


def _row(cells: list[str], widths: list[int]) -> Iterator[str]:
    wrapped = [textwrap.wrap(c, w) or [""] for c, w in zip(cells, widths, strict=True)]
    for line in itertools.zip_longest(*wrapped, fillvalue=""):
        yield "  ".join(f"{c:<{w}}" for c, w in zip(line, widths, strict=True)).rstrip()


def _text(text: Text) -> str:
    return "".join(_inline(part) for part in parts_of(text))


def _inline(part: Inline) -> str:
    match part:
        case str():
            return part
        case Code(text):
            return text
    return plain(part)
