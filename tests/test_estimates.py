"""Likelihoods at given points, REML and ML: R's figures, on every case that can be collapsed."""

from __future__ import annotations

import json

import numpy as np
import pytest

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


@pytest.mark.slow
@pytest.mark.cmdstan
def test_cmdstan_ends_at_an_optimum_where_no_step_leads_up(cmdstan):
    model = m2s.model("lmer(Yield ~ 1 + (1 | Batch))", table("Dyestuff2"))
    ours, theirs = model.ml("stanli"), model.ml(cmdstan.name)
    assert theirs.logLik == pytest.approx(ours.logLik, abs=1e-5)
    assert theirs.sigma() == pytest.approx(ours.sigma(), rel=1e-4)
    # it stops some way above zero
    assert theirs.VarCorr()["sd"].min() < 1e-3 * theirs.sigma()
