"""The model a user holds: its program, its data, its words, and the way to its posterior."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from mix2stan.arguments import answering
from mix2stan.compiler import Compiled, DataArgument, Given
from mix2stan.counts import seed_or_drawn, whole
from mix2stan.errors import Mix2stanError, Unsupported, suggestion
from mix2stan.explanation import Explanation, explain, summarise, summary_page
from mix2stan.export import export_model
from mix2stan.graph import ModelGraph
from mix2stan.inits import starting_points
from mix2stan.labels import Labels, labels_of
from mix2stan.many import folder_named, seed_of_run
from mix2stan.matrices import Data, RandomTerm
from mix2stan.parser import is_formula
from mix2stan.partitions import compile_given, of_likelihood
from mix2stan.priors.choice import PriorArgument
from mix2stan.priors.table import prior_table
from mix2stan.refits import Refits
from mix2stan.schema import remember

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from dask.dataframe import DataFrame as DaskDataFrame

    from mix2stan.engines import Draws, Progress
    from mix2stan.estimates import Estimates
    from mix2stan.fit import Fit
    from mix2stan.prior_fit import PriorSample

__all__ = ["Model", "model"]

_log = logging.getLogger(__name__)


class Model(Refits):
    """A mixed model, compiled to Stan.  Made by :func:`mix2stan.model` and the R functions' names.

    It holds what every stage of the compiler made, and does not change: data that were given can be
    changed afterwards, and so can the tables that it gives.
    """

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled

    @property
    def compiled(self) -> Compiled:
        """The result of every stage of the compiler."""
        return self._compiled

    @property
    def _single(self) -> Compiled:
        """The model, for what can be asked of one response."""
        return self._compiled

    @cached_property
    def _of_likelihood(self) -> Compiled:
        """The model as its likelihood is computed, which no prior changes."""
        return of_likelihood(self._single)

    @property
    def given(self) -> Given | str | Path:
        """The data as they were given, frames of other libraries as pandas'."""
        return self._compiled.given

    @property
    def text(self) -> str:
        """The R text it was made from."""
        return self._compiled.text

    @property
    def call(self) -> str:
        """The R call, without what does not matter to the model."""
        return self._compiled.graph.call

    @property
    def meaning(self) -> ModelGraph:
        """What the model means, free of the package it was written for.

        >>> print(model.meaning)
        gaussian(Reaction) ~ Days
          + us(Days):Subject
        """
        return self._compiled.graph

    @property
    def data(self) -> Data:
        """The rows it is fitted to, and its expressions evaluated on them."""
        return self._compiled.data

    @property
    def stan_code(self) -> str:
        """The Stan program."""
        return self._compiled.stan_code

    @property
    def stan_data(self) -> dict[str, Any]:
        """The data of the program: numbers and arrays, which cannot be changed, by Stan names."""
        return dict(self._compiled.stan_data)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks: rows dropped, arguments ignored, what the data cannot tell apart."""
        return self._compiled.graph.notes

    @property
    def X(self) -> pd.DataFrame:
        """The population design: a row per observation, columns named as R's ``model.matrix``.

        The index is that of the data frame, without the rows that lack a value.

        >>> model.X.shape
        (180, 2)
        """
        columns = self._single.graph.shared_columns
        data = self._single.data
        if data.reduced:
            raise Unsupported("rows that were reduced have no design", hint="a data frame's have")
        matrix = data.matrix(columns)
        return pd.DataFrame(matrix, columns=list(columns.names), index=data.row_names)

    @cached_property
    def Z(self) -> tuple[RandomTerm, ...]:
        """The random terms, in order; each has ``group levels coefficients matrix``.

        >>> [(term.group, term.matrix.shape) for term in model.Z]
        [('Subject', (180, 36))]
        """
        one = self._single
        return tuple(one.data.random_term(group) for group in one.graph.groups)

    @property
    def priors(self) -> pd.DataFrame:
        """The prior of every parameter, and what it implies.

        ``density`` with its numbers, their ``source``, whether it is ``proper``; the ``2.5%`` and
        ``97.5%`` points of 4000 draws; and what those of a standard deviation ``implies``: how much
        two levels differ, and the share of the variance that is between levels.

        >>> model.priors.loc["sigma", "density"]
        'student_t(3, 0, 59.339)'
        """
        return self._priors.copy()

    @cached_property
    def _priors(self) -> pd.DataFrame:
        from mix2stan.priors.implied import with_implied

        return with_implied(prior_table(self.meaning), self.meaning, self.stan_data)

    @cached_property
    def labels(self) -> Labels:
        """The user's names for the program's variables."""
        table = prior_table(self.meaning)
        priors = dict(zip(table.index, table["density"], strict=True))
        return labels_of(self.meaning, self._compiled.data, priors)

    def __str__(self) -> str:
        return summarise(self._compiled)

    def __repr__(self) -> str:
        return f"<mix2stan model: {self.call}>"

    def _repr_html_(self) -> str:
        return summary_page(self._compiled)

    @answering
    def sample(
        self,
        chains: int = 4,
        warmup: int = 1000,
        draws: int = 1000,
        seed: int | None = None,
        engine: str | None = "auto",
        *,
        adapt_delta: float = 0.9,
        max_treedepth: int = 10,
        threads: int | None = None,
        inits: float | Estimates | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        folder: str | Path | None = None,
        progress: Callable[[Progress], None] | bool | None = None,
        executor: Executor | None = None,
        out: str | Path | None = None,
    ) -> Fit:
        """Draw from the posterior with Stan's NUTS.

        Args:
            chains: number of Markov chains.
            warmup: warm-up iterations of each chain, not kept.
            draws: iterations of each chain that are kept.
            seed: makes the draws reproducible; drawn at random if None.
            engine: ``"cmdstan"``, ``"stanli"``, or ``"auto"``: CmdStan if it is installed.
            adapt_delta: target acceptance rate; closer to 1 means smaller steps.
            max_treedepth: limit of the trajectory length, as a power of two.
            threads: how many chains run at once; as many as there are cores if None.
            inits: starting values by Stan name (one mapping, or one per chain), what they leave out
                near the least-squares fit; or the radius of random ones; or estimates, as
                :meth:`reml` makes them, to start near.
            folder: where an engine that writes files keeps them.
            progress: whether to show bars, None if standard error is a terminal; or a function that is
                called with a :class:`~mix2stan.engines.Progress` now and then.
            executor: a ``concurrent.futures.Executor`` that runs each chain as a task.
            out: a folder that keeps each chain as it finishes; the same call goes on with those it
                has.  With ``executor`` or ``out`` chains run in processes of their own, each with a
                seed from ``seed``: the same draws wherever they run, but not those of a call
                without either.

        Raises:
            EngineError: if the engine fails; a chain that died is named.
            Mix2stanError: if ``out`` holds another request, or cannot be written.

        >>> model.sample(chains=2, warmup=200, draws=100, seed=1).fixef().index.tolist()
        ['(Intercept)', 'Days']
        """
        from mix2stan.chains import sample_chains
        from mix2stan.engines import Settings, pick_engine
        from mix2stan.progress import listening

        settings = Settings(
            chains=chains,
            warmup=warmup,
            draws=draws,
            seed=seed_of_run(seed, out),
            adapt_delta=adapt_delta,
            max_treedepth=max_treedepth,
            threads=threads,
            folder=None if folder is None else folder_named("folder", folder),
        )
        chains, seed = settings.chains, settings.seed
        if inits is not None and hasattr(inits, "starts"):
            inits = dict(inits.starts)
        if not isinstance(inits, int | float):
            inits = self._starts(inits, chains, seed)
        settings = replace(settings, inits=inits)
        _log.info("%s: %d chains of %d + %d, seed %d", self.call, chains, warmup, draws, seed)
        chosen = pick_engine(engine)
        if executor is not None or out is not None:
            draws_of_all = sample_chains(
                chosen,
                self.stan_code,
                self.stan_data,
                settings,
                self.call,
                executor=executor,
                out=out,
                progress=progress,
            )
        else:
            program = chosen.compile(self.stan_code, self.stan_data)
            with listening(progress, chains, warmup + draws) as listener:
                draws_of_all = program.sample(settings, listener)
        fit = self._fitted(draws_of_all)
        fit.posterior.attrs |= {"warmup": warmup, "seed": seed, "adapt_delta": adapt_delta}
        return fit

    def _fitted(self, draws: Draws) -> Fit:
        """The draws with the user's names."""
        from mix2stan.fit import Fit

        return Fit.of(draws, self.labels, remember(self.meaning, self.data))

    @answering
    def sample_prior(self, draws: int = 1000, seed: int | None = None) -> PriorSample:
        """Draw parameters, effects and responses from the prior, exactly and without an engine.

        Args:
            draws: the number of independent draws.
            seed: makes them reproducible; drawn at random if None.

        Returns:
            The draws, with the tables and predictions of a fit; ``prior``, ``prior_predictive``, and
            both in ``idata`` for ArviZ.

        Raises:
            Mix2stanError: if a prior is improper; names the parameters.
            Unsupported: if a prior has no generator.

        >>> model.sample_prior(100, seed=1).prior_predictive.shape
        (1, 100, 180)
        """
        from mix2stan.prior_fit import PriorSample
        from mix2stan.priors.draws import prior_draws

        draws, seed = whole("draws", draws, 1), seed_or_drawn(seed, None)
        one = self._single
        values = prior_draws(one.graph, one.data, one.stan_data, draws, seed)
        return PriorSample(values, self.labels, remember(one.graph, one.data), seed)

    def log_prior(self, fit: Fit) -> Any:
        """The log density of the priors at every draw of a fit of this model.

        It becomes the group ``log_prior`` of the fit's ``idata``, for ``az.psens``.

        Args:
            fit: a fit of this model.

        Returns:
            An array of the dims ``chain draw``; constants are left out.

        >>> model.log_prior(fit).dims
        ('chain', 'draw')
        """
        from mix2stan.prior_fit import add_log_prior

        one = self._single
        return add_log_prior(fit, one.graph, one.data, one.stan_data)

    def sensitivity(self, fit: Fit) -> pd.DataFrame:
        """How much the posterior changes if the prior, or the likelihood, is given more weight.

        Power-scaling by ArviZ (Kallioinen, Paananen, Bürkner and Vehtari 2024): above 0.05 in
        ``prior`` it depends on the prior, and below in ``likelihood`` the data say little.

        Args:
            fit: a fit of this model.

        Returns:
            A row per parameter, with the columns ``prior`` and ``likelihood``.

        Raises:
            Unsupported: if the installed ArviZ has no power-scaling.

        >>> model.sensitivity(fit).columns.tolist()
        ['prior', 'likelihood']
        """
        from mix2stan.prior_fit import sensitivity

        self.log_prior(fit)
        return sensitivity(fit)

    def loglik(self, point: Mapping[str, Any] | Estimates, engine: str | None = "auto") -> float:
        """The log-likelihood at a point, effects integrated out, with all constants.

        Args:
            point: ``beta`` by R's column names; ``random``, a list of ``group``, ``coefficients``,
                ``sd`` and, where they are correlated, ``cor``; ``residual`` with ``sigma``.  Or
                estimates, as :meth:`reml` makes them.
            engine: what evaluates the program, as in :meth:`sample`.

        Raises:
            Mix2stanError: if the point does not fit the model.
            Unsupported: if the effects of this model cannot be integrated out.

        >>> residual, beta = {"sigma": 30.0}, {"(Intercept)": 250.0, "Days": 10.0}
        >>> term = {"group": "Subject", "coefficients": ["(Intercept)", "Days"], "sd": [25.0, 6.0]}
        >>> point = {"beta": beta, "random": [term], "residual": residual}
        >>> round(model.loglik(point), 2)
        -879.57
        """
        from mix2stan.engines import pick_engine
        from mix2stan.likelihood import log_likelihood

        joint = isinstance(point, Mapping) and "u" in point
        compiled = self._single if joint else self._of_likelihood
        return log_likelihood(compiled, point, pick_engine(engine))

    def reml(self, engine: str | None = "auto") -> Estimates:
        """Restricted maximum likelihood, as lme4's and nlme's default.

        It is the maximum of the collapsed program with all priors off.

        Args:
            engine: what maximises, as in :meth:`sample`.

        Raises:
            Unsupported: if the effects of this model cannot be integrated out.

        >>> model.reml().fixef().round(1).to_dict()
        {'(Intercept)': 251.4, 'Days': 10.5}
        """
        return self._estimates("REML", engine)

    def ml(self, engine: str | None = "auto") -> Estimates:
        """Maximum likelihood, as lme4's ``REML = FALSE``.

        Args:
            engine: what maximises, as in :meth:`sample`.

        Raises:
            Unsupported: if the effects of this model cannot be integrated out.

        >>> round(model.ml().logLik, 2)
        -875.97
        """
        return self._estimates("ML", engine)

    def _estimates(self, method: Literal["REML", "ML"], engine: str | None) -> Estimates:
        from mix2stan.engines import pick_engine
        from mix2stan.estimates import estimate

        return estimate(self._of_likelihood, method, pick_engine(engine))

    def _starts(
        self, given: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None, chains: int, seed: int
    ) -> list[dict[str, Any]]:
        """Starting values of every parameter for every chain, the user's before our own."""
        own = self._near(chains, seed)
        if given is None:
            return own
        wanted = [given] * chains if isinstance(given, Mapping) else list(given)
        if len(wanted) != chains:
            raise Mix2stanError(f"inits has {len(wanted)} starting points for {chains} chains")
        for values in wanted:
            for name in values.keys() - own[0].keys():
                hint = suggestion(name, own[0], what="parameters")
                raise Mix2stanError(f"inits: there is no parameter '{name}'", hint=hint)
        return [{**start, **values} for start, values in zip(own, wanted, strict=True)]

    def _near(self, chains: int, seed: int) -> list[dict[str, Any]]:
        """Where chains start if nothing is said."""
        return starting_points(self.meaning, self.stan_data, chains, seed)

    def explain(self, at: Estimates | Mapping[str, Any] | None = None) -> Explanation:
        """What the model means: equation, terms, covariances, priors, and what to be careful about.

        Args:
            at: where covariances are printed in numbers: estimates, as :meth:`reml` makes them, or
                values by Stan name; round numbers if None.

        Returns:
            What prints as text, and has ``markdown()`` and ``html()``.

        Raises:
            Mix2stanError: if ``at`` names what is no parameter.

        >>> [section.title for section in model.explain().document][:3]
        ['Model', 'Random terms', 'Errors']
        """
        return explain(self._compiled, at)

    def graph(self, format: str = "svg") -> str:
        """A drawing of the model: data, parameters and priors, effects, predictor, response.

        Args:
            format: ``"svg"``, ``"dot"`` (Graphviz) or ``"mermaid"``.

        Raises:
            Mix2stanError: if there is no such format.

        >>> model.graph("mermaid").splitlines()[0]
        'flowchart TB'
        """
        from mix2stan.drawing import draw

        return draw(self._single, format)

    def translate(self, to: str) -> str:
        """The call with which another package fits the same model.

        Args:
            to: ``"lme4"`` (and base R), ``"nlme"``, ``"MCMCglmm"`` or ``"glmmTMB"``.

        Raises:
            Unsupported: if the package cannot express the model; says what, and what comes nearest.

        >>> model.translate("MCMCglmm")
        'MCMCglmm(Reaction ~ Days, random = ~us(1 + Days):Subject, data = d)'
        """
        from mix2stan.translations import translate

        return translate(self, to)

    def export(self, folder: str | Path, force: bool = False) -> Path:
        """Write ``model.stan data.json names.json run.py run.R``, enough to run it anywhere.

        Args:
            folder: where the files go.
            force: write over files that are there.

        Returns:
            The folder; it is made if needed.

        Raises:
            Mix2stanError: if there is one of the files already.

        >>> sorted(path.name for path in model.export(folder / "out").iterdir())
        ['data.json', 'model.stan', 'names.json', 'run.R', 'run.py']
        """
        target = folder_named("folder", folder)
        return export_model(self.stan_code, self.stan_data, self.labels, target, force)


