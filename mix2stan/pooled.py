"""One model fitted to several data sets, as multiple imputation makes them, and pooled."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame

from mix2stan.arguments import answering
from mix2stan.design import is_frame
from mix2stan.errors import DataError, Mix2stanError
from mix2stan.fit import Fit
from mix2stan.inits import starting_points
from mix2stan.many import seed_of_run
from mix2stan.model import model
from mix2stan.stan_data import stan_data

__all__ = ["fit_multiple"]


@answering
def fit_multiple(
    text: str,
    data: Sequence[pd.DataFrame | IntoFrame],
    *,
    prior: str = "default",
    strategy: str = "auto",
    chains: int = 2,
    warmup: int = 1000,
    draws: int = 1000,
    seed: int | None = None,
    engine: str | None = "auto",
    adapt_delta: float = 0.9,
    executor: Executor | None = None,
    out: str | Path | None = None,
    progress: bool | None = None,
) -> Fit:
    """The posterior of a model over imputed data sets: the equal mixture of theirs.

    The chains of all data sets stand one after the other; the coordinate ``data_set`` along the
    chains, from 1, says whose they are, and the fit's engine says that it is pooled.  R-hat compares
    them all, so it is above 1 as far as the data sets disagree (Gelman et al. 2013, section 18.2).

    Args:
        text: R code with one model call.
        data: the data sets, of the same rows, columns and levels.
        prior, strategy: as in :func:`mix2stan.model`; the scales of the priors are those of the
            first data set, for all.
        chains, warmup, draws, adapt_delta: of every data set.
        seed: makes the draws reproducible, wherever they run; drawn at random if None.
        engine: what samples.
        executor: where chains run, as in :meth:`mix2stan.model.Model.sample`.
        out: a folder that keeps each chain as it finishes; the same call goes on with those it has.
        progress: show a bar; None if standard error is a terminal.

    Raises:
        DataError: if the data sets lead to different programs, rows or levels.
        EngineError: if a chain fails.
        Mix2stanError: if ``out`` holds another request, or cannot be written.

    >>> pooled = fit_multiple("lm(Reaction ~ Days)", [sleepstudy] * 2, seed=1)
    >>> pooled.posterior["data_set"].values.tolist()
    [1, 1, 2, 2]
    """
    from mix2stan.chains import sample_data_sets
    from mix2stan.engines import Settings, pick_engine

    given: object = data
    if is_frame(given) or not len(data):
        raise Mix2stanError("fit_multiple() takes a list of data frames", hint="[df1, df2, ...]")
    models = [model(text, frame, prior=prior, strategy=strategy) for frame in data]
    first = models[0]
    for i, other in enumerate(models[1:], start=2):
        if other.stan_code != first.stan_code:
            raise DataError(f"data set {i} leads to another program than the first")
        mine, theirs = (replace(m.labels, priors={}) for m in (first, other))
        if mine != theirs:
            raise DataError(
                f"data set {i} has other rows, coefficients or levels than the first",
                hint="imputed data sets differ in single values alone",
            )
    settings = Settings(
        chains=chains,
        warmup=warmup,
        draws=draws,
        seed=seed_of_run(seed, out),
        adapt_delta=adapt_delta,
    )
    chains = settings.chains
    graphs = [replace(m.meaning, priors=first.meaning.priors) for m in models]
    entries = [stan_data(g, m.data) for g, m in zip(graphs, models, strict=True)]
    starts = [
        starting_points(g, e, chains, settings.seed) for g, e in zip(graphs, entries, strict=True)
    ]
    found = sample_data_sets(
        pick_engine(engine),
        first.stan_code,
        entries,
        settings,
        starts,
        first.call,
        executor=executor,
        out=out,
        progress=progress,
    )
    label = f"{found.engine}, pooled over {len(models)} data sets"
    fit = Fit.of(replace(found, engine=label), first.labels)
    whose = np.repeat(np.arange(1, len(models) + 1), chains)
    fit.posterior = fit.posterior.assign_coords(data_set=("chain", whose))
    return fit
