"""MCMCglmm's priors: read from the call, and the densities they are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import integrate, stats

import mix2stan as m2s
from tests.conftest import FIXTURES, table

US = "MCMCglmm(tarsus ~ 1, random = ~us(sex):dam, prior = list(R = {R}, G = list(G1 = {G})))"
DAM = "MCMCglmm(tarsus ~ 1, random = ~{term}, prior = list(R = {R}, G = list(G1 = {G})))"
R_PRIOR = "list(V = 1, nu = 0.002)"


def r_matrix(V):
    V = np.asarray(V, dtype=float)
    return f"matrix(c({', '.join(map(repr, V.ravel().tolist()))}), {len(V)})"


def random_covariances(k, n, rng):
    return [stats.wishart(k + 3, np.eye(k)).rvs(random_state=rng).reshape(k, k) for _ in range(n)]


def split(S):
    sd = np.sqrt(np.diag(S))
    return sd, np.linalg.cholesky(S / np.outer(sd, sd))


def log_jacobian(sd, L):
    """Of the covariance, as a function of standard deviations and the root of the correlations."""
    k = len(sd)
    below = (k - 1 - np.arange(k)) @ np.log(np.diag(L))
    return k * np.log(2) + k * np.log(sd).sum() + below


def columns(k):
    """MCMCglmm's words for k effects of every dam, in data without the rest of the sexes."""
    df = table("BTdata")
    if k == 2:
        df = df[df["sex"] != "UNK"].copy()
        df["sex"] = df["sex"].cat.remove_unused_categories()
    return df


def program_part(call, data, points, stanli, flat="flat"):
    """The log density of a program at points, less that with another set of priors, if there is one."""

    def values(prior):
        model = m2s.model(call, data, prior=prior, strategy="noncentred")
        program = stanli.compile(model.stan_code, model.stan_data)
        base = {
            "beta": np.zeros(1),
            "sigma": 1.0,
            "z_dam": np.zeros((model.stan_data["Q_dam"], model.stan_data["J_dam"])),
        }
        return [program.log_density({**base, **p}, jacobian=False)[0] for p in points]

    return np.subtract(values(None), values(flat) if flat else 0.0)


def lkj_1(L):
    """What the flat set has on correlations."""
    k = len(L)
    return (k - 1 - np.arange(k)) @ np.log(np.diag(L))


@pytest.mark.parametrize("k", [2, 3])
def test_an_inverse_wishart_covariance_is_scipys(k, stanli):
    rng = np.random.default_rng(k)
    V, nu = random_covariances(k, 1, rng)[0] / k, k + 0.5
    call = US.format(R=R_PRIOR, G=f"list(V = {r_matrix(V)}, nu = {nu})")
    covariances = random_covariances(k, 8, rng)
    points = [dict(zip(("sd_dam", "L_dam"), split(S), strict=True)) for S in covariances]
    ours = program_part(call, columns(k), points, stanli)
    ours = ours + [lkj_1(p["L_dam"]) for p in points]
    scipys = [
        stats.invwishart(nu, nu * V).logpdf(S) + log_jacobian(p["sd_dam"], p["L_dam"])
        for S, p in zip(covariances, points, strict=True)
    ]
    np.testing.assert_allclose(np.diff(ours), np.diff(scipys), rtol=0, atol=1e-9)


@pytest.mark.parametrize("free", [1, 2])
def test_a_covariance_given_a_block_of_it_is_scipys(free, stanli):
    rng = np.random.default_rng(free)
    k, nu = 3, 4.5
    V = random_covariances(k, 1, rng)[0] / k
    known = V[free:, free:]
    call = US.format(R=R_PRIOR, G=f"list(V = {r_matrix(V)}, nu = {nu}, fix = {free + 1})")
    points, scipys = [], []
    for S in random_covariances(k, 8, rng):
        slope = rng.normal(size=(free, k - free))
        sd, L = split(S[:free, :free])
        block = slope @ known
        whole = np.block([[S[:free, :free] + block @ slope.T, block], [block.T, known]])
        points.append({"rest_dam": sd, "L_dam": L, "slope_dam": slope.ravel(order="F")})
        scipys.append(stats.invwishart(nu, nu * V).logpdf(whole) + log_jacobian(sd, L))
    ours = program_part(call, columns(k), points, stanli, flat=None)
    np.testing.assert_allclose(np.diff(ours), np.diff(scipys), rtol=0, atol=1e-9)


