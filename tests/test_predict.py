"""Predictions against numpy alone, R's replay, and lme4's estimates."""

from __future__ import annotations

import functools
import json

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

import mix2stan as m2s
from mix2stan.postfit.integrals import averaged
from mix2stan.schema import Schema, remember
from tests.conftest import FIXTURES, table
from tests.programs import PROGRAMS, model_of


@functools.cache
def fit_of(name, draws=100, chains=2):
    settings = {"chains": chains, "warmup": 200, "draws": draws, "seed": 1, "engine": "stanli"}
    return model_of(name).sample(**settings)


@functools.cache
def fit_call(data, call, draws=100):
    settings = {"chains": 2, "warmup": 200, "draws": draws, "seed": 1, "engine": "stanli"}
    return m2s.model(call, table(data)).sample(**settings)


def flat(fit, name):
    """Draws of a variable, shape (S, ...)."""
    values = fit.posterior[name].values
    return values.reshape(-1, *values.shape[2:])


def draws_of(prediction):
    """Shape (S, n)."""
    return prediction.values.reshape(-1, prediction.sizes["obs"])


# -- the schema ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_schema_survives_its_text(name):
    model = model_of(name)
    about, columns = remember(model.meaning, model.data).to_parts()
    schema = Schema.from_parts(json.loads(json.dumps(about)), columns)
    assert str(schema.graph) == str(model.meaning)
    for rows in (schema.fitted, schema.rows(schema.raw(), response=True)):
        X = rows.data.matrix(schema.graph.shared_columns)
        np.testing.assert_array_equal(X, model.X)
        for group, term in zip(schema.graph.groups, model.Z, strict=True):
            if group.factor.signs:
                # a row has several levels, which are not replayed
                continue
            levels = rows.levels[group.factor]
            np.testing.assert_array_equal(levels.codes, model.data.grouping(group.factor).codes)
            assert levels.new == ()
            assert group.columns.names == term.coefficients


def replayed(call, new, data="sleepstudy"):
    model = m2s.model(call, table(data))
    schema = remember(model.meaning, model.data)
    rows = schema.rows(pd.DataFrame(new), groups=False)
    return pd.DataFrame(rows.data.matrix(schema.graph.population.columns), columns=model.X.columns)


@pytest.mark.parametrize("case", json.loads((FIXTURES / "replay.json").read_text()), ids=str)
def test_new_data_have_rs_columns(case):
    """R 4.2.2: model.matrix of new data by the terms of lm(TICKS ~ formula, grouseticks)."""
    new = {"cHEIGHT": [-70, -12.5, 0, 33.3, 120]}
    X = replayed(f"lm(TICKS ~ {case['formula']})", new, "grouseticks")
    assert list(X.columns) == case["columns"]
    np.testing.assert_allclose(X, case["X"], rtol=1e-8, atol=1e-9)


def test_a_mean_inside_a_formula_is_that_of_the_fit():
    X = replayed("lm(Reaction ~ I(Days - mean(Days)))", {"Days": [100.0]})
    assert X.iloc[0, 1] == 95.5


def test_new_data_may_have_one_row_and_few_levels():
    data = table("sct")
    call = "lm(SCT ~ genotype * temp)"
    whole = m2s.model(call, data).X
    row = data.iloc[[37]].astype({"genotype": str, "temp": str})
    np.testing.assert_array_equal(replayed(call, row, "sct"), whole.iloc[[37]])
    # the codes of a factor are those of the fit as well
    codes = replayed("lm(SCT ~ as.numeric(genotype))", row, "sct")
    assert codes.iloc[0, 1] == data["genotype"].cat.codes.iloc[37] + 1


@pytest.mark.parametrize("contrast", ["contr.sum", "contr.helmert", "contr.poly", "contr.SAS"])
def test_contrasts_are_those_of_the_fit(contrast):
    data = table("cbpp").assign(rate=lambda d: d["incidence"] / d["size"])
    call = f'lm(rate ~ period, contrasts = list(period = "{contrast}"))'
    model = m2s.model(call, data)
    schema = remember(model.meaning, model.data)
    rows = schema.rows(pd.DataFrame({"period": ["4"]}), groups=False)
    X = rows.data.matrix(schema.graph.population.columns)
    np.testing.assert_array_equal(X[0], model.X[(data["period"] == "4").to_numpy()].iloc[0])


