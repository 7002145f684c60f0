"""Categories: whether those of an ordinal response have an order at all."""

from __future__ import annotations

from mix2stan.errors import FormulaError
from mix2stan.families import FAMILIES
from mix2stan.graph import ModelGraph, note
from mix2stan.passes.context import Context
from mix2stan.syntax import Name, Node

__all__ = ["check_order"]

#: More levels than these are not listed in a message.
_LISTED = 6


def check_order(graph: ModelGraph, context: Context) -> ModelGraph:
    """Refuse ordered categories whose order would be that of the alphabet.

    Text has no other, and an unordered factor is refused where R does (brms); where R takes one its
    order is remarked.

    Raises:
        FormulaError: for text, or an unordered factor in ``brm()``.
    """
    response = graph.response
    if FAMILIES[response.family].ordinal is None:
        return graph
    column = context.data.frame.column(response.expression)
    if column.kind != "factor":
        return graph
    levels = column.used_levels().levels
    if column.text:
        what = f"{response.expression} is text, whose categories have no order"
    elif response.order == "ordered":
        what = f"{response.expression} is a factor without an order"
    else:
        return note(graph, f"the categories are in the order {_listed(levels, ' < ')}")
    message = f"{what}: {_listed(levels, ', ')}"
    raise FormulaError(message, span=response.expression.span, hint=_hint(response.expression))


def _listed(levels: tuple[str, ...], between: str) -> str:
    more = (f"… ({len(levels)} in all)",) if len(levels) > _LISTED else ()
    return between.join((*levels[:_LISTED], *more))


def _hint(expression: Node) -> str:
    """How an order is said: in the text, in the data, beside a file."""
    name = expression.name if isinstance(expression, Name) else "r"
    return (
        f'say it from low to high, in the text: ordered({name}, levels = c("…", "…")), or '
        f"factor({name}, levels = c(…), ordered = TRUE);\n"
        f"in the data: pd.Categorical(df[{name!r}], categories=[…], ordered=True), polars' Enum; or\n"
        f'beside a file: {{"columns": {{"{name}": {{"type": "ordered", "levels": ["…", "…"]}}}}}}'
    )
