"""One model for each kind of program; ``python -m tests.programs`` writes the goldens anew."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import mix2stan as m2s
from tests.conftest import table

GOLDENS = Path(__file__).parent / "goldens"


class Case(NamedTuple):
    data: str
    call: str
    prior: str | None = "default"
    strategy: str | dict[str, str] = "noncentred"
    #: Whether what relates its levels is given with the data.
    related: bool = False


def relationships() -> dict[str, pd.DataFrame | str]:
    """Of the 18 subjects of sleepstudy: a pedigree, a tree of them, and a covariance."""
    subjects = [str(s) for s in table("sleepstudy")["Subject"].unique()]
    parents = {"sire": [None] * 6 + subjects[:3] * 4, "dam": [None] * 6 + subjects[3:6] * 4}
    tips = [f"{s}:1" for s in subjects]
    tree = f"(({','.join(tips[:9])}):1,({','.join(tips[9:])}):1);"
    K = pd.DataFrame(np.eye(18) + 0.5, subjects, subjects)
    return {"ped": pd.DataFrame({"animal": subjects, **parents}), "tree": tree, "K": K}


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
        strategy="centred",
    ),
    "latent": Case(
        "grouseticks",
        "glmer(TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION), family = poisson)",
        strategy="latent",
    ),
    "latent_slope": Case(
        "grouseticks",
        "glmer(TICKS ~ cHEIGHT + (cHEIGHT | LOCATION) + (1 | YEAR) + (1 | INDEX), "
        "family = poisson, offset = log(TICKS + 1))",
        strategy="latent",
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
    "shared_sigma": Case(
        "sleepstudy", "brm(bf(Reaction ~ Days + (Days |p| Subject), sigma ~ (1 |p| Subject)))"
    ),
    "predicted_sigma": Case(
        "sleepstudy",
        "glmmTMB(Reaction ~ Days + (Days | Subject), dispformula = ~ Days + (1 | Subject))",
        strategy="auto",
    ),
    "predicted_shape": Case(
        "grouseticks",
        "glmmTMB(TICKS ~ YEAR + (1 | LOCATION), family = nbinom2, dispformula = ~ YEAR)",
        strategy="centred",
    ),
    "zero_inflated": Case(
        "grouseticks",
        "glmmTMB(TICKS ~ YEAR + (1 | LOCATION), ziformula = ~ cHEIGHT + (1 | LOCATION), "
        "family = poisson)",
    ),
    "hurdle": Case(
        "grouseticks",
        "glmmTMB(TICKS ~ YEAR + (1 | LOCATION), ziformula = ~ 1, dispformula = ~ YEAR, "
        "family = truncated_nbinom2)",
    ),
    "truncated": Case(
        "grouseticks", 'MCMCglmm(TICKS + 1 ~ YEAR, random = ~LOCATION, family = "ztpoisson")'
    ),
    "skew_normal": Case(
        "sleepstudy", "glmmTMB(Reaction ~ Days + (1 | Subject), family = skewnormal)"
    ),
    "lognormal_mean": Case(
        "sleepstudy", "glmmTMB(Reaction ~ Days, dispformula = ~ Days, family = lognormal)"
    ),
    "ordered_beta": Case(
        "cbpp", "glmmTMB(incidence / size ~ period + (1 | herd), family = ordbeta)"
    ),
    "zero_one_inflated_beta": Case(
        "cbpp", "glm(incidence / size ~ period, family = zero_one_inflated_beta)"
    ),
    "beta_binomial": Case(
        "cbpp",
        "glmmTMB(cbind(incidence, size - incidence) ~ period + (1 | herd), family = betabinomial)",
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
    "collapsed_four": Case(
        "sleepstudy", "lmer(Reaction ~ Days + (poly(Days, 3) | Subject))", strategy="collapsed"
    ),
    "collapsed_flat": Case(
        "sleepstudy", "lmer(Reaction ~ Days + (Days | Subject))", "flat", "collapsed"
    ),
    "collapsed_crossed": Case(
        "Penicillin", "lmer(diameter ~ 1 + (1 | plate) + (1 | sample))", strategy="collapsed"
    ),
    "collapsed_nested": Case(
        "Pastes", "lme(strength ~ 1, random = ~1 | batch/cask)", strategy="collapsed"
    ),
    "collapsed_same_factor": Case(
        "sleepstudy",
        "lmer(Reaction ~ Days + (Days | Subject) + (0 + I(Days^2) | Subject))",
        strategy="collapsed",
    ),
    "collapsed_correlated_dense": Case(
        "sct", "lmer(SCT ~ tarsus + (1 | line) + (tarsus | temp))", strategy="collapsed"
    ),
    "collapsed_independent_dense": Case(
        "sct", "lmer(SCT ~ 0 + (tarsus || temp) + (1 | line))", strategy="collapsed"
    ),
    "partly_collapsed": Case(
        "sct",
        "lmer(SCT ~ tarsus + (tarsus | line) + (tarsus | genotype) + (1 | temp))",
        strategy={"genotype": "noncentred"},
    ),
    "partly_collapsed_centred": Case(
        "sct",
        "lmer(SCT ~ tarsus + (1 | line) + (tarsus | genotype) + (1 | temp))",
        strategy={"genotype": "centred", "temp": "centred"},
    ),
    "collapsed_brms": Case(
        "sleepstudy", "lmer(Reaction ~ Days + (Days | Subject))", "brms", "collapsed"
    ),
    "sampled_but_beta": Case(
        "Pastes", "lmer(strength ~ 1 + (1 | batch))", strategy={"batch": "noncentred"}
    ),
    "common_correlation": Case("BTdata", "glmmTMB(tarsus ~ sex + cs(0 + sex | dam))"),
    "common_correlation_one_sd": Case(
        "BTdata", "lme(tarsus ~ sex, random = list(dam = pdCompSymm(~ 0 + sex)))"
    ),
    "unit_variances": Case("BTdata", "MCMCglmm(tarsus ~ sex, random = ~corg(sex):dam)"),
    "known_variances": Case(
        "BTdata",
        "MCMCglmm(tarsus ~ sex, random = ~corgh(sex):dam, "
        "prior = list(G = list(G1 = list(V = diag(c(0.3, 0.2, 0.4)), nu = 4))))",
    ),
    "partly_known_variances": Case(
        "BTdata",
        "MCMCglmm(tarsus ~ sex, random = ~cors(sex):dam, "
        "prior = list(G = list(G1 = list(V = diag(3), nu = 4, fix = 2))))",
    ),
    "known_block": Case(
        "BTdata",
        "MCMCglmm(tarsus ~ sex, random = ~us(sex):dam, "
        "prior = list(G = list(G1 = list(V = diag(3) * 0.3, nu = 4, fix = 3))))",
        None,
        "noncentred",
    ),
    "free_block": Case(
        "BTdata",
        "MCMCglmm(tarsus ~ sex, random = ~sub(sex):dam, "
        "prior = list(G = list(G1 = list(V = diag(3), nu = 4, fix = 3))))",
    ),
    "antedependence": Case("BTdata", "MCMCglmm(tarsus ~ sex, random = ~ante1(sex):dam)"),
    "antedependence_common": Case("BTdata", "MCMCglmm(tarsus ~ sex, random = ~antec1(sex):dam)"),
    "antedependence_one_sd": Case("BTdata", "MCMCglmm(tarsus ~ sex, random = ~ante2v(sex):dam)"),
    "antedependence_common_one_sd": Case(
        "BTdata", "MCMCglmm(tarsus ~ sex, random = ~antec2v(sex):dam)"
    ),
    "autoregressive": Case(
        "sleepstudy", "glmmTMB(Reaction ~ Days + ar1(0 + factor(Days) | Subject))"
    ),
    "autoregressive_sds": Case(
        "sleepstudy", "glmmTMB(Reaction ~ Days + hetar1(0 + factor(Days) | Subject))"
    ),
    "toeplitz": Case("sleepstudy", "glmmTMB(Reaction ~ Days + toep(0 + factor(Days) | Subject))"),
    "ornstein_uhlenbeck": Case(
        "sleepstudy", "glmmTMB(Reaction ~ Days + ou(0 + numFactor(Days) | Subject))"
    ),
    "exponential": Case(
        "sleepstudy", "glmmTMB(Reaction ~ Days + exp(0 + numFactor(Days) | Subject))"
    ),
    "gaussian_correlation": Case(
        "sleepstudy", "glmmTMB(Reaction ~ Days + gau(0 + numFactor(Days) | Subject))"
    ),
    "matern": Case("sleepstudy", "glmmTMB(Reaction ~ Days + mat(0 + numFactor(Days) | Subject))"),
    "reduced_rank": Case(
        "sleepstudy", "glmmTMB(Reaction ~ Days + rr(0 + factor(Days) | Subject, d = 2))"
    ),
    "collapsed_antedependence": Case(
        "BTdata", "MCMCglmm(tarsus ~ sex, random = ~ante1(sex):dam)", strategy="collapsed"
    ),
    "collapsed_common_correlation": Case(
        "BTdata", "glmmTMB(tarsus ~ sex + cs(0 + sex | dam))", strategy="collapsed"
    ),
    "collapsed_reduced_rank": Case(
        "BTdata", "glmmTMB(tarsus ~ sex + rr(0 + sex | dam, d = 2))", strategy="collapsed"
    ),
    "errors_strata": Case(
        "squid", "gls(Testisweight ~ DML, weights = varIdent(form = ~1 | fMONTH))"
    ),
    "errors_product": Case(
        "Orthodont",
        "lme(distance ~ age, random = ~1 | Subject, weights = varComb("
        "varIdent(value = c(Female = 0.5), form = ~1 | Sex), varPower(form = ~fitted(.))))",
    ),
    "errors_constant": Case(
        "Orthodont", "gls(distance ~ age, weights = varConstPower(form = ~age | Sex))"
    ),
    "errors_ar1": Case(
        "Ovary",
        "lme(follicles ~ Time, random = ~1 | Mare, correlation = corAR1(), weights = varExp(form = ~Time))",
    ),
    "errors_exchangeable": Case(
        "Orthodont", "gls(distance ~ age, correlation = corCompSymm(form = ~1 | Subject))"
    ),
    "traits": Case(
        "BTdata",
        "MCMCglmm(cbind(tarsus, back) ~ trait - 1 + trait:sex, random = ~us(trait):dam, "
        "rcov = ~us(trait):units)",
        strategy="auto",
    ),
    "mixture": Case(
        "grouseticks",
        "MCMCglmm(cbind(cHEIGHT, TICKS) ~ trait - 1 + trait:YEAR, random = ~us(trait):BROOD, "
        'rcov = ~us(trait):units, family = c("gaussian", "poisson"))',
        strategy="auto",
    ),
    "mixture_sampled": Case(
        "grouseticks",
        "MCMCglmm(cbind(cHEIGHT, TICKS) ~ trait - 1, random = ~us(trait):BROOD, "
        'rcov = ~idh(trait):units, family = c("gaussian", "poisson"))',
    ),
    "zeros_by_trait": Case(
        "grouseticks",
        "MCMCglmm(TICKS ~ trait - 1 + at.level(trait, 1):YEAR, random = ~us(trait):BROOD, "
        "rcov = ~us(trait):units, family = 'zipoisson', "
        "prior = list(R = list(V = diag(2), nu = 1, fix = 2), G = list(G1 = list(V = diag(2), nu = 2))))",
        prior=None,
        strategy="auto",
    ),
    "zeros_beside_a_response": Case(
        "grouseticks",
        "MCMCglmm(cbind(cHEIGHT, TICKS) ~ trait - 1, random = ~us(trait):BROOD, "
        'rcov = ~us(trait):units, family = c("gaussian", "zipoisson"), prior = list(R = list('
        "V = diag(3), nu = 3, fix = 2), G = list(G1 = list(V = diag(3), nu = 3))))",
        prior=None,
        strategy="auto",
    ),
    "categories_by_trait": Case(
        "BTdata",
        "MCMCglmm(sex ~ trait - 1, random = ~us(trait):dam, rcov = ~us(trait):units, "
        "family = 'categorical', prior = list(R = list(V = diag(2), fix = 1)))",
    ),
    "errors_general": Case(
        "Orthodont",
        "gls(distance ~ age, correlation = corSymm(form = ~1 | Subject), "
        "weights = varIdent(form = ~1 | age, fixed = c('10' = 0.9)))",
    ),
    "errors_arma": Case(
        "Ovary", "gls(follicles ~ Time, correlation = corARMA(form = ~1 | Mare, p = 2, q = 1))"
    ),
    "errors_spatial": Case(
        "Ovary",
        "gls(follicles ~ 0, correlation = corSpher(form = ~Time | Mare, nugget = TRUE, "
        "metric = 'manhattan'))",
    ),
    "collapsed_errors_strata": Case(
        "Orthodont",
        "lme(distance ~ age, random = ~age | Subject, weights = varIdent(form = ~1 | Sex))",
        strategy="collapsed",
    ),
    "collapsed_errors_ar1": Case(
        "Ovary",
        "lme(follicles ~ Time, random = ~1 | Mare, correlation = corAR1(), weights = varFixed(~I(Time + 2)))",
        strategy="collapsed",
    ),
    "collapsed_errors_exchangeable": Case(
        "Orthodont",
        "gls(distance ~ age, correlation = corCompSymm(form = ~1 | Subject))",
        strategy="collapsed",
    ),
    "collapsed_errors_spatial": Case(
        "Orthodont",
        "gls(distance ~ age, correlation = corExp(form = ~age | Subject, nugget = TRUE), "
        "weights = varConstProp(form = ~age, fixed = list(const = 1)))",
        strategy="collapsed",
    ),
    "censored": Case("sleepstudy", "brm(Reaction | cens(Days > 7) ~ Days + (1 | Subject))"),
    "bounded": Case("sleepstudy", "brm(Reaction | trunc(lb = 0) ~ Days + (1 | Subject))"),
    "bounded_gamma": Case(
        "sleepstudy",
        "brm(bf(Reaction | trunc(lb = 100, ub = 900) ~ 1, shape ~ Days), family = Gamma(log))",
    ),
    "censored_gamma": Case(
        "sleepstudy",
        "brm(bf(Reaction | cens(Days > 7) ~ 1 + (1 | Subject), shape ~ Days), family = Gamma(log))",
    ),
    "censored_counts": Case(
        "grouseticks",
        "brm(TICKS | cens(TICKS > 9) ~ cHEIGHT + (1 | LOCATION), family = poisson())",
    ),
    "bounded_counts": Case(
        "grouseticks",
        "brm(bf(TICKS + 1 | trunc(lb = 1) ~ cHEIGHT, shape ~ YEAR), family = negbinomial())",
    ),
    "bounded_counts_twice": Case(
        "grouseticks", "brm(TICKS | trunc(lb = 0, ub = 90) ~ cHEIGHT, family = poisson())"
    ),
    "powers": Case(
        "sleepstudy",
        "brm(bf(Reaction | weights(Days) ~ 1 + (1 | Subject), nu ~ Days), family = student())",
    ),
    "powers_of_vectors": Case(
        "grouseticks",
        "glmmTMB(TICKS + 1 ~ YEAR, weights = HEIGHT, family = lognormal, dispformula = ~ YEAR)",
    ),
    "collapsed_standard_errors": Case(
        "sleepstudy", "brm(Reaction | se(Days + 1) ~ 1 + (1 | Subject))", strategy="collapsed"
    ),
    "standard_errors": Case(
        "sleepstudy", "brm(Reaction | se(Days + 1, sigma = TRUE) ~ 1 + (1 | Subject))"
    ),
    "exposure": Case(
        "cbpp", "brm(incidence | rate(size) ~ period + (1 | herd), family = poisson())"
    ),
    "multinomial": Case(
        "cbpp",
        "brm(cbind(size - incidence, incidence) | trials(size) ~ period + (1 | herd), "
        "family = multinomial())",
    ),
    "von_mises": Case(
        "sleepstudy",
        "brm(bf((Days - 4.5) / 2 ~ 1 + (1 | Subject), kappa ~ Reaction), family = von_mises())",
    ),
    "asym_laplace": Case(
        "sleepstudy",
        "brm(bf(Reaction ~ Days + (1 | Subject), sigma ~ Days, quantile = 0.9), "
        "family = asym_laplace())",
    ),
    "tweedie": Case("cbpp", "glmmTMB(incidence / size ~ period + (1 | herd), family = tweedie())"),
    "tweedie_dispersion": Case(
        "cbpp", "glmmTMB(incidence ~ period, dispformula = ~ size, family = tweedie)"
    ),
    "cumulative": Case("wine", "clm(rating ~ temp + contact)"),
    "cumulative_cloglog": Case(
        "wine", 'clmm(rating ~ temp + contact + (1 | judge), link = "cloglog")', strategy="auto"
    ),
    "cutpoints": Case(
        "wine",
        'MCMCglmm(rating ~ temp + contact, random = ~judge, family = "ordinal", '
        "prior = list(R = list(V = 1, fix = 1)))",
        strategy="centred",
    ),
    "sratio": Case("wine", 'brm(rating ~ temp + (1 + temp || judge), family = sratio("probit"))'),
    "acat": Case("wine", "brm(rating ~ 1 + (1 | judge), family = acat())"),
    "categorical": Case(
        "BTdata", "brm(sex ~ hatchdate + (1 | dam), family = categorical())", strategy="auto"
    ),
    "categorical_residual": Case(
        "BTdata",
        "MCMCglmm(I(sex == 'Male') ~ 1, random = ~dam, family = \"categorical\", "
        "prior = list(R = list(V = 1, fix = 1)))",
    ),
    "collapsed_errors_nested": Case(
        "Pastes",
        "lme(strength ~ 1, random = ~1 | batch/cask, weights = varIdent(form = ~1 | cask))",
        strategy="collapsed",
    ),
    "collapsed_errors_crossed": Case(
        "Penicillin",
        "MCMCglmm(diameter ~ 1, random = ~plate + sample, rcov = ~idh(sample):units)",
        strategy="collapsed",
    ),
    "collapsed_errors_many": Case(
        "Ovary",
        "lme(follicles ~ Time, random = ~Time + I(Time^2) + I(Time^3) + I(Time^4) + I(Time^5) | Mare, "
        "correlation = corAR1())",
        strategy="collapsed",
    ),
    "collapsed_weights": Case(
        "Orthodont",
        "lmer(distance ~ age + (age | Subject) + (1 | Sex), weights = age)",
        strategy={"Sex": "noncentred"},
    ),
    "pedigree": Case(
        "sleepstudy",
        "MCMCglmm(Reaction ~ Days, random = ~Subject, ginverse = list(Subject = inverseA(ped)$Ainv))",
        related=True,
    ),
    "pedigree_centred": Case(
        "sleepstudy",
        "MCMCglmm(Reaction ~ Days, random = ~Subject, ginverse = list(Subject = inverseA(ped)$Ainv))",
        strategy="centred",
        related=True,
    ),
    "phylogeny": Case(
        "sleepstudy",
        "MCMCglmm(Reaction ~ Days, random = ~us(1 + Days):Subject, "
        "ginverse = list(Subject = inverseA(tree)$Ainv))",
        related=True,
    ),
    "phylogeny_centred": Case(
        "sleepstudy",
        "MCMCglmm(Reaction ~ Days, random = ~us(1 + Days):Subject, "
        "ginverse = list(Subject = inverseA(tree)$Ainv))",
        strategy="centred",
        related=True,
    ),
    "known_covariance": Case(
        "sleepstudy",
        "MCMCglmm(Reaction ~ Days, random = ~Subject, ginverse = list(Subject = solve(K)))",
        related=True,
    ),
    "known_covariance_centred": Case(
        "sleepstudy",
        "MCMCglmm(Reaction ~ Days, random = ~us(1 + Days):Subject, ginverse = list(Subject = solve(K)))",
        strategy="centred",
        related=True,
    ),
    "known_inverse_centred": Case(
        "sleepstudy",
        "MCMCglmm(Reaction ~ Days, random = ~Subject, ginverse = list(Subject = K))",
        strategy="centred",
        related=True,
    ),
    "collapsed_pedigree": Case(
        "sleepstudy",
        "MCMCglmm(Reaction ~ Days, random = ~Subject, ginverse = list(Subject = inverseA(ped)$Ainv))",
        strategy="collapsed",
        related=True,
    ),
    "collapsed_related_dense": Case(
        "sleepstudy",
        "MCMCglmm(Reaction ~ Days, random = ~us(1 + Days):Subject, "
        "ginverse = list(Subject = inverseA(ped)$Ainv))",
        strategy="collapsed",
        related=True,
    ),
    "memberships": Case("Pastes", "MCMCglmm(strength ~ 1, random = ~mm(cask + batch))"),
    "effects_of_two_factors": Case("BTdata", "MCMCglmm(tarsus ~ 1, random = ~str(dam + sex))"),
    "collapsed_memberships": Case(
        "Pastes", "MCMCglmm(strength ~ 1, random = ~mm(cask - batch))", strategy="collapsed"
    ),
    "prior_brms": Case("sleepstudy", "lmer(Reaction ~ Days + (Days | Subject))", "brms"),
    "prior_rstanarm": Case("sleepstudy", "lmer(Reaction ~ Days + (Days | Subject))", "rstanarm"),
    "prior_stated": Case(
        "sleepstudy",
        "lmer(Reaction ~ Days + (Days | Subject))",
        "brms; Intercept ~ student_t(5, 250, 50); beta[Days] ~ double_exponential(0, 5); "
        "sd_Subject ~ exponential(0.1); sd_Subject[Days] ~ student_t(4, 0, 10); "
        "cor_Subject ~ lkj(2); sigma ~ uniform(0, 100)",
    ),
    "prior_mcmcglmm": Case("sleepstudy", "lmer(Reaction ~ Days + (Days | Subject))", "mcmcglmm"),
    "prior_expanded": Case(
        "Orthodont",
        "MCMCglmm(distance ~ age, random = ~us(1 + age):Subject, rcov = ~idh(Sex):units, prior = "
        "list(R = list(V = diag(2), nu = 0.02), G = list(G1 = list(V = diag(2), nu = 2, "
        "alpha.mu = c(0, 0), alpha.V = diag(2) * 25))))",
        None,
    ),
    "prior_known": Case(
        "BTdata",
        "MCMCglmm(tarsus ~ sex, random = ~us(sex):dam, prior = list(R = list(V = 1, nu = 0.002), "
        "G = list(G1 = list(V = diag(3) * 0.1 + 0.2, fix = 1))))",
        None,
        "auto",
    ),
    "prior_brms_responses": Case(
        "BTdata",
        "brm(mvbind(tarsus, back) ~ hatchdate + (1 |p| dam), prior = "
        "prior(normal(0, 1), class = b, resp = back))",
        None,
    ),
    "prior_rstanarm_stated": Case(
        "sleepstudy",
        "stan_lmer(Reaction ~ Days + (1 | Subject), prior = student_t(3, 0, 10), "
        "prior_covariance = decov(shape = 2))",
        None,
    ),
    "prior_flat": Case("sleepstudy", "lmer(Reaction ~ Days + (Days | Subject))", "flat"),
}


#: Programs of several responses with distributions of their own.
JOINT = {
    "joint": Case(
        "cbpp",
        "brm(bf(incidence | trials(size) ~ period + (1 |p| herd), family = binomial()) "
        "+ bf(size ~ (1 |p| herd) + (1 | period), family = negbinomial()))",
        strategy="auto",
    ),
}


def model_of(name: str, strategy: str | None = None) -> m2s.Model:
    """The model of a program, or the same with another strategy."""
    case = (PROGRAMS | JOINT)[name]
    data = {"d": table(case.data), **relationships()} if case.related else table(case.data)
    return m2s.model(case.call, data, prior=case.prior, strategy=strategy or case.strategy)


if __name__ == "__main__":
    for name in PROGRAMS | JOINT:
        (GOLDENS / f"{name}.stan").write_text(model_of(name).stan_code)
