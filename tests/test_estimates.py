"""Likelihoods at given points, REML and ML: R's figures, on every case that can be collapsed."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from tests.conftest import FIXTURES, table

CASES = json.loads((FIXTURES / "gaussian.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_the_likelihood_is_the_reference(case):
    for dialect, call in case["calls"].items():
        model = m2s.model(call, {"d": table(case["data"])})
        for point in case["loglik_at"]:
            got = model.loglik(point, engine="stanli")
            assert got == pytest.approx(point["loglik"], rel=1e-8), dialect


@pytest.mark.cmdstan
@pytest.mark.parametrize("case", CASES[:3], ids=lambda c: c["id"])
def test_the_likelihood_is_the_reference_with_cmdstan(case, cmdstan):
    model = m2s.model(case["calls"]["lme4"], {"d": table(case["data"])})
    for point in case["loglik_at"]:
        assert model.loglik(point, engine="cmdstan") == pytest.approx(point["loglik"], rel=1e-8)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_estimates_are_lme4s(case):
    model = m2s.model(case["calls"]["lme4"], {"d": table(case["data"])})
    reference = case["fits"]["lme4"]
    for want, fit in ((reference, model.reml("stanli")), (reference.get("ML"), model.ml("stanli"))):
        if not want:
            continue
        assert fit.logLik == pytest.approx(want["logLik"], abs=1e-3)
        # lme4 stops where the surface is flat: by the coefficient's own standard error
        for name, value in want["fixef"].items():
            slack = 1e-3 * fit.standard_errors[name] + 1e-4 * abs(value)
            assert fit.fixef()[name] == pytest.approx(value, abs=slack)
        assert fit.sigma() == pytest.approx(want["sigma"], rel=1e-3)
    fit = model.reml("stanli")
    for name, value in reference["se"].items():
        assert fit.standard_errors[name] == pytest.approx(value, rel=1e-2)


def test_modes_of_the_effects_are_lme4s():
    case = next(c for c in CASES if c["id"] == "sleepstudy-us")
    fit = m2s.model(case["calls"]["lme4"], {"d": table("sleepstudy")}).reml("stanli")
    # lme4's well-known fit of sleepstudy
    sds = fit.VarCorr()["sd"].to_numpy()
    np.testing.assert_allclose(sds, [24.7404, 5.9221, 25.5918], rtol=1e-4)
    assert fit.VarCorr().loc[("Subject", "Days"), "cor (Intercept)"] == pytest.approx(
        0.066, abs=1e-3
    )
    modes = fit.ranef()["mode"]
    assert modes[("Subject", "308", "(Intercept)")] == pytest.approx(2.2586, abs=1e-2)
    assert modes[("Subject", "308", "Days")] == pytest.approx(9.1990, abs=1e-2)
    assert pytest.approx(1743.6283 + 12, abs=1e-2) == fit.AIC
    assert "REML" in str(fit)


@pytest.mark.parametrize("name", ["sleepstudy-us", "dyestuff", "pastes-nested"])
def test_chains_can_start_from_estimates(name):
    case = next(c for c in CASES if c["id"] == name)
    model = m2s.model(case["calls"]["lme4"], {"d": table(case["data"])})
    reml = model.reml("stanli")
    fit = model.sample(chains=1, warmup=0, draws=1, seed=1, engine="stanli", inits=reml)
    assert fit.sigma() == pytest.approx(reml.sigma(), rel=0.5)
    with pytest.raises(m2s.Mix2stanError, match="no parameter"):
        model.sample(inits={"sgma": 1.0}, engine="stanli")


def test_any_number_of_coefficients_is_estimated():
    data = table("BTdata")
    model = m2s.model("lm(tarsus ~ dam)", data)
    assert model.X.shape[1] == 106
    rest = data["tarsus"] - data.groupby("dam", observed=True)["tarsus"].transform("mean")
    n, squares = len(data), float((rest**2).sum())
    logLik = -n / 2 * (np.log(2 * np.pi * squares / n) + 1)
    assert model.ml("stanli").logLik == pytest.approx(logLik, abs=1e-6)
    assert m2s.model("lm(tarsus ~ dam)", data, strategy="collapsed").stan_code != model.stan_code


@pytest.mark.parametrize(
    "random",
    [
        [("Worker", ["(Intercept)"], [4.0]), ("Machine:Worker", ["(Intercept)"], [3.0])],
        [
            ("Worker", ["(Intercept)"], [4.0]),
            ("Worker", ["MachineA", "MachineB", "MachineC"], [3.0] * 3),
        ],
        [("Worker", ["(Intercept)", "MachineB", "MachineA", "MachineC"], [4.0, 3.0, 3.0, 3.0])],
        [("Worker", ["(Intercept)"], [4.0]), ("Machine", ["(Intercept)"], [3.0])],
    ],
)
def test_a_point_has_the_terms_of_any_package(random):
    """Blocks of columns apart or in one matrix, equal effects of levels, nlme's name of a nested factor."""
    model = m2s.model("lmer(score ~ 1 + (1 | Worker / Machine))", table("Machines"))
    terms = [{"group": g, "coefficients": c, "sd": sd} for g, c, sd in random]
    point = {"beta": {"(Intercept)": 60.0}, "residual": {"sigma": 1.0}}
    if random[-1][0] == "Machine":  # only lme's term is of Machine in Worker
        model = m2s.model("lme(score ~ 1, random = ~ 1 | Worker / Machine)", table("Machines"))
    want = model.loglik({**point, "random": [
        {"group": "Worker", "coefficients": ["(Intercept)"], "sd": [4.0]},
        {"group": "Machine:Worker", "coefficients": ["(Intercept)"], "sd": [3.0]},
    ]})  # fmt: skip
    blocks = "pdBlocked(list(pdIdent(~ 1), pdIdent(~ Machine - 1)))"
    same = m2s.model(f"lme(score ~ 1, random = list(Worker = {blocks}))", table("Machines"))
    assert model.loglik({**point, "random": terms}) == pytest.approx(want, rel=1e-12)
    if random[-1][0] != "Machine":
        assert same.loglik({**point, "random": terms}) == pytest.approx(want, rel=1e-12)