def test_the_reference_points(stanli):
    """Of the two k = 2 points, and of k = 1, each held against one other point by scipy."""
    rng = np.random.default_rng(9)
    for case in json.loads((FIXTURES / "inverse_wishart.json").read_text()):
        V, S, nu = np.array(case["V"]), np.array(case["S"]), case["nu"]
        k = len(V)
        assert stats.invwishart(nu, nu * V).logpdf(S) == pytest.approx(case["logdensity"])
        other = random_covariances(k, 1, rng)[0]
        prior = f"list(V = {r_matrix(V)}, nu = {nu})"
        points = []
        for covariance in (S, other):
            sd, L = split(covariance)
            points.append({"sd_dam": sd, "L_dam": L})
        if k == 1:
            call = DAM.format(term="dam", R=R_PRIOR, G=prior)
            model = m2s.model(call, table("BTdata"), strategy="noncentred")
            flat = m2s.model(call, table("BTdata"), prior="flat", strategy="noncentred")
            base = {"beta": np.zeros(1), "sigma": 1.0, "z_dam": np.zeros(model.stan_data["J_dam"])}
            ours = []
            for m in (model, flat):
                program = stanli.compile(m.stan_code, m.stan_data)
                at = [{**base, "sd_dam": float(p["sd_dam"][0])} for p in points]
                ours.append([program.log_density(p, jacobian=False)[0] for p in at])
            ours = np.subtract(*ours)
        else:
            call = US.format(R=R_PRIOR, G=prior)
            ours = program_part(call, columns(k), points, stanli)
            ours = ours + [lkj_1(p["L_dam"]) for p in points]
        here, there = (log_jacobian(p["sd_dam"], p["L_dam"]) for p in points)
        expected = case["logdensity"] + here - stats.invwishart(nu, nu * V).logpdf(other) - there
        assert ours[0] - ours[1] == pytest.approx(expected, abs=1e-8)


@pytest.mark.slow
def test_expanded_parameters_are_integrated_out(stanli):
    """Against the integral over the scales, numerically."""
    rng = np.random.default_rng(3)
    nu, V, A = 2.0, np.diag([0.5, 2.0]), np.array([4.0, 25.0])
    call = US.format(
        R=R_PRIOR,
        G=f"list(V = {r_matrix(V)}, nu = {nu}, alpha.mu = c(0, 0), alpha.V = diag(c(4, 25)))",
    )
    covariances = random_covariances(2, 3, rng)
    points = [dict(zip(("sd_dam", "L_dam"), split(S), strict=True)) for S in covariances]
    ours = program_part(call, columns(2), points, stanli)
    ours = ours + [lkj_1(p["L_dam"]) for p in points]

    def density(S):
        def integrand(a, b):
            scale = np.array([a, b])
            inner = stats.invwishart(nu, nu * V).pdf(S / np.outer(scale, scale))
            # of three elements, each scaled by two of the scales
            return inner / (a * b) ** 3 * np.prod(stats.norm(0, np.sqrt(A)).pdf(scale))

        # both signs of both scales
        return 4 * integrate.dblquad(integrand, 1e-6, 40, 1e-6, 40, epsabs=1e-13, epsrel=1e-9)[0]

    expected = [
        np.log(density(S)) + log_jacobian(p["sd_dam"], p["L_dam"])
        for S, p in zip(covariances, points, strict=True)
    ]
    np.testing.assert_allclose(np.diff(ours), np.diff(expected), atol=1e-6)


def test_one_expanded_variance_is_a_half_cauchy():
    prior = "list(V = 4, nu = 1, alpha.mu = 0, alpha.V = 25)"
    model = m2s.model(DAM.format(term="dam", R=R_PRIOR, G=prior), table("BTdata"))
    assert model.priors.loc["sd_dam", "density"] == "student_t(1, 0, 10)"


