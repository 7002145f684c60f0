"""Several responses in brms' words: ``brm(mvbind(a, b) ~ x + (1 | p | g) + set_rescor(TRUE))``.

They are stacked, as MCMCglmm's are: every column, and every effect, is one of each response.  Terms
with an ID correlate their effects across the responses; without one, within each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mix2stan.dialects.arguments import Arguments, Request, request
from mix2stan.dialects.bars import split_bars, summands
from mix2stan.dialects.families import family_of
from mix2stan.dialects.mcmcglmm_errors import correlated_responses, unequal_responses
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.graph import Columns, Covariance, Group, ModelGraph, Population, Response
from mix2stan.syntax import Argument, Call, Constant, Formula, Name, Node, Number, Operator, String

__all__ = ["lower_several", "responses_of"]

_TRAIT = Name("trait")
#: The terms of a bar, with whether its effects have an ID.
Terms = Callable[..., tuple[list[Group], bool]]


def responses_of(formula: Formula) -> tuple[Node, ...]:
    """The responses of ``mvbind(a, b) ~ x``; nothing if it is one."""
    match formula.left:
        case Call(function="mvbind", args=args) if len(args) > 1:
            return tuple(a.value for a in args)
    return ()


def lower_several(
    arguments: Arguments, formula: Formula, rescor: Node | None, terms: Terms
) -> Request:
    """The model of Gaussian responses that share a formula.

    Args:
        arguments: of the call.
        formula: ``mvbind(a, b) ~ x + (1 | p | g)``.
        rescor: the argument of ``set_rescor()``, None for brms' default: correlated errors.
        terms: the group terms of a bar, and whether they have an ID.

    Raises:
        FormulaError: if ``set_rescor()`` is not about TRUE or FALSE.
        Unsupported: if the responses are not Gaussian.
    """
    responses = responses_of(formula)
    family = arguments.get("family")
    if family is not None and family != String("gaussian") and family_of(family) != family_of(None):
        message = "several responses of brms that are not Gaussian cannot be expressed"
        hint = 'MCMCglmm(cbind(y1, y2) ~ …, family = c("gaussian", "poisson")) can'
        raise Unsupported(message, span=family.span, hint=hint)
    if rescor not in (None, Constant("TRUE"), Constant("FALSE")):
        raise FormulaError("set_rescor() takes TRUE or FALSE", span=rescor.span if rescor else None)
    fixed, bars = split_bars(formula.right)
    groups: list[Group] = []
    for bar in bars:
        found, shared = terms(bar)
        for group in found:
            groups += [_across(group)] if shared else _within(group, responses)
    span = formula.span
    errors = unequal_responses(span) if rescor == Constant("FALSE") else correlated_responses(span)
    name = Name(", ".join(map(str, responses)), span=span)
    graph = ModelGraph(
        Response(name, traits=tuple(map(str, responses))),
        Population(Columns((_of_each(fixed, _TRAIT),))),
        tuple(groups),
        errors,
    )
    return replace(request(arguments, graph), stacked=responses)


def _of_each(formula: Node, trait: Node) -> Node:
    """The columns of a formula, once for each response: ``1 + x`` as ``0 + trait + trait:x``."""
    parts = [p for p in summands(formula) if p not in (Number(0.0), Number(1.0))]
    constant = Number(0.0) not in summands(formula)
    columns = [trait] if constant else []
    columns += [Operator(":", (trait, part), span=part.span) for part in parts]
    return Operator("+", (Number(0.0), *columns), span=formula.span)


def _across(group: Group) -> Group:
    """All effects of a level correlated, those of all responses."""
    (formula,) = group.columns.formulas
    return replace(group, columns=Columns((_of_each(formula, _TRAIT),)))


def _within(group: Group, responses: tuple[Node, ...]) -> list[Group]:
    """A term for every response; of one effect each, one term of independent effects."""
    (formula,) = group.columns.formulas
    if formula == Number(1.0) or group.covariance.kind == "idh":
        return [replace(_across(group), covariance=Covariance("idh"))]
    found = []
    for response in responses:
        level = Argument(None, String(str(response)))
        own = Call("at.level", (Argument(None, _TRAIT), level), span=group.span)
        found.append(replace(group, columns=Columns((_of_each(formula, own),))))
    return found
