"""What brms says of a response besides its formula: known parameters, weights, errors, exposure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s

N = 200
RNG = np.random.default_rng(11)
DATA = pd.DataFrame({"x": RNG.normal(size=N), "g": [f"g{i % 8}" for i in range(N)]})
DATA["y"] = 1 + 0.5 * DATA["x"] + RNG.laplace(size=N)
SETTINGS = {"chains": 2, "warmup": 300, "draws": 300, "seed": 3, "engine": "stanli"}


def test_a_known_quantile_is_fitted():
    model = m2s.model("brm(bf(y ~ x, quantile = 0.9), family = asym_laplace())", DATA)
    fit = model.sample(**SETTINGS)
    assert "quantile" not in fit.summary().index
    line = fit.predict(kind="linpred").mean(("chain", "draw")).values
    assert np.mean(DATA["y"] < line) == pytest.approx(0.9, abs=0.03)
    sigma, mu = fit.sigma(), line.mean()
    expected = fit.predict(kind="epred").mean().item()
    assert expected == pytest.approx(mu + sigma * (1 - 1.8) / 0.09, abs=0.1)
