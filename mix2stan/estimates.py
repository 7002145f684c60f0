"""Maximum likelihood and restricted maximum likelihood, by the collapsed program."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from mix2stan.climbs import highest
from mix2stan.collapsed_data import collapsed_data
from mix2stan.compiler import Compiled
from mix2stan.counts import share
from mix2stan.covariances import COVARIANCES
from mix2stan.documents import Block, Paragraph, result_page, table_of
from mix2stan.engines import Engine, Optimum, Program
from mix2stan.errors import EngineError, Unsupported, visible
from mix2stan.estimate_tables import (
    beside_errors,
    every_value,
    is_singular,
    mode_table,
    variance_table,
    without_values,
)
from mix2stan.graph import ModelGraph, Strategy
from mix2stan.henderson import effects_at, root_of
from mix2stan.identification import Finding, findings, no_maximum
from mix2stan.inits import starting_points
from mix2stan.likelihood import constant_of_rows, refuse_layers, switched_off
from mix2stan.matrices import Data
from mix2stan.naming import named
from mix2stan.passes.strategy import integrate_all, obstacle_to_collapsing, refuse_lasting
from mix2stan.plan import plan
from mix2stan.priors.residual import has_kinks, range_starts
from mix2stan.render import render
from mix2stan.residual_data import multiplier, residual_entries
from mix2stan.residual_point import free_parameters, is_degenerate, residual_estimates
from mix2stan.residuals import known_errors
from mix2stan.structured_data import structured_data
from mix2stan.turned import as_asked, as_climbed, turned

__all__ = ["Estimates", "Likelihood", "Method", "estimate", "likelihood_of"]

Array = NDArray[np.float64]
Method = Literal["REML", "ML"]

#: Seconds of a gradient beyond which no likelihood is climbed: a climb has a hundred or more.
_LONGEST = 5.0
#: What prints standard errors for the degrees of freedom that are left, also by maximum likelihood.
_BY_DEGREES = ("gls", "lme", "lm")
#: What counts these as the observations of a restricted likelihood.
_NLME = ("gls", "lme")


@dataclass(frozen=True, eq=False)
class Estimates:
    """Point estimates, with the tables of a posterior.

    Attributes:
        method: ``"REML"`` or ``"ML"``.
        call: the R call.
        logLik: the (restricted) log-likelihood, with R's constants.
        parameters: number of parameters that are identified.
        standard_errors: of the population effects, by R's names.
        isSingular: whether a variance is zero or a correlation one.
        starts: starting values of the variance parameters for a chain, by Stan name: the estimates,
            drawn off the boundary.
        values: every estimate, under the names of a posterior's summary; parameters of structured
            errors under nlme's.
        point: the parameters of the program besides the coefficients, by Stan name.
        observations: how many BIC counts: the rows, less the coefficients in nlme's REML.
        unidentified: what the data cannot tell, which is NaN in all tables: ``names`` and ``why``.
    """

    method: Method
    call: str
    logLik: float
    parameters: int
    standard_errors: pd.Series
    isSingular: bool
    starts: Mapping[str, Any]
    values: pd.Series
    point: Mapping[str, Any]
    _fixef: pd.Series
    _ranef: pd.DataFrame
    _varcorr: pd.DataFrame
    _residual: pd.Series
    observations: int
    unidentified: tuple[Finding, ...] = ()

    @property
    def AIC(self) -> float:
        """Akaike's criterion: twice the number of parameters minus twice ``logLik``.

        >>> round(model.reml().AIC, 1)
        1755.6
        """
        return 2 * self.parameters - 2 * self.logLik

    @property
    def BIC(self) -> float:
        """Schwarz's criterion: as :attr:`AIC`, with the log of the number of observations for 2.

        >>> round(model.reml().BIC, 1)
        1774.8
        """
        return math.log(self.observations) * self.parameters - 2 * self.logLik

    def fixef(self) -> pd.Series:
        """Population effects, by R's names.

        >>> model.reml().fixef().round(2).to_dict()
        {'(Intercept)': 251.41, 'Days': 10.47}
        """
        return self._fixef.copy()

    def ranef(self) -> pd.DataFrame:
        """Conditional modes of the group effects: a row per ``group level effect``.

        >>> model.reml().ranef().shape
        (36, 1)
        """
        return self._ranef.copy()

    def VarCorr(self) -> pd.DataFrame:
        """Standard deviations and correlations: a row per ``group effect``, and the residual.

        >>> model.reml().VarCorr()["sd"].round(1).tolist()
        [24.7, 5.9, 25.6]
        """
        return self._varcorr.copy()

    def sigma(self) -> float:
        """The residual standard deviation.

        >>> round(model.reml().sigma(), 2)
        25.59
        """
        return float(self._varcorr["sd"].to_numpy()[-1])

    def wald(self, level: float = 0.95) -> pd.DataFrame:
        """Intervals of the population effects from their standard errors, as if those were known.

        Args:
            level: the coverage.

        >>> model.reml().wald().columns.tolist()
        ['2.5%', '97.5%']
        """
        level = share("level", level)
        z = float(ndtri((1 + level) / 2))
        beta, error = self._fixef, self.standard_errors
        names = [f"{50 * (1 - level):g}%", f"{50 * (1 + level):g}%"]
        table = pd.DataFrame(dict(zip(names, (beta - z * error, beta + z * error), strict=True)))
        return table.rename(index=lambda name: f"beta[{name}]")

    def residual(self) -> pd.Series:
        """The parameters of the errors besides sigma, as nlme prints them.

        >>> len(model.reml().residual())
        0
        """
        return self._residual.copy()

    def __str__(self) -> str:
        table = pd.DataFrame({"estimate": self._fixef, "std. error": self.standard_errors})
        parts = [
            f"{self.call}\n{self.method}, logLik {self.logLik:.4f}, AIC {self.AIC:.2f}",
            self._varcorr.to_string(float_format=lambda x: f"{x:.4g}", na_rep=""),
            *(
                [self._residual.to_string(float_format="{:.4g}".format)]
                if len(self._residual)
                else []
            ),
            table.to_string(float_format=lambda x: f"{x:.4g}"),
            *self._remarks,
        ]
        return visible("\n\n".join(parts))

    @property
    def _remarks(self) -> list[str]:
        """What to know of the numbers."""
        singular = "singular: a variance is zero, or a correlation one"
        return [singular] * self.isSingular + [str(finding) for finding in self.unidentified]

    def _repr_html_(self) -> str:
        fixef = pd.DataFrame({"estimate": self._fixef, "std. error": self.standard_errors})
        tables = (self._varcorr, self._residual.to_frame(), fixef)
        blocks: list[Block] = [Paragraph(f"logLik {self.logLik:.4f}, AIC {self.AIC:.2f}")]
        blocks += [table_of(table) for table in tables if len(table)]
        blocks += [Paragraph(remark) for remark in self._remarks]
        return result_page(self.call, self.method, *blocks)

    def __repr__(self) -> str:
        return f"<mix2stan {self.method} estimates: {self.call}>"


def estimate(compiled: Compiled, method: Method, engine: Engine) -> Estimates:
    """Maximise the likelihood with all priors off.

    Raises:
        Unsupported: if the effects cannot be integrated out.
        EngineError: if the optimiser fails.
    """
    return likelihood_of(compiled, method).maximise(engine)


@dataclass(frozen=True, eq=False)
class Likelihood:
    """The program of a likelihood, compiled once, to be maximised on one set of numbers or many.

    Attributes:
        method: ``"REML"`` or ``"ML"``.
        graph: the model with its priors off and its effects integrated out.
        stan_code: the program.
        data: the rows.
        unidentified: what of the covariances these cannot tell, whatever the response.
        held: parameters that stay where they are, as nothing is known of them, by Stan name.
    """

    method: Method
    graph: ModelGraph
    stan_code: str
    data: Data
    unidentified: tuple[Finding, ...] = ()
    held: Mapping[str, float] = field(default_factory=dict)

    def maximise(
        self,
        engine: Engine,
        y: Array | None = None,
        start: Mapping[str, Any] | None = None,
    ) -> Estimates:
        """The estimates.

        Args:
            engine: what runs the program.
            y: replaces the response, offsets taken off; shape (N,).
            start: where to start, by Stan name; a parameter left out starts where it always does.

        Raises:
            Unsupported: if the likelihood has no maximum.
            EngineError: if the optimiser fails.
        """
        graph, climbed = self.graph, turned(self.graph, self.data)
        if y is None:
            self._refuse(no_maximum(graph, self.data, self.method))
        data, first = replace(self, graph=climbed).bind(y)
        ranges = () if start else range_starts(graph.residual, data)
        program, kinked = engine.compile(self.stan_code, data), has_kinks(graph.residual)
        first |= as_climbed(climbed, start or {})
        best = self._highest(program, first, ranges, kinked)
        rises = program.rising({name: best.values[name] for name in first})
        if rises or is_degenerate(graph.residual, best.values):
            self._refuse(self._edge(best.values))
        best = replace(best, values=as_asked(climbed, best.values))
        point = {name: best.values[name] for name in first}
        return self._estimates(best, point, self.constant(data), y)

    def _highest(
        self,
        program: Program,
        start: Mapping[str, Any],
        ranges: Sequence[Mapping[str, Any]],
        every: bool,
    ) -> Optimum:
        """The top of the likelihood; a climb in what is not identified may end nowhere."""
        try:
            return highest(program, start, ranges, every=every)
        except EngineError:
            if not self.unidentified:
                raise
        self._refuse(self._edge({}))
        raise AssertionError

    def _refuse(self, why: str | None) -> None:
        """Refuse to estimate, if there is a reason."""
        if why is not None:
            hint = "model.sample() goes on, and its prior decides"
            raise Unsupported(f"{self.method} estimates cannot be had: {why}", hint=hint)

    def _edge(self, values: Mapping[str, Array]) -> str:
        """Why a climb that still rises where it ends has no top, in words."""
        found = " and ".join(str(finding) for finding in self.unidentified)
        if found:
            return f"{found}; the likelihood has no maximum, it is unbounded in them"
        correlation = self.graph.residual.correlation
        what = (
            "a variance goes to 0"
            if correlation is None
            else (f"a variance, or what {correlation.kind} leaves of it, goes to 0")
        )
        return f"the likelihood is unbounded or has no maximum: it still rises where {what}"

    def _estimates(
        self, best: Optimum, point: Mapping[str, Any], constant: float, y: Array | None
    ) -> Estimates:
        """The estimates at the top, those that the data say nothing of left out."""
        graph, sigma = self.graph, float(best.values["sigma"])
        roots = {g.id: root_of(g, best.values) for g in graph.groups}
        names = list(graph.population.columns.names)
        coefficients, covariance, effects = effects_at(self.data, graph, roots, best.values, y)
        errors = pd.Series(self._error_factor * np.sqrt(np.diag(covariance)), index=names)
        beta = pd.Series(coefficients, index=names, name="estimate")
        d = sigma * multiplier(
            graph.residual, residual_entries(graph.residual, self.data), best.values
        )
        triangles = {g.id: beside_errors(g, self.data, d) for g in graph.groups}
        table = variance_table(graph.groups, roots, sigma, triangles)
        residual = residual_estimates(graph.residual, best.values)
        singular = {g: is_singular(root, triangles[g]) for g, root in roots.items()}
        for finding in self.unidentified:
            beta[list(finding.coefficients)] = math.nan
            errors[list(finding.errors_of)] = math.nan
            residual[[n for n in finding.names if n in residual.index]] = math.nan
            table = without_values(table, graph, finding.names)
            singular |= {g.id: False for g in graph.groups if finding.is_about(g.id)}
        return Estimates(
            method=self.method,
            call=graph.call,
            logLik=best.log_density + constant,
            parameters=self.parameters,
            standard_errors=errors,
            isSingular=any(singular.values()),
            starts=_starts(best.values, sigma),
            values=every_value(graph, tuple(names), np.asarray(beta, float), table, residual),
            point={**point, **self.held},
            _fixef=beta,
            _ranef=mode_table(self.data, graph.groups, effects),
            _varcorr=table,
            _residual=residual,
            observations=self.observations,
            unidentified=self.unidentified,
        )

    @property
    def _function(self) -> str:
        """The R function of the call."""
        return self.graph.call.partition("(")[0]

    @property
    def _error_factor(self) -> float:
        """What summary() of nlme and lm() multiplies standard errors by: sqrt(N / (N - K)) of ML's."""
        N, K = self.data.count, len(self.graph.population.columns.names)
        by_degrees = self.method == "ML" and self._function in _BY_DEGREES
        return math.sqrt(N / (N - K)) if by_degrees else 1.0

    @property
    def observations(self) -> int:
        """How many observations BIC counts."""
        restricted = self.method == "REML" and self._function in _NLME
        K = len(self.graph.population.columns.names)
        return self.data.count - (K if restricted else 0)

    def bind(self, y: Array | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """The program's data, and where its parameters start, by Stan name."""
        collapse = collapsed_data if known_errors(self.graph.residual) else structured_data
        data = collapse(self.graph, self.data, y)
        return data, starting_points(self.graph, data, 1, seed=1)[0]

    def with_graph(self, graph: ModelGraph) -> Likelihood:
        """The likelihood of another model of the same rows, its strategy the same."""
        graph = named(graph)
        return replace(self, graph=graph, stan_code=render(plan(graph)))

    @property
    def parameters(self) -> int:
        """Number of parameters that are identified."""
        counts = [
            COVARIANCES[g.covariance.kind].count(len(g.columns.names), g.covariance.order)
            for g in self.graph.groups
        ]
        columns = len(self.graph.population.columns.names)
        unknown = sum(finding.count for finding in self.unidentified)
        return columns + sum(counts) + 1 + free_parameters(self.graph.residual) - unknown

    def constant(self, data: Mapping[str, Any]) -> float:
        """What the program leaves out of R's log-likelihoods."""
        rows = constant_of_rows(self.graph, self.data)
        columns = len(self.graph.population.columns.names)
        return rows + (_constant_of_coefficients(data, columns) if self.method == "REML" else 0.0)


def likelihood_of(compiled: Compiled, method: Method) -> Likelihood:
    """The likelihood of a model, or its restricted likelihood.

    Raises:
        Unsupported: if the effects cannot be integrated out.
    """
    refuse_layers(compiled.graph)
    kind = "collapsed" if method == "REML" else "profiled"
    graph = replace(
        compiled.graph, priors=switched_off(compiled.graph.priors), strategy=Strategy(kind)
    )
    obstacle = obstacle_to_collapsing(graph)
    if obstacle is not None:
        raise Unsupported(f"{method} estimates cannot be had: {obstacle}")
    if graph.response.known:
        hint = "model.sample() can"
        raise Unsupported(f"{method} estimates cannot be had: sigma is known", hint=hint)
    graph = named(integrate_all(graph, compiled.data))
    refuse_lasting(graph, compiled.data, _LONGEST)
    unknown = findings(graph, compiled.data)
    held: Mapping[str, float] = {}
    if method == "REML":
        graph, unknown, held = _held(graph, unknown)
    return Likelihood(method, graph, render(plan(graph)), compiled.data, unknown, held)


def _starts(values: Mapping[str, Array], sigma: float) -> dict[str, Any]:
    """A chain cannot start where a density is infinite: at a zero sd, or a correlation of one."""
    starts: dict[str, Any] = {}
    for name, value in values.items():
        if name == "sigma" or name.startswith("sd_"):
            floored = np.maximum(value, 0.01 * sigma)
            starts[name] = floored if np.ndim(value) else float(floored)
        elif name.startswith("L_"):
            R = 0.99 * value @ value.T + 0.01 * np.eye(len(value))
            starts[name] = np.linalg.cholesky(R)
    return starts


def _held(
    graph: ModelGraph, unknown: tuple[Finding, ...]
) -> tuple[ModelGraph, tuple[Finding, ...], Mapping[str, float]]:
    """The errors without a correlation that a restricted likelihood knows nothing about.

    It stays where it starts, as in nlme, and sigma is what it is there.
    """
    correlation, rho = graph.residual.correlation, "corCompSymm rho"
    mine = [f for f in unknown if set(f.names) == {"sigma", rho}]
    if correlation is None or not mine:
        return graph, unknown, {}
    at = correlation.start or (0.0,)
    why = f"{mine[0].why}; sigma is that of rho = {at[0]:g}"
    finding = replace(mine[0], names=(rho,), why=why, count=0)
    residual = replace(graph.residual, correlation=replace(correlation, fixed=at))
    others = (f for f in unknown if f is not mine[0])
    return replace(graph, residual=residual), (finding, *others), {"cor_rho": at[0]}


def _constant_of_coefficients(data: Mapping[str, Any], columns: int) -> float:
    """What the program leaves out of R's restricted log-likelihood, besides that of the rows."""
    if not columns:
        return 0.0
    # theta is flat in the program, beta = R_inverse theta in R
    _, volume = np.linalg.slogdet(data["R_inverse"])
    return float(volume) + columns / 2 * math.log(2 * math.pi)
