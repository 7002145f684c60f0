"""Formulas as plain text, as LaTeX and as MathML."""

from __future__ import annotations

import html
from collections.abc import Sequence

from mix2stan.mathematics.nodes import (
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
)
from mix2stan.syntax import format_number

__all__ = ["latex", "mathml", "plain", "plain_lines"]

_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η",
    "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "phi": "φ", "Sigma": "Σ", "Lambda": "Λ",
}  # fmt: skip
_LATEX_SIGNS = {"~": r"\sim", "…": r"\cdots", "≠": r"\ne", "<": r"\lt", ">": r"\gt", ",": ",\\;"}
_LATEX_FUNCTIONS = frozenset({"exp", "log"})
_LATEX_ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "_": r"\_", "%": r"\%", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}",
    "\n": " ",
}  # fmt: skip

#: How tightly a piece holds together; what is looser than its place is put in brackets.
_LOOSE, _ADDED, _MULTIPLIED, _RAISED, _WHOLE = range(5)


def _tightness(node: Math, boxed: bool) -> int:
    match node:
        case Row():
            return _LOOSE
        case Sum() | Negative():
            return _ADDED
        case Product():
            return _MULTIPLIED
        case Fraction():
            return _WHOLE if boxed else _MULTIPLIED
        case Power():
            return _RAISED
        case Number(value) if value < 0:
            return _ADDED
    return _WHOLE


def plain(formula: Math) -> str:
    """The formula on one line; the rows of a matrix are parted by ``;``.

    >>> from mix2stan.mathematics import read
    >>> plain(read("y ~ Normal(mu, sigma^2)"))
    'y ~ Normal(μ, σ²)'
    """
    match formula:
        case Symbol(name, sub):
            return _plain_symbol(_GREEK.get(name, name), sub)
        case Word(text) | Sign(text):
            return text
        case Number(value):
            return format_number(value, 4)
        case Sum(terms):
            return "".join(_plain_term(t, first=i == 0) for i, t in enumerate(terms))
        case Negative(of):
            return f"-{_plain_within(of, _MULTIPLIED)}"
        case Product(factors):
            return " ".join(_plain_within(f, _RAISED) for f in factors)
        case Fraction(top, bottom):
            return f"{_plain_within(top, _MULTIPLIED)} / {_plain_within(bottom, _RAISED)}"
        case Power(base, exponent):
            return _plain_power(_plain_within(base, _WHOLE), exponent)
        case Apply(function, arguments):
            return f"{function}({', '.join(map(plain, arguments))})"
        case Absolute(of):
            return f"|{plain(of)}|"
        case Row(parts):
            text = " ".join(plain(p) for p in parts)
            return text.replace(" ,", ",")
        case Matrix(rows):
            return f"[{'; '.join(' '.join(map(plain, r)) for r in rows)}]"
    raise TypeError(f"{type(formula).__name__} is not a piece of a formula")


def _plain_symbol(name: str, sub: str) -> str:
    if not sub:
        return name
    return f"{name}{sub}" if sub.replace(",", "").isdigit() else f"{name}_{sub}"


def _plain_within(node: Math, tightness: int) -> str:
    text = plain(node)
    return f"({text})" if _tightness(node, boxed=False) < tightness else text


def _plain_term(term: Math, first: bool) -> str:
    if first:
        return plain(term)
    if isinstance(term, Negative):
        return f" - {_plain_within(term.of, _MULTIPLIED)}"
    return f" + {_plain_within(term, _ADDED)}"


def _plain_power(base: str, exponent: Math) -> str:
    match exponent:
        case Number(2.0):
            return f"{base}²"
        case Number(3.0):
            return f"{base}³"
    return f"{base}^{_plain_within(exponent, _WHOLE)}"


def plain_lines(formula: Math) -> list[str]:
    """The formula on as many lines as its matrices have rows."""
    parts = formula.parts if isinstance(formula, Row) else (formula,)
    height = max((len(p.rows) for p in parts if isinstance(p, Matrix)), default=1)
    lines = [""] * height
    for part in parts:
        box = _plain_matrix(part) if isinstance(part, Matrix) else [plain(part)]
        above = (height - len(box)) // 2
        width = max(map(len, box))
        gap = "" if part == Sign(",") or not lines[0] else " "
        block = [""] * above + box + [""] * (height - above - len(box))
        lines = [f"{line}{gap}{text:<{width}}" for line, text in zip(lines, block, strict=True)]
    return [line.rstrip() for line in lines]


def _plain_matrix(matrix: Matrix) -> list[str]:
    cells = [[plain(entry) for entry in r] for r in matrix.rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        f"[ {'  '.join(f'{c:<{w}}' for c, w in zip(line, widths, strict=True))} ]" for line in cells
    ]


