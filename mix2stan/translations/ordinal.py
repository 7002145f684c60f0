"""Models of ordered categories as the package ordinal writes them."""

from __future__ import annotations

from mix2stan.translations.lme4 import bars_of, with_units
from mix2stan.translations.parts import Source, call, coded_alike, prepared, refuse

__all__ = ["write"]


def write(source: Source) -> str:
    """``clmm(y ~ x + (1 | g), link = "probit")``, or ``clm`` without random terms."""
    graph = source.graph
    if graph.response.family != "cumulative":
        hint = "brms' brm() can" if graph.response.levels else "it has ordered categories alone"
        raise refuse("ordinal", f"a response that is {graph.response.family}", hint)
    if graph.population.offsets:
        raise refuse("ordinal", "an offset", "brms' brm() can")
    columns = graph.population.columns
    fixed = [str(f) for f in columns.formulas] if columns.names else ["1"]
    bars = [text for group in graph.groups for text in bars_of(group, source)]
    coded_alike(source, "ordinal", plain=True)
    line, data = prepared(with_units(source), source)
    return line + call(
        "clmm" if bars else "clm",
        f"{graph.response.expression} ~ {' + '.join([*fixed, *bars])}",
        f"data = {data}",
        source.subset,
        "" if graph.response.link == "logit" else f'link = "{graph.response.link}"',
        f"contrasts = {source.contrasts}" if source.contrasts else "",
    )
