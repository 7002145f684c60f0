"""R text to syntax nodes: ``parse``.

The grammar is ``grammar/r.lark`` (LALR).  Around it stand three small things: a tidy-up of what
copying from a console or a slide leaves behind, a filter that drops the newlines R would ignore, and
a table that turns the place of a syntax error into advice.
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
import sys
from collections.abc import Iterator
from typing import Any, Final

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.lark import PostLex

from mix2stan.errors import FormulaError, Span
from mix2stan.folders import resource_folder
from mix2stan.syntax import (
    CONSTANTS,
    Argument,
    Assignment,
    Call,
    Constant,
    Formula,
    Name,
    Node,
    Number,
    Operator,
    Parens,
    Program,
    Replacement,
    String,
)

__all__ = ["is_formula", "parse", "parse_expression"]

MAX_CHARACTERS: Final = 100_000
# R reads a larger integer as any number.
_INTEGERS: Final = 2**31

# What word processors and slides make of R's characters, one for one so that spans stay true.
_TYPOGRAPHY = str.maketrans(
    {"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "–": "-", "−": "-", "∼": "~", "˜": "~"}
    | dict.fromkeys("\u00a0\u2007\u2009\u202f\u200b\ufeff", " ")
)
_PROMPT = re.compile(r"[ \t]*[>+]")
_STARTS_WITH_PROMPT = re.compile(r"(?:\s|#[^\n]*\n)*>")
# A line that ends so goes on, so that a '+' that begins the next one adds nothing.
_GOES_ON = re.compile(r"(?:[-+*/~|&=<>,(:^!]|%)[ \t]*(?:#.*)?$")
# Control flow and functions, looked for once a text cannot be read.
_PROGRAM = re.compile(r"(?<![\w.])(function|for|while|if|repeat|\{)(?=\s*[({]|(?<=\{))")
# Names and strings are somebody's data: what is in them stays as it is.
_QUOTED = re.compile(
    r"""`(?:\\.|[^`\\])*` | "(?:\\.|[^"\\“”„])*" | '(?:\\.|[^'\\‘’])*' | \#[^\n]*""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(
    r"""\\([0-7]{1,3} | x[0-9a-fA-F]{1,2} | u[0-9a-fA-F]{1,4} | u\{[0-9a-fA-F]{1,4}\}
        | U[0-9a-fA-F]{1,8} | U\{[0-9a-fA-F]{1,8}\} | .)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = dict(zip("ntrabfv", "\n\t\r\a\b\f\v", strict=True))

_OPEN: Final = {"LPAR": "RPAR", "LSQB": "RSQB"}
_CLOSE: Final = frozenset(_OPEN.values())
_INFIX: Final = frozenset(
    "TILDE OR AND COMPARE PLUS MINUS STAR SLASH SPECIAL COLON POWER DOLLAR PACKAGE".split()
)
# After one of these an expression is not complete, so R reads on over the newline.
_INCOMPLETE: Final = _INFIX | {"NOT", "COMMA", "EQUAL", "ASSIGN", "RIGHT_ASSIGN"}
_OPERANDS: Final = frozenset({"NAME", "NUMBER", "STRING"})


def parse(text: str) -> Program:
    """Read R text: assignments and calls, one per line.

    Args:
        text: R code, also as copied from a console (prompts ``>`` and ``+``) or a slide.

    Returns:
        The statements in order.  Spans count characters of ``text``.

    Raises:
        FormulaError: if it is not R, is too long, or is nested too deeply.
    """
    tree = _read(text, newlines_end_statements=True)
    if not tree.statements:
        raise FormulaError("there is no R code in this text", text, Span(0, len(text)))
    return tree


def parse_expression(text: str) -> Node:
    """Read one R expression, such as a formula; newlines in it mean nothing.

    Raises:
        FormulaError: as :func:`parse`, and if there is not exactly one expression.
    """
    program = _read(text, newlines_end_statements=False)
    match program.statements:
        case (Assignment() as statement,):
            raise FormulaError(
                "an expression is expected here, not an assignment", text, statement.span
            )
        case (statement,):
            return statement
    raise FormulaError("one R expression is expected here", text, Span(0, len(text)))


def is_formula(text: str) -> bool:
    """Whether the text is one formula with a left side, and no call."""
    try:
        return isinstance(parse_expression(text), Formula)
    except FormulaError:
        return False


def _read(text: str, newlines_end_statements: bool) -> Program:
    if len(text) > MAX_CHARACTERS:
        raise FormulaError(
            f"the text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read",
            hint="a sum over many columns can be written with '.', and the data cut to them",
        )
    clean = _tidy(text)
    _check_characters(text)
    if _STARTS_WITH_PROMPT.match(clean):
        clean = _without_prompts(clean)
    grammar = _grammar(newlines_end_statements)
    try:
        return Program(text, grammar.parse(clean))  # type: ignore[arg-type]
    except UnexpectedInput as error:
        raise _advice(error, clean, grammar).at(text) from None
    except FormulaError as error:
        raise error.at(text) from None


def _without_prompts(text: str) -> str:
    """The text with a blank for every prompt of R's console, ``>`` and ``+``.

    A ``+`` that stands elsewhere than the prompts, after a line that could end there, is a sum's.
    """
    lines: list[str] = []
    column, before = None, ""
    for line in text.split("\n"):
        found = _PROMPT.match(line)
        end = 0 if found is None else found.end()
        ours = end > 0 and (line[end - 1] == ">" or end == column or _GOES_ON.search(before))
        if ours:
            column = end if column is None else column
            line = f"{line[: end - 1]} {line[end:]}"
        lines.append(line)
        before = line if line.strip() else before
    return "\n".join(lines)


def _tidy(text: str) -> str:
    """The text with R's own characters, outside names and strings; as long as before."""
    pieces, end = [], 0
    for kept in _QUOTED.finditer(text):
        pieces += [text[end : kept.start()].translate(_TYPOGRAPHY), kept[0]]
        end = kept.end()
    return "".join([*pieces, text[end:].translate(_TYPOGRAPHY)])


def _check_characters(text: str) -> None:
    """Refuse half a character, which no program and no file can hold.

    Raises:
        FormulaError: if there is one.
    """
    for i, character in enumerate(text if not text.isascii() else ""):
        if "\ud800" <= character <= "\udfff":
            message = "this is half a character, a lone surrogate"
            raise FormulaError(
                message, text, Span(i, i + 1), "the text was read in a wrong encoding"
            )


@functools.cache
def _grammar(newlines_end_statements: bool) -> Lark:
    return Lark(
        (resource_folder("grammar") / "r.lark").read_text(encoding="utf-8"),
        start="program",
        parser="lalr",
        lexer="basic",
        propagate_positions=True,
        maybe_placeholders=False,
        postlex=_Newlines(newlines_end_statements),
        transformer=_Builder(),
    )


class _Newlines(PostLex):
    """Keeps a newline only where it ends a statement: outside brackets, after something complete."""

    always_accept = ("_END",)

    def __init__(self, end_statements: bool) -> None:
        self.end_statements = end_statements

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth = 0
        before: str | None = None
        pending: Token | None = None
        for token in stream:
            if token.type == "_END":
                complete = before is not None and before not in _INCOMPLETE
                if (self.end_statements or token == ";") and depth == 0 and complete:
                    pending = token
                continue
            if pending is not None:
                yield pending
                pending = None
            depth += (token.type in _OPEN) - (token.type in _CLOSE)
            before = token.type
            yield token


class _Builder(Transformer[Token, Any]):
    """Rule by rule from lark's children to syntax nodes; called by the parser as it reduces."""

    def program(self, statements: list[Node]) -> tuple[Node, ...]:
        return tuple(s for s in statements if isinstance(s, Node))

    def bare(self, parts: list[Node]) -> Node:
        return parts[0]

    def assignment(self, parts: list[Any]) -> Node:
        target, sign, value = parts
        return _assigned(target, sign, value)

    def assignment_right(self, parts: list[Any]) -> Node:
        value, sign, target = parts
        return _assigned(target, sign, value)

    def target(self, parts: list[Token]) -> tuple[str, Span]:
        return _word(parts[0]), _span(parts[0])

    def function(self, parts: list[Token]) -> tuple[str, str, Span]:
        package = "".join(parts[:-1])
        return _word(parts[-1]), package, _span(parts[0])

    def name(self, parts: list[Token]) -> Node:
        word, at = _word(parts[-1]), _span(parts[0]).to(_span(parts[-1]))
        if word in CONSTANTS and not parts[-1].startswith("`"):
            return Constant(word, span=at)
        return Name(word, span=at)

    def number(self, parts: list[Token]) -> Node:
        digits = parts[0].rstrip("L")
        try:
            value = float(int(digits, 16)) if digits[:2] in ("0x", "0X") else float(digits)
        except OverflowError:
            value = math.inf
        if math.isinf(value):  # as in R
            return Constant("Inf", span=_span(parts[0]))
        integer = parts[0].endswith("L") and value == int(value) and value < _INTEGERS
        return Number(value, integer=integer, span=_span(parts[0]))

    def string(self, parts: list[Token]) -> Node:
        return String(_word(parts[0]), span=_span(parts[0]))

    def parentheses(self, parts: list[Any]) -> Node:
        opening, inner, closing = parts
        return Parens(inner, span=_span(opening).to(_span(closing)))

    def positional(self, parts: list[Node]) -> Argument:
        return Argument(None, parts[0], span=parts[0].span)

    def named(self, parts: list[Any]) -> Argument:
        (name, at), _, value = parts
        return Argument(name, value, span=at.to(value.span))

    def index(self, parts: list[Node]) -> Argument:
        value = parts[0] if parts else Constant("NULL")
        return Argument(None, value, span=value.span)

    def call(self, parts: list[Any]) -> Node:
        function, package, at = parts[0]
        args = tuple(p for p in parts if isinstance(p, Argument))
        return Call(function, args, package, span=at.to(_span(parts[-1])))

    def subscript(self, parts: list[Any]) -> Node:
        args = tuple(p for p in parts if isinstance(p, Argument))
        whole = Argument(None, parts[0], span=parts[0].span)
        return Call("[", (whole, *args), span=parts[0].span.to(_span(parts[-1])))

    def item(self, parts: list[Any]) -> Node:
        whole, key, closing = parts[0], parts[-3], parts[-1]
        span = whole.span.to(_span(closing))
        # d[["f"]] is d$f
        name = Name(key.value, span=key.span) if isinstance(key, String) else key
        args = tuple(Argument(None, node, span=node.span) for node in (whole, name))
        return Call("$" if isinstance(key, String) else "[[", args, span=span)

    def element(self, parts: list[Any]) -> Node:
        whole, symbol, token = parts
        key = Name(_word(token), span=_span(token))
        args = (Argument(None, whole, span=whole.span), Argument(None, key, span=key.span))
        return Call(str(symbol), args, span=whole.span.to(key.span))

    def unary(self, parts: list[Any]) -> Node:
        symbol, operand = parts
        return Operator(str(symbol), (operand,), span=_span(symbol).to(operand.span))

    def binary(self, parts: list[Any]) -> Node:
        left, symbol, right = parts
        symbol = "^" if symbol == "**" else str(symbol)
        return Operator(symbol, (left, right), span=left.span.to(right.span))

    def sum(self, parts: list[Any]) -> Node:
        operands = [parts[0]]
        for sign, operand in zip(parts[1::2], parts[2::2], strict=True):
            if sign == "-":
                operand = Operator("-", (operand,), span=_span(sign).to(operand.span))
            operands.append(operand)
        return Operator("+", tuple(operands), span=parts[0].span.to(parts[-1].span))

    def formula_one_sided(self, parts: list[Any]) -> Node:
        tilde, right = parts
        return Formula(None, right, span=_span(tilde).to(right.span))

    def formula_two_sided(self, parts: list[Any]) -> Node:
        left, _, right = parts
        return Formula(left, right, span=left.span.to(right.span))


