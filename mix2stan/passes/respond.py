"""Respond: what the response is, once the data are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mix2stan.censoring import bounds
from mix2stan.errors import Unsupported
from mix2stan.families import FAMILIES
from mix2stan.graph import Columns, Group, ModelGraph, Population, Predictor, Share, note
from mix2stan.names import unique_identifiers
from mix2stan.passes.context import Context
from mix2stan.responses import noise_of, observed, observed_layer, powers_of
from mix2stan.syntax import Number

__all__ = ["respond"]


#: Families whose sigma is the scale of errors, to which others can be added.
_SCALED = frozenset({"gaussian", "student"})
_COUNTS = "counts censored on the right are above y, those of an interval above y and up to y2"


def respond(graph: ModelGraph, context: Context) -> ModelGraph:
    """Check the response; a binomial one of single trials is a Bernoulli one.

    Unordered categories have a predictor each, of the same terms, but for the first.

    Raises:
        FormulaError: if the response is not what its family describes.
    """
    family = FAMILIES[graph.response.family]
    response = graph.response
    cut = response.censoring is not None or response.truncation is not None
    if response.truncation is not None and family.integer:
        graph = _without_effect(graph, context)
    if response.censoring is not None and response.censoring.code and family.integer:
        graph = note(graph, _COUNTS)
    if cut and not family.censorable:
        able = [name for name, row in FAMILIES.items() if row.censorable]
        message = (
            f"a censored or truncated response that is {graph.response.family} cannot be expressed"
        )
        span = graph.response.expression.span
        raise Unsupported(message, span=span, hint=f"those that can: {', '.join(able)}")
    if response.censoring is not None and response.truncation is not None:
        message = "a response that is both censored and truncated cannot be expressed"
        raise Unsupported(message, span=response.expression.span, hint="either of them can")
    if cut and not graph.residual.plain:
        message = (
            "errors with a structure, of a censored or truncated response, cannot be expressed"
        )
        raise Unsupported(message, span=graph.response.expression.span, hint="rcov = ~ units can")
    if response.layers:
        return _through_layers(graph, context)
    _check_added(graph, context)
    seen = observed(graph, context.data)
    if seen.levels:
        graph = replace(graph, response=replace(graph.response, levels=seen.levels))
        return graph if FAMILIES[graph.response.family].ordinal else _against_the_first(graph)
    single = FAMILIES[graph.response.family].single
    if single is None or graph.response.weights is not None or (seen.trials != 1).any():
        return graph
    if context.data.frame.column(graph.response.expression).values.ndim == 2:
        return graph
    return replace(graph, response=replace(graph.response, family=single))


def _check_added(graph: ModelGraph, context: Context) -> None:
    """Refuse weights and standard errors that are none, or where they cannot be expressed."""
    response = graph.response
    family, powers, noise = FAMILIES[response.family], response.powers, response.noise
    powers_of(graph, context.data)
    noise_of(graph, context.data)
    if noise is not None and not {response.family} <= _SCALED:
        message = f"known standard errors of a {response.family} response cannot be expressed"
        raise Unsupported(message, span=noise.span, hint=f"{' and '.join(sorted(_SCALED))} can")
    if powers is None:
        return
    hint = "a row that counts twice can stand in the data twice"
    if family.unordered or family.row_sets:
        message = f"weights of a {response.family} model cannot be expressed"
        raise Unsupported(message, span=powers.span, hint=hint)
    if not graph.residual.plain:
        message = "weights beside errors with a structure cannot be expressed"
        raise Unsupported(message, span=powers.span, hint=hint)


def _without_effect(graph: ModelGraph, context: Context) -> ModelGraph:
    """The graph, with a remark where bounds of counts leave out none."""
    assert graph.response.truncation is not None
    ends = bounds(graph.response.truncation, context.data, counts=True)
    if "upper" in ends or (ends["lower"] > 0).any():
        return graph
    remark = f"{graph.response.truncation} leaves out no count; trunc(lb = 1) leaves out zeros"
    return note(graph, remark)


def _through_layers(graph: ModelGraph, context: Context) -> ModelGraph:
    """Every one of several responses is what its family describes."""
    layers = graph.response.layers
    for layer in layers:
        observed_layer(graph, layer, context.data)
    ids = iter(unique_identifiers(trait for layer in layers for trait in layer.traits))
    own = unique_identifiers(layer.response for layer in layers)
    named = tuple(
        replace(x, id=i, ids=tuple(next(ids) for _ in x.traits))
        for x, i in zip(layers, own, strict=True)
    )
    return replace(graph, response=replace(graph.response, layers=named))


def _of_all(group: Group, names: Sequence[str]) -> Group:
    """A term that the predictors of all categories share."""
    columns = replace(group.columns, formulas=group.columns.formulas * len(names))
    shares = tuple(Share(name) for name in names for _ in group.shares)
    return replace(group, owner=names[0], columns=columns, shares=shares)


def _against_the_first(graph: ModelGraph) -> ModelGraph:
    """The model with a predictor, and terms, of its own for every category after the first."""
    for group in graph.groups:
        if group.common:
            message = "categories without an order have no term in common with other responses"
            raise Unsupported(message, span=group.span, hint="leave the ID away")
    first, *others = graph.response.levels
    names = unique_identifiers(f"mu_{level}" for level in others)
    graph = replace(
        graph,
        population=Population(Columns((Number(0.0),))),
        predictors=tuple(Predictor(name, "identity", graph.population) for name in names),
        groups=(
            *(replace(g, owner=name) for name in names for g in graph.groups if not g.shares),
            *(_of_all(g, names) for g in graph.groups if g.shares),
        ),
    )
    remark = f"log odds are against the first category, {first}: {', '.join(names)}"
    return note(graph, remark)
