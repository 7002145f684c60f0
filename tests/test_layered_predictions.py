"""Several responses of which some are seen through latent variables: means and log-likelihoods."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import mix2stan as m2s
from mix2stan.distributions import seen_through

ROWS, LEVELS = 24, 4


def made():
    rng = np.random.default_rng(1)
    g = rng.integers(0, LEVELS, ROWS)
    z = rng.normal(size=ROWS) + rng.normal(size=LEVELS)[g]
    y = rng.poisson(np.exp(0.5 + 0.3 * z)) * rng.integers(0, 2, ROWS)
    df = pd.DataFrame({"z": z, "y": y.astype(float), "g": pd.Categorical(g)})
    # as rows of the data are called among the units
    df.index = pd.Index([str(i + 1) for i in range(ROWS)])
    df.loc["3", "z"] = np.nan
    df.loc["5", "y"] = np.nan
    return df


@functools.cache
def fitted(family):
    """Draws of a Gaussian response beside one with zeros of its own, or beside counts."""
    q = 3 if family == "zipoisson" else 2
    fix = ", fix = 3" if q == 3 else ""
    call = (
        "MCMCglmm(cbind(z, y) ~ trait - 1, random = ~us(trait):g, rcov = ~us(trait):units, "
        f'family = c("gaussian", "{family}"), prior = list(B = list(mu = rep(0, {q}), '
        f"V = diag({q})), R = list(V = diag({q}), nu = 4{fix}), G = list(G1 = list(V = diag({q}), nu = 4))))"
    )
    return m2s.model(call, made()).sample(chains=1, warmup=200, draws=40, seed=1)


def errors_of(fit, s):
    """The covariance of the residuals of one row of the data at a draw."""
    R, ratio = fit.posterior["cor_R"][0, s].to_numpy(), fit.posterior["var_ratio"]
    sigma = 1.0 if "sigma" not in fit.posterior else float(fit.posterior["sigma"][0, s])
    names = fit.posterior["cor_R_element"].values.tolist()
    ratios = dict(zip(ratio["var_ratio_element"].values, ratio[0, s].to_numpy(), strict=True))
    sd = sigma * np.array([ratios.get(name, 1.0) for name in names])
    return R * np.outer(sd, sd)


def probability(y, family, eta):
    """Of a count given its latent variables, shape (q, ...)."""
    p = stats.poisson(np.exp(eta[0])).pmf(y)
    if family == "poisson":
        return p
    zero = special.expit(eta[1])
    return zero * (y == 0) + (1 - zero) * p


@pytest.mark.parametrize("family", ["poisson", "zipoisson"])
def test_a_row_is_as_likely_as_the_integral_over_its_latent_variables(family):
    fit, df = fitted(family), made()
    found = fit.log_lik()
    assert found["obs"].values.tolist() == df.index.tolist()
    eta = fit.predict(kind="linpred")[0].to_numpy()
    traits = next(g.columns.names for g in fit.schema.graph.groups)
    q, ends = len(traits), np.cumsum([0, *(df[["z", "y"]].notna().sum().tolist())])
    place = {"z": iter(range(*ends[:2])), "y": iter(range(ends[1], ends[2]))}
    rows = {
        name: {v: next(place[v]) for v in ("z", "y") if pd.notna(df.loc[name, v])}
        for name in df.index
    }
    step = np.linspace(-9, 9, 361)
    for name in ("1", "3", "5", "7"):
        z, y = df.loc[name, ["z", "y"]]
        for s in (0, 25):
            V = errors_of(fit, s)
            at = rows[name]
            seen = [at["y"] + k * (ends[2] - ends[1]) for k in range(q - 1)] if "y" in at else []
            have = ([0] if "z" in at else []) + ([*range(1, q)] if seen else [])
            mean = eta[s][([at["z"]] if "z" in at else []) + seen]
            if not seen:
                expected = stats.norm(mean[0], np.sqrt(V[0, 0])).logpdf(z)
            else:
                sds = np.sqrt(np.diag(V))[1:]
                axes = [m + step * sd for m, sd in zip(mean[-len(seen) :], sds, strict=True)]
                grid = np.array(np.meshgrid(*axes, indexing="ij"))
                points = np.moveaxis(grid, 0, -1)
                if "z" in at:
                    own = np.full((*points.shape[:-1], 1), z)
                    points = np.concatenate([own, points], axis=-1)
                density = stats.multivariate_normal(mean, V[np.ix_(have, have)]).pdf(points)
                cell = np.prod([a[1] - a[0] for a in axes])
                expected = np.log((density * probability(y, family, grid)).sum() * cell)
            assert found.sel(obs=name)[0, s] == pytest.approx(expected, abs=1e-3), (name, s)


@pytest.mark.parametrize("family", ["poisson", "zipoisson"])
@pytest.mark.parametrize("re", ["conditional", "integrate"])
def test_expected_responses_are_means_over_what_is_drawn(family, re):
    fit, s, rng = fitted(family), 3, np.random.default_rng(2)
    expected = fit.predict(kind="epred", re=re)[0, s].to_numpy()
    eta = fit.predict(kind="linpred", re=re)[0, s].to_numpy()
    V = errors_of(fit, s)
    if re == "integrate":
        sd = fit.posterior["sd_g"][0, s].to_numpy()
        V = V + fit.posterior["R_g"][0, s].to_numpy() * np.outer(sd, sd)
    n = made()[["z", "y"]].notna().sum().to_numpy()
    np.testing.assert_allclose(expected[: n[0]], eta[: n[0]])
    row = n[0] + 6
    mean = eta[row :: n[1]]
    latent = (mean + rng.multivariate_normal(np.zeros(len(mean)), V[1:, 1:], 400_000)).T
    count = np.exp(latent[0])
    if family == "zipoisson":
        zero = special.expit(latent[1])
        count = count * (1 - zero)
        assert expected[row + n[1]] == pytest.approx(zero.mean(), abs=5 * zero.std() / 600)
    assert expected[row] == pytest.approx(count.mean(), abs=6 * count.std() / 600)


@pytest.mark.parametrize(
    ("family", "link"),
    [
        *((name, "") for name in ("zipoisson", "hupoisson", "zapoisson")),
        *((name, "") for name in ("zibinomial", "hubinomial", "multinomial", "categorical")),
        ("poisson", "log"),
        ("geometric", "logit"),
        ("exponential", "log"),
    ],
)
def test_means_and_probabilities_are_those_of_what_is_drawn(family, link):
    row, rng, size = seen_through(family, link), np.random.default_rng(3), 40_000
    q = 1 if link else 2
    eta, trials = np.array([0.4, -0.3])[:q, None, None], np.array([[4.0]])
    drawn = row.simulate(rng, np.broadcast_to(eta, (q, 1, size)), trials)
    mean, first = row.mean(eta, trials), np.broadcast_to(drawn, (q, 1, size))[:, 0]
    if family == "multinomial":
        ours = first.mean(axis=1)
    elif family == "categorical":
        ours = np.array([(first[0] == k).mean() for k in (2, 3)])
    else:
        ours = first[:1].mean(axis=1)
    sd = np.maximum(first.std(axis=1)[: len(ours)], 0.5)
    assert (np.abs(mean[: len(ours), 0, 0] - ours) < 5 * sd / np.sqrt(size)).all()
    if family != "exponential":
        values, counts = np.unique(first, axis=1, return_counts=True)
        for value, count in zip(values.T, counts, strict=True):
            p = float(np.exp(row.log_density(eta, value[:, None, None], trials)).item())
            assert abs(count - size * p) < 5 * np.sqrt(size * p * (1 - p)) + 1


def test_what_cannot_be_computed_says_so():
    fit = fitted("poisson")
    with pytest.raises(m2s.Unsupported, match="y is poisson"):
        fit.residuals()
    with pytest.raises(m2s.Unsupported, match="y is poisson") as caught:
        fit.log_lik(by="g")
    assert 'by = "obs"' in caught.value.hint
