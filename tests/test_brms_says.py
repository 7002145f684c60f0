"""What a brm() call says is done or refused; the right values are those of brms 2.18 in R."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s

RNG = np.random.default_rng(11)
N = 80
DATA = pd.DataFrame(
    {
        "y": RNG.normal(3, 1, N),
        "y2": RNG.normal(1, 20, N),
        "x": RNG.normal(2, 1, N),
        "z": RNG.normal(size=N),
        "f": RNG.choice(list("uvw"), N),
        "g": [f"g{i % 10}" for i in range(N)],
        "k": RNG.integers(1, 5, N),
        "c": RNG.poisson(3, N),
        "w": RNG.choice(["1", "a b", "c_d"], N),
    }
)


def model(call, **options):
    return m2s.model(call, DATA, **options)


def densities(call, **options):
    return model(call, **options).priors["density"].to_dict()


# -- formulas --------------------------------------------------------------------------------------

IDS = [
    ('(1 | gr(g, id = "q")) + (0 + x | gr(g, id = "q"))', "(1 |q| g) + (0 + x |q| g)"),
    ("(1 |q| g) + (0 + x | gr(g, id = q))", "(1 |q| g) + (0 + x |q| g)"),
    ("(1 |q| gr(g, id = 'r')) + (0 + x |q| g)", "(1 |q| g) + (0 + x |q| g)"),
]


@pytest.mark.parametrize(("terms", "same"), IDS)
def test_an_id_of_gr_is_that_between_bars(terms, same):
    assert m2s.compare(f"brm(y ~ x + {terms})", f"brm(y ~ x + {same})", DATA).same
    assert not m2s.compare(f"brm(y ~ x + {terms})", "brm(y ~ x + (x || g))", DATA).same


def test_an_id_of_gr_correlates_parameters_and_responses():
    for text in (
        "bf(y ~ x + (1 | {}), sigma ~ (1 | {}))",
        "mvbind(y, y2) ~ x + (1 | {})",
        "bf(y ~ (1 | {})) + bf(c ~ (1 | {}), family = poisson())",
    ):
        ours = f"brm({text.replace('{}', 'gr(g, id = a)')})"
        theirs = f"brm({text.replace('| {}', '|a| g')})"
        assert m2s.compare(ours, theirs, DATA).same, text


def test_cells_are_coded_as_beside_an_intercept_where_the_formula_says_so():
    assert list(model("brm(bf(y ~ 0 + f + x, cmc = FALSE))").X) == ["fv", "fw", "x"]
    assert list(model("brm(bf(y ~ f - 1, cmc = FALSE))").X) == ["fv", "fw"]
    assert list(model("brm(bf(y ~ 0 + x + f:x, cmc = FALSE))").X) == ["x", "x:fv", "x:fw"]
    assert list(model("brm(bf(y ~ f, cmc = FALSE))").X) == ["(Intercept)", "fv", "fw"]
    assert list(model("brm(bf(y ~ 0 + f, cmc = TRUE))").X) == ["fu", "fv", "fw"]
    fit = model("brm(bf(y ~ 0 + f, cmc = FALSE))").sample(
        chains=1, warmup=30, draws=10, seed=1, progress=False, engine="stanli"
    )
    new = pd.DataFrame({"f": ["u", "v"]})
    found = fit.predict(new, kind="epred").values[0]
    np.testing.assert_allclose(found[:, 0], 0, atol=1e-12)
    np.testing.assert_allclose(found[:, 1], fit.posterior["beta"].values[0, :, 0])


OF_ALL = "normal(0, 1)"
RAW = [
    "brm(y ~ 0 + Intercept + x, prior = prior(normal(0, 1), class = b))",
    "brm(bf(y ~ x, center = FALSE), prior = prior(normal(0, 1), class = b))",
]


@pytest.mark.parametrize("call", RAW)
def test_an_intercept_can_be_a_coefficient(call):
    found = densities(call)
    assert found["beta[(Intercept)]"] == found["beta[x]"] == OF_ALL
    flat = densities(call.partition(", prior")[0] + ")", prior="brms")
    assert flat["beta[(Intercept)]"] == flat["beta[x]"] == "flat"
    coefficient = call.replace("class = b", "class = b, coef = Intercept")
    assert densities(coefficient)["beta[(Intercept)]"] == OF_ALL
    fitted = model(coefficient)
    fit = fitted.sample(chains=1, warmup=30, draws=10, seed=1, progress=False, engine="stanli")
    raw = stats.norm(0, 1).logpdf(fit.posterior["beta"].values[0, :, 0])
    sigma = stats.t(3, 0, 2.5).logpdf(fit.posterior["sigma"].values[0])
    np.testing.assert_allclose(np.diff(fitted.log_prior(fit).values[0]), np.diff(raw + sigma))
    with pytest.raises(m2s.FormulaError, match="class Intercept"):
        model(call.replace("class = b", "class = Intercept"))


def test_a_parameters_intercept_can_be_a_coefficient():
    call = "brm(bf(y ~ x, sigma ~ 0 + Intercept + x), prior = prior(normal(0, 1), dpar = sigma))"
    found = densities(call)
    assert found["sigma[(Intercept)]"] == found["sigma[x]"] == OF_ALL


# -- the rest of the priors ------------------------------------------------------------------------


def test_the_rest_of_a_calls_priors_are_brms():
    found = densities("brm(y ~ x + (1 | g), prior = prior(normal(0, 1), class = b))")
    y = DATA["y"]
    assert found["beta[(Intercept)]"] == f"student_t(3, {round(y.median(), 1):g}, 2.5)"
    assert found["beta[x]"] == "normal(0, 1)"
    assert found["sd_g"] == found["sigma"] == "student_t(3, 0, 2.5)"
    own = densities(
        "brm(y ~ x + (1 | g), prior = prior(normal(0, 1), class = b))",
        prior={"sd_g": "exponential(1)"},
    )
    assert own == {**found, "sd_g": "exponential(1)"}


def test_a_call_without_priors_says_whose_they_are():
    for call in ("brm(y ~ x)", "brm(mvbind(y, y2) ~ x)", "stan_glm(y ~ x)"):
        package = "rstanarm" if call.startswith("stan") else "brms"
        assert any(f"the set prior = '{package}'" in note for note in model(call).notes)
        assert not model(call, prior=package).notes


def test_predicted_sigma_has_brms_priors():
    for call in ("brm(bf(y ~ x, sigma ~ x + f))", "glmmTMB(y ~ x, dispformula = ~ x + f)"):
        found = densities(call, prior="brms")
        own = {n: d for n, d in found.items() if n.startswith("sigma")}
        assert own == {
            "sigma[(Intercept)]": "student_t(3, 0, 2.5)",
            **dict.fromkeys(("sigma[x]", "sigma[fv]", "sigma[fw]"), "flat"),
        }
    constant = densities("brm(bf(y ~ x, sigma ~ 1))", prior="brms")
    assert constant["sigma[(Intercept)]"] == "student_t(3, 0, 2.5)"
    stated = densities("brm(bf(y ~ x, sigma ~ x), prior = prior(normal(0, 2), dpar = sigma))")
    assert stated["sigma[x]"] == "normal(0, 2)"


def test_no_prior_changes_a_likelihood():
    call = "brm(bf(y ~ x + (1 | g), sigma ~ f))"
    plain, brms = model(call), model(call, prior="brms")
    assert brms.ml().logLik == pytest.approx(plain.ml().logLik, abs=1e-9)
    assert brms.reml().logLik == pytest.approx(plain.reml().logLik, abs=1e-9)
    assert m2s.compare(plain, brms).same
    assert brms.translate("brms") == plain.translate("brms")
    joint = "brm(bf(y ~ x, sigma ~ f) + bf(c ~ x, family = poisson()))"
    one = model(joint, prior="brms").responses["y"]
    assert one.ml().logLik == pytest.approx(model("brm(bf(y ~ x, sigma ~ f))").ml().logLik)


# -- several responses -----------------------------------------------------------------------------

SEVERAL = (
    "brm(bf(mvbind(y, y2) ~ x + (1 |p| g)) + set_rescor(TRUE), prior = "
    "prior(normal(0, 1), class = b, resp = y2) + prior(exponential(1), class = sigma, resp = y2) + "
    "prior(normal(0, 3), class = Intercept, resp = y) + prior(lkj(3), class = rescor) + "
    "prior(exponential(2), class = sd, resp = y2) + prior(lkj(2), class = cor))"
)


def scale_of(name):
    mad = float(1.4826 * np.median(np.abs(DATA[name] - DATA[name].median())))
    return max(2.5, round(mad, 1))


def test_each_of_several_gaussian_responses_has_brms_priors():
    found, s = densities("brm(mvbind(y, y2) ~ x + (1 |p| g))", prior="brms"), scale_of("y2")
    middle = {n: f"{round(DATA[n].median(), 1):g}" for n in ("y", "y2")}
    assert found == {
        "beta[traity]": f"student_t(3, {middle['y']}, 2.5)",
        "beta[traity2]": f"student_t(3, {middle['y2']}, {s:g})",
        "beta[traity:x]": "flat",
        "beta[traity2:x]": "flat",
        "sd_g[traity]": "student_t(3, 0, 2.5)",
        "sd_g[traity2]": f"student_t(3, 0, {s:g})",
        "cor_g": "lkj_corr_cholesky(1)",
        "sigma": "student_t(3, 0, 2.5)",
        "var_ratio[y2]": f"student_t(3, 0, {s:g}), of sigma times this",
        "cor_L": "lkj_corr_cholesky(1)",
    }


def test_priors_of_a_response_are_its_own():
    found, rest = densities(SEVERAL), densities("brm(mvbind(y, y2) ~ x + (1 |p| g))", prior="brms")
    assert found == rest | {
        "beta[traity]": "normal(0, 3)",
        "beta[traity2:x]": "normal(0, 1)",
        "sd_g[traity2]": "exponential(2)",
        "cor_g": "lkj_corr_cholesky(2)",
        "var_ratio[y2]": "exponential(1), of sigma times this",
        "cor_L": "lkj_corr_cholesky(3)",
    }


def test_the_density_of_several_responses_is_that_of_brms_parameters():
    """brms has a sigma for each response, and the intercepts at the means of the columns."""
    of = model(SEVERAL)
    fit = of.sample(chains=1, warmup=30, draws=8, seed=1, progress=False, engine="stanli")
    p = {name: fit.posterior[name].values[0] for name in fit.posterior.data_vars}
    beta, ratio = p["beta"], p["var_ratio"][:, 0]
    lkj = [np.log(np.linalg.det(p[r])) * (eta - 1) for r, eta in (("R_g", 2), ("cor_R", 3))]
    # from the root to the matrix: with two rows the density of the root has one power more
    want = (
        stats.norm(0, 3).logpdf(beta[:, 0] + DATA["x"].mean() * beta[:, 2])
        + stats.t(3, round(DATA["y2"].median(), 1), scale_of("y2")).logpdf(
            beta[:, 1] + DATA["x"].mean() * beta[:, 3]
        )
        + stats.norm(0, 1).logpdf(beta[:, 3])
        + stats.t(3, 0, 2.5).logpdf(p["sd_g"][:, 0])
        + stats.expon(scale=1 / 2).logpdf(p["sd_g"][:, 1])
        + stats.t(3, 0, 2.5).logpdf(p["sigma"])
        + stats.expon().logpdf(p["sigma"] * ratio)
        + np.log(p["sigma"])
        + sum(lkj)
    )
    np.testing.assert_allclose(np.diff(of.log_prior(fit).values[0]), np.diff(want), atol=1e-8)


def test_priors_reach_one_response_of_a_joint_model():
    call = (
        "brm(bf(y ~ x + (1 |p| g)) + bf(c ~ x + (1 |p| g), family = poisson()) + set_rescor(FALSE), "
        "prior = prior(exponential(1), class = sd, resp = c) + prior(normal(0, 1), class = b) + "
        "prior(lkj(3), class = cor) + prior(gamma(2, 1), class = sigma, resp = y))"
    )
    found = densities(call)
    assert found["y.beta[x]"] == found["c.beta[x]"] == "normal(0, 1)"
    assert found["y.sigma"] == "gamma(2, 1)"
    assert found["sd_g[y[(Intercept)]]"] == "student_t(3, 0, 2.5)"
    assert found["sd_g[c[(Intercept)]]"] == "exponential(1)"
    assert found["cor_g"] == "lkj_corr_cholesky(3)"
    assert found["c.beta[(Intercept)]"].startswith("student_t(3, ")
    model(call).sample(chains=1, warmup=5, draws=5, seed=1, progress=False, engine="stanli")


# -- which parameters a prior is of ----------------------------------------------------------------

SHARED = (
    "brm(bf(y ~ x + (1 |p| g), sigma ~ (1 |p| g)), prior = prior(exponential(1), class = sd{}))"
)
WORDS = "brm(w ~ x + (1 | g), family = categorical(), prior = {})"
REACHED = [
    ("brm(k ~ x, family = cumulative(), prior = prior(normal(0, 2), class = Intercept, coef = 2))",
     {"thresholds[2|3]"}),
    ("brm(k ~ x, family = sratio(), prior = prior(normal(0, 2), class = Intercept))",
     {"thresholds[1|2]", "thresholds[2|3]", "thresholds[3|4]"}),
    (SHARED.format(""), {"sd_g[(Intercept)]"}),
    (SHARED.format(", dpar = sigma"), {"sd_g[sigma[(Intercept)]]"}),
    ("brm(bf(y ~ x, sigma ~ (x | g)), prior = prior(lkj(4), class = cor))", {"cor_sigma_g"}),
    (WORDS.format("prior(normal(0, 1), dpar = muab)"), {"mu_a_b[x]"}),
    (WORDS.format("prior(normal(0, 1))"), {"mu_a_b[x]", "mu_c_d[x]"}),
    (WORDS.format("prior(exponential(1), class = sd, dpar = mucd)"), {"sd_mu_c_d_g"}),
    ("brm(y ~ x + (x | f:g), prior = prior(exponential(1), class = sd, group = 'g:f', coef = x))",
     {"sd_f_g[x]"}),
    ("brm(y ~ x + z, prior = set_prior(c('normal(0, 1)', 'normal(0, 2)'), coef = c('x', 'z')))",
     {"beta[x]", "beta[z]"}),
    ("brm(y ~ x, prior = prior_(~ normal(0, 1), class = ~ b))", {"beta[x]"}),
    ("brm(y ~ x + ar(time = z, cov = TRUE), prior = prior(normal(0, 0.5), class = ar))", {"cor_phi"}),
]  # fmt: skip


@pytest.mark.parametrize(("call", "names"), REACHED)
def test_a_prior_reaches_what_brms_gives_it_to(call, names):
    table = model(call).priors
    assert set(table.index[table["source"].str.startswith("as asked")]) == names


EMPTY = [
    ("set_prior('', class = 'sigma')", "sigma", "flat"),
    ("set_prior('', class = 'sigma', lb = 1)", "sigma", "flat T[1, ]"),
    ("set_prior('', class = 'sd')", "sd_g", "flat"),
    ("set_prior('', class = 'sd', group = 'g')", "sd_g", "student_t(3, 0, 2.5)"),
    ("set_prior('normal(0, 1)', class = 'sd', lb = '0')", "sd_g", "normal(0, 1)"),
    ("set_prior('normal(0, 1)', class = 'sigma', lb = 0, ub = Inf)", "sigma", "normal(0, 1)"),
    ("set_prior('normal(0, 1)') + set_prior('', coef = 'x')", "beta[x]", "normal(0, 1)"),
]


@pytest.mark.parametrize(("prior", "name", "density"), EMPTY)
def test_a_prior_without_a_density_is_flat_for_a_class(prior, name, density):
    assert densities(f"brm(y ~ x + (1 | g), prior = {prior})")[name] == density


def test_priors_are_read_by_name_and_by_keyword():
    for text in ("set_prior('normal(0, 5)', class = 'b')", "c(prior(normal(0, 5)))"):
        want = densities(f"brm(y ~ x, prior = {text})")
        assert m2s.brm("y ~ x", data=DATA, prior=text).priors["density"].to_dict() == want
        given = {"d": DATA, "mine": text}
        named = m2s.model("brm(y ~ x, data = d, prior = mine)", given)
        assert named.priors["density"].to_dict() == want
        assert densities(f"mine <- {text}\nbrm(y ~ x, prior = mine)") == want
    both = m2s.brm("y ~ x", data=DATA, prior="brms; sigma ~ exponential(1)").priors["density"]
    assert both["sigma"] == "exponential(1)"
    text = "list(R = list(V = 1, nu = 0.002))"
    ours = m2s.MCMCglmm("y ~ x", data=DATA, prior=text)
    pd.testing.assert_frame_equal(
        ours.priors, m2s.model(f"MCMCglmm(y ~ x, prior = {text})", DATA).priors
    )


# -- refused ---------------------------------------------------------------------------------------

REFUSED = [
    ('brm(y ~ x, sample_prior = "only")', "draws of the prior"),
    ("brm(y ~ x, fit = fit1)", "another call"),
    ("brm(bf(y ~ a * x, a ~ 1, nl = TRUE))", "non-linear"),
    ("brm(bf(y ~ x, unused = ~ z))", "'unused'"),
    ("brm(bf(y ~ x, autocor = ~ ar(z)))", "'autocor'"),
    ("brm(y ~ x, family = mixture(gaussian, gaussian))", "mixture"),
    ("brm(y ~ x, family = wiener())", "wiener"),
    ("brm(y ~ x, family = cox())", "cox"),
    ("brm(y ~ x, family = exgaussian())", "exgaussian"),
    ("brm(c ~ x, family = com_poisson())", "com_poisson"),
    ("brm(bf(k ~ x, disc ~ x), family = cumulative())", "disc"),
    ("brm(bf(w ~ 1, mucd ~ x), family = categorical())", "mucd"),
    ("brm(y ~ x, prior = prior(horseshoe(1)))", "shrinks"),
    ("brm(y ~ x, prior = prior(R2D2(0.5)))", "shrinks"),
    ("brm(y ~ x, prior = prior(constant(1), class = sigma))", "constant"),
    ("brm(y ~ x, prior = prior(weibull(1, 2), class = sigma))", "weibull"),
    ("brm(y ~ x, prior = set_prior('normal(0, 1)', lb = 0))", "bounds"),
    ("brm(y ~ x, prior = set_prior('', lb = '0'))", "bounds"),
    ("brm(y ~ x, prior = set_prior('normal(0, 1)', class = 'Intercept', ub = 3))", "bounds"),
    ("brm(bf(y ~ x + z, decomp = 'QR'), prior = prior(normal(0, 1)))", "decomp = 'QR'"),
    ("brm(bf(k ~ x, center = FALSE), family = cumulative(), prior = prior(normal(0, 1)))", "thresholds"),
    ("brm(y ~ x + ar(time = z, cov = TRUE), prior = prior(normal(0, 1), class = sigma))", "innovations"),
    ("brm(bf(y ~ x + (0 + f | g), cmc = FALSE))", "cmc = FALSE"),
    ("brm(bf(mvbind(y, y2) ~ 0 + f, cmc = FALSE))", "cmc = FALSE"),
    ("brm(y ~ (1 |p| g) + (0 + x |p| gr(g, cor = FALSE)))", "not said in one way"),
]  # fmt: skip
WRONG = [
    ("brm(y ~ x, prior = mine)", "mine is not known"),
    ("brm(y ~ x, prior = prior(normal(0, 1)) + prior(normal(0, 2)))", "two priors of class b"),
    ("brm(y ~ x, prior = prior(normal(0, 1), coef = Intercept))", "coef Intercept"),
    ("brm(y ~ x, prior = prior(normal(0, 1), class = Intercept, coef = 2))", "class Intercept"),
    ("brm(k ~ x, family = cumulative(), prior = prior(normal(0, 1), class = Intercept, coef = 5))", "coef 5"),
    ("brm(y ~ x, prior = set_prior('normal(0, 1)', coef = 'x', lb = 0))", "one coefficient"),
    ("brm(y ~ x, prior = prior(normal(0, 1), resp = y))", "resp y"),
    ("brm(mvbind(y, y2) ~ x, prior = prior(exponential(1), class = sigma))", "class sigma"),
    (WORDS.format("prior(exponential(1), class = sd)"), "class sd"),
    ("brm(bf(y ~ x, center = maybe))", "TRUE or FALSE"),
    ("brm(y ~ x + (1 | g), prior = prior(normal(0, 1), group = g))", "group g"),
    ("brm(y ~ x + (1 | gr(g, cor = no)))", "TRUE or FALSE"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_what_brms_has_and_this_has_not_is_refused_with_its_place(call, words):
    with pytest.raises(m2s.Unsupported, match=words) as caught:
        model(call)
    assert caught.value.text == call
    assert caught.value.span is not None


@pytest.mark.parametrize(("call", "words"), WRONG)
def test_what_brms_refuses_is_refused_with_its_place(call, words):
    with pytest.raises(m2s.FormulaError, match=words) as caught:
        model(call)
    assert not isinstance(caught.value, m2s.Unsupported)
    assert caught.value.text == call
    assert caught.value.span is not None


WITHOUT_EFFECT = (
    "iter = 500", "chains = 2", "cores = 2", "seed = 1", "backend = 'cmdstanr'", "threads = 2",
    "normalize = FALSE", "save_pars = save_pars(all = TRUE)", "file = 'fit'", "silent = 2",
    "refresh = 0", "control = list(adapt_delta = 0.9)", "sample_prior = 'yes'", "fit = NA",
)  # fmt: skip


def test_what_cannot_change_the_posterior_is_ignored():
    call = f"brm(bf(y ~ x, nl = FALSE, sparse = TRUE, decomp = 'QR'), {', '.join(WITHOUT_EFFECT)})"
    pd.testing.assert_frame_equal(model(call).priors, model("brm(y ~ x)").priors)


def test_offsets_of_several_responses_are_theirs():
    found = model("brm(mvbind(y, y2) ~ x + offset(z))")
    np.testing.assert_allclose(
        found.compiled.data.response(found.meaning),
        np.concatenate([DATA["y"] - DATA["z"], DATA["y2"] - DATA["z"]]),
    )
    middle = round(DATA["y"].median(), 1) - DATA["z"].mean()
    prior = densities("brm(mvbind(y, y2) ~ x + offset(z))", prior="brms")["beta[traity]"]
    assert prior == f"student_t(3, {middle:.5g}, 2.5)"
    with pytest.raises(m2s.Unsupported, match="offsets of some responses"):
        model("brm(bf(y ~ x + offset(z)) + bf(y2 ~ x))")


def test_arguments_of_cens_have_names():
    rows = DATA.assign(code="none", end=DATA["y"] + 1)
    named = m2s.model("brm(y | cens(y2 = end, x = code) ~ x)", rows)
    assert str(named.meaning) == str(m2s.model("brm(y | cens(code, end) ~ x)", rows).meaning)


# -- rows and columns ------------------------------------------------------------------------------


@pytest.mark.parametrize("codes", [("none", "interval"), (0, 2)])
def test_an_end_may_be_missing_where_there_is_no_interval(codes):
    rows = DATA.assign(code=codes[0], end=np.nan).astype({"code": object})
    rows.loc[:2, "code"], rows.loc[:2, "end"] = codes[1], rows["y"][:3] + 1
    if codes == (0, 2):
        rows["code"] = rows["code"].astype(float)
    found = m2s.model("brm(y | cens(code, end) ~ x)", rows)
    assert (found.data.rows, found.stan_data["N_interval"]) == (N, 3)
    # what is a predictor as well is needed everywhere
    assert m2s.model("brm(y | cens(code, end) ~ end)", rows).data.rows == 3
    rows.loc[0, "end"] = np.nan
    assert m2s.model("brm(y | cens(code, end) ~ x)", rows).data.rows == N - 1


def test_columns_that_brms_keeps_are_said_to_be_another_model():
    rows = DATA.assign(x2=2 * DATA["x"])
    call = "brm(y ~ x + x2, prior = prior(normal(0, 1)))"
    assert any("brms keeps them" in note for note in m2s.model(call, rows).notes)
