"""The model graph: what a mixed model means, whatever package it was written for.

Every group-level term is ``Z (Sigma ⊗ K) Z'``: design columns, a grouping factor, a covariance among
the columns (Sigma) and one among the levels (K, the identity unless it is known).  The errors are
``sigma^2 D R D``: variance functions (D) and a correlation (R).  The graph is free of dialect
and of data: column expressions are R syntax, and numbers (levels, prior scales) are notes that do not
take part in equality.  Passes refine it with :func:`dataclasses.replace`; nothing is mutated.

Every node prints as formula text.
"""

from __future__ import annotations

from mix2stan.graph.errors import ErrorCorrelation, Given, Residual, VarianceFunction
from mix2stan.graph.model import ITSELF, Member, ModelGraph, Strategy, joined, note, warn
from mix2stan.graph.priors import CallPrior, Prior, Rows, ScaledPrior, StatedPrior, WishartPrior
from mix2stan.graph.response import Censoring, Layer, Response, Trait, Truncation
from mix2stan.graph.terms import (
    UNITS,
    Columns,
    Covariance,
    Factor,
    Group,
    LevelOrder,
    Parameterisation,
    Population,
    Predictor,
    Relationship,
    Share,
    term_labels,
)

__all__ = [
    "ITSELF",
    "UNITS",
    "CallPrior",
    "Censoring",
    "Columns",
    "Covariance",
    "ErrorCorrelation",
    "Factor",
    "Given",
    "Group",
    "Layer",
    "LevelOrder",
    "Member",
    "ModelGraph",
    "Parameterisation",
    "Population",
    "Predictor",
    "Prior",
    "Relationship",
    "Residual",
    "Response",
    "Rows",
    "ScaledPrior",
    "Share",
    "StatedPrior",
    "Strategy",
    "Trait",
    "Truncation",
    "VarianceFunction",
    "WishartPrior",
    "joined",
    "note",
    "term_labels",
    "warn",
]
