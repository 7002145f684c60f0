"""brms: ``brm(y | trials(n) ~ x + (1 + x || g), family = …)``."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments, request
from mix2stan.dialects.bars import Bar, split_bars
from mix2stan.dialects.brms_formula import Part, Parts, formulas_of
from mix2stan.dialects.brms_joint import apart, joint_request, stackable
from mix2stan.dialects.brms_prior import stated_priors
from mix2stan.dialects.brms_response import describe, family_in_brms
from mix2stan.dialects.brms_several import lower_several
from mix2stan.dialects.brms_terms import (
    check_cells,
    check_ids,
    has_own_intercept,
    id_of,
    population_of,
    random_terms,
    related_levels,
    special_terms,
    with_intercept,
)
from mix2stan.dialects.predictors import Further, further_predictor, with_known
from mix2stan.errors import FormulaError, Unsupported
from mix2stan.families import FAMILIES
from mix2stan.graph import (
    Columns,
    Covariance,
    Group,
    ModelGraph,
    Residual,
    Response,
    Share,
    note,
)
from mix2stan.syntax import Call, Constant, Formula, Name, Node, Number, String, walk

__all__ = ["ARGUMENTS", "FUNCTIONS"]

#: What cannot change the posterior: how it is computed, kept and shown; ``data2`` has what is given
#: by name.
_IGNORED = (
    "sparse", "drop_unused_levels", "save_pars", "save_ranef", "save_mevars", "save_all_pars",
    "inits", "init", "chains", "iter", "warmup", "thin", "cores", "threads", "opencl", "normalize",
    "control", "algorithm", "backend", "future", "silent", "seed", "save_model",
    "stan_model_args", "file", "file_compress", "file_refit", "empty", "rename", "refresh", "data2",
)  # fmt: skip

_BRM = Signature(
    names=(
        "formula", "data", "family", "prior", "autocor", "data2", "cov_ranef", "sample_prior",
        "knots", "stanvars", "stan_funs", "fit", *(name for name in _IGNORED if name != "data2"),
    ),
    ignored=frozenset(_IGNORED),
    refused={
        "autocor": "write ar(time = t, gr = g, cov = TRUE) in the formula",
        "knots": "splines of fixed degree can: bs() and ns()",
        "stanvars": "Stan code of one's own cannot be expressed; model.stan_code can be changed",
        "stan_funs": "Stan code of one's own cannot be expressed; model.stan_code can be changed",
    },
    unshown=frozenset({"prior", "sample_prior", "fit"}),
)  # fmt: skip


def lower_brm(call: Call) -> Request:
    """``brm(y ~ x + (1 | g))``; ``||`` makes columns independent, those of a factor too.

    Raises:
        FormulaError: for what brms does not take.
        Unsupported: for a term or a family that cannot be expressed.
    """
    arguments = match_arguments(call, _BRM)
    _check_asked(arguments)
    said = formulas_of(arguments)
    stated = stated_priors(arguments.get("prior"), [part.orthogonal for part in said.parts])
    if said.several:
        together = stackable(arguments, said)
        asked = lower_several(arguments, said) if together else _members(arguments, said)
        graph = asked.graph
    else:
        graph = _of_one(said.parts[0], arguments.get("family"))
        groups = _groups(_bars(said.parts[0]), FAMILIES[graph.response.family].unordered)
        groups = related_levels(groups, arguments.get("cov_ranef"))
        asked = request(arguments, replace(graph, groups=groups))
        graph = asked.graph
    own = arguments.get("prior") is not None
    return replace(asked, graph=replace(graph, stated=stated, defaults="brms", own=own))


def _check_asked(arguments: Arguments) -> None:
    """Refuse what asks for another posterior than that of the formula.

    Raises:
        Unsupported: for draws of the prior, or a model that was fitted before.
    """
    prior = arguments.get("sample_prior")
    if prior == String("only"):
        message = "sample_prior = 'only' asks for draws of the prior, and this is the posterior"
        hint = "leave it away: model.sample_prior() draws from the prior"
        raise Unsupported(message, span=prior.span, hint=hint)
    if prior not in (None, String("yes"), String("no"), Constant("TRUE"), Constant("FALSE")):
        raise FormulaError("sample_prior is 'yes', 'no' or 'only'", span=prior.span)
    fit = arguments.get("fit")
    if fit not in (None, Constant("NA")):
        message = "'fit' has the model of another call"
        raise Unsupported(
            message, span=fit.span, hint="leave it away: no program is compiled twice"
        )


def _of_one(within: Part, family: Node | None) -> ModelGraph:
    """The model of one response, its group terms left out; ``family`` is that of the call."""
    given = within.family if within.family is not None else family
    described = describe(within.formula, family_in_brms(given))
    response = with_known(described.response, within.known)
    right = within.formula.right
    fixed, _ = split_bars(with_intercept(right))
    fixed, correlation = special_terms(fixed)
    residual, further = _further(within.formulas, response)
    _check_known(response, residual, further)
    residual = residual if described.errors.plain else described.errors
    if correlation is not None and not response.linear:
        message = "correlated errors of a response that is not Gaussian cannot be expressed"
        raise Unsupported(message, span=correlation.span, hint="a term (1 | g) can")
    graph = ModelGraph(
        response,
        population_of(right, fixed, within, described.offsets),
        residual=replace(residual, correlation=correlation),
        predictors=tuple(one.predictor for one in further),
    )
    if correlation is not None:
        graph = note(graph, "sigma is the sd of the errors; brms' is that of their innovations")
    return graph


def _members(arguments: Arguments, said: Parts) -> Request:
    """Several responses with distributions of their own; terms of one ID are common to them."""
    parts = apart(arguments, said)
    terms: dict[Share, tuple[Bar, ...]] = {}
    for name, part in parts.items():
        terms |= _bars(part, name)
    models = {name: _of_one(part, arguments.get("family")) for name, part in parts.items()}
    groups = related_levels(_groups(terms, always=True), arguments.get("cov_ranef"))
    return joint_request(arguments, models, groups)


def _further(
    formulas: tuple[Formula, ...], response: Response
) -> tuple[Residual, tuple[Further, ...]]:
    """The predictors of parameters; of a Gaussian sd without random terms, its errors."""
    residual, found = Residual(), []
    for formula in formulas:
        assert isinstance(formula.left, Name)
        fixed, bars = split_bars(with_intercept(formula.right))
        offset = any(isinstance(n, Call) and n.function == "offset" for n in walk(fixed))
        centred = not has_own_intercept(formula.right)
        if response.linear and formula.left.name == "sigma" and not bars and not offset and centred:
            residual = Residual(dispersion=fixed)
            continue
        one = further_predictor(response.family, formula.left.name, fixed)
        population = replace(one.predictor.population, centred=centred)
        found.append(one._replace(predictor=replace(one.predictor, population=population)))
    return residual, tuple(found)


def _check_known(response: Response, residual: Residual, further: tuple[Further, ...]) -> None:
    """Refuse a parameter that is known and has a formula; se() makes sigma known."""
    named = {one.predictor.parameter for one in further}
    constant = residual.plain or residual.dispersion == Number(1.0)
    named |= set() if constant else {"sigma"}
    for name, _ in response.known:
        if name in named:
            message = f"{name} is known, and has a formula"
            raise FormulaError(message, span=response.expression.span, hint="one of them can")


def _bars(part: Part, response: str = "") -> dict[Share, tuple[Bar, ...]]:
    """The random terms of every predictor, those of one of several responses by its name too."""
    bars = {Share("", response=response, label=response): split_bars(part.formula.right)[1]}
    check_cells(part, next(iter(bars.values())))
    for formula in part.formulas:
        assert isinstance(formula.left, Name)
        parameter = formula.left.name
        label = f"{parameter}_{response}" if response else ""
        share = Share(parameter, response=response, label=label)
        bars[share] = split_bars(formula.right)[1]
    return bars


def _groups(
    predictors: dict[Share, tuple[Bar, ...]], unordered: bool = False, always: bool = False
) -> tuple[Group, ...]:
    """The terms of all predictors: those of one ID and one factor are correlated.

    Unordered categories have a predictor each, so there a term with an ID is shared by them.  With
    ``always`` every term says whose it is, one of a single predictor too.
    """
    check_ids([bar for bars in predictors.values() for bar in bars])
    found: dict[object, list[tuple[Share, Group]]] = {}
    for share, bars in predictors.items():
        for bar in bars:
            for group in random_terms(bar):
                name = id_of(bar)
                key = (name, str(group.factor)) if name is not None else object()
                owned = replace(group, owner=share.parameter)
                found.setdefault(key, []).append((share, owned))
    return tuple(
        _together(terms, always or (unordered and isinstance(key, tuple)))
        for key, terms in found.items()
    )


def _together(terms: list[tuple[Share, Group]], always: bool) -> Group:
    """Terms of one ID as one, whose columns are in the predictors they came from."""
    _, first = terms[0]
    every = tuple(share for share, g in terms for _ in g.columns.formulas)
    formulas = tuple(f for _, g in terms for f in g.columns.formulas)
    shares = every if always or len(set(every)) > 1 else ()
    kind = Covariance("us") if len(terms) > 1 else first.covariance
    return replace(first, columns=Columns(formulas), covariance=kind, shares=shares)


FUNCTIONS = {"brm": lower_brm}
ARGUMENTS = {"brm": _BRM.names}
