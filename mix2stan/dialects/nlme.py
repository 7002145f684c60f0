"""nlme: ``lme`` and ``gls``."""

from __future__ import annotations

from dataclasses import replace

from mix2stan.dialects.arguments import Arguments, Request, Signature, match_arguments, request
from mix2stan.dialects.bars import response_of
from mix2stan.dialects.nlme_errors import formless, residual
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.graph import (
    Columns,
    Covariance,
    Factor,
    Group,
    ModelGraph,
    Population,
    Response,
    warn,
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
    Parens,
)

__all__ = ["ARGUMENTS", "FUNCTIONS"]

_LME = Signature(
    names=(
        "fixed", "data", "random", "correlation", "weights", "subset", "method", "na.action",
        "control", "contrasts", "keep.data",
    ),
    ignored=frozenset({"method", "control", "keep.data"}),
)  # fmt: skip

_GLS = Signature(
    names=(
        "model", "data", "correlation", "weights", "subset", "method", "na.action", "control",
        "verbose",
    ),
    ignored=frozenset({"method", "control", "verbose"}),
)  # fmt: skip

#: nlme's classes of positive-definite matrices, by the covariance structure they are.
_PD_CLASSES = {
    "pdSymm": "us",
    "pdLogChol": "us",
    "pdNatural": "us",
    "pdDiag": "idh",
    "pdIdent": "idv",
    "pdCompSymm": "cs",
}


#: What makes the argument ``control``, by its arguments.
_CONTROLS = ("lmeControl", "glsControl", "list")


def lower_lme(call: Call) -> Request:
    """``lme(y ~ x, random = ~ x | g)``; the factors of ``a/b`` and of a list are nested."""
    arguments = match_arguments(replace(call, function="lme"), _LME)
    formula = arguments.formula("fixed", "lme(y ~ x, random = ~ 1 | g)")
    random = arguments.get("random")
    if random is None:
        hint = "write random = ~ 1 | g, or use gls() for a model without random effects"
        raise FormulaError("lme() needs 'random'", span=call.span, hint=hint)
    groups = tuple(_random(random))
    graph = ModelGraph(
        Response(response_of(formula, "lme")),
        Population(Columns((formula.right,))),
        groups,
        residual(arguments, groups[-1].factor),
    )
    return _request(arguments, graph)


def lower_gls(call: Call) -> Request:
    """``gls(y ~ x, correlation = …, weights = …)``: a linear model of structured errors."""
    arguments = match_arguments(call, _GLS)
    formula = arguments.formula("model", "gls(y ~ x)")
    response = Response(response_of(formula, "gls"))
    population = Population(Columns((formula.right,)))
    return _request(arguments, ModelGraph(response, population, (), residual(arguments)))


def _request(arguments: Arguments, graph: ModelGraph) -> Request:
    """What the call asks for; nlme takes rows before it evaluates anything."""
    stops = "na.action" not in arguments.values
    sigma = _known_sigma(arguments.get("control"))
    if sigma is not None:
        # this part of 'control' is no matter of the fit: the call keeps it
        arguments = replace(
            arguments, ignored=tuple(n for n in arguments.ignored if n != "control")
        )
        graph = replace(graph, response=replace(graph.response, known=(("sigma", sigma),)))
    graph = warn(graph, *formless(arguments))
    asked = request(arguments, graph, coded=True)
    return replace(asked, rows_first=True, stops_at_missing=stops)


def _known_sigma(control: Node | None) -> float | None:
    """The residual standard deviation that ``control = lmeControl(sigma = 1)`` fixes."""
    if not isinstance(control, Call) or control.function not in _CONTROLS:
        return None
    given = next((a.value for a in control.args if a.name == "sigma"), None)
    match given:
        case None | Number(value=0) | Constant("NULL"):
            return None
        case Number(value=value) if value > 0:
            return value
    hint = "write control = lmeControl(sigma = 1)"
    raise FormulaError("the sigma of 'control' has to be a number", span=given.span, hint=hint)


def _random(random: Node) -> list[Group]:
    match random:
        case Formula(left=None, right=Operator(symbol="|", operands=(columns, nesting))):
            return [_group(columns, factor, "us", random) for factor in _nested(nesting)]
        case Call(function="reStruct"):
            return _random(_unwrapped(random))
        case Formula(left=None, right=Operator(symbol="||", operands=(columns, nesting))):
            message = "|| is lme4's, lme() takes a class for independent effects"
            hint = f"write random = list({nesting} = pdDiag(~ {columns}))"
            raise FormulaError(message, span=random.span, hint=hint)
        case Formula(left=None, right=right):
            write = f"~ {right} | g"
            write = (
                f"~ 1 | {right} if {right} is the group, else {write}"
                if isinstance(right, Name)
                else write
            )
            message = "'random' does not say what the groups are"
            raise FormulaError(message, span=random.span, hint=f"write {write}")
        case Call(function="list", args=args) if args:
            return _random_list(args)
        case Call(function=name) if name in (*_PD_CLASSES, "pdBlocked"):
            message = f"{name}() does not say what the groups are"
            hint = f"write random = {_listed(random)}"
            raise FormulaError(message, span=random.span, hint=hint)
    message = "'random' has to be a formula or a list of them"
    raise FormulaError(message, span=random.span, hint="write random = ~ 1 | g")


