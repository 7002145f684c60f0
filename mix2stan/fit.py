"""The posterior of a model: labelled draws, and R's tables of them."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mix2stan import inference_data
from mix2stan.arguments import answering
from mix2stan.diagnostics import Problem, find_problems
from mix2stan.documents import Block, Paragraph, result_page, table_of
from mix2stan.errors import Mix2stanError, visible
from mix2stan.labels import GroupLabels, Labels
from mix2stan.names import RowNames
from mix2stan.postfit.methods import AfterFit
from mix2stan.schema import Schema
from mix2stan.summaries import summarise

if TYPE_CHECKING:
    from mix2stan.engines import Draws

__all__ = ["Fit", "load"]

Kind = Literal["main", "fixef", "ranef", "all"]

_FORMAT = 5
#: The group of a file that has the data a fit remembers.
_DATA = "mix2stan_data"


class Fit(AfterFit):
    """Draws from a posterior.

    Attributes:
        posterior: the draws as an xarray dataset with the dims ``chain`` and ``draw`` first;
            variables by Stan name, dims and coords by R's.
        sample_stats: the sampler's own figures, per chain and draw.
        labels: what the variables are called, and the call they belong to.
        engine: what drew them.
    """

    def __init__(
        self,
        posterior: Any,
        sample_stats: Any,
        labels: Labels,
        engine: str,
        max_treedepth: int,
        schema: Schema | None = None,
    ) -> None:
        self.posterior = posterior
        self.sample_stats = sample_stats
        self.labels = labels
        self.engine = engine
        self._max_treedepth = max_treedepth
        self._schema = schema
        self._further: dict[str, Any] = {}

    @classmethod
    def of(cls, draws: Draws, labels: Labels, schema: Schema | None = None) -> Fit:
        """Label the draws of an engine; with the schema of the model they can predict."""
        posterior = inference_data.posterior(draws.variables, labels)
        sample_stats = inference_data.sample_stats(draws.stats)
        return cls(posterior, sample_stats, labels, draws.engine, draws.max_treedepth, schema)

    @property
    def idata(self) -> Any:
        """ArviZ's container: InferenceData, or DataTree from ArviZ 1.0 on.

        It has the groups ``posterior`` and ``sample_stats``; :meth:`posterior_predictive` and
        :meth:`log_lik` add theirs.

        >>> fit.idata.posterior["sigma"].shape
        (4, 1000)
        """
        return inference_data.container(self._groups | self._further)

    @property
    def schema(self) -> Schema:
        """What predictions need of the model and its data.

        Raises:
            Mix2stanError: if the fit was made without.
        """
        if self._schema is None:
            raise Mix2stanError(
                "this fit does not know its data, so it cannot speak about rows",
                hint="sample again: model.sample() keeps what is needed",
            )
        return self._schema

    @property
    def _groups(self) -> dict[str, Any]:
        return {"posterior": self.posterior, "sample_stats": self.sample_stats}

    # -- tables ------------------------------------------------------------------------------------

    @answering
    def summary(self, kind: Kind = "main") -> pd.DataFrame:
        """Posterior summaries: ``mean sd 2.5% 50% 97.5% ess_bulk ess_tail r_hat``.

        Args:
            kind: ``"main"`` for all but the single effects, ``"fixef"`` for the population effects
                by R's names alone, ``"ranef"`` for the effects of every level, ``"all"`` for all.

        Raises:
            Mix2stanError: for another kind.

        >>> fit.summary("fixef").index.tolist()
        ['(Intercept)', 'Days']
        """
        return self._table(self.names(kind))

    def names(self, kind: Kind = "main") -> dict[str, tuple[str, ...]]:
        """What the rows of a summary are called, by the Stan variable they are elements of.

        Args:
            kind: as in :meth:`summary`.

        Raises:
            Mix2stanError: for another kind.

        >>> fit.names("fixef")
        {'beta': ('(Intercept)', 'Days')}
        """
        if kind == "fixef":
            return self._fixef_names()
        effects = {f"b_{g.id}": _effect_names(g) for g in self.labels.groups}
        if kind == "ranef":
            return effects
        main = self._main_names()
        if kind == "main":
            return main
        if kind == "all":
            return main | effects
        raise Mix2stanError(
            f"there is no summary of kind {kind!r}", hint="main, fixef, ranef or all"
        )

    def fixef(self) -> pd.Series:
        """Posterior means of the population effects, by R's names.

        Those of another parameter than the mean are called ``sigma[Days]``.

        >>> fit.fixef().round(-1).to_dict()
        {'(Intercept)': 250.0, 'Days': 10.0}
        """
        blocks = self._fixef_names()
        names = [label for labels in blocks.values() for label in labels]
        means = [self._draws(variable).mean(axis=(0, 1)) for variable in blocks]
        return pd.Series(np.concatenate([np.zeros(0), *means]), index=names, name="mean")

    def ranef(self) -> pd.DataFrame:
        """Means and sds of the group effects: a row per ``group level effect``.

        Where parameters besides the mean have predictors, the first level of the index is ``owner``:
        ``mu`` or the parameter.

        >>> fit.ranef().shape
        (36, 2)
        """
        tables = [self._ranef(g) for g in self.labels.groups]
        if not tables:
            return pd.DataFrame(columns=["mean", "sd"])
        return pd.concat(tables)

    def coef(self) -> pd.DataFrame:
        """Population plus group effects: a row per ``group level``, a column per coefficient.

        As in lme4, an effect without a population effect stands alone, and a population effect
        without a group effect is the same in every row.

        >>> fit.coef().columns.tolist()
        ['(Intercept)', 'Days']
        """
        fixed = self.fixef()
        tables = []
        for group in self.labels.groups:
            own = (lambda c, o=group.owner: f"{o}[{c}]") if group.owner else str
            means = self._effects(group).mean(axis=(0, 1))
            index = self._index(group, {"group": [group.factor], "level": group.levels})
            table = pd.DataFrame(dict(fixed.items()), index=index)
            for k, name in enumerate(group.coefficients):
                table[own(name)] = means[:, k] + fixed.get(own(name), 0.0)
            tables.append(table)
        return pd.concat(tables) if tables else pd.DataFrame(columns=list(fixed.index))

    def VarCorr(self) -> pd.DataFrame:
        """Standard deviations and correlations of the group effects, and the residual's, if any.

        A row per ``group effect``; the columns ``sd``, ``2.5%``, ``97.5%`` of the standard deviation,
        then the posterior mean correlation with each earlier effect of the term.  Where parameters
        besides the mean have predictors, the first level of the index is ``owner``.

        >>> fit.VarCorr().columns.tolist()
        ['sd', '2.5%', '97.5%', 'cor (Intercept)']
        """
        rows = [row for group in self.labels.groups for row in self._varcorr(group)]
        if "sigma" in self.labels.parameters or self.labels.known_errors:
            owner = {"owner": "mu"} if self.labels.predictors else {}
            rows += [{**owner, **row} for row in self._residual()]
        index = [*(["owner"] if self.labels.predictors else []), "group", "effect"]
        return pd.DataFrame(rows, columns=None if rows else index).set_index(index)

    def sigma(self) -> float:
        """Posterior mean of the residual standard deviation.

        Raises:
            Mix2stanError: if the family has none.

        >>> round(fit.sigma())
        26
        """
        if "sigma" in dict(self.labels.predictors):
            hint = "summary('fixef') has its coefficients"
            raise Mix2stanError("sigma has a predictor, so a value for every row", hint=hint)
        known = {} if self._schema is None else dict(self._schema.graph.response.known)
        if "sigma" in known:
            hint = "se() has the standard deviations of the errors, row by row"
            hint = "VarCorr() has the residuals of all responses" if self.labels.traits else hint
            raise Mix2stanError(f"sigma is known to be {known['sigma']:g}", hint=hint)
        if "sigma" not in self.labels.parameters:
            family = self.labels.family
            raise Mix2stanError(f"a {family} response has no residual standard deviation")
        return float(self._draws("sigma").mean())

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the sampling, most serious first; empty if nothing is.

        >>> fit.problems
        ()
        """
        return find_problems(self.summary("all"), self.sample_stats, self._max_treedepth)

    def __str__(self) -> str:
        chains, draws = (self.posterior.sizes[d] for d in ("chain", "draw"))
        parts = [
            self.labels.call,
            f"{chains} chains of {draws} draws, {self.engine}",
            self.summary().to_string(float_format=lambda x: f"{x:.4g}"),
            *(f"warning: {problem}" for problem in self.problems),
        ]
        return visible("\n\n".join(parts))

    def __repr__(self) -> str:
        return f"<mix2stan fit: {self.labels.call}>"

    #: What its tables are of, in a notebook.
    _title = "Posterior"

    def _repr_html_(self) -> str:
        chains, draws = (self.posterior.sizes[d] for d in ("chain", "draw"))
        how = f"{chains} chains of {draws} draws, {self.engine}"
        problems = tuple(f"warning: {problem}" for problem in self.problems)
        blocks: tuple[Block, ...] = (Paragraph(how), table_of(self.summary()))
        blocks += tuple(map(Paragraph, problems))
        return result_page(self.labels.call, self._title, *blocks)

    # -- files -------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write draws, labels, call, and what predictions need of the data, to one NetCDF file.

        Args:
            path: the file; one that is there is replaced.

        Returns:
            The path.

        Raises:
            OSError: if it cannot be written; what was there stays.

        >>> fit.save(folder / "fit.nc").name
        'fit.nc'
        """
        about = {
            "format": _FORMAT,
            "engine": self.engine,
            "max_treedepth": self._max_treedepth,
            "labels": self.labels.to_json(),
        }
        groups = self._groups
        if self._schema is not None:
            about["schema"], columns = self._schema.to_parts()
            groups |= {_DATA: inference_data.dataset(columns)}
        return inference_data.save(groups, Path(path), json.dumps(about))

    # -- inside ------------------------------------------------------------------------------------

    def _draws(self, variable: str) -> np.ndarray:
        """The draws of a variable, shape (chains, draws, …)."""
        return np.asarray(self.posterior[variable].values)

    def _effects(self, group: GroupLabels) -> np.ndarray:
        """Shape (chains, draws, J, q), also for a term of one effect."""
        draws = self._draws(f"b_{group.id}")
        return draws[..., None] if group.covariance == "scalar" else draws

    def _main_names(self) -> dict[str, tuple[str, ...]]:
        """The labels of the elements of every variable that is not an effect of one level."""
        names: dict[str, tuple[str, ...]] = {}
        if self.labels.coefficients:
            names["beta"] = tuple(f"beta[{c}]" for c in self.labels.coefficients)
        names |= self._further_names()
        for g in self.labels.groups:
            each = tuple(f"sd_{g.id}[{c}]" for c in g.coefficients)
            if g.sds != "known":
                names[f"sd_{g.id}"] = each if g.sds == "each" else (f"sd_{g.id}",)
            for name, elements in g.further:
                names[name] = tuple(f"{name}[{e}]" for e in elements) or (name,)
            if g.correlated:
                pairs = _pairs(g.coefficients)
                names[f"R_{g.id}"] = tuple(f"cor_{g.id}[{a}, {b}]" for a, b in pairs)
        names |= {name: (name,) for name in self.labels.parameters}
        for name, labels in self.labels.errors:
            if name == "cor_R":
                names[name] = tuple(f"{name}[{a}, {b}]" for a, b in _pairs(labels))
            else:
                names[name] = tuple(f"{name}[{label}]" for label in labels) or (name,)
        return names

    @cached_property
    def _rows(self) -> RowNames:
        """The rows of ``summary("all")``, and what else they may be called, as brms has it too."""
        coefficients = self.names("fixef")
        found: dict[str, tuple[str, ...]] = {}
        for variable, rows in self.names("all").items():
            alone = coefficients.get(variable, rows)
            for row, name in zip(rows, alone, strict=True):
                spoken = row
                for group in self.labels.groups:
                    spoken = group.in_r_names(variable, spoken)
                others = (spoken, name)
                found[row] = (*others, *(n.replace("(Intercept)", "Intercept") for n in others))
        return RowNames(found)

    def _fixef_names(self) -> dict[str, tuple[str, ...]]:
        """R's names of the coefficients by Stan variable."""
        mean = {"beta": self.labels.coefficients} if self.labels.coefficients else {}
        return mean | self._further_names()

    def _further_names(self) -> dict[str, tuple[str, ...]]:
        """The coefficients of the parameters besides the mean."""
        return {
            f"beta_{parameter}": tuple(f"{parameter}[{c}]" for c in names)
            for parameter, names in self.labels.predictors
            if names
        }

    def _table(self, names: dict[str, tuple[str, ...]]) -> pd.DataFrame:
        return summarise(self._blocks(names))

    def _blocks(
        self, names: dict[str, tuple[str, ...]]
    ) -> list[tuple[tuple[str, ...], np.ndarray]]:
        """Labels of elements, and their draws, shape (chains, draws, n), of every variable."""
        columns = []
        for variable, labels in names.items():
            draws = self._draws(variable)
            flat = draws.reshape(*draws.shape[:2], -1)
            if variable.startswith("R_") or variable == "cor_R":
                q = draws.shape[-1]
                flat = flat[..., [i * q + j for i in range(q) for j in range(i)]]
            columns.append((labels, flat))
        return columns

    def _index(self, group: GroupLabels, places: dict[str, Any]) -> pd.MultiIndex:
        """The index of a term's rows, the owner first where there are several."""
        if self.labels.predictors:
            places = {"owner": [group.owner or "mu"], **places}
        index: pd.MultiIndex = pd.MultiIndex.from_product(list(places.values()), names=list(places))
        return index

    def _ranef(self, group: GroupLabels) -> pd.DataFrame:
        effects = self._effects(group)
        places = {"group": [group.factor], "level": group.levels, "effect": group.coefficients}
        index = self._index(group, places)
        mean, sd = effects.mean(axis=(0, 1)), effects.std(axis=(0, 1), ddof=1)
        return pd.DataFrame({"mean": mean.ravel(), "sd": sd.ravel()}, index=index)

    def _residual(self) -> list[dict[str, Any]]:
        """The residual's row of VarCorr, or one for each of several responses."""
        errors, traits = dict(self.labels.errors), self.labels.traits
        known = dict(self.labels.known_errors)
        sizes = self.idata.posterior.sizes
        sigma = (
            np.full((sizes["chain"], sizes["draw"]), next(iter(known.values())))
            if known
            else self._draws("sigma")
        )
        if not traits:
            return [{"group": "Residual", "effect": "", **_sd_columns(sigma)}]
        ratios = {name: np.ones_like(sigma) for name in traits}
        for k, name in enumerate(errors.get("var_ratio", ())):
            ratios[name] = self._draws("var_ratio")[..., k]
        rows: list[dict[str, Any]] = []
        for k, name in enumerate(traits):
            sds = np.full_like(sigma, known[name]) if name in known else sigma * ratios[name]
            row = {"group": "Residual", "effect": name, **_sd_columns(sds)}
            if "cor_R" in errors:
                means = self._draws("cor_R").mean(axis=(0, 1))
                row |= {f"cor {other}": means[k, j] for j, other in enumerate(traits[:k])}
            rows.append(row)
        return rows

    def _varcorr(self, group: GroupLabels) -> list[dict[str, Any]]:
        sds = (
            np.reshape(group.known_sds, (1, 1, -1))
            if group.known_sds
            else self._draws(f"sd_{group.id}")
        )
        sds = np.broadcast_to(
            sds if sds.ndim == 3 else sds[..., None], (*sds.shape[:2], len(group.coefficients))
        )
        rows = []
        for k, name in enumerate(group.coefficients):
            owner = {"owner": group.owner or "mu"} if self.labels.predictors else {}
            row: dict[str, Any] = {
                **owner,
                "group": group.factor,
                "effect": name,
                **_sd_columns(sds[..., k]),
            }
            if group.correlated:
                correlations = self._draws(f"R_{group.id}").mean(axis=(0, 1))
                row |= {
                    f"cor {other}": correlations[k, j]
                    for j, other in enumerate(group.coefficients[:k])
                }
            rows.append(row)
        return rows


