"""Documents as a web page that needs nothing from outside; formulas are MathML."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator

from mix2stan.documents.highlight import highlighted
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
from mix2stan.mathematics import mathml

__all__ = ["result_page", "to_html"]

_STYLE = """
.mix2stan { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem }
.mix2stan h1 { font-size: 1.3rem; font-family: ui-monospace, monospace; overflow-wrap: anywhere }
.mix2stan h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #8888 }
.mix2stan h3 { font-size: 1rem; margin-top: 1.2rem }
.mix2stan table { border-collapse: collapse; margin: .8rem 0 }
.mix2stan th, .mix2stan td { border: 1px solid #8888; padding: .2rem .6rem; text-align: left;
  vertical-align: top }
.mix2stan .wide { overflow-x: auto }
.mix2stan math[display] { margin: .6rem 0; overflow-x: auto }
.mix2stan pre { overflow-x: auto; padding: .6rem; border: 1px solid #8888 }
.mix2stan svg, .mix2stan img { max-width: 100%; height: auto }
.mix2stan img { background: #fff }
.mix2stan img[src^="data:image/png"] { max-width: min(100%, 42rem) }
.mix2stan img[src^="data:image/svg"] { min-width: min(36rem, 170%) }
.mix2stan figure { margin: 1.2rem 0; break-inside: avoid; overflow-x: auto }
.mix2stan figcaption { font-size: .9rem }
.mix2stan .word { color: #7c3aad; font-weight: 600 }
.mix2stan .type { color: #0b62a8 }
.mix2stan .number, .mix2stan .string { color: #9a4a00 }
.mix2stan .remark { color: #52705a; font-style: italic }
@media print {
  .mix2stan { max-width: none; font-size: 11pt }
  .mix2stan pre { white-space: pre-wrap; font-size: 8.5pt }
  .mix2stan h2, .mix2stan h3 { break-after: avoid }
  .mix2stan .wide { overflow: visible }
}
""".strip()


def to_html(document: Document, *, whole: bool = True) -> str:
    """The document as a page, or as an element to be put into one.

    Every text of the user's is escaped; there is no script, and nothing is fetched.
    """
    inner = "\n".join(_body(document))
    body = f'<style>{_STYLE}</style>\n<article class="mix2stan">\n{inner}\n</article>'
    if not whole:
        return body
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(document.title)}</title>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def result_page(title: str, heading: str, *blocks: Block) -> str:
    """A result as an element for a notebook: the call, a heading, and what stands under it."""
    return to_html(Document(title, (Section(heading, blocks),)), whole=False)


def _body(document: Document) -> Iterator[str]:
    yield f"<h1>{html.escape(document.title)}</h1>"
    for section in document:
        yield from _section(section, 2)


def _section(section: Section, level: int) -> Iterator[str]:
    yield f"<section>\n<h{level}>{html.escape(section.title)}</h{level}>"
    yield from map(_block, section.blocks)
    for below in section.sections:
        if below:
            yield from _section(below, level + 1)
    yield "</section>"


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return f"<p>{_text(text)}</p>"
        case Equation(formula):
            return mathml(formula, block=True)
        case Items(items):
            return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in items)}</ul>"
        case Table(head, rows):
            return f'<div class="wide"><table>{_head(head)}{_rows(rows)}</table></div>'
        case Listing(text, language):
            return f"<pre><code>{highlighted(text, language)}</code></pre>"
        case Picture(svg):
            return f'<div class="wide">{svg}</div>'
        case Image():
            return _image(block)
    raise TypeError(f"{type(block).__name__} is not a block of a document")


def _image(image: Image) -> str:
    content = base64.b64encode(image.data).decode("ascii")
    source = f"data:image/{html.escape(image.kind)};base64,{content}"
    caption = f"<figcaption>{html.escape(image.caption)}</figcaption>" if image.caption else ""
    return f'<figure><img src="{source}" alt="{html.escape(image.alt)}">{caption}</figure>'


def _head(cells: tuple[Text, ...]) -> str:
    if not cells:
        return ""
    return f"<thead><tr>{''.join(f'<th>{_text(c)}</th>' for c in cells)}</tr></thead>"


def _rows(rows: tuple[tuple[Text, ...], ...]) -> str:
    lines = (f"<tr>{''.join(f'<td>{_text(c)}</td>' for c in row)}</tr>" for row in rows)
    return f"<tbody>{''.join(lines)}</tbody>"


def _text(text: Text) -> str:
    return "".join(_inline(part) for part in parts_of(text))


def _inline(part: Inline) -> str:
    match part:
        case str():
            return html.escape(part)
        case Code(text):
            return f"<code>{html.escape(text)}</code>"
    return mathml(part)
