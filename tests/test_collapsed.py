"""Integrating out changes how a posterior is computed, never what it is."""

from __future__ import annotations

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy import linalg, stats

import mix2stan as m2s
from tests.conftest import table
from tests.numpy_density import mad
from tests.programs import PROGRAMS, model_of

COLLAPSED = [
    n
    for n, case in PROGRAMS.items()
    if (case.strategy == "collapsed" or isinstance(case.strategy, dict)) and "errors" not in n
]
#: Models whose priors are normal in the way of an intercept and slopes.
NORMAL = [
    n
    for n in COLLAPSED
    if n not in ("collapsed_lm", "collapsed_flat", "collapsed_brms")
    and not n.startswith("collapsed_errors")
    # weights and related levels are held by tests of their own
    and model_of(n).meaning.residual.plain
    and not any(g.coupled for g in model_of(n).meaning.groups)
    and all(g.covariance.kind in ("scalar", "idv", "idh", "us") for g in model_of(n).meaning.groups)
]


def prior_of_beta(X, y):
    """Mean and a root of the covariance of the default prior."""
    spread = np.std(y, ddof=1)
    C = np.vstack([X.mean(axis=0), np.eye(X.shape[1])[1:]])
    slopes = 2.5 * spread / np.std(X[:, 1:], axis=0, ddof=1)
    root = np.linalg.solve(C, np.diag([2.5 * spread, *slopes]))
    return np.linalg.solve(C, [y.mean(), *np.zeros(len(slopes))]), root


def marginal(model, y, point):
    """log p(y, z | sd, R, sigma) + log p(sd, R, sigma) by scipy, dense, default priors."""
    X = model.X.to_numpy()
    scale = max(2.5, mad(y))
    V, mean = point["sigma"] ** 2 * np.eye(len(y)), np.zeros(len(y))
    if X.shape[1]:
        beta, root = prior_of_beta(X, y)
        mean, V = X @ beta, V + X @ root @ root.T @ X.T
    total = stats.t(3, 0, scale).logpdf(point["sigma"])
    for term, group in zip(model.Z, model.meaning.groups, strict=True):
        sd, q = point[f"sd_{group.id}"], len(term.coefficients)
        L = point.get(f"L_{group.id}", np.eye(q))
        A = np.diag(np.broadcast_to(sd, q)) @ L
        Z = term.matrix.toarray() @ np.kron(np.eye(len(term.levels)), A)
        total += stats.t(3, 0, scale).logpdf(sd).sum()
        total += sum((q - 1 - k) * np.log(L[k, k]) for k in range(1, q))
        if group.integrated:
            V = V + Z @ Z.T
        elif group.parameterisation.centred:
            b = np.reshape(point[f"b_{group.id}"], (-1, q))
            mean = mean + term.matrix.toarray() @ b.ravel()
            total += np.sum(stats.multivariate_normal(np.zeros(q), A @ A.T).logpdf(b))
        else:
            z = np.asarray(point[f"z_{group.id}"])
            mean = mean + Z @ z.T.ravel()
            total += stats.norm.logpdf(z).sum()
    return total + stats.multivariate_normal(mean, V).logpdf(y)


def random_point(model, y, rng):
    spread = np.std(y)
    point = {"sigma": spread * rng.uniform(0.2, 0.8)}
    for term, group in zip(model.Z, model.meaning.groups, strict=True):
        q, J = len(term.coefficients), len(term.levels)
        single = group.covariance.kind in ("scalar", "idv")
        point[f"sd_{group.id}"] = spread * rng.uniform(0.02, 0.8, None if single else q)
        if group.covariance.kind == "us":
            A = rng.normal(size=(q, q))
            S = A @ A.T + np.eye(q)
            d = 1 / np.sqrt(np.diag(S))
            point[f"L_{group.id}"] = np.linalg.cholesky(d[:, None] * S * d)
        if not group.integrated:
            scalar = group.covariance.kind == "scalar"
            if group.parameterisation.centred:
                b = spread * rng.normal(size=J if scalar else (J, q))
                point[f"b_{group.id}"] = b
            else:
                point[f"z_{group.id}"] = rng.normal(size=J if scalar else (q, J))
    return point


def response(model, name):
    return table(PROGRAMS[name].data)[str(model.meaning.response.expression)].to_numpy()


@pytest.mark.parametrize("name", NORMAL)
def test_the_density_is_the_marginal_one(name, engine):
    model = model_of(name)
    y = response(model, name)
    rng = np.random.default_rng(3)
    points = [random_point(model, y, rng) for _ in range(4)]
    program = engine.compile(model.stan_code, model.stan_data)
    ours = [program.log_density(p, jacobian=False)[0] for p in points]
    np.testing.assert_allclose(
        np.diff(ours), np.diff([marginal(model, y, p) for p in points]), rtol=1e-9
    )


