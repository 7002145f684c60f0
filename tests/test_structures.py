"""Covariance structures: what they mean, by formulas and by numbers of the packages themselves."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.covariances import COVARIANCES, covariance_of, parameters_of
from tests.conftest import FIXTURES

REFERENCE = json.loads((FIXTURES / "structures.json").read_text())
S = [0, 0.4, 1.5, 2.2]
SD = np.array([1.5, 0.8, 2.1, 1.1])


class Structure(NamedTuple):
    """A call on data with a factor of ``q`` levels, and a covariance that its term can have."""

    call: str
    q: int
    covariance: np.ndarray
    count: int


def reference(name, sd=1.7):
    R = np.array(REFERENCE[name]["matrix"])
    sds = np.broadcast_to(sd, len(R)) if np.ndim(sd) == 0 else np.asarray(sd)[: len(R)]
    return R * np.outer(sds, sds)


def full(q=3):
    R = np.array(
        [[1, 0.3, -0.35, 0.1], [0.3, 1, 0.5, 0.2], [-0.35, 0.5, 1, 0.4], [0.1, 0.2, 0.4, 1]]
    )
    return R[:q, :q]


def scaled(R, sd):
    return R * np.outer(sd, sd)


def ante1(d, b):
    """Three effects, each regressed on the one before it, written out."""
    V1 = d[0]
    V2 = b[0] ** 2 * V1 + d[1]
    V3 = b[1] ** 2 * V2 + d[2]
    C12, C23, C13 = b[0] * V1, b[1] * V2, b[0] * b[1] * V1
    return np.array([[V1, C12, C13], [C12, V2, C23], [C13, C23, V3]])


def lagged(coefficients, d):
    """The covariance of u[j] = sum_m b[j][m] u[j - m] + e[j], from its inverse T' D^-1 T."""
    T = np.eye(len(d))
    for j, row in enumerate(coefficients):
        for m, b in enumerate(row, start=1):
            T[j, j - m] = -b
    return np.linalg.inv(T.T @ np.diag(1 / np.asarray(d)) @ T)


def mcmc(function, prior=""):
    return f"MCMCglmm(y ~ x, random = ~{function}(f):g{prior})"


def tmb(structure, columns="0 + f", more=""):
    return f"glmmTMB(y ~ x + {structure}({columns} | g{more}))"


def prior(V, fix=""):
    return f", prior = list(G = list(G1 = list(V = {V}, nu = 4{fix})))"


def known_block(covariance, first):
    """A covariance whose block from ``first`` on is that of ``diag(k) + 0.5``."""
    known = np.eye(len(covariance) - first) + 0.5
    slope = np.linalg.solve(known, covariance[first:, :first]).T
    found = np.block([[covariance[:first, :first], slope @ known], [known @ slope.T, known]])
    found[:first, :first] += slope @ known @ slope.T
    return found


