"""Variance functions and correlations of errors: nlme's matrices, likelihoods and estimates."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.residual_data import blocks_of, natural_correlation, residual_entries, strata_codes
from mix2stan.residuals import CORRELATIONS, VARIANCES, distances, error_blocks
from tests.conftest import FIXTURES, table
from tests.numpy_density import mad
from tests.programs import PROGRAMS, model_of

ORTHODONT = table("Orthodont")
STRUCTURES = json.loads((FIXTURES / "error_structures.json").read_text())
CASES = json.loads((FIXTURES / "residuals.json").read_text())
POINTS = pd.DataFrame(
    {"t": [1.0, 2, 4, 7], "s": [0, 0.4, 1.5, 2.2], "r": [0, 1, 0.5, 2], "i": [1, 2, 3, 4]}
    | {"v": [2, 0.5, 3, 1.2], "g": ["b", "a", "a", "b"]}
)

#: R's class, its form, its value and what the structure needs, by the name of the reference matrix.
CORRELATED = {
    "corCompSymm(0.3)": ("corCompSymm(form = ~1)", {"corCompSymm": 0.3}),
    "corAR1(0.6) at t=1,2,4,7": ("corAR1(form = ~t)", {"corAR1": 0.6}),
    "corCAR1(0.6) at s": ("corCAR1(form = ~s)", {"corCAR1": 0.6}),
    "corARMA(c(.5,.2,.3),p=2,q=1) at t": (
        "corARMA(form = ~t, p = 2, q = 1)",
        {"corARMA": [0.5, 0.2, 0.3]},
    ),
    "corARMA(c(.4,-.2),p=0,q=2) at t": ("corARMA(form = ~t, q = 2)", {"corARMA": [0.4, -0.2]}),
    "corSymm(r) values by rows of upper triangle": (
        "corSymm(form = ~i)",
        {"corSymm": [0.1, 0.2, 0.3, 0.4, 0.5, 0.05]},
    ),
    "corExp(1.8) manhattan at (s,r)": (
        "corExp(form = ~s + r, metric = 'man')",
        {"corExp": 1.8},
    ),
    "corExp(1.8) maximum at (s,r)": ("corExp(form = ~s + r, metric = 'max')", {"corExp": 1.8}),
} | {
    name: value
    for kind in ("corExp", "corGaus", "corLin", "corRatio", "corSpher")
    for name, value in {
        f"{kind}(1.8) at s": (f"{kind}(form = ~s)", {kind: 1.8}),
        f"{kind}(c(1.8,.2),nugget) at (s,r)": (
            f"{kind}(form = ~s + r, nugget = TRUE)",
            {kind: [1.8, 0.2]},
        ),
    }.items()
}

WEIGHTED = {
    "varFixed(~v)": ("varFixed(~v)", {"varFixed": "v"}),
    "varIdent(c(a=2), ~1|g)": ("varIdent(c(a = 2), ~1 | g)", {"varIdent": {"b": 1, "a": 2}}),
    "varPower(0.7, ~v)": ("varPower(form = ~v)", {"varPower": 0.7}),
    "varPower(list(a=.3,b=.9), ~v|g)": (
        "varPower(form = ~v | g)",
        {"varPower": {"a": 0.3, "b": 0.9}},
    ),
    "varExp(0.4, ~v)": ("varExp(form = ~v)", {"varExp": 0.4}),
    "varConstPower(1.5, 0.7, ~v)": (
        "varConstPower(form = ~v)",
        {"varConstPower": {"const": 1.5, "power": 0.7}},
    ),
    "varConstProp(0.8, 0.3, ~v)": ("varConstProp(form = ~v)", {"varConstProp": [0.8, 0.3]}),
    "varComb(varIdent(c(a=2),~1|g), varPower(.7,~v))": (
        "varComb(varIdent(form = ~1 | g), varPower(form = ~v))",
        {"varIdent": {"b": 1, "a": 2}, "varPower": 0.7},
    ),
}


def test_every_structure_of_the_reference_is_held():
    assert set(STRUCTURES) == set(CORRELATED) | set(WEIGHTED)
    held = " ".join(STRUCTURES)
    assert all(kind in held for kind in (*CORRELATIONS, *VARIANCES))


def covariance_by_likelihood(call, residual, engine):
    """The covariance of four errors, from log densities of the rendered program.

    The density is quadratic in y, so its second differences are the precision.
    """

    def loglik(y):
        model = m2s.model(call, POINTS.assign(y=y))
        return model.loglik({"beta": {}, "residual": {"sigma": 1.0, **residual}}, engine=engine)

    unit = np.eye(4)
    zero = loglik(np.zeros(4))
    single = [loglik(e) for e in unit]
    precision = np.diag([2 * (zero - s) for s in single])
    for i in range(4):
        for j in range(i):
            both = loglik(unit[i] + unit[j])
            precision[i, j] = precision[j, i] = single[i] + single[j] - zero - both
    covariance = np.linalg.inv(precision)
    # and the constant is the determinant's
    expected = stats.multivariate_normal(np.zeros(4), covariance).logpdf(np.zeros(4))
    assert zero == pytest.approx(expected, rel=1e-10)
    return covariance


@pytest.mark.parametrize("name", CORRELATED)
def test_the_program_has_nlmes_correlation(name):
    structure, residual = CORRELATED[name]
    call = f"gls(y ~ 0, correlation = {structure})"
    got = covariance_by_likelihood(call, residual, "stanli")
    np.testing.assert_allclose(got, STRUCTURES[name]["matrix"], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", WEIGHTED)
def test_the_program_has_nlmes_variance(name):
    structure, residual = WEIGHTED[name]
    call = f"gls(y ~ 0, weights = {structure})"
    got = covariance_by_likelihood(call, residual, "stanli")
    want = np.diag(np.square(STRUCTURES[name]["sd_multiplier"]))
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


@pytest.mark.cmdstan
@pytest.mark.slow
@pytest.mark.parametrize("name", [*CORRELATED, *WEIGHTED])
def test_cmdstan_has_nlmes_structures(name, cmdstan):
    kind = "correlation" if name in CORRELATED else "weights"
    structure, residual = (CORRELATED | WEIGHTED)[name]
    got = covariance_by_likelihood(f"gls(y ~ 0, {kind} = {structure})", residual, "cmdstan")
    known = STRUCTURES[name]
    want = known["matrix"] if name in CORRELATED else np.diag(np.square(known["sd_multiplier"]))
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", CORRELATED)
def test_numpy_has_nlmes_correlation(name):
    from mix2stan.residual_point import residual_values

    structure, residual = CORRELATED[name]
    model = m2s.model(f"gls(y ~ 0, correlation = {structure})", POINTS.assign(y=0.0))
    errors, data = model.meaning.residual, model._compiled.data
    values = natural_correlation(errors, residual_values(errors, {"sigma": 1, **residual}))
    points = blocks_of(errors.correlation, data).points
    d = distances(points, errors.correlation.metric)
    got = CORRELATIONS[errors.correlation.kind].matrix(points, d, values)
    np.testing.assert_allclose(got, STRUCTURES[name]["matrix"], rtol=0, atol=1e-12)


# -- likelihood and estimates ----------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_the_likelihood_is_nlmes(case):
    for call in case["calls"].values():
        model = m2s.model(call, {"d": table(case["data"])})
        for point in case["loglik_at"]:
            got = model.loglik(point, engine="stanli")
            assert got == pytest.approx(point["loglik"], rel=1e-8)


@pytest.mark.cmdstan
@pytest.mark.parametrize(
    "case", [c for c in CASES if c["id"] in ("orthodont-varident", "ovary-lme-ar1")]
)
def test_the_likelihood_is_nlmes_with_cmdstan(case, cmdstan):
    model = m2s.model(case["calls"]["nlme"], {"d": table(case["data"])})
    for point in case["loglik_at"]:
        assert model.loglik(point, engine="cmdstan") == pytest.approx(point["loglik"], rel=1e-8)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_estimates_are_nlmes(case):
    model = m2s.model(case["calls"]["nlme"], {"d": table(case["data"])})
    for want in case["fits"].values():
        fit = (model.reml if want["method"] == "REML" else model.ml)("stanli")
        assert fit.logLik == pytest.approx(want["logLik"], abs=1e-3)
        assert fit.sigma() == pytest.approx(want["sigma"], rel=1e-3)
        for name, value in want["fixef"].items():
            slack = 1e-3 * fit.standard_errors.fillna(0.0)[name]
            assert fit.fixef()[name] == pytest.approx(value, rel=1e-3, abs=slack)
        if fit.unidentified:  # nlme prints where it starts
            assert fit.residual().isna().all()
            continue
        for part in ("variance", "correlation"):
            found = fit.residual()
            for name, value in (want.get(part) or {"coef": {}})["coef"].items():
                label = f"varIdent ratio[{name}]" if part == "variance" else found.index[-1]
                assert found[label] == pytest.approx(value, rel=1e-3, abs=1e-3)


FITS = json.loads((FIXTURES / "residual_fits.json").read_text())


@pytest.mark.parametrize("fit", FITS, ids=lambda f: f["call"])
def test_other_structures_have_nlmes_estimates(fit):
    """Fits of nlme 3.1-162 (REML); its optimiser stops at about 1e-6 of the log-likelihood."""
    got = m2s.model(fit["call"], table(fit["data"])).reml("stanli")
    assert got.logLik == pytest.approx(fit["logLik"], abs=1e-3)
    assert got.sigma() == pytest.approx(fit["sigma"], rel=1e-2)
    found = got.residual()
    assert set(found.index) == set(fit["coef"])
    for name, value in fit["coef"].items():
        assert found[name] == pytest.approx(value, rel=1e-2, abs=1e-3), name


# -- programs --------------------------------------------------------------------------------------

DIRECT = [n for n in PROGRAMS if n.startswith("errors_")]
#: Powers of time make the dense matrix of the six effects too ill-conditioned to compare with.
COLLAPSED = [
    n for n in PROGRAMS if n.startswith("collapsed_errors_") and n != "collapsed_errors_many"
]


def log_density(parameter, name, value):
    """Of the default prior of a parameter of the errors; scales are the program's own data."""
    if name == "cor_L":
        q = len(value)
        return sum((q - 1 - k) * np.log(value[k, k]) for k in range(1, q))
    scales = {
        "lognormal_1": stats.lognorm(1),
        "std_normal": stats.norm(),
        "uniform_0_1": stats.uniform(0, 1),
        "uniform_1_1": stats.uniform(-1, 2),
        "uniform_rho": stats.uniform(-1, 2),
    }
    return scales[parameter].logpdf(value).sum() if parameter in scales else None


