"""Responses that are one of several categories, or counts of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mix2stan.families.basic import Family
from mix2stan.families.ordinal import ORDINAL

__all__ = ["ROWS"]

_LINKS = ("logit", "probit", "cloglog", "cauchit")


def _thresholds(name: str, *built_in: str, links: tuple[str, ...] = _LINKS) -> Family:
    """A family of ordered categories; Stan has the densities of the links ``built_in``."""
    own = {link: f"{name}_{link}({{eta}}, {{thresholds}})" for link in links}
    names = {"logit": "ordered_logistic", "probit": "ordered_probit"}
    stan = {link: f"{names[link]}({{eta}}, {{thresholds}})" for link in built_in}
    return Family(
        links=links,
        support="categories",
        density=name + "({link}, {eta}, {thresholds})",
        r_names=(name,),
        variance=np.ones_like,
        integer=True,
        natural=own | stan,
        link_functions={link: f"functions/{name}" for link in links if link not in built_in},
        ordinal=ORDINAL[name],
    )


ROWS: dict[str, Family] = {
    "categorical": Family(
        links=("logit",),
        support="categories",
        density="categorical(softmax([0, mu]))",
        r_names=("categorical",),
        variance=np.ones_like,
        integer=True,
        natural={"logit": "categorical_rows(mu)"},
        link_functions={"logit": "functions/categorical"},
    ),
    "multinomial": Family(
        links=("logit",),
        support="several_counts",
        density="multinomial(softmax([0, mu]))",
        r_names=("multinomial",),
        variance=np.ones_like,
        integer=True,
        natural={"logit": "multinomial_rows(mu)"},
        functions="functions/multinomial",
    ),
    "cumulative": replace(
        _thresholds("cumulative", "logit", "probit"),
        primitive={"logit": "ordered_logistic_glm({x}, {coefficients}, {thresholds})"},
    ),
    "sratio": _thresholds("sratio"),
    "cratio": _thresholds("cratio"),
    "acat": _thresholds("acat", links=("logit",)),
}
