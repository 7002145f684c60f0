"""brms' classes of parameters: which of a model's they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mix2stan.covariances import COVARIANCES
from mix2stan.errors import FormulaError, suggestion
from mix2stan.graph import ModelGraph, StatedPrior
from mix2stan.priors.densities import Written, parse_density
from mix2stan.priors.names import block_names

__all__ = ["in_brms_letters", "of_classes"]

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


def of_classes(graph: ModelGraph, blocks: Collection[str]) -> list[tuple[str, Written]]:
    """The densities of a call by the names of the table of priors, those of few parameters last.

    Args:
        graph: the resolved model.
        blocks: all that have a prior.

    Raises:
        FormulaError: if the model has no such parameters, or a density cannot be read.
    """
    found = []
    # brms lets what says more go before what says less, in any order
    for stated in sorted(graph.stated, key=lambda s: (bool(s.coefficient), bool(s.group))):
        names = [name for name, block in _names(graph, stated, blocks) if block in blocks]
        if not names:
            raise FormulaError(
                f"the model has no parameters of {stated} to have a prior",
                span=stated.span,
                hint="classes are b, Intercept, sd, cor and the family's parameters; see model.priors",
            )
        try:
            written = parse_density(stated.density)
        except FormulaError as error:
            raise FormulaError(error.message, span=stated.span, hint=error.hint) from None
        found += [(name, written) for name in names]
    return found


def _names(
    graph: ModelGraph, stated: StatedPrior, blocks: Collection[str]
) -> Iterator[tuple[str, str]]:
    """The names of parameters, each with the block it is of."""
    if stated.kind in ("sd", "cor"):
        yield from _of_groups(graph, stated)
    elif stated.kind in ("b", "Intercept"):
        yield from _of_predictor(graph, stated, blocks)
    else:
        yield stated.kind, stated.kind


def _of_predictor(
    graph: ModelGraph, stated: StatedPrior, blocks: Collection[str]
) -> Iterator[tuple[str, str]]:
    for predictor in graph.every_predictor:
        if predictor.parameter != stated.parameter:
            continue
        s, label = predictor.suffix, predictor.parameter or "beta"
        columns = predictor.population.columns.names
        if stated.kind == "Intercept":
            for block in (f"intercept{s}", "thresholds"):
                yield block_names(block)[0], block
            if f"intercept{s}" not in blocks and "(Intercept)" in columns:
                yield f"{label}[(Intercept)]", f"beta{s}"
        elif stated.coefficient:
            name = _column(stated.coefficient, columns, stated)
            yield f"{label}[{name}]", f"beta{s}"
        else:
            yield f"beta{s}", f"beta{s}"


def _of_groups(graph: ModelGraph, stated: StatedPrior) -> Iterator[tuple[str, str]]:
    for group in graph.groups_of(stated.parameter):
        if stated.group not in ("", str(group.factor)):
            continue
        for parameter in COVARIANCES[group.covariance.kind].parameters:
            block = f"{parameter.name}_{group.id}"
            if stated.kind == "cor" and parameter.shape == "L":
                yield block_names(block)[0], block
            elif stated.kind == "sd" and parameter.density == "sd":
                columns = group.columns.names
                single = parameter.shape == "real"
                if stated.coefficient and not single:
                    yield f"{block}[{_column(stated.coefficient, columns, stated)}]", block
                elif not stated.coefficient or _column(stated.coefficient, columns, stated):
                    yield block, block


def _column(coefficient: str, columns: tuple[str, ...], stated: StatedPrior) -> str:
    """The column that brms calls so."""
    theirs = {in_brms_letters(name): name for name in columns}
    if coefficient not in theirs:
        hint = suggestion(coefficient, theirs, what="the coefficients")
        message = f"there is no coefficient {coefficient!r}"
        raise FormulaError(message, span=stated.span, hint=hint)
    return theirs[coefficient]
