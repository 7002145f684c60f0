"""The command line: the same words as the Python interface."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mix2stan.documents.suffixes import DRAWINGS, TEXTS, format_of
from mix2stan.errors import DataError, Mix2stanError, visible
from mix2stan.many.store import recorded

if TYPE_CHECKING:
    import pandas as pd

    from mix2stan.fit import Fit
    from mix2stan.model import Model

__all__ = ["main"]

app = typer.Typer(
    name="mix2stan",
    help="Read an R mixed-model call, write the Stan program, sample its posterior.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
)


def _folder(text: str) -> Path:
    """The folder an option names; an empty text would be the current one."""
    if not text.strip():
        raise typer.BadParameter("it names no folder; . is the current one")
    return Path(text)


Call = Annotated[str, typer.Argument(help="R text with one model call; - reads standard input.")]
Data = Annotated[
    list[str],
    typer.Option(
        "--data",
        "-d",
        help="CSV or Parquet file, or a folder of Parquet files; NAME=FILE binds a name of the call.",
    ),
]
Columns = Annotated[
    Path | None, typer.Option(help="Column types (JSON); found beside the data if not given.")
]
Priors = Annotated[
    str,
    typer.Option(
        "--prior",
        help="default, brms, rstanarm, mcmcglmm or flat; densities too: "
        '"brms; sd_Subject ~ exponential(1)".',
    ),
]
Strategy = Annotated[str, typer.Option(help="auto, collapsed, noncentred, centred or latent.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="The file to write; printed if not given.")
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say nothing on standard error but errors.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _version(wanted: bool) -> None:
    if wanted:
        import mix2stan

        typer.echo(f"mix2stan {mix2stan.__version__}")
        raise typer.Exit()


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Read an R mixed-model call, write the Stan program, sample its posterior."""


@app.command()
def fit(
    call: Call,
    data: Data,
    columns: Columns = None,
    prior: Priors = "default",
    strategy: Strategy = "auto",
    chains: Annotated[int, typer.Option(help="Markov chains.")] = 4,
    warmup: Annotated[int, typer.Option(help="Warm-up iterations of each chain.")] = 1000,
    draws: Annotated[int, typer.Option(help="Draws of each chain.")] = 1000,
    seed: Annotated[int | None, typer.Option(help="Makes the draws reproducible.")] = None,
    engine: Annotated[str, typer.Option(help="auto, cmdstan or stanli.")] = "auto",
    adapt_delta: Annotated[float, typer.Option(help="Target acceptance rate.")] = 0.9,
    method: Annotated[
        str, typer.Option(help="posterior, or the point estimates of reml or ml.")
    ] = "posterior",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the chains as they finish, fit.nc, summary.csv; goes on with them.",
            parser=_folder,
            metavar="FOLDER",
        ),
    ] = None,
    dask: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler that runs the chains.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Sample the posterior, or maximise the likelihood, and print the tables."""
    from mix2stan.engines import Interrupted, pick_engine
    from mix2stan.many.dask import dask_executor
    from mix2stan.progress import show_progress

    _log_warnings(not quiet)
    model = _model(call, data, columns, prior, strategy)
    chosen = pick_engine(engine)
    for line in () if quiet else (*model.notes, f"{chosen.version}: {chosen.reason}"):
        typer.echo(visible(line), err=True)
    if method != "posterior":
        typer.echo(_estimates(model, method, chosen.name, as_json))
        return
    if out is not None:
        _check_new(out)
    with contextlib.ExitStack() as cleanup:
        executor = None if dask is None else cleanup.enter_context(dask_executor(dask))
        shown = False if quiet else cleanup.enter_context(show_progress(chains, warmup + draws))
        try:
            result = model.sample(
                chains=chains,
                warmup=warmup,
                draws=draws,
                seed=seed,
                engine=chosen.name,
                adapt_delta=adapt_delta,
                progress=shown,
                executor=executor,
                out=out,
            )
        except Interrupted as stopped:
            typer.echo(str(stopped), err=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            kept = "" if out is None else f"; the chains that finished are in {out}"
            typer.echo(f"stopped{kept}", err=True)
            raise typer.Exit(1) from None
    if out is not None:
        given: dict[str, Any] = {
            "data": data,
            "columns": columns,
            "prior": prior,
            "strategy": strategy,
        }
        given |= {"chains": chains, "warmup": warmup, "draws": draws}
        given |= {"seed": (recorded(out) or {}).get("seed", seed), "engine": chosen.name}
        given |= {"adapt-delta": adapt_delta, "out": out}
        _write(model, result, out, given)
    typer.echo(_fit_json(result) if as_json else str(result))


@app.command()
def new(
    call: Call,
    data: Data,
    columns: Columns = None,
    prior: Priors = "default",
    strategy: Strategy = "auto",
    out: Out = None,
    force: Force = False,
) -> None:
    """Write a commented Python script to start from, which runs as it is."""
    from mix2stan.folders import check_free
    from mix2stan.starter import Sources, starter_script

    model = _model(call, data, columns, prior, strategy)
    named = [entry.partition("=") if _named(entry) else ("", "", entry) for entry in data]
    given = {"prior": (prior, "default"), "strategy": (strategy, "auto")}
    settings = {name: value for name, (value, default) in given.items() if value != default}
    sources = Sources({name: Path(path) for name, _, path in named}, columns, settings)
    target = None if out is None else check_free(out, force)
    _print(starter_script(model, sources, None if target is None else target.parent), target)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="The folder that mix2stan fit --out wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file to write.")],
    force: Force = False,
) -> None:
    """Write one web page with model, tables, diagnostics, pictures, program and commands."""
    from mix2stan.report import report_run

    typer.echo(report_run(run, out, force))


@app.command()
def bootstrap(
    call: Call,
    data: Data,
    columns: Columns = None,
    n: Annotated[int, typer.Option("-n", help="Replicates.")] = 1000,
    method: Annotated[str, typer.Option(help="reml or ml.")] = "reml",
    kind: Annotated[
        str, typer.Option("--type", help="parametric, cases, groups or within.")
    ] = "parametric",
    group: Annotated[str | None, typer.Option(help="The factor that is resampled.")] = None,
    seed: Annotated[int | None, typer.Option(help="Makes the replicates reproducible.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the replicates as they come; goes on with them.",
            parser=_folder,
            metavar="FOLDER",
        ),
    ] = None,
    dask: Annotated[str | None, typer.Option(help="Address of a Dask scheduler.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Print estimates, and intervals from refits to data like these."""
    from mix2stan.many.dask import dask_executor

    _log_warnings(not quiet)
    model = _model(call, data, columns)
    with contextlib.ExitStack() as cleanup:
        executor = None if dask is None else cleanup.enter_context(dask_executor(dask))
        found = model.bootstrap(
            n,
            method=method,
            type=kind,
            group=group,
            seed=seed,
            executor=executor,
            out=out,
            progress=False if quiet else None,
        )
    typer.echo(found.summary().to_json(orient="index") if as_json else str(found))


