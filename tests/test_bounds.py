"""Short texts may not ask for unbounded work: it is counted before anything is built."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s
from mix2stan.design import model_matrix
from mix2stan.design.matrix import independent_columns

N = 400


@pytest.fixture(scope="module")
def d():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({k: [f"l{i}" for i in rng.integers(50, size=N)] for k in "FHKL"})
    frame["long"] = "a" * 1000
    frame["u"] = [f"u{i}" for i in range(N)]
    return frame.assign(x=rng.normal(size=N), z=rng.normal(size=N), y=rng.normal(size=N))


def prior(entry):
    return f"MCMCglmm(y ~ x, random = ~F, prior = list({entry}))"


TOO_MUCH = {
    "rep(x, each = 1e7)": "values",
    "rep(1:200, times = 1:200 * 1e6)": "values",
    "rep(rep(rep(x, 1e3), 1e3), 1e3)": "values",
    "rep(x, length.out = 1e12)": "values",
    "x[rep(1, 1e9)]": "values",
    "seq_len(1e12)": "values",
    "seq(1, 1e18, by = 1e-3)": "values",
    "I(1:1e12 + x)": "values",
    "c(rep(x, 2e4), rep(x, 2e4))": "values",
    " + ".join(f"sum(rep(x, {i})) * x" for i in range(15000, 15200)): "values in all",
    "F:H:K:L": "columns of a design",
    "F * H * K * L": "columns of a design",
    "interaction(F, H, K, L)": "levels",
    "interaction(u, u, u)": "levels",
    "C(F, contr.poly(1e4))": "cells",
    "contr.sum(1e9)": "cells",
    "matrix(1, 1, 1e6) * x": "cells",
    "poly(x, z, x, z, x, degree = 20)": "cells|products",
    "factor(F, levels = 1:1e7)": "values as text",
    "factor(x, labels = 1:1e7)": "values as text",
    "cut(x, breaks = 1:1e7)": "breaks",
    "ordered(u)": "orthogonal polynomials",
    f"paste({', '.join(['long'] * 200)})": "cells",
    "(" + " + ".join(f"I(x + {i})" for i in range(1000)) + ")^2": "products of terms",
}
CALLS = {
    **{f"lm(y ~ {term})": what for term, what in TOO_MUCH.items()},
    prior("R = list(V = 1), G = list(G1 = list(V = diag(1e5)))"): "numbers of a prior",
    prior("B = list(mu = rep(0, 1e9), V = diag(2))"): "numbers of a prior",
    prior("B = list(V = matrix(0, 1e9, 1e9))"): "numbers of a prior",
    "MCMCglmm(y ~ x, family = rep('gaussian', 1e9))": "responses",
    "gls(y ~ x, correlation = corARMA(p = 1e6, q = 1e6))": "past errors",
    "gls(y ~ x, correlation = corSymm(form = ~ 1 | rep('a', 400000)))": "values|rows",
}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[:50])
def test_what_is_too_much_is_refused_before_it_is_built(d, call):
    tracemalloc.start()
    try:
        with pytest.raises(m2s.Mix2stanError, match=CALLS[call]):
            m2s.model(call, d)
        assert tracemalloc.get_traced_memory()[1] < 500e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", ["NA", "NaN", "Inf", "-1"])
@pytest.mark.parametrize("term", ["rep(x, {})", "rep(x, each = {})", "seq_len({})", "1:{}"])
def test_counts_that_are_none_are_answered_in_words(d, term, count):
    with pytest.raises(m2s.FormulaError):
        m2s.model(f"lm(y ~ I(x + {term.format(count)}))", d)


@pytest.mark.parametrize(
    "call",
    [
        "lm(y ~ F:H)",
        "lm(y ~ poly(x, 150))",
        "lm(y ~ x + x[rep(1:2, 200)])",
        "lm(y ~ cut(x, breaks = seq(-5, 5, length.out = 1000)))",
        "lmer(y ~ x + (1 | F:H:K:L))",
        "lmer(y ~ x + (1 | F), subset = H %in% 1:1e5 | x > 0)",
        "gls(y ~ x, correlation = corARMA(p = 5, q = 5))",
    ],
)
def test_what_is_large_but_not_too_large_is_read(d, call):
    m2s.model(call, d)


def test_a_long_sequence_has_its_last_number():
    d = pd.DataFrame({"y": np.arange(3.0)})
    assert model_matrix("~ I(y + max(1:3e6))", d).iloc[0, 1] == 3e6


def test_many_terms_are_no_more_than_there_are_rows(d):
    model = m2s.model("lm(y ~ " + " + ".join(f"sin({i} * x)" for i in range(1, 1201)) + ")", d)
    # as many as there are rows can be told apart
    assert model.X.shape == (N, N)


def test_columns_are_kept_in_blocks_as_one_by_one():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 150))
    X[:, 20] = X[:, 3] - 2 * X[:, 7]
    X[:, 100] = X[:, 90] + X[:, 99]
    X[:, 130] = X[:, 5] + 1e-6 * X[:, 130]
    X[:, 140] = X[:, 70] + 1e-9 * X[:, 140]
    X[:, 149] = 0
    assert sorted(set(range(150)) - set(independent_columns(X))) == [20, 100, 140, 149]
