"""Several Gaussian responses: a row for each, correlated within the rows they came from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.syntax import Name
from tests.conftest import table

CALL = (
    "MCMCglmm(cbind(a, b) ~ trait - 1 + trait:x, random = ~us(trait):g, "
    'rcov = ~us(trait):units, family = c("gaussian", "gaussian"))'
)
BETA, SDS, COR = [1.0, 10.0, 1.0, -1.0], [0.7, 0.9], 0.4


def data() -> pd.DataFrame:
    """Two responses of 40 rows in 8 groups; five responses are missing, those of row 8 both."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(8), 5), rng.normal(size=40)
    e = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 2]], 40)
    df = pd.DataFrame({"a": 1 + x + e[:, 0], "b": 10 - x + e[:, 1], "x": x, "g": g.astype(str)})
    df.loc[[3, 8], "a"] = np.nan
    df.loc[[7, 8, 9], "b"] = np.nan
    return df


def point(model, rho):
    term = {
        "group": "g",
        "coefficients": ["traita", "traitb"],
        "sd": SDS,
        "cor": [[1, COR], [COR, 1]],
    }
    residual = {"sigma": 1.1, "varIdent": {"b": 1.4}} | ({} if rho is None else {"corSymm": [rho]})
    return {
        "beta": dict(zip(model.X.columns, BETA, strict=True)),
        "random": [term],
        "residual": residual,
    }


def density(model, rho):
    """The density of all observed responses, by a dense covariance matrix."""
    frame = model.data.frame
    trait = frame.column(Name("trait")).values
    unit = frame.rows % 40
    G = np.outer(SDS, SDS) * [[1, COR], [COR, 1]]
    Z = model.Z[0].matrix.toarray()
    sd = 1.1 * np.array([1, 1.4])[trait]
    same = unit[:, None] == unit
    R = np.where(trait[:, None] == trait, 1.0, rho or 0.0) * same * np.outer(sd, sd)
    V = Z @ np.kron(np.eye(8), G) @ Z.T + R
    y = frame.column(Name("a, b")).values
    return stats.multivariate_normal(model.X.to_numpy() @ BETA, V).logpdf(y)


@pytest.mark.parametrize("rho", [0.5, -0.8, None])
def test_the_likelihood_with_missing_responses(rho):
    call = CALL if rho is not None else CALL.replace("us(trait):units", "idh(trait):units")
    model = m2s.model(call, data())
    assert model.X.shape == (75, 4)
    assert model.loglik(point(model, rho), engine="stanli") == pytest.approx(
        density(model, rho), rel=1e-10
    )


def test_columns_are_mcmcglmms():
    assert list(m2s.model(CALL, data()).X.columns) == ["traita", "traitb", "traita:x", "traitb:x"]


def test_it_is_a_gls_of_the_long_data():
    df = data().dropna().reset_index(drop=True)
    long = pd.DataFrame(
        {
            "y": np.concatenate([df.a, df.b]),
            "x": np.tile(df.x, 2),
            "trait": np.repeat(["a", "b"], len(df)),
            "place": np.repeat([1, 2], len(df)),
            "row": np.tile(np.arange(len(df)), 2),
        }
    )
    ours = "MCMCglmm(cbind(a, b) ~ trait - 1 + trait:x, rcov = ~us(trait):units)"
    theirs = (
        "gls(y ~ trait - 1 + trait:x, weights = varIdent(form = ~1 | trait), "
        "correlation = corSymm(form = ~place | row))"
    )
    a, b = m2s.model(ours, df), m2s.model(theirs, long)
    assert m2s.compare(a, b).same
    first, second = a.ml(engine="stanli"), b.ml(engine="stanli")
    # without random effects the maximum is that of two regressions, their errors correlated
    residuals = (
        df[["a", "b"]].to_numpy()
        - np.column_stack([np.ones(len(df)), df.x])
        @ np.linalg.lstsq(
            np.column_stack([np.ones(len(df)), df.x]), df[["a", "b"]].to_numpy(), rcond=None
        )[0]
    )
    S = residuals.T @ residuals / len(df)
    expected = np.sum(stats.multivariate_normal([0, 0], S).logpdf(residuals))
    assert first.logLik == pytest.approx(expected, abs=1e-5)
    assert second.logLik == pytest.approx(expected, abs=1e-5)
    assert first.residual()["corSymm cor[1]"] == pytest.approx(
        np.corrcoef(residuals.T)[0, 1], abs=1e-3
    )


