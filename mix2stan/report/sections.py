"""The sections of a report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from mix2stan.documents import (
    Block,
    Document,
    Image,
    Items,
    Listing,
    Paragraph,
    Picture,
    Section,
    table_of,
)
from mix2stan.report.charts import chain_charts, charts

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["Source", "document_of"]

#: Rows of a table that may have very many.
_HEAD = 12
_STATISTICS = {"diverging", "tree_depth", "energy"}


@dataclass(frozen=True)
class Source:
    """What a report has besides the fit.

    Attributes:
        stan_code: the program.
        explanation: the model explained, None if that was not kept.
        commands: how to get the fit again: words and program text.
        versions: what it was made with.
    """

    stan_code: str
    explanation: Document | None
    commands: tuple[Block, ...]
    versions: tuple[str, ...] = ()


def document_of(fit: Fit, source: Source) -> Document:
    """The report."""
    told = [] if source.explanation is None else [_safe(s) for s in source.explanation]
    first = replace(told[0], title="Model") if told else Section("Model")
    made = Items(source.versions) if source.versions else Paragraph(f"Drawn by {fit.engine}.")
    return Document(
        fit.labels.call,
        (
            first,
            Section("Estimates", (), tuple(_tables(fit))),
            Section("Pictures", charts(fit)),
            _sampling(fit),
            Section("Explanation", (), tuple(told[1:])),
            Section("Stan program", (Listing(source.stan_code, "stan"),)),
            Section("To get this again", (*source.commands, made)),
        ),
    )


def _tables(fit: Fit) -> Iterable[Section]:
    fixef = fit.summary("fixef")
    if len(fixef):
        yield Section("Population effects", (table_of(fixef),))
    variances = fit.VarCorr()
    if len(variances):
        yield Section("Standard deviations and correlations", (table_of(variances),))
    shown = {"beta", "sigma", *(f"{w}_{g.id}" for g in fit.labels.groups for w in ("sd", "R"))}
    shown |= {f"beta_{parameter}" for parameter, _ in fit.labels.predictors}
    names = {v: labels for v, labels in fit.names("main").items() if v not in shown}
    others = fit._table(names)
    if len(others):
        yield Section("Other parameters", (table_of(others),))
    effects = fit.ranef()
    if len(effects):
        blocks: tuple[Block, ...] = (table_of(effects, _HEAD),)
        if len(effects) > _HEAD:
            blocks += (Paragraph(f"The first {_HEAD} of {len(effects)}; ranef() has all."),)
        yield Section("Group effects", blocks)


def _sampling(fit: Fit) -> Section:
    """How the chains went, in words and pictures."""
    chains, draws = (fit.posterior.sizes[d] for d in ("chain", "draw"))
    how = f"{chains} {'chain' if chains == 1 else 'chains'} of {draws} draws, {fit.engine}."
    if not set(fit.sample_stats) >= _STATISTICS:
        note = "These are no draws of NUTS, so nothing can be said about its chains."
        return Section("Sampling", (Paragraph(how), Paragraph(note)))
    if fit.problems:
        verdict: Block = Items(tuple(str(problem) for problem in fit.problems))
    else:
        table = fit.summary("all")
        ess = table[["ess_bulk", "ess_tail"]].min(axis=1)
        verdict = Paragraph(
            "No problem was found: no divergent transition, no trajectory at its limit, "
            f"R-hat at most {table['r_hat'].max():.3f}, at least {ess.min():.0f} effective draws "
            f"({ess.idxmin()})."
        )
    return Section("Sampling", (Paragraph(how), verdict, *chain_charts(fit)))


def _safe(section: Section) -> Section:
    """Drawings as images: what came from a file cannot run anything."""
    blocks = tuple(_image(b) if isinstance(b, Picture) else b for b in section.blocks)
    return replace(section, blocks=blocks, sections=tuple(_safe(s) for s in section.sections))


def _image(picture: Picture) -> Image:
    """A drawing with its own title and description.

    Raises:
        ValueError: if it is no SVG.
    """
    try:
        root = ElementTree.fromstring(picture.svg)
    except ElementTree.ParseError as error:
        raise ValueError("a drawing is no SVG") from error
    texts = [e.text or "" for e in root if e.tag.rpartition("}")[2] in ("title", "desc")]
    alt = ". ".join(text.rstrip(". ") for text in texts) + "."
    return Image(picture.svg.encode(), "svg+xml", alt, "The model graph.")