@app.command()
def stan(
    call: Call,
    data: Data,
    columns: Columns = None,
    prior: Priors = "default",
    strategy: Strategy = "auto",
) -> None:
    """Print the Stan program."""
    typer.echo(_model(call, data, columns, prior, strategy).stan_code, nl=False)


@app.command("data")
def stan_data(
    call: Call,
    data: Data,
    columns: Columns = None,
    prior: Priors = "default",
    strategy: Strategy = "auto",
) -> None:
    """Print the program's data as JSON."""
    from mix2stan.engines import to_json

    typer.echo(to_json(_model(call, data, columns, prior, strategy).stan_data))


@app.command()
def export(
    call: Call,
    data: Data,
    out: Annotated[
        Path, typer.Option(help="The folder to write.", parser=_folder, metavar="FOLDER")
    ],
    columns: Columns = None,
    prior: Priors = "default",
    strategy: Strategy = "auto",
    force: Force = False,
) -> None:
    """Write model.stan, data.json, names.json, run.py and run.R."""
    typer.echo(_model(call, data, columns, prior, strategy).export(out, force))


@app.command()
def explain(
    call: Call,
    data: Data,
    columns: Columns = None,
    prior: Priors = "default",
    strategy: Strategy = "auto",
    form: Annotated[
        str | None, typer.Option("--format", help="text, markdown or html; by --out, else text.")
    ] = None,
    out: Out = None,
) -> None:
    """Say what a model means: equation, terms, covariances, priors, and what to be careful about."""
    chosen = format_of(form, out, TEXTS)
    found = _model(call, data, columns, prior, strategy).explain()
    writers = {"text": found.__str__, "markdown": found.markdown, "html": found.html}
    _print(writers[chosen](), out)


@app.command()
def graph(
    call: Call,
    data: Data,
    columns: Columns = None,
    prior: Priors = "default",
    form: Annotated[
        str | None, typer.Option("--format", help="svg, dot or mermaid; by --out, else svg.")
    ] = None,
    out: Out = None,
) -> None:
    """Draw the model graph: data, predictor, random terms, priors."""
    chosen = format_of(form, out, DRAWINGS)
    _print(_model(call, data, columns, prior).graph(chosen), out)


