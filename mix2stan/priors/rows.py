"""Prior densities: one row each.

Scales are data, not text: a density row has slots (``loc``, ``scale``, ``rate``) that become data of
the Stan program, so that one compiled program serves every data set of its shape.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DENSITIES", "MATRICES", "SINGLE", "Density"]

#: Slots that are one number, or a matrix, whatever the size of the block.
SINGLE, MATRICES = frozenset({"eta", "nu"}), frozenset({"scale_matrix", "of_errors", "of_effects"})


@dataclass(frozen=True)
class Density:
    """A row of :data:`DENSITIES`.

    Attributes:
        text: the Stan density, with its data slots in braces, and ``term``, the identifier of what it
            is about, in the names of other parameters; empty if there is nothing to say.
        slots: the names of the data slots, in order.
        proper: whether it integrates to one.
        functions: the template with the Stan function it needs, if any.
        joint: whether it is one density of several parameters, which cannot be changed one by one.
        words: what it is called, if that is not its text.
    """

    text: str
    slots: tuple[str, ...] = ()
    proper: bool = True
    functions: str | None = None
    joint: bool = False
    words: str = ""


DENSITIES: dict[str, Density] = {
    "flat": Density("", proper=False),
    "normal": Density("normal({loc}, {scale})", ("loc", "scale")),
    "student_t": Density("student_t(3, {loc}, {scale})", ("loc", "scale")),
    "half_student_t": Density("student_t(3, 0, {scale})", ("scale",)),
    "exponential": Density("exponential({rate})", ("rate",)),
    "lkj": Density("lkj_corr_cholesky(1)"),
    "uniform": Density(""),
    "lognormal": Density("lognormal({loc}, {scale})", ("loc", "scale")),
    "normal_sigma": Density("normal(0, sigma)"),
    "std_normal": Density("std_normal()"),
    "normal_0": Density("normal(0, {scale})", ("scale",)),
    "lognormal_1": Density("lognormal(0, 1)"),
    "uniform_0_1": Density("uniform(0, 1)"),
    "uniform_1_1": Density("uniform(-1, 1)"),
    "uniform_rho": Density("uniform(cor_rho_lower, 1)"),
    "exponential_sigma": Density("exponential(1 / sigma)"),
    "gamma_2": Density("gamma(2, {rate})", ("rate",)),
    "gamma_small": Density("gamma(0.01, {rate})", ("rate",)),
    "uniform_unit": Density("beta(1, 1)"),
    "decov_1": Density("decov(1)", functions="functions/decov", joint=True),
    "decov": Density("decov(sigma)", functions="functions/decov", joint=True),
    # what a user can ask for besides: all numbers are data
    "student": Density("student_t({df}, {loc}, {scale})", ("df", "loc", "scale")),
    "cauchy": Density("cauchy({loc}, {scale})", ("loc", "scale")),
    "gamma": Density("gamma({shape}, {rate})", ("shape", "rate")),
    "gamma_sigma": Density("gamma({shape}, {rate} / sigma)", ("shape", "rate")),
    "inv_gamma": Density("inv_gamma({shape}, {scale})", ("shape", "scale")),
    "beta": Density("beta({a}, {b})", ("a", "b")),
    "logistic": Density("logistic({loc}, {scale})", ("loc", "scale")),
    "double_exponential": Density("double_exponential({loc}, {scale})", ("loc", "scale")),
    "between": Density("", words="uniform({lower}, {upper})"),
    "lkj_eta": Density("lkj_corr_cholesky({eta})", ("eta",)),
    # MCMCglmm's, of covariance matrices, as densities of standard deviations and a root
    "multi_normal": Density(
        "multi_normal({loc}, {scale_matrix})",
        ("loc", "scale_matrix"),
        joint=True,
        words="normal({loc}, {sd_of_scale_matrix}), correlated with the others",
    ),
    "inverse_gamma": Density(
        "inverse_gamma_sd({nu}, {V})",
        ("nu", "V"),
        functions="functions/inverse_gamma_sd",
        words="inverse_wishart(nu = {nu}, V = {V}), of the variance",
    ),
    "inverse_gammas": Density(
        "inverse_gamma_sds({df}, {V})",
        ("df", "V"),
        functions="functions/inverse_gamma_sds",
        joint=True,
        words="inverse_wishart(nu = {df}, V = {V}), of the variance",
    ),
    "inverse_gamma_ratios": Density(
        "inverse_gamma_ratios(sigma, {nu}, {V})",
        ("nu", "V"),
        functions="functions/inverse_gamma_ratios",
        joint=True,
        words="inverse_wishart(nu = {nu}, V = {V}), of the variance (sigma times this)^2",
    ),
    "inverse_wishart": Density(
        "inverse_wishart_sds(L_{term}, {nu}, {scale_matrix})",
        ("nu", "scale_matrix"),
        functions="functions/inverse_wishart_sds",
        joint=True,
        words="inverse_wishart(nu = {nu}), of the covariance matrix",
    ),
    "scaled_inverse_wishart": Density(
        "scaled_inverse_wishart_sds(L_{term}, {nu}, {V}, {alpha_V})",
        ("nu", "V", "alpha_V"),
        functions="functions/scaled_inverse_wishart_sds",
        joint=True,
        words="scaled inverse_wishart(nu = {nu}), of the covariance matrix",
    ),
    "inverse_wishart_root": Density(
        "inverse_wishart_root({nu})",
        ("nu",),
        functions="functions/inverse_wishart_root",
        words="correlations of inverse_wishart(nu = {nu})",
    ),
    "inverse_wishart_errors": Density(
        "inverse_wishart_errors(sigma, cor_L, {nu}, {of_errors})",
        ("nu", "of_errors"),
        functions="functions/inverse_wishart_errors",
        joint=True,
        words="inverse_wishart(nu = {nu}), of the errors' covariance matrix",
    ),
    "inverse_wishart_given_last": Density(
        "inverse_wishart_given_last(sigma, cor_L, {nu}, {of_errors})",
        ("nu", "of_errors"),
        functions="functions/inverse_wishart_given_last",
        joint=True,
        words="inverse_wishart(nu = {nu}), of the errors' covariance given its last variance",
    ),
    "inverse_wishart_given_block": Density(
        "inverse_wishart_given_block(L_{term}, slope_{term}, {nu}, {of_effects})",
        ("nu", "of_effects"),
        functions="functions/inverse_wishart_given_block",
        joint=True,
        words="inverse_wishart(nu = {nu}), of the covariance matrix given a block of it",
    ),
    "inverse_wishart_given_latter": Density(
        "inverse_wishart_given_latter(sigma, var_ratio_known, cor_L, cor_known, {nu}, {of_errors})",
        ("nu", "of_errors"),
        functions="functions/inverse_wishart_given_latter",
        joint=True,
        words="inverse_wishart(nu = {nu}), of the errors' covariance given a block of it",
    ),
    "with_sds": Density("", joint=True, words="in the density of the covariance matrix"),
}