def test_three_responses_of_real_data():
    df = table("BTdata")
    call = (
        "MCMCglmm(cbind(tarsus, back) ~ trait:sex + trait:hatchdate - 1, random = ~us(trait):dam + "
        "idh(trait):fosternest, rcov = ~us(trait):units)"
    )
    model = m2s.model(call, df)
    assert [z.coefficients for z in model.Z] == [("traittarsus", "traitback")] * 2
    assert [len(z.levels) for z in model.Z] == [106, 104]


ERRORS = [
    ("us(trait):units", "family = c(\"gaussian\", \"gaussian\", \"gaussian\")", "3 families for 2 responses"),
    ("units", "family = \"gaussian\"", "residual structure of several responses"),
    ("corg(trait):units", "family = \"gaussian\"", "residual structure of several responses"),
]  # fmt: skip


@pytest.mark.parametrize(("rcov", "family", "words"), ERRORS)
def test_what_cannot_be_meant(rcov, family, words):
    call = f"MCMCglmm(cbind(a, b) ~ trait - 1, rcov = ~{rcov}, {family})"
    with pytest.raises(m2s.FormulaError, match=words):
        m2s.model(call, data())


def test_a_residual_structure_is_asked_for():
    with pytest.raises(m2s.FormulaError, match="several responses need") as caught:
        m2s.model("MCMCglmm(cbind(a, b) ~ trait - 1)", data())
    assert "us(trait):units" in str(caught.value)


def test_a_response_that_is_a_factor():
    df = data().assign(b="x")
    with pytest.raises(m2s.FormulaError, match="b is not numeric"):
        m2s.model(CALL, df)


def test_priors_are_in_units_of_each_response():
    df = data().assign(b=lambda d: 1000 * d.b)
    priors = m2s.model(CALL, df).priors
    observed = df.b.dropna()
    assert (
        f"normal({observed.mean():.5g}, {2.5 * observed.std():.5g})"
        == priors.loc["beta[traitb]", "density"]
    )
    mad = 1.4826 * np.median(np.abs(observed - observed.median()))
    assert f"student_t(3, 0, {mad:.5g})" == priors.loc["sd_g[traitb]", "density"]
    assert priors.loc["sd_g[traita]", "density"] == "student_t(3, 0, 2.5)"


def test_a_fit_has_the_residual_of_every_response(tmp_path):
    fit = m2s.model(CALL, data()).sample(chains=2, warmup=200, draws=100, seed=1, engine="stanli")
    fit.save(tmp_path / "fit.nc")
    for one in (fit, m2s.load(tmp_path / "fit.nc")):
        table = one.VarCorr().loc["Residual"]
        assert list(table.index) == ["a", "b"]
        sigma = one.posterior["sigma"].values
        ratio = one.posterior["var_ratio"].values[..., 0]
        assert table.loc["b", "sd"] == pytest.approx((sigma * ratio).mean())
        assert table.loc["b", "cor a"] == pytest.approx(
            one.posterior["cor_R"].values[..., 1, 0].mean()
        )
    assert "cor_R[a, b]" in fit.summary().index


def test_mcmcglmms_prior_of_the_errors(stanli):
    """The inverse Wishart density of their covariance, by scipy and the Jacobian of the parameters."""
    G = "G = list(G1 = list(V = diag(2), nu = 5))"
    R = "R = list(V = matrix(c(2, 0.5, 0.5, 1), 2, 2), nu = 4)"
    models = [
        m2s.model(f"{CALL[:-1]}, prior = list({r}, {G}))", data())
        for r in (R, "R = list(V = diag(2), nu = 6)")
    ]
    V = [np.array([[2, 0.5], [0.5, 1]]), np.eye(2)]

    def covariance(p):
        sigma, ratio, r = p
        L = np.array([[1, 0], [r, np.sqrt(1 - r**2)]])
        D = sigma * np.diag([1, ratio])
        return D @ L @ L.T @ D

    def prior(p, nu, V):
        S = covariance(p)
        steps = [(covariance(p + e) - covariance(p - e)) / 2e-6 for e in 1e-6 * np.eye(3)]
        J = np.array([[s[0, 0], s[1, 0], s[1, 1]] for s in steps])
        return stats.invwishart(nu, nu * V).logpdf(S) + np.log(abs(np.linalg.det(J)))

    values = []
    for p in ([1.1, 0.7, 0.3], [0.4, 2.0, -0.6], [2.0, 0.9, 0.8]):
        sigma, ratio, r = p
        point = {
            "sigma": sigma,
            "var_ratio": [ratio],
            "cor_L": [[1, 0], [r, np.sqrt(1 - r**2)]],
            "sd_g": [0.5, 0.8],
            "L_g": np.eye(2),
        }
        ours = [
            stanli.compile(m.stan_code, m.stan_data).log_density(point, jacobian=False)[0]
            for m in models
        ]
        theirs = [prior(np.array(p), nu, v) for nu, v in zip((4, 6), V, strict=True)]
        # the likelihood is the same
        values.append((ours[0] - ours[1], theirs[0] - theirs[1]))
    ours, theirs = np.array(values).T
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-6)


