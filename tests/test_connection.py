"""What all connections share, by the one that is simplest: a client of POP3."""

from __future__ import annotations

import pytest

from mailproto import (
    NEED_DATA,
    Call,
    Chunk,
    Completed,
    Limits,
    Part,
    RemoteProtocolError,
    Security,
    pop3,
)
from mailproto.errors import quote
from mailproto.pop3 import Reply


def test_receive_data_never_fails() -> None:
    for security in Security:
        conn = pop3.Client(security)
        for data in (b"\0" * 100, bytearray(b"x"), memoryview(b"y"), b"", b"z", b""):
            conn.receive_data(data)


def test_a_failure_is_for_ever_and_nothing_is_kept_after_it() -> None:
    conn = pop3.Client(Security.CLEARTEXT)
    conn.receive_data(b"nonsense\r\n")
    with pytest.raises(RemoteProtocolError) as first:
        conn.next_event()
    before = conn.buffered
    conn.receive_data(b"+OK\r\n" * 1000)
    assert conn.buffered == before
    with pytest.raises(RemoteProtocolError) as again:
        conn.next_event()
    assert again.value is first.value


def test_output_is_the_object_that_was_given() -> None:
    conn = pop3.Server(Security.CLEARTEXT)
    conn.send(pop3.Greeting())
    for line in (b"USER a\r\n", b"PASS b\r\n", b"RETR 1\r\n"):
        conn.receive_data(line)
        conn.next_event()
        conn.send(Reply(True))
    conn.data_to_send()
    body = b"no dots in here\r\n" * 100
    conn.send(Chunk(body))
    (out,) = conn.data_to_send()
    assert out is body
    assert conn.data_to_send() == []


def test_quoting_the_peer_is_safe_and_short() -> None:
    assert quote(b"\x1b[31m\r\n") == r"b'\x1b[31m\r\n'"
    assert len(quote(b"x" * 10_000)) < 100


def test_limits_say_which_one_is_wrong() -> None:
    with pytest.raises(ValueError, match="'line' must be 1 or more"):
        Limits(line=0)


def test_a_call_takes_what_is_its_own() -> None:
    call, other = Call(pop3.Retr(1), 100), Call(pop3.Retr(1), 100)
    assert repr(call) == "<Call Retr(number=1)>"
    assert not call.feed(Part(other, Chunk(b"x")))
    assert not call.feed(Completed(other, Reply(True)))
    assert not call.feed(pop3.Greeting())
    assert call.feed(Part(call, Chunk(b"y")))
    done = Completed(call, Reply(True))
    assert done.ok
    assert call.feed(done)
    assert call.done
    assert call.result() == b"y"


def test_nothing_to_do_is_a_signal() -> None:
    assert pop3.Client().next_event() is NEED_DATA
