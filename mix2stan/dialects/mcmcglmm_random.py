"""MCMCglmm's ``random =``: variance functions linked to grouping factors."""

from __future__ import annotations

import re
from dataclasses import replace

from mix2stan.dialects.arguments import Arguments
from mix2stan.dialects.bars import summands
from mix2stan.dialects.mcmcglmm_prior import (
    FixedBlock,
    fixed_from,
    known_covariance,
    known_variances,
    term_prior,
)
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.graph import Columns, Covariance, Factor, Group
from mix2stan.syntax import Call, Formula, Name, Node, Number, Operator, Parens, walk

__all__ = ["VARIANCE_FUNCTIONS", "random_groups"]

#: MCMCglmm's variance functions, by the covariance structure they are; ``ante1`` and its like are
#: read by their pattern.  The last two are the lecture's and older versions' names.
VARIANCE_FUNCTIONS = {
    "us": "us",
    "idh": "idh",
    "idv": "idv",
    "corg": "corg",
    "corgh": "corgh",
    "cors": "cors",
    "sub": "sub",
    "corh": "corh",
    "cor": "corg",
}
_ANTE = re.compile(r"ante(c?)([1-9][0-9]?)(v?)")
_SMOOTH = "ns(x, df = 4) in the fixed part is a spline of fixed degree"
#: Functions of MCMCglmm's that are not read, each with what comes nearest.
_NOT_READ = {
    "at.set": 'at.level(f, "a") is one level',
    "leg": "us(1 + x + I(x^2)):g has the same columns up to their scale",
    "spl": _SMOOTH,
    "smspline": _SMOOTH,
    "mult.memb": "mm(a + b) adds the effects of factors with the same levels",
    "sir": "responses on each other's right-hand sides are no regression",
    "path": "responses on each other's right-hand sides are no regression",
}
#: Functions of several factors of the same levels.
_MEMBERSHIPS = ("mm", "str")


def random_groups(arguments: Arguments) -> tuple[Group, ...]:
    """The group terms of ``random =``, in order."""
    prior = arguments.get("prior")
    return tuple(_group(term, prior, i) for i, term in enumerate(_random_terms(arguments)))


def _random_terms(arguments: Arguments) -> tuple[Node, ...]:
    random = arguments.get("random")
    if random is None:
        return ()
    if not isinstance(random, Formula) or random.left is not None:
        hint = "write random = ~ g or random = ~ us(1 + x):g"
        raise FormulaError("'random' has to be a one-sided formula", span=random.span, hint=hint)
    return summands(random.right)


def _group(term: Node, prior: Node | None, place: int) -> Group:
    """One term: a factor, or a variance function linked to a factor by ``:``."""
    for node in walk(term):
        if isinstance(node, Call) and node.function in _NOT_READ:
            message = f"{node.function}() cannot be expressed"
            raise Unsupported(message, span=node.span, hint=_NOT_READ[node.function])
    first, *rest = linked(term)
    if isinstance(first, Call) and first.function in _MEMBERSHIPS and not rest:
        return _with_prior(_memberships(first), first, prior, place)
    if isinstance(first, Call) and first.function == "at.level":
        columns: Node = Operator("+", (Number(0.0), first), span=first.span)
        covariance = Covariance("us")
    elif isinstance(first, Call) and _is_structure(first.function):
        covariance, columns = _covariance(first, prior, place), _columns(first)
    else:
        columns, covariance = Number(1.0, span=term.span), Covariance("us")
        rest = [first, *rest]
    if not rest:
        hint = f"write {first}:g"
        raise FormulaError("this term has no grouping factor", span=term.span, hint=hint)
    if rest == [Name("units")] and columns == Number(1.0):
        message = "a variance of units alone is that of the residual, and would be there twice"
        hint = "us(x):units and idh(f):units are effects of x, or of the levels of f, in every row"
        raise FormulaError(message, span=term.span, hint=hint)
    factor = Factor(tuple(_factor_variable(n, term) for n in rest), "first_fastest")
    group = Group(Columns((columns,)), factor, covariance, span=term.span)
    return _with_prior(group, first, prior, place)


def _with_prior(group: Group, structure: Node, prior: Node | None, place: int) -> Group:
    """The term with its element of G; ``fix`` can make its covariance a known one."""
    covariance = group.covariance
    given = term_prior(prior, place, covariance.kind)
    known = None if covariance.order else known_covariance(prior, place)
    if known is not None and given is not None:
        covariance = _partly_known(known, structure)
        given = replace(given, kind=covariance.kind)
    return replace(group, covariance=covariance, prior=given)


