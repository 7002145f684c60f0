"""``python -m tests.bench.strategies``: what each strategy costs, on work items of every kind.

Every measurement has a process of its own, and the strategies of a work item take turns, round by
round; the medians of the rounds are printed.  Columns:

- ``compile s``: from the data frame to a program that is ready to sample
- ``sample s``: warm-up and draws of all chains
- ``total s``: from the data frame to the summary of all quantities
- ``gradient us``: one log density with its gradient, of the embedded engine
- ``leapfrogs``: per iteration after warm-up
- ``min ESS/s``: the least bulk effective draws of all quantities, effects included, per ``sample s``
- ``divergent``: iterations after warm-up
- ``peak MB``: the largest resident set of the process, compiler and chains included
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import mix2stan as m2s
from mix2stan.engines import Settings, engine_named
from mix2stan.fit import Fit
from mix2stan.inits import starting_points
from tests.conftest import table
from tests.support import cmdstan_home


def slope(rows: int, levels: int = 1_000) -> pd.DataFrame:
    """y ~ x + (x | g)."""
    rng = np.random.default_rng(1)
    g = rng.integers(0, levels, rows)
    x = rng.normal(size=rows)
    b = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 0.5]], levels)
    y = 2 + 0.5 * x + b[g, 0] + b[g, 1] * x + rng.normal(size=rows)
    return pd.DataFrame({"y": y, "x": x, "g": g})


def crossed() -> pd.DataFrame:
    """Factors of 300 and 100 levels, eight rows of each of the larger: a dense part of medium size."""
    rng = np.random.default_rng(1)
    g, h = rng.permutation(np.arange(2_400) % 300), rng.integers(0, 100, 2_400)
    effects = rng.normal(0, 0.5, 300)[g] + rng.normal(0, 0.3, 100)[h]
    return pd.DataFrame({"y": effects + rng.normal(size=2_400), "g": g, "h": h})


def ratings() -> pd.DataFrame:
    """Of the size and the variances of lme4's InstEval: 2,972 students rate 1,128 lecturers."""
    rng = np.random.default_rng(2)
    rows, students, lecturers = 73_000, 2_972, 1_128
    s = np.concatenate([np.arange(students), rng.integers(0, students, rows - students)])
    d = np.concatenate([np.arange(lecturers), rng.integers(0, lecturers, rows - lecturers)])
    rng.shuffle(d)
    x = rng.integers(0, 2, rows)
    y = 3.2 - 0.1 * x + 0.33 * rng.normal(size=students)[s] + 0.52 * rng.normal(size=lecturers)[d]
    return pd.DataFrame({"y": y + 1.18 * rng.normal(size=rows), "x": x, "s": s, "d": d})


def answers() -> pd.DataFrame:
    """Of the shape of lme4's VerbAgg: 316 persons answer 24 items, x and m known of each."""
    rng = np.random.default_rng(3)
    person, item = np.repeat(np.arange(316), 24), np.tile(np.arange(24), 316)
    x, male = np.repeat([0.0, 1.0], 12)[item], (rng.random(316) < 0.25).astype(float)[person]
    eta = 0.5 - x + 0.3 * male + 1.4 * rng.normal(size=316)[person] + rng.normal(size=24)[item]
    r = (rng.random(len(eta)) < 1 / (1 + np.exp(-eta))).astype(int)
    return pd.DataFrame({"r": r, "x": x, "male": male, "person": person, "item": item})


