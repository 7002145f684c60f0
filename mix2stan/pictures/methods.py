"""What ``fit.plot`` offers; each picture is drawn in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from mix2stan.pictures import chains, groups, rows
from mix2stan.pictures.canvas import Make, new_figure

if TYPE_CHECKING:
    from mix2stan.fit import Fit

__all__ = ["Pictures"]


@dataclass(frozen=True, eq=False)
class Pictures:
    """The pictures of a fit.

    Every method returns matplotlib's ``Figure``; its ``axes`` are there for what is to be changed.
    Lines and bands are of the posterior: points are means, thick lines hold 50 % of the draws, thin
    lines and bands 95 %.  No setting of matplotlib is touched.

    Attributes:
        fit: the fit.
        make: what makes an empty figure; pyplot's, which notebooks show, unless another is given.

    >>> figure = fit.plot.lines()
    >>> figure.axes[0].get_xlabel()
    'Days'
    """

    fit: Fit
    make: Make = new_figure

    def caterpillar(self, group: str | None = None) -> Figure:
        """The effects of every level, sorted: a panel per effect.

        Args:
            group: a grouping factor; all if None.

        Raises:
            Unsupported: if the model has no group effects.

        >>> fit.plot.caterpillar().savefig(folder / "caterpillar.png")
        """
        return groups.caterpillar(self.make, self.fit, group)

    def shrinkage(self, group: str | None = None) -> Figure:
        """Partial pooling: arrows from what a level says alone to its posterior mean.

        With several effects per level the first is drawn against each of the others.  The numbers are
        those of :meth:`Fit.shrinkage`.

        Args:
            group: a grouping factor; all if None.

        Raises:
            Unsupported: without group effects, or unless errors are Gaussian, independent, and of one
                variance.

        >>> fit.plot.shrinkage().savefig(folder / "shrinkage.png")
        """
        return groups.shrinkage(self.make, self.fit, group)

    def lines(
        self,
        variable: str | None = None,
        group: str | None = None,
        levels: int = 100,
        draws: int | None = 1000,
    ) -> Figure:
        """The expected response of every level over the data, and that of the population.

        A line spans the rows of its level.  What else differs within levels is held at one value for
        all, numbers at their mean, factors at what is most frequent, and the title says which; what is
        constant within a level is its own.  Effects of other factors are zero, but for those that the
        levels are nested in.

        Args:
            variable: the number on the horizontal axis; the first of the formula if None.
            group: a grouping factor; the first if None.
            levels: of more levels so many are drawn, evenly spread over their list.
            draws: how many draws are averaged over; all if None.

        Raises:
            Unsupported: if the model has no group effects, its mean depends on no number, or the
                response is of categories.

        >>> fit.plot.lines().savefig(folder / "lines.png")
        """
        return rows.lines(self.make, self.fit, variable, group, levels, draws)

    def effects(self, variable: str | None = None, by: str | None = None) -> Figure:
        """The expected response by one variable, group effects zero, with its 95 % band.

        The values are those of :meth:`Fit.marginal_means`: averaged over other factors, other numbers
        at their mean.  Categories have a curve each, and with ``by`` a panel for each of its levels.

        Args:
            variable: a variable of the population part; the first if None.
            by: another, for whose levels there is a curve each; of a number of up to five values these,
                else its mean, and a standard deviation less and more.

        Raises:
            Unsupported: if the population part has no variable.

        >>> fit.plot.effects().savefig(folder / "effects.png")
        """
        return rows.effects(self.make, self.fit, variable, by)

    def forest(self) -> Figure:
        """All parameters but the single effects, by kind.

        >>> fit.plot.forest().savefig(folder / "forest.png")
        """
        return chains.forest(self.make, self.fit)

    def trace(self, parameters: Sequence[str] | None = None) -> Figure:
        """The draws of every chain, one after the other.

        Args:
            parameters: names of ``summary("all")``; if None all but the single effects, or of more
                than twelve those with the fewest effective draws.

        Raises:
            Mix2stanError: for an unknown parameter.

        >>> fit.plot.trace(["sigma"]).savefig(folder / "trace.png")
        """
        return chains.trace(self.make, self.fit, parameters)

    def rank(self, parameters: Sequence[str] | None = None) -> Figure:
        """How the ranks of each chain's draws among all are spread: evenly, if the chains agree.

        Rank plots of Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021).

        Args:
            parameters: as in :meth:`trace`.

        Raises:
            Unsupported: if there is one chain only.

        >>> fit.plot.rank().savefig(folder / "rank.png")
        """
        return chains.rank(self.make, self.fit, parameters)

    def energy(self) -> Figure:
        """The energy and its changes from draw to draw, which should be spread alike (Betancourt 2016).

        Raises:
            Unsupported: of draws that NUTS has not made.

        >>> fit.plot.energy().savefig(folder / "energy.png")
        """
        return chains.energy(self.make, self.fit)

    def ppc(self, draws: int = 50, seed: int | None = None) -> Figure:
        """The response, and data sets simulated given the effects, as histograms.

        Of counts of categories it is the total of each.

        Args:
            draws: how many data sets.
            seed: makes them reproducible.

        >>> fit.plot.ppc(draws=5, seed=1).savefig(folder / "ppc.png")
        """
        return rows.ppc(self.make, self.fit, draws, seed)

    def correlation(self, group: str | None = None) -> Figure:
        """The posterior mean correlations of the effects within a level, a matrix per term.

        Args:
            group: a grouping factor; all if None.

        Raises:
            Unsupported: if no effects are correlated.

        >>> fit.plot.correlation().savefig(folder / "correlation.png")
        """
        return groups.correlation(self.make, self.fit, group)