def random_errors(model, rng):
    """Random parameters of the errors, by Stan name."""
    found = {}
    for block in error_blocks(model.meaning.residual):
        if not block.free:
            continue
        size = () if block.scalar else len(block.labels)
        if block.name == "cor_L":
            q = model.stan_data["M"]
            A = rng.normal(size=(q, q))
            S = A @ A.T + np.eye(q)
            d = 1 / np.sqrt(np.diag(S))
            found[block.name] = np.linalg.cholesky(d[:, None] * S * d)
        elif "upper" in block.parameter.bounds:
            found[block.name] = rng.uniform(0.1, 0.7, size)
        else:
            found[block.name] = rng.uniform(0.3, 1.5, size) * (0.1 if "expon" in block.name else 1)
    return found


def error_covariance(model, errors, sigma, mu):
    """sigma^2 D R D by the definitions of nlme, dense, rows as in the data."""
    residual, data = model.meaning.residual, model._compiled.data
    n = data.rows
    scale = np.ones(n)
    for part in residual.variances:
        v = np.abs(mu) if part.of_fitted else None
        if v is None and part.covariate is not None:
            v = data.vector(part.covariate)
        codes = strata_codes(part, data) if part.strata else np.zeros(n, int)
        of = {}
        for block in error_blocks(residual):
            if block.part is part:
                free = np.atleast_1d(errors[block.name]) if block.free else []
                of[block.parameter.name] = np.concatenate([block.known, free])[codes]
        scale *= {
            "varIdent": lambda of=of: of["ratio"],
            "varPower": lambda of=of, v=v: v ** of["power"],
            "varExp": lambda of=of, v=v: np.exp(of["expon"] * v),
            "varFixed": lambda v=v: np.sqrt(v),
            "varConstPower": lambda of=of, v=v: of["const"] + v ** of["power"],
            "varConstProp": lambda of=of, v=v: np.hypot(of["const"], of["prop"] * v),
        }[part.kind]()
    R = np.eye(n)
    if residual.correlation is not None:
        blocks = blocks_of(residual.correlation, data)
        values = natural_correlation(residual, errors)
        for a, b in zip(blocks.first[:-1], blocks.first[1:], strict=True):
            points, rows = blocks.points[a:b], blocks.order[a:b]
            d = distances(points, residual.correlation.metric)
            R[np.ix_(rows, rows)] = CORRELATIONS[residual.correlation.kind].matrix(
                points, d, values
            )
    return sigma**2 * scale[:, None] * R * scale


