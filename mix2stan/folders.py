"""Where the grammar and the Stan templates are.

In a wheel both folders lie inside the package; in a checkout (also an editable install) they lie
beside it, at the top of the repository.
"""

from __future__ import annotations

from pathlib import Path

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
