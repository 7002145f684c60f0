"""What every plan is made of, and what the templates of a group term see."""

from __future__ import annotations

from dataclasses import dataclass

from mix2stan.covariances import COVARIANCES, Parameter
from mix2stan.graph import Group, Member, ModelGraph, Prior
from mix2stan.priors.text import PriorText, prior_texts

__all__ = [
    "Component",
    "GroupView",
    "Part",
    "Plan",
    "comment",
    "effect_name",
    "functions_of",
    "group_components",
    "group_view",
    "terms",
    "texts",
]


@dataclass(frozen=True)
class Component:
    """A template and what its macros are told about."""

    template: str
    subject: object


@dataclass(frozen=True)
class Part:
    """The components that share a paragraph.

    ``member`` is the response it is of, if there are several: what it declares is called after that,
    but for ``N``.
    """

    components: tuple[Component, ...]
    member: Member | None = None


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
    among those of W in a collapsed program, or those of a shared one that a predictor has.  In a
    sampled one ``effect`` is what enters the predictor; ``means`` is what the effects are centred on
    besides zero, ``parents`` the terms (with their index) and ``x`` the design whose columns are in
    it; ``suffix`` ends the names of what belongs to its predictor.  ``relationship`` is the template
    of related levels, and ``centred`` whether the effects are sampled as they are; ``signs`` are
    those of the levels that every row has.
    ``rotated`` says that not they are integrated out, but effects of which they are combinations.
    ``sizes`` are the Stan sizes of its parameters, None of what has one number; ``index`` is the
    array of the rows' levels.
    """

    id: str
    index: str
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
    parents: tuple[tuple[str, str], ...] = ()
    x: str = ""
    suffix: str = ""
    relationship: str = ""
    centred: bool = False
    signs: tuple[str, ...] = ()
    rotated: bool = False
    sizes: tuple[tuple[str, str | None], ...] = ()

    def other_scales(self) -> str:
        """The data of the priors of its parameters besides the standard deviations."""
        sizes = dict(self.sizes)
        texts = (p.data(sizes[name]) for name, p in self.priors.items() if name != "sd")
        return "\n".join(text for text in texts if text)


def group_view(group: Group, priors: tuple[Prior, ...]) -> GroupView:
    if group.covariance.kind != "scalar":
        columns = "columns/matrix"
    else:
        columns = "columns/intercept" if group.columns.intercept_only else "columns/slope"
    if group.factor.signs:
        columns = "columns/apart" if group.factor.apart else "columns/members"
    row = COVARIANCES[group.covariance.kind]
    q, order = len(group.columns.names), group.covariance.order
    blocks = {p.name: f"{p.name}_{group.id}" for p in row.parameters}
    found = texts(priors, *blocks.values())
    rank = row.rank(q, order)
    related = group.factor.relationship
    return GroupView(
        id=group.id,
        index=group.index,
        label=comment(group.factor),
        formula=comment(group.columns),
        q=q,
        columns=columns,
        covariance=row.template,
        priors={block: found[name] for block, name in blocks.items() if name in found},
        scalar=group.covariance.kind == "scalar",
        lower=row.correlated,
        order=order,
        rank=f"Q_{group.id}" if rank == q else str(rank),
        effect=effect_name(group),
        sizes=tuple((p.name, _size(p, group)) for p in row.parameters),
        relationship="" if related is None else f"relationships/{related.form}",
        centred=group.parameterisation.centred,
        signs=tuple("+" if sign > 0 else "-" for sign in group.factor.signs),
    )


def _size(parameter: Parameter, group: Group) -> str | None:
    q = len(group.columns.names)
    n = parameter.size(q, group.covariance.order)
    return None if parameter.shape != "vector" else f"Q_{group.id}" if n == q else str(n)


def group_components(view: GroupView, group: Group) -> tuple[Component, ...]:
    shape = "vector" if view.scalar else "matrix"
    how = group.parameterisation
    way = "moved" if how.moved else "centred" if how.centred else "noncentred"
    related = [view.relationship] if view.relationship else []
    way = f"related_{way}" if related else way
    templates = [view.columns, view.covariance, *related, f"effects/{way}_{shape}"]
    if way == "moved":
        templates += ["effects/mean_columns"] if view.x else []
        templates += ["effects/mean_parents"] if view.parents else []
    return tuple(Component(t, view) for t in templates)


def functions_of(group: Group) -> tuple[str, ...]:
    """The templates of the Stan functions that a term needs."""
    related, how = group.factor.relationship, group.parameterisation
    recursive = related is not None and related.form == "recursion"
    sampled = not (group.integrated or how.centred)
    shape = "" if group.covariance.kind == "scalar" else "_matrix"
    inherited = (f"functions/inherited{shape}",) if recursive and sampled else ()
    return (*COVARIANCES[group.covariance.kind].functions, *inherited)


def effect_name(group: Group) -> str:
    """The Stan name of what a term adds to the predictor."""
    return f"{'m' if group.parameterisation.moved else 'b'}_{group.id}"


def terms(graph: ModelGraph, groups: tuple[GroupView, ...]) -> tuple[Component, ...]:
    """The parts of the predictor besides the population's columns."""
    offsets = [Component("columns/offset", graph.mean)] if graph.population.offsets else []
    return (*offsets, *(Component(g.columns, g) for g in groups))


def texts(priors: tuple[Prior, ...], *blocks: str) -> dict[str, PriorText]:
    return prior_texts(p for p in priors if p.block in blocks)


def comment(node: object, longest: int = 60) -> str:
    """Formula text that is safe in a ``//`` comment: one line, printable, not endless."""
    text = "".join(c if c.isprintable() else " " for c in str(node))
    return text if len(text) <= longest else text[: longest - 1] + "…"
