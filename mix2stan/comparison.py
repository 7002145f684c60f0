"""Whether two model calls are the same model, whatever packages they are written for.

The models are compared by what they imply for the data: the space of means, the family of
covariance matrices of every random term and of the errors.  Priors, which the packages do not
share, and names do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mix2stan.compiler import Compiled, DataArgument, compile_model, members_of
from mix2stan.covariances import COVARIANCES
from mix2stan.documents import Code, Items, result_page
from mix2stan.errors import Mix2stanError, visible
from mix2stan.families import FAMILIES, free_thresholds
from mix2stan.graph import Group
from mix2stan.meaning import (
    Component,
    components_of,
    correlation_key,
    partition,
    same_columns,
    same_space,
    variance_key,
)
from mix2stan.partitions import of_likelihood
from mix2stan.responses import Observed, known_part, observed

__all__ = ["Comparison", "Holder", "compare", "compare_compiled", "read"]


class Holder(Protocol):
    """What holds a compiled model, as :class:`mix2stan.Model` does."""

    @property
    def compiled(self) -> Compiled: ...


@dataclass(frozen=True)
class Comparison:
    """Whether two calls are the same model.

    Attributes:
        first: the first call.
        second: the second call.
        differences: what differs, in words; empty if nothing does.
        notes: what is worth knowing of two models that are the same.
    """

    first: str
    second: str
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both are one model."""
        return not self.differences

    def __bool__(self) -> bool:
        return self.same

    @property
    def _verdict(self) -> str:
        return "the same model" if self.same else "different models"

    def __repr__(self) -> str:
        return f"<mix2stan comparison: {self._verdict}>"

    def _repr_html_(self) -> str:
        remarks = (*self.differences, *self.notes)
        blocks = [Items((Code(self.first), Code(self.second))), *([Items(remarks)] * bool(remarks))]
        return result_page("compare", self._verdict, *blocks)

    def __str__(self) -> str:
        lines = [f"  {line}" for line in (*self.differences, *self.notes)]
        first, second = f"  first:  {self.first}", f"  second: {self.second}"
        return visible("\n".join([self._verdict, *lines, first, second]))


def compare(
    first: Holder | str,
    second: Holder | str,
    data: DataArgument | None = None,
    *,
    second_data: DataArgument | None = None,
) -> Comparison:
    """Say whether two calls are the same model, and if not what differs.

    The same are models that can have the same distributions of the response: equal spaces of means,
    equal families of covariances.  ``y ~ x`` and ``y ~ I(2 * x)`` are, with other coefficients.

    Args:
        first: R text with one model call, or a model.
        second: likewise.
        data: the data frame of calls given as text, or a mapping from names to data frames.
        second_data: the data of the second call, if they are others.

    Raises:
        FormulaError: if a text cannot be read or does not fit the data.
        Unsupported: if it is understood but cannot be expressed.

    >>> import pandas as pd
    >>> df = pd.DataFrame({"y": [1.0, 2, 4, 3], "x": [0.0, 1, 2, 3], "g": list("aabb")})
    >>> compare("lmer(y ~ x + (1 | g))", "MCMCglmm(y ~ x, random = ~ g)", df).same
    True
    """
    other = data if second_data is None else second_data
    return compare_compiled(read(first, data), read(second, other))


def compare_compiled(a: Compiled, b: Compiled) -> Comparison:
    """Say whether two compiled models are the same."""
    if a.graph.members or b.graph.members:
        return _of_members(a, b)
    # priors are no part of a model's meaning
    a, b = of_likelihood(a), of_likelihood(b)
    notes: list[str] = []
    differences = _responses(a, b)
    if a.data.rows == b.data.rows:
        differences += _populations(a, b, notes)
        differences += _predictors(a, b)
        differences += _groups(a, b)
        differences += _errors(a, b)
    return Comparison(a.graph.call, b.graph.call, tuple(differences), tuple(notes))


