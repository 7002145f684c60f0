"""Simulation-based calibration (Talts et al. 2018) of collapsed Gaussian models.

Parameters drawn from the prior, a response simulated from them, and a posterior drawn given that
response: the rank of what was drawn among the draws is uniform, if program and sampler are right.

``python -m tests.test_calibration`` prints the p value of every quantity.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.collapsed_data import collapsed_data
from mix2stan.engines import Engine, Settings, engine_named
from mix2stan.inits import starting_points

REPLICATES = 200
WARMUP, KEPT, THIN = 300, 99, 10
#: Ranks are 0, ..., KEPT: five of them to a bin.
BINS = 20

MODELS = {
    "no group": "lm(y ~ x)",
    "one factor, intercept": "lmer(y ~ x + (1 | g))",
    "one factor, slope": "lmer(y ~ x + (x | g))",
    "nested": "lmer(y ~ x + (1 | g / h))",
    "crossed": "lmer(y ~ x + (1 | a) + (1 | b))",
}


def reference() -> pd.DataFrame:
    """The designs of all models, and the response that the priors are made from."""
    rng = np.random.default_rng(11)
    row = np.arange(48)
    return pd.DataFrame(
        {
            "y": rng.normal(3, 2, len(row)),
            "x": rng.normal(size=len(row)),
            "g": row // 8,
            "h": row // 4 % 2,
            "a": row % 8,
            "b": row // 8,
        }
    )


def draw(model: m2s.Model, rng: np.random.Generator) -> tuple[dict[str, Any], np.ndarray]:
    """All parameters and effects from the priors in ``stan_data``, and a response given them."""
    data = model.stan_data
    truth: dict[str, Any] = {
        "beta": np.linalg.solve(data["C"], rng.normal(data["beta_loc"], data["beta_scale"])),
        "sigma": data["sigma_scale"] * abs(rng.standard_t(3)),
    }
    y = model.X.to_numpy() @ truth["beta"]
    for term, group in zip(model.Z, model.meaning.groups, strict=True):
        q, scale = len(term.coefficients), data[f"sd_{group.id}_scale"]
        sd = scale * np.abs(rng.standard_t(3, size=np.shape(scale)))
        truth[f"sd_{group.id}"] = sd
        R = np.eye(q)
        if q == 2:
            # all 2 x 2 correlation matrices equally likely
            R[0, 1] = R[1, 0] = rng.uniform(-1, 1)
            truth[f"R_{group.id}"] = R
        A = np.diag(np.broadcast_to(sd, q)) @ np.linalg.cholesky(R)
        effects = rng.normal(size=(len(term.levels), q)) @ A.T
        truth[f"b_{group.id}"] = effects[:, 0] if group.covariance.kind == "scalar" else effects
        y = y + term.matrix @ effects.ravel()
    return truth, y + truth["sigma"] * rng.normal(size=len(y))


def elements(values: dict[str, Any]) -> dict[str, Any]:
    """The scalars to be ranked, of arrays with draws first: of effects only the first level's."""
    ranked: dict[str, Any] = {}
    for name, value in values.items():
        if name.startswith("R_"):
            ranked[name] = value[:, 1, 0]
            continue
        some, place = (value[:, 0], "1,") if name.startswith("b_") else (value, "")
        flat = some.reshape(len(some), -1)
        ranked |= {f"{name}[{place}{k + 1}]": flat[:, k] for k in range(flat.shape[1])}
    return ranked


def ranks(call: str, engine: Engine, seed: int, replicates: int = REPLICATES) -> pd.DataFrame:
    """The rank of every quantity among its draws, a row per replicate."""
    model = m2s.model(call, reference())
    assert all(g.integrated for g in model.meaning.groups)
    compiled = model._compiled
    rng = np.random.default_rng(seed)
    rows = []
    for replicate in range(replicates):
        truth, y = draw(model, rng)
        # the priors are those of the reference, whatever the new response is
        data = model.stan_data | collapsed_data(model.meaning, compiled.data, y)
        settings = Settings(
            chains=1,
            warmup=WARMUP,
            draws=KEPT * THIN,
            seed=seed + replicate,
            adapt_delta=0.9,
            threads=1,
            inits=starting_points(model.meaning, data, 1, seed + replicate),
        )
        draws = engine.compile(model.stan_code, data).sample(settings).variables
        kept = elements({name: np.asarray(draws[name])[0, ::THIN] for name in truth})
        true = elements({name: np.asarray(value)[None] for name, value in truth.items()})
        assert all(len(values) == KEPT for values in kept.values())
        rows.append({name: int(np.sum(values < true[name])) for name, values in kept.items()})
    return pd.DataFrame(rows)


def p_values(table: pd.DataFrame) -> pd.Series:
    """Of the chi-squared test that the ranks of each quantity are uniform."""
    bins = np.linspace(0, KEPT + 1, BINS + 1)
    return table.apply(lambda r: stats.chisquare(np.histogram(r, bins)[0]).pvalue)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_ranks_are_uniform(name, stanli):
    p = p_values(ranks(MODELS[name], stanli, seed=1000))
    assert (p > 0.001).all(), p.to_string()


def test_ranks_of_a_wrong_posterior_are_not_uniform():
    """The test can fail: a posterior a third too narrow is found out."""
    rng = np.random.default_rng(1)
    truth, draws = rng.normal(size=REPLICATES), rng.normal(scale=2 / 3, size=(REPLICATES, KEPT))
    low = pd.DataFrame({"narrow": np.sum(draws < truth[:, None], axis=1)})
    right = rng.normal(size=(REPLICATES, KEPT))
    low["right"] = np.sum(right < truth[:, None], axis=1)
    p = p_values(low)
    assert p["narrow"] < 0.001 < p["right"]


if __name__ == "__main__":
    for name, call in MODELS.items():
        print(f"{name}: {call}")
        print(p_values(ranks(call, engine_named("stanli"), seed=1000)).round(4).to_string())
