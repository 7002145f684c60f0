"""What a document is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mix2stan.mathematics import Math

__all__ = [
    "Block",
    "Code",
    "Document",
    "Equation",
    "Image",
    "Inline",
    "Items",
    "Listing",
    "Paragraph",
    "Picture",
    "Section",
    "Table",
    "Text",
    "parts_of",
]


@dataclass(frozen=True)
class Code:
    """Program text within a line."""

    text: str


#: A piece of a line: words, a formula, program text.
Inline = str | Math | Code
#: A line: one piece, or several.
Text = Inline | tuple[Inline, ...]


def parts_of(text: Text) -> tuple[Inline, ...]:
    """The pieces of a line."""
    return text if isinstance(text, tuple) else (text,)


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    text: Text


@dataclass(frozen=True)
class Equation:
    """A formula on a line of its own."""

    formula: Math


@dataclass(frozen=True)
class Items:
    """A list of lines."""

    items: tuple[Text, ...]


@dataclass(frozen=True)
class Table:
    """A table; an empty ``head`` is none."""

    head: tuple[Text, ...]
    rows: tuple[tuple[Text, ...], ...]


@dataclass(frozen=True)
class Listing:
    """Program text on lines of its own."""

    text: str
    language: str = "r"


@dataclass(frozen=True)
class Picture:
    """A drawing: SVG for a page, Mermaid for Markdown; text has none."""

    svg: str
    mermaid: str


@dataclass(frozen=True)
class Image:
    """A picture from elsewhere, with what it shows in words, and a caption.

    ``kind`` is what follows ``image/`` in the name of its type: ``"png"``, ``"svg+xml"``.
    """

    data: bytes
    kind: str
    alt: str
    caption: str = ""


Block = Paragraph | Equation | Items | Table | Listing | Picture | Image


@dataclass(frozen=True)
class Section:
    """A heading, what stands under it, and sections below it."""

    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.blocks or self.sections)


@dataclass(frozen=True)
class Document:
    """A title and sections; those without content are left out."""

    title: str
    sections: tuple[Section, ...]

    def __iter__(self) -> Iterator[Section]:
        return (section for section in self.sections if section)
