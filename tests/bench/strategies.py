"""``python -m tests.bench.strategies``: min effective draws per second, strategy against strategy.

The two strategies of a work item run in alternation within one process, 4 x (1000 + 1000).
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

import mix2stan as m2s
from tests.conftest import table


def simulated(rows: int, levels: int) -> pd.DataFrame:
    """y ~ x + (x | g)."""
    rng = np.random.default_rng(1)
    g = rng.integers(0, levels, rows)
    x = rng.normal(size=rows)
    b = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 0.5]], levels)
    y = 2 + 0.5 * x + b[g, 0] + b[g, 1] * x + rng.normal(size=rows)
    return pd.DataFrame({"y": y, "x": x, "g": g})


WORK = {
    "sleepstudy (Days | Subject)": lambda: ("lmer(Reaction ~ Days + (Days | Subject))", table("sleepstudy")),
    "sct (tarsus | line)": lambda: ("lmer(SCT ~ tarsus + (tarsus | line))", table("sct")),
    "N = 10,000, J = 1,000": lambda: ("lmer(y ~ x + (x | g))", simulated(10_000, 1_000)),
    "N = 100,000, J = 1,000": lambda: ("lmer(y ~ x + (x | g))", simulated(100_000, 1_000)),
}  # fmt: skip
SKIP = {("N = 100,000, J = 1,000", "noncentred"), ("N = 10,000, J = 1,000", "noncentred")}


def measure(call: str, data: pd.DataFrame, strategy: str, engine: str) -> dict[str, float]:
    start = time.perf_counter()
    model = m2s.model(call, data, strategy=strategy)
    fit = model.sample(seed=1, engine=engine)
    sampled = time.perf_counter()
    summary = fit.summary("all")
    done = time.perf_counter()
    ess = float(summary["ess_bulk"].min())
    stats = fit.sample_stats
    return {
        "to draws, s": sampled - start,
        "to summary, s": done - start,
        "min ESS/s": ess / (sampled - start),
        "leapfrogs": float(stats["n_steps"].mean()),
        "divergent": float(stats["diverging"].sum()),
    }


if __name__ == "__main__":
    engine = sys.argv[1] if len(sys.argv) > 1 else "stanli"
    rows = {}
    for name, work in WORK.items():
        call, data = work()
        for strategy in ("collapsed", "noncentred"):
            if (name, strategy) not in SKIP or "--all" in sys.argv:
                rows[name, strategy] = measure(call, data, strategy, engine)
    print(pd.DataFrame(rows).T.round(2).to_string())
