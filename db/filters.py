"""The filter language of CLI, dashboard and Python: read into a tree, never evaluated as code.

    dataset == "mosi" and optim.lr < 1e-4 and test.acc7 > 0.45
    model in [setgf, self_mm] and not (state == failed or has broken)
    created > 2d and name ~ "ablation-[0-9]+" and best_valid != null

    filter      := all ("or" all)*
    all         := one ("and" one)*
    one         := "not" one | "(" filter ")" | "has" ["tag"] WORD | NAME [comparison]
    comparison  := ("==" | "!=" | "<" | "<=" | ">" | ">=" | "~") VALUE
                 | ["not"] "in" "[" VALUE ("," VALUE)* "]"

A name is a column of a run (`dataset`, `seed`, `state`, `created` ...), a setting (`optim.lr`, or
`lr` where that is unique) or a metric: `test.acc7` is the final value, or the last one while there
is none; `last.train.loss` and `best.valid.mae` are of the series. `tag == x` is `has x`. A value is
a number, a word, a string in quotes, `true`, `false`, `null`, a duration (`30s 10min 2h 3d 1w`)
or a date (`2026-01-31`). A moment is compared with a duration as the time that long ago:
`created > 2d` means in the last two days. A comparison with a missing value is false, and `!=` is
the opposite of `==`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import NoReturn

from db.errors import FilterError

MAX_DEPTH = 50
MAX_TERMS = 200


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a filter and where it stands."""

    kind: str
    """`word`, `string`, `symbol` or `end`."""
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Value:
    """A literal as it was typed, with what it can mean."""

    token: Token
    number: float | None = None
    seconds: float | None = None
    """A duration."""
    moment: float | None = None
    """A date, in seconds since the epoch."""
    boolean: bool | None = None
    is_null: bool = False

    @property
    def text(self) -> str:
        """The literal as text, without its quotes."""
        return self.token.text


@dataclass(frozen=True, slots=True)
class Comparison:
    """`name operator value`; the operator is one of == != < <= > >= ~."""

    name: Token
    operator: str
    operator_token: Token
    value: Value


@dataclass(frozen=True, slots=True)
class Membership:
    """`name in [values]`."""

    name: Token
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """A name alone: true where the column is."""

    name: Token


@dataclass(frozen=True, slots=True)
class HasTag:
    """`has tag`."""

    tag: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a filter."""

    part: Filter


@dataclass(frozen=True, slots=True)
class AllOf:
    """True where every part is."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where some part is."""

    parts: tuple[Filter, ...]


Filter = Comparison | Membership | Truth | HasTag | Not | AllOf | AnyOf


def parse(text: str) -> Filter:
    """Return the tree of a filter.

    Raises:
        FilterError: the text can't be read; the message shows where.
    """
    return _Parser(text).read()


def refused(text: str, token: Token, problem: str) -> FilterError:
    """Return the error that says the problem and shows the filter with a caret under the token."""
    mark = "^" + "~" * (token.end - token.start - 1)
    line = re.sub(r"\s", " ", text)
    return FilterError(f"{problem}\n  {line}\n  {' ' * token.start}{mark}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean ...?` for the known name nearest to `name`, or nothing."""
    found = get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f" Did you mean `{found[0]}`?" if found else ""


_TOKENS = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<symbol>==|!=|<=|>=|[<>~()\[\],])
    |(?P<word>[^\s()\[\],=!<>~"']+)""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|min|m|h|d|w)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?)?")
_NAME = re.compile(r"[A-Za-z_][\w.\-]*")
_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "~")
_KEYWORDS = ("and", "or", "not", "in", "has")
_OTHER_WORDS = {
    **dict.fromkeys(("&&", "&"), "and"),
    **dict.fromkeys(("||", "|"), "or"),
    **dict.fromkeys(("like", "matches", "glob", "regexp"), "~"),
    **dict.fromkeys(("is", "eq", "equals"), "=="),
    "contains": "~",
}
"""What other languages say, and what it is here."""


def _tokens(text: str) -> Iterable[Token]:
    position = 0
    while position < len(text):
        match = _TOKENS.match(text, position)
        if match is None:
            _refuse_character(text, position)
        kind = match.lastgroup or ""
        word = match.group()
        if kind == "string":
            quote = word[0]
            word = word[1:-1].replace(f"\\{quote}", quote)
        if kind != "space":
            yield Token(kind, word, match.start(), match.end())
        position = match.end()
    yield Token("end", "", len(text), len(text) + 1)


def _is_after_a_name(tokens: Sequence[Token]) -> bool:
    """Return True when the last of `tokens` is a name that nothing compares yet."""
    before = tokens[-2] if len(tokens) > 1 else None
    return before is None or before.text in ("(", "and", "or", "not")


def _refuse_character(text: str, position: int) -> NoReturn:
    token = Token("symbol", text[position], position, position + 1)
    if token.text in "\"'":
        raise refused(text, token, "This string has no closing quote.")
    if token.text == "=":
        raise refused(text, token, "`=` is not a comparison; use `==`.")
    raise refused(text, token, f"`{token.text}` means nothing here; `not` negates a filter.")


