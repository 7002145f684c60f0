"""Documents as Markdown, their formulas as LaTeX between dollars."""

from __future__ import annotations

import base64
import re
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
from mix2stan.mathematics import latex

__all__ = ["to_markdown"]

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|$~&])")


def to_markdown(document: Document) -> str:
    """The document as Markdown; whatever means something there is escaped in the user's names."""
    blocks = [f"# {_escape(document.title)}"]
    for section in document:
        blocks += _section(section, 2)
    return "\n\n".join(blocks) + "\n"


def _section(section: Section, level: int) -> Iterator[str]:
    yield f"{'#' * level} {_escape(section.title)}"
    yield from map(_block, section.blocks)
    for below in section.sections:
        if below:
            yield from _section(below, level + 1)


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return _text(text)
        case Equation(formula):
            return f"$$\n{latex(formula)}\n$$"
        case Items(items):
            return "\n".join(f"- {_text(item)}" for item in items)
        case Table(head, rows):
            return _table(head, rows)
        case Listing(text, language):
            return _fenced(text, language)
        case Picture(_, mermaid):
            return _fenced(mermaid, "mermaid")
        case Image(data, kind, alt):
            content = base64.b64encode(data).decode("ascii")
            return f"![{_escape(alt)}](data:image/{kind};base64,{content})"
    raise TypeError(f"{type(block).__name__} is not a block of a document")


def _fenced(text: str, language: str) -> str:
    """A fence longer than any run of backticks within."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _table(head: tuple[Text, ...], rows: tuple[tuple[Text, ...], ...]) -> str:
    columns = len(head or rows[0])
    lines = [head or ("",) * columns, ("---",) * columns, *rows]
    return "\n".join(
        f"| {' | '.join(cell if cell == '---' else _text(cell) for cell in line)} |"
        for line in lines
    )


def _text(text: Text) -> str:
    return "".join(_inline(part) for part in parts_of(text)).replace("\n", " ")


def _inline(part: Inline) -> str:
    match part:
        case str():
            return _escape(part)
        case Code(text):
            longest = max((len(run) for run in re.findall("`+", text)), default=0)
            fence = "`" * (longest + 1)
            pad = " " if longest else ""
            # a bar would end the cell of a table
            return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")
    return f"${latex(part)}$"


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
