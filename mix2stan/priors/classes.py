"""brms' classes of parameters: which of a model's they are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from mix2stan.covariances import COVARIANCES
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.families import FAMILIES, threshold_labels
from mix2stan.graph import Group, ModelGraph, Predictor, Share, StatedPrior
from mix2stan.priors.densities import Written, parse_density
from mix2stan.priors.names import block_names
from mix2stan.priors.stacked import intercept_names, response_of_columns
from mix2stan.residuals import error_blocks

__all__ = ["in_brms_letters", "in_brms_names", "of_classes"]

#: What brms leaves out of the names of columns, and writes for operators.
_PLAIN = str.maketrans(
    {
        **dict.fromkeys(" ()[],\"'?", ""),
        "+": "P",
        "-": "M",
        "*": "MU",
        "/": "D",
        "^": "E",
        "=": "EQ",
    }
)


def in_brms_letters(name: str) -> str:
    """The name of a column as brms writes it.

    >>> in_brms_letters("poly(x, 2)1:f[a]")
    'polyx21:fa'
    """
    return name.translate(_PLAIN)


def in_brms_names(name: str) -> str:
    """The name of a response, or of a category, as brms has it in the names of parameters.

    >>> in_brms_names("log(y_2)")
    'logy2'
    """
    return re.sub(r"[^A-Za-z0-9]", "", name)


def of_classes(graph: ModelGraph, blocks: Collection[str]) -> list[tuple[str, Written]]:
    """The densities of a call by the names of the table of priors, those of few parameters last.

    Args:
        graph: the resolved model.
        blocks: all that have a prior.

    Raises:
        FormulaError: if the model has no such parameters, or a density cannot be read.
        Unsupported: if it is one that is not known here, or of a parameter that brms has otherwise.
    """
    found = []
    # brms lets what says more go before what says less, in any order
    for stated in sorted(graph.stated, key=lambda s: (bool(s.coefficient), bool(s.group))):
        names = [name for name, block in _names(graph, stated, blocks) if block in blocks]
        if not names and not stated.optional:
            raise FormulaError(
                f"the model has no parameters of {stated} to have a prior",
                span=stated.span,
                hint=_hint(graph, stated),
            )
        try:
            written = replace(parse_density(stated.density), span=stated.span)
        except FormulaError as error:
            raise type(error)(error.message, span=stated.span, hint=error.hint) from None
        found += [
            (n, replace(written, unit="sigma" if n.startswith("var_ratio[") else ""))
            for n in dict.fromkeys(names)
        ]
    return found


def _hint(graph: ModelGraph, stated: StatedPrior) -> str:
    responses = [in_brms_names(trait) for trait in graph.response.traits]
    if responses and stated.response not in responses:
        return f"say of which response it is: resp = {' or '.join(responses)}"
    if stated.kind == "b" and stated.coefficient == "Intercept":
        return "class = Intercept is its prior, or y ~ 0 + Intercept + x makes it a coefficient"
    if FAMILIES[graph.response.family].unordered and not stated.parameter:
        categories = " or ".join(_dpars(graph).values())
        return f"say of which category it is: dpar = {categories}"
    return "classes are b, Intercept, sd, cor and the family's parameters; see model.priors"


def _dpars(graph: ModelGraph) -> dict[str, str]:
    """brms' names of the parameters that have predictors, by ours."""
    names = {p.parameter: p.parameter for p in graph.every_predictor}
    if not FAMILIES[graph.response.family].unordered:
        return names
    levels = [f"mu{in_brms_names(level)}" for level in graph.response.levels[1:]]
    return dict(zip([p.parameter for p in graph.predictors], levels, strict=True))


def _names(
    graph: ModelGraph, stated: StatedPrior, blocks: Collection[str]
) -> Iterator[tuple[str, str]]:
    """The names of parameters, each with the block it is of."""
    if stated.kind in ("sd", "cor"):
        yield from _of_groups(graph, stated)
    elif stated.kind in ("b", "Intercept") and not stated.group:
        yield from _of_predictor(graph, stated, blocks)
    elif graph.response.traits and not stated.group:
        yield from _of_stacked_errors(graph, stated)
    elif not (stated.coefficient or stated.group or stated.parameter or stated.response):
        if stated.kind == "sigma" and graph.residual.correlation is not None:
            message = "brms' sigma is the sd of the innovations, and this one that of the errors"
            hint = 'the errors\' can have a prior: prior = {"sigma": "…"}'
            raise Unsupported(message, span=stated.span, hint=hint)
        name = _ERRORS.get(stated.kind, stated.kind)
        yield name, name


#: What brms calls parameters of the errors.
_ERRORS = {"ar": "cor_phi", "Lrescor": "cor_L", "rescor": "cor_L"}


def _of_stacked_errors(graph: ModelGraph, stated: StatedPrior) -> Iterator[tuple[str, str]]:
    """Of stacked responses: the sd of the first is sigma, those of the others are ratios to it."""
    if stated.kind in ("rescor", "Lrescor") and not stated.response:
        yield "cor_L", "cor_L"
    for block in error_blocks(graph.residual) if stated.kind == "sigma" else ():
        if block.name != "var_ratio" or block.part is None:
            continue
        # ratios have the densities of what they are ratios of, in units of the first
        if in_brms_names(block.part.levels[0]) == stated.response:
            yield "sigma", "sigma"
        for label in block.labels:
            if in_brms_names(label) == stated.response:
                yield f"var_ratio[{label}]", "var_ratio"


