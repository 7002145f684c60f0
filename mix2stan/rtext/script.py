"""The statements of R text done one after the other: what the one model call in it means.

Nothing is run.  A name stands for the expression it was assigned; data frames that are changed
(``d$f <- factor(d$f)``) for the verbs that change them (``transform(d, f = factor(f))``); a model for
its call, which ``update()`` rewrites.  What R would do and this cannot is refused where it stands.
Lines behind the last model cannot change it, and are only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mix2stan.design.verb_arguments import in_order_if_known
from mix2stan.errors import FormulaError, Span, Unsupported, suggestion
from mix2stan.rtext.expressions import parsed, simpler
from mix2stan.rtext.frames import VERBS, changed, columns_made, of_columns, without_unused
from mix2stan.rtext.options import Options
from mix2stan.rtext.pipes import PIPES, piped
from mix2stan.rtext.update import argument_names, updated_call
from mix2stan.rtext.values import placed_at
from mix2stan.rtext.words import CODINGS, MAKERS, PASSED_ON, READERS, UNKNOWABLE
from mix2stan.syntax import (
    Argument,
    Assignment,
    Call,
    Formula,
    Name,
    Node,
    Operator,
    Parens,
    Program,
    Replacement,
    String,
    children,
    mapped,
    names_in,
    rewrite,
    walk,
)

__all__ = ["Script", "read_script"]

#: How many parts an expression may have once names in it are replaced.
_MOST_PARTS = 100_000
#: Functions whose own default is na.fail, whatever ``options()`` say.
_OWN_MISSING = frozenset({"lme", "lme.formula", "gls"})


@dataclass(frozen=True)
class Script:
    """What a text asks for.

    Attributes:
        call: the one model call, names in it replaced by what they stand for.
        contrasts: what the lines before it say of contrasts: by ``"unordered"`` and ``"ordered"``
            the defaults of ``options()``, by ``contrasts(f)`` those of a factor.
        notes: what to know of how it was read.
        coded: by factor that was given contrasts, the data as they were then.
    """

    call: Call
    contrasts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    coded: Mapping[str, Node] = field(default_factory=dict)


def read_script(
    program: Program,
    functions: Mapping[str, Sequence[str]],
    columns: frozenset[str] = frozenset(),
    given: Mapping[str, Node] | None = None,
) -> Script | None:
    """The one model that a text asks for, None if there is none.

    Args:
        program: its statements.
        functions: the model functions, each with its arguments in R's order, the formula first.
        columns: names that mean columns of the data, even if something was assigned to them.
        given: what was given besides the data, by name.

    Raises:
        FormulaError: if there are several models, or a line means nothing.
        Unsupported: for a line that would change the model and cannot be done.
    """
    reader = _Reader(functions, columns, dict(given or {}))
    models = [i for i, s in enumerate(program.statements) if reader.makes_a_model(s)]
    for i, statement in enumerate(program.statements):
        if models and i > models[-1]:
            break
        reader.statement(rewrite(statement, _ordered))
    if models and models[-1] < len(program.statements) - 1:
        reader.shown(program.statements[-1])
    return reader.result()


def _ordered(node: Node) -> Node:
    return in_order_if_known(node) if isinstance(node, Call) else node


@dataclass(frozen=True)
class _Found:
    """A model of the text: its call as it stands, its script, and its place."""

    call: Call
    script: Script
    span: Span


class _Reader:
    """What names mean so far, and the models that were met."""

    def __init__(
        self,
        functions: Mapping[str, Sequence[str]],
        columns: frozenset[str],
        given: Mapping[str, Node],
    ) -> None:
        self.functions = functions
        self.columns = columns
        self.given = given
        self.names: dict[str, Node] = {}
        self.options = Options()
        self.found: list[_Found] = []
        self.data: Node | None = None
        self._parts: dict[str, int] = {}
        self._built = 0
        self.notes: list[str] = []
        self._models: dict[str, _Found] = {}
        self._last: _Found | None = None
        self._when_attached: Node | None = None

    def makes_a_model(self, node: Node) -> bool:
        """Whether a statement has a model call in it, or one that makes a model of a model."""
        makers = {*self.functions, "update", *MAKERS}
        return any(isinstance(n, Call) and n.function in makers for n in walk(node))

    def result(self) -> Script | None:
        """The model that is left: those that were updated are superseded."""
        if not self.found:
            return None
        script = self.found[0].script
        other = next((f for f in self.found if f.script != script), None)
        if other is not None:
            message = "there are two model calls in this text"
            raise FormulaError(message, span=other.span, hint="give one at a time")
        return replace(script, notes=tuple(self.notes))

    def shown(self, node: Node) -> None:
        """The last line, if it is the name of a model: that is the one meant."""
        while isinstance(node, Parens):
            node = node.inner
        if isinstance(node, Call) and node.function in ("print", "show") and len(node.args) == 1:
            node = node.args[0].value
        if isinstance(node, Name) and node.name in self._models:
            self.found = [self._models[node.name]]

    # -- statements --------------------------------------------------------------------------------

    def statement(self, node: Node) -> None:
        """Do one line."""
        if isinstance(node, Call) and node.function in MAKERS:
            # what it makes is printed and not kept
            node = replace(node, function="print")
        self.value(node)

    def value(self, node: Node) -> Node:
        """What an expression stands for, the models in it met."""
        match node:
            case Assignment(name=name, value=inner):
                return self._assigned(name, inner)
            case Replacement():
                self._replacement(node)
                return node
            case Name():
                return self._named(node)
            case Parens(inner=inner) if not isinstance(inner, Operator | Formula):
                return self.value(inner)
            case Operator(symbol=symbol) if symbol in PIPES:
                call, remark = piped(node, self.functions)
                self.notes += [remark] if remark else []
                return self.value(call)
            case Call() if node.function in self.functions:
                return self._model(node)
            case Call():
                return self._called(node)
            case Formula():
                return node
        for child in children(node):
            if self.makes_a_model(child):
                self.value(child)
        return self._meant(node)

    def _named(self, node: Name) -> Node:
        if node.name in self.names:
            # a <- b + b; c <- a + a; … doubles with every line
            self._built += self._parts.get(node.name, 1)
            if self._built > _MOST_PARTS:
                message = f"with what {node} stands for, the expression is too long"
                raise FormulaError(message, span=node.span)
            return self.names[node.name]
        if node.name in self.given:
            return placed_at(self.given[node.name], node.span)
        return node

    def _assigned(self, name: str, inner: Node) -> Node:
        self.options.keep(name, inner)
        value = self.value(inner)
        # what is read from a file is the data given under this name
        itself = Name(name, span=value.span)
        value = rewrite(
            value, lambda n: itself if isinstance(n, Call) and n.function in READERS else n
        )
        if value == itself:
            self.names.pop(name, None)
        else:
            self._set(name, value)
        last = self._last
        if isinstance(inner, Name) and inner.name in self._models:
            self._models[name] = self._models[inner.name]
        elif last is not None and last.call == value:
            self._models[name] = last
        else:
            self._models.pop(name, None)
        return value

    def _set(self, name: str, value: Node) -> None:
        self.names[name] = value
        self._parts[name] = sum(1 for _ in walk(value))

    def _called(self, call: Call) -> Node:
        """A call of another function than a model's: what is done is in a table, or nothing is."""
        name, args = call.function, call.args
        if name in UNKNOWABLE:
            message = f"what {name}() does cannot be known"
            raise Unsupported(message, span=call.span, hint=UNKNOWABLE[name])
        if name in MAKERS and self._has_model(call):
            message = f"{name}() makes another model, which cannot be known from the text"
            raise Unsupported(message, span=call.span, hint=MAKERS[name])
        if name in ("update", "update.formula", "update.default") and args:
            return self._updated(call)
        if name == "options":
            self.options.set(call, self._meant)
        elif name in CODINGS:
            self.options.code(*CODINGS[name])
        elif name in ("attach", "with") and args:
            return self._masked(call)
        elif name == "detach":
            self.data = self._when_attached = None
        elif name in ("data", "rm", "load"):
            for argument in args:
                self.names.pop(str(getattr(argument.value, "value", argument.value)), None)
        elif name in ("formula", "as.formula", "within") and args:
            return self._meant(call)
        first = None
        for argument in args:
            value = argument.value
            if isinstance(value, Assignment) or self.makes_a_model(value):
                value = self.value(value)
            first = value if first is None else first
        if name in PASSED_ON and first is not None:
            return self.value(first) if isinstance(first, Name) else first
        return self._meant(call)

    def _masked(self, call: Call) -> Node:
        """``with(d, lmer(…))``, ``attach(d)``: where a call without data finds its columns."""
        data = call.argument("data", 0)
        before, self.data = self.data, None if data is None else data.value
        if call.function == "attach":
            self._when_attached = self._frame_now()
            return call
        inner = call.argument("expr", 1)
        value = call if inner is None else self.value(inner.value)
        self.data = before
        return value

    def _replacement(self, node: Replacement) -> None:
        """``d$f <- factor(d$f)``, ``contrasts(d$f) <- contr.sum(3)``, or what cannot be done."""
        value = node.value
        while isinstance(value, Assignment | Replacement):
            value = value.value
        coded = self.options.contrasts_of(node.target, self._meant(value), self.names)
        if coded:
            return
        name, frame = changed(node.target, value, self.names, attached=self.data is not None)
        self._set(name, frame)

    # -- models ------------------------------------------------------------------------------------

    def _has_model(self, call: Call) -> bool:
        return any(
            self.makes_a_model(a.value) or self._named_model(a.value) is not None for a in call.args
        )

    def _named_model(self, node: Node) -> Call | None:
        value = self.names.get(node.name) if isinstance(node, Name) else node
        known = isinstance(value, Call) and value.function in self.functions
        return value if known else None  # type: ignore[return-value]

    def _model(self, call: Call) -> Call:
        """A model call, noted; what it stands for is its text, the formula's names replaced."""
        for argument in call.args:
            for node in walk(argument.value):
                if isinstance(node, Assignment | Replacement):
                    message = "'<-' cannot stand inside a call"
                    hint = "arguments are given with '='"
                    raise FormulaError(message, span=node.span, hint=hint)
        names = self.functions[call.function]
        places = argument_names(call, names)
        args = tuple(
            replace(a, value=self._formula(a.value)) if place == names[0] else a
            for a, place in zip(call.args, places, strict=True)
        )
        call = replace(call, args=args)
        self._note(call, call.span)
        return call

    def _note(self, call: Call, span: Span) -> None:
        missing = self.options.missing
        contrasts, coded = self.options.of(call, self._data_of(call))
        names = self.functions[call.function]
        whole = self._complete(call)
        places = argument_names(whole, names)
        late = missing is not None and call.function not in _OWN_MISSING
        if late and missing is not None and "na.action" in names and "na.action" not in places:
            whole = replace(whole, args=(*whole.args, Argument("na.action", missing, span=span)))
        self._last = _Found(call, Script(whole, contrasts, coded=coded), span)
        self.found.append(self._last)

    def _data_of(self, call: Call) -> Node | None:
        """The data frame of a call, by the verbs that made it."""
        places = argument_names(call, self.functions[call.function])
        given = (a.value for a, place in zip(call.args, places, strict=True) if place == "data")
        data = next(given, self.data)
        return None if data is None else self._meant(data)

    def _complete(self, call: Call) -> Call:
        """The call with the data it is asked for with, names replaced, unused new columns left out."""
        names = self.functions[call.function]
        places = argument_names(call, names)
        if self.data is not None and "data" in names and "data" not in places:
            self._check_attached(call)
            call = replace(call, args=(*call.args, Argument("data", self.data)))
            places = (*places, "data")
        data = dict(zip(places, (a.value for a in call.args), strict=True)).get("data")
        made = () if data is None else columns_made(self._meant(data))
        columns = self.columns | frozenset(made)

        def meant(value: Node, place: str) -> Node:
            if place == "data":
                return self._meant(value)
            # weights = d$w beside data = d is a column; in formulas columns have their own names
            own = of_columns(value, data) if data is not None and place != names[0] else value
            return self._meant(own, columns)

        pairs = zip(call.args, places, strict=True)
        args = tuple(replace(a, value=meant(a.value, place)) for a, place in pairs)
        return without_unused(replace(call, args=args), places)

    def _frame_now(self) -> Node | None:
        return None if self.data is None else self._meant(self.data)

    def _check_attached(self, call: Call) -> None:
        """Refuse what hides a column of attached data, and data that changed since."""
        if self._when_attached is None:
            return
        hint = "give the model data = , which come first"
        for name in (n for a in call.args for n in names_in(a.value)):
            same = str(self.names.get(name.name)) == f"{self.data}${name}"
            if name.name in self.names and name.name in self.columns and not same:
                message = f"{name} was assigned a value, which hides the attached column"
                raise Unsupported(message, span=name.span, hint=hint)
        if self._frame_now() != self._when_attached:
            message = f"{self.data} changed after attach(), which keeps the columns as they were"
            raise Unsupported(message, span=call.span, hint=hint)

    def _updated(self, call: Call) -> Node:
        """``update(m, …)`` of a model or of a formula."""
        first = call.args[0].value
        old = self.value(first)
        if isinstance(old, Formula):
            return self._meant(call)
        model = self._named_model(old)
        if model is None:
            if isinstance(first, Name) and first.name in self.names:
                return self._meant(call)
            models = [n for n, v in self.names.items() if self._named_model(v) is not None]
            what = first if isinstance(first, Name) else "model"
            message = (
                f"there is no model {what} in this text"
                if models
                else (f"update() needs the call of {what}, which is not in this text")
            )
            hint = (
                suggestion(str(first), models, what="its models")
                if models
                else ("write that line before it")
            )
            raise FormulaError(message, span=first.span, hint=hint)
        extras = tuple(replace(a, value=self._change(a.value)) for a in call.args[1:])
        made = updated_call(
            model, replace(call, args=(call.args[0], *extras)), self.functions[model.function]
        )
        # the model it was made of is a step on the way
        self.found = [f for f in self.found if f.call != model]
        self._note(made, call.span)
        return made

    def _change(self, node: Node) -> Node:
        """An argument of ``update()``: a formula may have a name, other names stay what they are."""
        value = self.names.get(node.name) if isinstance(node, Name) else self._meant(node)
        return value if isinstance(value, Formula) else node

    # -- expressions -------------------------------------------------------------------------------

    def _meant(self, node: Node, but: frozenset[str] = frozenset()) -> Node:
        """An expression with names replaced by what they stand for, ``but`` for some."""
        self._built = 0
        return rewrite(self._replaced(node, but), simpler)

    def _replaced(self, node: Node, but: frozenset[str]) -> Node:
        match node:
            case Name(name=name):
                return node if name in but else self._named(node)
            case Call(function="$" | "@", args=(whole, key)):
                inner = replace(whole, value=self._replaced(whole.value, but))
                return replace(node, args=(inner, key))
            case Call(function=name, args=(first, *rest)) if name in VERBS:
                # within a data frame its columns are what names mean
                frame = self._replaced(first.value, but)
                but = but | self.columns | frozenset(columns_made(frame))
                own = (replace(a, value=of_columns(a.value, first.value)) for a in rest)
                if isinstance(first.value, Name):
                    but |= {first.value.name}
                args = (replace(a, value=self._replaced(a.value, but)) for a in own)
                return replace(node, args=(replace(first, value=frame), *args))
        return mapped(node, lambda inner: self._replaced(inner, but))

    def _formula(self, node: Node) -> Node:
        """The formula of a model call, which may be a name or a string."""
        value = node
        if isinstance(node, Name) and node.name in self.names:
            value = self.names[node.name]
        elif isinstance(node, Call):
            value = self._meant(node, self.columns)
        while isinstance(value, Parens):
            value = value.inner
        if isinstance(value, String):
            value = parsed(value)
        return value if isinstance(value, Formula) else node
