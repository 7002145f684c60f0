"""The user's names for what a program calls by number: dims and coordinates of its variables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from mix2stan.covariances import COVARIANCES, constants_of
from mix2stan.families import single_parameters, threshold_labels
from mix2stan.graph import Group, ModelGraph, term_labels
from mix2stan.matrices import Data
from mix2stan.residuals import error_blocks, reported

__all__ = ["GroupLabels", "Labels", "dims_of", "labels_of"]


def dims_of(term: str) -> tuple[str, str]:
    """The dimensions of the levels and of the coefficients of a term, by its Stan identifier."""
    return f"{term}_level", f"{term}_effect"


@dataclass(frozen=True)
class GroupLabels:
    """One group term: its Stan identifier, factor, covariance structure, levels, coefficients.

    ``owner`` is the parameter whose predictor it is of, empty for the mean's. ``known_sds`` are
    standard deviations that are not drawn; ``further`` are the parameters besides standard
    deviations and correlations: the Stan name, and the labels of its elements, none for a single
    number.  ``label`` is what the identifier was made of, by R's names.
    """

    id: str
    factor: str
    covariance: str
    levels: tuple[str, ...]
    coefficients: tuple[str, ...]
    known_sds: tuple[float, ...] = ()
    owner: str = ""
    further: tuple[tuple[str, tuple[str, ...]], ...] = ()
    label: str = ""

    def in_r_names(self, variable: str, row: str) -> str:
        """The row of a table by R's name of the term, itself if the variable is not of it.

        >>> group = GroupLabels("a_b", "a.b", "scalar", (), (), label="a.b")
        >>> group.in_r_names("sd_a_b", "sd_a_b[x]")
        'sd_a.b[x]'
        """
        own = {f"{word}_{self.id}" for word in ("b", "sd", "R")}
        if not self.label or variable not in own | {name for name, _ in self.further}:
            return row
        word = variable.removesuffix(f"_{self.id}").replace("R", "cor")
        return f"{word}_{self.label}{row.removeprefix(f'{word}_{self.id}')}"

    @property
    def correlated(self) -> bool:
        """Whether its draws have a correlation matrix."""
        return COVARIANCES[self.covariance].correlated

    @property
    def sds(self) -> str:
        """Where its standard deviations are: ``one``, ``each`` or ``known``."""
        return COVARIANCES[self.covariance].sds

    @property
    def dims(self) -> tuple[str, str]:
        """Names of the dimensions of levels and of coefficients."""
        return dims_of(self.id)


@dataclass(frozen=True)
class Labels:
    """All names of one model; it goes with the draws, so a saved fit can still be read.

    Attributes:
        call: the R call.
        response: the left side.
        coefficients: R's names of the population columns.
        groups: the group terms, in order.
        observations: number of rows.
        priors: the prior of every element, in words.
        errors: thresholds, and the parameters of structured errors, by Stan name, with the labels of
            their elements.
        family: the distribution of the response, and ``parameters`` what it has besides its mean that
            is one number.
        predictors: the parameters that have a predictor, each with the names of its columns.
        traits: the names of several responses.
        known_errors: the standard deviations of their errors that are known, the reference first.
    """

    call: str
    response: str
    coefficients: tuple[str, ...]
    groups: tuple[GroupLabels, ...]
    observations: int
    priors: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[tuple[str, tuple[str, ...]], ...] = ()
    family: str = "gaussian"
    parameters: tuple[str, ...] = ("sigma",)
    predictors: tuple[tuple[str, tuple[str, ...]], ...] = ()
    traits: tuple[str, ...] = ()
    known_errors: tuple[tuple[str, float], ...] = ()

    def dims(self) -> dict[str, tuple[str, ...]]:
        """The dimensions of every Stan variable that has any."""
        dims: dict[str, tuple[str, ...]] = {"beta": ("coefficient",)}
        dims |= {f"beta_{p}": (f"{p}_coefficient",) for p, names in self.predictors if names}
        for g in self.groups:
            level, effect = g.dims
            single = g.covariance == "scalar"
            dims[f"b_{g.id}"] = (level,) if single else (level, effect)
            if g.sds == "each":
                dims[f"sd_{g.id}"] = (effect,)
            if g.correlated:
                dims[f"R_{g.id}"] = (effect, f"{effect}_2")
            dims |= {name: (f"{name}_element",) for name, labels in g.further if labels}
        for name, labels in self.errors:
            if labels:
                inner = f"{name}_element"
                dims[name] = (inner, f"{inner}_2") if name == "cor_R" else (inner,)
        return dims

    def coords(self) -> dict[str, tuple[str, ...]]:
        """The labels along every dimension."""
        coords = {"coefficient": self.coefficients}
        coords |= {f"{p}_coefficient": names for p, names in self.predictors if names}
        for g in self.groups:
            level, effect = g.dims
            coords[level] = g.levels
            if g.covariance != "scalar":
                coords[effect] = g.coefficients
            if g.correlated:
                coords[f"{effect}_2"] = g.coefficients
            coords |= {f"{name}_element": labels for name, labels in g.further if labels}
        for name, labels in self.errors:
            coords |= {f"{name}_element": labels} if labels else {}
            coords |= {f"{name}_element_2": labels} if name == "cor_R" else {}
        return coords

    def to_json(self) -> str:
        """As text, for a file or an attribute."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Labels:
        """The inverse of :meth:`to_json`.

        Raises:
            KeyError, TypeError, ValueError: if the text is not that of labels.
        """
        raw = json.loads(text)
        groups = tuple(
            GroupLabels(
                g["id"],
                g["factor"],
                g["covariance"],
                tuple(g["levels"]),
                tuple(g["coefficients"]),
                tuple(g["known_sds"]),
                g["owner"],
                tuple((name, tuple(labels)) for name, labels in g["further"]),
                # files of before have none
                g.get("label", ""),
            )
            for g in raw["groups"]
        )
        return cls(
            raw["call"],
            raw["response"],
            tuple(raw["coefficients"]),
            groups,
            raw["observations"],
            raw["priors"],
            tuple((name, tuple(labels)) for name, labels in raw["errors"]),
            raw["family"],
            tuple(raw["parameters"]),
            tuple((name, tuple(names)) for name, names in raw["predictors"]),
            tuple(raw["traits"]),
            tuple((name, sd) for name, sd in raw.get("known_errors", ())),
        )


