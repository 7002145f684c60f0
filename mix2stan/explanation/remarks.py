"""What to be careful about, and what the text of a call means elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mix2stan.design import terms
from mix2stan.dialects import model_call
from mix2stan.dialects.mcmcglmm_random import VARIANCE_FUNCTIONS
from mix2stan.documents import Items, Section
from mix2stan.explanation.facts import Facts
from mix2stan.families import FAMILIES
from mix2stan.glm_fit import cheap_fit
from mix2stan.links import LINKS
from mix2stan.parser import parse
from mix2stan.responses import observed
from mix2stan.syntax import Argument, Call, Formula, Name, Node, Operator, format_number, walk
from mix2stan.translations.parts import lists_given, names_given

__all__ = ["dispersion", "elsewhere", "elsewhere_remarks", "notes", "remarks"]

#: Pearson's dispersion from which on counts are said to vary more than their family does.
_OVERDISPERSED = 1.5
#: Counts below which normal approximations of the likelihood are biased (Bolker et al. 2009).
_FEW_COUNTS = 5
#: A covariate whose mean is further from zero than this many of its sds.
_FAR = 2.0


def notes(facts: Facts) -> Section:
    """What the compiler remarks of every model."""
    return Section("Notes", (Items(facts.graph.notes),) if facts.graph.notes else ())


def remarks(facts: Facts) -> Section:
    """The notes, and what looking at the data closer tells."""
    lines = (
        *facts.graph.notes,
        *_centring(facts),
        *_overdispersion(facts),
        *_few_counts(facts),
        *_one_observation(facts),
    )
    return Section("Be careful", (Items(lines),) if lines else ())


def _centring(facts: Facts) -> Iterator[str]:
    """Intercepts far outside the data: their variance, and correlations with slopes, mean little."""
    for group in facts.graph.groups:
        if "(Intercept)" not in group.columns.names or len(group.columns.names) < 2:
            continue
        for node, is_factor in facts.variables(group.columns).items():
            if is_factor:
                continue
            values = facts.data.frame.column(node).numbers()
            mean, sd = float(np.mean(values)), float(np.std(values))
            if values.ndim == 1 and sd > 0 and abs(mean) > _FAR * sd:
                what = "the variance of intercepts and their correlation with slopes are"
                if group.covariance.kind == "idh":
                    what = "intercepts and slopes are independent only"
                yield (
                    f"{node} is far from 0 (mean {format_number(mean, 3)}, sd "
                    f"{format_number(sd, 3)}): {what} at {node} = 0; centre it"
                )


def dispersion(facts: Facts) -> float:
    """Pearson's chi-squared over its degrees of freedom, effects of levels fitted roughly."""
    graph = facts.graph
    family, link = FAMILIES[graph.response.family], LINKS[graph.response.link]
    seen = observed(graph, facts.data)
    mean = link.inverse(cheap_fit(graph, facts.data).eta)
    trials = seen.trials
    squares = (seen.y - trials * mean) ** 2 / (trials * family.variance(mean))
    used = len(graph.population.columns.names)
    good = np.isfinite(squares)
    return float(np.sum(squares[good]) / max(int(good.sum()) - used, 1))


def _overdispersion(facts: Facts) -> Iterator[str]:
    family = FAMILIES[facts.graph.response.family]
    if family.support not in ("count", "trials") or family.parameters:
        return
    if any(g.factor.levels == facts.data.rows for g in facts.graph.groups):
        return
    found = dispersion(facts)
    if found > _OVERDISPERSED:
        name = facts.graph.response.family
        other = "a negative binomial, or " if family.support == "count" else ""
        yield (
            f"the observations vary {found:.1f} times as much as a {name} response does (roughly, "
            f"effects fitted): add {other}an effect of every observation"
        )


def _few_counts(facts: Facts) -> Iterator[str]:
    family = FAMILIES[facts.graph.response.family]
    seen = observed(facts.graph, facts.data)
    consequence = "penalised quasi-likelihood would be biased; sampling the posterior is not"
    if family.support == "count" and float(np.mean(seen.y)) < _FEW_COUNTS:
        mean = format_number(float(np.mean(seen.y)), 3)
        yield f"the mean count is {mean}, below {_FEW_COUNTS}: {consequence}"
    if family.support in ("trials", "binary"):
        fewer = float(np.mean(np.minimum(seen.y, seen.trials - seen.y)))
        if fewer < _FEW_COUNTS:
            yield (
                f"successes or failures are fewer than {_FEW_COUNTS} in a typical observation: "
                f"{consequence}"
            )