def _assigned(target: Node, sign: Token, value: Node) -> Node:
    """The assignment to a name, or to a part of something."""
    span = target.span.to(value.span)
    match target:
        case Name(name=name) | String(value=name):
            return Assignment(name, value, span=span)
        case Call(args=(_, *_)):
            return Replacement(target, value, span=span)
    hint = "an equality test is written '=='" if sign == "=" else None
    raise FormulaError(f"nothing can be assigned to {target}", span=target.span, hint=hint)


def _span(token: Token) -> Span:
    return Span(int(token.start_pos or 0), int(token.end_pos or 0))


def _word(token: Token) -> str:
    """The name or string a token stands for, without quotes and escapes."""
    text = str(token)
    if text[0] not in "`\"'":
        return text
    return _ESCAPE.sub(_unescape, text[1:-1]) if "\\" in text else text[1:-1]


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "01234567":
        return chr(int(code, 8))
    if len(code) > 1:
        place = int(code[1:].strip("{}"), 16)
        return chr(place) if place <= sys.maxunicode else match[0]
    return _ESCAPED.get(code, code)


# -- advice: what to say about a syntax error, by the tokens around it ----------------------------


def _tokens(grammar: Lark, text: str) -> Iterator[Token]:
    """The tokens up to the first character that begins none."""
    with contextlib.suppress(UnexpectedCharacters):
        yield from grammar.lex(text)


