"""brms: ``brm(y | trials(n) ~ x + (1 + x || g), family = …)``."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments, request
from mix2stan.dialects.bars import Bar, grouping_factors, split_bars, summands
from mix2stan.dialects.brms_response import describe
from mix2stan.dialects.brms_several import lower_several, responses_of
from mix2stan.dialects.families import Distribution, family_of
from mix2stan.dialects.predictors import Further, further_predictor, with_known
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.graph import (
    Columns,
    Covariance,
    ErrorCorrelation,
    Group,
    ModelGraph,
    Population,
    Residual,
    Response,
    note,
)
from mix2stan.syntax import (
    Argument,
    Call,
    Constant,
    Formula,
    Name,
    Node,
    Number,
    Operator,
    String,
    walk,
)

__all__ = ["FUNCTIONS"]

_IGNORED = (
    "prior", "sample_prior", "sparse", "drop_unused_levels", "fit", "save_pars", "save_ranef",
    "save_mevars", "save_all_pars", "inits", "init", "chains", "iter", "warmup", "thin", "cores",
    "threads", "opencl", "normalize", "control", "algorithm", "backend", "future", "silent", "seed",
    "save_model", "stan_model_args", "file", "file_compress", "file_refit", "empty", "rename",
    "refresh",
)  # fmt: skip

_BRM = Signature(
    names=(
        "formula", "data", "family", "prior", "autocor", "data2", "cov_ranef", "knots", "stanvars",
        "stan_funs", *(name for name in _IGNORED if name != "prior"),
    ),
    ignored=frozenset(_IGNORED),
    refused={
        "autocor": "write ar(time = t, gr = g, cov = TRUE) in the formula",
        "data2": "matrices beside the data cannot be expressed",
        "cov_ranef": "effects of related levels cannot be expressed",
        "knots": "splines of fixed degree can: bs() and ns()",
        "stanvars": "Stan code of one's own cannot be expressed; model.stan_code can be changed",
        "stan_funs": "Stan code of one's own cannot be expressed; model.stan_code can be changed",
    },
)  # fmt: skip

#: brms' names of families that R's own functions have under another name, as strings.
_STRINGS = {"gamma": "Gamma"}
#: The links of families given as strings, where they are not those of R's functions.
_STRING_LINKS = {"gamma": "log"}

#: Terms that are no columns, each with what comes nearest.
_SPECIAL = {
    **dict.fromkeys(("s", "t2"), "splines of fixed degree can: bs() and ns()"),
    **dict.fromkeys(("mo", "monotonic"), "ordered factors have polynomial contrasts"),
    **dict.fromkeys(("me", "mi"), "covariates are taken as they are"),
    "cs": "a coefficient is the same for all thresholds",
    "gp": "glmmTMB's exp(), gau() and mat() are Gaussian processes over the levels of a factor",
    "cosy": "(1 | g) is the same model: brms' correlation within g is not negative",
    **dict.fromkeys(("ma", "arma"), "gls(y ~ x, correlation = corARMA(form = ~ t | g, q = 1)) can"),
    "unstr": "gls(y ~ x, correlation = corSymm(form = ~ t | g)) can",
    **dict.fromkeys(("sar", "car", "fcor"), "ar(cov = TRUE) can"),
    **dict.fromkeys(("mm", "mmc"), "a grouping factor is one column, or a:b"),
}


def lower_brm(call: Call) -> Request:
    """``brm(y ~ x + (1 | g))``; ``||`` makes columns independent, those of a factor too.

    Raises:
        FormulaError: for what brms does not take.
        Unsupported: for a term or a family that cannot be expressed.
    """
    arguments = match_arguments(call, _BRM)
    formula, within, rescor = _formula(arguments)
    if responses_of(formula):
        return _several(arguments, formula, within, rescor)
    given = within.family if within.family is not None else arguments.get("family")
    described = describe(formula, _family(given))
    response = with_known(described.response, within.known)
    fixed, bars = split_bars(_with_intercept(formula.right))
    fixed, correlation = _special_terms(fixed)
    residual, further = _further(within.formulas, response)
    _check_known(response, residual, further)
    residual = residual if described.errors.plain else described.errors
    _check_ids((*bars, *(bar for f in within.formulas for bar in split_bars(f.right)[1])))
    if correlation is not None and not response.linear:
        message = "correlated errors of a response that is not Gaussian cannot be expressed"
        raise Unsupported(message, span=correlation.span, hint="a term (1 | g) can")
    graph = ModelGraph(
        response,
        Population(Columns((fixed,)), described.offsets),
        (*_groups(bars), *(group for one in further for group in one.groups)),
        replace(residual, correlation=correlation),
        predictors=tuple(one.predictor for one in further),
    )
    if correlation is not None:
        graph = note(graph, "sigma is the sd of the errors; brms' is that of their innovations")
    return request(arguments, graph)


def _several(
    arguments: Arguments, formula: Formula, within: _Within, rescor: Node | None
) -> Request:
    """Several responses of one formula, nothing said of them one by one."""
    if within.formulas or within.known:
        message = "formulas of parameters of several responses cannot be expressed"
        raise Unsupported(message, span=formula.span, hint="one response in a call of its own can")

    def terms(bar: Bar) -> tuple[list[Group], bool]:
        return _terms(bar), _split_id(bar.columns)[1] is not None

    fixed, bars = split_bars(_with_intercept(formula.right))
    ids = [i for bar in bars if (i := _split_id(bar.columns)[1]) is not None]
    if len(set(map(str, ids))) < len(ids):
        _check_ids(bars)
    fixed, correlation = _special_terms(fixed)
    if correlation is not None:
        message = "series of several responses cannot be expressed"
        raise Unsupported(message, span=correlation.span, hint="set_rescor(TRUE) can")
    return lower_several(arguments, formula, rescor, terms)


# -- formula ---------------------------------------------------------------------------------------


class _Within(NamedTuple):
    """What ``bf()`` says besides the formula of the mean."""

    formulas: tuple[Formula, ...] = ()
    family: Node | None = None
    known: tuple[Argument, ...] = ()


def _formula(arguments: Arguments) -> tuple[Formula, _Within, Node | None]:
    """The formula of the mean, what ``bf()`` says besides, and what ``set_rescor()`` does."""
    node, rescor = arguments.get("formula"), None
    match node:
        case Operator("+", (first, Call(function="set_rescor", args=(given, *_)))) if _is_bf(first):
            node, rescor = first, given.value
        case Operator("+", (first, *_)) if _is_bf(first):
            message = "several responses with formulas of their own cannot be expressed"
            hint = "bf(mvbind(y1, y2) ~ x) + set_rescor(TRUE) can"
            raise Unsupported(message, span=node.span, hint=hint)
    if isinstance(node, Formula):
        return node, _Within(), rescor
    if not _is_bf(node):
        return arguments.formula("formula", "brm(y ~ x + (1 | g))"), _Within(), rescor
    assert isinstance(node, Call)
    first, *others = node.args or (Argument(None, node),)
    if not isinstance(first.value, Formula):
        message = "bf() needs a formula"
        raise FormulaError(message, span=node.span, hint="write bf(y ~ x + (1 | g))")
    formulas: list[Formula] = []
    known: list[Argument] = []
    family = None
    for argument in others:
        match argument.value:
            case Formula(left=Name()) as formula if argument.name is None:
                formulas.append(formula)
            case value if argument.name == "family":
                family = value
            case Number() | Operator("-", (Number(),)) if argument.name is not None:
                known.append(argument)
            case _ if argument.name in ("center", "decomp") or argument.value == Constant("FALSE"):
                pass
            case value:
                message = f"this part of {node.function}() cannot be expressed: {value}"
                hint = "bf(y ~ x, sigma ~ x + (1 | g)), formulas of parameters, can"
                raise Unsupported(message, span=argument.span, hint=hint)
    return first.value, _Within(tuple(formulas), family, tuple(known)), rescor


def _further(
    formulas: tuple[Formula, ...], response: Response
) -> tuple[Residual, tuple[Further, ...]]:
    """The predictors of parameters; of a Gaussian sd without random terms, its errors."""
    residual, found = Residual(), []
    for formula in formulas:
        assert isinstance(formula.left, Name)
        fixed, bars = split_bars(_with_intercept(formula.right))
        offset = any(isinstance(n, Call) and n.function == "offset" for n in walk(fixed))
        if response.linear and formula.left.name == "sigma" and not bars and not offset:
            if fixed != Number(1.0):
                residual = Residual(dispersion=fixed)
            continue
        groups = _groups(bars)
        found.append(further_predictor(response.family, formula.left.name, fixed, groups))
    return residual, tuple(found)


def _check_known(response: Response, residual: Residual, further: tuple[Further, ...]) -> None:
    """Refuse a parameter that is known and has a formula; se() makes sigma known."""
    named = {one.predictor.parameter for one in further}
    named |= set() if residual.plain else {"sigma"}
    for name, _ in response.known:
        if name in named:
            message = f"{name} is known, and has a formula"
            raise FormulaError(message, span=response.expression.span, hint="one of them can")


def _is_bf(node: Node | None) -> bool:
    return isinstance(node, Call) and node.function in ("bf", "brmsformula")


def _with_intercept(right: Node) -> Node:
    """``0 + Intercept + x``, which has an intercept, as ``1 + x``."""
    intercept = Name("Intercept")
    parts = summands(right)
    if intercept not in parts:
        return right
    kept = [Number(1.0, span=p.span) if p == intercept else p for p in parts]
    return Operator("+", tuple(p for p in kept if p != Number(0.0)), span=right.span)


def _special_terms(fixed: Node) -> tuple[Node, ErrorCorrelation | None]:
    """The fixed part without its terms of correlated errors."""
    kept, found = [], None
    for part in summands(fixed):
        if isinstance(part, Call) and part.function == "ar":
            found = _autoregressive(part)
        else:
            kept.append(part)
    for node in walk(Operator("+", tuple(kept)) if len(kept) > 1 else (kept or [fixed])[0]):
        if isinstance(node, Call) and node.function in _SPECIAL and found is None:
            message = f"{node.function}() of brms cannot be expressed"
            raise Unsupported(message, span=node.span, hint=_SPECIAL[node.function])
    if found is None:
        return fixed, None
    if not kept:
        return Number(1.0, span=fixed.span), found
    return (Operator("+", tuple(kept), span=fixed.span) if len(kept) > 1 else kept[0]), found


_AR = Signature(("time", "gr", "p", "cov"))


def _autoregressive(call: Call) -> ErrorCorrelation:
    """``ar(time = t, gr = g, cov = TRUE)``: the errors of consecutive times."""
    given = match_arguments(call, _AR)
    if given.get("cov") != Constant("TRUE"):
        message = "ar() regresses residuals on those before them, and cannot be expressed"
        hint = "ar(time = t, gr = g, cov = TRUE) makes the errors a stationary series"
        raise Unsupported(message, span=call.span, hint=hint)
    if given.get("p") not in (None, Number(1.0), Number(1.0, integer=True)):
        hint = "gls(y ~ x, correlation = corARMA(form = ~ t | g, p = 2)) can"
        raise Unsupported("brms has order 1 with cov = TRUE", span=call.span, hint=hint)
    time, group = given.get("time"), given.get("gr")
    block = None if group is None else grouping_factors(group)[0]
    covariates = () if time is None else (time,)
    return ErrorCorrelation("corAR1", covariates, block, consecutive=True, span=call.span)


# -- the family ------------------------------------------------------------------------------------


def _family(node: Node | None) -> Distribution:
    """The family; given as a string its links are brms' own."""
    match node:
        case String(value=name) if name in _STRINGS:
            return family_of(String(_STRINGS[name], span=node.span))._replace(
                link=_STRING_LINKS[name]
            )
        case Call(function="brmsfamily", args=(first, *rest)) if isinstance(first.value, String):
            given = _family(first.value)
            if not rest:
                return given
            name = _STRINGS.get(first.value.value, first.value.value)
            return _family(Call(name, tuple(rest), span=node.span))
        case Call(args=args) if any(a.name == "threshold" for a in args):
            return _flexible(node)
    return family_of(node)


