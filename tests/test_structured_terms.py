"""Errors of a structure beside any random terms: effects are integrated out, exactly."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import mix2stan as m2s
from mix2stan.elimination import elimination
from mix2stan.errors import FormulaError
from mix2stan.inits import starting_points


def series(rows=72, seed=5):
    """Series of six times; a/b nested, h crossed with both, no level of h holding a whole series."""
    rng = np.random.default_rng(seed)
    unit, t = np.repeat(np.arange(rows // 6), 6), np.tile(np.arange(1, 7), rows // 6)
    frame = pd.DataFrame({"t": t, "x": rng.normal(size=rows), "v": rng.uniform(0.5, 2, rows)})
    frame["a"] = np.array(list("ABCD"))[unit % 4]
    frame["b"] = np.array(list("pqr"))[unit // 4 % 3]
    frame["h"] = np.array(list("mno"))[rng.integers(0, 3, rows)]
    frame["f"] = np.array(list("uw"))[rng.integers(0, 2, rows)]
    frame["c"] = np.where(unit % 4 < 2, "X", "Y")
    frame["one"] = "1"
    frame["y"] = 5 + frame.x + rng.normal(size=4)[unit % 4] + rng.normal(size=rows)
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)


DATA = series()
BETA = {"(Intercept)": 4.8, "x": 0.9}


def term(group, *sd, coefficients=("(Intercept)",), cor=None):
    point = {"group": group, "coefficients": list(coefficients), "sd": list(sd)}
    return point if cor is None else point | {"cor": cor}


A, B, H = term("a", 0.7), term("b:a", 0.5), term("h", 0.6)
SLOPES = term("a", 0.7, 0.3, coefficients=("(Intercept)", "x"), cor=[[1, 0.4], [0.4, 1]])
DIAGONAL = term("a", 0.7, 0.3, coefficients=("(Intercept)", "x"))
MANY = ["(Intercept)", "x", "I(x^2)", "I(x^3)", "t", "I(t^2)"]

#: Random terms as lme writes them, and a point.
TERMS = {
    "nested": ("~ 1 | a/b", [A, B]),
    "slopes-nested": ("list(a = ~ x, b = ~ 1)", [SLOPES, B]),
    "diagonal-nested": ("list(a = pdDiag(~ x), b = ~ 1)", [DIAGONAL, B]),
    "three-deep": (
        "list(c = ~ 1, a = ~ x, b = ~ 1)",
        [
            term("c", 0.4),
            term("a:c", 0.7, 0.3, coefficients=("(Intercept)", "x"), cor=[[1, 0.4], [0.4, 1]]),
            term("b:a:c", 0.5),
        ],
    ),
    "crossed": (
        "list(one = pdBlocked(list(pdIdent(~ 0 + a), pdIdent(~ 0 + h))))",
        [term("a:one", 0.7), term("h:one", 0.6)],
    ),
    "six-effects": (
        "list(a = pdDiag(~ x + I(x^2) + I(x^3) + t + I(t^2)))",
        [term("a", 0.7, 0.3, 0.2, 0.1, 0.2, 0.05, coefficients=MANY)],
    ),
}


def lag(d):
    return np.abs(np.subtract.outer(d.t.to_numpy(), d.t.to_numpy()))


def same(*columns):
    return np.all([np.equal.outer(c.to_numpy(), c.to_numpy()) for c in columns], axis=0)


STRATA = np.where(DATA.f == "u", 1.0, 1.7)
#: The call's arguments, a point, and the correlation and the sd multipliers they mean.
ERRORS = {
    "ar1": (
        "correlation = corAR1(form = ~ t | a/b)",
        {"corAR1": 0.6},
        lambda: (same(DATA.a, DATA.b) * 0.6 ** lag(DATA), 1.0),
    ),
    "exchangeable": (
        "correlation = corCompSymm(form = ~ 1 | a/b)",
        {"corCompSymm": 0.3},
        lambda: (same(DATA.a, DATA.b) * (0.3 + 0.7 * np.eye(len(DATA))), 1.0),
    ),
    "spatial": (
        "correlation = corExp(form = ~ t | a/b)",
        {"corExp": 1.5},
        lambda: (same(DATA.a, DATA.b) * np.exp(-lag(DATA) / 1.5), 1.0),
    ),
    "strata": (
        "weights = varIdent(form = ~ 1 | f)",
        {"varIdent": {"u": 1.0, "w": 1.7}},
        lambda: (np.eye(len(DATA)), STRATA),
    ),
    "strata-ar1": (
        "weights = varComb(varIdent(form = ~ 1 | f), varPower(form = ~ v)), "
        "correlation = corCAR1(form = ~ t | a/b)",
        {"varIdent": {"u": 1.0, "w": 1.7}, "varPower": 0.8, "corCAR1": 0.5},
        lambda: (same(DATA.a, DATA.b) * 0.5 ** lag(DATA), STRATA * DATA.v.to_numpy() ** 0.8),
    ),
}


def covariance(model, random, R, d, sigma):
    d = np.broadcast_to(d, len(R))
    V = sigma**2 * R * np.outer(d, d)
    for one, point in zip(model.Z, random, strict=True):
        sd = np.array(point["sd"])
        S = np.outer(sd, sd) * np.array(point.get("cor", np.eye(len(sd))))
        Z = one.matrix.toarray()
        V = V + Z @ np.kron(np.eye(len(one.levels)), S) @ Z.T
    return V


def in_order(model, random):
    """The point's terms in the order of the model's."""
    named = {frozenset(p["group"].split(":")): p for p in random}
    return [named[frozenset(z.group.split(":"))] for z in model.Z]


@pytest.mark.parametrize(("terms", "errors"), itertools.product(TERMS, ERRORS))
def test_the_likelihood_is_the_dense_normal(terms, errors):
    (random, at), (structure, residual, matrices) = TERMS[terms], ERRORS[errors]
    model = m2s.model(f"lme(y ~ x, random = {random}, {structure})", DATA)
    assert model.meaning.strategy.kind == "collapsed"
    point = {"beta": BETA, "random": at, "residual": {"sigma": 0.9, **residual}}
    V = covariance(model, in_order(model, at), *matrices(), 0.9)
    want = stats.multivariate_normal(model.X.to_numpy() @ [4.8, 0.9], V).logpdf(DATA.y)
    assert model.loglik(point, engine="stanli") == pytest.approx(want, rel=1e-10)


def test_nested_factors_are_eliminated_one_after_the_other():
    """Nothing is left for a dense Cholesky factor but what is crossed."""
    chains = {}
    for name, (random, _) in TERMS.items():
        graph = m2s.model(f"lme(y ~ x, random = {random}, {ERRORS['ar1'][0]})", DATA).meaning
        parts = elimination(graph.groups, graph.residual)
        factors = [str(terms[0].factor) for terms in parts.chain]
        chains[name] = (factors, [str(g.factor) for g in parts.dense])
    assert [len(chain) for chain, _ in chains.values()] == [2, 2, 2, 3, 1, 0]
    assert [len(dense) for _, dense in chains.values()] == [0, 0, 0, 0, 1, 1]


def test_series_that_cross_the_groups():
    """No level of a holds the series whole: its effects are integrated out with the coefficients."""
    data = DATA.assign(s=DATA.a + DATA.b)
    call = "lme(y ~ x, random = ~ 1 | h, correlation = corAR1(form = ~ t | s))"
    model = m2s.model(call, data)
    assert model.meaning.residual.correlation.within == ()
    assert model.meaning.strategy.kind == "collapsed"
    V = covariance(model, [H], same(data.s) * 0.6 ** lag(data), 1.0, 0.9)
    want = stats.multivariate_normal(model.X.to_numpy() @ [4.8, 0.9], V).logpdf(data.y)
    point = {"beta": BETA, "random": [H], "residual": {"sigma": 0.9, "corAR1": 0.6}}
    assert model.loglik(point, engine="stanli") == pytest.approx(want, rel=1e-10)


def likelihood(model, V, restricted):
    """The largest (restricted) log-likelihood over beta at a covariance, with R's constants."""
    X, y = model.X.to_numpy(), DATA.y.to_numpy()
    precision = np.linalg.inv(V)
    information = X.T @ precision @ X
    r = y - X @ np.linalg.solve(information, X.T @ precision @ y)
    total = np.linalg.slogdet(V)[1] + r @ precision @ r
    if restricted:
        total += np.linalg.slogdet(information)[1]
    return -0.5 * (total + (len(y) - restricted * X.shape[1]) * np.log(2 * np.pi))


