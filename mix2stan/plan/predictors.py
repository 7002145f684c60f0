"""What programs that sample all effects say of a predictor: that of the mean, and further ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mix2stan.families import FAMILIES, free_thresholds
from mix2stan.graph import Group, ModelGraph, Predictor, Prior
from mix2stan.links import LINKS
from mix2stan.plan.parts import (
    Component,
    GroupView,
    Part,
    comment,
    effect_name,
    group_components,
    group_view,
    texts,
)
from mix2stan.priors.text import PriorText

__all__ = ["PredictorView", "group_parts", "population_parts", "predicted_parts", "predictor_view"]


@dataclass(frozen=True)
class PredictorView:
    """What the templates of a predictor see.

    ``suffix`` ends its Stan names.  ``linear`` are all its parts and ``summed`` those added up before
    the likelihood; ``x`` and ``coefficients`` are the design and its coefficients, ``rest_of`` the
    design that X_rest is taken from.  ``parameter`` is what it is the predictor of, ``inverse`` the
    inverse of the link, and ``place`` which of the further predictors it is.
    """

    suffix: str
    formula: str
    linear: tuple[Component, ...]
    summed: tuple[Component, ...]
    x: str
    coefficients: str
    rest_of: str
    priors: dict[str, PriorText]
    population: bool = True
    parameter: str = ""
    inverse: str = "{eta}"
    groups: tuple[GroupView, ...] = ()
    offsets: tuple[Component, ...] = ()
    templates: tuple[str, ...] = ()
    place: int = 0

    def value(self, eta: str) -> str:
        """The parameter as Stan text, given its predictor as text."""
        return self.inverse.format(eta=eta)

    @property
    def predictor(self) -> tuple[Component, ...]:
        """The parts added up before the likelihood."""
        return self.summed


def predictor_view(graph: ModelGraph, predictor: Predictor, exposed: bool = False) -> PredictorView:
    """One predictor; the parts of a further one are all summed, those of the mean but X beta.

    Args:
        graph: the model.
        predictor: one of its predictors.
        exposed: whether observations of equal mean are summed, their number a part of the offset.
    """
    s = predictor.suffix
    names = predictor.population.columns.names
    orthogonal = names not in ((), ("(Intercept)",))
    whole = (f"Q{s}", f"theta{s}") if orthogonal else (f"X{s}", f"beta{s}")
    terms = graph.groups_in(predictor.parameter)
    by_id = {g.id: g for g in terms}
    groups = tuple(_sampled_view(g, by_id, whole, predictor, graph.priors) for g in terms)
    moved = {c for g in terms for c in g.parameterisation.columns}
    inside = {p for g in terms for p in g.parameterisation.parents}
    left = len(names) > len(moved)
    x, coefficients = (f"X_rest{s}", f"{whole[1]}[rest{s}]") if moved else whole
    known = "columns/exposure" if exposed else "columns/offset"
    offsets = (Component(known, predictor),) if exposed or predictor.population.offsets else ()
    priors = texts(graph.priors, f"intercept{s}", f"beta{s}", *([] if s else ["intercepts"]))
    blocks = {block.removesuffix(s) if s else block: text for block, text in priors.items()}
    rest = ["population/rest"] if moved and left else []
    columns = ["population/orthogonal" if orthogonal else "population/plain", *rest]
    if free_thresholds(graph) and not s:
        columns[0] = "population/centred"
    templates = (*columns, *_priors_of(names, blocks)) if names else ()
    view = PredictorView(
        suffix=s,
        formula=comment(predictor.population.columns),
        linear=(
            *([Component("columns/population", predictor)] if names else []),
            *offsets,
            *(Component(g.columns, g) for g in groups),
        ),
        summed=(*offsets, *(Component(g.columns, g) for g in groups if g.id not in inside)),
        x=x,
        coefficients=coefficients,
        rest_of=whole[0],
        priors=blocks,
        population=left,
        parameter=predictor.parameter,
        inverse=LINKS[predictor.link].stan,
        groups=groups,
        offsets=offsets,
        templates=templates,
    )
    return with_population(view) if predictor.parameter else view


def with_population(view: PredictorView) -> PredictorView:
    """The predictor with X beta among what is summed, where that is not all in group terms."""
    if not view.population:
        return view
    return replace(view, summed=(Component("columns/population", view), *view.summed))


def population_parts(view: PredictorView) -> list[Part]:
    """The offset, and the population's columns with their coefficients."""
    parts = [Part((offset,)) for offset in view.offsets]
    if view.templates:
        parts.append(Part(tuple(Component(t, view) for t in view.templates)))
    return parts


def group_parts(view: PredictorView, graph: ModelGraph) -> list[Part]:
    """The group terms."""
    by_id = {g.id: g for g in graph.groups}
    own = (g for g in view.groups if by_id[g.id].owner == view.parameter)
    return [Part(group_components(g, by_id[g.id])) for g in own]


def predicted_parts(graph: ModelGraph) -> list[Part]:
    """The further predictors, each with the parameter it is of."""
    parts: list[Part] = []
    category = FAMILIES[graph.response.family].categories
    for i, predictor in enumerate(graph.predictors):
        view = replace(predictor_view(graph, predictor), place=i + 1)
        way = "families/category" if category else "families/predicted"
        own = tuple(Component(t, view) for t in ("families/predictor", way))
        parts += [Part(own), *population_parts(view), *group_parts(view, graph)]
    return parts


def _sampled_view(
    group: Group,
    by_id: dict[str, Group],
    whole: tuple[str, str],
    predictor: Predictor,
    priors: tuple[Prior, ...],
) -> GroupView:
    """A group term as its parameterisation says."""
    view = group_view(group, priors)
    how = group.parameterisation
    means = [f"W_{group.id} * {whole[1]}[columns_{group.id}]"] if how.columns else []
    means += [f"{effect_name(by_id[p])}[{p}_of_{group.id}]" for p in how.parents]
    x = whole[0] if how.columns else ""
    parents = tuple((p, by_id[p].index) for p in how.parents)
    if group.shares:
        view = _shared(view, group.columns_in(predictor.parameter))
    return replace(view, means=tuple(means), parents=parents, x=x, suffix=predictor.suffix)


def _shared(view: GroupView, own: range) -> GroupView:
    """A term of which a predictor has the columns in a range, counted from 0."""
    if len(own) == 1:
        return replace(view, columns="columns/share_single", range=str(own.stop))
    return replace(view, columns="columns/share", range=f"{own.start + 1} : {own.stop}")


def _priors_of(names: tuple[str, ...], priors: dict[str, PriorText]) -> list[str]:
    """The templates of the coefficients' priors."""
    if "intercepts" in priors:
        several = {"intercepts": "population/prior_means", "beta": "population/prior_others"}
        return [t for b, t in several.items() if b in priors and not priors[b].flat]
    if "intercept" not in priors:
        return ["population/prior_all"]
    if names == ("(Intercept)",):
        return ["population/prior_intercept"]
    mean = ["population/prior_mean_response"] if priors["intercept"].density.text else []
    return [*mean, "population/prior_slopes"]
