"""One model for each kind of program; ``python -m tests.programs`` writes the goldens anew."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import mix2stan as m2s
from tests.conftest import table

GOLDENS = Path(__file__).parent / "goldens"


class Case(NamedTuple):
    data: str
    call: str
    prior: str = "default"
    strategy: str = "noncentred"


PROGRAMS = {
    "mean": Case("sct", "lm(SCT ~ 1)"),
    "cell_means": Case("sct", "lm(SCT ~ 0 + line)"),
    "intercept": Case("sleepstudy", "lmer(Reaction ~ Days + (1 | Subject))"),
    "slope_only": Case("sleepstudy", "lmer(Reaction ~ Days + (0 + Days | Subject))"),
    "slope": Case("sleepstudy", "lmer(Reaction ~ Days + (Days | Subject))"),
    "independent": Case("sleepstudy", "lmer(Reaction ~ Days + (Days || Subject))"),
    "one_sd": Case("sleepstudy", "MCMCglmm(Reaction ~ Days, random = ~idv(1 + Days):Subject)"),
    "crossed": Case("Penicillin", "lmer(diameter ~ 1 + (1 | plate) + (1 | sample))"),
    "nested": Case("Pastes", "lme(strength ~ 1, random = ~1 | batch/cask)"),
    "factors": Case("sct", "lmer(SCT ~ genotype * temp + tarsus + (1 + genotype | line))"),
    "offset": Case("sleepstudy", "lmer(Reaction ~ Days + offset(10 * Days) + (1 | Subject))"),
    "no_population": Case("sleepstudy", "lmer(Reaction ~ 0 + (1 | Subject))"),
    "poisson": Case(
        "grouseticks",
        "glmer(TICKS ~ YEAR + cHEIGHT + (1 | LOCATION/BROOD) + (1 | INDEX), family = poisson)",
        strategy="auto",
    ),
    "binomial": Case(
        "cbpp",
        "glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), family = binomial)",
    ),
    "probit": Case(
        "cbpp",
        "glmer(incidence / size ~ period + (1 | herd), weights = size, family = binomial(probit))",
        strategy="centred",
    ),
    "units": Case(
        "grouseticks",
        'MCMCglmm(TICKS ~ YEAR, random = ~us(1 + cHEIGHT):LOCATION, family = "poisson")',
        strategy="centred",
    ),
    "negative_binomial": Case("grouseticks", "glmer.nb(TICKS ~ YEAR + (1 | LOCATION))"),
    "inverse_gaussian": Case(
        "grouseticks", "glm(TICKS + 1 ~ YEAR, family = inverse.gaussian(link = log))"
    ),
    "collapsed_lm": Case("sct", "lm(SCT ~ 0 + line)", strategy="collapsed"),
    "collapsed_intercept": Case(
        "sleepstudy", "lmer(Reaction ~ Days + (1 | Subject))", strategy="collapsed"
    ),
    "collapsed_slope": Case(
        "sleepstudy", "lmer(Reaction ~ Days + (Days | Subject))", strategy="collapsed"
    ),
    "collapsed_independent": Case(
        "sleepstudy", "lmer(Reaction ~ Days + (Days || Subject))", strategy="collapsed"
    ),
    "collapsed_one_sd": Case(
        "sleepstudy",
        "MCMCglmm(Reaction ~ Days, random = ~idv(1 + Days):Subject)",
        strategy="collapsed",
    ),
    "collapsed_three": Case(
        "sleepstudy", "lmer(Reaction ~ Days + (poly(Days, 2) | Subject))", strategy="collapsed"
    ),
    "collapsed_flat": Case(
        "sleepstudy", "lmer(Reaction ~ Days + (Days | Subject))", "flat", "collapsed"
    ),
    "prior_brms": Case("sleepstudy", "lmer(Reaction ~ Days + (Days | Subject))", "brms"),
    "prior_rstanarm": Case("sleepstudy", "lmer(Reaction ~ Days + (Days | Subject))", "rstanarm"),
    "prior_flat": Case("sleepstudy", "lmer(Reaction ~ Days + (Days | Subject))", "flat"),
}


def model_of(name: str) -> m2s.Model:
    case = PROGRAMS[name]
    return m2s.model(case.call, table(case.data), prior=case.prior, strategy=case.strategy)


if __name__ == "__main__":
    for name in PROGRAMS:
        (GOLDENS / f"{name}.stan").write_text(model_of(name).stan_code)
