"""Pictures of the sampling: traces, ranks, energy; and of parameters one below the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import rankdata

from mix2stan.errors import Mix2stanError, Unsupported, suggestion
from mix2stan.pictures.canvas import Array, Make, intervals, panels, words
from mix2stan.summaries import summarise

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["energy", "forest", "rank", "trace"]

#: Panels of a picture with one for every parameter.
_MOST = 12
_BINS = 20


def _elements(fit: Fit, names: Sequence[str] | None) -> dict[str, Array]:
    """The draws of parameters by their names in a summary, each of shape (chains, draws).

    Without names all but the single effects, or of many those with the fewest effective draws.

    Raises:
        Mix2stanError: for a name that no parameter has.
    """
    found = {
        label: draws[..., k]
        for labels, draws in fit._blocks(fit.names("main" if names is None else "all"))
        for k, label in enumerate(labels)
    }
    if names is None:
        if len(found) <= _MOST:
            return found
        table = summarise([([label], draws[..., None]) for label, draws in found.items()])
        worst = table["ess_bulk"].nsmallest(_MOST).index
        return {label: draws for label, draws in found.items() if label in worst}
    rows = {name: fit._rows.meant(name) for name in names}
    for name, row in rows.items():
        if row is None:
            hint = suggestion(name, found, what="the parameters")
            raise Mix2stanError(f"there is no parameter {name!r}", hint=hint)
    return {name: found[row] for name, row in rows.items() if row is not None}


def trace(make: Make, fit: Fit, parameters: Sequence[str] | None) -> Figure:
    """See :meth:`mix2stan.pictures.Pictures.trace`."""
    elements = _elements(fit, parameters)
    figure, axes = panels(make, len(elements), 1.3, sharex=True)
    diverging = fit.sample_stats.get("diverging")
    at = np.flatnonzero(diverging.values.any(axis=0)) if diverging is not None else np.array([])
    for ax, (label, draws) in zip(axes, elements.items(), strict=True):
        for c, chain in enumerate(draws):
            ax.plot(chain, linewidth=0.5, alpha=0.8, label=f"chain {c + 1}")
        for draw in at:
            ax.axvline(draw, ymax=0.06, color="black", linewidth=0.8)
        ax.set_title(words(label), fontsize=9)
    axes[-1].set_xlabel("draw; ticks are divergent" if len(at) else "draw")
    return figure


def rank(make: Make, fit: Fit, parameters: Sequence[str] | None) -> Figure:
    """See :meth:`mix2stan.pictures.Pictures.rank`."""
    if fit.posterior.sizes["chain"] == 1:
        raise Unsupported("ranks compare chains, and this fit has one", hint="trace() draws it")
    elements = _elements(fit, parameters)
    figure, axes = panels(make, len(elements), 1.3, sharex=True)
    for ax, (label, draws) in zip(axes, elements.items(), strict=True):
        ranks = rankdata(draws).reshape(draws.shape)
        edges = np.linspace(0, draws.size, _BINS + 1)
        for c, chain in enumerate(ranks):
            ax.stairs(np.histogram(chain, edges)[0], edges, label=f"chain {c + 1}")
        ax.axhline(draws.shape[1] / _BINS, color="0.4", linestyle="--", linewidth=0.8)
        ax.set_ylim(bottom=0)
        ax.set_title(words(label), fontsize=9)
    axes[-1].set_xlabel("rank among the draws of all chains")
    return figure


def energy(make: Make, fit: Fit) -> Figure:
    """See :meth:`mix2stan.pictures.Pictures.energy`."""
    if "energy" not in fit.sample_stats:
        raise Unsupported(f"{fit.engine} has no energy", hint="sample() keeps that of NUTS")
    values = np.asarray(fit.sample_stats["energy"].values, dtype=float)
    centred = values - values.mean(axis=1, keepdims=True)
    moves = np.diff(values, axis=1)
    edges = np.histogram_bin_edges(np.concatenate([centred.ravel(), moves.ravel()]), 50)
    figure, (ax,) = panels(make, 1, 3.0)
    ax.stairs(*np.histogram(centred, edges, density=True), fill=True, alpha=0.4, label="energy")
    ax.stairs(*np.histogram(moves, edges, density=True), color="C1", label="its changes")
    spread = np.var(values, axis=1, ddof=1)
    fractions = np.divide(
        np.mean(moves**2, axis=1), spread, out=np.ones_like(spread), where=spread > 0
    )
    ax.set_title(f"E-BFMI {', '.join(f'{f:.2f}' for f in fractions)}", fontsize=9)
    ax.set_xlabel("energy minus its mean")
    ax.set_ylabel("density")
    ax.legend(fontsize=8)
    return figure


#: The panels of a forest, and which parameters each has, from Stan variable and label.
_PANELS: tuple[tuple[str, Callable[[str, str], bool]], ...] = (
    ("intercepts", lambda v, label: v.startswith("beta") and "(Intercept)" in label),
    ("population effects", lambda v, _: v.startswith("beta")),
    ("standard deviations", lambda v, _: v.startswith("sd_") or v == "sigma"),
    ("correlations", lambda v, _: v.startswith(("R_", "cor_"))),
    ("other parameters", lambda v, _: True),
)


def forest(make: Make, fit: Fit) -> Figure:
    """See :meth:`mix2stan.pictures.Pictures.forest`."""
    found: dict[str, dict[str, Array]] = {title: {} for title, _ in _PANELS}
    for variable, names in fit.names("main").items():
        ((labels, draws),) = fit._blocks({variable: names})
        for k, label in enumerate(labels):
            title = next(t for t, belongs in _PANELS if belongs(variable, label))
            found[title][label] = draws[..., k].ravel()
    parts = [(title, rows) for title, rows in found.items() if rows]
    total = sum(len(rows) for _, rows in parts)
    sizes = [len(rows) + 1.5 for _, rows in parts]
    height = float(np.clip(0.22 * total + 0.75 * len(parts), 2.0, 14.0))
    figure = make(figsize=(6.4, height), layout="constrained")
    axes = figure.subplots(len(parts), squeeze=False, height_ratios=sizes)[:, 0]
    for ax, (title, rows) in zip(axes, parts, strict=True):
        y = np.arange(len(rows))[::-1]
        intervals(ax, np.column_stack(list(rows.values())), y)
        ax.set_yticks(y, [*map(words, rows)])
        ax.set_ylim(-0.8, len(rows) - 0.2)
        ax.set_title(title, fontsize=9, loc="left")
        if title == "population effects":
            ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    return figure
