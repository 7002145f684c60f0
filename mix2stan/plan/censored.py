"""Likelihoods of censored and truncated responses: densities, and probabilities of intervals."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mix2stan.families import Family
from mix2stan.graph import ModelGraph
from mix2stan.links import LINKS

__all__ = ["censored_likelihood", "truncated_likelihood"]


#: The width of a line, but for the indentation of a block.
_WIDTH = 98


@dataclass(frozen=True)
class _Law:
    """The distribution of the response as Stan text, some rows at a time.

    ``vectors`` are the names in its ``arguments`` that have an element per row, ``counts`` is
    whether the response has whole numbers.
    """

    name: str
    arguments: str
    vectors: tuple[str, ...]
    counts: bool

    def of(self, rows: str) -> str:
        """The arguments of some rows, of all if none are named."""
        if not rows:
            return self.arguments
        names = re.compile(rf"\b({'|'.join(map(re.escape, self.vectors))})\b")
        return names.sub(rf"\1[{rows}]", self.arguments)

    def at(self, function: str, y: str, rows: str = "") -> str:
        """``lpdf``, ``lpmf``, ``lcdf`` or ``lccdf`` at y, summed over rows."""
        return f"{self.name}_{function}({y}{f'[{rows}]' if rows else ''} | {self.of(rows)}"

    def of_rows(self, rows: str, statement: str) -> list[str]:
        """A statement about some rows, if there are any: stanli takes no empty arrays of counts."""
        if not self.counts:
            return [statement]
        return [f"if (N_{rows} > 0) {{", f"  {statement}", "}"]

    def between(self, indent: str, row: str, upper: str, lower: str, sign: str) -> list[str]:
        """Statements that add, or subtract, the log probability of the interval of a row.

        In the upper half of the distribution it is a difference of upper tails, which are not all one.
        """
        below, beyond = (
            [self.at(function, y, row).replace("./", "/") for y in (upper, lower)]
            for function in ("lcdf", "lccdf")
        )
        return [
            f"{indent}real below = {below[1]};",
            f"{indent}if (below < log(0.5)) {{",
            f"{indent}  target += {sign}log_diff_exp({below[0]}, below);",
            f"{indent}}} else {{",
            *_filled(f"{indent}  target += {sign}log_diff_exp(", (beyond[1], beyond[0])),
            f"{indent}}}",
        ]


def _filled(head: str, arguments: tuple[str, str]) -> list[str]:
    """A call of two arguments, in two lines where it is long, as stanc folds it."""
    line = f"{head}{arguments[0]}, {arguments[1]});"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{head}{arguments[0]},", f"{' ' * len(head)}{arguments[1]});"]


def _law(graph: ModelGraph, family: Family, eta: str) -> _Law:
    mean = LINKS[graph.response.link].stan.format(eta=eta)
    name, arguments = family.density.format(mu=mean).split("(", 1)
    return _Law(name, arguments, (eta, *(p.parameter for p in graph.predictors)), family.integer)


def _density(graph: ModelGraph, law: _Law, rows: str = "") -> str:
    """The statement of the density, its constants where they are asked for."""
    if graph.strategy.kind == "joint":
        return f"target += {law.at('lpmf' if law.counts else 'lpdf', 'y', rows)};"
    return f"y{f'[{rows}]' if rows else ''} ~ {law.name}({law.of(rows)};"


def censored_likelihood(graph: ModelGraph, family: Family, eta: str) -> str:
    """The statements; ``eta`` is the predictor as text, a vector with an element per row."""
    law = _law(graph, family, eta)
    lines = [
        *law.of_rows("observed", _density(graph, law, "observed")),
        *law.of_rows("left", f"target += {law.at('lcdf', 'y', 'left')};"),
        *law.of_rows("right", f"target += {law.at('lccdf', 'y', 'right')};"),
        "for (i in interval) {",
        *law.between("  ", "i", "y_upper", "y", ""),
        "}",
    ]
    return "\n".join(lines)


def truncated_likelihood(graph: ModelGraph, family: Family, eta: str) -> str:
    """The density, over the probability of what could have been observed.

    Of counts that is from the lower bound on, so above the last that is left out.
    """
    law, truncation = _law(graph, family, eta), graph.response.truncation
    assert truncation is not None
    lines = [_density(graph, law)]
    if truncation.lower is None:
        lines.append(f"target += -{law.at('lcdf', 'y_upper')};")
    elif truncation.upper is None and law.counts:
        lines += law.of_rows("cut", f"target += -{law.at('lccdf', 'y_below', 'cut')};")
    elif truncation.upper is None:
        lines.append(f"target += -{law.at('lccdf', 'y_lower')};")
    else:
        lower = "y_below" if law.counts else "y_lower"
        lines += ["for (i in 1 : N) {", *law.between("  ", "i", "y_upper", lower, "-"), "}"]
    return "\n".join(lines)
