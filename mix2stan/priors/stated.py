"""Priors that a user states of single parameters, in the place of a set's."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mix2stan.covariances import parameter_of
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.families import PARAMETERS
from mix2stan.graph import ModelGraph, Prior
from mix2stan.priors.densities import LKJ, Written
from mix2stan.priors.names import block_names, element_names, row_names
from mix2stan.priors.rows import DENSITIES, SINGLE
from mix2stan.residuals import error_blocks
from mix2stan.syntax import format_number

__all__ = ["state", "support_of", "taken_together"]

_INFINITY = math.inf
_SOURCE = "as asked"


@dataclass(frozen=True)
class _Element:
    """The prior of one element: a row of the densities, its numbers, where they came from."""

    density: str
    values: tuple[tuple[str, float], ...]
    source: str
    unit: str = ""

    @property
    def kind(self) -> tuple[str, str, tuple[str, ...]]:
        """What elements share that can be stated at once."""
        return self.density, self.unit, tuple(slot for slot, _ in self.values)


def state(
    graph: ModelGraph, priors: Iterable[Prior], wanted: Iterable[tuple[str, Written]]
) -> tuple[Prior, ...]:
    """The priors with those in their place that were asked for; of a part before of the whole.

    Args:
        graph: the resolved model.
        priors: a prior of every block.
        wanted: densities by the names in the table of priors, or of whole blocks; terms may be called
            as R calls them.

    Raises:
        FormulaError: if there is no such parameter, or several, or the density is not one for it.
        Unsupported: if it cannot be expressed.
    """
    blocks: dict[str, list[Prior]] = {}
    for prior in priors:
        blocks.setdefault(prior.block, []).append(prior)
    labels = {block: element_names(graph, block, blocks) for block in blocks}
    whole = {name: block for block in blocks for name in block_names(block)}
    single = {name: (block, i) for block in blocks for i, name in enumerate(labels[block])}
    stated: dict[str, dict[int, _Element]] = {block: {} for block in blocks}
    rows = row_names(graph, labels)
    chosen = [(rows.meant(name) or name, written) for name, written in wanted]
    for name, written in [w for w in chosen if w[0] in whole]:
        block = whole[name]
        element = _checked(graph, block, name, written)
        stated[block] |= dict.fromkeys(range(len(labels[block])), element)
    for name, written in [w for w in chosen if w[0] not in whole]:
        if name not in single:
            known = [*single, *whole]
            hint = suggestion(name, known, what="the parameters")
            raise FormulaError(f"there is no parameter {name!r} to have a prior", hint=hint)
        block, place = single[name]
        stated[block][place] = _checked(graph, block, name, written)
    _check_joint(blocks, labels, stated)
    found: list[Prior] = []
    for block, old in blocks.items():
        whole_block = _elements_of(old, len(labels[block])) | stated[block]
        found += _by_density(block, whole_block) if stated[block] else old
    return tuple(found)


def _checked(graph: ModelGraph, block: str, name: str, written: Written) -> _Element:
    """What is written; what cannot be is refused where it stands."""
    try:
        _check(graph, block, name, written)
    except FormulaError as error:
        if written.span is None:
            raise
        raise type(error)(error.message, span=written.span, hint=error.hint) from None
    return _element(graph, block, written)


def _element(graph: ModelGraph, block: str, written: Written) -> _Element:
    """What is written; bounds that the parameter has anyway are left out."""
    low, high = support_of(graph, block)
    values = dict(written.values)
    least, most = written.support
    row = written.row
    if row == "between":
        bounds = {"lower": max(low, least), "upper": min(high, most)}
        row = "uniform" if bounds == {"lower": low, "upper": high} else row
        values = {} if row == "uniform" else bounds
    else:
        values |= {"lower": least} if written.lower is not None and least > low else {}
        values |= {"upper": most} if written.upper is not None and most < high else {}
    source = _SOURCE if DENSITIES[row].proper else f"{_SOURCE}; improper"
    return _Element(row, tuple(values.items()), source, written.unit)


def taken_together(
    offered: Iterable[tuple[Sequence[Prior], Sequence[int]]], size: int
) -> list[Prior]:
    """The priors of a block of which several have stated some elements each.

    Args:
        offered: priors of the whole block, and the elements that are taken from them.
        size: the number of elements.
    """
    elements: dict[int, _Element] = {}
    block = ""
    for priors, own in offered:
        whole, block = _elements_of(priors, size), priors[0].block
        elements |= {place: whole[place] for place in own}
    return _by_density(block, elements)


def _elements_of(priors: Iterable[Prior], size: int) -> dict[int, _Element]:
    """The prior of every element of a block."""
    elements: dict[int, _Element] = {}
    for prior in priors:
        for i, place in enumerate(prior.places or range(size)):
            numbers = tuple((s, v[0 if s in SINGLE else i]) for s, v in prior.values)
            elements[place] = _Element(prior.density, numbers, prior.source, prior.unit)
    return elements


def _by_density(block: str, elements: Mapping[int, _Element]) -> list[Prior]:
    """One prior of the block if all elements have one density, else one for each density."""
    kinds = dict.fromkeys(e.kind for _, e in sorted(elements.items()))
    priors = []
    for kind in kinds:
        places = tuple(i for i, e in sorted(elements.items()) if e.kind == kind)
        own = [elements[i] for i in places]
        values = tuple(
            (slot, tuple(dict(e.values)[slot] for e in (own[:1] if slot in SINGLE else own)))
            for slot in kind[2]
        )
        sources = list(dict.fromkeys(e.source for e in own))
        for source in sources[:1]:
            priors.append(Prior(block, kind[0], values, source, places, unit=kind[1]))
        if len(sources) > 1:
            priors[-1] = replace(priors[-1], source="; ".join(sources))
    return [replace(priors[0], places=())] if len(priors) == 1 else _unbounded(priors)


def _unbounded(priors: list[Prior]) -> list[Prior]:
    """Bounds are declared of whole blocks."""
    for prior in priors:
        if {"lower", "upper"} & {slot for slot, _ in prior.values}:
            raise Unsupported(
                f"some elements of {prior.block} cannot have bounds without the others",
                hint="give all of them bounds, or none",
            )
    return priors


def _check_joint(
    blocks: dict[str, list[Prior]],
    labels: dict[str, list[str]],
    stated: dict[str, dict[int, _Element]],
) -> None:
    """What has one density can be replaced as a whole alone."""
    joint = {b for b, priors in blocks.items() if any(DENSITIES[p.density].joint for p in priors)}
    for block in joint:
        together = [b for b in joint if _term(b) == _term(block)]
        names = [name for b in together for name in labels[b]]
        count = sum(len(stated[b]) for b in together)
        if 0 < count < len(names):
            raise FormulaError(
                f"{', '.join(names)} have one joint prior, which cannot be changed in part",
                hint="give all of them a density, or none",
            )


def _term(block: str) -> str:
    """The identifier of the term a block belongs to."""
    return block.partition("_")[2]


def _check(graph: ModelGraph, block: str, name: str, written: Written) -> None:
    """Refuse a density that is not one for its parameter."""
    text = written.text
    correlation = block == "cor_L" or block.startswith("L_")
    if correlation != (written.row == LKJ):
        if correlation:
            hint = f"write {name} ~ lkj(2), with a number above 1 for correlations nearer to zero"
            raise FormulaError(
                f"{name} is a correlation matrix: {text} is no density of it", hint=hint
            )
        hint = f"{name} is a number: normal(0, 5) is a density of it, or exponential(1)"
        raise FormulaError(f"{text} is a density of correlation matrices, not of {name}", hint=hint)
    cut = written.lower is not None or written.upper is not None or written.row == "between"
    if correlation and cut:
        raise Unsupported(f"{name} cannot have the bounds of {text}", hint="lkj(2) has none")
    if correlation or (written.row == "flat" and not cut):
        return
    low, high = support_of(graph, block)
    least, most = written.support
    if most <= low or least >= high:
        message = f"{text} leaves nothing of {name}, which is between {_ends(low, high)}"
        raise FormulaError(message)
    if cut and (least > low or most < high):
        if not _boundable(graph, block):
            hint = "leave the bounds away: normal(0, 1) has little beyond -3 and 3"
            raise Unsupported(f"{name} cannot have the bounds of {text}", hint=hint)
        return
    if least > low or most < high:
        what = f"{text} is a density between {_ends(least, most)}"
        hint = "normal, student_t, cauchy, logistic and double_exponential have all values"
        if low == 0:
            hint = "exponential, gamma, lognormal, inv_gamma, normal and student_t are for it"
        raise FormulaError(f"{what}; {name} is between {_ends(low, high)}", hint=hint)


def _ends(low: float, high: float) -> str:
    def word(x: float) -> str:
        if math.isinf(x):
            return "infinity" if x > 0 else "-infinity"
        return format_number(x, 4)

    return f"{word(low)} and {word(high)}"


#: The values of a structure's parameter, by the density that is its default.
_SUPPORTS = {
    "sd": (0.0, _INFINITY),
    "lognormal": (0.0, _INFINITY),
    "uniform": (-1.0, 1.0),
    "normal": (-_INFINITY, _INFINITY),
    "lkj": (-_INFINITY, _INFINITY),
}


def support_of(graph: ModelGraph, block: str) -> tuple[float, float]:
    """What values a parameter can have."""
    for group in graph.groups:
        parameter = parameter_of(group, block)
        if parameter is not None:
            return _SUPPORTS["normal" if parameter.signed else parameter.density]
    if block in PARAMETERS:
        return _of_bounds(PARAMETERS[block].bound, -_INFINITY)
    if block == "cutpoints":
        # they are above the first threshold, which is zero
        return 0.0, _INFINITY
    for error in error_blocks(graph.residual):
        if error.name == block:
            return _of_bounds(error.parameter.bounds)
    return -_INFINITY, _INFINITY


def _of_bounds(constraint: str, unknown: float = -1.0) -> tuple[float, float]:
    """The numbers of a Stan constraint; what is data there is the least correlation, if not given."""
    ends = dict(re.findall(r"(lower|upper)=([-\w.]+)", constraint))

    def end(name: str, nothing: float) -> float:
        try:
            return float(ends.get(name, nothing))
        except ValueError:
            return unknown

    return end("lower", -_INFINITY), end("upper", _INFINITY)


def _boundable(graph: ModelGraph, block: str) -> bool:
    """Whether its declaration can have bounds from data: standard deviations, and the family's."""
    parameters = [parameter_of(g, block) for g in graph.groups]
    of_sd = any(p is not None and p.density == "sd" and not p.signed for p in parameters)
    return of_sd or block in PARAMETERS