@answering
def model(
    text: str | Sequence[str],
    data: DataArgument | str | Path | DaskDataFrame,
    *,
    prior: PriorArgument = None,
    strategy: str | Mapping[str, str] = "auto",
    family: str | Sequence[str] | None = None,
) -> Model:
    """Read an R model call.

    Args:
        text: R code with one call of ``lmer``, ``lm``, ``lme``, ``gls`` or ``MCMCglmm``, as it stands
            in a script, also with console prompts.  Lines before it are done (formulas, priors, new
            columns, ``options(contrasts = )``), ``update()`` too, or refused.  Or a formula as
            ``brms`` writes it, or one for each of several responses: ``["a ~ x + (1 |p| g)",
            "b ~ (1 |p| g)"]``; effects that share an ID (``p``) are correlated, and so are the errors
            if all responses are Gaussian.
        data: the data frame, of pandas, polars or Arrow (a lazy one is collected), a mapping of
            columns, a structured array, the path of a CSV or Parquet file, or a mapping from the names
            in the text to data frames; besides the rows, first, it may hold what the call
            names of relationships: a pedigree, a data frame with the columns ``animal``, ``sire`` and
            ``dam``; a covariance matrix, a data frame with labels, or a :class:`mix2stan.Known`; a
            phylogeny, Newick text; a prior, MCMCglmm's list as a mapping or R text.  Or a folder of
            Parquet files, or a Dask data frame, whose rows are reduced partition by partition, on the
            scheduler that is active, and never all in memory: for Gaussian models with at most one
            grouping factor.  There are about seven passes over the rows; ``persist()`` what is
            expensive to compute.
        prior: a set of default priors: ``"default"``, ``"brms"``, ``"rstanarm"``, ``"mcmcglmm"`` or
            ``"flat"``, or if nothing is said that of the call (``prior =`` of MCMCglmm, brms and
            rstanarm), which stands on its package's defaults; or Stan densities by the names in
            ``model.priors``, ``{"sd_Subject": "exponential(1)"}``,
            where ``set`` names the set for the rest; or both as text, as they are printed:
            ``"brms; sd_Subject ~ exponential(1)"``.  The numbers are data of the program.
        strategy: how the posterior is computed, never what it is: ``"collapsed"`` integrates effects
            and coefficients out and draws them exactly afterwards, ``"noncentred"`` samples them, and
            ``"latent"`` samples the predictor of a model with an effect of every row, as a Gaussian
            response given which the rest is integrated out;
            ``"auto"`` collapses where it pays.  A mapping from grouping factors, or identifiers of
            terms, to ``"integrated"`` or ``"noncentred"`` says it term by term.
        family: of formulas, as brms writes it: one for all, or one for each.

    Returns:
        The model; nothing is sampled yet.

    Raises:
        FormulaError: if the text cannot be read or does not fit the data.
        Unsupported: if it is understood but cannot be expressed.
        DataError: if the data do not fit.

    >>> import pandas as pd
    >>> df = pd.DataFrame({"y": [1.0, 2, 4, 3], "x": [0.0, 1, 2, 3], "g": list("aabb")})
    >>> m2s.model("lmer(y ~ x + (1 | g), data = df)", data=df)
    <mix2stan model: lmer(y ~ x + (1 | g))>
    """
    from mix2stan.joint_model import JointModel

    _check_arguments(text, strategy)
    if isinstance(text, str) and is_formula(text):
        text = [text]
    if isinstance(text, str) and family is not None:
        hint = "write family = … in the call"
        raise Mix2stanError("family is an argument of formulas", hint=hint)
    if not isinstance(text, str):
        text = _of_formulas(text, family)
    compiled = compile_given(text, data, prior, strategy)
    found = JointModel(compiled) if compiled.graph.members else Model(compiled)
    for line in found.notes:
        loud = line in compiled.graph.warnings
        _log.log(logging.WARNING if loud else logging.INFO, "%s: %s", found.call, line)
    return found


def _check_arguments(text: object, strategy: object) -> None:
    """Answer in words what cannot be R text, or a strategy."""
    formulas = list(text) if isinstance(text, Sequence) and not isinstance(text, bytes) else [0]
    if not isinstance(text, str) and not all(isinstance(formula, str) for formula in formulas):
        message = f"the first argument is R text, not a {type(text).__name__}"
        hint = 'm2s.model("lmer(y ~ x + (1 | g))", data=df)'
        raise Mix2stanError(message, hint=hint)
    if not isinstance(strategy, str | Mapping):
        message = f"a strategy is text, or a mapping from groups to text, not {strategy!r}"
        raise Mix2stanError(message, hint='strategy="auto"')


def _of_formulas(formulas: Sequence[str], family: str | Sequence[str] | None) -> str:
    """The call of brms' for several responses."""
    families = [family] * len(formulas) if family is None or isinstance(family, str) else family
    if len(families) != len(formulas):
        raise Mix2stanError(f"there are {len(families)} families for {len(formulas)} formulas")
    parts = [
        f"bf({formula}{'' if of is None else f', family = {of}'})"
        for formula, of in zip(formulas, families, strict=True)
    ]
    return f"brm({' + '.join(parts)})"
