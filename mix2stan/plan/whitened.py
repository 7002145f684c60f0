"""Programs of structured errors: collapsed, the rows made independent first, or direct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mix2stan.elimination import elimination
from mix2stan.graph import ModelGraph
from mix2stan.plan.collapsed import BlockView, CollapsedView, collapsed_view, dense_parts
from mix2stan.plan.known import known_parts
from mix2stan.plan.layers import LayerView, layer_parts, layer_views
from mix2stan.plan.parts import Component, Part
from mix2stan.residual_views import ErrorsView, errors_view

if TYPE_CHECKING:
    from mix2stan.plan.sampled import ModelView

__all__ = [
    "Stage",
    "StructuredView",
    "WhitenedView",
    "stage_parts",
    "stages_of",
    "structured",
    "sum_functions",
    "whitened",
]


@dataclass(frozen=True)
class Stage:
    """A factor that is eliminated level by level once those within its levels are gone.

    Its sums are of its own columns and of those it carries, the ones of the factors above it:
    ``n`` in all.  ``below`` is the stage before it, ``holders`` the identifier, the number of levels
    and the name of each factor above it, and ``carried`` their effects, a text per column.
    ``columns`` are the names of its columns, then of those it carries, empty for one of ones.
    """

    block: BlockView
    below: Stage | None
    n: int
    holders: tuple[tuple[str, str, str], ...]
    carried: tuple[str, ...]
    columns: tuple[str, ...]


def stages_of(chain: tuple[BlockView, ...]) -> tuple[Stage, ...]:
    """The stages of a chain of factors, the finest first."""
    stages: list[Stage] = []
    for i, block in enumerate(chain):
        above = chain[i + 1 :]
        carried = []
        for other in above:
            level = f"{other.id}_of_{block.id}"
            for k in range(1, other.q + 1):
                # b_a, or b_a[ : , k] of the level
                effect, *column = other.target(k).split("[ : ")
                carried.append(f"{effect}[{level}{''.join(column) or ']'}")
        holders = tuple((o.id, o.J, o.label) for o in above)
        below = stages[-1] if stages else None
        columns = tuple(b.column(k) for b in (block, *above) for k in range(1, b.q + 1))
        n = block.q + len(carried)
        stages.append(Stage(block, below, n, holders, tuple(carried), columns))
    return tuple(stages)


@dataclass(frozen=True)
class WhitenedView:
    """What the templates of a collapsed program with structured errors see.

    The ``rows`` of the program are [r Z Q Z]: Z of the dense terms, then of the ``stages``.  ``width``
    is the number of columns before these, ``columns`` of all, as Stan has them, and ``content`` says
    what they are.  ``layers`` are the responses whose r is not all data.
    """

    model: CollapsedView
    errors: ErrorsView
    stages: tuple[Stage, ...]
    layers: tuple[LayerView, ...] = ()

    @property
    def width(self) -> str:
        return self.model.width

    @property
    def columns(self) -> str:
        return self.place(sum(stage.block.q for stage in self.stages))

    @property
    def content(self) -> str:
        parts = ["r" if self.model.population else "y"]
        parts += [f"Z_{g.id}" for g in self.model.dense]
        parts += ["Q"] if self.model.population else []
        parts += [f"Z_{g.id}" for stage in self.stages for g in stage.block.terms]
        says = ", r = y - Q theta_hat" if self.model.population else ""
        return f"[{' '.join(parts)}]{says}"

    def place(self, k: int) -> str:
        """The column of the rows at which column k of the stages stands."""
        return f"{self.model.d} + {k + 1}" if self.model.d else f"{k + 1}"


@dataclass(frozen=True)
class StructuredView:
    """What the templates of a direct program with structured errors see.

    ``likelihood`` is the statement about the response, or about the independent errors w.
    """

    model: ModelView
    errors: ErrorsView
    likelihood: str
    layers: tuple[LayerView, ...] = ()

    @property
    def y(self) -> str:
        """The name of the Gaussian responses of all rows."""
        return "l" if self.layers else "y"

    @classmethod
    def of(cls, model: ModelView, errors: ErrorsView, graph: ModelGraph) -> StructuredView:
        """The view of a model."""
        layers = layer_views(graph)
        y = "l" if layers else "y"
        what, about = ("w", "0, sigma") if errors.correlated else (y, "mu, sigma * d")
        kept = f"target += normal_lpdf({what} | {about});"
        constants = graph.strategy.kind == "joint"
        text = kept if constants else f"{what} ~ normal({about});"
        return cls(model, errors, text, layers)


def whitened(graph: ModelGraph) -> list[Part]:
    """Effects and coefficients integrated out, the rows made independent first."""
    parts = elimination(graph.groups, graph.residual)
    model = collapsed_view(graph, parts)
    stages = stages_of((model.block, *model.above) if model.block else ())
    layers = layer_views(graph)
    view = WhitenedView(model, errors_view(graph.residual, graph.priors), stages, layers)
    response = [Component("collapsed/whitened", view)]
    response += [Component("collapsed/prior_normal", model)] if model.normal else []
    plan = [Part(tuple(response))]
    plan += stage_parts(stages, "collapsed/whitened_block")
    plan += dense_parts(model)
    plan += known_parts(graph) or [Part((Component("residuals/homoscedastic", model),))]
    plan += sum_functions(model)
    return [*plan, *error_parts(view, view.errors), *layer_parts(layers)]


def stage_parts(stages: tuple[Stage, ...], first: str) -> list[Part]:
    """The factors that are eliminated level by level; ``first`` is the template of the finest."""
    templates = [first, *["collapsed/whitened_block"] * len(stages[1:])]
    return [
        Part((Component(t, stage), *(Component(g.covariance, g) for g in stage.block.terms)))
        for t, stage in zip(templates, stages, strict=False)
    ]


def sum_functions(model: CollapsedView) -> list[Part]:
    """The Stan functions of sums over levels, and of roots of dense terms."""
    functions = ["functions/group_sums"] if model.block else []
    functions += ["functions/with_root"] if model.scale == "F" else []
    return [Part((Component(f, None),)) for f in functions]


def structured(view: StructuredView) -> tuple[list[Component], list[Part]]:
    """The response, and the further parts, of a program whose errors have a structure."""
    errors = view.errors
    likelihood = ["residuals/multiplier"] if errors.multiplier else []
    likelihood += ["residuals/whitened" if errors.correlated else "residuals/independent"]
    response = [Component(t, view) for t in ("residuals/response", *likelihood)]
    return response, [*error_parts(view, errors), *layer_parts(view.layers)]


def error_parts(view: WhitenedView | StructuredView, errors: ErrorsView) -> list[Part]:
    """The data and the parameters of the errors: variance functions, and the correlation."""
    structure: list[str] = []
    if errors.correlated:
        own = [errors.matrix] if errors.matrix else []
        structure = [errors.whitening, *own, "residuals/correlated"]
    parts = [["residuals/variances"] if errors.multiplier else [], structure]
    return [Part(tuple(Component(t, view) for t in part)) for part in parts if part]
