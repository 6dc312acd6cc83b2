from __future__ import annotations

import re
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import LimitExceeded
from mailproto._buffer import ReceiveBuffer

pieces = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from([b"\r", b"\n", b"\r\n", b"\r\r\n", b"x"]),
    ),
    max_size=20,
)


def fed(*data: bytes) -> ReceiveBuffer:
    buffer = ReceiveBuffer()
    for piece in data:
        buffer.feed(piece)
    return buffer


def lines_of(buffer: ReceiveBuffer) -> list[bytes]:
    lines = []
    while (line := buffer.take_line(10_000, "line")) is not None:
        lines.append(line)
    return lines


def test_only_crlf_ends_a_line() -> None:
    assert lines_of(fed(b"a\nb\rc\r\r\n\n\r\n")) == [b"a\nb\rc\r", b"\n"]


@given(pieces)
def test_lines_are_the_same_however_cut(data: list[bytes]) -> None:
    *expected, rest = b"".join(data).split(b"\r\n")
    buffer = ReceiveBuffer()
    lines = []
    for piece in data:
        buffer.feed(piece)
        lines += lines_of(buffer)
    assert lines == expected == lines_of(all_at_once := fed(*data))
    assert bytes(buffer) == bytes(all_at_once) == rest
    assert len(buffer) == len(rest)


@given(pieces, st.lists(st.integers(1, 9), max_size=20))
def test_take_gives_what_is_left_of_lines(data: list[bytes], sizes: list[int]) -> None:
    buffer = fed(*data)
    line = buffer.take_line(10_000, "line")
    got = b"" if line is None else line + b"\r\n"
    for size in [*sizes, 1000]:
        while taken := buffer.take(size):
            assert len(taken) <= size
            if len(taken) > 1:  # what was taken can be put back
                buffer.untake(1)
                taken = taken[:-1]
            got += taken
    assert got == b"".join(data)
    assert len(buffer) == 0
    assert buffer.take(1) == b""


def test_a_read_is_handed_on_as_the_object_that_came() -> None:
    data = b"x" * 100
    assert fed(data).take(100) is data


def test_tiny_pieces_that_wait_take_no_more_room_than_they_hold() -> None:
    tracemalloc.start()
    try:
        buffer = fed(*(b"%02d" % (n % 100) for n in range(100_000)))
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(buffer) == 200_000
    assert current < 400_000  # each by itself: 4 MB
    taken = []
    while piece := buffer.take(1000):
        taken.append(piece)
    assert b"".join(taken) == b"".join(b"%02d" % (n % 100) for n in range(100_000))


def test_what_can_change_is_copied() -> None:
    data = bytearray(b"abc\r\n")
    buffer = ReceiveBuffer()
    buffer.feed(data)
    buffer.feed(memoryview(b"de\r\n"))
    data[0] = 0
    assert lines_of(buffer) == [b"abc", b"de"]


@pytest.mark.parametrize("cut", [1, 7, 9, 10, 11])
def test_a_line_of_the_limit_is_taken_and_no_longer_one(cut: int) -> None:
    line = b"12345678\r\n"
    assert fed(line[:cut], line[cut:]).take_line(10, "line") == b"12345678"
    for data in (b"x" + line, b"x" * 10, b"x" * 11):
        with pytest.raises(LimitExceeded, match="longer than 10 octets") as caught:
            fed(data[:cut], data[cut:]).take_line(10, "some")
        assert (caught.value.limit, caught.value.allowed) == ("some", 10)


WORDS = re.compile(rb"([a-z]+) ([a-z]+)\r\n")


def test_a_match_is_taken_whole_or_not() -> None:
    buffer = ReceiveBuffer()
    assert buffer.take_match(WORDS.match, 20, "line") is None
    buffer.feed(b"ab cd\r\nx")
    found = buffer.take_match(WORDS.match, 20, "line")
    assert found is not None
    assert found.groups() == (b"ab", b"cd")
    assert bytes(buffer) == b"x"
    assert len(buffer) == 1
    assert buffer.take_match(WORDS.match, 20, "line") is None
    assert buffer.take_line(20, "line") is None
    buffer.feed(b" y\r\nab cd\r\n")
    assert buffer.take_match(WORDS.match, 20, "line") is None  # it was cut
    assert buffer.take_line(20, "line") == b"x y"
    with pytest.raises(LimitExceeded) as caught:
        buffer.take_match(WORDS.match, 6, "line")
    assert caught.value.limit == "line"
    assert bytes(buffer) == b"ab cd\r\n"


@given(pieces)
def test_skip_line_forgets_one_line(data: list[bytes]) -> None:
    buffer = ReceiveBuffer()
    skipped = False
    for piece in [b"first", *data]:
        buffer.feed(piece)
        if not skipped:
            skipped = buffer.skip_line()
            if not skipped:
                assert len(buffer) <= 1  # a CR that may be half of the line end
    stream = b"first" + b"".join(data)
    assert skipped is (b"\r\n" in stream)
    rest = stream.partition(b"\r\n")[2] if skipped else b"\r" * stream.endswith(b"\r")
    assert bytes(buffer) == rest
    assert len(buffer) == len(rest)


@pytest.mark.parametrize("size", [1, 16, 1460])
@pytest.mark.parametrize("text", [b"x" * 98 + b"\r\n", b"x"], ids=["lines", "one line"])
def test_time_grows_with_the_bytes_and_no_faster(size: int, text: bytes) -> None:
    """Twice the bytes, twice the time; quadratic would be four times."""

    def seconds(amount: int) -> float:
        data = text * (amount // len(text))
        buffer = ReceiveBuffer()
        start = time.process_time()
        for at in range(0, len(data), size):
            buffer.feed(data[at : at + size])
            while buffer.take_line(10**9, "line") is not None:
                pass
        return time.process_time() - start

    amount = 40_000 * min(size, 50)
    ratio = min(seconds(4 * amount) / seconds(amount) for _ in range(3))
    assert ratio < 10  # quadratic: 16


def test_lines_can_be_looked_at_and_dropped() -> None:
    buffer = fed(b"one\r\ntwo\r\nthr")
    assert buffer.peek_lines() == [b"one", b"two"]
    buffer.feed(b"ee\r\n")
    assert len(buffer) == 17
    buffer.drop(5)
    assert buffer.peek_lines() == [b"two"]
    assert buffer.take_line(99, "line") == b"two"
    assert buffer.peek_lines() == []  # its end is in the next read
    assert buffer.take_line(99, "line") == b"three"
    assert buffer.peek_lines() == []
    assert len(buffer) == 0


def test_no_more_is_looked_at_than_a_few_thousand_octets() -> None:
    buffer = fed(b"a line\r\n" * 100_000)
    assert 0 < len(buffer.peek_lines()) < 1000


def test_a_half_line_is_not_looked_at() -> None:
    buffer = fed(b"o")
    assert buffer.take_line(99, "line") is None
    buffer.feed(b"ne\r\ntwo\r\n")
    assert buffer.peek_lines() == []
    assert buffer.take_line(99, "line") == b"one"
    assert buffer.peek_lines() == [b"two"]


def test_bytes_are_taken_until_something_is_found() -> None:
    find = re.compile(b"b+").search
    buffer = fed(b"aabbcc")
    assert buffer.take(99, find) == b"aabb"
    assert buffer.take(99, find) == b"cc"
    assert fed(b"aabb").take(3, find) == b"aab"