def _flexible(call: Call) -> Distribution:
    """``cumulative(threshold = "flexible")``."""
    (threshold,) = (a for a in call.args if a.name == "threshold")
    if threshold.value != String("flexible"):
        message = f"thresholds that are {threshold.value} cannot be expressed"
        raise Unsupported(message, span=threshold.span, hint='threshold = "flexible" can')
    return family_of(replace(call, args=tuple(a for a in call.args if a is not threshold)))


# -- random terms ----------------------------------------------------------------------------------


def _groups(bars: tuple[Bar, ...]) -> tuple[Group, ...]:
    return tuple(group for bar in bars for group in _terms(bar))


def _check_ids(bars: tuple[Bar, ...]) -> None:
    """``(1 | ID | g)`` with an ID of its own is ``(1 | g)``; shared, its effects are correlated."""
    ids = [_split_id(bar.columns)[1] for bar in bars]
    counts = Counter(i for i in ids if i is not None)
    for bar, name in zip(bars, ids, strict=True):
        if name is not None and counts[name] > 1:
            message = f"effects of several terms, correlated by {name}, cannot be expressed"
            raise Unsupported(message, span=bar.term.span, hint="one term (1 + x | g) can")


def _split_id(columns: Node) -> tuple[Node, Node | None]:
    match columns:
        case Operator(symbol="|", operands=(inner, name)):
            return inner, name
    return columns, None


