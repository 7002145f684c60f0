"""Several responses in brms' words: ``brm(mvbind(a, b) ~ x + (1 | p | g))``, ``bf(a ~ x) + bf(b ~ 1)``.

They are stacked, as MCMCglmm's are: every column, and every effect, is one of a response.  Terms with
one ID correlate their effects across the responses; without one, within each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from mix2stan.design import without_term
from mix2stan.dialects.arguments import Arguments, Request, request, without_offsets
from mix2stan.dialects.bars import Bar, split_bars, summands
from mix2stan.dialects.brms_formula import Part, Parts, responses_of
from mix2stan.dialects.brms_terms import (
    check_cells,
    check_ids,
    has_own_intercept,
    id_of,
    population_of,
    random_terms,
    special_terms,
    with_intercept,
)
from mix2stan.dialects.mcmcglmm_errors import correlated_responses, unequal_responses
from mix2stan.errors import Unsupported
from mix2stan.graph import (
    ITSELF,
    Columns,
    Covariance,
    Group,
    ModelGraph,
    Population,
    Response,
    Trait,
    note,
)
from mix2stan.syntax import (
    Argument,
    Call,
    Constant,
    Name,
    Node,
    Number,
    Operator,
    Parens,
    String,
    only,
)

__all__ = ["lower_several"]

_TRAIT = Name("trait")


class _Of(NamedTuple):
    """What is a formula of one of the responses: ``1 + x``."""

    response: str
    formula: Node


class _Term(NamedTuple):
    """A random term of one of the responses, and its ID."""

    response: str
    group: Group
    id: str | None


def lower_several(arguments: Arguments, said: Parts) -> Request:
    """The model of Gaussian responses, of one formula or of one each.

    Args:
        arguments: of the call.
        said: its formulas; nothing said of ``set_rescor()`` is brms' default: correlated errors.

    Raises:
        Unsupported: for related levels that the call names, series, or offsets of some responses.
    """
    _check_levels(arguments)
    fixed: list[_Of] = []
    terms: list[_Term] = []
    every: list[Bar] = []
    offsets: tuple[Node, ...] | None = None
    dropped: list[Node] = []
    for part in said.parts:
        right, bars = split_bars(with_intercept(part.formula.right))
        check_cells(part, bars)
        every += bars
        right, correlation = special_terms(right)
        _check_coding(part, right, said)
        right, own = without_offsets(right)
        if offsets is not None and own != offsets:
            message = "offsets of some responses and not of others cannot be expressed"
            hint = "take them off the response: y - z"
            raise Unsupported(message, span=part.formula.span, hint=hint)
        offsets = own
        if correlation is not None:
            message = "series of several responses cannot be expressed"
            raise Unsupported(message, span=correlation.span, hint="set_rescor(TRUE) can")
        for node in responses_of(part.formula):
            response, others = str(node), without_term(right, node)
            fixed.append(_Of(response, others))
            dropped += [node] if others != right else []
            terms += _terms(response, bars)
    check_ids(every)
    responses = tuple(r for part in said.parts for r in responses_of(part.formula))
    span = responses[0].span.to(responses[-1].span)
    equal = said.rescor == Constant("FALSE")
    graph = ModelGraph(
        Response(
            Name(", ".join(map(str, responses)), span=span), traits=tuple(map(str, responses))
        ),
        Population(
            _side_by_side(fixed, len(responses)),
            offsets or (),
            centred=_is_centred(said.parts[0]),
        ),
        tuple(_groups(terms, len(responses))),
        unequal_responses(span) if equal else correlated_responses(span),
    )
    graph = note(graph, *(ITSELF.format(node) for node in dropped))
    stacked = tuple(Trait(str(response), response) for response in responses)
    return replace(request(arguments, graph), stacked=stacked)


def _is_centred(part: Part) -> bool:
    """Whether the intercept's prior is about the mean of the other columns."""
    return part.centred and not has_own_intercept(part.formula.right)


