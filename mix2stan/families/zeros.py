"""More zeros than a family has, or none: wrappers of families, one for each way.

A zero-inflated response is a zero with probability ``zi`` and from the base otherwise; one with a
hurdle is a zero with probability ``hu`` and otherwise from the base given that it is none; a truncated
one is never a zero.  What a wrapper needs of its base is in the base's row: the density, and the log
probability of a zero where the base has zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from mix2stan.families import basic, further
from mix2stan.families.basic import Array, Family

__all__ = ["ROWS", "hurdle", "truncated", "zero_inflated"]

_BASES: dict[str, Family] = {**basic.ROWS, **further.ROWS}


def _log_of_positive(y: Array) -> Array:
    """The logarithm; of zeros, the mean of the others."""
    logs = np.log(np.where(y > 0, y, 1.0))
    return np.asarray(np.where(y > 0, logs, logs[y > 0].mean() if (y > 0).any() else 0.0))


_COUNTS = ("poisson", "negbinomial", "nbinom1", "geometric")
_TRIALS = ("binomial", "beta_binomial")


def _wrapped(base: str, name: str, template: str, **changes: object) -> Family:
    """The row of a base with other densities and zeros."""
    row = _BASES[base]
    fixed: Mapping[str, object] = {
        "r_names": (name,),
        "mcmcglmm": (),
        "mcmcglmm_link": "",
        "natural": MappingProxyType({}),
        "primitive": MappingProxyType({}),
        "single": None,
        "pooled": None,
        "exposure": False,
        "base": base,
        "zero": "",
        "brms": MappingProxyType({}),
        "functions": f"functions/{template}",
    }
    return replace(row, **{**fixed, **changes})  # type: ignore[arg-type]


def _arguments(base: str) -> str:
    """The base's parameters, its mean first, as arguments of a wrapper's density."""
    row = _BASES[base]
    trials = ("trials",) if row.counts_trials else ()
    return ", ".join((*trials, "{mu}", *row.parameters))


def _with_zeros(base: str, name: str, parameter: str, template: str, **changes: object) -> Family:
    row = _BASES[base]
    arguments = f"{_arguments(base)}, {parameter}"
    return _wrapped(
        base,
        name,
        template,
        density=f"{name}({arguments}, zero, positive)",
        mathematics=f"{name}({arguments})",
        parameters=(*row.parameters, parameter),
        row_sets={"zero": lambda y: y == 0, "positive": lambda y: y > 0},
        **changes,
    )


def zero_inflated(base: str) -> Family:
    """Zeros from elsewhere besides those of the base."""
    name = f"zero_inflated_{base}"
    return _with_zeros(base, name, "zi", "zero_inflated", without_zeros=base, keeps_zeros=True)


def hurdle(
    base: str, name: str, parameter: str = "hu", left: str = "", **changes: object
) -> Family:
    """Zeros of a probability of their own, and the base without its zeros."""
    given: dict[str, object] = {"without_zeros": left or base, **changes}
    return _with_zeros(base, name, parameter, "hurdle", **given)


def truncated(base: str, mcmcglmm: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> Family:
    """The base given that it is not zero; the link is about the mean it would have with zeros."""
    name = f"truncated_{base}"
    return _wrapped(
        base,
        name,
        "truncated",
        density=f"{name}({_arguments(base)})",
        support="positive_count",
        r_names=(name, *names),
        mcmcglmm=mcmcglmm,
    )


ROWS: dict[str, Family] = {
    **{f"zero_inflated_{base}": zero_inflated(base) for base in (*_COUNTS, *_TRIALS)},
    "truncated_poisson": truncated("poisson", mcmcglmm=("ztpoisson",)),
    "truncated_negbinomial": truncated("negbinomial", names=("truncated_nbinom2",)),
    "truncated_nbinom1": truncated("nbinom1"),
    **{
        f"hurdle_{base}": hurdle(base, f"hurdle_{base}", left=f"truncated_{base}")
        for base in ("poisson", "negbinomial", "nbinom1")
    },
    "hurdle_gamma": hurdle(
        "Gamma", "hurdle_gamma", support="nonnegative", links=("log", "inverse", "identity")
    ),
    "hurdle_lognormal": hurdle(
        "lognormal", "hurdle_lognormal", support="nonnegative", scale=_log_of_positive
    ),
    "hurdle_lognormal_mean": hurdle(
        "lognormal_mean", "hurdle_lognormal_mean", support="nonnegative"
    ),
    "zero_inflated_beta": hurdle("beta", "zero_inflated_beta", "zi", support="unit_zero"),
}
