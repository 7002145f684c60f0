"""Calls as other packages write them: what is written means the same, and is what R users wrote."""

from __future__ import annotations

import pytest

import mix2stan as m2s
from tests.conftest import table
from tests.test_comparison import CASES, DATA, read
from tests.test_structures import STRUCTURES, frame

PACKAGES = ("lme4", "nlme", "MCMCglmm", "glmmTMB")
WRITTEN = [
    pytest.param(case["data"], call, to, id=f"{case['id']}-{dialect}-{to}")
    for case in CASES
    for dialect, call in case["calls"].items()
    for to in PACKAGES
    if to in case["calls"]
]


@pytest.mark.parametrize(("data", "call", "to"), WRITTEN)
def test_every_call_of_a_case_is_written_as_every_package_of_it(data, call, to):
    written = m2s.translate(read(data, call), to)
    again = m2s.model(written, {"d": table(data)})
    assert m2s.compare(read(data, call), again).same
    functions = {"nlme": ("lme(", "gls("), "lme4": ("lmer(", "glmer(", "lm(")}
    assert written.splitlines()[-1].startswith(functions.get(to, (f"{to}(",)))


CANNOT = [
    ("penicillin", "nlme"),
    ("cbpp", "nlme"),
    ("cbpp", "MCMCglmm"),
    ("ovary-lme-ar1", "lme4"),
    ("ovary-lme-ar1", "MCMCglmm"),
    ("squid-varfixed", "MCMCglmm"),
    ("birds-compsymm", "lme4"),
    ("table-corh-sex-dam", "lme4"),
    ("table-corh-sex-dam", "nlme"),
    ("table-corh-sex-dam", "MCMCglmm"),
]


@pytest.mark.parametrize(("name", "to"), CANNOT)
def test_what_a_package_cannot_express_is_refused_with_what_can(name, to):
    (case,) = (c for c in CASES if c["id"] == name)
    assert to not in case["calls"]
    call = next(iter(case["calls"].values()))
    with pytest.raises(m2s.Unsupported, match=f"{to} cannot express") as caught:
        m2s.translate(read(case["data"], call), to)
    assert caught.value.hint


#: Which packages have which structure, as the reference table of structures says.
KNOWN = {
    "scalar": set(PACKAGES),
    "us": set(PACKAGES),
    "idh": set(PACKAGES),
    "idv": {"nlme", "MCMCglmm", "glmmTMB"},
    "cs": {"nlme", "glmmTMB"},
    **{key: {"MCMCglmm"} for key in ("corg", "corgh", "cors", "sub", "known", "known_block")},
    **{key: {"MCMCglmm"} for key in ("ante", "antec", "antev", "antecv")},
    **{key: {"glmmTMB"} for key in ("corh", "ar1", "hetar1", "toep", "ou", "exp", "gau", "mat")},
    "rr": {"glmmTMB"},
}


@pytest.mark.parametrize("to", PACKAGES)
@pytest.mark.parametrize("name", STRUCTURES)
def test_every_structure_comes_back_as_itself(name, to):
    structure, kind = STRUCTURES[name], name.split()[0]
    data = frame(structure.q)
    if to not in KNOWN[kind]:
        with pytest.raises(m2s.Unsupported, match=kind):
            m2s.translate(structure.call, to, data)
        return
    written = m2s.translate(structure.call, to, data)
    (before,) = m2s.model(structure.call, data).meaning.groups
    (after,) = m2s.model(written, data).meaning.groups
    # an idh of a factor is split by lme4, so its columns have other names
    assert after.covariance == before.covariance
    assert after.factor == before.factor


