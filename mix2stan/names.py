"""Stan identifiers from the names in somebody's data.

A column can be called anything (``größe``, ``real``, ``x; target += 1e9``); a Stan identifier is
ASCII letters, digits and underscores, starts with a letter, and is not a word of the language.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

__all__ = ["identifier", "index_name", "unique_identifiers"]

_MAX_LENGTH = 30

_STAN_WORDS = frozenset(
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
#: What would be another name of a program after a prefix, as ``L_P`` and ``K_prior``.
_OWN_ENDINGS = frozenset(
    "P prior rest theta theta_hat heavy zero one positive inner observed left right interval 0 "
    "means others".split()
)
#: Names of a program that an identifier alone may equal: words, and letters with numbers.
_OWN_NAMES = re.compile(
    r"""[A-Za-z] | [A-Za-z]{1,3}\d?(_\d+)+ | rr | rows? | eta | beta | theta | sigma | mu | phi | nu
    | We | WW | QQ | Wr | Qr | WW_0 | QQ_0 | .*_0 | zi | hu | zoi | coi | alpha | shape | known | trials
    | decov | follows | lag | strata | stratum | axes | first | last | place | position | time | longest
    | patterns | begin | end | linear | spherical | stationary | arma | correlations | effects | middle
    | common_correlation | autoregressive_root | toeplitz_correlation | antedependence_root
    | common_antedependence_root | known_block_root | loadings | log_bessel_k | matern | group_sums
    | with_root | shrunk
    | unit | met | pair | products | observed | left | right | interval | observations | count
    | others | cuts | thresholds | cutpoints | latent_sd | rows_of | categorical_rows | inherited
    | inherited_matrix | own | parent | squares | column | cut_zero | cut_one | zero | one | positive
    | inner | rest | gap | gap_heavy | root_weight | mix_intercept | log_root | prior_precision
    | prior_linear | inverse_\w+ | scaled_inverse_\w+
    | (b|z|m|u|e|h|l|d|i|g|A|C|D|E|J|K|L|M|N|Q|R|S|T|U|V|W|X|Z|ZZ|ZR|ZQ|ZW|Zr|sd|mean|row|rows|last|by
      |level|columns|root|precision|column|parent|first|start|var|cor|y|beta|theta|eta|known
      |unit|free|index|known_sd|known_root|ante|loading|rest|slope)_\w+""",
    re.VERBOSE,
)

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
    return f"{word}_" if word in _STAN_WORDS or word in _OWN_ENDINGS else word


def index_name(word: str) -> str:
    """The Stan name of what an identifier alone stands for: one that nothing else of a program has.

    >>> index_name("Subject"), index_name("s"), index_name("b_a")
    ('Subject', 'index_s', 'index_b_a')
    """
    return f"index_{word}" if _OWN_NAMES.fullmatch(word) else word


def unique_identifiers(names: Iterable[str]) -> tuple[str, ...]:
    """One identifier per name, all different, also where two names clean up to the same word.

    >>> unique_identifiers(["a b", "a.b", "y"])
    ('a_b', 'a_b_2', 'y')
    """
    taken: list[str] = []
    for name in names:
        word, n = identifier(name), 1
        while word in taken:
            n += 1
            word = f"{identifier(name).rstrip('_')}_{n}"
        taken.append(word)
    return tuple(taken)
