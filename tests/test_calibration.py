"""Simulation-based calibration (Talts et al. 2018): one model of every structure and family.

Parameters, effects and a response drawn from the prior, and a posterior drawn given that response:
the rank of what was drawn among the draws is uniform, if program and sampler are right.  Ranked are
all parameters, an effect of every term, and the product of the predictor with the response, which
also finds a posterior that has not seen the response (Modrák et al. 2023).

``python -m tests.test_calibration [MODEL ...]`` prints the p value of every quantity.
"""

from __future__ import annotations

import sys
import time
import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.covariances import COVARIANCES
from mix2stan.engines import Engine, Settings, engine_named
from mix2stan.inits import starting_points
from mix2stan.residuals import CORRELATIONS, VARIANCES
from mix2stan.stan_data import stan_data
from tests.test_structures import STRUCTURES

WARMUP, KEPT, THIN = 300, 99, 5


@dataclass(frozen=True)
class Study:
    """A model that is to be calibrated.

    Attributes:
        call: of the columns of :func:`reference`.
        prior: what is stated of its priors; the rest are the default ones.
        q: the number of levels of the factor ``f``.
        trials: of every response, those of ``cbind(y, n)``.
        responses: the columns that are simulated.
        replicates: ranks are 0 to ``KEPT``, and ten of them are expected in a bin.
        thin: every so many draws are kept, for these to be nearly independent.
        strategy: how the program computes.
    """

    call: str
    prior: str | None = "default"
    q: int = 3
    trials: int = 0
    responses: tuple[str, ...] = ("y",)
    replicates: int = 100
    thin: int = THIN
    strategy: str = "auto"


class Ranks(NamedTuple):
    """A row of ranks per replicate, and the number of divergent transitions of all of them."""

    table: pd.DataFrame
    divergences: int


#: On the scale of a link, where effects of a unit are large.
LINK = "Intercept ~ normal(0.5, 0.5); beta ~ normal(0, 0.3); sd_g ~ normal(0, 0.5)"

GAUSSIAN = {
    "no group": "lm(y ~ x)",
    "one factor, intercept": "lmer(y ~ x + (1 | g8))",
    "one factor, slope": "lmer(y ~ x + (x | g8))",
    "nested": "lmer(y ~ x + (1 | g8 / h))",
    "crossed": "lmer(y ~ x + (1 | a) + (1 | b))",
}
ERRORS = {
    "varFixed": "gls(y ~ x, weights = varFixed(~ v))",
    "varIdent": "gls(y ~ x, weights = varIdent(form = ~ 1 | f))",
    "varPower": "gls(y ~ x, weights = varPower(form = ~ v))",
    "varExp": "gls(y ~ x, weights = varExp(form = ~ v))",
    "varConstPower": "gls(y ~ x, weights = varConstPower(form = ~ v))",
    "varConstProp": "gls(y ~ x, weights = varConstProp(form = ~ v))",
    "corCompSymm": "gls(y ~ x, correlation = corCompSymm(form = ~ 1 | g))",
    "corSymm": "gls(y ~ x, correlation = corSymm(form = ~ t | g))",
    "corAR1": "lme(y ~ x, random = ~ 1 | g, correlation = corAR1(form = ~ t | g))",
    "corCAR1": "gls(y ~ x, correlation = corCAR1(form = ~ s | g))",
    "corARMA": "gls(y ~ x, correlation = corARMA(form = ~ t | g, p = 1, q = 1))",
    "corExp": "gls(y ~ x, correlation = corExp(form = ~ s | g, nugget = TRUE))",
    "corGaus": "gls(y ~ x, correlation = corGaus(form = ~ s | g, nugget = TRUE))",
    "corLin": "gls(y ~ x, correlation = corLin(form = ~ s | g))",
    "corRatio": "gls(y ~ x, correlation = corRatio(form = ~ s | g, nugget = TRUE))",
    "corSpher": "gls(y ~ x, correlation = corSpher(form = ~ s | g))",
}
#: MCMCglmm's own priors, of few degrees of freedom but finite in what they simulate.
MCMC = "B = list(mu = c(0, 0), V = diag(2) * 9), R = list(V = 1, nu = 5)"
FURTHER = {
    "term known": Study(
        f"MCMCglmm(y ~ x, random = ~us(f):g, prior = list({MCMC}, "
        "G = list(G1 = list(V = diag(3) + 0.5, fix = 1))))",
        None,
    ),
    "inverse Wishart": Study(
        f"MCMCglmm(y ~ x, random = ~us(f):g, prior = list({MCMC}, "
        "G = list(G1 = list(V = diag(3) + 0.5, nu = 6))))",
        None,
    ),
    "parameter expansion": Study(
        f"MCMCglmm(y ~ x, random = ~us(1 + x):g, prior = list({MCMC}, "
        "G = list(G1 = list(V = diag(2), nu = 4, alpha.mu = c(0, 0), alpha.V = diag(2) * 4))))",
        None,
    ),
    "decov": Study("lmer(y ~ x + (x | g))", "rstanarm"),
    "pedigree": Study("MCMCglmm(y ~ x, random = ~animal, pedigree = ped, data = d)"),
    "known covariance": Study(
        "MCMCglmm(y ~ x, random = ~us(1 + x):animal, ginverse = list(animal = solve(K)), data = d)"
    ),
    "varPower of fitted": Study(
        "lme(y ~ x, random = ~ 1 | g, weights = varPower(form = ~ fitted(.)))",
        # far from means of zero, and not so far that only sigma times a power is known
        "Intercept ~ normal(6, 0.5); beta ~ normal(0, 0.5); sd_g ~ normal(0, 0.5); "
        "sigma ~ normal(0, 1); var_power ~ normal(0, 0.5)",
    ),
    "dispersion": Study("glmmTMB(y ~ x + (1 | g), dispformula = ~ x)"),
    "poisson": Study("glmer(y ~ x + (1 | g), family = poisson)", LINK),
    "slopes, sampled": Study("lmer(y ~ x + (x | g))", strategy="noncentred"),
    "poisson, centred": Study(
        "glmer(y ~ x + (1 | g), family = poisson)",
        "Intercept ~ normal(0.5, 0.5); beta ~ normal(0, 0.3); sd_g ~ normal(1, 0.2)",
        strategy="centred",
    ),
    "binomial": Study("glmer(cbind(y, n) ~ x + (1 | g), family = binomial)", LINK, trials=8),
    "nbinom2": Study("glmmTMB(y ~ x + (1 | g), family = nbinom2)", LINK + "; shape ~ gamma(4, 2)"),
    "beta": Study("glmmTMB(y ~ x + (1 | g), family = beta_family)", LINK + "; phi ~ gamma(4, 0.5)"),
    "two responses": Study(
        "MCMCglmm(cbind(y, z) ~ trait - 1 + trait:x, random = ~us(trait):g, "
        'rcov = ~us(trait):units, family = c("gaussian", "gaussian"))',
        responses=("y", "z"),
    ),
}
STUDIES: dict[str, Study] = {
    **{name: Study(call, replicates=200) for name, call in GAUSSIAN.items()},
    **{f"term {name}": Study(s.call, q=max(s.q, 3)) for name, s in STRUCTURES.items()},
    **{name: Study(call) for name, call in ERRORS.items()},
    **FURTHER,
}