def latex(formula: Math) -> str:
    """The formula as LaTeX of mathematics, without dollars.

    >>> from mix2stan.mathematics import read
    >>> latex(read("r_12 sqrt(V_1 V_2)"))
    'r_{12} \\\\, \\\\sqrt{V_{1} \\\\, V_{2}}'
    """
    match formula:
        case Symbol(name, sub):
            base = f"\\{name}" if name in _GREEK else _latex_name(name)
            return base if not sub else f"{base}_{{{_latex_sub(sub)}}}"
        case Word(text):
            return f"\\text{{{_latex_text(text)}}}"
        case Sign(text):
            return _LATEX_SIGNS.get(text, text)
        case Number(value):
            return format_number(value, 4)
        case Sum(terms):
            return _latex_sum(terms)
        case Negative(of):
            return f"-{_latex_within(of, _MULTIPLIED)}"
        case Product(factors):
            return r" \, ".join(_latex_within(f, _MULTIPLIED) for f in factors)
        case Fraction(top, bottom):
            return f"\\frac{{{latex(top)}}}{{{latex(bottom)}}}"
        case Power(base_, exponent):
            base = (
                f"({latex(base_)})" if isinstance(base_, Fraction) else _latex_within(base_, _WHOLE)
            )
            return f"{base}^{{{latex(exponent)}}}"
        case Apply("sqrt", (of,)):
            return f"\\sqrt{{{latex(of)}}}"
        case Apply(function, arguments):
            return f"{_latex_function(function)}({', '.join(map(latex, arguments))})"
        case Absolute(of):
            return f"\\lvert {latex(of)} \\rvert"
        case Row(parts):
            return " ".join(map(latex, parts))
        case Matrix(rows):
            body = r" \\ ".join(" & ".join(map(latex, r)) for r in rows)
            return f"\\begin{{bmatrix}} {body} \\end{{bmatrix}}"
    raise TypeError(f"{type(formula).__name__} is not a piece of a formula")


def _latex_name(name: str) -> str:
    return name if len(name) == 1 else f"\\mathrm{{{_latex_text(name)}}}"


def _latex_sub(sub: str) -> str:
    plain_sub = sub.replace(",", "").isdigit() or len(sub) == 1
    return sub if plain_sub else f"\\text{{{_latex_text(sub)}}}"


def _latex_function(function: str) -> str:
    if function in _LATEX_FUNCTIONS:
        return f"\\{function}"
    return f"\\mathrm{{{_latex_text(function)}}}" if function else ""


def _latex_text(text: str) -> str:
    return "".join(_LATEX_ESCAPES.get(character, character) for character in text)


def _latex_within(node: Math, tightness: int) -> str:
    text = latex(node)
    return f"({text})" if _tightness(node, boxed=True) < tightness else text


def _latex_sum(terms: Sequence[Math]) -> str:
    text = latex(terms[0])
    for term in terms[1:]:
        minus = isinstance(term, Negative)
        inner = _latex_within(term.of, _MULTIPLIED) if minus else latex(term)  # type: ignore[attr-defined]
        text += f" {'-' if minus else '+'} {inner}"
    return text


def mathml(formula: Math, *, block: bool = False) -> str:
    """The formula as a ``<math>`` element; all text is escaped."""
    display = ' display="block"' if block else ""
    return f"<math{display}>{_element(formula)}</math>"


def _tag(name: str, *inner: str) -> str:
    return f"<{name}>{''.join(inner)}</{name}>"


def _element(formula: Math) -> str:
    match formula:
        case Symbol(name, sub):
            letter = _tag("mi", html.escape(_GREEK.get(name, name)))
            return letter if not sub else _tag("msub", letter, _subscript(sub))
        case Word(text):
            return _tag("mtext", html.escape(text))
        case Sign(text):
            return _tag("mo", html.escape(text))
        case Number(value):
            sign = _tag("mo", "−") if value < 0 else ""
            return _tag("mrow", sign, _tag("mn", format_number(abs(value), 4)))
        case Sum(terms):
            return _tag("mrow", *_signed(terms))
        case Negative(of):
            return _tag("mrow", _tag("mo", "−"), _within(of, _MULTIPLIED))
        case Product(factors):
            space = '<mspace width="0.17em"/>'
            return _tag("mrow", space.join(_within(f, _MULTIPLIED) for f in factors))
        case Fraction(top, bottom):
            return _tag("mfrac", _element(top), _element(bottom))
        case Power(base, exponent):
            inner = _element(base)
            below = _bracketed(inner) if isinstance(base, Fraction) else _within(base, _WHOLE)
            return _tag("msup", below, _element(exponent))
        case Apply("sqrt", (of,)):
            return _tag("msqrt", _element(of))
        case Apply(function, arguments):
            comma = _tag("mo", ",")
            inner = comma.join(map(_element, arguments))
            name = f'<mi mathvariant="normal">{html.escape(function)}</mi>' if function else ""
            return _tag("mrow", name, _bracketed(inner))
        case Absolute(of):
            return _tag("mrow", _tag("mo", "|"), _element(of), _tag("mo", "|"))
        case Row(parts):
            return _tag("mrow", *map(_element, parts))
        case Matrix(rows):
            lines = (_tag("mtr", *(_tag("mtd", _element(e)) for e in r)) for r in rows)
            return _tag("mrow", _tag("mo", "["), _tag("mtable", *lines), _tag("mo", "]"))
    raise TypeError(f"{type(formula).__name__} is not a piece of a formula")


def _subscript(sub: str) -> str:
    if sub.replace(",", "").isdigit():
        return _tag("mn", sub)
    return _tag("mi" if len(sub) == 1 else "mtext", html.escape(sub))


def _bracketed(inner: str) -> str:
    return _tag("mrow", _tag("mo", "("), inner, _tag("mo", ")"))


def _within(node: Math, tightness: int) -> str:
    text = _element(node)
    return _bracketed(text) if _tightness(node, boxed=True) < tightness else text


def _signed(terms: Sequence[Math]) -> list[str]:
    parts = [_element(terms[0])]
    for term in terms[1:]:
        if isinstance(term, Negative):
            parts += [_tag("mo", "−"), _within(term.of, _MULTIPLIED)]
        else:
            parts += [_tag("mo", "+"), _element(term)]
    return parts
