"""Reports of what ``mix2stan fit --out`` wrote."""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mix2stan.documents import Items, Listing, Paragraph, from_plain, to_plain
from mix2stan.errors import Mix2stanError
from mix2stan.fit import Fit, load
from mix2stan.folders import check_free, write_whole
from mix2stan.many.store import recorded
from mix2stan.report.sections import Source, document_of
from mix2stan.report.write import Explained, write_page

__all__ = ["RECORD", "record_run", "report_run"]

#: What a run keeps for its report: the explanation, the command, versions.
RECORD = "report.json"
_FORMAT = 1


def record_run(folder: Path, model: Explained, fit: Fit, command: Sequence[str]) -> None:
    """Keep what a report needs and the fit does not have.

    Args:
        folder: of the run.
        model: the model.
        fit: its fit.
        command: the words of the command line that made it.
    """
    versions = [f"mix2stan {_version('mix2stan')}", fit.engine]
    versions += [f"Python {platform.python_version()}", f"numpy {_version('numpy')}"]
    about = {
        "format": _FORMAT,
        "command": list(command),
        "versions": [*versions, platform.platform()],
        "explanation": to_plain(model.explain().document),
    }
    write_whole(folder / RECORD, json.dumps(about, ensure_ascii=False) + "\n")


def report_run(folder: str | Path, path: str | Path, force: bool = False) -> Path:
    """Write the report of a finished run.

    Args:
        folder: what ``mix2stan fit --out`` wrote.
        path: the HTML file.
        force: write over a file that is there.

    Returns:
        The path.

    Raises:
        Mix2stanError: if the run is not finished, or its files are damaged; nothing is written then.
    """
    folder, target = Path(folder), check_free(path, force)
    _check_finished(folder)
    fit = load(folder / "fit.nc")
    record = _read(folder)
    try:
        explanation = from_plain(record["explanation"]) if record else None
        source = Source(
            (folder / "model.stan").read_text(encoding="utf-8"),
            explanation,
            _commands(folder, record.get("command", ()), target),
            tuple(map(str, record.get("versions", ()))),
        )
        document = document_of(fit, source)
    except FileNotFoundError as error:
        raise Mix2stanError(f"{folder} has no {Path(error.filename).name}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(folder / RECORD) from error
    return write_page(document, target)


def _check_finished(folder: Path) -> None:
    """Refuse a folder that has no fit; says what it has.

    Raises:
        Mix2stanError: for such a folder.
    """
    if not folder.is_dir():
        raise Mix2stanError(f"there is no folder {folder}")
    if (folder / "fit.nc").exists():
        return
    request = recorded(folder)
    if request is None:
        hint = "mix2stan fit … --out FOLDER makes one"
        raise Mix2stanError(f"{folder} holds no run of mix2stan fit", hint=hint)
    if request.get("what") != "chain":
        raise Mix2stanError(f"{folder} holds no fit, but results of the kind {request.get('what')}")
    done = len(list(folder.glob("chain-*.npz")))
    raise Mix2stanError(
        f"the run in {folder} is not finished: it has {done} of {request.get('chains')} chains",
        hint="the mix2stan fit command that began it goes on with it",
    )


def _read(folder: Path) -> dict[str, Any]:
    """The record of a run, empty if there is none.

    Raises:
        Mix2stanError: if it cannot be read.
    """
    path = folder / RECORD
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(found, dict):
        raise _damaged(path)
    if found.get("format") != _FORMAT:
        raise Mix2stanError(f"{path} was written by another version of mix2stan")
    return found


def _damaged(path: Path) -> Mix2stanError:
    return Mix2stanError(f"{path} is damaged", hint="without that file a shorter report is written")


def _commands(
    folder: Path, command: Sequence[str], target: Path
) -> tuple[Paragraph | Listing | Items, ...]:
    """The command lines, in the order they are run; the program alone needs no mix2stan."""
    lines = [shlex.join(map(str, command))] if command else []
    lines.append(shlex.join(["mix2stan", "report", str(folder), "-o", str(target)]))
    return (
        Paragraph("On the command line:"),
        Listing("\n".join(lines), "sh"),
        Paragraph("The program alone, with CmdStan, from the folder of the run:"),
        Listing("python run.py\nRscript run.R", "sh"),
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of a checkout"
