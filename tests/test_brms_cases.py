"""Calls as users of brms write them, on data sets of R, held against brms 2.18.

``brms_cases.json`` has for each call what brms made of it (R 4.2.2, the C locale).  Of ``make_standata``:
the number of rows, the columns of X of every predictor with their sums and sums of squares, the
offsets' sums likewise, and of every coefficient of a random term its grouping factor, name, parameter,
the number of levels, whether it is correlated with others, and the sums of its column of Z.  Of
``get_prior``: the default ``prior`` of every parameter, by ``class|coef|group|dpar``, flat ones and
``lkj(1)`` left out; where the call has priors, ``stated`` has those of ``validate_prior`` alone.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import mix2stan as m2s
from mix2stan.priors.classes import in_brms_letters
from mix2stan.priors.table import prior_table
from tests.conftest import FIXTURES, table

CASES = {c["id"]: c for c in json.loads((FIXTURES / "brms_cases.json").read_text())}
#: What a default of brms 2.21 and later is that was another one in 2.18.
LATER = {("negbinomial", "shape|||"): "inv_gamma(0.4, 0.3)"}
#: Of no effect on the density: flat where it is not zero.
NOTHING = re.compile(r"flat|uniform\(.*\)|lkj_corr_cholesky\(1\)")


def model_of(case):
    options = {"prior": "brms"} if "prior" in case else {}
    return m2s.model(case["call"], {"d": table(case["data"])}, **options)


def dpars(model):
    """brms' names of the parameters that have predictors, by ours."""
    graph = model.meaning
    found = {p.parameter: p.parameter for p in graph.every_predictor}
    levels = graph.response.levels
    if graph.response.family in ("categorical", "multinomial"):
        ours = [p.parameter for p in graph.predictors]
        found = {p: f"mu{level}" for p, level in zip(ours, levels[1:], strict=True)}
    return found


def having(key):
    return pytest.mark.parametrize(
        "case", [c for c in CASES.values() if key in c], ids=lambda c: str(c["id"])
    )


@having("N")
def test_the_population_design_is_brms(case):
    model, names = model_of(case), {}
    graph, data = model.meaning, model.data
    assert data.rows == case["N"]
    assert graph.response.link == case["link"]
    for ours, theirs in dpars(model).items():
        population = next(p for p in graph.every_predictor if p.parameter == ours).population
        names[theirs or "mu"] = [in_brms_letters(n) for n in population.columns.names]
        want = case.get("X", {}).get(theirs or "mu", {"columns": []})
        if not want["columns"]:
            continue
        assert names[theirs or "mu"] == [in_brms_letters(n) for n in want["columns"]]
        X = data.matrix(population.columns)
        np.testing.assert_allclose(X.sum(axis=0), want["sums"], rtol=1e-7, atol=1e-6)
        np.testing.assert_allclose((X**2).sum(axis=0), want["squares"], rtol=1e-7)
        offset = sum((data.vector(o) for o in population.offsets), np.zeros(data.rows))
        known = case.get("offsets", {}).get(theirs or "mu")
        if known is not None:
            np.testing.assert_allclose([offset.sum(), (offset**2).sum()], known, rtol=1e-7)
    assert set(case.get("X", {})) <= set(names)


def random_columns(model):
    """The coefficients of random terms: ``[factor, name, dpar, levels, correlated, sums of Z]``."""
    theirs = dpars(model)
    for term, group in zip(model.Z, model.meaning.groups, strict=True):
        q = len(term.coefficients)
        for k, name in enumerate(term.coefficients):
            owner = next(p for p in group.parameters if k in group.columns_in(p))
            own = name.removeprefix(f"{owner}[").removesuffix("]") if group.shares else name
            z = term.matrix[:, k::q]
            correlated = q > 1 and group.covariance.kind == "us"
            sums = [z.sum(), z.power(2).sum()]
            levels = len(term.levels)
            yield [term.group, in_brms_letters(own), theirs[owner], levels, correlated, *sums]