def reference(study: Study) -> pd.DataFrame:
    """The designs of all models, and the response that the default priors are made from.

    Sixty rows in 15 levels of ``g``, four each; of ``g8`` there are six levels, of ten each.
    """
    rng = np.random.default_rng(11)
    row = np.arange(60)
    t = row % 4
    f = (row // 4 + t) % study.q
    data = {
        "y": rng.normal(3, 2, len(row)),
        "z": rng.normal(1, 1, len(row)),
        "x": rng.normal(size=len(row)),
        "g": pd.Categorical([f"g{k:02d}" for k in row // 4]),
        "t": t + 1,
        "v": rng.uniform(0.5, 3, len(row)),
        "animal": [f"a{k:02d}" for k in row % 12],
        "g8": row // 10,
        "h": row // 5 % 2,
        "a": row % 10,
        "b": row // 10,
        "f": pd.Categorical.from_codes(f, [f"f{k}" for k in range(study.q)]),
        # of a factor in space, or of the rows of a level
        "s": np.array([0.0, 0.5, 1.3, 3.1])[f if "numFactor" in study.call else t],
    }
    if study.trials:
        y = rng.binomial(study.trials, 0.6, len(row))
        return pd.DataFrame({**data, "y": y, "n": study.trials - y})
    family = study.call.partition("family = ")[2].rstrip(")")
    if family == "beta_family":
        data["y"] = rng.beta(2, 2, len(row))
    elif family in ("poisson", "nbinom2"):
        data["y"] = rng.poisson(2, len(row))
    return pd.DataFrame(data)


def related() -> dict[str, pd.DataFrame]:
    """A pedigree of 12 animals in three generations, the last one inbred; and a covariance."""
    names = [f"a{k:02d}" for k in range(12)]
    sires = [None] * 4 + ["a00", "a00", "a02", "a02", "a04", "a04", "a06", "a06"]
    dams = [None] * 4 + ["a01", "a03", "a03", "a01", "a05", "a07", "a07", "a05"]
    ped = pd.DataFrame({"animal": names, "sire": sires, "dam": dams})
    K = 0.6 ** np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    return {"ped": ped, "K": pd.DataFrame(K, names, names)}


def with_response(study: Study, frame: pd.DataFrame, y: np.ndarray) -> pd.DataFrame:
    """The same rows with another response; of several, one after the other."""
    columns = dict(zip(study.responses, np.split(y, len(study.responses)), strict=True))
    return frame.assign(**columns, **({"n": study.trials - y} if study.trials else {}))


def model_of(study: Study, frame: pd.DataFrame) -> m2s.Model:
    data = {"d": frame, **related()} if "data = d" in study.call else frame
    return m2s.model(study.call, data, prior=study.prior, strategy=study.strategy)


def elements(values: dict[str, Any]) -> dict[str, Any]:
    """The scalars to be ranked, of arrays with draws first.

    Of effects these are the last level's, which in a pedigree has parents; of correlations one.
    """
    ranked: dict[str, Any] = {}
    for name, value in values.items():
        if name.startswith("R_") or name == "cor_R":
            ranked[name] = value[:, 1, 0]
            continue
        some = value[:, -1:] if name.startswith("b_") else value
        flat = some.reshape(len(some), -1)
        ranked |= {f"{name}[{k + 1}]": flat[:, k] for k in range(flat.shape[1])}
    return ranked


def product(model: m2s.Model, values: dict[str, Any], y: np.ndarray) -> np.ndarray:
    """Of the mean's predictor, without what is known of it, and the response, one per draw."""
    y = y - y.mean()
    found = values["beta"] @ (model.X.to_numpy().T @ y)
    for term, group in zip(model.Z, model.meaning.groups, strict=True):
        effects = values[f"b_{group.id}"]
        found = found + effects.reshape(len(effects), -1) @ (term.matrix.T @ y)
    return np.asarray(found)


def rank(true: np.ndarray, kept: np.ndarray, rng: np.random.Generator) -> int:
    """The number of draws below the truth; among equal ones its place is random."""
    return int(np.sum(kept < true) + rng.integers(np.sum(kept == true) + 1))


def ranks(name: str, engine: Engine) -> Ranks:
    """The rank of every quantity of a study among its draws."""
    study, seed = STUDIES[name], zlib.crc32(name.encode()) % 10**6
    frame = reference(study)
    model = model_of(study, frame)
    drawn = model.sample_prior(study.replicates, seed)
    responses = drawn.prior_predictive.values[0]
    truths = {str(k): v.values[0] for k, v in drawn.prior.data_vars.items()}
    truths = {k: v for k, v in truths.items() if not k.startswith(("L_", "cor_L"))}
    rows, divergences, rng = [], 0, np.random.default_rng(seed)
    for replicate, y in enumerate(responses):
        # the program and its priors are those of the reference, whatever the new response is
        new = model_of(study, with_response(study, frame, y)).data
        data = stan_data(model.meaning, new)
        settings = Settings(
            chains=1,
            warmup=WARMUP,
            draws=KEPT * study.thin,
            seed=seed + replicate,
            adapt_delta=0.9,
            threads=1,
            inits=starting_points(model.meaning, data, 1, seed + replicate),
        )
        sampled = engine.compile(model.stan_code, data).sample(settings)
        divergences += int(np.sum(sampled.stats["diverging"]))
        draws = {k: np.asarray(sampled.variables[k])[0, :: study.thin] for k in truths}
        truth = {k: v[replicate : replicate + 1] for k, v in truths.items()}
        kept, true = elements(draws), elements(truth)
        kept["product"], true["product"] = (product(model, v, y) for v in (draws, truth))
        rows.append({name: rank(true[name], kept[name], rng) for name in kept})
    # what is known of a structure may differ in the last digit
    every = elements(truths)
    known = [name for name, v in every.items() if np.ptp(v) <= 1e-9 * np.max(np.abs(v))]
    return Ranks(pd.DataFrame(rows).drop(columns=known), divergences)


def p_values(table: pd.DataFrame) -> pd.Series:
    """Of the chi-squared test that the ranks of each quantity are uniform, ten to a bin."""
    bins = np.linspace(0, KEPT + 1, len(table) // 10 + 1)
    return table.apply(lambda r: stats.chisquare(np.histogram(r, bins)[0]).pvalue)


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_ranks_are_uniform(name, stanli):
    table, divergences = ranks(name, stanli)
    p = p_values(table)
    assert (p > 0.001).all(), f"{p.to_string()}\n{divergences} divergent transitions"


def test_every_structure_is_calibrated():
    graphs = [model_of(s, reference(s)).meaning for s in STUDIES.values()]
    assert {g.covariance.kind for m in graphs for g in m.groups} == set(COVARIANCES)
    assert {p.kind for m in graphs for p in m.residual.variances} == set(VARIANCES)
    correlations = {m.residual.correlation.kind for m in graphs if m.residual.correlation}
    assert correlations == set(CORRELATIONS)


def test_ranks_of_a_wrong_posterior_are_not_uniform():
    """The test can fail: a posterior a third too narrow is found out."""
    rng = np.random.default_rng(1)
    truth, draws = rng.normal(size=200), rng.normal(scale=2 / 3, size=(200, KEPT))
    low = pd.DataFrame({"narrow": np.sum(draws < truth[:, None], axis=1)})
    right = rng.normal(size=(200, KEPT))
    low["right"] = np.sum(right < truth[:, None], axis=1)
    p = p_values(low)
    assert p["narrow"] < 0.001 < p["right"]


if __name__ == "__main__":
    for name in sys.argv[1:] or STUDIES:
        start = time.perf_counter()
        table, divergences = ranks(name, engine_named("stanli"))
        p = p_values(table)
        took = time.perf_counter() - start
        print(
            f"{name}: least p {p.min():.4f} of {p.idxmin()}, {divergences} divergences, {took:.0f} s",
            flush=True,
        )
        print(p.round(4).to_string(), flush=True)
