"""The passes: each refines the model graph, none guesses.

They run in the order of :data:`PASSES`; the comments say why each stands where it does.
"""

from __future__ import annotations

from collections.abc import Callable

from mix2stan.graph import ModelGraph
from mix2stan.passes.canonicalise import canonicalise
from mix2stan.passes.categories import check_order
from mix2stan.passes.check import check
from mix2stan.passes.context import Context
from mix2stan.passes.disperse import disperse
from mix2stan.passes.effects import take_effects
from mix2stan.passes.errors import resolve_errors
from mix2stan.passes.identify import identify
from mix2stan.passes.informed import informed
from mix2stan.passes.itself import drop_itself
from mix2stan.passes.members import complete_members
from mix2stan.passes.parameterise import parameterise
from mix2stan.passes.priors import set_priors
from mix2stan.passes.resolve import resolve
from mix2stan.passes.respond import respond
from mix2stan.passes.sequences import check_sequences
from mix2stan.passes.strategy import choose_strategy
from mix2stan.passes.structures import check_structures

__all__ = ["PASSES", "Context", "run_passes"]

Pass = Callable[[ModelGraph, Context], ModelGraph]

PASSES: tuple[Pass, ...] = (
    # First, because it changes the formula.
    drop_itself,
    # Because a response that does not fit its family makes all other work idle; before its
    # categories are numbered, whether they have an order.
    check_order,
    respond,
    # Before columns are named: it makes variance functions of a formula, or another predictor.
    disperse,
    # Before errors are looked at: effects that are errors have to be one for every row.
    take_effects,
    # Before the rest, because everything after it asks how many columns a term has.
    resolve,
    # Before two columns' structures become one: a wrong number is a mistake in any of them.
    check_structures,
    # The same of columns that follow each other.
    check_sequences,
    # Before names are given out: terms that are one term get one name.
    canonicalise,
    # Before any work is spent on a model that cannot be meant; sees the terms as they will be.
    check,
    # Before priors, which are of strata and distances.
    resolve_errors,
    identify,
    # Parameters are called by their names, and errors have their strata and blocks.
    informed,
    # Priors are written by Stan names.
    set_priors,
    # What can be integrated out depends on the priors.
    choose_strategy,
    # Last: only effects that are not integrated out are sampled one way or another.
    parameterise,
)


def run_passes(graph: ModelGraph, context: Context) -> ModelGraph:
    """The graph after all passes, which each of several responses goes through on its own."""
    if graph.members:
        return complete_members(graph, context, run_passes)
    for step in PASSES:
        graph = step(graph, context)
    return graph