def _partly_known(block: FixedBlock, structure: Node) -> Covariance:
    """The structure of effects of which all, or the later ones, have a known covariance."""
    if block.first == 0:
        return Covariance("known", variances=block.values)
    if isinstance(structure, Call) and structure.function in ("us", "str"):
        return Covariance("known_block", block.first + 1, block.values)
    message = f"{structure} cannot have fix = {block.first + 1}: a block is fixed of us()"
    hint = "fix = 1 fixes all of it; us(), cors() and sub() have fixed blocks"
    raise Unsupported(message, span=block.span, hint=hint)


def _memberships(term: Call) -> Group:
    """``mm(a + b)``: effects of the same levels added; ``str(a + b)``: each its own, correlated."""
    apart = term.function == "str"
    signed = [pair for a in term.args for pair in _signed(a.value, 1)]
    names = [v for _, v in signed]
    if len(set(names)) < 2 or len(set(names)) < len(names):
        hint = f"write {term.function}(a + b), of two factors with the same levels"
        raise FormulaError(f"{term} needs several factors", span=term.span, hint=hint)
    signs = tuple(sign for sign, _ in signed)
    if apart and -1 in signs:
        message = "the effects of str() are never added: there is nothing to subtract"
        raise FormulaError(message, span=term.span, hint="mm(a - b) subtracts")
    variables = tuple(_factor_variable(v, term) for v in names)
    factor = Factor(variables, "first_fastest", signs=signs, apart=apart)
    one = Number(1.0, span=term.span)
    columns = Columns((one,) * len(names) if apart else (one,))
    return Group(columns, factor, Covariance("us"), span=term.span)


def _signed(node: Node, sign: int) -> list[tuple[int, Node]]:
    """The factors of ``a + b - c``, with their signs."""
    match node:
        case Parens(inner=inner):
            return _signed(inner, sign)
        case Operator(symbol="+", operands=operands):
            return [pair for operand in operands for pair in _signed(operand, sign)]
        case Operator(symbol="-", operands=(first, *others)) if others:
            rest = [pair for other in others for pair in _signed(other, -sign)]
            return [*_signed(first, sign), *rest]
        case Operator(symbol="-", operands=(inner,)):
            return _signed(inner, -sign)
    return [(sign, node)]


def _covariance(function: Call, prior: Node | None, place: int) -> Covariance:
    """The structure of a variance function; some have numbers in the prior."""
    found = _ANTE.fullmatch(function.function)
    if found is not None:
        return Covariance(f"ante{found[1]}{found[3]}", int(found[2]))
    kind = VARIANCE_FUNCTIONS.get(function.function)
    if kind is None:
        hint = suggestion(function.function, [*VARIANCE_FUNCTIONS, "ante1"], what="available")
        message = f"{function.function}() cannot be expressed"
        raise Unsupported(message, span=function.span, hint=hint)
    if kind in ("cors", "sub"):
        return Covariance(kind, fixed_from(prior, place, function))
    if kind == "corgh":
        return Covariance(kind, variances=known_variances(prior, place, function))
    return Covariance(kind)


def linked(term: Node) -> list[Node]:
    """The parts of ``a:b:c``."""
    match term:
        case Operator(symbol=":", operands=(left, right)):
            return [*linked(left), *linked(right)]
        case Parens(inner=inner):
            return linked(inner)
        case Operator(symbol="|" | "||", operands=(columns, group)):
            hint = f"MCMCglmm writes us({columns}):{group}"
            raise FormulaError("a bar is not MCMCglmm's syntax", span=term.span, hint=hint)
    return [term]


def _columns(function: Call) -> Node:
    """The columns of ``us(formula)``: MCMCglmm's formula has an intercept only if it says ``1``."""
    if len(function.args) != 1:
        hint = f"write {function.function}(1 + x):g"
        raise FormulaError("a variance function takes one formula", span=function.span, hint=hint)
    inner = function.args[0].value
    parts = summands(inner)
    if Number(1.0) in parts or Number(0.0) in parts:
        return inner
    return Operator("+", (Number(0.0), *parts), span=inner.span)


def _is_structure(name: str) -> bool:
    known = name in VARIANCE_FUNCTIONS or name in _NOT_READ or name in _MEMBERSHIPS
    return known or _ANTE.fullmatch(name) is not None


def _factor_variable(node: Node, term: Node) -> Node:
    match node:
        case Name():
            return node
        case Call(function=name) if _is_structure(name):
            hint = f"write {name}(…):g with the function first"
            raise Unsupported(f"{name}() cannot stand here", span=node.span, hint=hint)
        case Call(function=name) if _is_structure(name.lower()):
            hint = f"nearest: '{name.lower()}'"
            raise FormulaError(f"there is no {name}()", span=node.span, hint=hint)
        case Call():
            return node
    hint = "write the name of a column, as in random = ~ g"
    raise FormulaError(f"{node} cannot be a grouping factor", span=node.span, hint=hint)