def test_a_mean_of_a_million_loses_nothing(stanli):
    data = table("sleepstudy")
    call = "lmer(Reaction ~ Days + (Days | Subject))"
    near = m2s.model(call, data)
    far = m2s.model(call, data.assign(Reaction=data["Reaction"] + 1e6))
    point = random_point(near, data["Reaction"].to_numpy(), np.random.default_rng(1))
    values = [stanli.compile(m.stan_code, m.stan_data).log_density(point)[0] for m in (near, far)]
    assert values[0] == pytest.approx(values[1], rel=1e-9)


def test_a_heavy_tailed_intercept_is_a_mixture(engine):
    """brms' prior of the intercept: the density, the mixture's variance integrated numerically."""
    model = model_of("collapsed_brms")
    y, X = table("sleepstudy")["Reaction"].to_numpy(), model.X.to_numpy()
    rng = np.random.default_rng(2)
    program = engine.compile(model.stan_code, model.stan_data)
    scale, loc = max(2.5, round(mad(y), 1)), round(float(np.median(y)), 1)
    term = model.Z[0]

    def exact(point, mix):
        """log p(y, mix | the rest) up to a constant: slopes flat, as a very wide normal."""
        A = np.diag(point["sd_Subject"]) @ point["L_Subject"]
        Z = term.matrix.toarray() @ np.kron(np.eye(18), A)
        centred = X[:, 1] - X[:, 1].mean()
        V = point["sigma"] ** 2 * np.eye(len(y)) + Z @ Z.T + scale**2 * mix
        W = np.linalg.inv(V)
        r = y - loc
        slope = centred @ W @ r / (centred @ W @ centred)
        r = r - slope * centred
        value = -0.5 * np.linalg.slogdet(V)[1] - 0.5 * np.log(centred @ W @ centred)
        value += -0.5 * r @ W @ r + stats.invgamma(1.5, scale=1.5).logpdf(mix)
        value += stats.t(3, 0, scale).logpdf([*point["sd_Subject"], point["sigma"]]).sum()
        return value

    got, want = [], []
    for _ in range(4):
        point = random_point(model, y, rng)
        mix = rng.uniform(0.3, 3)
        got.append(program.log_density({**point, "mix_intercept": mix}, jacobian=False)[0])
        want.append(exact(point, mix))
    np.testing.assert_allclose(np.diff(got), np.diff(want), rtol=1e-8)


@pytest.mark.parametrize("name", [n for n in NORMAL if "sampled" not in n])
def test_effects_given_the_rest_are_exact(name, stanli):
    """With the parameters held where they start, b and beta have their exact conditional moments."""
    model, count = model_of(name), 20_000
    y, X = response(model, name), model.X.to_numpy()
    point = random_point(model, y, np.random.default_rng(5))
    integrated, precisions, known = [], [], np.zeros(len(y))
    for term, group in zip(model.Z, model.meaning.groups, strict=True):
        q, J = len(term.coefficients), len(term.levels)
        A = np.diag(np.broadcast_to(point[f"sd_{group.id}"], q))
        A = A @ point.get(f"L_{group.id}", np.eye(q))
        Z = term.matrix.toarray()
        if group.integrated:
            integrated.append(Z)
            precisions.append(np.kron(np.eye(J), np.linalg.inv(A @ A.T)))
        else:
            if group.parameterisation.centred:
                effects = np.asarray(point[f"b_{group.id}"])
            else:
                effects = np.asarray(point[f"z_{group.id}"]).T @ A.T
            known = known + Z @ effects.ravel()
    design = np.hstack([X, *integrated])
    K = X.shape[1]
    prior = np.zeros((design.shape[1],) * 2)
    linear = design.T @ (y - known) / point["sigma"] ** 2
    if K:
        mean, root = prior_of_beta(X, y)
        prior[:K, :K] = np.linalg.inv(root @ root.T)
        linear[:K] += prior[:K, :K] @ mean
    prior[K:, K:] = linalg.block_diag(*precisions)
    covariance = np.linalg.inv(design.T @ design / point["sigma"] ** 2 + prior)
    mean = covariance @ linear
    # a chain that cannot move draws the rest again and again
    program = stanli.compile(model.stan_code, model.stan_data)
    fixed = program._model.sample(
        chains=1, warmup=0, samples=count, inits=program._unconstrain(point), adapt_engaged=False,
        step_size=1e-14, max_depth=1, refresh=0,
    )  # fmt: skip
    blocks = [fixed.draws("beta")[0]] if K else []
    for group in model.meaning.groups:
        if group.integrated:
            blocks.append(fixed.draws(f"b_{group.id}")[0].reshape(count, -1))
    draws = np.hstack(blocks)
    sd = np.sqrt(np.diag(covariance))
    assert np.abs((draws.mean(axis=0) - mean) / sd).max() < 4.8 / np.sqrt(count)
    np.testing.assert_allclose(draws.std(axis=0), sd, rtol=0.03)
    correlation = covariance / np.outer(sd, sd)
    assert np.abs(np.corrcoef(draws.T) - correlation).max() < 0.04


