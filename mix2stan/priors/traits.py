"""Default priors of several responses: each element is scaled by the response it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.families import LAYERS
from mix2stan.graph import ModelGraph, Prior
from mix2stan.matrices import Data
from mix2stan.priors.summaries import Summaries
from mix2stan.residuals import error_blocks
from mix2stan.syntax import Name

__all__ = ["by_response"]

Array = NDArray[np.float64]


def by_response(priors: Sequence[Prior], graph: ModelGraph, data: Data) -> tuple[Prior, ...]:
    """The priors of the default set, their scales those of the single responses.

    A coefficient or an effect is about one response if its column is zero for all others; what is
    about several keeps the scale of all.
    """
    apart = _Responses(graph, data)
    return tuple(apart.of_prior(prior) for prior in priors)


class _Responses:
    def __init__(self, graph: ModelGraph, data: Data) -> None:
        self.graph = graph
        self.data = data
        self.y = data.response(graph)
        self.codes = data.frame.column(Name("trait")).values
        self.names = graph.response.traits

    def of_prior(self, prior: Prior) -> Prior:
        """One prior, rescaled where its elements are of single responses."""
        if prior.block == "beta":
            return self._coefficients(prior)
        if prior.block == "var_ratio":
            return self._ratios(prior)
        if prior.block == "sigma" and self.graph.residual.variances:
            return self._scaled(prior, [0])
        group = next((g for g in self.graph.groups if prior.block == f"sd_{g.id}"), None)
        if group is None or len(dict(prior.values).get("scale", ())) != len(group.columns.names):
            return prior
        return self._scaled(prior, [self._response(z) for z in self.data.matrix(group.columns).T])

    def _response(self, column: Array) -> int | None:
        """The response a column is about, None if it is about several."""
        found = np.unique(self.codes[column != 0])
        return int(found[0]) if len(found) == 1 else None

    def _summaries(self, response: int, columns: Array) -> Summaries:
        rows = self.codes == response
        found = Summaries(self.y[rows], columns[rows], False)
        trait = self.names[response]
        layer = next((la for la in self.graph.response.layers if trait in la.traits), None)
        if layer is None:
            return found
        # of a latent variable y is a guess: it says little of how large effects are
        found = replace(found, least=1.0)
        middle = LAYERS[layer.family].middle
        if middle is None or trait != layer.traits[0]:
            return found
        counts = self.data.vector(self.graph.response.expression)[rows]
        return replace(found, middle=(middle(counts), "log(mean(y))"))

    def _scaled(self, prior: Prior, responses: Sequence[int | None]) -> Prior:
        """Scales of standard deviations: max(2.5, mad) of the response."""
        (whole,) = set(dict(prior.values)["scale"]) if prior.values else (0.0,)
        none = np.zeros((len(self.y), 0))
        scales = [whole if r is None else max(2.5, self._summaries(r, none).mad) for r in responses]
        source = "max(2.5, mad of its response)"
        return replace(prior, values=(("scale", tuple(scales)),), source=source)

    def _coefficients(self, prior: Prior) -> Prior:
        """normal(mean, 2.5 sd) of its response, and of slopes normal(0, 2.5 sd(y) / sd(x))."""
        X = self.data.matrix(self.graph.population.columns)
        X = X[:, X.shape[1] - len(dict(prior.values)["loc"]) :]
        loc, scale = (np.array(dict(prior.values)[slot]) for slot in ("loc", "scale"))
        for k, column in enumerate(X.T):
            response = self._response(column)
            if response is None:
                continue
            own = self._summaries(response, column[:, None])
            scale[k] = own.slope_scales(2.5 * own.unit)[0]
            constant = np.ptp(own.X) == 0
            loc[k] = own.centre / own.X[0, 0] if constant else 0.0
        source = "of its response: mean(y) or 0, 2.5 sd(y) / sd(x)"
        values = (("loc", tuple(loc.tolist())), ("scale", tuple(scale.tolist())))
        return replace(prior, values=values, source=source)

    def _ratios(self, prior: Prior) -> Prior:
        """The residual standard deviations over the first response's: around those of the data."""
        block = next(b for b in error_blocks(self.graph.residual) if b.name == prior.block)
        assert block.part is not None
        none = np.zeros((len(self.y), 0))
        first, free = block.part.levels[0], block.labels
        mads = [self._summaries(self.names.index(s), none).mad or 1.0 for s in (first, *free)]
        unit = dict(self.graph.response.known).get("sigma", mads[0])
        loc = tuple(float(np.log(m / unit)) for m in mads[1:])
        values = (("loc", loc), ("scale", (1.0,) * len(loc)))
        source = "around the ratio of the responses' mads"
        return replace(prior, density="lognormal", values=values, source=source)
