"""Several responses below each other: a row for each, as MCMCglmm and many scripts have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.counts import bounded
from mix2stan.design.evaluate import Evaluation
from mix2stan.design.frame import Frame
from mix2stan.design.room import most_cells
from mix2stan.errors import FormulaError
from mix2stan.graph import Trait
from mix2stan.syntax import Node

__all__ = ["TRAIT", "UNIT", "levels_of", "of_every_trait", "stack", "trials_name"]

#: The factor of the responses, and that of the rows they came from: MCMCglmm's names.
TRAIT, UNIT = "trait", "units"


def trials_name(name: str) -> str:
    """What the column of the numbers of trials of all responses is called."""
    return f"trials of {name}"


def levels_of(df: pd.DataFrame, response: Node) -> tuple[str, ...]:
    """The levels of a response of categories that rows have, those of numbers by size."""
    return Evaluation(Frame.of(df)).variable(response).as_factor().used_levels().levels


def stack(df: pd.DataFrame, responses: Sequence[Trait], name: str) -> pd.DataFrame:
    """The data once for every response.

    Args:
        df: the data, shape (n, …).
        responses: the traits, T of them.
        name: what the column of all responses is called.

    Returns:
        Shape (T n, …): the columns of ``df``, the responses under ``name`` (missing where they are),
        the factors ``trait`` and ``units``, and the numbers of trials where a response is part of
        some, 1 for the others.  The first response comes first.  The index is that of ``df`` and the
        name of the response.

    Raises:
        FormulaError: if a response is a factor, or the data have a column ``trait``.
    """
    if TRAIT in df.columns:
        hint = "rename it: the responses of cbind() are the levels of 'trait'"
        raise FormulaError("the data have a column 'trait' already", hint=hint)
    evaluation = Evaluation(Frame.of(df))
    span = responses[0].values.span if responses else None
    cells = len(responses) * len(df) * (len(df.columns) + 3)
    bounded(cells, most_cells(len(df)), "cells of rows for every response", span)
    values = [_values(evaluation, response) for response in responses]
    long = of_every_trait(df, [response.name for response in responses])
    long[name] = np.concatenate(values)
    if any(response.counts for response in responses):
        trials = [_trials(evaluation, response, len(df)) for response in responses]
        long[trials_name(name)] = np.concatenate(trials)
    long[UNIT] = pd.Categorical(np.tile(np.arange(len(df)) + 1, len(responses)))
    return long


def of_every_trait(df: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Rows once for every trait, which the factor ``trait`` and the index name, the first trait first.

    Args:
        df: the rows, shape (n, …).
        labels: the traits.
    """
    rows, traits = np.arange(len(df)), len(labels)
    long = pd.concat([df] * traits, ignore_index=True)
    long[TRAIT] = pd.Categorical(np.repeat(np.array(labels), len(df)), list(labels))
    place = np.tile(rows, traits)
    levels = [df.index.get_level_values(k)[place] for k in range(df.index.nlevels)]
    names = list(df.index.names) if any(n is not None for n in df.index.names) else None
    names = names or (["row"] if len(levels) == 1 else [f"row_{k}" for k in range(len(levels))])
    long.index = pd.MultiIndex.from_arrays(
        [*levels, np.repeat(np.array(labels, dtype=object), len(df))], names=[*names, TRAIT]
    )
    return long


def _values(evaluation: Evaluation, trait: Trait) -> NDArray[np.float64]:
    if not trait.levels:
        return _numbers(evaluation, trait.values)
    column = evaluation.variable(trait.values).as_factor()
    place = np.array(
        [trait.levels.index(s) + 1.0 if s in trait.levels else np.nan for s in column.levels]
    )
    return np.where(column.values >= 0, place[column.values], np.nan)


def _numbers(evaluation: Evaluation, node: Node) -> NDArray[np.float64]:
    column = evaluation.variable(node)
    if column.is_factor or column.values.ndim != 1:
        raise FormulaError(f"{node} is not numeric", span=node.span)
    return np.asarray(column.numbers(), dtype=float)


def _trials(evaluation: Evaluation, trait: Trait, rows: int) -> NDArray[np.float64]:
    """The sum of the counts, missing where one of them is."""
    if not trait.counts:
        return np.ones(rows)
    return np.asarray(np.sum([_numbers(evaluation, node) for node in trait.counts], axis=0))
