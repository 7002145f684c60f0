"""Likelihoods keep their digits whatever the ratio of variances, and wherever a covariate has its zero."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s

LEVELS, ROWS = 18, 10
G = np.repeat(np.arange(LEVELS), ROWS)


def rows(ratio=1.0, x_at=0.0, weights=1.0, seed=3):
    """Random slopes, the effects ``ratio`` times the errors."""
    rng = np.random.default_rng(seed)
    x, u = rng.normal(size=len(G)), rng.normal(size=(LEVELS, 2))
    w = weights ** rng.uniform(-0.5, 0.5, size=len(G))
    y = 1 + x + ratio * (u[G, 0] + u[G, 1] * x / 2) + rng.normal(size=len(G)) / np.sqrt(w)
    return pd.DataFrame({"y": y, "x": x + x_at, "w": w, "g": [f"s{i:02d}" for i in G]})


def exact(data, Z, covariance):
    """The log-likelihood at beta = (1, 1) and sigma = 1, every level's rows rotated by its own QR."""
    total, w = 0.0, data["w"].to_numpy()
    e, Z = np.sqrt(w) * (data["y"] - 1 - data["x"]).to_numpy(), np.sqrt(w)[:, None] * Z
    L = np.linalg.cholesky(covariance)
    for j in range(LEVELS):
        q, T = np.linalg.qr(Z[j == G], mode="complete")
        turned, k = q.T @ e[j == G], Z.shape[1]
        V = np.eye(k) + T[:k] @ L @ (T[:k] @ L).T
        total -= 0.5 * (turned[:k] @ np.linalg.solve(V, turned[:k]) + turned[k:] @ turned[k:])
        total -= 0.5 * np.linalg.slogdet(V)[1]
    return total + 0.5 * np.log(w).sum() - len(G) / 2 * np.log(2 * np.pi)


def powers(x, degree):
    """R's poly(), and a constant."""
    q, R = np.linalg.qr(np.vander(x, degree + 1, increasing=True))
    return np.c_[np.ones(len(x)), (q * np.sign(np.diag(R)))[:, 1:]]


TERMS = {
    "(1 | g)": (lambda x: np.ones((len(x), 1)), np.array([[1.0]])),
    "(0 + x | g)": (lambda x: x[:, None], np.array([[1.0]])),
    "(x | g)": (lambda x: np.c_[np.ones(len(x)), x], np.array([[1, 0.15], [0.15, 0.25]])),
    "(x || g)": (lambda x: np.c_[np.ones(len(x)), x], np.diag([1, 0.25])),
    "(poly(x, 3) | g)": (lambda x: powers(x, 3), 0.3 + np.diag([1, 0.5, 2, 0.25])),
    "(poly(x, 4) | g)": (lambda x: powers(x, 4), 0.3 + np.diag([1, 0.5, 2, 0.25, 1])),
    "(x + I(x^2) | g)": (
        lambda x: np.c_[np.ones(len(x)), x, x**2],
        np.array([[1, 0.15, 0.1], [0.15, 0.25, 0], [0.1, 0, 0.5]]),
    ),
}


@pytest.mark.parametrize("ratio", [1.0, 1e4, 1e6])
@pytest.mark.parametrize("weights", [1.0, 1e12])
@pytest.mark.parametrize("term", TERMS)
def test_effects_may_be_as_large_as_they_like(term, weights, ratio, stanli):
    columns, unit = TERMS[term]
    data = rows(ratio, weights=weights)
    sd = ratio * np.sqrt(np.diag(unit))
    model = m2s.model(f"lmer(y ~ x + {term}, weights = w)", data)
    names = list(model.Z[0].coefficients)
    cor = unit / np.sqrt(np.outer(np.diag(unit), np.diag(unit)))
    point = {
        "beta": {"(Intercept)": 1.0, "x": 1.0},
        "random": [{"group": "g", "coefficients": names, "sd": sd.tolist(), "cor": cor.tolist()}],
        "residual": {"sigma": 1.0},
    }
    want = exact(data, columns(data["x"].to_numpy()), ratio**2 * unit)
    assert model.loglik(point, engine="stanli") == pytest.approx(want, rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize(
    "call",
    ["lmer(y ~ x + (x | g))", "lme(y ~ x, random = ~ x | g, weights = varIdent(form = ~ 1 | h))"],
)
def test_estimates_do_not_hang_on_the_origin_of_a_covariate(call, method):
    near, far = (rows(x_at=at).assign(h=np.arange(len(G)) % 2) for at in (0.0, 2e5))
    ours, theirs = (getattr(m2s.model(call, d), method)("stanli") for d in (far, near))
    assert ours.logLik == pytest.approx(theirs.logLik, abs=1e-5)
    assert ours.fixef()["x"] == pytest.approx(theirs.fixef()["x"], rel=1e-5)
    assert ours.standard_errors["x"] == pytest.approx(theirs.standard_errors["x"], rel=1e-5)
    slopes = [e.VarCorr().loc[("g", "x"), "sd"] for e in (ours, theirs)]
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-4)
    modes = [e.ranef().xs("x", level="effect") for e in (ours, theirs)]
    np.testing.assert_allclose(modes[0], modes[1], rtol=1e-3, atol=1e-4)


def test_levels_without_all_columns_have_a_rotation():
    """One row of two effects, a covariate that is constant in a level, and a level of zeros."""
    from mix2stan.levels_data import rotate

    codes = np.array([0, 1, 1, 1, 2, 2, 2, 3, 3])
    Z = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0.0])[:, None] * np.array(
        [[1, 5], [1, 2], [1, 2], [1, 2], [1, 1], [1, 2], [1, 4], [1, 1], [1, 1.0]]
    )
    found = rotate(codes, 4, Z)
    R = np.random.default_rng(1).normal(size=(9, 2))
    rows_of, left = found.rows(R), found.rest(R, found.rows(R))
    for j in range(4):
        own = codes == j
        T = np.array(
            [[found.triangles[0, 0][j], found.triangles[0, 1][j]], [0, found.triangles[1, 1][j]]]
        )
        np.testing.assert_allclose(T.T @ T, Z[own].T @ Z[own], atol=1e-12)
        turned = np.array([r[j] for r in rows_of])
        np.testing.assert_allclose(T.T @ turned, Z[own].T @ R[own], atol=1e-12)
        np.testing.assert_allclose(turned.T @ turned + left[own].T @ left[own], R[own].T @ R[own])
    np.testing.assert_allclose(found.products_of_rest(R, rows_of), left.T @ left, atol=1e-14)
