"""The plan as Stan text.

A template is a set of macros named after the sections of a program (``data``, ``scales``,
``parameters``, ``predictor``, ``likelihood``, ``priors`` …).  The renderer asks every component, in
order, for every section; a missing macro says nothing, and a block without text is dropped.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import jinja2

from mix2stan.folders import resource_folder
from mix2stan.names import words_of
from mix2stan.plan import Component, Part, Plan

__all__ = ["render", "words"]


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
#: The sections that declare variables.
_DECLARING = (
    "data", "scales", "transformed_data", "parameters", "transformed_parameters", "predictor",
    "likelihood", "generated_quantities",
)  # fmt: skip
#: The name that a declaration gives: after a type with its bounds and sizes.
_DECLARED = re.compile(
    r"^\s*(?:array\[[^\]]*\]\s+)?(?:int|real|complex|vector|row_vector|matrix|simplex|ordered"
    r"|positive_ordered|unit_vector|corr_matrix|cov_matrix|cholesky_factor_\w+)"
    r"(?:<[^;=]*(?:=[^;=]*?)*>)?(?:\[[^\]]*\])?\s+(\w+)",
    re.MULTILINE,
)
#: From a text to the same in the names of one of several responses.
Names = Callable[[str], str]


def render(plan: Plan) -> str:
    """The Stan program of a plan; it depends on the plan alone."""
    names = _private_names(plan)
    return "\n".join([_header(plan, names), *_blocks(plan, names)]) + "\n"


def words(plan: Plan) -> frozenset[str]:
    """All words of the Stan program of a plan, those of its header aside."""
    return words_of("\n".join(_blocks(plan, _private_names(plan))))


def _blocks(plan: Plan, names: Mapping[str, Names]) -> Iterator[str]:
    for name, layout in _PROGRAM:
        paragraphs = [text for item in layout for text in _texts(plan, item, names)]
        if paragraphs:
            body = "\n\n".join(paragraphs)
            indented = "\n".join(f"  {line}" if line else "" for line in body.split("\n"))
            yield f"{name} {{\n{indented}\n}}"


def _private_names(plan: Plan) -> dict[str, Names]:
    """What is declared by the parts of one of several responses, and what it is called among them."""
    declared: dict[str, dict[str, str]] = {}
    for part in plan.parts:
        if part.member is not None:
            own = declared.setdefault(part.member.name, {})
            text = "\n".join(_say(c, section) for section in _DECLARING for c in part.components)
            own |= {n: part.member.own(n) for n in _DECLARED.findall(text) if n != "N"}
    return {member: _renamer(names) for member, names in declared.items()}


def _renamer(names: Mapping[str, str]) -> Names:
    longest_first = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    # a function may be called as a variable is
    pattern = re.compile(rf"\b({longest_first})\b(?!\()")

    def line(text: str) -> str:
        code, mark, comment = text.partition("//")
        return pattern.sub(lambda found: names[found[1]], code) + mark + comment

    return lambda text: "\n".join(map(line, text.split("\n")))


def _texts(plan: Plan, item: _Paragraphs | _Paragraph, names: Mapping[str, Names]) -> list[str]:
    if isinstance(item, _Paragraphs):
        texts = [_join(_said(p, c, item.section, names) for c in p.components) for p in plan.parts]
        # several responses may need the same function
        return list(dict.fromkeys(t for t in texts if t))
    everything = [(part, c) for part in plan.parts for c in part.components]
    text = _join(_said(part, c, s, names) for s in item.sections for part, c in everything)
    return [_join([item.comment, text])] if text else []


def _said(part: Part, component: Component, section: str, names: Mapping[str, Names]) -> str:
    """What a component says, in the names of its response if there are several."""
    text = _say(component, section)
    if part.member is None or section == "functions":
        return text
    return names[part.member.name](text)


def _header(plan: Plan, names: Mapping[str, Names]) -> str:
    """The R call and the model in mathematics, the left sides aligned."""
    everything = [(part, c) for part in plan.parts for c in part.components]
    lines = [_said(part, c, "mathematics", names) for part, c in everything]
    sides = [_RELATION.split(line, 1) for text in lines for line in text.split("\n") if line]
    width = max(len(left) for left, _, _ in sides)
    mathematics = [f"//   {left:<{width}} {sign} {right}" for left, sign, right in sides]
    explained = [_said(part, c, "explanation", names) for part, c in everything]
    words = [f"// {line}" for text in explained for line in text.split("\n") if line]
    return "\n".join([f"// {plan.call}", "//", *mathematics, *(["//"] if words else []), *words])


def _say(component: Component, section: str) -> str:
    """What one component says in one section, without blank lines around it."""
    macro: Callable[[object], str] | None = getattr(_module(component.template), section, None)
    if macro is None:
        return ""
    said = str(macro(component.subject))
    return "\n".join(line for line in said.split("\n") if line.strip())


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
