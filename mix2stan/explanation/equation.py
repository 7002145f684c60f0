"""The equation of a model: the response, its predictor, the random effects, the errors."""

from __future__ import annotations

from mix2stan.documents import Block, Equation, Paragraph, Section, Text
from mix2stan.explanation.facts import Facts, listed, plural
from mix2stan.families import FAMILIES, LAYERS
from mix2stan.graph import Group, Layer, Predictor, Response
from mix2stan.links import LINKS
from mix2stan.mathematics import (
    ONE,
    ZERO,
    Apply,
    Fraction,
    Math,
    Number,
    Power,
    Symbol,
    Word,
    product,
    read,
    row,
    total,
)

__all__ = ["effect", "equation"]

#: A predictor of more columns is printed as a product of matrices.
_MOST_COLUMNS = 6
_MOST_EFFECTS = 3
_MU = Symbol("mu")

#: Links as they are written; others as functions of their name.
_LINKS: dict[str, Math] = {
    "identity": _MU,
    "sqrt": Apply("sqrt", (_MU,)),
    "inverse": Fraction(ONE, _MU),
    "1/mu^2": Fraction(ONE, Power(_MU, Number(2))),
}
#: Stan's distributions by the names that text books give them.
_DISTRIBUTIONS = {
    "normal": "Normal",
    "student_t": "StudentT",
    "lognormal": "Lognormal",
    "poisson": "Poisson",
    "neg_binomial_2": "NegBinomial",
    "bernoulli": "Bernoulli",
    "binomial": "Binomial",
    "gamma": "Gamma",
    "inverse_gaussian": "InverseGaussian",
    "beta_proportion": "Beta",
    "von_mises": "VonMises",
    "asym_laplace": "AsymmetricLaplace",
    "tweedie": "Tweedie",
}


def equation(facts: Facts) -> Section:
    """The model as one writes it on a board."""
    graph = facts.graph
    lines: list[Block] = [Equation(row(Word(str(graph.response.expression)), "~", _density(facts)))]
    link = _LINKS.get(graph.response.link, Apply(graph.response.link, (_MU,)))
    family = FAMILIES[graph.response.family]
    if family.ordinal:
        # the distribution is one of the predictor itself
        link = _MU
    # unordered categories have predictors of their own, and no mean
    if not family.categories or family.ordinal:
        lines.append(Equation(row(link, "=", _predictor(facts, graph.mean))))
    for further in graph.predictors:
        left: Math = Symbol(further.parameter)
        if further.link != "identity":
            left = Apply(further.link, (left,))
        lines.append(Equation(row(left, "=", _predictor(facts, further))))
    for layer in graph.response.layers:
        lines.append(Paragraph(_seen_through(layer)))
    for group in graph.groups:
        lines.append(Equation(_effects(facts, group)))
        if group.factor.relationship is not None:
            lines.append(Paragraph(_related(group)))
    if graph.response.levels:
        lines.append(Paragraph(_categories(graph.response)))
    return Section("Model", (*lines, Paragraph(_legend(facts))))


def _categories(response: Response) -> str:
    """The categories, in their order if they have one."""
    ordered = FAMILIES[response.family].ordinal is not None
    return f"categories: {(' < ' if ordered else ', ').join(response.levels)}"


def _seen_through(layer: Layer) -> str:
    """The distribution of a response given its latent variables."""
    row, names = LAYERS[layer.family], [f"y of {trait}" for trait in layer.traits]
    if len(names) == 1:
        mean = LINKS[layer.link].stan.format(eta=names[0])
        seen = FAMILIES[layer.family].said(mean)
        return f"{layer.response} ~ {seen}: what is Gaussian is its predictor, residual included."
    data = {entry: entry for entry in row.entries}
    seen = row.words.format(*names, list=", ".join(names), **data)
    return (
        f"{layer.response} ~ {seen}: what is Gaussian are these predictors, residuals included, "
        f"{row.meaning}."
    )