@app.command()
def compare(
    first: Call,
    second: Annotated[str, typer.Argument(help="R text with another model call.")],
    data: Data,
    columns: Columns = None,
) -> None:
    """Say whether two calls are the same model, and where they differ.

    The exit code is 0 if they are, 1 if they differ, 2 if it cannot be said.
    """
    from mix2stan.comparison import compare

    try:
        found = compare(_model(first, data, columns), _model(second, data, columns))
    except (Mix2stanError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(str(found))
    if not found.same:
        raise typer.Exit(1)


@app.command()
def translate(
    call: Call,
    data: Data,
    to: Annotated[str, typer.Option(help="lme4, nlme, MCMCglmm or glmmTMB.")],
    columns: Columns = None,
) -> None:
    """Print the call with which another package fits the same model."""
    from mix2stan.explanation import means_elsewhere
    from mix2stan.translations import translate

    model = _model(call, data, columns)
    for remark in means_elsewhere(model.compiled):
        typer.echo(visible(remark), err=True)
    typer.echo(visible(translate(model, to)))


@app.command()
def priors(
    call: Call,
    data: Data,
    columns: Columns = None,
    prior: Priors = "default",
    strategy: Strategy = "auto",
    as_json: Json = False,
) -> None:
    """Print the prior of every parameter, and where its numbers come from."""
    table = _model(call, data, columns, prior, strategy).priors
    text = (
        table.to_json(orient="index", force_ascii=False) if as_json else visible(table.to_string())
    )
    typer.echo(text)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Print versions and the engines found, and try a tiny model on each."""
    from dataclasses import asdict

    from mix2stan.engines.doctor import examine

    checks = examine()
    if as_json:
        typer.echo(json.dumps([asdict(c) for c in checks], ensure_ascii=False))
    else:
        marks = {True: "ok", False: "no", None: "  "}
        for check in checks:
            detail = check.detail.replace("\n", "\n" + " " * 19)
            typer.echo(f"{marks[check.ok]} {check.name:<15} {detail}")
    if not any(check.ok for check in checks):
        raise typer.Exit(1)


@app.command("install-cmdstan")
def install(
    version: Annotated[
        str | None, typer.Option(help="Its version; the newest if not given.")
    ] = None,
    cores: Annotated[int, typer.Option(help="Processes to build with.")] = 2,
) -> None:
    """Download and build CmdStan, the reference engine."""
    from mix2stan.engines.install import install_cmdstan

    typer.echo(f"CmdStan is in {install_cmdstan(version, cores)}")


def _log_warnings(wanted: bool) -> None:
    """Warnings of the package on standard error, a line each; else errors alone."""
    import logging

    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING if wanted else logging.ERROR)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.getLogger("mix2stan").addHandler(handler)


def _model(
    call: str,
    data: list[str],
    columns: Path | None,
    prior: str = "default",
    strategy: str = "auto",
) -> Model:
    from mix2stan.model import model

    text = sys.stdin.read() if call == "-" else call
    folder = len(data) == 1 and Path(data[0]).is_dir()
    given = Path(data[0]) if folder else _tables(data, columns)
    return model(text, given, prior=prior, strategy=strategy)


def _tables(data: list[str], columns: Path | None) -> pd.DataFrame | dict[str, pd.DataFrame]:
    """One table, or several by name."""
    from mix2stan.design import read_table

    if len(data) == 1 and not _named(data[0]):
        return read_table(data[0], columns)
    tables = {}
    for entry in data:
        name, _, path = entry.partition("=")
        if not _named(entry):
            raise DataError(f"'{entry}' has no name", hint="with several tables write NAME=FILE")
        tables[name] = read_table(path, columns if len(data) == 1 else None)
    return tables


def _named(entry: str) -> bool:
    name, equals, _ = entry.partition("=")
    return bool(equals) and "/" not in name and not Path(entry).exists()


def _print(text: str, out: Path | None) -> None:
    """To a file, or to standard output."""
    if out is None:
        typer.echo(visible(text.rstrip("\n")))
    else:
        out.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def _estimates(model: Model, method: str, engine: str, as_json: bool) -> str:
    if method not in ("reml", "ml"):
        raise Mix2stanError(f"there is no method '{method}'", hint="posterior, reml or ml")
    found = model.reml(engine) if method == "reml" else model.ml(engine)
    if not as_json:
        return str(found)
    table = {"method": found.method, "logLik": found.logLik, "AIC": found.AIC}
    tables = {"fixef": found.fixef().to_dict(), "sigma": found.sigma()}
    return json.dumps({"call": found.call, **table, **tables}, ensure_ascii=False)


def _fit_json(result: Fit) -> str:
    return json.dumps(
        {
            "call": result.labels.call,
            "engine": result.engine,
            "summary": json.loads(result.summary().to_json(orient="index")),
            "problems": [str(problem) for problem in result.problems],
        },
        ensure_ascii=False,
    )


def _check_new(folder: Path) -> None:
    """Refuse a folder with results of which it is not known what they are of."""
    if (folder / "fit.nc").exists() and recorded(folder) is None:
        raise Mix2stanError(
            f"{folder} holds a fit of an unknown request, and nothing is overwritten",
            hint="choose another folder",
        )


def _write(model: Model, result: Fit, folder: Path, given: dict[str, Any]) -> None:
    """Everything of a run; that ``fit.nc`` is there says that the run is finished."""
    from mix2stan.folders import write_whole
    from mix2stan.report import record_run

    # a run that went on has them already, of the same request
    model.export(folder, force=True)
    table = result.summary("all").to_csv(index_label="parameter")
    write_whole(folder / "summary.csv", table)
    command = ["mix2stan", "fit", model.text.strip()]
    for name, value in given.items():
        for each in value if isinstance(value, list) else [value]:
            command += [f"--{name}", str(each)] if each is not None else []
    record_run(folder, model, result, command)
    result.save(folder / "fit.nc")


def main() -> None:
    """Run the command line; an error of the user's is a message and exit code 1."""
    try:
        app()
    except (Mix2stanError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
