"""Models as nlme writes them: ``lme``, and ``gls`` without random terms."""

from __future__ import annotations

from mix2stan.graph import (
    ErrorCorrelation,
    Given,
    Group,
    ModelGraph,
    Residual,
    VarianceFunction,
)
from mix2stan.residuals import VARIANCES
from mix2stan.syntax import Name, Node, format_number, quote_name
from mix2stan.translations.lme4 import with_units
from mix2stan.translations.parts import (
    Source,
    call,
    coded_alike,
    columns_of,
    factor_text,
    formulas_of,
    no_subset,
    prepared,
    refuse,
    spelt,
)

__all__ = ["term", "write"]

#: Its classes of positive-definite matrices; a formula alone is an unstructured one.
_KINDS = {"scalar": "", "us": "", "idh": "pdDiag", "idv": "pdIdent", "cs": "pdCompSymm"}


def write(source: Source) -> str:
    """``lme(y ~ x, random = ~ 1 + x | g)`` with its errors."""
    graph = source.graph
    if not graph.response.linear:
        raise refuse("nlme", f"a response that is {graph.response.family}", "lme4's glmer() can")
    if graph.population.offsets:
        raise refuse("nlme", "an offset", "lme4 and glmmTMB can")
    if source.contrasts and not graph.groups:
        raise refuse("nlme", "contrasts in gls()", "set them with options(contrasts = …)")
    coded_alike(source, "nlme", plain=False)
    fixed = " + ".join(str(f) for f in graph.population.columns.formulas)
    no_subset(source, "nlme")
    line, data = prepared(with_units(source), source)
    return line + call(
        "lme" if graph.groups else "gls",
        f"{graph.response.expression} ~ {fixed}",
        f"random = {_random(source)}" if graph.groups else "",
        _weights(graph.residual),
        "" if graph.residual.correlation is None else _correlation(graph.residual.correlation),
        f"data = {data}",
        f"contrasts = {source.contrasts}" if source.contrasts else "",
        _control(graph),
    )


def _control(graph: ModelGraph) -> str:
    """What fixes the residual standard deviation, if it is known."""
    function = "lmeControl" if graph.groups else "glsControl"
    known = dict(graph.response.known)
    return f"control = {function}(sigma = {format_number(known['sigma'])})" if known else ""


# -- random terms ----------------------------------------------------------------------------------


def term(group: Group, source: Source) -> str:
    """One random term, ``source`` having no other: ``random = ~1 + x | g``."""
    return f"random = {_random(source)}"


def _random(source: Source) -> str:
    """A formula for one unstructured term, else a list in which factors are nested."""
    groups = source.graph.groups
    blocks: dict[frozenset[Node], list[str]] = {}
    for group in groups:
        variables, texts = _placed(group, source)
        blocks.setdefault(frozenset(variables), []).extend(texts)
    outer: frozenset[Node] = frozenset()
    entries: list[tuple[str, str]] = []
    for factors in sorted(blocks, key=len):
        added = factors - outer
        if not outer < factors or len(added) != 1 or not all(isinstance(v, Name) for v in added):
            listed = " and ".join(str(g.factor) for g in groups)
            what = f"terms of {listed}: its factors are nested, each a column"
            raise refuse("nlme", what, "lme4 has crossed factors, and combinations a:b")
        texts, outer = blocks[factors], factors
        text = texts[0] if len(texts) == 1 else f"pdBlocked(list({', '.join(texts)}))"
        entries.append((str(next(iter(added))), text))
    if len({text for _, text in entries}) == 1 and entries[0][1].startswith("~"):
        return f"{entries[0][1]} | {'/'.join(name for name, _ in entries)}"
    return f"list({', '.join(f'{name} = {text}' for name, text in entries)})"


def _placed(group: Group, source: Source) -> tuple[tuple[Node, ...], list[str]]:
    """The variables of a term's factor, and its structures.

    The combinations f:g, g no term's factor, are effects of equal variance of the levels of f in g.
    """
    nearest = "nearest: an unstructured ~ 0 + f | g; glmmTMB or MCMCglmm may have it"
    kind, variables = spelt(group, _KINDS, "nlme", nearest), group.factor.variables
    inner = {other.factor.variables for other in source.graph.groups}
    nested = any((v,) in inner for v in variables)
    if group.columns.intercept_only and len(variables) == 2 and not nested:
        return variables[1:], [f"pdIdent(~0 + {variables[0]})"]
    formulas = [f"~{columns_of(f)}" for f in formulas_of(group.columns, source)]
    texts = [f"{kind}({f})" if kind else f for f in formulas]
    return variables, texts


# -- errors ----------------------------------------------------------------------------------------


def _weights(residual: Residual) -> str:
    texts = [_variance(part) for part in residual.variances]
    if not texts:
        return ""
    return f"weights = {texts[0] if len(texts) == 1 else call('varComb', *texts)}"


def _variance(part: VarianceFunction) -> str:
    if part.kind == "varFixed":
        return f"varFixed(~{part.covariate})"
    strata = "" if part.strata is None else f" | {factor_text(part.strata.variables, ' * ')}"
    covariate = "1" if part.covariate is None else str(part.covariate)
    return call(part.kind, f"form = ~{covariate}{strata}", _fixed(part))


def _fixed(part: VarianceFunction) -> str:
    given: Given = part.fixed
    if not given:
        return ""
    texts = {name: _values(values) for name, values in given}
    if len(VARIANCES[part.kind].parameters) == 1:
        return f"fixed = {next(iter(texts.values()))}"
    return f"fixed = list({', '.join(f'{name} = {text}' for name, text in texts.items())})"


def _values(values: tuple[tuple[str, float], ...]) -> str:
    """``0.5``, or ``c(a = 0.5)``; R joins the names of combined strata by ``*``."""
    if len(values) == 1 and not values[0][0]:
        return format_number(values[0][1])
    entries = [
        f"{quote_name(name.replace(':', '*'))} = {format_number(x)}" if name else format_number(x)
        for name, x in values
    ]
    return f"c({', '.join(entries)})"


def _correlation(part: ErrorCorrelation) -> str:
    block = "" if part.block is None else f" | {factor_text(part.block.variables, '/')}"
    covariates = " + ".join(str(c) for c in part.covariates) or "1"
    p, q = part.orders
    fixed = ", ".join(format_number(v) for v in part.fixed)
    text = call(
        part.kind,
        f"value = c({fixed})" if fixed else "",
        f"form = ~{covariates}{block}",
        f"p = {p}" if p else "",
        f"q = {q}" if q else "",
        "nugget = TRUE" if part.nugget else "",
        f'metric = "{part.metric}"' if part.metric != "euclidean" else "",
        "fixed = TRUE" if fixed else "",
    )
    return f"correlation = {text}"
