"""Responses of several latent variables a row, told apart by trait: zi, hu, za, multinomial."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from scipy import linalg, special, stats

import mix2stan as m2s
from mix2stan.inits import starting_points
from mix2stan.syntax import Name

ROWS, LEVELS = 40, 8


def zeros(log_zero, log_rest, y, base, none=None):
    """The log probability of responses whose zeros have a probability, and of all others."""
    truncated = 0 if none is None else np.log1p(-none)
    extra = log_zero if none is not None else np.logaddexp(log_zero, log_rest + base)
    return np.where(y == 0, extra, log_rest + base - truncated)


def logits(eta):
    return special.log_expit(eta), special.log_expit(-eta)


def of_zipoisson(y, n, eta):
    return zeros(*logits(eta[1]), y[0], stats.poisson(np.exp(eta[0])).logpmf(y[0]))


def of_hupoisson(y, n, eta):
    base = stats.poisson(np.exp(eta[0]))
    return zeros(*logits(eta[1]), y[0], base.logpmf(y[0]), base.pmf(0))


def of_zapoisson(y, n, eta):
    base, zero = stats.poisson(np.exp(eta[0])), -np.exp(eta[1])
    return zeros(zero, np.log1p(-np.exp(zero)), y[0], base.logpmf(y[0]), base.pmf(0))


def of_zibinomial(y, n, eta):
    return zeros(*logits(eta[1]), y[0], stats.binom(n, special.expit(eta[0])).logpmf(y[0]))


def of_hubinomial(y, n, eta):
    base = stats.binom(n, special.expit(eta[0]))
    return zeros(*logits(eta[1]), y[0], base.logpmf(y[0]), base.pmf(0))


def shares(eta):
    return special.softmax(np.vstack([np.zeros_like(eta[:1]), eta]), axis=0).T


def of_multinomial(y, n, eta):
    counts = np.column_stack([n - y.sum(axis=0), *y])
    every = zip(counts, shares(eta), strict=True)
    return np.array([stats.multinomial(sum(c), p).logpmf(c) for c, p in every])


def of_categorical(y, n, eta):
    return np.log(shares(eta)[np.arange(y.shape[1]), y[0].astype(int) - 1])


#: Family: the response, the traits, the log probabilities given the latent variables.
FAMILIES = {
    "zipoisson": ("y", ("y", "zi_y"), of_zipoisson),
    "hupoisson": ("y", ("y", "hu_y"), of_hupoisson),
    "zapoisson": ("y", ("y", "za_y"), of_zapoisson),
    "zibinomial": ("cbind(s, f)", ("s", "zi_s"), of_zibinomial),
    "hubinomial": ("cbind(s, f)", ("s", "hu_s"), of_hubinomial),
    "multinomial3": ("cbind(p, q, r)", ("p", "q"), of_multinomial),
    "categorical": ("k", ("k.mid", "k.high"), of_categorical),
}
RANDOM = "random = ~us(trait):g, rcov = ~{rcov}(trait):units"


def call(family, rcov="us", fix=2, V="diag(2)", right="trait - 1 + trait:x"):
    fix = 1 if family == "categorical" else fix
    prior = f"prior = list(R = list(V = {V}, nu = 3, fix = {fix}))"
    random = RANDOM.format(rcov=rcov)
    return f'MCMCglmm({FAMILIES[family][0]} ~ {right}, {random}, family = "{family}", {prior})'


@functools.cache
def made(rows=ROWS, levels=LEVELS, seed=1):
    rng = np.random.default_rng(seed)
    x, g = rng.normal(size=rows), rng.permutation(np.arange(rows) % levels)
    df = pd.DataFrame({"x": x, "g": [f"g{i}" for i in g]})
    df["y"] = np.where(rng.random(rows) < 0.3, 0, rng.poisson(np.exp(1 + 0.3 * x))).astype(float)
    df["s"] = rng.binomial(6, 0.4, rows) * (rng.random(rows) > 0.2).astype(float)
    df["f"] = rng.integers(6, 9, rows) - df["s"]
    df[["p", "q", "r"]] = rng.poisson([3, 2, 2], (rows, 3)).astype(float)
    df["k"] = pd.Categorical(rng.choice(["low", "mid", "high"], rows), ["low", "mid", "high"])
    df.loc[3, ["y", "s", "p"]] = np.nan
    return df


def correlation(rng):
    A = rng.normal(size=(2, 2))
    S = A @ A.T + np.eye(2)
    d = 1 / np.sqrt(np.diag(S))
    return np.linalg.cholesky(d[:, None] * S * d)


def random_point(model, rng):
    point = {"sd_g": rng.uniform(0.3, 1.5, 2), "L_g": correlation(rng)}
    blocks = set(model.priors.index.str.split("[").str[0])
    if "var_ratio" in blocks:
        point["var_ratio"] = rng.uniform(0.5, 2, 1)
    if "cor_L" in blocks:
        point["cor_L"] = correlation(rng)
    (layer,) = model.meaning.response.layers
    for name in layer.ids:
        point[f"l_{name}"] = rng.normal(size=model.stan_data[f"N_{layer.id}"])
    return point


def exact(model, point, family, sds, cor):
    """The log density by dense matrices."""
    data, X = model.stan_data, model.X.to_numpy()
    trait = model.data.frame.column(Name("trait")).values
    unit = model.data.frame.rows % ROWS
    response = model.meaning.response
    y = np.array(model.data.vector(response.expression))
    (layer,) = response.layers
    rows = np.array([model.data.rows_of(t) for t in layer.traits])
    trials = np.ones(len(y)) if layer.trials is None else model.data.vector(layer.trials)
    eta = np.array([point[f"l_{name}"] for name in layer.ids])
    total = FAMILIES[family][2](y[rows], trials[rows[0]], eta).sum()
    y[rows] = eta
    R = cor[np.ix_(trait, trait)] * (unit[:, None] == unit) * np.outer(sds[trait], sds[trait])
    A = np.diag(point["sd_g"]) @ point["L_g"]
    Z = model.Z[0].matrix.toarray()
    root = np.linalg.solve(data["C"], np.diag(data["beta_scale"]))
    V = R + Z @ linalg.block_diag(*[A @ A.T] * (Z.shape[1] // 2)) @ Z.T + X @ root @ root.T @ X.T
    mean = X @ np.linalg.solve(data["C"], data["beta_loc"])
    total += stats.multivariate_normal(mean, V).logpdf(y)
    return total + stats.t(3, 0, data["sd_g_scale"]).logpdf(point["sd_g"]).sum()


CASES = [(f, r, x) for f in FAMILIES for r in ("us", "idh") for x in (1, 2)]


@pytest.mark.parametrize(("family", "rcov", "fix"), CASES)
def test_the_density_is_the_marginal_one(family, rcov, fix, stanli):
    V = "matrix(c(2, 0.6, 0.6, 1.5), 2)"
    model = m2s.model(call(family, rcov, fix, V), made(), prior="default")
    assert model.meaning.response.traits == FAMILIES[family][1]
    program = stanli.compile(model.stan_code, model.stan_data)
    rng = np.random.default_rng(3)
    points = [random_point(model, rng) for _ in range(3)]
    got = [program.log_density(p, jacobian=False)[0] for p in points]
    wanted = []
    for p in points:
        free = fix == 2 and family != "categorical"
        known, shared = np.sqrt([2, 1.5]), 0.6 / np.sqrt(3) * (rcov == "us")
        cor = np.array([[1, shared], [shared, 1]])
        extra = 0.0
        if free:
            known = known[1] * np.array([p["var_ratio"][0], 1])
            cor = p["cor_L"] @ p["cor_L"].T if rcov == "us" else np.eye(2)
            loc, scale = (model.stan_data[f"var_ratio_{s}"] for s in ("loc", "scale"))
            logs = np.log(p["var_ratio"])
            extra = (stats.norm(loc, scale).logpdf(logs) - logs).sum()
        wanted.append(exact(model, p, family, known, cor) + extra)
    np.testing.assert_allclose(np.diff(got), np.diff(wanted), rtol=1e-9)


@pytest.mark.parametrize("family", ["zipoisson", "hupoisson"])
def test_sampled_effects_have_the_same_density_of_the_response(family, stanli):
    """Given effects and coefficients the residual and the response are what is left."""
    model = m2s.model(call(family), made(), prior="default", strategy="noncentred")
    program = stanli.compile(model.stan_code, model.stan_data)
    data, rng = model.stan_data, np.random.default_rng(5)
    point = random_point(model, rng)
    values = []
    trait = model.data.frame.column(Name("trait")).values
    unit = model.data.frame.rows % ROWS
    for _ in range(3):
        theta, z = rng.normal(size=4), rng.normal(size=(2, LEVELS))
        ours = program.log_density({**point, "theta": theta, "z_g": z}, jacobian=False)[0]
        beta = data["R_inverse"] @ theta
        y = np.array(model.data.vector(model.meaning.response.expression))
        (layer,) = model.meaning.response.layers
        for name, t in zip(layer.ids, layer.traits, strict=True):
            y[model.data.rows_of(t)] = point[f"l_{name}"]
        b = (np.diag(point["sd_g"]) @ point["L_g"] @ z).T
        mean = model.X.to_numpy() @ beta + model.Z[0].matrix.toarray() @ b.ravel()
        sd = np.array([point["var_ratio"][0], 1])[trait]
        cor = (point["cor_L"] @ point["cor_L"].T)[np.ix_(trait, trait)]
        R = cor * (unit[:, None] == unit) * np.outer(sd, sd)
        theirs = stats.multivariate_normal(mean, R).logpdf(y) + stats.norm.logpdf(z).sum()
        theirs += stats.norm(data["beta_loc"], data["beta_scale"]).logpdf(beta).sum()
        values.append((ours, theirs))
    ours, theirs = np.array(values).T
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-9)


# -- MCMCglmm's priors -----------------------------------------------------------------------------


def inverse_wishart(S, V, nu):
    return stats.invwishart(nu, nu * V).logpdf(S)


@pytest.mark.parametrize("rcov", ["us", "idh"])
def test_the_prior_given_a_known_variance_is_the_conditional_one(rcov, stanli):
    """Differences of the log density with the prior on are those with another, and the priors'."""
    V = np.array([[2, 0.6], [0.6, 1.5]])
    text = "matrix(c(2, 0.6, 0.6, 1.5), 2)"
    models = [m2s.model(call("zipoisson", rcov, 2, text), made(), prior=p) for p in (None, "flat")]
    programs = [stanli.compile(m.stan_code, m.stan_data) for m in models]
    rng = np.random.default_rng(7)
    found, wanted = [], []
    first = random_point(models[1], rng)
    for _ in range(4):
        point = {**first, "var_ratio": rng.uniform(0.5, 2, 1)}
        if rcov == "us":
            point["cor_L"] = correlation(rng)
        ours, none = (p.log_density(point, jacobian=False)[0] for p in programs)
        sds = np.sqrt(1.5) * np.array([point["var_ratio"][0], 1])
        if rcov == "us":
            S = np.diag(sds) @ point["cor_L"] @ point["cor_L"].T @ np.diag(sds)
            # the derivatives of variance and covariance by the sd and the correlation
            logs = inverse_wishart(S, V, 3) + 2 * np.log(sds[0])
        else:
            logs = stats.invgamma(1.5, scale=1.5 * 2).logpdf(sds[0] ** 2) + np.log(sds[0])
        found.append(ours - none)
        wanted.append(logs)
    # without the prior the rest of the density is another one: beta's, and that of sd_g
    np.testing.assert_allclose(np.diff(found), np.diff(wanted), rtol=1e-7, atol=1e-7)


