"""R's ways to name a distribution: ``poisson``, ``"poisson"``, ``binomial(link = "probit")``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.families import FAMILIES
from mix2stan.syntax import Argument, Call, Name, Node, Number, String

__all__ = ["Distribution", "family_of", "known_shape"]

#: R's names of the families; those of glmmTMB and brms where base R and lme4 have none.
_NAMES = {name: row for row, family in FAMILIES.items() for name in family.r_names}

_NONE: Mapping[str, str] = MappingProxyType({})

_REFUSED = {
    "quasi": "quasi-likelihoods are no distributions",
    "quasibinomial": "binomial with a term (1 | row), a level per row, is overdispersed",
    "quasipoisson": "poisson with a term (1 | row), a level per row, is overdispersed",
    "negative.binomial": "glmer.nb() and glm.nb() estimate its shape",
    "mixture": "a family of one distribution can",
    **dict.fromkeys(
        ("wiener", "exgaussian", "shifted_lognormal"), "lognormal() and skew_normal() can"
    ),
    "cox": "weibull() and exponential() can, with y | cens(c)",
    **dict.fromkeys(("gen_extreme_value", "frechet"), "weibull() and lognormal() can"),
    **dict.fromkeys(("custom_family", "custom"), "model.stan_code can be changed"),
    **dict.fromkeys(("dirichlet", "dirichlet2", "logistic_normal"), "multinomial() can, of counts"),
    "xbeta": "zero_one_inflated_beta() and ordbeta can",
    "hurdle_cumulative": "cumulative() can, a zero being a category",
    **dict.fromkeys(
        (
            "discrete_weibull",
            "com_poisson",
            "compois",
            "genpois",
            "bell",
            "nbinom12",
            "negbinomial2",
        ),
        "negbinomial() and nbinom1 can",
    ),
    **dict.fromkeys(("truncated_compois", "truncated_genpois"), "truncated_nbinom2 can"),
    "dirichlet_multinomial": "multinomial() can",
    "ziGamma": "hurdle_gamma() can",
    "neg_binomial_2": "stan_glm(), stan_glmer.nb() and their like have it",
    "zero_inflated_asym_laplace": "asym_laplace() can",
}


class Distribution(NamedTuple):
    """A row of :data:`mix2stan.families.FAMILIES` and one of its links."""

    family: str
    link: str


def family_of(
    node: Node | None, default: str = "gaussian", own: Mapping[str, str] = _NONE
) -> Distribution:
    """The distribution that a ``family`` argument names; ``own`` are a package's own names of rows.

    Raises:
        FormulaError: if there is no such family, or it has no such link.
        Unsupported: for families that are known but have no likelihood here.
    """
    if node is None:
        return Distribution(default, FAMILIES[default].links[0])
    listed: Node | None = None
    match node:
        case Call(function="list", args=args):
            name, listed = _listed(node, {a.name: a.value for a in args})
        case Name(name=name) | String(value=name) | Call(function=name):
            pass
        case _:
            hint = 'write family = poisson, or binomial(link = "probit")'
            raise FormulaError("the family cannot be read", span=node.span, hint=hint)
    if name in _REFUSED and name not in {**_NAMES, **own}:
        raise Unsupported(f"{name} cannot be expressed", span=node.span, hint=_REFUSED[name])
    names = {**_NAMES, **own}
    if name not in names:
        hint = suggestion(name, names, what="the families")
        raise FormulaError(f"there is no family called {name!r}", span=node.span, hint=hint)
    family = names[name]
    links = FAMILIES[family].links
    link = _link_argument(node) if isinstance(node, Call) and node.function == name else listed
    if link is None:
        return Distribution(family, links[0])
    wanted = link.name if isinstance(link, Name) else str(getattr(link, "value", link))
    if wanted not in links:
        hint = suggestion(wanted, links, what="its links")
        raise FormulaError(f"{name} has no link {wanted!r}", span=link.span, hint=hint)
    return Distribution(family, wanted)


def known_shape(node: Node | None) -> tuple[tuple[str, float], ...]:
    """What ``negative.binomial(theta = 2)`` of MASS knows of its family.

    Raises:
        FormulaError: if it is no positive number.
    """
    match node:
        case Call(function="negative.binomial"):
            theta = _argument(node, "theta", 0)
        case Name(name="negative.binomial") | String(value="negative.binomial"):
            theta = None
        case _:
            return ()
    if isinstance(theta, Number) and theta.value > 0:
        return (("shape", theta.value),)
    hint = "write negative.binomial(2); glmer.nb() and glm.nb() estimate theta"
    message = "negative.binomial() takes its theta, a positive number"
    raise FormulaError(message, span=(theta or node).span, hint=hint)


def _argument(call: Call, name: str, position: int) -> Node | None:
    found = call.argument(name, position)
    return None if found is None else found.value


def _listed(node: Call, given: Mapping[str | None, Node]) -> tuple[str, Node | None]:
    """The family and the link of ``list(family = "poisson", link = "log")``, glmmTMB's."""
    family = given.get("family")
    if not isinstance(family, String) or not set(given) <= {"family", "link"}:
        hint = 'write family = list(family = "poisson", link = "log")'
        raise FormulaError("the family cannot be read", span=node.span, hint=hint)
    return family.value, given.get("link")


def _link_argument(call: Call) -> Node | None:
    """The link of ``binomial("probit")`` or ``binomial(link = probit)``."""
    if call.function == "negative.binomial":
        return _argument(call, "link", 1)
    if not call.args:
        return None
    first: Argument = call.args[0]
    if len(call.args) > 1 or first.name not in (None, "link"):
        extra = call.args[1] if len(call.args) > 1 else first
        raise Unsupported(
            f"{call.function}() takes a link alone here",
            span=extra.span,
            hint=f'write {call.function}(link = "…")',
        )
    return first.value
