"""Posteriors against MCMCglmm's and lme4's, on every Gaussian case both can express (slow)."""

from __future__ import annotations

import json
import math

import pytest

import mix2stan as m2s
from tests.conftest import FIXTURES, table

CASES = [c for c in json.loads((FIXTURES / "gaussian.json").read_text()) if "MCMCglmm" in c["fits"]]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_fixed_effects_are_mcmcglmms_and_sds_lie_where_lme4_says(case):
    model = m2s.model(case["calls"]["lme4"], {"d": table(case["data"])})
    fit = model.sample(chains=4, warmup=1000, draws=2000, seed=1)
    summary = fit.summary("fixef")
    for name, want in case["fits"]["MCMCglmm"]["Sol"].items():
        got = summary.loc[name]
        error = math.hypot(
            want["sd"] / math.sqrt(want["ess"]), got["sd"] / math.sqrt(got["ess_bulk"])
        )
        difference = abs(got["mean"] - want["mean"])
        assert difference < 4 * error + 0.03 * want["sd"], (name, got["mean"], want)
    if not case["fits"]["lme4"].get("singular"):
        sds = fit.VarCorr()
        for row in sds.itertuples():
            if row.Index[0] == "Residual":
                continue
            estimate = lme4_sd(case["fits"]["lme4"]["random"], *row.Index)
            lower, upper = sds.loc[row.Index, "2.5%"], sds.loc[row.Index, "97.5%"]
            assert lower * 0.9 < estimate < upper, (row.Index, estimate, lower, upper)
    assert fit.sigma() == pytest.approx(case["fits"]["lme4"]["sigma"], rel=0.1)
    assert not [p for p in fit.problems if p.kind == "r_hat"]


def lme4_sd(random, group, effect):
    """lme4 calls the second term of a group ``Subject.1`` and prints a/b as ``b:a``."""
    names = {group, ":".join(reversed(group.split(":")))}
    for term, values in random.items():
        if term.split(".")[0] in names and effect in values["sd"]:
            return values["sd"][effect]
    raise AssertionError(f"lme4 has no {effect} of {group}: {random}")
