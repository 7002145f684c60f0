"""The methods of a fit that speak about rows; each is written in a file of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import pandas as pd

from mix2stan.arguments import answering
from mix2stan.row_names import storable

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame

    from mix2stan.fit import Fit
    from mix2stan.pictures import Pictures
    from mix2stan.postfit.predict import Kind
    from mix2stan.postfit.predictor import Effects, NewLevels
    from mix2stan.report.write import Explained

__all__ = ["AfterFit"]

ResidualType = Literal["response", "pearson", "standardised", "quantile"]


class AfterFit:
    """What a fit can do with its draws; the base of :class:`mix2stan.fit.Fit`."""

    _further: dict[str, Any]

    @property
    def plot(self) -> Pictures:
        """Pictures of the fit, on matplotlib: ``fit.plot.caterpillar("Subject")`` and others.

        >>> len(fit.plot.caterpillar().axes)
        2
        """
        from mix2stan.pictures import Pictures

        return Pictures(cast("Fit", self))

    def report(self, model: Explained, path: str | Path, force: bool = False) -> Path:
        """Write a web page with the model, tables, pictures, the program, and how to get it again.

        It is one file that needs nothing from outside.

        Args:
            model: the model that was fitted.
            path: the HTML file.
            force: write over a file that is there.

        Returns:
            The path.

        Raises:
            Mix2stanError: if there is a file already, or the fit is of another model.

        >>> fit.report(model, folder / "report.html").name
        'report.html'
        """
        from mix2stan.report import report_fit

        return report_fit(cast("Fit", self), model, path, force)

    @answering
    def predict(
        self,
        newdata: pd.DataFrame | IntoFrame | None = None,
        kind: Kind = "epred",
        re: Effects = "conditional",
        new_levels: NewLevels = "error",
        draws: int | None = None,
        seed: int | None = None,
        summary: bool = False,
    ) -> Any:
        """Predictions for the rows of the fit, or for new ones.

        Factors keep their levels and contrasts, ``poly`` ``bs`` ``ns`` ``scale`` and their like what
        they learnt, as in R's ``predict``.

        Args:
            newdata: a data frame, of pandas, polars or Arrow, with the columns that are needed; the
                rows of the fit if None.
            kind: ``"linpred"`` the linear predictor, of unordered categories the log odds of each
                against the first; ``"epred"`` the expected response, of trials the probability, of
                categories the probability of each, of counts of categories those expected;
                ``"response"`` random responses, of trials the number of successes, of categories their
                numbers from 1 on, whose names are in ``attrs["categories"]``.
            re: ``"conditional"`` with the effects of each level; ``"population"`` with all effects
                zero; ``"integrate"`` averaged over the effects' distribution: exact for identity,
                log, square root and probit links, else by quadrature; a ``"response"`` then is one
                of new levels.
            new_levels: what a level that the fit has not seen is: an ``"error"``, as for lme4 and
                brms; or ``"sample"``: its effects are drawn from the covariance of each draw; or
                ``"zero"``: it has none.
            draws: how many draws, spread evenly over the chains; all if None.
            seed: of sampled effects and responses.
            summary: return a table, computed block by block, so that very many rows fit in memory.

        Returns:
            An xarray ``DataArray`` of the dims ``chain draw obs``, and ``category`` where there is a
            value of each; or a data frame with a row per row (and category) and the columns ``mean sd
            2.5% 50% 97.5%``.  Rows with missing values have NaN, and so have those that the data say
            nothing of: of a combination of factor levels, say, that no row of the fit has.

        Raises:
            DataError: if ``newdata`` lacks a column, a population factor has a new level, or a
                grouping factor has one and nothing is said of ``new_levels``.
            Unsupported: if the mean over effects does not exist for the link.

        >>> fit.predict(sleepstudy.head(2), re="population").dims
        ('chain', 'draw', 'obs')
        >>> someone = sleepstudy.head(1).assign(Subject="999")
        >>> fit.predict(someone, new_levels="sample", seed=1).shape
        (4, 1000, 1)
        >>> fit.predict(sleepstudy.head(2), summary=True).columns.tolist()
        ['mean', 'sd', '2.5%', '50%', '97.5%']
        """
        from mix2stan.postfit.predict import predict

        fit = cast("Fit", self)
        return predict(fit, newdata, kind, re, new_levels, draws, seed, summary)

    def fitted(self, draws: int | None = None) -> pd.DataFrame:
        """The expected response of every row, given the effects: ``mean sd 2.5% 50% 97.5%``.

        Of categories there is a row for each of every row.

        Args:
            draws: how many draws; all if None.

        >>> fit.fitted().shape
        (180, 5)
        """
        return cast(pd.DataFrame, self.predict(draws=draws, summary=True))

    @answering
    def residuals(
        self, type: ResidualType = "response", draws: int | None = None, seed: int | None = None
    ) -> pd.Series:
        """Residuals of every row, averaged over the posterior.

        Args:
            type: ``"response"`` minus its expectation given the effects, of trials their share;
                ``"pearson"`` that over the standard deviation of the observation;
                ``"standardised"`` also made independent, where errors are correlated (nlme's
                ``normalized``); ``"quantile"`` the normal quantiles of the posterior predictive
                distribution, randomised for counts and ordered categories (Dunn and Smyth 1996).
                Of categories the others are of the share of each, 0 or 1 where it is no count.
            draws: how many draws; all if None.
            seed: of the randomised ones.

        Returns:
            A series with an element per row, or per ``row category``.

        Raises:
            Mix2stanError: for another type.
            Unsupported: for quantiles of categories that have no order.

        >>> fit.residuals("pearson").shape
        (180,)
        """
        from mix2stan.postfit.residuals import residuals

        return residuals(cast("Fit", self), type, draws, seed)

    @answering
    def simulate(self, n: int = 1, seed: int | None = None) -> pd.DataFrame:
        """Data sets like the one of the fit, given the effects: a row per row, a column each.

        Each is of another draw, as long as there are enough.  Of counts of categories a data set has a
        column for every category.

        Args:
            n: how many data sets.
            seed: makes them reproducible; drawn at random if None.

        Raises:
            Mix2stanError: for fewer than one.

        >>> fit.simulate(3, seed=1).columns.tolist()
        ['sim_1', 'sim_2', 'sim_3']
        """
        from mix2stan.postfit.predict import simulate

        return simulate(cast("Fit", self), n, seed)

    def posterior_predictive(self, draws: int | None = None, seed: int | None = None) -> Any:
        """Responses of the rows of the fit, of the dims ``chain draw obs``.

        Counts of categories have the further dim ``category``.

        They, and the data, become the groups ``posterior_predictive`` and ``observed_data`` of
        :attr:`idata`.

        Args:
            draws: how many draws; all if None.
            seed: makes them reproducible; drawn at random if None.

        >>> fit.posterior_predictive(draws=20, seed=1).shape
        (4, 5, 180)
        """
        from mix2stan.postfit.groups import observed_data

        fit = cast("Fit", self)
        values = fit.predict(kind="response", draws=draws, seed=seed)
        fit._further["posterior_predictive"] = storable(values.to_dataset(), "obs")
        fit._further["observed_data"] = observed_data(fit)
        return values

    def log_lik(self, by: str = "obs", draws: int | None = None) -> Any:
        """The pointwise log-likelihood, for leave-one-out and WAIC.

        It becomes the group ``log_likelihood`` of :attr:`idata`, so that ``az.loo(fit.idata)`` and
        ``az.compare`` work; with a grouping factor they are leave-one-group-out.  Weights of the
        likelihood multiply it; of a censored response it is the log probability of its interval.

        Args:
            by: ``"obs"``: of every observation given the effects, and given the other observations
                where errors are correlated; or a grouping factor: of all observations of a level
                together, effects integrated out: exactly for a Gaussian response, by quadrature for
                up to three effects of a level else.
            draws: how many draws; all if None.

        Returns:
            An array of the dims ``chain draw obs``, or ``chain draw`` and the factor's name.

        Raises:
            Unsupported: if the levels of the factor are not independent, or effects cannot be
                integrated out.

        >>> fit.log_lik(by="Subject").dims
        ('chain', 'draw', 'Subject')
        """
        from mix2stan.postfit.groups import observed_data
        from mix2stan.postfit.log_lik import log_lik

        fit = cast("Fit", self)
        values = log_lik(fit, by, draws)
        fit._further["log_likelihood"] = storable(values.to_dataset(), "obs")
        if by == "obs":
            fit._further["observed_data"] = observed_data(fit)
        return values

    # -- quantities --------------------------------------------------------------------------------

    def hypothesis(self, texts: str | Sequence[str]) -> pd.DataFrame:
        """The posterior probability of comparisons of parameters.

        Args:
            texts: R text, one or several, such as ``"Days > 5"`` or
                ``"sd_Subject[Days] > 0.5 * sigma"``: names of ``summary("all")``, the same with R's
                name of a term (``sd_a:b``), or R's names of the coefficients (in backticks where they
                are no R expressions of their own; ``Intercept`` too), numbers, ``+ - * / ^ ( )`` and
                ``abs exp log sqrt``.

        Returns:
            A row per text: the summary of left minus right, then ``probability`` and
            ``evidence_ratio``, the posterior odds, infinite where all draws agree.

        Raises:
            FormulaError: if a text is no comparison, or a name no quantity of the fit, or one of two.

        >>> fit.hypothesis("sd_Subject[Days] > 0.1 * sigma")["probability"].round(2).tolist()
        [1.0]
        """
        from mix2stan.postfit.hypothesis import hypotheses

        return hypotheses(cast("Fit", self), texts)

    def bayes_R2(self, draws: int | None = None) -> pd.DataFrame:
        """Bayesian R squared (Gelman, Goodrich, Gabry and Vehtari 2019), a posterior of its own.

        The variance over the rows of the expected response, as a share of that with group effects
        plus the mean variance of an observation.  The row ``conditional`` has the expectation given
        the effects, ``marginal`` that of the population part alone.

        Args:
            draws: how many draws; all if None.

        Raises:
            Unsupported: for categories.

        >>> fit.bayes_R2().index.tolist()
        ['conditional', 'marginal']
        """
        from mix2stan.postfit.variance import bayes_R2

        return bayes_R2(cast("Fit", self), draws)

    def variance_partition(
        self, scale: Literal["link", "data"] = "link", draws: int | None = None
    ) -> pd.DataFrame:
        """Shares of the variance: of the population part, each group term, and the residual.

        With one intercept per level a term's share is the intraclass correlation, or repeatability,
        adjusted for the population part if that is there; slopes count with z' Sigma z, averaged over
        the rows (Johnson 2014).  The share of the term of a pedigree is the heritability, in the base
        population: its variance is that of individuals whose parents are not related.  Of several
        responses every one has its parts, as ``animal[tarsus]``.

        Args:
            scale: ``"link"``: of the predictor, the residual that of Nakagawa, Johnson and Schielzeth
                (2017): pi^2/3 for logit, 1 for probit, pi^2/6 for cloglog, ln(1 + V/m^2) for log
                links, the delta method else; ``"data"``: of the response (of one trial), effects
                integrated by quadrature (de Villemereuil et al. 2016).
            draws: how many draws; all if None.

        Returns:
            A row per part: ``variance``, its posterior mean, then the summary of its share.

        Raises:
            Unsupported: for categories, but for cumulative ones on the scale of the link, where they
                are ranges of one variable.

        >>> fit.variance_partition().index.tolist()
        ['population', 'Subject', 'residual']
        """
        from mix2stan.postfit.variance import variance_partition

        return variance_partition(cast("Fit", self), scale, draws)

    def shrinkage(self) -> pd.DataFrame:
        """Partial pooling: a row per ``group level effect``.

        The columns are ``n``, the rows of the level; ``raw``, what they say alone (no pooling), NaN
        if they say too little; ``pooled``, the population's coefficient; ``formula``, the best linear
        unbiased predictor at the posterior means of the variances; and the posterior ``mean sd 2.5%
        97.5%``.  Effects of other terms are taken off at their posterior means.

        Raises:
            Unsupported: unless errors are Gaussian, independent, and of one variance.

        >>> fit.shrinkage().columns.tolist()
        ['n', 'raw', 'pooled', 'formula', 'mean', 'sd', '2.5%', '97.5%']
        """
        from mix2stan.postfit.shrinkage import shrinkage

        return shrinkage(cast("Fit", self))

    def marginal_means(
        self,
        specs: str | Sequence[str],
        by: str | Sequence[str] = (),
        at: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Expected responses at the levels of some variables, averaged over the other factors.

        They are taken over emmeans' reference grid: all combinations of factor levels with equal
        weights, numbers at their means, group effects zero.  Of categories they are the probabilities
        of each.  What the data say nothing of, such as an empty cell of two factors, is NaN, and so are
        means over it; ``at`` leaves it out.

        Args:
            specs: the variables, columns of the data; a number of up to five values has these.
            by: further ones, listed first.
            at: values of variables in the grid, or one value, instead.

        Returns:
            A row per combination (and category), with the columns of :meth:`Fit.summary`.

        Raises:
            Mix2stanError: for an unknown variable, or a grid of very many rows.

        >>> fit.marginal_means("Days", at={"Days": [0, 9]}).index.tolist()
        [0, 9]
        """
        from mix2stan.postfit.grid import marginal_means

        return marginal_means(cast("Fit", self), specs, by, at)

    def comparisons(
        self,
        variable: str,
        by: str | Sequence[str] = (),
        at: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Differences of the expected response: between all pairs of levels, or for one unit more.

        Of categories they are those of the probability of each.

        Args:
            variable: a factor, or a number, which goes up by 1 from its mean; with several values
                in ``at`` they are compared.
            by: variables the differences are listed by; a number of up to five values has these.
            at: values of variables in the grid, as in :meth:`marginal_means`.

        Raises:
            Mix2stanError: for an unknown variable.

        >>> fit.comparisons("Days").index.tolist()
        ['+1']
        """
        from mix2stan.postfit.grid import comparisons

        return comparisons(cast("Fit", self), variable, by, at)

    def slopes(
        self,
        variable: str,
        by: str | Sequence[str] = (),
        at: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Slopes of the expected response in a number, by central differences.

        Of categories they are those of the probability of each.

        Args:
            variable: a column of numbers.
            by: variables the slopes are listed by; a number of up to five values has these.
            at: values of variables in the grid, as in :meth:`marginal_means`.

        Raises:
            Mix2stanError: for a factor, or an unknown variable.

        >>> fit.slopes("Days")["mean"].round(-1).tolist()
        [10.0]
        """
        from mix2stan.postfit.grid import slopes

        return slopes(cast("Fit", self), variable, by, at)
