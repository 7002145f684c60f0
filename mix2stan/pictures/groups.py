"""Pictures of group effects: caterpillars, shrinkage, correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mix2stan.errors import Unsupported
from mix2stan.labels import GroupLabels
from mix2stan.pictures.canvas import (
    Array,
    Make,
    height_of,
    intervals,
    level_ticks,
    panels,
    terms_of,
    words,
)

if TYPE_CHECKING:
    import pandas as pd

    from mix2stan.fit import Fit

__all__ = ["caterpillar", "correlation", "shrinkage"]

#: Correlation matrices of more effects than this have no numbers in their cells.
_PRINTED = 8


def caterpillar(make: Make, fit: Fit, group: str | None) -> Figure:
    """See :meth:`mix2stan.pictures.Pictures.caterpillar`."""
    terms = terms_of(fit, group, "caterpillar")
    parts = [(term, k) for term in terms for k in range(len(term.coefficients))]
    figure, axes = panels(make, len(parts), height_of(max(len(t.levels) for t in terms)))
    for ax, (term, k) in zip(axes, parts, strict=True):
        effects = fit._effects(term)[..., k]
        draws = effects.reshape(-1, effects.shape[-1])
        order = np.argsort(draws.mean(axis=0), kind="stable")
        intervals(ax, draws[:, order], np.arange(len(order)))
        ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        level_ticks(ax, [term.levels[i] for i in order], term.factor)
        ax.set_xlabel(words(_effect_label(term, k)))
    return figure


def _effect_label(term: GroupLabels, k: int) -> str:
    name = term.coefficients[k]
    return f"effect on {term.owner}: {name}" if term.owner else name


def shrinkage(make: Make, fit: Fit, group: str | None) -> Figure:
    """See :meth:`mix2stan.pictures.Pictures.shrinkage`."""
    chosen = terms_of(fit, group, "shrinkage")
    table = fit.shrinkage()
    drawn = []
    start = 0
    for term in fit.labels.groups:
        stop = start + len(term.levels) * len(term.coefficients)
        if term in chosen:
            others = range(1, len(term.coefficients)) or (0,)
            drawn += [(term, table.iloc[start:stop], k) for k in others]
        start = stop
    tallest = max(height_of(len(t.levels)) if not k else 3.6 for t, _, k in drawn)
    figure, axes = panels(make, len(drawn), tallest, columns=1 if len(drawn) == 1 else 2)
    for ax, (term, rows, k) in zip(axes, drawn, strict=True):
        _plane(ax, term, rows, k) if k else _single(ax, term, rows)
        ax.set_title(words(term.factor))
    axes[0].legend(loc="best", fontsize=8)
    return figure


def _values(term: GroupLabels, rows: pd.DataFrame, column: str) -> Array:
    """A column of the table of shrinkage, shape (J, q)."""
    return rows[column].to_numpy(dtype=float).reshape(len(term.levels), -1)


def _arrows(ax: Axes, x: Array, y: Array, to_x: Array, to_y: Array) -> None:
    """From what a level says alone to its posterior mean, where it says something."""
    told = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(told, x, to_x), np.where(told, y, to_y)
    ax.quiver(
        x[told],
        y[told],
        (to_x - x)[told],
        (to_y - y)[told],
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.003,
        color="0.6",
        zorder=1,
    )
    ax.scatter(x[told], y[told], s=16, facecolors="none", edgecolors="C1", label="level alone")
    ax.scatter(to_x, to_y, s=16, color="C0", label="posterior mean", zorder=3)


def _single(ax: Axes, term: GroupLabels, rows: pd.DataFrame) -> None:
    """One effect per level: the levels one below the other, sorted."""
    raw, mean = (_values(term, rows, c)[:, 0] for c in ("raw", "mean"))
    order = np.argsort(mean, kind="stable")
    y = np.arange(len(order), dtype=float)
    _arrows(ax, raw[order], y, mean[order], y)
    pooled = float(rows["pooled"].iloc[0])
    ax.axvline(pooled, color="0.3", linestyle="--", linewidth=1, label="population")
    level_ticks(ax, [term.levels[i] for i in order], term.factor)
    ax.set_xlabel(words(term.coefficients[0]))


def _plane(ax: Axes, term: GroupLabels, rows: pd.DataFrame, k: int) -> None:
    """The first effect against another."""
    raw, mean, pooled = (_values(term, rows, c)[:, [0, k]] for c in ("raw", "mean", "pooled"))
    _arrows(ax, *raw.T, *mean.T)
    ax.plot(*pooled[0], "x", color="0.1", markersize=9, label="population", zorder=4)
    ax.set_xlabel(words(term.coefficients[0]))
    ax.set_ylabel(words(term.coefficients[k]))


def correlation(make: Make, fit: Fit, group: str | None) -> Figure:
    """See :meth:`mix2stan.pictures.Pictures.correlation`."""
    terms = [t for t in terms_of(fit, group, "correlation") if t.correlated]
    if not terms:
        what = "the model" if group is None else group
        message = f"no group effects of {what} are correlated, so there is no matrix to draw"
        raise Unsupported(message, hint="VarCorr() has the standard deviations")
    size = max(len(t.coefficients) for t in terms)
    height = float(np.clip(0.6 * size + 1.2, 2.4, 6.0))
    figure, axes = panels(make, len(terms), height, columns=1)
    for ax, term in zip(axes, terms, strict=True):
        R = fit._draws(f"R_{term.id}").mean(axis=(0, 1))
        image = ax.imshow(R, vmin=-1, vmax=1, cmap="RdBu_r")
        names, places = [*map(words, term.coefficients)], range(len(term.coefficients))
        ax.set_xticks(places, names, rotation=30, ha="right")
        ax.set_yticks(places, names)
        ax.set_title(words(term.factor))
        figure.colorbar(image, ax=ax, label="posterior mean correlation")
        if len(names) <= _PRINTED:
            for i in places:
                for j in places:
                    colour = "white" if abs(R[i, j]) > 0.6 else "black"
                    ax.text(j, i, f"{R[i, j]:.2f}", ha="center", va="center", color=colour)
    return figure
