"""``python -m tests.bench.pedigree``: what the animal model costs, by the number of individuals.

Ten generations, one record each.  Columns: ``read s``, from the tables to a program that is ready to
sample; ``gradient us``, one log density with its gradient in the embedded engine, the effects
non-centred, centred, or integrated out.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import mix2stan as m2s
from mix2stan.engines import engine_named
from mix2stan.inits import starting_points
from tests.bench.strategies import gradient

GENERATIONS = 10
STRATEGIES = ("noncentred", "centred", "collapsed")
#: Beyond this the effects are not integrated out.
MOST = 3_000


def population(n: int, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Records and pedigree: everybody has two random parents of the generation before."""
    rng = np.random.default_rng(seed)
    per = n // GENERATIONS
    animal = np.arange(n)
    before = (animal // per - 1) * per
    first = animal < per
    half = per // 2
    sire = np.where(first, np.nan, before + 2 * rng.integers(0, half, n))
    dam = np.where(first, np.nan, before + 2 * rng.integers(0, half, n) + 1)
    a = rng.normal(size=n)
    for i in np.flatnonzero(~first):
        a[i] = (a[int(sire[i])] + a[int(dam[i])]) / 2 + np.sqrt(0.5) * a[i]
    x = rng.normal(size=n)
    d = pd.DataFrame({"animal": animal, "x": x, "y": 10 + 0.5 * x + a + rng.normal(size=n)})
    return d, pd.DataFrame({"animal": animal, "sire": sire, "dam": dam})


def measure(n: int, strategy: str) -> dict[str, float]:
    """One number of individuals, computed one way."""
    d, ped = population(n)
    start = time.perf_counter()
    call = "MCMCglmm(y ~ x, random = ~ animal, pedigree = ped, data = d)"
    model = m2s.model(call, {"d": d, "ped": ped}, strategy=strategy)
    program = engine_named("stanli").compile(model.stan_code, model.stan_data)
    ready = time.perf_counter() - start
    point = starting_points(model.meaning, model.stan_data, 1, seed=1)[0]
    return {"read s": ready, "gradient us": gradient(program, point)}


def main() -> None:
    """Print a row for every size and strategy."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sizes", nargs="*", type=int, default=[1_000, 3_000, 10_000])
    options = parser.parse_args()
    for n in options.sizes:
        for strategy in STRATEGIES:
            if strategy == "collapsed" and n > MOST:
                continue
            row = measure(n, strategy)
            figures = ", ".join(f"{name} {value:,.1f}" for name, value in row.items())
            print(f"{n:,} animals, {strategy}: {figures}", flush=True)


if __name__ == "__main__":
    main()
