"""Likelihoods of censored and truncated responses: densities, and probabilities of intervals."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mix2stan.families import Family
from mix2stan.graph import ModelGraph
from mix2stan.links import LINKS

__all__ = ["censored_likelihood", "truncated_likelihood"]


@dataclass(frozen=True)
class _Law:
    """The distribution of the response as Stan text, some rows at a time.

    ``vectors`` are the names in its ``arguments`` that have an element per row.
    """

    name: str
    arguments: str
    vectors: tuple[str, ...]

    def of(self, rows: str) -> str:
        """The arguments of some rows, of all if none are named."""
        if not rows:
            return self.arguments
        names = re.compile(rf"\b({'|'.join(map(re.escape, self.vectors))})\b")
        return names.sub(rf"\1[{rows}]", self.arguments)

    def at(self, function: str, y: str, rows: str = "") -> str:
        """``lpdf``, ``lcdf`` or ``lccdf`` at y, summed over rows."""
        return f"{self.name}_{function}({y}{f'[{rows}]' if rows else ''} | {self.of(rows)}"

    def between(self, indent: str, row: str, upper: str, lower: str, sign: str) -> list[str]:
        """Statements that add, or subtract, the log probability of the interval of a row."""
        above, below = (self.at("lcdf", y, row).replace("./", "/") for y in (upper, lower))
        return [
            f"{indent}real below = {above};",
            f"{indent}target += {sign}log_diff_exp(below, {below});",
        ]


def _law(graph: ModelGraph, family: Family, eta: str) -> _Law:
    mean = LINKS[graph.response.link].stan.format(eta=eta)
    name, arguments = family.density.format(mu=mean).split("(", 1)
    return _Law(name, arguments, (eta, *(p.parameter for p in graph.predictors)))


def _density(graph: ModelGraph, law: _Law, rows: str = "") -> str:
    """The statement of the density, its constants where they are asked for."""
    if graph.strategy.kind == "joint":
        return f"target += {law.at('lpdf', 'y', rows)};"
    return f"y{f'[{rows}]' if rows else ''} ~ {law.name}({law.of(rows)};"


def censored_likelihood(graph: ModelGraph, family: Family, eta: str) -> str:
    """The statements; ``eta`` is the predictor as text, a vector with an element per row."""
    law = _law(graph, family, eta)
    lines = [
        _density(graph, law, "observed"),
        f"target += {law.at('lcdf', 'y', 'left')};",
        f"target += {law.at('lccdf', 'y', 'right')};",
        "for (i in interval) {",
        *law.between("  ", "i", "y_upper", "y", ""),
        "}",
    ]
    return "\n".join(lines)


def truncated_likelihood(graph: ModelGraph, family: Family, eta: str) -> str:
    """The density, over the probability of what could have been observed."""
    law, truncation = _law(graph, family, eta), graph.response.truncation
    assert truncation is not None
    lines = [_density(graph, law)]
    if truncation.lower is None:
        lines.append(f"target += -{law.at('lcdf', 'y_upper')};")
    elif truncation.upper is None:
        lines.append(f"target += -{law.at('lccdf', 'y_lower')};")
    else:
        lines += ["for (i in 1 : N) {", *law.between("  ", "i", "y_upper", "y_lower", "-"), "}"]
    return "\n".join(lines)
