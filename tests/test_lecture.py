"""The calls of the lecture that mix2stan starts from, its slips, and the examples."""

from __future__ import annotations

import runpy

import pytest

import mix2stan as m2s
from tests.conftest import FIXTURES, table

CALLS = {
    "lmer(SCT~1 +(1|line), data=dll.data)": "gaussian(SCT) ~ 1\n  + scalar(1):line",
    "MCMCglmm(SCT ~1, random=~line, data=dll.data)": "gaussian(SCT) ~ 1\n  + scalar(1):line",
    "lm(SCT~ 0 + line, data=dll.data)": "gaussian(SCT) ~ 0 + line",
    "MCMCglmm(SCT ~1, random=~us(1):line, data=dll.data)": "gaussian(SCT) ~ 1\n  + scalar(1):line",
    "MCMCglmm(SCT ~1, random=~idh(1):line, data=dll.data)": "gaussian(SCT) ~ 1\n  + scalar(1):line",
    "MCMCglmm(SCT~1 + tarsus, random=~us(1 + tarsus):line, data=dll.data)": "us",
    "lmer(SCT~1 + tarsus + (1 + tarsus| line), data=dll.data)": "us",
    "MCMCglmm(SCT~1 + tarsus, random=~idh(1 + tarsus):line, data=dll.data)": "idh",
    "lmer(SCT ~ 1 + tarsus + (1 | line) + (0 + tarsus| line), data=dll.data)": "idh",
    "lmer(Time~ Width+(1|Squirrel), data=cone.handling)": "scalar",
    "lmer(Time~ Width+(Width|Squirrel),data=cone.handling)": "us",
    "MCMCglmm(Time~ Width, random=~idh(1+ Width):Squirrel, data=cone.handling)": "idh",
}
DATA = {"dll.data": table("sct"), "cone.handling": table("cones")}


@pytest.mark.parametrize("call", CALLS)
def test_the_call_is_read(call):
    model = m2s.model(call, DATA)
    expected = CALLS[call]
    if "(" in expected:
        assert str(model.meaning) == expected
    else:
        assert [g.covariance.kind for g in model.meaning.groups] == [expected]


SLIPS = {
    "MCMCglmm(Time~ Width+ random=~Squirrel, data=cone.handling)": (
        "a comma is missing before 'random ='",
        "random",
    ),
    "MCMCglmm(SCT ~1, random=~sct:line, data=dll.data)": (
        "nearest: 'SCT', and that is the response: a response cannot be its own grouping factor",
        "sct",
    ),
    "lme(SCT ~ 1, random=~ line, data=dll.data)": ("write ~ 1 | line", "~ line"),
    "lmer(SCT ~ tarsuss + (1 | line), data=dll.data)": ("nearest: 'tarsus'", "tarsuss"),
    "lmer(SCT ~ lg(tarsus) + (1 | line), data=dll.data)": ("log", "lg"),
    "lmer(SCT ~ tarsus + (1 | line), data=dl.data)": ("dll.data", "dl.data"),
    "lmr(SCT ~ tarsus + (1 | line), data=dll.data)": ("nearest: 'lmer'", "lmr"),
    "lmer(SCT ~ tarsus, data=dll.data)": ("+ (1 | g)", "SCT"),
    "lmer(SCT ~ tarsus + (1 | line, data=dll.data)": (")", ""),
    "lmer(SCT ~ (1 | line), dta=dll.data)": ("data", "dta"),
    "lmer(SCT ~ 1 + (1 | SCT), data=dll.data)": ("a response cannot be", "(1 | SCT"),
}


@pytest.mark.parametrize("call", SLIPS)
def test_a_slip_is_explained_where_it_is(call):
    with pytest.raises(m2s.FormulaError) as caught:
        m2s.model(call, DATA)
    advice, place = SLIPS[call]
    text = str(caught.value)
    assert advice in text
    lines = text.splitlines()
    carets = next(line for line in lines if set(line.strip()) == {"^"})
    assert call[:40] in text
    start = carets.index("^") - 2
    assert call[start:].startswith(place[:3])


NOT_YET = [
    "glmer(SCT ~ tarsus + (1 | line), data=dll.data, family = quasipoisson)",
    "glmmTMB(SCT ~ tarsus + (1 | line), ziformula = ~ 1, data=dll.data)",
    "lme(SCT ~ tarsus, random = ~1 | line, weights = varFunc(~ line), data=dll.data)",
    "gls(SCT ~ tarsus, correlation = corHF(), data=dll.data)",
    "MCMCglmm(SCT ~ tarsus, random = ~leg(tarsus, 2):line, data=dll.data)",
]


@pytest.mark.parametrize("call", NOT_YET)
def test_what_is_understood_but_cannot_be_expressed_says_so(call):
    with pytest.raises(m2s.Unsupported):
        m2s.model(call, DATA)


def test_a_script_is_read_with_its_prompts_and_names():
    text = """\
> library(lme4)
> # a comment
> f <- SCT ~ tarsus + (1 | line)
> model2 <- lmer(f,
+                data = dll.data, REML = FALSE)
"""
    model = m2s.model(text, DATA)
    assert str(model.meaning) == "gaussian(SCT) ~ tarsus\n  + scalar(1):line"
    assert any("REML" in note for note in model.notes)


WORDS = {
    "animal_bivariate.py": ["us(trait):units", "cor_animal[traitweight, traitlength]"],
    "herds_cbpp.py": ["Be careful", "sd_herd", "row   (Intercept)"],
    "lecture_birds.py": [
        "cor(e_s, e_t) = φ^|s - t|",
        "rho: not identified",
        "it is unbounded",
        "cor_phi",
    ],
    "lecture_cones.py": ["different models", "no covariance of (Intercept) and Width"],
    "lecture_sct.py": ["lme(SCT ~ 1 + tarsus", "w_j = n_j / (n_j + σ² / V)", "together"],
    "lecture_squid.py": ["g = sqrt(DML)", "rcov = ~idh(fMONTH):units", "glmmTMB cannot express"],
    "ticks_grouse.py": [
        "integrated out, then drawn exactly: b_BROOD, b_LOCATION, beta",
        'random = ~BROOD + LOCATION, family = "poisson"',
    ],
    "wine_ordinal.py": ["family = cumulative()", "thresholds[4|5]", "tempwarm > 0", "warm - cold"],
    "zeros_ticks.py": ["zi[cHEIGHT]", "simulated zeros: "],
    "lecture_table.py": ["V1 / (V1 + V2)", "r sqrt(V1 V2) is", "cs(0 + sex | dam)"],
}


#: A variance per month and 24 coefficients take half a minute.
LONG = {"lecture_squid.py"}


def test_every_example_is_run():
    assert {p.name for p in (FIXTURES.parents[1] / "examples").glob("*.py")} == set(WORDS)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in WORDS]
)
def test_the_lecture_is_a_walk_that_can_be_run(name, monkeypatch, capsys):
    """Every example as it stands, but for its chains, which are short."""
    whole = m2s.Model.sample

    def short(model, **options):
        return whole(model, seed=options["seed"], chains=2, warmup=40, draws=20)

    monkeypatch.setattr(m2s.Model, "sample", short)
    runpy.run_path(str(FIXTURES.parents[1] / "examples" / name))
    printed = capsys.readouterr().out
    for words in WORDS[name]:
        assert words in printed
