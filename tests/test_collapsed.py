"""Integrating out changes how a posterior is computed, never what it is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import mix2stan as m2s
from tests.conftest import table
from tests.numpy_density import mad
from tests.programs import PROGRAMS, model_of

COLLAPSED = [n for n, case in PROGRAMS.items() if case.strategy == "collapsed"]


def marginal(model, point):
    """log p(y | sd, R, sigma) + log p(sd, R, sigma) by scipy, dense, default priors."""
    data = table("sleepstudy")
    y, X = data["Reaction"].to_numpy(), model.X.to_numpy()
    scale = max(2.5, mad(y))
    spread = np.std(y, ddof=1)
    C = np.vstack([X.mean(axis=0), np.eye(X.shape[1])[1:]])
    slopes = 2.5 * spread / np.std(X[:, 1:], axis=0, ddof=1)
    root = np.linalg.solve(C, np.diag([2.5 * spread, *slopes]))
    mean = np.linalg.solve(C, [y.mean(), *np.zeros(len(slopes))])
    V = point["sigma"] ** 2 * np.eye(len(y)) + X @ root @ root.T @ X.T
    total = stats.t(3, 0, scale).logpdf(point["sigma"])
    for term, group in zip(model.Z, model.graph.groups, strict=True):
        sd, q = point[f"sd_{group.id}"], len(term.coefficients)
        L = point.get(f"L_{group.id}", np.eye(q))
        A = np.diag(np.broadcast_to(sd, q)) @ L
        Z = term.matrix.toarray()
        V += Z @ np.kron(np.eye(len(term.levels)), A @ A.T) @ Z.T
        total += stats.t(3, 0, scale).logpdf(sd).sum()
        total += sum((q - 1 - k) * np.log(L[k, k]) for k in range(1, q))
    return total + stats.multivariate_normal(X @ mean, V).logpdf(y)


def random_point(model, rng):
    point = {"sigma": rng.uniform(10, 40)}
    for group in model.graph.groups:
        q = len(group.columns.names)
        single = group.covariance.kind in ("scalar", "idv")
        point[f"sd_{group.id}"] = rng.uniform(1, 40, None if single else q)
        if group.covariance.kind == "us":
            A = rng.normal(size=(q, q))
            S = A @ A.T + np.eye(q)
            d = 1 / np.sqrt(np.diag(S))
            point[f"L_{group.id}"] = np.linalg.cholesky(d[:, None] * S * d)
    return point


@pytest.mark.parametrize(
    "name", [n for n in COLLAPSED if n not in ("collapsed_lm", "collapsed_flat")]
)
def test_the_density_is_the_marginal_one(name, engine):
    model = model_of(name)
    rng = np.random.default_rng(3)
    points = [random_point(model, rng) for _ in range(4)]
    program = engine.compile(model.stan_code, model.stan_data)
    ours = [program.log_density(p, jacobian=False)[0] for p in points]
    np.testing.assert_allclose(
        np.diff(ours), np.diff([marginal(model, p) for p in points]), rtol=1e-9
    )


def test_a_mean_of_a_million_loses_nothing(stanli):
    data = table("sleepstudy")
    call = "lmer(Reaction ~ Days + (Days | Subject))"
    near = m2s.model(call, data)
    far = m2s.model(call, data.assign(Reaction=data["Reaction"] + 1e6))
    point = random_point(near, np.random.default_rng(1))
    values = [stanli.compile(m.stan_code, m.stan_data).log_density(point)[0] for m in (near, far)]
    assert values[0] == pytest.approx(values[1], rel=1e-9)


def test_effects_given_the_variances_are_exact(stanli):
    """With the variances held where they start, b and beta have their exact conditional moments."""
    model = model_of("collapsed_slope")
    point = {
        "sigma": 25.0,
        "sd_Subject": np.array([25.0, 6.0]),
        "L_Subject": np.array([[1, 0], [0.2, np.sqrt(0.96)]]),
    }
    y, X = table("sleepstudy")["Reaction"].to_numpy(), model.X.to_numpy()
    Z = model.Z[0].matrix.toarray()
    A = np.diag(point["sd_Subject"]) @ point["L_Subject"]
    spread = np.std(y, ddof=1)
    C = np.diag([1.0, 1.0])
    C[0] = X.mean(axis=0)
    scales = np.array([2.5 * spread, 2.5 * spread / np.std(X[:, 1], ddof=1)])
    design = np.hstack([X, Z])
    prior = np.zeros((38, 38))
    prior[:2, :2] = C.T @ np.diag(scales**-2) @ C
    prior[2:, 2:] = np.kron(np.eye(18), np.linalg.inv(A @ A.T))
    precision = design.T @ design / 25.0**2 + prior
    linear = design.T @ y / 25.0**2
    linear[:2] += C.T @ (np.array([y.mean(), 0]) / scales**2)
    covariance = np.linalg.inv(precision)
    mean = covariance @ linear
    # a chain that cannot move draws the rest again and again
    program = stanli.compile(model.stan_code, model.stan_data)
    fixed = program._model.sample(
        chains=1, warmup=0, samples=20_000, inits=program._unconstrain(point), adapt_engaged=False,
        step_size=1e-14, max_depth=1, refresh=0,
    )  # fmt: skip
    draws = np.hstack([fixed.draws("beta")[0], fixed.draws("b_Subject")[0].reshape(20_000, -1)])
    sd = np.sqrt(np.diag(covariance))
    assert np.abs((draws.mean(axis=0) - mean) / sd).max() < 4.5 / np.sqrt(20_000)
    np.testing.assert_allclose(draws.std(axis=0), sd, rtol=0.03)
    correlation = covariance / np.outer(sd, sd)
    assert np.abs(np.corrcoef(draws.T) - correlation).max() < 0.04


def test_the_strategy_is_said_and_can_be_chosen():
    data = table("sleepstudy")
    call = "lmer(Reaction ~ Days + (Days | Subject))"
    assert "integrated out" in str(m2s.model(call, data))
    assert "non-centred" in str(m2s.model(call, data, strategy="noncentred"))
    assert "z_Subject" in m2s.model(call, data, strategy="noncentred").stan_code
    assert "not normal" in str(m2s.model(call, data, prior="brms"))
    with pytest.raises(m2s.FormulaError, match="colapsed"):
        m2s.model(call, data, strategy="colapsed")
    crossed = "lmer(diameter ~ 1 + (1 | plate) + (1 | sample))"
    assert "several group terms" in str(m2s.model(crossed, table("Penicillin")))
    with pytest.raises(m2s.Unsupported, match="several group terms"):
        m2s.model(crossed, table("Penicillin"), strategy="collapsed")


@pytest.mark.slow
@pytest.mark.parametrize("name", COLLAPSED)
def test_both_strategies_have_one_posterior(name):
    case = PROGRAMS[name]
    fits = [
        m2s.model(case.call, table(case.data), prior=case.prior, strategy=s).sample(
            chains=4, warmup=1000, draws=4000, seed=1
        )
        for s in ("collapsed", "noncentred")
    ]
    a, b = (f.summary("all") for f in fits)
    assert list(a.index) == list(b.index)
    error = np.hypot(a["sd"] / np.sqrt(a["ess_bulk"]), b["sd"] / np.sqrt(b["ess_bulk"]))
    assert ((a["mean"] - b["mean"]).abs() < 4.5 * error).all()
    np.testing.assert_allclose(a["sd"], b["sd"], rtol=0.1)
    for quantile in ("2.5%", "97.5%"):
        assert ((a[quantile] - b[quantile]).abs() < 0.2 * b["sd"]).all()
