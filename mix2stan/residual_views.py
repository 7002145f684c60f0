"""What the templates of structured errors are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mix2stan.graph import ErrorCorrelation, Prior, Residual, VarianceFunction
from mix2stan.priors.text import PriorText, prior_texts
from mix2stan.residual_data import latter_root
from mix2stan.residuals import CORRELATIONS, VARIANCES, ErrorBlock, error_blocks, has_unit

__all__ = ["ErrorsView", "ParameterView", "VarianceView", "errors_view"]


@dataclass(frozen=True)
class ParameterView:
    """A block of parameters: its declarations, and its value where it is used.

    ``known`` declares the data with its known values, ``free`` the parameters; either may be empty.
    """

    name: str
    known: str
    free: str
    prior: PriorText | None
    size: str | None
    value: str


@dataclass(frozen=True)
class VarianceView:
    """One variance function: ``values`` are its parameters by nlme's names, one per row or single.

    ``by`` multiplies one of them with the covariate.
    """

    id: str
    template: str
    label: str
    strata: str
    covariate: str
    values: dict[str, str]
    by: str
    formula: str
    parameters: tuple[ParameterView, ...]


@dataclass(frozen=True)
class ErrorsView:
    """The errors of a program.

    ``latter`` is how many of the last positions have correlations that are known.

    ``multiplier`` names the sd multiplier of the rows, if any; ``matrix`` is the template with the
    correlation matrix of a block, ``whitening`` the one that makes errors independent.
    """

    variances: tuple[VarianceView, ...]
    parameters: tuple[ParameterView, ...]
    multiplier: bool
    correlated: bool
    whitening: str
    matrix: str
    metric: str
    nugget: bool
    orders: tuple[int, int]
    formula: str
    within: str
    distribution: str
    latter: int = 0


def errors_view(residual: Residual, priors: Sequence[Prior]) -> ErrorsView:
    """The view of resolved errors."""
    texts = prior_texts(priors)
    blocks = error_blocks(residual)
    correlation = residual.correlation
    row = CORRELATIONS[correlation.kind] if correlation else None
    scale = "sigma d" if residual.variances else "sigma"
    spread = "sigma^2 D R D" if residual.variances else "sigma^2 R"
    return ErrorsView(
        variances=tuple(_variance(part, blocks, texts) for part in residual.variances),
        parameters=tuple(_parameter(b, texts) for b in blocks if b.part is None),
        multiplier=bool(residual.variances),
        correlated=correlation is not None,
        whitening=f"residuals/{row.whitening}" if row else "",
        matrix=f"residuals/{correlation.kind}" if row and correlation and row.has_matrix else "",
        metric=correlation.metric if correlation else "",
        nugget=correlation is not None and correlation.nugget,
        orders=correlation.orders if correlation else (0, 0),
        formula=row.formula if row else "",
        within=_within(correlation),
        latter=len(latter_root(correlation)) if correlation and correlation.latter else 0,
        distribution=f"multi_normal({{mean}}, {spread})" if row else f"normal({{mean}}, {scale})",
    )


def _within(correlation: ErrorCorrelation | None) -> str:
    if correlation is None:
        return ""
    place = " and ".join(_plain(str(c)) for c in correlation.covariates) or "order"
    block = f" within {_plain(str(correlation.block))}" if correlation.block else ""
    return f"{place}{block}"


def _plain(text: str) -> str:
    """Text for a comment: one line, printable, not endless."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= 40 else line[:39] + "…"


def _variance(
    part: VarianceFunction, blocks: Sequence[ErrorBlock], texts: dict[str, PriorText]
) -> VarianceView:
    own = [b for b in blocks if b.part is part]
    strata = _plain(str(part.strata)) if part.strata else ""
    covariate = "abs(mu)" if part.of_fitted else f"v{part.id}"
    if part.of_fitted and part.kind in ("varExp", "varConstProp"):
        covariate = "mu"
    parameters = tuple(_parameter(b, texts) for b in own)
    at = f"[stratum{part.id}]" if part.strata else ""
    names = {b.parameter.name: b.name + (f"[{strata}]" if strata else "") for b in own} | {
        "covariate": _plain(str(part.covariate))
    }
    return VarianceView(
        id=part.id,
        template=f"residuals/{part.kind}",
        label="" if part.covariate is None or part.of_fitted else _plain(str(part.covariate)),
        strata=strata,
        covariate=covariate,
        values={b.parameter.name: p.value + at for b, p in zip(own, parameters, strict=True)},
        by=".*" if part.strata else "*",
        formula=VARIANCES[part.kind].formula.format(**names),
        parameters=parameters,
    )


def _parameter(block: ErrorBlock, texts: dict[str, PriorText]) -> ParameterView:
    """Declarations of one block; known values that precede free ones are data of their own."""
    name, about = block.name, f" // {block.parameter.about}"
    bounds = block.parameter.bounds.format(name=name) if block.free else ""
    prior = texts.get(name)
    if block.parameter.prior == "lkj":
        return _view(block, prior, f"cholesky_factor_corr[M] {name};{about}", None)
    if block.scalar:
        return _view(block, prior, f"real{bounds} {name};{about}", None)
    if block.part is None:
        size = {"phi": "p", "theta": "q"}[block.parameter.name]
        return _view(block, prior, f"vector{bounds}[{size}] {name};{about}", size)
    strata, count = f"strata{block.part.id}", len(block.known)
    if not block.free or not count:
        return _view(block, prior, f"vector{bounds}[{strata}] {name};{about}", strata)
    size = f"{strata} - {count}"
    view = _view(block, prior, f"vector{bounds}[{size}] {name};{about}", size)
    if block.known == (1.0,):
        return replace(view, value=f"append_row(1, {name})")
    known = f"vector[{count}] {name}_known; // of the first strata"
    value = f"append_row({name}_known, {name})"
    return replace(view, known="\n".join(filter(None, (view.known, known))), value=value)


def _view(block: ErrorBlock, prior: PriorText | None, text: str, size: str | None) -> ParameterView:
    """A block that is declared by one text, as parameters or as data."""
    if not block.free:
        return ParameterView(block.name, text, "", prior, size, block.name)
    unit = f"real<lower=0> {block.name}_unit; // 1 / sd of the covariate"
    known = unit if has_unit(block) else ""
    return ParameterView(block.name, known, text, prior, size, block.name)
