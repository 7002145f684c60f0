"""The posterior of several responses with distributions of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from mix2stan.errors import Mix2stanError, Unsupported, suggestion
from mix2stan.fit import Fit, Kind, load
from mix2stan.folders import write_whole
from mix2stan.graph import Member, ModelGraph, joined
from mix2stan.members import (
    common_variables,
    joint_labels,
    joint_name,
    joint_table,
    one_at_a_time,
)
from mix2stan.names import RowNames
from mix2stan.schema import Schema

__all__ = ["JointFit", "load_joint"]

T = TypeVar("T")

#: The file of a saved fit that says which responses there are.
_INDEX = "responses.json"


class JointFit(Fit):
    """Draws from the posterior of several responses; that of each is a fit of its own.

    Its tables are those of all.  What is about rows is asked of one: ``fit.response("b").predict()``.
    """

    def __init__(self, fits: Mapping[str, Fit], graph: ModelGraph) -> None:
        first = next(iter(fits.values()))
        self._fits = dict(fits)
        self._graph = graph
        super().__init__(
            self._together(),
            first.sample_stats,
            joint_labels(graph, first.labels.observations),
            first.engine,
            first._max_treedepth,
        )

    def response(self, name: str) -> Fit:
        """The fit of one response: its draws by the names a model of it alone has.

        Args:
            name: the response, as it ends the names of what is its own.

        Raises:
            Mix2stanError: if there is none of that name; the nearest is named.

        >>> joint_fit.response("incidence").fixef().index.tolist()
        ['(Intercept)', 'period2', 'period3', 'period4']
        """
        if name not in self._fits:
            hint = suggestion(name, self._fits, what="the responses")
            raise Mix2stanError(f"there is no response {name!r}", hint=hint)
        return self._fits[name]

    @property
    def responses(self) -> tuple[str, ...]:
        """The names of the responses, in order.

        >>> joint_fit.responses
        ('incidence', 'size')
        """
        return tuple(self._fits)

    @property
    def schema(self) -> Schema:
        """Never there: rows are those of one response.

        Raises:
            Unsupported: always; says how to ask.
        """
        raise self._one_at_a_time()

    def _one_at_a_time(self) -> Unsupported:
        return one_at_a_time(f"fit.response({self.responses[0]!r}) is its fit")

    # -- tables ------------------------------------------------------------------------------------

    def names(self, kind: Kind = "main") -> dict[str, tuple[str, ...]]:
        """The variables and the names of their elements, as the tables have them; see :class:`Fit`."""
        found: dict[str, tuple[str, ...]] = {}
        for member in self._graph.members:
            common = common_variables(member.graph)
            for variable, names in self._fits[member.name].names(kind).items():
                own = names if variable in common else tuple(map(member.row, names))
                found[joint_name(member, variable)] = own
        return found

    def summary(self, kind: Kind = "main") -> pd.DataFrame:
        """See :meth:`Fit.summary`; rows of one response begin with its name: ``a.sigma``."""
        parts = []
        for member in self._graph.members:
            fit, common = self._fits[member.name], common_variables(member.graph)
            shared = {n for v, names in fit.names(kind).items() if v in common for n in names}
            parts.append((member, fit.summary(kind), shared))
        return joint_table(parts)

    def fixef(self) -> pd.Series:
        """See :meth:`Fit.fixef`; the first level of the index is the response."""
        return self._of_each(lambda fit: fit.fixef())

    def ranef(self) -> pd.DataFrame:
        """See :meth:`Fit.ranef`; what responses have in common is in the table of each."""
        return self._of_each(lambda fit: fit.ranef())

    def coef(self) -> pd.DataFrame:
        """See :meth:`Fit.coef`; the first level of the index is the response."""
        return self._of_each(lambda fit: fit.coef())

    def VarCorr(self) -> pd.DataFrame:
        """See :meth:`Fit.VarCorr`; what responses have in common is in the table of each."""
        return self._of_each(lambda fit: fit.VarCorr())

    def sigma(self) -> float:
        """There is one of each Gaussian response.

        Raises:
            Unsupported: always; says how to ask.
        """
        raise self._one_at_a_time()

    def log_lik(self, by: str = "obs", draws: int | None = None) -> Any:
        """See :meth:`Fit.log_lik`: that of a row is the sum over its responses."""
        of_each = (fit.log_lik(by, draws).rename(None) for fit in self._fits.values())
        total: Any = sum(of_each)
        self._further["log_likelihood"] = total.to_dataset(name=self.labels.response)
        return total

    # -- files -------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write a folder with the fit of every response.

        Args:
            path: the folder; it is made if needed, and fits in it are replaced.

        Returns:
            The path.

        Raises:
            OSError: if it cannot be written.
        """
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        files = {name: _file_of(name, i) for i, name in enumerate(self._fits)}
        for name, fit in self._fits.items():
            fit.save(folder / files[name])
        write_whole(folder / _INDEX, json.dumps(files))
        return folder

    # -- inside ------------------------------------------------------------------------------------

    @cached_property
    def _rows(self) -> RowNames:
        found: dict[str, tuple[str, ...]] = {}
        for member in self._graph.members:
            fit, common = self._fits[member.name], common_variables(member.graph)
            for variable, rows in fit.names("all").items():
                own = (lambda name: name) if variable in common else member.row
                found |= {own(row): tuple(map(own, fit._rows.rows[row])) for row in rows}
        return RowNames(found)

    def _of_each(self, table: Callable[[Fit], T]) -> T:
        tables: Any = {name: table(fit) for name, fit in self._fits.items()}
        found: T = pd.concat(tables, names=["response"])
        return found

    def _together(self) -> Any:
        """All draws; variables and dimensions of one response alone end with its name."""
        import xarray as xr

        found: dict[str, Any] = {}
        for member in self._graph.members:
            common = common_variables(member.graph)
            for variable, values in self._fits[member.name].posterior.data_vars.items():
                if variable in common:
                    found.setdefault(variable, values)
                    continue
                dims = {d: member.own(str(d)) for d in values.dims if d not in ("chain", "draw")}
                found[member.own(str(variable))] = values.rename(dims)
        return xr.Dataset(found)


def _file_of(name: str, place: int) -> str:
    """The file of a response: its name, if every system takes that as one."""
    plain = re.fullmatch(r"\w{1,100}", name, re.ASCII)
    return f"{name}.nc" if plain else f"response-{place + 1}.nc"


def load_joint(folder: Path) -> JointFit:
    """Read a folder that :meth:`JointFit.save` wrote.

    Raises:
        Mix2stanError: if it is none.
    """
    index = folder / _INDEX
    if not index.is_file():
        raise Mix2stanError(f"{folder} is no fit: it has no {_INDEX}", hint="a fit is a file.nc")
    try:
        files = json.loads(index.read_text(encoding="utf-8"))
        # a file of the folder itself, whatever the index says
        inside = bool(files) and all(Path(file).name == file for file in files.values())
    except (AttributeError, OSError, TypeError, ValueError, RecursionError):
        inside = False
    if not inside:
        raise Mix2stanError(f"{index} is damaged, or not of a fit that mix2stan saved")
    fits = {name: load(folder / file) for name, file in files.items()}
    members = tuple(Member(name, fit.schema.graph) for name, fit in fits.items())
    return JointFit(fits, joined(members, next(iter(fits.values())).labels.call))
