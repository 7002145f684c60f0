"""Collapsed programs of independent errors: only sums over the rows are left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate

from mix2stan.elimination import Elimination, elimination, is_rotated
from mix2stan.graph import Group, ModelGraph, Residual
from mix2stan.plan.known import known_parts
from mix2stan.plan.parts import (
    Component,
    GroupView,
    Part,
    comment,
    group_components,
    group_view,
    terms,
    texts,
)
from mix2stan.priors.text import PriorText
from mix2stan.residual_views import errors_view
from mix2stan.residuals import known_errors

__all__ = ["BlockView", "CollapsedView", "collapsed", "collapsed_view", "dense_parts"]


@dataclass(frozen=True)
class BlockView:
    """What the template of the block, the factor eliminated level by level, sees.

    ``id``, ``index`` (the array of the rows' levels), ``label`` and ``J`` (its number of levels) are
    those of the first of its terms; ``q`` counts
    the effects of all.  ``w`` and ``d`` are the name and the number of the columns that are integrated
    out after it, empty if there are none; ``known`` are the errors' sds by which rows are divided, if
    they differ; ``rows`` is whether the program has rows, and ``mark`` tells its quantities from those
    of another.
    """

    id: str
    index: str
    label: str
    J: str
    terms: tuple[GroupView, ...]
    names: tuple[str, ...]
    w: str
    d: str
    known: str
    rows: bool
    mark: str = ""

    @property
    def q(self) -> int:
        return len(self.names)

    @property
    def places(self) -> tuple[tuple[GroupView, int, int], ...]:
        """Every term with its first and its last effect, from 1."""
        ends = accumulate(term.q for term in self.terms)
        return tuple((t, end - t.q + 1, end) for t, end in zip(self.terms, ends, strict=True))

    def plus(self, name: str) -> str:
        """What stands between the terms of a sum over effects: a new statement where it gets long."""
        return " + " if self.q < 3 else f";\n{name} += "

    def _place(self, k: int) -> tuple[GroupView, int]:
        """The term that has effect k, and which of its effects that is, from 1."""
        for term in self.terms:
            if k <= term.q:
                return term, k
            k -= term.q
        raise IndexError(k)

    def root(self, k: int, m: int) -> str:
        """Element k, m of the root A of the covariance; empty where it is zero."""
        (term, i), (other, j) = self._place(k), self._place(m)
        if term is not other or (i != j and not (term.lower and i > j)):
            return ""
        return f"A_{term.id}" if term.scalar else f"A_{term.id}[{i}, {j}]"

    def column(self, k: int) -> str:
        """The design column of effect k; empty for one of ones."""
        ones = self.names[k - 1] == "(Intercept)" and not self.known
        return "" if ones else f"Z_{self.id}_{k}"

    def target(self, k: int) -> str:
        """Where the draws of effect k go."""
        term, i = self._place(k)
        return f"b_{term.id}" if term.scalar else f"b_{term.id}[ : , {i}]"


@dataclass(frozen=True)
class CollapsedView:
    """What the templates of a collapsed response see.

    ``integrated`` says in words what is integrated out; the factors ``above`` are eliminated after the
    block, level by level too.  ``w`` and ``d`` are the name and the number of
    the columns of that, besides the block: ``Q`` for the population's alone, ``W`` with those of
    ``dense`` terms, ``scaled`` if these were divided by their lengths.  ``scale`` is how their effects
    are made from standard normals: by scales ``s``, or by a root ``F`` of their covariance.
    ``known`` is the formula of the errors' sds over sigma, known ones, by which rows are divided; empty
    for errors of one variance.  ``sampled`` are the terms that stay in the predictor; then the program
    has ``rows``.  ``normal`` is whether the prior of the coefficients is normal (it is flat otherwise),
    ``heavy`` whether that of the intercept is Student's t, and ``log_det`` the part of the log density
    that their variance has (none where they are profiled: maximum likelihood).
    """

    response: str
    formula: str
    population: bool
    terms: tuple[Component, ...]
    block: BlockView | None
    above: tuple[BlockView, ...]
    dense: tuple[GroupView, ...]
    sampled: tuple[Component, ...]
    integrated: str
    scaled: bool
    known: str
    normal: bool
    heavy: bool
    profiled: bool
    priors: dict[str, PriorText]

    @property
    def rows(self) -> bool:
        return bool(self.sampled)

    @property
    def predictor(self) -> tuple[Component, ...]:
        return self.terms

    @property
    def w(self) -> str:
        return "W" if self.dense else "Q"

    @property
    def d(self) -> str:
        if self.dense:
            return "D"
        return "K" if self.population else ""

    @property
    def width(self) -> str:
        """The number of columns of the response and of those integrated out after all levels."""
        return f"{self.d} + 1" if self.d else "1"

    @property
    def scale(self) -> str:
        if not self.dense:
            return ""
        return "F" if any(g.lower for g in self.dense) else "s"

    @property
    def dense_names(self) -> str:
        return ", ".join(g.label for g in self.dense)

    @property
    def integrated_terms(self) -> tuple[GroupView, ...]:
        blocks = (self.block, *self.above) if self.block else ()
        return (*self.dense, *(term for block in blocks for term in block.terms))

    @property
    def log_det(self) -> str:
        if not self.profiled:
            return " - sum(log(diagonal(L_P)))"
        return " - sum(log(diagonal(L_P)[ : E]))" if self.dense else ""


def collapsed(graph: ModelGraph) -> list[Part]:
    """Coefficients and effects integrated out, as far as the strategy pass found it possible."""
    parts = elimination(graph.groups)
    view = collapsed_view(graph, parts)
    response = [Component("collapsed/response", view)]
    response += [Component("collapsed/prior_normal", view)] if view.normal else []
    plan = [Part(tuple(response))]
    if view.block:
        block = [Component("collapsed/levels", view.block)]
        block += [c for g in view.block.terms for c in _integrated(g)]
        plan.append(Part(tuple(block)))
    plan += dense_parts(view)
    plan += [Part(group_components(group_view(g, graph.priors), g)) for g in parts.sampled]
    known = known_parts(graph)
    plan += known or [Part((Component("residuals/homoscedastic", view),))]
    needs_sums = view.block and (view.dense or view.rows)
    functions = ["functions/group_sums"] if needs_sums else []
    functions += ["functions/with_root"] if view.scale == "F" else []
    # a function may call those before it
    return [*(Part((Component(f, None),)) for f in functions), *plan]


def dense_parts(view: CollapsedView) -> list[Part]:
    """The dense terms, a paragraph each."""
    return [Part((Component("collapsed/dense", g), *_integrated(g))) for g in view.dense]


def _integrated(view: GroupView) -> tuple[Component, ...]:
    """The covariance of a term's effects, and what they are made from if it is not theirs."""
    root = (Component("relationships/rotated", view),) if view.rotated else ()
    return (Component(view.covariance, view), *root)


def collapsed_view(graph: ModelGraph, parts: Elimination) -> CollapsedView:
    """The view of a model whose terms are eliminated in these parts."""
    population = bool(graph.population.columns.names)
    known = graph.residual if known_errors(graph.residual) else Residual()
    errors = errors_view(known, graph.priors)
    dense: list[GroupView] = []
    start = "1"
    for group in parts.dense:
        one = replace(group_view(group, graph.priors), rotated=is_rotated(group, parts))
        effects = f"J_{one.id}" if one.scalar else f"J_{one.id} * Q_{one.id}"
        stop = effects if start == "1" else f"{start[:-4]} + {effects}"
        dense.append(replace(one, range=f"{start} : {stop}"))
        start = f"{stop} + 1"
    everything = tuple(group_view(g, graph.priors) for g in graph.groups)
    sampled_ids = {g.id for g in parts.sampled}
    sampled = tuple(g for g in everything if g.id in sampled_ids)
    drawn = [g for g in everything if g.id not in sampled_ids]
    names = [*(["beta"] if population else []), *(f"b_{g.id}" for g in drawn)]
    integrated = " and ".join(names) + (" are" if len(names) > 1 else " is")
    view = CollapsedView(
        response=comment(graph.response.expression),
        formula=comment(graph.population.columns),
        population=population,
        terms=terms(graph, everything),
        block=None,
        above=(),
        dense=tuple(dense),
        sampled=tuple(Component(g.columns, g) for g in sampled),
        integrated=integrated,
        scaled=any(not g.columns.intercept_only for g in parts.dense),
        known=" * ".join(v.formula for v in errors.variances),
        normal=any(p.density != "flat" for p in graph.priors if p.block in ("intercept", "beta")),
        heavy=any(p.density == "student_t" for p in graph.priors if p.block == "intercept"),
        profiled=graph.strategy.kind == "profiled",
        priors=texts(graph.priors, "sigma"),
    )
    blocks = tuple(_block(graph, terms, view, i, parts) for i, terms in enumerate(parts.chain))
    return replace(view, block=blocks[0], above=blocks[1:]) if blocks else view


def _block(
    graph: ModelGraph,
    groups: tuple[Group, ...],
    view: CollapsedView,
    place: int,
    parts: Elimination,
) -> BlockView:
    views = tuple(
        replace(group_view(g, graph.priors), rotated=is_rotated(g, parts)) for g in groups
    )
    return BlockView(
        id=views[0].id,
        index=views[0].index,
        label=views[0].label,
        J=f"J_{views[0].id}",
        terms=views,
        names=tuple(name for g in groups for name in g.columns.names),
        w=view.w,
        d=view.d,
        known=view.known,
        rows=view.rows,
        mark=str(place + 1) if place else "",
    )