# -- fits ------------------------------------------------------------------------------------------


@functools.cache
def simulated(rows=400, levels=25):
    """Latent variables of the truth below, and responses of three families seen through them."""
    rng = np.random.default_rng(3)
    g, x = rng.permutation(np.arange(rows) % levels), rng.normal(size=rows)
    b = rng.multivariate_normal([0, 0], [[0.4, 0.2], [0.2, 0.5]], levels)[g]
    e = rng.normal(size=(rows, 2)) * [0.5, 1]
    eta = np.array([1 + 0.5 * x, np.full(rows, -0.7)]) + b.T + e.T
    df = pd.DataFrame({"x": x, "g": [f"g{i}" for i in g]})
    present = rng.random(rows) > special.expit(eta[1])
    df["y"] = np.where(present, rng.poisson(np.exp(eta[0])), 0)
    df[["p", "q", "r"]] = np.array([rng.multinomial(12, s) for s in shares(eta)])[:, [1, 2, 0]]
    return df


TRUTH = {
    "beta[trait{0}]": 1,
    "beta[trait{1}]": -0.7,
    "beta[at.level(trait, 1):x]": 0.5,
    "sd_g[trait{0}]": np.sqrt(0.4),
    "sd_g[trait{1}]": np.sqrt(0.5),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "further"),
    [
        ("zipoisson", {"var_ratio[y]": 0.5}),
        ("multinomial3", {"sigma": 0.5, "var_ratio[q]": 2, "cor_R[p, q]": 0}),
    ],
)
def test_the_truth_is_found(family, further):
    text = call(family, right="trait - 1 + at.level(trait, 1):x")
    text = text if family == "zipoisson" else text.replace(", fix = 2", "")
    # without G MCMCglmm's prior of it is improper, and so may be the posterior
    text = text.replace("prior = list(", "prior = list(G = list(G1 = list(V = diag(2), nu = 3)), ")
    model = m2s.model(text, simulated())
    fit = model.sample(chains=2, warmup=300, draws=300, seed=1, engine="stanli")
    table, traits = fit.summary(), FAMILIES[family][1]
    truth = {name.format(*traits): value for name, value in TRUTH.items()} | further
    z = ((table["mean"] - pd.Series(truth)) / table["sd"]).dropna()
    assert set(z.index) == set(truth)
    assert (z.abs() < 4).all()
    residual = fit.VarCorr().loc["Residual"]
    assert list(residual.index) == list(traits)
    # what is drawn again looks like what was seen
    drawn = fit.simulate(20, seed=1).to_numpy().reshape(2, 400, 20)
    if family == "zipoisson":
        assert residual.loc["zi_y", ["sd", "2.5%", "97.5%"]].tolist() == [1, 1, 1]
        assert (drawn[0] == drawn[1]).all()
        assert (drawn == 0).mean() == pytest.approx((simulated()["y"] == 0).mean(), abs=0.05)
    else:
        assert (drawn.sum(axis=0) <= 12).all()
        seen = simulated()[["p", "q"]].to_numpy().mean(axis=0)
        np.testing.assert_allclose(drawn.mean(axis=(1, 2)), seen, atol=0.4)


