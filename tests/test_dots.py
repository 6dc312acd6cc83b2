from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailproto._buffer import ReceiveBuffer
from mailproto._dots import CHUNK, Stuffer, Unstuffer, WholeTexts
from tests.messages import MESSAGES, ODD

pieces = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n.", b"..", b"\r\n", b".\r\n"]),
    ),
    max_size=14,
)


def stuffed(*data: bytes) -> bytes:
    stuffer = Stuffer()
    return b"".join([stuffer.stuff(piece) for piece in data]) + stuffer.end()


def unstuffed(wire: bytes, sizes: list[int]) -> tuple[bytes, bytes]:
    """The text that *wire* begins with, and what is left."""
    buffer, unstuffer, text = ReceiveBuffer(), Unstuffer(), []
    sizes = [*sizes, len(wire)]
    over = False
    for size in sizes:
        buffer.feed(wire[:size])
        wire = wire[size:]
        while not over:
            data, over = unstuffer.take(buffer)
            text.append(data)
            if not data:
                break
    assert over
    return b"".join(text), bytes(buffer) + wire


def made_whole(text: bytes) -> bytes:
    """*text* with its last line ended, as no dot-stuffed text can be without."""
    return text if not text or text.endswith(b"\r\n") else text + b"\r\n"


@settings(max_examples=500)
@given(pieces, st.lists(st.integers(0, 40), max_size=10))
def test_what_was_stuffed_is_unstuffed_however_cut(
    data: list[bytes], sizes: list[int]
) -> None:
    text, rest = unstuffed(stuffed(*data) + b"+OK\r\n", sizes)
    assert text == made_whole(b"".join(data))
    assert rest == b"+OK\r\n"


@given(pieces)
def test_the_wire_does_not_depend_on_the_chunks(data: list[bytes]) -> None:
    assert stuffed(*data) == stuffed(b"".join(data))


@given(pieces)
def test_no_line_of_the_wire_is_a_lone_dot(data: list[bytes]) -> None:
    assert stuffed(*data).removesuffix(b".\r\n").find(b"\r\n.\r\n") < 0


@pytest.mark.parametrize("name", [*MESSAGES, *ODD])
def test_messages_go_through(name: str) -> None:
    message = {**MESSAGES, **ODD}[name]
    text, rest = unstuffed(stuffed(message) + b"next", [CHUNK] * 3)
    assert text == made_whole(message)
    assert rest == b"next"


@pytest.mark.parametrize(
    "wire",
    [
        b"a\n.\nb",
        b"a\r.\rb",
        b"a\r\n.\nb",
        b"a\n.\r\nb",
        b"a\r.\r\nb",
        b"a\r\n.\rb",
        b"a\r\r\n.x\r\nb",
        b"a\r\n.\0\r\nb",
    ],
)
def test_nothing_but_crlf_dot_crlf_is_the_end(wire: bytes) -> None:
    """The endings by which mail was smuggled: all of them are text."""
    text, rest = unstuffed(wire + b"\r\n.\r\n" + b"MAIL", [1] * len(wire))
    assert text == wire.replace(b"\r\n.", b"\r\n") + b"\r\n"
    assert rest == b"MAIL"


def test_a_dot_that_was_not_stuffed_is_taken_off() -> None:
    """RFC 1939 3: the first octet is a termination octet, and stripped."""
    assert unstuffed(b".x\r\n.\r\n", []) == (b"x\r\n", b"")


def test_a_line_end_that_is_cut_between_two_chunks() -> None:
    assert stuffed(b"a\r", b"\n.b") == b"a\r\n..b\r\n.\r\n"
    assert stuffed(b"a\r\n", b".b") == b"a\r\n..b\r\n.\r\n"
    assert stuffed(b"a\r", b"\r\n") == b"a\r\r\n.\r\n"


def test_what_needs_no_dot_is_not_copied() -> None:
    data = b"no line of this begins with a dot\r\n" * 10
    assert Stuffer().stuff(data) is data
    assert Stuffer().stuff(b"") == b""
    buffer = ReceiveBuffer()
    buffer.feed(b"first\r")
    unstuffer = Unstuffer()
    assert unstuffer.take(buffer) == (b"first", False)
    buffer.feed(b"then")
    unstuffer.take(buffer)
    chunk = b"QUJD" * 100
    buffer.feed(chunk)
    assert unstuffer.take(buffer)[0] is chunk


def taken(
    whole: WholeTexts | None, reads: list[bytes], sizes: list[int]
) -> list[bytes]:
    """What is between texts of the wire, octet by octet, and those in between."""
    buffer, got = ReceiveBuffer(), []
    for read in reads:
        buffer.feed(read)
    for size in sizes:
        got.append(buffer.take(size))
        text = None if whole is None else whole.take(buffer, 60)
        unstuffer, over = Unstuffer(), text is not None
        while not over:
            data, over = unstuffer.take(buffer)
            text = (text or b"") + data
            if not data:
                break
        got.append(text or b"")
    return [*got, bytes(buffer)]


wires = st.lists(pieces.map(b"".join) | st.just(b"\r\n.\r\n"), max_size=8).map(b"".join)


@settings(max_examples=1000)
@given(st.lists(wires, max_size=4), st.lists(st.integers(0, 9), max_size=8))
def test_texts_that_are_whole_are_what_they_are_piece_by_piece(
    reads: list[bytes], sizes: list[int]
) -> None:
    whole = WholeTexts(lambda searched: b"\0" not in searched)
    assert taken(whole, reads, sizes) == taken(None, reads, sizes)


def test_a_read_is_searched_once_for_all_its_texts() -> None:
    searched: list[bytes] = []

    def check(data: bytes) -> bool:
        searched.append(data)
        return True

    whole = WholeTexts(check)
    buffer = ReceiveBuffer()
    large = b"c\r\n" * 40
    wire = b"a\r\n..b\r\n.\r\n" + large + b".\r\nX\r\n...d\r\n.\r\ne\r\n.\r\nf\r\n"
    buffer.feed(wire)
    assert whole.take(buffer, 60) == b"a\r\n.b\r\n"
    for text in (large, b"..d\r\n"):  # too large, and one that begins with a dot
        assert whole.take(buffer, 60) is None
        assert Unstuffer().take(buffer) == (text, True)
        if text is large:
            assert buffer.take(3) == b"X\r\n"
    assert whole.take(buffer, 60) == b"e\r\n"
    assert whole.take(buffer, 60) is None  # it has no end yet
    assert bytes(buffer) == b"f\r\n"
    assert searched == [wire]
    assert whole.checked