def _check_coding(part: Part, fixed: Node, said: Parts) -> None:
    """Refuse what ``bf()`` says of columns and cannot be said of stacked ones.

    Raises:
        Unsupported: for cells coded as beside an intercept, or intercepts of two kinds.
    """
    if population_of(part.formula.right, fixed, part, ()).columns.constant is False:
        message = "cmc = FALSE of several responses cannot be expressed"
        raise Unsupported(message, span=fixed.span, hint="columns of zeros and ones can: 0 + b + c")
    if _is_centred(part) != _is_centred(said.parts[0]):
        message = "intercepts of which some are coefficients and others are not cannot be expressed"
        hint = "write all formulas as y ~ 0 + Intercept + x, or none"
        raise Unsupported(message, span=fixed.span, hint=hint)


def _check_levels(arguments: Arguments) -> None:
    ranef = arguments.get("cov_ranef")
    if ranef is not None:
        message = "cov_ranef of responses whose errors are correlated cannot be expressed"
        hint = "gr(g, cov = A) in the formulas can, and set_rescor(FALSE) beside it"
        raise Unsupported(message, span=ranef.span, hint=hint)


# -- random terms ----------------------------------------------------------------------------------


def _terms(response: str, bars: tuple[Bar, ...]) -> list[_Term]:
    """The random terms of a response."""
    return [_Term(response, group, id_of(bar)) for bar in bars for group in random_terms(bar)]


def _groups(terms: list[_Term], responses: int) -> list[Group]:
    """The terms of all responses, those of one ID and factor together."""
    found: dict[tuple[str, ...], list[_Term]] = {}
    for term in terms:
        (formula,) = term.group.columns.formulas
        factor, kind = str(term.group.factor), term.group.covariance.kind
        shared = ("shared", term.id or "", factor)
        own = ("apart", kind, factor, str(formula))
        found.setdefault(own if term.id is None else shared, []).append(term)
    return [group for alike in found.values() for group in _together(alike, responses)]


def _together(terms: list[_Term], responses: int) -> list[Group]:
    """Terms of one ID, correlated; or the same term of some responses, those independent."""
    first = terms[0].group
    formulas = [_Of(t.response, t.group.columns.formulas[0]) for t in terms]
    if terms[0].id is not None:
        return [replace(first, columns=_side_by_side(formulas, responses))]
    if formulas[0].formula == Number(1.0) or first.covariance.kind == "idh":
        columns = _side_by_side(formulas, responses)
        return [replace(first, columns=columns, covariance=Covariance("idh"))]
    return [
        replace(t.group, columns=_side_by_side([f], responses))
        for t, f in zip(terms, formulas, strict=True)
    ]


# -- columns ---------------------------------------------------------------------------------------


def _side_by_side(parts: Sequence[_Of], responses: int) -> Columns:
    """Columns of each response: of ``trait`` where all have the same ones, else of its levels."""
    formula = parts[0].formula
    alike = len(parts) == responses and len({p.response for p in parts}) == responses
    if alike and all(p.formula == formula for p in parts):
        return Columns((_of_each(formula),))
    return Columns(tuple(only(_level(p.response), p.formula) for p in parts))


def _level(response: str) -> Node:
    """Whether a row is one of the response."""
    return Call("at.level", (Argument(None, _TRAIT), Argument(None, String(response))))


def _of_each(formula: Node) -> Node:
    """The columns of a formula, one for each response: ``1 + x`` as ``0 + trait + trait:x``."""
    parts = [p for p in summands(formula) if p not in (Number(0.0), Number(1.0))]
    constant = [] if Number(0.0) in summands(formula) else [_TRAIT]
    columns = [Operator(":", (_TRAIT, _closed(part)), span=part.span) for part in parts]
    return Operator("+", (Number(0.0), *constant, *columns), span=formula.span)


def _closed(part: Node) -> Node:
    """``x * z`` in brackets: its interactions with another are those of all its terms."""
    return Parens(part, span=part.span) if isinstance(part, Operator) else part
