"""What brms puts into a formula: its own special terms, and random terms with an ID or ``gr()``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeGuard

from mix2stan.dialects.arguments import Arguments, Signature, match_arguments
from mix2stan.dialects.bars import Bar, grouping_factors, summands
from mix2stan.dialects.brms_formula import Part
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.graph import Columns, Covariance, ErrorCorrelation, Group, Population, Relationship
from mix2stan.syntax import Call, Constant, Name, Node, Number, Operator, String, walk

__all__ = [
    "check_cells",
    "check_ids",
    "has_own_intercept",
    "id_of",
    "population_of",
    "random_terms",
    "related_levels",
    "special_terms",
    "with_intercept",
]

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


def with_intercept(right: Node) -> Node:
    """``0 + Intercept + x``, which has an intercept, as ``1 + x``."""
    intercept = Name("Intercept")
    parts = summands(right)
    if intercept not in parts:
        return right
    kept = [Number(1.0, span=p.span) if p == intercept else p for p in parts]
    return Operator("+", tuple(p for p in kept if p != Number(0.0)), span=right.span)


def has_own_intercept(right: Node) -> bool:
    """Whether it is ``0 + Intercept + x``, in which the intercept is a coefficient as others are."""
    return Name("Intercept") in summands(right)


def population_of(right: Node, fixed: Node, part: Part, offsets: Sequence[Node]) -> Population:
    """The population's part of a predictor, coded as ``bf()`` says.

    Args:
        right: the right-hand side as it was written.
        fixed: the same without its random and special terms.
        part: what is said of the mean's formula.
        offsets: known parts.
    """
    columns, constant = Columns((fixed,)), _has_constant(fixed)
    offset = any(isinstance(p, Call) and p.function == "offset" for p in summands(fixed))
    anything = len(summands(fixed)) > 1 + offset
    if not (part.cells or constant) and anything:
        whole = Operator("+", (*summands(fixed), Number(1.0)), span=fixed.span)
        columns = Columns((whole,), constant=False)
    centred = part.centred and not has_own_intercept(right)
    return Population(columns, tuple(offsets), centred=centred)


def _has_constant(formula: Node) -> bool:
    """Whether a formula has an intercept."""
    without = (Number(0.0), Operator("-", (Number(1.0),)))
    found = [p for p in summands(formula) if p in without or p == Number(1.0)]
    return not found or found[-1] == Number(1.0)


def check_cells(part: Part, bars: Iterable[Bar]) -> None:
    """Refuse random terms that ``cmc = FALSE`` is about: those without an intercept.

    Raises:
        Unsupported: if there is one.
    """
    for bar in bars:
        if not part.cells and not _has_constant(_split(bar.columns)[0]):
            message = f"cmc = FALSE of {bar.term} cannot be expressed"
            hint = "a column of zeros and ones for each effect can: (0 + b + c | g)"
            raise Unsupported(message, span=bar.term.span, hint=hint)


def special_terms(fixed: Node) -> tuple[Node, ErrorCorrelation | None]:
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
    given.finish()
    block = None if group is None else grouping_factors(group)[0]
    covariates = () if time is None else (time,)
    return ErrorCorrelation("corAR1", covariates, block, consecutive=True, span=call.span)


# -- random terms ----


def _split(columns: Node) -> tuple[Node, Node | None]:
    match columns:
        case Operator(symbol="|", operands=(inner, name)):
            return inner, name
    return columns, None


def id_of(bar: Bar) -> str | None:
    """The ID by which effects are correlated with those of other terms: ``|p|``, or ``gr(id =)``.

    Raises:
        FormulaError: if that of ``gr()`` is no name.
    """
    _, name = _split(bar.columns)
    if name is not None:
        return str(name)
    if not _is_gr(bar.group):
        return None
    match match_arguments(bar.group, _GR).get("id"):
        case None | Constant(name="NA"):
            return None
        case String(value=text):
            return text
        case Name(name=text):
            return text
        case other:
            message = f"the ID of a term is a name, not {other}"
            raise FormulaError(message, span=other.span, hint='write gr(g, id = "p")')


def _is_gr(group: Node) -> TypeGuard[Call]:
    return isinstance(group, Call) and group.function == "gr"


def check_ids(bars: Iterable[Bar]) -> None:
    """Effects are correlated within levels: terms of one ID have one factor, said in one way.

    Raises:
        FormulaError: if they have not.
        Unsupported: if only some of them say that effects are independent, or levels related.
    """
    first: dict[str, tuple[Bar, list[Group]]] = {}
    for bar in bars:
        name = id_of(bar)
        if name is None:
            continue
        own = random_terms(bar)
        other, groups = first.setdefault(name, (bar, own))
        if [str(g.factor) for g in groups] != [str(g.factor) for g in own]:
            message = f"terms correlated by {name} have different grouping factors"
            hint = f"an ID is that of terms of one factor: {other.group}, or {bar.group}"
            raise FormulaError(message, span=bar.term.span, hint=hint)
        alike = [(g.factor, g.covariance) for g in groups] == [
            (g.factor, g.covariance) for g in own
        ]
        if not alike or (bar is not other and groups[0].covariance.kind != "us"):
            message = f"terms correlated by {name} that are not said in one way"
            hint = "give all of them the same cov = …, and leave cor = FALSE and || away"
            raise Unsupported(f"{message} cannot be expressed", span=bar.term.span, hint=hint)


def random_terms(bar: Bar) -> list[Group]:
    """The terms of a bar; ``gr()`` may say that effects are independent, or that levels are related."""
    columns, factor = _split(bar.columns)[0], bar.group
    for node in walk(columns):
        if isinstance(node, Call) and node.function in _SPECIAL:
            message = f"{node.function}() of brms cannot be expressed"
            raise Unsupported(message, span=node.span, hint=_SPECIAL[node.function])
    independent = bar.symbol == "||"
    if _is_gr(factor):
        given = match_arguments(factor, _GR)
        return _of_gr(columns, given, independent, bar)
    if isinstance(factor, Call) and factor.function == "mm":
        message = "mm() of brms cannot be expressed"
        raise Unsupported(message, span=factor.span, hint=_SPECIAL["mm"])
    return _terms_of(columns, factor, independent, bar)


def _terms_of(columns: Node, factor: Node, independent: bool, bar: Bar) -> list[Group]:
    kind = Covariance("idh" if independent else "us")
    return [
        Group(Columns((columns,)), f, kind, span=bar.term.span) for f in grouping_factors(factor)
    ]


_GR = Signature(
    names=("g", "by", "cov", "id", "cor", "dist", "pw"),
    refused={
        "by": "the levels of all have one covariance",
        "pw": "all levels weigh the same",
    },
)


def _of_gr(columns: Node, given: Arguments, independent: bool, bar: Bar) -> list[Group]:
    """``gr(g, cov = A)``: levels of a known covariance; ``cor = FALSE``: independent effects."""
    independent |= not given.truth("cor", True)
    distribution, cov, factor = given.get("dist"), given.get("cov"), given.get("g")
    # terms of one ID are put together by it
    given.get("id")
    given.finish()
    span = given.call.span
    if distribution not in (None, String("gaussian")):
        raise Unsupported(f"effects that are {distribution}", span=span, hint='"gaussian" can')
    if factor is None:
        raise FormulaError("gr() has no factor", span=span, hint="write gr(g)")
    found = _terms_of(columns, factor, independent, bar)
    return found if cov is None else [_related(group, cov) for group in found]


def related_levels(groups: tuple[Group, ...], said: Node | None) -> tuple[Group, ...]:
    """The terms, those related of which ``cov_ranef = list(g = A)`` has a matrix.

    Raises:
        FormulaError: if it is no such list, or names a factor that no term has.
    """
    if said is None:
        return groups
    hint = "write cov_ranef = list(g = A), or gr(g, cov = A) in the formula"
    if not isinstance(said, Call) or said.function != "list":
        raise FormulaError("'cov_ranef' has to be a list", span=said.span, hint=hint)
    matrices = {argument.name or "": argument for argument in said.args}
    for name, argument in matrices.items():
        if name not in [str(group.factor) for group in groups]:
            raise FormulaError(f"there is no term of {name!r}", span=argument.span, hint=hint)
    return tuple(
        _related(group, matrices[str(group.factor)].value)
        if str(group.factor) in matrices
        else group
        for group in groups
    )


def _related(group: Group, source: Node) -> Group:
    """A term whose levels have a known covariance, as a matrix with their names.

    Raises:
        FormulaError: if that has no name, or the levels are combinations of factors.
    """
    if not isinstance(source, Name):
        hint = "write gr(g, cov = A), and give A with the data"
        raise FormulaError(f"{source} cannot be read as a matrix", span=source.span, hint=hint)
    if len(group.factor.variables) > 1:
        message = f"{group.factor} is a combination of factors: its levels have no known covariance"
        raise FormulaError(message, span=source.span, hint="that of one factor can be known")
    relationship = Relationship("covariance", source)
    return replace(group, factor=replace(group.factor, relationship=relationship))
