"""Lists that are read at once, and line by line: nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailproto import Completed, Deviation, LimitExceeded, Lines, Part, Security, pop3
from mailproto.pop3.lists import MAX_PLAIN, PLAIN
from mailproto.testing import bytewise, events
from tests.pop3.test_client import logged_in
from tests.pop3.test_fuzz import joined, run
from tests.streams import cuts

LINES: dict[Any, list[bytes]] = {
    pop3.List: [
        b"1 120", b"2 0", b"3 999999999999999999", b"4 9999999999999999999", b"01 2",
        b"0 1", b"5 01", b"6 7 and more", b"7  1", b"8", b"9 -1", b" 1 1", b"1 2 ",
    ],
    pop3.Uidl: [
        b"1 a", b"2 ~!", b"3 " + b"x" * 70, b"4 " + b"x" * 71, b"5 a b", b"6  a",
        b"07 a", b"8 \xe9", b"9 .", b"0 a", b"9999999999999999999 a",
    ],
    pop3.Capa: [
        b"TOP", b"SASL PLAIN LOGIN", b"x y  z ", b"A.B", b"EXPIRE 60", b"\xe9",
        b"A \xe9", b"a" * 60, b"A " + b"b" * 210, b"IMPLEMENTATION x/1.0 .", b" A",
    ],
}  # fmt: skip
ODD = [b"", b".", b"..", b"..x", b"x\0", b"\r", b"1 1\n", b".1 1", b"x" * 300]
COMMANDS = st.sampled_from(list(LINES))


def heard(
    command: Any, pieces: list[bytes], *, traced: bool, strict: bool, most: int
) -> tuple[list[Any], list[bytes]]:
    conn = logged_in(strict=strict, limits=pop3.Limits(lines=most))
    lines: list[bytes] = []
    if traced:
        conn.trace = lambda side, line: lines.append(line) if side == "S" else None
    conn.send(command)
    return joined(run(conn, pieces, lambda event: None)), lines


@settings(max_examples=300, deadline=None)
@given(st.data(), COMMANDS, st.booleans(), st.booleans(), st.integers(1, 9))
def test_all_at_once_and_one_by_one(
    data: st.DataObject, kind: Any, traced: bool, strict: bool, most: int
) -> None:
    lines = st.sampled_from(LINES[kind][:3] * 4 + LINES[kind] + ODD)
    said = [b"+OK", *data.draw(st.lists(lines, max_size=12)), b".", b"-ERR"]
    wire = b"\r\n".join(said)
    positions = data.draw(st.lists(st.integers(0, 500), max_size=5))

    def of(pieces: list[bytes]) -> tuple[list[Any], list[bytes]]:
        return heard(kind(), pieces, traced=traced, strict=strict, most=most)

    once, spoken = of([wire])
    one_by_one, all_spoken = of(list(bytewise(wire)))
    assert once == one_by_one
    assert spoken == all_spoken
    assert of(cuts(wire, positions)) == (once, spoken)


@pytest.mark.parametrize("kind", PLAIN)
def test_what_is_read_is_what_its_constructor_makes(kind: Any) -> None:
    said: list[bytes] = next(LINES[asked] for asked in LINES if asked.data is kind)
    match, read = PLAIN[kind]
    lines = [line for line in said if match(line + b"\r\n", 0)]
    values = read(b"".join(line + b"\r\n" for line in lines))
    assert len(lines) >= 3
    assert values == tuple(map(kind.read, lines))
    assert list(map(hash, values)) == [hash(kind.read(line)) for line in lines]
    assert max(map(len, lines)) + 2 <= MAX_PLAIN


def test_what_came_together_is_handed_over_together() -> None:
    conn = logged_in()
    conn.send(pop3.List())
    conn.receive_data(b"+OK\r\n1 120\r\n2 200\r\n3 1")
    assert conn.next_event() == Part(
        conn._in_flight[0], Lines((pop3.Listing(1, 120), pop3.Listing(2, 200)))
    )
    conn.receive_data(b"00\r\nx\r\n4 400\r\n.\r\n")
    got = events(conn)
    assert [type(event) for event in got] == [Part, Deviation, Part, Completed]
    assert got[2].value == Lines((pop3.Listing(4, 400),))


def test_as_many_as_are_allowed_are_handed_over() -> None:
    conn = logged_in(limits=pop3.Limits(lines=2))
    conn.send(pop3.List())
    conn.receive_data(b"+OK\r\n1 1\r\n2 2\r\n3 3\r\n.\r\n")
    event: Any = conn.next_event()
    assert event.value == Lines((pop3.Listing(1, 1), pop3.Listing(2, 2)))
    with pytest.raises(LimitExceeded, match="too many lines"):
        conn.next_event()


def test_a_line_may_be_limited_to_less_than_is_read_at_once() -> None:
    conn = pop3.Client(Security.CLEARTEXT, limits=pop3.Limits(line=MAX_PLAIN - 1))
    conn.receive_data(b"+OK\r\n")
    conn.next_event()
    call = conn.send(pop3.Capa())
    conn.receive_data(b"+OK\r\nTOP\r\nUIDL\r\n.\r\n")
    got = events(conn)
    assert [type(event) for event in got] == [Part, Part, Completed]
    assert got[0].value == Lines((pop3.Capability("TOP"),))
    assert all(map(call.feed, got))
    assert call.result() == pop3.Capabilities(map(pop3.Capability, ("TOP", "UIDL")))
