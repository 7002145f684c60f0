"""Names of terms that nothing else in a program has: chosen once it is known what it says.

The program is rendered with letters in the place of the names that come from the data.  Its words
are then those of the templates, which names have to leave alone, and shapes such as ``sd_`` and a
letter.  Names are right when no two words become one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from mix2stan.covariances import COVARIANCES
from mix2stan.graph import Group, ModelGraph, Prior
from mix2stan.labels import dims_of
from mix2stan.names import STAN_WORDS
from mix2stan.plan import plan
from mix2stan.render import words

__all__ = ["named", "renamed"]

#: What a name is of (a response, a latent one, a term, the levels of its rows), and the name.
Key = tuple[str, str]

#: The first of the letters that stand for names: no identifier has one.
_LETTER = 0x4E00
#: Dimensions of draws besides those of terms.
_DIMENSIONS = frozenset({"chain", "draw", "coefficient"})


def named(graph: ModelGraph) -> ModelGraph:
    """The graph with names of its own for all that is named after the data.

    A name stays what it is where it can.  Otherwise the levels of a factor ``root`` are ``index_root``
    in a program that has a root, and a factor ``P`` is ``P_`` in one that has an ``L_P``.

    Args:
        graph: a graph that the passes have completed.

    Returns:
        The same model; whatever its program, data and draws are called differs by name.
    """
    keys = list(dict.fromkeys(_keys(graph)))
    if not keys:
        return graph
    letters = {key: chr(_LETTER + place) for place, key in enumerate(keys)}
    programs = tuple(_words(renamed(graph, letters)))
    tries = dict.fromkeys(letters.values(), 0)
    while True:
        names = {key: _name(key, tries[letter]) for key, letter in letters.items()}
        own = {ord(letter): names[key] for key, letter in letters.items()}
        clashing = {letter for found in programs for letter in _clashing(found, own)}
        if not clashing:
            return renamed(graph, names)
        tries |= {letter: tries[letter] + 1 for letter in clashing}


def _keys(graph: ModelGraph) -> Iterator[Key]:
    """All that is named after the data, what gives way first last."""
    for member in graph.members:
        yield "response", member.name
    graphs = [graph, *(member.graph for member in graph.members)]
    for one in graphs:
        for layer in one.response.layers:
            yield from (("layer", name) for name in (layer.id, *layer.ids))
    for one in graphs:
        yield from (("term", group.id) for group in one.groups)
    for one in graphs:
        yield from (("index", group.id) for group in one.groups)


def _name(key: Key, tried: int) -> str:
    """The name to try next."""
    role, name = key
    if not tried:
        return name
    if role == "index":
        return f"index_{name}" if tried == 1 else f"index_{name}_{tried}"
    return f"{name}_" if tried == 1 and name[-1] != "_" else f"{name.rstrip('_')}_{tried + 1}"


def _words(graph: ModelGraph) -> Iterator[frozenset[str]]:
    """The words of the program, and of those of every response if it were alone; and of their draws."""
    found = words(plan(graph))
    if not graph.members:
        found |= _DIMENSIONS
        for group in graph.groups:
            level, effect = dims_of(group.id)
            found |= {level, effect, f"{effect}_2"}
    yield found
    for member in graph.members:
        yield from _words(member.graph)


def _clashing(found: frozenset[str], own: Mapping[int, str]) -> Iterator[str]:
    """The letters whose names make a word equal to another, or to one of the language."""
    seen: dict[str, str] = {}
    # the words without letters come first
    for word in sorted(found):
        said = word.translate(own)
        other = seen.setdefault(said, word)
        if other != word or (said != word and said in STAN_WORDS):
            yield max(letter for letter in other + word if ord(letter) in own)


def renamed(graph: ModelGraph, names: Mapping[Key, str]) -> ModelGraph:
    """The graph by other names."""
    blocks = {
        f"{parameter.name}_{group.id}": f"{parameter.name}_{names['term', group.id]}"
        for group in graph.groups
        for parameter in COVARIANCES[group.covariance.kind].parameters
    }
    errors = names.get(("term", graph.strategy.errors), graph.strategy.errors)
    layers = tuple(
        replace(
            layer,
            id=names["layer", layer.id],
            ids=tuple(names["layer", name] for name in layer.ids),
        )
        for layer in graph.response.layers
    )
    return replace(
        graph,
        response=replace(graph.response, layers=layers),
        groups=tuple(_of_group(group, names) for group in graph.groups),
        priors=tuple(_of_prior(prior, blocks) for prior in graph.priors),
        strategy=replace(graph.strategy, errors=errors),
        members=tuple(
            replace(m, name=names["response", m.name], graph=renamed(m.graph, names))
            for m in graph.members
        ),
    )


def _of_group(group: Group, names: Mapping[Key, str]) -> Group:
    how = group.parameterisation
    shares = tuple(
        replace(share, response=names.get(("response", share.response), share.response))
        for share in group.shares
    )
    return replace(
        group,
        id=names["term", group.id],
        index=names["index", group.id],
        parameterisation=replace(how, parents=tuple(names["term", p] for p in how.parents)),
        shares=shares,
    )


def _of_prior(prior: Prior, blocks: Mapping[str, str]) -> Prior:
    return replace(prior, block=blocks.get(prior.block, prior.block))