def prior_of_errors(model, errors):
    total = 0.0
    for block in error_blocks(model.meaning.residual):
        if not block.free:
            continue
        value, data = errors[block.name], model.stan_data
        fixed = log_density(block.parameter.prior, block.name, value)
        if fixed is None:
            scale = data[f"{block.name}_scale"]
            if block.parameter.prior == "lognormal":
                fixed = stats.lognorm(scale, scale=np.exp(data[f"{block.name}_loc"])).logpdf(value)
            elif block.parameter.prior == "half_student_t":
                fixed = np.sum(stats.t(3, 0, scale).logpdf(value))
            else:
                fixed = np.sum(stats.norm(0, scale).logpdf(value))
        total += fixed
    return total


def coefficient_prior(y, X):
    """Mean and covariance of the default prior of beta, and C of C beta."""
    spread = np.std(y, ddof=1)
    C = np.eye(X.shape[1])
    C[0] = X.mean(axis=0)
    scales = [2.5 * spread, *(2.5 * spread / np.std(X[:, 1:], axis=0, ddof=1))]
    root = np.linalg.solve(C, np.diag(scales))
    return np.linalg.solve(C, [y.mean(), *np.zeros(len(scales) - 1)]), root @ root.T


def response(name):
    model = model_of(name)
    return np.asarray(model._compiled.data.response(model.meaning))