def _one_observation(facts: Facts) -> Iterator[str]:
    """Levels seen once tell between-level variance from residual variance not at all."""
    if not facts.gaussian:
        return
    for group in facts.graph.groups:
        counts = facts.counts(group.factor)
        alone = int((counts == 1).sum())
        if group.factor.levels < facts.data.rows and 2 * alone > len(counts):
            yield (
                f"{alone} of the {len(counts)} levels of {group.factor} have one observation: "
                "those cannot tell its variance from that of the errors"
            )


# -- text that means different models --------------------------------------------------------------


def elsewhere(facts: Facts) -> Section:
    """What of the call's text means another model in another package."""
    lines = elsewhere_remarks(facts)
    title = "The same text in other packages"
    return Section(title, (Items(lines),) if lines else ())


def elsewhere_remarks(facts: Facts) -> tuple[str, ...]:
    """The same, as remarks."""
    compiled = facts.compiled
    call = model_call(parse(compiled.text), names_given(compiled), lists_given(compiled))
    lines = tuple(dict.fromkeys([*_bars(facts, call), *_structures(facts, call), *_weights(call)]))
    return (*lines, *_levels(facts))


def _bars(facts: Facts, call: Call) -> Iterator[str]:
    """``(f || g)``: lme4 splits terms, others columns."""
    for node in walk(call):
        if isinstance(node, Operator) and node.symbol == "||":
            yield from _double_bar(facts, node)


def _double_bar(facts: Facts, bar: Operator) -> Iterator[str]:
    columns, group = bar.operands
    parts = terms(columns, columns=())
    factors = [v for v in parts.variables if v in facts.data.frame.columns]
    factors = [v for v in factors if facts.data.frame.column(v).is_factor]
    if len(factors) != 1 or len(parts.terms) != 1 or not parts.intercept:
        if factors:
            yield (
                f"({bar}): lme4 splits its terms, and the columns of a factor stay correlated; "
                "glmmTMB and brms make all columns independent"
            )
        return
    k = len(facts.data.frame.column(factors[0]).levels)
    split = f"(1 | {group}) + (0 + {factors[0]} | {group})"
    yield (
        f"({bar}) is {split} to lme4, {1 + k * (k + 1) // 2} parameters, the columns of "
        f"{factors[0]} still correlated; to glmmTMB and brms it is {k} independent columns, "
        f"{k} parameters"
    )


def _structures(facts: Facts, call: Call) -> Iterator[str]:
    """``us(f):g`` has no intercept to MCMCglmm."""
    if call.function != "MCMCglmm":
        return
    random = call.argument("random")
    for node in walk(random.value) if random is not None else ():
        if not isinstance(node, Call) or not (
            node.function in VARIANCE_FUNCTIONS or node.function.startswith("ante")
        ):
            continue
        inner = node.args[0].value if node.args else None
        if inner is None or any(str(n) == "1" for n in walk(inner)):
            continue
        yield (
            f"{node} has no intercept to MCMCglmm, as (0 + {inner} | …) to lme4; "
            f"{node.function}(1 + {inner}) has one, as ({inner} | …)"
        )


def _weights(call: Call) -> Iterator[str]:
    given: Argument | None = call.argument("weights")
    if given is None:
        return
    node: Node = given.value
    if call.function in ("gls", "lme") and isinstance(node, Formula):
        yield (
            f"weights = {node} is varFixed to nlme, a variance proportional to {node.right}; "
            "weights of lm() and lmer() are the inverse, a variance of sigma^2 / w"
        )
    elif call.function == "glmmTMB":
        yield (
            f"weights = {node}: numbers of trials of a binomial response; glmmTMB multiplies the "
            "log-likelihood by them otherwise, as brms' weights() does; lm() and lmer() take the "
            "variance as sigma^2 / w"
        )
    elif isinstance(node, Name) and call.function not in ("gls", "lme"):
        yield (
            f"weights = {node}: numbers of trials of a binomial response, powers of the likelihood "
            "of counts; of a Gaussian response lm() and lmer() take the variance as sigma^2 / w, "
            "nlme as proportional to w, glmmTMB powers again"
        )


def _levels(facts: Facts) -> Iterator[str]:
    combined = [g.factor for g in facts.graph.groups if len(g.factor.variables) > 1]
    if combined:
        yield (
            f"levels of {combined[0]} are listed with the first factor slowest by lme4, fastest by "
            "MCMCglmm: the same model, its effects in another order"
        )
