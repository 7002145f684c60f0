"""A short document: sections of paragraphs, formulas, lists and tables, and its three writers."""

from __future__ import annotations

from mix2stan.documents.frames import table_of
from mix2stan.documents.html import result_page, to_html
from mix2stan.documents.markdown import to_markdown
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
from mix2stan.documents.stored import from_plain, to_plain
from mix2stan.documents.text import to_text

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
    "from_plain",
    "parts_of",
    "result_page",
    "table_of",
    "to_html",
    "to_markdown",
    "to_plain",
    "to_text",
]
