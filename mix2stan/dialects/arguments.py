"""R's rules for the arguments of a call, and what lowering a call results in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.graph import ModelGraph, Population, Trait
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
    String,
)

__all__ = ["Arguments", "Request", "Signature", "match_arguments", "request", "without_offsets"]

_NA_ACTIONS = ("na.omit", "na.fail", "na.exclude", "na.pass")


@dataclass(frozen=True)
class Signature:
    """The arguments of an R function.

    Attributes:
        names: all of them, in R's order.
        ignored: those without meaning for a posterior; accepted, and listed as ignored.
        refused: those that would change the model in a way that cannot be expressed, each with
            what to do instead.
        unshown: those whose numbers are data of the program, so that its text does not have them.

    Every other argument has to be read: see :meth:`Arguments.finish`.
    """

    names: tuple[str, ...]
    ignored: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    unshown: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Arguments:
    """The arguments of one call by their full names, and which of them anybody has asked for."""

    call: Call
    values: Mapping[str, Argument]
    ignored: tuple[str, ...]
    unshown: frozenset[str] = frozenset()
    read: set[str] = field(default_factory=set, compare=False, repr=False)

    def get(self, name: str) -> Node | None:
        """The argument's value, None if it is missing or ``NULL``; it counts as read then."""
        self.read.add(name)
        argument = self.values.get(name)
        if argument is None or argument.value == Constant("NULL"):
            return None
        return argument.value

    def truth(self, name: str, default: bool) -> bool:
        """The argument as a truth value.

        Raises:
            FormulaError: if it is none.
        """
        value = self.get(name)
        if value is None:
            return default
        if value not in (Constant("TRUE"), Constant("FALSE")):
            message = f"{name} of {self.call.function}() is TRUE or FALSE"
            raise FormulaError(message, span=value.span)
        return value == Constant("TRUE")

    def finish(self) -> None:
        """Refuse what was given and never asked for: nothing is passed over in silence.

        Raises:
            Unsupported: for an argument that was not read and is not without meaning.
        """
        for name, argument in self.values.items():
            if name in self.read or name in self.ignored or argument.value == Constant("NULL"):
                continue
            message = f"'{name}' of {self.call.function}() cannot be expressed here"
            hint = "leave it away if the model is the same without"
            raise Unsupported(message, span=argument.span, hint=hint)

    def formula(self, name: str, example: str) -> Formula:
        """The argument as a formula; ``example`` shows what is expected where it is not one."""
        value = self.get(name)
        if isinstance(value, Formula):
            return value
        if value is None:
            message = f"{self.call.function}() needs a formula"
        elif isinstance(value, String):
            message = f"'{name}' has to be a formula; this is a string"
        else:
            message = f"'{name}' has to be a formula"
        span = self.call.span if value is None else value.span
        raise FormulaError(message, span=span, hint=f"write {example}")


@dataclass(frozen=True)
class Request:
    """What a call asks for: a model graph, and which rows of which data it is about.

    Attributes:
        graph: the model, its names not yet resolved.
        data: the data argument, None if the call has none.
        subset: the rows to keep, as an expression of the columns.
        rows_first: whether they, and of them the complete ones, are chosen before functions such as
            ``poly`` learn from the data.
        na_action: R's name for what happens to rows with missing values.
        stops_at_missing: whether R itself stops at those, as the call says nothing of them.
        contrasts: by factor, and by ``"unordered"`` and ``"ordered"``, the name of a contrast function
            (a string to R), that function itself with ``()``, or the text of a matrix.
        settings: what lines before the call say of contrasts, of random terms too.
        ignored: arguments that have no meaning here.
        stacked: several responses, to be set below each other under the name of the graph's.
        finish: what has to be asked, with a function that gives the levels of an expression of the
            columns, before the model is known; None if it is.
    """

    graph: ModelGraph
    data: Node | None = None
    subset: Node | None = None
    rows_first: bool = False
    na_action: str = "na.omit"
    stops_at_missing: bool = False
    contrasts: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    stacked: tuple[Trait, ...] = ()
    finish: Callable[[Callable[[Node], tuple[str, ...]]], Request] | None = None

    @property
    def coding(self) -> Mapping[str, str]:
        """How factors are coded: as the call says, else as the lines before it do."""
        return {**self.settings, **self.contrasts}


def match_arguments(call: Call, signature: Signature) -> Arguments:
    """Pair arguments with parameter names as R does: exact names, then partial ones, then order.

    Raises:
        FormulaError: for a name the function does not have, or has twice.
        Unsupported: for an argument that changes the model and cannot be expressed.
    """
    values: dict[str, Argument] = {}
    positional: list[Argument] = []
    for argument in call.args:
        if argument.name is None:
            positional.append(argument)
            continue
        name = _full_name(argument.name, signature, call, argument)
        if name in values:
            message = f"the argument '{name}' is given twice"
            raise FormulaError(message, span=argument.span)
        values[name] = argument
    free = [n for n in signature.names if n not in values]
    if len(positional) > len(free):
        extra = positional[len(free)]
        raise FormulaError(f"{call.function}() has no place for this argument", span=extra.span)
    values |= dict(zip(free, positional, strict=False))
    for name, argument in values.items():
        if name in signature.refused and argument.value != Constant("NULL"):
            message = f"'{name}' of {call.function}() cannot be expressed"
            raise Unsupported(message, span=argument.span, hint=signature.refused[name])
    ignored = tuple(n for n in signature.names if n in values and n in signature.ignored)
    return Arguments(call, values, ignored, signature.unshown)