@pytest.mark.parametrize("name", DIRECT)
def test_the_direct_density_is_scipys(name, stanli):
    model, rng = model_of(name), np.random.default_rng(5)
    y, X = response(name), model.X.to_numpy()
    program = stanli.compile(model.stan_code, model.stan_data)
    ours, theirs = [], []
    for _ in range(3):
        errors, sigma = random_errors(model, rng), rng.uniform(1, 3)
        point, mu = {"sigma": sigma, **errors}, np.zeros(len(y))
        total = stats.t(3, 0, max(2.5, mad(y))).logpdf(sigma) + prior_of_errors(model, errors)
        if X.shape[1]:
            beta = np.array([y.mean(), *rng.normal(0, 0.1, X.shape[1] - 1)])
            point["theta"] = np.linalg.solve(model.stan_data["R_inverse"], beta)
            mean, covariance = coefficient_prior(y, X)
            mu += X @ beta
            total += stats.multivariate_normal(mean, covariance).logpdf(beta)
        for term, group in zip(model.Z, model.meaning.groups, strict=True):
            sd, z = rng.uniform(0.5, 2), rng.normal(size=len(term.levels))
            point |= {f"sd_{group.id}": sd, f"z_{group.id}": z}
            mu += term.matrix @ (sd * z)
            total += stats.t(3, 0, max(2.5, mad(y))).logpdf(sd) + stats.norm.logpdf(z).sum()
        V = error_covariance(model, errors, sigma, mu)
        theirs.append(total + stats.multivariate_normal(mu, V).logpdf(y))
        ours.append(program.log_density(point, jacobian=False)[0])
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-8)


@pytest.mark.parametrize("name", COLLAPSED)
def test_the_collapsed_density_is_the_marginal_one(name, stanli):
    model, rng = model_of(name), np.random.default_rng(6)
    y, X = response(name), model.X.to_numpy()
    mean, covariance = coefficient_prior(y, X)
    program = stanli.compile(model.stan_code, model.stan_data)
    ours, theirs = [], []
    for _ in range(3):
        errors, sigma = random_errors(model, rng), rng.uniform(1, 3)
        point = {"sigma": sigma, **errors}
        scale = max(2.5, mad(y))
        total = stats.t(3, 0, scale).logpdf(sigma) + prior_of_errors(model, errors)
        V = error_covariance(model, errors, sigma, None) + X @ covariance @ X.T
        for term, group in zip(model.Z, model.meaning.groups, strict=True):
            q = len(term.coefficients)
            sd, L = rng.uniform(0.5, 2, q), np.eye(q)
            if q > 1:
                L = np.array([[1, 0], [0.3, np.sqrt(1 - 0.09)]])
                point[f"L_{group.id}"] = L
                total += sum((q - 1 - k) * np.log(L[k, k]) for k in range(1, q))
            point[f"sd_{group.id}"] = sd if q > 1 else sd[0]
            A, Z = np.diag(sd) @ L, term.matrix.toarray()
            V = V + Z @ np.kron(np.eye(len(term.levels)), A @ A.T) @ Z.T
            total += stats.t(3, 0, scale).logpdf(sd).sum()
        theirs.append(total + stats.multivariate_normal(X @ mean, V).logpdf(y))
        ours.append(program.log_density(point, jacobian=False)[0])
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-8)


