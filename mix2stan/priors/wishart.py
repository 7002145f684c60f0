"""MCMCglmm's priors: inverse Wishart distributions, as densities of what the programs sample.

A covariance is sampled as standard deviations and the root of its correlations, so that its density
is that of the matrix times a Jacobian.  Parameter expansion, where effects are scaled by normal
numbers, is not sampled: the scales are integrated out (Huang and Wand 2013, for general nu).
Everything follows MCMCglmm 2.36 (``priorformat.R``, and its course notes).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mix2stan.errors import FormulaError, Unsupported
from mix2stan.families import FAMILIES
from mix2stan.graph import CallPrior, Group, ModelGraph, Prior, Rows, WishartPrior
from mix2stan.residuals import error_blocks
from mix2stan.syntax import format_number

__all__ = ["call_priors", "side_by_side", "unlike"]

Array = NDArray[np.float64]

#: The variance of coefficients, where nothing is said.
_WIDE = 1e10


def call_priors(graph: ModelGraph) -> list[Prior]:
    """The priors of every block that MCMCglmm has a prior of, from the call or its defaults.

    Raises:
        FormulaError: if a matrix has not the size of what it is about.
        Unsupported: if the prior cannot be expressed.
    """
    given = graph.prior or CallPrior()
    priors = _coefficients(graph, given)
    for group in graph.groups_of(""):
        prior = group.prior or WishartPrior(group.covariance.kind)
        if group.covariance.kind in _RULES and not unlike(group):
            priors += _RULES[group.covariance.kind](group, prior)
    if "sigma" in FAMILIES[graph.response.family].parameters:
        priors += _errors(graph, given.residual)
    return priors


def unlike(group: Group) -> bool:
    """Whether the call's prior is of another structure than the one it comes down to."""
    kind, theirs = group.covariance.kind, group.prior
    if theirs is None:
        return kind not in _RULES
    alike = {"scalar": ("us", "idh", "idv"), "corg": ("corg", "cor")}
    return kind not in _RULES or theirs.kind not in alike.get(kind, (kind, "scalar"))


def side_by_side(
    a: tuple[WishartPrior | None, int], b: tuple[WishartPrior | None, int]
) -> WishartPrior | None:
    """The prior of two independent terms as one; each comes with its number of columns."""
    (first, p), (second, q) = a, b
    if first is None or second is None:
        return None
    V, alpha_V = np.eye(p + q), np.zeros((p + q, p + q))
    V[:p, :p], V[p:, p:] = _matrix(first, p), _matrix(second, q)
    alpha_V[:p, :p], alpha_V[p:, p:] = _alpha(first, p), _alpha(second, q)
    mu = (*(first.alpha_mu or (0.0,) * p), *(second.alpha_mu or (0.0,) * q))
    nu = (*_each(first, p), *_each(second, q))
    expanded = _rows(alpha_V) if alpha_V.any() else ()
    return WishartPrior("idh", nu, _rows(V), mu, expanded, first.span)


# -- the coefficients ------------------------------------------------------------------------------


def _coefficients(graph: ModelGraph, given: CallPrior) -> list[Prior]:
    K = len(graph.population.columns.names)
    if not K:
        return []
    mean, source = given.mean or (0.0,) * K, "MCMCglmm"
    if not given.variance:
        values = (("loc", mean), ("scale", (_WIDE**0.5,) * K))
        return [Prior("beta", "normal", values, f"{source}: variance 1e10")]
    V = np.array(given.variance)
    if V.shape != (K, K) or len(mean) != K:
        names = ", ".join(graph.population.columns.names)
        message = f"B of the prior is not of {K} coefficients: {names}"
        raise FormulaError(message, span=given.span)
    source += ": B of the call"
    if _diagonal(V):
        scale = tuple(np.sqrt(np.diag(V)).tolist())
        return [Prior("beta", "normal", (("loc", mean), ("scale", scale)), source)]
    values = (("loc", mean), ("scale_matrix", tuple(V.ravel().tolist())))
    return [Prior("beta", "multi_normal", values, source)]


# -- group terms -----------------------------------------------------------------------------------


def _one(group: Group, prior: WishartPrior) -> list[Prior]:
    """One variance."""
    q = 1
    V, nu = float(_matrix(prior, q)[0, 0]), prior.nu[0]
    block, source = f"sd_{group.id}", _source(prior, q)
    if prior.alpha_V:
        _check_expansion(prior, q)
        return [_half_t(block, _each(prior, q), np.array([V]), _alpha(prior, q), source)]
    values = (("nu", (nu,)), ("V", (V,)))
    return [Prior(block, "inverse_gamma", values, source, proper=nu > 0)]