def test_a_point_cannot_correlate_what_is_independent():
    call = "lme(distance ~ age, random = list(Subject = pdBlocked(list(~ 1, ~ age - 1))))"
    model = m2s.model(call, table("Orthodont"))
    both = {"group": "Subject", "coefficients": ["age", "(Intercept)"], "sd": [0.2, 2.0]}
    point = {"beta": {"(Intercept)": 17.0, "age": 0.6}, "residual": {"sigma": 1.3}}
    apart = [
        {"group": "Subject", "coefficients": [c], "sd": [s]}
        for c, s in zip(both["coefficients"], both["sd"], strict=True)
    ]
    whole = model.loglik({**point, "random": [both]})
    assert whole == pytest.approx(model.loglik({**point, "random": apart}), rel=1e-12)
    correlated = {**both, "cor": [[1, 0.3], [0.3, 1]]}
    with pytest.raises(m2s.Mix2stanError, match="independent"):
        model.loglik({**point, "random": [correlated]})


def test_a_point_that_does_not_fit_is_explained():
    model = m2s.model("lmer(Reaction ~ Days + (1 | Subject))", table("sleepstudy"))
    point = {
        "beta": {"(Intercept)": 250.0, "Dys": 10.0},
        "random": [{"group": "Subject", "coefficients": ["(Intercept)"], "sd": [35.0]}],
        "residual": {"sigma": 30.0},
    }
    with pytest.raises(m2s.Mix2stanError, match="nearest: 'Days'"):
        model.loglik(point)
    with pytest.raises(m2s.Mix2stanError, match="no value for Days"):
        model.loglik({**point, "beta": {"(Intercept)": 250.0}})
    with pytest.raises(m2s.Mix2stanError, match="no entry"):
        model.loglik({**point, "beta": {"(Intercept)": 250.0, "Days": 10.0}, "random": []})


BETA, TERM = (
    {"(Intercept)": 250.0, "Days": 10.0},
    {"group": "Subject", "coefficients": ["(Intercept)"]},
)
POINT = {"beta": BETA, "random": [{**TERM, "sd": [35.0]}], "residual": {"sigma": 30.0}}
MALFORMED = [
    ("text", "a point is a mapping"),
    ({k: v for k, v in POINT.items() if k != "residual"}, "no residual"),
    ({**POINT, "residual": {}}, "no sigma"),
    ({**POINT, "residual": {"sigma": "a"}}, "not the text 'a'"),
    ({**POINT, "residual": {"sigma": -1.0}}, "sigma has to be positive"),
    ({**POINT, "residual": {"sigma": 1.0, "corAR1": 0.3}}, "no corAR1"),
    ({**POINT, "beta": np.array([250.0, 10.0])}, "beta has to be a mapping"),
    ({**POINT, "beta": {**BETA, "Days": "a"}}, "the Days of beta has to be numbers"),
    ({**POINT, "random": [TERM]}, "term 1 of random has no sd"),
    ({**POINT, "random": {**TERM, "sd": [1.0]}}, "random has to be a list"),
    ({**POINT, "random": [{**TERM, "sd": [1.0, 2.0]}]}, "has to be one number"),
    ({**POINT, "random": [{**TERM, "sd": [-1.0]}]}, "not negative"),
    ({**POINT, "random": [{**TERM, "sd": [1.0], "cor": np.eye(2)}]}, "has to be 1 x 1"),
    ({**POINT, "random": [*POINT["random"], {**TERM, "group": "Sbject", "sd": [1.0]}]}, "Sbject"),
    ({**POINT, "betas": {}}, "nearest: 'beta'"),
    ({**POINT, "random": [{**TERM, "coefficients": ["zz"], "sd": [1.0]}]}, "no coefficient 'zz'"),
    ({**POINT, "random": [{**TERM, "sd": [1.0], "zzz": 5}]}, "has 'zzz'"),
    ({**POINT, "random": POINT["random"] * 2}, "two entries"),
    ({**POINT, "residual": {"sigma": [1.0, 2.0]}}, "sigma has to be a number"),
    ({**POINT, "residual": {"sigma": "a"}, "u": [np.zeros((18, 1))]}, "sigma has to be numbers"),
    ({**POINT, "u": 3.0}, "u has to be a list"),
]


