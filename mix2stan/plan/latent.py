"""Programs that sample the predictor, as a Gaussian response: the rest is integrated out given it."""

from __future__ import annotations

from dataclasses import dataclass

from mix2stan.elimination import elimination
from mix2stan.graph import ModelGraph
from mix2stan.latent import error_term, underlying
from mix2stan.plan.collapsed import CollapsedView, collapsed_view, dense_parts
from mix2stan.plan.known import known_parts
from mix2stan.plan.parts import Component, GroupView, Part, group_view
from mix2stan.plan.predictors import predictor_view
from mix2stan.plan.sampled import (
    family_of,
    function_parts,
    parameter_parts,
    response_components,
    response_view,
)
from mix2stan.plan.whitened import Stage, stage_parts, stages_of, sum_functions

__all__ = ["LatentView", "latent"]


@dataclass(frozen=True)
class LatentView:
    """What the templates of a sampled predictor see.

    ``term`` is the one whose effects are its errors, ``model`` the Gaussian model of the predictor,
    and ``stages`` are its factors, eliminated level by level.
    """

    model: CollapsedView
    stages: tuple[Stage, ...]
    term: GroupView

    @property
    def width(self) -> str:
        return self.model.width

    @property
    def sd(self) -> str:
        """The standard deviation of the errors."""
        return f"sd_{self.term.id}"


def latent(graph: ModelGraph) -> list[Part]:
    """The predictor sampled; coefficients and the effects of the other terms integrated out."""
    term, below = error_term(graph), underlying(graph)
    family, _ = family_of(graph)
    view = response_view(graph, predictor_view(graph, graph.mean), None)
    parts = elimination(below.groups, below.residual)
    model = collapsed_view(below, parts)
    stages = stages_of((model.block, *model.above) if model.block else ())
    subject = LatentView(model, stages, group_view(term, graph.priors))
    response = response_components(graph, view)
    gaussian = [Component("latent/response", subject)]
    gaussian += [Component("collapsed/prior_normal", model)] if model.normal else []
    own = subject.term
    templates = (own.columns, own.covariance, "latent/effects")
    plan = [
        Part(tuple(response)),
        *(Part((offset,)) for offset in view.offsets),
        Part(tuple(Component(t, own) for t in templates)),
        Part(tuple(gaussian)),
    ]
    plan += stage_parts(stages, "latent/sums")
    plan += [*dense_parts(model), *sum_functions(model)]
    plan += [*parameter_parts(graph, family), *known_parts(graph)]
    return [*plan, *function_parts(graph, family)]
