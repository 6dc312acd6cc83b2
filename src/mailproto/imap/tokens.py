"""Arguments whose meaning we do not know: what any extension may say (RFC 4466 3).

A token is text for a bare word (``1:*``, ``$Junk``, ``/test``), ``bytes`` for a string,
and a tuple for a list in parentheses.  They are checked word by word, so that what is
unknown can be passed on, and nothing else can be said by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from .._text import write_text
from .grammar import (
    ATOM,
    Cursor,
    Fragment,
    Literal,
    check_atom,
    check_text,
    write_string,
)

MAX_DEPTH: Final = 100  # lists in lists; SEARCH keys in keys

Token: TypeAlias = "str | bytes | tuple[Token, ...]"

_word = re.compile(rb"\\?[%b\]%%*]++|\\\*" % ATOM)
_value = re.compile(rb"[0-9*$(]")


def check_tokens(tokens: Iterable[Token]) -> None:
    """Raise ValueError for what cannot be put on the wire, or is nested too deep."""
    write_tokens(tokens)


def write_tokens(tokens: Iterable[Token]) -> list[Fragment]:
    """The tokens with a space between them; raises ValueError."""
    written: list[Fragment] = []
    stack = [iter(tokens)]
    gap = b""
    while stack:
        for token in stack[-1]:
            if isinstance(token, tuple):
                if len(stack) > MAX_DEPTH:
                    raise ValueError(f"lists are nested more than {MAX_DEPTH} deep")
                written.append(gap + b"(")
                stack.append(iter(token))
                gap = b""
                break
            written += [gap, _write_one(token)]
            gap = b" "
        else:
            stack.pop()
            if stack:
                written.append(b")")
                gap = b" "
    return written


def _write_one(token: str | bytes) -> Fragment:
    if isinstance(token, str):
        if not token.isascii() or not _word.fullmatch(token.encode("ascii")):
            raise ValueError(f"{token!r} is no word; strings are bytes")
        return token.encode("ascii")
    if not isinstance(token, bytes):
        raise ValueError(f"{token!r} is no token")
    return Literal(token, binary=True) if b"\0" in token else write_string(token)


def take_token(cursor: Cursor) -> Token:
    """One token, a whole list if one begins here."""
    stack: list[list[Token]] = []
    while True:
        token = _take_one(cursor, stack)
        while True:
            if not stack:
                return token
            stack[-1].append(token)
            if not cursor.accept(b")"):
                break
            token = tuple(stack.pop())
        cursor.expect_space()


def _take_one(cursor: Cursor, stack: list[list[Token]]) -> Token:
    """The next word, string or empty list; lists that begin before it are stacked."""
    while cursor.accept(b"("):
        if cursor.accept(b")"):
            return ()
        if len(stack) == MAX_DEPTH:
            cursor.fail(f"lists are nested more than {MAX_DEPTH} deep")
        stack.append([])
    octet = cursor.peek()
    if octet == b'"':
        return cursor.take_quoted()
    if octet in (b"{", b"~") and (data := cursor.accept_literal()) is not None:
        return data
    return cursor.take(_word, "a word, a string or a list").decode("ascii")


def take_tokens(cursor: Cursor) -> tuple[Token, ...]:
    """All up to the end, each behind a space."""
    tokens: list[Token] = []
    while not cursor.at_end:
        cursor.expect_space()
        tokens.append(take_token(cursor))
    return tuple(tokens)


@dataclass(frozen=True, slots=True)
class Parameter:
    """RFC 4466 2: what an extension adds to a command, ``CHANGEDSINCE 12345``.

    The value is ``None``, a number or a set of messages as text, or a tuple.
    """

    name: str
    value: Token | None = None

    def __post_init__(self) -> None:
        check_atom(self.name, "the name of a parameter")
        if not self.name[0].isalpha():
            raise ValueError("the name of a parameter begins with a letter")
        object.__setattr__(self, "name", self.name.upper())
        if self.value is None:
            return
        check_tokens((self.value,))
        if not isinstance(self.value, tuple) and not (
            isinstance(self.value, str) and _value.match(self.value.encode("ascii"))
        ):
            raise ValueError("the value of a parameter is a number, a set or a list")

    def tokens(self) -> list[Token]:
        return [self.name] if self.value is None else [self.name, self.value]


def write_parameters(parameters: Sequence[Parameter]) -> list[Fragment]:
    """Their list in parentheses; raises nothing, and there must be one."""
    inner = tuple(token for parameter in parameters for token in parameter.tokens())
    return write_tokens([inner])


def take_parameters(cursor: Cursor) -> tuple[Parameter, ...]:
    """Their list, in its parentheses."""
    return cursor.take_list(_take_parameter)


def _take_parameter(cursor: Cursor) -> Parameter:
    start = cursor.at
    name = cursor.take_atom()
    value = None
    if cursor.peek() == b" " and cursor.finds(_value, 1):
        cursor.expect_space()
        value = take_token(cursor)
    return cursor.made(lambda: Parameter(name, value), start)


# -- what ID tells, of a client as of a server (RFC 2971 3.3) ------------------------

#: pairs of a name and a value, which may be NIL
Id: TypeAlias = tuple[tuple[str, str | None], ...]

MAX_ID_PAIRS: Final = 30
MAX_ID_NAME: Final = 30  # octets
MAX_ID_VALUE: Final = 1024  # octets


def check_id(fields: Iterable[tuple[str, str | None]]) -> None:
    """Raise ValueError for what RFC 2971 3.3 does not allow."""
    names: set[str] = set()
    for name, value in fields:
        check_text(name, "the name of a field")
        if len(write_text(name)) > MAX_ID_NAME:
            raise ValueError(f"the name of a field is longer than {MAX_ID_NAME} octets")
        if name.lower() in names:
            raise ValueError("a field is there twice")
        names.add(name.lower())
        if value is None:
            continue
        check_text(value, "the value of a field")
        if len(write_text(value)) > MAX_ID_VALUE:
            raise ValueError(f"a value is longer than {MAX_ID_VALUE} octets")
    if len(names) > MAX_ID_PAIRS:
        raise ValueError(f"there are more than {MAX_ID_PAIRS} fields")


def write_id(fields: Id | None) -> list[Fragment]:
    """The list of pairs, of the command as of the response."""
    if fields is None:
        return [b"NIL"]
    texts = (text for pair in fields for text in pair)
    return write_tokens(
        [tuple("NIL" if text is None else write_text(text) for text in texts)]
    )


def take_id(cursor: Cursor) -> Id | None:
    """The same back."""
    if cursor.accept_nil():
        return None
    return () if cursor.accept(b"()") else cursor.take_list(_take_field)


def _take_field(cursor: Cursor) -> tuple[str, str | None]:
    name = cursor.take_string_text()
    cursor.expect_space()
    return name, cursor.take_nstring_text()
