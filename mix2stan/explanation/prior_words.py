"""The priors, and what they imply: ranges of sds, differences of levels, shares of variance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mix2stan.covariances import COVARIANCES
from mix2stan.documents import Block, Items, Paragraph, Section, Table, Text
from mix2stan.explanation.facts import Facts
from mix2stan.graph import Prior
from mix2stan.priors.rows import DENSITIES
from mix2stan.syntax import format_number

__all__ = ["implied", "priors"]

Array = NDArray[np.float64]
Slots = dict[str, float]
Sampler = Callable[[np.random.Generator, Slots, Array | None], Array]

_DRAWS, _SEED = 40_000, 1

#: Draws of the densities that standard deviations have; those in units of sigma take its draws.
_SAMPLERS: dict[str, Sampler] = {
    "half_student_t": lambda rng, s, sigma: np.abs(rng.standard_t(3, _DRAWS)) * s["scale"],
    "exponential": lambda rng, s, sigma: rng.exponential(1 / s["rate"], _DRAWS),
    "exponential_sigma": lambda rng, s, sigma: (
        rng.exponential(1.0, _DRAWS) * (np.nan if sigma is None else sigma)
    ),
}


def priors(facts: Facts) -> Section:
    """The table, and in words what it says about groups."""
    lines: list[tuple[Text, ...]] = [
        (name, f"~ {density}", f"({source})")
        for name, density, source in zip(
            facts.priors.index, facts.priors["density"], facts.priors["source"], strict=True
        )
    ]
    return Section("Priors", (Table((), tuple(lines)),) if lines else ())


def implied(facts: Facts) -> Section:
    """95 % ranges under the priors, before the data are seen."""
    rng = np.random.default_rng(_SEED)
    sigma = _draws(facts, "sigma", 0, rng, None)
    rows: list[tuple[Text, ...]] = []
    intercepts: dict[str, Array] = {}
    improper = [p.block for p in facts.graph.priors if not DENSITIES[p.density].proper]
    for group in facts.graph.groups:
        names = group.columns.names
        if COVARIANCES[group.covariance.kind].parameter("sd") is None:
            continue
        one = COVARIANCES[group.covariance.kind].sds == "one"
        for k, name in enumerate(names[:1] if one else names):
            sd = _draws(facts, f"sd_{group.id}", k, rng, sigma)
            if sd is None:
                continue
            difference = np.abs(rng.standard_normal(_DRAWS)) * np.sqrt(2) * sd
            label = f"{facts.name(group)}: {'every effect' if one and len(names) > 1 else name}"
            rows.append((label, _range(sd), _upper(facts, difference)))
            if name == "(Intercept)":
                where = "" if len(names) == 1 else ", where its slopes are of 0"
                intercepts[facts.name(group) + where] = sd
    if sigma is not None and rows:
        rows.append(("sigma", _range(sigma), ""))
    blocks: list[Block] = []
    if rows:
        head = ("sd of", "95 % of its prior", "two levels differ by less than (95 %)")
        blocks.append(Table(head, tuple(rows)))
    blocks += _shares(intercepts, sigma)
    if improper:
        words = f"improper, so without a range: {', '.join(improper)}"
        blocks.append(Paragraph(words))
    return Section("What the priors imply", tuple(blocks))


def _prior(facts: Facts, block: str, element: int) -> Prior | None:
    """The prior of an element; a block may have one for some of its elements, another for others."""
    mine = (p for p in facts.graph.priors if p.block == block)
    return next((p for p in mine if not p.places or element in p.places), None)


def _draws(
    facts: Facts, block: str, element: int, rng: np.random.Generator, sigma: Array | None
) -> Array | None:
    """Draws of an element of a block; None if its density has no sampler here."""
    prior = _prior(facts, block, element)
    if prior is None or prior.density not in _SAMPLERS:
        return None
    place = prior.places.index(element) if prior.places else element
    slots = {slot: values[place] for slot, values in prior.values}
    found = _SAMPLERS[prior.density](rng, slots, sigma)
    return None if np.isnan(found).any() else found


def _range(draws: Array) -> str:
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{format_number(low, 2)} to {format_number(high, 2)}"


def _upper(facts: Facts, draws: Array) -> str:
    """The 95 % quantile of a difference; as a factor too where the link makes it one."""
    high = float(np.quantile(draws, 0.95))
    link = facts.graph.response.link
    text = format_number(high, 2)
    kinds = {"log": "a factor", "logit": "an odds ratio"}
    if link not in kinds:
        return text
    factor = "more than a thousand" if high > np.log(1000) else f"{np.exp(high):.3g}"
    return f"{text} on the {link} scale, {kinds[link]} of {factor}"


def _shares(intercepts: dict[str, Array], sigma: Array | None) -> list[Block]:
    """The share of the variance that each grouping factor has under the priors."""
    if sigma is None or not intercepts:
        return []
    total = sum((sd**2 for sd in intercepts.values()), sigma**2)
    lines: list[Text] = []
    for name, sd in intercepts.items():
        low, middle, high = np.quantile(sd**2 / total, [0.025, 0.5, 0.975])
        lines.append(
            f"{name}: correlation of two observations of one level from {low:.3f} to {high:.3f}, "
            f"{middle:.2f} in the middle"
        )
    opening = "Intraclass correlation, the share of the variance that is between levels:"
    return [Paragraph(opening), Items(tuple(lines))]
