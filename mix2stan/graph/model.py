"""The whole model, and how it is computed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mix2stan.errors import visible
from mix2stan.graph.errors import Residual
from mix2stan.graph.priors import CallPrior, Prior, ScaledPrior, StatedPrior
from mix2stan.graph.response import Response
from mix2stan.graph.terms import Columns, Group, Population, Predictor
from mix2stan.syntax import Name, Node

__all__ = ["ITSELF", "Member", "ModelGraph", "Strategy", "joined", "note", "warn"]

#: R's remark on a response among its own predictors.
ITSELF = "the response appeared on the right-hand side and was dropped: {}"


@dataclass(frozen=True)
class Strategy:
    """How the posterior is computed; never what it is.

    ``kind`` is ``noncentred`` (effects are sampled as standard normals), ``centred`` (each term as
    its parameterisation says), ``joint`` (non-centred, constants kept), ``collapsed`` (the
    coefficients, and the effects of those terms that say so, are integrated out and drawn exactly
    afterwards), ``profiled`` (collapsed, the coefficients at their maximum: maximum likelihood) or
    ``latent`` (the predictor is sampled as the response of a Gaussian model, which is collapsed;
    ``errors`` identifies the term whose effects, one per row, are its errors);
    ``reason`` says why in words.  ``pooled`` says that equal observations are summed.
    """

    kind: str = "noncentred"
    reason: str = ""
    pooled: bool = False
    errors: str = ""

    @property
    def samples_effects(self) -> bool:
        """Whether the effects are parameters of the program."""
        return self.kind in ("noncentred", "centred", "joint")


@dataclass(frozen=True)
class Member:
    """One of several responses with a distribution of its own, and its model.

    ``name`` is a Stan identifier: it ends the names of all that is its own.  The model is whole; of a
    term that responses have in common each has all the columns, and says which are its own.
    """

    name: str
    graph: ModelGraph

    def own(self, name: str) -> str:
        """What a Stan name of its model is called among all."""
        return f"{name}_{self.name}"

    def row(self, name: str) -> str:
        """What a row of a table of its model is called in one of all."""
        return f"{self.name}.{name}"


@dataclass(frozen=True)
class ModelGraph:
    """A whole model.

    ``population`` is that of the mean and ``predictors`` are the further ones, each of a parameter
    that would be one number without; ``groups`` are the terms of all of them. ``call`` is the R
    call it came from, for headers; ``notes`` are remarks for the user that the passes leave on
    their way, in order, ``warnings`` those among them that nobody should miss, as where the same text
    is another model in R, and ``unsaid`` what to warn of if nobody says which priors are wanted.
    ``prior`` is what MCMCglmm's call says of priors, ``stated`` what brms' does and ``scaled`` what
    rstanarm's does;
    ``defaults`` is the set of priors of the package it came from, on which those that the call has
    stand, and ``own`` whether it has any.  ``apart`` is whether sigma has a predictor for its prior's
    sake alone, and would have variance functions under another.
    With ``members`` it is a model of several responses, and nothing else but their names, the call and
    the notes is said here.
    """

    response: Response
    population: Population
    groups: tuple[Group, ...] = ()
    residual: Residual = field(default=Residual())
    priors: tuple[Prior, ...] = field(default=(), compare=False)
    call: str = field(default="", compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)
    unsaid: str = field(default="", compare=False)
    strategy: Strategy = field(default=Strategy(), compare=False)
    predictors: tuple[Predictor, ...] = ()
    prior: CallPrior | None = field(default=None, compare=False)
    stated: tuple[StatedPrior, ...] = field(default=(), compare=False)
    scaled: tuple[ScaledPrior, ...] = field(default=(), compare=False)
    defaults: str = field(default="", compare=False)
    own: bool = field(default=False, compare=False)
    apart: bool = field(default=False, compare=False)
    members: tuple[Member, ...] = ()

    def __str__(self) -> str:
        if self.members:
            return "\n".join(str(member.graph) for member in self.members)
        lines = [f"{self.response} ~ {self.population}"]
        lines += [f"  + {g}" for g in self.groups_of("")]
        for predictor in self.predictors:
            lines += [f"  {predictor}"]
            lines += [f"    + {g}" for g in self.groups_of(predictor.parameter)]
        return "\n".join([*lines, *([] if self.residual.plain else [f"  errors {self.residual}"])])

    @property
    def mean(self) -> Predictor:
        """The predictor of the mean."""
        return Predictor("", self.response.link, self.population)

    @property
    def every_predictor(self) -> tuple[Predictor, ...]:
        """All predictors, that of the mean first."""
        return (self.mean, *self.predictors)

    @property
    def shared_columns(self) -> Columns:
        """The population's columns: those of the mean, or of every category where it has none."""
        alone = self.predictors and not self.population.columns.names
        return self.predictors[0].population.columns if alone else self.population.columns

    def groups_of(self, parameter: str) -> tuple[Group, ...]:
        """The group terms of one predictor, of the mean's where the parameter is empty.

        One that is shared is of the first of its predictors.
        """
        return tuple(g for g in self.groups if g.owner == parameter)

    def groups_in(self, parameter: str) -> tuple[Group, ...]:
        """The group terms with columns in a predictor, those among them that are shared too."""
        return tuple(g for g in self.groups if parameter in g.parameters)

    @property
    def groups_elsewhere(self) -> tuple[Group, ...]:
        """The group terms with columns in other predictors than the mean's."""
        return tuple(g for g in self.groups if g.parameters != ("",))

    def formulas(self) -> tuple[Node, ...]:
        """All design formulas, population first, that of the log standard deviation last."""
        populations = (p.population.columns for p in self.every_predictor)
        parts = (*populations, *(g.columns for g in self.groups))
        last = () if self.residual.dispersion is None else (self.residual.dispersion,)
        return (*(f for part in parts for f in part.formulas), *last)


def joined(members: tuple[Member, ...], call: str = "") -> ModelGraph:
    """The model of several responses with distributions of their own."""
    words = Name(", ".join(str(m.graph.response.expression) for m in members))
    return ModelGraph(Response(words), Population(Columns(())), members=members, call=call)


def note(graph: ModelGraph, *remarks: str) -> ModelGraph:
    """The graph with further remarks for the user."""
    return replace(graph, notes=(*graph.notes, *map(visible, remarks)))


def warn(graph: ModelGraph, *remarks: str) -> ModelGraph:
    """The graph with further remarks that nobody should miss."""
    return replace(note(graph, *remarks), warnings=(*graph.warnings, *map(visible, remarks)))