def _advice(error: UnexpectedInput, text: str, grammar: Lark) -> FormulaError:
    """Turn lark's error into one a person who writes formulas can act on."""
    at = int(error.pos_in_stream or 0)
    program = _PROGRAM.search(text, 0, at + 1)
    if program is not None:
        raised = f"{program[1]!r} is for programs, which are not run"
        advice = "write the lines that it comes down to, one after the other"
        return FormulaError(raised, text, Span(*program.span(1)), advice)
    if isinstance(error, UnexpectedCharacters):
        character = text[at]
        if character in "\"'`":
            return FormulaError("this quote is never closed", text, Span(at, at + 1))
        return FormulaError(f"{character!r} has no meaning in R code", text, Span(at, at + 1))
    assert isinstance(error, UnexpectedToken)
    here: Token = error.token
    before = (
        [t for t in _tokens(grammar, text) if (t.start_pos or 0) < at]
        if here.type != "$END"
        else None
    )
    if before is None:
        return _advice_at_end(list(_tokens(grammar, text)), text)
    last = before[-1] if before else None
    message, span, hint = _advice_between(before, last, here)
    return FormulaError(message, text, span, hint)


def _advice_at_end(tokens: list[Token], text: str) -> FormulaError:
    unclosed = _unclosed(tokens)
    last = tokens[-1]
    if last.type in _INCOMPLETE:
        return FormulaError(f"something is missing after {str(last)!r}", text, _span(last))
    if unclosed:
        message = f"this {str(unclosed[-1])!r} is never closed"
        return FormulaError(message, text, _span(unclosed[-1]))
    return FormulaError("the text ends too early", text, _span(last))