@pytest.mark.parametrize("family", FAMILIES)
def test_drawn_responses_have_the_probabilities_of_the_density(family):
    from mix2stan.distributions import seen_through

    rng, key = np.random.default_rng(9), family.rstrip("3")
    eta, n, size = np.array([[0.4], [-0.3]]), 3, 20000
    draws = seen_through(key, "").simulate(
        rng, np.broadcast_to(eta[:, :, None], (2, 1, size)), np.array([[n]])
    )
    draws = np.broadcast_to(draws, (2, 1, size))[:, 0]
    values, counts = np.unique(draws, axis=1, return_counts=True)
    for value, count in zip(values.T, counts, strict=True):
        p = np.exp(FAMILIES[family][2](value[:, None], np.array([n]), eta)[0])
        assert abs(count - size * p) < 5 * np.sqrt(size * p * (1 - p)) + 1


# -- calls -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "rcov", "fix"), CASES)
def test_it_is_written_again(family, rcov, fix):
    model = m2s.model(call(family, rcov, fix, "diag(c(2, 3))"), made())
    text = m2s.translate(model, "MCMCglmm")
    again = m2s.model(text, made())
    assert m2s.compare(model, again).same
    assert f'family = "{family}"' in text
    assert str(again.meaning) == str(model.meaning)
    assert "residuals included" in str(model.explain())


