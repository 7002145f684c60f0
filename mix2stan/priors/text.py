"""Priors as text: in a Stan program, and in a table."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mix2stan.graph import Prior
from mix2stan.priors.rows import DENSITIES, MATRICES, SINGLE, Density
from mix2stan.syntax import format_number

__all__ = ["PriorText", "describe", "is_proper", "prior_texts"]

#: The constraints of data slots, ``<lower=0>`` where nothing is said.
_BOUNDS = {"loc": "", "lower": "", "upper": ""}
#: The width of a statement in a block, a comma after it included.
_WIDTH = 97


@dataclass(frozen=True)
class PriorText:
    """A prior as the templates write it: that of a block, or of its elements at ``places``.

    ``bounds`` are the data that bound the block beyond what the parameter is, ``parts`` the priors of
    the elements of a block that have densities of their own.  The density is of the block times
    ``unit``, if there is one.
    """

    block: str
    density: Density
    stem: str = ""
    places: tuple[int, ...] = ()
    bounds: tuple[str, ...] = ()
    parts: tuple[PriorText, ...] = ()
    unit: str = ""

    @property
    def flat(self) -> bool:
        """Whether the program says nothing of it."""
        return all(p.flat for p in self.parts) if self.parts else not self.density.text

    def data(self, size: str | None) -> str:
        """Declarations of its data slots; ``size`` is the Stan size of the block, None for a real."""
        if self.parts:
            return "\n".join(text for part in self.parts if (text := part.data(size)))
        if self.places:
            size = None if len(self.places) == 1 else str(len(self.places))
        slots = (*self.bounds, *self.density.slots)
        return "\n".join(_declaration(slot, self.stem or self.block, size) for slot in slots)

    def statement(self, target: str, vector: str = "", before: int = 0) -> str:
        """The sampling statement for ``target``; nothing for a flat prior.

        Where the elements have densities of their own it is one for each density; they stand in
        ``vector`` (``target`` if it is empty) after ``before`` others.
        """
        if self.parts:
            texts = (part.statement(target, vector, before) for part in self.parts)
            return "\n".join(text for text in texts if text)
        size = str(len(self.places)) if self.places else f"size({target})"
        # from the density of the product to that of the block
        slope = f"target += {size} * log({self.unit});" if self.unit else ""
        if not self.density.text:
            return slope
        of = f"{self.unit} * {target}" if self.unit else target
        if self.places:
            index = ", ".join(str(before + place + 1) for place in self.places)
            one = len(self.places) == 1
            whole = f"({of})" if self.unit else vector or target
            of = f"{whole}[{index if one else '{' + index + '}'}]"
        names = {slot: f"{self.stem or self.block}_{slot}" for slot in self.density.slots}
        _, _, term = self.block.partition("_")
        said = _filled(f"{of} ~ {self.density.text.format(**names, term=term)};")
        return f"{said}\n{slope}" if slope else said

    def bounded(self, constraint: str) -> str:
        """The constraint of the parameter's declaration; ``constraint`` if the prior adds nothing."""
        if not self.bounds:
            return constraint
        found = dict(re.findall(r"(lower|upper)=([^,>]+)", constraint))
        found |= {bound: f"{self.block}_{bound}" for bound in self.bounds}
        return f"<{', '.join(f'{k}={v}' for k, v in sorted(found.items()))}>"


def _filled(statement: str) -> str:
    """A statement, its arguments in lines as ``stanc --auto-format`` breaks them in a block."""
    head, _, arguments = statement.partition("(")
    lines = [f"{head}("]
    for i, argument in enumerate(arguments.split(", ")):
        text = f"{', ' if i else ''}{argument}"
        if len(lines[-1] + text) > _WIDTH and i:
            lines[-1] += ","
            lines.append(" " * (len(head) + 1) + argument)
        else:
            lines[-1] += text
    return "\n".join(lines)


def _declaration(slot: str, stem: str, size: str | None) -> str:
    bound = _BOUNDS.get(slot, "<lower=0>")
    if slot in MATRICES:
        # others than those of the block itself, which can be of fewer parameters
        sizes = {"of_errors": "strata", "of_effects": f"Q_{stem.partition('_')[2]}"}
        return f"cov_matrix[{sizes.get(slot, size)}] {stem}_{slot};"
    kind = f"real{bound}" if size is None or slot in SINGLE else f"vector{bound}[{size}]"
    return f"{kind} {stem}_{slot};"


def prior_texts(priors: Iterable[Prior]) -> dict[str, PriorText]:
    """The priors as templates write them, by block."""
    found: dict[str, list[PriorText]] = {}
    for p in priors:
        bounds = tuple(slot for slot, _ in p.values if slot in ("lower", "upper"))
        text = PriorText(p.block, DENSITIES[p.density], p.stem, p.places, bounds, unit=p.unit)
        found.setdefault(p.block, []).append(text)
    return {
        block: parts[0] if not parts[0].places else replace(parts[0], places=(), parts=tuple(parts))
        for block, parts in found.items()
    }


def is_proper(prior: Prior) -> bool:
    """Whether the density integrates to one."""
    return prior.proper and DENSITIES[prior.density].proper


def _diagonal(matrix: tuple[float, ...]) -> tuple[float, ...]:
    """That of a square matrix, given row by row."""
    return matrix[:: math.isqrt(len(matrix)) + 1]


def describe(prior: Prior, element: int) -> str:
    """The density of one element of a block, with its numbers.

    >>> describe(Prior("sigma", "half_student_t", (("scale", (44.7,)),)), 0)
    'student_t(3, 0, 44.7)'
    """
    density = DENSITIES[prior.density]
    numbers = {
        slot: format_number(values[0 if slot in SINGLE else element], 5)
        for slot, values in prior.values
        if slot not in MATRICES
    }
    numbers |= {
        f"sd_of_{slot}": format_number(math.sqrt(_diagonal(values)[element]), 5)
        for slot, values in prior.values
        if slot in MATRICES and element < len(_diagonal(values))
    }
    text = density.words or density.text
    if not text:
        text = "uniform" if density.proper else "flat"
    text = text.format(**numbers)
    # those of the words of "between" are there already
    if not (density.words and not density.text) and ("lower" in numbers or "upper" in numbers):
        text += f" T[{numbers.get('lower', '')}, {numbers.get('upper', '')}]"
    return f"{text}, of {prior.unit} times this" if prior.unit else text
