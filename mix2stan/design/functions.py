"""The functions a formula may use: one row each, with R's arguments and R's meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mix2stan.design import contrast_calls, factors, splines
from mix2stan.design.evaluate import Evaluation
from mix2stan.design.frame import Column
from mix2stan.design.time_calls import as_date
from mix2stan.errors import FormulaError, Unsupported, suggestion
from mix2stan.syntax import Argument, Call, Constant, Name, Node

__all__ = ["FUNCTIONS", "Function"]

Array = NDArray[np.float64]
Arguments = Mapping[str, Node]
Evaluate = Callable[[Evaluation, Call, Arguments], Column]


def _nothing(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    raise FormulaError(f"{call.function}() has no value here", span=call.span)


@dataclass(frozen=True)
class Function:
    """A function of R.

    Attributes:
        arguments: its arguments in R's order; the first ``required`` must be given.  An entry
            ``...`` takes any further ones, as ``...1``, ``...2`` and so on.
        evaluate: computes it from the arguments by name.
        reason: why it cannot be expressed, if it is known but cannot.
        refused: arguments of R that are none of ``...``, and cannot be expressed.
    """

    arguments: tuple[str, ...]
    evaluate: Evaluate = _nothing
    required: int = 1
    reason: str | None = None
    refused: frozenset[str] = frozenset()

    def match(self, call: Call) -> dict[str, Node]:
        """The call's arguments by name, as R matches them."""
        named = {n for n in self.arguments if n != "..."}
        matched: dict[str, Node] = {}
        rest: list[Argument] = []
        exact = {a.name for a in call.args if a.name in named}
        for argument in call.args:
            name = None if argument.name is None else self._full(argument.name, exact)
            if argument.name is None or (name is None and "..." in self.arguments):
                if argument.name in self.refused:
                    message = f"'{argument.name}' of {call.function}() cannot be expressed"
                    raise Unsupported(message, span=argument.span, hint="leave it away")
                rest.append(argument)
            elif name is not None and name not in matched:
                matched[name] = argument.value
            else:
                hint = suggestion(argument.name, named, what="its arguments")
                message = f"{call.function}() has no argument '{argument.name}'"
                raise FormulaError(message, span=argument.span, hint=hint)
        for argument in rest:
            free = [n for n in self.arguments if n not in matched]
            if not free:
                message = f"{call.function}() has no place for this argument"
                raise FormulaError(message, span=argument.span)
            place = f"...{len(matched)}" if free[0] == "..." else free[0]
            matched[place] = argument.value
        missing = [n for n in self.arguments[: self.required] if n not in matched and n != "..."]
        if missing:
            message = f"{call.function}() needs its argument '{missing[0]}'"
            raise FormulaError(message, span=call.span)
        return matched

    def _full(self, name: str, exact: Set[str | None]) -> str | None:
        """The argument a name means: itself, or the one it abbreviates, if that is before ``...``."""
        if name in self.arguments and name != "...":
            return name
        dots = self.arguments.index("...") if "..." in self.arguments else None
        before = self.arguments[:dots]
        partial = [n for n in before if n.startswith(name) and n not in exact]
        return partial[0] if len(partial) == 1 else None