@pytest.mark.parametrize(
    "structure",
    [
        "corAR1(form = ~day | Mare)",
        "corCAR1(form = ~Time | Mare)",
        "corARMA(form = ~day | Mare, p = 1, q = 1)",
        "corGaus(form = ~Time | Mare, nugget = TRUE)",
        "corCompSymm(form = ~1 | Mare)",
    ],
)
def test_the_order_of_the_rows_does_not_matter(structure, stanli):
    data = table("Ovary").assign(day=lambda d: d.groupby("Mare", observed=True).cumcount() * 2)
    shuffled = data.sample(frac=1, random_state=4)
    call = f"lme(follicles ~ Time, random = ~1 | Mare, correlation = {structure})"
    kind = structure.split("(")[0]
    values = {"corARMA": [0.5, 0.2], "corGaus": [0.3, 0.2]}.get(kind, 0.4)
    point = {
        "beta": {"(Intercept)": 10.0, "Time": 1.0},
        "random": [{"group": "Mare", "coefficients": ["(Intercept)"], "sd": [2.0]}],
        "residual": {"sigma": 3.0, kind: values},
    }
    a, b = (m2s.model(call, d).loglik(point, engine="stanli") for d in (data, shuffled))
    assert a == pytest.approx(b, rel=1e-11)


def test_errors_across_groups_leave_no_block():
    data = table("Ovary").assign(half=lambda d: np.where(np.arange(len(d)) % 2, "a", "b"))
    call = "lme(follicles ~ Time, random = ~1 | Mare, correlation = corAR1(form = ~1 | half))"
    model = m2s.model(call, data)
    assert model.meaning.strategy.kind == "collapsed"
    assert model.meaning.residual.correlation.within == ()


def test_blocks_of_one_pattern_share_a_factor():
    model = m2s.model(
        "gls(distance ~ age, correlation = corExp(form = ~age | Subject))", table("Orthodont")
    )
    assert model.stan_data["patterns"] == 1
    ragged = table("Orthodont").iloc[:-2]
    model = m2s.model("gls(distance ~ age, correlation = corExp(form = ~age | Subject))", ragged)
    assert model.stan_data["patterns"] == 1
    entries = residual_entries(model.meaning.residual, model._compiled.data)
    sizes = entries["last"] - entries["first"]
    assert sizes[0] == sizes.max()


