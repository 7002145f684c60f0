"""Chains as tasks of their own: on other machines, or kept one by one so that a run can go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mix2stan.engines import Draws, Engine, Progress, Settings, engine_named
from mix2stan.engines.contract import ProgressCallback
from mix2stan.errors import EngineError, Mix2stanError
from mix2stan.many import Failure, Store, Work, arrays_or_raise, fingerprint, run_many, seed_of
from mix2stan.many.store import Arrays

__all__ = ["chain_seeds", "sample_chains", "sample_data_sets"]

_VARIABLE, _STATISTIC = "variable ", "statistic "


@dataclass(frozen=True, eq=False)
class _Program:
    """What all chains share; each says which of the data it is about."""

    engine: str
    stan_code: str
    data: tuple[Mapping[str, Any], ...]
    settings: Settings


def chain_seeds(seed: int, chains: int) -> list[int]:
    """A seed of Stan's for every chain, the same wherever the chain runs."""
    return [int(seed_of(seed, c).generate_state(1)[0]) for c in range(chains)]


def sample_chains(
    engine: Engine,
    stan_code: str,
    data: Mapping[str, Any],
    settings: Settings,
    call: str,
    *,
    executor: Executor | None = None,
    out: str | Path | None = None,
    progress: ProgressCallback | bool | None = None,
) -> Draws:
    """The draws of all chains, each a task.

    Chain c runs with its own seed, so draws are the same whether it ran here, elsewhere, or in a
    run that was stopped and went on; they are others than those of all chains in one process.

    Args:
        engine: what samples.
        stan_code: the program.
        data: its data.
        settings: how; ``inits`` has a mapping per chain, or is a radius.
        call: the R call, for the record in ``out``.
        executor: where chains run; local processes if None.
        out: a folder that keeps every chain as it finishes.
        progress: called when a chain is done; or whether to show a bar, None if standard error is a
            terminal.

    Raises:
        EngineError: if a chain fails every time it is tried.
        Mix2stanError: if ``out`` holds another request, or cannot be written.
    """
    store = None
    if out is not None:
        inits = fingerprint(
            *(settings.inits_of(c + 1) or settings.radius for c in range(settings.chains))
        )
        data_sets = {"data": fingerprint(data), "inits": inits}
        store = _store(out, engine, stan_code, settings, call, data_sets)
    alone = replace(settings, chains=1, threads=1, inits=None, folder=None)
    seeds = chain_seeds(settings.seed, settings.chains)
    starts = [settings.inits_of(c + 1) or settings.radius for c in range(settings.chains)]
    items = [(0, seed, start) for seed, start in zip(seeds, starts, strict=True)]
    work = Work(_chain, _Program(engine.name, stan_code, (data,), alone), items, "chain")
    total = settings.warmup + settings.draws

    def done(tell: ProgressCallback) -> Callable[[int], None]:
        return lambda i: tell(Progress(i + 1, total, total, "sampling"))

    show = done(progress) if callable(progress) else progress
    return _joined(run_many(work, executor=executor, store=store, progress=show), settings)


def sample_data_sets(
    engine: Engine,
    stan_code: str,
    data: Sequence[Mapping[str, Any]],
    settings: Settings,
    starts: Sequence[Sequence[Mapping[str, Any]]],
    call: str,
    *,
    executor: Executor | None = None,
    out: str | Path | None = None,
    progress: bool | None = None,
) -> Draws:
    """The draws of all chains of one program on several data sets, one after the other.

    Args:
        engine, stan_code, settings, call, executor, out: as in :func:`sample_chains`.
        data: the program's data, of every data set.
        starts: the starting values of every chain, by data set.
        progress: show a bar; None if standard error is a terminal.

    Raises:
        EngineError: if a chain fails every time it is tried.
        Mix2stanError: if ``out`` holds another request, or cannot be written.
    """
    store = None
    if out is not None:
        prints = {"data": fingerprint(*data), "inits": fingerprint(*(s for i in starts for s in i))}
        store = _store(out, engine, stan_code, settings, call, {"data_sets": len(data), **prints})
    alone = replace(settings, chains=1, threads=1, inits=None, folder=None)
    items = [
        (i, int(seed_of(settings.seed, i, c).generate_state(1)[0]), start)
        for i, mine in enumerate(starts)
        for c, start in enumerate(mine)
    ]
    work = Work(_chain, _Program(engine.name, stan_code, tuple(data), alone), items, "chain")
    return _joined(run_many(work, executor=executor, store=store, progress=progress), settings)


def _store(
    out: str | Path,
    engine: Engine,
    stan_code: str,
    settings: Settings,
    call: str,
    further: Mapping[str, Any],
) -> Store:
    """The folder of a run: of everything its chains depend on."""
    about = {
        "call": call,
        "chains": settings.chains,
        "warmup": settings.warmup,
        "draws": settings.draws,
        "seed": settings.seed,
        "adapt_delta": settings.adapt_delta,
        "max_treedepth": settings.max_treedepth,
        "engine": engine.version,
        "program": fingerprint(stan_code),
        **further,
    }
    return Store(out, "chain", about)


def _chain(program: _Program, item: tuple[int, int, Any]) -> dict[str, NDArray[Any]]:
    number, seed, start = item
    settings = replace(program.settings, seed=seed, inits=start)
    compiled = engine_named(program.engine).compile(program.stan_code, program.data[number])
    draws = compiled.sample(settings)
    found = {_VARIABLE + name: values[0] for name, values in draws.variables.items()}
    found |= {_STATISTIC + name: values[0] for name, values in draws.stats.items()}
    return found | {"engine": np.array(draws.engine), "messages": np.array(draws.messages, str)}


def _joined(results: Sequence[Arrays | Failure], settings: Settings) -> Draws:
    """One chain after the other.

    Raises:
        EngineError: naming the first that failed.
    """
    try:
        chains = arrays_or_raise(results, "chain")
    except Mix2stanError as error:
        raise EngineError(error.message, hint=error.hint) from error

    def those(prefix: str) -> dict[str, NDArray[Any]]:
        names = [name for name in chains[0] if name.startswith(prefix)]
        return {n.removeprefix(prefix): np.stack([chain[n] for chain in chains]) for n in names}

    messages = [str(line) for chain in chains for line in chain["messages"]]
    return Draws(
        variables=those(_VARIABLE),
        stats=those(_STATISTIC),
        engine=str(chains[0]["engine"]),
        chain_ids=tuple(range(1, len(chains) + 1)),
        messages=tuple(dict.fromkeys(messages)),
        max_treedepth=settings.max_treedepth,
    )
