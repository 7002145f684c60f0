"""Responses with distributions of their own: brms' ``bf(a ~ x) + bf(b ~ x, family = poisson)``.

Each is a model, read as if it were alone; terms with one ID are one term that all of them have columns
of.  Gaussian responses alone, whose errors may be correlated, are stacked instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mix2stan.dialects.arguments import Arguments, Request, request
from mix2stan.dialects.brms_formula import Part, Parts, responses_of
from mix2stan.dialects.brms_response import family_in_brms
from mix2stan.dialects.families import family_of
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.graph import Group, Member, ModelGraph, joined
from mix2stan.names import unique_identifiers
from mix2stan.syntax import Constant, Node, Operator

__all__ = ["apart", "joint_request", "stackable"]


def stackable(arguments: Arguments, said: Parts) -> bool:
    """Whether all are Gaussian and nothing is said but their means, so that errors can correlate.

    Raises:
        FormulaError: if a response is missing, or has two formulas.
    """
    _check_responses(said)
    if said.rescor == Constant("FALSE") and arguments.get("cov_ranef") is not None:
        return False
    plain = not any(part.formulas or part.known for part in said.parts)
    bare = all(_alone(r) is r for part in said.parts for r in responses_of(part.formula))
    return _gaussian(arguments, said) and plain and bare


def apart(arguments: Arguments, said: Parts) -> dict[str, Part]:
    """The formulas of every response, by the identifier that ends its names.

    Raises:
        FormulaError: if errors are to be correlated, and there are none.
        Unsupported: if they would be, and parameters have formulas.
    """
    span = said.parts[-1].formula.span
    if said.rescor == Constant("TRUE"):
        message = "the errors of these responses cannot be correlated"
        hint = "those of Gaussian ones can, of which nothing is said but their means"
        raise FormulaError(message, span=said.rescor.span, hint=hint)
    if _gaussian(arguments, said) and said.rescor is None:
        message = "correlated errors of several responses with more than means cannot be expressed"
        raise Unsupported(message, span=span, hint="add set_rescor(FALSE) to the formula")
    single = [
        replace(part, formula=replace(part.formula, left=response))
        for part in said.parts
        for response in responses_of(part.formula)
    ]
    names = unique_identifiers(str(_alone(part.formula.left)) for part in single)
    return dict(zip(names, single, strict=True))


def joint_request(
    arguments: Arguments, models: Mapping[str, ModelGraph], groups: Sequence[Group]
) -> Request:
    """The model of all responses.

    Args:
        arguments: of the call.
        models: of every response by its identifier, without group terms.
        groups: these, their shares naming the responses.
    """
    common = [group for group in groups if len({s.response for s in group.shares}) > 1]
    ids = dict(zip(map(id, common), unique_identifiers(str(g.factor) for g in common), strict=True))
    named = [replace(group, id=ids.get(id(group), "")) for group in groups]
    members = tuple(
        Member(name, replace(graph, groups=tuple(_own(named, name))))
        for name, graph in models.items()
    )
    return request(arguments, joined(members))


def _own(groups: Sequence[Group], name: str) -> Iterator[Group]:
    """The terms of one response, those it has in common with others among them."""
    for group in groups:
        if not any(share.response == name for share in group.shares):
            continue
        shares = tuple(replace(s, response="") if s.response == name else s for s in group.shares)
        own = [share.parameter for share in shares if not share.response]
        if not group.id:
            # nobody else has it: it is as in a model of this response alone
            shares = tuple(replace(s, label="") for s in shares) if len(set(own)) > 1 else ()
        yield replace(group, owner=own[0], shares=shares)


def _gaussian(arguments: Arguments, said: Parts) -> bool:
    families = [part.family or arguments.get("family") for part in said.parts]
    return all(family_in_brms(family) == family_of(None) for family in families)


def _alone(response: Node | None) -> Node | None:
    """A response without what is said of it after a bar."""
    if isinstance(response, Operator) and response.symbol == "|":
        return response.operands[0]
    return response


def _check_responses(said: Parts) -> None:
    if said.rescor not in (None, Constant("TRUE"), Constant("FALSE")):
        span = said.rescor.span if said.rescor else None
        raise FormulaError("set_rescor() takes TRUE or FALSE", span=span)
    seen: set[str] = set()
    for part in said.parts:
        if not responses_of(part.formula):
            hint = f"write bf(y ~ {part.formula.right})"
            raise FormulaError("the formula has no response", span=part.formula.span, hint=hint)
        for response in responses_of(part.formula):
            name = str(_alone(response))
            if name in seen:
                message = f"the response {name} has two formulas"
                hint = "parameters have theirs within one bf(): bf(y ~ x, sigma ~ x)"
                raise FormulaError(message, span=response.span, hint=hint)
            seen.add(name)