def test_what_new_data_lack_is_said():
    fit = fit_of("slope")
    with pytest.raises(m2s.DataError, match="no column 'Days'"):
        fit.predict(pd.DataFrame({"Day": [1.0], "Subject": ["308"]}))
    with pytest.raises(m2s.DataError, match="no column 'Subject'"):
        fit.predict(pd.DataFrame({"Days": [1.0]}))
    assert fit.predict(pd.DataFrame({"Days": [1.0]}), re="population").shape == (2, 100, 1)
    with pytest.raises(m2s.DataError, match="factor 'Days', where the fit has numbers"):
        fit.predict(pd.DataFrame({"Days": ["one"], "Subject": ["308"]}))
    new = pd.DataFrame({"Days": [1.0], "Subject": ["99"]})
    with pytest.raises(
        m2s.DataError, match="Subject has the level '99', which the fit has not seen"
    ):
        fit.predict(new)
    with pytest.raises(m2s.Mix2stanError, match="conditional"):
        fit.predict(re="conditionally")
    period = pd.DataFrame({"period": ["5"], "herd": ["1"]})
    with pytest.raises(m2s.DataError, match="level '5', which the model has not seen"):
        fit_of("binomial").predict(period)


def test_a_fit_without_its_data_says_so():
    fit = fit_of("slope")
    blind = type(fit)(fit.posterior, fit.sample_stats, fit.labels, "none", 10)
    with pytest.raises(m2s.Mix2stanError, match="does not know its data"):
        blind.predict()


def test_predictions_survive_the_file(tmp_path):
    call = "lmer(Reaction ~ poly(Days, 2) + cut(Days, 3) + (ns(Days, 2) | Subject))"
    fit = fit_call("sleepstudy", call, 30)
    again = m2s.load(fit.save(tmp_path / "fit.nc"))
    new = pd.DataFrame({"Days": [3.0, 8.5, 2.0], "Subject": ["308", "new", "new"]})
    for settings in ({"kind": "linpred"}, {"kind": "response"}, {"re": "integrate"}):
        settings |= {"new_levels": "sample", "seed": 3}
        one, other = (f.predict(new, **settings) for f in (fit, again))
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(fit.log_lik(), again.log_lik())


def test_a_file_of_another_format_is_refused(tmp_path, monkeypatch):
    from mix2stan import fit as module

    monkeypatch.setattr(module, "_FORMAT", 2)
    path = fit_of("slope").save(tmp_path / "old.nc")
    monkeypatch.undo()
    with pytest.raises(m2s.Mix2stanError, match="another version of mix2stan"):
        m2s.load(path)


