"""glmmTMB: lme4's bars, each with the name of a covariance structure before it."""

from __future__ import annotations

from mix2stan.design import terms
from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments, request
from mix2stan.dialects.bars import grouping_factors, response_of, split_bars, summands
from mix2stan.dialects.families import Distribution, family_of
from mix2stan.dialects.glmmtmb_errors import effects_as_errors
from mix2stan.dialects.lme4 import groups_of
from mix2stan.dialects.predictors import Further, further_predictor
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.families import FAMILIES, with_zeros
from mix2stan.graph import (
    Columns,
    Covariance,
    Factor,
    Group,
    ModelGraph,
    Population,
    Relationship,
    Residual,
    Response,
)
from mix2stan.syntax import Call, Formula, Name, Node, Number, Operator, String, walk

__all__ = ["ARGUMENTS", "FUNCTIONS", "STRUCTURES"]

_SIGNATURE = Signature(
    names=(
        "formula", "data", "family", "ziformula", "dispformula", "weights", "offset", "contrasts",
        "na.action", "se", "verbose", "doFit", "control", "REML", "start", "map", "sparseX",
    ),
    ignored=frozenset({"se", "verbose", "doFit", "control", "REML", "start", "sparseX"}),
    refused={"map": "parameters cannot be held fixed"},
)  # fmt: skip

#: glmmTMB's structures, by the covariance structure they are; its cs() has a variance per column.
STRUCTURES = {
    "us": "us",
    "diag": "idh",
    "homdiag": "idv",
    "cs": "corh",
    "homcs": "cs",
    "ar1": "ar1",
    "hetar1": "hetar1",
    "toep": "toep",
    "ou": "ou",
    "exp": "exp",
    "gau": "gau",
    "mat": "mat",
    "rr": "rr",
}


_COUNTS = "poisson, nbinom1 and nbinom2 can"
#: glmmTMB's families that are no rows here, each with what can be done.
_OTHER_FAMILIES = {
    "nbinom12": "nbinom1 and nbinom2 can",
    "compois": _COUNTS,
    "genpois": _COUNTS,
    "bell": _COUNTS,
    "truncated_compois": "truncated_poisson, truncated_nbinom1 and truncated_nbinom2 can",
    "truncated_genpois": "truncated_poisson, truncated_nbinom1 and truncated_nbinom2 can",
}
#: Its names that mean another row than elsewhere; its lognormal has the mean and sd of y.
_OWN_NAMES = {"lognormal": "lognormal_mean", "ziGamma": "Gamma"}


def lower_glmmtmb(call: Call) -> Request:
    """``glmmTMB(y ~ x + cs(0 + f | g))``: without a name before its bracket a bar is ``us``.

    Raises:
        FormulaError: for what glmmTMB does not take.
        Unsupported: for a structure, a family or a dispersion that cannot be expressed.
    """
    arguments = match_arguments(call, _SIGNATURE)
    formula = arguments.formula("formula", "glmmTMB(y ~ x + (1 | g))")
    distribution = _distribution(arguments)
    distribution, zeros = _zeros(arguments, distribution, formula.right)
    family, link = distribution
    fixed, groups = _terms(formula.right)
    offset = arguments.get("offset")
    residual, dispersion = _dispersion(arguments, distribution)
    further = (*zeros, *dispersion)
    trials, powers = _weights(arguments, family)
    remarks: tuple[str, ...] = ()
    dispformula = arguments.get("dispformula")
    if dispformula == Formula(None, Number(0.0)) and distribution == ("gaussian", "identity"):
        assert dispformula is not None
        groups, residual, remark = effects_as_errors(groups, dispformula.span)
        remarks = (remark,)
    graph = ModelGraph(
        Response(response_of(formula, "glmmTMB"), family, link, trials, powers=powers),
        Population(Columns((fixed,)), () if offset is None else (offset,)),
        (*groups, *(group for one in further for group in one.groups)),
        residual,
        predictors=tuple(one.predictor for one in further),
        notes=remarks,
    )
    return request(arguments, graph)


def _terms(right: Node) -> tuple[Node, tuple[Group, ...]]:
    """The fixed part of a right-hand side, and its random terms."""
    fixed: list[Node] = []
    groups: list[Group] = []
    for operand in summands(right):
        if isinstance(operand, Call) and _has_bar(operand):
            groups += _structured(operand)
            continue
        left, bars = split_bars(operand)
        groups += [group for bar in bars for group in groups_of(bar)]
        fixed += [] if bars and left == Number(1.0) else [left]
    return _sum(fixed), tuple(groups)


def _sum(parts: list[Node]) -> Node:
    if not parts:
        return Number(1.0)
    if len(parts) == 1 and not (isinstance(parts[0], Operator) and parts[0].symbol == "-"):
        return parts[0]
    return Operator("+", tuple(parts), span=parts[0].span.to(parts[-1].span))


def _has_bar(node: Node) -> bool:
    return any(isinstance(n, Operator) and n.symbol in ("|", "||") for n in walk(node))


def _distribution(arguments: Arguments) -> Distribution:
    """The family, as glmmTMB means its name."""
    node = arguments.get("family")
    name = node.function if isinstance(node, Call) else getattr(node, "name", None)
    name = node.value if isinstance(node, String) else name
    if node is not None and name in _OTHER_FAMILIES:
        hint = _OTHER_FAMILIES[name]
        raise Unsupported(f"glmmTMB's {name} cannot be expressed", span=node.span, hint=hint)
    return family_of(node, own=_OWN_NAMES)


