"""How a model is computed: which templates say it, in which order, about what.

The plan is the last stage that knows anything; the renderer below it only asks templates for text.
A part is a paragraph of each block (the response, the population, one group term, the residual);
its components are the templates that together make it up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mix2stan.collapsed_views import BlockView, CollapsedView
from mix2stan.covariances import COVARIANCES
from mix2stan.elimination import Elimination, elimination
from mix2stan.families import FAMILIES, PARAMETERS, Family
from mix2stan.graph import Group, ModelGraph, Prior
from mix2stan.links import LINKS
from mix2stan.priors import DENSITIES, PriorText
from mix2stan.residual_views import ErrorsView, errors_view

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
    ``lower`` whether the root of their covariance has elements below its diagonal, ``rank`` how many
    columns it has; ``order`` is the structure's number.  ``range`` are the columns of a dense term
    among those of W in a collapsed program.  In a sampled one ``effect`` is what enters the
    predictor; ``means`` is what the effects are centred on besides zero, ``parents`` the terms and
    ``x`` the design whose columns are in it.
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
    order: int
    rank: str
    range: str = ""
    effect: str = ""
    means: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    x: str = ""


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


@dataclass(frozen=True)
class WhitenedModel:
    """The model as a collapsed program with structured errors has it.

    ``integrated`` says in words what is integrated out, ``normal`` whether the prior of the
    coefficients is normal (it is flat otherwise), ``profiled`` whether they are at their maximum
    instead of integrated out (maximum likelihood), and ``population`` whether there are any.
    """

    response: str
    formula: str
    population: bool
    predictor: tuple[Component, ...]
    groups: tuple[GroupView, ...]
    integrated: str
    normal: bool
    profiled: bool
    priors: dict[str, PriorText]

    #: the prior of the coefficients is one of theta alone
    dense: tuple[GroupView, ...] = ()
    heavy: bool = False


@dataclass(frozen=True)
class WhitenedView:
    """What the templates of a collapsed program with structured errors see.

    ``width`` is the number of columns of [r Q], ``columns`` of [r Q Z], as Stan has them, and
    ``content`` says what they are.
    """

    model: WhitenedModel
    errors: ErrorsView
    width: str
    columns: str
    content: str

    @classmethod
    def of(cls, model: WhitenedModel, errors: ErrorsView) -> WhitenedView:
        width = "K + 1" if model.population else "1"
        columns = " + ".join([width, *(f"Q_{g.id}" for g in model.groups)])
        content = "[r Q" if model.population else "[y"
        content += "".join(f" Z_{g.id}" for g in model.groups) + "], r = y - Q theta_hat"
        content = content if model.population else content.split(",")[0]
        return cls(model, errors, width, columns, content)

    def place(self, k: int) -> str:
        """The column of [r Q Z] at which column k of Z stands."""
        return f"K + {k + 1}" if self.model.population else f"{k + 1}"


@dataclass(frozen=True)
class StructuredView:
    """What the templates of a direct program with structured errors see."""

    model: ModelView
    errors: ErrorsView


def plan(graph: ModelGraph) -> Plan:
    """Choose the templates for a graph that the passes have completed."""
    rule = RULES[graph.strategy.kind]
    functions = dict.fromkeys(
        f for g in graph.groups for f in COVARIANCES[g.covariance.kind].functions
    )
    functions |= dict.fromkeys(f for p in graph.priors if (f := DENSITIES[p.density].functions))
    extra = [Part((Component(f, None),)) for f in functions]
    return Plan(comment(graph.call, 1000), (*rule(graph), *extra))


def _collapsed(graph: ModelGraph) -> list[Part]:
    """Coefficients and effects integrated out, as far as the strategy pass found it possible."""
    if not graph.residual.plain:
        return _whitened(_whitened_view(graph))
    parts = elimination(graph.groups)
    view = _collapsed_view(graph, parts)
    response = [Component("collapsed/response", view)]
    response += [Component("collapsed/prior_normal", view)] if view.normal else []
    plan = [Part(tuple(response))]
    if view.block:
        block = [Component("collapsed/block", view.block)]
        block += [Component(g.covariance, g) for g in view.block.terms]
        plan.append(Part(tuple(block)))
    plan += [
        Part((Component("collapsed/dense", g), Component(g.covariance, g))) for g in view.dense
    ]
    plan += [Part(_group_components(_group_view(g, graph.priors), g)) for g in parts.sampled]
    plan.append(Part((Component("residuals/homoscedastic", view),)))
    needs_sums = view.block and (view.dense or view.rows)
    functions = ["functions/group_sums"] if needs_sums else []
    functions += ["functions/with_root"] if view.scale == "F" else []
    return [*plan, *(Part((Component(f, None),)) for f in functions)]


def _collapsed_view(graph: ModelGraph, parts: Elimination) -> CollapsedView:
    population = bool(graph.population.columns.names)
    dense: list[GroupView] = []
    start = "1"
    for group in parts.dense:
        one = _group_view(group, graph.priors)
        effects = f"J_{one.id}" if one.scalar else f"J_{one.id} * Q_{one.id}"
        stop = effects if start == "1" else f"{start[:-4]} + {effects}"
        dense.append(replace(one, range=f"{start} : {stop}"))
        start = f"{stop} + 1"
    everything = tuple(_group_view(g, graph.priors) for g in graph.groups)
    sampled_ids = {g.id for g in parts.sampled}
    sampled = tuple(g for g in everything if g.id in sampled_ids)
    drawn = [g for g in everything if g.id not in sampled_ids]
    names = [*(["beta"] if population else []), *(f"b_{g.id}" for g in drawn)]
    integrated = " and ".join(names) + (" are" if len(names) > 1 else " is")
    view = CollapsedView(
        response=comment(graph.response.expression),
        formula=comment(graph.population.columns),
        population=population,
        terms=_terms(graph, everything),
        block=None,
        dense=tuple(dense),
        sampled=tuple(Component(g.columns, g) for g in sampled),
        integrated=integrated,
        scaled=any(not g.columns.intercept_only for g in parts.dense),
        normal=any(p.density != "flat" for p in graph.priors if p.block in ("intercept", "beta")),
        heavy=any(p.density == "student_t" for p in graph.priors if p.block == "intercept"),
        profiled=graph.strategy.kind == "profiled",
        priors=_texts(graph.priors, "sigma"),
    )
    return replace(view, block=_block_view(graph, parts, view)) if parts.block else view


def _block_view(graph: ModelGraph, parts: Elimination, view: CollapsedView) -> BlockView:
    views = tuple(_group_view(g, graph.priors) for g in parts.block)
    return BlockView(
        id=views[0].id,
        label=views[0].label,
        J=f"J_{views[0].id}",
        terms=views,
        names=tuple(name for g in parts.block for name in g.columns.names),
        w=view.w,
        d=view.d,
        rows=view.rows,
    )


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
        structured = StructuredView(view, errors_view(graph.residual, graph.priors))
        response, errors = _structured(structured)
    parts = [Part(tuple(response))]
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
    view = _group_view(group, priors)
    how = group.parameterisation
    means = [f"W_{group.id} * {whole[1]}[columns_{group.id}]"] if how.columns else []
    means += [f"{_effect(by_id[p])}[{p}_of_{group.id}]" for p in how.parents]
    x = whole[0] if how.columns else ""
    return replace(view, means=tuple(means), parents=how.parents, x=x)


def _effect(group: Group) -> str:
    """The Stan name of what a term adds to the predictor."""
    return f"{'m' if group.parameterisation.moved else 'b'}_{group.id}"


def _whitened_view(graph: ModelGraph) -> WhitenedView:
    population = bool(graph.population.columns.names)
    groups = tuple(_group_view(g, graph.priors) for g in graph.groups)
    names = [*(["beta"] if population else []), *(f"b_{g.id}" for g in groups)]
    model = WhitenedModel(
        response=comment(graph.response.expression),
        formula=comment(graph.population.columns),
        population=population,
        predictor=_terms(graph, groups),
        groups=groups,
        integrated=" and ".join(names) + (" are" if len(names) > 1 else " is"),
        normal=any(p.density == "normal" for p in graph.priors if p.block in ("intercept", "beta")),
        profiled=graph.strategy.kind == "profiled",
        priors=_texts(graph.priors, "sigma"),
    )
    return WhitenedView.of(model, errors_view(graph.residual, graph.priors))


def _whitened(view: WhitenedView) -> list[Part]:
    """Effects and coefficients integrated out, the rows made independent first."""
    model, errors = view.model, view.errors
    response = [Component("collapsed/whitened", view)]
    response += [Component("collapsed/prior_normal", model)] if model.normal else []
    parts = [Part(tuple(response))]
    parts += [Part((Component(g.covariance, g),)) for g in model.groups]
    parts += [Part((Component("residuals/homoscedastic", model),))]
    return [*parts, *_error_parts(view, errors)]


def _error_parts(view: WhitenedView | StructuredView, errors: ErrorsView) -> list[Part]:
    """The data and the parameters of the errors: variance functions, and the correlation."""
    structure: list[str] = []
    if errors.correlated:
        own = [errors.matrix] if errors.whitening == "residuals/dense" else []
        structure = [errors.whitening, *own, "residuals/correlated"]
    parts = [["residuals/variances"] if errors.multiplier else [], structure]
    return [Part(tuple(Component(t, view) for t in part)) for part in parts if part]


def _structured(view: StructuredView) -> tuple[list[Component], list[Part]]:
    """The response, and the further parts, of a program whose errors have a structure."""
    errors = view.errors
    likelihood = ["residuals/multiplier"] if errors.multiplier else []
    likelihood += ["residuals/whitened" if errors.correlated else "residuals/independent"]
    response = [Component(t, view) for t in ("residuals/response", *likelihood)]
    return response, _error_parts(view, errors)


def _population_priors(names: tuple[str, ...], priors: dict[str, PriorText]) -> list[str]:
    if names == ("(Intercept)",):
        return ["population/prior_intercept"]
    if "intercept" not in priors:
        return ["population/prior_all"]
    mean = ["population/prior_mean_response"] if priors["intercept"].density.text else []
    return [*mean, "population/prior_slopes"]


def _group_view(group: Group, priors: tuple[Prior, ...]) -> GroupView:
    if group.covariance.kind != "scalar":
        columns = "columns/matrix"
    else:
        columns = "columns/intercept" if group.columns.intercept_only else "columns/slope"
    row = COVARIANCES[group.covariance.kind]
    q, order = len(group.columns.names), group.covariance.order
    blocks = {p.name: f"{p.name}_{group.id}" for p in row.parameters}
    texts = _texts(priors, *blocks.values())
    rank = row.rank(q, order)
    return GroupView(
        id=group.id,
        label=comment(group.factor),
        formula=comment(group.columns),
        q=q,
        columns=columns,
        covariance=row.template,
        priors={block: texts[name] for block, name in blocks.items() if name in texts},
        scalar=group.covariance.kind == "scalar",
        lower=row.correlated,
        order=order,
        rank=f"Q_{group.id}" if rank == q else str(rank),
        effect=_effect(group),
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