def test_posteriors_are_labelled_by_stratum(stanli):
    call = "lme(distance ~ age, random = ~1 | Subject, weights = varIdent(form = ~1 | Sex))"
    fit = m2s.model(call, table("Orthodont")).sample(warmup=300, draws=300, seed=1, engine="stanli")
    row = fit.summary().loc["var_ratio[Female]"]
    # nlme's estimate is 0.41
    assert row["mean"] == pytest.approx(0.46, abs=0.1)
    assert "cor_R[1, 2]" not in fit.summary().index
    assert fit.posterior["var_ratio"].coords["var_ratio_element"].values.tolist() == ["Female"]


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "graph"),
    [
        ("weights = ~age", "varFixed(age)"),
        ("weights = varFixed(~age)", "varFixed(age)"),
        ("weights = varPower()", "varPower(fitted(.))"),
        ("weights = varPower(form = ~fitted(.) | Sex)", "varPower(fitted(.) | Sex)"),
        ("weights = varIdent(form = ~1 | Sex * f)", "varIdent(Sex:f)"),
        ("weights = varExp(0.1, ~age)", "varExp(age)"),
        ("weights = varIdent(~ 1 | Sex)", "varIdent(Sex)"),
        ("weights = varPower(fixed = 0.5, form = ~age)", "varPower(age, power = 0.5)"),
        ("weights = varPower(fixed = c(a = 0.5), form = ~age)", "varPower(age, power = 0.5)"),
        ("weights = varIdent(form = ~age | Sex)", "varIdent(Sex)"),
        (
            "weights = varComb(varPower(form = ~age), varIdent(form = ~1 | Sex))",
            "varIdent(Sex) * varPower(age)",
        ),
        ("correlation = corAR1(0.5, ~age | Subject)", "corAR1(age | Subject)"),
        ("correlation = corARMA(form = ~age | Subject, p = 1)", "corAR1(age | Subject)"),
        (
            "correlation = corAR1(0.5, ~age | Subject, fixed = TRUE)",
            "corAR1(age | Subject, fixed 0.5)",
        ),
        ("correlation = corCompSymm(form = ~age | Subject)", "corCompSymm(1 | Subject)"),
        (
            "correlation = corExp(form = ~age | Subject, nugget = T, metric = 'max')",
            "corExp(age | Subject, nugget, maximum)",
        ),
    ],
)
def test_structures_are_read(arguments, graph):
    data = table("Orthodont").assign(f=lambda d: np.where(d["age"] > 10, "old", "young"))
    model = m2s.model(f"gls(distance ~ age, {arguments})", data)
    assert str(model.meaning.residual) == graph


def test_an_error_far_smaller_than_the_others_loses_no_digits():
    """One row in four nearly without error, beside effects that are ten thousand times its sd."""
    data = table("Orthodont")
    call = "lme(distance ~ age, random = ~age | Subject, weights = varIdent(form = ~1 | Sex * age))"
    sds = {f"{sex}*{age}": 1.5 for sex in ("Male", "Female") for age in (8, 10, 12, 14)}
    sds["Female*8"] = 1e-5
    point = {
        "beta": {"(Intercept)": 17.0, "age": 0.6},
        "random": [
            {"group": "Subject", "coefficients": ["(Intercept)", "age"], "sd": [2.0, 0.4]}
            | {"cor": [[1, 0.3], [0.3, 1]]}
        ],
        "residual": {"sigma": 1.0, "varIdent": sds},
    }
    own = np.array([sds[f"{sex}*{age:g}"] for sex, age in zip(data.Sex, data.age, strict=True)])
    Z = np.column_stack([np.ones(len(data)), data.age])
    same = np.equal.outer(data.Subject.to_numpy(), data.Subject.to_numpy())
    V = same * (Z @ np.array([[4, 0.24], [0.24, 0.16]]) @ Z.T) + np.diag(own**2)
    want = stats.multivariate_normal(17 + 0.6 * data.age, V).logpdf(data.distance)
    assert m2s.model(call, data).loglik(point) == pytest.approx(want, abs=1e-3)


def test_equal_errors_of_two_packages_are_one_model():
    data = table("Orthodont")
    a = m2s.model("gls(distance ~ age, weights = varIdent(form = ~1 | Sex))", data)
    b = m2s.model("MCMCglmm(distance ~ age, rcov = ~idh(Sex):units)", data)
    c = m2s.model("gls(distance ~ age, weights = varIdent(c(Male = 2), ~1 | Sex))", data)
    assert a.meaning == b.meaning == c.meaning
    assert c.meaning.residual.variances[0].levels == ("Female", "Male")