def _of_predictor(
    graph: ModelGraph, stated: StatedPrior, blocks: Collection[str]
) -> Iterator[tuple[str, str]]:
    dpars, unordered = _dpars(graph), FAMILIES[graph.response.family].unordered
    for predictor in graph.every_predictor:
        # what is said of no category is said of all
        every = unordered and not stated.parameter and not stated.coefficient
        if stated.response and not graph.response.traits:
            continue
        if not every and dpars.get(predictor.parameter) != stated.parameter:
            continue
        if stated.kind == "Intercept":
            yield from _intercepts(graph, predictor, stated, blocks)
        else:
            yield from _slopes(graph, predictor, stated, blocks)


def _intercepts(
    graph: ModelGraph, predictor: Predictor, stated: StatedPrior, blocks: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Those whose prior is about the mean of the other columns; of ordered categories thresholds."""
    label = predictor.parameter or "beta"
    if not predictor.parameter and "intercepts" in blocks and not stated.coefficient:
        for name, response in intercept_names(graph).items():
            if stated.response in ("", in_brms_names(response)):
                yield f"{label}[{name}]", "intercepts"
    elif not predictor.parameter and "thresholds" in blocks:
        for i, (name, block) in enumerate(_thresholds(graph), start=1):
            if stated.coefficient in ("", str(i)):
                yield name, block
    elif f"intercept{predictor.suffix}" in blocks and not stated.coefficient:
        yield f"{label}[(Intercept)]", f"intercept{predictor.suffix}"


def _thresholds(graph: ModelGraph) -> list[tuple[str, str]]:
    return [(f"{b}[{name}]", b) for b, names in threshold_labels(graph) for name in names]


def _slopes(
    graph: ModelGraph, predictor: Predictor, stated: StatedPrior, blocks: Collection[str]
) -> Iterator[tuple[str, str]]:
    """The coefficients; an intercept is one where it has no prior of its own."""
    label, block = predictor.parameter or "beta", f"beta{predictor.suffix}"
    others = set(intercept_names(graph)) if "intercepts" in blocks else set()
    others |= {"(Intercept)"} if f"intercept{predictor.suffix}" in blocks else set()
    columns = [n for n in predictor.population.columns.names if n not in others]
    of = response_of_columns(graph) if graph.response.traits else {}
    if of and (stated.response or stated.coefficient):
        columns = [n for n in columns if in_brms_names(of[n][0]) == stated.response]
    if not stated.coefficient:
        yield from ((f"{label}[{name}]", block) for name in columns)
        return
    theirs = {in_brms_letters(of[name][1] if of else name): name for name in columns}
    if stated.coefficient in theirs:
        yield f"{label}[{theirs[stated.coefficient]}]", block
    elif columns and stated.coefficient != "Intercept":
        raise _no_coefficient(stated, theirs)


def _of_groups(graph: ModelGraph, stated: StatedPrior) -> Iterator[tuple[str, str]]:
    """Of the terms' standard deviations those in the predictor, of their correlations all."""
    for group in graph.groups:
        if stated.group and not _is_factor(group, stated.group):
            continue
        for parameter in COVARIANCES[group.covariance.kind].parameters:
            block = f"{parameter.name}_{group.id}"
            if stated.kind == "cor" and parameter.shape == "L":
                if not (stated.parameter or stated.response or stated.coefficient):
                    yield block_names(block)[0], block
            elif stated.kind == "sd" and parameter.density == "sd":
                own = _own_columns(graph, group, stated)
                names = parameter.labels(group.columns.names, group.covariance.order)
                for i in own:
                    single = parameter.shape == "real"
                    yield block if single else f"{block}[{names[i]}]", block


def _is_factor(group: Group, name: str) -> bool:
    """brms lets the factors of a combination stand in any order."""
    return sorted(str(group.factor).split(":")) == sorted(name.split(":"))


def _own_columns(graph: ModelGraph, group: Group, stated: StatedPrior) -> list[int]:
    """The columns of a term that a prior of standard deviations is about."""
    names, dpars = group.columns.names, _dpars(graph)
    if graph.response.traits:
        of = response_of_columns(graph, group)
        found = {
            i: of[n][1] for i, n in enumerate(names) if in_brms_names(of[n][0]) == stated.response
        }
    else:
        shares = group.shares or (Share(group.owner, 0, len(names)),)
        found = {
            i: names[i].removeprefix(f"{share.name}[").removesuffix("]" * bool(share.name))
            if group.shares
            else names[i]
            for share in shares
            if in_brms_names(share.response) == stated.response
            and dpars.get(share.parameter, share.parameter) == stated.parameter
            for i in range(share.start, share.stop)
        }
    if not stated.coefficient:
        return list(found)
    theirs = {in_brms_letters(name): i for i, name in found.items()}
    if theirs and stated.coefficient not in theirs and stated.group:
        raise _no_coefficient(stated, theirs)
    return [theirs[stated.coefficient]] if stated.coefficient in theirs else []


def _no_coefficient(stated: StatedPrior, theirs: Collection[str]) -> FormulaError:
    hint = suggestion(stated.coefficient, theirs, what="the coefficients")
    message = f"there is no coefficient {stated.coefficient!r}"
    return FormulaError(message, span=stated.span, hint=hint)