# -- predictions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    "mean slope collapsed_slope collapsed_nested crossed offset no_population factors units "
    "poisson probit common_correlation".split(),
)
def test_a_predictor_is_design_times_draws(name):
    fit, model = fit_of(name), model_of(name)
    eta = np.zeros((fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"], len(model.X)))
    if model.X.shape[1]:
        eta += flat(fit, "beta") @ model.X.to_numpy().T
    for group, term in zip(model.meaning.groups, model.Z, strict=True):
        b = flat(fit, f"b_{group.id}")
        eta += (term.matrix @ b.reshape(len(b), -1).T).T
    if name == "offset":
        eta += 10 * table("sleepstudy")["Days"].to_numpy()
    prediction = fit.predict(kind="linpred")
    assert prediction.dims == ("chain", "draw", "obs")
    np.testing.assert_allclose(draws_of(prediction), eta, rtol=1e-12, atol=1e-12)
    fixed = eta if not model.meaning.groups else flat(fit, "beta") if model.X.shape[1] else None
    if fixed is not None and model.meaning.groups:
        known = 10 * table("sleepstudy")["Days"].to_numpy() if name == "offset" else 0.0
        population = draws_of(fit.predict(kind="linpred", re="population"))
        np.testing.assert_allclose(population, fixed @ model.X.to_numpy().T + known, atol=1e-11)


def test_expected_responses_by_numpy():
    fit = fit_of("binomial")
    eta = draws_of(fit.predict(kind="linpred"))
    np.testing.assert_allclose(draws_of(fit.predict()), special.expit(eta), rtol=1e-12)
    fixed = draws_of(fit.predict(kind="linpred", re="population"))
    whole = draws_of(fit.predict(re="integrate"))
    sd = flat(fit, "sd_herd")
    for s, i in ((0, 0), (57, 20), (199, 55)):
        exact = integrate.quad(
            lambda u, s=s, i=i: special.expit(fixed[s, i] + sd[s] * u) * stats.norm.pdf(u), -12, 12
        )[0]
        assert whole[s, i] == pytest.approx(exact, rel=1e-8)


def test_a_log_link_is_integrated_as_a_lognormal():
    fit, model = fit_of("units"), model_of("units")
    Z = next(t for t in model.Z if t.group == "LOCATION")
    z = np.column_stack([np.ones(len(model.X)), table("grouseticks")["cHEIGHT"]])
    assert Z.coefficients == ("(Intercept)", "cHEIGHT")
    variance = 0
    for group in model.meaning.groups:
        sd = flat(fit, f"sd_{group.id}")
        if group.columns.intercept_only:
            variance = variance + sd[:, None] ** 2
        else:
            R = flat(fit, f"R_{group.id}")
            Sigma = R * sd[:, :, None] * sd[:, None, :]
            variance = variance + np.einsum("ik,skl,il->si", z, Sigma, z)
    fixed = flat(fit, "beta") @ model.X.to_numpy().T
    whole = draws_of(fit.predict(re="integrate"))
    np.testing.assert_allclose(whole, np.exp(fixed + variance / 2), rtol=1e-12)


@pytest.mark.parametrize(
    ("link", "inverse"),
    [
        ("probit", stats.norm.cdf),
        ("logit", special.expit),
        ("cloglog", lambda x: -np.expm1(-np.exp(x))),
        ("sqrt", np.square),
        ("log", np.exp),
    ],
)
@pytest.mark.parametrize("variance", [0.0, 0.3, 4.0])
def test_means_over_effects(link, inverse, variance):
    def integrand(u):
        return inverse(0.4 + np.sqrt(variance) * u) * stats.norm.pdf(u)

    exact = integrate.quad(integrand, -15, 15, epsabs=1e-13)[0]
    found = averaged(link, np.array([0.4]), np.array([variance]))
    assert found[0] == pytest.approx(exact, rel=1e-5)


def test_a_mean_that_does_not_exist_is_refused():
    with pytest.raises(m2s.Unsupported, match="does not exist for the link 'inverse'"):
        averaged("inverse", np.ones(1), np.ones(1))


def test_effects_of_new_levels_have_the_terms_covariance():
    fit = fit_of("slope", draws=1000)
    rows = pd.DataFrame({"Days": [0.0, 9.0, 9.0, 9.0], "Subject": ["n1", "n1", "n2", "308"]})
    sampled = draws_of(fit.predict(rows, "linpred", new_levels="sample", seed=5))
    fixed = draws_of(fit.predict(rows, "linpred", re="population"))
    b = sampled - fixed
    Sigma = flat(fit, "R_Subject") * np.einsum("si,sj->sij", *[flat(fit, "sd_Subject")] * 2)
    z = np.array([[1, 0], [1, 9.0]])
    expected = (z @ Sigma.mean(axis=0) @ z.T)[np.triu_indices(2)]
    error = 6 * expected.max() * np.sqrt(2 / len(b))
    np.testing.assert_allclose(np.cov(b[:, :2].T)[np.triu_indices(2)], expected, atol=error)
    assert abs(np.corrcoef(b[:, 1], b[:, 2])[0, 1]) < 0.1
    zero = draws_of(fit.predict(rows, "linpred", new_levels="zero"))
    np.testing.assert_array_equal(zero[:, :3], fixed[:, :3])
    np.testing.assert_array_equal(zero[:, 3], sampled[:, 3])
    again = draws_of(fit.predict(rows.iloc[:1], "linpred", new_levels="sample", seed=5))
    np.testing.assert_array_equal(again[:, 0], sampled[:, 0])


def test_a_level_that_the_fit_lacks_is_a_slip_unless_it_is_asked_for():
    """As lme4 and brms do: a mistyped label is no new subject."""
    fit = fit_of("slope")
    rows = pd.DataFrame({"Days": [1.0, 1.0], "Subject": ["308.0", "new"]})
    for kind in ("linpred", "epred", "response"):
        with pytest.raises(m2s.DataError, match=r"'308\.0' and 1 more") as caught:
            fit.predict(rows, kind)
        assert "nearest: '308'" in caught.value.hint
        assert 'new_levels = "sample"' in caught.value.hint
        for asked in ({"new_levels": "sample"}, {"new_levels": "zero"}, {"re": "integrate"}):
            assert fit.predict(rows, kind, **asked, seed=1, summary=True)["mean"].notna().all()
    assert fit.predict(rows, re="population").shape == (2, 100, 2)
    nested = pd.DataFrame({"batch": ["A"], "cask": ["z"]})
    with pytest.raises(m2s.DataError, match="has the level 'A:z'"):
        fit_of("nested").predict(nested)


def test_rows_that_are_levels_of_their_own_are_always_new():
    """MCMCglmm's residual of counts: an effect of every row."""
    prior = "list(R = list(V = 1, nu = 0.02), G = list(G1 = list(V = 1, nu = 0.02)))"
    call = f'MCMCglmm(TICKS ~ 1, random = ~ BROOD, family = "poisson", prior = {prior})'
    data = table("grouseticks").head(60)
    fit = m2s.model(call, data).sample(chains=1, warmup=50, draws=20, seed=1)
    found = fit.predict(data[["BROOD"]].head(2), "linpred", seed=1).values
    assert np.ptp(found[..., 0] - found[..., 1]) > 0


def test_nested_levels_may_be_partly_known():
    fit = fit_of("nested")
    rows = pd.DataFrame({"batch": ["A", "A"], "cask": ["a", "z"]})
    known, new = draws_of(fit.predict(rows, new_levels="zero")).T
    np.testing.assert_allclose(new, flat(fit, "beta")[:, 0] + flat(fit, "b_batch")[:, 0])
    assert not np.allclose(known, new)


@functools.cache
def quick(call):
    """A few draws of made-up rows: it is asked what a prediction needs."""
    rng = np.random.default_rng(2)
    df = pd.DataFrame({"x": rng.normal(size=60), "g": list("abcdef") * 10, "N": 10, "U": 99.0})
    df = df.assign(y=df["x"] + rng.normal(size=60), k=rng.binomial(10, 0.4, 60), L=-99.0, s=0.3)
    df = df.assign(E=2.0, n=rng.poisson(3, 60), p=df["k"] / 10, f=10 - df["k"])
    return m2s.model(call, df).sample(chains=1, warmup=50, draws=20, seed=1, engine="stanli")


BEFORE = pd.DataFrame({"x": [0.1, -0.2], "g": ["a", "b"], "N": [10, 20]})


@pytest.mark.parametrize(
    "call",
    [
        "brm(k | trials(N) ~ x + (1 | g), family = binomial())",
        "brm(k | trials(N) ~ x + (1 | g), family = beta_binomial())",
        "brm(k | trials(N) ~ x, family = zero_inflated_binomial())",
        "glmer(cbind(k, N - k) ~ x + (1 | g), family = binomial)",
        "glmer(p ~ x + (1 | g), family = binomial, weights = N)",
    ],
)
def test_successes_are_drawn_from_trials_alone(call):
    fit = quick(call)
    found = fit.predict(BEFORE, "response", seed=1).values
    assert (found <= [10, 20]).all()
    assert found[..., 1].max() > 10 or "zero" in call
    unknown = BEFORE.assign(k=np.nan, p=np.nan)
    np.testing.assert_array_equal(fit.predict(unknown, "response", seed=1).values, found)
    with pytest.raises(m2s.DataError, match="no column 'N'"):
        fit.predict(BEFORE[["x", "g"]], "response")
    with pytest.raises(m2s.FormulaError, match=r"N is 2\.5 in row 1"):
        fit.predict(BEFORE.assign(N=2.5), "response")
    assert fit.marginal_means("x", at={"x": [0.0]})["mean"].notna().all()


@pytest.mark.parametrize(
    ("call", "column", "kinds"),
    [
        ("brm(y | trunc(ub = U) ~ x + (1 | g))", "U", ("epred", "response")),
        ("brm(y | trunc(lb = L - 1) ~ x + (1 | g))", "L", ("epred", "response")),
        ("brm(n | trunc(ub = U) ~ x, family = poisson())", "U", ("epred", "response")),
        ("brm(y | se(s) ~ x + (1 | g))", "s", ("response",)),
        ("brm(y | se(s, sigma = TRUE) ~ x)", "s", ("response",)),
        ("brm(n | rate(E) ~ x, family = poisson())", "E", ("linpred", "epred", "response")),
        ("glmer(cbind(k, f) ~ x + (1 | g), family = binomial)", "f", ("response",)),
    ],
)
def test_what_a_response_needs_besides_is_named(call, column, kinds):
    fit = quick(call)
    others = {"U": 9.0, "L": -9.0, "s": 0.5, "E": 3.0, "k": 4, "f": 6}
    whole = BEFORE.assign(**others)
    for kind in ("linpred", "epred", "response"):
        assert np.isfinite(fit.predict(whole, kind, seed=1)).all()
        if kind in kinds:
            with pytest.raises(m2s.DataError, match=f"no column '{column}'"):
                fit.predict(whole.drop(columns=column), kind)
        else:
            assert np.isfinite(fit.predict(whole.drop(columns=column), kind, seed=1)).all()
    assert fit.slopes("x")["mean"].notna().all()


def test_rows_with_missing_values_are_missing():
    rows = pd.DataFrame({"Days": [1.0, np.nan, 2.0], "Subject": ["308", "308", None]})
    values = fit_of("slope").predict(rows).mean(("chain", "draw")).values
    assert np.isnan(values).tolist() == [False, True, True]
    table = fit_of("slope").predict(rows, summary=True)
    assert table["mean"].isna().tolist() == [False, True, True]


def test_a_summary_is_that_of_the_draws():
    fit = fit_of("slope")
    values = draws_of(fit.predict())
    table = fit.predict(summary=True)
    np.testing.assert_allclose(table["mean"], values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(table["sd"], values.std(axis=0, ddof=1), rtol=1e-10)
    np.testing.assert_allclose(table["97.5%"], np.quantile(values, 0.975, axis=0), rtol=1e-12)
    pd.testing.assert_frame_equal(fit.fitted(), table)
    assert fit.predict(draws=10).shape == (2, 5, 180)


def test_blocks_of_rows_change_nothing(monkeypatch):
    fit = fit_of("slope")
    rows = table("sleepstudy").assign(
        Subject=lambda d: d["Subject"].astype(str).replace("308", "x")
    )
    whole = fit.predict(rows, "linpred", new_levels="sample", seed=1)
    monkeypatch.setattr("mix2stan.postfit.predictor._BLOCK", 7 * 200)
    # a matrix product of fewer rows may round otherwise
    found = fit.predict(rows, "linpred", new_levels="sample", seed=1)
    np.testing.assert_allclose(found, whole, rtol=1e-13)


LME4 = {
    "sleepstudy-us": ("sleepstudy", "lmer(Reaction ~ Days + (Days | Subject))"),
    "penicillin": ("Penicillin", "lmer(diameter ~ 1 + (1 | plate) + (1 | sample))"),
    "cbpp": (
        "cbpp",
        "glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), family = binomial)",
    ),
    "grouseticks": (
        "grouseticks",
        "glmer(TICKS ~ YEAR + cHEIGHT + (1 | LOCATION/BROOD) + (1 | INDEX), family = poisson)",
    ),
}


@pytest.mark.parametrize("case", LME4)
def test_population_predictions_agree_with_lme4(case):
    """X times lme4's fixef is its predict(re.form = NA); flat priors, and the standard errors."""
    data, call = LME4[case]
    stored = {c["id"]: c for c in json.loads((FIXTURES / "lme4_fixef.json").read_text())}[case]
    fit = fit_call(data, call, 500)
    X = m2s.model(call, table(data)).X
    assert list(X.columns) == list(stored["fixef"])
    lme4 = X.to_numpy() @ np.array(list(stored["fixef"].values()))
    ours = draws_of(fit.predict(kind="linpred", re="population"))
    # the posterior mean and the maximum differ by less than half a standard error here
    assert np.all(np.abs(ours.mean(axis=0) - lme4) < 0.5 * ours.std(axis=0))


# -- responses -------------------------------------------------------------------------------------


def test_responses_have_the_errors_of_the_model():
    fit = fit_of("slope", draws=1000)
    errors = draws_of(fit.predict(kind="response", seed=1)) - draws_of(fit.predict())
    assert errors.std() == pytest.approx(np.sqrt((flat(fit, "sigma") ** 2).mean()), rel=0.01)
    again = draws_of(fit.predict(kind="response", seed=1)) - draws_of(fit.predict())
    np.testing.assert_array_equal(errors, again)


def test_correlated_errors_are_drawn_together():
    fit = fit_call("birds", "gls(Birds ~ Year, correlation = corAR1(form = ~Year))", 1000)
    errors = draws_of(fit.predict(kind="response", seed=2)) - draws_of(fit.predict())
    errors = errors / flat(fit, "sigma")[:, None]
    years = fit.schema.raw()["Year"].to_numpy()
    order = np.argsort(years)
    a, b = errors[:, order[:-1]], errors[:, order[1:]]
    steps = np.diff(years[order]) == 1
    assert (a * b).mean(axis=0)[steps].mean() == pytest.approx(
        flat(fit, "cor_phi").mean(), abs=0.05
    )
    assert errors.std() == pytest.approx(1, abs=0.03)


def test_variance_functions_scale_the_errors():
    call = "gls(distance ~ age, weights = varIdent(form = ~ 1 | Sex))"
    fit = fit_call("Orthodont", call, 1000)
    errors = draws_of(fit.predict(kind="response", seed=2)) - draws_of(fit.predict())
    sex = table("Orthodont")["Sex"].astype(str).to_numpy()
    first = fit.schema.graph.residual.variances[0].levels[0]
    ratio = flat(fit, "var_ratio").mean()
    found = errors[:, sex != first].std() / errors[:, sex == first].std()
    assert found == pytest.approx(ratio, rel=0.03)
    pearson = fit.residuals("pearson")
    by_sex = pearson.groupby(sex).std()
    assert by_sex.max() / by_sex.min() < 1.2


def test_simulated_data_sets_are_data_sets():
    tables = fit_of("binomial").simulate(250, seed=1)
    assert tables.shape == (56, 250)
    size = table("cbpp")["size"].to_numpy()
    assert ((tables.to_numpy() >= 0) & (tables.to_numpy() <= size[:, None])).all()
    observed = table("cbpp")["incidence"].sum()
    assert tables.sum().quantile(0.001) < observed < tables.sum().quantile(0.999)


def test_residuals_are_what_is_left():
    fit = fit_of("slope")
    left = table("sleepstudy")["Reaction"].to_numpy() - draws_of(fit.predict())
    np.testing.assert_allclose(fit.residuals(), left.mean(axis=0), rtol=1e-10)
    pearson = (left / flat(fit, "sigma")[:, None]).mean(axis=0)
    np.testing.assert_allclose(fit.residuals("pearson"), pearson, rtol=1e-10)
    quantile = stats.norm.cdf(left / flat(fit, "sigma")[:, None]).mean(axis=0)
    np.testing.assert_allclose(fit.residuals("quantile"), stats.norm.ppf(quantile), rtol=1e-8)
    with pytest.raises(m2s.Mix2stanError, match="nearest: 'pearson'"):
        fit.residuals("person")


def test_quantile_residuals_of_simulated_counts_are_normal():
    rng = np.random.default_rng(8)
    x, g = rng.normal(size=600), np.repeat(np.arange(30), 20)
    y = rng.poisson(np.exp(0.3 + 0.5 * x + 0.6 * rng.normal(size=30)[g]))
    data = pd.DataFrame({"y": y, "x": x, "g": g.astype(str)})
    model = m2s.model("glmer(y ~ x + (1 | g), family = poisson)", data)
    fit = model.sample(chains=2, warmup=200, draws=200, seed=1, engine="stanli")
    assert stats.kstest(fit.residuals("quantile", seed=1), "norm").pvalue > 0.01


def test_standardised_residuals_are_whitened():
    from mix2stan.residual_data import whitener

    fit = fit_of("errors_ar1", draws=20)
    model = model_of("errors_ar1")
    y = model.data.vector(model.meaning.response.expression)
    eta = draws_of(fit.predict(kind="linpred"))
    names = ("sigma", "var_expon", "cor_phi")
    white = [
        whitener(model.meaning.residual, model.data, {n: flat(fit, n)[s] for n in names})
        @ (y - eta[s])
        / flat(fit, "sigma")[s]
        for s in range(len(eta))
    ]
    np.testing.assert_allclose(fit.residuals("standardised"), np.mean(white, axis=0), rtol=1e-8)


def test_other_parameters_have_their_predictors():
    fit = fit_of("predicted_sigma")
    days = table("sleepstudy")["Days"].to_numpy()
    codes = table("sleepstudy")["Subject"].cat.codes.to_numpy()
    owned = next(g for g in fit.schema.graph.groups if g.owner == "sigma")
    beta = flat(fit, "beta_sigma")
    log_sigma = beta[:, :1] + beta[:, 1:] * days + flat(fit, f"b_{owned.id}")[:, codes]
    mean = draws_of(fit.predict())
    y = table("sleepstudy")["Reaction"].to_numpy()
    expected = stats.norm.logpdf(y, mean, np.exp(log_sigma))
    np.testing.assert_allclose(draws_of(fit.log_lik()), expected, rtol=1e-10)
    errors = draws_of(fit.predict(kind="response", seed=1)) - mean
    assert (errors / np.exp(log_sigma)).std() == pytest.approx(1, abs=0.02)
    new = pd.DataFrame({"Days": [0.0, 9.0], "Subject": ["308", "new"]})
    assert np.isfinite(fit.predict(new, "response", new_levels="sample", seed=1)).all()
    with pytest.raises(m2s.Unsupported, match="effects of sigma"):
        fit.log_lik("Subject")
    assert fit.hypothesis("sigma[Days] > -100")["probability"].tolist() == [1.0]


def test_new_blocks_of_correlated_errors():
    fit = fit_of("errors_ar1")
    rows = fit.schema.raw()
    renamed = rows.assign(Mare=rows["Mare"].astype(str) + "x")
    response, mean = (
        draws_of(fit.predict(renamed, kind, new_levels="sample", seed=1))
        for kind in ("response", "epred")
    )
    errors = response - mean
    assert np.isfinite(errors).all()
    same = draws_of(fit.predict(rows, "response", seed=1)) - draws_of(fit.predict(rows, seed=1))
    assert errors.std() == pytest.approx(same.std(), rel=0.05)


@functools.cache
def short_fit(name):
    """Draws that have not converged: the algebra holds for any."""
    settings = {"warmup": 10, "draws": 10, "max_treedepth": 4, "seed": 1, "engine": "stanli"}
    return model_of(name).sample(chains=1, **settings)


def test_several_responses_are_predicted_in_their_rows():
    fit, model = short_fit("traits"), model_of("traits")
    eta = flat(fit, "beta") @ model.X.to_numpy().T
    for group, term in zip(model.meaning.groups, model.Z, strict=True):
        b = flat(fit, f"b_{group.id}")
        eta += (term.matrix @ b.reshape(len(b), -1).T).T
    np.testing.assert_allclose(draws_of(fit.predict()), eta, rtol=1e-10, atol=1e-10)
    errors = draws_of(fit.predict(kind="response", seed=1)) - eta
    raw = fit.schema.raw()
    first, second = (errors[:, (raw["trait"] == t).to_numpy()] for t in ("tarsus", "back"))
    found = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(first, second, strict=True)])
    assert found == pytest.approx(flat(fit, "cor_R")[:, 0, 1].mean(), abs=0.05)


def test_related_levels_are_predicted_but_not_integrated(tmp_path):
    fit, model = short_fit("pedigree"), model_of("pedigree")
    eta = flat(fit, "beta") @ model.X.to_numpy().T
    for group, term in zip(model.meaning.groups, model.Z, strict=True):
        b = flat(fit, f"b_{group.id}")
        eta += (term.matrix @ b.reshape(len(b), -1).T).T
    again = m2s.load(fit.save(tmp_path / "fit.nc"))
    for one in (fit, again):
        np.testing.assert_allclose(draws_of(one.predict()), eta, rtol=1e-10, atol=1e-10)
    with pytest.raises(m2s.Unsupported, match="related"):
        fit.predict(re="integrate")
    with pytest.raises(m2s.Unsupported, match="cannot be predicted with the effects of mm"):
        short_fit("memberships").predict()
    assert np.isfinite(short_fit("memberships").predict(re="population")).all()


def test_zeros_are_predicted():
    fit = short_fit("zero_inflated")
    mu = np.exp(draws_of(fit.predict(kind="linpred")))
    zeros = 1 - draws_of(fit.predict()) / mu
    assert ((zeros > 0) & (zeros < 1)).all()
    assert (draws_of(fit.predict(kind="response", seed=1)) == 0).mean() > zeros.mean()
    assert np.isfinite(fit.log_lik()).all()
