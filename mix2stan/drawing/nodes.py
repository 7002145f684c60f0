"""The boxes and arrows of a model."""

from __future__ import annotations

from collections.abc import Iterator

from mix2stan.compiler import Compiled
from mix2stan.covariances import COVARIANCES, parameter_of
from mix2stan.drawing.figure import Arrow, Box, Figure, Plate
from mix2stan.families import FAMILIES
from mix2stan.graph import Columns, Group, ModelGraph, Prior
from mix2stan.priors.text import describe
from mix2stan.residuals import error_blocks
from mix2stan.syntax import Node

__all__ = ["figure_of"]

#: More data columns than these are one box.
_MOST_COLUMNS = 8
_PREDICTOR, _RESPONSE, _REST = "predictor", "response", "rest"


def figure_of(compiled: Compiled) -> Figure:
    """Data columns above the predictor and the response, parameters above what they govern."""
    graph = compiled.graph
    boxes, arrows = [], []
    for box, end in _parameters(graph):
        boxes.append(box)
        arrows.append(Arrow(box.key, end))
    for group in graph.groups:
        boxes.append(_effects(group))
        arrows += [Arrow(f"b_{group.id}", end) for end in _ends(group)]
    data_boxes, data_arrows = _data(compiled)
    boxes += [*data_boxes, *_end(graph)]
    arrows += [*data_arrows, Arrow(_PREDICTOR, _RESPONSE)]
    plates = [
        Plate(f"{group.factor}: {group.factor.levels} levels", (f"b_{group.id}",))
        for group in graph.groups
    ]
    plates.append(Plate(f"{compiled.data.count} observations", (_PREDICTOR, _RESPONSE)))
    return Figure(graph.call, _description(graph), tuple(boxes), tuple(arrows), tuple(plates))


def _description(graph: ModelGraph) -> str:
    parts = [f"The response {graph.response.expression} depends on a predictor"]
    if graph.population.columns.names:
        parts.append(f"with the population columns {', '.join(graph.population.columns.names)}")
    parts += [f"effects of {g.factor} on {', '.join(g.columns.names)}" for g in graph.groups]
    return ", ".join(parts) + "."


def _parameters(graph: ModelGraph) -> Iterator[tuple[Box, str]]:
    """Every block with its prior, and what it points to."""
    blocks = {b.name for b in error_blocks(graph.residual) if b.free}
    for further in graph.predictors:
        blocks |= {f"beta{further.suffix}", f"intercept{further.suffix}"}
    family = FAMILIES[graph.response.family].parameters
    for prior in graph.priors:
        end = _PREDICTOR
        if prior.block in blocks or prior.block in family:
            end = _RESPONSE
        for group in graph.groups:
            if parameter_of(group, prior.block) is not None:
                end = f"b_{group.id}"
        yield Box(f"p_{prior.block}", (_name(graph, prior), _density(prior)), "parameter"), end


def _name(graph: ModelGraph, prior: Prior) -> str:
    """The name of a block, and how many elements it has."""
    names = graph.population.columns.names
    if prior.block == "intercept":
        return "beta[(Intercept)]"
    count = max((len(values) for _, values in prior.values), default=1)
    if prior.block == "beta":
        intercept = any(p.block == "intercept" for p in graph.priors)
        count = len(names) - intercept
        if count == 1:
            return f"beta[{names[-1]}]"
    for group in graph.groups:
        parameter = parameter_of(group, prior.block)
        if parameter is not None and parameter.shape == "L":
            return f"cor_{group.id}"
        if parameter is not None and parameter.shape == "vector":
            count = parameter.size(len(group.columns.names), group.covariance.order)
    return prior.block if count == 1 else f"{prior.block} ({count})"


def _density(prior: Prior) -> str:
    """``~ normal(0, 2.5)``; where elements have different numbers, the first with dots."""
    differ = any(len(set(values)) > 1 for _, values in prior.values)
    text = describe(prior, 0)
    return f"~ {text.split('(')[0]}(…)" if differ else f"~ {text}"


def _effects(group: Group) -> Box:
    columns, title = group.columns.names, COVARIANCES[group.covariance.kind].title
    listed = ", ".join(columns[:4]) + (f", … ({len(columns)})" if len(columns) > 4 else "")
    return Box(f"b_{group.id}", (f"b_{group.id}", listed, title), "effects")


def _ends(group: Group) -> list[str]:
    """What the effects of a term enter: the predictor of the mean, and what shapes the response."""
    return list(dict.fromkeys(_RESPONSE if p else _PREDICTOR for p in group.parameters))


def _end(graph: ModelGraph) -> list[Box]:
    """The predictor and the response."""
    response = graph.response
    mean = "mu" if response.link == "identity" else f"{response.link}(mu)"
    parts = ["X beta"] if graph.population.columns.names else []
    parts += ["offset"] if graph.population.offsets else []
    effects = graph.groups_in("")
    parts += [f"{'' if g.columns.intercept_only else 'Z '}b_{g.id}" for g in effects]
    lines = (str(response.expression), f"~ {response.family}", *map(str, response.layers))
    return [
        Box(_PREDICTOR, (f"{mean} =", " + ".join(parts) or "0"), "predictor"),
        Box(_RESPONSE, lines, "response"),
    ]


def _data(compiled: Compiled) -> tuple[list[Box], list[Arrow]]:
    """The columns of the data, and where they are used."""
    graph = compiled.graph
    uses: dict[Node, dict[str, bool]] = {}

    def used(nodes: tuple[Node, ...], end: str, chooses: bool = False) -> None:
        for node in nodes:
            uses.setdefault(node, {}).setdefault(end, chooses)

    used(_variables(compiled, graph.population.columns), _PREDICTOR)
    used(graph.population.offsets, _PREDICTOR)
    for group in graph.groups:
        for end in _ends(group):
            used(_variables(compiled, group.columns), end)
            used(group.factor.variables, end, chooses=True)
    for further in graph.predictors:
        used(_variables(compiled, further.population.columns), _RESPONSE)
    used(graph.residual.variables(), _RESPONSE)
    used(graph.response.added(), _RESPONSE)
    boxes: list[Box] = []
    arrows: dict[Arrow, None] = {}
    shown = list(uses)[:_MOST_COLUMNS] if len(uses) > _MOST_COLUMNS else list(uses)
    for i, node in enumerate(shown):
        boxes.append(Box(f"d{i}", (str(node),), "data"))
        arrows |= {Arrow(f"d{i}", end, chooses): None for end, chooses in uses[node].items()}
    rest = [node for node in uses if node not in shown]
    if rest:
        boxes.append(Box(_REST, (f"{len(rest)} more columns",), "data"))
        arrows |= {Arrow(_REST, end): None for node in rest for end in uses[node]}
    return boxes, list(arrows)


def _variables(compiled: Compiled, columns: Columns) -> tuple[Node, ...]:
    return tuple(v for f in columns.formulas for v in compiled.data.terms(f).variables)
