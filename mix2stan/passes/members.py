"""Members: every one of several responses is a model of its own, completed as if it were alone.

What they have in common is one term: its prior has every response's numbers for its own columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mix2stan.covariances import parameter_of
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.graph import Group, Member, ModelGraph, Prior, StatedPrior, Strategy, term_labels
from mix2stan.passes.context import Context
from mix2stan.passes.priors import ANOTHER_SET, WITHOUT_OWN
from mix2stan.priors.choice import PriorChoice
from mix2stan.priors.classes import in_brms_names
from mix2stan.priors.rows import DENSITIES
from mix2stan.priors.shared import merged
from mix2stan.priors.stated import taken_together

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
    _check_stated(graph, [member.name for member in graph.members])
    done = []
    for member in graph.members:
        own = replace(
            context,
            data=context.data.of(member.graph.response.expression),
            prior=_prior_of(context.prior, member.name, names, terms),
            strategy="noncentred",
        )
        stated = tuple(_stated(graph.stated, member.name))
        asked = replace(member.graph, stated=stated, defaults=graph.defaults, own=graph.own)
        found = replace(complete(asked, own), strategy=Strategy("noncentred", _REASON))
        done.append(replace(member, graph=found))
    members = tuple(replace(m, graph=_with_common(m.graph, done)) for m in done)
    _check_correlations(graph, members)
    of_all = {*graph.notes, ANOTHER_SET.format(graph.defaults), WITHOUT_OWN}
    notes = dict.fromkeys(
        note if note in of_all else f"{m.name}: {note}" for m in members for note in m.graph.notes
    )
    return replace(graph, members=members, notes=(*graph.notes, *notes))


#: Classes that a prior of no response is of all of them.
_GLOBAL = ("b", "Intercept")


#: What the blocks of parameters of these classes begin with.
_HEADS = {"cor": ("L_",), "b": ("beta",), "Intercept": ("intercept", "thresholds")}


def _check_stated(graph: ModelGraph, names: list[str]) -> None:
    """Refuse priors of the call that are of no response, and have to be.

    Raises:
        FormulaError: if there is one.
    """
    known = [in_brms_names(name) for name in names]
    for one in graph.stated:
        if one.response and in_brms_names(one.response) not in known:
            hint = suggestion(one.response, known, what="the responses")
            message = f"there is no response {one.response!r} to have a prior"
            raise FormulaError(message, span=one.span, hint=hint)
        every = one.kind == "cor" or (one.kind in _GLOBAL and not one.coefficient)
        if not one.response and not every:
            hint = f"say of which response it is: resp = {' or '.join(known)}"
            message = f"a prior of {one} is of one of several responses"
            raise FormulaError(message, span=one.span, hint=hint)


def _stated(stated: Iterable[StatedPrior], name: str) -> Iterator[StatedPrior]:
    """The priors of the call as they are in the model of one response.

    Of a term that it has in common with others the priors of all are those of all.
    """
    for one in stated:
        if not one.response:
            yield replace(one, optional=True)
        elif in_brms_names(one.response) == in_brms_names(name):
            yield replace(one, response="")
        elif one.kind == "sd":
            yield replace(one, response=in_brms_names(one.response), optional=True)


def _check_correlations(graph: ModelGraph, members: tuple[Member, ...]) -> None:
    """Refuse a prior of correlations where no response has any, and the like.

    Raises:
        FormulaError: if there is one.
    """
    for one in graph.stated:
        head = _HEADS.get(one.kind, ())
        if not one.response and not any(
            p.block.startswith(head) for m in members for p in m.graph.priors
        ):
            raise FormulaError(
                f"the model has no parameters of {one} to have a prior", span=one.span
            )


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
    priors: list[Prior] = []
    for block in dict.fromkeys(prior.block for prior in graph.priors):
        term = next((g for g in common if parameter_of(g, block) is not None), None)
        own = [prior for prior in graph.priors if prior.block == block]
        priors += own if term is None else _of_all(block, term, members)
    return replace(graph, priors=tuple(priors))


def _of_all(block: str, term: Group, members: list[Member]) -> list[Prior]:
    """One block of a common term, from the priors that its responses have for it."""
    offered = [
        (
            [prior for prior in member.graph.priors if prior.block == block],
            [k for name in group.parameters for k in group.columns_in(name)],
        )
        for member in members
        for group in member.graph.groups
        if group.common and group.id == term.id
    ]
    firsts = [(priors[0], own) for priors, own in offered]
    alike = len({(p.density, p.unit) for priors, _ in offered for p in priors}) == 1
    if alike or any(DENSITIES[p.density].joint for p, _ in firsts):
        return [merged(firsts, len(term.columns.names))]
    return taken_together(offered, len(term.columns.names))
