"""``python -m tests.bench.partitions``: rows larger than memory, from Parquet files and from Dask.

Generates rows of ``y ~ x + (x | g)`` as Parquet files in a temporary folder, in pieces; reduces and
fits them from the folder in this process, and from a Dask data frame with worker processes; prints
seconds, the peak memory of every process, and the largest relative difference of what the two
posteriors are computed from.  Each reading has a process of its own, so that peaks are its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mix2stan as m2s

CALL = "lmer(y ~ x + (x | g))"
PIECE = 1_000_000


def write(folder: Path, rows: int, groups: int, seed: int = 1) -> None:
    """Files of at most a million rows; the effects of the groups are the same in all."""
    rng = np.random.default_rng(seed)
    effects = rng.normal(size=(groups, 2)) * [2.0, 0.5]
    for i, start in enumerate(range(0, rows, PIECE)):
        n = min(PIECE, rows - start)
        g, x = rng.integers(0, groups, n), rng.normal(5, 2, n)
        y = 10 + 3 * x + effects[g, 0] + effects[g, 1] * x + rng.normal(0, 4, n)
        frame = pd.DataFrame({"g": g.astype(np.int32), "x": x, "y": y})
        frame.to_parquet(folder / f"rows-{i:04d}.parquet")


def peak() -> float:
    """The most memory this process has had, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@contextmanager
def workers(count: int) -> Iterator[Any]:
    """A Dask cluster of worker processes on this machine."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def measure(folder: str, count: int, draws: int) -> tuple[dict[str, Any], dict[str, float]]:
    """The data of the posterior, and figures; from the folder if there are no workers."""
    figures: dict[str, float] = {}
    with workers(count) if count else nullcontext() as client:
        data: Any = folder
        if client is not None:
            import dask.dataframe

            data = dask.dataframe.read_parquet(folder)
        start = time.perf_counter()
        model = m2s.model(CALL, data)
        figures["reduce s"] = time.perf_counter() - start
        if client is not None:
            for i, memory in enumerate(client.run(peak).values()):
                figures[f"worker {i + 1} GB"] = memory
    figures["GB"] = peak()
    if draws:
        start = time.perf_counter()
        fit = model.sample(2, draws, draws, seed=1, engine="stanli")
        figures["sample s"] = time.perf_counter() - start
        for name, value in fit.summary()["mean"].items():
            figures[f"mean of {name}"] = value
        figures["GB with sampling"] = peak()
    return model.stan_data, figures


def difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest difference of two posteriors' data, relative to the largest number of each.

    Sums of residuals cancel: they are relative to what was added up, a unit per row.
    """
    worst = 0.0
    for name, value in one.items():
        want, found = (np.asarray(v, dtype=float) for v in (value, other[name]))
        scale = max(float(np.max(np.abs(want))), one["N"] if "r_" in name else 0.0)
        worst = max(worst, float(np.max(np.abs(found - want))) / (scale or 1.0))
    return worst


def main() -> None:
    """Print a row for every stage."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rows", nargs="?", type=int, default=50_000_000)
    parser.add_argument("--groups", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--draws", type=int, default=200, help="for each of 2 chains; 0 for none")
    options = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        write(Path(folder), options.rows, options.groups)
        size = sum(p.stat().st_size for p in Path(folder).iterdir()) / 2**30
        print(f"{options.rows:,} rows, {size:.2f} GB: {time.perf_counter() - start:.1f} s to write")
        found = []
        for place, count in (("Parquet", 0), ("Dask", options.workers)):
            with ProcessPoolExecutor(1, mp_context=spawn) as executor:
                data, figures = executor.submit(measure, folder, count, options.draws).result()
            found.append(data)
            words = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
            print(f"{place}: {words}", flush=True)
    print(f"largest relative difference: {difference(*found):.2g}")


if __name__ == "__main__":
    main()
