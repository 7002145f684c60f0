"""Files and folders: where our own are, and how the user's are written.

In a wheel the grammar and the Stan templates lie inside the package; in a checkout (also an editable
install) they lie beside it, at the top of the repository.
"""

from __future__ import annotations

import os
from pathlib import Path

from mix2stan.errors import Mix2stanError

__all__ = ["check_free", "resource_folder", "write_whole"]

_PACKAGE = Path(__file__).resolve().parent


def resource_folder(name: str) -> Path:
    """The folder called ``name``: ``"grammar"`` or ``"stan_templates"``.

    Raises:
        FileNotFoundError: if neither place has it, which means a broken installation.
    """
    for place in (_PACKAGE / name, _PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise FileNotFoundError(f"the folder '{name}' of mix2stan is missing; please reinstall it")


def check_free(path: str | Path, force: bool) -> Path:
    """The path, if nothing of value is there.

    Raises:
        Mix2stanError: if there is a file, or no folder to put one in.
    """
    target = Path(path)
    if target.is_dir():
        raise Mix2stanError(f"{target} is a folder", hint="name a file in it")
    if not target.parent.is_dir():
        raise Mix2stanError(f"there is no folder {target.parent}")
    if target.exists() and not force:
        raise Mix2stanError(
            f"there is a file {target}, and nothing is overwritten",
            hint="choose another name; --force, or force=True, writes over it",
        )
    return target


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, whole or not at all; a link that is there is replaced, and not followed.

    Raises:
        OSError: if it cannot be written; what was there stays.
    """
    # two processes may write the same file
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    temporary.unlink(missing_ok=True)
    try:
        temporary.touch(exist_ok=False)
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    except OSError:
        # what could not be written must not fill the disk further
        temporary.unlink(missing_ok=True)
        raise
