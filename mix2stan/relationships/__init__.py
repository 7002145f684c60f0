"""Known covariances among the levels of a factor: pedigrees, phylogenies, labelled matrices.

A relationship is named in a call and its numbers are given as other data are.  Read, it is one of two
kinds: a :class:`Recursion`, in which an effect is the mean of two others plus something of its own, or
a :class:`KnownMatrix`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mix2stan.errors import FormulaError, Mix2stanError, suggestion
from mix2stan.graph import Relationship
from mix2stan.relationships.known import Known, KnownMatrix, known_matrix
from mix2stan.relationships.newick import phylogeny
from mix2stan.relationships.pedigree import pedigree
from mix2stan.relationships.recursion import Recursion
from mix2stan.syntax import Call, Name, Node, String

__all__ = ["Kinship", "Known", "KnownMatrix", "Recursion", "read_relationship"]

#: What a relationship is once it is read.
Kinship = Recursion | KnownMatrix


def read_relationship(wanted: Relationship, given: Mapping[str, Any]) -> Kinship:
    """The numbers of a relationship.

    Args:
        wanted: what the call says of it.
        given: the tables, matrices and trees that were given as data, by name.

    Raises:
        FormulaError: if nothing of that name was given, or what was is not a pedigree, a tree or a
            covariance matrix.
    """
    source = _source(wanted.source, given)
    try:
        if isinstance(source, str):
            return phylogeny(source, wanted.scaled)
        if wanted.role == "pedigree" and isinstance(source, pd.DataFrame):
            return pedigree(source)
        return known_matrix(source, inverse=wanted.role == "inverse")
    except FormulaError:
        raise
    except Mix2stanError as error:
        message = f"{wanted.source}: {error.message}"
        raise FormulaError(message, span=wanted.source.span, hint=error.hint) from None


def _source(node: Node, given: Mapping[str, Any]) -> Any:
    """What a name stands for; a tree may also be written in the call."""
    match node:
        case Name(name=name) if name in given:
            return given[name]
        case String(value=text):
            return text
        case Call(function="read.tree") if (tree := node.argument("text")) is not None:
            return _source(tree.value, given)
        case Name(name=name):
            names = [n for n in given if n]
            hint = f'give it with the data: data = {{"d": …, "{name}": …}}'
            if names:
                hint = f"{suggestion(name, names, what='given')}\n{hint}"
            raise FormulaError(f"{name!r} is not among the data", span=node.span, hint=hint)
    message = f"{node} cannot be read as a pedigree, a tree or a matrix"
    raise FormulaError(message, span=node.span, hint="name what is given with the data")
