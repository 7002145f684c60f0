"""Stan identifiers from the names in somebody's data.

A column can be called anything (``größe``, ``real``, ``x; target += 1e9``); a Stan identifier is
ASCII letters, digits and underscores, starts with a letter, and is not a word of the language.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

__all__ = ["identifier", "unique_identifiers"]

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
#: Names that generated programs use for themselves.
_OWN_WORDS = frozenset(
    """
    y N K X Q eta beta theta sigma decov mu d v e w r root row rows follows lag strata stratum
    B D E M R L axes p q first last place position time longest patterns begin end
    linear spherical stationary arma correlations
    common_correlation autoregressive_root toeplitz_correlation antedependence_root
    common_antedependence_root loadings log_bessel_k matern
    group_sums with_root shrunk unit met pair products
    y_upper y_lower observed left right interval N_observed N_left N_right N_interval
    C cuts thresholds cutpoints latent_sd rows_of mu categorical_rows
    inverse_gamma_sd inverse_gamma_sds inverse_gamma_ratios inverse_wishart_sds
    scaled_inverse_wishart_sds inverse_wishart_root
    trials known shape phi nu rest X_rest zi hu zoi coi alpha
    cut_zero cut_one zero one positive inner N_zero N_one N_positive N_inner
    inherited inherited_matrix own parent squares column S
    """.split()
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
    return f"{word}_" if word in _STAN_WORDS or word in _OWN_WORDS else word


def unique_identifiers(names: Iterable[str]) -> tuple[str, ...]:
    """One identifier per name, all different, also where two names clean up to the same word.

    >>> unique_identifiers(["a b", "a.b", "y"])
    ('a_b', 'a_b_2', 'y_')
    """
    taken: list[str] = []
    for name in names:
        word, n = identifier(name), 1
        while word in taken:
            n += 1
            word = f"{identifier(name).rstrip('_')}_{n}"
        taken.append(word)
    return tuple(taken)
