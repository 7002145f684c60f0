"""Stan programs as HTML with their parts told apart, by one expression and no more."""

from __future__ import annotations

import html
import re

__all__ = ["highlighted"]

_BLOCKS = "functions data transformed parameters model generated quantities"
_WORDS = (
    "for in while if else return break continue profile print reject target lower upper offset "
    "multiplier"
)
_TYPES = (
    "void int real complex vector row_vector matrix simplex unit_vector ordered positive_ordered "
    "corr_matrix cov_matrix cholesky_factor_corr cholesky_factor_cov array tuple"
)
_KINDS = {
    **dict.fromkeys((_BLOCKS + " " + _WORDS).split(), "word"),
    **dict.fromkeys(_TYPES.split(), "type"),
}
_TOKEN = re.compile(
    r"(?P<remark>//[^\n]*|/\*.*?\*/)"
    r'|(?P<string>"[^"\n]*")'
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)",
    re.DOTALL,
)


def highlighted(text: str, language: str) -> str:
    """Program text, escaped; of Stan in ``span`` elements of the classes
    ``remark string word type number``.
    """
    if language != "stan":
        return html.escape(text)
    pieces, end = [], 0
    for match in _TOKEN.finditer(text):
        pieces.append(html.escape(text[end : match.start()]))
        pieces.append(_span(match))
        end = match.end()
    return "".join([*pieces, html.escape(text[end:])])


def _span(match: re.Match[str]) -> str:
    escaped = html.escape(match.group())
    kind = match.lastgroup
    kind = _KINDS.get(match.group()) if kind == "name" else kind
    return escaped if kind is None else f'<span class="{kind}">{escaped}</span>'