def test_independent_variances_have_the_same_nu(stanli):
    rng = np.random.default_rng(5)
    V, nu = np.array([0.5, 1.0, 2.0]), 3.0
    call = DAM.format(term="idh(sex):dam", R=R_PRIOR, G=f"list(V = diag(c(0.5, 1, 2)), nu = {nu})")
    sds = rng.uniform(0.5, 3, (5, 3))
    ours = program_part(call, table("BTdata"), [{"sd_dam": sd} for sd in sds], stanli)
    gamma = stats.invgamma(nu / 2, scale=nu * V / 2)
    expected = (gamma.logpdf(sds**2) + np.log(2 * sds)).sum(axis=1)
    np.testing.assert_allclose(np.diff(ours), np.diff(expected), atol=1e-9)


@pytest.mark.parametrize("k", [2, 3])
def test_correlations_are_those_of_an_inverse_wishart_matrix(k, stanli):
    """Barnard, McCulloch and Meng (2000), equation 6."""
    rng = np.random.default_rng(6)
    nu = k + 2.5
    call = DAM.format(term="corg(sex):dam", R=R_PRIOR, G=f"list(V = diag({k}), nu = {nu})")
    roots = [split(S)[1] for S in random_covariances(k, 6, rng)]
    points = [{"L_dam": L} for L in roots]
    ours = program_part(call, columns(k), points, stanli, "flat; cor_dam ~ lkj(1)")
    expected = [
        -(nu + k + 1) / 2 * np.linalg.slogdet(L @ L.T)[1]
        - nu / 2 * np.log(np.diag(np.linalg.inv(L @ L.T))).sum()
        for L in roots
    ]
    np.testing.assert_allclose(np.diff(ours), np.diff(expected), atol=1e-9)


def test_strata_of_the_errors_have_a_variance_each(stanli):
    V, nu = [1.0, 2.0, 0.5], 1.5
    call = (
        "MCMCglmm(tarsus ~ 1, rcov = ~idh(sex):units, "
        f"prior = list(R = list(V = diag(c(1, 2, 0.5)), nu = {nu})))"
    )
    rng = np.random.default_rng(7)
    data = table("BTdata")
    values = []
    sds = rng.uniform(0.5, 2, (4, 3))
    for prior in (None, "flat"):
        model = m2s.model(call, data, prior=prior, strategy="noncentred")
        program = stanli.compile(model.stan_code, model.stan_data)
        levels = list(data["sex"].cat.categories)
        strata = [levels.index(s) for s in model.meaning.residual.variances[0].levels]
        points = [
            {
                "beta": np.zeros(1),
                "sigma": sd[strata[0]],
                "var_ratio": sd[strata[1:]] / sd[strata[0]],
            }
            for sd in sds
        ]
        values.append([program.log_density(p, jacobian=False)[0] for p in points])
    gamma = stats.invgamma(nu / 2, scale=nu * np.array(V) / 2)
    expected = (gamma.logpdf(sds**2) + np.log(2 * sds)).sum(axis=1)
    # the ratios are of the other strata's sds to the first's
    expected += 2 * np.log(sds[:, strata[0]])
    np.testing.assert_allclose(np.diff(np.subtract(*values)), np.diff(expected), atol=1e-8)


def test_coefficients_have_any_covariance(stanli):
    V = np.array([[4.0, 1.0], [1.0, 2.0]])
    call = (
        "MCMCglmm(Reaction ~ Days, prior = list(R = list(V = 1, nu = 1), "
        f"B = list(mu = c(1, 2), V = {r_matrix(V)})))"
    )
    rng = np.random.default_rng(8)
    betas = rng.normal(size=(4, 2))
    values = []
    for prior in (None, "flat"):
        model = m2s.model(call, table("sleepstudy"), prior=prior, strategy="noncentred")
        program = stanli.compile(model.stan_code, model.stan_data)
        T = model.stan_data["R_inverse"]
        points = [{"theta": np.linalg.solve(T, b), "sigma": 30.0} for b in betas]
        values.append([program.log_density(p, jacobian=False)[0] for p in points])
    expected = stats.multivariate_normal([1, 2], V).logpdf(betas)
    np.testing.assert_allclose(np.diff(np.subtract(*values)), np.diff(expected), atol=1e-8)
    collapsed = m2s.model(call, table("sleepstudy"))
    C, scale = collapsed.stan_data["C"], collapsed.stan_data["beta_scale"]
    np.testing.assert_allclose(np.linalg.inv(C.T @ np.diag(scale**-2.0) @ C), V)
    np.testing.assert_allclose(np.linalg.solve(C, collapsed.stan_data["beta_loc"]), [1, 2])


