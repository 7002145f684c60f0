"""Figures and panels, and what several pictures have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mix2stan.errors import Mix2stanError, Unsupported, suggestion
from mix2stan.labels import GroupLabels

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = [
    "Array",
    "Make",
    "height_of",
    "intervals",
    "level_ticks",
    "new_figure",
    "panels",
    "terms_of",
    "words",
]

Array = NDArray[np.float64]
#: What makes an empty figure from ``figsize`` and ``layout``.
Make = Callable[..., Figure]

#: More levels than this are drawn without their names.
_NAMED = 60
_WIDTH = 6.4
_LONGEST = 40


def new_figure(**settings: Any) -> Figure:
    """A figure that pyplot knows of, so that notebooks and windows show it."""
    import matplotlib.pyplot as plt

    return plt.figure(**settings)


def panels(
    make: Make, count: int, height: float, columns: int = 2, sharex: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels, each of a height in inches; in one column or several."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = make(figsize=(_WIDTH, height * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=sharex)
    axes = list(grid.ravel())
    for unused in axes[count:]:
        unused.remove()
    if sharex:
        # the lowest panel of a column that is shorter has its numbers too
        for ax in axes[max(0, count - columns) : count]:
            ax.tick_params(labelbottom=True)
    return figure, axes[:count]


def words(text: str) -> str:
    """A name of the user's, in which nothing is mathematics, cut where it is very long."""
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return short.replace("$", r"\$")


def height_of(rows: int) -> float:
    """Inches for a list of so many rows."""
    return float(np.clip(0.17 * rows + 0.9, 1.6, 9.0))


def intervals(ax: Axes, draws: Array, y: NDArray[Any], **style: Any) -> None:
    """A point at every mean, a thick line over 50 % of the draws, a thin one over 95 %.

    Args:
        ax: where.
        draws: shape (S, n).
        y: the height of each, shape (n,).
        style: of all three, such as ``color``.
    """
    style = {"color": "C0", **style}
    low, inner_low, inner_high, high = np.quantile(draws, [0.025, 0.25, 0.75, 0.975], axis=0)
    ax.hlines(y, low, high, linewidth=0.9, **style)
    ax.hlines(y, inner_low, inner_high, linewidth=2.6, **style)
    ax.plot(draws.mean(axis=0), y, "o", markersize=3.5, **style)


def level_ticks(ax: Axes, names: Sequence[str], what: str) -> None:
    """The names of levels at heights 0, 1, ..., as many as can be read."""
    ax.set_ylim(-0.7, len(names) - 0.3)
    if len(names) <= _NAMED:
        ax.set_yticks(range(len(names)), [*map(words, names)], fontsize=7 if len(names) > 12 else 9)
        ax.set_ylabel(words(what))
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{len(names)} levels of {words(what)}")


def terms_of(fit: Fit, group: str | None, picture: str) -> tuple[GroupLabels, ...]:
    """The terms of a grouping factor, by its name or that of the term; all if None.

    Raises:
        Unsupported: if the model has no group terms.
        Mix2stanError: if there is no such factor; the nearest is named.
    """
    terms = fit.labels.groups
    if not terms:
        message = f"the model has no group effects, so there is no {picture} picture"
        raise Unsupported(message, hint="forest(), effects() and ppc() draw any model")
    if group is None:
        return terms
    found = tuple(t for t in terms if group in (t.factor, t.id))
    if not found:
        names = list(dict.fromkeys(t.factor for t in terms))
        hint = suggestion(group, names, what="the grouping factors")
        raise Mix2stanError(f"the model has no grouping factor {group!r}", hint=hint)
    return found
