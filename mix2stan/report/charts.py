"""The pictures of a report, each with what it shows in words."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from mix2stan.documents import Image
from mix2stan.errors import Mix2stanError
from mix2stan.pictures import Pictures

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["chain_charts", "charts"]

_DPI = 160


@dataclass(frozen=True)
class _Chart:
    """A picture, its caption, and a description from the fit and the figure."""

    draw: Callable[[Pictures], Figure]
    caption: str
    words: Callable[[Fit, Figure], str]


def charts(fit: Fit) -> tuple[Image, ...]:
    """The pictures of the posterior that make sense of this fit."""
    return tuple(_images(fit, _POSTERIOR))


def chain_charts(fit: Fit) -> tuple[Image, ...]:
    """The pictures of how it was sampled."""
    return tuple(_images(fit, _CHAINS))


def _images(fit: Fit, wanted: tuple[_Chart, ...]) -> Iterator[Image]:
    pictures = Pictures(fit, Figure)
    for chart in wanted:
        try:
            figure = chart.draw(pictures)
        except Mix2stanError:
            # a picture that makes no sense of this model, or needs data that were not kept
            continue
        yield Image(_png(figure), "png", chart.words(fit, figure), chart.caption)


def _png(figure: Figure) -> bytes:
    memory = io.BytesIO()
    with warnings.catch_warnings():
        # a letter the font lacks is drawn as a box
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(memory, format="png", dpi=_DPI)
    return memory.getvalue()


def _axes_in_words(fit: Fit, figure: Figure) -> str:
    ax = figure.axes[0]
    return f"{_plain(ax.get_ylabel())} against {_plain(ax.get_xlabel())}"


def _lines(fit: Fit, figure: Figure) -> str:
    levels = figure.axes[0].get_title()
    population = np.asarray(figure.axes[0].lines[-1].get_ydata(), dtype=float)
    start, end = population[0], population[-1]
    return (
        f"Scatter of {_axes_in_words(fit, figure)} with the fitted lines of {_plain(levels)}; "
        f"that of the population goes from {start:.4g} to {end:.4g}."
    )


def _effects(fit: Fit, figure: Figure) -> str:
    return f"The {_axes_in_words(fit, figure)}, with 95 % intervals."


def _caterpillar(fit: Fit, figure: Figure) -> str:
    parts = []
    for term in fit.labels.groups:
        means = fit._effects(term).mean(axis=(0, 1))
        for k, effect in enumerate(term.coefficients):
            low, high = int(means[:, k].argmin()), int(means[:, k].argmax())
            parts.append(
                f"{effect} of {term.factor} from {means[low, k]:.4g} ({term.levels[low]}) "
                f"to {means[high, k]:.4g} ({term.levels[high]})"
            )
    return f"Sorted intervals of the effects of every level: {'; '.join(parts)}."


def _shrinkage(fit: Fit, figure: Figure) -> str:
    factors = ", ".join(dict.fromkeys(t.factor for t in fit.labels.groups))
    return (
        "Arrows from what every level says alone to its posterior mean, which is pulled to the "
        f"population: {factors}."
    )


def _correlation(fit: Fit, figure: Figure) -> str:
    parts = []
    for term in fit.labels.groups:
        if term.correlated:
            R = fit._draws(f"R_{term.id}").mean(axis=(0, 1))
            names = term.coefficients
            parts += [
                f"{names[j]} and {names[i]} of {term.factor} {R[i, j]:.2f}"
                for i in range(len(names))
                for j in range(i)
            ]
    return f"Posterior mean correlations: {', '.join(parts)}."


def _forest(fit: Fit, figure: Figure) -> str:
    return "Posterior means with 50 and 95 % intervals of all parameters in the table."


def _ppc(fit: Fit, figure: Figure) -> str:
    return (
        f"Histogram of {fit.labels.response} over those of data sets simulated from the fit: "
        "the data should look like one of them."
    )


def _trace(fit: Fit, figure: Figure) -> str:
    names = ", ".join(_plain(ax.get_title()) for ax in figure.axes)
    return f"Draws of every chain in order, of {names}: chains that agree lie over each other."


def _rank(fit: Fit, figure: Figure) -> str:
    return "Histograms of the ranks of each chain's draws, which are even if the chains agree."


def _energy(fit: Fit, figure: Figure) -> str:
    return f"Energy and its changes, which should be spread alike: {figure.axes[0].get_title()}."


def _plain(text: str) -> str:
    return text.replace("\\$", "$")


_POSTERIOR = (
    _Chart(Pictures.forest, "Parameters: means, 50 and 95 % intervals.", _forest),
    _Chart(
        Pictures.lines, "Data, the fitted line of every level, and that of the population.", _lines
    ),
    _Chart(Pictures.effects, "Expected response, group effects zero, with 95 % band.", _effects),
    _Chart(
        Pictures.caterpillar, "Effects of every level, with 50 and 95 % intervals.", _caterpillar
    ),
    _Chart(Pictures.shrinkage, "Partial pooling.", _shrinkage),
    _Chart(Pictures.correlation, "Correlations of the effects within a level.", _correlation),
    _Chart(lambda p: p.ppc(seed=1), "The data and simulated data sets.", _ppc),
)
_CHAINS = (
    _Chart(Pictures.trace, "Traces.", _trace),
    _Chart(Pictures.rank, "Ranks.", _rank),
    _Chart(Pictures.energy, "Energy.", _energy),
)