def _of_members(a: Compiled, b: Compiled) -> Comparison:
    """The same for several responses with distributions of their own, one by one."""
    ours, theirs = members_of(a), members_of(b)
    if set(ours) != set(theirs):
        said = [", ".join(m) or "one, or stacked" for m in (ours, theirs)]
        differences = [f"responses: {said[0]} in the first, {said[1]} in the second"]
        return Comparison(a.graph.call, b.graph.call, tuple(differences), ())
    pairs = {name: compare_compiled(ours[name], theirs[name]) for name in ours}
    differences = [f"{name}: {d}" for name, pair in pairs.items() for d in pair.differences]
    common = [
        sorted({str(g) for m in c.graph.members for g in m.graph.groups if g.common})
        for c in (a, b)
    ]
    if common[0] != common[1]:
        words = [" and ".join(terms) or "nothing" for terms in common]
        differences.append(f"in common: {words[0]} in the first, {words[1]} in the second")
    notes = [f"{name}: {n}" for name, pair in pairs.items() for n in pair.notes]
    return Comparison(a.graph.call, b.graph.call, tuple(differences), tuple(notes))


def read(given: Holder | str, data: DataArgument | None) -> Compiled:
    """The model given, or that of a call given as text.

    Raises:
        Mix2stanError: if there are no data for a text.
    """
    if not isinstance(given, str):
        if not hasattr(given, "compiled"):
            message = f"a model, or a call as text, is compared, not a {type(given).__name__}"
            raise Mix2stanError(message, hint="compare(first, second, data)")
        return given.compiled
    if data is None:
        raise Mix2stanError("a call given as text needs data", hint="write data = d")
    return compile_model(given, data)


def _responses(a: Compiled, b: Compiled) -> list[str]:
    ours, theirs = a.graph.response, b.graph.response
    if a.data.rows != b.data.rows:
        return [f"rows: {a.data.rows} in the first, {b.data.rows} in the second"]
    if ours.layers != theirs.layers:
        seen = [", ".join(map(str, r.layers)) or "all are Gaussian" for r in (ours, theirs)]
        return [f"family: {seen[0]} in the first, {seen[1]} in the second"]
    if ours.family != theirs.family or ours.link != theirs.link:
        said = [f"{r.family} with link {r.link}" for r in (ours, theirs)]
        return [f"family: {said[0]} in the first, {said[1]} in the second"]
    one, other = observed(a.graph, a.data), observed(b.graph, b.data)
    found = []
    mine, others = (s.y[:, None] if s.counts is None else s.counts for s in (one, other))
    if not same_columns(mine, others):
        found.append(f"response: {ours.expression} and {theirs.expression} have other values")
    if ours.truncation != theirs.truncation:
        found.append(
            f"truncation: {ours.truncation} in the first, {theirs.truncation} in the second"
        )
    for what, nodes in (
        ("powers of the likelihood", (ours.powers, theirs.powers)),
        ("known standard errors", (ours.noise, theirs.noise)),
    ):
        left, right = (
            np.zeros(0) if node is None else m.data.vector(node)
            for node, m in zip(nodes, (a, b), strict=True)
        )
        if not np.array_equal(left, right):
            found.append(f"{what}: they differ")
    if ours.known != theirs.known:
        said = [", ".join(f"{n} = {v:g}" for n, v in r.known) or "none" for r in (ours, theirs)]
        found.append(f"known parameters: {said[0]} in the first, {said[1]} in the second")
    if not np.array_equal(_ends(one), _ends(other)):
        found.append("censoring: other values are known in part")
    if not np.array_equal(one.trials, other.trials):
        found.append("trials: the numbers of trials differ")
    return found


def _ends(seen: Observed) -> NDArray[np.float64]:
    """The ends of the intervals of a censored response; nothing where it is not."""
    if seen.lower is None or seen.upper is None:
        return np.zeros(0)
    return np.concatenate([seen.lower, seen.upper])


