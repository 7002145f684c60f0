"""Likelihoods of censored and truncated responses: densities, and probabilities of intervals."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mix2stan.families import Family
from mix2stan.graph import ModelGraph
from mix2stan.links import LINKS
from mix2stan.plan.weighted import with_noise

__all__ = ["censored_likelihood", "truncated_likelihood"]


#: The width of a line, but for the indentation of a block.
_WIDTH = 98


@dataclass(frozen=True)
class _Law:
    """The distribution of the response as Stan text, some rows at a time.

    ``vectors`` are the names in its ``arguments`` that have an element per row, ``counts`` is
    whether the response has whole numbers, and ``weighted`` whether rows count by their weights.
    """

    name: str
    arguments: str
    vectors: tuple[str, ...]
    counts: bool
    weighted: bool = False

    def of(self, rows: str) -> str:
        """The arguments of some rows, of all if none are named."""
        if not rows:
            return self.arguments
        names = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, self.vectors))})(?!\w)")
        return names.sub(rf"\1[{rows}]", self.arguments)

    def at(self, function: str, y: str, rows: str = "") -> str:
        """``lpdf``, ``lpmf``, ``lcdf`` or ``lccdf`` at y, summed over rows."""
        return f"{self.name}_{function}({y}{f'[{rows}]' if rows else ''} | {self.of(rows)}"

    def of_row(self, function: str, y: str) -> str:
        """The same of row i."""
        return self.at(function, y, "i").replace("./", "/").replace(".*", "*")

    def added(self, function: str, y: str, rows: str = "", sign: str = "") -> list[str]:
        """Statements that add such a function of some rows, or of all, to the log density."""
        if self.weighted:
            added = f"  target += {sign}weight[i] * {self.of_row(function, y)};"
            return [f"for (i in {rows or '1 : N'}) {{", added, "}"]
        return self.of_rows(rows, f"target += {sign}{self.at(function, y, rows)};")

    def of_rows(self, rows: str, statement: str) -> list[str]:
        """A statement about some rows, if there are any: stanli takes no empty arrays of counts."""
        if not self.counts or not rows:
            return [statement]
        return [f"if (N_{rows} > 0) {{", f"  {statement}", "}"]

    def between(self, rows: str, upper: str, lower: str, sign: str = "") -> list[str]:
        """Statements that add, or subtract, the log probability of the interval of every row.

        In the upper half of the distribution it is a difference of upper tails, which are not all one.
        """
        below, beyond = (
            [self.of_row(function, y) for y in (upper, lower)] for function in ("lcdf", "lccdf")
        )
        sign += "weight[i] * " * self.weighted
        return [
            f"for (i in {rows}) {{",
            f"  real below = {below[1]};",
            "  if (below < log(0.5)) {",
            f"    target += {sign}log_diff_exp({below[0]}, below);",
            "  } else {",
            *_filled(f"    target += {sign}log_diff_exp(", (beyond[1], beyond[0])),
            "  }",
            "}",
        ]


def _filled(head: str, arguments: tuple[str, str]) -> list[str]:
    """A call of two arguments, in two lines where it is long, as stanc folds it."""
    line = f"{head}{arguments[0]}, {arguments[1]});"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{head}{arguments[0]},", f"{' ' * len(head)}{arguments[1]});"]


def _law(graph: ModelGraph, family: Family, eta: str) -> _Law:
    response = graph.response
    mean = LINKS[response.link].stan.format(eta=eta)
    text = family.density.format(mu=mean)
    text = text if response.noise is None else with_noise(text)
    name, arguments = text.split("(", 1)
    vectors = (eta, "se", *(p.parameter for p in graph.predictors))
    return _Law(name, arguments, vectors, family.integer, response.powers is not None)


def _density(graph: ModelGraph, law: _Law, rows: str = "") -> list[str]:
    """The statements of the density, its constants where they are asked for."""
    if graph.strategy.kind == "joint" or law.weighted:
        return law.added("lpmf" if law.counts else "lpdf", "y", rows)
    return law.of_rows(rows, f"y{f'[{rows}]' if rows else ''} ~ {law.name}({law.of(rows)};")


def censored_likelihood(graph: ModelGraph, family: Family, eta: str) -> str:
    """The statements; ``eta`` is the predictor as text, a vector with an element per row."""
    law = _law(graph, family, eta)
    lines = [
        *_density(graph, law, "observed"),
        *law.added("lcdf", "y", "left"),
        *law.added("lccdf", "y", "right"),
        *law.between("interval", "y_upper", "y"),
    ]
    return "\n".join(lines)


def truncated_likelihood(graph: ModelGraph, family: Family, eta: str) -> str:
    """The density, over the probability of what could have been observed.

    Of counts that is from the lower bound on, so above the last that is left out.
    """
    law, truncation = _law(graph, family, eta), graph.response.truncation
    assert truncation is not None
    lines, lower = _density(graph, law), "y_below" if law.counts else "y_lower"
    if truncation.lower is None:
        lines += law.added("lcdf", "y_upper", sign="-")
    elif truncation.upper is None:
        lines += law.added("lccdf", lower, "cut" if law.counts else "", "-")
    else:
        lines += law.between("1 : N", "y_upper", lower, "-")
    return "\n".join(lines)
