"""Where responses end, whatever they mean; what is too long; what streams."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import Chunk, Deviation, imap
from mailproto._buffer import ReceiveBuffer
from mailproto.errors import LimitExceeded
from mailproto.imap.framer import ResponseReader
from mailproto.imap.quirks import Quirk

from . import said
from .said import Limits, cut, hear

OK = imap.Condition.OK


def at_every_cut(wire: bytes, **options: Any) -> list[Any]:
    """The events, which must be the same at every cut; Chunks are joined."""
    whole = joined(hear(wire, **options))
    for at in range(1, len(wire)):
        assert joined(hear([wire[:at], wire[at:]], **options)) == whole
    assert joined(hear(cut(wire, 1), **options)) == whole
    return whole


def joined(events: list[Any]) -> list[Any]:
    result: list[Any] = []
    for event in events:
        if isinstance(event, Chunk) and result and isinstance(result[-1], Chunk):
            result[-1] = Chunk(result[-1].data + event.data)
        else:
            result.append(repr(event) if isinstance(event, Exception) else event)
    return result


@pytest.mark.parametrize(
    "wire",
    [
        b"* OK hello {5}\r\n",
        b"a1 OK [ALERT] see {3}\r\n",
        b"* BAD Literal too big {99999999}\r\n",
        b"+ go on {3}\r\n",
        b'* LIST () "/" "foo {5}"\r\n',
        b"* PREAUTH {1}\r\n",
        b"* bye {1}\r\n",
        b"* 1 FETCH (BODY[] {8}\r\nx {99}\r\n)\r\n",
    ],
)
def test_text_that_looks_like_a_literal_is_text(wire: bytes) -> None:
    events = at_every_cut(wire + b"* 1 EXISTS\r\n", strict=True)
    assert len(events) == 2
    assert events[1] == imap.Exists(1)
    assert not isinstance(events[0], imap.Malformed)


@pytest.mark.parametrize(
    "line",
    [
        b'* LIST () "/" "foo {5}',  # in a quoted string without an end
        b'* LIST () "/" foo{5}',  # glued to a word
        b"* SEARCH {x}",
        b"x {5}",
    ],
)
def test_what_announces_no_literal_is_one_line(line: bytes) -> None:
    lost, after = at_every_cut(line + b"\r\n* 1 EXISTS\r\n")
    assert isinstance(lost, imap.Malformed)
    assert after == imap.Exists(1)


def test_literals_arrive_inside_of_their_response() -> None:
    long = b"x" * 6000
    wire = (
        b'* 1 FETCH (UID 5 BODY[HEADER.FIELDS ("X Y" {3}\r\na b)] {0}\r\n '
        b"BODY[] {6000}\r\n" + long + b" RFC822.TEXT {2}\r\n\r\n FLAGS ())\r\n"
    )
    expected = {
        "UID": 5,
        'BODY[HEADER.FIELDS ("X Y" "A B")]': b"",
        "BODY[]": long,
        "RFC822.TEXT": b"\r\n",
        "FLAGS": (),
    }
    for size in (1, 7, 100, 9999):
        assert hear(cut(wire, size), strict=True) == [imap.FetchData(1, expected)]
    assert hear(imap.FetchData(1, expected).write()) == [imap.FetchData(1, expected)]


def test_a_literal_in_one_read_is_copied_once() -> None:
    body = b"x" * 100_000
    buffer, reader = ReceiveBuffer(), ResponseReader(Limits())
    for data in (b"* 1 FETCH (BODY[] {100000}\r\n", body, b")\r\n"):
        buffer.feed(data)
    event = reader.read(buffer)
    assert isinstance(event, imap.FetchData)
    assert event.body() is body  # not copied at all, for it was a read


def test_a_raw_response_keeps_long_literals() -> None:
    long = b"y" * 5000
    raw = b"X-FOO (a {5000}\r\n" + long + b" {3}\r\nabc) {5000}\r\n" + long
    assert hear(b"* " + raw + b"\r\n", strict=True) == [imap.UnknownData(raw)]
    [lost] = hear(b"* LIST (" + raw + b"\r\n")
    assert isinstance(lost, imap.Malformed)
    assert lost.raw == b"* LIST (" + raw + b"\r\n"
    [lost] = hear(b"* 1 FETCH (BODY[] {5000}\r\n" + long + b" (\r\n")
    assert lost.raw[lost.error.position :] == b"(\r\n"


# -- streams ---------------------------------------------------------------------

SMALL = Limits(inline_literal=10)


def test_a_long_literal_streams() -> None:
    wire = (
        b"* 7 FETCH (UID 5 BODY[1.TEXT]<0> {20}\r\n0123456789abcdefghij"
        b" RFC822.HEADER {11}\r\n0123456789a FLAGS (\\Seen))\r\n* 1 EXISTS\r\n"
    )
    assert at_every_cut(wire, strict=True, limits=SMALL) == [
        imap.LiteralBegins(7, "BODY[1.TEXT]<0>", 20),
        Chunk(b"0123456789abcdefghij"),
        imap.LiteralBegins(7, "RFC822.HEADER", 11),
        Chunk(b"0123456789a"),
        imap.FetchData(
            7,
            {
                "UID": 5,
                "BODY[1.TEXT]<0>": imap.Streamed(20),
                "RFC822.HEADER": imap.Streamed(11),
                "FLAGS": ("\\Seen",),
            },
        ),
        imap.Exists(1),
    ]


def test_a_learned_shape_streams_too() -> None:
    short = b"* 1 FETCH (UID 5 BODY[] {1}\r\nx)\r\n"
    long = b"* 2 FETCH (UID 6 BODY[] {11}\r\n0123456789a)\r\n"
    assert at_every_cut(short + long + short, limits=SMALL)[1:4] == [
        imap.LiteralBegins(2, "BODY[]", 11),
        Chunk(b"0123456789a"),
        imap.FetchData(2, {"UID": 6, "BODY[]": imap.Streamed(11)}),
    ]


def test_a_stream_is_handed_on_as_it_comes() -> None:
    buffer, reader = ReceiveBuffer(), ResponseReader(SMALL)
    buffer.feed(b"* 1 FETCH (BODY[] {30}\r\n")
    assert reader.read(buffer) == imap.LiteralBegins(1, "BODY[]", 30)
    assert reader.read(buffer) is None
    piece = b"x" * 15
    buffer.feed(piece)
    chunk = reader.read(buffer)
    assert isinstance(chunk, Chunk)
    assert chunk.data is piece
    assert reader.unfinished
    assert len(buffer) == 0


def test_a_stream_that_ends_in_nonsense_is_malformed() -> None:
    wire = b"* 1 FETCH (BODY[] {11}\r\n0123456789a x)\r\n* 1 EXISTS\r\n"
    begins, chunk, lost, after = at_every_cut(wire, limits=SMALL)
    assert isinstance(begins, imap.LiteralBegins)
    assert isinstance(chunk, Chunk)
    assert lost.raw == b"* 1 FETCH (BODY[] {11}\r\n x)\r\n"
    assert after == imap.Exists(1)


def test_a_tolerated_fault_comes_before_the_response_and_behind_the_stream() -> None:
    wire = b"* 1 FETCH (BODY[] {11}\r\n0123456789a )\r\n"
    _, _, deviation, data = at_every_cut(wire, limits=SMALL)
    assert deviation == Deviation(
        Quirk.EXTRA_SPACE, b"* 1 FETCH (BODY[] {11}\r\n )\r\n"
    )
    assert data.body() == imap.Streamed(11)


@pytest.mark.parametrize(
    "wire",
    [
        b'* LIST () "/" {11}\r\n',
        b"* 1 FETCH (ENVELOPE (NIL {11}\r\n",
        b"* 1 FETCH (X-FOO (BODY[] {11}\r\n",
        b"* 1 FETCH (X-FOO {11}\r\n",
        b"* 1 FETCH (UID 5) {11}\r\n",
        b"* 1 FETCH {11}\r\n",
        b"* 1 X-FOO {11}\r\n",
        b"* 1 FETCH (BODY[HEADER.FIELDS ({11}\r\n",
    ],
)
def test_a_long_literal_of_anything_else_is_too_much(wire: bytes) -> None:
    [error] = hear(wire, limits=SMALL)
    assert isinstance(error, LimitExceeded)
    assert error.limit == "inline_literal"


# -- limits ----------------------------------------------------------------------


@pytest.mark.parametrize("size", [2**32, 2**63, 99999999999999999999])
def test_a_literal_of_no_sensible_size_is_refused_at_once(size: int) -> None:
    [error] = hear(b"* 1 FETCH (BODY[] {%d}\r\n" % size)
    assert isinstance(error, LimitExceeded)
    assert error.limit == "streamed"


def test_a_response_has_a_limit() -> None:
    limits = Limits(response=100)
    assert hear(b"* OK " + b"x" * 93 + b"\r\n", limits=limits)[0].ok
    for wire in (
        b"* OK " + b"x" * 94 + b"\r\n",
        b"* OK " + b"x" * 200,
        b'* LIST () "/" {2}\r\nab' + b"x" * 100,
    ):
        error = hear(wire, limits=limits)[-1]
        assert isinstance(error, LimitExceeded)
        assert error.limit == "response"
    inline = b"* 1 FETCH (X {50}\r\n" + b"x" * 50 + b" Y {50}\r\n"
    error = hear(inline, limits=limits)[-1]
    assert isinstance(error, LimitExceeded)
    big = Limits(response=6000)
    apart = b"* 1 FETCH (X {5000}\r\n" + b"x" * 5000 + b" Y {1000}\r\n"
    error = hear(apart, limits=big)[-1]
    assert isinstance(error, LimitExceeded)


def test_what_streams_does_not_count() -> None:
    wire = b"* 1 FETCH (BODY[] {200}\r\n" + b"x" * 200 + b")\r\n"
    assert hear(wire, limits=Limits(response=100))[-1].body() == imap.Streamed(200)


@pytest.mark.parametrize("size", [1, 5000])
def test_literals_have_a_number(size: int) -> None:
    limits = Limits(response_literals=3)
    one = b" {%d}\r\n" % size + b"x" * size
    assert hear(b"* X" + one * 3 + b"\r\n", limits=limits)[0].raw == b"X" + one * 3
    error = hear(b"* X" + one * 4 + b"\r\n", limits=limits)[-1]
    assert isinstance(error, LimitExceeded)
    assert error.limit == "response_literals"


def seconds(wire: bytes) -> float:
    start = time.process_time()
    hear(wire)
    hear(cut(wire, 100))
    return time.process_time() - start


HOSTILE = [
    (b"* ID (", b'"a"b', b")"),
    (b"* ID (", b'"a "b ', b")"),
    (b"* ID (", b'"a', b")"),
    (b"* ID (", b'\\"', b")"),
    (b"* 1 FETCH (ENVELOPE (", b'((NIL NIL "a" "b") ', b")"),
    (b"* 1 FETCH (BODY (", b'(NIL "a" ("', b")"),
    (b"* 1 FETCH (BODY ", b'("A" "B" (', b")"),
    (b"* 1 FETCH (", b"BODY[HEADER.FIELDS (", b")"),
    (b"* 1 FETCH (", b"X-A {2}\r\nab ", b")"),
    (b"* 1 FETCH (UID 5 ENVELOPE ", b") BODY (", b")"),
    (b"* OK [", b"[", b"x"),
    (b"* STATUS ", b"a ", b"("),
    (b'* LIST () "/" ', b"{1} ", b"{1}"),
    (b"* FLAGS (", b"a  ", b")"),
    (b"* SEARCH", b" 0", b""),
    (b"", b" ", b""),
    (b"", b"* ", b""),
    (b"", b"\r\n", b""),
    (b"", b"* 1 FETCH (BODY[] {1}\r\na)\r\n", b""),
]


@pytest.mark.parametrize(("head", "again", "tail"), HOSTILE)
def test_time_grows_with_the_bytes(head: bytes, again: bytes, tail: bytes) -> None:
    """Four times the bytes take no more than eight times the time, at the best try."""

    def wire(size: int) -> bytes:
        return head + again * (size // len(again)) + tail + b"\r\n"

    tries = (seconds(wire(80_000)) / max(seconds(wire(20_000)), 1e-3) for _ in range(5))
    assert any(growth < 8 for growth in tries)


# -- the rest --------------------------------------------------------------------


def test_an_empty_line_is_told_and_skipped() -> None:
    empty = Deviation(Quirk.EMPTY_LINE, b"\r\n")
    assert at_every_cut(b"\r\n* 3 EXISTS\r\n") == [empty, imap.Exists(3)]
    lost, _ = at_every_cut(b"\r\n* 3 EXISTS\r\n", strict=True)
    assert isinstance(lost, imap.Malformed)


def test_what_is_read_ahead_stays_in_the_buffer() -> None:
    wires = [b"* %d EXISTS\r\n" % n for n in range(1000)]
    buffer, reader = ReceiveBuffer(), ResponseReader(Limits())
    buffer.feed(b"".join(wires))
    for n in range(1000):
        assert reader.read(buffer) == imap.Exists(n)
        assert not reader.unfinished
        assert len(buffer) == sum(map(len, wires[n + 1 :]))
    assert reader.read(buffer) is None


def test_what_is_read_ahead_is_checked() -> None:
    first, *rest = hear(b"* 1 EXISTS\r\n* OK [X 1] a\r\n* 0 EXPUNGE\r\n")
    assert first == imap.Exists(1)
    assert [type(event).__name__ for event in rest] == [
        "Reply",
        "Deviation",
        "Expunged",
    ]
    small = Limits(response=20)
    first, last = hear(b"* OK abc\r\n* OK " + b"x" * 20 + b"\r\n", limits=small)
    assert first == imap.Reply(OK, "abc")
    assert isinstance(last, LimitExceeded)


def test_unfinished_tells_of_what_was_taken() -> None:
    buffer, reader = ReceiveBuffer(), ResponseReader(Limits())

    def read() -> tuple[str, bool]:
        return type(reader.read(buffer)).__name__, reader.unfinished

    assert not reader.unfinished
    buffer.feed(b"* SEARCH 1 \r\n* 1 FETCH (BODY[] {3}\r\na")
    assert read() == ("Deviation", True)
    assert read() == ("SearchData", False)
    assert read() == ("NoneType", True)
    buffer.feed(b"bc)\r\n")
    assert read() == ("FetchData", False)


def test_nothing_behind_a_response_is_taken() -> None:
    buffer, reader = ReceiveBuffer(), ResponseReader(Limits())
    buffer.feed(b"A1 OK Begin TLS negotiation now\r\nevil")
    assert reader.read(buffer) == imap.TaggedReply(
        "A1", imap.Reply(OK, "Begin TLS negotiation now")
    )
    assert bytes(buffer) == b"evil"


@given(
    st.lists(said.said | said.fetched, min_size=1, max_size=6),
    st.integers(1, 60),
    st.integers(1, 30),
)
def test_long_literals_change_nothing_else(
    values: list[Any], size: int, limit: int
) -> None:
    """Streamed or not, what is not a body comes to the same."""
    wire = b"".join(value.write() for value in values)
    heard = hear(cut(wire, size), strict=True, limits=Limits(inline_literal=limit))
    if isinstance(heard[-1], LimitExceeded):
        assert heard[-1].limit == "inline_literal"
        return
    whole = [
        event for event in heard if not isinstance(event, Chunk | imap.LiteralBegins)
    ]
    assert len(whole) == len(values)
    for event, value in zip(whole, values, strict=True):
        if isinstance(value, imap.FetchData):
            for name, item in value.items.items():
                if isinstance(event.items[name], imap.Streamed):
                    assert event.items[name].size == len(item)
                else:
                    assert event.items[name] == item
        else:
            assert event == value


@pytest.mark.parametrize("strict", [True, False])
def test_a_literal_may_end_with_a_cr(strict: bool) -> None:
    """What ends the response is the CRLF behind it, and no CR is stray."""
    wire = b"* LIST () NIL {2}\r\na\r\r\n* 3 EXISTS\r\n"
    for size in (1, len(wire)):
        listed, exists = hear(cut(wire, size), strict=strict)
        assert listed.mailbox == "a\udc0d"
        assert exists == imap.Exists(3)
