"""Programs of structured errors: collapsed, the rows made independent first, or direct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mix2stan.graph import ModelGraph
from mix2stan.plan.parts import Component, GroupView, Part, comment, group_view, terms, texts
from mix2stan.prior_text import PriorText
from mix2stan.residual_views import ErrorsView, errors_view

if TYPE_CHECKING:
    from mix2stan.plan.sampled import ModelView

__all__ = ["StructuredView", "WhitenedModel", "WhitenedView", "structured", "whitened"]


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


def whitened(graph: ModelGraph) -> list[Part]:
    """Effects and coefficients integrated out, the rows made independent first."""
    view = _view(graph)
    model, errors = view.model, view.errors
    response = [Component("collapsed/whitened", view)]
    response += [Component("collapsed/prior_normal", model)] if model.normal else []
    parts = [Part(tuple(response))]
    parts += [Part((Component(g.covariance, g),)) for g in model.groups]
    parts += [Part((Component("residuals/homoscedastic", model),))]
    return [*parts, *error_parts(view, errors)]


def _view(graph: ModelGraph) -> WhitenedView:
    population = bool(graph.population.columns.names)
    groups = tuple(group_view(g, graph.priors) for g in graph.groups)
    names = [*(["beta"] if population else []), *(f"b_{g.id}" for g in groups)]
    model = WhitenedModel(
        response=comment(graph.response.expression),
        formula=comment(graph.population.columns),
        population=population,
        predictor=terms(graph, groups),
        groups=groups,
        integrated=" and ".join(names) + (" are" if len(names) > 1 else " is"),
        normal=any(p.density != "flat" for p in graph.priors if p.block in ("intercept", "beta")),
        profiled=graph.strategy.kind == "profiled",
        priors=texts(graph.priors, "sigma"),
    )
    return WhitenedView.of(model, errors_view(graph.residual, graph.priors))


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
