"""How a model is computed: which templates say it, in which order, about what.

The plan is the last stage that knows anything; the renderer below it only asks templates for text.
A part is a paragraph of each block (the response, the population, one group term, the residual);
its components are the templates that together make it up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mix2stan.covariances import COVARIANCES
from mix2stan.families import FAMILIES, PARAMETERS, Family
from mix2stan.graph import Group, ModelGraph, Prior
from mix2stan.links import LINKS
from mix2stan.priors import DENSITIES, PriorText

__all__ = ["Component", "GroupView", "ModelView", "Part", "Plan", "plan"]


@dataclass(frozen=True)
class Component:
    """A template and what its macros are told about."""

    template: str
    subject: object


@dataclass(frozen=True)
class Part:
    """The components that share a paragraph."""

    components: tuple[Component, ...]


@dataclass(frozen=True)
class Plan:
    """A program to be rendered: the R call for its header, and the parts in order."""

    call: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class GroupView:
    """What the templates of a group term see.

    ``columns`` and ``covariance`` are template names, so that one template can use another's macros.
    ``q`` is the number of effects per level, ``scalar`` whether they are a vector over the levels,
    ``lower`` whether the root of their covariance has elements below its diagonal.  In a collapsed
    program ``width`` is the number of columns of [r Q] and ``packed`` the length of S.  In a sampled
    one ``effect`` is what enters the predictor; ``means`` is what the effects are centred on besides
    zero, ``parents`` the terms and ``x`` the design whose columns are in it.
    """

    id: str
    label: str
    formula: str
    q: int
    columns: str
    covariance: str
    priors: dict[str, PriorText]
    scalar: bool
    lower: bool
    width: str
    packed: str
    effect: str = ""
    means: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    x: str = ""

    def plus(self, name: str) -> str:
        """What stands between the terms of a sum over effects: a new statement where it gets long."""
        return " + " if self.q < 3 else f";\n{name} += "


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


@dataclass(frozen=True)
class CollapsedView:
    """What the templates of a collapsed response see.

    ``integrated`` says in words what is integrated out, ``products`` are taken from S, and
    ``normal`` whether the prior of the coefficients is normal (it is flat otherwise); ``profiled``
    whether they are at their maximum instead of integrated out (maximum likelihood).
    """

    response: str
    formula: str
    terms: tuple[Component, ...]
    groups: tuple[GroupView, ...]
    integrated: str
    products: tuple[str, ...]
    normal: bool
    profiled: bool
    priors: dict[str, PriorText]


def plan(graph: ModelGraph) -> Plan:
    """Choose the templates for a graph that the passes have completed."""
    rule = RULES[graph.strategy.kind]
    functions = dict.fromkeys(DENSITIES[p.density].functions for p in graph.priors)
    extra = [Part((Component(f, None),)) for f in functions if f]
    return Plan(comment(graph.call, 1000), (*rule(graph), *extra))


def _collapsed(graph: ModelGraph) -> list[Part]:
    """Effects and coefficients integrated out; only the variances are parameters."""
    population = bool(graph.population.columns.names)
    groups = tuple(_group_view(g, graph.priors, population) for g in graph.groups)
    names = [*(["beta"] if population else []), *(f"b_{g.id}" for g in groups)]
    products = tuple(
        f"T_{g.id}_{k}{j} * g_{k}{j}"
        for g in groups
        for k in range(1, g.q + 1)
        for j in range(1, k + 1)
    )
    view = CollapsedView(
        response=comment(graph.response.expression),
        formula=comment(graph.population.columns),
        terms=_terms(graph, groups),
        groups=groups,
        integrated=" and ".join(names) + (" are" if len(names) > 1 else " is"),
        products=products,
        normal=any(p.density == "normal" for p in graph.priors if p.block in ("intercept", "beta")),
        profiled=graph.strategy.kind == "profiled",
        priors=_texts(graph.priors, "sigma"),
    )
    template = "collapsed/response" if population else "collapsed/response_alone"
    response = [Component(template, view)]
    response += [Component("collapsed/prior_normal", view)] if view.normal else []
    parts = [Part(tuple(response))]
    parts += [Part((Component("collapsed/group", g), Component(g.covariance, g))) for g in groups]
    return [*parts, Part((Component("residuals/homoscedastic", view),))]


def _terms(graph: ModelGraph, groups: tuple[GroupView, ...]) -> tuple[Component, ...]:
    """The parts of the predictor besides the population's columns."""
    offsets = [Component("columns/offset", graph.population)] if graph.population.offsets else []
    return (*offsets, *(Component(g.columns, g) for g in groups))


