"""The response as its family wants it, and clear words where the data do not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mix2stan.censoring import bounds, intervals
from mix2stan.design import Column, unclear_time
from mix2stan.errors import FormulaError
from mix2stan.families import FAMILIES, LAYERS, Support, on_link
from mix2stan.graph import Layer, ModelGraph, Response
from mix2stan.links import LINKS
from mix2stan.matrices import Data
from mix2stan.spread import spread
from mix2stan.syntax import Call, Name, Node, format_number

__all__ = [
    "SUPPORTS",
    "Observed",
    "counted_trials",
    "in_brms",
    "known_part",
    "link_scale",
    "noise_of",
    "observed",
    "observed_layer",
    "powers_of",
    "predicted_mean",
    "stand_in",
]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Observed:
    """The response of every row.

    Attributes:
        y: shape (N,); of binomial rows the number of successes.
        trials: shape (N,); ones where the family knows no trials.
        levels: the names of the categories, y being their numbers from 1 on; else empty.
        counts: shape (N, C); of every category, y being then the most frequent one of a row.
        lower: shape (N,); of censored responses what y is at least, maybe minus infinity, and
            ``upper`` what it is at most: equal where it was observed.
    """

    y: Array
    trials: Array
    levels: tuple[str, ...] = ()
    lower: Array | None = None
    upper: Array | None = None
    counts: Array | None = None

    @property
    def values(self) -> Array:
        """The counts of all categories, shape (N, C), where there are any, else y."""
        return self.y if self.counts is None else self.counts

    @property
    def shares(self) -> Array:
        """What expectations are about: y, of trials its share, of categories that of each."""
        if self.counts is not None:
            return np.asarray(self.counts / np.maximum(self.trials, 1)[:, None])
        if self.levels:
            return np.asarray(self.y[:, None] == np.arange(1, len(self.levels) + 1), dtype=float)
        return np.asarray(self.y / np.maximum(self.trials, 1))


def observed(graph: ModelGraph, data: Data) -> Observed:
    """The response, checked.

    Raises:
        FormulaError: if it is not what the family describes; names the first such row.
    """
    response = graph.response
    column = data.frame.column(response.expression)
    weights = None if response.weights is None else data.vector(response.weights)
    lower = upper = None
    if response.censoring is not None:
        counts = FAMILIES[response.family].integer
        lower, upper = intervals(response.censoring, response.expression, column, data, counts)
        column = Column.numeric(_value_of(lower, upper, counts))
    rows = _Rows(response, column, weights, data.frame.rows)
    seen = SUPPORTS[FAMILIES[response.family].support](rows)
    if response.truncation is not None:
        counts = FAMILIES[response.family].integer
        _check_bounds(rows, bounds(response.truncation, data, counts))
    return replace(seen, lower=lower, upper=upper)


def powers_of(graph: ModelGraph, data: Data) -> Array | None:
    """What multiplies the log-likelihood of every row, shape (N,); None if nothing does.

    Raises:
        FormulaError: for a power that is negative or infinite; names the first such row.
    """
    node = graph.response.powers
    if node is None:
        return None
    values = data.vector(node)
    good = np.isfinite(values) & (values >= 0)
    return _checked(
        node, values, good, data, "a weight is a number from 0 on", "0 leaves out a row"
    )


def counted_trials(node: Node, data: Data) -> Array:
    """The numbers of trials of rows whose response is not known, shape (N,).

    Raises:
        FormulaError: for what is no number of trials; names the first such row.
    """
    values = data.vector(node)
    words = "numbers of trials are whole numbers from 0 on"
    return _checked(node, values, (values >= 0) & _whole(values), data, words, "a row has its own")


def noise_of(graph: ModelGraph, data: Data) -> Array | None:
    """The known standard error of every row, shape (N,); None if there are none.

    Raises:
        FormulaError: for one that is not positive; names the first such row.
    """
    node = graph.response.noise
    if node is None:
        return None
    values = data.vector(node)
    good = np.isfinite(values) & (values > 0)
    hint = "a row without error cannot be told from the others; leave se() out"
    return _checked(node, values, good, data, "a standard error is positive", hint)


def _checked(
    node: Node, values: Array, good: NDArray[np.bool_], data: Data, words: str, hint: str
) -> Array:
    if not good.all():
        i = int(np.argmin(good))
        row = int(data.frame.rows[i]) + 1
        message = f"{node} is {format_number(float(values[i]))} in row {row}: {words}"
        raise FormulaError(message, span=node.span, hint=hint)
    return values


def observed_layer(graph: ModelGraph, layer: Layer, data: Data) -> tuple[Array, Array]:
    """What is seen of a layer, checked: the values of its traits, shape (q, n), and trials, (n,).

    Raises:
        FormulaError: if it is not what its family describes; names the first such row.
    """
    rows, values, trials = data.layer(layer, data.vector(graph.response.expression))
    # the row of the data as given, before they were stacked
    units = max(1, (data.raw.n if data.raw else data.rows) // len(graph.response.traits))
    row = LAYERS[layer.family]
    support = SUPPORTS[row.support]
    checked = dict(zip(layer.traits, values, strict=True))
    if layer.trials is not None:
        own = values[:1] if row.columns else values
        checked["the last column of cbind()"] = trials - own.sum(axis=0)
    for name, column in checked.items():
        response = Response(Name(name), layer.family)
        support(_Rows(response, Column.numeric(column), None, data.frame.rows[rows[0]] % units))
    return values, trials


def _check_bounds(rows: _Rows, ends: dict[str, Array]) -> None:
    """Complain about the first value that could not have been observed."""
    y, hint = rows.column.numbers(), "trunc() has the bounds of what could be observed"
    if "lower" in ends:
        rows.all(np.asarray(y >= ends["lower"]), "that is below its lower bound", hint)
    if "upper" in ends:
        rows.all(np.asarray(y <= ends["upper"]), "that is above its upper bound", hint)


def _value_of(lower: Array, upper: Array, counts: bool) -> Array:
    """A value of each interval: an end of it, or the middle."""
    with np.errstate(invalid="ignore"):
        middle = upper if counts else (lower + upper) / 2
    return np.where(np.isinf(lower), upper, np.where(np.isinf(upper), lower, middle))


def known_part(graph: ModelGraph, data: Data, parameter: str = "") -> Array:
    """The sum of the offsets of one predictor, that of the mean if none is named; shape (N,)."""
    total = np.zeros(data.rows)
    predictor = next(p for p in graph.every_predictor if p.parameter == parameter)
    for offset in predictor.population.offsets:
        total = total + data.vector(offset)
    return total


def link_scale(graph: ModelGraph, data: Data) -> Array | None:
    """The response on the scale of its predictor, offsets taken off, for default priors.

    None where the response does not say how large effects are: links of probabilities.
    """
    link = LINKS[graph.response.link]
    if graph.response.layers:
        return data.response(graph)
    if not link.scaled:
        return None
    y = observed(graph, data).y
    linked, known = on_link(y, FAMILIES[graph.response.family], link), known_part(graph, data)
    scale, size = linked - known, float(np.abs(known).max(initial=0.0))
    finite = np.asarray(scale[np.isfinite(scale)], dtype=float)
    # what taking the offsets off leaves of a constant is rounding
    return finite if spread(finite, 0.0, size) else np.full_like(finite, np.median(finite))


def predicted_mean(graph: ModelGraph, data: Data) -> float | None:
    """The predictor of the mean response, offsets taken off, for default priors.

    None where that is the mean of :func:`link_scale`, which it is not of a curved link: most counts of
    a rare event are zero, and have no logarithm.
    """
    link, family = LINKS[graph.response.link], FAMILIES[graph.response.family]
    if graph.response.layers or not link.relative:
        return None
    y, known = family.scale(observed(graph, data).y), known_part(graph, data)
    with np.errstate(all="ignore"):
        exposure = link.inverse(known)
        seen = np.isfinite(y) & np.isfinite(exposure)
        # where nothing was counted, half an event could have been
        total = float(np.sum(y[seen])) or 0.5
        middle = float(link.forward(np.array(total / np.sum(exposure[seen]))))
    return middle if np.isfinite(middle) else None


def in_brms(graph: ModelGraph, data: Data, link: str) -> Array | None:
    """The response on the scale of a link, offsets and all, for brms' default priors.

    None where brms does not look at it: links of probabilities, or values without a transform.
    """
    response, family = graph.response, FAMILIES[graph.response.family]
    row = LINKS["log" if family.logarithmic else link]
    if not row.scaled:
        return None
    coded = response.censoring is not None and response.censoring.code is not None
    # of an interval brms looks at the lower end
    column = data.frame.column(response.expression)
    y = column.numbers() if coded else observed(graph, data).y
    with np.errstate(all="ignore"):
        scale = np.asarray(row.forward(np.where(y == 0, y + row.shift, y)), dtype=float)
    return None if np.isnan(scale).any() else scale


def stand_in(graph: ModelGraph, seen: Observed, known: Array) -> tuple[ModelGraph, Observed, Array]:
    """A model of two categories for one of more, where a rough fit is enough.

    Ordered categories are split in the middle, or after the first if its threshold is at zero; the
    threshold goes to the known part.
    """
    family = FAMILIES[graph.response.family]
    if not family.categories:
        return graph, seen, known
    share = np.cumsum(np.bincount(seen.y.astype(int))[1:]) / len(seen.y)
    middle = 1 if graph.response.anchored else int(np.argmin(np.abs(share[:-1] - 0.5))) + 1
    link = "probit" if graph.response.link == "probit" else "logit"
    response = replace(graph.response, family="bernoulli", link=link, levels=())
    y = (seen.y > middle).astype(float)
    if not graph.response.anchored:
        known = known + LINKS[link].forward(np.array(1 - share[middle - 1]))
    return replace(graph, response=response), Observed(y, seen.trials), known


@dataclass(frozen=True)
class _Rows:
    """A response to be read, and how to complain about it."""

    response: Response
    column: Column
    weights: Array | None
    places: NDArray[np.int64]

    def numbers(self) -> Array:
        """The response as one number per row."""
        if self.column.kind in ("factor", "ordered"):
            hint = "a factor of two levels is a response of family = binomial"
            if self.column.text and len(self.column.levels) > 2:
                hint = f"it is text: as.numeric({self.response.expression}) reads its numbers"
            raise self.error(f"{self.response.expression} is a factor, not numbers", hint)
        unclear_time(self.column, self.response.expression)
        values = self.column.numbers()
        if values.ndim != 1:
            hint = "cbind(success, failure) is a response of family = binomial"
            raise self.error(f"{self.response.expression} has several columns", hint)
        self.refuse_weights()
        return values

    def refuse_weights(self) -> None:
        if self.weights is not None:
            hint = "in a binomial model weights are the numbers of trials of proportions"
            raise self.error(f"weights have no meaning in a {self.response.family} model", hint)

    def all(self, good: NDArray[np.bool_], what: str, hint: str) -> None:
        """Complain about the first row that is not good."""
        if good.all():
            return
        i = int(np.argmin(good))
        value = self.column.numbers()[i]
        shown = ", ".join(format_number(float(v)) for v in np.atleast_1d(value))
        row = int(self.places[i]) + 1
        raise self.error(f"{self.response.expression} is {shown} in row {row}: {what}", hint)

    def error(self, message: str, hint: str) -> FormulaError:
        return FormulaError(message, span=self.response.expression.span, hint=hint)


#: The largest integer of Stan.
_LARGEST = 2**31 - 1
_TOO_LARGE = f"Stan counts up to {_LARGEST:,}"
_LARGE = "so many are as good as a number: family = gaussian, of their logarithm, takes it"


def _whole(values: Array) -> NDArray[np.bool_]:
    return np.asarray(values == np.round(values))


def _single(y: Array) -> Observed:
    return Observed(y, np.ones(len(y)))


def _real(rows: _Rows) -> Observed:
    return _single(rows.numbers())


_OTHERS = "family = gaussian takes any number, poisson counts from zero"
_AT_ONCE = (
    'what happened before the first look is censored: y | cens("left") with that time as y in brm(); '
    "hurdle_lognormal() takes zeros apart"
)
#: What can be done about a time or an amount of 0.
_WITH_ZEROS = {
    "weibull": _AT_ONCE,
    "exponential": _AT_ONCE,
    "lognormal": "hurdle_lognormal() takes zeros apart; family = gaussian takes any number",
    "Gamma": "hurdle_gamma() and tweedie() take zeros; family = gaussian takes any number",
}


def _positive(rows: _Rows) -> Observed:
    y = rows.numbers()
    hint = _WITH_ZEROS.get(rows.response.family, _OTHERS)
    rows.all(y > 0, f"a {rows.response.family} response is positive", hint)
    return _single(y)


def _nonnegative(rows: _Rows) -> Observed:
    y = rows.numbers()
    hint = "family = gaussian takes any number"
    rows.all(y >= 0, f"a {rows.response.family} response is not negative", hint)
    return _single(y)


def _angle(rows: _Rows) -> Observed:
    y = rows.numbers()
    hint = "degrees are angles times pi / 180; family = gaussian takes any number"
    words = f"a {rows.response.family} response is an angle from -pi to pi"
    rows.all(np.asarray(np.abs(y) <= np.pi), words, hint)
    return _single(y)


def _unit_zero(rows: _Rows) -> Observed:
    y = rows.numbers()
    hint = "ordbeta and zero_one_inflated_beta take 0 and 1 as well"
    words = f"a {rows.response.family} response lies between 0 and 1, 1 excluded"
    rows.all((y >= 0) & (y < 1), words, hint)
    return _single(y)


def _unit_closed(rows: _Rows) -> Observed:
    y = rows.numbers()
    hint = "family = gaussian takes any number"
    words = f"a {rows.response.family} response lies between 0 and 1"
    rows.all((y >= 0) & (y <= 1), words, hint)
    return _single(y)


def _positive_count(rows: _Rows) -> Observed:
    seen = _count(rows)
    family = rows.response.family
    base = family.removeprefix("truncated_")
    hint = f"{base} counts from zero; hurdle_{base} (glmmTMB: a ziformula) takes zeros apart"
    rows.all(seen.y > 0, f"a {family} response counts from one", hint)
    return seen


def _unit(rows: _Rows) -> Observed:
    y = rows.numbers()
    hint = (
        "proportions of known totals are family = binomial, with weights = the totals; "
        "ordbeta takes 0 and 1"
    )
    rows.all((y > 0) & (y < 1), "a beta response lies between 0 and 1, both excluded", hint)
    return _single(y)


def _count(rows: _Rows) -> Observed:
    y = rows.numbers()
    family = rows.response.family
    hint = "family = gaussian takes any number"
    rows.all(y >= 0, f"a {family} response is a count, so not negative", hint)
    hint = "a rate is a count with + offset(log(exposure)); family = Gamma takes positive numbers"
    rows.all(_whole(y), f"a {family} response is a count, so a whole number", hint)
    rows.all(y <= _LARGEST, _TOO_LARGE, _LARGE)
    return _single(y)


def _binary(rows: _Rows) -> Observed:
    """0 and 1, truth values, or the second of two levels."""
    column = rows.column
    if column.kind in ("factor", "ordered"):
        if len(column.levels) != 2:
            levels = ", ".join(column.levels[:6]) + (", …" if len(column.levels) > 6 else "")
            message = f"{rows.response.expression} has {len(column.levels)} levels: {levels}"
            hint = "a binary response has two levels; brm() takes more: family = cumulative() if "
            hint += "they are in an order, categorical() if not"
            raise rows.error(message, hint)
        return _single(column.values.astype(float))
    y = rows.numbers()
    hint = "proportions need weights = their totals; or write cbind(success, failure)"
    rows.all((y == 0) | (y == 1), "a binary response is 0 or 1", hint)
    return _single(y)


def _trials(rows: _Rows) -> Observed:
    """``cbind(success, failure)``, or proportions with totals, or single trials.

    With weights a success or failure is that of all trials of its row, as in R.
    """
    if rows.column.is_factor:
        single = _binary(replace(rows, weights=None))
        if rows.weights is None:
            return single
        rows = replace(rows, column=Column.numeric(single.y))
    values = rows.column.numbers()
    if values.ndim == 2:
        return _successes_and_failures(rows, values)
    if rows.weights is None:
        return _binary(rows)
    rows.all((values >= 0) & (values <= 1), "a proportion lies between 0 and 1", "y / size")
    trials = rows.weights
    hint = "weights are the numbers of trials, whole numbers from 0 on"
    rows.all((trials >= 0) & _whole(trials), "its weight is no number of trials", hint)
    rows.all(trials <= _LARGEST, f"its weight is too large, {_TOO_LARGE}", _LARGE)
    successes = values * trials
    whole = np.round(successes)
    hint = "weights have to be the totals the proportions were made with"
    good = np.asarray(np.abs(successes - whole) <= 1e-6 * np.maximum(trials, 1))
    rows.all(good, "times its weight that is no whole number of successes", hint)
    return Observed(whole, trials)


def _successes_and_failures(rows: _Rows, values: Array) -> Observed:
    rows.refuse_weights()
    if values.shape[1] != 2:
        message = f"{rows.response.expression} has {values.shape[1]} columns"
        raise rows.error(message, "write cbind(success, failure)")
    hint = "write cbind(success, failure), both counts"
    rows.all(np.asarray((values >= 0).all(axis=1)), "successes and failures are not negative", hint)
    rows.all(
        np.asarray(_whole(values).all(axis=1)), "successes and failures are whole numbers", hint
    )
    rows.all(values.sum(axis=1) <= _LARGEST, _TOO_LARGE, _LARGE)
    return Observed(values[:, 0], values.sum(axis=1))


def _categories(rows: _Rows) -> Observed:
    """A factor, its levels in their order, or whole numbers from 1 on; truth values are two."""
    column, expression = rows.column, rows.response.expression
    rows.refuse_weights()
    known = rows.response.levels
    if column.is_factor or rows.response.order == "sizes":
        factor = column.as_factor()
        levels = known or factor.used_levels().levels
        # some of the rows of a fit may lack some of its categories
        place = np.array([levels.index(x) if x in levels else -1 for x in factor.levels])
        y = place[factor.values] + 1.0
    else:
        y = column.numbers()
        if y.ndim != 1:
            hint = "one column holds the category of every row"
            raise rows.error(f"{expression} has several columns", hint)
        hint = f"family = gaussian takes any number; ordered({expression}) makes categories of them"
        rows.all(_whole(y), f"a {rows.response.family} response is a category", hint)
        hint = f"categories are counted from 1; ordered({expression}) takes any values"
        rows.all(y >= 1, "that is no category", hint)
        present = np.arange(1.0, len(known) + 1) if known else np.unique(y)
        # as many numbers as there are categories, however large these are
        missing = np.setdiff1d(np.arange(1, min(y.max(), len(present) + 1) + 1), present)
        if len(missing):
            message = f"no row of {expression} is in category {missing[0]:.0f}"
            raise rows.error(message, f"ordered({expression}) has the categories in use alone")
        levels = tuple(format_number(float(v)) for v in present)
    if len(levels) < 2:
        message = f"{expression} is {levels[0]} in all rows"
        raise rows.error(message, "a response of categories has at least two")
    return Observed(np.asarray(y, dtype=float), np.ones(len(y)), levels)


def _several_counts(rows: _Rows) -> Observed:
    """``cbind(a, b, c)``: counts of every category, and what they add up to, if that is given."""
    expression = rows.response.expression
    if rows.column.is_factor or rows.column.numbers().ndim != 2:
        hint = "write cbind(a, b, c) | trials(n); one category a row is family = categorical"
        raise rows.error(f"{expression} is no counts of several categories", hint)
    counts = rows.column.numbers()
    hint = "every column counts one category"
    rows.all(np.asarray((counts >= 0).all(axis=1)), "counts are not negative", hint)
    rows.all(np.asarray(_whole(counts).all(axis=1)), "counts are whole numbers", hint)
    total = counts.sum(axis=1)
    rows.all(total <= _LARGEST, _TOO_LARGE, _LARGE)
    if rows.weights is not None:
        hint = "trials() has the sum of the counts of the row"
        rows.all(total == rows.weights, "that is not its number of trials", hint)
    empty = np.flatnonzero(counts.sum(axis=0) == 0)
    if len(empty) and not rows.response.levels:
        message = f"column {empty[0] + 1} of {expression} is 0 in all rows"
        raise rows.error(message, "leave out a category that was never seen")
    return Observed(counts.argmax(axis=1) + 1.0, total, _names(expression, counts), counts=counts)


def _names(expression: Node, counts: Array) -> tuple[str, ...]:
    """The names of the categories: what is bound together, or the numbers of the columns."""
    match expression:
        case Call(function="cbind", args=args) if len(args) == counts.shape[1]:
            return tuple(a.name or str(a.value) for a in args)
    return tuple(str(i + 1) for i in range(counts.shape[1]))


#: How a response of each kind is read and checked.
SUPPORTS: dict[Support, Callable[[_Rows], Observed]] = {
    "real": _real,
    "positive": _positive,
    "unit": _unit,
    "nonnegative": _nonnegative,
    "unit_zero": _unit_zero,
    "unit_closed": _unit_closed,
    "count": _count,
    "positive_count": _positive_count,
    "binary": _binary,
    "trials": _trials,
    "categories": _categories,
    "several_counts": _several_counts,
    "angle": _angle,
}
