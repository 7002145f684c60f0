"""Families besides those of R's own functions."""

from __future__ import annotations

import numpy as np

from mix2stan.families import laws
from mix2stan.families.basic import Family

__all__ = ["ROWS"]

_BINARY_LINKS = ("logit", "probit", "cloglog")

ROWS: dict[str, Family] = {
    "nbinom1": Family(
        links=("log", "identity", "sqrt"),
        support="count",
        density="neg_binomial_2({mu}, {mu} ./ phi)",
        r_names=("nbinom1",),
        law=laws.NBINOM1,
        zero="-{mu} ./ phi .* log1p(phi)",
        variance=lambda mu: mu,
        dispersion="phi",
        parameters=("phi",),
        meanings={"phi": "the variance is 1 + phi times the mean"},
        integer=True,
        domain=lambda mu: np.asarray(mu > 0),
    ),
    "geometric": Family(
        links=("log", "-log", "identity", "sqrt"),
        support="count",
        density="neg_binomial_2({mu}, 1)",
        r_names=("geometric",),
        mcmcglmm=("geometric",),
        mcmcglmm_link="-log",
        law=laws.GEOMETRIC,
        zero="-log1p({mu})",
        variance=lambda mu: mu + mu**2,
        integer=True,
        natural={"log": "neg_binomial_2_log({eta}, 1)"},
        domain=lambda mu: np.asarray(mu > 0),
    ),
    "beta_binomial": Family(
        links=_BINARY_LINKS,
        support="trials",
        density="beta_binomial(trials, {mu} .* phi, (1 - {mu}) .* phi)",
        r_names=("beta_binomial", "betabinomial"),
        law=laws.BETA_BINOMIAL,
        zero=(
            "lbeta({mu} .* phi, to_vector(trials) + (1 - {mu}) .* phi)"
            " - lbeta({mu} .* phi, (1 - {mu}) .* phi)"
        ),
        variance=lambda mu: mu * (1 - mu),
        dispersion="phi",
        parameters=("phi",),
        meanings={"phi": "the larger, the nearer to a binomial"},
        integer=True,
        domain=lambda mu: np.asarray((mu > 0) & (mu < 1)),
    ),
    "lognormal_mean": Family(
        links=("log", "identity", "inverse"),
        support="positive",
        density="lognormal_mean({mu}, sigma)",
        r_names=("lognormal_mean",),
        law=laws.LOGNORMAL_MEAN,
        variance=np.ones_like,
        dispersion="sigma",
        parameters=("sigma",),
        meanings={"sigma": "sd of the response"},
        functions="functions/lognormal_mean",
        domain=lambda mu: np.asarray(mu > 0),
    ),
    "skew_normal": Family(
        links=("identity", "log", "inverse"),
        support="real",
        density="skew_normal_mean({mu}, sigma, alpha)",
        r_names=("skew_normal", "skewnormal"),
        law=laws.SKEW_NORMAL,
        variance=np.ones_like,
        dispersion="sigma",
        parameters=("sigma", "alpha"),
        functions="functions/skew_normal_mean",
    ),
    "exponential": Family(
        links=("log", "-log", "inverse", "identity"),
        support="positive",
        density="exponential(inv({mu}))",
        r_names=("exponential",),
        mcmcglmm=("exponential",),
        mcmcglmm_link="-log",
        law=laws.EXPONENTIAL,
        variance=np.square,
        natural={"log": "exponential(exp(-({eta})))", "-log": "exponential(exp({eta}))"},
        domain=lambda mu: np.asarray(mu > 0),
    ),
    "weibull": Family(
        links=("log", "inverse", "identity"),
        support="positive",
        density="weibull(shape, {mu} ./ tgamma(1 + inv(shape)))",
        r_names=("weibull",),
        law=laws.WEIBULL,
        variance=np.square,
        starts={"shape": 1.0},
        dispersion="shape",
        parameters=("shape",),
        domain=lambda mu: np.asarray(mu > 0),
    ),
    "zero_one_inflated_beta": Family(
        links=_BINARY_LINKS,
        support="unit_closed",
        density="zero_one_inflated_beta({mu}, phi, zoi, coi, zero, one, inner)",
        mathematics="zero_one_inflated_beta({mu}, phi, zoi, coi)",
        r_names=("zero_one_inflated_beta",),
        law=laws.ZERO_ONE_BETA,
        variance=lambda mu: mu * (1 - mu),
        dispersion="phi",
        parameters=("phi", "zoi", "coi"),
        functions="functions/zero_one_inflated_beta",
        domain=lambda mu: np.asarray((mu > 0) & (mu < 1)),
        row_sets={"zero": lambda y: y == 0, "one": lambda y: y == 1, "inner": lambda y: y % 1 > 0},
    ),
    "ordered_beta": Family(
        links=("logit",),
        support="unit_closed",
        density="ordered_beta(logit({mu}), phi, cut_zero, cut_one, zero, one, inner)",
        natural={"logit": "ordered_beta({eta}, phi, cut_zero, cut_one, zero, one, inner)"},
        mathematics="ordered_beta({mu}, phi, cut_zero, cut_one)",
        r_names=("ordered_beta", "ordbeta"),
        law=laws.ORDERED_BETA,
        variance=lambda mu: mu * (1 - mu),
        dispersion="phi",
        parameters=("phi", "cut_zero", "cut_one"),
        functions="functions/ordered_beta",
        domain=lambda mu: np.asarray((mu > 0) & (mu < 1)),
        row_sets={"zero": lambda y: y == 0, "one": lambda y: y == 1, "inner": lambda y: y % 1 > 0},
    ),
}
