"""MCMCglmm's ``pedigree =`` and ``ginverse =``: factors whose levels are related."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from mix2stan.dialects.arguments import Arguments
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.graph import Group, Relationship
from mix2stan.syntax import Call, Constant, Name, Node, String

__all__ = ["related"]

#: The factor that a pedigree or a phylogeny is about, by its name alone.
_ANIMAL = "animal"

Role = Literal["pedigree", "inverse", "covariance"]


def related(groups: tuple[Group, ...], arguments: Arguments) -> tuple[Group, ...]:
    """The terms, those of related levels told so.

    Raises:
        FormulaError: if a relationship is of a factor that no term has.
        Unsupported: if it is of one that only occurs in combinations.
    """
    found = _relationships(arguments)
    for name, relationship in found.items():
        span = relationship.source.span
        if any(_about(g, name) for g in groups):
            continue
        if any(Name(name) in g.factor.variables for g in groups):
            message = f"related levels of {name} in combination with others cannot be expressed"
            hint = f"a term of {name} alone can: us(f):{name}"
            raise Unsupported(message, span=span, hint=hint)
        factors = [str(g.factor) for g in groups]
        hint = suggestion(name, factors, what="the factors of random =")
        if name == _ANIMAL:
            hint = f"a pedigree is about the factor {_ANIMAL}: random = ~ {_ANIMAL}"
        raise FormulaError(f"random = has no term of {name!r}", span=span, hint=hint)
    return tuple(_with(group, found) for group in groups)


def _about(group: Group, name: str) -> bool:
    """Whether the levels of a term are those of a column: alone, or one of several of the same."""
    factor = group.factor
    return Name(name) in factor.variables and (len(factor.variables) == 1 or bool(factor.signs))


def _with(group: Group, found: Mapping[str, Relationship]) -> Group:
    for name, relationship in found.items():
        if _about(group, name):
            return replace(group, factor=replace(group.factor, relationship=relationship))
    return group


def _relationships(arguments: Arguments) -> dict[str, Relationship]:
    """The relationships of a call, by factor."""
    found: dict[str, Relationship] = {}
    scale = arguments.get("scale")
    scaled = scale is None or scale in (Constant("TRUE"), Name("T"))
    pedigree = arguments.get("pedigree")
    if pedigree is not None:
        found[_ANIMAL] = _relationship("pedigree", pedigree, scaled)
    ginverse = arguments.get("ginverse")
    if ginverse is None:
        return found
    hint = "write ginverse = list(animal = Ainv)"
    if not isinstance(ginverse, Call) or ginverse.function != "list":
        raise FormulaError("'ginverse' has to be a list", span=ginverse.span, hint=hint)
    for argument in ginverse.args:
        if argument.name is None:
            message = "an inverse in 'ginverse' has no name"
            raise FormulaError(message, span=argument.span, hint=hint)
        if argument.name in found:
            message = f"there are two relationships of {argument.name}"
            raise FormulaError(message, span=argument.span)
        found[argument.name] = _inverse(argument.value)
    return found


def _inverse(node: Node) -> Relationship:
    """``Ainv``, ``solve(K)``, or ``inverseA(ped)$Ainv`` with what that function is told."""
    match node:
        case Call(function="as", args=(matrix, *_)):
            return _inverse(matrix.value)
        case Call(function="solve", args=(matrix,)):
            return _relationship("covariance", matrix.value, True)
        case Call(function="$", args=(function, _)) if isinstance(function.value, Call):
            inner = function.value
            if inner.function == "inverseA" and (given := inner.argument("pedigree", 0)):
                scale = inner.argument("scale", 2)
                scaled = scale is None or scale.value in (Constant("TRUE"), Name("T"))
                return _relationship("pedigree", given.value, scaled)
    return _relationship("inverse", node, True)


def _relationship(role: Role, source: Node, scaled: bool) -> Relationship:
    if not isinstance(source, Name | String | Call):
        message = f"{source} cannot be read as a pedigree, a tree or a matrix"
        hint = "name what is given with the data"
        raise FormulaError(message, span=source.span, hint=hint)
    return Relationship(role, source, scaled)