def _independent(group: Group, prior: WishartPrior) -> list[Prior]:
    """A variance per column, each with the same degrees of freedom."""
    q = len(group.columns.names)
    V, nu = np.diag(_matrix(prior, q)), _each(prior, q)
    block, source, alpha_V = f"sd_{group.id}", _source(prior, q), _alpha(prior, q)
    if prior.alpha_V:
        _check_expansion(prior, q)
        if not np.diag(alpha_V).all():
            message = "some of the effects are expanded, and some are not"
            raise Unsupported(message, span=prior.span, hint="give alpha.V to all, or to none")
        return [_half_t(block, nu, V, alpha_V, source)]
    values = (("df", nu), ("V", tuple(V.tolist())))
    return [Prior(block, "inverse_gammas", values, source, proper=min(nu) > 0)]


def _unstructured(group: Group, prior: WishartPrior) -> list[Prior]:
    """All variances and covariances."""
    q = len(group.columns.names)
    V, nu = _matrix(prior, q), prior.nu[0]
    source, proper = _source(prior, q), nu > q - 1
    root = Prior(f"L_{group.id}", "with_sds", (), source, proper=proper)
    numbers: tuple[tuple[str, tuple[float, ...]], ...] = (("nu", (nu,)),)
    if prior.alpha_V:
        _check_expansion(prior, q)
        if not _diagonal(V):
            message = "V of expanded parameters is not diagonal: the scales have no closed integral"
            raise Unsupported(message, span=prior.span, hint="V = diag(k) can be expressed")
        numbers += (("V", tuple(np.diag(V).tolist())),)
        numbers += (("alpha_V", tuple(np.diag(_alpha(prior, q)).tolist())),)
        density = "scaled_inverse_wishart"
    else:
        numbers += (("scale_matrix", tuple(V.ravel().tolist())),)
        density = "inverse_wishart"
    return [Prior(f"sd_{group.id}", density, numbers, source, proper=proper), root]


def _given_block(group: Group, prior: WishartPrior) -> list[Prior]:
    """All variances and covariances but those of a block, given which the others are."""
    q, nu = len(group.columns.names), prior.nu[0]
    if prior.alpha_V:
        message = "effects with a known block of covariances cannot be expanded"
        raise Unsupported(message, span=prior.span, hint="leave alpha.V away")
    source = f"{_source(prior, q)}, given a known block"
    free = group.covariance.order - 1
    proper = nu > free - 1
    numbers = (("nu", (nu,)), ("of_effects", tuple(_matrix(prior, q).ravel().tolist())))
    block = f"rest_{group.id}"
    whole = Prior(block, "inverse_wishart_given_block", numbers, source, proper=proper)
    others = (f"{name}_{group.id}" for name in ("L", "slope"))
    return [whole, *(Prior(b, "with_sds", (), source, proper=proper) for b in others)]


def _correlations(group: Group, prior: WishartPrior) -> list[Prior]:
    """Correlations alone: those of an inverse Wishart matrix with the scale matrix I."""
    q, nu = len(group.columns.names), prior.nu[0]
    if prior.alpha_V:
        message = "correlations cannot be expanded"
        raise FormulaError(message, span=prior.span, hint="leave alpha.V away")
    source = f"MCMCglmm: nu = {format_number(nu)}"
    values = (("nu", (nu,)),)
    proper = nu > q - 1
    return [Prior(f"L_{group.id}", "inverse_wishart_root", values, source, proper=proper)]


def _nothing(group: Group, prior: WishartPrior) -> list[Prior]:
    """A known covariance has no parameter."""
    return []


_RULES = {
    "scalar": _one,
    "idv": _one,
    "idh": _independent,
    "us": _unstructured,
    "corg": _correlations,
    "corgh": _correlations,
    "known": _nothing,
    "known_block": _given_block,
}


def _half_t(block: str, nu: tuple[float, ...], V: Array, alpha_V: Array, source: str) -> Prior:
    """Of one variance, the scale integrated out is a half Student's t."""
    scale = tuple(np.sqrt(V * np.diag(alpha_V)).tolist())
    values = (("df", nu), ("loc", (0.0,) * len(nu)), ("scale", scale))
    return Prior(block, "student", values, f"{source}: sqrt(V alpha.V) |t|", proper=min(nu) > 0)


def _check_expansion(prior: WishartPrior, q: int) -> None:
    """Refuse expansions whose scales cannot be integrated out."""
    if any(prior.alpha_mu):
        message = "alpha.mu is not zero: the scales have no closed integral"
        raise Unsupported(message, span=prior.span, hint="alpha.mu = 0 can be expressed")
    if min(prior.nu) <= 0:
        message = "expanded parameters need nu above 0"
        raise FormulaError(message, span=prior.span, hint="nu = 1 makes an sd half-Cauchy")
    if not _diagonal(_alpha(prior, q)):
        message = "alpha.V is not diagonal: the scales have no closed integral"
        raise Unsupported(
            message, span=prior.span, hint="alpha.V = diag(k) * 1000 can be expressed"
        )


# -- the errors ------------------------------------------------------------------------------------


