"""Telling what a model means: its equation, every term, what is assumed, what to be careful about.

An explanation is a :class:`~mix2stan.documents.Document`; ``print(model)`` shows a short one, made
of the same sections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mix2stan.compiler import Compiled
from mix2stan.documents import Document, Picture, to_html, to_markdown, to_text
from mix2stan.drawing import draw
from mix2stan.errors import Mix2stanError, suggestion
from mix2stan.explanation.block import block
from mix2stan.explanation.computing import strategy
from mix2stan.explanation.equation import equation
from mix2stan.explanation.errors import errors
from mix2stan.explanation.facts import Facts
from mix2stan.explanation.pairs import pairs
from mix2stan.explanation.prior_words import implied, priors
from mix2stan.explanation.remarks import elsewhere, elsewhere_remarks, notes, remarks
from mix2stan.explanation.roles import roles
from mix2stan.explanation.shrinkage import shrinkage
from mix2stan.explanation.terms import sizes, terms
from mix2stan.explanation.values import Estimated, point_of

__all__ = ["Explanation", "explain", "means_elsewhere", "summarise", "summary_page"]


@dataclass(frozen=True)
class Explanation:
    """A model explained; prints as text, and shows itself in a notebook.

    Attributes:
        document: its sections, for other writers.
    """

    document: Document

    def __str__(self) -> str:
        return to_text(self.document)

    def section(self, title: str) -> str:
        """One section as text, by its heading.

        Args:
            title: the heading.

        Raises:
            Mix2stanError: if there is no such section; the nearest is named.

        >>> print(model.explain().section("Errors").splitlines()[-1].strip())
        Var(e) = σ²
        """
        sections = {section.title: section for section in self.document}
        if title not in sections:
            hint = suggestion(title, sections, what="the sections")
            raise Mix2stanError(f"the explanation has no section {title!r}", hint=hint)
        return to_text(Document(self.document.title, (sections[title],)))

    def markdown(self) -> str:
        """As Markdown, mathematics as LaTeX between dollars.

        >>> "$$" in model.explain().markdown()
        True
        """
        return to_markdown(self.document)

    def html(self) -> str:
        """As a web page that needs nothing from outside, mathematics as MathML.

        >>> model.explain().html().splitlines()[0]
        '<!DOCTYPE html>'
        """
        return to_html(self.document)

    def _repr_html_(self) -> str:
        return to_html(self.document, whole=False)

    def __repr__(self) -> str:
        return f"<explanation of {self.document.title}>"


def explain(compiled: Compiled, at: Estimated | Mapping[str, Any] | None = None) -> Explanation:
    """Everything there is to say of a model before it is fitted.

    Args:
        compiled: the model.
        at: where covariances are printed in numbers: estimates, or values by Stan name; round
            numbers if None.

    Raises:
        Mix2stanError: if ``at`` names what is no parameter.
    """
    facts = Facts(compiled)
    model = equation(facts)
    drawing = Picture(draw(compiled, "svg"), draw(compiled, "mermaid"))
    sections = (
        replace(model, blocks=(*model.blocks, drawing)),
        terms(facts),
        errors(facts),
        pairs(facts),
        block(facts, point_of(facts, at)),
        roles(facts),
        shrinkage(facts),
        priors(facts),
        implied(facts),
        strategy(facts),
        remarks(facts),
        elsewhere(facts),
    )
    return Explanation(Document(facts.graph.call, sections))


def means_elsewhere(compiled: Compiled) -> tuple[str, ...]:
    """What of the call's text means another model in another package, a remark each."""
    return elsewhere_remarks(Facts(compiled))


def summarise(compiled: Compiled) -> str:
    """The call, the equation, every term with its size, the priors, and the notes."""
    return to_text(_summary(compiled))


def summary_page(compiled: Compiled) -> str:
    """The same as an HTML element."""
    return to_html(_summary(compiled), whole=False)


def _summary(compiled: Compiled) -> Document:
    facts = Facts(compiled)
    sections = (equation(facts), sizes(facts), priors(facts), strategy(facts), notes(facts))
    return Document(facts.graph.call, sections)
