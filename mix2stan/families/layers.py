"""Responses that are seen through latent variables with residuals of their own, as MCMCglmm has them.

Each latent variable of a row of the data is a row of the stacked responses, told from the others by
``trait``; a row here says which there are and which density joins them.  Families and their links are
those of MCMCglmm 2.36 (its course notes, and ``simulate.MCMCglmm``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.families.basic import Array, Family, Support, on_link
from mix2stan.links import LINKS, Link

__all__ = ["Entry", "LayerRow", "several_latent", "single_latent"]

#: Traits from the names of the response's columns, and of its categories where the data have these.
Naming = Callable[[tuple[str, ...]], tuple[str, ...]]
#: The data of a layer by the beginning of their names.
Values = Mapping[str, Array]


@dataclass(frozen=True)
class Entry:
    """Data of a layer: their declaration, ``{N}`` observations and ``{y}`` their Stan name.

    ``values`` are made from those of the traits, shape (q, N), and the numbers of trials, shape (N,).
    """

    declaration: str
    values: Callable[[Array, Array], NDArray[np.generic]]


@dataclass(frozen=True)
class LayerRow:
    """How a response is seen through its latent variables.

    Stan texts have the latent variables in braces by their place (``{0}``), all as columns of a matrix
    (``{all}``), and data by the entry's name; ``words`` are the same in mathematics.

    Attributes:
        mcmcglmm: MCMCglmm's name.
        support: what every value has to look like.
        entries: the data by the beginning of their names.
        density: the Stan density of ``y``.
        words: what the distribution is called in headers and explanations.
        near: where chains start the latent variables, shape (q, N), from the data and q.
        middle: the first latent variable of the mean response, for default priors; None where that
            is the mean of ``near``.
        traits: the latent variables' names; one of the response's own name if not said.
        meaning: what the latent variables are about, in words.
        columns: how many columns of ``cbind()`` are the response; 0 for as many as the name ends with.
        functions: the templates with the Stan functions it needs.
        silent: the places of the latent variables whose residual variance the data say nothing of;
            None stands for all.
        categories: whether the response is a factor whose levels name the latent variables.
    """

    mcmcglmm: str
    support: Support
    entries: Mapping[str, Entry]
    density: str
    words: str
    near: Callable[[Values, int], Array]
    middle: Callable[[Array], float] | None = None
    traits: Naming = lambda names: names[:1]
    meaning: str = ""
    columns: int = 1
    functions: tuple[str, ...] = ()
    silent: tuple[int, ...] | None = ()
    categories: bool = False

    def data(self, y: Array, trials: Array) -> dict[str, NDArray[np.generic]]:
        """The program's data, from values of shape (q, N) and trials of shape (N,)."""
        return {name: entry.values(y, trials) for name, entry in self.entries.items()}

    def start(self, data: Mapping[str, Any], q: int) -> Array:
        """Where chains start the latent variables, shape (q, N)."""
        return self.near({n: np.asarray(v, dtype=float) for n, v in data.items()}, q)

    def is_silent(self, place: int) -> bool:
        """Whether the data say nothing of the residual variance of a latent variable."""
        return self.silent is None or place in self.silent


# -- one latent variable ---------------------------------------------------------------------------


def single_latent(families: Mapping[str, Family]) -> dict[str, LayerRow]:
    """The families of one latent variable, with the link MCMCglmm has."""
    return {name: _single(row) for name, row in families.items() if row.may_be_layer}


def _single(family: Family) -> LayerRow:
    link = family.mcmcglmm_link or family.links[0]
    direct = family.density.replace("{mu}", LINKS[link].stan)
    kind = "array[{N}] int<lower=0> {y}" if family.integer else "vector[{N}] {y}"
    values = _first_count if family.integer else _first
    return LayerRow(
        mcmcglmm=family.mcmcglmm[0],
        support=family.support,
        entries={"y": Entry(kind, values)},
        density=family.natural.get(link, direct).replace("{eta}", "{0}"),
        words=family.words(link).replace("{eta}", "{0}"),
        near=lambda data, q: on_link(data["y"], family, LINKS[link])[None],
        middle=(lambda y: _middle(y, LINKS[link])) if LINKS[link].relative else None,
    )


def _middle(y: Array, link: Link) -> float:
    """The predictor of the mean response; where nothing was counted, half an event could have been."""
    return float(link.forward(np.array(np.mean(y) or 0.5 / len(y))))


def _first(y: Array, trials: Array) -> Array:
    return np.asarray(y[0], dtype=float)


