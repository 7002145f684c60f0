"""The Python blocks of the pages: run in order, their output put under them.

A hook of mkdocs, so that what the site shows is what the code prints; the tests run the same blocks
with shorter chains.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

EXAMPLES = Path(__file__).resolve().parent.parent

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LOCAL_PICTURE = re.compile(r"!\[[^\]]+\]\((?:\.\./)*([\w-]+\.png)\)")


def blocks_of(markdown: str) -> list[str]:
    """The code of every Python block of a page, in order."""
    return [match[1] for match in _BLOCK.finditer(markdown)]


def pictures_of(markdown: str) -> set[str]:
    """The picture files that a page shows."""
    return {match[1] for match in _LOCAL_PICTURE.finditer(markdown)}


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A folder that looks like the top of the project, to be worked in and thrown away."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "examples").symlink_to(EXAMPLES, target_is_directory=True)
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)


def run(markdown: str, page: str) -> Iterator[tuple[str, str]]:
    """Each block with what it printed; the names of a page are those of one script."""
    names: dict[str, Any] = {"__name__": "__main__"}
    pd.set_option("display.width", 110, "display.max_columns", 20)
    for number, code in enumerate(blocks_of(markdown), start=1):
        printed = io.StringIO()
        program = compile(code, f"{page}, block {number}", "exec")
        with contextlib.redirect_stdout(printed):
            exec(program, names)
        yield code, printed.getvalue()


# -- hooks of mkdocs -------------------------------------------------------------------------------


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Put the output under every block, and the pictures that were made among the files."""
    from mkdocs.structure.files import File

    if not blocks_of(markdown):
        return markdown
    os.environ["MIX2STAN_ENGINE"] = "stanli"
    with workplace() as folder:
        printed = [text for _, text in run(markdown, page.file.src_uri)]
        for picture in sorted(folder.glob("*.png")):
            files.append(File.generated(config, picture.name, content=picture.read_bytes()))
    outputs = iter(printed)

    def with_output(match: re.Match[str]) -> str:
        text = next(outputs).rstrip()
        return match[0] + (f'\n\n```text title="prints"\n{text}\n```' if text else "")

    return _BLOCK.sub(with_output, markdown)