@pytest.mark.parametrize("terms", ["nested", "crossed"])
@pytest.mark.parametrize("method", ["reml", "ml"])
def test_estimates_are_the_maximum_of_the_dense_likelihood(terms, method):
    random = TERMS[terms][0]
    call = f"lme(y ~ x, random = {random}, correlation = corAR1(form = ~ t | a/b))"
    model = m2s.model(call, DATA)
    fit = getattr(model, method)("stanli")

    def value(theta):
        sds, phi = np.exp(theta[:3]), np.tanh(theta[3])
        R = same(DATA.a, DATA.b) * phi ** lag(DATA)
        points = [{"sd": [sd]} for sd in sds[:2]]
        return -likelihood(model, covariance(model, points, R, 1.0, sds[2]), method == "reml")

    sds = np.maximum(fit.VarCorr()["sd"].to_numpy(), 1e-6)
    found = np.append(np.log(sds), np.arctanh(fit.residual()["corAR1 phi"]))
    assert -value(found) == pytest.approx(fit.logLik, abs=1e-6)
    # and there is nothing better around
    best = optimize.minimize(value, found + 0.1, method="Nelder-Mead", options={"maxfev": 600})
    assert -best.fun < fit.logLik + 1e-5


@pytest.mark.parametrize("rows", [60, 6000])
def test_strata_are_summed_so_that_a_gradient_does_not_depend_on_the_rows(rows):
    rng = np.random.default_rng(rows)
    g, f = rng.integers(0, 5, rows), rng.integers(0, 2, rows)
    frame = pd.DataFrame({"x": rng.normal(size=rows), "g": np.array(list("abcde"))[g]})
    frame["y"] = (
        1e6 + frame.x + rng.normal(size=5)[g] + np.array([1, 2.0])[f] * rng.normal(size=rows)
    )
    frame["f"] = np.array(list("uw"))[f]
    call = "lme(y ~ x, random = ~ x | g, weights = varIdent(form = ~ 1 | f))"
    model = m2s.model(call, frame)
    # 5 levels in 2 strata, and [r 1 x 1 x]
    assert model.stan_data["rows"].shape[0] <= 5 * 2 * 5
    assert model.stan_data["count"].sum() == rows == model.stan_data["observations"]
    point = {
        "beta": {"(Intercept)": 1e6, "x": 0.8},
        "random": [SLOPES | {"group": "g"}],
        "residual": {"sigma": 1.1, "varIdent": {"u": 1.0, "w": 1.9}},
    }
    # the effects of a level as an integral of their own: Woodbury, level by level
    want, S = 0.0, np.array([[0.49, 0.084], [0.084, 0.09]])
    for _, part in frame.groupby("g"):
        X = np.column_stack([np.ones(len(part)), part.x])
        variance = (1.1 * np.where(part.f == "u", 1.0, 1.9)) ** 2
        r = part.y.to_numpy() - X @ [1e6, 0.8]
        Xw = X / variance[:, None]
        M = np.linalg.inv(S) + X.T @ Xw
        determinant = np.linalg.slogdet(M)[1] + np.linalg.slogdet(S)[1] + np.log(variance).sum()
        square = r @ (r / variance) - (Xw.T @ r) @ np.linalg.solve(M, Xw.T @ r)
        want -= 0.5 * (len(part) * np.log(2 * np.pi) + determinant + square)
    assert model.loglik(point, engine="stanli") == pytest.approx(want, rel=1e-9)


