"""Formulas: read, evaluated, written; every covariance structure's symbols against its numbers."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import special

from mix2stan.covariances import COVARIANCES, parameters_of
from mix2stan.covariances.rows import correlations
from mix2stan.covariances.spatial import distances
from mix2stan.mathematics import Word, evaluate, latex, mathml, plain, product, read
from mix2stan.residuals import VARIANCES
from tests.test_structures import LOADINGS, STRUCTURES, model_of


def matern(x, nu):
    return x**nu * special.kv(nu, x) * 2 ** (1 - nu) / special.gamma(nu)


def values_of(group, covariance):
    """Every symbol that may occur, from a covariance of the structure."""
    R, q = correlations(covariance), len(covariance)
    values = {"V": covariance[0, 0], "r": R[0, -1], "phi": R[0, 1] if q > 1 else 0}
    for i, j in itertools.product(range(q), repeat=2):
        pair = f"{min(i, j) + 1}{max(i, j) + 1}"
        values |= {f"C_{pair}": covariance[i, j], f"r_{pair}": R[i, j]}
        values |= {f"v_{pair}": covariance[i, j]}
        values |= {f"r_{abs(i - j)}": R[0, abs(i - j)]}
        values |= {f"V_{i + 1}": covariance[i, i], f"v_{i + 1}": covariance[i, i]}
    found = {k.removesuffix("_g"): v for k, v in parameters_of(group, covariance).items()}
    values |= {k: v for k, v in found.items() if k in ("rate", "range")}
    values["nu"] = found.get("smoothness", 0)
    order = group.covariance.order
    if "ante" in found:
        values |= ante_values(group, q, order, found)
    if group.covariance.kind == "rr":
        values |= {f"lambda_{i + 1}{k + 1}": LOADINGS[i, k] for i in range(q) for k in range(2)}
    if COVARIANCES[group.covariance.kind].constants == ("distance",):
        d = distances(group.columns.names)
        values |= {f"d_{i + 1}{j + 1}": d[i, j] for i in range(q) for j in range(i, q)}
    return values


def ante_values(group, q, order, found):
    b, d = iter(np.atleast_1d(found["ante"])), np.atleast_1d(found["innovation_sd"]) ** 2
    values = {"d": d[0]} | {f"d_{i + 1}": v for i, v in enumerate(d)}
    for lag in range(1, order + 1):
        if group.covariance.kind.startswith("antec"):
            values["b" if order == 1 else f"b_{lag}"] = next(b)
            continue
        for j in range(lag, q):
            name = f"b_{j + 1}" if order == 1 else f"b_{j + 1},{j + 1 - lag}"
            values[name] = next(b)
    return values


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_symbols_of_a_structure_are_its_numbers(name):
    (group,) = model_of(name).meaning.groups
    covariance, order = STRUCTURES[name].covariance, group.covariance.order
    q, symbols = len(covariance), COVARIANCES[group.covariance.kind].symbols
    values = values_of(group, covariance)
    for i, j in itertools.product(range(q), repeat=2):
        entry = symbols.covariance(i, j, q, order)
        assert entry == symbols.covariance(j, i, q, order)
        assert evaluate(entry, values, {"Matern": matern}) == pytest.approx(covariance[i, j], 1e-8)
        entry = symbols.correlations(i, j, q, order)
        expected = correlations(covariance)[i, j]
        assert evaluate(entry, values, {"Matern": matern}) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("kind", VARIANCES)
def test_the_formula_of_a_variance_function_is_its_multiplier(kind):
    row, numbers = (
        VARIANCES[kind],
        {"ratio": 1.3, "power": 0.7, "expon": -0.2, "const": 0.4, "prop": 2.0},
    )
    given = {p.name: read(p.name) for p in row.parameters} | {"covariate": read("v")}
    formula = read(row.formula, **given)
    parameters = {p.name: np.array([numbers[p.name]]) for p in row.parameters}
    expected = row.multiplier(np.array([1.7]), parameters)
    assert evaluate(formula, {**numbers, "v": 1.7}) == pytest.approx(float(expected[0]))


WRITTEN = [
    ("r_12 sqrt(V_1 V_2)", "r12 sqrt(V1 V2)", r"r_{12} \, \sqrt{V_{1} \, V_{2}}"),
    ("exp(-(d / range)^2)", "exp(-(d / range)²)", r"\exp(-(\frac{d}{\mathrm{range}})^{2})"),
    ("1 - (a - b) - c", "1 - (a - b) - c", "1 - (a - b) - c"),
    ("a / (b c)", "a / (b c)", r"\frac{a}{b \, c}"),
    ("|s - t|", "|s - t|", r"\lvert s - t \rvert"),
    ("phi^|s - t|", "φ^|s - t|", r"\phi^{\lvert s - t \rvert}"),
    ("y_i ~ Normal(mu_i, sigma^2)", "y_i ~ Normal(μ_i, σ²)", r"y_{i} \sim \mathrm{Normal}(\mu_{i}, \sigma^{2})"),
    ("(-a)^2 b", "(-a)² b", r"(-a)^{2} \, b"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "tex"), WRITTEN)
def test_a_formula_is_written(text, line, tex):
    formula = read(text)
    assert (plain(formula), latex(formula)) == (line, tex)
    ElementTree.fromstring(mathml(formula))


@pytest.mark.parametrize("text", ["a +", "(a", "a b )", "|a", "exp(a", "a ? b", ""])
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(ValueError):
        read(text)


def test_names_of_the_users_cannot_become_markup():
    formula = product(Word("<script>alert(1)</script> & $x_1$"), read("a"))
    assert "<script>" not in mathml(formula)
    ElementTree.fromstring(mathml(formula))
    assert "$" not in latex(formula).replace(r"\$", "")
    assert "<" not in latex(formula)
