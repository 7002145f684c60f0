"""The log prior of draws is that of the program; sensitivity to it is ArviZ's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mix2stan as m2s
from mix2stan.engines import engine_named
from mix2stan.inits import starting_points
from mix2stan.likelihood import switched_off
from mix2stan.plan import plan
from mix2stan.priors.density import log_prior
from mix2stan.render import render
from mix2stan.stan_data import stan_data
from tests.conftest import table
from tests.programs import model_of

SAMPLED = """
    slope prior_brms prior_rstanarm prior_stated prior_mcmcglmm prior_expanded known_block unit_variances
    common_correlation errors_general errors_exchangeable negative_binomial predicted_sigma
""".split()


def random_root(k, rng):
    S = np.cov(rng.normal(size=(k, k + 3)))
    d = 1 / np.sqrt(np.diag(S))
    return np.linalg.cholesky(S * np.outer(d, d))


@pytest.mark.parametrize("name", SAMPLED)
def test_the_log_prior_is_the_programs(name):
    model = model_of(name)
    graph, data = model.meaning, model.data
    flat = replace(graph, priors=switched_off(graph.priors))
    rng = np.random.default_rng(1)
    points = starting_points(graph, model.stan_data, 4, seed=3)
    for point in points:
        for block in point:
            if block.startswith("L_") or block == "cor_L":
                point[block] = random_root(len(point[block]), rng)
    engine = engine_named("stanli")
    own = engine.compile(model.stan_code, model.stan_data)
    off = engine.compile(render(plan(flat)), stan_data(flat, data))
    programs = [
        own.log_density(p, jacobian=False)[0] - off.log_density(p, jacobian=False)[0]
        for p in points
    ]
    draws = {block: np.array([p[block] for p in points]) for block in points[0]}
    for predictor in graph.every_predictor:
        s, columns = predictor.suffix, predictor.population.columns
        if f"theta{s}" in draws:
            draws[f"beta{s}"] = draws[f"theta{s}"] @ model.stan_data[f"R_inverse{s}"].T
        if columns.names:
            draws[f"centre{s}"] = data.matrix(columns).mean(axis=0)
    ours = log_prior(graph, model.stan_data, draws)
    np.testing.assert_allclose(np.diff(ours), np.diff(programs), atol=1e-7)


def test_a_strong_prior_is_seen():
    call = "lmer(Reaction ~ Days + (Days | Subject))"
    found = []
    for prior in ("default", "sd_Subject ~ exponential(1)"):
        model = m2s.model(call, table("sleepstudy"), prior=prior)
        fit = model.sample(chains=2, warmup=300, draws=400, seed=1, engine="stanli")
        found.append(model.sensitivity(fit))
        assert fit.idata["log_prior"]["log_prior"].shape == (2, 400)
    weak, strong = found
    assert list(weak.columns) == ["prior", "likelihood"]
    assert (weak["prior"] < 0.05).all()
    assert strong.loc["sd_Subject[(Intercept)]", "prior"] > 0.2
    # those of coefficients are about 0.05 in the long run, those of the rest 0.2 and more
    assert (strong["likelihood"] > 0.02).all()
    assert (strong["likelihood"][~strong.index.str.startswith("beta")] > 0.15).all()