def _sampled(graph: ModelGraph) -> list[Part]:
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
        priors=_texts(graph.priors, "intercept", "beta", "sigma"),
    )
    if left and primitive is None:
        predictor = (Component("columns/population", view), *predictor)
        view = replace(view, predictor=predictor)
    view = replace(view, likelihood=_likelihood(graph, family, primitive, view))
    response = ["families/response", *(["families/trials"] if family.counts_trials else [])]
    parts = [Part(tuple(Component(t, view) for t in (*response, "families/likelihood")))]
    if offsets:
        parts.append(Part((offsets[0],)))
    if names:
        columns = "population/orthogonal" if orthogonal else "population/plain"
        rest = ["population/rest"] if moved and left else []
        templates = (columns, *rest, *_population_priors(names, view.priors))
        parts.append(Part(tuple(Component(t, view) for t in templates)))
    parts += [Part(_group_components(g, by_id[g.id])) for g in groups]
    for name in family.parameters:
        row = PARAMETERS[name]
        prior = _texts(graph.priors, name)[name]
        subject = ParameterView(name, row.bound, row.meaning, prior)
        parts.append(Part((Component("families/parameter", subject),)))
    return [*parts, *([Part((Component(family.functions, None),))] if family.functions else [])]


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
    view = _group_view(group, priors)
    how = group.parameterisation
    means = [f"W_{group.id} * {whole[1]}[columns_{group.id}]"] if how.columns else []
    means += [f"{_effect(by_id[p])}[{p}_of_{group.id}]" for p in how.parents]
    x = whole[0] if how.columns else ""
    return replace(view, effect=_effect(group), means=tuple(means), parents=how.parents, x=x)


def _effect(group: Group) -> str:
    """The Stan name of what a term adds to the predictor."""
    return f"{'m' if group.parameterisation.moved else 'b'}_{group.id}"


def _population_priors(names: tuple[str, ...], priors: dict[str, PriorText]) -> list[str]:
    if names == ("(Intercept)",):
        return ["population/prior_intercept"]
    if "intercept" not in priors:
        return ["population/prior_all"]
    mean = ["population/prior_mean_response"] if priors["intercept"].density.text else []
    return [*mean, "population/prior_slopes"]


def _group_view(group: Group, priors: tuple[Prior, ...], population: bool = True) -> GroupView:
    if group.covariance.kind != "scalar":
        columns = "columns/matrix"
    else:
        columns = "columns/intercept" if group.columns.intercept_only else "columns/slope"
    sd, root = f"sd_{group.id}", f"L_{group.id}"
    texts = _texts(priors, sd, root)
    return GroupView(
        id=group.id,
        label=comment(group.factor),
        formula=comment(group.columns),
        q=len(group.columns.names),
        columns=columns,
        covariance=COVARIANCES[group.covariance.kind].template,
        priors={block: texts[name] for block, name in (("sd", sd), ("L", root)) if name in texts},
        scalar=group.covariance.kind == "scalar",
        lower=COVARIANCES[group.covariance.kind].correlated,
        width="K + 1" if population else "1",
        packed="1 + K + K * K" if population else "1",
    )


def _group_components(view: GroupView, group: Group) -> tuple[Component, ...]:
    shape = "matrix" if view.columns == "columns/matrix" else "vector"
    how = group.parameterisation
    way = "moved" if how.moved else "centred" if how.centred else "noncentred"
    templates = [view.columns, view.covariance, f"effects/{way}_{shape}"]
    if way == "moved":
        templates += ["effects/mean_columns"] if view.x else []
        templates += ["effects/mean_parents"] if view.parents else []
    return tuple(Component(t, view) for t in templates)


def _texts(priors: tuple[Prior, ...], *blocks: str) -> dict[str, PriorText]:
    return {p.block: PriorText(p.block, DENSITIES[p.density]) for p in priors if p.block in blocks}


def comment(node: object, longest: int = 60) -> str:
    """Formula text that is safe in a ``//`` comment: one line, printable, not endless."""
    text = "".join(c if c.isprintable() else " " for c in str(node))
    return text if len(text) <= longest else text[: longest - 1] + "…"


#: How each strategy is planned.
RULES = {
    **dict.fromkeys(("noncentred", "centred", "joint"), _sampled),
    **dict.fromkeys(("collapsed", "profiled"), _collapsed),
}
