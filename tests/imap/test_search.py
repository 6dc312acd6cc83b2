"""The keys of SEARCH: a tree that is written and read without recursion."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

import pytest
from hypothesis import given

from mailproto import imap
from mailproto.imap import Cursor, Search, SequenceSet, UidSet, kinds, search
from mailproto.imap.grammar import inline
from mailproto.imap.search import (
    DELETED,
    FLAGGED,
    SEEN,
    And,
    Before,
    From,
    Header,
    Key,
    Keyword,
    Larger,
    Leaf,
    Messages,
    Not,
    On,
    Or,
    Other,
    SentSince,
    Since,
    Smaller,
    Subject,
    Text,
    To,
    Uid,
    Unkeyword,
    Word,
    any_of,
    take_key,
)
from tests.imap.strategies import keys


def read(text: bytes) -> Key:
    cursor = Cursor(text)
    key = take_key(cursor)
    cursor.expect_end()
    return key


@given(keys)
def test_what_is_written_is_read(key: Key) -> None:
    assert read(inline(key.write())) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (b"SEEN", SEEN), (b"seen", SEEN), (b"NOT SEEN", Not(SEEN)),
        (b"OR SEEN NOT DELETED", Or(SEEN, Not(DELETED))),
        (b"(SEEN)", And(SEEN)), (b"(SEEN (FLAGGED))", And(SEEN, And(FLAGGED))),
        (b"OR OR SEEN FLAGGED DELETED", Or(Or(SEEN, FLAGGED), DELETED)),
        (b"NOT (SEEN OR FLAGGED DELETED)", Not(And(SEEN, Or(FLAGGED, DELETED)))),
        (b"FROM Smith", From("Smith")), (b'TO "a b"', To("a b")),
        (b"SUBJECT {3}\r\na\r\n", Subject("a\r\n")), (b"TEXT NIL", Text("NIL")),
        (b'HEADER Message-ID ""', Header("Message-ID")),
        (b"SINCE 1-Feb-1994", Since(date(1994, 2, 1))),
        (b'BEFORE "01-fEB-1994"', Before(date(1994, 2, 1))),
        (b"SENTSINCE 31-Dec-0001", SentSince(date(1, 12, 31))),
        (b"KEYWORD $Junk", Keyword("$Junk")), (b"UNKEYWORD a", Unkeyword("a")),
        (b"LARGER 0", Larger(0)), (b"SMALLER 4294967295", Smaller(2**32 - 1)),
        (b"2,4:7", Messages(SequenceSet("2,4:7"))), (b"*", Messages(SequenceSet("*"))),
        (b"UID 304:*", Uid(UidSet("304:*"))),
    ],
)  # fmt: skip
def test_what_stands_on_the_wire(text: bytes, key: Key) -> None:
    assert read(text) == key
    assert read(inline(key.write())) == key


def test_keys_can_be_combined() -> None:
    key: Key = SEEN & FLAGGED & ~DELETED
    assert key == And(SEEN, FLAGGED, Not(DELETED))
    key = SEEN & (FLAGGED & DELETED)
    assert key == And(SEEN, FLAGGED, DELETED)
    key = SEEN | FLAGGED
    assert key == Or(SEEN, FLAGGED)
    assert inline((SEEN | ~From("x")).write()) == b"OR SEEN NOT FROM x"


def test_a_long_choice_is_not_deep() -> None:
    senders = [From(f"a{i}") for i in range(1000)]
    key = any_of(*senders)
    assert key.depth == 10
    found = []
    stack = [key]
    while stack:
        part = stack.pop()
        if isinstance(part, Or):
            stack += reversed(part.keys)
        else:
            found.append(part)
    assert found == senders
    assert any_of(SEEN) == SEEN
    assert any_of(SEEN, FLAGGED, DELETED) == Or(Or(SEEN, FLAGGED), DELETED)


@pytest.mark.parametrize("begin", [b"(", b"NOT ", b"OR SEEN ", b"OR (SEEN) (NOT "])
def test_depth_has_a_limit(begin: bytes) -> None:
    close = b")" * begin.endswith((b"(", b"(NOT "))
    levels = {b"OR (SEEN) (NOT ": 33}.get(begin, 100)
    deep = begin * levels + b"SEEN" + close * levels
    assert 99 <= read(deep).depth <= 100
    assert inline(read(deep).write()) == deep
    assert read(deep) == read(deep)
    repr(read(deep))
    for levels in (101, 100_000):
        with pytest.raises(ValueError, match="100 deep"):
            read(begin * levels + b"SEEN" + close * levels)


def test_depth_has_a_limit_for_us_too() -> None:
    key: Key = SEEN
    for _ in range(100):
        key = ~key
    for make in (
        lambda: ~key,
        lambda: key | SEEN,
        lambda: And(key),
        lambda: key & SEEN,
    ):
        with pytest.raises(ValueError, match="100 deep"):
            make()


def test_a_moment_is_its_day() -> None:
    assert On(datetime(2026, 1, 2, 3, 4)) == On(date(2026, 1, 2))


def test_all_words_have_a_constant() -> None:
    for word, key in search.CONSTANTS.items():
        assert getattr(search, word) == key == Word(word.lower())


def test_the_charset_is_chosen() -> None:
    assert Search(Text("abc")).charset is None
    assert Search(Text("abc"), charset="us-ascii").charset == "US-ASCII"
    assert Search(Text("é")).charset == "UTF-8"
    assert Search(~(SEEN | Header("X", "é"))).charset == "UTF-8"
    assert Search(Text("\udcff"), charset="koi8-r").charset == "KOI8-R"


def test_a_key_of_an_extension_has_no_class() -> None:
    key = Other("x-gm-raw", b'has:"a b"', "3600", ("A", b"\xe9"))
    assert inline(key.write()) == b'X-GM-RAW "has:\\"a b\\"" 3600 (A {1}\r\n\xe9)'
    assert Search(Other("YOUNGER", "3600"), ~SEEN).charset is None
    assert Search(~Other("X-GM-RAW", "é".encode())).charset == "UTF-8"
    with pytest.raises(ValueError, match="no such search key"):
        read(b"YOUNGER 3600")
    for name, *tokens in (
        ("X SEEN",), ("",), ("12",), ("1:*",), ("(",), ("X\r\n",), ("X", "a b"),
        ("X", "\r\n"), ("X", "(NOT"), ("X", ("\0",)),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            Other(name, *tokens)
    assert b"\r\n" in inline(Other("X", b"\r\n").write())  # in a literal, counted


@dataclass(frozen=True, slots=True)
class Within(Leaf):
    """RFC 5032 3: INTERNALDATE is not older than that."""

    name = "YOUNGER"
    seconds: kinds.Counting


class SearchWithin(Search):
    """SEARCH where WITHIN is known."""

    __slots__ = ()
    known: ClassVar = {**search.LEAVES, Within.name: Within}


def test_an_application_can_tell_of_more_keys() -> None:
    verbs = imap.verbs_of(SearchWithin)
    line = b"UID SEARCH OR SEEN (YOUNGER 3600 FROM x)"
    command = imap.read_command(Cursor(line), verbs)
    assert command == SearchWithin(SEEN | And(Within(3600), From("x")), uid=True)
    assert inline(command.write()) == line
    for wrong in (b"SEARCH YOUNGER", b"SEARCH YOUNGER 0", b"SEARCH YOUNGER 1a"):
        with pytest.raises(ValueError):
            imap.read_command(Cursor(wrong), verbs)
    with pytest.raises(ValueError):
        Within(0)
