"""Programs in which every effect is a parameter."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from mix2stan.families import FAMILIES, PARAMETERS, Family, single_parameters
from mix2stan.graph import ModelGraph
from mix2stan.links import LINKS
from mix2stan.plan.family_view import family_functions, family_view
from mix2stan.plan.parts import Component, Part, comment, texts
from mix2stan.plan.predictors import (
    PredictorView,
    group_parts,
    population_parts,
    predicted_parts,
    predictor_view,
    with_population,
)
from mix2stan.plan.whitened import StructuredView, structured
from mix2stan.priors import PriorText
from mix2stan.residual_views import errors_view

__all__ = ["ModelView", "ParameterView", "family_of", "sampled"]


@dataclass(frozen=True)
class ModelView(PredictorView):
    """What the templates of the response and the residual see: the mean's predictor, and more.

    ``declaration`` declares the response, ``density`` says its distribution in mathematics, the mean
    in braces, and ``likelihood`` is the statement.
    """

    response: str = ""
    declaration: str = ""
    density: str = ""
    likelihood: str = ""

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
    family, pooled = family_of(graph)
    mean = predictor_view(graph, graph.mean, pooled)
    link = graph.response.link
    takes_apart = mean.population and not graph.predictors
    primitive = family.primitive.get(link) if takes_apart else None
    mean = mean if primitive else with_population(mean)
    view = ModelView(
        **{f.name: getattr(mean, f.name) for f in fields(mean)},
        response=comment(graph.response.expression),
        declaration=("array[N] int<lower=0> y" if family.integer else "vector[N] y"),
        density=family.said(LINKS[link].stan),
    )
    view = replace(view, likelihood=_likelihood(graph, family, primitive, view))
    sections = ["families/response", *(["families/trials"] * family.counts_trials)]
    sections += ["families/predictor", "families/likelihood"]
    response = [Component(t, view) for t in sections]
    if family.row_sets:
        response.append(Component("families/row_sets", family_view(graph, family)))
    errors: list[Part] = []
    if not graph.residual.plain:
        found = errors_view(graph.residual, graph.priors)
        structure = StructuredView.of(view, found, graph.strategy.kind == "joint")
        response, errors = structured(structure)
    parts = [Part(tuple(response)), *population_parts(view), *group_parts(view, graph)]
    parts += predicted_parts(graph)
    for name in single_parameters(graph):
        row = PARAMETERS[name]
        prior = texts(graph.priors, name)[name]
        subject = ParameterView(name, row.bound, family.meaning(name), prior)
        parts.append(Part((Component("families/parameter", subject),)))
    return [*parts, *errors, *family_functions(graph, family)]


def family_of(graph: ModelGraph) -> tuple[Family, bool]:
    """The family of the program's rows, and whether their number enters the mean."""
    family = FAMILIES[graph.response.family]
    if not graph.strategy.pooled or family.pooled is None:
        return family, False
    return FAMILIES[family.pooled], family.exposure


def _likelihood(graph: ModelGraph, family: Family, primitive: str | None, view: ModelView) -> str:
    """The statement of the likelihood; its constants are kept only where they are asked for."""
    link = graph.response.link
    nothing = "0" if primitive or graph.response.linear else "rep_vector(0, N)"
    words = {
        "eta": "eta" if view.summed else nothing,
        "x": view.x,
        "coefficients": view.coefficients,
    }
    direct = family.natural.get(link, family.density.replace("{mu}", LINKS[link].stan))
    text = (primitive or direct).format(**words)
    if graph.strategy.kind != "joint":
        return f"y ~ {text};"
    name, arguments = text.split("(", 1)
    return f"target += {name}_{'lpmf' if family.integer else 'lpdf'}(y | {arguments};"