def test_responses_stand_beside_others():
    text = (
        "MCMCglmm(cbind(x, y, p, q, r) ~ trait - 1, random = ~idh(trait):g, "
        'rcov = ~idh(trait):units, family = c("gaussian", "hupoisson", "multinomial3"), '
        "prior = list(R = list(V = diag(5), nu = 1, fix = 3)))"
    )
    model = m2s.model(text, made(), prior="default")
    assert model.meaning.response.traits == ("x", "y", "hu_y", "p", "q")
    assert str(model.meaning.response.layers[0]) == "y is hupoisson of y and hu_y"
    assert m2s.compare(model, m2s.model(m2s.translate(model, "MCMCglmm"), made())).same


def test_two_levels_are_binary_unless_traits_are_told_apart():
    df = made().assign(k=made()["k"].replace({"high": "mid"}).cat.remove_unused_categories())
    prior = "prior = list(R = list(V = 1, fix = 1))"
    plain = m2s.model(f'MCMCglmm(k ~ x, random = ~g, family = "categorical", {prior})', df)
    assert plain.meaning.response.family == "bernoulli"
    text = f'MCMCglmm(k ~ trait - 1, random = ~trait:g, rcov = ~trait:units, family = "categorical", {prior})'
    with pytest.raises(m2s.Mix2stanError):
        m2s.model(text, df)


