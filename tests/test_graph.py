"""Calls and the graphs they mean: a call, then the graph as it prints."""

from __future__ import annotations

import pytest

import mix2stan as m2s
from tests.conftest import FIXTURES, table

ENTRIES = [e.split("\n") for e in (FIXTURES / "graphs.txt").read_text().strip().split("\n\n")]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e[1])
def test_the_call_means_this_graph(entry):
    data, call, *graph = entry
    assert str(m2s.model(call, table(data)).meaning) == "\n".join(graph)


SAME = [
    (
        "lmer(Reaction ~ Days + (Days | Subject))",
        "lmer(Reaction ~ 1 + Days + (1 + Days | Subject), REML = FALSE)",
        "lme(Reaction ~ Days, random = ~ Days | Subject)",
        "lme(Reaction ~ Days, random = list(Subject = ~ Days))",
        "lme(Reaction ~ Days, random = list(Subject = pdSymm(~ Days)))",
        "MCMCglmm(Reaction ~ Days, random = ~us(1 + Days):Subject)",
    ),
    (
        "lmer(Reaction ~ Days + (Days || Subject))",
        "lmer(Reaction ~ Days + (1 | Subject) + (0 + Days | Subject))",
        "lme(Reaction ~ Days, random = list(Subject = pdDiag(~ Days)))",
        "MCMCglmm(Reaction ~ Days, random = ~idh(1 + Days):Subject)",
    ),
    (
        "lme(Reaction ~ Days, random = list(Subject = pdIdent(~ Days)))",
        "MCMCglmm(Reaction ~ Days, random = ~idv(1 + Days):Subject)",
    ),
    ("lm(Reaction ~ Days)", "gls(Reaction ~ Days)", "MCMCglmm(Reaction ~ Days)"),
]


@pytest.mark.parametrize("calls", SAME, ids=lambda c: c[0])
def test_one_model_in_several_packages_is_one_program(calls):
    data = table("sleepstudy")
    bodies = {m2s.model(c, data).stan_code.split("\n", 1)[1].split("data {", 1)[1] for c in calls}
    assert len({str(m2s.model(c, data).X.columns.tolist()) for c in calls}) == 1
    kinds = {tuple(g.covariance.kind for g in m2s.model(c, data).meaning.groups) for c in calls}
    assert len(kinds) == 1
    # comments repeat the user's own words for the design
    assert (
        len({"\n".join(line.split("//")[0].rstrip() for line in b.split("\n")) for b in bodies})
        == 1
    )
