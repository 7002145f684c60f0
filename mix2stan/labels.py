"""The user's names for what a program calls by number: dims and coordinates of its variables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from mix2stan.families import FAMILIES
from mix2stan.graph import ModelGraph
from mix2stan.matrices import Data

__all__ = ["GroupLabels", "Labels", "labels_of"]


@dataclass(frozen=True)
class GroupLabels:
    """One group term: its Stan identifier, factor, covariance structure, levels, coefficients."""

    id: str
    factor: str
    covariance: str
    levels: tuple[str, ...]
    coefficients: tuple[str, ...]

    @property
    def dims(self) -> tuple[str, str]:
        """Names of the dimensions of levels and of coefficients."""
        return f"{self.id}_level", f"{self.id}_effect"


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
        family: the distribution of the response, and ``parameters`` what it has besides its mean.
    """

    call: str
    response: str
    coefficients: tuple[str, ...]
    groups: tuple[GroupLabels, ...]
    observations: int
    priors: Mapping[str, str] = field(default_factory=dict)
    family: str = "gaussian"
    parameters: tuple[str, ...] = ("sigma",)

    def dims(self) -> dict[str, tuple[str, ...]]:
        """The dimensions of every Stan variable that has any."""
        dims: dict[str, tuple[str, ...]] = {"beta": ("coefficient",)}
        for g in self.groups:
            level, effect = g.dims
            single = g.covariance == "scalar"
            dims[f"b_{g.id}"] = (level,) if single else (level, effect)
            if g.covariance not in ("scalar", "idv"):
                dims[f"sd_{g.id}"] = (effect,)
            if g.covariance == "us":
                dims[f"R_{g.id}"] = (effect, f"{effect}_2")
        return dims

    def coords(self) -> dict[str, tuple[str, ...]]:
        """The labels along every dimension."""
        coords = {"coefficient": self.coefficients}
        for g in self.groups:
            level, effect = g.dims
            coords[level] = g.levels
            if g.covariance != "scalar":
                coords[effect] = g.coefficients
            if g.covariance == "us":
                coords[f"{effect}_2"] = g.coefficients
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
                g["id"], g["factor"], g["covariance"], tuple(g["levels"]), tuple(g["coefficients"])
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
            raw["family"],
            tuple(raw["parameters"]),
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
        )
        for g in graph.groups
    )
    return Labels(
        graph.call,
        str(graph.response.expression),
        graph.population.columns.names,
        groups,
        data.rows,
        priors,
        graph.response.family,
        FAMILIES[graph.response.family].parameters,
    )
