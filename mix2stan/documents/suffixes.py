"""File names and what is in the files: a picture called .png is one, or is not written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mix2stan.errors import Mix2stanError, suggestion

__all__ = ["DRAWINGS", "TEXTS", "format_of"]

Suffixes = Mapping[str, tuple[str, ...]]

#: The formats of drawings and of texts, the usual one first, and the suffixes of their files.
DRAWINGS: Suffixes = {
    "svg": (".svg",),
    "dot": (".dot", ".gv"),
    "mermaid": (".mmd", ".mermaid"),
}
TEXTS: Suffixes = {
    "text": (".txt", ".text"),
    "markdown": (".md", ".markdown", ".qmd", ".rmd"),
    "html": (".html", ".htm"),
}


def format_of(given: str | None, out: Path | None, suffixes: Suffixes) -> str:
    """The format that is asked for, or that a file's name asks for; else the first.

    Args:
        given: the name of a format.
        out: the file; a name without a suffix says nothing.
        suffixes: the formats and theirs.

    Raises:
        Mix2stanError: if there is no such format, or the file would hold another than its name says.

    >>> format_of(None, Path("model.gv"), DRAWINGS)
    'dot'
    """
    suffix = "" if out is None else out.suffix.lower()
    named = next((name for name, own in suffixes.items() if suffix in own), None)
    chosen = given or named or next(iter(suffixes))
    if chosen not in suffixes:
        hint = suggestion(chosen, suffixes, what="the formats")
        raise Mix2stanError(f"there is no format {chosen!r}", hint=hint)
    if suffix and named != chosen:
        listed = ", ".join(one for own in suffixes.values() for one in own)
        message = f"{out} would not be a {suffix} file: what is written is {chosen}"
        raise Mix2stanError(message, hint=f"name it by what is in it: {listed}")
    return chosen