CALLS = {
    "nested": "lme(y ~ x, random = ~ 1 | a/b, correlation = corAR1(form = ~ t | a/b))",
    "crossed": f"lme(y ~ x, random = {TERMS['crossed'][0]}, weights = varIdent(form = ~ 1 | f))",
    "slopes": "lme(y ~ x, random = list(a = ~ x, b = ~ 1), correlation = corExp(form = ~ t | a/b))",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_integrated_and_sampled_posteriors_agree(name):
    fits = [
        m2s.model(CALLS[name], DATA, strategy=s).sample(seed=1, engine="stanli", adapt_delta=0.95)
        for s in ("collapsed", "noncentred")
    ]
    one, two = (fit.summary() for fit in fits)
    assert set(one.index) == set(two.index)
    assert ((one["mean"] - two["mean"][one.index]).abs() / one["sd"]).max() < 0.15
    assert np.abs(np.log(one["sd"] / two["sd"][one.index])).max() < 0.25


@pytest.mark.parametrize("name", CALLS)
def test_chains_start_where_the_density_is_finite(name):
    from mix2stan.engines import engine_named

    model = m2s.model(CALLS[name], DATA)
    program = engine_named("stanli").compile(model.stan_code, model.stan_data)
    for start in starting_points(model.meaning, model.stan_data, 4, 1):
        assert np.isfinite(program.log_density(start)[0])


def test_students_t_intercepts_are_integrated_out():
    model = m2s.model(CALLS["nested"], DATA, prior="brms")
    assert model.meaning.strategy.kind == "collapsed"
    fit = model.sample(chains=1, warmup=100, draws=100, seed=1, engine="stanli")
    assert np.isfinite(fit.summary()["mean"]).all()


def test_effects_too_many_to_be_integrated_out_are_sampled():
    rng = np.random.default_rng(1)
    n = 3000
    data = pd.DataFrame({"h": rng.integers(0, 900, n), "g": rng.integers(0, 700, n)})
    data = data.assign(y=rng.normal(size=n), f=rng.choice(["u", "w"], n), one="1", x=0.0)
    data[["g", "h"]] = data[["g", "h"]].astype(str)
    random = "list(one = pdBlocked(list(pdIdent(~ 0 + g), pdIdent(~ 0 + h))))"
    call = f"lme(y ~ 1, random = {random}, weights = varIdent(form = ~ 1 | f))"
    model = m2s.model(call, data)
    assert model.meaning.strategy.kind == "noncentred"
    assert "too many to be integrated out" in model.meaning.strategy.reason


def joint(model, random, R, d, effects, mean):
    """log p(y | u) + log p(u)."""
    eta, total = mean.copy(), 0.0
    for one, point, u in zip(model.Z, random, effects, strict=True):
        sd = np.array(point["sd"])
        S = np.outer(sd, sd) * np.array(point.get("cor", np.eye(len(sd))))
        eta += one.matrix @ u.ravel()
        total += stats.multivariate_normal(np.zeros(len(sd)), S).logpdf(u).sum()
    d = np.broadcast_to(d(eta) if callable(d) else d, len(R))
    V = 0.9**2 * R * np.outer(d, d)
    return total + stats.multivariate_normal(eta, V).logpdf(DATA.y)


@pytest.mark.parametrize("errors", [*ERRORS, "fitted", "weights"])
def test_the_joint_likelihood_is_exact(errors):
    own = {
        "fitted": (
            "weights = varPower(form = ~ fitted(.))",
            {"varPower": 0.4},
            lambda: (np.eye(len(DATA)), lambda eta: np.abs(eta) ** 0.4),
        ),
        "weights": ("weights = varFixed(~ 1/v)", {}, lambda: (np.eye(len(DATA)), DATA.v**-0.5)),
    }
    structure, residual, matrices = (ERRORS | own)[errors]
    model = m2s.model(f"lme(y ~ x, random = list(a = ~ x, b = ~ 1), {structure})", DATA)
    assert (model.meaning.strategy.kind == "noncentred") == (errors == "fitted")
    random = in_order(model, [SLOPES, B])
    rng = np.random.default_rng(2)
    effects = [0.3 * rng.normal(size=(len(z.levels), len(z.coefficients))) for z in model.Z]
    point = {"beta": BETA, "random": random, "residual": {"sigma": 0.9, **residual}}
    mean = model.X.to_numpy() @ [4.8, 0.9]
    want = joint(model, random, *matrices(), effects, mean)
    got = model.loglik({**point, "u": effects}, engine="stanli")
    assert got == pytest.approx(want, rel=1e-10)


def test_variances_of_fitted_values_are_sampled_and_say_so():
    model = m2s.model("lme(y ~ x, random = ~ 1 | a/b, weights = varPower())", DATA)
    assert model.meaning.strategy.reason == "the variance of the errors depends on the effects"
    assert "depends on the effects" in str(model)


def test_residuals_listed_level_by_level_are_idh():
    call = "MCMCglmm(y ~ x, random = ~ a, rcov = ~ {})"
    listed = 'at.level(f, "u"):units + at.level(f, "w"):units'
    one, two = (m2s.model(call.format(rcov), DATA) for rcov in (listed, "idh(f):units"))
    assert one.meaning == two.meaning
    assert one.stan_code.splitlines()[1:] == two.stan_code.splitlines()[1:]
    assert m2s.compare(one, two).same


@pytest.mark.parametrize(
    ("rcov", "message"),
    [
        ('at.level(f, "u"):units', "the rows of f w have no residual"),
        (
            'at.level(f, "u"):units + at.level(f, "u"):units + at.level(f, "w"):units',
            "two residuals",
        ),
        ('at.level(f, "u"):units + at.level(f, "v"):units', "no level 'v'"),
    ],
)
def test_every_row_has_one_residual(rcov, message):
    with pytest.raises(FormulaError, match=message):
        m2s.model(f"MCMCglmm(y ~ x, random = ~ a, rcov = ~ {rcov})", DATA)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("list(~ x | a)", "~ x | a"),
        ("list(~ 1 | a, ~ 1 | b)", "~ 1 | a/b"),
        ("reStruct(~ x | a)", "~ x | a"),
        ("reStruct(list(a = pdDiag(~ x)), REML = TRUE)", "list(a = pdDiag(~ x))"),
        ("~ x | factor(a)", "~ x | a"),
        ("list(a = y ~ x)", "~ x | a"),
        ("list(a = pdSymm(value = diag(2), form = ~ x))", "~ x | a"),
        ("list(a = pdDiag(c(1, 1), ~ x))", "list(a = pdDiag(~ x))"),
        ("list(a = pdDiag(~ x, data = d))", "list(a = pdDiag(~ x))"),
    ],
)
def test_the_same_terms_in_other_words(written, plain):
    one, other = (f"lme(y ~ x, random = {random}, data = d)" for random in (written, plain))
    assert m2s.compare(m2s.model(one, {"d": DATA}), m2s.model(other, {"d": DATA})).same


@pytest.mark.parametrize(
    "random",
    ["~ 1 | a + b", "pdDiag(~ x)", "list(pdDiag(~ x))", "reStruct()", "~ 1 | interaction(a, b)"],
)
def test_random_without_a_group_is_told(random):
    with pytest.raises(m2s.FormulaError):
        m2s.model(f"lme(y ~ x, random = {random}, data = d)", {"d": DATA})