def _populations(a: Compiled, b: Compiled, notes: list[str]) -> list[str]:
    one, other = _population(a), _population(b)
    names = [c.graph.shared_columns.names for c in (a, b)]
    found = []
    if FAMILIES[a.graph.response.family].ordinal is not None:
        # the thresholds take a constant, whether an intercept stands for the first or not
        one, other = (_with_constant(c) for c in (a, b))
        names = [(*(n for n in known if n != "(Intercept)"), "(Intercept)") for known in names]
        found += [
            f"thresholds: in the {which} the first is zero, and there is no intercept"
            for which, m in (("first", a), ("second", b))
            if not free_thresholds(m.graph) and not _has_constant(m)
        ]
        sds = [m.graph.response.latent_sd for m in (a, b)]
        if sds[0] != sds[1]:
            notes.append(
                f"the errors behind the categories have sd {sds[0]:.4g} and {sds[1]:.4g}: "
                "coefficients, thresholds and effects differ by that scale"
            )
    if not same_space(one, other):
        extra = [sorted(set(p) - set(q)) for p, q in (names, names[::-1])]
        said = [
            f"the {where} has {', '.join(more)}"
            for where, more in zip(("first", "second"), extra, strict=True)
            if more
        ]
        detail = "; ".join(said) or "columns of one name have other values"
        found.append(f"population: the means differ: {detail}")
    elif names[0] != names[1]:
        notes.append(
            "the coefficients differ, the means do not: "
            f"{', '.join(names[0])} and {', '.join(names[1])}"
        )
    offset = known_part(a.graph, a.data) - known_part(b.graph, b.data)
    whole = np.column_stack([one, offset])
    # an offset that is a combination of the columns moves coefficients, not means
    if np.any(offset) and not same_space(one, whole):
        found.append("offset: the known parts of the predictor differ")
    return found


def _has_constant(model: Compiled) -> bool:
    """Whether a combination of the columns is constant."""
    X = _population(model)
    return same_space(X, np.column_stack([X, np.ones(len(X))]))


def _with_constant(model: Compiled) -> NDArray[np.float64]:
    """The population design with a constant for the intercept, whether it has one or not."""
    X, names = _population(model), model.graph.shared_columns.names
    kept = X[:, [name != "(Intercept)" for name in names]]
    return np.column_stack([kept, np.ones(len(X))])


def _population(model: Compiled) -> NDArray[np.float64]:
    """The population design, shape (N, K)."""
    return model.data.matrix(model.graph.shared_columns)


def _predictors(a: Compiled, b: Compiled) -> list[str]:
    """What differs between the predictors of parameters besides the mean."""
    ours, theirs = ({p.parameter: p for p in m.graph.predictors} for m in (a, b))
    found = []
    for parameter in dict.fromkeys((*ours, *theirs)):
        if parameter not in ours or parameter not in theirs:
            which = "first" if parameter in ours else "second"
            found.append(f"{parameter}: only the {which} has a predictor of it")
            continue
        one, other = ours[parameter], theirs[parameter]
        if one.link != other.link:
            found.append(
                f"link of {parameter}: {one.link} in the first, {other.link} in the second"
            )
        designs = [
            np.column_stack(
                [m.data.matrix(p.population.columns), known_part(m.graph, m.data, parameter)]
            )
            for m, p in ((a, one), (b, other))
        ]
        if not same_space(*designs):
            said = [str(p.population) for p in (one, other)]
            found.append(
                f"predictor of {parameter}: {said[0]} in the first, {said[1]} in the second"
            )
    return found


# -- random terms ----------------------------------------------------------------------------------


