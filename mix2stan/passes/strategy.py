"""Strategy: how to compute the posterior, chosen from the structure of the model."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.graph import ModelGraph, Strategy
from mix2stan.passes.context import Context

__all__ = ["STRATEGIES", "choose_strategy", "obstacle_to_collapsing"]

STRATEGIES = ("auto", "collapsed", "noncentred", "centred")

#: Beyond this the unrolled text is longer than anyone reads.
_MOST_EFFECTS = 5
#: Beyond this the K x K precision costs more than the effects it saves.
_MOST_COLUMNS = 40
#: Priors of coefficients under which they can be integrated out.
_CONJUGATE = ("normal", "flat")


def choose_strategy(graph: ModelGraph, context: Context) -> ModelGraph:
    """Integrate out what can be, unless the user wants it otherwise.

    Raises:
        FormulaError: if there is no strategy of that name.
        Unsupported: if it is asked for, and cannot be done.
    """
    wanted = context.strategy
    if wanted not in STRATEGIES:
        hint = suggestion(wanted, STRATEGIES, what="the strategies")
        raise FormulaError(f"there is no strategy called {wanted!r}", hint=hint)
    if wanted in ("noncentred", "centred"):
        return replace(graph, strategy=Strategy(wanted, "as asked"))
    obstacle = obstacle_to_collapsing(graph)
    if obstacle is None:
        reason = (
            "as asked" if wanted == "collapsed" else "Gaussian, and at most one grouping factor"
        )
        return replace(graph, strategy=Strategy("collapsed", reason))
    if wanted == "collapsed":
        raise Unsupported(f"this model cannot be collapsed: {obstacle}", hint="strategy = 'auto'")
    return replace(graph, strategy=Strategy("noncentred", obstacle))


def obstacle_to_collapsing(graph: ModelGraph) -> str | None:
    """Why the model cannot be collapsed, or None."""
    if not graph.response.linear:
        family, link = graph.response.family, graph.response.link
        return f"the response is {family} with the link {link}, so no integral is known exactly"
    columns = len(graph.population.columns.names)
    if not columns and not graph.groups:
        return "there is nothing to integrate out"
    if columns > _MOST_COLUMNS:
        return f"there are more than {_MOST_COLUMNS} population effects"
    if len(graph.groups) > 1:
        return "there are several group terms"
    if any(len(g.columns.names) > _MOST_EFFECTS for g in graph.groups):
        return f"a level has more than {_MOST_EFFECTS} effects"
    kinds = {p.density for p in graph.priors if p.block in ("intercept", "beta")}
    if not kinds <= set(_CONJUGATE) or len(kinds) > 1:
        return "the prior of the population effects is not normal"
    return None
