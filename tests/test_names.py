"""Names: whatever the columns of somebody's data are called, every program has names of its own."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s
from mix2stan.names import STAN_WORDS, unique_identifiers, words_of
from mix2stan.naming import named, renamed
from mix2stan.plan import plan
from mix2stan.render import words
from tests.programs import JOINT, PROGRAMS, model_of
from tests.test_programs import needs_stanc, stanc

QUICK = {"chains": 2, "warmup": 30, "draws": 20, "seed": 1, "progress": False}


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(5)
    n = 60
    frame = pd.DataFrame({"y": rng.normal(size=n), "x": rng.normal(size=n), "w": 1.0, "s": 0.1})
    frame["k"] = rng.poisson(2.0, n)
    frame["g"] = [f"a{i % 6}" for i in range(n)]
    frame["h"] = [f"b{i % 5}" for i in range(n)]
    frame["c"] = [("a.b", "a_b", "none")[i % 3] for i in range(n)]
    return frame


# -- programs ------------------------------------------------------------------------------------


def graphs():
    for name in PROGRAMS | JOINT:
        graph = model_of(name)._compiled.graph
        terms = {
            g.id: None for one in (graph, *(m.graph for m in graph.members)) for g in one.groups
        }
        yield name, graph, list(terms)


def called(graph, term, word):
    """The graph of a factor of that name, as the passes leave it."""
    names = {("response", m.name): m.name for m in graph.members}
    for one in (graph, *(m.graph for m in graph.members)):
        names |= {("layer", i): i for x in one.response.layers for i in (x.id, *x.ids)}
        for g in one.groups:
            own = word if g.id == term else g.id
            names |= {("term", g.id): own, ("index", g.id): own}
    return renamed(graph, names)


def check_renamed(name, graph, term, word):
    """No two names of its program have become one, and none is a word of the language."""
    found = words(plan(named(called(graph, term, word))))
    before = words(plan(graph))
    assert len(found) == len(before), (name, term, word)
    assert found & STAN_WORDS == before & STAN_WORDS, (name, term, word)


def test_a_factor_may_be_called_as_any_word_of_a_program():
    tried = set(STAN_WORDS)
    for name, graph, terms in graphs():
        for word in sorted(words(plan(graph))) if terms else ():
            # the factor's own names, and those of other elements, are of a kind
            kind = re.sub(r"\d+", "1", word.replace(terms[-1], "g"))
            if word[0].isalpha() and word not in terms and kind not in tried:
                check_renamed(name, graph, terms[-1], word)
                tried.add(kind)
    assert len(tried) > 500


@pytest.mark.slow
def test_every_factor_of_every_program_may_be_called_as_any_of_its_words():
    for name, graph, terms in graphs():
        for term in terms:
            for word in sorted(words(plan(graph)) - STAN_WORDS - {*terms}):
                # and as what a name of a term ends with
                for own in {word, word.partition("_")[2]}:
                    if own and own[0].isalpha() and own not in STAN_WORDS and own not in terms:
                        check_renamed(name, graph, term, own)


CALLS = {
    "root": ("lmer(y ~ x + (x | root))", "centred"),
    "quantile": (
        "brm(bf(y ~ x + (1 | quantile), quantile = 0.9), family = asym_laplace())",
        "auto",
    ),
    "weight": ("brm(y | weights(w) ~ x + (1 | weight))", "auto"),
    "se": ("brm(y | se(s, sigma = TRUE) ~ x + (1 | se))", "auto"),
    "below": ("brm(y | cens(x > 1) ~ x + (1 | below))", "auto"),
    "y_lower": ("brm(y | trunc(lb = -5, ub = 5) ~ x + (1 | y_lower))", "auto"),
    "P": ("lmer(y ~ x + (x | P))", "collapsed"),
    "e": ("lmer(y ~ x + (x | e) + (1 | h))", "collapsed"),
    "v_P": ("glmer(k ~ x + (1 | v_P) + (1 | h), family = poisson)", "centred"),
    "shape": ("glmmTMB(k ~ x + (1 | shape), nbinom2, dispformula = ~ x)", "centred"),
    "mu_none": ("brm(c ~ x + (1 | mu_none), family = categorical())", "auto"),
    "sigma_scale": ("lmer(y ~ x + (1 | sigma_scale))", "noncentred"),
    "stratum": (
        "lme(y ~ x, random = ~x | stratum, weights = varIdent(form = ~1 | stratum))",
        "noncentred",
    ),
    "normal_id_glm": ("lmer(y ~ x + (1 | normal_id_glm))", "noncentred"),
}


@needs_stanc
@pytest.mark.parametrize("factor", CALLS)
def test_stanc_accepts_names_that_templates_have(factor, df, tmp_path):
    call, strategy = CALLS[factor]
    model = m2s.model(call, df.rename(columns={"g": factor}), strategy=strategy)
    path = tmp_path / "model.stan"
    path.write_text(model.stan_code)
    done = subprocess.run([stanc(), "--o=/dev/null", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(model.stan_data) <= words_of(model.stan_code)


def test_names_stay_where_they_can(df):
    """A word of another program is no reason to be called otherwise."""
    frame = df.rename(columns={"g": "root"})
    sampled, centred = (
        m2s.model("lmer(y ~ x + (x | root))", frame, strategy=s).stan_code
        for s in ("noncentred", "centred")
    )
    assert "b_root[root]" in sampled
    assert "b_root[index_root]" in centred


def test_the_draws_of_one_factor_are_not_the_levels_of_another(df):
    frame = df.rename(columns={"g": "b", "h": "level"})
    fit = m2s.model("lmer(y ~ x + (1 | b) + (1 | level))", frame).sample(**QUICK)
    assert fit.posterior["b_b"].sizes["b_level"] == 6
    assert fit.ranef().loc["level"].shape == (5, 2)


@pytest.mark.parametrize("name", ["obs", "chain", "draw"])
def test_a_response_may_be_called_as_a_dimension(name, df):
    frame = df.rename(columns={"y": name, "g": "draw" if name != "draw" else "chain"})
    factor = frame.columns[5]
    fit = m2s.model(f"lmer({name} ~ x + (1 | {factor}))", frame).sample(**QUICK)
    assert fit.log_lik().sizes["obs"] == len(frame)
    groups = fit.idata
    assert groups.log_likelihood[f"{name}_"].sizes["obs"] == len(frame)
    assert groups.observed_data[f"{name}_"].sizes["obs"] == len(frame)
    assert fit.log_lik(by=factor).sizes[f"{factor}_"] == 6


def test_responses_and_their_terms_may_end_alike(df):
    """``sd_x_sigma_a`` is of the response ``a``, not of ``sigma_a``."""
    frame = df.assign(a=df["y"], sigma_a=df["x"] + df["y"], x_sigma=df["h"])
    call = (
        "brm(bf(a ~ 1 + (1 | x_sigma), sigma ~ w2 + (1 | g)) + bf(sigma_a ~ 1) + set_rescor(FALSE))"
    )
    model = m2s.model(call, frame.assign(w2=df["x"]))
    fit = model.sample(**QUICK)
    first, second = fit.responses
    terms = {name: [g.id for g in fit.response(name).labels.groups] for name in fit.responses}
    assert terms == {first: ["x_sigma", "sigma_g"], second: []}
    assert set(fit.response(second).posterior) == {"beta", "sigma"}
    assert {"beta", "beta_sigma", "sd_x_sigma", "b_sigma_g"} <= set(fit.response(first).posterior)


@pytest.mark.parametrize(
    ("names", "identifiers"),
    [
        (["a.b", "a_b"], ["a_b_2", "a_b"]),
        (["a_b", "a.b"], ["a_b", "a_b_2"]),
        (["a.b", "a b"], ["a_b_1", "a_b_2"]),
        (["a.b", "a b", "a_b_1"], ["a_b_2", "a_b_3", "a_b_1"]),
        (["real", "real_"], ["real_2", "real_"]),
        (["größe", "x:y", "1st"], ["grosse", "x_y", "g_1st"]),
    ],
)
def test_a_name_that_is_an_identifier_keeps_it(names, identifiers):
    assert list(unique_identifiers(names)) == identifiers


# -- what a name means -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alike_frame(df):
    return df.rename(columns={"g": "a.b", "h": "a_b"})


@pytest.fixture(scope="module")
def alike(alike_frame):
    """Terms whose names are alike: of a.b, of a_b, and of their combinations."""
    return m2s.model("lmer(y ~ x + (x | a.b) + (1 | a_b) + (1 | a_b:a.b))", alike_frame)


@pytest.fixture(scope="module")
def alike_fit(alike):
    return alike.sample(**QUICK)


@pytest.mark.parametrize(
    ("key", "row"),
    [
        ("sd_a_b", "sd_a_b"),
        ("sd_a.b", "sd_a_b_2[x]"),
        ("sd_a.b[x]", "sd_a_b_2[x]"),
        ("`sd_a.b`", "sd_a_b_2[x]"),
        ("sd_`a.b`[x]", "sd_a_b_2[x]"),
        ("sd_a_b_2[x]", "sd_a_b_2[x]"),
        ("sd_a_b:a.b", "sd_a_b_a_b"),
        ("sd_a_b_a_b", "sd_a_b_a_b"),
    ],
)
def test_priors_reach_the_term_they_name(alike, alike_frame, key, row):
    model = m2s.model(alike.call, alike_frame, prior={key: "exponential(77)"})
    changed = model.priors["density"] == "exponential(77)"
    assert row in changed.index[changed]
    assert {r.partition("[")[0] for r in changed.index[changed]} == {row.partition("[")[0]}


def test_one_name_has_one_prior(alike, alike_frame):
    text = "sd_a.b ~ exponential(1); sigma ~ exponential(1); sd_a.b ~ exponential(2)"
    with pytest.raises(m2s.FormulaError, match=r"has two priors\n.*\n {51}\^{6}\n"):
        m2s.model(alike.call, alike_frame, prior=text)


def test_priors_of_correlations_by_rs_names(alike, alike_frame):
    model = m2s.model(alike.call, alike_frame, prior="cor_a.b ~ lkj(7)")
    assert model.priors.loc["cor_a_b_2", "density"] == "lkj_corr_cholesky(7)"


@pytest.mark.parametrize(
    ("left", "row"),
    [
        ("sd_a_b", "sd_a_b"),
        ("sd_a.b[x]", "sd_a_b_2[x]"),
        ("`sd_a.b[x]`", "sd_a_b_2[x]"),
        ("sd_a_b:a.b", "sd_a_b_a_b"),
        ("`sd_a_b:a.b`", "sd_a_b_a_b"),
        ("cor_a.b[(Intercept), x]", "cor_a_b_2[(Intercept), x]"),
        ("b_a.b[a3, x]", "b_a_b_2[a3, x]"),
        ("x", "beta[x]"),
        ("Intercept", "beta[(Intercept)]"),
        ("(Intercept)", "beta[(Intercept)]"),
        ("sd_a.b[Intercept]", "sd_a_b_2[(Intercept)]"),
    ],
)
def test_hypotheses_are_about_the_term_they_name(alike_fit, left, row):
    found = alike_fit.hypothesis(f"{left} > 0.3")
    mean = alike_fit.summary("all")["mean"]
    assert found["mean"].iloc[0] == pytest.approx(mean[row] - 0.3)


def test_a_summary_is_of_the_term_that_has_the_name(alike_fit):
    sds = alike_fit.VarCorr()["sd"]
    mean = alike_fit.summary()["mean"]
    assert mean["sd_a_b"] == pytest.approx(sds[("a_b", "(Intercept)")])
    assert mean["sd_a_b_2[x]"] == pytest.approx(sds[("a.b", "x")])


def test_names_of_both_kinds_are_read_from_a_saved_fit(alike_fit, tmp_path):
    path = alike_fit.save(tmp_path / "fit.nc")
    assert m2s.load(path).hypothesis("sd_a.b[x] > 0")["probability"].tolist() == [1.0]


def test_profiles_and_pictures_by_rs_names(alike_frame):
    model = m2s.model("lmer(y ~ x + (1 | a.b))", alike_frame)
    assert list(model.profile(["sd_a.b"]).limits.index) == ["sd_a_b[(Intercept)]"]
    assert len(model.sample(**QUICK).plot.trace(["sd_a.b"]).axes) == 1


def test_a_name_of_two_terms_is_refused_with_both(df):
    frame = df.rename(columns={"g": "a.b", "h": "a b"})
    call = "lmer(y ~ x + (1 | a.b) + (1 | `a b`))"
    with pytest.raises(m2s.FormulaError, match=r"sd_a_b may be sd_a\.b or sd_a b\n"):
        m2s.model(call, frame, prior={"sd_a_b": "exponential(1)"})
    fit = m2s.model(call, frame, prior={"sd_a b": "exponential(55)"}).sample(**QUICK)
    with pytest.raises(m2s.FormulaError, match=r"sd_a_b may be sd_a\.b or sd_a b\n"):
        fit.hypothesis("sd_a_b > 0")
    assert fit.summary()["mean"]["sd_a_b_2"] < 0.1


def test_a_column_called_as_a_parameter_is_not_that_parameter(df):
    fit = m2s.model("lmer(y ~ sigma + (1 | g))", df.rename(columns={"x": "sigma"})).sample(**QUICK)
    with pytest.raises(m2s.FormulaError, match=r"sigma may be beta\[sigma\] or sigma\n"):
        fit.hypothesis("sigma > 0")
    assert len(fit.hypothesis("beta[sigma] > 0")) == 1


def test_priors_of_several_responses_by_rs_names(df):
    frame = df.assign(**{"y.1": df["y"], "a.b": df["g"]})
    call = "brm(bf(y.1 ~ x + (1 |p| a.b)) + bf(k ~ x + (1 |p| a.b), family = poisson()))"
    prior = {"sd_a.b": "exponential(3)", "y.1.sigma": "exponential(4)", "k.beta[x]": "normal(0, 5)"}
    table = m2s.model(call, frame, prior=prior).priors["density"]
    assert table["y_1.sigma"] == "exponential(4)"
    assert table["k.beta[x]"] == "normal(0, 5)"
    assert table["sd_a_b[y_1[(Intercept)]]"] == "exponential(3)"
    with pytest.raises(m2s.FormulaError, match="there is no response 'j'"):
        m2s.model(call, frame, prior={"j.sigma": "exponential(1)"})
