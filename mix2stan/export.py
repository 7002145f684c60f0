"""A model as a folder that runs without mix2stan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mix2stan.engines import to_json
from mix2stan.folders import check_free, write_whole
from mix2stan.labels import Labels

__all__ = ["export_model"]

_RUN_PY = '''\
"""Sample model.stan with CmdStan; the draws end up beside this file."""

from pathlib import Path

from cmdstanpy import CmdStanModel

here = Path(__file__).parent
model = CmdStanModel(stan_file=here / "model.stan")
fit = model.sample(data=str(here / "data.json"), seed=1, adapt_delta=0.9, output_dir=here / "draws")
print(fit.summary())  # names.json says which element is which
'''

_RUN_R = """\
# Sample model.stan with CmdStan, from this folder; names.json says which element is which.
library(cmdstanr)

model <- cmdstan_model("model.stan")
fit <- model$sample(data = "data.json", seed = 1, adapt_delta = 0.9, parallel_chains = 4)
print(fit$summary())
"""


def export_model(
    stan_code: str, stan_data: dict[str, Any], labels: Labels, folder: Path, force: bool
) -> Path:
    """Write the program, its data, its labels, and scripts that run it in Python and R.

    Raises:
        Mix2stanError: if one of the files is there, unless by ``force``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "model.stan": stan_code,
        "data.json": to_json(stan_data),
        "names.json": labels.to_json() + "\n",
        "run.py": _RUN_PY,
        "run.R": _RUN_R,
    }
    for name in files:
        check_free(folder / name, force)
    for name, text in files.items():
        write_whole(folder / name, text)
    return folder
