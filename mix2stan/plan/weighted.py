"""Likelihoods in which rows count more or less, or have known errors besides."""

from __future__ import annotations

import re

from mix2stan.families import Family
from mix2stan.graph import ModelGraph

__all__ = ["weighted_likelihood", "with_noise"]


def with_noise(text: str) -> str:
    """A density with the known standard errors added to its sigma."""
    return re.sub(r"\bsigma\b", "sqrt(square(sigma) + square(se))", text)


def weighted_likelihood(graph: ModelGraph, family: Family, text: str) -> str:
    """The log density of every row, times its weight.

    Args:
        graph: says which parameters have an element per row.
        family: the rows' family; Stan functions of its own take vectors, so a row is one of length 1.
        text: the density, ``name(arguments)``, of all rows at once.
    """
    name, arguments = text.split("(", 1)
    whole = family.functions is not None or graph.response.link in family.link_functions
    row = "i : i" if whole else "i"
    vectors = ["eta", "trials", "se", *(p.parameter for p in graph.predictors)]
    indexed = re.sub(rf"\b({'|'.join(vectors)})\b(?!\()", rf"\1[{row}]", arguments)
    indexed = indexed.replace("rep_vector(0, N)", "rep_vector(0, 1)" if whole else "0")
    if not whole:
        indexed = indexed.replace("./", "/").replace(".*", "*")
    kind = "lpmf" if family.integer else "lpdf"
    lines = [
        "for (i in 1 : N) {",
        f"  target += weight[i] * {name}_{kind}(y[{row}] | {indexed};",
        "}",
    ]
    return "\n".join(lines)