def test_one_variance_for_all_may_be_known():
    text = call("hupoisson", fix=1, V="2").replace("us(trait):units", "trait:units")
    whole = m2s.model(call("hupoisson", "idh", 1, "diag(2) * 2"), made())
    assert m2s.compare(m2s.model(text, made()), whole).same


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (call("zipoisson", right="x"), "told apart by 'trait'"),
        (
            call("zipoisson").replace(", fix = 2", ""),
            "say nothing of the residual variance of zi_y",
        ),
        (call("zipoisson", V="diag(3)"), "not of the 2 residuals of y, zi_y"),
        (call("categorical").replace("fix = 1", "fix = 2"), "residual variance of k.mid"),
        (call("multinomial3").replace("multinomial3", "multinomial4"), "takes 4 columns"),
        (call("zibinomial").replace("cbind(s, f)", "s"), "takes 2 columns"),
        (call("zipoisson").replace("rcov = ~us(trait):units, ", ""), "need a residual structure"),
        (call("zipoisson").replace("(y ~", "(x ~"), "x is .* in row 4: .* not negative"),
        (call("hubinomial").replace("cbind(s, f)", "cbind(s, x)"), "last column of cbind"),
        (call("hupoisson", V="matrix(c(1, 2, 2, 1), 2)"), "no.* covariance matrix"),
    ],
)
def test_what_cannot_be_meant_is_refused(text, why):
    with pytest.raises(m2s.FormulaError, match=why):
        m2s.model(text, made())


BLOCK = (
    "MCMCglmm(cbind(p, y) ~ trait - 1, rcov = ~us(trait):units, "
    'family = c("gaussian", "zipoisson"), prior = list(R = list('
    "V = matrix(c(2, 0.3, 0.2, 0.3, 1.5, -0.4, 0.2, -0.4, 0.8), 3), nu = 5, fix = 2)))"
)


def test_a_known_block_stands_beside_free_covariances(engine):
    """The prior's part of the program is the inverse Wishart density given the block."""
    V, known = np.array([[2, 0.3, 0.2], [0.3, 1.5, -0.4], [0.2, -0.4, 0.8]]), 1
    rng, sigma = np.random.default_rng(1), np.sqrt(1.5)
    models = [m2s.model(BLOCK, made(), prior=p, strategy="noncentred") for p in (None, "flat")]
    start = starting_points(models[0].meaning, models[0].stan_data, 1, seed=1)[0]
    ours, theirs = [], []
    for _ in range(4):
        a = rng.normal(size=2) * 0.3
        whole = V.copy()
        whole[0, 1:] = whole[1:, 0] = a
        whole[0, 0] = rng.uniform(0.5, 2) + a @ np.linalg.solve(V[known:, known:], a)
        sd = np.sqrt(np.diag(whole))
        L = np.linalg.cholesky((whole / np.outer(sd, sd))[::-1, ::-1])
        point = {**start, "var_ratio": sd[:1] / sigma, "cor_L": L}
        values = [
            engine.compile(m.stan_code, m.stan_data).log_density(point, jacobian=False)[0]
            for m in models
        ]
        # flat has a density of correlations that is uniform
        ours.append(values[0] - values[1] + np.arange(2, -1, -1) @ np.log(np.diag(L)))
        # from the free variance and covariances to the sd, and the last row of the root
        jacobian = 3 * np.log(sd[0])
        theirs.append(stats.invwishart(5, 5 * V).logpdf(whole) + jacobian)
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), atol=1e-8)


def test_a_known_block_stays_what_it_is(tmp_path):
    model = m2s.model(BLOCK, made())
    assert m2s.compare(model, m2s.model(m2s.translate(model, "MCMCglmm"), made())).same
    fit = model.sample(chains=1, warmup=100, draws=50, seed=1, engine="stanli")
    R = fit.posterior["cor_R"].values
    np.testing.assert_allclose(R[..., 1, 2], -0.4 / np.sqrt(1.5 * 0.8))
    assert R[..., 0, 1].std() > 0.01
    np.testing.assert_allclose(fit.VarCorr().loc["Residual", "sd"].iloc[1:], [1.5**0.5, 0.8**0.5])
    assert np.isfinite(fit.log_lik().values).all()