def _terms(bar: Bar) -> list[Group]:
    """The terms of a bar; ``gr()`` may say that effects are independent."""
    columns, factor = _split_id(bar.columns)[0], bar.group
    for node in walk(columns):
        if isinstance(node, Call) and node.function in _SPECIAL:
            message = f"{node.function}() of brms cannot be expressed"
            raise Unsupported(message, span=node.span, hint=_SPECIAL[node.function])
    independent = bar.symbol == "||"
    if isinstance(factor, Call) and factor.function == "gr":
        given = match_arguments(factor, _GR)
        independent |= given.get("cor") == Constant("FALSE")
        distribution = given.get("dist")
        if distribution not in (None, String("gaussian")):
            hint = 'dist = "gaussian" can'
            raise Unsupported(f"effects that are {distribution}", span=factor.span, hint=hint)
        factor = given.get("g") or factor
    if isinstance(factor, Call) and factor.function == "mm":
        message = "mm() of brms cannot be expressed"
        raise Unsupported(message, span=factor.span, hint=_SPECIAL["mm"])
    kind = Covariance("idh" if independent else "us")
    return [
        Group(Columns((columns,)), f, kind, span=bar.term.span) for f in grouping_factors(factor)
    ]


_GR = Signature(
    names=("g", "by", "cov", "id", "cor", "dist", "pw"),
    ignored=frozenset({"id"}),
    refused={
        "by": "the levels of all have one covariance",
        "cov": "effects of related levels cannot be expressed",
        "pw": "all levels weigh the same",
    },
)

FUNCTIONS = {"brm": lower_brm}