EXACT = [
    ("lmer(y ~ x + (x || g), data = d)", "nlme", "lme(y ~ x, random = list(g = pdDiag(~1 + x)), data = d)"),
    ("lmer(y ~ x + (x || g), data = d)", "MCMCglmm", "MCMCglmm(y ~ x, random = ~idh(1 + x):g, data = d)"),
    ("MCMCglmm(y ~ x, random = ~idh(1 + x):g)", "lme4", "lmer(y ~ x + (1 | g) + (0 + x | g), data = d)"),
    ("MCMCglmm(y ~ x, random = ~us(f):g)", "lme4", "lmer(y ~ x + (0 + f | g), data = d)"),
    ("lm(y ~ x, subset = t > 1, data = d)", "nlme", "gls(y ~ x, data = subset(d, t > 1))"),
    ("gls(y ~ x)", "lme4", "lm(y ~ x, data = d)"),
    ("lme(y ~ x, random = ~ x | g)", "glmmTMB", "glmmTMB(y ~ x + (1 + x | g), data = d)"),
    ('glmer(I(k > 2) ~ x + (1 | g), family = binomial("probit"))', "lme4", 'glmer(I(k > 2) ~ x + (1 | g), data = d, family = binomial(link = "probit"))'),
    ("MCMCglmm(k ~ x, random = ~g, family = \"poisson\")", "lme4", "d2 <- transform(d, units = factor(1:60))\nglmer(k ~ x + (1 | g) + (1 | units), data = d2, family = poisson)"),
    ("lm(y ~ x + offset(t))", "glmmTMB", "glmmTMB(y ~ x + offset(t), data = d)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "to", "expected"), EXACT)
def test_the_text(call, to, expected):
    assert m2s.translate(call, to, DATA) == expected


ERRORS = [
    "gls(y ~ x, weights = varComb(varIdent(form = ~ 1 | f), varPower(form = ~ x)))",
    "gls(y ~ x, weights = varPower(form = ~ x | f, fixed = c(a = 0.5, b = 1)))",
    "gls(y ~ x, weights = varConstPower(form = ~ x, fixed = list(const = 1)))",
    "gls(y ~ x, weights = varExp(form = ~ fitted(.)))",
    "gls(y ~ x, weights = varIdent(form = ~ 1 | f, fixed = c(b = 2)))",
    "gls(y ~ x, correlation = corARMA(form = ~ t | g, p = 1, q = 1))",
    "gls(y ~ x, correlation = corAR1(0.4, form = ~ t | g, fixed = TRUE))",
    'gls(y ~ x, correlation = corExp(form = ~ t + x | g, nugget = TRUE, metric = "manhattan"))',
    "lme(y ~ x, random = ~ 1 | g, correlation = corSymm(form = ~ t | g))",
]


@pytest.mark.parametrize("call", ERRORS)
def test_errors_come_back_as_nlme_writes_them(call):
    before, written = m2s.model(call, DATA), m2s.translate(call, "nlme", DATA)
    after = m2s.model(written, DATA)
    assert after.meaning.residual == before.meaning.residual
    for to in ("lme4", "MCMCglmm", "glmmTMB"):
        with pytest.raises(m2s.Unsupported, match="errors"):
            m2s.translate(call, to, DATA)


def test_a_package_that_is_not_there():
    with pytest.raises(m2s.Mix2stanError, match="no package 'lmer4'"):
        m2s.translate("lm(y ~ x)", "lmer4", DATA)


SMALL = {"d": table("sleepstudy").assign(f=lambda d: d.Days % 3)}
B = 'brm(Reaction ~ Days + (1 | Subject), d, prior = prior(normal(0, 1), class = "b"))'
V = "list(R = list(V = 1, nu = 1), G = list(G1 = list(V = 1, nu = 1)))"
M = f"MCMCglmm(Reaction ~ Days, random = ~Subject, data = d, prior = {V})"
S = "stan_lmer(Reaction ~ Days + (1 | Subject), d, prior = normal(0, 1))"


@pytest.mark.parametrize(
    ("call", "to"), [(B, "brms"), (B, "MCMCglmm"), (M, "MCMCglmm"), (M, "brms"), (S, "brms")]
)
def test_priors_that_are_not_written_are_said_in_a_comment(call, to, caplog):
    written = m2s.translate(call, to, SMALL)
    assert written.startswith("# the priors of the call given are not written here")
    assert "priors are not in the call" in caplog.text
    assert m2s.compare(written, call, SMALL).same


def test_of_priors_that_nobody_said_nothing_is_said(caplog):
    call = "brm(Reaction ~ Days + (1 | Subject), data = d)"
    assert m2s.translate(call, "brms", SMALL) == call
    assert "priors are not" not in caplog.text
    assert m2s.translate(B, "lme4", SMALL).startswith("lmer(")
    assert "priors are not in the call of lme4" in caplog.text


@pytest.mark.parametrize("to", ["glmmTMB", "lme4", "nlme", "brms", "MCMCglmm"])
def test_contrasts_are_set_in_data_that_have_a_name(to):
    before = "d$f <- factor(d$f); contrasts(d$f) <- contr.sum(3)\n"
    text = before + "lmer(Reaction ~ f + (1 | Subject), d)"
    first, second, call = m2s.translate(text, to, SMALL).splitlines()
    assert first == "d2 <- transform(d, f = factor(f))"
    assert second == "contrasts(d2$f) <- contr.sum(3)"
    assert call.endswith("data = d2)")
