"""Between numpy and what Stan reads and prints: data as JSON, columns as arrays."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mix2stan.engines.contract import Array, Draws
from mix2stan.errors import EngineError

__all__ = ["STATS", "Layout", "approximation", "layout", "split", "stats", "to_json"]

# Stan's sampler columns, with the names ArviZ has for them.
STATS = {
    "lp__": "lp",
    "accept_stat__": "acceptance_rate",
    "stepsize__": "step_size",
    "treedepth__": "tree_depth",
    "n_leapfrog__": "n_steps",
    "divergent__": "diverging",
    "energy__": "energy",
}
_TYPES = {"tree_depth": np.int64, "n_steps": np.int64, "diverging": np.bool_}

_INDEXED = re.compile(r"^(.+?)[.\[]([0-9]+(?:[.,][0-9]+)*)\]?$")

# Shape of each variable, and where its columns (first index fastest) start and stop.
Layout = dict[str, tuple[tuple[int, ...], slice]]


def to_json(data: Mapping[str, Any]) -> str:
    """Stan data as JSON text.

    Values are numbers, or anything numpy makes a numeric array of; truth values become 0 and 1.
    A matrix without columns is written as its empty rows, which both engines need.

    Raises:
        EngineError: if a value is not numeric, or a whole number does not fit Stan's 32 bits.
    """
    return json.dumps({name: _plain(name, value) for name, value in data.items()})


def _plain(name: str, value: Any) -> Any:
    array = np.asarray(value)
    if array.dtype == np.bool_:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iuf":
        raise EngineError(f"the data value '{name}' is not numeric")
    if array.dtype.kind in "iu" and array.size and np.abs(array).max() > np.iinfo(np.int32).max:
        raise EngineError(f"the data value '{name}' has a whole number beyond Stan's 32 bits")
    return array.tolist()


def layout(names: Sequence[str]) -> Layout:
    """Group columns such as ``b.1.1, b.2.1`` or ``b[1,1], b[2,1]`` into variables.

    >>> layout(["mu", "b.1.1", "b.2.1"])
    {'mu': ((), slice(0, 1, None)), 'b': ((2, 1), slice(1, 3, None))}
    """
    groups: Layout = {}
    start = 0
    while start < len(names):
        base, _ = _parse(names[start])
        stop = start + 1
        while stop < len(names) and _parse(names[stop])[0] == base:
            stop += 1
        groups[base] = (_parse(names[stop - 1])[1], slice(start, stop))
        start = stop
    return groups


def _parse(name: str) -> tuple[str, tuple[int, ...]]:
    match = _INDEXED.match(name)
    if match is None:
        return name, ()
    return match.group(1), tuple(int(i) for i in re.split("[.,]", match.group(2)))


def split(columns: Array, groups: Layout) -> dict[str, Array]:
    """Variables of shape (..., *own shape) from columns of shape (..., columns), not copied."""
    lead = columns.shape[:-1]
    found: dict[str, Array] = {}
    for name, (shape, where) in groups.items():
        # Stan prints the first index fastest: reshape backwards, then turn the axes round.
        turned = columns[..., where].reshape((*lead, *reversed(shape)))
        axes = range(len(lead), len(lead) + len(shape))
        found[name] = turned.transpose((*range(len(lead)), *reversed(axes)))
    return found


def stats(columns: Mapping[str, Array]) -> dict[str, Array]:
    """Stan's sampler columns under ArviZ's names, whole numbers and truth values as such."""
    return {
        label: columns[name].astype(_TYPES.get(label, np.float64)) for name, label in STATS.items()
    }


def approximation(
    engine: str, kind: str, names: Sequence[str], values: Array, columns: Mapping[str, Array]
) -> Draws:
    """The draws of an approximation, labelled as one.

    Args:
        engine: what made them.
        kind: ``laplace`` and so on.
        names: of the columns.
        values: the draws, shape (1, draws, columns).
        columns: those of the sampler.
    """
    return Draws(
        variables=split(values, layout(names)),
        stats=stats(columns),
        engine=f"{engine}, {kind} approximation, not MCMC",
        chain_ids=(1,),
        messages=(),
        max_treedepth=10,
    )
