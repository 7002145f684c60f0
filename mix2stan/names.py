"""Stan identifiers from the names in somebody's data, and what is meant by a name.

A column can be called anything (``größe``, ``real``, ``x; target += 1e9``); a Stan identifier is
ASCII letters, digits and underscores, starts with a letter, and is not a word of the language.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from mix2stan.errors import FormulaError

__all__ = ["STAN_WORDS", "RowNames", "identifier", "unique_identifiers", "words_of"]

_MAX_LENGTH = 30

#: Words of the language, of its past and of its future, and those of C++: names of nothing.
STAN_WORDS = frozenset(
    """
    functions data transformed parameters model generated quantities for in while repeat until if
    then else true false target lp__ get_lp increment_log_prob return break continue void int real
    complex vector row_vector matrix complex_vector complex_row_vector complex_matrix array tuple
    ordered positive_ordered simplex unit_vector sum_to_zero_vector stochastic_column_matrix
    stochastic_row_matrix sum_to_zero_matrix cholesky_factor_corr cholesky_factor_cov corr_matrix
    cov_matrix lower upper offset multiplier jacobian print reject fatal_error profile truncate
    struct typedef export auto extern var static alignas alignof and asm bool case catch char class
    const constexpr decltype default delete do double enum explicit float friend goto inline long
    mutable namespace new noexcept not nullptr operator or private protected public register short
    signed sizeof switch template this throw try typename union unsigned using virtual volatile xor
    """.split()
)
_WORD = re.compile(r"\w+")
_UNSAID = re.compile(r'//[^\n]*|"[^"\n]*"')

_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "œ": "oe", "ł": "l"})


def identifier(name: str) -> str:
    """The Stan identifier closest to ``name``.

    >>> identifier("Subject"), identifier("cask:batch"), identifier("größe"), identifier("real")
    ('Subject', 'cask_batch', 'grosse', 'real_')
    """
    ascii_text = unicodedata.normalize("NFKD", name.translate(_LETTERS)).encode("ascii", "ignore")
    word = re.sub(r"[^A-Za-z0-9]+", "_", ascii_text.decode()).strip("_")[:_MAX_LENGTH].strip("_")
    if not word:
        word = "group"
    if not word[0].isalpha():
        word = f"g{word}" if word[0] == "_" else f"g_{word}"
    return f"{word}_" if word in STAN_WORDS else word


def unique_identifiers(names: Iterable[str]) -> tuple[str, ...]:
    """One identifier per name, all different, also where names clean up to the same word.

    A name that is an identifier keeps it; where others clean up to the same word none of them has it.

    >>> unique_identifiers(["a.b", "a_b", "y"]), unique_identifiers(["a.b", "a b"])
    (('a_b_2', 'a_b', 'y'), ('a_b_1', 'a_b_2'))
    """
    names = list(names)
    words = [identifier(name) for name in names]
    exact = {name for name, word in zip(names, words, strict=True) if name == word}
    taken: list[str] = []
    for name, word in zip(names, words, strict=True):
        own = name in exact and name not in taken
        found, n = word, 1 if word in exact else 0
        while not own and (found in taken or found in exact or (not n and words.count(word) > 1)):
            n += 1
            found = f"{word.rstrip('_')}_{n}"
        taken.append(found)
    return tuple(taken)


def words_of(stan_code: str) -> frozenset[str]:
    """The words of Stan text: its names, and those of the language; comments and strings have none.

    >>> sorted(words_of('real sd_g; // of g'))
    ['real', 'sd_g']
    """
    return frozenset(_WORD.findall(_UNSAID.sub(" ", stan_code)))


@dataclass(frozen=True)
class RowNames:
    """The rows of a table, and what else they may be called: by R's names of the terms.

    >>> rows = RowNames({"sd_a_b": ("sd_a_b",), "sd_a_b_2": ("sd_a.b",)})
    >>> rows.meant("sd_a.b"), rows.meant("`sd_a_b`"), rows.meant("sd_c")
    ('sd_a_b_2', 'sd_a_b', None)
    """

    rows: Mapping[str, tuple[str, ...]]

    @cached_property
    def every(self) -> Mapping[str, tuple[str, ...]]:
        """The rows that every name may mean."""
        found: dict[str, list[str]] = {}
        for row, others in self.rows.items():
            for name in dict.fromkeys((row, *map(_plain, others))):
                found.setdefault(name, []).append(row)
        return {name: tuple(rows) for name, rows in found.items()}

    def meant(self, name: str) -> str | None:
        """The row that a name means, None if there is none; backticks may be around any part of it.

        Raises:
            FormulaError: if it may be one of several.
        """
        plain = _plain(name)
        # one whose name another word of the program has ends with an underscore
        for spelled in (name, plain, re.sub(r"_(?=\[|$)", "", plain, count=1)):
            if spelled in self.every:
                return self._single(name, self.every[spelled])
        alike = self._cleaned.get(_cleaned(plain), ())
        return self._single(name, alike) if len(alike) > 1 else None

    def _single(self, name: str, rows: tuple[str, ...]) -> str:
        if len(rows) == 1:
            return rows[0]
        others = [(*map(_plain, self.rows[row]), row) for row in rows]
        called = [next((n for n in own if n != name), name) for own in others]
        hint = f"write {' or '.join(n for n in called if n != name)}"
        raise FormulaError(f"{name} may be {' or '.join(called)}", hint=hint)

    @cached_property
    def _cleaned(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for row, others in self.rows.items():
            for word in dict.fromkeys(_cleaned(_plain(name)) for name in others):
                found.setdefault(word, []).append(row)
        return {word: tuple(rows) for word, rows in found.items()}


def _plain(name: str) -> str:
    """A name without backticks."""
    return name.replace("`", "")


def _cleaned(name: str) -> str:
    """A name whose term is an identifier; what is in brackets stays."""
    term, bracket, element = name.partition("[")
    return re.sub(r"[^A-Za-z0-9]+", "_", term) + bracket + element
