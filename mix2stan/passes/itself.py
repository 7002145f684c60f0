"""Itself: a response among its own predictors predicts itself, which is no model of anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mix2stan.design import without_term
from mix2stan.graph import ITSELF, ModelGraph, note
from mix2stan.passes.context import Context
from mix2stan.syntax import Call, Name, Node, names_in

__all__ = ["drop_itself"]


def drop_itself(graph: ModelGraph, context: Context) -> ModelGraph:
    """Drop the response from its own predictors, as R does; remark on terms that are made of it.

    R's ``model.frame`` drops the term that is the response, and keeps others, such as ``y:x`` and
    ``log(y)``; so it is here.
    """
    response, data = graph.response.expression, context.data
    if graph.response.traits:
        return graph
    columns, remarks = graph.population.columns, []
    if any((response,) in [t.variables for t in data.terms(f).terms] for f in columns.formulas):
        formulas = tuple(without_term(f, response) for f in columns.formulas)
        columns = replace(columns, formulas=formulas)
        graph = replace(graph, population=replace(graph.population, columns=columns))
        remarks.append(ITSELF.format(response))
    made = [str(node) for node in _made_of(graph, context)]
    remarks += [f"{node} is made of the response, which so predicts itself" for node in made]
    return note(graph, *dict.fromkeys(remarks))


def _made_of(graph: ModelGraph, context: Context) -> Iterator[Node]:
    """The terms, slopes and offsets in which the response is."""
    own = _own_names(graph.response.expression)
    populations = [p.population for p in graph.every_predictor]
    columns = [*(p.columns for p in populations), *(g.columns for g in graph.groups)]
    for formula in (f for part in columns for f in part.formulas):
        parts = context.data.terms(formula)
        for term in parts.terms:
            if own & {n.name for v in term.variables for n in names_in(v)}:
                yield term.product
    for offset in (o for p in populations for o in p.offsets):
        if own & {n.name for n in names_in(offset)}:
            yield offset


def _own_names(response: Node) -> set[str]:
    """The columns that are the response: of ``k / n`` either may be a predictor."""
    match response:
        case Call(function="cbind", args=args):
            return {a.value.name for a in args if isinstance(a.value, Name)}
    names = {n.name for n in names_in(response)}
    return names if len(names) == 1 else set()
