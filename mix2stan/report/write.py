"""Writing a report to a file, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mix2stan.documents import Document, Listing, Paragraph, to_html
from mix2stan.errors import Mix2stanError
from mix2stan.folders import check_free, write_whole
from mix2stan.report.sections import Source, document_of

if TYPE_CHECKING:
    from mix2stan.explanation import Explanation
    from mix2stan.fit import Fit

__all__ = ["Explained", "report_fit", "write_page"]


class Explained(Protocol):
    """What a report asks of a model."""

    @property
    def call(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def stan_code(self) -> str: ...
    def explain(self) -> Explanation: ...


def report_fit(fit: Fit, model: Explained, path: str | Path, force: bool = False) -> Path:
    """See :meth:`mix2stan.fit.Fit.report`."""
    target = check_free(path, force)
    if model.call != fit.labels.call:
        raise Mix2stanError(
            f"the fit is one of {fit.labels.call}, the model is {model.call}",
            hint="give the model whose sample() made the fit",
        )
    explanation = model.explain().document
    source = Source(model.stan_code, explanation, (_WORDS, _script(fit, model)))
    return write_page(document_of(fit, source), target)


_WORDS = Paragraph("In Python, with the data, priors and strategy the model was made with:")


def _script(fit: Fit, model: Explained) -> Listing:
    """The calls that make the fit, as far as it remembers them."""
    kept = {name: fit.posterior.attrs.get(name) for name in ("warmup", "seed", "adapt_delta")}
    chains, draws = (int(fit.posterior.sizes[d]) for d in ("chain", "draw"))
    engine = fit.engine.split(maxsplit=1)[0].lower()
    settings = {"chains": chains, "draws": draws, **kept, "engine": engine}
    given = ", ".join(f"{k}={_plain(v)!r}" for k, v in settings.items() if v is not None)
    lines = [
        "import mix2stan as m2s",
        "",
        f"model = m2s.model({model.text.strip()!r}, data)",
        f"fit = model.sample({given})",
    ]
    return Listing("\n".join(lines), "python")


def _plain(value: object) -> object:
    """A number as Python has it, not numpy."""
    return value.item() if hasattr(value, "item") else value


def write_page(document: Document, target: Path) -> Path:
    """Write a page under another name and rename it.

    Raises:
        OSError: if it cannot be written; what was there stays.
    """
    write_whole(target, to_html(document))
    return target
