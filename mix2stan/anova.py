"""Likelihood-ratio tests of nested models: chi-squared, its mixture on a boundary, bootstrap."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mix2stan.arguments import answering
from mix2stan.containment import contains_errors, within
from mix2stan.covariances import COVARIANCES
from mix2stan.documents import Code, Items, Paragraph, Text, result_page, table_of
from mix2stan.errors import Mix2stanError, Unsupported, suggestion, visible
from mix2stan.graph import Group
from mix2stan.model import Model

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mix2stan.estimates import Estimates, Likelihood

__all__ = ["Anova", "anova"]

Array = NDArray[np.float64]

TESTS = ("chisq", "bootstrap")


@dataclass(frozen=True, eq=False)
class Anova:
    """A sequence of models, each tested against the one before.

    Attributes:
        method: ``"ML"`` or ``"REML"``.
        calls: the R calls, in the order of the rows.
        table: a row per model, by number of parameters: ``npar AIC BIC logLik deviance``; then
            ``Chisq``, twice the log-likelihood ratio to the row before, ``Df`` and ``Pr(>Chisq)``;
            ``Pr(mixture)`` where one variance is tested, and ``Pr(bootstrap)`` if asked for.
        simulated: the ratios of the bootstrap, by model, NaN where a fit failed; empty for chi-squared.
        notes: what to mind.
    """

    method: str
    calls: tuple[str, ...]
    table: pd.DataFrame
    simulated: Mapping[int, Array]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        numbered = [f"{i + 1}: {call}" for i, call in enumerate(self.calls)]
        table = self.table.to_string(float_format=lambda x: f"{x:.5g}", na_rep="")
        return visible("\n\n".join(["\n".join(numbered), f"{self.method}\n{table}", *self.notes]))

    def __repr__(self) -> str:
        return f"<mix2stan anova of {len(self.calls)} models>"

    def _repr_html_(self) -> str:
        calls: tuple[Text, ...] = tuple(
            (f"{i + 1}: ", Code(call)) for i, call in enumerate(self.calls)
        )
        notes = map(Paragraph, self.notes)
        return result_page("anova", self.method, Items(calls), table_of(self.table), *notes)


@answering
def anova(
    *models: Model,
    test: str = "chisq",
    method: str = "ml",
    n: int = 1000,
    seed: int | None = None,
    executor: Executor | None = None,
    engine: str = "stanli",
    progress: bool | None = None,
) -> Anova:
    """Compare nested models of the same rows by their likelihoods, as R's ``anova``.

    The chi-squared distribution is wrong for a variance, which is zero, on the edge of what it can be,
    under the smaller model.  For one variance with its correlations, the mixture in equal parts of
    the chi-squared distributions with one degree of freedom less and with all is given beside it
    (Stram & Lee 1994).  ``"bootstrap"`` simulates from the smaller model and fits both, which needs
    no such theory: p = (1 + replicates with a larger ratio) / (1 + replicates).

    Args:
        models: two or more, in any order.
        test: ``"chisq"`` or ``"bootstrap"``.
        method: ``"ml"``; ``"reml"`` for models with the same population effects.
        n: replicates of the bootstrap.
        seed: makes the bootstrap reproducible; drawn at random if None.
        executor: where the refits run, as in :meth:`mix2stan.model.Model.bootstrap`.
        engine: what maximises.
        progress: show a bar; None if standard error is a terminal.

    Raises:
        Mix2stanError: if the models are of different rows, or of different population effects under
            REML; or are none.
        Unsupported: if the effects of a model cannot be integrated out.

    >>> smaller = m2s.lmer("Reaction ~ Days + (1 | Subject)", data=sleepstudy)
    >>> anova(smaller, model).table["Chisq"].round(2).tolist()
    [nan, 42.14]
    """
    from mix2stan.bootstrap import method_named, ratios
    from mix2stan.engines import pick_engine
    from mix2stan.estimates import likelihood_of

    if len(models) < 2:
        raise Mix2stanError("anova() compares two models or more", hint="anova(small, large)")
    if test not in TESTS:
        hint = suggestion(test, TESTS, what="the tests")
        raise Mix2stanError(f"there is no test {test!r}", hint=hint)
    which = method_named(method)
    for given in models:
        _check_model(given)
    rows = sorted((likelihood_of(m._single, which) for m in models), key=lambda r: r.parameters)
    _check_comparable(rows)
    chosen = pick_engine(engine)
    fits = [(row, row.maximise(chosen)) for row in rows]
    table, notes = _table(fits), list[str]()
    for i, row in enumerate(rows, start=1):
        notes += [f"model {i} has no AIC and no test: {finding}" for finding in row.unidentified]
    simulated: dict[int, Array] = {}
    for i, (small, large) in enumerate(itertools.pairwise(fits), start=1):
        if small[0].unidentified or large[0].unidentified:
            continue
        tested = _tested(small[0], large[0])
        if tested is None:
            notes.append(f"model {i + 1} does not contain model {i}: there is no test of the two")
            continue
        _chisq(table, i, tested, notes)
        if test == "bootstrap":
            simulated[i + 1], failures = ratios(
                small, large, n, seed=seed, executor=executor, engine=engine, progress=progress
            )
            _simulated(table, i, simulated[i + 1], failures, notes)
    return Anova(which, tuple(row.graph.call for row in rows), table, simulated, tuple(notes))


def _check_model(given: Any) -> None:
    """Refuse what is no model: what was fitted, say, which anova() does itself."""
    if isinstance(given, Model):
        return
    what = f"was given a {type(given).__name__}"
    if hasattr(given, "logLik"):
        what = "fits them itself, and was given the estimates of one"
    elif hasattr(given, "posterior"):
        what = "fits them itself, and was given the draws of one"
    hint = "anova(small, large, method='reml') takes what model() makes"
    raise Mix2stanError(f"anova() compares models: it {what}", hint=hint)


def _simulated(
    table: pd.DataFrame, i: int, found: Array, failures: Mapping[int, str], notes: list[str]
) -> None:
    """The bootstrap's p of row i."""
    done = found[~np.isnan(found)]
    beyond = int(np.sum(done >= table["Chisq"].iloc[i]))
    table.loc[table.index[i], "Pr(bootstrap)"] = (1 + beyond) / (1 + len(done))
    if failures:
        reason = next(iter(failures.values()))
        notes.append(f"model {i + 1}: {len(failures)} replicates failed, the first: {reason}")


