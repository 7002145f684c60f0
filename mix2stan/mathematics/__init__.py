"""Formulas: small frozen trees that can be read from a line of text, evaluated, and typeset.

``read`` takes the notation of the registries (``"r_12 sqrt(V_1 V_2)"``); ``plain``, ``latex`` and
``mathml`` write a formula for a terminal, for Markdown and for a web page.
"""

from __future__ import annotations

from mix2stan.mathematics.nodes import (
    ONE,
    ZERO,
    Absolute,
    Apply,
    Fraction,
    Math,
    Matrix,
    Negative,
    Number,
    Power,
    Product,
    Row,
    Sign,
    Sum,
    Symbol,
    Word,
    evaluate,
    product,
    renamed,
    row,
    total,
)
from mix2stan.mathematics.reader import read
from mix2stan.mathematics.writers import latex, mathml, plain, plain_lines

__all__ = [
    "ONE",
    "ZERO",
    "Absolute",
    "Apply",
    "Fraction",
    "Math",
    "Matrix",
    "Negative",
    "Number",
    "Power",
    "Product",
    "Row",
    "Sign",
    "Sum",
    "Symbol",
    "Word",
    "evaluate",
    "latex",
    "mathml",
    "plain",
    "plain_lines",
    "product",
    "read",
    "renamed",
    "row",
    "total",
]
