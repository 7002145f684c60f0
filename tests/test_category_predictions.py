"""Predictions of categories and of their counts, against numpy and scipy alone."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import integrate, special, stats

import mix2stan as m2s
from mix2stan.families.ordinal import LATENT
from mix2stan.pictures import Pictures
from mix2stan.postfit.categories import averaged_shares
from tests.conftest import table
from tests.test_categorical import CALL, COUNTS, counted
from tests.test_categorical import simulated as unordered
from tests.test_ordinal import FIXED, LEVELS, F, simulated

pytestmark = pytest.mark.filterwarnings("ignore:Estimated shape parameter")

BETA = np.array([[0.3, 0.5], [-0.4, 0.9]])
#: A call, what kind of categories, its link, and the sd of the error behind.
CALLS = {
    "cumulative": ("clmm(y ~ x + (1 | g))", "logit", 1.0),
    "cumulative_cloglog": ('brm(y ~ 1 + (1 | g), family = cumulative("cloglog"))', "cloglog", 1.0),
    "cumulative_anchored": (
        f'MCMCglmm(y ~ x, random = ~g, family = "ordinal", {FIXED}, pr = TRUE)',
        "probit",
        np.sqrt(2),
    ),
    "sratio": ('brm(y ~ x + (1 | g), family = sratio("probit"))', "probit", 1.0),
    "cratio": ('brm(y ~ x + (1 + x || g), family = cratio("cauchit"))', "cauchit", 1.0),
    "acat": ("brm(y ~ x + (1 | g), family = acat())", "logit", 1.0),
    "categorical": (CALL, "logit", 1.0),
    "multinomial": (COUNTS, "logit", 1.0),
}
ORDERED = [name for name in CALLS if name not in ("categorical", "multinomial")]


@functools.cache
def data_of(name):
    u = np.random.default_rng(2).normal(size=(2, 10))
    if name == "categorical":
        return unordered(150, BETA, u)
    return counted(150, BETA, u) if name == "multinomial" else simulated(n=150)


@functools.cache
def model_of(name):
    prior = "default" if "anchored" in name else None
    return m2s.model(CALLS[name][0], data_of(name), prior=prior)


@functools.cache
def fit_of(name):
    return model_of(name).sample(2, 150, 30, seed=3, engine="stanli")


def flat(fit, name):
    """Draws of a variable, shape (S, ...)."""
    values = fit.posterior[name].values
    return values.reshape(-1, *values.shape[2:])


def predictors(fit, name, rows, effects=True):
    """The predictor from the draws, shape (S, n), or (S, n, 2) of unordered categories."""
    X = np.column_stack([np.ones(len(rows)), rows["x"]])
    levels = list(fit.posterior[next(d for d in fit.posterior.dims if d.endswith("_level"))].values)
    codes = [levels.index(g) for g in rows["g"]]
    if name in ORDERED:
        names = fit.labels.coefficients
        columns = [n != "(Intercept)" for n in names]
        beta = flat(fit, "beta") if len(names) else np.zeros((60, 0))
        eta = beta @ X[:, np.array(columns, dtype=int)].T if len(names) else np.zeros((60, len(X)))
        for group in fit.labels.groups if effects else ():
            b = flat(fit, f"b_{group.id}")
            b = b[..., None] if b.ndim == 2 else b
            for k, column in enumerate(group.coefficients):
                eta = eta + b[:, codes, k] * X[:, int(column == "x")]
        return eta
    etas = []
    for owner in [p for p, _ in fit.labels.predictors]:
        eta = flat(fit, f"beta_{owner}") @ X.T
        etas.append(eta + (flat(fit, f"b_{owner}_g")[:, codes] if effects else 0))
    return np.stack(etas, axis=-1)


def probabilities(name, eta, t):
    """From the definitions: of shape (S, n, C), thresholds of shape (S, C - 1)."""
    _, link, sd = CALLS[name]
    if name not in ORDERED:
        odds = np.exp(np.concatenate([np.zeros((*eta.shape[:-1], 1)), eta], axis=-1))
        return odds / odds.sum(axis=-1, keepdims=True)
    f, gap = F[link], (t[:, None, :] - eta[:, :, None]) / sd
    ends = np.zeros((*eta.shape, 1)), np.ones((*eta.shape, 1))
    if name.startswith("cumulative"):
        return np.diff(np.concatenate([ends[0], f(gap), ends[1]], axis=-1), axis=-1)
    if name == "acat":
        odds = np.exp(np.concatenate([ends[0], np.cumsum(-gap, axis=-1)], axis=-1))
        return odds / odds.sum(axis=-1, keepdims=True)
    stop = np.concatenate([f(gap) if name == "sratio" else 1 - f(-gap), ends[1]], axis=-1)
    going = np.cumprod(1 - stop, axis=-1)
    return stop * np.concatenate([ends[1], going[..., :-1]], axis=-1)


def thresholds(fit):
    return flat(fit, "thresholds") if "thresholds" in fit.posterior else None


def levels_of(name):
    return {"categorical": ["ant", "bee", "cat 1"], "multinomial": list("abc")}.get(
        name, list(LEVELS)
    )


@pytest.mark.parametrize("name", CALLS)
def test_expectations_are_numpys(name):
    fit, rows = fit_of(name), data_of(name).head(7)
    for re in ("conditional", "population"):
        eta = predictors(fit, name, rows, re == "conditional")
        linear = fit.predict(rows, kind="linpred", re=re)
        np.testing.assert_allclose(linear.values.reshape(eta.shape), eta, rtol=1e-12, atol=1e-12)
        p = probabilities(name, eta, thresholds(fit))
        if name == "multinomial":
            p = p * rows["n"].to_numpy()[:, None]
        expected = fit.predict(rows, re=re)
        assert expected.dims == ("chain", "draw", "obs", "category")
        assert list(expected["category"].values) == levels_of(name)
        np.testing.assert_allclose(expected.values.reshape(p.shape), p, rtol=1e-11, atol=1e-12)
    if name not in ORDERED:
        assert list(linear["category"].values) == levels_of(name)[1:]
    means = fit.predict(rows, summary=True)["mean"]
    at = fit.predict(rows).mean(("chain", "draw")).sel(category=levels_of(name)[1]).values
    np.testing.assert_allclose(means.xs(levels_of(name)[1], level="category"), at, rtol=1e-12)
    assert fit.fitted().index.names == ["row", "category"]


@pytest.mark.parametrize("name", CALLS)
def test_pointwise_likelihoods_are_scipys_and_add_up_to_stans(name, stanli):
    fit, rows, model = fit_of(name), data_of(name), model_of(name)
    eta = predictors(fit, name, rows)
    p = probabilities(name, eta, thresholds(fit))
    if name == "multinomial":
        expected = stats.multinomial(rows["n"].to_numpy(), p).logpmf(
            rows[list("abc")].to_numpy()[None]
        )
    else:
        expected = np.log(p[:, np.arange(len(rows)), rows["y"].cat.codes])
    ours = fit.log_lik().values.reshape(expected.shape)
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)
    for s in (0, 41):
        # the density of the program, the effects' own taken off
        point = {"u": [], "random": []}
        for parameter, names in [("", fit.labels.coefficients), *fit.labels.predictors]:
            beta = flat(fit, f"beta_{parameter}" if parameter else "beta")[s] if names else []
            key = f"{parameter}_beta" if parameter else "beta"
            point[key] = dict(zip(names, beta, strict=True))
        if name in ORDERED:
            point["thresholds"] = thresholds(fit)[s]
        of_effects = 0.0
        for group in fit.labels.groups:
            u, sd = (flat(fit, f"{what}_{group.id}")[s] for what in ("b", "sd"))
            point["u"].append(u.reshape(len(u), -1))
            term = {"group": "g", "owner": group.owner, "coefficients": group.coefficients}
            point["random"].append(term | {"sd": np.atleast_1d(sd)})
            of_effects += stats.norm(0, sd).logpdf(u).sum()
        stans = model.loglik(point, stanli.name) - of_effects
        assert stans == pytest.approx(ours[s].sum(), rel=1e-10)


def test_probabilities_keep_their_digits_in_the_tails():
    x = np.array([-35.0, -8.0, 6.0, 9.0])
    for link, row in LATENT.items():
        law = {"logit": stats.logistic, "probit": stats.norm, "cauchit": stats.cauchy}.get(
            link, stats.gumbel_l
        )
        np.testing.assert_allclose(row.log_cdf(x), law.logcdf(x), rtol=1e-9, err_msg=link)
        np.testing.assert_allclose(row.log_survival(x), law.logsf(x), rtol=1e-9, err_msg=link)
    # of two thresholds in the right tail: exp(-30) - exp(-31)
    logit = LATENT["logit"].log_mass(np.array([31.0]), np.array([30.0]))
    assert logit == pytest.approx(np.log(np.exp(-30) - np.exp(-31)), rel=1e-12)
    assert np.isfinite(LATENT["cloglog"].log_mass(np.array([-799.0]), np.array([-800.0]))).all()


@pytest.mark.parametrize("name", ["cumulative", "cumulative_anchored", "acat", "cratio"])
def test_probabilities_are_averaged_over_effects(name):
    fit, rows = fit_of(name), data_of(name).head(2)
    averaged = fit.predict(rows, re="integrate").values.reshape(60, 2, 4)
    s = 7
    eta, t = predictors(fit, name, rows, False)[s], thresholds(fit)[s : s + 1]
    sds = [flat(fit, f"sd_{g.id}")[s] for g in fit.labels.groups]
    for i, x in enumerate(rows["x"]):
        both = np.ravel(sds)
        sd = np.hypot(both[0], both[1] * x) if len(both) == 2 else both[0]
        for c in range(4):

            def weighted(b, c=c, i=i, sd=sd):
                p = probabilities(name, np.array([[eta[i] + b]]), t)
                return p[0, 0, c] * stats.norm(0, sd).pdf(b)

            value = integrate.quad(weighted, -12 * sd, 12 * sd, epsabs=1e-12, limit=400)[0]
            assert averaged[s, i, c] == pytest.approx(value, abs=1e-4 if name == "cratio" else 1e-6)
    assert averaged.sum(axis=-1) == pytest.approx(1)


def test_unordered_probabilities_are_averaged_over_all_their_effects():
    fit, rows = fit_of("categorical"), data_of("categorical").head(2)
    averaged = fit.predict(rows, re="integrate").values.reshape(60, 2, 3)
    eta = predictors(fit, "categorical", rows, False)[5, 1]
    sd = np.array([flat(fit, f"sd_mu_{o}_g")[5] for o in ("bee", "cat_1")])
    draws = eta + sd * np.random.default_rng(1).standard_normal((400_000, 2))
    p = special.softmax(np.column_stack([np.zeros(len(draws)), draws]), axis=1)
    error = 5 * p.std(axis=0) / np.sqrt(len(p))
    assert (np.abs(p.mean(axis=0) - averaged[5, 1]) < error).all()
    with pytest.raises(m2s.Unsupported, match="at most 3 group effects") as caught:
        averaged_shares(np.exp, np.zeros((1, 1, 4)), np.ones((1, 1, 4, 4)), True)
    assert "response" in caught.value.hint


@pytest.mark.parametrize("name", CALLS)
def test_drawn_categories_have_their_probabilities(name):
    fit = fit_of(name)
    rows = data_of(name).head(1)
    many = pd.concat([rows] * 500, ignore_index=True)
    drawn = fit.predict(many, kind="response", seed=4)
    p = fit.predict(rows).mean(("chain", "draw")).values[0]
    if name == "multinomial":
        assert drawn.dims[-1] == "category"
        assert (drawn.sum("category") == rows["n"].iloc[0]).all()
        shares, p, n = drawn.mean(("chain", "draw", "obs")).values, p, 500 * 60 / rows["n"].iloc[0]
    else:
        assert drawn.attrs["categories"] == levels_of(name)
        shares = np.array([(drawn == c + 1).mean() for c in range(len(p))])
        n = 500 * 60
        table = fit.predict(rows, kind="response", summary=True, seed=4)["mean"]
        assert table.sum() == pytest.approx(1)
    # rows share their draws' parameters, so this is generous
    assert (np.abs(shares - p) < 6 * np.sqrt(np.maximum(p, 0.02) / n) + 0.002).all()


def test_new_levels_have_effects_of_their_own():
    fit = fit_of("categorical")
    rows = data_of("categorical").head(2).assign(g="new")
    settings = {"kind": "linpred", "new_levels": "sample", "seed": 5}
    one, again = (fit.predict(rows, **settings).values for _ in range(2))
    np.testing.assert_array_equal(one, again)
    zero = fit.predict(rows, kind="linpred", new_levels="zero").values
    population = fit.predict(rows, kind="linpred", re="population").values
    np.testing.assert_allclose(zero, population)
    gap = (one - zero).reshape(60, 2, 2)
    np.testing.assert_allclose(gap[:, 0], gap[:, 1])
    sd = np.column_stack([flat(fit, f"sd_mu_{o}_g") for o in ("bee", "cat_1")])
    assert stats.kstest((gap[:, 0] / sd).ravel(), "norm").pvalue > 1e-3
    with pytest.raises(m2s.DataError, match="'new'"):
        fit.predict(rows)


def test_counts_need_their_trials_and_probabilities_do_not():
    fit, rows = fit_of("multinomial"), data_of("multinomial").head(3)[["x", "g"]]
    assert fit.predict(rows, kind="linpred").shape == (2, 30, 3, 2)
    with pytest.raises(m2s.DataError, match="'n'"):
        fit.predict(rows)
    means = fit.marginal_means("x", at={"x": [0.0, 1.0]})
    assert means["mean"].groupby(level="x").sum().to_numpy() == pytest.approx(1)


def test_simulated_data_can_stand_in_for_the_response():
    for name, kind in (("cumulative", True), ("categorical", False)):
        sims = fit_of(name).simulate(2, seed=1)
        assert list(sims["sim_1"].cat.categories) == levels_of(name)
        assert sims["sim_1"].cat.ordered is kind
        m2s.model(CALLS[name][0], data_of(name).assign(y=sims["sim_2"].array))
    counts = fit_of("multinomial").simulate(2, seed=1)
    assert (counts["sim_2"].sum(axis=1).to_numpy() == data_of("multinomial")["n"]).all()


@pytest.mark.parametrize("name", CALLS)
def test_residuals_are_of_every_category(name):
    fit, rows = fit_of(name), data_of(name)
    C = len(levels_of(name))
    p = probabilities(name, predictors(fit, name, rows), thresholds(fit))
    n = np.maximum(rows["n"].to_numpy(), 1) if name == "multinomial" else np.ones(len(rows))
    y = (
        rows[list("abc")].to_numpy() / n[:, None]
        if name == "multinomial"
        else np.eye(C)[rows["y"].cat.codes]
    )
    response = fit.residuals().to_numpy().reshape(-1, C)
    np.testing.assert_allclose(response, (y - p).mean(axis=0), atol=1e-12)
    pearson = ((y - p) / np.sqrt(p * (1 - p) / n[:, None])).mean(axis=0)
    np.testing.assert_allclose(
        fit.residuals("pearson").to_numpy().reshape(-1, C), pearson, rtol=1e-8
    )
    assert fit.residuals().index.names == ["row", "category"]
    if name not in ORDERED:
        with pytest.raises(m2s.Unsupported, match="no order") as caught:
            fit.residuals("quantile")
        assert "pearson" in caught.value.hint
        return
    found = fit.residuals("quantile", seed=3)
    below = np.concatenate([np.zeros((1, len(rows))), np.cumsum(p.mean(axis=0).T, axis=0)])
    codes = rows["y"].cat.codes.to_numpy()
    low, high = below[codes, np.arange(len(rows))], below[codes + 1, np.arange(len(rows))]
    u = stats.norm.cdf(found)
    assert ((u > low - 1e-9) & (u < high + 1e-9)).all()
    assert stats.kstest(found, "norm").pvalue > 1e-3


@pytest.mark.parametrize("name", ["cumulative", "multinomial", "categorical"])
def test_quantities_are_of_every_category(name):
    fit = fit_of(name)
    rows = pd.DataFrame({"x": [0.0, 1.0], "n": 1})
    p = fit.predict(rows, re="population").mean(("chain", "draw")).values
    means = fit.marginal_means("x", at={"x": [0.0, 1.0]})
    assert means.index.names == ["x", "category"]
    np.testing.assert_allclose(means["mean"], p.ravel(), rtol=1e-12)
    gaps = fit.comparisons("x", at={"x": [0.0, 1.0]})
    assert gaps.index.names == ["contrast", "category"]
    np.testing.assert_allclose(gaps["mean"], p[1] - p[0], atol=1e-12)
    slope = fit.slopes("x", at={"x": [0.0]})["mean"]
    near = pd.DataFrame({"x": [-1e-4, 1e-4], "n": 1})
    q = fit.predict(near, re="population").mean(("chain", "draw")).values
    np.testing.assert_allclose(slope, (q[1] - q[0]) / 2e-4, rtol=1e-4, atol=1e-6)
    assert slope.sum() == pytest.approx(0, abs=1e-8)


def test_arvizs_statistics_and_groups():
    for name in ("cumulative", "categorical", "multinomial"):
        fit = fit_of(name)
        fit.log_lik()
        fit.posterior_predictive(seed=1)
        data = fit.idata
        variable = fit.labels.response
        assert data["log_likelihood"][variable].shape == (2, 30, 150)
        shape = (150, 3) if name == "multinomial" else (150,)
        assert data["observed_data"][variable].shape == shape
        assert data["posterior_predictive"][variable].shape == (2, 30, *shape)


def test_groups_of_ordered_categories_are_integrated():
    fit, rows, s = fit_of("cumulative"), data_of("cumulative"), 11
    level = rows["g"].iloc[0]
    mine = rows[rows["g"] == level]
    eta, t = predictors(fit, "cumulative", mine, False)[s], thresholds(fit)[s]
    sd = flat(fit, "sd_g")[s]

    def weighted(b):
        p = probabilities("cumulative", (eta + b)[None], t[None])[0]
        return np.prod(p[np.arange(len(mine)), mine["y"].cat.codes]) * stats.norm(0, sd).pdf(b)

    value = np.log(integrate.quad(weighted, -10 * sd, 10 * sd, epsabs=1e-14)[0])
    ours = fit.log_lik(by="g").sel(g=level).values.ravel()[s]
    assert ours == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize("name", ["categorical", "multinomial"])
def test_groups_of_unordered_categories_are_integrated(name):
    fit, rows, s = fit_of(name), data_of(name), 11
    level = rows["g"].iloc[0]
    mine = rows[rows["g"] == level]
    eta = predictors(fit, name, mine, False)[s]
    sd = np.array([flat(fit, f"sd_{p}_g")[s] for p, _ in fit.labels.predictors])
    grid = np.linspace(-9, 9, 301)
    b = np.stack(np.meshgrid(grid * sd[0], grid * sd[1], indexing="ij"), axis=-1).reshape(-1, 2)
    p = probabilities(name, eta + b[:, None], None)
    if name == "categorical":
        logs = np.log(p[:, np.arange(len(mine)), mine["y"].cat.codes]).sum(axis=1)
    else:
        law = stats.multinomial(mine["n"].to_numpy(), p)
        logs = law.logpmf(mine[list("abc")].to_numpy()[None]).sum(axis=1)
    logs = logs + stats.norm(0, sd).logpdf(b).sum(axis=1)
    value = special.logsumexp(logs) + 2 * np.log(grid[1] - grid[0]) + np.log(sd).sum()
    ours = fit.log_lik(by="g").sel(g=level).values.ravel()[s]
    assert ours == pytest.approx(value, abs=1e-5)


def test_slopes_of_a_level_are_integrated_too():
    fit, rows, s = fit_of("cratio"), data_of("cratio"), 11
    level = rows["g"].iloc[0]
    mine = rows[rows["g"] == level]
    eta, t = predictors(fit, "cratio", mine, False)[s], thresholds(fit)[s]
    sd = flat(fit, "sd_g")[s]
    grid = np.linspace(-8, 8, 241)
    b = np.stack(np.meshgrid(grid * sd[0], grid * sd[1], indexing="ij"), axis=-1).reshape(-1, 2)
    at = eta + b[:, :1] + b[:, 1:] * mine["x"].to_numpy()
    p = probabilities("cratio", at, np.broadcast_to(t, (len(b), 3)))
    logs = np.log(p[:, np.arange(len(mine)), mine["y"].cat.codes]).sum(axis=1)
    logs = logs + stats.norm(0, sd).logpdf(b).sum(axis=1)
    value = special.logsumexp(logs) + 2 * np.log(grid[1] - grid[0]) + np.log(sd).sum()
    assert fit.log_lik(by="g").sel(g=level).values.ravel()[s] == pytest.approx(value, abs=1e-4)


def test_a_fit_that_was_read_back_predicts_the_same(tmp_path):
    for name in ("cumulative_anchored", "multinomial"):
        fit, rows = fit_of(name), data_of(name).head(3)
        again = m2s.load(fit.save(tmp_path / f"{name}.nc"))
        np.testing.assert_array_equal(again.predict(rows).values, fit.predict(rows).values)


def test_variances_of_categories():
    fit = fit_of("cumulative")
    shares = fit.variance_partition()
    assert shares.loc["residual", "variance"] == pytest.approx(np.pi**2 / 3)
    sd = flat(fit, "sd_g")
    assert shares.loc["g", "variance"] == pytest.approx((sd**2).mean())
    anchored = fit_of("cumulative_anchored").variance_partition()
    assert anchored.loc["residual", "variance"] == pytest.approx(2)
    for wrong in (
        lambda: fit.bayes_R2(),
        lambda: fit.variance_partition("data"),
        lambda: fit_of("acat").variance_partition(),
        lambda: fit_of("categorical").variance_partition(),
        lambda: fit.shrinkage(),
    ):
        with pytest.raises(m2s.Unsupported) as caught:
            wrong()
        assert caught.value.hint


def test_pictures_of_categories():
    plot = Pictures(fit_of("cumulative"), Figure)
    (ax,) = plot.ppc(5, seed=1).axes
    assert [t.get_text() for t in ax.get_xticklabels()] == list(LEVELS)
    heights = [p.get_data().values.tolist() for p in ax.patches]
    codes = data_of("cumulative")["y"].cat.codes
    assert heights[-1] == np.bincount(codes).tolist()
    assert [sum(h) for h in heights] == [150] * 6
    figure = plot.effects("x")
    (ax,) = figure.axes
    assert [t.get_text() for t in figure.legends[0].get_texts()] == list(LEVELS)
    assert sum(line.get_ydata()[0] for line in ax.lines) == pytest.approx(1)
    (ax,) = Pictures(fit_of("multinomial"), Figure).ppc(5, seed=1).axes
    totals = data_of("multinomial")[list("abc")].sum()
    assert ax.patches[-1].get_data().values.tolist() == totals.tolist()
    (ax,) = Pictures(fit_of("categorical"), Figure).effects().axes
    assert ax.get_xlabel() == "x"
    assert len(ax.lines) == 3
    with pytest.raises(m2s.Unsupported, match="no points"):
        plot.lines("x")


def test_two_variables_have_a_panel_for_each_level():
    wine = m2s.model("clm(rating ~ temp + contact)", table("wine"))
    fit = wine.sample(1, 100, 20, seed=1, engine="stanli")
    figure = Pictures(fit, Figure).effects("temp", by="contact")
    assert [ax.get_title() for ax in figure.axes] == ["contact no", "contact yes"]


def test_a_fold_may_lack_a_category():
    rows = data_of("cumulative").head(40).copy()
    rows["y"] = pd.Categorical.from_codes([3, *([0, 1, 2] * 13)], LEVELS, ordered=True)
    found = m2s.model("clm(y ~ x)", rows).kfold(
        4, chains=1, warmup=100, draws=30, seed=1, engine="stanli"
    )
    assert np.isfinite(found.elpd)
    # the top category alone has a fold of a fit that has not seen it
    assert found.pointwise["elpd"].idxmin() == 0


def test_effects_of_one_id_are_in_the_predictors_of_all_categories():
    call = "brm(y ~ x + (1 |p| g), family = categorical())"
    rows = data_of("categorical")
    fit = m2s.model(call, rows).sample(1, 150, 30, seed=3, engine="stanli")
    b = flat(fit, f"b_{fit.labels.groups[0].id}")
    codes = [fit.labels.groups[0].levels.index(g) for g in rows["g"]]
    X = np.column_stack([np.ones(len(rows)), rows["x"]])
    owners = [p for p, _ in fit.labels.predictors]
    eta = [flat(fit, f"beta_{p}") @ X.T + b[:, codes, k] for k, p in enumerate(owners)]
    p = probabilities("categorical", np.stack(eta, axis=-1), None)
    np.testing.assert_allclose(fit.predict().values[0], p, rtol=1e-11)
    expected = np.log(p[:, np.arange(len(rows)), rows["y"].cat.codes])
    np.testing.assert_allclose(fit.log_lik().values[0], expected, rtol=1e-9)
    averaged = fit.predict(rows.head(1), re="integrate").values[0, 7, 0]
    mean = [(flat(fit, f"beta_{p}") @ X.T)[7, 0] for p in owners]
    sd, R = (flat(fit, f"{what}_{fit.labels.groups[0].id}")[7] for what in ("sd", "R"))
    z = np.random.default_rng(1).multivariate_normal(mean, R * np.outer(sd, sd), 400_000)
    q = special.softmax(np.column_stack([np.zeros(len(z)), z]), axis=1)
    assert (np.abs(q.mean(axis=0) - averaged) < 5 * q.std(axis=0) / np.sqrt(len(q))).all()
    level, group = rows["g"].iloc[0], fit.labels.groups[0].id
    mine = np.flatnonzero(rows["g"] == level)
    (root,) = np.linalg.cholesky([R * np.outer(sd, sd)])
    grid = np.linspace(-8, 8, 241)
    z = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    at = np.stack([(flat(fit, f"beta_{p}") @ X.T)[7, mine] for p in owners], axis=-1)
    q = probabilities("categorical", at + (z @ root.T)[:, None], None)
    logs = np.log(q[:, np.arange(len(mine)), rows["y"].cat.codes.iloc[mine]]).sum(axis=1)
    logs = logs + stats.norm.logpdf(z).sum(axis=1)
    value = special.logsumexp(logs) + 2 * np.log(grid[1] - grid[0])
    assert fit.log_lik(by="g").sel(g=level).values.ravel()[7] == pytest.approx(value, abs=1e-4)
    assert group.endswith("g")
