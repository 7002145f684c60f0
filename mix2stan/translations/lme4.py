"""Models as lme4 1.1 writes them, and base R where there are no random terms."""

from __future__ import annotations

from mix2stan.design import terms
from mix2stan.graph import UNITS, Group, Residual, VarianceFunction
from mix2stan.syntax import Name, Node, Number, Operator, Parens, String
from mix2stan.translations.parts import (
    Source,
    bar,
    call,
    coded_alike,
    factor_text,
    family_text,
    prepared,
    refuse,
    spelt,
)

__all__ = ["bars_of", "formula_of", "split_columns", "term", "with_units", "write"]

_KINDS = dict.fromkeys(("scalar", "us", "idh"), "")
_NEAREST = {
    "cs": "nearest: (1 | g) + (1 | f:g), whose common correlation cannot be negative",
    "corh": "glmmTMB's cs() can; nearest: (0 + f | g), all its correlations free",
}


#: Families that glm() and glmer() have.
_HAS = frozenset("gaussian poisson binomial bernoulli Gamma inverse.gaussian".split())


def write(source: Source) -> str:
    """``lmer``, ``glmer`` or ``glmer.nb``; ``lm``, ``glm`` or ``glm.nb`` without random terms."""
    graph = source.graph
    family, grouped = graph.response.family, bool(graph.groups)
    function, extra = ("lmer" if grouped else "lm"), ""
    if family == "negbinomial":
        function = "glmer.nb" if grouped else "glm.nb"
        if graph.response.link != "log":
            raise refuse("lme4", f"glmer.nb with link {graph.response.link}", "its link is log")
    elif family not in _HAS:
        raise refuse("lme4", f"a response that is {family}", "glmmTMB or brms may")
    elif not graph.response.linear:
        function = "glmer" if grouped else "glm"
        extra = f"family = {family_text(graph)}"
    weights = graph.response.weights or graph.response.powers or _weights(graph.residual)
    bars = [text for group in graph.groups for text in bars_of(group, source)]
    coded_alike(source, "lme4", plain=True)
    line, data = prepared(with_units(source), source)
    return line + call(
        function,
        formula_of(source, bars),
        f"data = {data}",
        source.subset,
        extra,
        "" if weights is None else f"weights = {weights}",
        f"contrasts = {source.contrasts}" if source.contrasts else "",
    )


def _weights(residual: Residual) -> Node | None:
    """The weights of errors of the known variance 1 / weights."""
    if residual.plain:
        return None
    match residual.variances:
        case (VarianceFunction("varFixed", covariate=Node() as covariate) as part,):
            if residual.correlation is None:
                return part.weights or Operator("/", (Number(1.0), Parens(covariate)))
    hint = "nlme can: gls() and lme() take weights and correlation"
    raise refuse("lme4", f"errors that are {residual}", hint)


def formula_of(source: Source, bars: list[str]) -> str:
    """The model formula with its random terms."""
    population = source.graph.population
    offsets = [f"offset({o})" for o in population.offsets]
    right = [str(f) for f in population.columns.formulas]
    return f"{source.graph.response.expression} ~ {' + '.join([*right, *offsets, *bars])}"


def with_units(source: Source) -> str:
    """The data, with a factor of a level per row if the model has such a term by MCMCglmm's name."""
    named = any(Name(UNITS) in g.factor.variables for g in source.graph.groups)
    if not named:
        return source.data
    return f"transform({source.data}, {UNITS} = factor(1:{source.rows}))"


def term(group: Group, source: Source) -> str:
    """One random term: ``(1 + x | g)``."""
    return " + ".join(bars_of(group, source))


def bars_of(group: Group, source: Source) -> list[str]:
    """The random terms that a group term is in lme4."""
    nearest = _NEAREST.get(group.covariance.kind, "glmmTMB or MCMCglmm may; nearest: (0 + f | g)")
    spelt(group, _KINDS, "lme4", nearest)
    if group.covariance.kind != "idh":
        return [f"({bar(group, formula)})" for formula in group.columns.formulas]
    factor = factor_text(group.factor.variables)
    columns = [c for f in group.columns.formulas for c in split_columns(f, source)]
    return [f"({column} | {factor})" for column in columns]


def split_columns(formula: Node, source: Source) -> list[str]:
    """Every column of a formula as a formula of its own; ``dummy()`` for those of a factor."""
    parts, frame = terms(formula, columns=()), source.model.data.frame
    found = ["1"] if parts.intercept else []
    for term in parts.terms:
        product = term.product
        alone = Operator("+", (Number(0.0), product))
        names = source.model.data.names((formula,))
        if not any(frame.column(v).is_factor for v in term.variables):
            found.append(str(alone))
            continue
        if len(term.variables) != 1:
            raise refuse("lme4", f"independent effects of {product}", "MCMCglmm's idh() can")
        levels = [n.removeprefix(str(product)) for n in names if n.startswith(str(product))]
        found += [f"0 + dummy({product}, {String(level)})" for level in levels]
    return found