def load(path: str | Path) -> Fit:
    """Read a fit that :meth:`Fit.save` wrote.

    Args:
        path: the file.

    Raises:
        Mix2stanError: if the file is missing, truncated, or not a fit of this version.

    >>> load(fit.save(folder / "fit.nc")).fixef().equals(fit.fixef())
    True
    """
    if Path(path).is_dir():
        from mix2stan.joint_fit import load_joint

        return load_joint(Path(path))
    groups, text = inference_data.load(Path(path), _DATA)
    try:
        about = json.loads(text)
        if about["format"] != _FORMAT:
            raise Mix2stanError(
                f"{path} was written by another version of mix2stan (format {about['format']})",
                hint=f"this one reads format {_FORMAT}",
            )
        labels = Labels.from_json(about["labels"])
        schema = None
        if "schema" in about:
            columns = {k: v.values for k, v in groups[_DATA].data_vars.items()}
            schema = Schema.from_parts(about["schema"], columns)
        posterior, stats = groups["posterior"], groups["sample_stats"]
        return Fit(posterior, stats, labels, about["engine"], about["max_treedepth"], schema)
    except Mix2stanError as error:
        if type(error) is Mix2stanError:
            raise
        raise inference_data.not_ours(Path(path)) from error
    except Exception as error:  # a hostile file may hold anything, at any depth
        raise inference_data.not_ours(Path(path)) from error


def _sd_columns(draws: np.ndarray) -> dict[str, float]:
    lower, upper = np.quantile(draws, [0.025, 0.975])
    return {"sd": float(draws.mean()), "2.5%": float(lower), "97.5%": float(upper)}


def _pairs(names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(names[j], names[i]) for i in range(len(names)) for j in range(i)]


def _effect_names(group: GroupLabels) -> tuple[str, ...]:
    """``b_Subject[308, Days]``; without the effect where there is only one."""
    if group.covariance == "scalar":
        return tuple(f"b_{group.id}[{level}]" for level in group.levels)
    return tuple(
        f"b_{group.id}[{level}, {name}]" for level in group.levels for name in group.coefficients
    )