def _density(facts: Facts) -> Math:
    """The distribution of an observation; a normal one is written with its variance."""
    response = facts.graph.response
    family = FAMILIES[response.family]
    if family.categories:
        return Word(family.words(response.link).replace("{eta}", "mu"))
    try:
        found = read(family.density.replace("./", "/"), mu=_MU, trials=Symbol("n"))
    except ValueError:
        return Word(family.density)
    if not isinstance(found, Apply):
        return found
    name = _DISTRIBUTIONS.get(found.function, found.function)
    if found.function != "normal":
        return Apply(name, found.arguments)
    sigma2 = Power(Symbol("sigma"), Number(2))
    residual = facts.graph.residual
    multipliers = [
        Power(Symbol("g", str(i + 1) if len(residual.variances) > 1 else ""), Number(2))
        for i in range(len(residual.variances))
    ]
    return Apply(name, (found.arguments[0], product(sigma2, *multipliers)))


def _predictor(facts: Facts, predictor: Predictor) -> Math:
    """The sum of the population part, the offsets and the effects."""
    population, of = predictor.population, predictor.parameter
    names = population.columns.names
    parts: list[Math] = [_coefficient(name, of) for name in names]
    if len(names) > _MOST_COLUMNS:
        parts = [product(Symbol("X", of), Symbol("beta", of))]
    parts += [Word(str(offset)) for offset in population.offsets]
    for group in facts.graph.groups_in(of):
        columns = [group.columns.names[k] for k in group.columns_in(of)]
        called = next((s.name for s in group.shares if s.parameter == of and not s.response), of)
        if len(columns) > _MOST_EFFECTS:
            parts.append(product(Symbol("z", facts.name(group)), effect(facts, group)))
        else:
            parts += [
                product(effect(facts, group, name), _column(_within(name, called)))
                for name in columns
            ]
    return total(*parts) if parts else ZERO


def _within(name: str, of: str) -> str:
    """The column's own name, where a shared term calls it that of a parameter: ``sigma[x]``."""
    return name[len(of) + 1 : -1] if of and name.startswith(f"{of}[") else name


def _column(name: str) -> Math:
    return ONE if name == "(Intercept)" else Word(name)


def _coefficient(name: str, of: str) -> Math:
    sub = "0" if name == "(Intercept)" else name
    return product(Symbol("beta", f"{of},{sub}" if of else sub), _column(name))


def effect(facts: Facts, group: Group, column: str = "") -> Symbol:
    """The effects of a level, or the one on a column."""
    name = facts.name(group)
    plain = not column or column == "(Intercept)"
    return Symbol("b", name if plain else f"{name}[{column}]")


def _effects(facts: Facts, group: Group) -> Math:
    """The distribution of the effects of a level."""
    columns = group.columns.names
    if len(columns) == 1:
        spread = facts.entry(group, 0, 0)
        return row(effect(facts, group, columns[0]), "~", Apply("Normal", (ZERO, spread)))
    Sigma = facts.tagged(group, Symbol("Sigma"))
    left: Math = effect(facts, group)
    if len(columns) <= _MOST_EFFECTS:
        left = Apply("", tuple(effect(facts, group, name) for name in columns))
    return row(left, "~", Apply("Normal", (ZERO, Sigma)))


def _related(group: Group) -> str:
    """What relates the levels of a term."""
    known = group.factor.relationship
    assert known is not None
    inverse = "the inverse of " if known.role == "inverse" and known.form == "matrix" else ""
    said = {"recursion": "the relationships in", "matrix": f"the covariance K, {inverse}"}
    return f"levels of {group.factor} related by {said[known.form].rstrip()} {known}"


def _legend(facts: Facts) -> Text:
    """What the symbols stand for."""
    graph = facts.graph
    words = [f"{facts.data.count} observations of {graph.response.expression}"]
    names = graph.population.columns.names
    if names:
        words.append(f"population: {listed(names, 12)}")
    for group in graph.groups:
        name, levels = facts.name(group), plural(group.factor.levels, "level")
        words.append(f"b_{name} are the effects of the observation's {group.factor}, {levels}")
    words += [f"{name} is known to be {value:g}" for name, value in graph.response.known]
    if graph.response.powers is not None:
        words.append(
            f"the log-likelihood of an observation is multiplied by {graph.response.powers}"
        )
    if graph.response.noise is not None:
        words.append(
            f"an observation has the known standard error {graph.response.noise} besides σ"
        )
    if not graph.residual.plain:
        words.append(f"errors: {graph.residual}")
    return "; ".join(words) + "."
