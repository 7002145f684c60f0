"""The plan as Stan text.

A template is a set of macros named after the sections of a program (``data``, ``scales``,
``parameters``, ``predictor``, ``likelihood``, ``priors`` …).  The renderer asks every component, in
order, for every section; a missing macro says nothing, and a block without text is dropped.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import jinja2

from mix2stan.folders import resource_folder
from mix2stan.plan import Plan

__all__ = ["render"]


@dataclass(frozen=True)
class _Paragraphs:
    """A section in which every part of the plan is a paragraph."""

    section: str


@dataclass(frozen=True)
class _Paragraph:
    """Sections that share one paragraph, under an optional comment."""

    sections: tuple[str, ...]
    comment: str = ""


_PROGRAM: tuple[tuple[str, tuple[_Paragraphs | _Paragraph, ...]], ...] = (
    ("functions", (_Paragraphs("functions"),)),
    ("data", (_Paragraphs("data"), _Paragraph(("scales",), "// prior locations and scales"))),
    ("transformed data", (_Paragraphs("transformed_data"),)),
    ("parameters", (_Paragraphs("parameters"),)),
    ("transformed parameters", (_Paragraphs("transformed_parameters"),)),
    ("model", (_Paragraph(("predictor", "likelihood")), _Paragraph(("priors",)))),
    ("generated quantities", (_Paragraphs("generated_quantities"),)),
)

_RELATION = re.compile(r" ([~=]) ")


def render(plan: Plan) -> str:
    """The Stan program of a plan; it depends on the plan alone."""
    blocks = [_header(plan)]
    for name, layout in _PROGRAM:
        paragraphs = [text for item in layout for text in _texts(plan, item)]
        if paragraphs:
            body = "\n\n".join(paragraphs)
            indented = "\n".join(f"  {line}" if line else "" for line in body.split("\n"))
            blocks.append(f"{name} {{\n{indented}\n}}")
    return "\n".join(blocks) + "\n"


def _texts(plan: Plan, item: _Paragraphs | _Paragraph) -> list[str]:
    if isinstance(item, _Paragraphs):
        texts = [
            _join(_say(c.template, item.section, c.subject) for c in p.components)
            for p in plan.parts
        ]
        return [t for t in texts if t]
    everything = [c for part in plan.parts for c in part.components]
    text = _join(_say(c.template, s, c.subject) for s in item.sections for c in everything)
    return [_join([item.comment, text])] if text else []


def _header(plan: Plan) -> str:
    """The R call and the model in mathematics, the left sides aligned."""
    everything = [c for part in plan.parts for c in part.components]
    lines = [_say(c.template, "mathematics", c.subject) for c in everything]
    sides = [_RELATION.split(line, 1) for text in lines for line in text.split("\n") if line]
    width = max(len(left) for left, _, _ in sides)
    mathematics = [f"//   {left:<{width}} {sign} {right}" for left, sign, right in sides]
    explained = [_say(c.template, "explanation", c.subject) for c in everything]
    words = [f"// {line}" for text in explained for line in text.split("\n") if line]
    return "\n".join([f"// {plan.call}", "//", *mathematics, *(["//"] if words else []), *words])


def _say(template: str, section: str, subject: object) -> str:
    """What one component says in one section, without blank lines around it."""
    macro: Callable[[object], str] | None = getattr(_module(template), section, None)
    if macro is None:
        return ""
    return "\n".join(line for line in str(macro(subject)).split("\n") if line.strip())


def _join(texts: Iterable[str]) -> str:
    return "\n".join(t for t in texts if t)


@functools.cache
def _module(template: str) -> object:
    return _environment().get_template(template).module


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=_Loader(resource_folder("stan_templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


class _Loader(jinja2.FileSystemLoader):
    """Templates by their name in the plan, without the file ending."""

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        return super().get_source(environment, f"{template}.stan.j2")