def _table(fits: Sequence[tuple[Likelihood, Estimates]]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for _, fit in fits:
        rows.append(
            {
                "npar": fit.parameters,
                "AIC": math.nan if fit.unidentified else fit.AIC,
                "BIC": math.nan if fit.unidentified else fit.BIC,
                "logLik": fit.logLik,
                "deviance": -2 * fit.logLik,
            }
        )
    index = pd.RangeIndex(1, len(rows) + 1, name="model")
    return pd.DataFrame(rows, index=index).assign(
        **{"Chisq": np.nan, "Df": np.nan, "Pr(>Chisq)": np.nan}
    )


def _chisq(table: pd.DataFrame, i: int, variances: int, notes: list[str]) -> None:
    """The chi-squared test of row i against the one before, which has ``variances`` fewer."""
    from scipy.special import chdtrc

    row = table.index[i]
    # a maximum found a little low must not give a negative ratio
    ratio = max(2 * float(table["logLik"].iloc[i] - table["logLik"].iloc[i - 1]), 0.0)
    df = int(table["npar"].iloc[i] - table["npar"].iloc[i - 1])
    table.loc[row, "Chisq"] = ratio
    table.loc[row, "Df"] = df
    if df:
        table.loc[row, "Pr(>Chisq)"] = chdtrc(df, ratio)
    if variances == 1:
        # chi-squared without degrees of freedom is zero
        less = chdtrc(df - 1, ratio) if df > 1 else float(ratio <= 0)
        table.loc[row, "Pr(mixture)"] = (less + chdtrc(df, ratio)) / 2
        notes.append(
            f"model {i + 1}: the variance is on its boundary, Pr(>Chisq) is too large; "
            "Pr(mixture) allows for that"
        )
    elif variances > 1:
        notes.append(
            f"model {i + 1}: {variances} variances are on their boundary, Pr(>Chisq) is too large; "
            "test='bootstrap' allows for that"
        )


def _check_comparable(rows: Sequence[Likelihood]) -> None:
    first = rows[0]
    y = first.data.vector(first.graph.response.expression)
    if any(row.data.reduced for row in rows):
        hint = "a data frame's can; logLik, AIC and parameters of ml() are those of all rows"
        raise Unsupported(
            "models of rows that were reduced cannot be shown to be nested", hint=hint
        )
    for row in rows[1:]:
        if row.data.rows != first.data.rows:
            raise Mix2stanError(
                f"the models are of {first.data.rows} and {row.data.rows} rows",
                hint="drop the incomplete rows before fitting either",
            )
        if not np.array_equal(row.data.vector(row.graph.response.expression), y):
            raise Mix2stanError("the models have different responses")
        if row.method == "REML" and not _same_means(first, row):
            raise Mix2stanError(
                "restricted likelihoods of different population effects cannot be compared",
                hint="method='ml'",
            )


def _same_means(one: Likelihood, other: Likelihood) -> bool:
    """Whether the population effects span the same means."""
    both = within(_X(one), _X(other)) and within(_X(other), _X(one))
    return both and within(_shift(one, other)[:, None], _X(one))


def _X(likelihood: Likelihood) -> Array:
    columns = likelihood.graph.population.columns
    if not columns.names:
        return np.zeros((likelihood.data.rows, 0))
    return likelihood.data.matrix(columns)


def _offset(likelihood: Likelihood) -> Array:
    """What is known of the means, shape (N,)."""
    known = np.zeros(likelihood.data.rows)
    for offset in likelihood.graph.population.offsets:
        known = known + likelihood.data.vector(offset)
    return known


def _shift(one: Likelihood, other: Likelihood) -> Array:
    """By how much the known parts of the means differ, nothing where that is rounding."""
    both = _offset(one), _offset(other)
    least = 1e-12 * np.max(np.abs(both), initial=0.0)
    difference = both[0] - both[1]
    return np.where(np.abs(difference) <= least, 0.0, difference)


def _tested(small: Likelihood, large: Likelihood) -> int | None:
    """How many variances the large model has besides, None if the small one is not within it."""
    if not within(np.column_stack([_X(small), _shift(small, large)]), _X(large)):
        return None
    for group in small.graph.groups:
        codes = small.data.grouping(group.factor).codes
        design = small.data.matrix(group.columns)
        terms = [
            large.data.matrix(g.columns)
            for g in large.graph.groups
            if np.array_equal(large.data.grouping(g.factor).codes, codes)
        ]
        if not terms or not within(design, np.hstack(terms)):
            return None
    both = large.data, small.data
    if not contains_errors(large.graph.residual, small.graph.residual, both):
        return None
    return max(sum(map(_sds, large.graph.groups)) - sum(map(_sds, small.graph.groups)), 0)


def _sds(group: Group) -> int:
    """The number of variances of a term that can be zero."""
    row = COVARIANCES[group.covariance.kind]
    if row.sds == "known":
        return 0
    return 1 if row.sds == "one" else len(group.columns.names)
