"""Drawings of the model graph: data, parameters with their priors, effects, predictor, response."""

from __future__ import annotations

from collections.abc import Callable

from mix2stan.compiler import Compiled
from mix2stan.drawing.dot import to_dot
from mix2stan.drawing.figure import Figure
from mix2stan.drawing.mermaid import to_mermaid
from mix2stan.drawing.nodes import figure_of
from mix2stan.drawing.svg import to_svg
from mix2stan.errors import Mix2stanError, suggestion

__all__ = ["FORMATS", "draw"]

FORMATS: dict[str, Callable[[Figure], str]] = {
    "svg": to_svg,
    "dot": to_dot,
    "mermaid": to_mermaid,
}


def draw(compiled: Compiled, form: str = "svg") -> str:
    """The model graph as text of a drawing language.

    Args:
        compiled: the model.
        form: ``"svg"``, ``"dot"`` (Graphviz) or ``"mermaid"``.

    Raises:
        Mix2stanError: if there is no such format.
    """
    if form not in FORMATS:
        hint = suggestion(form, FORMATS, what="the formats")
        raise Mix2stanError(f"there is no format {form!r}", hint=hint)
    return FORMATS[form](figure_of(compiled))