@pytest.mark.parametrize(
    ("ours", "mcmcglmm"),
    [
        (
            "brm(mvbind(a, b) ~ x + (1 |p| g))",
            "MCMCglmm(cbind(a, b) ~ trait - 1 + trait:x, random = ~us(trait):g, rcov = ~us(trait):units)",
        ),
        (
            "brm(bf(mvbind(a, b) ~ x + (1 | g)) + set_rescor(FALSE))",
            "MCMCglmm(cbind(a, b) ~ trait - 1 + trait:x, random = ~idh(trait):g, rcov = ~idh(trait):units)",
        ),
        (
            "brm(bf(mvbind(a, b) ~ 1 + (1 + x |i| g)) + set_rescor(TRUE), family = gaussian())",
            "MCMCglmm(cbind(a, b) ~ trait - 1, random = ~us(trait + trait:x):g, rcov = ~us(trait):units)",
        ),
        (
            "brm(mvbind(a, b) ~ 0 + x + (1 + x | g))",
            "MCMCglmm(cbind(a, b) ~ trait:x - 1, random = ~us(at.level(trait, 'a') + "
            "at.level(trait, 'a'):x):g + us(at.level(trait, 'b') + at.level(trait, 'b'):x):g, "
            "rcov = ~us(trait):units)",
        ),
        (
            "brm(bf(a ~ x + (1 |p| g)) + bf(b ~ x + (1 |p| g)) + set_rescor(FALSE))",
            "MCMCglmm(cbind(a, b) ~ trait - 1 + trait:x, random = ~us(trait):g, "
            "rcov = ~idh(trait):units)",
        ),
        (
            "brm(mvbf(a ~ 1 + (1 + x |p| g), bf(b ~ x + (1 |p| g)), rescor = TRUE))",
            "MCMCglmm(cbind(a, b) ~ trait - 1 + at.level(trait, 'b'):x, "
            "random = ~us(trait + at.level(trait, 'a'):x):g, rcov = ~us(trait):units)",
        ),
        (
            ["a ~ x + (1 | g)", "b ~ 1"],
            "MCMCglmm(cbind(a, b) ~ trait - 1 + at.level(trait, 'a'):x, "
            "random = ~us(at.level(trait, 'a')):g, rcov = ~us(trait):units)",
        ),
    ],
)
def test_brms_has_them_too(ours, mcmcglmm):
    a, b = m2s.model(ours, data()), m2s.model(mcmcglmm, data())
    found = m2s.compare(a, b)
    assert found.same, str(found)
    again = m2s.model(a.translate("MCMCglmm"), data())
    assert m2s.compare(a, again).same


def test_factors_of_one_response_are_coded_as_in_its_formula():
    df = data().dropna()
    df = df.assign(f=np.resize(list("uvw"), len(df)))
    several = m2s.model(["a ~ x", "b ~ f + (f | g)"], df)
    alone = m2s.model("lmer(b ~ f + (f | g))", df)
    n, Z = len(df), alone.Z[0].matrix.toarray()
    np.testing.assert_array_equal(several.X.to_numpy()[n:, 2:], alone.X)
    np.testing.assert_array_equal(several.Z[0].matrix.toarray()[n:], Z)
    assert not several.X.to_numpy()[:n, 2:].any()
    assert several.X.columns[-1] == 'at.level(trait, "b"):fw'
    with pytest.raises(m2s.FormulaError, match="different grouping factors"):
        m2s.model(["a ~ (1 |p| g)", "b ~ (1 |p| f)"], df)
    with pytest.raises(m2s.FormulaError, match="a has two formulas"):
        m2s.model(["a ~ x", "a ~ f"], df)


@pytest.mark.parametrize(
    "call",
    [
        "brm(bf(a ~ x) + bf(b | se(x) ~ x))",
        "brm(bf(mvbind(a, b) ~ x, sigma ~ x))",
    ],
)
def test_what_brms_can_and_we_cannot(call):
    with pytest.raises(m2s.Unsupported, match="several responses"):
        m2s.model(call, data())
