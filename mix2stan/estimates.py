"""Maximum likelihood and restricted maximum likelihood, by the collapsed program."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.sparse.linalg import splu
from scipy.special import ndtri

from mix2stan.climbs import highest
from mix2stan.collapsed_data import collapsed_data, orthogonaliser
from mix2stan.compiler import Compiled
from mix2stan.covariances import COVARIANCES, covariance_of
from mix2stan.documents import Block, Paragraph, result_page, table_of
from mix2stan.engines import Engine
from mix2stan.errors import Unsupported, visible
from mix2stan.estimate_tables import every_value, is_singular, mode_table, variance_table
from mix2stan.graph import Group, ModelGraph, Residual, Strategy
from mix2stan.inits import starting_points
from mix2stan.likelihood import constant_of_rows, refuse_layers, switched_off
from mix2stan.matrices import Data
from mix2stan.passes.strategy import integrate_all, obstacle_to_collapsing
from mix2stan.plan import plan
from mix2stan.priors.residual import has_kinks, range_starts
from mix2stan.render import render
from mix2stan.residual_data import blocks_of, whitener
from mix2stan.residual_point import free_parameters, residual_estimates
from mix2stan.residuals import known_errors
from mix2stan.structured_data import structured_data

__all__ = ["Estimates", "Likelihood", "Method", "estimate", "likelihood_of"]

Array = NDArray[np.float64]
Method = Literal["REML", "ML"]


@dataclass(frozen=True, eq=False)
class Estimates:
    """Point estimates, with the tables of a posterior.

    Attributes:
        method: ``"REML"`` or ``"ML"``.
        call: the R call.
        logLik: the (restricted) log-likelihood, with R's constants.
        parameters: number of estimated parameters.
        standard_errors: of the population effects, by R's names.
        isSingular: whether a variance is zero or a correlation one.
        starts: starting values of the variance parameters for a chain, by Stan name: the estimates,
            drawn off the boundary.
        values: every estimate, under the names of a posterior's summary; parameters of structured
            errors under nlme's.
        point: the parameters of the program besides the coefficients, by Stan name.
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

    @property
    def AIC(self) -> float:
        """Akaike's criterion: twice the number of parameters minus twice ``logLik``.

        >>> round(model.reml().AIC, 1)
        1755.6
        """
        return 2 * self.parameters - 2 * self.logLik

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
            *(["singular: a variance is zero, or a correlation one"] if self.isSingular else []),
        ]
        return visible("\n\n".join(parts))

    def _repr_html_(self) -> str:
        fixef = pd.DataFrame({"estimate": self._fixef, "std. error": self.standard_errors})
        tables = (self._varcorr, self._residual.to_frame(), fixef)
        blocks: list[Block] = [Paragraph(f"logLik {self.logLik:.4f}, AIC {self.AIC:.2f}")]
        blocks += [table_of(table) for table in tables if len(table)]
        if self.isSingular:
            blocks.append(Paragraph("singular: a variance is zero, or a correlation one"))
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
    """

    method: Method
    graph: ModelGraph
    stan_code: str
    data: Data

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
            EngineError: if the optimiser fails.
        """
        graph = self.graph
        data, first = self.bind(y)
        ranges = () if start else range_starts(graph.residual, data)
        program, kinked = engine.compile(self.stan_code, data), has_kinks(graph.residual)
        best = highest(program, {**first, **(start or {})}, ranges, every=kinked)
        sigma = float(best.values["sigma"])
        roots = {g.id: _root(g, best.values) for g in graph.groups}
        names = graph.population.columns.names
        beta, covariance, effects = _effects(self.data, graph, roots, best.values, y)
        table = variance_table(graph.groups, roots, sigma)
        residual = residual_estimates(graph.residual, best.values)
        return Estimates(
            method=self.method,
            call=graph.call,
            logLik=best.log_density + self.constant(data),
            parameters=self.parameters,
            standard_errors=pd.Series(np.sqrt(np.diag(covariance)), index=list(names)),
            isSingular=any(is_singular(root, sigma) for root in roots.values()),
            starts=_starts(best.values, sigma),
            values=every_value(graph, names, beta, table, residual),
            point={name: best.values[name] for name in first},
            _fixef=pd.Series(beta, index=list(names), name="estimate"),
            _ranef=mode_table(self.data, graph.groups, effects),
            _varcorr=table,
            _residual=residual,
        )

    def bind(self, y: Array | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """The program's data, and where its parameters start, by Stan name."""
        collapse = collapsed_data if known_errors(self.graph.residual) else structured_data
        data = collapse(self.graph, self.data, y)
        return data, starting_points(self.graph, data, 1, seed=1)[0]

    def with_graph(self, graph: ModelGraph) -> Likelihood:
        """The likelihood of another model of the same rows, its strategy the same."""
        return replace(self, graph=graph, stan_code=render(plan(graph)))

    @property
    def parameters(self) -> int:
        """Number of estimated parameters."""
        counts = [
            COVARIANCES[g.covariance.kind].count(len(g.columns.names), g.covariance.order)
            for g in self.graph.groups
        ]
        columns = len(self.graph.population.columns.names)
        return columns + sum(counts) + 1 + free_parameters(self.graph.residual)

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
    if method == "REML":
        graph = replace(graph, residual=_identified(graph, compiled.data))
    graph = integrate_all(graph, compiled.data)
    return Likelihood(method, graph, render(plan(graph)), compiled.data)


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


def _identified(graph: ModelGraph, data: Data) -> Residual:
    """The errors without what a restricted likelihood knows nothing about.

    A correlation common to all errors is that of their mean, which is confounded with an intercept:
    it stays where it starts, as in nlme.
    """
    residual, columns = graph.residual, graph.population.columns
    correlation = residual.correlation
    if correlation is None or correlation.kind != "corCompSymm" or correlation.fixed:
        return residual
    if residual.variances or not columns.names or len(blocks_of(correlation, data).sizes) > 1:
        return residual
    X, ones = data.matrix(columns), np.ones(data.rows)
    if not np.allclose(X @ np.linalg.lstsq(X, ones, rcond=None)[0], ones):
        return residual
    return replace(residual, correlation=replace(correlation, fixed=correlation.start or (0.0,)))


def _constant_of_coefficients(data: Mapping[str, Any], columns: int) -> float:
    """What the program leaves out of R's restricted log-likelihood, besides that of the rows."""
    if not columns:
        return 0.0
    # theta is flat in the program, beta = R_inverse theta in R
    _, volume = np.linalg.slogdet(data["R_inverse"])
    return float(volume) + columns / 2 * math.log(2 * math.pi)


def _root(group: Group, values: Mapping[str, Array]) -> Array:
    """A root of the effects' covariance, q x q."""
    squares, axes = np.linalg.eigh(np.asarray(covariance_of(group, values)))
    return np.asarray(axes * np.sqrt(np.maximum(squares, 0)))


def _effects(
    data: Data,
    graph: ModelGraph,
    roots: Mapping[str, Array],
    values: Mapping[str, Array],
    y: Array | None,
) -> tuple[Array, Array, dict[str, Array]]:
    """Population effects, their covariance, and the conditional modes by group, J x q.

    Henderson's equations for effects b = Lambda u, whose solution needs no inverse of a covariance.
    """
    sigma = float(values["sigma"])
    y = data.response(graph) if y is None else y
    X = data.matrix(graph.population.columns)
    R_inverse = orthogonaliser(X) if X.shape[1] else np.zeros((0, 0))
    Q = X @ R_inverse
    first = Q.T @ y / len(y)
    r = y - Q @ first
    terms = [data.random_term(g) for g in graph.groups]
    designs = [t.matrix for t in terms]
    if not graph.residual.plain:
        white = whitener(graph.residual, data, values)
        r, Q = white @ r, white @ Q
        designs = [sparse.csr_matrix(white @ d) for d in designs]
    among: list[Any] = [
        data.root(g.factor) if g.factor.relationship else sparse.eye_array(len(t.levels))
        for g, t in zip(graph.groups, terms, strict=True)
    ]
    Lambda = [
        sparse.kron(levels, roots[g.id] / sigma)
        for g, levels in zip(graph.groups, among, strict=True)
    ]
    if not terms:
        precision = Q.T @ Q
        beta = R_inverse @ (first + np.linalg.solve(precision, Q.T @ r))
        return beta, sigma**2 * R_inverse @ np.linalg.solve(precision, R_inverse.T), {}
    Z, solve = _solver(designs, Lambda, dense=any(g.factor.relationship for g in graph.groups))
    ZQ, Zr = np.asarray(Z.T @ Q), Z.T @ r
    precision = Q.T @ Q - ZQ.T @ solve(ZQ) if Q.shape[1] else np.zeros((0, 0))
    shift = np.linalg.solve(precision, Q.T @ r - ZQ.T @ solve(Zr))
    beta = R_inverse @ (first + shift)
    covariance = sigma**2 * R_inverse @ np.linalg.solve(precision, R_inverse.T)
    u = solve(Zr - ZQ @ shift)
    ends = np.cumsum([L.shape[0] for L in Lambda])[:-1]
    modes = {
        g.id: np.asarray(L @ part).reshape(len(t.levels), -1)
        for g, t, L, part in zip(graph.groups, terms, Lambda, np.split(u, ends), strict=True)
    }
    return beta, covariance, modes


def _solver(
    designs: Sequence[Any], Lambda: Sequence[Any], dense: bool
) -> tuple[Any, Callable[[Array], Array]]:
    """The design Z of independent effects, and what solves equations of Z'Z + I."""
    if dense:
        # a known covariance fills the design
        whole = np.hstack([d @ L.toarray() for d, L in zip(designs, Lambda, strict=True)])
        factor = linalg.cho_factor(whole.T @ whole + np.eye(whole.shape[1]))
        return whole, lambda b: np.asarray(linalg.cho_solve(factor, b))
    Z = sparse.hstack([d @ L for d, L in zip(designs, Lambda, strict=True)], format="csc")
    return Z, splu(sparse.csc_matrix(Z.T @ Z + sparse.eye_array(Z.shape[1]))).solve
