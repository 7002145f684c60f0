"""Docstrings as the reference shows them: sessions of Python as blocks, roles as plain code."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension

_SESSION = re.compile(r"^>>> .*(?:\n(?!\s*$).*)*", re.MULTILINE)
_DIRECTIVE = re.compile(r"[ ]*# doctest: \+\w+")
_ROLE = re.compile(r":(?:func|meth|class|attr|data|mod):`(?:~[\w.]*\.)?([^`]*)`")


def shown(text: str) -> str:
    """The text of a docstring in Markdown."""
    text = _ROLE.sub(r"``\1``", text)
    return _SESSION.sub(lambda m: f"```pycon\n{_DIRECTIVE.sub('', m[0])}\n```", text)


class Docstrings(Extension):
    """Rewrites every docstring before it is parsed."""

    def on_instance(self, *, obj: Any, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = shown(obj.docstring.value)
