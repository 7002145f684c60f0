"""Categories: ``clm`` and ``clmm`` of the package ordinal, ``polr`` of MASS, ``multinom`` of nnet."""

from __future__ import annotations

from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments, request
from mix2stan.dialects.bars import response_of, split_bars
from mix2stan.dialects.lme4 import groups_of
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.families import FAMILIES
from mix2stan.graph import Columns, ModelGraph, Population, Response
from mix2stan.syntax import Call, Name, Node, String

__all__ = ["ARGUMENTS", "FUNCTIONS"]

_WEIGHTS = "repeat rows that stand for several observations"

_CLM = Signature(
    names=(
        "formula", "scale", "nominal", "data", "weights", "start", "subset", "doFit", "na.action",
        "contrasts", "model", "control", "link", "threshold",
    ),
    ignored=frozenset({"start", "doFit", "model", "control"}),
    refused={
        "scale": "the scale is that of the link",
        "nominal": "a coefficient is the same for all thresholds",
        "weights": _WEIGHTS,
    },
)  # fmt: skip

_CLMM = Signature(
    names=(
        "formula", "data", "weights", "start", "subset", "na.action", "contrasts", "Hess", "model",
        "link", "doFit", "control", "nAGQ", "threshold",
    ),
    ignored=frozenset({"start", "Hess", "model", "doFit", "control", "nAGQ"}),
    refused={"weights": _WEIGHTS},
)  # fmt: skip

_POLR = Signature(
    names=(
        "formula", "data", "weights", "start", "subset", "na.action", "contrasts", "Hess", "model",
        "method",
    ),
    ignored=frozenset({"start", "Hess", "model"}),
    refused={"weights": _WEIGHTS},
)  # fmt: skip


_MULTINOM = Signature(
    names=(
        "formula", "data", "weights", "subset", "na.action", "contrasts", "Hess", "summ",
        "censored", "model",
        # those of nnet, which it is fitted by; decay would be a prior
        "trace", "maxit", "MaxNWts", "abstol", "reltol", "Wts", "rang", "decay",
    ),
    ignored=frozenset(
        {"Hess", "summ", "model", "trace", "maxit", "MaxNWts", "abstol", "reltol", "Wts", "rang"}
    ),
    refused={
        "weights": _WEIGHTS,
        "censored": "every row has one category",
        "decay": "a penalty of coefficients is a prior: give prior=",
    },
)  # fmt: skip


def lower_clm(call: Call) -> Request:
    """``clm(y ~ x, link = "probit")``: no group terms."""
    arguments = match_arguments(call, _CLM)
    return _lowered(arguments, _named(arguments, "link", "logit"), grouped=False)


def lower_clmm(call: Call) -> Request:
    """``clmm(y ~ x + (1 | g))``: bars as in lme4."""
    arguments = match_arguments(call, _CLMM)
    return _lowered(arguments, _named(arguments, "link", "logit"), grouped=True)


def lower_polr(call: Call) -> Request:
    """``polr(y ~ x, method = "probit")``, of the package MASS."""
    arguments = match_arguments(call, _POLR)
    method = _named(arguments, "method", "logistic")
    return _lowered(arguments, {"logistic": "logit"}.get(method, method), grouped=False)


def _named(arguments: Arguments, name: str, default: str) -> str:
    node = arguments.get(name)
    if node is None:
        return default
    return node.name if isinstance(node, Name) else str(getattr(node, "value", node))


def _lowered(arguments: Arguments, link: str, grouped: bool) -> Request:
    function = arguments.call.function
    example = f"{function}(y ~ x + (1 | g))" if grouped else f"{function}(y ~ x)"
    formula = arguments.formula("formula", example)
    fixed, bars = split_bars(formula.right)
    if grouped and not bars:
        hint = "write + (1 | g), or use clm() for a model without random effects"
        raise FormulaError("there is no random term", span=formula.span, hint=hint)
    if bars and not grouped:
        message = f"{function}() has no random terms"
        raise FormulaError(message, span=bars[0].term.span, hint="clmm() has")
    _check(arguments, link)
    graph = ModelGraph(
        Response(response_of(formula, function), "cumulative", link),
        Population(Columns((fixed,))),
        tuple(group for bar in bars for group in groups_of(bar)),
    )
    return request(arguments, graph)


def _check(arguments: Arguments, link: str) -> None:
    """Refuse links that are not there, and thresholds that are not free."""
    links = FAMILIES["cumulative"].links
    if link not in links:
        node: Node = arguments.get("link") or arguments.get("method") or arguments.call
        hint = suggestion(link, links, what="those that can")
        raise Unsupported(f"the link {link!r} cannot be expressed", span=node.span, hint=hint)
    threshold = arguments.get("threshold")
    if threshold is not None and threshold != String("flexible"):
        message = f"thresholds that are {threshold} cannot be expressed"
        raise Unsupported(message, span=threshold.span, hint='threshold = "flexible" can')


def lower_multinom(call: Call) -> Request:
    """``multinom(y ~ x)``, of the package nnet: unordered categories, without group terms."""
    arguments = match_arguments(call, _MULTINOM)
    formula = arguments.formula("formula", "multinom(y ~ x)")
    fixed, bars = split_bars(formula.right)
    if bars:
        hint = "brm(y ~ x + (1 | g), family = categorical()) has"
        raise FormulaError("multinom() has no random terms", span=bars[0].term.span, hint=hint)
    left = response_of(formula, "multinom")
    counts = isinstance(left, Call) and left.function == "cbind"
    response = Response(left, "multinomial" if counts else "categorical", "logit")
    return request(arguments, ModelGraph(response, Population(Columns((fixed,)))))


FUNCTIONS = {"multinom": lower_multinom, "clm": lower_clm, "clmm": lower_clmm, "polr": lower_polr}
ARGUMENTS = {
    "multinom": _MULTINOM.names,
    "clm": _CLM.names,
    "clmm": _CLMM.names,
    "polr": _POLR.names,
}
