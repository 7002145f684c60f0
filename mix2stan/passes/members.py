"""Members: every one of several responses is a model of its own, completed as if it were alone.

What they have in common is one term: its prior has every response's numbers for its own columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mix2stan.covariances import parameter_of
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.graph import Group, Member, ModelGraph, Prior, Strategy, term_labels
from mix2stan.passes.context import Context
from mix2stan.priors.choice import PriorChoice
from mix2stan.priors.shared import merged

__all__ = ["complete_members"]

_STRATEGIES = ("auto", "noncentred")
_REASON = "several responses with distributions of their own are sampled together"


def complete_members(
    graph: ModelGraph, context: Context, complete: Callable[[ModelGraph, Context], ModelGraph]
) -> ModelGraph:
    """The graph, all of its members completed.

    Args:
        graph: the model of several responses.
        context: the data of all of them, and the user's choices.
        complete: the passes for one response.

    Raises:
        FormulaError: for a prior of a response that is none of these.
        Unsupported: for a strategy that one response alone can have.
    """
    if context.strategy not in _STRATEGIES:
        message = f"strategy = {context.strategy!r} of several responses cannot be expressed"
        raise Unsupported(message, hint="strategy = 'noncentred' is what they have")
    names = {str(m.graph.response.expression): m.name for m in graph.members}
    names |= {member.name: member.name for member in graph.members}
    terms = [label for m in graph.members for label in term_labels(m.graph.groups)]
    done = []
    for member in graph.members:
        own = replace(
            context,
            data=context.data.of(member.graph.response.expression),
            prior=_prior_of(context.prior, member.name, names, terms),
            strategy="noncentred",
        )
        found = replace(complete(member.graph, own), strategy=Strategy("noncentred", _REASON))
        done.append(replace(member, graph=found))
    members = tuple(replace(m, graph=_with_common(m.graph, done)) for m in done)
    notes = dict.fromkeys(
        note if note in graph.notes else f"{m.name}: {note}"
        for m in members
        for note in m.graph.notes
    )
    return replace(graph, members=members, notes=(*graph.notes, *notes))


def _prior_of(
    choice: PriorChoice, name: str, names: Mapping[str, str], terms: Sequence[str]
) -> PriorChoice:
    """What is said of one response, as ``a.sigma``, or of a term, which has no name before it.

    Args:
        choice: what is said of all.
        name: the response.
        names: what every response may be called, and its name.
        terms: what group terms are called, where there may be dots too.
    """
    densities = []
    for parameter, written in choice.densities:
        plain = parameter.replace("`", "")
        owner = max((n for n in names if plain.startswith(f"{n}.")), key=len, default="")
        head = plain.partition("[")[0]
        if owner:
            own = plain.removeprefix(f"{owner}.")
            densities += [(own, written)] if names[owner] == name else []
        elif "." not in head or any("." in term and term in head for term in terms):
            densities.append((parameter, written))
        else:
            unknown = head.partition(".")[0]
            hint = suggestion(unknown, names, what="the responses")
            raise FormulaError(f"prior: there is no response {unknown!r}", hint=hint)
    return replace(choice, densities=tuple(densities))


def _with_common(graph: ModelGraph, members: list[Member]) -> ModelGraph:
    """One response's model, the priors of common terms those of all."""
    common = [g for g in graph.groups if g.common]
    priors = []
    for prior in graph.priors:
        term = next((g for g in common if parameter_of(g, prior.block) is not None), None)
        priors.append(prior if term is None else _of_all(prior.block, term, members))
    return replace(graph, priors=tuple(priors))


def _of_all(block: str, term: Group, members: list[Member]) -> Prior:
    """One block of a common term, from the priors that its responses have for it."""
    offered = [
        (prior, [k for name in group.parameters for k in group.columns_in(name)])
        for member in members
        for group in member.graph.groups
        if group.common and group.id == term.id
        for prior in member.graph.priors
        if prior.block == block
    ]
    return merged(offered, len(term.columns.names))