def labels_of(graph: ModelGraph, data: Data, priors: Mapping[str, str]) -> Labels:
    """The labels of a completed graph."""
    groups = tuple(
        GroupLabels(
            g.id,
            str(g.factor),
            g.covariance.kind,
            data.grouping(g.factor).levels,
            g.columns.names,
            _known_sds(g),
            g.owner,
            _further(g),
            label,
        )
        for g, label in zip(graph.groups, term_labels(graph.groups), strict=True)
    )
    return Labels(
        graph.call,
        str(graph.response.expression),
        graph.population.columns.names,
        groups,
        data.count,
        priors,
        (*threshold_labels(graph), *_errors(graph)),
        graph.response.family,
        single_parameters(graph),
        tuple((p.parameter, p.population.columns.names) for p in graph.predictors),
        graph.response.traits,
        _known_errors(graph),
    )


def _known_errors(graph: ModelGraph) -> tuple[tuple[str, float], ...]:
    """The standard deviations of the errors of several responses that are known."""
    known = dict(graph.response.known)
    if not graph.response.traits or "sigma" not in known:
        return ()
    (part,) = graph.residual.variances
    block = next(b for b in error_blocks(graph.residual) if b.part is part)
    return tuple(
        (name, known["sigma"] * ratio)
        for name, ratio in zip(part.levels, block.known, strict=False)
    )


def _errors(graph: ModelGraph) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The parameters of structured errors; correlations of several responses by their names."""
    traits = graph.response.traits
    return tuple(
        (name, traits if traits and name == "cor_R" else labels)
        for name, labels in reported(graph.residual)
    )


def _known_sds(group: Group) -> tuple[float, ...]:
    """The standard deviations that are not drawn: given, or 1."""
    if COVARIANCES[group.covariance.kind].sds != "known":
        return ()
    constants = constants_of(group)
    if "known_root" in constants:
        return tuple(np.linalg.norm(constants["known_root"], axis=1).tolist())
    known = constants.get("known_sd", np.ones(len(group.columns.names)))
    return tuple(known.tolist())


def _further(group: Group) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The parameters besides standard deviations and correlations, with the labels of elements."""
    names, order = group.columns.names, group.covariance.order
    return tuple(
        (f"{p.name}_{group.id}", p.labels(names, order) if p.shape == "vector" else ())
        for p in COVARIANCES[group.covariance.kind].parameters
        if p.name not in ("sd", "free_sd", "L")
    )
