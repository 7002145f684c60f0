"""Models as MCMCglmm writes them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mix2stan.families import FAMILIES, LAYERS
from mix2stan.graph import Group, ModelGraph, Relationship, Response
from mix2stan.syntax import Call, Name, Node, format_number, quote_name
from mix2stan.translations.parts import (
    Source,
    call,
    columns_of,
    factor_text,
    formulas_of,
    no_subset,
    prepared,
    refuse,
    spelt,
)

__all__ = ["term", "write"]

#: Its variance functions; ``ante`` and its like get their order inside the name.
_KINDS = {
    **{kind: kind for kind in ("us", "idh", "idv", "corg", "corgh", "cors", "sub")},
    **{kind: kind for kind in ("ante", "antec", "antev", "antecv")},
    **dict.fromkeys(("scalar", "known", "known_block"), "us"),
}
#: Structures of which the prior holds a part: known variances, or ``fix``.
_IN_THE_PRIOR = frozenset({"corgh", "known", "cors", "sub", "known_block"})
_NEAREST = {
    "corh": "glmmTMB's cs() can; the corh() of the lecture's table is not implemented in MCMCglmm",
    "cs": "nearest: g + f:g, whose common correlation cannot be negative; nlme's pdCompSymm() can",
}


def write(source: Source) -> str:
    """``MCMCglmm(y ~ x, random = ~ us(1 + x):g)``."""
    graph = source.graph
    if graph.population.offsets:
        raise refuse("MCMCglmm", "an offset", "lme4 and glmmTMB can")
    if source.contrasts:
        raise refuse("MCMCglmm", "contrasts in the call", "set them with options(contrasts = …)")
    groups, family = list(graph.groups), ""
    response, data = str(graph.response.expression), source.data
    ordered = FAMILIES[graph.response.family].ordinal is not None
    if graph.response.traits:
        response, family = _responses(source)
    elif ordered:
        family = f'"{_ordered(graph.response)}"'
    elif not graph.response.linear:
        groups.remove(_overdispersion(source))
        family = f'"{_family(source)}"'
        response, data = _named_counts(graph.response.expression, data)
    formulas = formulas_of(graph.population.columns, source)
    # the first threshold is zero, so there has to be an intercept
    texts = [columns_of(f, intercept="", none="") or "1" if ordered else str(f) for f in formulas]
    if len(formulas) > 1:
        texts = ["0", *(columns_of(f, none="") for f in formulas)]
    fixed = " + ".join(texts)
    entries = [(group, f) for group in groups for f in _formulas(group, source)]
    random = " + ".join(_term(group, formula) for group, formula in entries)
    no_subset(source, "MCMCglmm")
    line, data = prepared(data, source)
    return line + call(
        "MCMCglmm",
        f"{response} ~ {fixed}",
        f"random = ~{random}" if random else "",
        _rcov(graph),
        f"family = {family}" if family else "",
        *_relationships(groups),
        f"data = {data}",
        _prior(groups, _known_errors(graph, ordered)),
    )


def _responses(source: Source) -> tuple[str, str]:
    """The columns of several responses, and their families."""
    layers = {layer.traits[0]: layer for layer in source.graph.response.layers}
    inner = {t for layer in layers.values() for t in layer.traits[1:]}
    columns: list[str] = []
    families: list[str] = []
    for trait in source.request.stacked:
        if trait.name in inner:
            continue
        layer = layers.get(trait.name)
        row = LAYERS[layer.family] if layer else None
        taken = [str(node) for node in trait.counts] or [str(trait.values)]
        columns += taken
        counted = str(len(taken)) if row and row.columns == 0 else ""
        families.append(f'"{row.mcmcglmm}{counted}"' if row else '"gaussian"')
    response = f"cbind({', '.join(columns)})" if len(columns) > 1 else columns[0]
    return response, f"c({', '.join(families)})" if len(families) > 1 else families[0]


def _overdispersion(source: Source) -> Group:
    """The effect of every row that MCMCglmm has in all models of counts."""
    for group in source.graph.groups:
        if group.factor.levels == source.model.data.rows and group.columns.intercept_only:
            return group
    what = "counts without an effect of every row"
    raise refuse("MCMCglmm", what, "nearest: the same model with overdispersion, rcov = ~ units")


def _family(source: Source) -> str:
    response = source.graph.response
    row = FAMILIES[response.family]
    link = row.mcmcglmm_link or row.links[0]
    if not row.mcmcglmm or response.link != link or response.weights is not None:
        what = f"{response.family} with link {response.link}"
        what += " and trials as weights" if response.weights is not None else ""
        raise refuse("MCMCglmm", what, "lme4's glmer() can")
    return row.mcmcglmm[0]


def _named_counts(response: Node, data: str) -> tuple[str, str]:
    """``cbind(a, n - a)`` with names only: MCMCglmm looks its parts up in the data."""
    if not isinstance(response, Call) or response.function != "cbind":
        return str(response), data
    names, made = [], []
    for i, argument in enumerate(response.args):
        if isinstance(argument.value, Name):
            names.append(str(argument.value))
        else:
            names.append(f"count{i + 1}")
            made.append(f"{names[-1]} = {argument.value}")
    changed = f"transform({data}, {', '.join(made)})" if made else data
    return f"cbind({', '.join(names)})", changed


def _formulas(group: Group, source: Source) -> tuple[Node, ...]:
    """The formulas of a term; the effects of ``str(a + b)`` are no columns."""
    return group.columns.formulas[:1] if group.factor.apart else formulas_of(group.columns, source)


def term(group: Group, source: Source) -> str:
    """One random term: ``~us(1 + x):g``."""
    return f"random = ~{' + '.join(_term(group, f) for f in _formulas(group, source))}"


def _term(group: Group, formula: Node) -> str:
    nearest = _NEAREST.get(group.covariance.kind, "nearest: us(f):g; glmmTMB may have it")
    function = spelt(group, _KINDS, "MCMCglmm", nearest)
    if group.factor.signs:
        return str(group.factor)
    if group.coupled and len(group.factor.variables) > 1:
        hint = "related levels of one factor can: random = ~ g, ginverse = list(g = Ainv)"
        raise refuse("MCMCglmm", f"related levels of {group.factor}", hint)
    factor = factor_text(group.factor.variables)
    if group.columns.intercept_only:
        return factor
    if function.startswith("ante"):
        # ante, order, v for one variance: antec2v
        name = function.removesuffix("v") if function != "ante" else function
        function = f"{name}{group.covariance.order}{'v' if function.endswith('v') else ''}"
    return f"{function}({columns_of(formula, none='')}):{factor}"


def _relationships(groups: list[Group]) -> list[str]:
    """``pedigree = ped``, and ``ginverse = list(sire = Ainv)`` for factors of other names."""
    related = {
        str(v): g.factor.relationship
        for g in groups
        if g.factor.relationship
        for v in g.factor.variables
    }
    animal = related.get("animal")
    found = []
    if animal is not None and animal.role == "pedigree":
        found.append(f"pedigree = {animal.source}")
        found += [] if animal.scaled else ["scale = FALSE"]
        del related["animal"]
    entries = [f"{quote_name(name)} = {_inverse(known)}" for name, known in related.items()]
    return found + ([f"ginverse = list({', '.join(entries)})"] if entries else [])


def _inverse(known: Relationship) -> str:
    if known.role == "pedigree":
        scale = "" if known.scaled else ", scale = FALSE"
        return f"inverseA({known.source}{scale})$Ainv"
    return f"solve({known.source})" if known.role == "covariance" else str(known.source)


def _rcov(graph: ModelGraph) -> str:
    residual, several = graph.residual, bool(graph.response.traits)
    if residual.plain:
        return "rcov = ~trait:units" if several else ""
    if several and residual.correlation is not None:
        return "rcov = ~us(trait):units"
    match residual.variances:
        case (part,) if residual.correlation is None:
            fixed = part.fixed and not graph.response.known
            if part.kind == "varIdent" and part.strata is not None and not fixed:
                return f"rcov = ~idh({factor_text(part.strata.variables)}):units"
    raise refuse("MCMCglmm", f"errors that are {residual}", "nlme's gls() and lme() can")


def _ordered(response: Response) -> str:
    """Its family of ordered categories, whose residual is the error behind them."""
    if (response.family, response.link) != ("cumulative", "probit"):
        what = f"{response.family} with link {response.link}"
        raise refuse("MCMCglmm", what, 'nearest: cumulative("probit")')
    return "threshold"


def _known_errors(graph: ModelGraph, ordered: bool) -> str:
    """R of the prior, where it holds variances of the errors that are known."""
    if ordered:
        return f"R = list(V = {format_number(graph.response.latent_sd**2)}, fix = 1)"
    known, traits = dict(graph.response.known), graph.response.traits
    if not (traits and "sigma" in known):
        return ""
    (part,) = graph.residual.variances
    ratios = {part.levels[0]: 1.0} | {name: x for _, given in part.fixed for name, x in given}
    first = next(k for k, trait in enumerate(traits) if trait in ratios)
    sds = np.array([known["sigma"] * ratios.get(trait, 1 / known["sigma"]) for trait in traits])
    correlation, q = graph.residual.correlation, len(traits)
    V = np.diag(sds**2)
    if correlation is not None and (correlation.fixed or correlation.latter):
        columns, rows = np.triu_indices(q - first, 1) + np.array([[first], [first]])
        given = np.array(correlation.fixed or correlation.latter)
        V[rows, columns] = V[columns, rows] = given * (sds[rows] * sds[columns])
    nu = "" if first == 0 else "nu = 0.002, "
    return f"R = list(V = {_matrix(V)}, {nu}fix = {first + 1})"


def _matrix(V: NDArray[np.float64]) -> str:
    """A covariance as R text."""
    q = len(V)
    if (np.eye(q) == V).all():
        return f"diag({q})"
    diagonal = bool((np.diag(np.diag(V)) == V).all())
    numbers = ", ".join(format_number(v) for v in (np.diag(V) if diagonal else V.ravel()).tolist())
    return f"diag(c({numbers}))" if diagonal else f"matrix(c({numbers}), {q})"


def _prior(groups: list[Group], R: str) -> str:
    """The prior, where it holds a part of the structure: known variances, or ``fix``."""
    if not any(g.covariance.kind in _IN_THE_PRIOR for g in groups):
        return f"prior = list({R})" if R else ""
    entries = []
    for i, group in enumerate(groups):
        fix = 1 if group.covariance.kind == "known" else group.covariance.order
        nu, more = len(group.columns.names), f", fix = {fix}" if fix else ""
        entries.append(f"G{i + 1} = list(V = {_matrix(_known(group))}, nu = {nu}{more})")
    G = f"G = {call('list', *entries)}"
    return f"prior = {call('list', R, G)}"


def _known(group: Group) -> NDArray[np.float64]:
    """A term's V: what is known of its covariance, and the identity."""
    V, known = np.eye(len(group.columns.names)), np.array(group.covariance.variances)
    if group.covariance.kind in ("known", "known_block"):
        rows = math.isqrt(len(known))
        V[-rows:, -rows:] = known.reshape(rows, rows)
    elif len(known):
        V = np.diag(known)
    return V
