"""A commented script to start from: data, model, explanation, posterior, tables, a picture."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mix2stan.model import Model
from mix2stan.syntax import quote_name

__all__ = ["Sources", "starter_script"]


@dataclass(frozen=True)
class Sources:
    """Where a script reads its data, and what else the model was made with.

    Attributes:
        files: a file or folder by the name it has in the call; "" for a single one without a name.
        columns: the file of column types, if it is not beside the data.
        settings: ``prior`` and ``strategy``, where they are not the default.
    """

    files: Mapping[str, Path]
    columns: Path | None
    settings: Mapping[str, str]


def starter_script(model: Model, sources: Sources, folder: Path | None = None) -> str:
    """The text of a Python script that runs as it is.

    Args:
        model: the model, made from these sources.
        sources: of the data.
        folder: where the script will be; paths are relative to it.  If None they are absolute.
    """
    picture = "caterpillar" if model.meaning.groups else "forest"
    settings = "".join(f", {name}={_quoted(v)}" for name, v in sources.settings.items())
    here = folder is not None
    parts = [
        f'"""A mixed model: its meaning, its posterior, tables and a picture.\n\n{_HOW}"""',
        "from pathlib import Path\n\nimport mix2stan as m2s",
        _HERE if here else 'HERE = Path(".")  # where results are written',
        f"{_data_comment(model)}\n{_data(sources, folder)}",
        f"{_CALL_COMMENT}\nCALL = {_text(model.text.strip())}\n"
        f"model = m2s.model(CALL, data{settings})",
        _EXPLAIN,
        _SAMPLE,
        _TABLES + ("\n" + _GROUP_TABLES if model.meaning.groups else ""),
        f"{_PICTURE}\nfigure = fit.plot.{picture}()\n"
        f'figure.savefig(HERE / "{picture}.png", dpi=150, bbox_inches="tight")',
        _KEEP,
        _MORE.format(change=_another_prior(model), statement=_statement(model)),
    ]
    return "\n\n".join(parts) + "\n"


_HOW = """Run it with `python` and its name.  Lines that begin with # are comments: those at the end are
further things to do.
"""

_HERE = "HERE = Path(__file__).resolve().parent  # results are written beside this file"

_CALL_COMMENT = """\
# The model, as R has it.  lmer, glmer, lme, gls, glmmTMB, MCMCglmm, brm and others are read; a slip
# is explained where it is."""

_EXPLAIN = """\
# What it means: equation, random terms, covariances, priors, how it is computed, what to be careful
# about.  model.explain().html() is the same for a browser, print(model) a short form.
print(model.explain())

# Whether the priors are sensible for these data: what they imply is in the last columns.
print(model.priors.to_string())"""

_SAMPLE = """\
# The posterior: 4 chains, 1000 iterations to adapt and 1000 draws each.  The seed makes the same draws
# again.
fit = model.sample(chains=4, warmup=1000, draws=1000, seed=1)"""

_TABLES = """\
# The summary; warnings below it say what is wrong with the sampling, if anything is.  R-hat should be
# under 1.01, and the effective sample sizes (ess) some hundreds.
print(fit)
print(fit.fixef())"""

_GROUP_TABLES = """\
print(fit.VarCorr())
print(fit.ranef().head(12))"""

_PICTURE = "# A picture; fit.plot has others, and every one is a Figure of matplotlib."

_KEEP = """\
# Kept: m2s.load("fit.nc") reads the draws again.  The report is one page with all of this.
fit.save(HERE / "fit.nc")
fit.report(model, HERE / "report.html", force=True)"""

_MORE = """\
# What else there is.  Take the # away.
# {change}
# print(model.stan_code)  # the program
# {statement}
# print(fit.predict(summary=True))  # expected responses of the rows; predict(new) of others
# fit.plot.ppc().savefig(HERE / "ppc.png")  # does the model make data like these?
# fit.log_lik(); import arviz as az; print(az.loo(fit.idata))  # leave-one-out"""


def _statement(model: Model) -> str:
    """A hypothesis about a coefficient that the model has."""
    names = [n for n in model.labels.coefficients if n != "(Intercept)"]
    text = f"{quote_name(names[0])} > 0" if names else "`(Intercept)` > 0"
    return _comment(
        f"print(fit.hypothesis({_quoted(text)}))  # the posterior probability of a statement"
    )


def _another_prior(model: Model) -> str:
    """The model with the prior of a parameter that it has, changed."""
    names = [str(n) for n in model.priors.index if str(n).startswith(("sd_", "sigma"))]
    name = names[0] if names else str(model.priors.index[0])
    change = json.dumps({name: "exponential(1)"}, ensure_ascii=False)
    return _comment(f"model = m2s.model(CALL, data, prior={change})  # another prior")


def _data_comment(model: Model) -> str:
    rows = model.data.rows
    dropped = model.data.frame.dropped
    used = f"{rows} rows are used" + (f", {dropped} have missing values" if dropped else "")
    factors = {str(g.factor): g.factor.levels for g in model.meaning.groups}
    sizes = "; ".join(f"{name} has {n} levels" for name, n in factors.items())
    return (
        f"# The data: {_comment(f'{used}; {sizes}' if sizes else used)}.  A file of the same name that"
        "\n# ends in .json may say which columns are factors, and the order of their levels."
    )


def _data(sources: Sources, folder: Path | None) -> str:
    reads = {name: _read(path, sources, folder) for name, path in sources.files.items()}
    if set(reads) == {""}:
        return f"data = {reads['']}"
    lines = [f"    {_quoted(name)}: {read}," for name, read in reads.items()]
    return "\n".join(["data = {", *lines, "}"])


def _read(path: Path, sources: Sources, folder: Path | None) -> str:
    if path.is_dir():
        return _place(path, folder)
    single = len(sources.files) == 1 and sources.columns is not None
    columns = f", {_place(sources.columns, folder)}" if single and sources.columns else ""
    return f"m2s.read_table({_place(path, folder)}{columns})"


def _place(path: Path, folder: Path | None) -> str:
    """A path in Python, with slashes everywhere."""
    if folder is None:
        return f"Path({_quoted(path.resolve().as_posix())})"
    try:
        relative = Path(os.path.relpath(path.resolve(), folder.resolve()))
    except ValueError:  # another drive
        return f"Path({_quoted(path.resolve().as_posix())})"
    return f"HERE / {_quoted(relative.as_posix())}"


def _text(text: str) -> str:
    """R text as a Python string, line by line where it has several."""
    lines = text.splitlines(keepends=True)
    if len(lines) == 1:
        return _quoted(text)
    return "\n".join(["(", *(f"    {_quoted(line)}" for line in lines), ")"])


def _quoted(text: str) -> str:
    """A Python string in double quotes; what JSON escapes Python reads alike."""
    return json.dumps(text, ensure_ascii=False)


def _comment(text: str) -> str:
    """What stays on the line of a comment, whatever a column is called."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
