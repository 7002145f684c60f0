"""Runs that keep what they have in a folder, in a process of their own: python -m ... NAME FOLDER."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

import mix2stan as m2s

DATA = Path(__file__).parent.parent / "fixtures" / "data" / "Dyestuff.csv"
CALL = "lmer(Yield ~ 1 + (1 | Batch))"


def _bootstrap(d: Any, how: dict[str, Any]) -> Any:
    return m2s.model(CALL, d).bootstrap(60, **how).replicates.to_numpy(float)


def _kfold(d: Any, how: dict[str, Any]) -> Any:
    how = {"chains": 1, "warmup": 100, "draws": 50, "engine": "stanli", **how}
    return m2s.model(CALL, d).kfold(3, **how).pointwise["elpd"].to_numpy()


def _sample(d: Any, how: dict[str, Any]) -> Any:
    how = {"chains": 3, "warmup": 100, "draws": 50, "engine": "stanli", **how}
    return m2s.model(CALL, d).sample(**how).posterior["sigma"].values


def _fit_multiple(d: Any, how: dict[str, Any]) -> Any:
    how = {"warmup": 100, "draws": 50, "engine": "stanli", **how}
    return m2s.fit_multiple(CALL, [d, d.assign(Yield=d.Yield + 1)], **how).posterior["sigma"].values


#: Each has three or four units of work.
RUNS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "bootstrap": _bootstrap,
    "kfold": _kfold,
    "sample": _sample,
    "fit_multiple": _fit_multiple,
}


def run(what: str, out: Path | None, executor: Executor | None = None) -> np.ndarray:
    """The numbers of a run, which starts or goes on."""
    how = {"seed": 3, "out": out, "executor": executor, "progress": False}
    return np.asarray(RUNS[what](m2s.read_table(DATA), how))


if __name__ == "__main__":
    # one worker, so that units finish one after the other
    os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
    run(sys.argv[1], Path(sys.argv[2]))