class _Parser:
    """Reads tokens from left to right, one function a rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: Sequence[Token] = tuple(_tokens(text))
        self._next = 0
        self._depth = 0
        self._terms = 0

    def read(self) -> Filter:
        found = self._any_of()
        if self._token.kind != "end":
            self._refuse(f"`{self._token.text}` is unexpected here; {self._expected()}.")
        return found

    def _expected(self) -> str:
        """Return what could have stood where something else does."""
        word = self._token.text.lower()
        if word in _OTHER_WORDS:
            return f"use `{_OTHER_WORDS[word]}`"
        before = self._tokens[self._next - 1]
        if before.kind == "word" and _is_after_a_name(self._tokens[: self._next]):
            return f"after a name comes one of {' '.join(_COMPARISONS)} in"
        return "expected `and` or `or`"

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._token
        self._next += 1
        return token

    def _is_word(self, word: str) -> bool:
        return self._token.kind == "word" and self._token.text.lower() == word

    def _is_symbol(self, symbol: str) -> bool:
        return self._token.kind == "symbol" and self._token.text == symbol

    def _expect(self, symbol: str) -> None:
        if not self._is_symbol(symbol):
            self._refuse(f"Expected `{symbol}` here.")
        self._take()

    def _refuse(self, problem: str, token: Token | None = None) -> NoReturn:
        raise refused(self._text, token or self._token, problem)

    def _any_of(self) -> Filter:
        parts = [self._all_of()]
        while self._is_word("or"):
            self._take()
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all_of(self) -> Filter:
        parts = [self._one()]
        while self._is_word("and"):
            self._take()
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _one(self) -> Filter:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"The filter is nested deeper than {MAX_DEPTH}.")
        try:
            if self._is_word("not"):
                self._take()
                return Not(self._one())
            if self._is_symbol("("):
                self._take()
                found = self._any_of()
                self._expect(")")
                return found
            return self._term()
        finally:
            self._depth -= 1

    def _term(self) -> Filter:
        self._terms += 1
        if self._terms > MAX_TERMS:
            self._refuse(f"The filter has more than {MAX_TERMS} comparisons.")
        if self._is_word("has"):
            return self._tag()
        name = self._name()
        if self._token.kind == "symbol" and self._token.text in _COMPARISONS:
            operator = self._take()
            return Comparison(name, operator.text, operator, self._value())
        if self._is_word("in"):
            return self._membership(name)
        if self._is_word("not"):
            self._take()
            if not self._is_word("in"):
                self._refuse("Expected `in` after `not`.")
            return Not(self._membership(name))
        return Truth(name)

    def _tag(self) -> HasTag:
        """Read `has NAME` or `has tag NAME`; `has tag` alone asks for a tag of that name."""
        self._take()
        if self._token.kind not in ("word", "string"):
            self._refuse("Expected a tag after `has`.")
        tag, after = self._take(), self._token
        is_filler = tag.kind == "word" and tag.text.lower() == "tag"
        names_one = after.kind == "string" or (
            after.kind == "word" and after.text.lower() not in _KEYWORDS
        )
        return HasTag((self._take() if is_filler and names_one else tag).text)

    def _name(self) -> Token:
        token = self._token
        if token.kind == "end":
            self._refuse("The filter ends too early; expected a name.")
        is_name = token.kind == "word" and _NAME.fullmatch(token.text)
        if not is_name or token.text.lower() in _KEYWORDS:
            self._refuse(f"`{token.text}` is unexpected here; expected a name such as `dataset`.")
        return self._take()

    def _membership(self, name: Token) -> Membership:
        self._take()
        self._expect("[")
        values = [self._value()]
        while self._is_symbol(","):
            self._take()
            values.append(self._value())
        self._terms += len(values)
        self._expect("]")
        return Membership(name, tuple(values))

    def _value(self) -> Value:
        token = self._token
        if token.kind == "end":
            self._refuse("The filter ends too early; expected a value.")
        if token.text == ">" and self._tokens[self._next - 1].text == "<":
            self._refuse("`<>` is not a comparison; use `!=`.")
        if token.kind not in ("word", "string") or self._is_word("and") or self._is_word("or"):
            self._refuse(f"`{token.text}` is unexpected here; expected a value.")
        self._take()
        return Value(token) if token.kind == "string" else self._meaning(token)

    def _meaning(self, token: Token) -> Value:
        word = token.text
        if word.lower() in ("true", "false"):
            return Value(token, boolean=word.lower() == "true")
        if word.lower() in ("null", "none"):
            return Value(token, is_null=True)
        if _NUMBER.fullmatch(word):
            return Value(token, number=float(word))
        if duration := _DURATION.fullmatch(word):
            return Value(token, seconds=float(duration[1]) * _SECONDS[duration[2]])
        if _DATE.fullmatch(word):
            try:
                return Value(token, moment=datetime.fromisoformat(word).astimezone().timestamp())
            except ValueError:
                self._refuse(f"`{word}` is not a date of the calendar.", token)
        return Value(token)
