"""Programs in which every effect is a parameter."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from mix2stan.families import FAMILIES, PARAMETERS, Family, free_thresholds, single_parameters
from mix2stan.families.ordinal import LATENT
from mix2stan.graph import ModelGraph, Truncation
from mix2stan.links import LINKS
from mix2stan.plan.censored import censored_likelihood, truncated_likelihood
from mix2stan.plan.family_view import family_functions, family_view
from mix2stan.plan.known import known_parts
from mix2stan.plan.parts import Component, Part, comment, texts
from mix2stan.plan.predictors import (
    PredictorView,
    group_parts,
    population_parts,
    predicted_parts,
    predictor_view,
    with_population,
)
from mix2stan.plan.weighted import weighted_likelihood, with_noise
from mix2stan.plan.whitened import StructuredView, structured
from mix2stan.priors.text import PriorText
from mix2stan.residual_views import errors_view

__all__ = [
    "ROWS",
    "ModelView",
    "ParameterView",
    "family_of",
    "function_parts",
    "parameter_parts",
    "response_components",
    "response_view",
    "sampled",
]


#: The template of the number of rows.
ROWS = "families/rows"


@dataclass(frozen=True)
class ModelView(PredictorView):
    """What the templates of the response and the residual see: the mean's predictor, and more.

    ``declaration`` declares the response, ``density`` says its distribution in mathematics, the mean
    in braces, ``likelihood`` is the statement, and ``ends`` the Stan type of the ends of intervals.
    ``thresholds`` are those of ordered categories as the parameters have them, and ``constraint``
    their Stan type; ``powers`` and ``noise`` are the expressions of weights and standard errors.
    """

    response: str = ""
    declaration: str = ""
    ends: str = ""
    density: str = ""
    likelihood: str = ""
    thresholds: str = ""
    constraint: str = ""
    powers: str = ""
    noise: str = ""

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
    seen = graph.response
    takes_apart = mean.population and not graph.predictors and not seen.cut
    takes_apart = takes_apart and seen.powers is None and seen.noise is None
    primitive = _primitive(graph, family, bool(mean.summed)) if takes_apart else None
    view = response_view(graph, mean if primitive else with_population(mean), primitive)
    response = response_components(graph, view)
    errors: list[Part] = []
    if not graph.residual.plain:
        found = errors_view(graph.residual, graph.priors)
        structure = StructuredView.of(view, found, graph)
        response, errors = structured(structure)
    parts = [Part(tuple(response)), *population_parts(view)]
    if family.ordinal:
        way = "cutpoints" if graph.response.anchored else view.thresholds
        parts.append(Part((Component(f"families/{way}", view),)))
    parts += group_parts(view, graph)
    parts += predicted_parts(graph)
    parts += parameter_parts(graph, family)
    return [*parts, *known_parts(graph), *errors, *function_parts(graph, family)]


def response_view(graph: ModelGraph, mean: PredictorView, primitive: str | None) -> ModelView:
    """The response, given its predictor, or the density that takes the design of that apart."""
    family, _ = family_of(graph)
    view = ModelView(
        **{f.name: getattr(mean, f.name) for f in fields(mean)},
        response=comment(graph.response.expression),
        powers=comment(graph.response.powers),
        noise=comment(graph.response.noise),
        declaration=_declaration(family),
        ends="array[N] int" if family.integer else "vector[N]",
        density=_words(graph, family),
        thresholds="cuts" if free_thresholds(graph) and mean.templates else "thresholds",
        constraint=family.ordinal.constraint if family.ordinal else "",
    )
    more = texts(graph.priors, "thresholds", "cutpoints")
    view = replace(view, priors=view.priors | more)
    return replace(view, likelihood=_likelihood(graph, family, primitive, view))


def response_components(graph: ModelGraph, view: ModelView) -> list[Component]:
    """The templates of the response."""
    family, _ = family_of(graph)
    sections = ["families/categories"] * family.categories
    sections += [ROWS, "families/response", *(["families/trials"] * family.counts_trials)]
    sections += ["families/censored"] * (graph.response.censoring is not None)
    if graph.response.truncation is not None:
        sections += _bounds(graph.response.truncation, family)
    sections += ["families/weight"] * (graph.response.powers is not None)
    sections += ["families/standard_error"] * (graph.response.noise is not None)
    sections += ["families/latent_sd"] * (graph.response.latent_sd != 1)
    sections += ["families/log_odds"] * family.unordered
    sections += ["families/predictor", "families/likelihood"]
    components = [Component(t, view) for t in sections]
    if family.row_sets:
        components.append(Component("families/row_sets", family_view(graph, family)))
    return components


def parameter_parts(graph: ModelGraph, family: Family) -> list[Part]:
    """What the distribution has besides its mean that is one number."""
    parts = []
    for name in single_parameters(graph):
        row = PARAMETERS[name]
        prior = texts(graph.priors, name)[name]
        subject = ParameterView(name, row.bound, family.meaning(name), prior)
        parts.append(Part((Component("families/parameter", subject),)))
    return parts


def _bounds(truncation: Truncation, family: Family) -> list[str]:
    """The templates of the bounds of what could be observed."""
    lower, upper = truncation.lower is not None, truncation.upper is not None
    below = ["families/below"] + ["families/cut"] * (not upper)
    found = (below if family.integer else ["families/lower_bound"]) if lower else []
    return found + ["families/upper_bound"] * upper


def function_parts(graph: ModelGraph, family: Family) -> list[Part]:
    """The Stan functions of the family, or of its link."""
    link = graph.response.link
    if link not in family.link_functions:
        return family_functions(graph, family)
    rows = Component("functions/rows_of", None)
    return [Part((rows,)), Part((Component(family.link_functions[link], LATENT[link]),))]


def _words(graph: ModelGraph, family: Family) -> str:
    """The distribution of the response in mathematics, the predictor in braces."""
    text = family.words(graph.response.link)
    text = text if graph.response.noise is None else with_noise(text)
    text += "" if graph.response.powers is None else ", to the power of its weight"
    text += "" if graph.response.censoring is None else ", censored"
    text += "" if graph.response.truncation is None else ", truncated"
    if graph.response.latent_sd == 1:
        return text
    scaled = text.replace("{eta}", "({eta}) / latent_sd")
    return scaled.replace("thresholds", "thresholds / latent_sd")


def _declaration(family: Family) -> str:
    """The response in the data block."""
    if family.several:
        return "array[N, C] int<lower=0> y"
    if family.categories:
        return "array[N] int<lower=1, upper=C> y"
    return "array[N] int<lower=0> y" if family.integer else "vector[N] y"


def _primitive(graph: ModelGraph, family: Family, more: bool) -> str | None:
    """The density that takes the design apart, if it can add what ``more`` the predictor has."""
    text = family.primitive.get(graph.response.link)
    if text is None or graph.response.latent_sd != 1:
        return None
    return None if more and "{eta}" not in text else text


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
        "thresholds": view.thresholds,
    }
    if graph.response.latent_sd != 1:
        words |= {name: f"{words[name]} / latent_sd" for name in ("eta", "thresholds")}
    if graph.response.censoring is not None:
        return censored_likelihood(graph, family, words["eta"])
    if graph.response.truncation is not None:
        return truncated_likelihood(graph, family, words["eta"])
    direct = family.natural.get(link, family.density.replace("{mu}", LINKS[link].stan))
    text = (primitive or direct).format(**words)
    text = text if graph.response.noise is None else with_noise(text)
    if graph.response.powers is not None:
        return weighted_likelihood(graph, family, text)
    if graph.strategy.kind != "joint":
        return f"y ~ {text};"
    name, arguments = text.split("(", 1)
    return f"target += {name}_{'lpmf' if family.integer else 'lpdf'}(y | {arguments};"
