"""The little that an engine has to read in Stan text: where its blocks are."""

from __future__ import annotations

import re

__all__ = ["without_model"]

_SKIPPED = re.compile(r'//[^\n]*|/\*.*?\*/|"[^"\n]*"', re.DOTALL)


def without_model(stan_code: str) -> str:
    """The same program with nothing but parameters: its log density is the Jacobian alone.

    >>> without_model("parameters { real x; } model { x ~ normal(0, 1); }")
    'parameters { real x; } model {}'
    """
    for name in ("generated quantities", "model"):
        block = _block(_blank(stan_code), name)
        if block is not None:
            stan_code = stan_code[: block[0]] + "{}" + stan_code[block[1] + 1 :]
    return stan_code


def _blank(stan_code: str) -> str:
    """Comments and strings replaced by spaces, so that every position stays what it was."""
    return _SKIPPED.sub(lambda match: " " * len(match.group()), stan_code)


def _block(text: str, name: str) -> tuple[int, int] | None:
    """Positions of the braces of a top-level block."""
    depth, header, opened, wanted = 0, 0, 0, False
    for position, character in enumerate(text):
        if character == "{":
            if depth == 0:
                wanted = text[header:position].split() == name.split()
                opened = position
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                if wanted:
                    return opened, position
                header = position + 1
    return None