def test_a_known_covariance_is_data(stanli):
    call = DAM.format(
        term="us(sex):dam", R=R_PRIOR, G="list(V = diag(3) * 0.1 + 0.2, nu = 3, fix = 1)"
    )
    model = m2s.model(call, table("BTdata"))
    root = model.stan_data["known_root_dam"]
    np.testing.assert_allclose(root @ root.T, np.eye(3) * 0.1 + 0.2)
    fit = model.sample(chains=1, warmup=100, draws=50, seed=1, engine="stanli")
    assert fit.VarCorr().loc[("dam", "sexFem"), "sd"] == pytest.approx(np.sqrt(0.3))
    assert "sd_dam" not in fit.posterior


def test_the_prior_of_the_call_is_used_unless_another_is_asked_for():
    call = DAM.format(term="dam", R="list(V = 2, nu = 3)", G="list(V = 0.02, nu = 1)")
    own, default = (m2s.model(call, table("BTdata"), prior=p) for p in (None, "default"))
    assert own.priors.loc["sigma", "density"] == "inverse_wishart(nu = 3, V = 2), of the variance"
    assert own.priors.loc["beta[(Intercept)]", "density"] == "normal(0, 1e+05)"
    assert default.priors.loc["sigma", "density"].startswith("student_t")
    assert any("not used" in note for note in default.notes)
    part = m2s.model(call, table("BTdata"), prior={"sigma": "exponential(1)"})
    assert part.priors.loc["sigma", "density"] == "exponential(1)"
    assert part.priors.loc["sd_dam", "density"].startswith("inverse_wishart")


def test_its_default_is_improper_and_a_set_of_its_own():
    call = "lmer(Reaction ~ Days + (Days | Subject))"
    model = m2s.model(call, table("sleepstudy"), prior="mcmcglmm")
    improper = list(model.priors.index[~model.priors["proper"]])
    assert improper == [
        "sd_Subject[(Intercept)]", "sd_Subject[Days]", "cor_Subject", "sigma"
    ]  # fmt: skip
    assert "improper" in str(model)


def test_terms_of_one_factor_keep_their_own_variances():
    call = (
        "MCMCglmm(Reaction ~ Days, random = ~Subject + idh(Days):Subject, prior = list("
        "R = list(V = 1, nu = 1), G = list(G1 = list(V = 1, nu = 1), G2 = list(V = 2, nu = 3))))"
    )
    priors = m2s.model(call, table("sleepstudy")).priors
    assert "(nu = 3, V = 2)" in priors.loc["sd_Subject[Days]", "density"]
    assert "(nu = 1, V = 1)" in priors.loc["sd_Subject[(Intercept)]", "density"]


REFUSED = {
    "list(G = list(G1 = list(V = 1, nu = 1), G2 = list(V = 1, nu = 1)))": "has 2 elements",
    "list(G = list(G1 = list(V = diag(2), nu = 1)))": "V is 2 x 2",
    "list(G = list(G1 = list(nu = 1)))": "V is missing",
    "list(G = list(G1 = list(V = 1, n = 1, fx = 1)))": "nearest: 'fix'",
    "list(G = list(G1 = list(V = gamma(1), nu = 1)))": "cannot be read",
    "list(G = list(G1 = list(V = 1, nu = -1)))": "not negative",
    "list(G = list(G1 = list(V = 1, nu = 1, alpha.mu = 1, alpha.V = 2)))": "closed integral",
    "list(R = list(V = -1, fix = 1))": "has to be a positive number",
    "list(R = list(V = 1, nu = 1, alpha.mu = 0, alpha.V = 2))": "cannot be expanded",
    "list(B = list(mu = c(0, 0), V = diag(2)))": "not of 1 coefficients",
    "list(H = 3)": "what can be in it",
}


@pytest.mark.parametrize("prior", REFUSED)
def test_mistakes_are_named(prior):
    with pytest.raises(m2s.FormulaError) as caught:
        m2s.model(f"MCMCglmm(tarsus ~ 1, random = ~dam, prior = {prior})", table("BTdata"))
    assert REFUSED[prior] in str(caught.value)
