"""``python -m tests.bench.start``: import time, and from text to the first draw on sleepstudy."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

DATA = Path(__file__).parents[2] / "examples" / "data" / "sleepstudy.csv"
CALL = "lmer(Reaction ~ Days + (Days | Subject), data = sleepstudy)"


def importing() -> float:
    """Seconds of ``import mix2stan`` in a fresh interpreter, the interpreter's own start taken off."""

    def run(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    return min(run("import mix2stan") - run("pass") for _ in range(5))


def first_draw() -> float:
    """Seconds from text and data frame to one draw."""
    import mix2stan as m2s

    df = m2s.read_table(DATA)
    start = time.perf_counter()
    m2s.model(CALL, df).sample(chains=1, warmup=0, draws=1, seed=1, engine="stanli")
    return time.perf_counter() - start


if __name__ == "__main__":
    print(f"import mix2stan        {importing():.2f} s")
    print(f"text to first draw     {first_draw():.2f} s (first in the process)")
    print(f"text to first draw     {first_draw():.2f} s (second)")