def test_the_strategy_is_said_and_can_be_chosen():
    data = table("sleepstudy")
    call = "lmer(Reaction ~ Days + (Days | Subject))"
    assert "integrated out" in str(m2s.model(call, data))
    assert "non-centred" in str(m2s.model(call, data, strategy="noncentred"))
    assert "z_Subject" in m2s.model(call, data, strategy="noncentred").stan_code
    assert "integrated out" in str(m2s.model(call, data, prior="brms"))
    with pytest.raises(m2s.FormulaError, match="colapsed"):
        m2s.model(call, data, strategy="colapsed")


def test_terms_can_be_treated_one_by_one():
    data, call = table("Penicillin"), "lmer(diameter ~ 1 + (1 | plate) + (1 | sample))"
    text = str(m2s.model(call, data, strategy={"sample": "noncentred"}))
    assert "drawn exactly: b_plate, beta" in text
    assert "b_sample sampled, non-centred" in text
    with pytest.raises(m2s.FormulaError, match="nearest: 'sample'"):
        m2s.model(call, data, strategy={"smple": "noncentred"})
    with pytest.raises(m2s.FormulaError, match="integrated"):
        m2s.model(call, data, strategy={"sample": "integrate"})


def test_what_is_too_much_to_integrate_is_sampled():
    """Two crossed factors of 400 levels: one is integrated out, the other is not worth it."""
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 420, 8000), rng.integers(0, 400, 8000)
    data = pd.DataFrame({"y": rng.normal(size=8000), "a": a, "b": b})
    call = "lmer(y ~ 1 + (1 | a) + (1 | b))"
    text = str(m2s.model(call, data))
    assert "drawn exactly: b_a, beta" in text
    assert "b sampled, too many" in text
    assert all(g.integrated for g in m2s.model(call, data, strategy="collapsed").meaning.groups)


@pytest.mark.slow
@pytest.mark.parametrize("name", COLLAPSED)
def test_both_strategies_have_one_posterior(name):
    fits = [
        model_of(name, s).sample(chains=4, warmup=1000, draws=2000, seed=1, adapt_delta=0.99)
        for s in ("collapsed", "noncentred")
    ]
    a, b = (f.summary("all") for f in fits)
    assert list(a.index) == list(b.index)
    error = np.hypot(a["sd"] / np.sqrt(a["ess_bulk"]), b["sd"] / np.sqrt(b["ess_bulk"]))
    assert ((a["mean"] - b["mean"]).abs() < 4.5 * error).all()
    for variable in fits[0].posterior.data_vars:
        if variable in fits[1].posterior:
            same_quantiles(*(f.posterior[variable] for f in fits))


def same_quantiles(a, b):
    """Shares of draws below a quantile of the others', and sds, within Monte Carlo error."""
    x, y = (v.stack(draws=("chain", "draw")).transpose("draws", ...).to_numpy() for v in (a, b))
    x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    moving = x.std(axis=0) > 1e-12

    def numbers(function, **how):
        found = (function(v.to_dataset(name="v"), **how)["v"].to_numpy().ravel() for v in (a, b))
        return [values[moving] for values in found]

    for p in (0.025, 0.25, 0.5, 0.75, 0.975):
        share = (y <= np.quantile(x, p, axis=0)).mean(axis=0)[moving]
        sizes = numbers(az.ess, method="quantile", prob=p)
        error = np.sqrt(p * (1 - p) * sum(1 / n for n in sizes))
        assert (np.abs(share - p) < 4.5 * error + 0.004).all(), (a.name, p)
    error = np.hypot(*numbers(az.mcse, method="sd"))
    sds = x.std(axis=0)[moving], y.std(axis=0)[moving]
    assert (np.abs(sds[0] - sds[1]) < 4.5 * error + 0.03 * sds[0]).all(), a.name


@pytest.mark.parametrize(("levels", "integrated"), [(30, True), (120, False)])
def test_dense_effects_are_integrated_out_while_that_is_cheaper(levels, integrated):
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"g": np.arange(1200) // 4, "h": rng.integers(0, levels, 1200)})
    df["y"] = rng.normal(size=300)[df.g] + rng.normal(size=levels)[df.h] + rng.normal(size=1200)
    model = m2s.model("lmer(y ~ 1 + (1 | g) + (1 | h))", df)
    assert {str(g.factor): g.integrated for g in model.meaning.groups} == {
        "g": True,
        "h": integrated,
    }
    assert ("h sampled" in model.meaning.strategy.reason) is not integrated