def series(rows: int, levels: int) -> pd.DataFrame:
    """Series of one length each in groups of ten, their errors of three strata."""
    rng = np.random.default_rng(4)
    g, t = np.divmod(np.arange(rows), rows // levels)
    a, x = g // 10, rng.normal(size=rows)
    e = rng.normal(size=rows)
    for i in np.flatnonzero(t):
        e[i] = 0.6 * e[i - 1] + 0.8 * e[i]
    y = x + rng.normal(size=levels)[g] + rng.normal(size=levels)[a] + e
    f = rng.choice(["p", "q", "r"], rows)
    return pd.DataFrame({"y": y, "x": x, "g": g, "a": a, "t": t, "f": f})


class Work(NamedTuple):
    call: str
    data: Callable[[], pd.DataFrame]
    #: Whether sampling all effects ends in minutes; otherwise it is measured where it is asked for.
    both: bool = True


WORK = {
    "sleepstudy": Work("lmer(Reaction ~ Days + (Days | Subject))", lambda: table("sleepstudy")),
    "sct": Work("lmer(SCT ~ tarsus + (tarsus | line))", lambda: table("sct")),
    "penicillin": Work(
        "lmer(diameter ~ 1 + (1 | plate) + (1 | sample))", lambda: table("Penicillin")
    ),
    "pastes": Work("lmer(strength ~ 1 + (1 | batch / cask))", lambda: table("Pastes")),
    "rows-10k": Work("lmer(y ~ x + (x | g))", lambda: slope(10_000), both=False),
    "rows-100k": Work("lmer(y ~ x + (x | g))", lambda: slope(100_000), both=False),
    "rows-1m": Work("lmer(y ~ x + (x | g))", lambda: slope(1_000_000), both=False),
    "crossed": Work("lmer(y ~ 1 + (1 | g) + (1 | h))", crossed),
    "insteval": Work("lmer(y ~ x + (1 | s) + (1 | d))", ratings, both=False),
    **{
        f"{name}-{rows // 1000}k": Work(
            f"lme(y ~ x, random = ~ 1 | {factors}, {errors})",
            lambda rows=rows, levels=levels: series(rows, levels),
            both=False,
        )
        for name, factors, errors in (
            ("ar1", "g", "correlation = corAR1(form = ~ t | g)"),
            ("strata", "g", "weights = varIdent(form = ~ 1 | f)"),
            ("nested-ar1", "a/g", "correlation = corAR1(form = ~ t | a/g)"),
        )
        for rows, levels in ((10_000, 500), (20_000, 1_000))
    },
    "grouseticks": Work(
        "glmer(TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION), family = poisson)",
        lambda: table("grouseticks"),
    ),
    "verbagg": Work(
        "glmer(r ~ x + male + (1 | person) + (1 | item), family = binomial)", answers
    ),
    "cbpp": Work(
        "glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), family = binomial)",
        lambda: table("cbpp"),
    ),
}  # fmt: skip


def measure(name: str, strategy: str, options: argparse.Namespace) -> dict[str, float]:
    """One strategy on one work item, once, in this process."""
    if options.engine == "cmdstan" and cmdstan_home.missing() is None:
        import cmdstanpy

        cmdstanpy.set_cmdstan_path(str(cmdstan_home.cmdstan_home()))
    engine = engine_named(options.engine)
    data = WORK[name].data()
    start = time.perf_counter()
    model = m2s.model(WORK[name].call, data, strategy=strategy)
    program = engine.compile(model.stan_code, model.stan_data)
    inits = starting_points(model.meaning, model.stan_data, options.chains, options.seed)
    compiled = time.perf_counter()
    figures = {"compile s": compiled - start, "gradient us": gradient(program, inits[0])}
    if options.draws:
        begin = time.perf_counter()
        settings = Settings(
            chains=options.chains,
            warmup=options.warmup,
            draws=options.draws,
            seed=options.seed,
            adapt_delta=0.9,
            inits=inits,
        )
        draws = program.sample(settings)
        sampled = time.perf_counter()
        summary = Fit.of(draws, model.labels).summary("all")
        done = time.perf_counter()
        figures |= {
            "sample s": sampled - begin,
            "total s": (compiled - start) + (done - begin),
            "leapfrogs": float(np.mean(draws.stats["n_steps"])),
            "min ESS/s": float(summary["ess_bulk"].min()) / (sampled - begin),
            "divergent": float(np.sum(draws.stats["diverging"])),
        }
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    # Linux counts in kB
    return figures | {"peak MB": max(resource.getrusage(w).ru_maxrss for w in who) / 1024}


def gradient(program: Any, point: dict[str, Any]) -> float:
    """Microseconds of a log density and its gradient: the fastest of five batches of 0.1 s."""
    model = getattr(program, "_model", None)
    if not hasattr(model, "log_prob_grad"):
        return float("nan")
    q = program._unconstrain(point)

    def seconds(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            model.log_prob_grad(q)
        return (time.perf_counter() - start) / count

    count = max(1, int(0.1 / seconds(3)))
    return 1e6 * min(seconds(count) for _ in range(5))


def in_a_process(name: str, strategy: str, options: argparse.Namespace) -> dict[str, float]:
    """:func:`measure` in a process of its own; nothing if it takes longer than the limit."""
    given = ("engine", "chains", "warmup", "draws", "seed")
    arguments = [f"--{key}={getattr(options, key)}" for key in given]
    command = [sys.executable, "-m", "tests.bench.strategies", name, "--one", strategy, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=options.limit)
    except subprocess.TimeoutExpired:
        print(f"{name}, {strategy}: not done after {options.limit} s", flush=True)
        return {}
    if done.returncode:
        print(f"{name}, {strategy}: {done.stderr.strip().splitlines()[-1]}", flush=True)
        return {}
    return json.loads(done.stdout.splitlines()[-1])


COLUMNS = {
    "compile s": 2,
    "sample s": 2,
    "total s": 2,
    "gradient us": 1,
    "leapfrogs": 1,
    "min ESS/s": 2,
    "divergent": 0,
    "peak MB": 0,
}


def compare(name: str, options: argparse.Namespace) -> pd.DataFrame:
    """The medians of the rounds, a row per strategy."""
    strategies = options.strategies or (
        ["auto", "noncentred"] if WORK[name].both else ["auto"]
    )  # fmt: skip
    rounds: dict[str, list[dict[str, float]]] = {strategy: [] for strategy in strategies}
    for turn in range(options.rounds):
        for strategy in strategies if turn % 2 == 0 else strategies[::-1]:
            rounds[strategy].append(in_a_process(name, strategy, options))
    rows = {(name, s): pd.DataFrame(found).median() for s, found in rounds.items()}
    return pd.DataFrame(rows).T.reindex(columns=list(COLUMNS))


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("work", nargs="*", choices=[*WORK, []], help="work items; all if none")
    parser.add_argument("--engine", default="stanli", choices=["stanli", "cmdstan"])
    parser.add_argument("--strategies", nargs="+", help="auto and noncentred, where that ends soon")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=1000, help="0 for the gradient alone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=3600, help="seconds of one measurement")
    parser.add_argument("--one", metavar="STRATEGY", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main() -> None:
    options = options_of()
    if options.one:
        print(json.dumps(measure(options.work[0], options.one, options)))
        return
    for name in options.work or WORK:
        # as soon as it is there: a later work item may take an hour
        shown = compare(name, options)
        ratio = shown["min ESS/s"] / shown["min ESS/s"].iloc[-1]
        shown = shown.round(COLUMNS)
        if len(shown) > 1:
            shown["ratio"] = ratio.round(1)
        print(shown.to_string(), flush=True)


if __name__ == "__main__":
    main()
