"""Several responses of different families: Gaussian ones, their predictors where they are not."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from scipy import linalg, stats

import mix2stan as m2s
from mix2stan.syntax import Name

RANDOM = "random = ~us(trait):g, rcov = ~us(trait):units"
CALL = f'MCMCglmm(cbind(a, c) ~ trait - 1 + trait:x, {RANDOM}, family = c("gaussian", "poisson"))'
#: Family by name: its density and its generator, given the predictor.
SEEN = {
    "poisson": lambda y, eta: stats.poisson(np.exp(eta)).logpmf(y),
    "geometric": lambda y, eta: stats.geom(1 / (1 + np.exp(-eta)), -1).logpmf(y),
    "exponential": lambda y, eta: stats.expon(scale=np.exp(-eta)).logpdf(y),
}


@functools.cache
def made(levels=8, rows=40, seed=1):
    """A Gaussian response a, counts c and times s; two values of each are missing."""
    rng = np.random.default_rng(seed)
    g, x = rng.permutation(np.arange(rows) % levels), rng.normal(size=rows)
    b = rng.multivariate_normal([0, 0], [[0.5, 0.3], [0.3, 0.6]], levels)
    e = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 0.5]], rows)
    mean = 1 - 0.5 * x + b[g, 1] + e[:, 1]
    df = pd.DataFrame({"a": 10 + x + b[g, 0] + e[:, 0], "x": x, "g": [f"g{i}" for i in g]})
    df["c"] = rng.poisson(np.exp(mean)).astype(float)
    df["s"] = rng.exponential(np.exp(-mean))
    df.loc[[3, 8], "c"] = np.nan
    df.loc[[7, 8], "a"] = np.nan
    return df


def random_point(model, rng):
    def root(q):
        A = rng.normal(size=(q, q))
        S = A @ A.T + np.eye(q)
        d = 1 / np.sqrt(np.diag(S))
        return np.linalg.cholesky(d[:, None] * S * d)

    point = {"sd_g": rng.uniform(0.3, 1.5, 2), "L_g": root(2), "sigma": rng.uniform(0.5, 1.5)}
    point |= {"var_ratio": rng.uniform(0.5, 2, 1)}
    if model.meaning.residual.correlation is not None:
        point["cor_L"] = root(2)
    for layer in model.meaning.response.layers:
        point[f"l_{layer.id}"] = rng.normal(size=model.stan_data[f"N_{layer.id}"])
    return point


def exact(model, point):
    """The log density by dense matrices, constants and all."""
    data, X = model.stan_data, model.X.to_numpy()
    frame = model.data.frame
    trait = frame.column(Name("trait")).values
    unit = frame.rows % 40
    y = np.array(frame.column(Name(", ".join(model.meaning.response.traits))).values)
    total = 0.0
    for layer in model.meaning.response.layers:
        rows = model.data.rows_of(layer.traits[0])
        total += np.sum(SEEN[layer.family](y[rows], point[f"l_{layer.id}"]))
        y[rows] = point[f"l_{layer.id}"]
    sd = point["sigma"] * np.array([1, point["var_ratio"][0]])[trait]
    cor = point.get("cor_L", np.eye(2))
    R = (cor @ cor.T)[np.ix_(trait, trait)] * (unit[:, None] == unit) * np.outer(sd, sd)
    A = np.diag(point["sd_g"]) @ point["L_g"]
    Z = model.Z[0].matrix.toarray()
    root = np.linalg.solve(data["C"], np.diag(data["beta_scale"]))
    V = R + Z @ linalg.block_diag(*[A @ A.T] * (Z.shape[1] // 2)) @ Z.T + X @ root @ root.T @ X.T
    total += stats.multivariate_normal(X @ np.linalg.solve(data["C"], data["beta_loc"]), V).logpdf(
        y
    )
    total += stats.t(3, 0, data["sd_g_scale"]).logpdf(point["sd_g"]).sum()
    total += stats.t(3, 0, data["sigma_scale"]).logpdf(point["sigma"])
    ratio = stats.norm(data["var_ratio_loc"], data["var_ratio_scale"])
    total += np.sum(ratio.logpdf(np.log(point["var_ratio"])) - np.log(point["var_ratio"]))
    # correlation matrices of two rows: a constant density
    return total


@pytest.mark.parametrize("rcov", ["us(trait):units", "idh(trait):units"])
@pytest.mark.parametrize(
    ("responses", "families"),
    [
        ("a, c", '"gaussian", "poisson"'),
        ("c, a", '"geometric", "gaussian"'),
        ("a, s", '"gaussian", "exponential"'),
        ("c, s", '"poisson", "exponential"'),
    ],
)
def test_the_density_is_the_marginal_one(responses, families, rcov, stanli):
    check_density(responses, families, rcov, stanli)


def test_the_density_is_that_on_every_engine(engine):
    check_density("a, c", '"gaussian", "poisson"', "us(trait):units", engine)


def check_density(responses, families, rcov, engine):
    call = CALL.replace("a, c", responses).replace('"gaussian", "poisson"', families)
    model = m2s.model(call.replace("us(trait):units", rcov), made())
    program = engine.compile(model.stan_code, model.stan_data)
    rng = np.random.default_rng(3)
    points = [random_point(model, rng) for _ in range(4)]
    got = [program.log_density(p, jacobian=False)[0] for p in points]
    np.testing.assert_allclose(np.diff(got), np.diff([exact(model, p) for p in points]), rtol=1e-9)


def test_sampled_effects_have_the_density_of_the_integrated_ones(stanli):
    """One density is the other with the effects given, where these are many draws of the prior."""
    whole, direct = (m2s.model(CALL, made(), strategy=s) for s in ("collapsed", "noncentred"))
    point = random_point(whole, np.random.default_rng(4))
    rng = np.random.default_rng(5)
    values = []
    program = stanli.compile(direct.stan_code, direct.stan_data)
    data, X = direct.stan_data, direct.X.to_numpy()
    Q, T = X @ data["R_inverse"], np.linalg.inv(data["R_inverse"])
    frame = direct.data.frame
    trait, unit = frame.column(Name("trait")).values, frame.rows % 40
    for _ in range(3):
        beta, z = rng.normal(size=4) + data["beta_loc"], rng.normal(size=(2, 8))
        ours = program.log_density({**point, "theta": T @ beta, "z_g": z}, jacobian=False)[0]
        y = np.array(frame.column(Name("a, c")).values)
        rows = direct.data.rows_of("c")
        total = np.sum(SEEN["poisson"](y[rows], point["l_c"]))
        y[rows] = point["l_c"]
        b = (np.diag(point["sd_g"]) @ point["L_g"] @ z).T
        mean = Q @ (T @ beta) + direct.Z[0].matrix.toarray() @ b.ravel()
        sd = point["sigma"] * np.array([1, point["var_ratio"][0]])[trait]
        cor = (point["cor_L"] @ point["cor_L"].T)[np.ix_(trait, trait)]
        R = cor * (unit[:, None] == unit) * np.outer(sd, sd)
        total += stats.multivariate_normal(mean, R).logpdf(y)
        total += stats.norm(data["beta_loc"], data["beta_scale"]).logpdf(beta).sum()
        values.append((ours, total + stats.norm.logpdf(z).sum()))
    ours, theirs = np.array(values).T
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-9)


def test_the_truth_is_found():
    df = made(levels=60, rows=600, seed=2)
    fit = m2s.model(CALL, df).sample(chains=2, warmup=400, draws=400, seed=1, engine="stanli")
    table = fit.summary()
    truth = {
        "beta[traita]": 10, "beta[traita:x]": 1, "beta[traitc]": 1, "beta[traitc:x]": -0.5,
        "sigma": 1, "var_ratio[c]": np.sqrt(0.5), "cor_R[a, c]": 0.4 / np.sqrt(0.5),
        "sd_g[traita]": np.sqrt(0.5), "sd_g[traitc]": np.sqrt(0.6),
        "cor_g[traita, traitc]": 0.3 / np.sqrt(0.3),
    }  # fmt: skip
    z = (table["mean"] - pd.Series(truth)) / table["sd"]
    assert len(z.dropna()) == len(truth)
    assert (z.dropna().abs() < 4).all()
    # responses that are drawn are those of the families
    drawn = fit.simulate(40, seed=1).to_numpy()
    counts = drawn[598:]
    assert (counts == np.round(counts)).all() and (counts >= 0).all()
    assert drawn[:598].mean() == pytest.approx(df["a"].mean(), abs=0.1)
    assert counts.mean() == pytest.approx(df["c"].mean(), rel=0.3)


def test_what_is_no_count_is_refused_by_its_row():
    df = made()
    with pytest.raises(m2s.FormulaError, match="c is -2 in row 6"):
        m2s.model(CALL, df.assign(c=df["c"].where(df.index != 5, -2)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (('"poisson"', '"ordinal"'), "cannot be one of several responses"),
        (("us(trait):units", "trait:units"), "one residual variance"),
    ],
)
def test_what_cannot_be_said_is_refused(change, why):
    with pytest.raises(m2s.Unsupported, match=why):
        m2s.model(CALL.replace(*change), made())


def test_one_family_is_that_of_all():
    one = m2s.model(
        CALL.replace('c("gaussian", "poisson")', '"exponential"').replace("a, c", "a, s"), made()
    )
    assert [layer.traits[0] for layer in one.meaning.response.layers] == ["a", "s"]


def test_it_is_compared_and_written_again():
    model = m2s.model(CALL, made())
    text = m2s.translate(model, "MCMCglmm")
    assert 'family = c("gaussian", "poisson")' in text
    assert m2s.compare(model, m2s.model(text, made())).same
    other = m2s.model(CALL.replace("poisson", "geometric"), made())
    assert "c is poisson[log]" in str(m2s.compare(model, other))
    with pytest.raises(m2s.Unsupported, match="several responses"):
        m2s.translate(model, "nlme")
    with pytest.raises(m2s.Unsupported, match="not integrated out"):
        model.reml()
    assert "what is Gaussian is its predictor" in str(model.explain())


def test_the_variance_of_every_response_is_divided():
    fit = m2s.model(CALL, made()).sample(chains=1, warmup=150, draws=50, seed=1, engine="stanli")
    table, post = fit.variance_partition(), fit.posterior
    sd = post["sd_g"].values.reshape(-1, 2)
    sigma, ratio = post["sigma"].values.ravel(), post["var_ratio"].values.ravel()
    X = m2s.model(CALL, made()).X.to_numpy()
    beta = post["beta"].values.reshape(-1, 4)
    for k, (trait, error) in enumerate((("a", sigma), ("c", sigma * ratio))):
        rows = X[:, k] == 1
        spread = np.var(X[rows] @ beta.T, axis=0, ddof=1)
        total = spread + sd[:, k] ** 2 + error**2
        assert table.loc[f"g[{trait}]", "mean"] == pytest.approx(np.mean(sd[:, k] ** 2 / total))
        assert table.loc[f"residual[{trait}]", "mean"] == pytest.approx(np.mean(error**2 / total))
    with pytest.raises(m2s.Unsupported):
        fit.variance_partition("data")