def _errors(graph: ModelGraph, prior: WishartPrior) -> list[Prior]:
    """One variance, or one per stratum: sigma is the sd of the first, the others are ratios to it."""
    if prior.alpha_V:
        message = "the residual variance cannot be expanded"
        raise FormulaError(message, span=prior.span, hint="leave alpha.V of R away")
    free = [b for b in error_blocks(graph.residual) if b.free]
    if graph.response.traits and not free and graph.response.known:
        return []
    if graph.response.traits and graph.residual.correlation is not None:
        return _of_responses(graph, prior)
    known = len(free[0].known) if free else 1
    strata = len(free[0].labels) + known if free else 1
    V, nu = np.diag(_matrix(prior, strata)).tolist(), prior.nu[0]
    source, proper = _source(prior, strata), nu > 0
    values = (("nu", (nu,)), ("V", (V[0],)))
    priors = [Prior("sigma", "inverse_gamma", values, source, proper=proper)]
    priors = [] if graph.response.known else priors
    # other structures of the errors are none of MCMCglmm's
    if len(free) == 1 and free[0].part is not None and free[0].part.kind == "varIdent":
        values = (("nu", (nu,)), ("V", tuple(V[known:])))
        density = "inverse_gamma_ratios"
        priors.append(Prior(free[0].name, density, values, source, proper=proper))
    return priors


def _of_responses(graph: ModelGraph, prior: WishartPrior) -> list[Prior]:
    """All variances and covariances of the errors of several responses."""
    q = len(graph.response.traits)
    V, nu = _matrix(prior, q), prior.nu[0]
    source, proper = _source(prior, q), nu > q - 1
    if graph.response.known:
        return _given_latter(graph, V, nu, source)
    values = (("nu", (nu,)), ("of_errors", tuple(V.ravel().tolist())))
    together = [Prior(block, "with_sds", (), source, proper=proper) for block in ("sigma", "cor_L")]
    whole = Prior("var_ratio", "inverse_wishart_errors", values, source, proper=proper)
    return [together[0], whole, together[1]]


def _given_latter(graph: ModelGraph, V: Array, nu: float, source: str) -> list[Prior]:
    """The same given the variances, and covariances, of the last responses, which are known.

    V is sorted by strata, of which those known come first.
    """
    (part,), correlation = graph.residual.variances, graph.residual.correlation
    assert correlation is not None
    order = [part.levels.index(trait) for trait in graph.response.traits]
    free = next(len(b.labels) for b in error_blocks(graph.residual) if b.part is part)
    density, what = "inverse_wishart_given_last", "the last variance"
    if correlation.latter:
        # the program has them from the last to the first
        order, density, what = order[::-1], "inverse_wishart_given_latter", "a block"
    numbers = tuple(V[np.ix_(order, order)].ravel().tolist())
    values = (("nu", (nu,)), ("of_errors", numbers))
    source, proper = f"{source}, {what} fixed", nu > free - 1
    whole = Prior("var_ratio", density, values, source, proper=proper)
    return [whole, Prior("cor_L", "with_sds", (), source, proper=proper)]


# -- matrices --------------------------------------------------------------------------------------


def _matrix(prior: WishartPrior, q: int) -> Array:
    """V, of q columns.

    Raises:
        FormulaError: if it is of another size, or no covariance.
    """
    if not prior.V:
        return np.eye(q)
    V = np.array(prior.V)
    if V.shape != (q, q):
        message = f"V is {V.shape[0]} x {V.shape[1]}; it is about {q} x {q} (co)variances"
        raise FormulaError(message, span=prior.span, hint=f"write V = diag({q})" if q > 1 else None)
    if not np.allclose(V, V.T) or np.linalg.eigvalsh(V).min() <= 0:
        raise FormulaError("V is not a covariance matrix", span=prior.span)
    return V


def _alpha(prior: WishartPrior, q: int) -> Array:
    if not prior.alpha_V:
        return np.zeros((q, q))
    alpha_V = np.array(prior.alpha_V)
    if alpha_V.shape != (q, q) or len(prior.alpha_mu or (0.0,) * q) != q:
        raise FormulaError(f"alpha.mu and alpha.V are not of {q} scales", span=prior.span)
    return alpha_V


def _each(prior: WishartPrior, q: int) -> tuple[float, ...]:
    return prior.nu if len(prior.nu) == q else prior.nu[:1] * q


def _diagonal(matrix: Array) -> bool:
    return bool((matrix == np.diag(np.diag(matrix))).all())


def _rows(matrix: Array) -> Rows:
    return tuple(tuple(row) for row in matrix.tolist())


def _source(prior: WishartPrior, q: int) -> str:
    """V and nu in words."""
    V = _matrix(prior, q)
    numbers = np.diag(V) if _diagonal(V) else V.ravel()
    text = ", ".join(format_number(v, 4) for v in dict.fromkeys(numbers.tolist()))
    text = text if q == 1 else f"diag({text})" if _diagonal(V) else f"({text})"
    nu = ", ".join(format_number(v, 4) for v in dict.fromkeys(prior.nu))
    improper = "" if min(prior.nu) > 0 else "; improper"
    return f"MCMCglmm: V = {text}, nu = {nu}{improper}"
