"""A folder that keeps results as they come, so that work which stopped goes on."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.counts import seed_or_drawn
from mix2stan.errors import Mix2stanError
from mix2stan.folders import write_whole

__all__ = [
    "Arrays",
    "NotKept",
    "Store",
    "fingerprint",
    "folder_named",
    "recorded",
    "seed_of_run",
]

#: What a task returns: numbers and strings by name, nothing that has to be unpickled.
Arrays = Mapping[str, NDArray[Any]]

_REQUEST = "request.json"
#: What every file of results says besides: the request, and the task, that it belongs to.
_MARK = "mix2stan request"


class NotKept(Mix2stanError):
    """A folder that cannot be written: to try again would not help."""


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
        self.folder = folder_named("out", folder)
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

    def _mark(self, i: int) -> str:
        return f"{fingerprint(json.dumps(self.request, sort_keys=True))} {self._what} {i + 1}"

    def results(self, tasks: int) -> dict[int, Arrays]:
        """What is there already, by the number of the task from 0; unreadable files are not.

        Raises:
            Mix2stanError: for a file that can be read and is something else.
        """
        read = ((i, _read(self._path(i))) for i in range(tasks))
        found = {i: arrays for i, arrays in read if arrays is not None}
        for i, arrays in found.items():
            if str(arrays.pop(_MARK, "")) != self._mark(i):
                raise Mix2stanError(
                    f"{self._path(i)} is not {self._what} {i + 1} of this request",
                    hint="move it away, and the same call goes on with the others",
                )
        return dict(found)

    def put(self, i: int, result: Arrays) -> None:
        """Keep the result of a task.

        Raises:
            NotKept: if it cannot be written; no other file is touched.
        """
        with tempfile.SpooledTemporaryFile(max_size=2**28) as memory:
            arrays: dict[str, Any] = {**result, _MARK: np.array(self._mark(i))}
            np.savez_compressed(memory, **arrays)
            memory.seek(0)
            self._write(self._path(i), memory.read())

    def _write(self, path: Path, content: bytes) -> None:
        try:
            write_whole(path, content)
        except OSError as error:
            raise _cannot_write(path, error, self._finished()) from error

    def _finished(self) -> int:
        return len(list(self.folder.glob(f"{self._what}-*.npz")))


def _read(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a file, None if it is not there, or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except Exception:  # of damaged bytes zip, zlib and numpy make errors of many kinds
        return None


def folder_named(name: str, folder: str | Path) -> Path:
    """The folder that an argument names; an empty text would be the current one.

    Raises:
        Mix2stanError: if it names none.
    """
    if not isinstance(folder, str | Path) or not str(folder).strip():
        raise Mix2stanError(
            f"{name} names no folder: {folder!r}", hint=f"{name}='.' is the current one"
        )
    return Path(folder)


def seed_of_run(seed: Any, out: str | Path | None) -> int:
    """The seed that is asked for; if none is, that of the run in ``out``; else one at random.

    Raises:
        Mix2stanError: if it is no seed, or ``out`` no folder.
    """
    if seed is None and out is not None:
        seed = (recorded(folder_named("out", out)) or {}).get("seed")
    return seed_or_drawn(seed)


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
    except (OSError, ValueError, RecursionError) as error:
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


def _cannot_write(path: Path, error: OSError, finished: int = 0) -> NotKept:
    reason = error.strerror or str(error)
    hint = f"the {finished} results that had finished are kept" if finished else None
    return NotKept(f"cannot write {path}: {reason}", hint=hint)
