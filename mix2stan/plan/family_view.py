"""What the templates of a family's Stan functions, and of the rows it takes apart, see."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mix2stan.families import FAMILIES, Family
from mix2stan.graph import ModelGraph
from mix2stan.plan.parts import Component, Part

__all__ = ["FamilyView", "family_functions", "family_view"]

#: The width of lines, but for the indentation of a function.
_WIDTH = 98


@dataclass(frozen=True)
class FamilyView:
    """A family, and what its functions are about.

    ``types`` says of every parameter besides the mean whether it is a ``real`` or a ``vector``, with
    an element per row; ``name`` is the function's.
    """

    family: Family
    types: dict[str, str]

    @property
    def name(self) -> str:
        return self.family.density.split("(", 1)[0]

    @property
    def base(self) -> Family:
        """The family that a wrapper is around."""
        return FAMILIES[self.family.base]

    @property
    def row_sets(self) -> tuple[str, ...]:
        """The names of the rows that are taken apart."""
        return tuple(self.family.row_sets)

    @property
    def head(self) -> str:
        """The declaration of the density of the response, folded as stanc does."""
        kind, response = ("lpmf", "array[] int y") if self.family.integer else ("lpdf", "vector y")
        given = [
            response,
            *(["array[] int trials"] if self.family.counts_trials else []),
            "vector mu",
        ]
        given += [f"{self.types[p]} {p}" for p in self.family.parameters]
        given += [f"array[] int {rows}" for rows in self.row_sets]
        lines = [f"real {self.name}_{kind}("]
        margin = " " * len(lines[0])
        for i, argument in enumerate(given):
            text = argument + (") {" if i == len(given) - 1 else ",")
            space = "" if lines[-1].endswith("(") or not lines[-1].strip() else " "
            if len(lines[-1] + space + text) <= _WIDTH:
                lines[-1] += space + text
            else:
                lines.append(margin + text)
        return "\n".join(lines)

    def at(self, text: str, rows: str) -> str:
        """An expression of some rows: what has an element per row is indexed."""
        vectors = ["mu", "trials", *(p for p, kind in self.types.items() if kind == "vector")]
        indexed = rf"\b({'|'.join(vectors)})\b(?!\()"
        return (
            re.sub(indexed, rf"\1[{rows}]", text.format(mu="mu")) if rows else text.format(mu="mu")
        )

    def total(self, function: str, parameter: str, rows: str) -> str:
        """The sum over some rows of a function of a parameter."""
        if self.types[parameter] == "vector":
            return f"sum({function}({parameter}[{rows}]))"
        return f"size({rows}) * {function}({parameter})"

    def zero(self, rows: str) -> str:
        """The log probability of a zero of the base."""
        return self.at(self.base.zero, rows)

    def base_density(self, rows: str = "") -> str:
        """The log density of the base at some rows, or at all."""
        name, arguments = self.base.density.split("(", 1)
        y = f"y[{rows}]" if rows else "y"
        kind = "lpmf" if self.family.integer else "lpdf"
        return f"{name}_{kind}({y} | {self.at(arguments, rows)}"


def family_view(graph: ModelGraph, family: Family) -> FamilyView:
    """The family of a model's rows."""
    predicted = {p.parameter for p in graph.predictors}
    types = {p: "vector" if p in predicted else "real" for p in family.parameters}
    return FamilyView(family, types)


def family_functions(graph: ModelGraph, family: Family) -> list[Part]:
    """The Stan functions of a family, those of its base first."""
    view = family_view(graph, family)
    base = [FAMILIES[family.base].functions] if family.base else []
    templates = [t for t in (*base, family.functions) if t is not None]
    return [Part((Component(template, view),)) for template in templates]