def _first_count(y: Array, trials: Array) -> NDArray[np.int64]:
    return np.asarray(y[0], dtype=np.int64)


# -- several ---------------------------------------------------------------------------------------


def _with(prefix: str) -> Naming:
    """The response, and its zeros: ``y`` and ``zi_y``."""
    return lambda names: (names[0], f"{prefix}_{names[0]}")


def _near_zeros(data: Values, q: int) -> Array:
    """Log means, and one or minus one where there is a zero or none."""
    y = data["y"]
    return np.array([np.log(np.maximum(y, 0.5)), np.where(y == 0, 1.0, -1.0)])


def _near_present(data: Values, q: int) -> Array:
    logs, zero = _near_zeros(data, q)
    return np.array([logs, -zero])


def _near_shares(data: Values, q: int) -> Array:
    logits = np.log(data["y"] + 0.5) - np.log(data["trials"] - data["y"] + 0.5)
    return np.array([logits, _near_zeros(data, q)[1]])


def _near_counts(data: Values, q: int) -> Array:
    """Log odds against the reference, which is the first column."""
    logs = np.log(data["y"].T + 0.5)
    return np.asarray(logs[1:] - logs[0])


def _near_category(data: Values, q: int) -> Array:
    """Log odds against the first category, of one observation."""
    y, others = data["y"], np.arange(2, q + 2)[:, None]
    return np.where(y == others, 1.0, np.where(y == 1, -1.0, 0.0))


_COUNT = MappingProxyType({"y": Entry("array[{N}] int<lower=0> {y}", _first_count)})
_OF_TRIALS = MappingProxyType(
    {
        **_COUNT,
        "trials": Entry("array[{N}] int<lower=0> {y}", lambda y, trials: trials.astype(np.int64)),
    }
)


def _counts_last_first(y: Array, trials: Array) -> NDArray[np.int64]:
    """Counts of all categories, shape (N, K), the reference, which is the last, first."""
    return np.column_stack([trials - y.sum(axis=0), *y]).astype(np.int64)


_ROWS_OF = "functions/rows_of"


def _zeros(
    name: str, near: Callable[[Values, int], Array], meaning: str, trials: bool = False
) -> LayerRow:
    """Counts, or successes of trials, whose zeros have a predictor of their own."""
    density = f"{name}({'{trials}, ' if trials else ''}{{0}}, {{1}})"
    return LayerRow(
        mcmcglmm=name,
        support="count",
        entries=_OF_TRIALS if trials else _COUNT,
        density=density,
        words=density,
        near=near,
        middle=None if trials else lambda y: _middle(y, LINKS["log"]),
        # its first two letters say what the zeros are
        traits=_with(name[:2]),
        meaning=meaning,
        columns=2 if trials else 1,
        functions=(_ROWS_OF, f"functions/layers/{name}"),
        silent=(1,),
    )


_LOG, _LOGIT = "the log mean of counts", "the logit of the probability of a success"
_EXTRA, _APART = "the logit of the share of other zeros", "the logit of the probability of a zero"

_SEVERAL = (
    _zeros("zipoisson", _near_zeros, f"{_LOG}, and {_EXTRA}"),
    _zeros("hupoisson", _near_zeros, f"{_LOG} without zeros, and {_APART}"),
    _zeros("zapoisson", _near_present, f"{_LOG} without zeros, and log(-log P(zero)) of the zeros"),
    _zeros("zibinomial", _near_shares, f"{_LOGIT}, and {_EXTRA}", trials=True),
    _zeros("hubinomial", _near_shares, f"{_LOGIT} without zeros, and {_APART}", trials=True),
    LayerRow(
        mcmcglmm="multinomial",
        support="count",
        entries={"y": Entry("array[{N}, {K}] int<lower=0> {y}", _counts_last_first)},
        density="multinomial_rows({all})",
        words="multinomial(softmax([0, {list}]))",
        near=_near_counts,
        traits=lambda names: names[:-1],
        meaning="log odds against the last category",
        columns=0,
        functions=("functions/multinomial",),
    ),
    LayerRow(
        mcmcglmm="categorical",
        support="count",
        entries={"y": Entry("array[{N}] int<lower=1, upper={K}> {y}", _first_count)},
        density="categorical_rows({all})",
        words="categorical(softmax([0, {list}]))",
        near=_near_category,
        functions=(_ROWS_OF, "functions/categorical"),
        meaning="log odds against the first category",
        silent=None,
        categories=True,
    ),
)


def several_latent() -> dict[str, LayerRow]:
    """The families of several latent variables, by MCMCglmm's names."""
    return {row.mcmcglmm: row for row in _SEVERAL}