def _zeros(
    arguments: Arguments, without: Distribution, right: Node
) -> tuple[Distribution, tuple[Further, ...]]:
    """What ``ziformula`` says: the family with zeros of their own, and what their logit depends on.

    Truncated families get a hurdle by it: their zeros are those of the formula alone.
    """
    value = arguments.get("ziformula")
    if value is None or value == Formula(None, Number(0.0)):
        return without, ()
    formula = arguments.formula("ziformula", "ziformula = ~ 1")
    found = with_zeros(without.family)
    if found is None:
        message = f"zeros of a {without.family} response cannot be told apart"
        hint = "they can where counts, trials, Gamma, lognormal or beta responses have them"
        raise Unsupported(message, span=formula.span, hint=hint)
    family, parameter = found
    distribution = Distribution(family, without.link)
    if formula.right == Number(1.0):
        return distribution, ()
    fixed, groups = _terms(right if formula.right == Name(".") else formula.right)
    return distribution, (further_predictor(family, parameter, fixed, groups),)


def _weights(arguments: Arguments, family: str) -> tuple[Node | None, Node | None]:
    """The numbers of trials of proportions; otherwise glmmTMB multiplies log-likelihoods by them."""
    weights = arguments.get("weights")
    return (weights, None) if FAMILIES[family].counts_trials else (None, weights)


def _dispersion(
    arguments: Arguments, distribution: Distribution
) -> tuple[Residual, tuple[Further, ...]]:
    """What ``dispformula`` says: of Gaussian errors without random terms, or a predictor.

    The log of the family's dispersion is linear; where glmmTMB's parameter is a power of ours, that
    is the same model with other coefficients.
    """
    value = arguments.get("dispformula")
    if value is None or value == Formula(None, Number(1.0)):
        return Residual(), ()
    formula = arguments.formula("dispformula", "dispformula = ~ f")
    parameter = FAMILIES[distribution.family].dispersion
    if formula == Formula(None, Number(0.0)):
        if not parameter or distribution == ("gaussian", "identity"):
            return Residual(), ()
        message = f"a {distribution.family} model without its dispersion cannot be expressed"
        raise Unsupported(message, span=formula.span, hint="dispformula = ~ 1 estimates it")
    if not parameter:
        message = f"dispformula of a {distribution.family} model: it has no dispersion"
        hint = "gaussian, t_family, nbinom2, Gamma and beta_family have one"
        raise Unsupported(message, span=formula.span, hint=hint)
    fixed, groups = _terms(formula.right)
    weighted = "weights" in arguments.values
    plain = distribution == ("gaussian", "identity") and not groups and not weighted
    if plain and not _has_offset(fixed):
        return Residual(dispersion=fixed), ()
    return Residual(), (further_predictor(distribution.family, parameter, fixed, groups),)


def _has_offset(node: Node) -> bool:
    return any(isinstance(n, Call) and n.function == "offset" for n in walk(node))


def _structured(term: Call) -> list[Group]:
    """``cs(0 + f | g)``, ``rr(0 + f | g, d = 2)``, ``propto(0 + f | g, K)``."""
    if term.function in _OF_KNOWN:
        return [_of_known(term)]
    if term.function not in STRUCTURES:
        hint = suggestion(term.function, [*STRUCTURES, *_OF_KNOWN], what="available")
        raise Unsupported(f"{term.function}() cannot be expressed", span=term.span, hint=hint)
    kind, (first, *others) = STRUCTURES[term.function], term.args
    match first.value:
        case Operator(symbol="|", operands=(columns, factors)):
            covariance = Covariance(kind, _factors(term) if kind == "rr" else 0)
        case _:
            hint = f"write {term.function}(0 + f | g)"
            raise FormulaError("a structure takes one bar", span=term.span, hint=hint)
    if others and kind != "rr":
        message = f"{term.function}() has no place for this argument"
        raise FormulaError(message, span=others[0].span)
    return [
        Group(Columns((columns,)), factor, covariance, span=term.span)
        for factor in grouping_factors(factors)
    ]


#: Structures of levels of known covariance: up to one variance, and altogether.
_OF_KNOWN = {"propto": Covariance("us"), "equalto": Covariance("known", variances=(1.0,))}


def _of_known(term: Call) -> Group:
    """A known covariance of the levels of f, within every level of g."""
    name = term.function
    hint = f"write {name}(0 + f | g, K): the levels of one factor, and their covariance"
    match [argument.value for argument in term.args]:
        case [Operator(symbol="|", operands=(columns, group)), Name() as matrix]:
            parts, factors = terms(columns, columns=()), grouping_factors(group)
            variables = [v for t in parts.terms for v in t.variables]
            if parts.intercept or len(variables) != 1 or len(factors) != 1:
                raise FormulaError(f"{name}() takes one factor", span=columns.span, hint=hint)
            related = Relationship("covariance", matrix)
            factor = Factor((variables[0], *factors[0].variables), relationship=related)
            one = Columns((Number(1.0, span=term.span),))
            return Group(one, factor, _OF_KNOWN[name], span=term.span)
    raise FormulaError(f"{name}() takes a bar and a matrix", span=term.span, hint=hint)


def _factors(term: Call) -> int:
    """The ``d`` of ``rr(…, d = 2)``, which is the default."""
    argument = term.argument("d", 1)
    if argument is None:
        return 2
    match argument.value:
        case Number(value=value) if value >= 1 and value == int(value):
            return int(value)
    raise FormulaError("d has to be a whole number", span=argument.span, hint="write d = 2")


FUNCTIONS = {"glmmTMB": lower_glmmtmb}
ARGUMENTS = {"glmmTMB": _SIGNATURE.names}
