"""The small words: strings, flags, dates, sections, and the Cursor that reads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto._text import write_text
from mailproto.imap import Cursor, GrammarError, Literal, Section, Streamed, dates
from mailproto.imap import grammar as g
from mailproto.imap.dates import read_date, read_date_time
from mailproto.imap.items import Item
from mailproto.imap.names import check_name
from tests.imap.strategies import flags, items, moments, names, sections, texts


def whole(text: bytes, take: Callable[[Cursor], Any], **options: Any) -> Any:
    cursor = Cursor(text, **options)
    value = take(cursor)
    cursor.expect_end()
    return value


octets = st.binary(max_size=40).map(lambda data: data.replace(b"\0", b""))


# -- strings ---------------------------------------------------------------------


@given(octets | texts.map(write_text))
def test_strings(data: bytes) -> None:
    for write, take in (
        (g.write_string, Cursor.take_string), (g.write_astring, Cursor.take_astring),
        (g.write_nstring, Cursor.take_nstring), (g.write_nstring, Cursor.take_body),
    ):  # fmt: skip
        wire = g.inline([write(data)])
        assert whole(wire, take) == data


@given(names)
def test_mailboxes(name: str) -> None:
    checked = check_name(name)
    assert whole(g.inline([g.write_mailbox(checked)]), Cursor.take_mailbox) == checked
    pattern = check_name(name + "*%")
    wire = g.inline([g.write_list_mailbox(pattern)])
    assert whole(wire, Cursor.take_list_mailbox) == pattern


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"", b'""'), (b"abc", b'"abc"'), (b'a"\\', b'"a\\"\\\\"'),
        (b"\t\x7f", b'"\t\x7f"'),
        (b"a\r", Literal(b"a\r")), (b"\n", Literal(b"\n")), (b"\xe9", Literal(b"\xe9")),
        (b"x" * 512, b'"%b"' % (b"x" * 512)), (b"x" * 513, Literal(b"x" * 513)),
    ],
)  # fmt: skip
def test_quoted_or_literal(data: bytes, wire: bytes | Literal) -> None:
    assert g.write_string(data) == wire
    assert g.write_nstring(data) == wire
    assert g.write_nstring(None) == b"NIL"


@pytest.mark.parametrize("data", [b"\r", b"\n", b"\0", b"\x80"])
def test_what_cannot_be_quoted(data: bytes) -> None:
    with pytest.raises(ValueError):
        g.write_quoted(data)


def test_a_literal_as_it_is() -> None:
    assert Literal(b"a\r\nb").write() == b"{4}\r\na\r\nb"
    assert Literal(b"\0", binary=True).write() == b"~{1}\r\n\0"
    assert "secret" not in repr(Literal(b"secret"))
    assert g.joined([b"a", b"b", Literal(b"c"), b"d", Streamed(3)]) == [
        b"ab", Literal(b"c"), b"d", Streamed(3)
    ]  # fmt: skip


def test_nil_is_a_word_where_a_string_may_be_none() -> None:
    for nil in (b"NIL", b"nil"):
        assert whole(nil, Cursor.take_nstring) is None
        assert whole(nil, Cursor.take_body) is None
        assert whole(nil, Cursor.take_astring) == nil
        assert whole(nil, Cursor.take_mailbox) == nil.decode()


def test_octets_beyond_ascii_in_quotes() -> None:
    for take in (Cursor.take_quoted, Cursor.take_nstring, Cursor.take_body):
        assert whole(b'"caf\xe9"', take, eight_bit=True) == b"caf\xe9"
        with pytest.raises(GrammarError):
            whole(b'"caf\xe9"', take)
        for odd in (b'"a\r"', b'"\n"', b'"\0"', b'"\\a"', b'"a'):
            with pytest.raises(GrammarError):
                whole(odd, take, eight_bit=True)


def test_a_streamed_literal() -> None:
    wire = b"{12}\r\n x"
    cursor = Cursor(wire, holes=[6])
    assert cursor.take_body() == Streamed(12)
    assert cursor.accept(b" x")
    assert whole(b"{3}\r\nabc", Cursor.take_body) == b"abc"
    with pytest.raises(GrammarError):
        whole(b"{4294967296}\r\n", Cursor.take_body, holes=[14])


def test_a_binary_literal_only_where_it_may_be() -> None:
    wire = b"~{1}\r\n\0"
    assert whole(wire, lambda cursor: cursor.take_literal(binary=True)) == b"\0"
    for take in (Cursor.take_literal, Cursor.take_string, Cursor.take_astring):
        with pytest.raises(GrammarError):
            whole(wire, take)


# -- words -----------------------------------------------------------------------


def test_words() -> None:
    cursor = Cursor(b"a1 OK+ x]y", 0)
    assert cursor.take_tag() == b"a1"
    assert cursor.accept(b" ")
    assert not cursor.accept(b" ")
    assert cursor.take_atom() == "OK+"
    assert cursor.peek() == b" "
    assert cursor.take_rest() == b" x]y"
    assert cursor.at_end
    with pytest.raises(GrammarError):
        cursor.expect(b"x")
    for tag in (b"", b"+", b"a+b", b"*", b"a{b"):
        with pytest.raises(GrammarError):
            whole(tag, Cursor.take_tag)


def test_numbers() -> None:
    assert whole(b"007", Cursor.take_number) == 7
    assert whole(b"4294967295", Cursor.take_number) == 2**32 - 1
    big = 2**63 - 1
    assert whole(b"%d" % big, lambda cursor: cursor.take_number(big)) == big
    for text in (b"", b"-1", b"x", b"4294967296", b"9" * 21, b"1_0", b"\xb2"):
        with pytest.raises(GrammarError):
            whole(text, Cursor.take_number)
    for text in (b"0", b"01"):
        with pytest.raises(GrammarError) as error:
            whole(text, lambda cursor: cursor.take_number(least=1))
        assert error.value.position == 0


@given(st.lists(flags, max_size=30))
def test_flags(some: list[str]) -> None:
    checked = tuple(map(g.check_flag, some))
    assert whole(g.write_flags(checked), Cursor.take_flags) == checked
    if checked:
        bare = " ".join(checked).encode()
        assert whole(bare, lambda cursor: cursor.take_flags(bare=True)) == checked


def test_flags_without_parentheses_only_where_they_may_be() -> None:
    with pytest.raises(GrammarError):
        whole(b"\\Seen", Cursor.take_flags)


def test_system_flags_have_one_spelling() -> None:
    assert g.read_flags(b"\\sEEN \\RECENT seen \\custom") == (
        "\\Seen", "\\Recent", "seen", "\\custom",
    )  # fmt: skip
    assert g.read_flags(b"") == ()
    for odd in ("", "\\", "a b", "\\*", "é", "a]"):
        with pytest.raises(ValueError):
            g.check_flag(odd)


# -- dates -----------------------------------------------------------------------


@given(moments)
def test_moments(moment: datetime) -> None:
    checked = dates.check_date_time(moment)
    again = whole(b'"%b"' % dates.write_date_time(checked), Cursor.take_date_time)
    assert again == checked
    assert again.utcoffset() == checked.utcoffset()


@given(st.dates())
def test_dates(day: date) -> None:
    wire = dates.write_date(day)
    assert whole(wire, Cursor.take_date) == day
    assert whole(b'"%b"' % wire, Cursor.take_date) == day
    assert read_date(wire.upper()) == day


def test_moments_of_the_rfc() -> None:
    moment = read_date_time(b"17-Jul-1996 02:44:25 -0700")
    assert moment == datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)
    assert dates.write_date_time(moment) == b"17-Jul-1996 02:44:25 -0700"
    zone = timezone(-timedelta(minutes=30))
    assert dates.write_date_time(datetime(1, 2, 3, tzinfo=zone)) == (
        b" 3-Feb-0001 00:00:00 -0030"
    )


@pytest.mark.parametrize(
    "text",
    [b"", b"7-Feb-1994 21:52:25 -0800", b" 7-Feb-1994 21:52:25",
     b"00-Feb-1994 21:52:25 +0000",
     b" 7-Feb-1994 24:00:00 +0000", b" 7-Feb-0000 00:00:00 +0000",
     b" 7-Feb-1994 21:52:25 +2400", b" 7-Feb-1994 21:52:25 +0060",
     b"  -Feb-1994 21:52:25 +0000"],
)  # fmt: skip
def test_what_is_no_moment(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_date_time(text)


def test_what_is_no_date() -> None:
    for text in (b"", b"1-Feb-94", b"32-Jan-1994", b"1-xxx-1994", b" 1-Jan-1994"):
        with pytest.raises(ValueError):
            read_date(text)


# -- sections --------------------------------------------------------------------


@given(sections)
def test_sections(section: Section) -> None:
    wire = section.write()
    assert Section.read(wire) == section
    assert not set(wire) & set(b"\r\n\0")


@given(items)
def test_items(item: Item) -> None:
    assert Item.read(item.write()) == item
    assert Item.read(str(item).encode()) == item


def test_a_section_has_no_case() -> None:
    one = Section((1,), "Header.Fields", ("Date",))
    assert one == Section((1,), "HEADER.FIELDS", ("DATE",))
    assert one.write() == b"[1.HEADER.FIELDS (DATE)]"
    assert Item("body.peek", one, (5, 9)).answer == "BODY[1.HEADER.FIELDS (DATE)]<5>"


# -- anything --------------------------------------------------------------------

TAKERS: list[Callable[[Cursor], Any]] = [
    Cursor.take_tag, Cursor.take_atom, Cursor.take_number,
    Cursor.take_flags, Cursor.take_quoted, Cursor.take_literal, Cursor.take_string,
    Cursor.take_astring, Cursor.take_nstring, Cursor.take_body, Cursor.take_text,
    Cursor.take_mailbox, Cursor.take_list_mailbox, Cursor.take_date_time,
    Cursor.take_date, Cursor.take_section, Cursor.accept_literal,
]  # fmt: skip


@given(st.sampled_from(TAKERS), st.binary(max_size=20), st.sets(st.integers(0, 20)))
def test_garbage_is_a_grammar_error(take: Any, data: bytes, holes: set[int]) -> None:
    for cursor in (Cursor(data), Cursor(data, eight_bit=True, holes=holes)):
        at = 0
        try:
            take(cursor)
        except GrammarError as error:
            at = error.position
        assert 0 <= at <= len(data)
        assert 0 <= cursor.at <= len(data)