AT = "0 + numFactor(s)"
CORS = full() * np.outer([1.6, 1, 1], [1.6, 1, 1])
SUB = np.diag([1.0, 1, 1, 1])
SUB[:2, :2] = scaled(full(2), SD[:2])
LOADINGS = np.array([[1.2, 0], [-0.4, 0.7], [0.9, 0.3], [0.2, -1.1]])
D = [0.9, 0.5, 1.3, 0.7]
STRUCTURES = {
    "scalar": Structure("lmer(y ~ x + (1 | g))", 1, np.array([[2.3]]), 1),
    "idv": Structure("MCMCglmm(y ~ x, random = ~idv(1 + x):g)", 2, 1.3 * np.eye(2), 1),
    "idh": Structure(mcmc("idh"), 3, np.diag([1.0, 0.4, 2.0]), 3),
    "us": Structure(tmb("us"), 3, reference("glmmTMB us theta=(.3,-.5,.9)", SD), 6),
    "corg": Structure(mcmc("corg"), 3, full(), 3),
    "corgh": Structure(
        mcmc("corgh", prior("diag(c(4, 0.25, 2))")),
        3,
        scaled(full(), np.sqrt([4, 0.25, 2])),
        3,
    ),
    "cors": Structure(mcmc("cors", prior("diag(3)", ", fix = 2")), 3, CORS, 4),
    "sub": Structure(mcmc("sub", prior("diag(4)", ", fix = 3")), 4, SUB, 3),
    "known_block": Structure(
        mcmc("us", prior("diag(4) + 0.5", ", fix = 3")), 4, known_block(full(4), 2), 7
    ),
    "known_block of one": Structure(
        mcmc("us", prior("diag(3) + 0.5", ", fix = 3")), 3, known_block(full(3), 2), 5
    ),
    "known_block but one": Structure(
        mcmc("us", prior("diag(4) + 0.5", ", fix = 2")), 4, known_block(full(4), 1), 4
    ),
    "known": Structure(mcmc("us", prior("diag(3) + 0.5", ", fix = 1")), 3, np.eye(3) + 0.5, 0),
    "corh": Structure(tmb("cs"), 3, reference("glmmTMB cs theta=.4", SD), 4),
    "cs": Structure(
        "lme(y ~ x, random = list(g = pdCompSymm(~ 0 + f)))",
        3,
        1.4 * (np.full((3, 3), -0.2) + 1.2 * np.eye(3)),
        2,
    ),
    "ar1": Structure(tmb("ar1"), 3, reference("glmmTMB ar1 theta=.8"), 2),
    "hetar1": Structure(tmb("hetar1"), 3, reference("glmmTMB ar1 theta=.8", SD), 4),
    "toep": Structure(tmb("toep"), 3, reference("glmmTMB toep theta=(.4,-.3)", SD), 5),
    "ante": Structure(mcmc("ante1"), 3, ante1([1.4, 0.5, 0.8], [0.6, -0.9]), 5),
    "ante of order 2": Structure(
        mcmc("ante2"), 4, lagged([[], [0.5], [-0.3, 0.4], [0.8, 0.2]], D), 9
    ),
    "antec": Structure(mcmc("antec1"), 3, ante1([1.4, 0.5, 0.8], [0.6, 0.6]), 4),
    "antec of order 2": Structure(
        mcmc("antec2"), 4, lagged([[], [0.6], [0.6, -0.3], [0.6, -0.3]], D), 6
    ),
    "antev": Structure(mcmc("ante1v"), 3, ante1([0.7, 0.7, 0.7], [0.6, -0.9]), 3),
    "antecv": Structure(mcmc("antec2v"), 3, lagged([[], [0.6], [0.6, -0.3]], [0.7] * 3), 3),
    "ou": Structure(tmb("ou", AT), 4, reference("glmmTMB ou theta2=.3"), 2),
    "exp": Structure(tmb("exp", AT), 4, reference("glmmTMB exp theta2=.3"), 2),
    "gau": Structure(tmb("gau", AT), 4, reference("glmmTMB gau theta2=.3"), 2),
    "mat": Structure(tmb("mat", AT), 4, reference("glmmTMB mat theta=(.3,.2)"), 3),
    "rr": Structure(tmb("rr", more=", d = 2"), 4, LOADINGS @ LOADINGS.T, 7),
}


def frame(q):
    """Unbalanced data: some levels lack some columns."""
    rng = np.random.default_rng(q)
    f = np.concatenate([np.arange(q), rng.integers(0, q, 56)])
    n = len(f)
    g = np.concatenate([np.zeros(q, int), rng.integers(0, 9, 56)])
    return pd.DataFrame(
        {
            "y": rng.normal(2, 3, n),
            "x": rng.normal(size=n),
            "f": pd.Categorical.from_codes(f, [f"f{k}" for k in range(q)]),
            "s": np.array([*S, 3.1])[f],
            "g": [f"g{k}" for k in g],
        }
    )


def model_of(name, **options):
    structure = STRUCTURES[name]
    return m2s.model(structure.call, frame(structure.q), **options)


def test_every_structure_is_here():
    kinds = {model_of(name).meaning.groups[0].covariance.kind for name in STRUCTURES}
    assert kinds == set(COVARIANCES)