def _listed(structure: Call) -> str:
    """``list(g = pdDiag(~ x))``, also where the formula inside has the group itself."""
    formulas = [(i, a.value) for i, a in enumerate(structure.args) if isinstance(a.value, Formula)]
    for i, formula in formulas:
        match formula:
            case Formula(
                left=None, right=Operator(symbol="|", operands=(columns, Name(name=name)))
            ):
                inner = replace(structure.args[i], value=replace(formula, right=columns))
                args = (*structure.args[:i], inner, *structure.args[i + 1 :])
                return f"list({name} = {replace(structure, args=args)})"
    return f"list(g = {structure})"


def _unwrapped(call: Call) -> Node:
    """What ``reStruct(list(g = ~ x))`` holds; its other arguments are about the fit."""
    inner, kind = call.argument("object", 0), call.argument("pdClass", 1)
    if inner is None:
        raise FormulaError("reStruct() is empty", span=call.span, hint="write random = ~ 1 | g")
    if kind is not None:
        hint = "write the class in a list, as in list(g = pdDiag(~ x))"
        raise Unsupported("'pdClass' cannot be expressed", span=kind.span, hint=hint)
    return inner.value


def _random_list(args: tuple[Argument, ...]) -> list[Group]:
    """``list(a = ~ 1, b = pdDiag(~ x))``: each factor is nested in those before it."""
    groups = []
    outer: tuple[Node, ...] = ()
    for argument in args:
        nesting, structure = _level(argument)
        outer = (*outer, nesting)
        groups += [
            _group(columns, Factor(outer), kind, argument)
            for columns, kind in _structures(structure)
        ]
    return groups


def _level(argument: Argument) -> tuple[Node, Node]:
    """The factor and the structure of ``g = ~ x``, or of ``~ x | g``."""
    if argument.name is not None:
        return Name(argument.name, span=argument.span), argument.value
    match argument.value:
        case Formula(left=None, right=Operator(symbol="|", operands=(columns, nesting))):
            found = _nested(nesting)
            if len(found) == 1:
                return found[0].variables[0], replace(argument.value, right=columns)
    hint = "write list(g = ~ 1)"
    raise FormulaError("this part of 'random' has no group", span=argument.span, hint=hint)


def _structures(node: Node) -> list[tuple[Node, str]]:
    """One structure, or the blocks of ``pdBlocked(list(~ 1, pdIdent(~ f - 1)))``."""
    if not isinstance(node, Call) or node.function != "pdBlocked":
        return [_structure(node)]
    blocks = node.argument("value", 0)
    if blocks is None or len(node.args) > 1 or not isinstance(blocks.value, Call):
        hint = "write pdBlocked(list(~ 1, ~ x - 1))"
        raise Unsupported("pdBlocked() takes a list here", span=node.span, hint=hint)
    return [_structure(block.value) for block in blocks.value.args]


def _structure(node: Node) -> tuple[Node, str]:
    """The columns and the covariance of ``~ x`` or ``pdDiag(~ x)``."""
    match node:
        case Formula(right=right):
            return right, "us"
        case Call(function=name) if name in _PD_CLASSES:
            # values to start from may stand before the formula
            forms = [a.value.right for a in node.args if isinstance(a.value, Formula)]
            if forms and node.argument("nam", 2) is None:
                return forms[-1], _PD_CLASSES[name]
            hint = f"write {name}(~ x)"
            raise Unsupported(f"{name}() takes a formula here", span=node.span, hint=hint)
        case Call(function=name):
            hint = suggestion(name, _PD_CLASSES, what="available")
            if name.startswith("pd"):
                message = f"the class {name}() cannot be expressed"
                raise Unsupported(message, span=node.span, hint=hint)
            raise FormulaError(f"there is no class {name}()", span=node.span, hint=hint)
    raise FormulaError("a formula is expected here", span=node.span, hint="write ~ 1")


def _nested(nesting: Node) -> list[Factor]:
    """``a/b/c`` as the factors ``a``, ``a:b`` and ``a:b:c``."""
    match nesting:
        case Parens(inner=inner):
            return _nested(inner)
        case Operator(symbol="/", operands=(outer, inner)):
            factors = _nested(outer)
            return [
                *factors,
                *(Factor(factors[-1].variables + f.variables) for f in _nested(inner)),
            ]
        case Name() | Call(args=(_,)):
            return [Factor((nesting,))]
    hint = "write the name of a column, or a/b for b nested in a"
    raise FormulaError(f"{nesting} cannot be a grouping factor", span=nesting.span, hint=hint)


def _group(columns: Node, factor: Factor, kind: str, where: Node) -> Group:
    return Group(Columns((columns,)), factor, Covariance(kind), span=where.span)


#: The second is what R's summaries have for the first.
FUNCTIONS = {"lme": lower_lme, "lme.formula": lower_lme, "gls": lower_gls}
ARGUMENTS = {"lme": _LME.names, "lme.formula": _LME.names, "gls": _GLS.names}
