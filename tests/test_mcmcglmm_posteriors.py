"""With MCMCglmm's own prior, its posterior: coefficients and (co)variances, against stored runs."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import mix2stan as m2s
from mix2stan.convergence import convergence
from tests.conftest import FIXTURES, table

CASES = {
    case["id"]: case for case in json.loads((FIXTURES / "mcmcglmm_posteriors.json").read_text())
}


def drawn(fit):
    """Draws of every coefficient and (co)variance by MCMCglmm's names, shape (chains, draws)."""
    draws = {}
    posterior, graph = fit.posterior, fit.labels
    for i, name in enumerate(graph.coefficients):
        draws[name] = posterior["beta"].values[..., i]
    for group in graph.groups:
        sd = posterior[f"sd_{group.id}"].values
        sd = sd if sd.ndim == 3 else sd[..., None]
        names, q = group.coefficients, len(group.coefficients)
        for i in range(q):
            for j in range(q):
                value = sd[..., i] * sd[..., j]
                if group.correlated:
                    value = value * posterior[f"R_{group.id}"].values[..., i, j]
                    draws[f"{names[i]}:{names[j]}.{group.factor}"] = value
            draws[f"{names[i]}.{group.factor}"] = sd[..., i] ** 2
            if q == 1:
                draws[group.factor] = sd[..., 0] ** 2
    if "sigma" in posterior:
        draws["units"] = posterior["sigma"].values ** 2
    return draws


def strata(model, fit):
    """The variances of the strata of the errors."""
    sigma = fit.posterior["sigma"].values
    part = model.meaning.residual.variances[0]
    ratios = [np.ones_like(sigma), *np.moveaxis(fit.posterior["var_ratio"].values, -1, 0)]
    names = [f"{part.strata}{level}.units" for level in part.levels]
    return {n: (sigma * r) ** 2 for n, r in zip(names, ratios, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_posterior_is_mcmcglmms(case):
    stored = CASES[case]
    model = m2s.model(stored["call"], table(stored["data"]))
    fit = model.sample(chains=4, warmup=1000, draws=2000, seed=1, engine="stanli")
    draws = drawn(fit)
    if model.meaning.residual.variances:
        draws |= strata(model, fit)
    wrong = []
    for name, theirs in {**stored["Sol"], **stored["VCV"]}.items():
        ours = draws[name]
        ess = convergence(ours[..., None])[0][0]
        error = math.hypot(theirs["sd"] / math.sqrt(theirs["ess"]), ours.std() / math.sqrt(ess))
        if abs(ours.mean() - theirs["mean"]) > 4 * error:
            wrong.append((name, float(ours.mean()), theirs["mean"], 4 * error))
    assert not wrong