@pytest.mark.parametrize(("point", "why"), MALFORMED)
def test_a_malformed_point_is_answered_in_words(point, why):
    model = m2s.model("lmer(Reaction ~ Days + (1 | Subject))", table("sleepstudy"))
    with pytest.raises(m2s.Mix2stanError, match=why):
        model.loglik(point, "stanli")


def test_a_point_may_have_a_series_and_a_list_of_one_number():
    model = m2s.model("lmer(Reaction ~ Days + (1 | Subject))", table("sleepstudy"))
    same = {**POINT, "beta": pd.Series(BETA), "residual": {"sigma": [30.0]}}
    assert model.loglik(same) == model.loglik(POINT)


@pytest.mark.parametrize(
    "call",
    [
        "lmer(Reaction ~ Days + (Days | Subject))",
        "gls(Reaction ~ Days, correlation = corAR1(form = ~Days | Subject))",
        "gls(Birds ~ Rainfall, correlation = corCompSymm(form = ~Year), na.action = na.omit)",
    ],
)
def test_estimates_are_a_point(call):
    model = m2s.model(call, table("birds" if "Birds" in call else "sleepstudy"))
    if "Birds" not in call:
        top = model.ml("stanli")
        assert model.loglik(top, "stanli") == pytest.approx(top.logLik, abs=1e-8)
    assert np.isfinite(model.loglik(model.reml("stanli"), "stanli"))
    other = m2s.model(
        "lmer(Reaction ~ Days + (1 | Subject) + (0 + Days | Subject))", table("sleepstudy")
    )
    with pytest.raises(m2s.Mix2stanError, match="another model"):
        other.loglik(model.reml("stanli"), "stanli")