def _full_name(name: str, signature: Signature, call: Call, argument: Argument) -> str:
    if name in signature.names:
        return name
    partial = [n for n in signature.names if n.startswith(name)]
    if len(partial) == 1:
        return partial[0]
    message = f"{call.function}() has no argument '{name}'"
    hint = suggestion(name, partial or signature.names, what="its arguments")
    raise FormulaError(message, span=argument.span, hint=hint)


def request(arguments: Arguments, graph: ModelGraph, coded: bool = False) -> Request:
    """The request of a lowered call: its graph, and the arguments all functions share.

    Where ``coded``, the call's contrasts are those of random terms too.

    Raises:
        Unsupported: for an argument of the call that nobody has read.
    """
    contrasts = _contrasts(arguments.get("contrasts"))
    plain = bool(contrasts) and not coded
    asked = Request(
        graph=_of_call(graph, _shown_call(arguments), plain),
        data=arguments.get("data"),
        subset=arguments.get("subset"),
        na_action=_na_action(arguments.get("na.action")),
        contrasts=contrasts,
        ignored=arguments.ignored,
    )
    arguments.finish()
    return asked


def _of_call(graph: ModelGraph, call: str, plain: bool) -> ModelGraph:
    """The graph of a call, offsets apart from columns; those of random terms have plain contrasts."""
    return replace(
        graph,
        groups=tuple(replace(g, columns=replace(g.columns, plain=plain)) for g in graph.groups),
        call=call,
        population=_without_offsets(graph.population),
        predictors=tuple(
            replace(p, population=_without_offsets(p.population)) for p in graph.predictors
        ),
        members=tuple(replace(m, graph=_of_call(m.graph, call, plain)) for m in graph.members),
    )


def _without_offsets(population: Population) -> Population:
    """The population's formulas, their ``offset()`` terms taken out as known parts."""
    known = list(population.offsets)
    formulas: list[Node] = []
    for formula in population.columns.formulas:
        rest, found = without_offsets(formula)
        formulas.append(rest)
        known += found
    return replace(
        population,
        columns=replace(population.columns, formulas=tuple(formulas)),
        offsets=tuple(known),
    )


def without_offsets(formula: Node) -> tuple[Node, tuple[Node, ...]]:
    """A right-hand side without its ``offset()`` terms, and what these are of."""
    parts: tuple[Node, ...] = (formula,)
    if isinstance(formula, Operator) and formula.symbol == "+":
        parts = formula.operands
    known, kept = [], []
    for part in parts:
        if isinstance(part, Call) and part.function == "offset" and len(part.args) == 1:
            known.append(part.args[0].value)
        else:
            kept.append(part)
    if not known:
        return formula, ()
    if len(kept) > 1:
        return Operator("+", tuple(kept), span=formula.span), tuple(known)
    return (kept[0] if kept else Number(1.0, span=formula.span)), tuple(known)


def _shown_call(arguments: Arguments) -> str:
    """The call without what does not matter to the model."""
    hidden = {"data", "subset", "na.action", *arguments.ignored, *arguments.unshown}
    hidden_args = [a for n, a in arguments.values.items() if n in hidden]
    kept = tuple(a for a in arguments.call.args if not any(a is h for h in hidden_args))
    return str(replace(arguments.call, args=kept, package=""))


def _na_action(node: Node | None) -> str:
    if node is None:
        return "na.omit"
    name = node.name if isinstance(node, Name) else node.value if isinstance(node, String) else ""
    if name not in _NA_ACTIONS or name == "na.pass":
        message = f"na.action cannot be {node}"
        hint = "na.omit drops rows with missing values, na.fail stops at them"
        raise FormulaError(message, span=node.span, hint=hint)
    return name


def _contrasts(node: Node | None) -> Mapping[str, str]:
    """``list(a = "contr.sum", b = contr.helmert)``: a name, ``contr.helmert()``, or an expression."""
    if node is None:
        return {}
    wanted = {}
    if isinstance(node, Call) and node.function in ("list", "c"):
        for argument in node.args:
            match argument.value:
                case String(value=kind) if argument.name:
                    wanted[argument.name] = kind
                case Name(name=kind) if argument.name:
                    wanted[argument.name] = f"{kind}()"
                case Call() | Operator() | Parens() as value if argument.name:
                    wanted[argument.name] = str(value)
    if not isinstance(node, Call) or len(wanted) != len(node.args):
        hint = 'write contrasts = list(a = "contr.sum")'
        raise FormulaError("the contrasts cannot be read", span=node.span, hint=hint)
    return wanted
