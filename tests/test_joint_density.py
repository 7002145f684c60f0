"""The program's density is the model's, computed a second time without it."""

from __future__ import annotations

import numpy as np
import pytest

from mix2stan.engines import engine_named
from tests.numpy_density import default_log_joint
from tests.programs import PROGRAMS, model_of

MODELS = ["intercept", "slope_only", "slope", "independent", "crossed", "nested", "factors"]


def random_point(model, rng):
    """One random point, as the program and as the formulas call it."""
    beta = np.array([model.stan_data["y"].mean(), *rng.normal(0, 2, model.X.shape[1] - 1)])
    stan = {"sigma": rng.uniform(5, 30)}
    if "R_inverse" in model.stan_data:
        stan["theta"] = np.linalg.solve(model.stan_data["R_inverse"], beta)
    else:
        stan["beta"] = beta
    terms = []
    for group in model.meaning.groups:
        levels, q = group.factor.levels, len(group.columns.names)
        sd, z, L = rng.uniform(1, 10, q), rng.normal(size=(levels, q)), np.eye(q)
        single = group.covariance.kind == "scalar"
        stan[f"sd_{group.id}"] = sd[0] if single else sd
        stan[f"z_{group.id}"] = z[:, 0] if single else z.T
        if group.covariance.kind == "us":
            A = rng.normal(size=(q, q))
            S = A @ A.T + np.eye(q)
            d = 1 / np.sqrt(np.diag(S))
            L = np.linalg.cholesky(d[:, None] * S * d)
            stan[f"L_{group.id}"] = L
        terms.append({"sd": sd, "L": L, "z": z})
    return stan, {"beta": beta, "sigma": stan["sigma"], "terms": terms}


@pytest.mark.parametrize("name", MODELS)
def test_the_joint_density_is_numpys(name, engine):
    model = model_of(name)
    rng = np.random.default_rng(20)
    points = [random_point(model, rng) for _ in range(4)]
    program = engine.compile(model.stan_code, model.stan_data)
    terms = [(z.matrix, len(z.coefficients)) for z in model.Z]
    y, X = np.asarray(model.stan_data["y"]), model.X.to_numpy()
    ours = [program.log_density(stan, jacobian=False)[0] for stan, _ in points]
    numpys = [default_log_joint(y, X, terms, point) for _, point in points]
    # Stan drops what does not depend on a parameter, so differences are compared
    np.testing.assert_allclose(np.diff(ours), np.diff(numpys), rtol=1e-10)


@pytest.mark.cmdstan
@pytest.mark.parametrize("name", PROGRAMS)
def test_both_engines_have_one_density(name, cmdstan):
    from mix2stan.inits import starting_points

    model = model_of(name)
    points = starting_points(model.meaning, model.stan_data, 3, seed=7)
    programs = [
        e.compile(model.stan_code, model.stan_data) for e in (cmdstan, engine_named("stanli"))
    ]
    for point in points:
        for jacobian in (True, False):
            (a, slope_a), (b, slope_b) = (p.log_density(point, jacobian) for p in programs)
            assert a == pytest.approx(b, rel=1e-9)
            np.testing.assert_allclose(
                slope_a, slope_b, rtol=1e-9, atol=1e-9 * np.abs(slope_b).max()
            )
