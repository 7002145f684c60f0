"""A folder that keeps results as they come, so that work which stopped goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.errors import Mix2stanError

__all__ = ["Arrays", "Store", "fingerprint"]

#: What a task returns: numbers and strings by name, nothing that has to be unpickled.
Arrays = Mapping[str, NDArray[Any]]

_REQUEST = "request.json"


class Store:
    """Results of one request, a file each: ``chain-1.npz``, ``chain-2.npz`` and so on.

    A file is written under another name and renamed, so it is whole or not there.

    Args:
        folder: made if needed.
        what: the name of a task.
        request: everything the results depend on: numbers, texts, fingerprints.

    Raises:
        Mix2stanError: if the folder holds another request, or cannot be written.
    """

    def __init__(self, folder: str | Path, what: str, request: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self._what = what
        self.request = {"what": what, **request}
        known = recorded(self.folder)
        if known is None:
            self._begin()
        else:
            self._compare(known)

    def _begin(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        text = json.dumps(self.request, indent=2, ensure_ascii=False)
        self._write(self.folder / _REQUEST, text.encode())

    def _compare(self, known: Mapping[str, Any]) -> None:
        wanted = json.loads(json.dumps(self.request))
        names = [n for n in {**known, **wanted} if known.get(n) != wanted.get(n)]
        if names:
            first = names[0]
            raise Mix2stanError(
                f"{self.folder} holds the results of another request, and nothing is overwritten",
                hint=f"{first} was {_short(known.get(first))}, now {_short(wanted.get(first))}; "
                "choose another folder, or ask for the same to go on with it",
            )

    def _path(self, i: int) -> Path:
        return self.folder / f"{self._what}-{i + 1}.npz"

    def results(self, tasks: int) -> dict[int, Arrays]:
        """What is there already, by the number of the task from 0; unreadable files are not."""
        found: dict[int, Arrays] = {}
        for i in range(tasks):
            try:
                with np.load(self._path(i), allow_pickle=False) as file:
                    found[i] = dict(file)
            except (OSError, ValueError, zipfile.BadZipFile):
                continue
        return found

    def put(self, i: int, result: Arrays) -> None:
        """Keep the result of a task.

        Raises:
            Mix2stanError: if it cannot be written; no other file is touched.
        """
        with tempfile.SpooledTemporaryFile(max_size=2**28) as memory:
            arrays: dict[str, Any] = dict(result)
            np.savez_compressed(memory, **arrays)
            memory.seek(0)
            self._write(self._path(i), memory.read())

    def _write(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(f".{path.name}.partial")
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        except OSError as error:
            # what could not be written must not fill the disk further
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise _cannot_write(path, error, self._finished()) from error

    def _finished(self) -> int:
        return len(list(self.folder.glob(f"{self._what}-*.npz")))


def recorded(folder: Path) -> dict[str, Any] | None:
    """The request a folder holds, None if it holds none.

    Raises:
        Mix2stanError: if the record cannot be read.
    """
    path = folder / _REQUEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise Mix2stanError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise Mix2stanError(f"{path} is not the record of a request")
    return found


def fingerprint(*parts: Any) -> str:
    """A hash of texts, numbers, arrays and mappings of these."""
    digest = hashlib.sha256()
    for part in parts:
        _feed(digest, part)
    return digest.hexdigest()[:32]


def _feed(digest: Any, part: Any) -> None:
    if isinstance(part, Mapping):
        for name in sorted(part):
            digest.update(f"{name}:".encode())
            _feed(digest, part[name])
    elif isinstance(part, str):
        digest.update(f"text {part!r}".encode())
    else:
        array = np.ascontiguousarray(part)
        digest.update(f"{array.dtype.kind} {array.shape} ".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _cannot_write(path: Path, error: OSError, finished: int = 0) -> Mix2stanError:
    reason = error.strerror or str(error)
    hint = f"the {finished} results that had finished are kept" if finished else None
    return Mix2stanError(f"cannot write {path}: {reason}", hint=hint)