def _elementwise(function: Callable[[Array], Array]) -> Function:
    def evaluate(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
        with np.errstate(all="ignore"):
            return Column.numeric(function(evaluation.numbers(arguments["x"])))

    return Function(("x",), evaluate)


def _summary(function: Callable[[Array], float]) -> Function:
    """A single number learnt from the data the model is fitted to."""

    def evaluate(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
        def learn() -> float:
            values = evaluation.numbers(arguments["x"])
            return float(function(values[~np.isnan(values)]))

        return Column.numeric([evaluation.remember(call, learn)])

    return Function(("x", "na.rm"), evaluate)


def _quantile(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """R's ``quantile`` of type 7, of the data the model is fitted to."""
    if "type" in arguments and evaluation.scalar(arguments["type"]) != 7:
        raise Unsupported("quantile() is of type 7 here", span=arguments["type"].span)
    probabilities = np.linspace(0, 1, 5)
    if "probs" in arguments:
        probabilities = evaluation.numbers(arguments["probs"])

    def learn() -> Array:
        values = evaluation.numbers(arguments["x"])
        return np.asarray(np.quantile(values[~np.isnan(values)], probabilities))

    return Column.numeric(evaluation.remember(call, learn))


def _element(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """``scale(x)[, 1]``, ``x[2:5]``, ``levels(f)[f]``: a column of a matrix, or elements by number."""
    whole = evaluation.column(arguments["x"])
    if "j" in arguments:
        place = evaluation.whole(arguments["j"])
        all_rows = arguments["i"] == Constant("NULL")
        width = 1 if whole.values.ndim == 1 else whole.values.shape[1]
        if whole.is_factor or not all_rows or not 1 <= place <= width:
            raise FormulaError(f"{call} is no column of a matrix", span=call.span)
        return Column.numeric(whole.values.reshape(len(whole), -1)[:, place - 1])
    index = evaluation.column(arguments["i"])
    if index.kind == "logical" or index.values.ndim != 1:
        hint = "rows are chosen with subset ="
        raise FormulaError(f"{call} has another length", span=call.span, hint=hint)
    places = index.values.astype(float) if index.is_factor else index.numbers() - 1
    inside = (places >= 0) & (places < len(whole))
    evaluation.room(len(places), call)
    evaluation.table(len(places), whole.values[:1].size, call)
    found = whole.rows(np.where(inside, places, 0).astype(np.int64))
    missing = -1 if whole.is_factor else np.nan
    return replace(found, values=np.where(inside, found.values, missing))


def _itself(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    return evaluation.column(arguments["x"])


def _cbind(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """Columns side by side; names are those of arguments, of variables, and of matrices' columns."""
    parts = [evaluation.column(argument.value) for argument in call.args]
    length = max(len(part) for part in parts)
    evaluation.table(length, sum(part.values[:1].size for part in parts), call)
    columns = []
    labels: list[str] = []
    for argument, part in zip(call.args, parts, strict=True):
        node = argument.value
        if len(part) not in (1, length):
            raise FormulaError(f"{node} has {len(part)} values, not {length}", span=node.span)
        values = evaluation.numbers(node)
        wide = values[:, None] if values.ndim == 1 else values
        columns.append(np.broadcast_to(wide, (length, wide.shape[1])))
        if values.ndim == 1:
            labels.append(argument.name or (node.name if isinstance(node, Name) else ""))
        else:
            labels += part.labels or [""] * wide.shape[1]
    if len(labels) == 1:
        return Column.numeric(columns[0][:, 0])
    return Column.numeric(np.hstack(columns), labels if any(labels) else ())


def _log(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    with np.errstate(all="ignore"):
        values = np.log(evaluation.numbers(arguments["x"]))
        if "base" in arguments:
            values = values / np.log(evaluation.scalar(arguments["base"]))
    return Column.numeric(values)


def _round(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    digits = evaluation.whole(arguments["digits"]) if "digits" in arguments else 0
    return Column.numeric(_rounded(evaluation.numbers(arguments["x"]), digits))


def _rounded(x: Array, digits: int) -> Array:
    """R's ``round`` since 4.0.0: of the decimals around x the nearer one, else the even one."""
    if digits == 0:
        return np.round(x)
    with np.errstate(all="ignore"):
        # more digits than a number has leave it as it is
        whole = ~np.isfinite(x) | (digits + np.floor(np.log10(np.abs(x))) >= 15) | (x == 0)
        scale = np.float64(10.0) ** abs(digits)
        size = np.abs(x)
        low = np.floor(size * scale if digits > 0 else size / scale)
        high = np.ceil(size * scale if digits > 0 else size / scale)
        below, above = (v / scale if digits > 0 else v * scale for v in (low, high))
        nearer = (above - size) - (size - below)
        up = (nearer < 0) | ((nearer == 0) & (low % 2 == 1))
        return np.where(whole, x, np.copysign(np.where(up, above, below), x))


def _scale(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """R's ``scale``: minus the mean, over the standard deviation with n - 1."""
    values = evaluation.numbers(arguments["x"])

    def learn() -> tuple[Array, Array]:
        centre = _scale_option(evaluation, arguments, "center", lambda: np.nanmean(values, axis=0))
        moved = values - centre
        degrees = np.maximum(np.sum(~np.isnan(moved), axis=0) - 1, 1)
        # without centring R divides by the root mean square, also with n - 1
        spread = _scale_option(
            evaluation, arguments, "scale", lambda: np.sqrt(np.nansum(moved**2, axis=0) / degrees)
        )
        return centre, spread

    centre, spread = evaluation.remember(call, learn)
    labels = evaluation.column(arguments["x"]).labels
    with np.errstate(all="ignore"):
        return Column.numeric((values - centre) / spread, labels)


def _scale_option(
    evaluation: Evaluation, arguments: Arguments, name: str, compute: Callable[[], Array]
) -> Array:
    """``TRUE``: computed; ``FALSE``: none; a number: that number."""
    neutral = 0.0 if name == "center" else 1.0
    if name not in arguments:
        return compute()
    option = evaluation.column(arguments[name])
    if option.kind == "logical":
        return compute() if option.values[0] == 1 else np.asarray(neutral)
    return np.asarray(evaluation.scalar(arguments[name]))


def _center(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    values = evaluation.numbers(arguments["x"])
    return Column.numeric(values - evaluation.remember(call, lambda: np.nanmean(values, axis=0)))


def _ifelse(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    test = evaluation.truths(arguments["test"])
    yes, no = (evaluation.column(arguments[name]) for name in ("yes", "no"))
    yes, no = (c.rows(np.resize(np.arange(len(c)), len(test))) for c in (yes, no))
    if {"factor", "ordered"} & {yes.kind, no.kind}:
        yes, no = yes.as_factor(), no.as_factor()
        levels = tuple(sorted({*yes.levels, *no.levels}))
        place = {level: i for i, level in enumerate(levels)}
        tables = [np.array([place[v] for v in c.levels] + [-1]) for c in (yes, no)]
        codes = np.where(test.values == 1, tables[0][yes.values], tables[1][no.values])
        return Column("factor", np.where(test.missing, -1, codes), levels)
    values = np.where(test.values == 1, yes.numbers(), no.numbers())
    return Column.numeric(np.where(test.missing, np.nan, values))


def _is_na(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    return Column.logical(evaluation.column(arguments["x"]).missing)


def _extreme(
    strict: Callable[[Array, Array], Array], known: Callable[[Array, Array], Array]
) -> Function:
    def evaluate(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
        function = known if _is_set(evaluation, arguments, "na.rm") else strict
        values = [evaluation.numbers(a) for n, a in arguments.items() if n != "na.rm"]
        total = values[0]
        for value in values[1:]:
            total = function(*evaluation.same_length(total, value, call))
        return Column.numeric(total)

    return Function(("...", "na.rm"), evaluate)


def _is_set(evaluation: Evaluation, arguments: Arguments, name: str) -> bool:
    return name in arguments and evaluation.flag(arguments[name])


def _combine(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    return evaluation.concatenate([n for name, n in arguments.items() if name.startswith("...")])


def _rep(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    column = evaluation.column(arguments["x"])
    each = evaluation.whole(arguments["each"]) if "each" in arguments else 1
    evaluation.room(len(column) * each, call)
    index = np.repeat(np.arange(len(column)), each)
    if "length.out" in arguments:
        length = evaluation.room(evaluation.whole(arguments["length.out"]), call)
        return column.rows(np.resize(index, length))
    times = evaluation.numbers(arguments["times"]) if "times" in arguments else np.ones(1)
    if not len(times) or np.isnan(times).any() or times.min() < 0:
        raise FormulaError("times has to be a count", span=call.span)
    if len(times) == len(index) and len(times) > 1:
        evaluation.room(np.trunc(times).sum(), call)
        return column.rows(np.repeat(index, times.astype(np.int64)))
    evaluation.room(len(index) * np.trunc(times[0]), call)
    return column.rows(np.tile(index, int(times[0])))


def _sequence(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    start = evaluation.scalar(arguments["from"])
    if "to" not in arguments:
        return Column.numeric(np.arange(1, evaluation.room(np.trunc(start), call) + 1))
    end = evaluation.scalar(arguments["to"])
    if "length.out" in arguments:
        count = evaluation.room(evaluation.whole(arguments["length.out"]), call)
        return Column.numeric(np.linspace(start, end, count))
    step = (
        evaluation.scalar(arguments["by"]) if "by" in arguments else (1.0 if end >= start else -1.0)
    )
    if step == 0 or (end - start) / step < 0:
        raise FormulaError("this sequence never ends", span=call.span)
    count = evaluation.room(np.floor((end - start) / step + 1e-10) + 1, call)
    return Column.numeric(start + step * np.arange(count))


def _seq_len(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    count = evaluation.room(evaluation.whole(arguments["x"]), call)
    return Column.numeric(np.arange(1, count + 1))


def _as_numeric(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    column = evaluation.column(arguments["x"])
    if column.text:
        read = np.array([*map(_number, column.levels), np.nan])
        return Column.numeric(read[column.values])
    if column.kind in ("factor", "ordered"):
        return Column.numeric(np.where(column.values < 0, np.nan, column.values + 1.0))
    if column.kind == "logical" or column.unit:
        return Column.numeric(column.numbers())
    return column


def _number(text: str) -> float:
    """The number that is written there, NaN if it is none, as R's NA."""
    try:
        return float(text.replace("_", "x"))
    except ValueError:
        return np.nan


def _as_vector(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    """What has a single column; a factor's levels as text."""
    column = evaluation.column(arguments["x"])
    if column.is_factor:
        return (
            column
            if column.kind == "logical"
            else factors.as_character(evaluation, call, arguments)
        )
    if column.values.ndim > 1 and column.values.shape[1] > 1:
        raise FormulaError(f"{call} has several columns", span=call.span)
    return column if column.values.ndim == 1 else Column.numeric(column.values.reshape(-1))


def _as_integer(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    column = _as_numeric(evaluation, call, arguments)
    return replace(column, values=np.trunc(column.values))


def _as_logical(evaluation: Evaluation, call: Call, arguments: Arguments) -> Column:
    return evaluation.truths(arguments["x"])


def _refused(reason: str) -> Function:
    return Function(("x", "..."), reason=reason)


FUNCTIONS: dict[str, Function] = {
    "I": Function(("x",), _itself),
    "cbind": Function(("...",), _cbind, refused=frozenset({"deparse.level", "stringsAsFactors"})),
    "offset": Function(("x",), _itself),
    "c": Function(("...", "recursive", "use.names"), _combine, required=0),
    "log": Function(("x", "base"), _log),
    "round": Function(("x", "digits"), _round),
    "scale": Function(("x", "center", "scale"), _scale),
    "center": Function(("x",), _center),
    "ifelse": Function(("test", "yes", "no"), _ifelse, required=3),
    "is.na": Function(("x",), _is_na),
    "pmin": _extreme(np.minimum, np.fmin),
    "pmax": _extreme(np.maximum, np.fmax),
    "rep": Function(("x", "times", "length.out", "each"), _rep),
    "seq": Function(("from", "to", "by", "length.out"), _sequence),
    "seq_len": Function(("x",), _seq_len),
    "as.numeric": Function(("x",), _as_numeric),
    "as.double": Function(("x",), _as_numeric),
    "as.integer": Function(("x",), _as_integer),
    "as.Date": Function(("x",), as_date),
    "as.logical": Function(("x",), _as_logical),
    "poly": Function(("x", "...", "degree", "coefs", "raw", "simple"), splines.evaluate_poly),
    "quantile": Function(("x", "probs", "na.rm", "names", "type"), _quantile),
    "levels": Function(("x",), factors.levels),
    "[": Function(("x", "i", "j"), _element, required=2),
    "bs": Function(
        ("x", "df", "knots", "degree", "intercept", "Boundary.knots"), splines.evaluate_bs
    ),
    "ns": Function(("x", "df", "knots", "intercept", "Boundary.knots"), splines.evaluate_ns),
    "factor": Function(("x", "levels", "labels", "exclude", "ordered"), factors.factor),
    "ordered": Function(("x", "levels", "labels", "exclude"), factors.ordered),
    "as.factor": Function(("x",), factors.as_factor),
    "as.character": Function(("x",), factors.as_character),
    "as.vector": Function(("x",), _as_vector),
    "paste": Function(
        ("...", "sep"), factors.paste, required=0, refused=frozenset({"collapse", "recycle0"})
    ),
    "paste0": Function(
        ("...",), factors.paste, required=0, refused=frozenset({"sep", "collapse", "recycle0"})
    ),
    "droplevels": Function(("x",), factors.drop_levels),
    "cumsum": _elementwise(np.cumsum),
    "as.ordered": Function(("x",), factors.ordered),
    "relevel": Function(("x", "ref"), factors.relevel, required=2),
    "cut": Function(
        ("x", "breaks", "labels", "include.lowest", "right", "dig.lab", "ordered_result"),
        factors.cut,
        required=2,
    ),
    "interaction": Function(("...", "sep", "lex.order", "drop"), factors.interaction, required=0),
    "at.level": Function(("x", "level"), factors.at_level, required=2),
    "numFactor": Function(("x", "..."), factors.num_factor),
    "dummy": Function(("x", "level"), factors.dummy, required=1),
    "C": Function(("x", "contr", "how.many", "base", "scores"), contrast_calls.choose_contrasts),
    "contr.treatment": Function(("n", "base"), contrast_calls.contrast_function),
    "contr.poly": Function(("n", "scores"), contrast_calls.contrast_function),
    **dict.fromkeys(
        ("contr.sum", "contr.helmert", "contr.SAS", "contr.sdif"),
        Function(("n",), contrast_calls.contrast_function),
    ),
    "matrix": Function(("data", "nrow", "ncol", "byrow"), contrast_calls.matrix),
    "lag": _refused("stats::lag() does not shift the values of a data frame; make a column first"),
    "s": _refused("smooth terms; ns(x, df = 4) and poly(x, 3) can be expressed"),
    "mean": _summary(np.mean),
    "median": _summary(np.median),
    "sd": _summary(lambda x: float(np.std(x, ddof=1))),
    "var": _summary(lambda x: float(np.var(x, ddof=1))),
    "min": _summary(np.min),
    "max": _summary(np.max),
    "sum": _summary(np.sum),
    "length": _summary(len),
    **{
        name: _elementwise(function)
        for name, function in {
            "log2": np.log2,
            "log10": np.log10,
            "log1p": np.log1p,
            "exp": np.exp,
            "expm1": np.expm1,
            "sqrt": np.sqrt,
            "abs": np.abs,
            "sign": np.sign,
            "floor": np.floor,
            "ceiling": np.ceil,
            "trunc": np.trunc,
            "sin": np.sin,
            "cos": np.cos,
            "tan": np.tan,
            "asin": np.arcsin,
            "acos": np.arccos,
            "atan": np.arctan,
            "sinh": np.sinh,
            "cosh": np.cosh,
            "tanh": np.tanh,
            "plogis": special.expit,
            "qlogis": special.logit,
            "pnorm": special.ndtr,
            "qnorm": special.ndtri,
        }.items()
    },
}