@pytest.mark.parametrize("name", STRUCTURES)
def test_parameters_and_matrix_are_inverse(name):
    structure = STRUCTURES[name]
    (group,) = model_of(name).meaning.groups
    assert group.covariance.kind == name.split()[0]
    values = parameters_of(group, structure.covariance)
    np.testing.assert_allclose(
        covariance_of(group, values), structure.covariance, rtol=0, atol=1e-10
    )
    row = COVARIANCES[group.covariance.kind]
    assert row.count(structure.q, group.covariance.order) == structure.count


PARAMETERS = {
    "glmmTMB cs theta=.4": ("corh", {"rho": 1.5 / (1 + np.exp(-0.4)) - 0.5}),
    "glmmTMB ar1 theta=.8": ("ar1", {"phi": 0.8 / np.sqrt(1 + 0.8**2)}),
    "glmmTMB ou theta2=.3": ("ou", {"rate": np.exp(0.3)}),
    "glmmTMB exp theta2=.3": ("exp", {"range": np.exp(0.3)}),
    "glmmTMB gau theta2=.3": ("gau", {"range": np.exp(0.3)}),
    "glmmTMB mat theta=(.3,.2)": ("mat", {"range": np.exp(0.3), "smoothness": np.exp(0.2)}),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_parameters_are_those_of_the_package(name):
    kind, values = PARAMETERS[name]
    R = np.array(REFERENCE[name]["matrix"])
    s = np.array(S)
    constants = {"distance": np.abs(s[:, None] - s)}
    matrix = COVARIANCES[kind].matrix(len(R), 0, {**constants, **values, "sd": np.array(1.0)})
    np.testing.assert_allclose(matrix, R, rtol=0, atol=1e-12)


def dense(model, covariance, beta, sigma):
    """The marginal log-likelihood by scipy."""
    (term,) = model.Z
    Z = term.matrix.toarray()
    V = sigma**2 * np.eye(len(Z)) + Z @ np.kron(np.eye(len(term.levels)), covariance) @ Z.T
    y = frame(len(covariance))["y"].to_numpy()
    return stats.multivariate_normal(model.X.to_numpy() @ beta, V).logpdf(y)


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_likelihood_is_scipys(name, engine):
    model, covariance = model_of(name), STRUCTURES[name].covariance
    (term,) = model.Z
    sd = np.sqrt(np.diag(covariance))
    entry = {"group": "g", "coefficients": list(term.coefficients), "sd": sd.tolist()}
    entry |= {"cor": (covariance / np.outer(sd, sd)).tolist()} if len(sd) > 1 else {}
    beta, sigma = np.array([1.5, -0.4]), 1.9
    point = {
        "beta": dict(zip(model.X.columns, beta, strict=True)),
        "random": [entry],
        "residual": {"sigma": sigma},
    }
    value = model.loglik(point, engine=engine.name)
    assert value == pytest.approx(dense(model, covariance, beta, sigma), rel=1e-10)


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("strategy", ["noncentred", "collapsed"])
def test_draws_have_the_structure(name, strategy):
    """Effects, correlations and standard deviations of every draw are those of its parameters."""
    model = model_of(name, strategy=strategy)
    (group,) = model.meaning.groups
    fit = model.sample(chains=1, warmup=30, draws=4, seed=2, engine="stanli")
    table = fit.VarCorr()
    assert np.isfinite(table["sd"]).all()
    assert all(np.isfinite(fit.summary()["mean"]))
    row, draws = COVARIANCES[group.covariance.kind], fit.posterior
    names = [f"{p.name}_{group.id}" for p in row.parameters]
    for k in range(4):
        one = draws.isel(chain=0, draw=k)
        matrix = covariance_of(group, {n: one[n].values for n in names})
        sd = np.sqrt(np.diag(matrix))
        if row.correlated:
            np.testing.assert_allclose(one["R_g"], matrix / np.outer(sd, sd), rtol=0, atol=1e-10)
        if row.sds != "known":
            drawn = np.broadcast_to(one["sd_g"].values, len(sd))
            np.testing.assert_allclose(drawn, sd, rtol=1e-10)
        if strategy == "noncentred":
            z, b = np.atleast_2d(one["z_g"].values), one["b_g"].values.reshape(-1, len(sd))
            root = np.linalg.lstsq(z.T, b, rcond=None)[0].T
            np.testing.assert_allclose(root @ root.T, matrix, rtol=1e-9, atol=1e-10)


SAME = [
    (3, "glmmTMB(y ~ x + cs(0 + f | g))", mcmc("corh")),
    (3, mcmc("cor"), mcmc("corg")),
    (2, "lmer(y ~ x + (0 + f | g))", mcmc("ante1"), mcmc("corh"), tmb("toep"), tmb("hetar1")),
    (3, mcmc("us"), mcmc("ante2"), tmb("rr", more=", d = 3")),
    (
        3,
        "lme(y ~ x, random = list(g = pdBlocked(list(~ 1, pdIdent(~ 0 + f)))))",
        "lmer(y ~ x + (1 | g) + (1 | f:g))",
        "MCMCglmm(y ~ x, random = ~g + f:g)",
        "glmmTMB(y ~ x + (1 | g) + homdiag(0 + f | g))",
    ),
    (3, "glmmTMB(y ~ x + diag(0 + f | g), dispformula = ~ 1)", mcmc("idh")),
]


@pytest.mark.parametrize("entry", SAME, ids=lambda e: e[1])
def test_one_model_by_several_names(entry):
    q, *calls = entry
    graphs = [m2s.model(call, frame(q)).meaning for call in calls]
    kinds = [
        [(g.covariance, g.columns.names, set(g.factor.variables)) for g in m.groups] for m in graphs
    ]
    assert all(k == kinds[0] for k in kinds)


MISTAKES = {
    mcmc("ante3"): "between 1 and 2",
    mcmc("cors"): "needs 'fix'",
    mcmc("cors", prior("diag(3)", ", fix = 5")): "between 2 and 3",
    mcmc("us", prior("diag(2)", ", fix = 2")): "V is not 3 x 3",
    mcmc("us", prior("diag(3)", ", fix = 4")): "is no row of V",
    mcmc("idh", prior("diag(3)", ", fix = 2")): "a block is fixed of us()",
    mcmc("corgh", prior("diag(c(1, 2))")): "2 known variances for 3",
    mcmc("corgh", prior("diag(c(1, 2, 0))")): "have to be positive",
    "MCMCglmm(y ~ x, random = ~corg(1):g)": "nothing to estimate",
    tmb("ou"): "does not say where it is",
    tmb("rr", more=", d = 4"): "between 1 and 3",
    "glmmTMB(y ~ x + cs(f))": "f",
    "MCMCglmm(y ~ x, random = ~at.level(f, 'f9'):g)": "no level 'f9'",
}


@pytest.mark.parametrize("call", MISTAKES)
def test_a_structure_that_does_not_fit_is_explained(call):
    with pytest.raises(m2s.FormulaError) as caught:
        m2s.model(call, frame(3))
    assert MISTAKES[call] in str(caught.value)


def test_a_point_outside_the_structure_is_refused():
    model = model_of("ar1")
    entry = {"group": "g", "coefficients": list(model.Z[0].coefficients), "sd": [1.0] * 3}
    point = {
        "beta": dict.fromkeys(model.X.columns, 0.0),
        "random": [{**entry, "cor": full().tolist()}],
        "residual": {"sigma": 1.0},
    }
    with pytest.raises(m2s.Mix2stanError, match="cannot have this covariance"):
        model.loglik(point, engine="stanli")


def test_a_level_of_a_factor_is_its_rows():
    data = frame(3)
    model = m2s.model('MCMCglmm(y ~ x, random = ~at.level(f, "f1"):g)', data)
    (term,) = model.Z
    rows = (data["f"] == "f1").to_numpy()
    assert term.matrix.nnz == rows.sum()
    assert (rows == term.matrix.sum(axis=1).A1).all()