def _unclosed(tokens: list[Token]) -> list[Token]:
    """The brackets still open after these tokens, outermost first."""
    unclosed: list[Token] = []
    for token in tokens:
        if token.type in _OPEN:
            unclosed.append(token)
        elif token.type in _CLOSE and unclosed:
            unclosed.pop()
    return unclosed


def _advice_between(
    before: list[Token], last: Token | None, here: Token
) -> tuple[str, Span, str | None]:
    """Message, place and hint for an unexpected token ``here`` after ``last``."""
    opened = len(_unclosed(before))
    kind, span = here.type, _span(here)
    if last is None:
        return f"R code cannot start with {str(here)!r}", span, None
    match last.type, kind:
        case (("NAME" | "STRING"), "EQUAL"):
            hint = "an equality test is written '=='" if opened == 0 else None
            return f"a comma is missing before '{last} ='", _span(last), hint
        case _, "EQUAL":
            return "only a name can stand before '='", span, "an equality test is written '=='"
        case _, ("ASSIGN" | "RIGHT_ASSIGN") if opened:
            return f"{str(here)!r} cannot stand inside a call", span, "arguments are given with '='"
        case _, ("RPAR" | "RSQB") if opened <= 0:
            return f"this {str(here)!r} closes nothing", span, None
        case "COMMA", ("COMMA" | "RPAR"):
            return "an argument is missing after this comma", _span(last), None
        case "LPAR", "COMMA":
            return "an argument is missing before this comma", span, None
        case (("LPAR" | "LSQB"), _) if kind == _OPEN[last.type]:
            return "nothing stands between these brackets", _span(last).to(span), None
        case _, ("RPAR" | "RSQB" | "COMMA") if last.type in _INCOMPLETE:
            return f"something is missing after {str(last)!r}", _span(last), None
        case _, ("RPAR" | "RSQB"):
            return f"{str(here)!r} does not match the bracket it should close", span, None
        case _, "COMMA" if opened == 0:
            hint = "is the name of the function missing, as in lmer(…)?"
            return "a comma can only stand inside a call", span, hint
        case _, "COMMA":
            return (
                "this '(' is not closed before the next argument",
                _span(_unclosed(before)[-1]),
                None,
            )
        case _ if kind in _INFIX and last.type in _INCOMPLETE | set(_OPEN):
            return f"something is missing before {str(here)!r}", span, None
        case ("TILDE", _) | (_, "TILDE"):
            return "a formula cannot stand here", span, None
        case _ if kind in _OPERANDS | {"LPAR"}:
            hint = "terms are joined with '+', arguments separated with ','"
            return f"an operator or a comma is missing before {str(here)!r}", span, hint
    return f"{str(here)!r} cannot stand here", span, None
