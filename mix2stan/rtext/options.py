"""What lines before a model say of how its factors are coded and of missing values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mix2stan.design import CONTRASTS
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.rtext.codings import Coded, coding_of
from mix2stan.rtext.frames import pruned
from mix2stan.syntax import (
    Argument,
    Call,
    Name,
    Node,
    Number,
    Operator,
    Parens,
    String,
    names_in,
    walk,
)

__all__ = ["Options"]

_WRITE = 'write options(contrasts = c("contr.sum", "contr.poly"))'
_MISSING = ("na.omit", "na.exclude", "na.fail")


class Options:
    """R's ``options()`` as they change, and the contrasts of single factors.

    Attributes:
        contrasts: by ``"unordered"``, ``"ordered"`` and ``contrasts(f)``: a name, a function's with
            ``()``, or the text of a matrix.
        coded: what single factors of data frames were given, in order.
        missing: the default ``na.action``, None where it is R's.
    """

    def __init__(self) -> None:
        self.contrasts: Mapping[str, str] = {}
        self.missing: Node | None = None
        self.coded: list[Coded] = []
        self._kept: dict[str, tuple[Mapping[str, str], Node | None]] = {}

    def keep(self, name: str, value: Node) -> None:
        """``op <- options(…)`` has what was there before, for ``options(op)``."""
        if isinstance(value, Call) and value.function == "options":
            self._kept[name] = (self.contrasts, self.missing)

    def set(self, call: Call, meant: Callable[[Node], Node]) -> None:
        """``options(contrasts = c("contr.sum", "contr.poly"))``.

        Other options than those of contrasts and missing values cannot change a model.

        Raises:
            FormulaError: if what is set cannot be read.
        """
        for argument in call.args:
            value = meant(argument.value)
            if argument.name is None:
                self._restore(argument.value)
            elif argument.name == "contrasts":
                self.code(*self._names(value))
            elif argument.name == "na.action":
                self.missing = self._action(value)

    def _restore(self, node: Node) -> None:
        """``options(op)``, and ``options("contrasts")``, which only asks."""
        if isinstance(node, String):
            return
        if not isinstance(node, Name) or node.name not in self._kept:
            message = "what options() is given here is not known"
            raise Unsupported(message, span=node.span, hint=_WRITE)
        self.contrasts, self.missing = self._kept[node.name]

    def code(self, unordered: str, ordered: str) -> None:
        """Set the default contrasts of factors and of ordered ones."""
        self.contrasts = {**self.contrasts, "unordered": unordered, "ordered": ordered}

    def _names(self, node: Node) -> tuple[str, str]:
        """The two names, whose order counts and whose own names do not."""
        found: list[str] = []
        match node:
            case Call(function="c", args=args):
                found = [a.value.value for a in args if isinstance(a.value, String)]
            case Call(function="rep", args=(Argument(value=String(value=name)), times)):
                found = [name] * 2 * (times.value == Number(2.0))
        if len(found) != 2:
            message = "the contrasts of options() are two names: of factors, and of ordered ones"
            raise FormulaError(message, span=node.span, hint=_WRITE)
        for name in found:
            if name not in CONTRASTS:
                hint = suggestion(name, CONTRASTS, what="the contrasts")
                raise FormulaError(f"there are no contrasts {name}", span=node.span, hint=hint)
        return found[0], found[1]

    def _action(self, node: Node) -> Node | None:
        name = getattr(node, "value", getattr(node, "name", ""))
        if name not in _MISSING:
            hint = "na.omit drops rows with missing values, na.fail stops at them"
            raise FormulaError(f"na.action cannot be {node}", span=node.span, hint=hint)
        return None if name == "na.omit" else node

    def contrasts_of(self, target: Node, value: Node, names: dict[str, Node]) -> bool:
        """Do ``contrasts(d$f) <- contr.sum(3)``; False if that is not what the target is.

        Args:
            target: what is assigned to.
            value: the contrasts.
            names: what data frames stand for, which are changed.

        Raises:
            FormulaError: if the value is no contrasts.
        """
        match target:
            case Call(function="contrasts", args=(Argument(value=factor), *more)):
                pass
            case _:
                return False
        column = factor
        if isinstance(factor, Call) and factor.function == "$":
            column = factor.args[1].value
        if not isinstance(column, Name) or more:
            message = f"what {target} is cannot be known"
            raise Unsupported(
                message, span=target.span, hint="write contrasts(d$f) <- contr.sum(3)"
            )
        key = f"contrasts({column})"
        match value:
            case String(value=name):
                kind = name
            case Name(name=name):
                kind = f"{name}()"
            case Call() | Operator() | Parens():
                kind = str(value)
            case _:
                hint = "write contrasts(d$f) <- contr.sum(3)"
                raise FormulaError(f"{value} is no contrasts", span=value.span, hint=hint)
        if isinstance(factor, Call):
            frame = factor.args[0].value
            if not isinstance(frame, Name):
                hint = "write contrasts(d$f) <- contr.sum(3)"
                raise Unsupported(f"{target} cannot be set", span=target.span, hint=hint)
            # a frame of its own, as what was copied of the old one before has no such contrasts
            now = Call("transform", (Argument(None, names.get(frame.name, frame)),))
            names[frame.name] = now
            self.coded.append(Coded(now, column.name, kind))
        else:
            self.contrasts = {**self.contrasts, key: kind}
        return True

    def of(self, call: Call, data: Node | None) -> tuple[dict[str, str], dict[str, Node]]:
        """The contrasts a call has, and what the data were when its factors were given theirs.

        Args:
            call: the model's.
            data: its data frame, by the verbs that made it; None if it has none.

        Raises:
            Unsupported: if they cannot be known.
        """
        found, frames = dict(self.contrasts), dict[str, Node]()
        if not self.coded or data is None:
            return found | {f"contrasts({c.column})": c.kind for c in self.coded}, frames
        used = [n for a in call.args for n in names_in(a.value)]
        for column in dict.fromkeys([*(c.column for c in self.coded), *(n.name for n in used)]):
            coded = coding_of(column, data, self.coded)
            if coded is not None:
                found[f"contrasts({Name(column)})"] = coded.kind
                frames[column] = pruned(coded.frame, {coded.column})
                frames[column] = Call(
                    "transform",
                    (Argument(None, frames[column]), Argument(column, Name(coded.column))),
                )
                _check_itself(call, column)
        return found, frames


def _check_itself(call: Call, column: str) -> None:
    """Refuse a function whose value is the factor with its contrasts, which has another name."""
    for node in (n for a in call.args for n in walk(a.value)):
        match node:
            case Call(function="as.factor" | "I", args=(Argument(value=Name(name=name)),)):
                if name == column:
                    message = f"{node} has the contrasts of {column}"
                    raise Unsupported(message, span=node.span, hint=f"write {column}")
