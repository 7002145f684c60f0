"""A predictor that is sampled as a Gaussian response: the same posterior, the rest integrated out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import linalg, special, stats

import mix2stan as m2s
from tests.conftest import table


def made(rows: int = 60) -> pd.DataFrame:
    """Counts and trials of rows in b within a, and of c across them."""
    rng = np.random.default_rng(4)
    b = rng.integers(0, 12, rows)
    b[:12] = np.arange(12)
    df = pd.DataFrame(
        {"b": b, "a": b // 3, "c": rng.integers(0, 4, rows), "x": rng.normal(size=rows)}
    )
    eta = 1 + 0.4 * df["x"] + rng.normal(size=12)[df["b"]] + rng.normal(size=rows)
    return df.assign(
        y=rng.poisson(np.exp(eta)),
        s=rng.binomial(9, special.expit(eta)),
        n=9,
        w=rng.gamma(3, np.exp(eta) / 3),
        t=rng.uniform(1, 3, rows),
        obs=[f"u{i}" for i in rng.permutation(rows)],
    )


def poisson(df, eta, point):
    return stats.poisson(np.exp(eta + np.log(df["t"]))).logpmf(df["y"])


def binomial(df, eta, point):
    return stats.binom(9, special.expit(eta)).logpmf(df["s"])


def weighted(df, eta, point):
    return df["t"] * stats.poisson(np.exp(eta)).logpmf(df["y"])


def gamma(df, eta, point):
    shape = point["shape"]
    return stats.gamma(shape, scale=np.exp(eta) / shape).logpdf(df["w"])


MODELS = {
    "nested": (
        "glmer(y ~ x + offset(log(t)) + (1 | a / b) + (1 | obs), family = poisson)",
        poisson,
    ),
    "slopes": (
        "glmer(cbind(s, n - s) ~ x + (1 + x | b) + (1 | a) + (1 | obs), family = binomial)",
        binomial,
    ),
    "crossed": ("glmer(w ~ x + (1 | b) + (0 + x | c) + (1 | obs), family = Gamma(log))", gamma),
    "correlated": (
        "glmer(cbind(s, n - s) ~ 1 + (1 | b) + (1 + x | c) + (1 | obs), family = binomial)",
        binomial,
    ),
    "weighted": ("brm(y | weights(t) ~ x + (1 | a / b) + (1 | obs), family = poisson())", weighted),
    "coefficients alone": ("glmer(cbind(s, n - s) ~ x + (1 | obs), family = binomial)", binomial),
    "effects alone": (
        "glmer(cbind(s, n - s) ~ 0 + (1 | b) + (1 | obs), family = binomial)",
        binomial,
    ),
}


def random_point(model, rng):
    point = {"m_obs": rng.normal(size=60)}
    if model.meaning.response.family == "Gamma":
        point["shape"] = rng.uniform(1, 4)
    for term, group in zip(model.Z, model.meaning.groups, strict=True):
        q = len(term.coefficients)
        point[f"sd_{group.id}"] = rng.uniform(
            0.3, 1.5, None if group.covariance.kind == "scalar" else q
        )
        if group.covariance.kind == "us":
            A = rng.normal(size=(q, q))
            S = A @ A.T + np.eye(q)
            d = 1 / np.sqrt(np.diag(S))
            point[f"L_{group.id}"] = np.linalg.cholesky(d[:, None] * S * d)
    return point


def parts(model, point):
    """The design and prior of what is integrated out, m by rows, and the rest of the log density."""
    data, X = model.stan_data, model.X.to_numpy()
    columns, precisions, total = [X], [], 0.0
    loc = np.zeros(X.shape[1])
    if X.shape[1]:
        root = np.linalg.solve(data["C"], np.diag(data["beta_scale"]))
        precisions.append(np.linalg.inv(root @ root.T))
        loc = np.linalg.solve(data["C"], data["beta_loc"])
    for term, group in zip(model.Z, model.meaning.groups, strict=True):
        q, J = len(term.coefficients), len(term.levels)
        sd, L = point[f"sd_{group.id}"], point.get(f"L_{group.id}", np.eye(q))
        total += np.sum(stats.t(3, 0, data[f"sd_{group.id}_scale"]).logpdf(sd))
        total += sum((q - 1 - k) * np.log(L[k, k]) for k in range(1, q))
        if group.id == "obs":
            m = term.matrix.toarray() @ point["m_obs"]
            continue
        A = np.diag(np.broadcast_to(sd, q)) @ L
        columns.append(term.matrix.toarray())
        precisions.append(np.kron(np.eye(J), np.linalg.inv(A @ A.T)))
    D = np.hstack(columns)
    mean = np.concatenate([loc, np.zeros(D.shape[1] - len(loc))])
    return D, mean, linalg.block_diag(*precisions), m, total


@pytest.mark.parametrize("name", MODELS)
def test_the_density_is_the_marginal_one(name, stanli):
    check_density(name, stanli)


def test_the_density_is_that_on_every_engine(engine):
    check_density("nested", engine)


def check_density(name, engine):
    call, density = MODELS[name]
    df = made()
    model = m2s.model(call, df, strategy="latent")
    program = engine.compile(model.stan_code, model.stan_data)
    rng = np.random.default_rng(3)
    got, want = [], []
    for _ in range(4):
        point = random_point(model, rng)
        D, mean, precision, m, total = parts(model, point)
        V = point["sd_obs"] ** 2 * np.eye(60) + D @ np.linalg.inv(precision) @ D.T
        total += stats.multivariate_normal(D @ mean, V).logpdf(m)
        total += np.sum(density(df, m, point))
        if "shape" in point:
            total += stats.gamma(2, scale=10).logpdf(point["shape"])
        got.append(program.log_density(point, jacobian=False)[0])
        want.append(total)
    np.testing.assert_allclose(np.diff(got), np.diff(want), rtol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_effects_given_the_rest_are_exact(name, stanli):
    """With the parameters held where they are, all effects have their exact conditional moments."""
    model, count = m2s.model(MODELS[name][0], made(), strategy="latent"), 20_000
    point = random_point(model, np.random.default_rng(5))
    D, mean, precision, m, _ = parts(model, point)
    covariance = np.linalg.inv(D.T @ D / point["sd_obs"] ** 2 + precision)
    exact = covariance @ (D.T @ m / point["sd_obs"] ** 2 + precision @ mean)
    program = stanli.compile(model.stan_code, model.stan_data)
    fixed = program._model.sample(
        chains=1, warmup=0, samples=count, inits=program._unconstrain(point), adapt_engaged=False,
        step_size=1e-14, max_depth=1, refresh=0,
    )  # fmt: skip
    blocks = [fixed.draws("beta")[0]] if model.X.shape[1] else []
    others = [g for g in model.meaning.groups if g.id != "obs"]
    blocks += [fixed.draws(f"b_{g.id}")[0].reshape(count, -1) for g in others]
    draws = np.hstack(blocks)
    sd = np.sqrt(np.diag(covariance))
    assert np.abs((draws.mean(axis=0) - exact) / sd).max() < 4.8 / np.sqrt(count)
    np.testing.assert_allclose(draws.std(axis=0), sd, rtol=0.03)
    assert np.abs(np.corrcoef(draws.T) - covariance / np.outer(sd, sd)).max() < 0.04
    # what is left of the predictor is the error
    terms = zip(model.Z, model.meaning.groups, strict=True)
    own = next(term.matrix.toarray() for term, group in terms if group.id == "obs")
    np.testing.assert_allclose(fixed.draws("b_obs")[0] @ own.T + draws @ D.T, m + 0 * draws[:, :1])


def test_it_is_chosen_where_the_data_say_enough_of_every_row():
    data = table("grouseticks")
    call = "glmer(TICKS ~ YEAR + (1 | BROOD) + (1 | INDEX), family = poisson)"
    text = str(m2s.model(call, data))
    assert "latent: the response is poisson" in text
    assert "drawn exactly: b_BROOD, beta" in text
    few = data.assign(TICKS=(data["TICKS"] > 3).astype(int))
    binary = m2s.model(call.replace("poisson", "binomial"), few)
    assert binary.meaning.strategy.kind == "noncentred"


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("lmer(x ~ 1 + (1 | b))", "Gaussian itself"),
        ("glmer(y ~ x + (1 | b), family = poisson)", "no term has an effect for every row"),
        (
            "glmmTMB(y ~ x + (1 | b) + (1 | obs), family = nbinom2, dispformula = ~ x)",
            "predictor of its own",
        ),
        ("brm(y | trunc(lb = 0) ~ x + (1 | b) + (1 | obs), family = gaussian)", "truncated"),
    ],
)
def test_what_cannot_be_sampled_so_says_why(call, why):
    with pytest.raises(m2s.Unsupported, match=why):
        m2s.model(call, made(), strategy="latent")


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in MODELS if n != "crossed"])
def test_both_strategies_have_one_posterior(name):
    a, b = (
        m2s.model(MODELS[name][0], made(), strategy=s)
        .sample(chains=4, warmup=1000, draws=4000, seed=1, adapt_delta=0.98)
        .summary("all")
        for s in ("latent", "noncentred")
    )
    assert list(a.index) == list(b.index)
    error = np.hypot(a["sd"] / np.sqrt(a["ess_bulk"]), b["sd"] / np.sqrt(b["ess_bulk"]))
    assert ((a["mean"] - b["mean"]).abs() < 4.8 * error).all()
    np.testing.assert_allclose(a["sd"], b["sd"], rtol=0.12)
