"""Programs of structured errors: collapsed, the rows made independent first, or direct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mix2stan.elimination import elimination
from mix2stan.graph import ModelGraph
from mix2stan.plan.collapsed import BlockView, CollapsedView, collapsed_view, dense_parts
from mix2stan.plan.parts import Component, Part
from mix2stan.residual_views import ErrorsView, errors_view

if TYPE_CHECKING:
    from mix2stan.plan.sampled import ModelView

__all__ = ["StructuredView", "WhitenedView", "structured", "whitened"]


@dataclass(frozen=True)
class WhitenedView:
    """What the templates of a collapsed program with structured errors see.

    ``rows`` of the program are [r Q Z], or [r Z Q Z] with dense terms, the block's columns last;
    ``width`` is the number of those before them, ``columns`` of all, as Stan has them, and ``content``
    says what they are.
    """

    model: CollapsedView
    errors: ErrorsView

    @property
    def block(self) -> BlockView | None:
        return self.model.block

    @property
    def width(self) -> str:
        return f"{self.model.d} + 1" if self.model.d else "1"

    @property
    def columns(self) -> str:
        return self.place(self.block.q if self.block else 0)

    @property
    def content(self) -> str:
        parts = ["r" if self.model.population else "y"]
        parts += [f"Z_{g.id}" for g in self.model.dense]
        parts += ["Q"] if self.model.population else []
        parts += [f"Z_{g.id}" for g in self.block.terms] if self.block else []
        says = ", r = y - Q theta_hat" if self.model.population else ""
        return f"[{' '.join(parts)}]{says}"

    def place(self, k: int) -> str:
        """The column of the rows at which column k of the block stands."""
        return f"{self.model.d} + {k + 1}" if self.model.d else f"{k + 1}"


@dataclass(frozen=True)
class StructuredView:
    """What the templates of a direct program with structured errors see.

    ``likelihood`` is the statement about the response, or about the independent errors w.
    """

    model: ModelView
    errors: ErrorsView
    likelihood: str

    @classmethod
    def of(cls, model: ModelView, errors: ErrorsView, constants: bool) -> StructuredView:
        """The view; whether the constants of the density are kept."""
        what, about = ("w", "0, sigma") if errors.correlated else ("y", "mu, sigma * d")
        kept = f"target += normal_lpdf({what} | {about});"
        return cls(model, errors, kept if constants else f"{what} ~ normal({about});")


def whitened(graph: ModelGraph) -> list[Part]:
    """Effects and coefficients integrated out, the rows made independent first."""
    parts = elimination(graph.groups, graph.residual.correlation)
    model = collapsed_view(graph, parts)
    view = WhitenedView(model, errors_view(graph.residual, graph.priors))
    response = [Component("collapsed/whitened", view)]
    response += [Component("collapsed/prior_normal", model)] if model.normal else []
    plan = [Part(tuple(response))]
    if model.block:
        block = [Component("collapsed/whitened_block", model.block)]
        block += [Component(g.covariance, g) for g in model.block.terms]
        plan.append(Part(tuple(block)))
    plan += dense_parts(model)
    plan.append(Part((Component("residuals/homoscedastic", model),)))
    functions = ["functions/group_sums"] if model.block else []
    functions += ["functions/with_root"] if model.scale == "F" else []
    plan += [Part((Component(f, None),)) for f in functions]
    return [*plan, *error_parts(view, view.errors)]


def structured(view: StructuredView) -> tuple[list[Component], list[Part]]:
    """The response, and the further parts, of a program whose errors have a structure."""
    errors = view.errors
    likelihood = ["residuals/multiplier"] if errors.multiplier else []
    likelihood += ["residuals/whitened" if errors.correlated else "residuals/independent"]
    response = [Component(t, view) for t in ("residuals/response", *likelihood)]
    return response, error_parts(view, errors)


def error_parts(view: WhitenedView | StructuredView, errors: ErrorsView) -> list[Part]:
    """The data and the parameters of the errors: variance functions, and the correlation."""
    structure: list[str] = []
    if errors.correlated:
        own = [errors.matrix] if errors.matrix else []
        structure = [errors.whitening, *own, "residuals/correlated"]
    parts = [["residuals/variances"] if errors.multiplier else [], structure]
    return [Part(tuple(Component(t, view) for t in part)) for part in parts if part]
