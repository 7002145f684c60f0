"""Programs in which every effect is a parameter."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mix2stan.families import FAMILIES, PARAMETERS, Family
from mix2stan.graph import Group, ModelGraph, Prior
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
from mix2stan.plan.whitened import StructuredView, structured
from mix2stan.prior_text import PriorText
from mix2stan.residual_views import errors_view

__all__ = ["ModelView", "ParameterView", "family_of", "sampled"]


@dataclass(frozen=True)
class ModelView:
    """What the templates of the response, the population and the residual see.

    ``linear`` are all parts of the predictor and ``predictor`` those added up before the likelihood;
    ``x`` and ``coefficients`` are the design and its coefficients, ``rest_of`` the design that X_rest
    is taken from; ``declaration`` declares the response, ``density`` says its distribution in
    mathematics, the mean in braces, and ``likelihood`` is the statement.
    """

    response: str
    formula: str
    linear: tuple[Component, ...]
    predictor: tuple[Component, ...]
    x: str
    coefficients: str
    rest_of: str
    declaration: str
    density: str
    likelihood: str
    priors: dict[str, PriorText]
    population: bool = True

    def distribution(self, mean: str) -> str:
        """The distribution of the response in mathematics, given its predictor as text."""
        return self.density.replace("{eta}", mean)


@dataclass(frozen=True)
class ParameterView:
    """What the template of a further parameter of a distribution sees."""

    name: str
    bound: str
    meaning: str
    prior: PriorText


def sampled(graph: ModelGraph) -> list[Part]:
    """Every effect is a parameter, on its own or as a scale times a standard normal."""
    names = graph.population.columns.names
    orthogonal = names not in ((), ("(Intercept)",))
    whole = ("Q", "theta") if orthogonal else ("X", "beta")
    family, pooled = family_of(graph)
    by_id = {g.id: g for g in graph.groups}
    groups = tuple(_sampled_view(g, by_id, whole, graph.priors) for g in graph.groups)
    moved = {c for g in graph.groups for c in g.parameterisation.columns}
    inside = {p for g in graph.groups for p in g.parameterisation.parents}
    x, coefficients = ("X_rest", f"{whole[1]}[rest]") if moved else whole
    offsets = _known(graph, pooled)
    left = len(names) > len(moved)
    link = graph.response.link
    primitive = family.primitive.get(link) if left else None
    predictor = (*offsets, *(Component(g.columns, g) for g in groups if g.id not in inside))
    view = ModelView(
        response=comment(graph.response.expression),
        formula=comment(graph.population.columns),
        linear=(
            *([Component("columns/population", None)] if names else []),
            *offsets,
            *(Component(g.columns, g) for g in groups),
        ),
        predictor=predictor,
        x=x,
        coefficients=coefficients,
        rest_of=whole[0],
        declaration=("array[N] int<lower=0> y" if family.integer else "vector[N] y"),
        density=family.density.replace("{mu}", LINKS[link].stan).replace("./", "/"),
        likelihood="",
        priors=texts(graph.priors, "intercept", "beta", "sigma"),
        population=bool(names),
    )
    if left and primitive is None:
        predictor = (Component("columns/population", view), *predictor)
        view = replace(view, predictor=predictor)
    view = replace(view, likelihood=_likelihood(graph, family, primitive, view))
    sections = ["families/response", *(["families/trials"] * family.counts_trials)]
    response = [Component(t, view) for t in (*sections, "families/likelihood")]
    errors: list[Part] = []
    if not graph.residual.plain:
        structure = StructuredView(view, errors_view(graph.residual, graph.priors))
        response, errors = structured(structure)
    parts = [Part(tuple(response))]
    if offsets:
        parts.append(Part((offsets[0],)))
    if names:
        columns = "population/orthogonal" if orthogonal else "population/plain"
        rest = ["population/rest"] if moved and left else []
        templates = (columns, *rest, *_population_priors(names, view.priors))
        parts.append(Part(tuple(Component(t, view) for t in templates)))
    parts += [Part(group_components(g, by_id[g.id])) for g in groups]
    for name in family.parameters:
        row = PARAMETERS[name]
        prior = texts(graph.priors, name)[name]
        subject = ParameterView(name, row.bound, row.meaning, prior)
        parts.append(Part((Component("families/parameter", subject),)))
    functions = [Part((Component(family.functions, None),))] if family.functions else []
    return [*parts, *errors, *functions]


def family_of(graph: ModelGraph) -> tuple[Family, bool]:
    """The family of the program's rows, and whether their number enters the mean."""
    family = FAMILIES[graph.response.family]
    if not graph.strategy.pooled or family.pooled is None:
        return family, False
    return FAMILIES[family.pooled], family.exposure


def _known(graph: ModelGraph, exposed: bool) -> list[Component]:
    if exposed:
        return [Component("columns/exposure", graph.population)]
    return [Component("columns/offset", graph.population)] if graph.population.offsets else []


def _likelihood(graph: ModelGraph, family: Family, primitive: str | None, view: ModelView) -> str:
    """The statement of the likelihood; its constants are kept only where they are asked for."""
    link = graph.response.link
    nothing = "0" if primitive or graph.response.linear else "rep_vector(0, N)"
    words = {
        "eta": "eta" if view.predictor else nothing,
        "x": view.x,
        "coefficients": view.coefficients,
    }
    direct = family.natural.get(link, family.density.replace("{mu}", LINKS[link].stan))
    text = (primitive or direct).format(**words)
    if graph.strategy.kind != "joint":
        return f"y ~ {text};"
    name, arguments = text.split("(", 1)
    return f"target += {name}_{'lpmf' if family.integer else 'lpdf'}(y | {arguments};"


def _sampled_view(
    group: Group, by_id: dict[str, Group], whole: tuple[str, str], priors: tuple[Prior, ...]
) -> GroupView:
    """A group term as its parameterisation says."""
    view = group_view(group, priors)
    how = group.parameterisation
    means = [f"W_{group.id} * {whole[1]}[columns_{group.id}]"] if how.columns else []
    means += [f"{effect_name(by_id[p])}[{p}_of_{group.id}]" for p in how.parents]
    x = whole[0] if how.columns else ""
    return replace(view, means=tuple(means), parents=how.parents, x=x)


def _population_priors(names: tuple[str, ...], priors: dict[str, PriorText]) -> list[str]:
    if "intercept" not in priors:
        return ["population/prior_all"]
    if names == ("(Intercept)",):
        return ["population/prior_intercept"]
    mean = ["population/prior_mean_response"] if priors["intercept"].density.text else []
    return [*mean, "population/prior_slopes"]