def test_innermost_groups_are_the_blocks_of_lme():
    data = table("Pastes").reset_index(drop=True)
    call = "lme(strength ~ 1, random = ~1 | batch/cask, correlation = corAR1())"
    model = m2s.model(call, data)
    assert str(model.meaning.residual.correlation.block) == "batch:cask"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("weights = varPower(form = ~zero)", "is 0 in row 1"),
        ("weights = varFixed(~I(age - 20))", "is negative in row 1"),
        ("weights = varIdent(form = ~age)", "about strata alone"),
        ("weights = varIdent(form = ~1 | Sex, fixed = c(Mal = 2))", "nearest: 'Male'"),
        ("weights = varPwer(form = ~age)", "nearest: 'varPower'"),
        ("weights = varPower(form = ~1 | Sex)", "needs a covariate"),
        ("weights = 3", "has to be a variance function"),
        ("correlation = corAR1(form = ~I(age / 3) | Subject)", "whole numbers"),
        ("correlation = corAR1(form = ~age)", "same age"),
        ("correlation = corExp(form = ~zero | Subject)", "nugget = TRUE"),
        ("correlation = corAR1(1.5, ~age | Subject)", "between -1 and 1"),
        ("correlation = corARMA(c(1.5, 0.2), ~age | Subject, p = 2)", "stationary"),
        ("correlation = corARMA(0.5, ~age | Subject, p = 2)", "1 numbers for p"),
        ("correlation = corARMA(form = ~age | Subject)", "needs an order"),
        ("correlation = corExp(-1, ~age | Subject)", "positive"),
        ("correlation = corExp(form = ~age | Subject, metric = 'taxi')", "no metric"),
        ("correlation = corAr1(form = ~age | Subject)", "nearest: 'corAR1'"),
        ("correlation = corSymm(form = ~age | Subject)", "without gaps"),
        ("correlation = corSymm(rep, ~1 | Subject)", "a number is expected"),
        ("correlation = corSymm(c(0.9, -0.9, 0, 0.9, 0, 0), ~1 | Subject)", "positive definite"),
        ("correlation = corAR1(form = ~1 | row)", "no errors can correlate"),
        ("correlation = corAR1(form = ~agee | Subject)", "nearest: 'age'"),
        ("correlation = corAR1(fixed = TRUE)", "needs a value"),
    ],
)
def test_what_cannot_be_meant_is_explained(arguments, message):
    data = table("Orthodont").assign(zero=0.0, row=lambda d: np.arange(len(d)).astype(str))
    with pytest.raises(m2s.Mix2stanError) as caught:
        m2s.model(f"gls(distance ~ age, {arguments})", data)
    assert message in str(caught.value)


def test_an_autoregression_has_both_of_nlmes_names():
    model = m2s.model("gls(distance ~ 1, correlation = corAR1(form = ~ age | Subject))", ORTHODONT)
    point = {"beta": {"(Intercept)": 24.0}, "residual": {"sigma": 2.0}}
    by_name = [
        model.loglik({**point, "residual": {"sigma": 2.0, name: 0.4}})
        for name in ("corAR1", "corARMA")
    ]
    assert by_name[0] == by_name[1]


def test_parts_of_one_kind_stand_in_the_order_of_the_call():
    parts = ["varExp(form = ~ age)", "varExp(form = ~ I(14 - age) | Sex)"]
    given = [{"varExp": 0.05}, {"varExp": {"Male": 0.1, "Female": -0.1}}]
    point = {"beta": {"(Intercept)": 24.0}}
    found = []
    for order in ([0, 1], [1, 0]):
        comb = ", ".join(parts[i] for i in order)
        model = m2s.model(f"gls(distance ~ 1, weights = varComb({comb}))", ORTHODONT)
        residual = {"sigma": 1.0, "varComb": [given[i] for i in order]}
        found.append(model.loglik({**point, "residual": residual}))
    assert found[0] == pytest.approx(found[1], rel=1e-12)
    growth = np.where(ORTHODONT.Sex == "Male", 0.1, -0.1)
    sd = np.exp(0.05 * ORTHODONT.age + growth * (14 - ORTHODONT.age))
    assert found[0] == pytest.approx(stats.norm(24, sd).logpdf(ORTHODONT.distance).sum())


def test_a_point_that_does_not_fit_the_errors_is_explained():
    call = "gls(distance ~ age, correlation = corAR1(form = ~1 | Subject))"
    model = m2s.model(call, table("Orthodont"))
    beta = {"(Intercept)": 17.0, "age": 0.6}
    for residual, message in (
        ({"sigma": 2.0}, "no value for corAR1"),
        ({"sigma": 2.0, "corAR1": [0.2, 0.3]}, "has 1 parameters"),
        ({"sigma": 2.0, "corAR1": 0.2, "varPower": 1.0}, "have no varPower"),
    ):
        with pytest.raises(m2s.Mix2stanError, match=message):
            model.loglik({"beta": beta, "residual": residual})
    fitted = m2s.model("gls(distance ~ age, weights = varPower())", table("Orthodont"))
    with pytest.raises(m2s.Unsupported, match="depends on fitted values"):
        fitted.reml("stanli")