def _groups(a: Compiled, b: Compiled) -> list[str]:
    ours, theirs = components_of(a.graph, a.data), list(components_of(b.graph, b.data))
    left: list[Component] = []
    for component in ours:
        place = next((i for i, other in enumerate(theirs) if component.same(other)), None)
        if place is None:
            left.append(component)
        else:
            del theirs[place]
    mine, others = _terms(left), _terms(theirs)
    found: list[str] = []
    for term in mine:
        partner = next((t for t in others if _same_factor(term, a, t, b)), None)
        if partner is None:
            found.append(f"term: only the first has {_named(term)}")
            continue
        others.remove(partner)
        found += _term_difference(term, partner, a, b)
    return found + [f"term: only the second has {_named(term)}" for term in others]


def _terms(components: list[Component]) -> list[Group]:
    return list(dict.fromkeys(c.group for c in components))


def _named(term: Group) -> str:
    row = COVARIANCES[term.covariance.kind]
    owner = f"{term.owner}: " if term.owner and not term.shares else ""
    return f"{owner}{term.factor}: {', '.join(term.columns.names)} ({row.title})"


def _same_factor(term: Group, a: Compiled, other: Group, b: Compiled) -> bool:
    if term.parameters != other.parameters:
        return False
    one, two = (m.data.memberships(t.factor) for m, t in ((a, term), (b, other)))
    return len(one) == len(two) and all(
        np.array_equal(partition(p.codes), partition(q.codes))
        for p, q in zip(one, two, strict=True)
    )


def _term_difference(term: Group, other: Group, a: Compiled, b: Compiled) -> list[str]:
    """What differs between two terms of one factor."""
    found = []
    one, two = a.data.matrix(term.columns), b.data.matrix(other.columns)
    if not same_space(one, two):
        said = [", ".join(t.columns.names) for t in (term, other)]
        found.append(f"columns of {term.factor}: {said[0]} in the first, {said[1]} in the second")
    rows = [COVARIANCES[t.covariance.kind] for t in (term, other)]
    if term.factor.signs != other.factor.signs or term.factor.apart != other.factor.apart:
        return [f"memberships: {term.factor} in the first, {other.factor} in the second"]
    known = [t.factor.relationship for t in (term, other)]
    if known[0] != known[1]:
        said = ["independent" if k is None else f"related by {k}" for k in known]
        found.append(f"levels of {term.factor}: {said[0]} in the first, {said[1]} in the second")
    if term.covariance != other.covariance:
        counts = [
            row.count(len(t.columns.names), t.covariance.order)
            for row, t in zip(rows, (term, other), strict=True)
        ]
        said = [
            f"{t.covariance} ({row.title}; {n} {'parameter' if n == 1 else 'parameters'})"
            for t, row, n in zip((term, other), rows, counts, strict=True)
        ]
        line = f"covariance of {term.factor}: {said[0]} in the first, {said[1]} in the second"
        if rows[0].correlated != rows[1].correlated:
            with_it = term if rows[0].correlated else other
            which = "second" if rows[0].correlated else "first"
            names = " and ".join(with_it.columns.names)
            line += f"; the {which} has no covariance of {names}"
        found.append(line)
    elif not found:
        found.append(
            f"covariance of {term.factor}: {rows[0].title}, but of other columns: "
            f"{', '.join(term.columns.names)} and {', '.join(other.columns.names)}"
        )
    return found


# -- errors ----------------------------------------------------------------------------------------


def _errors(a: Compiled, b: Compiled) -> list[str]:
    ours, theirs = a.graph.residual, b.graph.residual
    found = []
    keys = [
        sorted((variance_key(part, m.data) for part in m.graph.residual.variances), key=repr)
        for m in (a, b)
    ]
    if keys[0] != keys[1]:
        said = [" * ".join(map(str, r.variances)) or "one variance" for r in (ours, theirs)]
        found.append(f"residual variance: {said[0]} in the first, {said[1]} in the second")
    blocks = [
        None if r is None else correlation_key(r, m.data)
        for r, m in ((ours.correlation, a), (theirs.correlation, b))
    ]
    if blocks[0] != blocks[1]:
        said = [str(r.correlation or "independent") for r in (ours, theirs)]
        found.append(f"residual correlation: {said[0]} in the first, {said[1]} in the second")
    return found