@having("N")
def test_the_random_terms_are_brms(case):
    def key(row):
        return (sorted(row[0].split(":")), *row[1:3])

    found = sorted(random_columns(model_of(case)), key=key)
    want = sorted(case.get("Z", []), key=key)
    assert [[*key(r), *r[3:5]] for r in found] == [
        [sorted(r[0].split(":")), in_brms_letters(r[1]), *r[2:5]] for r in want
    ]
    np.testing.assert_allclose([r[5:] for r in found], [r[5:] for r in want], rtol=1e-6, atol=1e-6)


def prior_names(model):
    """The rows of the table of priors by ``class|coef|group|dpar``."""
    graph, theirs = model.meaning, dpars(model)
    found = {}
    for name in prior_table(graph).index:
        of, _, coefficient = name.partition("[")
        coefficient = coefficient.removesuffix("]")
        if of in theirs or of == "beta":
            raw = not next(
                getattr(p.population, "centred", True)
                for p in graph.every_predictor
                if p.parameter == of.replace("beta", "")
            )
            kind = "Intercept" if coefficient == "(Intercept)" and not raw else "b"
            coef = "" if kind == "Intercept" else in_brms_letters(coefficient)
            found[name] = f"{kind}|{coef}||{theirs.get(of, '')}"
        elif of == "thresholds":
            before = [n for n in found if n.startswith("thresholds")]
            found[name] = f"Intercept|{len(before) + 1}||"
        elif of.startswith(("sd_", "cor_")) and of != "cor_phi":
            group = next(g for g in graph.groups if of in (f"sd_{g.id}", f"cor_{g.id}"))
            found[name] = of_group(group, of, coefficient, theirs)
        else:
            found[name] = f"{ {'cor_phi': 'ar'}.get(of, of) }|||"
    return found


def of_group(group, of, coefficient, theirs):
    factor = str(group.factor)
    if of.startswith("cor_"):
        return f"cor||{factor}|"
    place = group.columns.names.index(coefficient) if coefficient else 0
    owner = next(p for p in group.parameters if place in group.columns_in(p))
    name = group.columns.names[place]
    own = name.removeprefix(f"{owner}[").removesuffix("]") if group.shares else name
    return f"sd|{in_brms_letters(own)}|{factor}|{theirs[owner]}"


def sides(key):
    """The same for ``a:b`` and ``b:a``."""
    kind, coef, group, dpar = key.split("|")
    return kind, coef, tuple(sorted(group.split(":"))), dpar


def check_density(found, want):
    """The same function of the same numbers."""
    name, *numbers = re.split(r"[(,)T\[\] ]+", found)
    other, *wanted = re.split(r"[(,)T\[\] ]+", want)
    assert name.replace("_corr_cholesky", "") == other, (found, want)
    values = [[float(x) for x in row if x] for row in (numbers, wanted)]
    np.testing.assert_allclose(*values, rtol=2e-4, atol=1e-12)


@having("prior")
def test_default_priors_are_brms(case):
    model = model_of(case)
    densities = prior_table(model.meaning)["density"]
    want = {
        sides(k): LATER.get((model.meaning.response.family, k), v) for k, v in case["prior"].items()
    }
    for name, key in prior_names(model).items():
        expected = want.pop(sides(key), None)
        if expected is None:
            assert NOTHING.fullmatch(densities[name]), (name, densities[name])
        else:
            check_density(densities[name], expected)
    assert want == {}


@having("stated")
def test_stated_priors_are_of_what_brms_says(case):
    model = model_of(case)
    densities = prior_table(model.meaning)["density"]
    names = {sides(key): name for name, key in prior_names(model).items()}
    for key, expected in case["stated"].items():
        check_density(densities[names[sides(key)]], expected)
    others = [n for k, n in names.items() if k not in {sides(key) for key in case["stated"]}]
    sources = prior_table(model.meaning)["source"]
    assert not [n for n in others if sources[n] == "as asked"]