STEPS = table("sleepstudy").assign(f=lambda d: pd.Categorical((d["Days"] // 2).astype(str)))
FIVE = [f"f{i}" for i in range(5)]


def normal_density(covariance, sigma=47.0):
    """The log density of the responses, by a normal with a covariance of the effects of a subject."""
    effects = np.asarray(covariance)[np.ix_(STEPS["f"].cat.codes, STEPS["f"].cat.codes)]
    same = STEPS["Subject"].to_numpy()[:, None] == STEPS["Subject"].to_numpy()
    V = np.where(same, effects, 0.0) + sigma**2 * np.eye(len(STEPS))
    rest = STEPS["Reaction"] - 251.4 - 10.47 * STEPS["Days"]
    return stats.multivariate_normal(cov=V).logpdf(rest)


def point_of(sd, cor=None):
    term = {"group": "Subject", "coefficients": FIVE, "sd": sd, "cor": cor}
    beta = {"(Intercept)": 251.4, "Days": 10.47}
    return {"beta": beta, "random": [term], "residual": {"sigma": 47.0}}


@pytest.mark.parametrize("kind", ["us", "cs", "diag", "ar1", "toep", "rr", "corh", "idh"])
def test_the_likelihood_has_its_limit_where_variances_or_correlations_are_at_their_edge(kind):
    """As lme4 has it at a singular fit, where programs have no place for the parameters."""
    term = f"{kind}(0 + f | Subject{', 2' * (kind == 'rr')})"
    call = f"glmmTMB(Reaction ~ Days + {term})"
    if kind in ("corh", "idh"):
        call = f"MCMCglmm(Reaction ~ Days, random = ~{kind}(f):Subject, data = d)"
    model = m2s.model(call, STEPS)
    zero = model.loglik(point_of([0.0] * 5), "stanli")
    assert zero == pytest.approx(normal_density(np.zeros((5, 5))), rel=1e-9)
    if kind in ("diag", "idh"):
        some = model.loglik(point_of([0.0, 20.0, 0.0, 20.0, 20.0]), "stanli")
        assert some == pytest.approx(normal_density(np.diag([0, 400, 0, 400, 400])), rel=1e-9)
        return
    one = model.loglik(point_of([20.0] * 5, np.ones((5, 5))), "stanli")
    assert one == pytest.approx(normal_density(np.full((5, 5), 400.0)), rel=1e-9)


@pytest.mark.parametrize("bars", ["|", "||"])
def test_a_singular_fit_of_lme4s_has_a_likelihood(bars):
    model = m2s.model(f"lmer(Reaction ~ Days + (Days {bars} Subject))", table("sleepstudy"))
    both = {"group": "Subject", "coefficients": ["(Intercept)", "Days"]}
    nan = [[1.0, np.nan], [np.nan, 1.0]] if bars == "|" else None
    values = [
        model.loglik({**POINT, "random": [{**both, "sd": [sd, 6.0], "cor": cor}]}, "stanli")
        for sd, cor in ((0.0, nan), (1e-6, None))
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-10)


def test_effects_of_common_factors_have_a_density_on_what_these_span():
    Lambda = 10 * np.array([[1, 0], [0.5, 1], [0.2, 0.3], [0.1, 0.1], [0, 0.5]])
    V = Lambda @ Lambda.T
    sd = np.sqrt(np.diag(V))
    model = m2s.model("glmmTMB(Reaction ~ Days + rr(0 + f | Subject, 2))", STEPS)
    z = np.random.default_rng(1).normal(size=(18, 2))
    u = z @ Lambda.T
    point = {**point_of(sd, V / np.outer(sd, sd)), "u": [u]}
    mean = 251.4 + 10.47 * STEPS["Days"] + u[STEPS["Subject"].cat.codes, STEPS["f"].cat.codes]
    volume = 18 * np.linalg.slogdet(Lambda.T @ Lambda)[1] / 2
    expected = stats.norm.logpdf(STEPS["Reaction"], mean, 47.0).sum() - volume
    expected += stats.norm.logpdf(z).sum()
    assert model.loglik(point, "stanli") == pytest.approx(expected, rel=1e-10)
    assert model.loglik({**point, "u": [u + 1]}, "stanli") == -np.inf
    with pytest.raises(m2s.Mix2stanError, match="no density"):
        model.loglik({**point_of([0.0] * 5), "u": [u]}, "stanli")


def test_errors_of_correlation_one_have_no_density():
    model = m2s.model("gls(Reaction ~ Days, correlation = corAR1(form = ~Days | Subject))", STEPS)
    point = {"beta": BETA, "residual": {"sigma": 30.0, "corAR1": 1.0}}
    assert model.loglik(point, "stanli") == -np.inf
    with pytest.raises(m2s.Mix2stanError, match="cannot be evaluated at"):
        model.loglik({**point, "residual": {"sigma": 30.0, "corAR1": 2.0}}, "stanli")


def test_a_likelihood_that_would_take_hours_is_refused_by_its_size():
    """828 animals of two traits: a gradient of four thousand million products."""
    n, rng = 828, np.random.default_rng(1)
    rows = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "animal": range(n)})
    parents = pd.DataFrame({"animal": range(n), "sire": None, "dam": None})
    parents.loc[50:, "sire"] = rng.integers(0, 25, n - 50)
    parents.loc[50:, "dam"] = rng.integers(25, 50, n - 50)
    model = m2s.MCMCglmm(
        "cbind(a, b) ~ trait - 1",
        random="~ us(trait):animal",
        rcov="~ us(trait):units",
        family='c("gaussian", "gaussian")',
        pedigree=parents,
        data=rows,
    )
    for ask in (model.ml, model.reml, lambda: model.loglik({"beta": {}})):
        with pytest.raises(m2s.Unsupported, match="too large for a likelihood"):
            ask()


@pytest.mark.slow
@pytest.mark.cmdstan
def test_cmdstan_ends_at_an_optimum_where_no_step_leads_up(cmdstan):
    model = m2s.model("lmer(Yield ~ 1 + (1 | Batch))", table("Dyestuff2"))
    ours, theirs = model.ml("stanli"), model.ml(cmdstan.name)
    assert theirs.logLik == pytest.approx(ours.logLik, abs=1e-5)
    assert theirs.sigma() == pytest.approx(ours.sigma(), rel=1e-4)
    # it stops some way above zero
    assert theirs.VarCorr()["sd"].min() < 1e-3 * theirs.sigma()
