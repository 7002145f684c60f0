"""MCMCglmm's responses side by side: which columns each takes, and the latent variables it has."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.dialects.arguments import Arguments
from mix2stan.dialects.mcmcglmm_errors import (
    correlated_responses,
    errors_of_traits,
    unequal_responses,
)
from mix2stan.dialects.mcmcglmm_prior import fixed_block
from mix2stan.errors import FormulaError, Span, Unsupported, suggestion
from mix2stan.families import FAMILIES, LAYERS, LayerRow
from mix2stan.graph import Layer, Residual, Trait
from mix2stan.syntax import Call, Formula, Name, Node, String, names_in

__all__ = ["Latent", "errors_of_latent", "has_levels", "is_several", "latent_of", "named"]

#: The levels of an expression of the columns.
Levels = Callable[[Node], tuple[str, ...]]
_COUNTED = re.compile(r"(multinomial)([1-9][0-9]*)")


@dataclass(frozen=True)
class Latent:
    """The latent variables of a call, Gaussian responses among them, and what sees the others."""

    traits: tuple[Trait, ...]
    layers: tuple[Layer, ...]


def named(family: Node) -> str:
    """The name of a family."""
    return family.value if isinstance(family, String) else str(family)


def _row_of(family: str) -> tuple[str, int] | None:
    """The row of a family, and how many columns of the response it takes."""
    for key, row in LAYERS.items():
        found = _COUNTED.fullmatch(family)
        if row.columns == 0 and found and found[1] == row.mcmcglmm and int(found[2]) > 1:
            return key, int(found[2])
        if row.columns and row.mcmcglmm == family:
            return key, row.columns
    return None


def is_several(families: tuple[Node, ...], formulas: tuple[Node | None, ...]) -> bool:
    """Whether the only family has several latent variables a row.

    Of the categories of a factor there may be two; then the response is one, unless ``trait`` is in
    the formulas.
    """
    found = _row_of(named(families[0])) if len(families) == 1 else None
    if found is None:
        return False
    row, columns = LAYERS[found[0]], found[1]
    about_traits = any(_has_trait(formula) for formula in formulas)
    return about_traits if row.categories else len(_names_of(row, ("",) * columns)) > 1


def has_levels(families: tuple[Node, ...]) -> bool:
    """Whether the latent variables have the names of levels, which the data have."""
    rows = [_row_of(named(family)) for family in families]
    return any(row is not None and LAYERS[row[0]].categories for row in rows)


def _names_of(row: LayerRow, columns: tuple[str, ...]) -> tuple[str, ...]:
    return row.traits(columns)


def _has_trait(node: Node | None) -> bool:
    return node is not None and Name("trait") in names_in(node)


def latent_of(formula: Formula, families: tuple[Node, ...], levels: Levels, trials: str) -> Latent:
    """The latent variables of the responses.

    Args:
        formula: its left side has the columns.
        families: one for all responses, or one for each; none for Gaussian ones.
        levels: the levels of an expression of the columns.
        trials: what the stacked column of the numbers of trials is called.

    Raises:
        FormulaError: if there are not the columns that the families take, or too few levels.
        Unsupported: for a family that cannot be one of several.
    """
    match formula.left:
        case Call(function="cbind", args=args):
            columns = [a.value for a in args]
        case left:
            assert left is not None
            columns = [left]
    whole, left_over = len(columns), list(columns)
    wanted: list[Node | None] = [*families] or [None]
    traits: list[Trait] = []
    layers: list[Layer] = []
    while left_over:
        if not wanted:
            break
        family = wanted.pop(0)
        name = "gaussian" if family is None else named(family)
        found = ("gaussian", 1) if name == "gaussian" else _row_of(name)
        if found is None:
            assert family is not None
            raise _unable(name, family.span)
        key, count = found
        if len(left_over) < count:
            wanted.append(family)
            break
        taken, left_over = left_over[:count], left_over[count:]
        if key == "gaussian":
            traits.append(Trait(str(taken[0]), taken[0]))
        else:
            own, layer = _seen(key, taken, levels, Name(trials))
            traits += own
            layers.append(layer)
        # one family is that of all responses
        wanted = [family] if len(families) < 2 and left_over else wanted
    if left_over or wanted:
        raise _wrong_number(families, whole, formula)
    if any(len(layer.traits) > 1 for layer in layers) and not _has_trait(formula.right):
        several = next(layer for layer in layers if len(layer.traits) > 1)
        message = f"{several.traits[0]} has several latent variables, told apart by 'trait'"
        hint = (
            f"write {formula.left} ~ trait - 1 + trait:x, or at.level(trait, 1):x for one of them"
        )
        raise FormulaError(message, span=formula.right.span, hint=hint)
    return Latent(tuple(traits), tuple(layers))


def _unable(family: str, span: Span) -> Unsupported:
    able = ["gaussian", *(f"{r.mcmcglmm}{'' if r.columns else 'K'}" for r in LAYERS.values())]
    message = f"the family {family!r} cannot be one of several responses"
    return Unsupported(message, span=span, hint=suggestion(family, able, what="those that can"))


def _wrong_number(families: tuple[Node, ...], columns: int, formula: Formula) -> FormulaError:
    span = families[0].span.to(families[-1].span) if families else formula.span
    if len(families) == 1:
        name = named(families[0])
        found = _row_of(name)
        message = f"{name} takes {found[1] if found else 1} columns, and there are {columns}"
        return FormulaError(message, span=span, hint=f"write {_columns_of(name)} ~ …")
    message = f"there are {len(families)} families for {columns} responses"
    return FormulaError(message, span=span)


def _columns_of(family: str) -> str:
    found = _row_of(family)
    count = found[1] if found else 1
    return f"cbind({', '.join('abcdefghij'[:count])})" if count > 1 else "y"


def _seen(key: str, columns: list[Node], levels: Levels, trials: Name) -> tuple[list[Trait], Layer]:
    """The latent variables of one response."""
    row, names = LAYERS[key], tuple(map(str, columns))
    if row.categories:
        return _of_levels(key, columns[0], levels(columns[0]))
    traits = row.traits(names)
    if row.columns == 1:
        link = ""
        if len(traits) == 1:
            link = FAMILIES[key].mcmcglmm_link or FAMILIES[key].links[0]
        return [Trait(name, columns[0]) for name in traits], Layer(names[0], traits, key, link)
    counts = tuple(columns)
    # zeros have the successes, of several categories each its own count
    values = columns[: len(traits)] if row.columns == 0 else columns[:1] * len(traits)
    own = [Trait(name, v, counts) for name, v in zip(traits, values, strict=True)]
    return own, Layer(", ".join(names), traits, key, trials=trials)


def _of_levels(key: str, factor: Node, levels: tuple[str, ...]) -> tuple[list[Trait], Layer]:
    if len(levels) < 2:
        message = f"{factor} has {len(levels)} level{'s'[: len(levels) != 1]}: there is no other"
        raise FormulaError(message, span=factor.span, hint="a response of categories has several")
    traits = tuple(f"{factor}.{level}" for level in levels[1:])
    return [Trait(t, factor, levels=levels) for t in traits], Layer(
        str(factor), traits, key, levels=levels
    )


# -- residuals that are known ----------------------------------------------------------------------


def errors_of_latent(
    arguments: Arguments, latent: Latent
) -> tuple[Residual, tuple[tuple[str, float], ...]]:
    """The errors of the latent variables; ``fix = f`` of the prior holds those from f on at V.

    The reference of the standard deviations is then the first that is known, and sigma its value.

    Returns:
        The errors, and sigma if it is known.

    Raises:
        FormulaError: if the data say nothing of a variance that is not fixed, or V does not fit.
        Unsupported: for responses of several families with one residual variance.
    """
    rcov, prior = arguments.get("rcov"), arguments.get("prior")
    residual = errors_of_traits(rcov, arguments.call.span)
    block, names = fixed_block(prior), tuple(trait.name for trait in latent.traits)
    first = len(names) if block is None else block.first
    _check_silent(latent, names, first, arguments)
    if block is None:
        if latent.layers and residual.plain:
            span = arguments.call.span if rcov is None else rcov.span
            message = "responses of several families with one residual variance cannot be expressed"
            hint = "rcov = ~ us(trait):units and ~ idh(trait):units can"
            raise Unsupported(message, span=span, hint=hint)
        return residual, ()
    V = np.array(block.V)
    if residual.plain:
        # trait:units has one variance for all
        V, residual = V * np.eye(len(names)), unequal_responses(block.span)
    if V.shape != (len(names), len(names)) or first >= len(names):
        message = f"R of the prior is not of the {len(names)} residuals of {', '.join(names)}"
        hint = f"write R = list(V = diag({len(names)}), nu = 0.002, fix = {len(names)})"
        raise FormulaError(message, span=block.span, hint=hint)
    return _with_known(residual, names, V, first, block.span)


def _check_silent(latent: Latent, names: tuple[str, ...], first: int, arguments: Arguments) -> None:
    """Refuse a residual variance that the data say nothing of and the prior does not fix."""
    for layer in latent.layers:
        for place, trait in enumerate(layer.traits):
            if LAYERS[layer.family].is_silent(place) and names.index(trait) < first:
                message = f"the data say nothing of the residual variance of {trait}"
                q = len(names)
                start = min(names.index(t) for t in layer.traits if _silent(layer, t)) + 1
                hint = f"fix it: prior = list(R = list(V = diag({q}), nu = 0.002, fix = {start}))"
                span = arguments.get("prior") or arguments.call
                raise FormulaError(message, span=span.span, hint=hint)


def _silent(layer: Layer, trait: str) -> bool:
    return LAYERS[layer.family].is_silent(layer.traits.index(trait))


def _with_known(
    residual: Residual, names: tuple[str, ...], V: NDArray[np.float64], first: int, span: Span
) -> tuple[Residual, tuple[tuple[str, float], ...]]:
    """The errors with the standard deviations from ``first`` on those of V."""
    correlated, q = residual.correlation is not None, len(names)
    if (np.diag(V) <= 0).any() or (correlated and np.linalg.eigvalsh(V).min() <= 0):
        raise FormulaError("V is not a covariance matrix", span=span)
    sds = np.sqrt(np.diag(V))
    ratios = tuple((names[k], float(sds[k] / sds[first])) for k in range(first + 1, q))
    (part,) = residual.variances
    # the strata that are named leave the reference
    part = replace(
        part,
        fixed=(("ratio", ratios),) if ratios else (),
        start=(("ratio", tuple((name, 1.0) for name in names[:first])),) if first else (),
    )
    correlation = residual.correlation
    if first == 0:
        correlation = correlation or correlated_responses(span).correlation
        assert correlation is not None
        cor = V / np.outer(sds, sds) if correlated else np.eye(q)
        columns, rows = np.triu_indices(q, 1)
        correlation = replace(correlation, fixed=tuple(cor[rows, columns].tolist()))
    elif correlated and first < q - 1:
        assert correlation is not None
        columns, rows = np.triu_indices(q - first, 1)
        block = (V / np.outer(sds, sds))[first:, first:]
        correlation = replace(correlation, latter=tuple(block[rows, columns].tolist()))
    return Residual((part,), correlation), (("sigma", float(sds[first])),)
